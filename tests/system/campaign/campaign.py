#!/usr/bin/env -S python3 -B
"""A campaign from outside against a real daemon under load.

Usage: campaign.py --bin FOLDER [--minutes N] [--seed N] [--only NAME,...]
       [--skip NAME,...]

Clients make and remove sandboxes, attach, publish and detach all the time;
in turn the daemon is killed, somebody else's hands change each kind of kernel
object, disks are full or read-only, descriptors are few, and a second daemon
works beside the first. A pair of sandboxes that nobody touches counts packets.
At the end it says how many acknowledged operations, packets and objects were
lost or left, and how long the slowest repair took; exit code 1 if any was.
Runs as root in namespaces of its own; exit code 77 where it cannot.
"""

import argparse
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import time

from parts import Client, Daemon, Echo, Gone, Pair, in_namespace, run

UPLINK = "192.0.2.1"
PATIENCE_S = 10  # The promise is 2 s; this machine may be busy.
CLIENTS = 4
PORT = 8080


class Campaign:
    """The world, the attacks, and what came of them."""

    def __init__(self, folder, seed):
        self.random = random.Random(seed)
        self.before = self.observe()
        self.daemon = Daemon(folder, "first")
        self.other = Daemon(folder, "second")
        self.wrong = []
        self.slowest = (0.0, "none")
        self.repairs = self.kills = 0

    # -- the world --------------------------------------------------------

    def build(self):
        run("ip", "netns", "add", "street")
        run("ip", "link", "add", "up0", "type", "veth", "peer", "name", "eth0",
            "netns", "street")
        run("ip", "address", "add", UPLINK + "/24", "dev", "up0")
        run("ip", "link", "set", "up0", "up")
        run("ip", "-n", "street", "address", "add", "192.0.2.2/24", "dev",
            "eth0")
        run("ip", "-n", "street", "link", "set", "eth0", "up")
        self.daemon.start()
        self.other.start()
        for name, net in (("busy", 1), ("steady", 2), ("victim", 3)):
            self.daemon.must("POST", "/v1/networks", {"spec": {
                "name": name, "enable_ipv6": True,
                "pools": [{"subnet": f"10.9{net}.0.0/16"},
                          {"subnet": f"fd00:9{net}::/64"}]}})
        boxes = {}
        for name in ("from", "to"):
            boxes[name] = self.make(self.daemon, "steady", name)
        self.furnish_victim()
        addresses = self.end("steady", "to")["spec"]["addresses"]
        self.pairs = [Pair(boxes["from"]["key"], boxes["to"]["key"],
                           x.split("/")[0]) for x in addresses]
        self.other.must("POST", "/v1/networks", {"spec": {"name": "other"}})
        self.clients = [Client(self.daemon, i, self.random.random())
                        for i in range(CLIENTS)]
        time.sleep(0.5)
        for thread in self.pairs + self.clients:
            thread.start()

    @staticmethod
    def make(daemon, network, name):
        box = daemon.must("POST", "/v1/sandboxes", {"spec": {"name": name}})
        daemon.must("POST", f"/v1/networks/{network}/attach",
                    {"sandbox": name, "spec": {"name": name}})
        return box

    def furnish_victim(self):
        """The sandbox that is attacked, made anew."""
        self.daemon.connect().ask("DELETE", "/v1/sandboxes/victim")
        self.key = self.make(self.daemon, "victim", "victim")["key"]
        self.daemon.must(
            "POST", "/v1/networks/victim/endpoints/victim/publish",
            {"ports": [{"port": 80, "proto": "udp", "host_port": PORT}]})
        Echo(self.key).start()

    def end(self, network, name):
        return self.daemon.must(
            "GET", f"/v1/networks/{network}/endpoints/{name}")

    # -- what must be so --------------------------------------------------

    def check_books(self, why):
        """Everything that was acknowledged is there; nothing is in work."""
        for client in self.clients:
            client.gate.acquire()
        try:
            boxes = self.daemon.must("GET", "/v1/sandboxes")["sandboxes"]
            ends = self.daemon.must("GET", "/v1/endpoints")["endpoints"]
            names = [x["spec"]["name"] for x in boxes]
            for client in self.clients:
                known = len(client.lost)
                client.compare(names, ends)
                for text in client.lost[known:]:
                    self.wrong.append(f"{why}: {text}")
        finally:
            for client in self.clients:
                client.gate.release()

    @staticmethod
    def passes(where, address):
        """Does the victim answer there?"""
        def ask():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(0.2)
                sock.sendto(b"?", (address, PORT))
                return sock.recv(16) == b"?"
        try:
            return in_namespace(where, ask) if where else ask()
        except OSError:
            return False

    def reachable(self):
        return (self.passes("/run/netns/street", UPLINK)
                and self.passes("", "127.0.0.1") and self.passes("", UPLINK))

    def wait_for_repair(self, what):
        start = time.monotonic()
        while time.monotonic() < start + PATIENCE_S:
            if self.reachable():
                took = time.monotonic() - start
                self.repairs += 1
                self.slowest = max(self.slowest, (took, what))
                return
            time.sleep(0.05)
        code, text = self.daemon.troupe("doctor")
        self.wrong.append(f"{what}: not repaired within {PATIENCE_S} s; "
                          f"doctor ({code}): {text[:300]}")
        self.daemon.troupe("doctor", "--repair")

    def wait_for_word(self, what):
        """What we may not change is named while traffic suffers."""
        start = time.monotonic()
        while time.monotonic() < start + PATIENCE_S:
            if self.reachable() or self.daemon.troupe("doctor")[0] == 1:
                return
            time.sleep(0.1)
        self.wrong.append(f"{what}: traffic is cut and the doctor is silent")

    # -- attacks ----------------------------------------------------------

    def kill_daemon(self):
        time.sleep(self.random.random() / 5)
        self.daemon.kill()
        self.kills += 1
        self.daemon.start()

    def kill_while_starting(self):
        self.daemon.kill()
        child = subprocess.Popen(self.daemon.words(),
                                 stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        time.sleep(self.random.random() / 10)
        child.kill()
        child.wait()
        self.kills += 2
        self.daemon.start()

    def restart_daemon(self):
        self.daemon.process.terminate()
        if self.daemon.process.wait(60) != 0:
            self.wrong.append("the daemon does not stop in order")
        self.daemon.start()

    def full_disk(self, part):
        path = f"{self.daemon.dir}/{part}/filling"
        try:
            with open(path, "wb") as file:
                while file.write(b"\0" * 65536):
                    file.flush()
        except OSError:
            pass
        time.sleep(0.5)
        if self.random.random() < 0.5:
            os.unlink(path)
            return
        self.daemon.kill()
        self.kills += 1
        try:
            self.daemon.start()
        except RuntimeError as error:
            self.wrong.append(f"with a full {part} directory: {error}")
        os.unlink(path)
        if self.daemon.process.poll() is not None:
            self.daemon.start()

    def read_only_disk(self):
        """A start on a read-only disk is refused, and spoils nothing."""
        path = f"{self.daemon.dir}/state"
        self.daemon.kill()
        self.kills += 1
        run("mount", "-o", "remount,ro", path)
        with open(f"{self.daemon.dir}/log", "ab") as log:
            child = subprocess.Popen(self.daemon.words(), stdout=log,
                                     stderr=log)
            time.sleep(0.5)
            child.kill()
            child.wait()
        run("mount", "-o", "remount,rw", path)
        self.daemon.start()

    def events_lost(self):
        """More happens than the kernel keeps for a daemon that is slow."""
        link = self.end("victim", "victim")["host_interface"]
        pid = self.daemon.process.pid
        one = "address add 198.18.0.1/32 dev flood0\n"
        os.kill(pid, signal.SIGSTOP)
        try:
            before = self.lost_events(pid)
            run("ip", "link", "add", "flood0", "type", "bridge")
            subprocess.run(["ip", "-batch", "-"], text=True, check=True,
                           input=(one + one.replace("s add", "s del")) * 15000)
            run("ip", "link", "set", link, "down")
            run("ip", "link", "del", "flood0")
            if self.lost_events(pid) == before:
                self.wrong.append("events lost: none was, so nothing is shown")
        finally:
            os.kill(pid, signal.SIGCONT)
        self.wait_for_repair("events lost")

    @staticmethod
    def lost_events(pid):
        """Messages that the kernel dropped for the sockets of a process."""
        sockets = set()
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                sockets.add(os.readlink(f"/proc/{pid}/fd/{number}"))
            except OSError:
                pass
        with open("/proc/net/netlink", encoding="ascii") as file:
            rows = [x.split() for x in file.readlines()[1:]]
        return sum(int(x[8]) for x in rows if f"socket:[{x[9]}]" in sockets)

    def few_descriptors(self):
        pid = self.daemon.process.pid
        old = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = len(os.listdir(f"/proc/{pid}/fd"))
        resource.prlimit(pid, resource.RLIMIT_NOFILE,
                         (used + self.random.randrange(4), old[1]))
        time.sleep(0.5)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, old)

    def second_daemon(self):
        """On the same directories it is refused; on others it works."""
        code = subprocess.run(self.daemon.words(), stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=60,
                              check=False).returncode
        if code != 4:
            self.wrong.append(f"a daemon on the same directories: code {code}")
        name = f"o{self.random.randrange(10 ** 6)}"
        self.make(self.other, "other", name)
        self.other.kill()
        self.other.start()
        self.other.must("GET", f"/v1/networks/other/endpoints/{name}")
        self.other.must("DELETE", f"/v1/sandboxes/{name}")

    def hands(self):
        """Name, what somebody does, and how it is taken back, if it must be."""
        end = self.end("victim", "victim")
        link = end["host_interface"]
        net = self.daemon.must("GET", "/v1/networks/victim")
        bridge = net["interface"]
        address = end["spec"]["addresses"][0].split("/")[0]
        ours = [x for x in run("nft", "list", "tables").split()
                if x.startswith("troupe_") and x != "troupe_user" and bridge
                in run("nft", "list", "set", "inet", x, "networks")][:1]
        inside = ["nsenter", f"--net={self.key}", "ip"]
        return [
            ("host end deleted", ["ip", "link", "del", link], None),
            ("host end down", ["ip", "link", "set", link, "down"], None),
            ("host end renamed",
             ["ip", "link", "set", link, "name", "renamed0"], None),
            ("host end out of the bridge",
             ["ip", "link", "set", link, "nomaster"], None),
            ("host end moved",
             ["ip", "link", "set", link, "netns", "street"], None),
            ("bridge deleted", ["ip", "link", "del", bridge], None),
            ("bridge down", ["ip", "link", "set", bridge, "down"], None),
            ("bridge addresses flushed",
             ["ip", "address", "flush", "dev", bridge], None),
            ("bridge route deleted",
             ["ip", "route", "flush", "dev", bridge], None),
            ("wrong neighbour",
             ["ip", "neighbour", "replace", address, "dev", bridge, "lladdr",
              "02:00:00:00:00:cc", "nud", "permanent"], None),
            ("interface inside down",
             inside + ["link", "set", end["interface"], "down"], None),
            ("addresses inside flushed",
             inside + ["address", "flush", "dev", end["interface"]], None),
            ("routes inside flushed",
             inside + ["route", "flush", "dev", end["interface"]], None),
            ("ruleset flushed", ["nft", "flush", "ruleset"], None),
            ("table deleted", ["nft", "delete", "table", "inet", *ours], None),
            ("elements deleted",
             ["nft", "flush", "map", "inet", *ours, "publish4_any"], None),
            ("pin unmounted", ["umount", "-l", self.key], None),
            ("proxy killed", ["pkill", "-KILL", "-x", "troupe-proxy"], None),
            ("forwarding off", ["sysctl", "-qw", "net.ipv4.ip_forward=0"],
             ["sysctl", "-qw", "net.ipv4.ip_forward=1"]),
            ("foreign drop policy",
             ["nft", "add table inet site; add chain inet site f { type "
              "filter hook forward priority 10; policy drop; }"],
             ["nft", "delete table inet site"]),
        ]

    def foreign_hand(self, number):
        name, action, undo = self.hands()[number]
        run(*action)
        time.sleep(0.1)
        if undo:
            self.wait_for_word(name)
            run(*undo)
        self.wait_for_repair(name)
        return name

    def attacks(self):
        result = {
            "kill": self.kill_daemon,
            "kill while starting": self.kill_while_starting,
            "restart": self.restart_daemon,
            "full state disk": lambda: self.full_disk("state"),
            "full run disk": lambda: self.full_disk("run"),
            "read-only disk": self.read_only_disk,
            "few descriptors": self.few_descriptors,
            "events lost": self.events_lost,
            "second daemon": self.second_daemon,
        }
        for number, hand in enumerate(self.hands()):
            result[hand[0]] = lambda number=number: self.foreign_hand(number)
        return result

    def fight(self, seconds, only, skip):
        """Each attack in turn, in any order, and again."""
        attacks = {name: x for name, x in self.attacks().items()
                   if name not in skip and (not only or name in only)}
        order = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if not order:
                order = list(attacks) + (["kill"] * 5 if not only else [])
                self.random.shuffle(order)
            name = order.pop()
            known = len(self.wrong)
            time.sleep(self.random.random() / 3)
            try:
                attacks[name]()
                self.wait_for_repair(f"after {name}")
                self.check_books(f"after {name}")
            except (RuntimeError, OSError, Gone,
                    subprocess.SubprocessError) as error:
                self.wrong.append(f"{name}: {error!r}")
            if len(self.wrong) > known:
                self.furnish_victim()  # The next one begins with all right.
            for text in self.wrong[known:]:
                print(f"WRONG {text}", flush=True)

    # -- the end ----------------------------------------------------------

    @staticmethod
    def observe():
        """Links, tables, pins and set elements that there are."""
        links = {x.split(":")[1].split("@")[0].strip()
                 for x in run("ip", "-o", "link").splitlines()}
        tables = set(run("nft", "list", "tables").splitlines())
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            pins = {x.split()[4] for x in file if " - nsfs " in x}
        rules = json.loads(run("nft", "-j", "list", "ruleset"))["nftables"]
        elements = {f"{x['table']} {x['name']} {y}" for part in rules
                    for x in part.values() if x.get("table") != "site"
                    for y in x.get("elem", [])}
        return {"link": links, "table": tables, "pin": pins,
                "element": elements}

    def finish(self):
        """Removes everything. @returns what is left."""
        for client in self.clients:
            client.ended = True
        for client in self.clients:
            client.join(60)
        for daemon in (self.daemon, self.other):
            for kind in ("sandboxes", "endpoints", "networks"):
                for x in daemon.must("GET", f"/v1/{kind}")[kind]:
                    daemon.must("DELETE", f"/v1/{kind}/{x['spec']['id']}")
        ours = {"up0"}
        until = time.monotonic() + PATIENCE_S
        while True:
            now = self.observe()
            left = [f"{kind} {x}" for kind, xs in now.items() for x in xs
                    if x not in self.before[kind] and x not in ours
                    and x != "/run/netns/street"
                    and (kind != "table" or "troupe_" not in x)]
            if not left or time.monotonic() > until:
                return left
            time.sleep(0.1)

    def report(self):
        packets = sum(x.sent for x in self.pairs)
        for pair in self.pairs:
            pair.ended = True
        for pair in self.pairs:
            pair.join()
        missing = sum(x.sent - x.received for x in self.pairs)
        left = self.finish()
        lost = sum(len(x.lost) for x in self.clients)
        told = sum(x.acknowledged for x in self.clients)
        refused = sum(x.refused for x in self.clients)
        print(f"{self.kills} kills, {told} acknowledged operations of which "
              f"{lost} lost, {refused} refused; {packets} packets of which "
              f"{missing} lost; {len(left)} objects left {left}; "
              f"{self.repairs} repairs, the slowest {self.slowest[0]:.2f} s "
              f"({self.slowest[1]})")
        if missing:
            self.wrong.append(f"{missing} packets of the pair lost")
        self.wrong += [f"left: {x}" for x in left]
        if told < 50:
            self.wrong.append(f"only {told} operations: this proves nothing")


