#!/usr/bin/env python3
"""The command line client as people use it: help, exit codes, pipes, terminals, restarts under its feet."""

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import threading
import time

from harness.case import Case, bin_dir, main, wait_until
from harness.node import Node, cairn, clean_environment
from harness.workload import read_all, read_values

COMMANDS = (("append",), ("read",), ("tail",), ("logs",), ("logs", "describe"), ("logs", "list"), ("ready",),
            ("verify",), ("bench",), ("console",), ("log-level",))
NO_BAR_BEFORE_S = 0.1  # progress_bar::update
ESTABLISHED = "01"
OK, FAILED, USAGE, UNREACHABLE, UNKNOWN, INTERRUPTED = 0, 1, 2, 3, 4, 130


def start_cairn(*arguments, **options):
    return subprocess.Popen([str(bin_dir() / "cairn"), *map(str, arguments)], env=clean_environment(), **options)


def request_waits_at(port):
    """Whether bytes have arrived at this TCP port that its process has not read."""
    with open("/proc/net/tcp") as table:
        rows = [line.split() for line in table][1:]
    # Address and port in hexadecimal digits; "to be sent:to be read".
    return any(int(row[1].split(":")[1], 16) == port and row[3] == ESTABLISHED and int(row[4].split(":")[1], 16) > 0
               for row in rows)


def lines_of(count, start=0):
    return "".join(json.dumps({"n": n, "text": f"line {n} \u00e4\u20ac"}) + "\n" for n in range(start, start + count))


class Help(Case):
    def test_every_command_explains_itself(self):
        for command in ((),) + COMMANDS:
            with self.subTest(command=command):
                done = cairn(*command, "--help")
                self.assertEqual(done.returncode, OK, done.stderr)
                said = done.stdout.decode()
                self.assertIn("--help", said)
                self.assertGreater(len(said.splitlines()), 5)
                self.assertLessEqual(max(map(len, said.splitlines())), 110)
        said = cairn("--help").stdout.decode()
        for command in COMMANDS:
            self.assertIn(command[0], said)
        self.assertIn("Exit codes", said)

    def test_wrong_usage_is_2_and_names_the_word(self):
        for arguments in (("frobnicate",), ("read", "--nonsense"), ("read", "--from", "soon"),
                          ("append", "--batch-records", "0"), (), ("logs",), ("verify",), ("bench", "dance"),
                          ("read", "--limit", "-3"), ("--server", "not a url", "read"), ("read", "--format", "xml")):
            with self.subTest(arguments=arguments):
                done = cairn(*arguments)
                self.assertEqual(done.returncode, USAGE, done.stdout + done.stderr)
                self.assertTrue(done.stderr, "nothing on stderr")


