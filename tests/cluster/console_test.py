#!/usr/bin/env python3
"""`cairn console` as people use it: on a pseudo-terminal, in pipes, from scripts; while nodes are killed."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import unittest
from pathlib import Path

from rig.case import Case, main, wait_until
from rig.cluster import LOG, Cluster

from harness.case import bin_dir
from harness.node import cairn, clean_environment
from harness.terminal import CTRL_C, CTRL_D, TAB, UP, Terminal

OK, FAILED, USAGE, UNREACHABLE, UNKNOWN, INTERRUPTED = 0, 1, 2, 3, 4, 130
RECORDS = 300


def append(cluster, count):
    """So many records, 20 in a batch."""
    text = "".join(json.dumps({"n": n, "text": "x" * 100}) + "\n" for n in range(count))
    done = cluster.command("append", "--batch-records", "20", "-", input=text.encode())
    assert done.returncode == 0, done.stderr


class ConsoleCase(Case):
    """Tests of one class share a cluster that nobody hurts, unless the class says otherwise."""

    @classmethod
    def setUpClass(cls):
        base = os.environ.get("CAIRN_E2E_DIR")
        if base:
            os.makedirs(base, exist_ok=True)
        cls.folder = Path(tempfile.mkdtemp(prefix=f"console-{cls.__name__}-", dir=base))
        cls.cluster = Cluster(cls.folder, 3, args=["--segment-bytes", "16384"])
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.addClassCleanup(cls.cluster.__exit__)
        cls.cluster.start()
        append(cls.cluster, RECORDS)

    def setUp(self):
        super().setUp()
        self.leader = self.cluster.wait_leader()

    def environment(self, **more):
        return {**clean_environment(), "XDG_STATE_HOME": str(self.dir), "TERM": "xterm", "LC_ALL": "C.UTF-8", **more}

    def peers(self, first=None):
        nodes = sorted(self.cluster, key=lambda node: node is not first)
        return ",".join(node.peer for node in nodes)

    def console(self, *arguments, first=None, **options):
        """Once, without a terminal."""
        return cairn("console", "--node", self.peers(first), *arguments, env=self.environment(), **options)

    def say(self, *commands, first=None):
        """The text of commands, all of which must go well."""
        done = self.console(*(word for command in commands for word in ("-c", command)), first=first)
        self.assertEqual(done.returncode, OK, done.stderr.decode())
        return done.stdout.decode()

    def documents(self, *commands, first=None):
        done = self.console("-o", "json", *(word for command in commands for word in ("-c", command)), first=first)
        self.assertEqual(done.returncode, OK, done.stderr.decode())
        lines = done.stdout.decode().splitlines()
        self.assertEqual(len(lines), len(commands))
        return [json.loads(line) for line in lines]

    def terminal(self, *arguments, first=None, environment=None, **size):
        made = Terminal([bin_dir() / "cairn", "console", "--node", self.peers(first), *arguments],
                        environment or self.environment(), **size)
        self.addCleanup(made.__exit__)
        return made

    def interactive(self, first=None, **options):
        """At its first prompt."""
        made = self.terminal(first=first, **options)
        made.expect(re.compile(r"n[123]> "))
        return made


class Scripts(ConsoleCase):
    def test_each_command_answers_as_text_and_as_json(self):
        commands = ["nodes", "members", "tree", "mailbox", "raft", "log", "segments", f"where {RECORDS - 1}",
                    "events", "metrics cairn_", "trace", "explain", "top", "help"]
        text = self.say(*commands)
        for node in ("n1", "n2", "n3"):
            self.assertIn(node, text)
        for command, document in zip(commands, self.documents(*commands)):
            with self.subTest(command=command):
                self.assertEqual(document["command"], command.split()[0])
                self.assertNotIn("error", document)

    def test_the_leader_since_when_and_the_same_from_every_node(self):
        for node in self.cluster:
            said = self.say("raft", first=node)
            self.assertIn(f"{self.leader.node_id} leads since 20", said)
            self.assertIn(" ago)", said)
            (document,) = self.documents("raft", first=node)
            self.assertEqual(document["via"], node.node_id)
            roles = {answer["node"]: answer["raft"]["role"] for answer in document["answers"]}
            self.assertEqual(roles.pop(self.leader.node_id), "leader")
            self.assertEqual(sorted(roles.values()), ["follower", "follower"])

    def test_every_record_is_in_one_segment(self):
        (document,) = self.documents("segments")
        segments = document["answers"][0]["log_state"]["segments"]
        self.assertGreater(len(segments), 2)
        for offset in (0, 150, RECORDS - 1):
            (found,) = self.documents(f"where {offset}")
            for holder in found["holds"]:
                self.assertTrue(holder["found"], holder)
                self.assertLessEqual(holder["base_offset"], offset)
                self.assertGreater(holder["next_offset"], offset)
        self.assertIn("is not there", self.say("where 99999999"))

    def test_actors_can_be_asked_on_every_node(self):
        for node in ("n1", "n2", "n3"):
            (tree,) = self.documents(f"tree {node}")
            actors = tree["answers"][0]["actors"]["actors"]
            kinds = {actor["kind"] for actor in actors}
            self.assertLessEqual({"raft", "log"}, kinds)
            raft = next(actor for actor in actors if actor["kind"] == "raft")
            said = self.say(f"actor {raft['id']} {node}")
            self.assertIn("mailbox", said)
            self.assertIn(f"on {node}", said)

    def test_trace_shows_an_appends_way(self):
        before = self.leader.ask(LOG)["next_offset"]
        (document,) = self.documents("trace")
        trace = document["answers"][0]["trace"]
        self.assertGreaterEqual(trace["offset"], before)
        self.assertGreaterEqual(trace["durable_on"], 2)
        self.assertGreater(len(trace["steps"]), 2)
        times = [step["at_ns"] for step in trace["steps"]]
        self.assertEqual(times, sorted(times))
        self.assertIn("longest before the answer: ", self.say("trace"))

    def test_explain_finds_nothing_wrong(self):
        said = self.say("explain")
        self.assertIn(f"{self.leader.node_id} leads default in term", said)
        self.assertIn("The last election was for term", said)
        self.assertIn("take appends", said)

    def test_commands_from_a_pipe(self):
        done = self.console(input=b"# a comment\n\nnodes\nquit\nraft\n")
        self.assertEqual(done.returncode, OK, done.stderr)
        self.assertIn(b"the console looks through", done.stdout)
        self.assertNotIn(b"leads since", done.stdout, "what comes behind quit is not read")
        self.assertNotIn(b"\x1b", done.stdout)

    def test_exit_codes(self):
        for commands, code, words in ((["-c", "nodes"], OK, ""),
                                      (["-c", "nodez"], USAGE, 'did you mean "nodes"'),
                                      (["-c", "actor"], USAGE, "actor needs ID"),
                                      (["-c", "actor 99999999"], FAILED, "99999999"),
                                      (["-c", "nodez", "-c", "nodes"], USAGE, ""),
                                      (["-c", "raft --node n9"], None, "n9"),
                                      (["--nonsense"], USAGE, "nonsense"),
                                      (["-o", "xml"], USAGE, "xml"),
                                      (["--timeout", "soon"], USAGE, "soon")):
            with self.subTest(commands=commands):
                done = self.console(*commands)
                self.assertIn(words, done.stderr.decode())
                if code is None:
                    self.assertIn(done.returncode, (FAILED, UNREACHABLE))
                else:
                    self.assertEqual(done.returncode, code, done.stderr)

    def test_nobody_answers(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            silent = "127.0.0.1:%d" % taken.getsockname()[1]
            for address in ("127.0.0.1:1", silent):
                with self.subTest(address=address):
                    done = cairn("console", "--node", address, "--timeout", "2", "-c", "nodes",
                                 env=self.environment(), timeout_s=20)
                    self.assertEqual(done.returncode, UNREACHABLE, done.stderr)
                    self.assertIn(address, done.stderr.decode())
                    self.assertEqual(done.stdout, b"")
        done = cairn("console", "--node", "no address", "-c", "nodes", env=self.environment())
        self.assertEqual(done.returncode, USAGE, done.stderr)

    def test_the_address_may_come_from_the_environment(self):
        done = cairn("console", "-c", "nodes", env=self.environment(CAIRN_NODE=self.peers()))
        self.assertEqual(done.returncode, OK, done.stderr)

    def test_the_console_is_no_member(self):
        with self.interactive() as terminal:
            terminal.line("nodes n1")
            terminal.expect("consoles")
            members = {one["id"] for one in self.leader.ask("/v1/cluster")["members"]}
            self.assertEqual(members, {"n1", "n2", "n3"})

    def test_follow_in_a_pipe_ends_with_sigint(self):
        process = subprocess.Popen([str(bin_dir() / "cairn"), "console", "--node", self.peers(), "-c",
                                    "events --follow"], stdout=subprocess.PIPE, env=self.environment())
        self.addCleanup(process.kill)
        self.assertTrue(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20), INTERRUPTED)
        process.stdout.close()


class Terminals(ConsoleCase):
    def test_tab_completes_commands_nodes_and_metrics(self):
        with self.interactive() as terminal:
            terminal.send(b"me" + TAB)
            terminal.expect(re.compile(r"members +metrics"))
            terminal.send(b"m" + TAB)
            terminal.expect("members ")
            terminal.send(TAB + TAB)  # what all have in common, then all
            terminal.expect(re.compile(r"n1 +n2 +n3"))
            terminal.send(b"2\r")
            terminal.expect("as n2 sees them")
            terminal.send(b"metrics cairn_" + TAB + TAB)
            terminal.expect(re.compile(r"cairn_\w+ +cairn_\w+"))

    def test_arrow_up_repeats_and_the_history_outlives_the_console(self):
        with self.interactive() as terminal:
            terminal.line("members")
            terminal.expect("as n")
            terminal.expect(re.compile(r"n[123]> "))
            terminal.send(UP + b"\r")
            terminal.expect("as n")
            terminal.line("quit")
            self.assertEqual(terminal.wait(), OK)
        history = self.dir / "cairn" / "console_history"
        self.assertIn("members", history.read_text())
        self.assertEqual(history.stat().st_mode & 0o077, 0, "others may not read what was typed")
        with self.interactive() as terminal:
            terminal.send(UP)
            terminal.expect("quit")
            terminal.send(UP + b"\r")
            terminal.expect("as n")

    def test_ctrl_c_drops_the_line_and_ctrl_d_ends(self):
        with self.interactive() as terminal:
            terminal.send("nonsense that is not run")
            terminal.expect("not run")
            terminal.send(CTRL_C)
            terminal.expect(re.compile(r"\^C\n+n[123]> "))
            terminal.line("members")
            terminal.expect("as n")
            self.assertNotIn("there is no command", terminal.text())
            terminal.expect(re.compile(r"n[123]> "))
            # libedit shows the prompt a moment before it takes keys: until then Ctrl-D is the terminal's own.
            wait_until(lambda: terminal.settings() == (False, False), 20, "it takes keys")
            terminal.send(CTRL_D)
            self.assertEqual(terminal.wait(), OK)
            self.assertEqual(terminal.settings(), (True, True), "the terminal is as it was found")

    def test_ctrl_c_ends_a_command_and_not_the_console(self):
        with self.interactive() as terminal:
            for command, shown in (("events --follow", re.compile(r"\d\d:\d\d:\d\d\.\d{3}  n[123]")),
                                   ("watch 1 raft", "every 1 s: raft"), ("top", "CPU")):
                terminal.line(command)
                terminal.expect(shown)
                terminal.send(CTRL_C)
                terminal.expect(re.compile(r"n[123]> "))
            terminal.line("quit")
            self.assertEqual(terminal.wait(), OK)
            self.assertEqual(terminal.settings(), (True, True))

    def test_top_is_drawn_anew_follows_the_window_and_ends_with_q(self):
        with self.interactive(rows=40) as terminal:
            terminal.line("top")
            for _ in range(3):
                terminal.expect(re.compile(r"through n[123]   q ends"))
                terminal.expect("MESSAGES/s")
            lines = terminal.text().splitlines()
            self.assertLessEqual(max(map(len, lines)), 80)
            terminal.resize(60, 12)
            terminal.expect(re.compile(r"through n[123]   q ends"))
            terminal.expect(re.compile(r"through n[123]   q ends"))
            terminal.send("q")
            terminal.expect(re.compile(r"n[123]> "))
            wait_until(lambda: terminal.settings() == (False, False), 20, "libedit reads keys")
            terminal.send(CTRL_D)
            self.assertEqual(terminal.wait(), OK)

    def test_a_line_is_drawn_for_the_new_width_after_a_resize(self):
        with self.interactive() as terminal:
            terminal.line("nodes")
            terminal.expect("looks through")
            terminal.expect(re.compile(r"n[123]> "))
            terminal.resize(60)
            before = len(terminal.text())
            terminal.line("nodes")
            terminal.expect("looks through")
            shown = terminal.text()[before:]
            self.assertLessEqual(max(map(len, shown.splitlines())), 66)

    def test_colours_only_where_they_are_wanted(self):
        for more, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
            with self.subTest(more=more):
                with self.terminal("-c", "raft", environment=self.environment(**more)) as terminal:
                    self.assertEqual(terminal.wait(), OK)
                    self.assertEqual(b"\x1b[3" in terminal.raw, coloured)

    def test_without_utf8_lines_are_drawn_in_ascii(self):
        with self.terminal("-c", "tree", environment=self.environment(LC_ALL="C")) as terminal:
            self.assertEqual(terminal.wait(), OK)
            self.assertTrue(terminal.raw.isascii())
            self.assertIn(b"|- ", terminal.raw)

    def test_wrong_lines_are_told_and_the_console_goes_on(self):
        with self.interactive() as terminal:
            terminal.line("rafft")
            terminal.expect('did you mean "raft"?')
            terminal.line("actor soon")
            terminal.expect('ID is a number, not "soon"')
            terminal.line("help raft")
            terminal.expect("IN FLIGHT")


class Kills(ConsoleCase):
    """The leader is killed with -9 while a console looks through it."""

    def setUp(self):
        # All at once: one of them alone may have no majority to become ready with.
        away = [node for node in self.cluster if not node.alive()]
        for node in away:
            node.spawn()
        for node in away:
            node.wait_ready()
        super().setUp()
        self.cluster.wait_voters(["n1", "n2", "n3"])

        def all_linked():
            answers = self.documents("raft")[0]["answers"]
            return len(answers) == 3 and not any("error" in answer for answer in answers)
        wait_until(all_linked, 60, "three nodes answer")
        self.leader = self.cluster.wait_leader()

    def test_it_goes_on_through_another_node_and_explains_the_election(self):
        old = self.leader
        with self.interactive(first=old) as terminal:
            self.assertIn(f"{old.node_id}> ", terminal.text())
            old.kill()
            new = self.cluster.wait_leader(but=old)
            terminal.line("raft")
            terminal.expect(f"{new.node_id} leads since", 30)
            self.assertRegex(terminal.text(), f"{old.node_id}.* (is gone|gone)")
            terminal.expect(re.compile(r"n[123]> "))
            self.assertNotIn(f"{old.node_id}> ", terminal.text()[terminal.seen - 5:])

            def explained():
                said = self.say("explain", first=new)
                return said if f"{old.node_id} is still away" in said else None
            said = wait_until(explained, 30, lambda: self.say("explain", first=new))
            flat = " ".join(said.split())
            self.assertIn(f"{new.node_id} leads default in term", flat)
            self.assertIn(f"nothing had come from {old.node_id}, which led until then", flat)
            self.assertIn(f"{new.node_id} won it", flat)
            self.assertIn(f"{old.node_id} is", flat)

    def test_follow_shows_the_election(self):
        old = self.leader
        other = self.cluster.followers()[0]
        with self.interactive(first=other) as terminal:
            terminal.line("events --follow --limit 0")
            old.kill()
            new = self.cluster.wait_leader(but=old)
            terminal.expect(re.compile(r"(election|leader) .*" + new.node_id), 30)
            terminal.send(CTRL_C)
            terminal.expect(re.compile(r"n[123]> "))

    def test_top_survives_its_node(self):
        old = self.leader
        with self.interactive(first=old) as terminal:
            terminal.line("top")
            terminal.expect(f"through {old.node_id}")
            old.kill()
            terminal.expect(re.compile(r"through (?!" + old.node_id + r")n[123]"), 30)
            terminal.send("q")
            terminal.expect(re.compile(r"n[123]> "))

    def test_too_few_nodes_are_explained(self):
        last = self.cluster.followers()[0]
        for node in self.cluster:
            if node is not last:
                node.kill()

        def explained():
            flat = " ".join(self.say("explain", first=last).split())
            return flat if "has no leader: an election needs 2 of its 3 voters" in flat else None
        flat = wait_until(explained, 60, lambda: self.say("explain", first=last))
        self.assertIn(f"only {last.node_id} answers", flat)
        for node in self.cluster:
            if node is not last:
                self.assertIn(f"{node.node_id} is missing", flat)


if __name__ == "__main__":
    main()
