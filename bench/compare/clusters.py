"""Three-node clusters on loopback of Cairn, etcd and NATS JetStream, all handled alike."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

HOST = "127.0.0.1"
START_DEADLINE_S = 60
STOP_DEADLINE_S = 20
STREAM = "load"
BLOCK_BYTES = 4096


class Trouble(Exception):
    """A sentence for the one who runs this."""


def free_ports(count):
    """Ports that nobody has at the moment; a server takes them a moment later."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind((HOST, 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def http_json(port, method, path, body=None, timeout_s=5):
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request(method, path, body=None if body is None else json.dumps(body),
                           headers={} if body is None else {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status // 100 != 2:
            raise Trouble(f"{method} {path}: {answer.status} {text[:200]!r}")
        return json.loads(text or b"{}")
    finally:
        connection.close()


def nats_request(port, subject, body, timeout_s=5):
    """One request over a connection of its own; the JSON that is answered."""
    with socket.create_connection((HOST, port), timeout_s) as conn:
        payload = json.dumps(body) if body is not None else ""
        conn.sendall((
            'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true,"lang":"py","version":"1"}'
            f"\r\nSUB _INBOX.one 1\r\nPUB {subject} _INBOX.one {len(payload)}\r\n{payload}\r\n").encode())
        data = b""
        while True:
            part = conn.recv(1 << 20)
            if not part:
                raise Trouble(f"NATS closed the connection: {data[-200:]!r}")
            data += part
            at = data.find(b"MSG _INBOX.one")  # HMSG has it, too: nobody answers that subject yet
            end = data.find(b"\r\n", at) if at >= 0 else -1
            if end < 0:
                continue
            if data[at - 1:at] == b"H":
                raise Trouble(f"NATS: nobody answers {subject}")
            size = int(data[at:end].split()[-1])
            if len(data) >= end + 2 + size:
                answer = json.loads(data[end + 2:end + 2 + size])
                if "error" in answer:
                    raise Trouble(f"NATS {subject}: {answer['error'].get('description')}")
                return answer


def written_bytes(path):
    """Up to the last byte that is not zero. Logs are often written or allocated ahead of use."""
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            begin = max(0, end - (1 << 20))
            file.seek(begin)
            rest = file.read(end - begin).rstrip(b"\0")
            if rest:
                return begin + len(rest)
            end = begin
    return 0


class Cluster:
    """What the three have in common: processes, waiting, processor time, room on disk."""

    label = None
    kind = None  # for compare_load

    def __init__(self, program, nodes, work):
        self.program = program
        self.count = nodes
        self.work = Path(work)
        self.work.mkdir(parents=True)
        self.processes = [None] * nodes
        self.next_key = 0  # etcd's records need keys

    def command(self, index):
        raise NotImplementedError

    def leader(self):
        """Index of the leader, None when there is none."""
        raise NotImplementedError

    def ready(self):
        """True once appends are replicated to all nodes."""
        raise NotImplementedError

    def records(self):
        raise NotImplementedError

    def start(self):
        for index in range(self.count):
            self.start_node(index)
        self.wait_ready()

    def start_node(self, index):
        with open(self.work / f"n{index + 1}.log", "ab") as log:
            self.processes[index] = subprocess.Popen(self.command(index), stdout=log, stderr=log,
                                                     stdin=subprocess.DEVNULL, start_new_session=True)

    def wait_ready(self, deadline_s=START_DEADLINE_S):
        deadline = time.monotonic() + deadline_s
        last = "no answer yet"
        while time.monotonic() < deadline:
            for index, process in enumerate(self.processes):
                if process.poll() is not None:
                    raise Trouble(f"{self.label}: node {index + 1} ended with {process.returncode}\n{self.said(index)}")
            try:
                if self.ready():
                    return
                last = "not all nodes are there yet"
            except (OSError, Trouble, ValueError, KeyError, http.client.HTTPException) as error:
                last = error
            time.sleep(0.05)
        raise Trouble(f"{self.label} is not ready after {deadline_s} s: {last}\n{self.said(0)}")

    def said(self, index):
        lines = (self.work / f"n{index + 1}.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-8:])

    def pids(self):
        return [process.pid for process in self.processes]

    def kill(self, index):
        self.processes[index].kill()
        self.processes[index].wait()

    def stop(self):
        """Gracefully; what does not end is killed."""
        for process in self.processes:
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_DEADLINE_S
        for process in self.processes:
            if process is None:
                continue
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def disk_bytes(self):
        """(used, ahead) of all nodes: what is allocated up to each file's last byte that is not zero, and behind it."""
        used = allocated = 0
        for index in range(self.count):
            for path in (self.work / f"n{index + 1}").rglob("*"):
                if path.is_file():
                    used += -(-written_bytes(path) // BLOCK_BYTES) * BLOCK_BYTES
                    allocated += path.stat().st_blocks * 512
        return used, max(0, allocated - used)

    def memory_mb(self, index):
        """Of one node, without pages of files. 0 when it has gone."""
        try:
            lines = Path(f"/proc/{self.pids()[index]}/status").read_text().splitlines()
        except FileNotFoundError:
            return 0.0
        return sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) * 1024 / 1e6

    def resident_mb(self):
        """Of the largest node."""
        sizes = []
        for pid in self.pids():
            for line in Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    sizes.append(int(line.split()[1]) * 1024 / 1e6)
        return max(sizes)


class Cairn(Cluster):
    label, kind, name = "Cairn", "cairn", "default"

    def __init__(self, program, nodes, work, flags=()):
        super().__init__(program, nodes, work)
        self.flags = list(flags)
        ports = free_ports(3 * nodes)
        self.http, self.grpc, self.peer = ports[:nodes], ports[nodes:2 * nodes], ports[2 * nodes:]

    def client_port(self, index):
        return self.http[index]

    def command(self, index):
        begin = ["--bootstrap"] if index == 0 else ["--join", f"{HOST}:{self.peer[0]}"]
        return [self.program, "--node-id", f"n{index + 1}", "--data-dir", self.work / f"n{index + 1}",
                "--http", f"{HOST}:{self.http[index]}", "--grpc", f"{HOST}:{self.grpc[index]}",
                "--peer", f"{HOST}:{self.peer[index]}", "--log-level", "warning", *begin, *self.flags]

    def describe(self, index):
        return http_json(self.http[index], "GET", "/v1/logs/default")

    def leader(self):
        for index in range(self.count):
            try:
                name = self.describe(index).get("leader")
            except (OSError, Trouble, http.client.HTTPException):
                continue
            if name:
                return int(name[1:]) - 1
        return None

    def ready(self):
        leader = self.leader()
        if leader is None:
            return False
        replicas = self.describe(leader)["replicas"]
        if sum(r["role"] == "voter" for r in replicas) != self.count or not all(r["healthy"] for r in replicas):
            return False
        for index in range(self.count):
            http_json(self.http[index], "GET", "/readyz")
        return True

    def records(self):
        return self.describe(self.leader())["next_offset"]


class Etcd(Cluster):
    label, kind, name = "etcd", "etcd", "none"

    def __init__(self, program, nodes, work):
        super().__init__(program, nodes, work)
        ports = free_ports(2 * nodes)
        self.client, self.peer = ports[:nodes], ports[nodes:]

    def client_port(self, index):
        return self.client[index]

    def command(self, index):
        client, peer = f"http://{HOST}:{self.client[index]}", f"http://{HOST}:{self.peer[index]}"
        everybody = ",".join(f"n{i + 1}=http://{HOST}:{port}" for i, port in enumerate(self.peer))
        return [self.program, "--name", f"n{index + 1}", "--data-dir", self.work / f"n{index + 1}",
                "--listen-client-urls", client, "--advertise-client-urls", client,
                "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                "--initial-cluster", everybody, "--initial-cluster-state", "new", "--log-level", "error",
                "--quota-backend-bytes", str(64 << 30)]

    def status(self, index):
        return http_json(self.client[index], "POST", "/v3/maintenance/status", {})

    def leader(self):
        for index in range(self.count):
            try:
                status = self.status(index)
            except (OSError, Trouble, http.client.HTTPException):
                continue
            if status.get("leader") == status["header"]["member_id"]:
                return index
        return None

    def ready(self):
        return self.leader() is not None and all(self.status(i).get("leader", "0") != "0" for i in range(self.count))

    def records(self):
        answer = http_json(self.client[0], "POST", "/v3/kv/range",
                           {"key": "aw==", "range_end": "bA==", "count_only": True})
        return int(answer.get("count", 0))


class Nats(Cluster):
    label, kind, name = "NATS sync", "nats", STREAM
    sync_interval = "always"

    def __init__(self, program, nodes, work):
        super().__init__(program, nodes, work)
        ports = free_ports(2 * nodes)
        self.client, self.route = ports[:nodes], ports[nodes:]
        routes = ", ".join(f'"nats://{HOST}:{port}"' for port in self.route)
        sync = f"sync_interval: {self.sync_interval}" if self.sync_interval else ""
        for index in range(nodes):
            (self.work / f"n{index + 1}.conf").write_text(
                f'server_name: n{index + 1}\nlisten: "{HOST}:{self.client[index]}"\n'
                f'jetstream {{ store_dir: "{self.work / f"n{index + 1}"}"\n {sync}\n max_file_store: 64GB }}\n'
                f'cluster {{ name: bench, listen: "{HOST}:{self.route[index]}", routes: [{routes}] }}\n')

    def client_port(self, index):
        return self.client[index]

    def command(self, index):
        return [self.program, "--config", self.work / f"n{index + 1}.conf"]

    def info(self):
        for port in self.client:
            try:
                return nats_request(port, f"$JS.API.STREAM.INFO.{STREAM}", None, timeout_s=2)
            except (OSError, Trouble):
                continue
        return None

    def leader(self):
        info = self.info()
        name = info and info.get("cluster", {}).get("leader")
        return int(name[1:]) - 1 if name else None

    def ready(self):
        if self.info() is None:
            nats_request(self.client[0], f"$JS.API.STREAM.CREATE.{STREAM}",
                         {"name": STREAM, "subjects": [f"{STREAM}.>"], "num_replicas": self.count,
                          "storage": "file", "retention": "limits"})
        info = self.info()
        replicas = (info or {}).get("cluster", {}).get("replicas", [])
        return len(replicas) == self.count - 1 and all(r.get("current") for r in replicas) and self.leader() is not None

    def records(self):
        return self.info()["state"]["messages"]


class NatsLazy(Nats):
    """As it comes: what was acknowledged is synced some minutes later."""

    label = "NATS lazy"
    sync_interval = None


CLUSTERS = {"cairn": Cairn, "etcd": Etcd, "nats": Nats, "nats-lazy": NatsLazy}
