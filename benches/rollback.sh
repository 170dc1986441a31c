#!/bin/sh
# How long it takes from the decision to go back until everything goes to the old, with the anchor warm: 20 rollbacks,
# journalled and fenced, each timed from the start of `rollback` until its shift was in effect.
#
#   benches/rollback.sh [FOLDER OF BINARIES]      default: target/release, built by `cargo build --release -p windlass`
set -eu
cd "$(dirname "$0")/.."
bins=$(cd "${1:-target/release}" && pwd)
windlass=$bins/windlass
test -x "$windlass" || { echo "no $windlass: cargo build --release -p windlass" >&2; exit 2; }
home=$(mktemp -d "${TMPDIR:-/tmp}/wl-rollback.XXXXXX")
cleanup() {
    # The agent and its instances end with this folder's socket.
    if [ -S "$home/state/control.sock" ]; then
        curl -s --unix-socket "$home/state/control.sock" -H 'content-type: application/json' \
            -d '{"stop_instances": true}' http://agent/v1/shutdown || true
        while [ -S "$home/state/control.sock" ]; do sleep 0.1; done
    fi
    chmod -R u+w "$home" && rm -rf "$home"
}
trap cleanup EXIT
cat > "$home/windlass.yml" <<POLICY
version: 1
app: bench
release: dist/
environments:
  live:
    gates: none
    evidence: unsigned
    keep: { releases: 1, warm: 1 }
    target: { kind: host, root: state, listen: "127.0.0.1:0", run: [bin/shop], ready: /healthz, drain: 5s }
    strategy: blue-green
POLICY
mkdir -p "$home/dist/bin"
for label in one two; do
    printf '#!/bin/sh\nexec "%s" demo-service --port "%s" --version-label %s\n' "$windlass" "\$PORT" "$label" > "$home/dist/bin/shop"
    chmod +x "$home/dist/bin/shop"
    (cd "$home" && "$windlass" deploy --quiet > /dev/null)
done
for round in $(seq 1 20); do
    (cd "$home" && "$windlass" rollback --quiet --no-hold --to "r$((round % 2 == 1 ? 1 : 2))" --format json) > "$home/report-$round.json"
done
python3 - "$home" <<'PYTHON'
import json, math, os, re, sys
from datetime import datetime

def moment(text):
    # Nine digits of a second are more than `fromisoformat` takes.
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", text).replace("Z", "+00:00"))

times, whole = [], []
for number in range(1, 21):
    with open(os.path.join(sys.argv[1], f"report-{number}.json")) as file:
        report = json.load(file)
    assert report["outcome"] == "passed", report
    shift = next(step for step in report["steps"] if step["step"].startswith("shift "))
    times.append((moment(shift["at"]) - moment(report["started"])).total_seconds() * 1000)
    whole.append(report["duration_ms"])
def line(name, values):
    values = sorted(values)
    at = lambda share: values[math.ceil(share * len(values)) - 1]
    print(f"{name}: p50 {at(0.5):.0f} ms, p95 {at(0.95):.0f} ms, max {values[-1]:.0f} ms, of {len(values)}")
line("decision to 100 % old, anchor warm", times)
line("the whole command, drain and retention included", whole)
PYTHON
