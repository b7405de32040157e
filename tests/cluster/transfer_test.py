#!/usr/bin/env python3
"""Leadership handed over under load, also to those that cannot take it (known bug 56)."""

from rig.case import ClusterCase, main, wait_until


class Transfers(ClusterCase):
    # No election but those that are asked for, on a machine that is busy with anything.
    args = (*ClusterCase.args, "--election-ms", "2000")

    def transfer(self, target, wait_s=5):
        return self.cluster.command("cluster", "transfer-leader", target, "--wait", str(wait_s), timeout_s=60)

    def assert_stays(self, leader, why):
        """Appends go on, under the same leader; a transfer that was given up costs no term."""
        self.load.wait_progress(20, f"appends after the transfer to {why} was given up")
        self.assertIs(self.cluster.wait_leader(), leader)

    def test_to_every_follower_under_load(self):
        self.least_terms = 4
        self.begin()
        for _ in range(4):
            leader = self.cluster.wait_leader()
            target = self.rng.choice(self.cluster.followers())
            done = self.transfer(target.node_id)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            wait_until(lambda: self.cluster.leader() is target, 30,
                       lambda: f"{target.node_id} leads after {leader.node_id}; {self.cluster.said()}")
            self.load.wait_progress(50, f"appends under {target.node_id}")
        self.conclude()

    def test_to_one_that_cannot_take_it(self):
        """Dead, standing still, nobody: it is given up and said, and appends go on."""
        self.begin()
        leader = self.cluster.wait_leader()
        follower = self.rng.choice(self.cluster.followers())
        refused = self.transfer("n9")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("n9", refused.stderr.decode())
        self.assert_stays(leader, "a stranger")

        follower.pause()
        refused = self.transfer(follower.node_id, wait_s=6)
        self.assertNotEqual(refused.returncode, 0)
        self.note(f"standing still: {refused.stderr.decode().strip()}")
        self.load.wait_progress(20, "appends after the transfer to one that stands still")
        follower.resume()
        self.load.wait_progress(5, "appends through it", via=follower)

        leader = self.cluster.wait_leader()
        follower = self.rng.choice(self.cluster.followers())
        self.kill(follower)
        refused = self.transfer(follower.node_id, wait_s=6)
        self.assertNotEqual(refused.returncode, 0)
        self.note(f"dead: {refused.stderr.decode().strip()}")
        self.assert_stays(leader, "a dead node")
        self.restart(follower)
        self.conclude()


if __name__ == "__main__":
    main()
