#!/usr/bin/env bash
# How long `windlass init --yes` takes in a repository that has nothing yet. Prints a line for docs/benchmarks.md.
# Needs git and python3.
#
#   benches/init.sh [FOLDER]    FOLDER holds a build of windlass [default: target/release]
#   RUNS=50                     how many
set -euo pipefail
cd "$(dirname "$0")/.."

windlass=$(realpath "${1:-${CARGO_TARGET_DIR:-target}/release}/windlass")
for tool in git python3; do
  command -v "$tool" >/dev/null || { echo "init: $tool is missing" >&2; exit 3; }
done
[ -x "$windlass" ] || { echo "init: no binary at $windlass" >&2; exit 3; }

exec python3 - "$windlass" "${RUNS:-50}" <<'PYTHON'
import resource, subprocess, sys, tempfile, time

windlass, runs = sys.argv[1], int(sys.argv[2])
took = []
for _ in range(runs):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "init", "-q", folder], check=True)
        open(f"{folder}/Cargo.toml", "w").write('[package]\nname = "shop"\n')
        begun = time.perf_counter()
        subprocess.run([windlass, "init", "--yes", "--ci", "github"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        took.append((time.perf_counter() - begun) * 1000)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
took.sort()
at = lambda share: took[min(runs - 1, int(runs * share))]
print(f"init --yes, {runs} runs: p50 {at(0.5):.0f} ms, p95 {at(0.95):.0f} ms, max {took[-1]:.0f} ms; "
    f"{(used.ru_utime + used.ru_stime) * 1000 / runs:.0f} ms of processor time each, git's included")
PYTHON
