#!/usr/bin/env bash
# better-auth with @better-auth/scim, a SCIM 2.0 server by others (TypeScript, in memory), as a target.
#
#   better-auth.sh install           creates .interop/better-auth with the pinned versions; does nothing if it is there
#   better-auth.sh serve PORT TOKEN  serves an empty store at http://127.0.0.1:PORT/api/auth/scim/v2, in the foreground,
#                                    until killed
#
# It listens on the loopback address only, and writes nothing outside .interop. Needs Node.js and npm.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"
host=$home/better-auth

case ${1:-} in
  install)
    # The plugin asks for versions of its siblings that the core does not bring: the lock file has those of the core.
    install_node better-auth package-lock.json ci --legacy-peer-deps --ignore-scripts
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
