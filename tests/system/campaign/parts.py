"""The daemon, its clients and the packets of a campaign; see campaign.py."""

import ctypes
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


def run(*words, check=True):
    """A command's output; its failure is one of the campaign."""
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


def in_namespace(path, what):
    """Runs `what` with the calling thread in a namespace, then returns."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(path, os.O_RDONLY)
    try:
        if LIBC.setns(there, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns", path)
        return what()
    finally:
        if LIBC.setns(home, CLONE_NEWNET) != 0:
            os._exit(2)
        os.close(home)
        os.close(there)


class Gone(Exception):
    """No answer: what was asked for has happened or not."""


class Connection(http.client.HTTPConnection):
    """HTTP over the daemon's socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)

    def ask(self, method, target, body=None):
        """Status and answer."""
        try:
            text = json.dumps(body) if body is not None else None
            self.request(method, target, text,
                         {"Content-Type": "application/json"} if text else {})
            answer = self.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise Gone() from error


class Daemon:
    """A trouped with directories of its own."""

    def __init__(self, folder, name):
        self.folder = folder
        self.dir = f"/run/{name}"
        self.process = None
        for part in ("state", "run"):
            os.makedirs(f"{self.dir}/{part}", exist_ok=True)
            run("mount", "-t", "tmpfs", "-o", "size=32m", name,
                f"{self.dir}/{part}")
        os.makedirs(f"{self.dir}/run/netns", exist_ok=True)

    def words(self):
        return [f"{self.folder}/trouped", "--state-dir", f"{self.dir}/state",
                "--run-dir", f"{self.dir}/run", "--log-level", "warn"]

    def start(self):
        with open(f"{self.dir}/log", "ab") as log:
            self.process = subprocess.Popen(self.words(), stdout=log,
                                            stderr=log)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                if self.connect().ask("GET", "/v1/status")[0] == 200:
                    return
            except Gone:
                pass
            if self.process.poll() is not None:
                raise RuntimeError("the daemon does not start: " + self.log())
            time.sleep(0.01)
        raise RuntimeError("the daemon does not answer: " + self.log())

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def log(self):
        with open(f"{self.dir}/log", encoding="utf-8", errors="replace") as f:
            return f.read()[-3000:]

    def connect(self):
        return Connection(f"{self.dir}/run/troupe.sock")

    def must(self, method, target, body=None):
        status, answer = self.connect().ask(method, target, body)
        if status >= 300:
            raise RuntimeError(f"{method} {target}: {status} {answer}")
        return answer

    def troupe(self, *words):
        """Exit code and output of the command line."""
        done = subprocess.run(
            [f"{self.folder}/troupe", *words], capture_output=True, text=True,
            check=False,
            env={**os.environ,
                 "TROUPE_HOST": f"unix://{self.dir}/run/troupe.sock"})
        return done.returncode, done.stdout + done.stderr


class Client(threading.Thread):
    """Makes and removes its own objects; keeps the books of what it was told.

    `world` maps a sandbox to its published container ports, None: not
    attached. An operation without an answer may have happened or not.
    """

    def __init__(self, daemon, number, seed):
        super().__init__(daemon=True)
        self.server = daemon
        self.name = f"c{number}"
        self.random = random.Random(seed)
        self.world = {}
        self.unknown = {}  # By sandbox: what it may be instead.
        self.acknowledged = self.refused = 0
        self.lost = []
        self.gate = threading.Lock()  # Held while it works on one operation.
        self.ended = False

    def run(self):
        connection = self.server.connect()
        while not self.ended:
            with self.gate:
                try:
                    self.step(connection)
                except Gone:
                    time.sleep(0.02)
            time.sleep(0.001)

    def step(self, connection):
        box = f"{self.name}b{self.random.randrange(3)}"
        if box in self.unknown:
            return  # Until the next check.
        now = self.world.get(box, "absent")
        end = f"/v1/networks/busy/endpoints/{box}"
        if now == "absent":
            ways = [("POST", "/v1/sandboxes", {"spec": {"name": box}}, None)]
        elif now is None:
            ways = [("POST", "/v1/networks/busy/attach",
                     {"sandbox": box, "spec": {"name": box}}, ()),
                    ("DELETE", f"/v1/sandboxes/{box}", None, "absent")]
        else:
            port = 1 + len(now)
            ways = [("POST", end + "/publish",
                     {"ports": [{"port": port, "proto": "udp"}]},
                     now + (port,)),
                    ("POST", "/v1/networks/busy/detach", {"sandbox": box},
                     None),
                    ("DELETE", f"/v1/sandboxes/{box}", None, "absent")]
            if now:
                ways.append(("POST", end + "/unpublish",
                             {"ports": [{"port": now[-1], "proto": "udp"}]},
                             now[:-1]))
        method, target, body, then = self.random.choice(ways)
        try:
            status, _ = connection.ask(method, target, body)
        except Gone:
            self.unknown[box] = then
            raise
        if status < 300:
            self.acknowledged += 1
            self.set(box, then)
        else:
            # A refusal changes nothing, but for a deadline that has passed.
            self.refused += 1
            if status in (408, 500, 503, 507):
                self.unknown[box] = then

    def set(self, box, what):
        if what == "absent":
            self.world.pop(box, None)
        else:
            self.world[box] = what

    def compare(self, boxes, ends):
        """With what the daemon lists; the caller holds `gate`."""
        seen = {}
        for box in boxes:
            if box.startswith(self.name):
                seen[box] = None
        for end in ends:
            box = end.get("sandbox_name", "")
            if box.startswith(self.name):
                seen[box] = tuple(sorted({x["port"] for x in end["bindings"]}))
        for box in set(seen) | set(self.world):
            is_now = seen.get(box, "absent")
            known = self.world.get(box, "absent")
            if is_now not in (known, self.unknown.get(box, known)):
                self.lost.append(f"{box}: told {known}, listed is {is_now}")
            self.set(box, is_now)
        for box, _ in list(self.unknown.items()):
            self.set(box, seen.get(box, "absent"))
        self.unknown.clear()


class Pair(threading.Thread):
    """Numbered packets between two sandboxes that nobody touches."""

    def __init__(self, source, target, address):
        super().__init__(daemon=True)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET

        def make():
            return socket.socket(family, socket.SOCK_DGRAM)
        self.out = in_namespace(source, make)
        self.into = in_namespace(target, make)
        self.into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.into.bind((address, 7000))
        self.into.setblocking(False)
        self.to = (address, 7000)
        self.sent = self.received = 0
        self.ended = False

    def run(self):
        while not self.ended:
            try:
                self.out.sendto(b"x", self.to)
            except OSError:
                pass  # Counted as lost.
            self.sent += 1
            self.drain()
            time.sleep(0.005)
        time.sleep(0.3)
        self.drain()

    def drain(self):
        try:
            while True:
                self.into.recv(16)
                self.received += 1
        except OSError:
            pass


class Echo(threading.Thread):
    """Answers on UDP port 80 of a sandbox."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.sock = in_namespace(
            path, lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
        self.sock.bind(("::", 80))

    def run(self):
        while True:
            try:
                text, peer = self.sock.recvfrom(16)
                self.sock.sendto(text, peer)
            except OSError:
                pass
