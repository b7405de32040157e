#!/usr/bin/env python3
"""What a stranger tries first: `cairn append` is at work, the leader is killed with -9, every record is there once.
Likewise `cairn bench`, which counts what was lost."""

import json
import subprocess

from rig.case import Case, main, wait_until
from rig.cluster import LOG, Cluster, end_of

from harness.case import bin_dir
from harness.node import clean_environment
from harness.workload import read_values

LINES = 120_000


class AppendSurvives(Case):
    def run_append(self, pick_server, kills):
        text = "".join(json.dumps({"n": n, "text": "some words to fill a line"}) + "\n" for n in range(LINES))
        file = self.dir / "input.ndjson"
        file.write_text(text)
        with Cluster(self.dir, 3).start() as cluster:
            server = pick_server(cluster)
            command = [bin_dir() / "cairn", "--server", f"http://{server.http}", "append", "--batch-records", "200",
                       file]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, env=clean_environment())
            self.addCleanup(process.kill)
            for kill in range(kills):
                goal = (kill + 1) * LINES // (kills + 2)
                wait_until(lambda: (cluster.describe() or {}).get("next_offset", 0) >= goal, 120,
                           lambda: f"{goal} records; {cluster.said()}")
                self.assertIsNone(process.poll(), "it was done before it could be disturbed")
                leader = cluster.wait_leader()
                leader.kill()
                cluster.wait_leader(but=leader)
                leader.start()
            _, said = process.communicate(timeout=180)
            self.assertEqual(process.returncode, 0, said.decode())
            self.note(said.decode().strip().splitlines()[0])
            expected = [json.loads(line) for line in text.splitlines()]
            end = wait_until(lambda: end_of(cluster.wait_leader()), 30, "the end")
            for node in cluster:
                wait_until(lambda: (node.ask(LOG) or {}).get("next_offset") == end, 60, f"{node.node_id} has it all")
                self.assertEqual(read_values(node.http_address), expected, node.node_id)

    def test_told_of_the_leader_alone(self):
        """It has learnt the others by then."""
        self.run_append(lambda cluster: cluster.wait_leader(), kills=2)

    def test_told_of_a_follower(self):
        self.run_append(lambda cluster: cluster.followers()[0], kills=1)


class BenchSurvives(Case):
    def test_it_goes_on_at_another_node_and_counts_what_failed(self):
        with Cluster(self.dir, 3).start() as cluster:
            leader = cluster.wait_leader()
            # The leader first: all connections are its.
            servers = ",".join([leader.http, *(node.http for node in cluster if node is not leader)])
            command = [bin_dir() / "cairn", "--server", servers, "bench", "append", "-c", "4", "-d", "12",
                       "--warm-up", "0", "-o", "json"]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, env=clean_environment())
            self.addCleanup(process.kill)
            wait_until(lambda: (cluster.describe() or {}).get("next_offset", 0) >= 500, 60, cluster.said)
            leader.kill()
            before = end_of(cluster.wait_leader(but=leader))
            out, said = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 1, said.decode())
            report = json.loads(out)
            self.assertEqual(report["broken_connections"], 4, report)
            self.assertGreaterEqual(report["failed_requests"], 4)
            self.assertGreaterEqual(report["elapsed_s"], 12)
            self.assertGreater(report["longest_gap_ms"], 0)
            self.assertGreater(end_of(cluster.wait_leader()), before, "it went on")
            self.note(f"{report['requests']} answers, {report['failed_requests']} failed, the longest gap "
                      f"{report['longest_gap_ms']} ms")


if __name__ == "__main__":
    main()
