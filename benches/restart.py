"""The agent is replaced and started again under load: see benches/restart.sh.

    python3 benches/restart.py WINDLASSD SERVICE COUNT
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from agent import Agent
from switches import Load

# As a service manager passes a listener: descriptor 3, for the number of the process itself.
ACTIVATE = 'exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'


class Served:
    """An agent behind a socket that this process holds, as systemd would, with one service of two instances."""

    def __init__(self, program, service, work):
        self.program, self.work, self.root = program, work, os.path.join(work, "root")
        os.mkdir(self.root, 0o700)
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(1024)
        self.port = self.listener.getsockname()[1]
        self.start()
        self.agent = Agent(self.root, "benches/restart.sh", f"127.0.0.1:{self.port}")
        self.agent.start(1, [service, "--port", "{port}"])
        self.agent.shift({"r1": 10_000})

    def start(self):
        log = open(os.path.join(self.work, "out"), "ab")
        command = ["/bin/sh", "-c", ACTIVATE, "sh", self.program, "--root", self.root, "--foreground"]
        self.process = subprocess.Popen(command, stdin=self.listener, stdout=log, stderr=log)

    def pid(self):
        return self.agent.ask("GET", "/v1/state")["pid"]

    def await_answer(self):
        for _ in range(1200):
            try:
                return self.pid()
            except OSError:
                time.sleep(0.01)
        sys.exit("restart.py: the agent does not answer")

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait()
        self.start()
        self.await_answer()

    def restart(self):
        self.end(signal.SIGTERM)

    def kill(self):
        self.end(signal.SIGKILL)

    def stop(self):
        self.agent.ask("POST", "/v1/shutdown", {"stop_instances": True})
        self.process.wait()


class Unmanaged(Served):
    """An agent that listens by itself, and hands its listeners over to the next."""

    def start(self):
        # Its own from here on.
        self.listener.close()
        log = open(os.path.join(self.work, "out"), "ab")
        command = [self.program, "--root", self.root, "--foreground"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def upgrade(self):
        before = self.pid()
        subprocess.run([self.program, "--root", self.root, "--take-over"], check=True, capture_output=True)
        if self.pid() == before:
            sys.exit("restart.py: the agent before still answers")

    def stop(self):
        self.agent.ask("POST", "/v1/shutdown", {"stop_instances": True})
        for _ in range(1000):
            if not os.path.exists(self.agent.socket):
                break
            time.sleep(0.01)
        self.process.wait()


def measure(what, served, move, count):
    load = Load(served.port)
    times = []
    for _ in range(count):
        begun = time.monotonic()
        move()
        times.append((time.monotonic() - begun) * 1000)
        time.sleep(0.3)
    failed = load.end(what, times)
    served.stop()
    return failed


def main():
    program, service, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    print(f"{os.cpu_count()} cores shared by clients, agent and service; {count} of each\n")
    print("| | quick: failed | slow: failed | uploads: failed | p50 ms | max |\n|---|---|---|---|---|---|")
    lost = 0
    for what, kind, move, is_lossless in (
        ("upgrade: handed over to another process", Unmanaged, "upgrade", True),
        ("restart: SIGTERM and a start, behind a held socket", Served, "restart", True),
        ("SIGKILL and a start, behind a held socket", Served, "kill", False),
    ):
        work = tempfile.mkdtemp(prefix="windlass-restart-")
        served = kind(program, service, work)
        failed = measure(what, served, getattr(served, move), count)
        shutil.rmtree(work, ignore_errors=True)
        # What was under way at a SIGKILL is lost, and nothing else.
        lost += failed if is_lossless else 0
    sys.exit(1 if lost else 0)


if __name__ == "__main__":
    main()
