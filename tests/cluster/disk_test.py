#!/usr/bin/env python3
"""Disks that are slow, hang, fail, fill up, lose what was not synced, or rot: on one node, or on all at once."""

from rig.case import ClusterCase, main, wait_until
from rig.cluster import Cluster
from rig.disks import Images, Shims

from harness.history import check
from harness.http import NotSent, Unknown
from harness.mounts import skip_unless_root, tmpfs
from harness.workload import RECORDS, read_values

HUNG_MS = 600_000


class Syncs(ClusterCase):
    """A preloaded library of ours makes fdatasync slow, hang or fail, on one node at a time."""

    def begin_with_shims(self):
        self.shims = Shims(self.dir)
        self.begin(Cluster(self.dir, self.size, self.args, environment=self.shims.environment))

    def test_a_slow_disk(self):
        """Of a follower: the others go on without it. Of the leader: slow, or handed over, but right."""
        self.begin_with_shims()
        for milliseconds in (50, 400, 2000):
            for pick in ("follower", "leader"):
                node = self.cluster.wait_leader() if pick == "leader" else self.rng.choice(self.cluster.followers())
                self.shims.say(node, f"slow .store {milliseconds}")
                self.load.wait_progress(60 if pick == "follower" else 8,
                                        f"appends while syncs of the {pick} take {milliseconds} ms more")
                self.shims.say(node, "ok")
                self.load.wait_progress(20, "appends when the disk is well")
        self.conclude()

    def test_a_hung_disk(self):
        """A sync that never returns: the others go on, also when it was the leader's."""
        self.begin_with_shims()
        for pick in ("follower", "leader"):
            node = self.cluster.wait_leader() if pick == "leader" else self.rng.choice(self.cluster.followers())
            self.shims.say(node, f"slow .store {HUNG_MS}")
            self.load.wait_progress(60, f"appends while a sync of the {pick} hangs")
            self.shims.say(node, "ok")
            self.kill(node)  # what hangs stays hanging
            self.restart(node)
            self.load.wait_progress(5, "appends through it after a restart", via=node)
        self.assertGreaterEqual(len(self.load.terms), 2, "a leader with a hung disk kept the lead")
        self.conclude()

    def test_a_failed_sync_ends_the_node_and_nothing_else(self):
        self.begin_with_shims()
        for pick in ("follower", "leader", "leader"):
            node = self.cluster.wait_leader() if pick == "leader" else self.rng.choice(self.cluster.followers())
            self.load.wait_progress(self.rng.randint(10, 60), "appends before the fault")
            self.shims.say(node, f"eio .store {self.rng.randint(1, 6)}")
            code = node.wait(60)
            self.load.shut(node)
            self.assertNotIn(code, (0, -6, -11), node.output())
            self.assertRegex(node.output().lower(), r"(sync|input/output error)")
            self.load.wait_progress(30, "appends without it")
            self.shims.say(node, "ok")
            self.restart(node)
            self.load.wait_progress(5, "appends through it again", via=node)
        self.assertGreaterEqual(len(self.load.terms), 2)
        self.conclude()


class FullDisk(ClusterCase):
    def setUp(self):
        skip_unless_root()
        super().setUp()

    def test_of_the_leader(self):
        """Appends are refused or another one leads; nothing acknowledged is lost; it all works again with room."""
        disks = self.dir / "disks"
        with tmpfs(disks, 96) as disk:
            full = disk / "n1"  # begins the cluster, so it leads
            place = lambda node_id: full if node_id == "n1" else self.dir / node_id  # noqa: E731
            try:
                self.begin(Cluster(self.dir, self.size, self.args, place=place))
                node = self.cluster["n1"]
                self.load.wait_progress(50, "appends with room")
                ballast = disk / "ballast"
                self.fill(ballast)
                self.load.wait_progress(60, "appends while the first leader's disk is full", timeout_s=90)
                with node.client() as client:
                    self.assertEqual(client.get("/livez").status, 200)
                    self.assertEqual(client.get(f"{RECORDS}/0").status, 200, "reads go on")
                ballast.unlink()
                self.load.wait_progress(20, "appends through it when there is room", via=node)
                self.conclude()
            finally:
                self.cluster.__exit__()

    def fill(self, ballast):
        with open(ballast, "wb", buffering=0) as file:
            try:
                while file.write(b"x" * 65536):
                    pass
            except OSError:
                pass  # full, as wanted


