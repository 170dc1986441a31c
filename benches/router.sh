#!/usr/bin/env bash
# The agent's router beside HAProxy, nginx and, where they are there, Caddy and kamal-proxy: the same two backends at
# 70/30, 1 KB answers, 64 kept-alive connections, two router threads, loopback only. First saturated by wrk, then at a
# steady rate by oha, where that is there. Prints tables for docs/benchmarks.md. Needs wrk, nginx, haproxy and python3.
#
#   benches/router.sh [FOLDER]    FOLDER holds a release build of windlassd [default: target/release]
#   SECONDS_EACH=10 ROUNDS=3      how long, and how often in turns
#   RATE=5000                     requests per second of the steady load
#   KAMAL_PROXY=PATH              a kamal-proxy to measure too; it knows no weights, so it has one backend
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/sbin"

agent=${1:-${CARGO_TARGET_DIR:-target}/release}/windlassd
each=${SECONDS_EACH:-10}
rounds=${ROUNDS:-3}
connections=64
rate=${RATE:-5000}

for tool in wrk nginx haproxy python3 curl; do
  command -v "$tool" >/dev/null || { echo "router: $tool is missing" >&2; exit 3; }
done
[ -x "$agent" ] || { echo "router: no binary at $agent" >&2; exit 3; }

