#!/usr/bin/env python3
"""The node's own log: one that nobody reads stops nothing, every line is JSON, no secret is in it, levels change."""

import fcntl
import json
import os
import re
import socket
import subprocess
import threading
import time

from harness.case import Case, main, wait_until
from harness.http import NotSent, Unknown
from harness.node import Node, cairn, have

RECORDS = "/v1/logs/default/records"
SECRET = "s3cr3tW0rd"
ROUNDS_WHILE_BLOCKED = 60
PROBES_A_ROUND = 100  # a line each: all rounds together more than the pipe and the queue hold


class FullPipe:
    """A pipe that is full from the start: whoever writes into it waits until read_on() is called."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, 4096)
        os.set_blocking(self.writer, False)
        try:
            while True:
                os.write(self.writer, b"x")
        except BlockingIOError:
            pass
        os.set_blocking(self.writer, True)
        self.said = bytearray()
        self.thread = None

    def read_on(self):
        os.close(self.writer)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while piece := os.read(self.reader, 65536):
            self.said += piece

    def text(self):
        return bytes(self.said).decode(errors="replace").lstrip("x")


def metric(node, name):
    with node.client() as client:
        text = client.get("/metrics").body.decode()
    return float(re.search(rf"^{name} (\S+)$", text, re.M).group(1))


class BlockedStandardError(Case):
    def start_blocked(self, pipe, *args):
        node = Node(self.dir / "n1", args=["--log-level", "info,gateway=debug", *args], stderr=pipe.writer)
        self.addCleanup(node.kill)
        return node.start()

    def test_appends_go_on_and_the_loss_is_told(self):
        pipe = FullPipe()
        node = self.start_blocked(pipe)
        begun = time.monotonic()
        with node.client() as client, socket.create_connection(node.http_address, timeout=30) as probes:
            answers = probes.makefile("rb")
            for number in range(ROUNDS_WHILE_BLOCKED):
                answer = client.request("POST", RECORDS, {"Content-Type": "text/plain"}, str(number).encode())
                self.assertEqual(answer.status, 201, number)
                probes.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n" * PROBES_A_ROUND)
                left = PROBES_A_ROUND
                while left:
                    left -= answers.readline().startswith(b"HTTP/1.1 200")
        lost = metric(node, "cairn_node_log_lost_lines_total")
        self.assertGreater(lost, 0)
        self.note(f"{ROUNDS_WHILE_BLOCKED} appends and {ROUNDS_WHILE_BLOCKED * PROBES_A_ROUND} probes in "
                  f"{time.monotonic() - begun:.1f} s with nobody reading, {lost:.0f} lines lost")
        pipe.read_on()
        told = wait_until(lambda: re.findall(r"node: (\d+) lines were lost", pipe.text()), 20, pipe.text)
        self.assertGreaterEqual(sum(map(int, told)), lost)
        with node.client() as client:
            self.assertEqual(client.request("POST", RECORDS, {"Content-Type": "text/plain"}, b"after").status, 201)
        self.assertEqual(node.stop(), 0)
        wait_until(lambda: not pipe.thread.is_alive(), 10, "the pipe ends")
        self.assertIn("node: ended", pipe.text())
        for line in pipe.text().splitlines():
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (debug|info|warning) n1 \w+: ")

    def test_the_end_comes_in_time_though_nobody_reads(self):
        pipe = FullPipe()
        node = self.start_blocked(pipe)
        with node.client() as client:
            for number in range(100):
                self.assertEqual(client.request("POST", RECORDS, {"Content-Type": "text/plain"}, b"x").status, 201)
        begun = time.monotonic()
        self.assertEqual(node.stop(), 0)
        self.note(f"ended {time.monotonic() - begun:.2f} s after SIGTERM")


class JsonLog(Case):
    """Three nodes with all levels on, killed and started again, asked by the clumsy and the hostile."""

    def node(self, number, *how):
        node = Node(self.dir / f"n{number}", node_id=f"n{number}",
                    args=["--log-format", "json", "--log-level", "trace", "--heartbeat-ms", "50",
                          "--election-ms", "250", *how])
        node.peer = "127.0.0.1:0"
        node.command = lambda: command_of(node)
        self.addCleanup(node.kill)
        return node

    def append(self, node, headers=None, body=SECRET.encode()):
        with node.client(timeout_s=5) as client:
            try:
                return client.request("POST", RECORDS, {"Content-Type": "text/plain", **(headers or {})}, body).status
            except (NotSent, Unknown):
                return 0

    def settled(self, node):
        with node.client(timeout_s=5) as client:
            replicas = client.get("/v1/logs/default").json()["replicas"]
            changing = client.get("/v1/logs/default/raft").json()["joint"]
        return not changing and sum(replica["role"] == "voter" for replica in replicas) == 3

    def state_of(self, node, member):
        with node.client(timeout_s=5) as client:
            members = client.get("/v1/cluster").json()["members"]
        return next(one["state"] for one in members if one["id"] == member)

    def pester(self, node):
        secret = {"Cairn-Key": SECRET, "Cairn-Header-Colour": SECRET, "Idempotency-Key": SECRET,
                  "Authorization": f"Bearer {SECRET}", "Cookie": SECRET}
        self.append(node, secret)
        self.append(node, {**secret, "Cairn-Expected-Offset": SECRET})
        self.append(node, {**secret, "Content-Type": f"{SECRET}/{SECRET}"})
        for target in (f"/{SECRET}", f"/v1/logs/{SECRET}/records", f"{RECORDS}?{SECRET}={SECRET}",
                       f"/v1/actors/{SECRET}"):
            with node.client(timeout_s=5) as client:
                client.get(target, {"Accept": SECRET})
        for garbage in (f"GET /{SECRET} HTTP/9\r\n\r\n", f"{SECRET}\r\n\r\n", f"\x00\xff{SECRET}\n" * 10):
            for address in (node.http_address, peer_address(node)):
                with socket.create_connection(address, timeout=5) as raw:
                    raw.sendall(garbage.encode("latin-1"))

    def test_every_line_is_json_over_a_session_with_kills(self):
        first = self.node(1).start()
        peer = "%s:%d" % peer_address(first)
        nodes = [first] + [self.node(number, "--join", peer).start() for number in (2, 3)]
        for node in nodes:
            node.keep_address()
        for node in nodes:
            wait_until(lambda n=node: self.append(n) == 201, 30, f"appends through {node.node_id}")
            self.pester(node)
        # Before that, whoever is left is no quorum: of the two voters that there were, too.
        wait_until(lambda: self.settled(first), 30, "three voters, and no change under way")
        nodes[0].kill()
        for node in nodes[1:]:
            wait_until(lambda n=node: self.append(n) == 201, 30, f"appends after the kill, {node.node_id}")
        wait_until(lambda: self.state_of(nodes[1], "n1") != "alive", 30, "n1 is missed")
        nodes[0].peer = peer
        nodes[0].start()
        wait_until(lambda: self.append(nodes[0]) == 201, 30, "appends through n1 again")
        for node in reversed(nodes):
            self.assertEqual(node.stop(), 0, node.output()[-2000:])
        seen = set()
        for node in nodes:
            seen |= self.judge(node)
        self.note(f"components that spoke: {', '.join(sorted(seen))}")
        self.assertLessEqual({"node", "raft", "cluster", "membership", "peer", "gateway", "storage"}, seen)

    def judge(self, node):
        text = node.log.read_bytes().decode()
        self.assertNotIn(SECRET, text)
        lines = [line for line in text.splitlines() if not line.startswith("--- life ")]
        self.assertGreater(len(lines), 10)
        components = set()
        for line in lines:
            told = json.loads(line)
            self.assertEqual(told["node"], node.node_id)
            self.assertRegex(told["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn(told["level"], ("trace", "debug", "info", "warning", "error", "critical"))
            self.assertTrue(told["message"])
            components.add(told["component"])
        if have("jq"):
            checked = subprocess.run(["jq", "-e", "-n", "[inputs | .message] | length"], input="\n".join(lines),
                                     text=True, capture_output=True, timeout=60)
            self.assertEqual(checked.returncode, 0, checked.stderr)
            self.assertEqual(int(checked.stdout), len(lines))
        return components


class Levels(Case):
    def test_they_change_while_it_runs(self):
        with Node(self.dir / "n1", args=["--log-level", "info,peer=off"]).start() as node:
            def level(*arguments, code=0):
                done = cairn("-s", node.url, "log-level", *arguments)
                self.assertEqual(done.returncode, code, done.stdout + done.stderr)
                return (done.stdout + done.stderr).decode()

            said = level()
            self.assertIn("This is node n1 alone; --node asks another one, --all-nodes all.", said)
            rows = dict(row.split() for row in said.splitlines() if len(row.split()) == 2)
            self.assertEqual((rows["COMPONENT"], rows["raft"], rows["peer"]), ("n1", "info", "off"))
            with node.client() as client:
                client.get(f"{RECORDS}?from=earliest")
                self.assertNotIn("debug n1 gateway", node.output())
                self.assertEqual(json.loads(level("gateway", "debug", "-o", "json"))["levels"]["gateway"], "debug")
                client.get(f"{RECORDS}?from=earliest")
                wait_until(lambda: "debug n1 gateway: GET /v1/logs/{log}/records" in node.output(), 10, node.output)
                self.assertIn("info n1 inspect: an operator has changed", node.output())
                level("all", "error", "--all-nodes")
                level("all", "warning", "--node", "n1")
                answer = client.get("/v1/log-levels").json()
                self.assertEqual(answer["node"], "n1")
                self.assertEqual(set(answer["levels"].values()), {"warning"})
            self.assertIn("rafts", level("rafts", "debug", code=1))
            self.assertIn("loud", level("raft", "loud", code=1))
            self.assertIn("n9", level("--node", "n9", code=1))
            self.assertEqual(level("raft", "--all-nodes"), "COMPONENT   n1\nraft        warning\n")
            self.assertEqual(json.loads(level("raft", "-o", "json")), {"node": "n1", "levels": {"raft": "warning"}})
            self.assertIn("no node names a level of 'rafts'", level("rafts", code=1))

    def test_bad_ones_are_refused_at_the_start(self):
        for value, named in (("loud", "loud"), ("info,rafts=debug", "rafts"), ("raft=loud", "loud"),
                             ("info,debug", "debug")):
            with self.subTest(value=value):
                node = Node(self.dir / "n1", args=["--log-level", value])
                node.spawn()
                self.assertEqual(node.wait(20), 2)
                self.assertIn("--log-level", node.output())
                self.assertIn(named, node.output())


def command_of(node):
    words = [word for word in Node.command(node) if node.node_id == "n1" or word != "--bootstrap"]
    words[words.index("--peer") + 1] = node.peer
    return words


def peer_address(node):
    host, port = node.ports["peer"].rsplit(":", 1)
    return host, int(port)


if __name__ == "__main__":
    main()
