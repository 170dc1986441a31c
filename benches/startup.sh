#!/usr/bin/env bash
# How fast each tool starts and how large it is, against the project's own bounds: at most 5 ms more than /bin/true for
# `--version`, at most 8 MB stripped, 20 MB for the umbrella. Prints a table for docs/benchmarks.md; exit 1 says that a
# bound is broken.
#
#   benches/startup.sh            builds each tool by itself, in release, and measures it
#   benches/startup.sh FOLDER     measures the binaries in FOLDER
set -euo pipefail
cd "$(dirname "$0")/.."

tools=(gate-check security-scan deploy health-verify rollback windlassd windlass)
if [ $# -gt 0 ]; then
  folder=$1
else
  folder=${CARGO_TARGET_DIR:-target}/release
  for tool in "${tools[@]}"; do
    # One at a time: a build of the whole workspace would unify the features of their dependencies.
    package="windlass-${tool}"
    if [ "$tool" = windlass ]; then package=windlass; fi
    cargo build --release --locked --quiet --package "$package" </dev/null
  done
fi

exec python3 - "$folder" "${tools[@]}" <<'PYTHON'
"""Starts each binary many times, in turns so that a slow minute of the machine hits all alike."""
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 200
LARGEST_EXTRA_MS = 5.0
LARGEST_BYTES = {"windlass": 20_000_000}

folder, tools = sys.argv[1], sys.argv[2:]
commands = {"/bin/true": ["/bin/true"]}
for tool in tools:
    commands[tool] = [os.path.join(folder, tool), "--version"]

quiet = os.open(os.devnull, os.O_RDWR)
actions = [(os.POSIX_SPAWN_DUP2, quiet, 0), (os.POSIX_SPAWN_DUP2, quiet, 1), (os.POSIX_SPAWN_DUP2, quiet, 2)]


def start_ms(name):
    began = time.perf_counter()
    pid = os.posix_spawn(commands[name][0], commands[name], os.environ, file_actions=actions)
    _, status = os.waitpid(pid, 0)
    took = (time.perf_counter() - began) * 1000
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{name}: --version exits {os.waitstatus_to_exitcode(status)}")
    return took


def stripped_bytes(path):
    with tempfile.TemporaryDirectory() as scratch:
        copy = shutil.copy(path, scratch)
        if shutil.which("strip"):
            subprocess.run(["strip", copy], check=True)
        return os.path.getsize(copy)


for name in commands:
    if not os.access(commands[name][0], os.X_OK):
        sys.exit(f"no binary at {commands[name][0]}")
times = {name: [] for name in commands}
for name in commands:
    start_ms(name)
for _ in range(ROUNDS):
    for name in commands:
        times[name].append(start_ms(name))

floor = statistics.median(times["/bin/true"])
broken = []
print(f"median of {ROUNDS} starts each, in turns; `/bin/true` takes {floor:.2f} ms\n")
print("| binary | start, over `/bin/true` | slowest twentieth | stripped |")
print("|---|---|---|---|")
for tool in tools:
    extra = statistics.median(times[tool]) - floor
    slow = statistics.quantiles(times[tool], n=20)[-1] - floor
    size = stripped_bytes(commands[tool][0])
    print(f"| {tool} | {extra:.2f} ms | {slow:.2f} ms | {size / 1e6:.1f} MB |")
    if extra > LARGEST_EXTRA_MS:
        broken.append(f"{tool} starts {extra:.2f} ms after /bin/true: more than {LARGEST_EXTRA_MS} ms")
    if size > LARGEST_BYTES.get(tool, 8_000_000):
        broken.append(f"{tool} is {size} bytes: more than {LARGEST_BYTES.get(tool, 8_000_000)}")
if broken:
    sys.exit("\n".join(["", *broken]))
PYTHON
