#!/usr/bin/env bash
# better-auth with @better-auth/scim, a SCIM 2.0 server by others (TypeScript, in memory), as a target.
#
#   better-auth.sh install           creates .interop/better-auth with the pinned versions; does nothing if it is there
#   better-auth.sh serve PORT TOKEN  serves an empty store at http://127.0.0.1:PORT/api/auth/scim/v2, in the foreground,
#                                    until killed
#
# It listens on the loopback address only, and writes nothing outside .interop. Needs Node.js and npm.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=$(cd "$here/../.." && pwd)/.interop
host=$home/better-auth

install() {
  mkdir -p "$home"
  # One installer at a time: several tests may ask at once.
  exec 9>"$home/better-auth.lock"
  flock 9
  # The stamp is written last, so a half-made folder is made anew.
  if cmp --silent "$here/better-auth/package-lock.json" "$host/installed.json" &&
    cmp --silent "$here/better-auth/server.mjs" "$host/server.mjs"; then return; fi
  rm -rf "$host"
  mkdir -p "$host"
  cp "$here/better-auth/package.json" "$here/better-auth/package-lock.json" "$here/better-auth/server.mjs" "$host/"
  # The plugin asks for versions of its siblings that the core does not bring: the lock file has those of the core.
  npm ci --prefix "$host" --legacy-peer-deps --ignore-scripts --no-audit --no-fund --silent --fetch-retries 3
  cp "$here/better-auth/package-lock.json" "$host/installed.json"
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
