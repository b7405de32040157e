#!/usr/bin/env python3
"""The flight recorder: after kill -9 of the leader, the new one's recording says why it was elected."""

import json

from rig.case import Case, main
from rig.cluster import Cluster

from harness.node import cairn

RECORDS = "/v1/logs/default/records"


class Recorder(Case):
    def saved(self, cluster, node, name):
        file = self.dir / name
        done = cluster.command("recorder", "save", file, "--node", node.node_id, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"steps of node {node.node_id} since", done.stdout)
        return file

    def append(self, node, text):
        with node.client() as client:
            answer = client.request("POST", RECORDS, {"Content-Type": "text/plain"}, text.encode())
        self.assertEqual(answer.status, 201)

    def replay(self, file, *options):
        done = cairn("replay", file, *options, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_the_new_leader_says_why_it_was_elected(self):
        with Cluster(self.dir, 3).start() as cluster:
            old = cluster.wait_leader()
            for number in range(20):
                self.append(old, f"a secret, number {number}\n")
            old.kill()
            new = cluster.wait_leader(but=old)
            self.append(new, "and on\n")
            file = self.saved(cluster, new, "new.dump")
            [voter] = [node for node in cluster.live() if node is not new]
            other = self.saved(cluster, voter, "voter.dump")

            story = self.replay(file, "--show", "elections")
            self.assertIn(f"ticks without a word from {old.node_id}, who led term", story)
            self.assertIn("becomes a pre-candidate", story)
            self.assertRegex(story, r"becomes the leader of term \d+: n\d and n\d voted for it \(2 of 3 voters")
            self.assertIn("in each the core did what it did then", story)
            self.assertIn(f"votes for {new.node_id} in term", self.replay(other, "--show", "elections"))
            self.assertNotIn(b"secret", file.read_bytes())

            steps = [json.loads(line) for line in self.replay(file, "-o", "json").splitlines()]
            self.assertEqual([step["step"] for step in steps], list(range(1, len(steps) + 1)))
            elected = [step for step in steps if step["after"]["role"] == "leader" != step["before"]["role"]]
            self.assertEqual(len(elected), 1)
            self.assertEqual([step["mismatch"] for step in steps if step["mismatch"]], [])
            number = elected[0]["step"]
            few = self.replay(file, "--from", str(number - 2), "--until", str(number), "-o", "json").splitlines()
            self.assertEqual([json.loads(line)["step"] for line in few], [number - 2, number - 1, number])
            one = self.replay(file, "--from", str(number), "--until", str(number))
            self.assertRegex(one, r"n\d and n\d voted for it", "names are learned in steps that are not shown, too")

    def test_files_are_not_replaced_and_bad_ones_are_named(self):
        with Cluster(self.dir, 1).start() as cluster:
            file = self.saved(cluster, cluster["n1"], "one.dump")
            again = cluster.command("recorder", "save", file, text=True)
            self.assertEqual(again.returncode, 1)
            self.assertIn("--force", again.stderr)
            self.assertEqual(cluster.command("recorder", "save", file, "--force").returncode, 0)
            nobody = cluster.command("recorder", "save", self.dir / "no.dump", "--node", "n9")
            self.assertEqual(nobody.returncode, 1, nobody.stderr)
            self.assertFalse((self.dir / "no.dump").exists())
            whole = file.read_bytes()
            for name, content, expected in [
                ("cut.dump", whole[:-7], "the file ends within section"),
                ("rotten.dump", whole[:200] + bytes([whole[200] ^ 1]) + whole[201:], "checksum of section"),
                ("foreign.dump", b"hello, world, this is something else\n", "no dump of a flight recorder"),
            ]:
                bad = self.dir / name
                bad.write_bytes(content)
                done = cairn("replay", bad, text=True)
                self.assertEqual(done.returncode, 1)
                self.assertIn(expected, done.stderr)
                self.assertIn(name, done.stderr)
            self.assertEqual(cairn("replay", self.dir / "nothing.dump").returncode, 1)


if __name__ == "__main__":
    main()
