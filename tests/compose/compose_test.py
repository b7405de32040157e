#!/usr/bin/env python3
"""docker-compose.yml as it is: three containers lose a node, then a link, and no record that was acknowledged.

CAIRN_COMPOSE is the command line of compose v2 (scripts/test --compose sets it). The project, the subnet and the host
address of the ports are this test's own, so that a cluster that runs here already is left alone.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "e2e"))

from harness.case import wait_until  # noqa: E402
from harness.http import Http, NotSent, Unknown  # noqa: E402

PROJECT = f"cairn-test-{os.getpid()}"
SUBNET = os.environ.get("CAIRN_SUBNET", "172.30.79")
PORTS_AT = os.environ.get("CAIRN_PORTS_AT", "127.0.79.1")
NODES = ("n1", "n2", "n3")
RECORDS = "/v1/logs/default/records"
READY_S = 90
BEGUN = time.monotonic()


def say(text):
    print(f"{time.monotonic() - BEGUN:6.1f} s  {text}", file=sys.stderr, flush=True)


def run(*command, check=True, timeout_s=120):
    done = subprocess.run([str(x) for x in command], capture_output=True, text=True, timeout=timeout_s, check=False,
                          cwd=REPOSITORY, env={**os.environ, "CAIRN_SUBNET": SUBNET, "CAIRN_PORTS_AT": PORTS_AT})
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def compose(*arguments, **more):
    return run(*os.environ.get("CAIRN_COMPOSE", "docker compose").split(), "-p", PROJECT, *arguments, **more)


def container(node):
    return f"{PROJECT}-{node}-1"


def inside(node, *command, **more):
    return run("docker", "exec", container(node), *command, **more)


def described(node):
    return json.loads(inside(node, "cairn", "--quiet", "logs", "describe", "default", "-o", "json").stdout)


def state(node):
    return json.loads(run("docker", "inspect", "-f", "{{json .State}}", container(node)).stdout)


def all_are_voters(count=len(NODES)):
    """True when `count` nodes are healthy, and each of them knows three voters and one leader."""
    healthy = [n for n in NODES if state(n).get("Health", {}).get("Status") == "healthy"]
    if len(healthy) < count:
        return False
    try:
        seen = [described(node) for node in healthy]
    except AssertionError:
        return False
    return all(one.get("leader") and sum(r["role"] == "voter" for r in one["replicas"]) == len(NODES) for one in seen)


def leader_among(nodes):
    for node in nodes:
        try:
            leader = described(node).get("leader")
        except AssertionError:
            continue
        if leader in nodes:
            return leader
    return None


class Writer(threading.Thread):
    """Appends records one by one at its node, at the next one when that does not answer; notes what was said."""

    def __init__(self, number):
        super().__init__(daemon=True)
        self.number = number
        self.acknowledged = {}
        self.last_s = 0.0
        self.ending = threading.Event()

    def run(self):
        at, sent = self.number, 0
        http = None
        while not self.ending.is_set():
            value = f'"w{self.number}-{sent}"'  # JSON, which is read back byte for byte
            sent += 1
            if http is None:
                http = Http((PORTS_AT, 8081 + at % len(NODES)), timeout_s=3)
            try:
                answer = http.request("POST", RECORDS, {"Content-Type": "application/json"}, value.encode())
            except (NotSent, Unknown, OSError):
                answer = None
            if answer is not None and answer.status == 201:
                self.acknowledged[value] = answer.json()["offset"]
                self.last_s = time.monotonic()
                continue
            http.close()
            http = None
            at += 1
            self.ending.wait(0.05)


class Load:
    def __init__(self):
        self.writers = [Writer(number) for number in range(6)]
        for writer in self.writers:
            writer.start()

    def acknowledged(self):
        merged = {}
        for writer in self.writers:
            merged.update(dict(writer.acknowledged))
        return merged

    def goes_on(self, what, limit_s=30):
        """Waits for more records than can have been under way."""
        before = len(self.acknowledged())
        wait_until(lambda: len(self.acknowledged()) > before + len(self.writers), limit_s, what)

    def end(self):
        for writer in self.writers:
            writer.ending.set()
        for writer in self.writers:
            writer.join(30)
        return self.acknowledged()


def check_hardening():
    for node in NODES:
        assert inside(node, "id", "-u").stdout.strip() != "0", f"{node} runs as root"
        assert inside(node, "touch", "/usr/local/bin/x", check=False).returncode != 0, f"{node} can write to its root"
    say("no root, a read-only root file system")


def kill_leader(load):
    leader = wait_until(lambda: leader_among(NODES), 30, "there is a leader")
    run("docker", "kill", "-s", "KILL", container(leader))
    load.goes_on("writes after the kill")
    say(f"killed {leader}, the leader: writes go on")
    run("docker", "start", container(leader))
    wait_until(all_are_voters, READY_S, lambda: f"{leader} is back: {[state(n).get('Health') for n in NODES]}")
    say(f"{leader} is back")


def cut_leader_off(load):
    leader = wait_until(lambda: leader_among(NODES), 30, "there is a leader")
    network = f"{PROJECT}_cluster"
    run("docker", "network", "disconnect", network, container(leader))
    others = [node for node in NODES if node != leader]
    wait_until(lambda: leader_among(others), 30, "the other two have a leader of their own")
    load.goes_on("writes at the other two")
    say(f"{leader}, the leader, is cut off: writes go on")
    run("docker", "network", "connect", "--ip", f"{SUBNET}.{10 + int(leader[1:])}", network, container(leader))
    wait_until(all_are_voters, READY_S, f"{leader} is part of the cluster again")
    say(f"{leader} is part of the cluster again")


def check_records(acknowledged):
    """Every node has the same log, and every acknowledged record where it was said to be, once."""
    end = wait_until(lambda: same_end(), 60, lambda: f"all nodes at the same end: {[described(n) for n in NODES]}")
    logs = {}
    for node in NODES:
        lines = inside(node, "cairn", "--quiet", "read", "--from", "0", "--format", "raw").stdout.splitlines()
        assert len(lines) == end, f"{node} gives {len(lines)} of {end} records"
        logs[node] = lines
    assert logs["n1"] == logs["n2"] == logs["n3"], "the nodes differ"
    lines = logs["n1"]
    assert len(set(lines)) == len(lines), "a record is there twice"
    for value, offset in acknowledged.items():
        assert offset < len(lines) and lines[offset] == value, f"{value} was acknowledged at {offset}, and is not there"
    more = end - len(acknowledged)
    say(f"{len(acknowledged):,} acknowledged records are on all three nodes, and {more} of unknown fate")


def same_end():
    ends = {described(node)["next_offset"] for node in NODES}
    return ends.pop() if len(ends) == 1 else None


def stop_and_start():
    begun = time.monotonic()
    compose("stop")
    for node in NODES:
        code = state(node)["ExitCode"]
        assert code == 0, f"{node} ended with {code}: {run('docker', 'logs', '--tail', '5', container(node)).stderr}"
    say(f"all stopped gracefully in {time.monotonic() - begun:.1f} s")
    compose("up", "-d")
    wait_until(all_are_voters, READY_S, "all nodes are back after a stop of all")


def main():
    compose("build", timeout_s=3600)
    say("the image is built")
    try:
        compose("up", "-d")
        wait_until(all_are_voters, READY_S, "three healthy containers with a vote each")
        say("three healthy containers with a vote each")
        check_hardening()
        load = Load()
        load.goes_on("the first writes")
        kill_leader(load)
        cut_leader_off(load)
        acknowledged = load.end()
        check_records(acknowledged)
        stop_and_start()
        check_records(acknowledged)
    except BaseException:
        for node in NODES:
            said = run("docker", "logs", "--tail", "15", container(node), check=False)
            print(f"--- {node}\n{said.stdout}{said.stderr}", file=sys.stderr)
        raise
    finally:
        compose("down", "-v", "--timeout", "2", check=False)
    say("passed")


if __name__ == "__main__":
    main()