work=$(mktemp -d)
started=()
# Ends what this script started, and nothing else.
clean() {
  local pid
  # The agent's instances outlive it unless it is told otherwise.
  if [ -S "$work/root/control.sock" ]; then
    curl -sS -o /dev/null --max-time 10 --unix-socket "$work/root/control.sock" \
      -H 'content-type: application/json' -d '{"stop_instances":true}' http://agent/v1/shutdown || true
  fi
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT TERM

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

await() { # URL
  local try
  for try in $(seq 1 200); do
    if curl -fsS -o /dev/null --max-time 1 "$1" 2>/dev/null; then return 0; fi
    sleep 0.05
  done
  echo "router: $1 does not answer (tried $try times)" >&2
  tail -n 20 "$work"/*.log >&2 || true
  return 1
}

# A backend on port $1: nginx itself, answering 1 KB from memory. The agent starts the same file.
cat >"$work/backend.sh" <<BACKEND
#!/bin/sh
set -e
port=\$1
page=\$(head -c 1024 /dev/zero | tr '\\0' w)
cat >"$work/backend-\$port.conf" <<CONF
worker_processes 1;
pid $work/backend-\$port.pid;
error_log $work/backend-\$port.log;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path $work/b\$port; proxy_temp_path $work/b\$port; fastcgi_temp_path $work/b\$port;
  uwsgi_temp_path $work/b\$port; scgi_temp_path $work/b\$port;
  server { listen 127.0.0.1:\$port; location / { return 200 "\$page"; } }
}
CONF
exec $(command -v nginx) -e "$work/backend-\$port.log" -g "daemon off;" -c "$work/backend-\$port.conf"
BACKEND

backend() {
  sh "$work/backend.sh" "$1" >/dev/null 2>&1 &
  started+=("$!")
  await "http://127.0.0.1:$1/"
}

heavy=$(free_port); backend "$heavy"
light=$(free_port); backend "$light"

declare -A port pid
start_direct() { port[backend]=$heavy; pid[backend]=${started[0]}; }

start_nginx() {
  port[nginx]=$(free_port)
  cat >"$work/nginx.conf" <<CONF
worker_processes 2;
worker_cpu_affinity auto;
pid $work/nginx.pid;
error_log $work/nginx.log;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path $work/n1; proxy_temp_path $work/n2; fastcgi_temp_path $work/n3;
  uwsgi_temp_path $work/n4; scgi_temp_path $work/n5;
  upstream shop {
    server 127.0.0.1:$heavy weight=70;
    server 127.0.0.1:$light weight=30;
    keepalive 128;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:${port[nginx]} reuseport;
    location / { proxy_pass http://shop; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
CONF
  nginx -e "$work/nginx.log" -g "daemon off;" -c "$work/nginx.conf" >/dev/null 2>&1 &
  pid[nginx]=$!
  started+=("$!")
}

start_haproxy() {
  port[haproxy]=$(free_port)
  cat >"$work/haproxy.cfg" <<CONF
global
  nbthread 2
  maxconn 4096
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend shop
  bind 127.0.0.1:${port[haproxy]}
  default_backend shop
backend shop
  balance roundrobin
  server heavy 127.0.0.1:$heavy weight 70
  server light 127.0.0.1:$light weight 30
CONF
  haproxy -db -f "$work/haproxy.cfg" >"$work/haproxy.log" 2>&1 &
  pid[haproxy]=$!
  started+=("$!")
}

start_windlassd() {
  mkdir -m 700 "$work/root"
  "$agent" --root "$work/root" --foreground --threads 2 >"$work/windlassd.log" 2>&1 </dev/null &
  pid[windlassd]=$!
  started+=("$!")
  port[windlassd]=$(timeout 60 python3 benches/agent.py "$work/root" "$work/backend.sh")
}

start_caddy() {
  port[caddy]=$(free_port)
  cat >"$work/caddy.json" <<CONF
{ "admin": { "disabled": true }, "logging": { "logs": { "default": { "level": "ERROR" } } },
  "storage": { "module": "file_system", "root": "$work/caddy" },
  "apps": { "http": { "servers": { "shop": {
    "listen": ["127.0.0.1:${port[caddy]}"], "automatic_https": { "disable": true },
    "routes": [{ "handle": [{ "handler": "reverse_proxy",
      "load_balancing": { "selection_policy": { "policy": "weighted_round_robin", "weights": [70, 30] } },
      "transport": { "protocol": "http", "keep_alive": { "max_idle_conns_per_host": 128 } },
      "upstreams": [{ "dial": "127.0.0.1:$heavy" }, { "dial": "127.0.0.1:$light" }] }] }] } } } } }
CONF
  # Older ones know no weights.
  if ! XDG_DATA_HOME="$work" XDG_CONFIG_HOME="$work" caddy validate --config "$work/caddy.json" >/dev/null 2>&1; then
    sed -i 's/"policy": "weighted_round_robin", "weights": \[70, 30\]/"policy": "round_robin"/' "$work/caddy.json"
  fi
  XDG_DATA_HOME="$work" XDG_CONFIG_HOME="$work" GOMAXPROCS=2 caddy run --config "$work/caddy.json" >"$work/caddy.log" 2>&1 &
  pid[caddy]=$!
  started+=("$!")
}

start_kamal() {
  port[kamal-proxy]=$(free_port)
  mkdir "$work/kamal"
  XDG_CONFIG_HOME="$work/kamal" XDG_RUNTIME_DIR="$work/kamal" GOMAXPROCS=2 "$KAMAL_PROXY" run \
    --http-port "${port[kamal-proxy]}" --https-port "$(free_port)" >"$work/kamal.log" 2>&1 &
  pid[kamal-proxy]=$!
  started+=("$!")
  local try
  for try in $(seq 1 100); do
    if XDG_CONFIG_HOME="$work/kamal" XDG_RUNTIME_DIR="$work/kamal" "$KAMAL_PROXY" deploy shop \
      --target "127.0.0.1:$heavy" --health-check-path / >>"$work/kamal.log" 2>&1; then return 0; fi
    sleep 0.1
  done
  echo "router: kamal-proxy took no target (tried $try times)" >&2
  return 1
}

# CPU ticks that a process and its children have used.
ticks() {
  local one sum=0
  for one in "$1" $(pgrep -P "$1" || true); do
    # Without the instances that the agent supervises: they are the backend.
    if [ "$one" != "$1" ] && [ "$2" = windlassd ]; then continue; fi
    sum=$((sum + $(awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$one/stat" 2>/dev/null || echo 0)))
  done
  echo "$sum"
}

measure() { # NAME
  local before after
  before=$(ticks "${pid[$1]}" "$1")
  timeout $((each + 20)) wrk -t2 -c"$connections" -d"${each}s" --latency "http://127.0.0.1:${port[$1]}/" >"$work/wrk"
  after=$(ticks "${pid[$1]}" "$1")
  if grep -E 'Non-2xx|Socket errors' "$work/wrk" >&2; then
    echo "router: $1 lost requests" >&2
    return 1
  fi
  awk -v name="$1" -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" '
    $1 == "99%" { p99 = $2; if (sub(/us$/, "", p99)) p99 /= 1000; else if (sub(/ms$/, "", p99)) ; else if (sub(/s$/, "", p99)) p99 *= 1000 }
    $2 == "requests" && $3 == "in" { count = $1 }
    $1 == "Requests/sec:" { rate = $2 }
    END { printf "%s %.0f %.2f %.2f\n", name, rate, p99, ticks / hz / count * 100000 }' "$work/wrk"
}

# Milliseconds of latency at a steady rate: p50, p99, p99.9.
steady() { # NAME
  timeout $((each + 20)) oha --no-tui --output-format json -q "$rate" -c "$connections" -z "${each}s" \
    --latency-correction "http://127.0.0.1:${port[$1]}/" >"$work/oha"
  python3 - "$1" "$work/oha" <<'READ'
import json, sys

name, path = sys.argv[1:]
with open(path) as file:
    seen = json.load(file)
codes = seen["statusCodeDistribution"]
if set(codes) != {"200"}:
    sys.exit(f"router: {name} answers {codes}")
at = seen["latencyPercentiles"]
print(name, *(f"{at[key] * 1000:.2f}" for key in ("p50", "p99", "p99.9")), f"{seen['summary']['requestsPerSec']:.0f}")
READ
}

# The median of a column over all rounds, for each name: rows of a table.
rows() { # FILE COLUMN...
  local file=$1 name column row
  shift
  for name in "${names[@]}" backend; do
    row="| $name |"
    for column in "$@"; do
      row+=" $(awk -v name="$name" -v column="$column" '$1 == name { print $column }' "$file" |
        sort -n | awk '{ value[NR] = $1 } END { print value[int((NR + 1) / 2)] }') |"
    done
    echo "$row"
  done
}

names=(windlassd haproxy nginx)
start_direct; start_nginx; start_haproxy; start_windlassd
if command -v caddy >/dev/null; then start_caddy; names+=(caddy); fi
if [ -n "${KAMAL_PROXY:-}" ]; then start_kamal; names+=(kamal-proxy); fi
for name in "${names[@]}"; do await "http://127.0.0.1:${port[$name]}/"; done
for name in "${names[@]}"; do wrk -t2 -c"$connections" -d1s "http://127.0.0.1:${port[$name]}/" >/dev/null; done
for _ in $(seq 1 "$rounds"); do
  for name in backend "${names[@]}"; do measure "$name"; done
done >"$work/measured"
printf '%s cores shared by client, router and backend; %s connections; %s rounds of %s s in turns, medians\n\n' \
  "$(nproc)" "$connections" "$rounds" "$each"
printf '| | requests/s | p99 ms | CPU-s per 100,000 |\n|---|---|---|---|\n'
rows "$work/measured" 2 3 4

if ! command -v oha >/dev/null; then
  echo "router: oha is missing (cargo install oha), so there is no steady load" >&2
  exit 0
fi
for _ in $(seq 1 "$rounds"); do
  for name in backend "${names[@]}"; do steady "$name"; done
done >"$work/steady"
printf '\nthe same at %s requests per second\n\n| | p50 ms | p99 ms | p99.9 ms |\n|---|---|---|---|\n' "$rate"
rows "$work/steady" 2 3 4
