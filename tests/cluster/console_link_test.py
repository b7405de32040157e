#!/usr/bin/env python3
"""The console at a cluster of real processes: it observes, is never counted, and outlives the node it looks through."""

import json
import subprocess

from rig.case import Case, main, wait_until
from rig.cluster import Cluster, Member

from harness.case import bin_dir
from harness.node import cairn, clean_environment

UNREACHABLE = 3


class Console:
    """`cairn console` that reads commands from us, one JSON document an answer. Use as a context manager."""

    def __init__(self, addresses):
        self.process = subprocess.Popen([bin_dir() / "cairn", "console", "--node", addresses, "-o", "json"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=clean_environment())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def ask(self, command):
        self.process.stdin.write(command.encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def end(self):
        """Exit code and what it said on stderr."""
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said.decode()


def once(addresses, *arguments):
    ran = cairn("console", "--node", addresses, *arguments, timeout_s=60)
    return ran.returncode, ran.stdout.decode(), ran.stderr.decode()


def metric(node, name):
    with node.client(5) as client:
        text = client.get("/metrics").body.decode()
    for line in text.splitlines():
        if line.startswith(name + " "):
            return float(line.split()[1])
    raise AssertionError(f"no {name} in /metrics")


class ConsoleLink(Case):
    def test_goes_on_through_another_node_when_its_own_is_killed(self):
        with Cluster(self.dir, 3).start() as cluster:
            first = cluster["n1"]
            with Console(first.peer) as console:  # told of one node only
                self.assertEqual(console.ask("nodes")["via"], "n1")
                first.kill()
                self.assertIn(console.ask("nodes")["via"], ("n2", "n3"))
                code, said = console.end()
            self.assertRegex(said, rf"n1 \({first.peer}\) is gone; now through n[23] \(127\.0\.0\.1:\d+\)")
            self.assertEqual(code, 0, said)

    def test_nobody_takes_it_for_a_node(self):
        with Cluster(self.dir, 3).start() as cluster:
            first = cluster["n1"]
            with Console(first.peer) as console:
                self.assertEqual(console.ask("nodes")["via"], "n1")
                self.assertEqual(metric(first, "cairn_peer_observers"), 1)
                for node in cluster:
                    self.assertEqual(metric(node, "cairn_peer_links"), 2)
                    self.assertEqual({member["id"] for member in node.ask("/v1/cluster")["members"]},
                                     {"n1", "n2", "n3"})
                console.end()
            wait_until(lambda: metric(first, "cairn_peer_observers") == 0, 20, "n1 noticed that the console has left")

    def test_a_ninth_is_told_why_not(self):
        with Cluster(self.dir, 1).start() as cluster:
            node = cluster["n1"]
            eight = [Console(node.peer) for _ in range(8)]
            try:
                for console in eight:
                    self.assertEqual(console.ask("nodes")["via"], "n1")
                code, _, said = once(node.peer, "-c", "nodes")
                self.assertEqual(code, UNREACHABLE, said)
                self.assertIn("node n1 has 8 observers, which is the most", said)
                eight.pop().__exit__()
                wait_until(lambda: once(node.peer, "-c", "nodes")[0] == 0, 30, "room for another")
            finally:
                for console in eight:
                    console.__exit__()

    def test_a_node_that_waits_to_be_let_in_answers(self):
        node = Member(self.dir / "n1", "n1", join=["127.0.0.1:1"], log=self.dir / "n1.log")
        with node:
            node.spawn().wait_listening()
            code, out, said = once(node.peer, "-o", "json", "-c", "nodes")
            self.assertEqual(code, 0, said)
            self.assertEqual(json.loads(out)["via"], "n1")

    def test_when_nobody_answers_it_says_who_was_tried(self):
        with Cluster(self.dir, 1).start() as cluster:
            node = cluster["n1"]
            code, out, said = once(node.http, "-c", "nodes")
            self.assertEqual((code, out), (UNREACHABLE, ""), said)
            self.assertIn(f"no link to {node.http}: it does not speak Cairn's peer protocol", said)
            node.kill()
            code, out, said = once(f"{node.peer},localhost:1", "-c", "nodes")
            self.assertEqual((code, out), (UNREACHABLE, ""), said)
            self.assertIn(f"cannot reach {node.peer}: Connection refused", said)
            self.assertIn("cannot reach localhost:1", said)


if __name__ == "__main__":
    main()