class Commands(Case):
    def setUp(self):
        super().setUp()
        self.node = Node(self.dir / "n1").start()
        self.addCleanup(self.node.kill)

    def cairn(self, *arguments, **options):
        return cairn("--server", self.node.url, *arguments, **options)

    def append_lines(self, count):
        done = self.cairn("append", "-", input=lines_of(count).encode())
        self.assertEqual(done.returncode, OK, done.stderr)

    def test_ready_says_whether_the_node_serves(self):
        done = self.cairn("ready")
        self.assertEqual(done.returncode, OK, done.stderr)
        self.assertTrue(done.stdout)
        self.assertEqual(self.cairn("--quiet", "ready").stdout, b"")
        self.node.kill()
        self.assertEqual(self.cairn("ready").returncode, UNREACHABLE)

    def test_append_and_read_from_file_and_standard_input(self):
        text = lines_of(2500)
        file = self.dir / "input.ndjson"
        file.write_text(text)
        done = self.cairn("append", file)
        self.assertEqual(done.returncode, OK, done.stderr)
        self.assertEqual(done.stdout, b"")
        self.assertIn(b"2,500 records", done.stderr)
        done = self.cairn("append", "-", "--json", input=text.encode())
        self.assertEqual(json.loads(done.stdout)["next_offset"], 5000)
        done = self.cairn("append", "--format", "text", "-q", "-", input=b"plain text\nmore\n")
        self.assertEqual((done.returncode, done.stderr), (OK, b""))
        self.assertEqual(self.cairn("read", "--format", "raw", "--limit", "5000").stdout.decode(), text * 2)
        self.assertEqual(self.cairn("read", "--from", "5000", "--format", "text").stdout, b"plain text\nmore\n")
        records = [json.loads(line) for line in self.cairn("read").stdout.splitlines()]
        self.assertEqual(records, read_all(self.node.http_address))
        self.assertEqual(json.loads(self.cairn("read", "--format", "json", "-n", "2").stdout)[1]["offset"], 1)
        self.assertEqual(self.cairn("read", "--from", "latest").stdout, b"")
        self.assertEqual(self.cairn("append", os.devnull).returncode, OK)

    def test_a_bad_line_is_named_and_nothing_behind_it_is_stored(self):
        done = self.cairn("append", "-", input=(lines_of(3) + "{nonsense\n" + lines_of(3)).encode())
        self.assertEqual(done.returncode, FAILED)
        self.assertIn(b"line 4", done.stderr)
        self.assertEqual(len(read_values(self.node.http_address)), 3)
        for arguments in (("append", self.dir / "missing"), ("append", self.dir), ("read", "--log", "nosuch"),
                          ("logs", "describe", "nosuch"), ("read", "--from", "99")):
            with self.subTest(arguments=arguments):
                done = self.cairn(*arguments)
                self.assertEqual(done.returncode, FAILED, done.stdout + done.stderr)
                self.assertTrue(done.stderr)

    def test_exit_codes_without_a_node(self):
        address = self.node.url
        self.node.kill()
        for arguments in (("read",), ("tail", "-f"), ("logs", "describe", "default"), ("append", "-"),
                          ("bench", "-d", "1")):
            with self.subTest(arguments=arguments):
                done = cairn("--server", address, "--timeout", "3", *arguments, input=lines_of(1).encode())
                self.assertEqual(done.returncode, UNREACHABLE, done.stdout + done.stderr)
                self.assertIn(address.split("//")[1].encode(), done.stderr)
        self.assertEqual(cairn("verify", self.dir / "nothing").returncode, USAGE)

    def test_a_reader_that_goes_away_is_no_error(self):
        self.append_lines(20000)
        program = bin_dir() / "cairn"
        done = subprocess.run(["bash", "-c", f"set -o pipefail; '{program}' -s {self.node.url} read | head -n 3"],
                              capture_output=True, env=clean_environment(), timeout=60)
        self.assertEqual(len(done.stdout.splitlines()), 3)
        self.assertEqual(done.stderr, b"")
        self.assertIn(done.returncode, (0, 141))

    def test_describe_list_and_bench(self):
        self.append_lines(10)
        described = json.loads(self.cairn("logs", "describe", "default", "-o", "json").stdout)
        self.assertEqual((described["log"], described["next_offset"]), ("default", 10))
        self.assertIn(b"default", self.cairn("logs", "list").stdout)
        for mode in ("append", "read"):
            done = self.cairn("bench", mode, "-d", "0.5", "--warm-up", "0", "-c", "4", "-o", "json")
            self.assertEqual(done.returncode, OK, done.stderr)
            self.assertTrue(json.loads(done.stdout))

    def test_progress_is_shown_on_a_terminal_only(self):
        file = self.dir / "big.ndjson"
        file.write_text(lines_of(150_000))
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        # Work that is done in a moment shows no bar, and a fast machine would do all of this in one. So the node
        # holds the first request back until the work has begun longer ago than that moment.
        self.node.pause()
        process = start_cairn("-s", self.node.url, "append", "--batch-records", "500", file, stderr=slave, stdout=slave,
                              stdin=subprocess.DEVNULL)
        os.close(slave)
        port = self.node.http_address[1]
        wait_until(lambda: request_waits_at(port), 60, "a request is on its way")
        sent = time.monotonic()
        wait_until(lambda: time.monotonic() - sent > 2 * NO_BAR_BEFORE_S, 60, "the bar may be drawn")
        self.node.resume()
        shown = self.drain(master)
        self.assertEqual(process.wait(60), OK, shown)
        self.assertRegex(shown, r"\d+% \[#* *\] [\d,]+ records")
        self.assertIn("150,000 records", shown)
        frames = [part for part in shown.split("\r\x1b[K") if "%" in part]
        for frame in frames:
            self.assertLess(len(frame.strip()), 100, "wider than the terminal")
        self.note(f"{len(frames)} pictures of the bar; the last: {frames[-1].strip()}")
        done = self.cairn("append", file)
        self.assertNotIn(b"\x1b", done.stderr)

    def drain(self, descriptor):
        pieces = []
        while select.select([descriptor], [], [], 60)[0]:
            try:
                piece = os.read(descriptor, 65536)
            except OSError:  # the other side has been closed
                break
            if not piece:
                break
            pieces.append(piece)
        os.close(descriptor)
        return b"".join(pieces).decode(errors="replace")

    def test_tail_follows_new_records_and_a_restart(self):
        self.append_lines(5)
        self.node.keep_address()
        tail = start_cairn("-s", self.node.url, "--retry", "60", "tail", "-f", "-n", "2", stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
        seen, lock = [], threading.Condition()

        def collect():
            for line in tail.stdout:
                with lock:
                    seen.append(json.loads(line)["offset"])
                    lock.notify_all()
        reader = threading.Thread(target=collect)
        reader.start()

        def wait_for(last):
            with lock:
                lock.wait_for(lambda: seen and seen[-1] >= last, 30)
                self.assertEqual(seen, list(range(3, last + 1)))
        try:
            wait_for(4)
            self.append_lines(3)
            wait_for(7)
            self.node.kill()
            self.node.start()
            self.append_lines(3)
            wait_for(10)
            self.assertEqual(self.node.stop(), 0)
            self.node.start()
            self.append_lines(2)
            wait_for(12)
        finally:
            tail.send_signal(signal.SIGINT)
            code = tail.wait(20)
            reader.join()
            said = tail.stderr.read()
            tail.stdout.close()
            tail.stderr.close()
        self.assertEqual(code, INTERRUPTED, said)

    def test_append_with_retry_survives_kills_without_a_duplicate(self):
        text = lines_of(60_000)
        file = self.dir / "input.ndjson"
        file.write_text(text)
        self.node.keep_address()
        process = start_cairn("-s", self.node.url, "--retry", "60", "append", "--at", "0", "--batch-records", "100",
                              file, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.kill)
        for goal in (5_000, 15_000, 30_000):
            def reached():
                with self.node.client() as client:
                    return client.get("/v1/logs/default").json()["next_offset"] >= goal
            wait_until(reached, 60, f"{goal} records")
            self.assertIsNone(process.poll(), "it was done before it could be disturbed")
            self.node.kill()
            self.node.start()
        said = process.communicate(timeout=120)
        self.assertEqual(process.returncode, OK, said)
        self.note(said[1].decode().strip().splitlines()[0])
        values = read_values(self.node.http_address)
        self.assertEqual(values, [json.loads(line) for line in text.splitlines()])
        again = self.cairn("append", "--at", "0", file)
        self.assertEqual(again.returncode, OK, again.stderr)
        self.assertIn(b"60,000 lines stood there already", again.stderr)
        self.assertEqual(len(read_values(self.node.http_address)), 60_000)

    def test_an_interrupted_append_says_how_to_go_on(self):
        process = start_cairn("-s", self.node.url, "append", "-", stdin=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdout=subprocess.PIPE)
        process.stdin.write(lines_of(1000).encode())
        process.stdin.flush()

        def stored():
            with self.node.client() as client:
                return client.get("/v1/logs/default").json()["next_offset"] == 1000
        wait_until(stored, 20, "1000 records through an open pipe")
        process.send_signal(signal.SIGINT)
        code = process.wait(20)
        said = process.stderr.read().decode()
        for pipe in (process.stdin, process.stderr, process.stdout):
            pipe.close()
        self.assertEqual(code, INTERRUPTED, said)
        self.assertRegex(said, r"1,000 records")
        self.assertIn("--from-line 1001", said)


if __name__ == "__main__":
    main()
