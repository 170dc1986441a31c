#!/usr/bin/env bash
# Runs the Windows builds of the tools that judge in Wine, each with what must pass and what must not.
#
#   .ci/wine.sh FOLDER     FOLDER holds gate-check.exe, security-scan.exe and health-verify.exe
set -euo pipefail
tools=$(cd "$1" && pwd)

wine=$(command -v wine64 || command -v wine || echo /usr/lib/wine/wine64)
if [ ! -x "$wine" ]; then
  echo "missing: wine64 (apt-get install wine64)" >&2
  exit 1
fi
work=$(mktemp -d)
served=
export WINEPREFIX="$work/prefix" WINEDEBUG=-all
server=$(command -v wineserver || echo /usr/lib/wine/wineserver)
clean() {
  if [ -n "$served" ]; then kill "$served"; fi
  # It writes into the prefix until it has ended, and is of this prefix alone.
  "$server" --kill 2>/dev/null || true
  "$server" --wait 2>/dev/null || true
  rm -rf "$work"
}
trap clean EXIT
# It stays between two runs: one that ends just then would take the next run's connection with it.
mkdir "$WINEPREFIX"
"$server" --persistent
place="$work/two words"
mkdir -p "$place/reports/deep" "$work/bin"
cp "$tools"/{gate-check,security-scan,health-verify}.exe "$work/bin/"

# Older ones have no bcryptprimitives.dll, which Rust takes random numbers from.
if [ -z "$(find /usr/lib /opt -path '*wine*/x86_64-windows/bcryptprimitives.dll' -print -quit 2>/dev/null)" ]; then
  cat >"$work/random.c" <<'C'
#include <windows.h>
#include <ntsecapi.h>
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length) { return RtlGenRandom(data, (ULONG)length); }
C
  x86_64-w64-mingw32-gcc -shared -o "$work/bin/bcryptprimitives.dll" "$work/random.c" -ladvapi32
fi

count=0
# Runs a tool in the place: its code must be this, and what it says hold a text.
expect() { # CODE TEXT TOOL [ARGUMENT]...
  local code=$1 text=$2 tool=$3 got=0
  shift 3
  (cd "$place" && timeout 300 "$wine" "$work/bin/$tool.exe" "$@" </dev/null) >"$work/said" 2>&1 || got=$?
  count=$((count + 1))
  if [ "$got" -ne "$code" ] || ! grep -qF -- "$text" "$work/said"; then
    printf '%s %s ended with %s, and %s was expected with: %s\n' "$tool" "$*" "$got" "$code" "$text" >&2
    cat "$work/said" >&2
    exit 1
  fi
}

policy() { # ARTIFACT
  cat >"$place/windlass.yml" <<YML
version: 1
app: shop
release: { artifact: $1 }
environments:
  staging:
    evidence: unsigned
    gates: { tests.total: ">= 1", tests.failed: "== 0" }
    target: { kind: host, listen: "127.0.0.1:0", run: [app] }
    strategy: rolling
YML
}

tests() { # TESTCASES
  printf '<testsuite name="a" tests="1" failures="0">%s</testsuite>\n' "$1" >"$place/reports/deep/junit.xml"
}

# The gate.
echo release >"$place/app.zip"
policy app.zip
tests '<testcase classname="a" name="b"/>'
expect 0 'reports/deep/junit.xml' gate-check -e staging --format json
expect 0 '' gate-check read 'reports\deep\junit.xml'
grep -q windlass:environment/staging <(cut -d'"' -f1- "$place/.windlass/evidence.intoto.jsonl" | grep -o '"payload":"[^"]*"' |
  cut -d'"' -f4 | base64 -d)
tests '<testcase classname="a" name="b"><failure/></testcase>'
expect 1 'tests.failed' gate-check -e staging
tests ''
expect 1 'hold no test' gate-check -e staging
: >"$place/reports/deep/junit.xml"
expect 3 'empty' gate-check -e staging
expect 2 'unexpected argument' gate-check --no-such-flag
mkdir -p "$place/dist"
echo release >"$place/dist/app"
tests '<testcase classname="a" name="b"/>'
policy dist/
expect 2 'pack it into one file' gate-check -e staging
expect 0 '' gate-check -e staging --artifact "sha256:$(sha256sum <"$place/app.zip" | cut -d' ' -f1)"

# The scan.
policy app.zip
mkdir -p "$place/source/deep er"
echo 'nothing' >"$place/source/deep er/a.txt"
expect 0 '' security-scan source --only secrets --format json
# Put together here, so that no scan of this tree finds it.
printf 'token = "ghp_%s"\n' "$(printf 'q9Zk3Lw8Xr2Tn6Vb5Ym1Hd4Jc7Gf0Ps9AbCd')" >"$place/source/deep er/a.txt"
expect 1 'source/deep er/a.txt' security-scan 'source\deep er' --only secrets --fail-on low
expect 2 'cannot scan' security-scan nowhere --only secrets

# Health.
mkdir "$work/web"
echo up >"$work/web/healthz"
python3 -c '
import http.server, sys
handler = lambda *words: http.server.SimpleHTTPRequestHandler(*words, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
with open(sys.argv[2], "w") as file: file.write(f"{server.server_port}\n")
server.serve_forever()' "$work/web" "$work/port" 2>/dev/null &
served=$!
for _ in $(seq 600); do if [ -s "$work/port" ]; then break; fi; sleep 0.1; done
port=$(cat "$work/port")
expect 0 '' health-verify --url "http://127.0.0.1:$port/healthz" --expect-contains up --within 60s
expect 1 '404' health-verify --url "http://127.0.0.1:$port/other" --within 3s
expect 0 '' health-verify --tcp "127.0.0.1:$port" --within 60s
expect 1 '' health-verify --tcp 127.0.0.1:9 --within 3s
expect 3 'cannot run' health-verify --command 'exit 0' --within 3s
cat >>"$place/windlass.yml" <<YML
  live:
    evidence: unsigned
    gates: none
    target: { kind: host, listen: "127.0.0.1:0", run: [app] }
    strategy: rolling
    verify: { probes: [{ http: /healthz }], within: 3s }
  hung:
    evidence: unsigned
    gates: none
    target: { kind: exec, command: [x] }
    strategy: rolling
    verify:
      probes: [{ command: [cmd, /c, 'Z:$work/bin/health-verify.exe', --tcp, "127.0.0.1:9", --within, 900s], timeout: 5s, failures: 1 }]
      within: 10s
YML
expect 3 'an agent cannot be asked' health-verify -e live
# A command that does not end is ended with what it started.
expect 1 'did not end within' health-verify -e hung
if pgrep -f "$work/bin/health-verify.exe --tcp" >/dev/null; then
  echo "what a hung command started lives on" >&2
  exit 1
fi

echo "$count runs of the tools as Windows programs, all as they should be"
