#!/usr/bin/env python3
"""fdatasync fails or takes its time (a preloaded library of ours): no false acknowledgement, a clear end, no stall."""

import threading
import time

from harness.case import Case, main, wait_until
from harness.history import OK, REJECTED, UNKNOWN, History, check
from harness.node import cairn
from harness.shim import Shim, ShimmedNode
from harness.workload import RECORDS, Workload, append, read_values


class SyncFails(Case):
    def test_a_failed_sync_is_never_a_success_and_ends_the_node(self):
        shim = Shim(self.dir)
        history = History()
        with ShimmedNode(self.dir / "n1", shim).start() as node, node.client() as client:
            for i in range(20):
                entry, _ = append(client, history, [f"before-{i}"])
                self.assertEqual(entry.outcome, OK)
            shim.say("eio .store 1")
            entry, response = append(client, history, ["the one whose sync fails"])
            self.assertEqual(entry.outcome, UNKNOWN, response)
            if response is not None:
                self.assertEqual(response.json()["outcome"], "unknown")
                self.assertIn(response.status, (500, 503, 504))
            after, response = append(client, history, ["after it"])
            self.assertNotEqual(after.outcome, OK, response)
            code = node.wait(10)
            self.assertNotIn(code, (0, -6, -11), node.output())
            said = node.output()
            self.assertRegex(said.lower(), r"(sync|input/output error)")
            self.assertIn(".store", said)
            self.note(f"exit code {code}: {said.strip().splitlines()[-1]}")
            [dump] = (self.dir / "n1").glob("recorder-*.dump")
            self.assertIn(f"cairn replay {dump}", said)
            story = cairn("replay", dump, text=True)
            self.assertEqual(story.returncode, 0, story.stderr)
            self.assertRegex(story.stdout, r"written .* UTC: .*(sync|Input/output error)", "why it was written")
            self.assertIn("in each the core did what it did then", story.stdout)
            shim.say("ok")
            node.start()
            self.assertEqual(check(history, read_values(node.http_address)), [])
            with node.client() as again:
                self.assertEqual(append(again, history, ["works again"])[0].outcome, OK)
            self.assertEqual(node.stop(), 0)

    def test_it_fails_under_load(self):
        shim = Shim(self.dir)
        history = History()
        load = Workload(history, seed=6)
        with ShimmedNode(self.dir / "n1", shim) as node:
            node.start()
            load.start(node.http_address)
            for life in range(3):
                goal = history.count(OK) + 100
                wait_until(lambda: history.count(OK) >= goal or load.errors, 60, lambda: f"load: {load.statuses}")
                shim.say(f"eio .store {7 + life}")
                self.assertNotIn(node.wait(20), (0, -6, -11), node.output())
                load.door.shut()
                shim.say("ok")
                node.start()
                load.door.open(node.http_address)
            load.stop()
            self.assertEqual(check(history, read_values(node.http_address)), [])
            self.note(f"{history.count(OK)} acknowledged, {history.count(UNKNOWN)} unknown, answers {load.statuses}")

    def test_the_directory_of_a_new_segment_cannot_be_lost_silently(self):
        """The mark and the hard state are synced, too: failing them must not be taken for success."""
        for suffix in (".mark", ".store"):
            with self.subTest(suffix=suffix):
                shim = Shim(self.dir)
                folder = self.dir / f"n{suffix}"
                history = History()
                with ShimmedNode(folder, shim, args=["--segment-bytes", "65536"]).start() as node:
                    shim.say(f"eio {suffix} 2")
                    with node.client() as client:
                        for i in range(300):
                            entry, _ = append(client, history, [f"{i}-" + "y" * 2000])
                            if entry.outcome != OK:
                                break
                    if not node.alive() or entry.outcome != OK:
                        self.assertNotIn(node.wait(10), (0, -6, -11), node.output())
                    shim.say("ok")
                    node.kill()
                    node.start()
                    self.assertEqual(check(history, read_values(node.http_address)), [])


