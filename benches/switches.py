"""Switches from one service to the next under load: see benches/switches.sh, which looks for the tools.

    python3 benches/switches.py WINDLASSD SERVICE COUNT NAME...
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from agent import Agent

HERE = os.path.dirname(os.path.abspath(__file__))
# A requests' own time is at most this; whatever still holds an old process after that is waiting for nothing.
DRAIN = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_answer(port):
    for _ in range(1200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
                answer.read()
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.05)
    sys.exit(f"switches.py: port {port} does not answer")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return {int(child) for child in file.read().split()}


def await_gone(pids):
    """Waits until a proxy's old processes have ended by themselves: only then may the old service be stopped."""
    begun = time.monotonic()
    while any(os.path.exists(f"/proc/{pid}") for pid in pids):
        if time.monotonic() - begun > DRAIN:
            return
        time.sleep(0.005)


class Services:
    """The services that a proxy without a supervisor needs: the next is started, and the old one stopped, by us."""

    def __init__(self, program):
        self.program = program
        self.running = None

    def next(self):
        port = free_port()
        process = subprocess.Popen([self.program, "--port", str(port)], stdout=subprocess.DEVNULL)
        await_answer(port)
        return port, process

    def replace(self, process):
        old, self.running = self.running, process
        if old is not None:
            old.send_signal(signal.SIGTERM)
            old.wait()

    def stop(self):
        self.replace(None)


