#!/usr/bin/env python3
"""kill -9 under load, again and again: what was acknowledged is there, once, in order; reads never shrink."""

import random
import threading
import unittest

from harness.case import Case, main, wait_until
from harness.history import OK, UNKNOWN, History, check
from harness.node import Node
from harness.workload import Workload, read_values

CYCLES = 8
LEAST_ACKNOWLEDGED = 1000  # fewer prove nothing


class KillUnderLoad(Case):
    def test_no_acknowledged_record_is_lost_or_doubled(self):
        self.run_cycles(Node(self.dir / "n1"), seed=1)

    def test_the_same_with_tiny_segments(self):
        self.run_cycles(Node(self.dir / "n1", args=["--segment-bytes", "65536"]), seed=2)

    def run_cycles(self, node, seed):
        rng = random.Random(seed)
        history = History()
        load = Workload(history, seed)
        with node:
            node.start()
            load.start(node.http_address)
            try:
                for cycle in range(CYCLES):
                    # Each life lasts until some appends have been acknowledged in it, and then a random moment more.
                    before = history.count(OK)
                    goal = before + rng.randint(30, 250)
                    wait_until(lambda: history.count(OK) >= goal or load.errors, 60,
                               lambda: f"{goal} appends acknowledged in life {cycle}: {load.statuses}")
                    threading.Event().wait(rng.uniform(0, 0.05))
                    node.kill()
                    load.door.shut()
                    node.start()
                    load.door.open(node.http_address)
                goal = max(LEAST_ACKNOWLEDGED, history.count(OK) + 100)
                wait_until(lambda: history.count(OK) >= goal or load.errors, 60,
                           lambda: f"{goal} appends acknowledged in all: {load.statuses}")
            finally:
                load.stop()
            final = read_values(node.http_address)
            self.judge(load, history, final)
            node.kill()  # and the same after one more crash without load
            node.start()
            self.assertEqual(read_values(node.http_address), final)

    def judge(self, load, history, final):
        self.assertEqual(check(history, final), [])
        unknown = [append for append in history.appends if append.outcome == UNKNOWN]
        stored = sum(append.values[0] in set(final) for append in unknown)
        self.note(f"{history.count(OK)} acknowledged, {len(unknown)} unknown ({stored} stored), {len(final)} records, "
                  f"{len(history.reads)} reads {load.seen}, answers {load.statuses}")
        expected = {("POST", 201), ("POST", 412), ("GET", 200)}
        odd = {key: load.samples[key] for key in load.statuses if key not in expected}
        # A node that has only just come up may still refuse; it must say so in the documented way.
        for (method, status), answer in list(odd.items()):
            if status == 503 and (method == "GET" or answer.json().get("outcome") in ("rejected", "unknown")):
                del odd[(method, status)]
        # Offsets that were seen before the kill and are gone cannot be asked for: see `shrunk`.
        self.assertEqual(odd, {})
        for kind, count in load.seen.items():
            self.assertGreater(count, 100, f"the {kind} readers saw next to nothing")


if __name__ == "__main__":
    main()
