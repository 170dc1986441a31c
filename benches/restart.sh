#!/usr/bin/env bash
# Failed requests while windlassd itself is replaced and started again under load, with kept connections, answers and
# uploads in flight: upgrades by handover, restarts behind a socket that somebody holds for it, as systemd does, and
# kills there. Prints a table for docs/benchmarks.md, and fails where an upgrade or a restart lost a request. Needs
# python3.
#
#   benches/restart.sh [FOLDER]    FOLDER holds windlassd and examples/service [default: target/release]
#   RESTARTS=20                    how many of each
set -euo pipefail
cd "$(dirname "$0")/.."

folder=$(realpath "${1:-${CARGO_TARGET_DIR:-target}/release}")
command -v python3 >/dev/null || { echo "restart: python3 is missing" >&2; exit 3; }
for binary in windlassd examples/service; do
  [ -x "$folder/$binary" ] || { echo "restart: no binary at $folder/$binary" >&2; exit 3; }
done
exec python3 benches/restart.py "$folder/windlassd" "$folder/examples/service" "${RESTARTS:-20}"
