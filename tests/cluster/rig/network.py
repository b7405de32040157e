"""A host of its own for each node: network namespaces on one bridge, and what can go wrong between them.

The machine's own network is left alone. Clients are at the bridge: cutting nodes off from each other does not cut
off the clients. It needs root, `ip` and `iptables`; where they are missing or forbidden a test is skipped, saying so.
"""

import contextlib
import ctypes
import itertools
import os
import shutil
import subprocess
import unittest

CLONE_NEWNET = 0x40000000
QUEUE = 7
COPY_MARK = "7777"
numbers = itertools.count(1)


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {(done.stderr or done.stdout).strip()}")


class Network:
    """Hosts 1 ... N with addresses 10.77.0.1 ... N; the clients' is 10.77.0.254."""

    def __init__(self, size):
        self.size = size
        self.name = f"cairn{os.getpid()}x{next(numbers)}"
        self.delays = {}

    def address(self, number):
        return f"10.77.0.{number}"

    def space(self, number):
        return f"{self.name}-{number}"

    def prefix(self, number):
        """What a command begins with that runs on a host."""
        return ["nsenter", f"--net=/run/netns/{self.space(number)}", "--"]

    def __enter__(self):
        if os.geteuid() != 0:
            raise unittest.SkipTest("network namespaces need root")
        missing = [program for program in ("ip", "iptables", "nsenter") if not shutil.which(program)]
        if missing:
            raise unittest.SkipTest(f"no {', '.join(missing)} here (packages iproute2, iptables, util-linux)")
        try:
            self._build()
        except OSError as error:
            self._remove()
            raise unittest.SkipTest(f"network namespaces are not possible here: {error}") from None
        self._old = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self._enter(f"/run/netns/{self.space('sw')}")  # threads and processes that begin from here on are there, too
        return self

    def __exit__(self, *_):
        for process in self.delays.values():
            process.kill()
            process.wait()
        self.delays.clear()
        set_namespace(self._old)
        os.close(self._old)
        self._remove()

    def _enter(self, path):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            set_namespace(descriptor)
        finally:
            os.close(descriptor)

    def _build(self):
        switch = self.space("sw")
        run("ip", "netns", "add", switch)
        run("ip", "-n", switch, "link", "set", "lo", "up")
        run("ip", "-n", switch, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", switch, "addr", "add", "10.77.0.254/24", "dev", "br0")
        run("ip", "-n", switch, "link", "set", "br0", "up")
        for number in range(1, self.size + 1):
            host = self.space(number)
            run("ip", "netns", "add", host)
            run("ip", "-n", host, "link", "add", "eth0", "type", "veth", "peer", "name", f"p{number}", "netns", switch)
            run("ip", "-n", switch, "link", "set", f"p{number}", "master", "br0", "up")
            run("ip", "-n", host, "link", "set", "lo", "up")
            run("ip", "-n", host, "addr", "add", f"{self.address(number)}/24", "dev", "eth0")
            run("ip", "-n", host, "link", "set", "eth0", "up")
            run(*self.prefix(number), "iptables", "-A", "INPUT", "-j", "ACCEPT")

    def _remove(self):
        for number in ["sw", *range(1, self.size + 1)]:
            subprocess.run(["ip", "netns", "del", self.space(number)], check=False, capture_output=True)

    # --- what goes wrong ---------------------------------------------------------------------------------------

    def deafen(self, number, to):
        """Host `number` no longer hears host `to`: one direction."""
        run(*self.prefix(number), "iptables", "-I", "INPUT", "-s", self.address(to), "-j", "DROP")

    def cut(self, one, other):
        self.deafen(one, other)
        self.deafen(other, one)

    def isolate(self, number):
        for other in range(1, self.size + 1):
            if other != number:
                self.cut(number, other)

    def split(self, *groups):
        """Hosts of different groups do not reach each other."""
        for one, other in itertools.combinations(groups, 2):
            for pair in itertools.product(one, other):
                self.cut(*pair)

    def ring(self):
        """Each host reaches its two neighbours alone; with three hosts it is a chain, whose ends do not meet."""
        for one, other in itertools.combinations(range(1, self.size + 1), 2):
            neighbours = other - one == 1 or (self.size > 3 and other - one == self.size - 1)
            if not neighbours:
                self.cut(one, other)

    def delay(self, number, delay_ms, jitter_ms=0, loss_pct=0, duplicates_pct=0, seed=1):
        """What host `number` hears from the other hosts is late, is lost, comes twice."""
        program = os.environ.get("CAIRN_NFQDELAY")
        if not program or not os.path.exists(program):
            raise unittest.SkipTest("CAIRN_NFQDELAY does not name the built program (target nfqdelay, package "
                                    "libnetfilter-queue-dev): use ctest")
        process = subprocess.Popen(
            [*self.prefix(number), program, str(QUEUE), str(delay_ms), str(jitter_ms), str(loss_pct),
             str(duplicates_pct), str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if process.stdout.readline() != "ready\n":
            process.kill()
            raise unittest.SkipTest(f"no netfilter queue here: {process.stderr.read().strip()}")
        self.delays[number] = process
        for other in range(1, self.size + 1):
            if other != number:
                run(*self.prefix(number), "iptables", "-I", "INPUT", "-s", self.address(other), "-j", "NFQUEUE",
                    "--queue-num", str(QUEUE))
        run(*self.prefix(number), "iptables", "-I", "INPUT", "-m", "mark", "--mark", COPY_MARK, "-j", "ACCEPT")

    def heal(self):
        for number in range(1, self.size + 1):
            run(*self.prefix(number), "iptables", "-F", "INPUT")
        for process in self.delays.values():
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()
        self.delays.clear()


def set_namespace(descriptor):
    """Of this thread, and of all threads and processes that it begins from now on."""
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def faulty(network):
    """Heals whatever was broken within."""
    try:
        yield network
    finally:
        network.heal()
