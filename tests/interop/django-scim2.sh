#!/usr/bin/env bash
# django-scim2, a SCIM 2.0 server by others (Python, an app for Django projects), as a target for the interop tests.
#
#   django-scim2.sh install           creates .interop/django-scim2 with the pinned versions; does nothing if it is there
#   django-scim2.sh serve PORT TOKEN  serves an empty store at http://127.0.0.1:PORT/scim/v2, in the foreground, until killed
#
# It listens on the loopback address only, keeps its store in memory, and writes nothing outside .interop. The project
# that hosts it stands in django-scim2/ beside this file.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=$(cd "$here/../.." && pwd)/.interop
venv=$home/django-scim2
requirements=$here/django-scim2.requirements.txt

install() {
  mkdir -p "$home"
  # One installer at a time: several tests may ask at once.
  exec 9>"$home/django-scim2.lock"
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
    export PORT=${2:?port} TOKEN=${3:?token} PYTHONDONTWRITEBYTECODE=1
    exec "$venv/bin/python" "$here/django-scim2/serve.py"
    ;;
  *)
    echo "usage: ${0##*/} install | serve PORT TOKEN" >&2
    exit 2
    ;;
esac
