#!/usr/bin/env python3
"""Damaged files: found by `cairn verify` and by the node, never served, never cut away; an index is only a cache."""

import os
import random
import shutil
import signal

from harness.case import Case, main, wait_until
from harness.history import OK, History
from harness.http import NotSent, Unknown
from harness.node import Node, cairn
from harness.workload import RECORDS, append, read_all, read_values

SEGMENT_BYTES = 1 << 16


class Damage(Case):
    """Each test works on a copy of one clean directory."""

    def setUp(self):
        super().setUp()
        self.original = self.dir / "original"
        rng = random.Random(7)
        history = History()
        with self.node(self.original).start() as node:
            with node.client() as client:
                for i in range(200):
                    entry, _ = append(client, history, [f"{i}/" + "abcdefgh" * rng.randint(10, 300)])
                    self.assertEqual(entry.outcome, OK)
            self.records = read_all(node.http_address)
            self.assertEqual(node.stop(), 0)
        self.stores = sorted(self.original.rglob("*.store"))
        self.assertGreater(len(self.stores), 3)

    def node(self, directory):
        return Node(directory, args=["--segment-bytes", str(SEGMENT_BYTES)])

    def copy(self, name):
        shutil.copytree(self.original, self.dir / name)
        return self.dir / name

    def flip(self, path, needle):
        """One bit inside the given bytes of a file; their position."""
        content = bytearray(path.read_bytes())
        at = content.index(needle) + len(needle) // 2
        content[at] ^= 0x10
        path.write_bytes(content)
        return at

    def assert_found(self, directory, path, at, bad_offset):
        verified = cairn("verify", directory)
        said = (verified.stdout + verified.stderr).decode()
        self.assertEqual(verified.returncode, 1, said)
        self.assertIn(path.name, said)
        before = {file: file.read_bytes() for file in directory.rglob("*.store")}
        with self.node(directory) as node:
            node.spawn()
            if self.ends_or_listens(node) == "ended":
                self.assertNotIn(node.process.returncode, (0, -6, -11), node.output())
                self.assertIn(path.name, node.output())
                self.assertRegex(node.output(), r"(corrupt|damage)")
                how = f"refused to start (exit {node.process.returncode})"
            else:
                self.assert_never_serves(node, bad_offset)
                how = "serves the rest"
                node.kill()
        for file, content in before.items():
            content = content.rstrip(b"\0")  # a leader writes an entry of its own behind what is there
            now = file.read_bytes()
            self.assertEqual(now[:len(content)], content, f"{file.name} was changed or cut")
        self.note(f"bit in record {bad_offset}, {path.name} at {at}: verify said so; the node {how}")

    def ends_or_listens(self, node):
        def state():
            if not node.alive():
                return "ended"
            try:
                node.wait_listening(1)
                with node.client(2) as client:
                    return "listens" if client.get("/livez").status == 200 else None
            except (AssertionError, NotSent, Unknown):
                return None
        return wait_until(state, 30, lambda: f"the node ends or listens: {node.output()}")

    def assert_never_serves(self, node, bad_offset):
        with node.client() as client:
            answer = self.get_settled(client, bad_offset)
            self.assertEqual((answer.status, answer.json()["code"]), (500, "corruption"), answer)
            answer = client.get(f"{RECORDS}?from={bad_offset}&limit=5")
            self.assertIn(answer.status, (500, 503), answer)
            # The segment with the damage may be refused as a whole; all others go on.
            bases = [int(store.stem) for store in self.stores]
            base = max(base for base in bases if base <= bad_offset)
            behind = min([base for base in bases if base > bad_offset] + [len(self.records)])
            for record in self.records:
                answer = self.get_settled(client, record["offset"])
                if not base <= record["offset"] < behind:
                    self.assertEqual(answer.status, 200, answer)
                if answer.status == 200:
                    self.assertEqual(answer.json(), record)
                else:
                    self.assertEqual((answer.status, answer.json()["code"]), (500, "corruption"), answer)
            end = int(client.get(f"{RECORDS}/0").headers["cairn-next-offset"])
            self.assertEqual(end, len(self.records), "the log was shortened")

    def get_settled(self, client, offset):
        """The answer once it is no longer "try again": the damaged segment's actor may be on its way up again."""
        def settled():
            answer = client.get(f"{RECORDS}/{offset}")
            return None if answer.status == 503 and "retry-after" in answer.headers else answer
        return wait_until(settled, 10, f"a settled answer for {offset}")

    def damage_record(self, name, offset):
        directory = self.copy(name)
        needle = self.records[offset]["value"].encode()
        path = next(file for file in sorted(directory.rglob("*.store")) if needle in file.read_bytes())
        return directory, path, self.flip(path, needle)

    def test_a_bit_in_a_sealed_segment(self):
        for offset in (0, 20, 77):
            directory, path, at = self.damage_record(f"sealed{offset}", offset)
            self.assert_found(directory, path, at, offset)

    def test_a_bit_in_the_middle_of_the_active_segment(self):
        base = int(self.stores[-1].stem)
        for offset in (base, (base + len(self.records)) // 2):
            directory, path, at = self.damage_record(f"active{offset}", offset)
            self.assertEqual(path.name, self.stores[-1].name)
            self.assert_found(directory, path, at, offset)

    def test_a_bit_in_the_very_last_record_is_not_cut_either(self):
        """The clean close left a mark that says how far the file was durable."""
        offset = len(self.records) - 1
        directory, path, at = self.damage_record("last", offset)
        self.assert_found(directory, path, at, offset)

    def test_a_bit_in_a_file_header(self):
        directory = self.copy("header")
        path = sorted(directory.rglob("*.store"))[1]
        content = bytearray(path.read_bytes())
        content[33] ^= 1
        path.write_bytes(content)
        self.assertEqual(cairn("verify", directory).returncode, 1)
        with self.node(directory) as node:
            node.spawn()
            if self.ends_or_listens(node) == "ended":
                self.assertIn(path.name, node.output())
            else:
                with node.client() as client:
                    self.assertEqual(client.get(f"{RECORDS}/{int(path.stem)}").status, 500)

    def test_a_missing_segment_is_a_hole_and_refused(self):
        directory = self.copy("hole")
        path = sorted(directory.rglob("*.store"))[2]
        path.unlink()
        verified = cairn("verify", directory)
        self.assertEqual(verified.returncode, 1, verified.stdout + verified.stderr)
        with self.node(directory) as node:
            node.spawn()
            self.assertEqual(self.ends_or_listens(node), "ended", node.output())
            self.assertNotIn(node.process.returncode, (0, -6, -11), node.output())

    def test_a_missing_last_segment_is_noticed(self):
        directory = self.copy("no-last")
        path = sorted(directory.rglob("*.store"))[-1]
        path.unlink()
        self.assertEqual(cairn("verify", directory).returncode, 1)
        with self.node(directory) as node:
            node.spawn()
            self.assertEqual(self.ends_or_listens(node), "ended", node.output())

    def test_a_whole_directory_verifies_clean(self):
        verified = cairn("verify", self.original)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)
        self.assertIn(b"200", verified.stdout + verified.stderr)

    def test_reads_are_the_same_whatever_happened_to_index_files(self):
        def delete(path, _):
            path.unlink()

        def zero(path, _):
            path.write_bytes(bytes(path.stat().st_size))

        def truncate(path, rng):
            content = path.read_bytes()
            path.write_bytes(content[:rng.randrange(max(1, len(content)))])

        def extend(path, rng):
            path.write_bytes(path.read_bytes() + rng.randbytes(16 * rng.randint(1, 50)))

        def pad(path, _):
            path.write_bytes(path.read_bytes() + bytes(4096))

        def garble(path, rng):
            path.write_bytes(rng.randbytes(path.stat().st_size))

        def swap(path, rng):
            other = rng.choice(sorted(path.parent.glob("*.index")))
            mine, its = path.read_bytes(), other.read_bytes()
            path.write_bytes(its)
            other.write_bytes(mine)

        rng = random.Random(11)
        for damage in (delete, zero, truncate, extend, pad, garble, swap):
            with self.subTest(damage=damage.__name__):
                directory = self.copy(damage.__name__)
                for path in sorted(directory.rglob("*.index")):
                    damage(path, rng)
                with self.node(directory).start() as node:
                    self.assertEqual(read_all(node.http_address), self.records)
                    with node.client() as client:
                        for offset in rng.sample(range(len(self.records)), 40):
                            answer = client.get(f"{RECORDS}/{offset}")
                            self.assertEqual(answer.json(), self.records[offset])
                        entry, _ = append(client, History(), ["goes on"])
                        self.assertEqual((entry.outcome, entry.base), (OK, len(self.records)))
                    node.kill()  # and after a crash on top of it
                    node.start()
                    self.assertEqual(read_values(node.http_address),
                                     [record["value"] for record in self.records] + ["goes on"])
                    self.assertEqual(node.stop(), 0)
                self.assertEqual(cairn("verify", directory).returncode, 0)


    def test_indexes_cut_under_the_running_node_cost_no_record(self):
        """The kernel ends a process that writes to a mapping whose file is gone. It says why, and recovers (bug 49)."""
        directory = self.copy("cut")
        values = [record["value"] for record in self.records]
        history = History()
        with self.node(directory).start() as node:
            for path in directory.rglob("*.index"):
                os.truncate(path, 0)
            with node.client() as client:
                try:
                    append(client, history, ["perhaps"])
                except NotSent:
                    pass
            self.assertEqual(node.wait(30), -signal.SIGBUS, node.output())
            self.assertRegex(node.output(), r"critical n1 node: ended by SIGBUS: a file that is mapped .* was cut")
            node.start()
            now = read_values(node.http_address)
            self.assertEqual(now[:len(values)], values)
            self.assertIn(now[len(values):], ([], ["perhaps"]))
            self.assertEqual(node.stop(), 0)
        self.assertEqual(cairn("verify", directory).returncode, 0)


class TornTail(Case):
    def test_every_kind_of_torn_end_is_cut_and_nothing_else(self):
        history = History()
        with Node(self.dir / "n1").start() as node:
            with node.client() as client:
                for i in range(30):
                    append(client, history, [f"{i}/" + "t" * 500])
            values = read_values(node.http_address)
            node.kill()
        store = next((self.dir / "n1").rglob("*.store"))
        content = store.read_bytes()
        last = content.index(b"29/" + b"t" * 500)
        for name, torn in (("garbage behind the end", content[:last + 520] + b"\xa5" * 300 + content[last + 820:]),
                           ("half a header", content[:last + 520] + content[64:100] + content[last + 556:])):
            with self.subTest(name=name):
                directory = self.dir / name.replace(" ", "-")
                shutil.copytree(self.dir / "n1", directory)
                next(directory.rglob("*.store")).write_bytes(torn)
                with Node(directory).start() as node, node.client() as client:
                    self.assertEqual(read_values(node.http_address), values)
                    self.assertEqual(append(client, history, [name])[0].base, 30)
                    node.kill()
                    node.start()
                    self.assertEqual(read_values(node.http_address), values + [name])


if __name__ == "__main__":
    main()
