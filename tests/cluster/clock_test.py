#!/usr/bin/env python3
"""Wall clocks that jump and run fast or slow, on one node at a time; elections and order do not depend on them."""

from rig.case import ClusterCase, main
from rig.clocks import Clocks
from rig.cluster import Cluster


class ClockJumps(ClusterCase):
    def test_jumps_and_drifts(self):
        clocks = Clocks(self.dir)
        self.begin(Cluster(self.dir, self.size, self.args, environment=clocks.environment))
        for words in ("+1h", "-1h", "+1d", "-5s", "+0s x2", "-1d", "+0s"):
            leader = self.cluster.wait_leader()
            for node in (leader, self.rng.choice(self.cluster.followers())):
                clocks.set(node, words)
                self.load.wait_progress(30, f"appends after the clock of {node.node_id} was set to {words}")
        for node, words in zip(self.cluster, ("-1d", "+1d", "-1h")):
            clocks.set(node, words)
        leader = self.cluster.wait_leader()
        self.kill(leader)  # the next one's clock may be days behind
        self.load.wait_progress(30, "appends under a leader with another clock")
        self.restart(leader)
        self.conclude()

    def judge_history(self, finals):
        """RFC 3339 in UTC with a fixed number of digits: the order of times is that of their text."""
        super().judge_history(finals)
        times = [record["timestamp"] for record in next(iter(finals.values()))]
        falls = [(a, b) for a, b in zip(times, times[1:]) if b < a]
        self.assertEqual(falls[:3], [], "timestamps go back")


if __name__ == "__main__":
    main()
