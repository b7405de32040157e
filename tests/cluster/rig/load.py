"""Clients of a whole cluster: most are true to one node, some go from node to node; everything is noted."""

import random
import threading

from harness.case import wait_until
from harness.history import OK
from harness.workload import Client, Door, Workload

from .cluster import HEAL_TIMEOUT_S

ANSWER_TIMEOUT_S = 20


class PatientClient(Client):
    """Waits so long before each request: a load that leaves the machine to the nodes."""

    def __init__(self, door, pace_s):
        super().__init__(door)
        self.pace_s = pace_s

    def ready(self):
        if self.pace_s:
            threading.Event().wait(self.pace_s)
        http = super().ready()
        if http is not None:
            http.timeout_s = ANSWER_TIMEOUT_S
        return http


class HoppingClient:
    """A client that does not care which node it talks to, and takes another one now and then."""

    def __init__(self, load, rng):
        self.load = load
        self.rng = rng
        self.uses = 0
        self.current = PatientClient(next(iter(load.doors.values())), load.pace_s)

    @property
    def door(self):
        return self.current.door

    def ready(self):
        self.uses += 1
        if self.uses % 20 == 0 or self.current.door.address is None:
            with_nodes = [door for door in self.load.doors.values() if door.address is not None]
            if with_nodes:
                self.current.close()
                self.current = PatientClient(self.rng.choice(with_nodes), self.load.pace_s)
        return self.current.ready()

    def close(self):
        self.current.close()


class ClusterLoad(Workload):
    """Writers and readers on every node of a cluster."""

    plain_ends_are_exact = False
    timeout_ms = 4000

    def __init__(self, history, cluster, seed=0, pace_s=0.0, writers=None, ranges=None, streams=1, polls=1, **options):
        size = len(cluster.nodes)
        self.cluster = cluster
        self.seed = seed
        self.pace_s = pace_s
        self.doors = {node.node_id: Door() for node in cluster}
        self.terms = {}  # term -> appends acknowledged in it
        self.acknowledged_by = {}  # node -> appends
        super().__init__(history, seed, writers or size + 1, ranges or size + 1, streams, polls, **options)

    def make_client(self, job, number):
        doors = list(self.doors.values())
        if job in (self.write, self.read_ranges) and number >= len(doors):
            return HoppingClient(self, random.Random(f"{self.seed}/hop/{number}"))
        return PatientClient(doors[number % len(doors)], self.pace_s)

    def begin(self):
        for node in self.cluster:
            self.doors[node.node_id].open(node.http_address)
        for thread in self.threads:
            thread.start()
        self.wait_progress(50, "the load has begun")

    def shut(self, node):
        self.doors[node.node_id].shut()

    def open(self, node):
        """Clients come back to the node, or to a new one for the first time."""
        self.doors.setdefault(node.node_id, Door()).open(node.http_address)

    def stop(self):
        for door in self.doors.values():
            door.stop()
        super().stop()

    def note(self, method, response):
        super().note(method, response)
        if method == "POST" and response.status == 201:
            term, node = response.json()["term"], response.headers.get("cairn-node")
            with self.lock:
                self.terms[term] = self.terms.get(term, 0) + 1
                self.acknowledged_by[node] = self.acknowledged_by.get(node, 0) + 1

    def wait_progress(self, appends, what, timeout_s=HEAL_TIMEOUT_S, via=None):
        """Waits until so many more appends have been acknowledged; by the node `via` if one is named."""
        def count():
            return self.history.count(OK) if via is None else self.acknowledged_by.get(via.node_id, 0)
        goal = count() + appends
        wait_until(lambda: count() >= goal or self.errors, timeout_s,
                   lambda: f"{what}: {appends} appends; answers {self.statuses}; {self.cluster.said()}")
        if self.errors:
            raise self.errors[0]

    def wait_a_moment(self, seconds):
        """Lets the load go on under a fault. No verdict depends on how long."""
        threading.Event().wait(seconds)
        if self.errors:
            raise self.errors[0]
