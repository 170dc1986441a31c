#!/usr/bin/env python3
"""A driver of Windlass for a static site behind nginx, with shares: each release is a folder, and nginx splits requests
between the folders by weight.

    target:
      kind: exec
      command: [examples/drivers/python/driver.py, --root, /srv/shop, --listen, "127.0.0.1:8080"]
      weights: true

It needs nginx and Python's standard library, starts one nginx an environment, and reloads it. docs/exec-driver.md
describes the protocol; everything that is asked is one line of JSON on standard input.
"""

import argparse
import contextlib
import datetime
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

CONFIGURATION = """
worker_processes 1;
pid {place}/nginx.pid;
error_log {place}/nginx.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {place}/tmp; proxy_temp_path {place}/tmp; fastcgi_temp_path {place}/tmp;
    uwsgi_temp_path {place}/tmp; scgi_temp_path {place}/tmp;
    types {{ text/html html; text/css css; text/javascript js; image/svg+xml svg; }}
    default_type application/octet-stream;
    {split}
    server {{
        listen {listen};
        location = /.windlass-generation {{ return 200 "{generation}"; }}
        location / {{ {serve} }}
    }}
}}
"""


class Rejected(Exception):
    """A refusal: its JSON, and the exit code that goes with it."""

    def __init__(self, code, **body):
        super().__init__(body)
        self.code, self.body = code, body


def fence(**refusal):
    return Rejected(6, rejected="fence", refusal=refusal)


def judged(why):
    return Rejected(1, rejected="judged", why=why)


