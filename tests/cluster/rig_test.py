#!/usr/bin/env python3
"""What the rig does to nodes is what it says, and what it looks for is found."""

import shutil
import struct
import subprocess
import sys
import time

import rig  # noqa: F401 (where the package harness is)
from harness.history import History
from harness.node import Node
from harness.workload import append
from rig.case import Case, main
from rig.clocks import Clocks
from rig.replicas import differences, frames_of

# What a program sees of its clocks, as it runs: one line per question.
WATCH = """
import ctypes, select, sys, time
libc = ctypes.CDLL(None, use_errno=True)
class Spec(ctypes.Structure):
    _fields_ = [("s", ctypes.c_long), ("ns", ctypes.c_long)]
def timer(absolute, s, ns):
    '''Fires within 5 s?'''
    timer = libc.timerfd_create(time.CLOCK_MONOTONIC, 0)
    value = (Spec * 2)(Spec(0, 0), Spec(s, ns))
    assert libc.timerfd_settime(timer, absolute, ctypes.byref(value), None) == 0
    return bool(select.select([timer], [], [], 5)[0])
for line in sys.stdin:
    print(eval(line), flush=True)
"""

# Each waits until a time of the wall clock: how far a jump would carry it nobody knows.
WALL_WAITS = {
    "a condition variable": "libc.pthread_cond_timedwait(b(64), b(64), b(16))",
    "a condition variable that names the clock": "libc.pthread_cond_clockwait(b(64), b(64), 0, b(16))",
    "a semaphore": "libc.sem_timedwait(b(64), b(16))",
    "a mutex": "libc.pthread_mutex_timedlock(b(64), b(16))",
    "a timer descriptor": "libc.timerfd_create(0, 0)",
    "a sleep": "libc.clock_nanosleep(0, 1, b(16), None)",
}


class Watched:
    """A process whose clocks the rig sets."""

    node_id = "n1"

    def __init__(self, clocks):
        self.process = subprocess.Popen([sys.executable, "-c", WATCH], text=True, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env=clocks.environment(self.node_id))

    def ask(self, question):
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        return eval(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class ClockShim(Case):
    def setUp(self):
        super().setUp()
        self.clocks = Clocks(self.dir)
        self.watched = Watched(self.clocks)
        self.addCleanup(self.watched.end)

    def wall_ns(self):
        """How far the wall clock of the process is from this one's: within what the question took."""
        before = time.time_ns()
        there = self.watched.ask("time.time_ns()")
        return there - time.time_ns(), there - before

    def test_the_wall_clock_is_where_it_was_set(self):
        for words, offset_s in (("+0s", 0), ("+1d", 86400), ("-1h", -3600), ("-5s", -5), ("+2m", 120)):
            self.clocks.set(self.watched, words)
            least_ns, most_ns = self.wall_ns()
            self.assertTrue(least_ns <= offset_s * 10**9 <= most_ns, f"{words}: {least_ns} to {most_ns} ns")

    def test_speed_is_that_of_the_last_words_alone(self):
        self.clocks.set(self.watched, "+0s x1000")
        first, second = (self.watched.ask("(timer(0, 0, 1000000), time.monotonic_ns(), time.time_ns(), "
                                          "time.monotonic_ns())")[1:] for _ in range(2))
        wall, least, most = second[1] - first[1], second[0] - first[2], second[2] - first[0]
        self.assertTrue(1000 * least <= wall + 1000 and wall <= 1000 * most + 1000,
                        f"{wall} ns of the wall clock in {least} to {most} ns")
        self.clocks.set(self.watched, "-1h")
        least_ns, most_ns = self.wall_ns()
        self.assertTrue(least_ns <= -3600 * 10**9 <= most_ns, f"{least_ns} to {most_ns} ns")

    def test_the_monotonic_clock_and_its_timers_know_nothing_of_it(self):
        for words in ("+0s", "+1d", "-1d", "+1h", "-1h x2"):
            self.clocks.set(self.watched, words)
            before = time.monotonic_ns()
            there = self.watched.ask("time.monotonic_ns()")
            self.assertTrue(before <= there <= time.monotonic_ns(), words)
            # One that is due since long ago fires at once, whatever the wall clock has done since.
            self.assertTrue(self.watched.ask("timer(1, 0, 1)"), f"{words}: an absolute timer does not fire")
            self.assertTrue(self.watched.ask("timer(0, 0, 1000000)"), f"{words}: a timer does not fire")

    def test_a_wait_until_a_time_of_the_wall_clock_ends_the_process(self):
        for what, call in WALL_WAITS.items():
            program = f"import ctypes; libc = ctypes.CDLL(None); b = ctypes.create_string_buffer; {call}"
            done = subprocess.run([sys.executable, "-c", program], env=self.clocks.environment("n2"),
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, -6, f"{what}: {done}")
            self.assertIn("clock_shim: check failed", done.stderr, what)
            self.assertIn("wall clock", done.stderr, what)


def flip(within):
    """Another bit at this byte of a frame in the middle of the first segment."""
    def change(log):
        path = min(log.glob("*.store"))
        data = bytearray(path.read_bytes())
        at = 64
        for _ in range(100):
            at = (at + 64 + struct.unpack_from("<I", data, at + 8)[0] + 7) // 8 * 8
        data[at + within] ^= 1
        path.write_bytes(data)
    return change


# What may not be: one bit, or one file.
HARM = {
    "a byte of a payload": flip(64 + 500),
    "a payload's stated checksum": flip(16),
    "a payload's size": flip(8),
    "a count of records": flip(12),
    "a term": flip(24),
    "an index": flip(32),
    "an offset": flip(40),
    "a timestamp": flip(48),
    "a kind": flip(60),
    "a codec": flip(61),
    "the last segment is gone": lambda log: max(log.glob("*.store")).unlink(),
}
# What belongs to each node alone: the checksum that ties the header to the file, and how much was durable by then.
NO_HARM = {"a header's checksum": flip(0), "a durable position": flip(56)}


class Replicas(Case):
    """One log three times stands for three replicas, one of them hurt."""

    def setUp(self):
        super().setUp()
        self.end = 700
        with Node(self.dir / "n1", args=("--segment-bytes", str(1 << 20))).start() as node:
            with node.client() as client:
                for i in range(self.end):
                    append(client, History(), [f"{i:04}" + "x" * 2000])
            self.assertEqual(node.stop(), 0, node.output())
        self.log = node.directory / "logs" / "default"
        self.assertGreater(len(list(self.log.glob("*.store"))), 1, "several segments")

    def compare(self, hurt=None, who="b", end=None):
        logs = {name: self.dir / name for name in ("a", "b", "c")}
        for name, log in logs.items():
            shutil.rmtree(log, ignore_errors=True)
            shutil.copytree(self.log, log)
            if hurt and name == who:
                hurt(log)
        return differences({name: frames_of(log) for name, log in logs.items()}, end or self.end)

    def test_equal_replicas_are_equal(self):
        self.assertEqual(self.compare(), [])
        for what, change in NO_HARM.items():
            self.assertEqual(self.compare(change), [], what)

    def test_every_harm_is_found_in_every_replica(self):
        for what, harm in HARM.items():
            for who in ("a", "b", "c"):
                with self.subTest(what=what, who=who):
                    try:
                        found = self.compare(harm, who)
                    except AssertionError as error:  # segments that do not fit together
                        found = [str(error)]
                    self.assertNotEqual(found, [])

    def test_records_that_all_lack_are_missed(self):
        self.assertNotEqual(self.compare(end=self.end + 1), [])


if __name__ == "__main__":
    main()
