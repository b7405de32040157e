"""How long nobody can append after the leader was killed: writes are tried at all survivors, many at a time."""

import base64
import json
import selectors
import socket
import time

from clusters import HOST, STREAM, Trouble

EVERY_S = 0.02
DEADLINE_S = 30


def http_request(path, content_type, body):
    return (f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {content_type}\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def cairn_probe(_):
    return http_request("/v1/logs/default/records", "application/json", '"failover"')


def etcd_probe(number):
    key = base64.b64encode(f"failover{number}".encode()).decode()
    return http_request("/v3/kv/put", "application/json", json.dumps({"key": key, "value": "eA=="}))


def nats_probe(number):
    return ('CONNECT {"verbose":false,"headers":true,"no_responders":true,"lang":"py","version":"1"}\r\n'
            f"SUB _INBOX.f{number} 1\r\nPUB {STREAM}.records _INBOX.f{number} 1\r\nx\r\n").encode()


def nats_acknowledged(data):
    return b"\r\nMSG _INBOX.f" in data and b'"seq":' in data


def http_acknowledged(data):
    return data.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201"))


PROBES = {"cairn": (cairn_probe, http_acknowledged), "etcd": (etcd_probe, http_acknowledged),
          "nats": (nats_probe, nats_acknowledged)}


def measure(cluster):
    """Kills the leader; seconds until a write that was sent after that is acknowledged. The node is started again."""
    leader = cluster.leader()
    if leader is None:
        raise Trouble(f"{cluster.label} has no leader to kill")
    ports = [cluster.client_port(i) for i in range(cluster.count) if i != leader]
    cluster.kill(leader)
    killed = time.monotonic()
    try:
        return probe_until_acknowledged(PROBES[cluster.kind], ports, killed) - killed
    finally:
        cluster.start_node(leader)
        cluster.wait_ready()


def probe_until_acknowledged(how, ports, begin):
    request, acknowledged = how
    selector = selectors.DefaultSelector()
    number = int(begin * 1e6)  # no key twice
    next_try = begin
    try:
        while time.monotonic() - begin < DEADLINE_S:
            if time.monotonic() >= next_try:
                next_try += EVERY_S
                for port in ports:
                    number += 1
                    try:
                        conn = socket.create_connection((HOST, port), 1)
                        conn.sendall(request(number))
                        conn.setblocking(False)
                        selector.register(conn, selectors.EVENT_READ, [b""])
                    except OSError:
                        continue
            for key, _ in selector.select(max(0, next_try - time.monotonic())):
                try:
                    part = key.fileobj.recv(65536)
                except OSError:
                    part = b""
                key.data[0] += part
                if acknowledged(key.data[0]):
                    return time.monotonic()
                if not part:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
    finally:
        for key in list(selector.get_map().values()):
            key.fileobj.close()
        selector.close()
    raise Trouble(f"no write was acknowledged within {DEADLINE_S} s of the leader's end")