def time_of(seconds):
    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def write(path, text):
    """A durable write: whole or not at all."""
    new = path.with_name(path.name + ".new")
    with open(new, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def read(path, default):
    """What was kept. A file that is there and cannot be read is a fault, never a free fence."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return default


class Target:
    """One environment: a folder of its own, and nothing is done outside of it."""

    def __init__(self, root, listen, request):
        names = (request["app"], request["environment"])
        if not all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name) for name in names):
            raise ValueError(f"{names} are no folders' names")
        self.place = pathlib.Path(root, *names).absolute()
        self.revisions = self.place / "revisions"
        self.revisions.mkdir(parents=True, exist_ok=True)
        self.wanted_address = listen

    @contextlib.contextmanager
    def lock(self):
        """Around everything that reads the fence and then acts on it."""
        with open(self.place / "lock", "w", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def admitted(self, epoch):
        """The lock, and that a mutation under this epoch may happen now."""
        with self.lock():
            kept = self.fence()
            lease = kept["lease"]
            if lease is None or lease["epoch"] != epoch:
                raise fence(kind="stale", carried=epoch, current=kept["epoch"])
            if lease["ends"] <= time.time():
                raise fence(kind="expired", at=time_of(lease["ends"]))
            yield

    def fence(self):
        return read(self.place / "fence.json", {"epoch": 0, "lease": None})

    # The verbs.

    def observe(self, _):
        with self.lock():
            lease = self.fence()["lease"]
            held = lease is not None and lease["ends"] > time.time()
            state = self.state()
            known = sorted(int(path.name[1:]) for path in self.revisions.glob("r[0-9]*"))
            revisions = [{"revision": one, "ready": int(f"r{one}" in state["up"])} for one in known]
            url = f"http://{state['listen']}/" if state["weights"] else None
            return {
                "weights": state["weights"],
                "revisions": revisions,
                "url": url,
                "lease": told(lease) if held else None,
                "now": time_of(time.time()),
            }

    def claim(self, request):
        with self.lock():
            kept, now = self.fence(), time.time()
            lease, owner = kept["lease"], request["owner"]
            if lease is not None and lease["ends"] > now:
                if lease["owner"]["run"] != owner["run"]:
                    raise fence(kind="held", by=told(lease))
                epoch = lease["epoch"]
            else:
                epoch = kept["epoch"] + 1
            lease = {"owner": owner, "epoch": epoch, "ends": now + request["ttl_ms"] / 1000}
            write(self.place / "fence.json", json.dumps({"epoch": epoch, "lease": lease}))
            return told(lease)

    def release(self, request):
        with self.lock():
            kept = self.fence()
            if kept["lease"] is not None and kept["lease"]["epoch"] == request["epoch"]:
                write(self.place / "fence.json", json.dumps({"epoch": kept["epoch"], "lease": None}))
        return None

    def read(self, _):
        with self.lock(), contextlib.suppress(FileNotFoundError):
            sys.stdout.write((self.place / "journal").read_text(encoding="utf-8"))
        return None

    def append(self, request):
        entries = sys.stdin.read()
        with self.admitted(request["epoch"]):
            journal, head = "", {"number": 0, "hash": "sha256:" + "0" * 64}
            with contextlib.suppress(FileNotFoundError):
                journal = (self.place / "journal").read_text(encoding="utf-8")
                last = json.loads(journal.rstrip("\n").rsplit("\n", 1)[-1])
                head = {"number": last["number"], "hash": last["hash"]}
            if head != request["after"]:
                raise Rejected(6, rejected="head", head=head)
            # All of it anew, so that a kill leaves the entries before or those after, and no half of them.
            write(self.place / "journal", journal + entries)
        return {"head": request["head"]}

    def apply(self, request):
        step = getattr(self, "step_" + request["step"].replace("-", "_"), None)
        if step is None:
            raise judged(f"this driver does not know the step {request['step']}")
        return {"note": step(request)}

    # The steps.

    def step_stage(self, request):
        name, package = f"r{request['revision']}", request.get("package") or {}
        folder, copy = self.revisions / name, self.revisions / f".{name}.{os.getpid()}"
        try:
            # The copy takes its time, so it is made before the fence is asked.
            if not folder.is_dir() and package.get("artifact_path"):
                put(package["artifact_path"], copy)
                for one in package["config_paths"]:
                    (copy / one["name"]).parent.mkdir(parents=True, exist_ok=True)
                    put(one["path"], copy / one["name"])
            with self.admitted(request["epoch"]):
                if not folder.is_dir():
                    if not copy.is_dir():
                        raise judged(f"the files of {name} are not here")
                    os.rename(copy, folder)
                if request["instances"] > 0:
                    state = self.state()
                    self.keep(state | {"up": sorted({*state["up"], name})})
        finally:
            shutil.rmtree(copy, ignore_errors=True)
        return f"{name} lies in {self.revisions}"

    def step_await_ready(self, request):
        with self.admitted(request["epoch"]):
            name = f"r{request['revision']}"
            if name not in self.state()["up"]:
                raise judged(f"{name} is not staged")
        return "its files are there"

    def step_shift(self, request):
        with self.admitted(request["epoch"]):
            state, weights = self.state(), request["weights"]
            for name in weights:
                if not (self.revisions / name).is_dir():
                    raise judged(f"{name} is not here")
            state |= {"weights": weights, "generation": state["generation"] + 1}
            # Written down before nginx is told, so that a run that comes after a kill tells it again.
            self.keep(state)
            self.tell_nginx(state)
        return f"generation {state['generation']} is asked for"

    def step_settle(self, request):
        with self.admitted(request["epoch"]):
            state = self.state()
            self.tell_nginx(state)
        if not state["weights"]:
            return "nothing is served"
        # A reload that was accepted is not in effect: new workers start, and old ones end what they have.
        self.wait_for(state)
        return f"generation {state['generation']} answers"

    def step_commit(self, request):
        with self.admitted(request["epoch"]):
            return "the journal says it"

    def step_retire(self, request):
        stay = {f"r{one}" for one in [request["live"], *request.get("warm", [])]}
        keep = {f"r{one}" for one in request["keep"]}
        with self.admitted(request["epoch"]):
            state = self.state()
            self.keep(state | {"up": [name for name in state["up"] if name in stay]})
            for path in self.revisions.glob("r[0-9]*"):
                if path.name not in stay | keep:
                    # Out of the way first, so that a kill leaves it there or gone.
                    gone = self.revisions / f".gone.{path.name}.{os.getpid()}"
                    os.rename(path, gone)
            for path in self.revisions.glob(".gone.*"):
                shutil.rmtree(path, ignore_errors=True)
        return "kept " + ", ".join(sorted(keep))

    def step_migrate(self, request):
        name = f"r{request['revision']}"
        folder, done = self.revisions / name, self.place / f"migrated.{name}"
        with self.admitted(request["epoch"]):
            if not folder.is_dir():
                raise judged(f"{name} is not staged")
        # It takes its time, so that only another start of the same migration waits for it, and no renewal.
        with open(self.place / f"migrating.{name}", "a", encoding="utf-8") as running:
            fcntl.flock(running, fcntl.LOCK_EX)
            if done.exists():
                return f"{name} has migrated before"
            with self.admitted(request["epoch"]):
                pass
            try:
                ended = subprocess.run(
                    request["run"], cwd=folder, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False,
                    timeout=request["timeout"] / 1000,
                )
            except (OSError, subprocess.TimeoutExpired) as error:
                raise judged(f"the migration of {name} did not end: {error}") from error
            if ended.returncode != 0:
                raise judged(f"the migration of {name} ended with exit code {ended.returncode}")
            # A kill before this has it run again: whoever writes migrations for this driver must bear that.
            write(done, "")
        return f"{name} has migrated"

    def step_withdraw(self, request):
        name = f"r{request['revision']}"
        with self.admitted(request["epoch"]):
            state = self.state()
            self.keep(state | {"up": [one for one in state["up"] if one != name]})
        return f"{name} keeps its files"

    # nginx.

    def state(self):
        empty = {"weights": {}, "up": [], "generation": 0, "listen": None}
        return read(self.place / "state.json", empty)

    def keep(self, state):
        if state["listen"] is None:
            state = state | {"listen": free_port(self.wanted_address)}
        write(self.place / "state.json", json.dumps(state))

    def tell_nginx(self, state):
        """Has nginx serve what the state says: starts, reloads or stops it."""
        pid = self.nginx()
        if not state["weights"]:
            if pid is not None:
                os.kill(pid, signal.SIGQUIT)
                self.wait_for_end()
            return
        (self.place / "tmp").mkdir(exist_ok=True)
        names = sorted(state["weights"], key=lambda name: state["weights"][name])
        shares = [f"{state['weights'][name] / 100:.2f}% {name};" for name in names[:-1]]
        split = "split_clients $request_id $revision { " + " ".join([*shares, f"* {names[-1]};"]) + " }"
        serve = f"root {self.revisions}/$revision; index index.html;"
        text = CONFIGURATION.format(
            place=self.place, split=split, serve=serve, listen=state["listen"], generation=state["generation"]
        )
        write(self.place / "nginx.conf", text)
        nginx = ["nginx", "-p", str(self.place), "-c", str(self.place / "nginx.conf"), "-e", str(self.place / "nginx.log")]
        if pid is not None:
            os.kill(pid, signal.SIGHUP)
            return
        # It must not keep our pipes open: whoever waits for them would wait for as long as it serves.
        started = subprocess.run(
            nginx, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
        if started.returncode != 0:
            raise OSError(f"nginx does not start; see {self.place}/nginx.log")

    def nginx(self):
        try:
            pid = int((self.place / "nginx.pid").read_text(encoding="utf-8"))
            os.kill(pid, 0)
            command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return None
        return pid if os.fsencode(str(self.place)) in command else None

    def wait_for_end(self):
        """What is being answered may end; a connection that stays open longer is cut."""
        until = time.time() + 5
        while (pid := self.nginx()) is not None:
            if time.time() > until:
                os.kill(pid, signal.SIGTERM)
            time.sleep(0.02)

    def wait_for(self, state):
        """Until every one of many connections is answered by the generation asked for."""
        # Imported here, where alone it is needed: a driver is started for every question.
        from http.client import HTTPConnection, HTTPException

        in_a_row, until = 0, time.time() + 60
        while in_a_row < 5:
            if time.time() > until:
                raise OSError(f"nginx does not answer with generation {state['generation']} at {state['listen']}")
            try:
                connection = HTTPConnection(state["listen"], timeout=5)
                connection.request("GET", "/.windlass-generation", headers={"Connection": "close"})
                seen = connection.getresponse().read().decode()
                connection.close()
            except (OSError, HTTPException):
                seen = ""
            in_a_row = in_a_row + 1 if seen == str(state["generation"]) else 0
            if in_a_row == 0:
                time.sleep(0.01)


def told(lease):
    return {"owner": lease["owner"], "epoch": lease["epoch"], "expires": time_of(lease["ends"])}


def put(source, target):
    if os.path.isdir(source):
        shutil.copytree(source, target, symlinks=True)
    else:
        target = pathlib.Path(target)
        if target.name.startswith(".r"):
            target.mkdir()
            target = target / os.path.basename(source)
        shutil.copy2(source, target)


def free_port(address):
    """The address, with a free port in the place of port 0."""
    host, _, port = address.rpartition(":")
    if port != "0":
        return address
    with socket.socket() as probe:
        probe.bind((host, 0))
        return f"{host}:{probe.getsockname()[1]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, help="the folder of every environment")
    parser.add_argument("--listen", default="127.0.0.1:0", help="the address that nginx serves; port 0 picks one")
    parser.add_argument("verb", choices=["capabilities", "observe", "claim", "release", "apply", "read", "append"])
    arguments = parser.parse_args()
    request = json.loads(sys.stdin.readline())
    if arguments.verb == "capabilities":
        print(json.dumps({"protocol": 1, "weights": True}))
        return 0
    try:
        target = Target(arguments.root, arguments.listen, request)
        answer = getattr(target, arguments.verb)(request)
    except Rejected as rejected:
        print(json.dumps(rejected.body))
        return rejected.code
    except (OSError, ValueError) as error:
        # A full disk, a file that is not what was written, nginx that does not start: the next run goes on.
        print(json.dumps({"rejected": "fault", "why": str(error)}))
        return 3
    if answer is not None:
        print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
