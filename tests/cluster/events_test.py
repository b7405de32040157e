#!/usr/bin/env python3
"""What operators are told while it happens: GET /v1/events of real nodes, one of which is killed with -9."""

import http.client
import json
import threading

from rig.case import Case, main, wait_until
from rig.cluster import Cluster


class Stream:
    """Reads a stream of events in a thread; what has come so far is in `events` (pairs of kind and data)."""

    def __init__(self, address, target, last_event_id=None):
        host, port = address
        self.connection = http.client.HTTPConnection(host, port, timeout=120)
        headers = {"Accept": "text/event-stream"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        self.connection.request("GET", target, headers=headers)
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()
        self.events = []
        self.last_id = None
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        kind = None
        try:
            for line in self.response:
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "id":
                    self.last_id = value
                elif name == "event":
                    kind = value
                elif name == "data":
                    self.events.append((kind, json.loads(value)))
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass  # closed

    def find(self, kind, **wanted):
        for got, data in list(self.events):
            fields = {**data, **data.get("fields", {})}
            if got == kind and all(fields.get(name) == value for name, value in wanted.items()):
                return data
        return None

    def wait(self, kind, timeout_s=30, **wanted):
        return wait_until(lambda: self.find(kind, **wanted), timeout_s,
                          lambda: f"an event {kind} with {wanted}; there were {self.events}")

    def close(self):
        self.connection.close()


class Events(Case):
    def stream(self, node, target="/v1/events", **options):
        stream = Stream(node.http_address, target, **options)
        self.addCleanup(stream.close)
        return stream

    def test_why_a_leader_is_elected_after_kill_9(self):
        with Cluster(self.dir, 3).start() as cluster:
            leader = cluster.wait_leader()
            watched = cluster.followers()[0]
            watchers = [self.stream(node) for node in (watched, *(n for n in cluster.followers() if n is not watched))]
            whole = self.stream(cluster.followers()[0], "/v1/events?cluster=true&kind=election,leader,node")
            whole.wait("node", node=leader.node_id, state="started")
            first = watchers[0].wait("leader", leader=leader.node_id)
            leader.kill()
            for watcher in watchers:
                why = watcher.wait("election", cause="no-heartbeat", previous=leader.node_id)
                self.assertGreater(int(why["fields"]["silence_ms"]), 100, why)
                self.assertIn(f"nothing has come from {leader.node_id}, which led, for", why["text"])
                self.assertGreater(int(why["fields"]["term"]), int(first["fields"]["term"]))
                lost = watcher.wait("link", node=leader.node_id, state="down")
                self.assertTrue(lost["fields"]["reason"])
                watcher.wait("reachability", state="failed")
            after = cluster.wait_leader(but=leader)
            won = watchers[0].wait("leader", leader=after.node_id, previous=leader.node_id)
            self.note(f"{why['text']}; then {won['text']}")
            whole.wait("unreachable", node=leader.node_id)
            cluster.restart(leader)
            whole.wait("gap", node=leader.node_id, restarted=True)
            whole.wait("reachable", node=leader.node_id)
            again = wait_until(lambda: [data for kind, data in list(whole.events) if kind == "node"
                                        and data["node"] == leader.node_id
                                        and data["fields"]["state"] == "started"][1:], 30, "started again")[0]
            self.assertEqual(again["fields"]["clean"], "false")
            self.assertIn("it had not been ended gracefully", again["text"])
            watchers[0].wait("reachability", node=leader.node_id, state="alive")

            # Who connects again, to the same node (ids are its own), goes on where it was.
            last_id = watchers[0].last_id
            watchers[0].close()
            seen = {data["id"] for _, data in watchers[0].events}
            resumed = self.stream(watched, last_event_id=last_id)
            victim = next(node for node in cluster.live() if node is not watched)
            victim.kill()
            resumed.wait("link", node=victim.node_id, state="down")
            self.assertEqual(seen & {data["id"] for _, data in resumed.events}, set())

    def test_a_node_tells_its_start_members_and_rolls(self):
        with Cluster(self.dir, 2, args=("--segment-bytes", str(1 << 20))).start() as cluster:
            leader = cluster.wait_leader()
            with leader.client(30) as client:
                record = json.dumps("x" * 200_000).encode()
                for _ in range(12):
                    response = client.request("POST", "/v1/logs/default/records",
                                              {"Content-Type": "application/json"}, record)
                    self.assertEqual(response.status, 201, response.body)
            told = self.events_of(leader)
            texts = [event["text"] for event in told]
            kinds = {event["kind"] for event in told}
            self.assertLessEqual({"node", "election", "leader", "membership", "link", "segment"}, kinds, texts)
            self.assertIn(f"{leader.node_id} is ready", texts)
            self.assertTrue(any("n2 joins as a learner" in text for text in texts), texts)
            self.assertTrue(any("n2 is promoted to voter" in text for text in texts), texts)
            self.assertTrue(any("a new segment begins at offset" in text for text in texts), texts)
            self.assertEqual([event["id"] for event in told],
                             sorted((event["id"] for event in told), key=lambda text: int(text.rsplit(".", 1)[1])))
            # Another node tells the same about it, and says nothing when there is no such node.
            other = cluster.followers()[0]
            answer = other.ask(f"/v1/events?follow=false&node={leader.node_id}")
            self.assertEqual(answer["node"], leader.node_id)
            self.assertEqual(answer["events"][0], told[0])
            self.assertIsNone(other.ask("/v1/events?follow=false&node=n9"))

    def events_of(self, node):
        told, target = [], "/v1/events?follow=false"
        after = ""
        while True:
            page = node.ask(target + after)
            told += page["events"]
            if not page["more"]:
                return told
            after = f"&after={page['next']}"


if __name__ == "__main__":
    main()
