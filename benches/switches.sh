#!/usr/bin/env bash
# Failed requests in switches under load: windlassd beside nginx and HAProxy, which reload, and kamal-proxy where it is
# there. With kept connections, answers and uploads in flight; the old service is stopped, by SIGTERM and at once, when
# the proxy's old process has ended or has said that the old one is drained. Prints a table for docs/benchmarks.md, and
# fails where windlassd lost a request. Needs nginx, haproxy and python3.
#
#   benches/switches.sh [FOLDER]   FOLDER holds windlassd and examples/service [default: target/release]
#   SWITCHES=20                    how many
#   KAMAL_PROXY=PATH               a kamal-proxy to measure too
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/sbin"

folder=$(realpath "${1:-${CARGO_TARGET_DIR:-target}/release}")
for tool in nginx haproxy python3; do
  command -v "$tool" >/dev/null || { echo "switches: $tool is missing" >&2; exit 3; }
done
for binary in windlassd examples/service; do
  [ -x "$folder/$binary" ] || { echo "switches: no binary at $folder/$binary" >&2; exit 3; }
done
names=(windlassd nginx haproxy)
if [ -n "${KAMAL_PROXY:-}" ]; then names+=(kamal-proxy); fi
exec python3 benches/switches.py "$folder/windlassd" "$folder/examples/service" "${SWITCHES:-20}" "${names[@]}"
