#!/usr/bin/env bash
# scimmy with scimmy-routers, a SCIM 2.0 server by others (JavaScript, in memory), as a target.
#
#   scimmy.sh install           creates .interop/scimmy with the pinned versions; does nothing if it is there
#   scimmy.sh serve PORT TOKEN  serves an empty store at http://127.0.0.1:PORT/scim, in the foreground, until killed
#
# It listens on the loopback address only, and writes nothing outside .interop. Needs Node.js and npm.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"
host=$home/scimmy

case ${1:-} in
  install) install_node scimmy package.json install ;;
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
