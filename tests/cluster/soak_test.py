#!/usr/bin/env python3
"""soak_test.py [--minutes M] [--seed S] [--nodes N] [--only FAULT,FAULT]

Every fault of rig/faults.py, in an order drawn from a seed that is printed, under a gentle load on every node, with a
mended cluster between any two. In the end the whole history is judged. A run that acknowledged fewer than 1,000
appends or saw no change of leader proves nothing, and fails.
"""

import argparse
import sys
import time

from rig.case import ClusterCase, main, say
from rig.faults import Faults, wait_free_of_faults

options = argparse.Namespace(minutes=1.0, seed=None, nodes=3, only=None)


class Soak(ClusterCase):
    args = ("--segment-bytes", str(1 << 20))
    least_terms = 2

    def setUp(self):
        super().setUp()
        if options.seed is not None:
            self.seed = options.seed
            self.rng.seed(self.seed)

    def test_every_fault(self):
        say(f"  soak: seed {self.seed}, {options.minutes} minutes, {options.nodes} nodes")
        faults = Faults(self, options.nodes)
        for missing in faults.left_out:
            say(f"  soak: LEFT OUT, {missing}")
        names = options.only.split(",") if options.only else faults.all()
        self.begin(faults.make_cluster(options.nodes, self.args), pace_s=0.02, ranges=options.nodes, batch_max=6,
                   value_bytes=120)
        begun = time.monotonic()
        deck, number = [], 0
        while time.monotonic() - begun < options.minutes * 60:
            if not deck:  # each once before any comes again
                deck = self.rng.sample(names, len(names))
            name = deck.pop()
            number += 1
            say(f"  soak: {time.monotonic() - begun:6.1f} s  #{number} {name}")
            faults.run(name)
            wait_free_of_faults(self)
        say(f"  soak: faults {faults.done}")
        self.conclude()
        say(f"  soak: CLEAN after {number} faults; seed {self.seed}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--only")
    options, rest = parser.parse_known_args()
    sys.argv[1:] = rest
    main()
