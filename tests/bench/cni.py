#!/usr/bin/env python3
"""How long a container runtime waits for an interface, side by side.

Usage: cni.py --bin DIR [--rounds N] [--size N] [--plugins DIR]

  --bin DIR      trouped and troupe-cni, a release build
  --plugins DIR  Debian's containernetworking-plugins [/usr/lib/cni]; without
                 them they are left out

In turn, in the same rounds, on one host in namespaces of its own: an attach
through the API on a connection that is open, ADD and DEL by troupe-cni, and by
bridge with host-local and portmap as libcni runs them one after the other. All
with a published port. Programs are timed from before their start to their end.
"""

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

INSIDE = "CNI_BENCH_INSIDE"


def enter_namespaces():
    """Runs this script again where nothing of the machine is touched."""
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork",
                          "--kill-child", "--mount-proc", sys.executable,
                          *sys.argv])


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


class Api:
    """One connection that stays open, and no more HTTP than that takes."""

    def __init__(self, path):
        self.path = path
        self.connect()

    def connect(self):
        """The daemon closes one that was silent for long."""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(self.path)
        self.file = self.socket.makefile("rb")

    def ask(self, method, target, body=None):
        text = json.dumps(body).encode() if body is not None else b""
        self.socket.sendall(f"{method} {target} HTTP/1.1\r\nHost: x\r\n"
                            f"Content-Length: {len(text)}\r\n\r\n".encode()
                            + text)
        status = int(self.file.readline().split()[1])
        size = 0
        while (line := self.file.readline().strip()):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        answer = json.loads(self.file.read(size) or b"null")
        if status >= 300:
            sys.exit(f"{method} {target}: {answer}")
        return answer


def call(program, command, container, config):
    """Runs a plugin as runtimes do. Returns its result."""
    env = {"CNI_COMMAND": command, "CNI_CONTAINERID": container,
           "CNI_NETNS": f"/run/netns/{container}", "CNI_IFNAME": "eth0",
           "CNI_PATH": os.path.dirname(program), "PATH": os.environ["PATH"]}
    ended = subprocess.run([program], input=json.dumps(config).encode(),
                           env=env, stdout=subprocess.PIPE, check=False)
    if ended.returncode != 0:
        sys.exit(f"{program} {command}: {ended.stdout.decode()}")
    return json.loads(ended.stdout) if ended.stdout else None


class ThroughApi:
    name = "the API"

    def __init__(self, api):
        self.api = api

    def add(self, container, port):
        self.api.ask("POST", "/v1/sandboxes", {"spec": {
            "name": container, "netns_path": f"/run/netns/{container}"}})
        self.api.ask("POST", "/v1/networks/api/attach", {
            "sandbox": container,
            "spec": {"ports": [{"port": 80, "host_port": port}]}})

    def delete(self, container, port):
        self.api.ask("DELETE", f"/v1/sandboxes/{container}")


def mapping(port):
    return {"portMappings": [{"hostPort": port, "containerPort": 80,
                              "protocol": "tcp"}]}


class ThroughPlugin:
    name = "troupe-cni"

    def __init__(self, program, sock):
        self.program = program
        self.config = {"cniVersion": "1.0.0", "name": "cni", "socket": sock,
                       "subnet": "10.88.0.0/16"}

    def add(self, container, port):
        call(self.program, "ADD", container,
             dict(self.config, runtimeConfig=mapping(port)))

    def delete(self, container, port):
        call(self.program, "DEL", container, self.config)


class Reference:
    name = "bridge, host-local, portmap"

    def __init__(self, folder):
        base = {"cniVersion": "1.0.0", "name": "reference"}
        self.folder = folder
        self.bridge = dict(
            base, type="bridge", bridge="cni0", isGateway=True, ipMasq=True,
            ipam={"type": "host-local", "subnet": "10.89.0.0/16",
                  "dataDir": "/run/host-local",
                  "routes": [{"dst": "0.0.0.0/0"}]})
        self.portmap = dict(base, type="portmap")
        self.results = {}

    def add(self, container, port):
        made = call(f"{self.folder}/bridge", "ADD", container, self.bridge)
        self.results[container] = call(
            f"{self.folder}/portmap", "ADD", container,
            dict(self.portmap, prevResult=made, runtimeConfig=mapping(port)))

    def delete(self, container, port):
        made = self.results.pop(container)
        call(f"{self.folder}/portmap", "DEL", container,
             dict(self.portmap, prevResult=made, runtimeConfig=mapping(port)))
        call(f"{self.folder}/bridge", "DEL", container,
             dict(self.bridge, prevResult=made))


def timed(work):
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def measure(ways, rounds, size):
    """All ways in turn; the first round warms up."""
    taken = {(way.name, what): [] for way in ways for what in ("ADD", "DEL")}
    names = [f"c{n}" for n in range(size)]
    for turn in range(rounds + 1):
        for way in ways:
            for name in names:
                run("ip", "netns", "add", name)
            if isinstance(way, ThroughApi):
                way.api.connect()
            adds = [timed(lambda n=n: way.add(names[n], 20000 + n))
                    for n in range(size)]
            dels = [timed(lambda n=n: way.delete(names[n], 20000 + n))
                    for n in range(size)]
            for name in names:
                run("ip", "netns", "del", name)
            time.sleep(1)  # The kernel takes namespaces down in the background.
            if turn > 0:
                taken[way.name, "ADD"] += adds
                taken[way.name, "DEL"] += dels
    starts = [timed(lambda: run("/bin/true")) for _ in range(rounds * size)]
    print(f"{'':28} {'p50 ms':>8} {'p99 ms':>8}")
    for (name, what), values in taken.items():
        print(f"{what + ' ' + name:28} {percentile(values, .5):8.2f} "
              f"{percentile(values, .99):8.2f}")
    print(f"{'start of /bin/true':28} {percentile(starts, .5):8.2f} "
          f"{percentile(starts, .99):8.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=40)
    parser.add_argument("--plugins", default="/usr/lib/cni")
    how = parser.parse_args()
    if INSIDE not in os.environ:
        enter_namespaces()
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    run("ip", "link", "set", "lo", "up")
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as file:
        file.write("1")
    folder = os.path.abspath(how.bin)
    sock = "/run/troupe/troupe.sock"
    with tempfile.TemporaryDirectory(dir="/var/tmp") as state, \
            open("/run/log", "wb") as log, \
            subprocess.Popen([f"{folder}/trouped", "--run-dir", "/run/troupe",
                              "--state-dir", f"{state}/s"],
                             stdout=log, stderr=log) as daemon:
        for _ in range(300):
            if os.path.exists(sock):
                break
            time.sleep(0.1)
        api = Api(sock)
        api.ask("POST", "/v1/networks", {"spec": {
            "name": "api", "pools": [{"subnet": "10.87.0.0/16"}]}})
        ways = [ThroughApi(api), ThroughPlugin(f"{folder}/troupe-cni", sock)]
        if os.path.exists(f"{how.plugins}/bridge"):
            ways.append(Reference(how.plugins))
        measure(ways, how.rounds, how.size)
        daemon.terminate()


if __name__ == "__main__":
    main()
