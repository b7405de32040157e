#!/usr/bin/env python3
"""Processes die and stand still: kill -9 of the leader, a follower, all; SIGSTOP of the leader; a rolling restart."""

from rig.case import ClusterCase, main


class Kills(ClusterCase):
    least_terms = 2

    def test_the_leader_is_killed_again_and_again(self):
        self.begin()
        for _ in range(4):
            leader = self.cluster.wait_leader()
            self.load.wait_progress(self.rng.randint(20, 120), "appends before a kill")
            self.kill(leader)
            self.load.wait_progress(20, "appends without the old leader")
            self.cluster.wait_leader(but=leader)
            self.restart(leader)
            self.load.wait_progress(5, "appends through the old leader", via=leader)
        self.conclude()

    def test_a_follower_is_killed_again_and_again(self):
        self.least_terms = 1
        self.begin()
        for _ in range(4):
            follower = self.rng.choice(self.cluster.followers())
            self.load.wait_progress(self.rng.randint(20, 120), "appends before a kill")
            self.kill(follower)
            self.load.wait_progress(100, "appends without a follower")
            self.restart(follower)
            self.load.wait_progress(5, "appends through the follower", via=follower)
        self.conclude()

    def test_all_are_killed_at_once(self):
        self.begin()
        for _ in range(4):
            self.load.wait_progress(self.rng.randint(50, 200), "appends before all are killed")
            for node in self.rng.sample(list(self.cluster), self.size):
                self.kill(node)
            for node in self.rng.sample(list(self.cluster), self.size):
                node.spawn()
            for node in self.cluster:
                node.wait_ready()
                self.load.open(node)
        self.conclude()


class Pauses(ClusterCase):
    least_terms = 2

    def test_a_leader_that_stood_still_shows_nothing_old(self):
        """The checker finds a stale linearizable read of the woken leader; so does its append, taken for good."""
        self.begin()
        for share in (0.2, 1, 3, 3):  # of the longest election timeout, 1 s
            leader = self.cluster.wait_leader()
            leader.pause()
            self.load.wait_a_moment(share)
            if share > 2:
                self.load.wait_progress(20, "appends while the old leader stands still")
            leader.resume()
            self.load.wait_progress(50, "appends when it is back")
        self.conclude()

    def test_pairs_stand_still_around_a_kill(self):
        self.begin()
        for _ in range(2):
            first, second, third = self.rng.sample(list(self.cluster), 3)
            first.pause()
            second.pause()
            self.kill(third)
            first.resume()
            second.resume()
            self.load.wait_progress(20, "appends by two that had stood still")
            self.restart(third)
            first.pause()
            self.load.wait_progress(20, "appends by the third and the second")
            first.resume()
        self.least_terms = 1
        self.conclude()


class RollingRestart(ClusterCase):
    least_terms = 2

    def test_every_node_is_restarted_by_sigterm_under_load(self):
        self.begin()
        for _ in range(2):
            for node in list(self.cluster):
                self.terminate(node)
                self.load.wait_progress(20, "appends without one node")
                self.restart(node)
                self.load.wait_progress(5, "appends through it again", via=node)
        self.conclude()


if __name__ == "__main__":
    main()
