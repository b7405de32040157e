#!/usr/bin/env python3
"""A directory with 10,000 segments opens quickly, with few descriptors, and reads at any offset."""

import json
import os
import random
import time
import unittest

from harness.case import Case, main
from harness.mounts import loop, make_ext4
from harness.node import Node, cairn
from harness.shim import Shim, ShimmedNode
from harness.workload import RECORDS

SEGMENTS = 10_000
SEGMENT_BYTES = 4096  # the smallest; a value of 3 KB fills one
OPEN_S_MAX = 15
DESCRIPTORS_MAX = 300
METRICS_S_MAX = 0.1


class ManySegments(Case):
    def test_ten_thousand_segments(self):
        # On an image of its own where that is possible: removing 20,000 files from a busy disk takes minutes.
        image = self.dir / "disk.img"
        Shim(self.dir)  # skips here if it is missing
        try:
            make_ext4(image, 512)
            with loop(image, self.dir / "disk") as disk:
                self.run_on(disk / "n1")
        except unittest.SkipTest as why:
            self.note(f"without an image of its own: {why}")
            self.run_on(self.dir / "n1")

    def run_on(self, directory):
        count = self.fill(directory)
        with Node(directory, args=["--segment-bytes", str(SEGMENT_BYTES)], log=self.dir / "node.log") as node:
            stores = sum(1 for _ in node.directory.rglob("*.store"))
            self.assertGreaterEqual(stores, SEGMENTS)
            for how in ("a clean stop", "kill -9"):
                begun = time.monotonic()
                node.start()
                opened = time.monotonic() - begun
                descriptors = len(node.descriptors())
                self.note(f"{stores} segments after {how}: ready in {opened:.2f} s, {descriptors} descriptors, "
                          f"{node.threads()} threads, RSS {node.rss_bytes() >> 20} MB")
                self.assertLess(opened, OPEN_S_MAX)
                self.assertLess(descriptors, DESCRIPTORS_MAX)
                self.look_at_metrics(node)
                begun = time.monotonic()
                self.read_anywhere(node, count)
                self.note(f"500 records one by one, a page of 3,000: {time.monotonic() - begun:.1f} s")
                self.assertLess(len(node.descriptors()), DESCRIPTORS_MAX)
                node.kill()
            begun = time.monotonic()
            verified = cairn("verify", node.directory)
            self.note(f"cairn verify: {time.monotonic() - begun:.1f} s")
            self.assertEqual(verified.returncode, 0, verified.stdout[-2000:] + verified.stderr[-2000:])

    def look_at_metrics(self, node):
        with node.client() as client:
            took = []
            for _ in range(5):
                begun = time.monotonic()
                answer = client.get("/metrics")
                took.append(time.monotonic() - begun)
                self.assertEqual(answer.status, 200, answer)
            self.assertIn(b"\ncairn_log_segments", answer.body)
        self.note(f"/metrics: {len(answer.body) >> 10} KiB, {min(took) * 1e3:.1f} to {max(took) * 1e3:.1f} ms")
        self.assertLess(min(took), METRICS_S_MAX)

    def fill(self, directory):
        """Values of 3 KB, a segment each. Without syncs, which are not what this test is about: 10,000 new segments
        with all of them take minutes."""
        shim = Shim(self.dir)
        shim.say("skip")
        count, begun = SEGMENTS + 10, time.monotonic()
        with ShimmedNode(directory, shim, args=["--segment-bytes", str(SEGMENT_BYTES)],
                         log=self.dir / "fill.log").start() as node:
            with node.client(120) as client:
                for n in range(count):
                    body = json.dumps([n, "s" * 3000]).encode()
                    answer = client.request("POST", RECORDS, {"Content-Type": "application/json"}, body)
                    self.assertEqual((answer.status, answer.json()["offset"]), (201, n), answer)
            self.note(f"{count} appends, a segment each, in {time.monotonic() - begun:.1f} s (without syncs)")
            begun = time.monotonic()
            self.assertEqual(node.stop(), 0, node.output())
            self.note(f"stopped in {time.monotonic() - begun:.1f} s")
        begun = time.monotonic()
        os.sync()  # what the node would have done on the way; the next start shall not pay for it
        self.note(f"synced in {time.monotonic() - begun:.1f} s")
        return count

    def read_anywhere(self, node, count):
        rng = random.Random(5)
        with node.client() as client:
            for offset in [0, count - 1] + [rng.randrange(count) for _ in range(500)]:
                answer = client.get(f"{RECORDS}/{offset}")
                self.assertEqual((answer.status, answer.json()["value"][0]), (200, offset), answer)
            answer = client.get(f"{RECORDS}?from=4000&limit=3000&max_bytes=16777216").json()
            self.assertEqual([record["value"][0] for record in answer["records"]], list(range(4000, 7000)))
            described = client.get("/v1/logs/default").json()
            self.assertEqual((described["lowest_offset"], described["next_offset"]), (0, count))


if __name__ == "__main__":
    main()