class Windlassd:
    def __init__(self, program, service, work):
        self.service = service
        root = os.path.join(work, "root")
        os.mkdir(root, 0o700)
        log = open(os.path.join(work, "windlassd.log"), "wb")
        self.process = subprocess.Popen(
            [program, "--root", root, "--foreground"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        self.agent = Agent(root, "benches/switches.sh")
        self.revision = 0
        self.switch()
        self.port = self.agent.port()

    def switch(self):
        self.revision += 1
        self.agent.start(self.revision, [self.service, "--port", "{port}"], drain_ms=DRAIN * 1000)
        begun = time.monotonic()
        self.agent.shift({f"r{self.revision}": 10_000})
        self.agent.apply({"step": "retire", "live": self.revision, "keep": [self.revision]})
        return time.monotonic() - begun

    def stop(self):
        self.agent.ask("POST", "/v1/shutdown", {"stop_instances": True})
        self.process.wait()


class Rival:
    """A proxy beside ours: `self.process` in front of `self.services`."""

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.services.stop()


class Reloaded(Rival):
    """One that reads its configuration again when it is told to by a signal; what it ran on before ends by itself."""

    reload = None

    def __init__(self, service, work):
        self.services, self.work, self.port = Services(service), work, free_port()
        port, process = self.services.next()
        self.configure(port)
        self.process = self.begin()
        self.services.replace(process)
        await_answer(self.port)

    def switch(self):
        port, process = self.services.next()
        old = children(self.process.pid)
        begun = time.monotonic()
        self.configure(port)
        self.process.send_signal(self.reload)
        await_gone(old)
        self.services.replace(process)
        return time.monotonic() - begun


class Nginx(Reloaded):
    reload = signal.SIGHUP

    def begin(self):
        work = self.work
        return subprocess.Popen(["nginx", "-e", f"{work}/error", "-g", "daemon off;", "-c", f"{work}/nginx.conf"])

    def configure(self, port):
        temporary = " ".join(
            f"{kind}_temp_path {self.work}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        with open(f"{self.work}/nginx.conf", "w") as file:
            file.write(
                f"worker_processes 2; pid {self.work}/nginx.pid; error_log {self.work}/error;"
                "events { worker_connections 1024; }"
                f"http {{ access_log off; {temporary} keepalive_requests 1000000000;"
                f"upstream shop {{ server 127.0.0.1:{port}; keepalive 64; }}"
                f"server {{ listen 127.0.0.1:{self.port}; location / {{ proxy_pass http://shop;"
                'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_request_buffering off; } } }'
            )


class Haproxy(Reloaded):
    reload = signal.SIGUSR2

    def begin(self):
        work, log = self.work, open(f"{self.work}/haproxy.log", "wb")
        return subprocess.Popen(
            ["haproxy", "-W", "-db", "-f", f"{work}/haproxy.cfg", "-S", f"{work}/master.sock"], stdout=log, stderr=log
        )

    def configure(self, port):
        with open(f"{self.work}/haproxy.cfg", "w") as file:
            file.write(
                f"global\n  nbthread 2\n  maxconn 1000\n  stats socket {self.work}/stats.sock expose-fd listeners\n"
                "defaults\n  mode http\n  option http-keep-alive\n  http-reuse always\n"
                "  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"
                f"frontend shop\n  bind 127.0.0.1:{self.port}\n  default_backend shop\n"
                f"backend shop\n  server shop 127.0.0.1:{port}\n"
            )


class Kamal(Rival):
    def __init__(self, program, service, work):
        self.program, self.services, self.port = program, Services(service), free_port()
        self.vars = {**os.environ, "XDG_CONFIG_HOME": work, "XDG_RUNTIME_DIR": work}
        log = open(f"{work}/kamal.log", "wb")
        ports = ["--http-port", str(self.port), "--https-port", str(free_port())]
        self.process = subprocess.Popen([program, "run", *ports], env=self.vars, stdout=log, stderr=log)
        for _ in range(200):
            if os.path.exists(f"{work}/kamal-proxy.sock"):
                break
            time.sleep(0.05)
        self.switch()
        await_answer(self.port)

    def switch(self):
        port, process = self.services.next()
        begun = time.monotonic()
        asked = [self.program, "deploy", "shop", "--target", f"127.0.0.1:{port}", "--health-check-path", "/"]
        subprocess.run([*asked, "--drain-timeout", f"{DRAIN}s"], env=self.vars, check=True, stdout=subprocess.DEVNULL)
        self.services.replace(process)
        return time.monotonic() - begun


class Load:
    """Clients of a port, from now on."""

    def __init__(self, port):
        command = [sys.executable, os.path.join(HERE, "load.py"), str(port)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        time.sleep(1)

    def end(self, name, times):
        """Prints a row of what failed and how long each move took, and says how many failed."""
        time.sleep(1)
        seen = json.loads(self.process.communicate()[0])
        asked, failed = seen["asked"], seen["failed"]
        by_kind = " | ".join(f"{failed.get(kind, 0)} of {asked.get(kind, 0)}" for kind in ("quick", "slow", "upload"))
        times = sorted(times)
        print(f"| {name} | {by_kind} | {times[len(times) // 2]:.0f} | {times[-1]:.0f} |", flush=True)
        for reason, many in sorted(seen["why"].items()):
            print(f"{name}: {many} × {reason}", file=sys.stderr)
        return sum(failed.values())


def measure(name, proxy, count):
    load = Load(proxy.port)
    times = []
    for _ in range(count):
        times.append(proxy.switch() * 1000)
        time.sleep(0.2)
    return load.end(name, times)


def main():
    windlassd, service, count, *names = sys.argv[1:]
    print(f"{os.cpu_count()} cores shared by clients, proxy and services; {count} switches each\n")
    print("| | quick: failed | slow: failed | uploads: failed | switch p50 ms | max |\n|---|---|---|---|---|---|")
    lost = 0
    for name in names:
        work = tempfile.mkdtemp(prefix="windlass-switches-")
        made = {
            "windlassd": lambda: Windlassd(windlassd, service, work),
            "nginx": lambda: Nginx(service, work),
            "haproxy": lambda: Haproxy(service, work),
            "kamal-proxy": lambda: Kamal(os.environ["KAMAL_PROXY"], service, work),
        }
        proxy = made[name]()
        try:
            failed = measure(name, proxy, int(count))
        finally:
            proxy.stop()
            shutil.rmtree(work, ignore_errors=True)
        if name == "windlassd":
            lost = failed
    # The others' losses are theirs; ours are a failure.
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
