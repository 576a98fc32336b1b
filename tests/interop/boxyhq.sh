#!/usr/bin/env bash
# @boxyhq/saml-jackson (Ory Polis), whose directory sync is a SCIM 2.0 server by others (TypeScript, in memory), as a
# target.
#
#   boxyhq.sh install           creates .interop/boxyhq with the pinned versions; does nothing if it is there
#   boxyhq.sh serve PORT TOKEN  serves an empty store at http://127.0.0.1:PORT/scim/v2, in the foreground, until killed
#
# It listens on the loopback address only, and writes nothing outside .interop. Needs Node.js and npm.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"
host=$home/boxyhq

case ${1:-} in
  install)
    # The scripts would compile a database that a store in memory has no use for.
    install_node boxyhq package-lock.json ci --ignore-scripts --omit=optional
    ;;
  serve)
    port=${2:?port} token=${3:?token}
    cd "$host"
    exec node server.mjs "$port" "$token"
    ;;
  *)
    echo "usage: ${0##*/} install | serve PORT TOKEN" >&2
    exit 2
    ;;
esac
