#!/usr/bin/env bash
# django-scim2-server, a SCIM 2.0 server by others (Python, an app for Django projects), as a target. Not django-scim2.
#
#   django-scim2-server.sh install           creates .interop/django-scim2-server with the pinned versions; does nothing if
#                                            it is there
#   django-scim2-server.sh serve PORT TOKEN  serves an empty store at http://127.0.0.1:PORT/scim/v2, in the foreground,
#                                            until killed
#
# It listens on the loopback address only, keeps its store in memory, and writes nothing outside .interop. The project
# that hosts it stands in django-scim2-server/ beside this file.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"
venv=$home/django-scim2-server

case ${1:-} in
  install) install_python django-scim2-server ;;
  serve)
    export PORT=${2:?port} TOKEN=${3:?token} PYTHONDONTWRITEBYTECODE=1
    exec "$venv/bin/python" "$here/django-scim2-server/serve.py"
    ;;
  *)
    echo "usage: ${0##*/} install | serve PORT TOKEN" >&2
    exit 2
    ;;
esac
