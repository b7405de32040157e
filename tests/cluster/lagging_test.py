#!/usr/bin/env python3
"""Followers that are far behind: killed while they get the log's start (known bug 38), or standing still (57)."""

import json
import random
import subprocess
import threading

from rig.case import RSS_KEPT_MB_MAX, Case, main, wait_until
from rig.cluster import LOG, Cluster, end_of

from harness.case import bin_dir
from harness.node import cairn, clean_environment
from harness.workload import RECORDS


def bench(cluster, *arguments):
    """`cairn bench append`, told of the leader alone."""
    command = [bin_dir() / "cairn", "--server", cluster.wait_leader().http, "bench", "append", "--warm-up", "0",
               "-o", "json", *arguments]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=clean_environment())


# No election but those that are asked for, on a machine that is busy with anything.
PATIENT = ("--election-ms", "2000")


def fact(node, name):
    """Of the log, by the node's own word; -1 when it says nothing."""
    return (node.ask(LOG) or {}).get(name, -1)


class Lagging(Case):
    def finish(self, process, timeout_s=120):
        out, said = process.communicate(timeout=timeout_s)
        self.assertEqual(process.returncode, 0, said.decode())
        return json.loads(out)

    def wait_same_end(self, cluster):
        end = wait_until(lambda: end_of(cluster.wait_leader()), 60, "the end")
        for node in cluster:
            wait_until(lambda: (node.ask(LOG) or {}).get("next_offset") == end, 120,
                       lambda: f"{node.node_id} has all up to {end}: {node.ask(LOG)}; {cluster.said()}")
        return end


class Snapshots(Lagging):
    args = ("--segment-bytes", "65536", "--retention-bytes", "262144", "--retention-check-ms", "100", *PATIENT)

    def append(self, cluster):
        report = self.finish(bench(cluster, "-c", "4", "--size", "1000", "--batch", "50", "-d", "0.5"))
        self.assertEqual(report["failed_requests"], 0, report)

    def test_a_follower_that_is_killed_at_the_arrival_of_a_snapshot_comes_back(self):
        seed = random.SystemRandom().randrange(1 << 32)
        self.note(f"seed {seed}")
        rng = random.Random(seed)
        with Cluster(self.dir, 3, self.args).start() as cluster:
            self.append(cluster)
            for _ in range(6):
                follower = cluster.followers()[0]
                known = wait_until(lambda: max(fact(follower, "next_offset"), 0), 30, "its end")
                follower.kill()
                self.append(cluster)
                wait_until(lambda: fact(cluster.wait_leader(), "lowest_offset") > known, 60,
                           "what the follower lacks has gone")
                follower.spawn()
                threading.Event().wait(rng.uniform(0, 0.5))  # until about when it has all; no verdict depends on it
                follower.kill()
                verified = cairn("verify", follower.directory)
                self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
                follower.start()
                self.wait_same_end(cluster)
            first, *others = wait_until(lambda: self.same_records(cluster), 60, "what all of them have")
            self.assertGreater(len(first), 50)
            for other in others:
                self.assertEqual(first, other)
            for node in cluster:
                self.assertEqual(node.stop(), 0, node.output())

    @staticmethod
    def same_records(cluster):
        """From each node what all still have; None while one of them is trimming (each for itself)."""
        lowest = max(fact(node, "lowest_offset") for node in cluster)
        pages = []
        for node in cluster:
            with node.client() as client:
                answer = client.get(f"{RECORDS}?from={lowest}&limit=10000&max_bytes=16777216",
                                    {"Accept": "application/json"})
            if answer.status != 200:
                return None
            pages.append(answer.json()["records"])
        return pages


class StandingStill(Lagging):
    def test_a_follower_that_stands_still_costs_the_leader_no_memory(self):
        with Cluster(self.dir, 3, PATIENT).start() as cluster:
            self.finish(bench(cluster, "-c", "8", "--size", "4096", "--batch", "16", "-d", "2"))
            leader, follower = cluster.wait_leader(), cluster.followers()[0]
            base_mb = leader.rss_bytes() >> 20
            follower.pause()
            load = bench(cluster, "-c", "8", "--size", "4096", "--batch", "16", "-d", "8")
            most_mb = 0
            while load.poll() is None:
                most_mb = max(most_mb, leader.rss_bytes() >> 20)
                threading.Event().wait(0.02)
            report = self.finish(load)
            follower.resume()

            def has_all():
                nonlocal most_mb
                most_mb = max(most_mb, leader.rss_bytes() >> 20)
                return 0 <= fact(leader, "next_offset") <= fact(follower, "next_offset")
            wait_until(has_all, 120, lambda: f"it catches up; {cluster.said()}")
            self.note(f"{report['requests']} requests of 64 KiB; the leader had {base_mb} MB, at most {most_mb}")
            self.assertGreater(report["requests"], 100, "too few to prove anything")
            self.assertLess(most_mb, base_mb + RSS_KEPT_MB_MAX)
            self.wait_same_end(cluster)


if __name__ == "__main__":
    main()
