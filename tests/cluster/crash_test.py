#!/usr/bin/env python3
"""Processes die and stand still: kill -9 of the leader, a follower, all; SIGSTOP of the leader; a rolling restart."""

from rig.case import Case, ClusterCase, main, wait_until
from rig.cluster import LOG, Cluster

from harness.history import History
from harness.workload import append, read_all


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


class Alone(Case):
    """No load: a node that hears nobody can say nothing new, and takes nothing back."""

    def test_a_node_that_comes_back_alone_shows_what_it_has_shown(self):
        with Cluster(self.dir) as cluster:
            cluster.start()
            with cluster.wait_leader().client() as client:
                for n in range(200):
                    self.assertEqual(append(client, History(), [str(n)])[0].base, n)
            for node in cluster:
                wait_until(lambda node=node: node.ask(LOG)["next_offset"] == 200, 60, f"{node.node_id} shows all")
            for node in cluster:
                node.kill()
            for node in cluster:
                node.spawn().wait_listening()
                self.assertEqual([record["value"] for record in read_all(node.http_address)],
                                 [str(n) for n in range(200)])
                with node.client() as client:
                    exact = client.get(f"{LOG}/records?from=0&consistency=linearizable")
                    self.assertEqual(exact.status, 503, exact)
                node.kill()
            for node in cluster:
                node.spawn()
            for node in cluster:
                node.wait_listening()
            cluster.wait_leader()
            for node in cluster:
                wait_until(lambda node=node: (node.ask(LOG) or {}).get("next_offset") == 200, 60,
                           f"{node.node_id} has all")


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
