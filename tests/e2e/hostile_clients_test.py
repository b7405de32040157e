#!/usr/bin/env python3
"""Hostile clients of many kinds at once, beside one that behaves: it is served without an error and soon, and
afterwards memory, descriptors and threads are back where they were."""

import random
import socket
import struct
import threading
import time

from harness.case import Case, main, wait_until
from harness.history import OK, History, check
from harness.node import Node
from harness.workload import RECORDS, append, read_values

SECONDS = 12
GOOD_MS_MAX = 1500  # two cores, eight abusers in Python beside it


class Abuser(threading.Thread):
    """Opens connections and misbehaves on them until told to stop."""

    def __init__(self, address, kind, stop, seed):
        super().__init__(daemon=True)
        self.address, self.kind, self.stop, self.rng = address, kind, stop, random.Random(seed)
        self.connections = 0
        self.error = None

    def connect(self):
        self.connections += 1
        return socket.create_connection(self.address, 10)

    def run(self):
        while not self.stop.is_set():
            try:
                getattr(self, self.kind)()
            except OSError:
                self.stop.wait(0.005)  # the node cut us off, as it should
            except Exception as error:  # tidy-ok: shown by the test
                self.error = error
                return

    def slow_headers(self):
        lines = [self.connect() for _ in range(20)]
        for _ in range(200):
            for line in lines:
                line.send(b"X")
            if self.stop.wait(0.2):
                break
        for line in lines:
            line.close()

    def slow_body(self):
        with self.connect() as line:
            line.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n"
                         % RECORDS.encode())
            for _ in range(200):
                line.send(b"x")
                if self.stop.wait(0.1):
                    return

    def resets(self):
        line = self.connect()
        line.sendall(self.rng.choice((
            b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 500000\r\n\r\nabc",
            b"GET %s?wait_ms=60000&from=latest HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET %s?limit=10000 HTTP/1.1\r\nHost: x\r\n\r\n",
            b"POST %s HT")) .replace(b"%s", RECORDS.encode()))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()

    def garbage(self):
        with self.connect() as line:
            line.sendall(self.rng.randbytes(self.rng.randint(1, 20000)))
            line.settimeout(0.5)
            line.recv(65536)

    def bad_requests(self):
        with self.connect() as line:
            line.sendall(self.rng.choice(BAD_REQUESTS))
            line.settimeout(0.5)
            line.recv(65536)

    def huge(self):
        with self.connect() as line:
            line.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n"
                         b"Transfer-Encoding: chunked\r\n\r\n" % RECORDS.encode())
            piece = b"10000\r\n" + b"[" * 65536 + b"\r\n"
            for _ in range(400):
                line.sendall(piece)

    def pipelines(self):
        with self.connect() as line:
            line.settimeout(2)
            line.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
            while line.recv(65536):
                pass

    def never_reads(self):
        line = self.connect()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.sendall(f"GET {RECORDS}?limit=10000&max_bytes=16777216 HTTP/1.1\r\nHost: x\r\n\r\n".encode() * 8)
        self.stop.wait(0.5)
        line.close()


BAD_REQUESTS = [
    b"GET / HTTP/2.0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /livez\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    b"POST /v1/logs/default/records HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
    b"POST /v1/logs/default/records HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    b"POST /v1/logs/default/records HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"POST /v1/logs/default/records HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
    b"GET /livez HTTP/1.1\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(1500)) + b"\r\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20000 + b"\r\n\r\n",
    b"GET /livez HTTP/1.1\nHost: x\n\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    b"GET /v1/logs/..%2f..%2fetc/records HTTP/1.1\r\nHost: x\r\n\r\n",
    b"BREW /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1/logs/default/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100000\r\n\r\n" + b"[" * 100000,
]
KINDS = ("slow_headers", "slow_body", "resets", "garbage", "bad_requests", "huge", "pipelines", "never_reads")


class HostileClients(Case):
    def test_a_good_client_does_not_notice(self):
        history = History()
        with Node(self.dir / "n1").start() as node:
            with node.client() as client:
                for i in range(50):
                    append(client, history, [f"warm/{i}/{n}/" + "w" * 2000 for n in range(20)],
                           content_type="application/x-ndjson")
            self.storm(node, history, 2)  # caches, pools and threads that are made once
            self.settle(node)
            base = (node.rss_bytes(), len(node.descriptors()), node.threads())
            slowest, served, abusers = self.storm(node, history, SECONDS)
            after = wait_until(lambda: self.back_to(node, base), 25, lambda: (
                f"back to base {base}: RSS {node.rss_bytes()}, {len(node.descriptors())} descriptors, "
                f"{node.threads()} threads"))
            self.note(f"{served} good requests, the slowest {slowest * 1000:.0f} ms; connections "
                      f"{ {a.kind: a.connections for a in abusers} }; RSS {base[0] >> 20} -> {after[0] >> 20} MB, "
                      f"descriptors {base[1]} -> {after[1]}")
            self.assertLess(slowest, GOOD_MS_MAX / 1000)
            with node.client() as client:
                self.assertEqual(client.get("/readyz").status, 200)
            self.assert_only_our_records(node, history)
            self.assertEqual(node.stop(), 0, node.output())
            self.assertLess(len(node.output()), 1 << 20, "the log was flooded")

    def storm(self, node, history, seconds):
        stop = threading.Event()
        abusers = [Abuser(node.http_address, kind, stop, seed) for seed, kind in enumerate(KINDS)]
        for abuser in abusers:
            abuser.start()
        slowest, served, deadline = 0, 0, time.monotonic() + seconds
        with node.client(10) as client:
            while time.monotonic() < deadline:
                begun = time.monotonic()
                entry, response = append(client, history, [f"good/{len(history.appends)}"])
                self.assertEqual(entry.outcome, OK, response)
                answer = client.get(f"{RECORDS}/{entry.base}")
                self.assertEqual((answer.status, answer.json()["value"]), (200, entry.values[0]), answer)
                self.assertEqual(client.get("/livez").status, 200)
                slowest, served = max(slowest, time.monotonic() - begun), served + 3
        stop.set()
        for abuser in abusers:
            abuser.join(30)
            self.assertFalse(abuser.is_alive(), f"{abuser.kind} hangs")
            if abuser.error:
                raise abuser.error
        return slowest, served, abusers

    def settle(self, node):
        """Until the connections of a storm are gone."""
        wait_until(lambda: sum("socket:" in name for name in node.descriptors()) < 10, 25,
                   lambda: f"sockets closed: {node.descriptors()}")

    def back_to(self, node, base):
        now = (node.rss_bytes(), len(node.descriptors()), node.threads())
        good = now[0] <= base[0] * 1.1 + (16 << 20) and now[1] <= base[1] * 1.1 + 2 and now[2] <= base[2] * 1.1 + 1
        return now if good else None

    def assert_only_our_records(self, node, history):
        """`resets` and `huge` never completed a request, so not one record of theirs may be there."""
        self.assertEqual(check(history, read_values(node.http_address)), [])


if __name__ == "__main__":
    main()
