#!/usr/bin/env bash
# How long an action's step takes from its start to its tool's first line, with the tools in the runner's cache: bash, run.sh, and
# the sha256 of what it is going to run. Beside it an action of Node's that only prints. The processor's time stands beside the
# clock's, since nothing in a step waits for anything: on a machine with nothing else to do they are the same. Exit 1 says that
# the bound is broken: 60 ms of our own.
#
#   benches/action.sh             the tools are stand-ins of the sizes in docs/benchmarks.md
#   benches/action.sh FOLDER      the tools in FOLDER, which --version is asked of
set -euo pipefail
cd "$(dirname "$0")/.."
exec python3 - "${1:-}" <<'PYTHON'
"""Times the step's own command line, as GitHub's runner starts it: bash with a script file that says exec run.sh TOOL."""
import hashlib
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 60
LARGEST_MS = 60.0
SIZES = {"deploy": 7_300_000, "windlass": 15_200_000, "windlassd": 3_200_000}

work = tempfile.mkdtemp(prefix="windlass-action-")
tree, cache = os.path.join(work, "tree"), os.path.join(work, "cache")
os.makedirs(os.path.join(tree, "_lib"))
shutil.copy("actions/_lib/run.sh", os.path.join(tree, "_lib", "run.sh"))
version = next(line.split()[1] for line in open("actions/_lib/manifest") if line.startswith("version "))
target = f"{platform.machine()}-unknown-linux-musl"
folder = os.path.join(cache, "windlass", version, target)
os.makedirs(folder)
manifest = [f"version {version}", "repository windlass-dev/windlass",
            f"sha256 {'0' * 64} {target}/windlass-{version}-{target}.tar.gz"]
for tool, size in SIZES.items():
    path = os.path.join(folder, tool)
    if sys.argv[1]:
        shutil.copy(os.path.join(sys.argv[1], tool), path)
    else:
        text = b"#!/bin/sh\necho first line\nexit 0\n"
        with open(path, "wb") as file:
            file.write(text + b"#" * (size - len(text)))
    os.chmod(path, 0o755)
    manifest.append(f"sha256 {hashlib.sha256(open(path, 'rb').read()).hexdigest()} {target}/{tool}")
with open(os.path.join(tree, "_lib", "manifest"), "w") as file:
    file.write("\n".join(manifest) + "\n")
open(os.path.join(folder, ".complete"), "w").close()

step = os.path.join(work, "step.sh")
with open(step, "w") as file:
    file.write(f'exec "{tree}/_lib/run.sh" deploy --version\n')
node = os.path.join(work, "index.js")
with open(node, "w") as file:
    file.write("console.log('first line')\n")
commands = {
    "a step of ours": ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", step],
    "the tool alone": [os.path.join(folder, "deploy"), "--version"],
    "bash alone": ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", "echo first line"],
}
if shutil.which("node"):
    commands["an action of Node's"] = ["node", node]
environment = {"PATH": os.environ["PATH"], "HOME": work, "RUNNER_TOOL_CACHE": cache, "RUNNER_TEMP": work}
times = {name: [] for name in commands}
processor = {name: [] for name in commands}
for turn in range(ROUNDS + 1):
    for name, command in commands.items():
        began = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
        line = process.stdout.readline()
        took = (time.perf_counter() - began) * 1000
        process.stdout.close()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0 or not line:
            sys.exit(f"{name}: exit {process.returncode}, {line!r}")
        if turn:
            times[name].append(took)
            processor[name].append((used.ru_utime + used.ru_stime) * 1000)
shutil.rmtree(work)

print(f"median of {ROUNDS} each, in turns; from the start to the first line\n")
print("| | ms by the clock | ms of the processor |\n|---|---|---|")
for name in commands:
    print(f"| {name} | {statistics.median(times[name]):.1f} | {statistics.median(processor[name]):.1f} |")
own = statistics.median(processor["a step of ours"]) - statistics.median(processor["the tool alone"])
print(f"\nOf our own: {own:.1f} ms of the processor.")
if own > LARGEST_MS:
    sys.exit(f"{own:.1f} ms are more than {LARGEST_MS} ms")
PYTHON
