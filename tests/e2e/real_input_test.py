#!/usr/bin/env python3
"""This machine's Debian package index, a package a record: appended by `cairn append` and by curl in turn, the node
killed in the middle, finished, and read back in three ways: identical, in order, dense from offset 0."""

import hashlib
import json
import random
import signal
import subprocess
import sys
import unittest

from harness.case import REPOSITORY, Case, bin_dir, main, wait_until
from harness.http import EventStream, Http
from harness.node import Node, cairn, clean_environment, have
from harness.workload import RECORDS

PACKAGES_MIN = 10_000  # fewer are no real index
PART_LINES = 2000


def converter():
    found = sorted((REPOSITORY / "tests" / "data").glob("packages_to_ndjson*"))
    if not found:
        raise AssertionError("tests/data/packages_to_ndjson* is missing")
    return [sys.executable, str(found[0])] if found[0].suffix == ".py" else [str(found[0])]


def synthetic_index(packages=60_000):
    """What `apt-cache dumpavail` prints, for machines without an index: same shape, same size, same every time."""
    rng = random.Random(12)
    words = ["log", "server", "library", "gr\u00f6\u00dfe", "tool", "data", "\u65e5\u672c", "python3", "actor", "index"]
    for number in range(packages):
        name = f"{rng.choice(words)}-{rng.choice(words)}{number}"
        depends = ", ".join(f"lib{rng.choice(words)}{rng.randrange(100)} (>= {rng.randrange(9)}.{rng.randrange(99)})"
                            for _ in range(rng.randrange(12)))
        lines = [f"Package: {name}", f"Version: {rng.randrange(9)}.{rng.randrange(99)}-1",
                 f"Installed-Size: {rng.randrange(100000)}", f"Maintainer: {rng.choice(words)} <x@example.org>"]
        if depends:
            lines.append(f"Depends: {depends}")
        lines.append(f"Description: {' '.join(rng.choices(words, k=8))}")
        lines += [f" {' '.join(rng.choices(words, k=12))}" for _ in range(rng.randrange(6))]
        lines += ["Tag: role::program,", f" works-with::{rng.choice(words)}", f"SHA256: {rng.randbytes(32).hex()}"]
        yield "\n".join(lines) + "\n\n"


