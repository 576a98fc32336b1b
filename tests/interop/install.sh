# What the servers' scripts have in common: where they are installed, and how. To be sourced.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
home=$(cd "$here/../.." && pwd)/.interop

# One installer at a time: several tests may ask at once.
lock() {
  mkdir -p "$home"
  exec 9>"$home/$1.lock"
  flock 9
}

# A Python environment of that name with the pinned versions, unless it is there. The stamp is written last, so a
# half-made one is made anew.
install_python() {
  local venv=$home/$1 requirements=$here/$1.requirements.txt
  lock "$1"
  if cmp --silent "$requirements" "$venv/installed.txt"; then return; fi
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input --retries 3 --timeout 30 \
    --requirement "$requirements"
  cp "$requirements" "$venv/installed.txt"
}

# A Node.js host of that name from the folder of that name, unless it is there as it is now: `pins` is the file that
# names the versions, and what follows is the command of npm that reads it.
install_node() {
  local host=$home/$1 source=$here/$1 pins=$2
  lock "$1"
  if cmp --silent "$source/$pins" "$host/installed.json" &&
    cmp --silent "$source/server.mjs" "$host/server.mjs"; then return; fi
  rm -rf "$host"
  mkdir -p "$host"
  cp "$source"/*.json "$source/server.mjs" "$host/"
  npm "${@:3}" --prefix "$host" --no-audit --no-fund --silent --fetch-retries 3
  cp "$source/$pins" "$host/installed.json"
}
