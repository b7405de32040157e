#!/usr/bin/env python3
"""One node: an append with an identity is stored once, through kill -9, restarts, new segments and retention."""

import json

from harness.case import Case, main, wait_until
from harness.identity import append_as, is_replay, key, place_of, producer
from harness.node import Node, cairn
from harness.workload import read_values

SMALL_SEGMENTS = ("--segment-bytes", "65536")


class Identities(Case):
    def assert_replay(self, response, first):
        self.assertIsNotNone(response)
        self.assertEqual(response.status, 201, response)
        self.assertTrue(is_replay(response), response)
        self.assertEqual(place_of(response), first)

    def assert_refused(self, response, status, code, outcome):
        self.assertEqual(response.status, status, response)
        self.assertEqual((response.json()["code"], response.json()["outcome"]), (code, outcome))
        return response.json()

    def test_a_key_over_kills_and_restarts(self):
        with Node(self.dir / "n1", args=SMALL_SEGMENTS).start() as node:
            self.assertEqual(append_as(node, {}, "before").status, 201)
            answer = append_as(node, key("k"), "once")
            self.assertEqual(answer.status, 201)
            self.assertFalse(is_replay(answer))
            first = place_of(answer)
            self.assert_replay(append_as(node, key('"k"'), "once"), first)
            for life in range(4):
                if life % 2 == 0:
                    node.kill()
                else:
                    self.assertEqual(node.stop(), 0)
                node.start()
                node.wait_ready()
                self.assert_replay(append_as(node, key("k"), "once"), first)
                self.assert_refused(append_as(node, key("k"), "twice"), 422, "key-reused", "rejected")
                for number in range(20):  # a segment and more
                    self.assertEqual(append_as(node, key(f"{life}/{number}"), "x" * 5000).status, 201)
            values = read_values(node.http_address)
            self.assertEqual(values.count("once"), 1)
            self.assertEqual(len(values), 2 + 4 * 20)
            self.assertEqual(node.stop(), 0)

    def test_a_key_outlives_its_record(self):
        args = (*SMALL_SEGMENTS, "--retention-bytes", "131072", "--retention-check-ms", "200")
        with Node(self.dir / "n1", args=args).start() as node:
            first = place_of(append_as(node, key("k"), "once"))
            for _ in range(100):
                self.assertEqual(append_as(node, {}, "x" * 5000).status, 201)
            wait_until(lambda: node_log(node)["lowest_offset"] > first["offset"], 60, "the record is trimmed")
            self.assert_replay(append_as(node, key("k"), "once"), first)
            node.kill()
            node.start()
            node.wait_ready()
            self.assert_replay(append_as(node, key("k"), "once"), first)

    def test_a_producer(self):
        with Node(self.dir / "n1").start() as node:
            places = [place_of(append_as(node, producer("p", 0, seq), f"a{seq}")) for seq in range(8)]
            self.assertEqual([place["offset"] for place in places], list(range(8)))
            node.kill()
            node.start()
            node.wait_ready()
            self.assert_replay(append_as(node, producer("p", 0, 7), "a7"), places[7])
            self.assert_refused(append_as(node, producer("p", 0, 7), "b7"), 422, "key-reused", "rejected")
            self.assert_refused(append_as(node, producer("p", 0, 0), "a0"), 409, "sequence-too-old", "unknown")
            gap = self.assert_refused(append_as(node, producer("p", 0, 9), "a9"), 409, "sequence-gap", "rejected")
            self.assertEqual(gap["expected_seq"], 8)
            self.assertEqual(append_as(node, producer("p", 1, 0), "new epoch").status, 201)
            self.assert_refused(append_as(node, producer("p", 0, 8), "a8"), 409, "producer-fenced", "unknown")
            self.assertEqual(len(read_values(node.http_address)), 9)

    def test_an_expected_offset_is_judged_after_the_identity(self):
        with Node(self.dir / "n1").start() as node:
            condition = {"Cairn-Expected-Offset": "0"}
            first = place_of(append_as(node, key("k"), "once", **condition))
            self.assert_replay(append_as(node, key("k"), "once", **condition), first)
            self.assertEqual(append_as(node, key("other"), "twice", **condition).status, 412)
            # What was refused has not used its key.
            self.assertEqual(append_as(node, key("other"), "twice").status, 201)

    def test_the_command_line(self):
        lines = [{"n": n} for n in range(3000)]
        file = self.dir / "lines.ndjson"
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        with Node(self.dir / "n1").start() as node:
            def append(*arguments):
                return cairn("--server", node.url, "append", "--json", *arguments, file)

            for again in range(2):
                done = append("--producer", "p", "--batch-records", "100")
                self.assertEqual(done.returncode, 0, done.stderr.decode())
                said = json.loads(done.stdout)
                self.assertEqual((said["stored"], said["already_there"]), (0, 3000) if again else (3000, 0))
                done = append("--idempotency-key", "whole")
                self.assertEqual(done.returncode, 0, done.stderr.decode())
                self.assertEqual(json.loads(done.stdout)["first_offset"], 3000)
            self.assertEqual(read_values(node.http_address), lines + lines)


def node_log(node):
    with node.client() as client:
        return client.get("/v1/logs/default").json()


if __name__ == "__main__":
    main()