class RealInput(Case):
    def package_index(self):
        """(text in bytes, where it is from)."""
        if have("apt-cache"):
            text = subprocess.run(["apt-cache", "dumpavail"], capture_output=True).stdout
            if text.count(b"\nPackage: ") + 1 >= PACKAGES_MIN:
                return text, "apt-cache dumpavail"
        self.note("this machine has no package index worth the name: a synthetic one of the same shape is used")
        return "".join(synthetic_index()).encode(), "a synthetic index"

    def convert(self, index):
        done = subprocess.run(converter(), input=index, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.split(b"\n")
        self.assertEqual(lines.pop(), b"")
        packages = index.count(b"\nPackage: ") + index.startswith(b"Package: ")
        self.assertEqual(len(lines), packages)
        return lines

    def test_the_package_index_survives_a_kill_in_the_middle(self):
        if not have("curl"):
            raise unittest.SkipTest("curl is not installed")
        index, origin = self.package_index()
        lines = self.convert(index)
        self.note(f"{len(lines)} packages from {origin}, {len(index) >> 20} MB, as NDJSON "
                  f"{sum(map(len, lines)) >> 20} MB")
        everything = self.dir / "packages.ndjson"
        everything.write_bytes(b"\n".join(lines) + b"\n")
        with Node(self.dir / "n1").start() as node:
            self.append_by_turns(node, lines, len(lines) // 2)
            self.kill_in_the_middle(node, everything, len(lines))
            node.start()
            self.finish(node, everything, lines)
            self.compare(node, lines, (self.by_pages, self.by_ndjson, self.by_events))
            node.kill()
            node.start()
            self.compare(node, lines, (self.by_ndjson,))
            self.assertEqual(node.stop(), 0)
        verified = cairn("verify", node.directory)
        self.assertEqual(verified.returncode, 0, verified.stdout + verified.stderr)

    def append_by_turns(self, node, lines, end):
        """The first half, a part with `cairn append`, the next with curl."""
        for turn, start in enumerate(range(0, end, PART_LINES)):
            part = self.dir / "part.ndjson"
            chosen = lines[start:min(start + PART_LINES, end)]
            part.write_bytes(b"\n".join(chosen) + b"\n")
            if turn % 2 == 0:
                done = cairn("-s", node.url, "append", "--json", part)
                self.assertEqual(done.returncode, 0, done.stderr)
                first = json.loads(done.stdout)["first_offset"]
            else:
                done = subprocess.run(
                    ["curl", "-sS", "--fail-with-body", "-H", "Content-Type: application/x-ndjson", "--data-binary",
                     f"@{part}", node.url + RECORDS], capture_output=True)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                receipt = json.loads(done.stdout)
                self.assertEqual(receipt["count"], len(chosen))
                first = receipt["offset"]
            self.assertEqual(first, start)

    def kill_in_the_middle(self, node, everything, count):
        """kill -9 while `cairn append` is at it, somewhere in the third quarter."""
        process = subprocess.Popen(
            [str(bin_dir() / "cairn"), "-s", node.url, "append", "--at", "0", "--batch-records", "50", str(everything)],
            stderr=subprocess.PIPE, env=clean_environment())
        with node.client() as client:
            wait_until(lambda: client.get("/v1/logs/default").json()["next_offset"] > count // 2 + count // 10 or
                       process.poll() is not None, 120, "a third of the second half")
        self.assertIsNone(process.poll(), "the append was over before the node could be killed")
        node.process.send_signal(signal.SIGKILL)
        said = process.communicate(timeout=60)[1].decode()
        node.kill()
        self.assertIn(process.returncode, (3, 4), said)
        self.assertRegex(said, r"Every line before line \d+ is stored")
        self.note(f"the node was killed; cairn append (exit {process.returncode}): {said.strip().splitlines()[0]}")

    def finish(self, node, everything, lines):
        with node.client() as client:
            there = client.get("/v1/logs/default").json()["next_offset"]
        self.assertLess(there, len(lines))
        done = cairn("-s", node.url, "append", "--at", "0", everything)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{there:,} lines stood there already".encode(), done.stderr)
        with node.client() as client:
            self.assertEqual(client.get("/v1/logs/default").json()["next_offset"], len(lines))

    def compare(self, node, lines, ways):
        """By range pages, NDJSON, server-sent events: one SHA-256 over all values in order."""
        expected = hashlib.sha256(b"\n".join(canonical(json.loads(line)) for line in lines)).hexdigest()
        for way in ways:
            digest, count = hashlib.sha256(), 0
            for record in way(node, len(lines)):
                self.assertEqual(record["offset"], count, f"{way.__name__}: not dense")
                digest.update((b"\n" if count else b"") + canonical(record["value"]))
                count += 1
            self.assertEqual((count, digest.hexdigest()), (len(lines), expected), way.__name__)
        # The bytes themselves: what `cairn read --format raw` prints is the input, byte for byte.
        raw = cairn("-s", node.url, "read", "--format", "raw")
        self.assertEqual(raw.returncode, 0, raw.stderr)
        self.assertEqual(hashlib.sha256(raw.stdout).digest(), hashlib.sha256(b"\n".join(lines) + b"\n").digest())

    def by_pages(self, node, count):
        position = 0
        with Http(node.http_address, 60) as client:
            while position < count:
                page = client.get(f"{RECORDS}?from={position}&limit=1000&max_bytes=4194304").json()
                self.assertTrue(page["records"], f"no records at {position}")
                yield from page["records"]
                position = page["next_offset"]

    def by_ndjson(self, node, count):
        position = 0
        with Http(node.http_address, 60) as client:
            while position < count:
                page = client.get(f"{RECORDS}?from={position}&limit=10000&max_bytes=16777216",
                                  {"Accept": "application/x-ndjson"}).lines()
                self.assertTrue(page, f"no records at {position}")
                yield from page
                position = page[-1]["offset"] + 1

    def by_events(self, node, count):
        with EventStream(node.http_address, f"{RECORDS}?from=earliest", 60) as stream:
            self.assertEqual(stream.status, 200)
            for record in stream.records():
                yield record
                if record["offset"] == count - 1:
                    return


def canonical(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=False, separators=(",", ":")).encode()


if __name__ == "__main__":
    main()
