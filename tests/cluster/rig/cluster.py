"""N cairnd processes that are one cluster: start, join, find the leader, hurt, heal."""

import json
import random
import socket

from harness.case import bin_dir, wait_until
from harness.http import Http, NotSent, Unknown
from harness.node import Node, cairn

LOG = "/v1/logs/default"
JOIN_TIMEOUT_S = 60
HEAL_TIMEOUT_S = 60  # promised: 5 s; generous, since the machine may be busy with anything


class Member(Node):
    """One node. Its addresses stay the same over all its lives, as those of real nodes do."""

    def __init__(self, directory, node_id, host="127.0.0.1", join=(), prefix=(), **options):
        super().__init__(directory, node_id, **options)
        self.host = host
        self.join = list(join)
        self.prefix = list(prefix)  # of the command: into a network namespace
        # In a namespace of its own a node may have any port.
        http, grpc, peer = (8080, 9080, 7080) if self.prefix else free_ports(host, 3)
        self.http, self.grpc, self.peer = (f"{host}:{port}" for port in (http, grpc, peer))
        self.extra_env = {}  # of the next life
        self.away = False  # stopped or killed on purpose
        self.paused = False

    def command(self):
        start = ["--join", ",".join(self.join)] if self.join else ["--bootstrap"]
        return [*self.prefix, str(bin_dir() / "cairnd"), "--node-id", self.node_id, "--data-dir", str(self.directory),
                "--http", self.http, "--grpc", self.grpc, "--peer", self.peer, *start, *self.args]

    def spawn(self, command=None):
        base = self.env
        self.env = {**base, **self.extra_env}
        try:
            super().spawn(command)
        finally:
            self.env = base
        self.away = self.paused = False
        return self

    def kill(self):
        self.away = True
        super().kill()

    def stop(self, timeout_s=30):
        """SIGTERM. 10 s are promised; how long it takes on a busy machine is not this test's matter."""
        self.away = True
        return super().stop(timeout_s)

    def pause(self):
        super().pause()
        self.paused = True

    def resume(self):
        super().resume()
        self.paused = False

    def ask(self, target, timeout_s=5):
        """The JSON of a GET; None when there is none."""
        if not self.alive() or self.paused or self.ports is None:
            return None
        try:
            with self.client(timeout_s) as client:
                response = client.get(target)
                return response.json() if response.status == 200 else None
        except (NotSent, Unknown, ValueError):
            return None


class Cluster:
    """Nodes n1 ... nN under one directory. Use as a context manager: no process outlives it."""

    def __init__(self, folder, size=3, args=(), network=None, place=None, environment=None):
        self.folder = folder
        self.args = list(args)
        self.network = network
        self.place = place or (lambda node_id: folder / node_id)  # where a node keeps its data
        self.environment = environment or (lambda node_id: {})  # what it gets beside ours
        self.nodes = {}
        self.made = 0
        for _ in range(size):
            self.make()

    def make(self, make_member=Member, **options):
        """One more node, not started. The first one ever begins the cluster; later ones join it."""
        self.made += 1
        node_id = f"n{self.made}"
        if self.network is not None:
            options.update(host=self.network.address(self.made), prefix=self.network.prefix(self.made))
        options.setdefault("log", self.folder / f"{node_id}.log")
        options.setdefault("env", self.environment(node_id))
        node = make_member(self.place(node_id), node_id, args=self.args,
                           join=[other.peer for other in self.nodes.values()], **options)
        self.nodes[node_id] = node
        return node

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for node in self.nodes.values():
            node.kill()

    def __iter__(self):
        return iter(list(self.nodes.values()))

    def __getitem__(self, node_id):
        return self.nodes[node_id]

    def live(self):
        return [node for node in self if node.alive() and not node.paused]

    def start(self):
        """All nodes, one after the other, until each is a voter."""
        for count, node in enumerate(self, 1):
            node.start()
            self.wait_voters(list(self.nodes)[:count])
        return self

    def restart(self, node, **environment):
        node.extra_env = environment
        node.start()

    def describe(self):
        """The log as the node says that knows the latest term; None when none answers."""
        found = [answer for node in self.live() if (answer := node.ask(LOG))]
        return max(found, key=lambda answer: answer["term"], default=None)

    def leader(self):
        """The node that is the leader by its own word and nobody knows a later term; None."""
        views = {node.node_id: answer for node in self.live() if (answer := node.ask(LOG))}
        if not views:
            return None
        latest = max(answer["term"] for answer in views.values())
        for node_id, answer in views.items():
            if answer["term"] == latest and answer["leader"] == node_id:
                return self.nodes[node_id]
        return None

    def wait_leader(self, but=None, timeout_s=HEAL_TIMEOUT_S):
        return wait_until(lambda: (found := self.leader()) is not but and found, timeout_s,
                          lambda: f"a leader{f' other than {but.node_id}' if but else ''}; {self.said()}")

    def followers(self):
        leader = self.wait_leader()
        return [node for node in self.live() if node is not leader]

    def voters(self):
        leader = self.leader()
        answer = leader and leader.ask(LOG)
        return {replica["node"] for replica in answer["replicas"] if replica["role"] == "voter"} if answer else set()

    def wait_voters(self, node_ids, timeout_s=JOIN_TIMEOUT_S):
        wait_until(lambda: self.voters() == set(node_ids), timeout_s,
                   lambda: f"the voters {sorted(node_ids)} (they are {sorted(self.voters())}); {self.said()}")

    def members(self):
        """What some node says about all of them: {id: member}."""
        for node in self.live():
            if answer := node.ask("/v1/cluster"):
                return {member["id"]: member for member in answer["members"]}
        return {}

    def remove(self, node_id):
        """Takes a member out for good; what the node answered."""
        leader = self.wait_leader()
        with leader.client(60) as client:
            return client.request("DELETE", f"/v1/cluster/members/{node_id}")

    def forget(self, node):
        node.kill()
        del self.nodes[node.node_id]

    def command(self, *arguments, **options):
        """`cairn`, told of all nodes."""
        servers = ",".join(f"http://{node.http}" for node in self)
        return cairn("--server", servers, *arguments, **options)

    def said(self, lines=12):
        """The last lines of every node, for messages."""
        text = []
        for node in self:
            ended = f"ended {node.process and node.process.returncode}"
            state = "paused" if node.paused else "alive" if node.alive() else ended
            last = node.output().splitlines()[-lines:] if node.lives else ["never started"]
            text.append(f"{node.node_id} ({state}):\n    " + "\n    ".join(last))
        return "the nodes said:\n" + "\n".join(text)


def free_ports(host, count):
    """Ports below those that the kernel hands out by itself, so that a node finds its own again after a restart."""
    found = []
    chooser = random.SystemRandom()
    for _ in range(1000):
        port = chooser.randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
        if len(found) == count:
            return found
    raise OSError(f"no free port on {host}")


def end_of(node, timeout_s=10):
    """The exact end of the log, asked at `node`; None when it does not know."""
    with Http(node.http_address, timeout_s) as client:
        try:
            response = client.get(f"{LOG}/records?from=latest&consistency=linearizable", {"Accept": "application/json"})
            return json.loads(response.body)["end_offset"] if response.status == 200 else None
        except (NotSent, Unknown):
            return None