class PowerCut(ClusterCase):
    """The disks as they are at one moment, without what the kernel had not written: copies of loop images."""

    def setUp(self):
        skip_unless_root()
        super().setUp()

    def begin_on_images(self):
        self.images = Images(self.dir)
        self.addCleanup(self.images.unmount_all)
        self.begin(Cluster(self.dir, self.size, self.args, place=self.images.place))

    def cut_power(self, nodes):
        self.images.cut_power(nodes, self.kill)
        for node in nodes:
            node.spawn()
        for node in nodes:
            node.wait_ready()
            self.load.open(node)

    def test_of_all_nodes_at_once(self):
        self.begin_on_images()
        for _ in range(2):
            self.load.wait_progress(self.rng.randint(100, 300), "appends before the power cut")
            self.cut_power(list(self.cluster))
        self.conclude()

    def test_of_one_node_after_the_other(self):
        self.begin_on_images()
        for pick in ("leader", "follower", "leader"):
            node = self.cluster.wait_leader() if pick == "leader" else self.rng.choice(self.cluster.followers())
            self.load.wait_progress(self.rng.randint(50, 200), "appends before the power cut")
            self.cut_power([node])
        self.conclude()


    def test_disks_that_lie_would_be_caught(self):
        """Nothing is synced, then the power fails: if the verdict were clean, these tests would prove nothing."""
        shims = Shims(self.dir)
        self.images = Images(self.dir)
        self.addCleanup(self.images.unmount_all)
        self.begin(Cluster(self.dir, self.size, self.args, place=self.images.place, environment=shims.environment))
        for node in self.cluster:
            shims.say(node, "skip")
        self.load.wait_progress(300, "appends that nobody syncs")
        self.load.stop()
        self.images.cut_power(list(self.cluster), lambda node: node.kill())
        found = set()
        for node in self.cluster:
            node.spawn()
        for node in self.cluster:
            try:
                node.wait_ready(20)
                found |= {kind for kind, _ in check(self.history, read_values(node.http_address))}
            except (AssertionError, NotSent, Unknown) as refused:
                found.add(f"does not serve: {str(refused).splitlines()[0][:100]}")
        self.note(f"without syncs: {found}")
        self.assertTrue(found, "nothing was lost although nothing was synced")


class Rot(ClusterCase):
    args = ("--segment-bytes", "65536")
    expected_answers = frozenset({("GET", 500)})  # what is damaged is refused, as corruption

    def test_a_flipped_bit_in_a_sealed_segment_of_a_follower(self):
        """It is never served and never spread; the log is never shortened; a new node can take its place."""
        self.begin()
        self.load.wait_progress(400, "enough for several segments")
        follower = self.rng.choice(self.cluster.followers())
        self.kill(follower)
        self.flip_a_bit(follower)
        self.load.wait_progress(50, "appends without it")
        follower.spawn()
        started = self.starts_or_refuses(follower)
        if started:
            self.load.open(follower)  # what it serves goes through the checker
            self.load.wait_progress(100, "appends beside the damaged one")
            self.load.shut(follower)
        self.note(f"{follower.node_id} with a flipped bit {'serves' if started else 'refuses to start'}")
        follower.kill()
        answer = self.cluster.remove(follower.node_id)
        self.assertEqual(answer.status // 100, 2, answer)
        new = self.cluster.make()
        self.cluster.forget(follower)
        self.load.doors.pop(follower.node_id).stop()
        new.start()
        self.cluster.wait_voters([node.node_id for node in self.cluster])
        self.load.open(new)
        self.conclude()
        damaged = self.load.samples.get(("GET", 500))
        if damaged:
            self.assertEqual(damaged.json()["code"], "corruption", damaged)

    def flip_a_bit(self, node):
        stores = sorted(node.directory.rglob("*.store"))
        self.assertGreater(len(stores), 2, "no sealed segment")
        sealed = self.rng.choice(stores[:-1])
        with open(sealed, "r+b") as file:
            size = sealed.stat().st_size
            at = self.rng.randrange(size // 4, size * 3 // 4)
            file.seek(at)
            byte = file.read(1)[0] ^ (1 << self.rng.randrange(8))
            file.seek(at)
            file.write(bytes([byte]))
        self.note(f"a bit at {at} of {size} in {sealed.name} of {node.node_id}")

    def starts_or_refuses(self, node):
        def decided():
            if not node.alive():
                return "refused"
            try:
                node.wait_listening(1)
                with node.client(5) as client:
                    return client.get("/readyz").status == 200 and "serves"
            except (AssertionError, NotSent, Unknown):
                return None
        found = wait_until(decided, 60, f"{node.node_id} starts or refuses")
        if found == "refused":
            self.assertNotIn(node.process.returncode, (0, -6, -11), node.output())
            self.assertRegex(node.output(), r"(?i)(corrupt|damag|checksum)")
        return found == "serves"


if __name__ == "__main__":
    main()
