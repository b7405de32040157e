#!/usr/bin/env python3
"""A full disk: appends are refused clearly, reads go on, writes resume once there is room,
no acknowledged one is lost."""

import os
import threading

from harness.case import Case, main, wait_until
from harness.history import OK, REJECTED, History, check
from harness.mounts import loop, make_ext4, skip_unless_root, tmpfs
from harness.node import Node
from harness.workload import RECORDS, append, read_values

SIZE_MB = 64
VALUE = "d" * 100_000


class DiskFull(Case):
    def setUp(self):
        skip_unless_root()
        super().setUp()

    def test_on_ext4(self):
        image = self.dir / "disk.img"
        make_ext4(image, SIZE_MB)
        with loop(image, self.dir / "disk") as disk:
            self.run_on(disk)

    def test_on_tmpfs(self):
        with tmpfs(self.dir / "disk", SIZE_MB) as disk:
            self.run_on(disk)

    def run_on(self, disk):
        ballast = disk / "ballast"
        ballast.write_bytes(os.urandom(1 << 20) * 24)  # what frees space later is not the node's own data
        history = History()
        log = self.dir / "node.log"
        with Node(disk / "n1", args=["--segment-bytes", str(4 << 20)], log=log).start() as node:
            refused = self.fill(node, history)
            problem = refused.json()
            self.assertIn(refused.status, (503, 429), refused)
            self.assertEqual((problem["code"], problem["outcome"]), ("disk-full", "rejected"), problem)
            self.assertIn("retry-after", refused.headers)
            self.note(f"full after {history.count(OK)} appends of {len(VALUE)} bytes: {problem['detail']}")
            self.assert_reads_work_and_readyz_tells(node, history)
            node.kill()  # while full
            self.start_full(node)
            self.assert_nothing_lost(node, history)
            ballast.unlink()
            self.assert_resumes(node, history)
            self.fill(node, history)
            self.assertEqual(node.stop(), 0, node.output())  # SIGTERM while full
            self.start_full(node)
            self.assert_nothing_lost(node, history)

    def start_full(self, node):
        """It serves what it has, ready or not."""
        node.spawn()
        node.wait_listening()

        def reads():
            self.assertTrue(node.alive(), node.output())
            with node.client(10) as client:
                return client.get(f"{RECORDS}/0").status == 200
        wait_until(reads, 30, lambda: f"reads after a restart on a full disk; the node said:\n{node.output()}")

    def fill(self, node, history):
        """Appends until refused; the refusal. Small ones, too: they must not make it through half."""
        with node.client(60) as client:
            for i in range(2000):
                entry, response = append(client, history, [f"{len(history.appends)}/{VALUE}"])
                if entry.outcome != OK:
                    self.assertEqual(entry.outcome, REJECTED, response)
                    refusal = response
                    break
            else:
                self.fail("200 MB went onto a disk of 64 MB")
            for i in range(20):
                entry, response = append(client, history, [f"{len(history.appends)}/small"])
                self.assertIn(entry.outcome, (OK, REJECTED), response)
            entry, response = append(client, history, [f"{len(history.appends)}/{n}/{VALUE}" for n in range(20)],
                                     content_type="application/x-ndjson")
            self.assertEqual(entry.outcome, REJECTED, response)
        return refusal

    def assert_reads_work_and_readyz_tells(self, node, history):
        self.assert_nothing_lost(node, history)
        with node.client() as client:
            self.assertEqual(client.get("/livez").status, 200)
            ready = client.get("/readyz")
            self.assertEqual(ready.status, 503, ready)
            self.assertIn("full", ready.body.decode().lower())

    def assert_resumes(self, node, history):
        """Without a restart, soon."""
        with node.client() as client:
            def accepted():
                entry, response = append(client, history, [f"{len(history.appends)}/again"])
                self.assertIn(entry.outcome, (OK, REJECTED), response)
                return entry.outcome == OK
            wait_until(accepted, 15, lambda: f"appends after space was freed; the node said:\n{node.output()[-3000:]}")
            wait_until(lambda: client.get("/readyz").status == 200, 15, "readyz is well again")
            for i in range(30):
                entry, response = append(client, history, [f"{len(history.appends)}/{VALUE}"])
                self.assertEqual(entry.outcome, OK, response)
        self.assert_nothing_lost(node, history)

    def assert_nothing_lost(self, node, history):
        self.assertEqual(check(history, read_values(node.http_address)), [])


class FullUnderLoad(Case):
    def test_clients_at_once_get_one_clear_answer_each(self):
        with tmpfs(self.dir / "disk", 48) as disk:
            history = History()
            with Node(disk / "n1", args=["--segment-bytes", str(4 << 20)], log=self.dir / "node.log").start() as node:
                answers = []

                def write(number):
                    with node.client(60) as client:
                        for i in range(200):
                            entry, response = append(client, history, [f"{number}/{i}/{VALUE}"])
                            answers.append((entry.outcome, response and response.status))
                            if entry.outcome != OK:
                                break
                threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                kinds = {kind: answers.count(kind) for kind in set(answers)}
                self.note(f"answers {kinds}")
                self.assertLessEqual({outcome for outcome, _ in kinds}, {OK, REJECTED})
                self.assertEqual(check(history, read_values(node.http_address)), [])


if __name__ == "__main__":
    main()
