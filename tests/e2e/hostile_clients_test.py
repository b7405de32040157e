#!/usr/bin/env python3
"""Hostile clients of many kinds at once, beside one that behaves: it is served without an error and as soon as beside
as many polite clients, and afterwards memory, descriptors and threads are back where they were.

How soon is measured in the same seconds on a second node, which has as many connections of polite clients: so a
machine that is slow, or busy with something else, is slow to both."""

import random
import socket
import struct
import threading
import time

from harness.case import Case, main, wait_until
from harness.history import OK, History, check
from harness.http import Http
from harness.node import Node
from harness.workload import RECORDS, append, read_values

SECONDS = 12
STORMS = 3  # a node that lets itself be held up is held up in each; a disk that stalls once is not
TIMES_SLOWER_MAX = 5  # than among polite clients: the slowest of all requests of one storm


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


class PoliteCrowd(threading.Thread):
    """On a node of its own: for each connection of an abuser one with a request and its answer."""

    def __init__(self, address, abusers, stop):
        super().__init__(daemon=True)
        self.address, self.abusers, self.stop = address, abusers, stop
        self.connections = 0

    def run(self):
        while not self.stop.is_set():
            if self.connections >= sum(abuser.connections for abuser in self.abusers):
                self.stop.wait(0.001)
                continue
            self.connections += 1
            try:
                with socket.create_connection(self.address, 10) as line:
                    line.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    while line.recv(65536):
                        pass
            except OSError:
                pass  # a queue of connections that ran over: no matter of this test


class GoodClient(threading.Thread):
    """Appends, reads what it has appended, and asks for health, one after the other; it is never refused."""

    def __init__(self, address, history, stop, name):
        super().__init__(daemon=True)
        self.history, self.stop, self.name = history, stop, name
        self.http = Http(address, 30)
        self.http.connect()  # before anybody can crowd it out
        self.times = []
        self.error = None

    def run(self):
        try:
            with self.http as client:
                while not self.stop.is_set():
                    self.go_round(client)
        except Exception as error:  # tidy-ok: shown by the test
            self.error = error

    def go_round(self, client):
        entry = self.timed(lambda: self.append_one(client))
        answer = self.timed(lambda: client.get(f"{RECORDS}/{entry.base}"))
        if (answer.status, answer.json().get("value")) != (200, entry.values[0]):
            raise AssertionError(answer)
        if (answer := self.timed(lambda: client.get("/livez"))).status != 200:
            raise AssertionError(answer)

    def append_one(self, client):
        entry, response = append(client, self.history, [f"{self.name}/{len(self.history.appends)}"])
        if entry.outcome != OK:
            raise AssertionError(response)
        return entry

    def timed(self, request):
        begun = time.monotonic()
        answer = request()
        self.times.append(time.monotonic() - begun)
        return answer


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
        with Node(self.dir / "n1").start() as node, Node(self.dir / "n2").start() as calm:
            with node.client() as client:
                for i in range(50):
                    append(client, history, [f"warm/{i}/{n}/" + "w" * 2000 for n in range(20)],
                           content_type="application/x-ndjson")
            self.storm(node, calm, history, 2)  # caches, pools and threads that are made once
            self.settle(node)
            base = (node.rss_bytes(), len(node.descriptors()), node.threads())
            self.assert_served_as_among_polite_clients(node, calm, history)
            after = wait_until(lambda: self.back_to(node, base), 25, lambda: (
                f"back to base {base}: RSS {node.rss_bytes()}, {len(node.descriptors())} descriptors, "
                f"{node.threads()} threads"))
            self.note(f"RSS {base[0] >> 20} -> {after[0] >> 20} MB, descriptors {base[1]} -> {after[1]}")
            with node.client() as client:
                self.assertEqual(client.get("/readyz").status, 200)
            self.assert_only_our_records(node, history)
            self.assertEqual(node.stop(), 0, node.output())
            self.assertLess(len(node.output()), 1 << 20, "the log was flooded")
            self.assertEqual(calm.stop(), 0, calm.output())

    def assert_served_as_among_polite_clients(self, node, calm, history):
        seen = []
        for _ in range(STORMS):
            slowest, usual = self.storm(node, calm, history, SECONDS)
            if slowest <= TIMES_SLOWER_MAX * usual:
                return
            seen.append(f"{slowest * 1000:.0f} ms, {usual * 1000:.0f} ms among polite clients")
        self.fail(f"the slowest answer in each storm: {'; '.join(seen)}")

    def storm(self, node, calm, history, seconds):
        """The slowest answer to the good client of `node`, which is under attack, and to that of `calm`."""
        stop = threading.Event()
        good = [GoodClient(node.http_address, history, stop, "good"),
                GoodClient(calm.http_address, History(), stop, "calm")]
        abusers = [Abuser(node.http_address, kind, stop, seed) for seed, kind in enumerate(KINDS)]
        crowd = PoliteCrowd(calm.http_address, abusers, stop)
        threads = [*good, *abusers, crowd]
        for thread in threads:
            thread.start()
        stop.wait(seconds)
        stop.set()
        for thread in threads:
            thread.join(60)
            self.assertFalse(thread.is_alive(), f"{getattr(thread, 'kind', thread.name)} hangs")
            if getattr(thread, "error", None):
                raise thread.error
        self.note(f"{seconds} s: {len(good[0].times)} good requests, the slowest {max(good[0].times) * 1000:.0f} ms; "
                  f"{len(good[1].times)} among polite clients, {max(good[1].times) * 1000:.0f} ms; connections "
                  f"{ {a.kind: a.connections for a in abusers} }, {crowd.connections} polite")
        return [max(one.times) for one in good]

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
