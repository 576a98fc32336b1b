#!/usr/bin/env bash
# scim2-server, a SCIM 2.0 server by others (Python, in memory), as a target for the interop tests.
#
#   scim2-server.sh install           creates .interop/scim2-server with the pinned versions; does nothing if it is there
#   scim2-server.sh serve PORT TOKEN  serves an empty store at http://127.0.0.1:PORT/v2, in the foreground, until killed
#
# It listens on the loopback address only, and writes nothing outside .interop.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=$(cd "$here/../.." && pwd)/.interop
venv=$home/scim2-server
requirements=$here/scim2-server.requirements.txt

install() {
  mkdir -p "$home"
  # One installer at a time: several tests may ask at once.
  exec 9>"$home/scim2-server.lock"
  flock 9
  # The stamp is written last, so a half-made environment is made anew.
  if cmp --silent "$requirements" "$venv/installed.txt"; then return; fi
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input --retries 3 --timeout 30 \
    --requirement "$requirements"
  cp "$requirements" "$venv/installed.txt"
}

case ${1:-} in
  install) install ;;
  serve)
    port=${2:?port} token=${3:?token}
    exec "$venv/bin/scim2-server" --hostname 127.0.0.1 --port "$port" --bearer-token "$token"
    ;;
  *)
    echo "usage: ${0##*/} install | serve PORT TOKEN" >&2
    exit 2
    ;;
esac
