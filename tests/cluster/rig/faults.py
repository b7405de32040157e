"""Everything that can happen to a cluster, as one list: the soak draws from it.

A fault is a method of Faults. It does harm, lets the load go on, and mends what it broke; what it needs and this
machine lacks is left out, and said. How long each lasts is drawn; no verdict depends on it.
"""

import contextlib
import os
import shutil
import unittest

from harness.case import wait_until

from .clocks import Clocks, together
from .cluster import Cluster
from .disks import Images, Shims, sync_directory
from .network import Network, faulty


class Faults:
    def __init__(self, case, size):
        self.case = case
        self.rng = case.rng
        self.left_out = []
        self.network = self.take("network namespaces", lambda: self.enter_network(size))
        self.images = self.take("loop images", lambda: self.make_images())
        self.shims = self.take("the sync shim", lambda: Shims(case.dir), lambda shims: shims.environment("probe"))
        self.clocks = self.take("the clock shim", lambda: Clocks(case.dir))
        self.done = {}

    def take(self, what, make, probe=lambda made: None):
        try:
            made = make()
            probe(made)
            return made
        except (unittest.SkipTest, OSError) as missing:
            self.left_out.append(f"{what}: {missing}")
            return None

    def enter_network(self, size):
        network = Network(size)
        network.__enter__()
        self.case.addCleanup(network.__exit__)
        return network

    def make_images(self):
        images = Images(self.case.dir)
        with contextlib.ExitStack() as undo:
            undo.callback(lambda: shutil.rmtree(self.case.dir / "disk-probe", ignore_errors=True))
            images.place("probe")
            images.unmount("probe")
            images.image("probe").unlink()
        self.case.addCleanup(images.unmount_all)
        return images

    def environment(self, node_id):
        return together(*(one.environment(node_id) for one in (self.shims, self.clocks) if one is not None))

    def make_cluster(self, size, args):
        place = self.images.place if self.images else None
        return Cluster(self.case.dir, size, args, self.network, place, self.environment)

    # --- the draw ----------------------------------------------------------------------------------------------

    def all(self):
        """Names of the faults that are possible here."""
        names = ["kill_leader", "kill_follower", "kill_all", "kill_two", "pause_leader", "pause_follower",
                 "restart_one"]
        if self.network:
            names += ["leader_alone", "follower_alone", "nobody_hears", "one_way", "chain", "cut_one_pair"]
            if os.path.exists(os.environ.get("CAIRN_NFQDELAY", "")):
                names += ["bad_links"]
        if self.shims:
            names += ["slow_disk", "hung_disk", "failed_sync"]
        if self.images:
            names += ["power_cut_one", "power_cut_all", "full_disk"]
        if self.clocks:
            names += ["clock_jump"]
        return names

    def run(self, name):
        self.done[name] = self.done.get(name, 0) + 1
        getattr(self, name)()

    def leader(self):
        return self.case.cluster.wait_leader()

    def follower(self):
        return self.rng.choice(self.case.cluster.followers())

    def some(self):
        return self.rng.choice(list(self.case.cluster))

    def moment(self, most_s=2.5):
        self.case.load.wait_a_moment(self.rng.uniform(0, most_s))

    def number(self, node):
        return int(node.node_id[1:])

    def kill_and_restart(self, nodes):
        for node in nodes:
            self.case.kill(node)
        self.moment()
        self.bring_back(nodes)

    def bring_back(self, nodes):
        for node in nodes:
            node.spawn()
        for node in nodes:
            node.wait_ready()
            self.case.load.open(node)

    # --- processes ---------------------------------------------------------------------------------------------

    def kill_leader(self):
        self.kill_and_restart([self.leader()])

    def kill_follower(self):
        self.kill_and_restart([self.follower()])

    def kill_two(self):
        self.kill_and_restart(self.rng.sample(list(self.case.cluster), 2))

    def kill_all(self):
        self.kill_and_restart(list(self.case.cluster))

    def pause(self, node):
        node.pause()
        self.moment(3)
        node.resume()

    def pause_leader(self):
        self.pause(self.leader())

    def pause_follower(self):
        self.pause(self.follower())

    def restart_one(self):
        node = self.some()
        self.case.terminate(node)
        self.moment()
        self.bring_back([node])

    # --- the network -------------------------------------------------------------------------------------------

    def leader_alone(self):
        with faulty(self.network):
            self.network.isolate(self.number(self.leader()))
            self.moment(4)

    def follower_alone(self):
        with faulty(self.network):
            self.network.isolate(self.number(self.follower()))
            self.moment(4)

    def nobody_hears(self):
        with faulty(self.network):
            self.network.split(*([self.number(node)] for node in self.case.cluster))
            self.moment(3)

    def one_way(self):
        with faulty(self.network):
            node = self.some()
            for other in self.case.cluster:
                if other is not node and self.rng.random() < 0.7:
                    pair = [self.number(node), self.number(other)]
                    self.rng.shuffle(pair)
                    self.network.deafen(*pair)
            self.moment(4)

    def cut_one_pair(self):
        with faulty(self.network):
            self.network.cut(*(self.number(node) for node in self.rng.sample(list(self.case.cluster), 2)))
            self.moment(4)

    def chain(self):
        with faulty(self.network):
            self.network.ring()
            self.moment(4)

    def bad_links(self):
        with faulty(self.network):
            for node in self.case.cluster:
                self.network.delay(self.number(node), self.rng.choice((2, 20, 50)), self.rng.choice((0, 10, 60)),
                                   self.rng.choice((0, 2, 10, 30)), self.rng.choice((0, 5)),
                                   self.rng.randrange(1 << 30))
            self.moment(5)

    # --- disks and clocks --------------------------------------------------------------------------------------

    def slow_disk(self):
        node = self.some()
        self.shims.say(node, f"slow .store {self.rng.choice((20, 200, 1000))}")
        self.moment(3)
        self.shims.say(node, "ok")

    def hung_disk(self):
        node = self.some()
        self.shims.say(node, "slow .store 600000")
        self.moment(4)
        self.shims.say(node, "ok")
        self.kill_and_restart([node])

    def failed_sync(self):
        node = self.some()
        self.shims.say(node, f"eio .store {self.rng.randint(1, 4)}")
        code = node.wait(60)
        self.case.assertNotIn(code, (0, -6, -11), node.output())
        node.away = True
        self.case.load.shut(node)
        self.shims.say(node, "ok")
        self.moment()
        self.bring_back([node])

    def power_cut_one(self):
        self.power_cut([self.some()])

    def power_cut_all(self):
        self.power_cut(list(self.case.cluster))

    def power_cut(self, nodes):
        self.images.cut_power(nodes, self.case.kill)
        self.bring_back(nodes)

    def full_disk(self):
        node = self.some()
        ballast = node.directory.parent / "ballast"
        with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
            while file.write(b"x" * 65536):
                pass
        self.moment(4)
        ballast.unlink()
        sync_directory(ballast.parent)  # else the next power cut brings it back

    def clock_jump(self):
        node = self.some()
        self.clocks.set(node, self.rng.choice(("+1h", "-1h", "+1d", "-1d", "-5s", "+0s x2", "+0s")))
        self.moment(1)


def wait_free_of_faults(case):
    """All nodes live and take appends."""
    for node in case.cluster:
        wait_until(node.alive, 1, f"{node.node_id} lives; {case.cluster.said()}")
    case.load.wait_progress(20, "appends when all is mended")
