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
    args = ("--segment-bytes", "65536", "--retention-bytes", "262144", "--retention-check-ms", "100")

    def append(self, cluster, megabytes):
        report = self.finish(bench(cluster, "-c", "4", "--size", "1000", "--batch", "50", "-d", str(megabytes)))
        self.assertEqual(report["failed_requests"], 0, report)

    def test_a_follower_that_is_killed_at_the_arrival_of_a_snapshot_comes_back(self):
        seed = random.SystemRandom().randrange(1 << 32)
        self.note(f"seed {seed}")
        rng = random.Random(seed)
        with Cluster(self.dir, 3, self.args).start() as cluster:
            follower = cluster.followers()[0]
            for _ in range(6):
                follower.kill()
                known = (cluster.describe() or {})["next_offset"]
                self.append(cluster, 0.5)
                leader = cluster.wait_leader()
                wait_until(lambda: leader.ask(LOG)["lowest_offset"] > known, 60, "what the follower lacks has gone")
                follower.spawn()
                threading.Event().wait(rng.uniform(0, 0.5))  # until about when it has all; no verdict depends on it
                follower.kill()
                verified = cairn("verify", follower.directory)
                self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
                follower.start()
                self.wait_same_end(cluster)
            lowest = max(node.ask(LOG)["lowest_offset"] for node in cluster)
            pages = []
            for node in cluster:
                with node.client() as client:
                    pages.append(client.get(f"{RECORDS}?from={lowest}&limit=10000&max_bytes=16777216",
                                            {"Accept": "application/json"}).json()["records"])
            self.assertGreater(len(pages[0]), 50)
            self.assertEqual(pages[0], pages[1])
            self.assertEqual(pages[0], pages[2])
            for node in cluster:
                self.assertEqual(node.stop(), 0, node.output())


class StandingStill(Lagging):
    def test_a_follower_that_stands_still_costs_the_leader_no_memory(self):
        with Cluster(self.dir, 3).start() as cluster:
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
            while not self.has_all(cluster, follower):
                most_mb = max(most_mb, leader.rss_bytes() >> 20)
                threading.Event().wait(0.02)
            self.note(f"{report['requests']} requests of 64 KiB; the leader had {base_mb} MB, at most {most_mb}")
            self.assertGreater(report["requests"], 200, "too few to prove anything")
            self.assertLess(most_mb, base_mb + RSS_KEPT_MB_MAX)
            self.wait_same_end(cluster)

    @staticmethod
    def has_all(cluster, follower):
        return (follower.ask(LOG) or {}).get("next_offset", -1) >= (cluster.describe() or {})["next_offset"]


if __name__ == "__main__":
    main()
