#!/usr/bin/env python3
"""What it costs to be looked at: appends with a console's `top` and scrapes of /metrics, and without.

usage: observed.py [--rounds N] [--seconds S] [--bytes B] [--connections C] [--bin DIR] [--dir DIR]

Two clusters of three nodes stand ready, one as users start them and one without a flight recorder; one load at a time.
Each round loads the first alone, the first while `cairn console` shows `top` on a terminal and every node's /metrics is
fetched each second, and the second alone, in another order each time; a ratio is of two loads of the same round. Last,
questions as the console puts them are timed under load (inspect_bench).
"""

import argparse
import http.client
import json
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "compare"))

import clusters  # noqa: E402
import report  # noqa: E402

SHARE_LIMIT, ANSWER_LIMIT_MS = 0.97, 100
PLAIN, OBSERVED, BLIND = "as users start it", "with top and scrapes", "without a flight recorder"
SCRAPE_EVERY_S = 1.0


def say(text):
    print(text, file=sys.stderr, flush=True)


class Observers:
    """`top` in a console on a terminal of its own, and a scrape of each node every second."""

    def __init__(self, options, cluster):
        self.cluster, self.ending = cluster, threading.Event()
        self.scrapes, self.scraped_bytes, self.drawn_bytes = 0, 0, 0
        self.master, slave = pty.openpty()
        leader = cluster.leader()
        command = [options.bin / "cairn", "console", "--node", f"{clusters.HOST}:{cluster.peer[leader]}"]
        self.console = subprocess.Popen([str(x) for x in command], stdin=slave, stdout=slave, stderr=slave,
                                        env={**os.environ, "TERM": "xterm-256color"}, start_new_session=True)
        os.close(slave)
        os.write(self.master, b"top\n")
        self.threads = [threading.Thread(target=what, daemon=True) for what in (self.watch, self.scrape)]
        for thread in self.threads:
            thread.start()

    def watch(self):
        while not self.ending.is_set():
            try:
                self.drawn_bytes += len(os.read(self.master, 1 << 16))
            except OSError:
                return

    def scrape(self):
        while not self.ending.wait(SCRAPE_EVERY_S):
            for port in self.cluster.http:
                connection = http.client.HTTPConnection(clusters.HOST, port, timeout=5)
                connection.request("GET", "/metrics")
                self.scraped_bytes += len(connection.getresponse().read())
                self.scrapes += 1
                connection.close()

    def end(self):
        self.ending.set()
        self.console.kill()
        self.console.wait()
        os.close(self.master)
        self.threads[1].join()
        if not self.scrapes or self.drawn_bytes < 1000:
            raise clusters.Trouble(f"nobody looked: {self.scrapes} scrapes, {self.drawn_bytes} bytes on the screen")
        return {"scrapes": self.scrapes, "bytes": self.scraped_bytes // self.scrapes, "drawn": self.drawn_bytes}


def load_command(options, cluster, seconds):
    return [str(x) for x in (
        options.bin / "compare_load", "--peer", "cairn", "--work", "append", "--connections", options.connections,
        "--bytes", options.bytes, "--seconds", seconds, "--address",
        f"{clusters.HOST}:{cluster.client_port(cluster.leader())}")]


def load(options, cluster, seconds):
    """Records a second, and the servers' processor time in us for each."""
    before = sum(report.cpu_seconds(cluster.pids()))
    done = subprocess.run(load_command(options, cluster, seconds), stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise clusters.Trouble("the load generator failed")
    figures = json.loads(done.stdout)
    spent = sum(report.cpu_seconds(cluster.pids())) - before
    return figures["records"] / figures["seconds"], spent / figures["records"] * 1e6


def one(options, kind, normal, blind):
    if kind == BLIND:
        return load(options, blind, options.seconds)
    if kind == PLAIN:
        return load(options, normal, options.seconds)
    observers = Observers(options, normal)
    try:
        found = load(options, normal, options.seconds)
    finally:
        seen = observers.end()
    say(f"    {seen['scrapes']} scrapes of {seen['bytes']:,} B, {seen['drawn']:,} B drawn by top")
    return found


def rounds(options, normal, blind):
    kinds, found = [PLAIN, OBSERVED, BLIND], {PLAIN: [], OBSERVED: [], BLIND: []}
    for cluster in (normal, blind):
        load(options, cluster, min(3, options.seconds))
    for number in range(options.rounds):
        order = kinds[number % 3:] + kinds[:number % 3]
        for kind in (order if number % 2 == 0 else order[::-1]):
            found[kind].append(one(options, kind, normal, blind))
            say(f"  round {number + 1} of {options.rounds}, {kind}: {found[kind][-1][0]:,.0f} records/s")
    return found


def lines(found):
    out = []
    for kind, base in ((PLAIN, None), (OBSERVED, PLAIN), (BLIND, PLAIN)):
        speed, spent = (statistics.median(x[i] for x in found[kind]) for i in (0, 1))
        ratio = ""
        if base:
            of = [mine[0] / other[0] for mine, other in zip(found[kind], found[base])]
            ratio = f"{statistics.median(of):.3f} ({min(of):.3f}-{max(of):.3f})"
            if kind == OBSERVED:
                ratio += f", at least {SHARE_LIMIT}: {'met' if statistics.median(of) >= SHARE_LIMIT else 'MISSED'}"
        out.append([kind, f"{speed:,.0f}", f"{spent:.2f}", ratio])
    return out


def answers(options, cluster):
    process = subprocess.Popen(load_command(options, cluster, options.seconds + 2), stdout=subprocess.DEVNULL)
    time.sleep(1)
    try:
        asked = subprocess.run([str(options.bin / "inspect_bench"), f"{clusters.HOST}:{cluster.peer[cluster.leader()]}",
                                str(int(options.seconds))], stdout=subprocess.PIPE, text=True)
    finally:
        process.wait()
    return asked.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    build = HERE.parent / "build" / "release"
    parser.add_argument("--bin", type=Path, default=build / "bin", help="the folder of cairnd, cairn and the tools")
    parser.add_argument("--dir", type=Path, help="where the data goes")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=6, help="of each load")
    parser.add_argument("--bytes", type=int, default=100, help="of a record")
    parser.add_argument("--connections", type=int, default=256)
    options = parser.parse_args()
    parent = options.dir or options.bin.parent / "bench-data"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as work:
        program = str(options.bin / "cairnd")
        normal = clusters.Cairn(program, 3, Path(work) / "normal")
        blind = clusters.Cairn(program, 3, Path(work) / "blind", ["--recorder-bytes", "0"])
        try:
            normal.start()
            blind.start()
            found = rounds(options, normal, blind)
            asked = answers(options, normal)
        except clusters.Trouble as trouble:
            sys.exit(f"error: {trouble}")
        finally:
            normal.stop()
            blind.stop()
    title = (f"Looked at, {options.connections} connections, {options.bytes} B, "
             f"{options.rounds} rounds of {options.seconds:g} s")
    head = ["", "records/s, median", "us of all servers a record", "of the first, the same round"]
    print(report.table(title, head, lines(found)))
    print(f"Answers to a console under that load (aim {ANSWER_LIMIT_MS} ms):\n\n{asked}", end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
