#!/usr/bin/env python3
"""Power cut: the disk as it is at one moment, without what the kernel had not yet written, must hold all that was
acknowledged up to then.

A loop image is copied, unsynced, while the node on it stands still (SIGSTOP) under load; commit=300 keeps ext4 from
writing by itself. The node is killed, the copy is mounted, and a node starts on it.
"""

import shutil

from harness.case import Case, main, wait_until
from harness.history import OK, Append, History, check
from harness.mounts import loop, make_ext4, skip_unless_root
from harness.node import Node, cairn
from harness.shim import Shim, ShimmedNode
from harness.workload import Workload, read_values

CUTS = 3
OPTIONS = "commit=300"
ARGS = ["--segment-bytes", str(1 << 18)]


class PowerCut(Case):
    def setUp(self):
        skip_unless_root()
        super().setUp()

    def test_everything_acknowledged_before_the_cut_is_there(self):
        for number, (copy, known) in enumerate(self.cut_power(CUTS, Node)):
            with self.subTest(cut=number), loop(copy, self.dir / f"mnt{number}", OPTIONS) as disk:
                self.judge(disk, number, known)

    def test_a_node_that_does_not_sync_would_be_caught(self):
        """The same with syncs that do nothing: if that passed, this test would prove nothing."""
        shim = Shim(self.dir)
        shim.say("skip")
        (copy, known), = self.cut_power(1, lambda *args, **options: ShimmedNode(args[0], shim, **options))
        with loop(copy, self.dir / "mnt", OPTIONS) as disk, \
                Node(disk / "n1", args=ARGS, log=self.dir / "after.log") as node:
            try:
                node.start()
                found = {kind for kind, _ in check(History(known), read_values(node.http_address))}
            except AssertionError as refused:
                found = {f"does not even start: {str(refused).splitlines()[0][:200]}"}
        self.note(f"without syncs: {found}")
        self.assertTrue(found, "nothing was lost although nothing was synced")

    def cut_power(self, cuts, make_node):
        """(image, the history up to then) of each cut."""
        image = self.dir / "disk.img"
        make_ext4(image, 192)
        history = History()
        load = Workload(history, seed=8)
        with loop(image, self.dir / "disk", OPTIONS) as disk, \
                make_node(disk / "n1", args=ARGS, log=self.dir / "before.log") as node:
            node.start()
            load.start(node.http_address)
            copies = []
            for cut in range(cuts):
                goal = history.count(OK) + 150
                wait_until(lambda: history.count(OK) >= goal or load.errors, 60, lambda: f"load: {load.statuses}")
                node.pause()
                # Answers that were on their way may still arrive; they had been sent before the node stood still.
                with history.lock:
                    known = [Append(list(a.values), a.inv, a.resp, a.outcome, a.base, a.expected, a.next_offset)
                             for a in history.appends]
                copy = self.dir / f"cut{cut}.img"
                shutil.copyfile(image, copy)
                copies.append((copy, known))
                node.resume()
            load.stop()
            node.kill()
        return copies

    def judge(self, disk, number, known):
        verified = cairn("verify", disk / "n1")
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        with Node(disk / "n1", args=ARGS, log=self.dir / f"after{number}.log").start() as node:
            final = read_values(node.http_address)
            self.assertEqual(check(History(known), final), [])
            acknowledged = sum(a.outcome == OK for a in known)
            self.note(f"cut {number}: {acknowledged} acknowledged, {len(final)} records there")
            with node.client() as client:
                answer = client.request("POST", "/v1/logs/default/records", {"Content-Type": "text/plain"}, b"after")
                self.assertEqual((answer.status, answer.json()["offset"]), (201, len(final)))
            node.kill()


if __name__ == "__main__":
    main()
