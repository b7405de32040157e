#!/usr/bin/env python3
"""The same append is sent again and again over kill -9 of leaders, restarts, rolls and trims: one offset."""

import json
import subprocess
import threading

from rig.case import Case, main, wait_until
from rig.cluster import LOG, Cluster, end_of

from harness.case import bin_dir
from harness.identity import append_as, is_replay, key, place_of, producer
from harness.node import clean_environment
from harness.workload import read_values

PATIENCE_S = 60


class SentAgain(Case):
    def until_stored(self, cluster, identity, text):
        """What any node says in the end."""
        found = []

        def stored():
            for node in cluster.live():
                answer = append_as(node, identity, text, timeout_s=10, timeout_ms=3000)
                if answer is not None and answer.status == 201:
                    found.append(answer)
                    return True
                if answer is not None:
                    self.assertIn(answer.status, (429, 503, 504), answer)
            return False

        wait_until(stored, PATIENCE_S, lambda: f"the append of {identity}; {cluster.said()}")
        return found[0]

    def assert_once_everywhere(self, cluster, identity, text, first):
        for node in cluster:
            wait_until(node.alive, 10, f"{node.node_id} lives")
            answer = self.until_stored(cluster, identity, text)
            self.assertTrue(is_replay(answer), answer)
            self.assertEqual(place_of(answer), first)

    def test_a_key_through_all_that_happens(self):
        args = ("--segment-bytes", "65536", "--retention-bytes", "262144", "--retention-check-ms", "200")
        with Cluster(self.dir, 3, args=args).start() as cluster:
            first = place_of(self.until_stored(cluster, key("k"), "once"))
            number = place_of(self.until_stored(cluster, producer("p", 0, 0), "once, too"))

            def again():
                self.assert_once_everywhere(cluster, key("k"), "once", first)
                self.assert_once_everywhere(cluster, producer("p", 0, 0), "once, too", number)

            again()
            for _ in range(3):
                leader = cluster.wait_leader()
                leader.kill()
                again_with = self.until_stored(cluster, key("k"), "once")
                self.assertEqual(place_of(again_with), first)
                leader.start()
                leader.wait_ready()
            again()
            for how in ("kill", "stop"):
                for node in cluster:
                    getattr(node, how)()
                for node in cluster:
                    node.spawn()
                for node in cluster:
                    node.wait_ready()
                again()
            for _ in range(120):  # ten segments, of which the first ones go
                self.until_stored(cluster, {}, "x" * 5000)
            wait_until(lambda: all(((node.ask(LOG) or {}).get("lowest_offset") or 0) > number["offset"]
                                   for node in cluster), PATIENCE_S, "the first records are trimmed everywhere")
            again()
            for node in cluster:
                node.kill()
            for node in cluster:
                node.spawn()
            for node in cluster:
                node.wait_ready()
            again()

    def test_an_append_whose_leader_dies_meanwhile(self):
        with Cluster(self.dir, 3).start() as cluster:
            for turn in range(5):
                leader = cluster.wait_leader()
                identity = key(f"turn {turn}".replace(" ", "-"))
                lost = [threading.Thread(target=append_as, args=(node, identity, f"turn {turn}", 5))
                        for node in (leader, *cluster.followers())]
                for thread in lost:
                    thread.start()
                leader.kill()
                answer = self.until_stored(cluster, identity, f"turn {turn}")
                for thread in lost:
                    thread.join()
                leader.start()
                self.assertEqual(place_of(self.until_stored(cluster, identity, f"turn {turn}")), place_of(answer))
            end = wait_until(lambda: end_of(cluster.wait_leader()), PATIENCE_S, "the end")
            for node in cluster:
                wait_until(lambda: (node.ask(LOG) or {}).get("next_offset") == end, PATIENCE_S, "all is there")
                self.assertEqual(read_values(node.http_address), [f"turn {turn}" for turn in range(5)], node.node_id)

    def test_producers_that_are_killed_and_run_again(self):
        lines = 20_000
        with Cluster(self.dir, 3).start() as cluster:
            servers = ",".join(f"http://{node.http}" for node in cluster)
            running = {}

            def run(name):
                file = self.dir / f"{name}.ndjson"
                if not file.exists():
                    file.write_text("".join(json.dumps({"of": name, "n": n}) + "\n" for n in range(lines)))
                command = [bin_dir() / "cairn", "--server", servers, "append", "--producer", name,
                           "--batch-records", "50", file]
                running[name] = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                                 stderr=subprocess.PIPE, env=clean_environment())
                self.addCleanup(running[name].kill)

            for name in ("a", "b"):
                run(name)
            for share in (4, 2):
                wait_until(lambda: (cluster.describe() or {}).get("next_offset", 0) >= lines // share, 120, "progress")
                running["a"].kill()
                running["a"].communicate()
                leader = cluster.wait_leader()
                leader.kill()
                run("a")
                cluster.wait_leader(but=leader)
                leader.start()
            for name, process in running.items():
                _, said = process.communicate(timeout=180)
                self.assertEqual(process.returncode, 0, said.decode())
                self.note(f"{name}: {said.decode().strip()}")
            end = wait_until(lambda: end_of(cluster.wait_leader()), PATIENCE_S, "the end")
            self.assertEqual(end, 2 * lines)
            for node in cluster:
                wait_until(lambda: (node.ask(LOG) or {}).get("next_offset") == end, PATIENCE_S, "all is there")
                values = read_values(node.http_address)
                for name in running:
                    self.assertEqual([value["n"] for value in values if value["of"] == name], list(range(lines)))


if __name__ == "__main__":
    main()
