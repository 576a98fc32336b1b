#!/usr/bin/env bash
# scimmy with scimmy-routers, a SCIM 2.0 server by others (JavaScript, in memory), as a target.
#
#   scimmy.sh install           creates .interop/scimmy with the pinned versions; does nothing if it is there
#   scimmy.sh serve PORT TOKEN  serves an empty store at http://127.0.0.1:PORT/scim, in the foreground, until killed
#
# It listens on the loopback address only, and writes nothing outside .interop. Needs Node.js and npm.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=$(cd "$here/../.." && pwd)/.interop
host=$home/scimmy

install() {
  mkdir -p "$home"
  # One installer at a time: several tests may ask at once.
  exec 9>"$home/scimmy.lock"
  flock 9
  # The stamp is written last, so a half-made folder is made anew.
  if cmp --silent "$here/scimmy/package.json" "$host/installed.json" &&
    cmp --silent "$here/scimmy/server.mjs" "$host/server.mjs"; then return; fi
  rm -rf "$host"
  mkdir -p "$host"
  cp "$here/scimmy/package.json" "$here/scimmy/server.mjs" "$host/"
  npm install --prefix "$host" --no-audit --no-fund --silent --fetch-retries 3
  cp "$here/scimmy/package.json" "$host/installed.json"
}

case ${1:-} in
  install) install ;;
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
