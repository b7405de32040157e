#!/usr/bin/env python3
"""Networks that break: each node is a host of its own (network namespaces), the clients reach them all.

Partitions in both directions and in one, chains and rings of majorities, delay with loss and duplicates. A minority
must not acknowledge, must not answer a linearizable read, and the checker sees all that it says meanwhile.
"""

from rig.case import ClusterCase, main, wait_until
from rig.cluster import LOG, Cluster
from rig.network import Network, faulty

from harness.history import OK
from harness.workload import RECORDS, append


class PartitionCase(ClusterCase):
    def begin_on_network(self, size=3, **load):
        self.size = size
        self.network = Network(size)
        self.network.__enter__()
        self.addCleanup(self.network.__exit__)
        self.begin(Cluster(self.dir, size, self.args, self.network), **load)

    def number(self, node):
        return int(node.node_id[1:])

    def wait_majority_writes(self, nodes, what):
        """Each of the nodes takes appends again."""
        for node in nodes:
            self.load.wait_progress(5, f"{what}: appends through {node.node_id}", via=node)


class Partitions(PartitionCase):
    least_terms = 2

    def test_a_leader_alone_neither_acknowledges_nor_reads(self):
        self.begin_on_network()
        for _ in range(2):
            leader = self.cluster.wait_leader()
            others = [node for node in self.cluster if node is not leader]
            with faulty(self.network):
                self.network.isolate(self.number(leader))
                self.wait_majority_writes(others, "the leader is cut off")
                self.assert_serves_nothing_new(leader)
                self.wait_majority_writes(others, "and still")
            self.load.wait_progress(5, "appends through the old leader", via=leader)
        self.conclude()

    def assert_serves_nothing_new(self, node):
        """A node without a majority says so, and a certain refusal is never stored (the checker looks)."""
        with node.client(30) as client:
            def refused():
                entry, response = append(client, self.history, [f"alone/{len(self.history.appends)}"], timeout_ms=2000)
                self.assertNotEqual(entry.outcome, OK, "a node without a majority has acknowledged")
                return response is not None and response.status in (503, 504)
            wait_until(refused, 30, "the node that is alone refuses appends")
            response = client.get(f"{RECORDS}?from=earliest&limit=1&consistency=linearizable",
                                  {"Accept": "application/json"})
            self.assertIn(response.status, (503, 504), f"a linearizable read without a majority: {response}")
            self.assertEqual(client.get(f"{RECORDS}/0").status, 200, "a plain read of what it has")
            self.assertEqual(client.get("/livez").status, 200)

    def test_a_follower_alone_comes_back_without_disturbing(self):
        self.least_terms = 1
        self.begin_on_network()
        for _ in range(2):
            leader = self.cluster.wait_leader()
            follower = self.rng.choice(self.cluster.followers())
            term = leader.ask(LOG)["term"]
            with faulty(self.network):
                self.network.isolate(self.number(follower))
                self.load.wait_progress(100, "appends without the follower")
                self.load.wait_a_moment(2.5)  # time to stand for election, more than once
            self.load.wait_progress(5, "appends through the follower", via=follower)
            self.assertLessEqual(self.cluster.describe()["term"], term + 1, "a node that came back raised the term")
        self.conclude()

    def test_one_that_is_removed_while_it_is_cut_off_disturbs_nobody(self):
        """It never heard of its removal, stands for election when it is back, and is not listened to (known bug 18)."""
        # No election by chance, on a machine that is busy with anything.
        self.args = (*self.args, "--election-ms", "1500")
        self.begin_on_network()
        leader = self.cluster.wait_leader()
        gone = self.rng.choice(self.cluster.followers())
        rest = [node for node in self.cluster if node is not gone]
        with faulty(self.network):
            self.network.isolate(self.number(gone))
            self.load.shut(gone)
            self.load.wait_a_moment(4)  # time to stand for election, more than once
            answer = self.cluster.remove(gone.node_id)
            self.assertEqual(answer.status // 100, 2, answer)
            self.wait_majority_writes(rest, "it is removed")
        term = leader.ask(LOG)["term"]
        self.load.wait_a_moment(4)  # likewise
        self.wait_majority_writes(rest, "it is back")
        self.assertEqual(leader.ask(LOG)["term"], term, f"the removed node raised the term; {self.cluster.said()}")
        self.assertIs(self.cluster.wait_leader(), leader)
        wait_until(lambda: "this node was removed from its cluster" in gone.output(), 60,
                   lambda: f"it is told: {gone.output()}")
        with gone.client() as client:
            self.assertEqual(client.get("/readyz").status, 503)
        self.cluster.forget(gone)
        self.least_terms = 1
        self.conclude()

    def test_nobody_reaches_anybody(self):
        self.begin_on_network()
        with faulty(self.network):
            self.network.split([1], [2], [3])
            self.load.wait_a_moment(3)
            for node in self.cluster:
                self.assert_serves_nothing_new(node)
        self.least_terms = 1
        self.conclude()


class OneWay(PartitionCase):
    def test_hosts_that_hear_but_are_not_heard(self):
        """Both directions of it, for the leader and for a follower; terms stay bounded."""
        self.begin_on_network()
        first_term = self.cluster.describe()["term"]
        for deaf in (True, False):
            for pick in ("leader", "follower"):
                leader = self.cluster.wait_leader()
                node = leader if pick == "leader" else self.rng.choice(self.cluster.followers())
                others = [other for other in self.cluster if other is not node]
                with faulty(self.network):
                    for other in others:
                        if deaf:
                            self.network.deafen(self.number(node), self.number(other))
                        else:
                            self.network.deafen(self.number(other), self.number(node))
                    self.wait_majority_writes(others, f"the {pick} {'hears nobody' if deaf else 'is not heard'}")
                    self.load.wait_a_moment(1.5)
                self.load.wait_progress(5, "appends through it after healing", via=node)
        self.assertLess(self.cluster.describe()["term"] - first_term, 30, "terms run away")
        self.conclude()

    def test_one_direction_of_one_pair(self):
        self.begin_on_network()
        for _ in range(3):
            one, other = self.rng.sample(list(self.cluster), 2)
            with faulty(self.network):
                self.network.deafen(self.number(one), self.number(other))
                self.load.wait_progress(100, f"appends while {one.node_id} does not hear {other.node_id}")
                self.load.wait_a_moment(1)
        self.conclude()


class Rings(PartitionCase):
    def test_a_chain_of_three(self):
        self.begin_on_network()
        with faulty(self.network):
            self.network.ring()
            self.load.wait_progress(200, "appends in a chain")
            self.load.wait_a_moment(3)
            before = self.cluster.describe()["term"]
            self.load.wait_a_moment(4)
            self.load.wait_progress(50, "appends in a chain, later")
            self.assertLessEqual(self.cluster.describe()["term"] - before, 3, "leaders come and go in a chain")
        self.conclude()

    def test_a_ring_of_five_each_with_a_majority(self):
        self.begin_on_network(5)
        with faulty(self.network):
            self.network.ring()
            self.load.wait_progress(200, "appends in a ring")
            self.load.wait_a_moment(3)
            self.load.wait_progress(50, "appends in a ring, later")
        self.conclude()


class BadLinks(PartitionCase):
    def test_delay_loss_and_duplicates(self):
        self.begin_on_network()
        for loss_pct in (5, 25):
            with faulty(self.network):
                for node in self.cluster:
                    self.network.delay(self.number(node), 10, 30, loss_pct, 5, self.rng.randrange(1 << 30))
                self.load.wait_progress(50, f"appends over links that lose {loss_pct} %", timeout_s=120)
                self.load.wait_a_moment(3)
        self.conclude()


class Alone(PartitionCase):
    """The same machinery with one node: what is left when the others are missing."""

    size = 1

    def test_one_host(self):
        self.begin_on_network(1)
        with faulty(self.network):
            self.network.isolate(1)
            self.load.wait_progress(100, "appends")
        self.conclude()


if __name__ == "__main__":
    main()
