#!/usr/bin/env python3
"""Nodes come and go under load: added, removed, replaced, killed half-way; a wiped one under its old id is refused."""

import shutil

from rig.case import ClusterCase, main, wait_until

from harness.history import OK


class Churn(ClusterCase):
    def add(self):
        node = self.cluster.make()
        node.start()
        self.cluster.wait_voters([member.node_id for member in self.cluster])
        self.load.open(node)
        return node

    def take_out(self, node):
        answer = self.cluster.remove(node.node_id)
        self.assertEqual(answer.status // 100, 2, answer)
        self.load.shut(node)
        self.cluster.forget(node)
        self.cluster.wait_voters([member.node_id for member in self.cluster])

    def test_every_node_is_replaced_by_a_new_one(self):
        self.begin()
        for old in list(self.cluster):
            self.load.wait_progress(50, "appends before a change")
            self.add()
            self.load.wait_progress(20, "appends with four")
            self.take_out(old)
            self.load.wait_progress(20, "appends with three again")
        self.assertEqual(sorted(node.node_id for node in self.cluster), ["n4", "n5", "n6"])
        self.load.base = {}
        self.conclude()

    def test_the_leader_is_killed_while_a_node_joins(self):
        self.begin()
        for _ in range(2):
            new = self.cluster.make()
            leader = self.cluster.wait_leader()
            new.spawn()
            self.load.wait_a_moment(self.rng.uniform(0, 0.6))
            self.kill(leader)
            self.load.wait_progress(20, "appends without the leader that was to let it in")
            self.restart(leader)
            new.wait_ready(90)
            self.cluster.wait_voters([member.node_id for member in self.cluster])
            self.load.open(new)
            self.load.wait_progress(20, "appends with the new one")
        self.conclude()

    def test_a_wiped_node_under_its_old_id_is_refused(self):
        """It may have acknowledged what it no longer has; it must not vote, and it must say what to do."""
        self.begin()
        follower = self.cluster.followers()[0]
        self.kill(follower)
        shutil.rmtree(follower.directory)
        follower.join = [node.peer for node in self.cluster if node is not follower]
        follower.spawn()
        wait_until(lambda: not follower.alive() or "remove" in follower.output(), 60,
                   lambda: f"it is refused, with what to do: {follower.output()}")
        self.note(f"said: {follower.output().strip().splitlines()[-1]}")
        follower.kill()
        self.load.wait_progress(50, "appends by the other two")
        self.take_out(follower)
        self.add()
        self.conclude()

    def test_a_node_that_never_starts_does_not_count(self):
        """Failed is a state, not a removal; a joiner that dies before it has caught up blocks nothing."""
        self.begin()
        new = self.cluster.make()
        new.spawn()
        wait_until(lambda: new.node_id in self.cluster.members(), 60, "it is a member")
        new.kill()
        self.load.wait_progress(100, "appends with a member that is dead")
        follower = self.cluster.followers()[0]
        before = self.cluster.voters()
        self.kill(follower)
        self.load.wait_a_moment(6)  # time to be suspected and declared failed
        self.assertLessEqual(before, self.cluster.members().keys(), "a failed member was removed")
        self.restart(follower)
        self.load.wait_progress(5, "appends through the one that was failed", via=follower)
        self.cluster.remove(new.node_id)
        self.cluster.forget(new)
        self.cluster.wait_voters([node.node_id for node in self.cluster])
        self.assertGreater(self.history.count(OK), 0)
        self.conclude()


if __name__ == "__main__":
    main()
