#!/usr/bin/env bash
# scim2-server, a SCIM 2.0 server by others (Python, in memory), as a target for the interop tests.
#
#   scim2-server.sh install           creates .interop/scim2-server with the pinned versions; does nothing if it is there
#   scim2-server.sh serve PORT TOKEN  serves an empty store at http://127.0.0.1:PORT/v2, in the foreground, until killed
#
# It listens on the loopback address only, and writes nothing outside .interop.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"
venv=$home/scim2-server

case ${1:-} in
  install) install_python scim2-server ;;
  serve)
    port=${2:?port} token=${3:?token}
    exec "$venv/bin/scim2-server" --hostname 127.0.0.1 --port "$port" --bearer-token "$token"
    ;;
  *)
    echo "usage: ${0##*/} install | serve PORT TOKEN" >&2
    exit 2
    ;;
esac
