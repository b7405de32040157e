#!/usr/bin/env python3
"""SIGTERM under load: exit 0 within 10 s, nothing acknowledged is lost, and the next start has nothing to repair."""

import json
import os
import time

from harness.case import Case, main, wait_until
from harness.history import OK, History, check
from harness.http import EventStream, Http, NotSent, Unknown
from harness.node import Node, cairn
from harness.workload import RECORDS, Workload, read_values


def index_entry_bytes():
    return 16


class GracefulStop(Case):
    def test_under_load_it_ends_with_0_and_starts_clean(self):
        history = History()
        load = Workload(history, seed=3)
        with Node(self.dir / "n1") as node:
            for life in range(3):
                node.start()
                if life == 0:
                    load.start(node.http_address)
                load.door.open(node.http_address)
                goal = history.count(OK) + 150
                wait_until(lambda: history.count(OK) >= goal or load.errors, 60, lambda: f"load: {load.statuses}")
                begun = time.monotonic()
                self.assertEqual(node.stop(), 0, node.output())
                self.note(f"life {life} ended {time.monotonic() - begun:.2f} s after SIGTERM")
                load.door.shut()
                self.assert_no_padding(node)
            node.start()
            load.stop()
            self.assert_clean(node)
            self.assertEqual(check(history, read_values(node.http_address)), [])
            expected = {("POST", 201), ("POST", 412), ("POST", 503), ("GET", 200), ("GET", 503)}
            self.assertLessEqual(set(load.statuses), expected, load.samples)

    def test_waiting_clients_do_not_delay_it(self):
        with Node(self.dir / "n1").start() as node:
            idle, poll = node.client(), node.client()
            idle.connect()
            with EventStream(node.http_address, f"{RECORDS}?from=earliest") as stream:
                self.assertEqual(stream.status, 200)
                poll.connect()
                poll.socket.sendall(poll._head("GET", f"{RECORDS}?wait_ms=60000", None, None))
                slow = node.client()
                slow.connect()
                slow.socket.sendall(
                    b"POST /v1/logs/default/records HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc")
                begun = time.monotonic()
                self.assertEqual(node.stop(), 0, node.output())
                self.assertEqual(list(stream.records()) if stream.headers.get("transfer-encoding") else [], [])
            self.note(f"ended {time.monotonic() - begun:.2f} s after SIGTERM with four clients waiting")
            for client in (idle, poll, slow):
                client.close()

    def test_sigint_is_as_graceful(self):
        with Node(self.dir / "n1").start() as node:
            with node.client() as client:
                client.request("POST", RECORDS, {"Content-Type": "text/plain"}, b"x")
            node.process.send_signal(2)
            self.assertEqual(node.wait(10), 0, node.output())
            self.assert_no_padding(node)

    def assert_no_padding(self, node):
        """The last entry ends an index file, and its last bytes are not zeros; no file is left half made."""
        indexes = sorted(node.directory.rglob("*.index"))
        self.assertTrue(indexes, list(node.directory.rglob("*")))
        for index in indexes:
            content = index.read_bytes()
            self.assertLess(len(content), 1 << 20, f"{index}: padding was not cut")
            self.assertEqual(len(content) % index_entry_bytes(), 0, index)
            if len(content) > 64:
                self.assertNotEqual(content[-16:], bytes(16), f"{index} ends in padding")
        self.assertEqual(list(node.directory.rglob("*.tmp")), [])
        checked = cairn("verify", node.directory)
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def assert_clean(self, node):
        said = node.output().lower()
        self.assertIn("clean", said)
        for word in ("torn", "rebuilt 1", "unclean"):
            self.assertNotIn(word, said)


if __name__ == "__main__":
    main()