def isolate():
    """Starts this script again in namespaces of its own."""
    if os.environ.get("INSIDE_CAMPAIGN") == "inside":
        run("mount", "-t", "tmpfs", "none", "/run")
        run("ip", "link", "set", "lo", "up")
        return
    if os.geteuid() != 0:
        print("SKIP: needs root")
        sys.exit(77)
    os.environ["INSIDE_CAMPAIGN"] = "inside"
    os.execvp("unshare", ["unshare", "--net", "--mount", "--pid", "--fork",
                          "--kill-child", "--mount-proc", "--propagation",
                          "private", sys.executable, *sys.argv])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", required=True)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int,
                        default=int(os.environ.get("TEST_SEED", "0"))
                        or random.SystemRandom().randrange(1, 10 ** 6))
    parser.add_argument("--only", default="", help="attacks, by commas")
    parser.add_argument("--skip", default="", help="likewise")
    how = parser.parse_args()
    isolate()
    print(f"seed {how.seed}", flush=True)
    campaign = Campaign(os.path.abspath(how.bin), how.seed)
    campaign.build()
    campaign.fight(how.seconds or how.minutes * 60,
                   how.only.split(",") if how.only else [],
                   how.skip.split(","))
    campaign.report()
    for text in campaign.wrong:
        print(f"WRONG {text}")
    if campaign.wrong:
        print(f"replay with --seed {how.seed}; the daemon's log:\n"
              + campaign.daemon.log())
    sys.exit(1 if campaign.wrong else 0)


if __name__ == "__main__":
    main()
