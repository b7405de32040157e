#!/usr/bin/env python3
"""scripts/up as a stranger uses it: start, look, kill one, start again, end; on ports of its own."""

import os
import re
import signal
import socket
import subprocess

from harness.case import REPOSITORY, Case, bin_dir, main, wait_until
from harness.http import Http

UP = REPOSITORY / "scripts" / "up"
RECORDS = "/v1/logs/default/records"


def free_block(count):
    """The first of `count` ports in a row that nobody has at the moment."""
    for first in range(21000, 32000, 37):
        sockets = []
        try:
            for port in range(first, first + count):
                one = socket.socket()
                sockets.append(one)
                one.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise AssertionError("no free ports")


class Up(Case):
    def setUp(self):
        super().setUp()
        self.first = free_block(27)
        self.addCleanup(self.end_all)

    def up(self, *arguments):
        ports = f"{self.first},{self.first + 9},{self.first + 18}"
        command = [UP, "--data", self.dir / "up", "--ports", ports, *arguments]
        if "--down" not in arguments and "--status" not in arguments:
            command += ["--bin", bin_dir()]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def pid(self, number):
        return int((self.dir / "up" / f"n{number}" / "cairnd.pid").read_text())

    def end_all(self):
        for file in (self.dir / "up").glob("n*/cairnd.pid"):
            try:
                os.kill(int(file.read_text()), signal.SIGKILL)
            except (OSError, ValueError):
                pass

    def append(self, number, text):
        with Http(("127.0.0.1", self.first + number - 1)) as http:
            answer = http.request("POST", RECORDS, {"Content-Type": "text/plain"}, text.encode())
            self.assertEqual(answer.status, 201, answer)
            return answer.json()

    def read(self, number, offset):
        with Http(("127.0.0.1", self.first + number - 1)) as http:
            answer = http.get(f"{RECORDS}/{offset}")
            return answer.json().get("value") if answer.status == 200 else None

    def kill(self, number):
        pid = self.pid(number)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not alive(pid), 10, f"process {pid} is gone")

    def ran_well(self, ran):
        self.assertEqual(ran.returncode, 0, ran.stdout + ran.stderr)
        return ran.stdout

    def test_one_node_comes_goes_and_keeps_its_data(self):
        self.ran_well(self.up("--nodes", "1"))
        self.assertEqual(self.append(1, "first")["replicas"], 1)
        before = self.pid(1)
        self.assertIn("One node is ready", self.ran_well(self.up("--nodes", "1")))
        self.assertEqual(self.pid(1), before, "a second run must leave alone what runs")
        self.assertEqual(self.up("--status").returncode, 0)
        self.ran_well(self.up("--down"))
        self.assertEqual(self.up("--status").returncode, 3)
        self.ran_well(self.up("--nodes", "1"))
        self.assertEqual(self.read(1, 0), "first")

    def test_three_nodes_survive_the_loss_of_one_and_take_it_back(self):
        tour = self.ran_well(self.up())
        self.assertEqual(len(re.findall(r"/readyz: 200", tour)), 3, tour)
        self.assertEqual(self.append(2, "by the second")["replicas"], 3)
        self.kill(1)
        self.assertEqual(self.up("--status").returncode, 3)
        second = self.append(3, "while the first is dead")
        self.assertEqual(second["offset"], 1)
        self.ran_well(self.up())
        wait_until(lambda: self.read(1, 1) == "while the first is dead", 30, "the first node has what it missed")
        refused = self.up("--nodes", "1")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("holds 3 nodes", refused.stderr)
        self.ran_well(self.up("--down"))
        self.ran_well(self.up())
        self.assertEqual(self.append(1, "after a restart of all")["offset"], 2)

    def test_a_taken_port_and_bad_arguments_are_named(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", self.first))
            taken.listen()
            ran = self.up("--nodes", "1")
        self.assertEqual(ran.returncode, 1)
        self.assertIn(f"port {self.first}", ran.stderr)
        for arguments, name in ((["--nodes", "0"], "--nodes"), (["--nodes", "ten"], "--nodes"), (["--what"], "--what")):
            ran = self.up(*arguments)
            self.assertEqual(ran.returncode, 2)
            self.assertIn(name, ran.stderr)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    main()
