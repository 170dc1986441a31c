"""The agent's control protocol, as `deploy` speaks it, for the benches.

    python3 benches/agent.py ROOT BACKEND_SCRIPT

sets an agent up for benches/router.sh, with two revisions at 70/30, and prints the router's port.
"""

import hashlib
import http.client
import json
import os
import socket
import sys
import time


class Connection(http.client.HTTPConnection):
    """One connection a question, over the control socket."""

    def __init__(self, path):
        super().__init__("agent")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(120)
        self.sock.connect(self.path)


class Agent:
    """An agent that listens, under a lease that ends with this process."""

    def __init__(self, root, who, listen="127.0.0.1:0"):
        self.root = root
        self.socket = os.path.join(root, "control.sock")
        for _ in range(1200):
            if os.path.exists(self.socket):
                break
            time.sleep(0.05)
        owner = {"run": os.urandom(16).hex(), "who": who}
        self.epoch = self.ask("POST", "/v1/claim", {"owner": owner, "ttl_ms": 900_000})["epoch"]
        place = {"app": "bench", "environment": "router", "listen": listen, "metrics": None}
        self.ask("POST", "/v1/configure", {"epoch": self.epoch, "place": place})

    def ask(self, method, path, body=None):
        agent = Connection(self.socket)
        text = json.dumps(body) if body is not None else None
        agent.request(method, path, text, {"content-type": "application/json"})
        answer = agent.getresponse()
        text = answer.read().decode()
        agent.close()
        if answer.status not in (200, 204):
            sys.exit(f"agent.py: {method} {path} gives {answer.status}: {text}")
        return json.loads(text) if text else None

    def apply(self, step, package=None):
        self.ask("POST", "/v1/apply", {"epoch": self.epoch, "step": step, "package": package})

    def start(self, revision, run, drain_ms=1_000):
        """Stages a revision that runs this command, and waits until it is ready."""
        artifact = os.path.join(self.root, f"artifact-{revision}")
        os.mkdir(artifact)
        content = f"{revision}\n".encode()
        with open(os.path.join(artifact, "version"), "wb") as file:
            file.write(content)
        manifest = f"file {hashlib.sha256(content).hexdigest()} version\n".encode()
        launch = {
            "run": run,
            "instances": 1,
            "ready": {"http": "/", "within": 60_000, "every": 50},
            "env": {},
            "drain": drain_ms,
            "stop": 2_000,
        }
        package = {
            "artifact": "sha256:" + hashlib.sha256(manifest).hexdigest(),
            "artifact_path": artifact,
            "config": None,
            "config_paths": [],
            "launch": launch,
        }
        self.apply({"step": "stage", "revision": revision, "instances": 1}, package)
        self.apply({"step": "await-ready", "revision": revision, "instances": 1})

    def shift(self, weights):
        """Has requests go by these weights, and waits until what went elsewhere is over."""
        self.apply({"step": "shift", "weights": weights})
        self.apply({"step": "settle"})

    def port(self):
        return int(self.ask("GET", "/v1/state")["listening"].rsplit(":", 1)[1])


def main():
    root, script = sys.argv[1:]
    agent = Agent(root, "benches/router.sh")
    for revision in (1, 2):
        agent.start(revision, ["/bin/sh", script, "{port}"])
    agent.shift({"r1": 7_000, "r2": 3_000})
    print(agent.port())


if __name__ == "__main__":
    main()