class SyncIsSlow(Case):
    SLOW_MS = 300

    def test_one_sync_covers_all_that_waited(self):
        shim = Shim(self.dir)
        history = History()
        clients = 32
        with ShimmedNode(self.dir / "n1", shim).start() as node:
            with node.client() as client:
                append(client, history, ["warm"])
            shim.say(f"slow .store {self.SLOW_MS}")
            begun = time.monotonic()

            def write(number):
                with node.client() as own:
                    for i in range(3):
                        self.assertEqual(append(own, history, [f"{number}/{i}"])[0].outcome, OK)
            threads = [threading.Thread(target=write, args=(n,)) for n in range(clients)]
            for thread in threads:
                thread.start()
            health = []
            with node.client(5) as client:
                while any(thread.is_alive() for thread in threads):
                    asked = time.monotonic()
                    self.assertEqual(client.get("/livez").status, 200)
                    self.assertEqual(client.get("/readyz").status, 200)
                    self.assertEqual(client.get(f"{RECORDS}/0").status, 200)
                    health.append(time.monotonic() - asked)
                    threads[0].join(0.02)
            for thread in threads:
                thread.join()
            taken, syncs = time.monotonic() - begun, shim.calls()
            self.assertEqual(history.count(OK), 1 + 3 * clients)
            self.note(f"{3 * clients} appends of {clients} clients in {taken:.1f} s with {syncs} syncs of "
                      f"{self.SLOW_MS} ms each; health and reads meanwhile at most {max(health) * 1000:.0f} ms")
            self.assertLessEqual(syncs, 12, "appends that waited did not share a sync")
            self.assertLess(max(health), self.SLOW_MS / 1000, "a slow disk holds up health checks or reads")
            shim.say("ok")
            self.assertEqual(check(history, read_values(node.http_address)), [])

    def test_a_deadline_passes_as_unknown_and_the_record_may_come_later(self):
        shim = Shim(self.dir)
        history = History()
        with ShimmedNode(self.dir / "n1", shim).start() as node, node.client() as client:
            append(client, history, ["warm"])
            shim.say("slow .store 1500")
            begun = time.monotonic()
            entry, response = append(client, history, ["late"], timeout_ms=200)
            taken = time.monotonic() - begun
            self.assertEqual(entry.outcome, UNKNOWN, response)
            self.assertEqual((response.status, response.json()["outcome"]), (504, "unknown"), response)
            self.assertLess(taken, 1.4, "the deadline was not kept")
            shim.say("ok")
            wait_until(lambda: client.get(f"{RECORDS}/1").status == 200, 10, "the late record")
            entry, _ = append(client, history, ["next"])
            self.assertEqual((entry.outcome, entry.base), (OK, 2))
            self.assertEqual(check(history, read_values(node.http_address)), [])

    def test_what_is_too_much_is_refused_and_never_held_without_limit(self):
        shim = Shim(self.dir)
        history = History()
        with ShimmedNode(self.dir / "n1", shim).start() as node:
            with node.client() as client:
                append(client, history, ["warm"])
            base = node.rss_bytes()
            shim.say("slow .store 1000")
            value, outcomes = "z" * 900_000, []

            def write(number):
                with node.client() as own:
                    for i in range(4):
                        entry, response = append(own, history, [f"{number}/{i}/{value}"], timeout_ms=20000)
                        outcomes.append((entry.outcome, response and response.status))
            threads = [threading.Thread(target=write, args=(n,)) for n in range(64)]
            for thread in threads:
                thread.start()
            most = base
            while any(thread.is_alive() for thread in threads):
                most = max(most, node.rss_bytes())
                threads[0].join(0.05)
            self.note(f"RSS {base >> 20} MB, at most {most >> 20} MB; outcomes "
                      f"{ {kind: outcomes.count(kind) for kind in set(outcomes)} }")
            self.assertLess(most - base, 600 << 20)
            self.assertLessEqual({kind for kind, _ in outcomes}, {OK, REJECTED, UNKNOWN})
            shim.say("ok")
            self.assertEqual(check(history, read_values(node.http_address)), [])


if __name__ == "__main__":
    main()
