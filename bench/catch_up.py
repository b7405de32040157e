#!/usr/bin/env python3
"""A follower is stopped under full load and goes on: the leader's memory meanwhile, and how fast it catches up.

usage: catch_up.py [--seconds S] [--work append|batch] [--bytes B] [--keep-loading] [--bin DIR] [--dir DIR]

The follower gets SIGSTOP: its connection stays, it just takes nothing. Memory is what is not backed by files. The log
grows by all that is appended: 300 s of batches need room for some 70 GB on each of two nodes, single records a tenth.
"""

import argparse
import json
import os
import shutil
import signal
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

GROWTH_LIMIT_MB, SPEED_LIMIT_MB = 64, 200
CATCH_UP_DEADLINE_S = 600


def say(text):
    print(text, file=sys.stderr, flush=True)


class Watch(threading.Thread):
    """Largest anonymous memory of a node while it runs."""

    def __init__(self, cluster, index):
        super().__init__(daemon=True)
        self.cluster, self.index, self.most_mb = cluster, index, 0.0
        self.ending = threading.Event()

    def run(self):
        while not self.ending.wait(0.2):
            self.most_mb = max(self.most_mb, self.cluster.memory_mb(self.index))

    def end(self):
        self.ending.set()
        self.join()
        return self.most_mb


def start_load(options, cluster, leader, seconds):
    command = [options.bin / "compare_load", "--peer", "cairn", "--work", options.work, "--connections",
               options.connections, "--bytes", options.bytes, "--seconds", seconds, "--address",
               f"{clusters.HOST}:{cluster.client_port(leader)}"]
    if options.work == "batch":
        command += ["--records-a-request", max(1, min(1000, (1 << 20) // options.bytes))]
    return subprocess.Popen([str(x) for x in command], stdout=subprocess.PIPE, text=True)


def finished_load(process):
    said = process.communicate()[0]
    if process.returncode != 0:
        raise clusters.Trouble("the load generator failed")
    figures = json.loads(said)
    if figures["refusals"]:
        say(f"  refused: {figures['refusals']}, the first: {figures['refusal'][:200]}")
    return figures["records"] / figures["seconds"]


def measure(options, cluster):
    leader = cluster.leader()
    follower = (leader + 1) % cluster.count
    finished_load(start_load(options, cluster, leader, min(10, options.seconds)))  # queues and caches have their size
    baseline = cluster.memory_mb(leader)
    load = start_load(options, cluster, leader, min(10, options.seconds))
    watch = Watch(cluster, leader)
    watch.start()
    whole_rate = finished_load(load)
    with_all = watch.end()
    say(f"n{leader + 1} leads with {baseline:.0f} MB, {with_all:.0f} under load; n{follower + 1} is stopped for "
        f"{options.seconds:g} s of {options.work} {options.bytes} B")
    begin_bytes = cluster.describe(leader)["bytes"]
    os.kill(cluster.pids()[follower], signal.SIGSTOP)
    watch = Watch(cluster, leader)
    watch.start()
    try:
        rate = finished_load(start_load(options, cluster, leader, options.seconds))
    finally:
        os.kill(cluster.pids()[follower], signal.SIGCONT)
    most = watch.end()
    if cluster.leader() != leader:
        say("the leader has changed: its memory means little")
    end = cluster.describe(leader)
    behind = (end["bytes"] - begin_bytes) / 1e6
    load = start_load(options, cluster, leader, CATCH_UP_DEADLINE_S) if options.keep_loading else None
    begun = time.monotonic()
    watch = Watch(cluster, leader)
    watch.start()
    try:
        while cluster.describe(follower)["next_offset"] < end["next_offset"]:
            if time.monotonic() - begun > CATCH_UP_DEADLINE_S:
                raise clusters.Trouble(f"n{follower + 1} has not caught up after {CATCH_UP_DEADLINE_S} s")
            time.sleep(0.02)
    finally:
        if load:
            load.kill()
            load.wait()
    took = time.monotonic() - begun
    catching = watch.end()
    speed = behind / took
    return [
        ["records/s with all nodes", f"{whole_rate:,.0f}", ""],
        ["records/s with the follower stopped", f"{rate:,.0f}", ""],
        ["leader's memory under load, all nodes, MB", f"{with_all:.0f}", ""],
        ["leader's memory, follower stopped, growth, MB", f"{most - with_all:.0f}",
         f"under {GROWTH_LIMIT_MB}: {'met' if most - with_all < GROWTH_LIMIT_MB else 'MISSED'}"],
        ["leader's memory while it catches up, growth, MB", f"{catching - with_all:.0f}",
         f"under {GROWTH_LIMIT_MB}: {'met' if catching - with_all < GROWTH_LIMIT_MB else 'MISSED'}"],
        ["the follower was behind by, MB", f"{behind:,.0f}", ""],
        ["caught up in, s", f"{took:.2f}", ""],
        ["caught up at, MB/s", f"{speed:,.0f}",
         f"at least {SPEED_LIMIT_MB}: {'met' if speed >= SPEED_LIMIT_MB else 'MISSED'}"],
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    build = HERE.parent / "build" / "release"
    parser.add_argument("--bin", type=Path, default=build / "bin", help="the folder of cairnd and compare_load")
    parser.add_argument("--dir", type=Path, help="where the data goes")
    parser.add_argument("--seconds", type=float, default=300, help="that the follower is stopped")
    parser.add_argument("--work", default="append", choices=("append", "batch"))
    parser.add_argument("--bytes", type=int, default=1024, help="of a record")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--keep-loading", action="store_true", help="go on with the load while it catches up")
    options = parser.parse_args()
    parent = options.dir or options.bin.parent / "bench-data"
    parent.mkdir(parents=True, exist_ok=True)
    say(f"room on the disk: {shutil.disk_usage(parent).free / 1e9:.0f} GB")
    with tempfile.TemporaryDirectory(dir=parent) as work:
        cluster = clusters.Cairn(str(options.bin / "cairnd"), 3, Path(work) / "cairn")
        try:
            cluster.start()
            lines = measure(options, cluster)
        except clusters.Trouble as trouble:
            sys.exit(f"error: {trouble}")
        finally:
            cluster.stop()
    title = f"A follower stopped for {options.seconds:g} s under {options.work} of {options.bytes} B"
    print(report.table(title, ["", "measured", "target"], lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
