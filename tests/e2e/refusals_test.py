#!/usr/bin/env python3
"""What cairnd must refuse at its start, and how: exit code, and a sentence that names the cause."""

import os
import socket
import subprocess

from harness.case import Case, bin_dir, main, wait_until
from harness.http import NotSent, Unknown
from harness.node import Node, clean_environment
from harness.workload import RECORDS


def text_append(node, value):
    with node.client() as client:
        return client.request("POST", RECORDS, {"Content-Type": "text/plain"}, value.encode())


class Refusals(Case):
    def run_to_end(self, *arguments, env=None, defaults=True):
        """Runs cairnd, which is expected to end by itself: (exit code, what it said)."""
        command = [str(bin_dir() / "cairnd")]
        variables = {name[2:].upper().replace("-", "_") for name in arguments}
        for name, value in (("data-dir", str(self.dir / "data")), ("http", "127.0.0.1:0"), ("grpc", "127.0.0.1:0"),
                            ("peer", "127.0.0.1:0")):
            given = name.upper().replace("-", "_")
            if defaults and given not in variables and f"CAIRN_{given}" not in (env or {}):
                command += [f"--{name}", value]
        done = subprocess.run(command + list(arguments), capture_output=True, text=True, timeout=30,
                              env={**clean_environment(), **(env or {})}, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout + done.stderr

    def assert_refused(self, code, pattern, *arguments, **options):
        got, said = self.run_to_end(*arguments, **options)
        self.assertEqual(got, code, said)
        self.assertRegex(said, pattern)
        self.assertLess(len(said.splitlines()), 15, f"a refusal is a sentence, not this:\n{said}")

    def test_a_second_node_on_the_same_directory(self):
        with Node(self.dir / "n1").start() as node:
            ports = (node.directory / "ports.json").read_text()
            self.assert_refused(1, r"(in use|another process|locked)", "--data-dir", str(node.directory))
            self.assertEqual((node.directory / "ports.json").read_text(), ports, "the first node's file was changed")
            self.assertEqual(text_append(node, "still here").status, 201)
            self.assertEqual(node.stop(), 0)
        with Node(self.dir / "n1").start() as node:
            node.kill()  # the lock of a dead process is none
            node.start()

    def test_another_node_id_on_existing_data(self):
        with Node(self.dir / "n1").start() as node:
            text_append(node, "x")
            self.assertEqual(node.stop(), 0)
        other = Node(self.dir / "n1", node_id="n2")
        with other:
            other.spawn()
            self.assertEqual(other.wait(20), 2, other.output())
            self.assertIn("n1", other.output())
            self.assertIn("n2", other.output())
            self.assertIn("node-id", other.output())

    def test_bad_flags(self):
        for flag, value in (("--http", "nonsense"), ("--http", "127.0.0.1:99999"), ("--segment-bytes", "12"),
                            ("--segment-bytes", "5GiB"), ("--segment-bytes", "-1"), ("--segment-bytes", "much"),
                            ("--node-id", "a/b"), ("--node-id", ""), ("--data-dir", ""), ("--log-level", "loud"),
                            ("--max-record-bytes", "0"), ("--http-threads", "0"), ("--retention-ms", "1x")):
            with self.subTest(flag=flag, value=value):
                self.assert_refused(2, flag, flag, value)
        for arguments in (("--no-such-flag",), ("--segment-byte", "65536"), ("stray",)):
            with self.subTest(arguments=arguments):
                self.assert_refused(2, arguments[0], *arguments)
        for arguments in (("--join", "nobody"), ("--join", "127.0.0.1:0"), ("--bootstrap", "--join", "127.0.0.1:7080"),
                          ("--advertise-host", "a.name"), ("--election-ms", "1"), ("--zone", "a b")):
            with self.subTest(arguments=arguments):
                self.assert_refused(2, arguments[0], *arguments)
        self.assertFalse((self.dir / "data" / "ports.json").exists())

    def test_bad_variables_and_files(self):
        self.assert_refused(2, "CAIRN_SEGMENT_BYTES", env={"CAIRN_SEGMENT_BYTES": "12"})
        self.assert_refused(2, "CAIRN_HTTP", env={"CAIRN_HTTP": "x"})
        for name, text, pattern in (
                ("value", 'segment_bytes = "much"\n', "segment_bytes"),
                ("type", "segment_bytes = [1]\n", "segment_bytes"),
                ("float", "segment_bytes = 65536.5\n", "segment_bytes"),
                ("unknown", "segment_byte = 65536\n", "segment_byte"),
                ("table", "[storage]\nsegment_bytes = 65536\n", "storage"),
                ("syntax", "segment_bytes = = 3\n", r"syntax\.toml:1"),
                ("binary", "\0\1\2", "binary")):
            with self.subTest(file=name):
                file = self.dir / f"{name}.toml"
                file.write_text(text)
                self.assert_refused(2, pattern, "--config", str(file))
        self.assert_refused(2, "missing.toml", "--config", str(self.dir / "missing.toml"))
        self.assert_refused(2, "missing.toml", env={"CAIRN_CONFIG": str(self.dir / "missing.toml")})

    def test_a_flag_wins_over_a_variable_over_a_file(self):
        file = self.dir / "node.toml"
        file.write_text('segment_bytes = "64KiB"\nmax_record_bytes = 1000\nretention_ms = "2h"\n')

        def settings(name, *arguments, **env):
            with Node(self.dir / name, args=["--config", str(file), *arguments], env=env).start() as node:
                with node.client() as client:
                    return client.get("/v1/logs/default").json()["settings"]
        found = settings("file")
        self.assertEqual((found["segment_bytes"], found["max_record_bytes"], found["retention_ms"]),
                         (65536, 1000, 7200000))
        found = settings("variable", CAIRN_SEGMENT_BYTES="131072", CAIRN_MAX_RECORD_BYTES="2000")
        self.assertEqual((found["segment_bytes"], found["max_record_bytes"], found["retention_ms"]),
                         (131072, 2000, 7200000))
        found = settings("flag", "--segment-bytes", "256KiB", CAIRN_SEGMENT_BYTES="131072")
        self.assertEqual((found["segment_bytes"], found["max_record_bytes"]), (262144, 1000))

    def test_a_taken_port(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.assert_refused(1, rf"127\.0\.0\.1\D+{port}: Address already in use", "--http", f"127.0.0.1:{port}")
        self.assert_refused(1, r"203\.0\.113\.1", "--http", "203.0.113.1:1")
        # and nothing is left that would stop a good start
        with Node(self.dir / "data").start() as node:
            self.assertEqual(text_append(node, "x").status, 201)

    def test_a_directory_that_cannot_be_used(self):
        file = self.dir / "a-file"
        file.write_text("x")
        self.assert_refused(1, "a-file", "--data-dir", str(file))
        self.assert_refused(1, "a-file", "--data-dir", str(file / "below"))
        if os.geteuid() == 0:
            self.assert_refused(1, "/proc/", "--data-dir", "/proc/cairn")
        else:
            closed = self.dir / "closed"
            closed.mkdir(mode=0o500)
            self.assert_refused(1, "closed", "--data-dir", str(closed / "data"))

    def test_help_and_version(self):
        for flag, pattern in (("--help", "(?s)--node-id.*--data-dir.*--http.*Exit codes"), ("--version", r"\d+\.\d+")):
            code, said = self.run_to_end(flag, defaults=False)
            self.assertEqual(code, 0)
            self.assertRegex(said, pattern)

    def test_port_0_is_told_in_ports_json_and_files_are_private(self):
        with Node(self.dir / "n1").start() as node:
            self.assertGreater(node.http_address[1], 0)
            self.assertIn("http", node.ports)
            self.assertEqual(node.directory.stat().st_mode & 0o077, 0, "others can read the data directory")
            for path in node.directory.rglob("*"):
                self.assertEqual(path.stat().st_mode & 0o022, 0, f"others can write {path}")
            node.kill()
            for garbage in ("", "{", '{"http": "127.0.0.1:1"}'):
                (node.directory / "ports.json").write_text(garbage)
                node.spawn()
                node.wait_ready()
                node.kill()

    def test_ports_json_comes_as_soon_as_it_can_be_written(self):
        node = Node(self.dir / "n1")
        obstacle = node.directory / "ports.json.next"
        obstacle.mkdir(parents=True)
        with node.spawn():
            wait_until(lambda: "serves http://" in node.output(), 15, lambda: f"it serves: {node.output()}")
            self.assertIn("cannot write ports.json", node.output())
            self.assertFalse((node.directory / "ports.json").exists())
            obstacle.rmdir()
            node.wait_ready()

    def test_two_signals_end_it_at_once(self):
        with Node(self.dir / "n1").start() as node:
            stream = node.client()
            stream.stream(f"{RECORDS}?from=earliest", {"Accept": "text/event-stream"})
            node.process.terminate()
            try:
                node.process.terminate()
            except ProcessLookupError:
                pass
            node.wait(10)
            stream.close()

            def refused():
                try:
                    with node.client(1) as client:
                        client.get("/livez")
                except (NotSent, Unknown):
                    return True
            wait_until(refused, 5, "nobody listens any more")


if __name__ == "__main__":
    main()
