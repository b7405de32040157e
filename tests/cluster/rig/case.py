"""A test of a cluster under load, and its verdict by the rules of the history, the replicas and the processes."""

import os
import random
import sys

from harness.case import Case, main, wait_until  # noqa: F401 (for the tests, too)
from harness.history import OK, UNKNOWN, History, check
from harness.node import cairn
from harness.online import OnlineChecker
from harness.workload import read_all

from .cluster import HEAL_TIMEOUT_S, LOG, Cluster, end_of
from .load import ClusterLoad
from .replicas import differences, frames_of

# What api.md lets a node answer to these clients, whatever is broken.
DOCUMENTED = {("POST", 201), ("POST", 412), ("POST", 429), ("POST", 503), ("POST", 504),
              ("GET", 200), ("GET", 404), ("GET", 429), ("GET", 503), ("GET", 504)}
# What a node may keep after a load: the newest entries (16 MiB), and what malloc does not give back.
RSS_KEPT_MB_MAX = 96
# Of sealed segments that readers asked for: two each, 64 segments (storage/segmented_log.hpp); some for the active one.
SEGMENT_FILES_MAX = 2 * 64 + 6
# Keep-alive connections of the load come and go.
OTHER_FILES_KEPT_MAX = 16
CRASHES = ("check failed", "Sanitizer", "runtime error", "terminate called", "Assertion")


