"""Sets an agent up for benches/router.sh: two revisions at 70/30, by the control protocol that `deploy` speaks.

    python3 benches/agent.py ROOT BACKEND_SCRIPT      prints the router's port
"""

import hashlib
import http.client
import json
import os
import socket
import sys
import time

root, script = sys.argv[1:]


class Agent(http.client.HTTPConnection):
    """One connection a question, over the control socket."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(os.path.join(root, "control.sock"))


def ask(method, path, body=None):
    agent = Agent("agent")
    agent.request(method, path, json.dumps(body) if body is not None else None, {"content-type": "application/json"})
    answer = agent.getresponse()
    text = answer.read().decode()
    agent.close()
    if answer.status not in (200, 204):
        sys.exit(f"agent.py: {method} {path} gives {answer.status}: {text}")
    return json.loads(text) if text else None


for _ in range(200):
    if os.path.exists(os.path.join(root, "control.sock")):
        break
    time.sleep(0.05)

# The lease ends with this process, which is when nothing is left to change.
owner = {"run": os.urandom(16).hex(), "who": "benches/router.sh"}
epoch = ask("POST", "/v1/claim", {"owner": owner, "ttl_ms": 60_000})["epoch"]
place = {"app": "bench", "environment": "router", "listen": "127.0.0.1:0", "metrics": None}
ask("POST", "/v1/configure", {"epoch": epoch, "place": place})


def apply(step, package=None):
    ask("POST", "/v1/apply", {"epoch": epoch, "step": step, "package": package})


for revision in (1, 2):
    artifact = os.path.join(root, f"artifact-{revision}")
    os.mkdir(artifact)
    content = f"{revision}\n".encode()
    with open(os.path.join(artifact, "version"), "wb") as file:
        file.write(content)
    manifest = f"file {hashlib.sha256(content).hexdigest()} version\n".encode()
    launch = {
        "run": ["/bin/sh", script, "{port}"],
        "instances": 1,
        "ready": {"http": "/", "within": 10_000, "every": 50},
        "env": {},
        "drain": 1_000,
        "stop": 2_000,
    }
    package = {
        "artifact": "sha256:" + hashlib.sha256(manifest).hexdigest(),
        "artifact_path": artifact,
        "config": None,
        "config_paths": [],
        "launch": launch,
    }
    apply({"step": "stage", "revision": revision, "instances": 1}, package)
    apply({"step": "await-ready", "revision": revision, "instances": 1})
apply({"step": "shift", "weights": {"r1": 7_000, "r2": 3_000}})
apply({"step": "settle"})
print(ask("GET", "/v1/state")["listening"].rsplit(":", 1)[1])
