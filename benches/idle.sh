#!/usr/bin/env bash
# Memory of a kept-alive connection that rests, at the agent's router: so many clients ask once and say nothing more.
# Prints a table for docs/benchmarks.md. Needs python3 and curl.
#
#   benches/idle.sh [FOLDER]    FOLDER holds a build of windlassd [default: target/release]
#   CONNECTIONS=9500            how many; the place's limit is 10,000, and each needs a descriptor here and there
set -euo pipefail
cd "$(dirname "$0")/.."

agent=${1:-${CARGO_TARGET_DIR:-target}/release}/windlassd
connections=${CONNECTIONS:-9500}

for tool in python3 curl; do
  command -v "$tool" >/dev/null || { echo "idle: $tool is missing" >&2; exit 3; }
done
[ -x "$agent" ] || { echo "idle: no binary at $agent" >&2; exit 3; }
if [ "$(ulimit -n)" -lt $((connections + 500)) ] && ! ulimit -n $((connections + 500)); then
  echo "idle: $connections connections need as many descriptors (ulimit -n)" >&2
  exit 3
fi

work=$(mktemp -d)
pid=
# Ends what this script started, and nothing else.
clean() {
  if [ -S "$work/root/control.sock" ]; then
    curl -sS -o /dev/null --max-time 10 --unix-socket "$work/root/control.sock" \
      -H 'content-type: application/json' -d '{"stop_instances":true}' http://agent/v1/shutdown || true
  fi
  if [ -n "$pid" ]; then
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM

cat >"$work/backend.sh" <<'BACKEND'
#!/bin/sh
exec python3 -m http.server --bind 127.0.0.1 "$1" >/dev/null 2>&1
BACKEND
mkdir -m 700 "$work/root"
"$agent" --root "$work/root" --foreground --threads 2 >"$work/windlassd.log" 2>&1 </dev/null &
pid=$!
port=$(timeout 60 python3 benches/agent.py "$work/root" "$work/backend.sh")
python3 benches/idle.py "$pid" "$port" "$connections"