class ClusterCase(Case):
    """begin() starts a cluster and its load; conclude() heals, judges and ends them."""

    size = 3
    args = ("--segment-bytes", str(1 << 20))
    least_acknowledged = 1000  # fewer prove nothing
    least_terms = 1
    expected_answers = frozenset()  # of this case alone, besides DOCUMENTED

    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("CAIRN_CLUSTER_SEED") or random.SystemRandom().randrange(1 << 32))
        self.rng = random.Random(self.seed)
        self.note(f"CAIRN_CLUSTER_SEED={self.seed}")
        self.history = History(online=OnlineChecker())
        self.cluster = None
        self.load = None

    def begin(self, cluster=None, **load):
        self.cluster = cluster or Cluster(self.dir, self.size, self.args)
        self.addCleanup(self.cluster.__exit__)
        self.cluster.start()
        self.load = ClusterLoad(self.history, self.cluster, self.seed, **load)
        self.addCleanup(self.stop_quietly)
        self.load.begin()
        self.base = {node.node_id: usage(node) for node in self.cluster}

    def stop_quietly(self):
        for door in self.load.doors.values():
            door.stop()
        self.load.door.stop()

    # --- what happens to nodes ---------------------------------------------------------------------------------

    def kill(self, node):
        node.kill()
        self.load.shut(node)

    def terminate(self, node):
        code = node.stop()
        self.load.shut(node)
        self.assertEqual(code, 0, node.output())

    def restart(self, node, **environment):
        self.cluster.restart(node, **environment)
        self.load.open(node)

    # --- the verdict -------------------------------------------------------------------------------------------

    def conclude(self, without=(), final_check=True):
        """All is healed. `without`: nodes that are broken for good and are not asked."""
        asked = [node for node in self.cluster if node not in without]
        self.load.wait_progress(20, "appends after all is healed")
        for node in asked:
            self.load.wait_progress(3, f"appends through {node.node_id} after all is healed", via=node)
        missing = self.least_acknowledged - self.history.count(OK)
        if missing > 0:
            self.load.wait_progress(missing, "enough to prove something", timeout_s=240)
        self.load.stop()
        self.assert_nobody_crashed(asked)
        end = wait_until(lambda: end_of(self.cluster.wait_leader()), HEAL_TIMEOUT_S, "the exact end")
        finals = {}
        for node in asked:
            wait_until(lambda: (node.ask(LOG) or {}).get("next_offset", 0) >= end, HEAL_TIMEOUT_S,
                       lambda: f"{node.node_id} has all up to {end}; {self.cluster.said()}")
            finals[node.node_id] = read_all(node.http_address)
        self.judge_history(finals)
        self.judge_answers()
        self.assert_usage_is_back(asked)
        self.end_all(asked, final_check, end)

    def judge_history(self, finals):
        first, *others = finals.values()
        for offset, record in enumerate(first):
            self.assertEqual(record["offset"], offset, "offsets are not dense")
        for name, records in finals.items():
            differing = [(a, b) for a, b in zip(first, records) if a != b]
            self.assertEqual(differing[:3], [], f"{name} holds other records (times, keys, values) than the first node")
        values = {name: [record["value"] for record in records] for name, records in finals.items()}
        found = check(self.history, next(iter(values.values())), values)
        self.assertEqual(found, [], f"seed {self.seed}")
        unknown = [append for append in self.history.appends if append.outcome == UNKNOWN]
        here = set(next(iter(values.values())))
        self.note(f"{self.history.count(OK)} acknowledged in {len(self.load.terms)} terms, {len(unknown)} unknown "
                  f"({sum(append.values[0] in here for append in unknown)} stored), {len(first)} records on each of "
                  f"{len(finals)} nodes, {len(self.history.reads)} reads, answers {self.load.statuses}")
        self.assertGreaterEqual(self.history.count(OK), self.least_acknowledged, "too few to prove anything")
        self.assertGreaterEqual(len(self.load.terms), self.least_terms, "no leader change: this proves nothing")

    def judge_answers(self):
        for key, sample in self.load.samples.items():
            self.assertIn(key, DOCUMENTED | self.expected_answers, f"not documented: {sample}")
        for (method, status), sample in self.load.samples.items():
            if status >= 400 and status != 412:
                self.assertIn("application/problem+json", sample.headers.get("content-type", ""), sample)
            if method == "POST" and status in (429, 503, 504):
                self.assertIn(sample.json().get("outcome"), ("rejected", "unknown"), sample)

    def assert_nobody_crashed(self, nodes):
        for node in nodes:
            self.assertTrue(node.alive() or node.away, f"{node.node_id} has ended by itself:\n{node.output()}")
        for node in self.cluster:
            text = node.log.read_text(errors="replace") if node.log.exists() else ""
            for sign in CRASHES:
                self.assertNotIn(sign, text, f"{node.node_id} said so; see {node.log}")

    def assert_usage_is_back(self, nodes):
        """No load is left: what it took comes back, but for caches that have a limit."""
        for node in nodes:
            base = self.base.get(node.node_id)
            if base is None:
                continue

            def back():
                present = usage(node)
                return (present["segment_files"] <= SEGMENT_FILES_MAX and
                        present["other_files"] <= base["other_files"] + OTHER_FILES_KEPT_MAX and
                        present["threads"] <= base["threads"] + 4 and
                        present["rss_mb"] <= base["rss_mb"] + RSS_KEPT_MB_MAX)
            wait_until(back, 60, lambda: f"{node.node_id} gives back what it took: {base}, now {usage(node)}")

    def end_all(self, nodes, final_check, end):
        """SIGTERM ends every node well; offline each directory is in order, and all hold the same frames."""
        for node in nodes:
            self.assertEqual(node.stop(), 0, node.output())
        if final_check:
            for node in nodes:
                verified = cairn("verify", node.directory)
                self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
            self.assert_replicas_are_equal({node.node_id: node.directory / "logs" / "default" for node in nodes}, end)

    def assert_replicas_are_equal(self, logs, end):
        """The committed prefix is the same, byte for byte, on every disk."""
        replicas = {name: frames_of(log) for name, log in logs.items()}
        self.assertEqual(differences(replicas, end), [], f"seed {self.seed}")
        counts = {name: len(frames) for name, frames in replicas.items()}
        self.note(f"the frames up to offset {end} are the same on every disk; in all they have {counts}")


def usage(node):
    files = node.descriptors()
    segments = sum(name.endswith((".store", ".index", ".spare")) for name in files)
    return {"segment_files": segments, "other_files": len(files) - segments, "threads": node.threads(),
            "rss_mb": node.rss_bytes() >> 20}


def say(text):
    print(text, file=sys.stderr, flush=True)
