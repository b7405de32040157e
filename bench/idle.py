#!/usr/bin/env python3
"""What a cluster costs that nobody asks anything: share of a core, wake-ups and memory of each node.

usage: idle.py [--bin DIR] [--dir DIR] [--nodes N] [--seconds S] [--settle S]
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "compare"))

import clusters  # noqa: E402
import report  # noqa: E402

LIMIT_PERCENT = 1.0


def wake_ups(pid):
    """Times that a thread of the process gave up its core by itself."""
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        try:
            lines = status.read_text().splitlines()
        except FileNotFoundError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    build = HERE.parent / "build" / "release"
    parser.add_argument("--bin", type=Path, default=build / "bin", help="the folder of cairnd")
    parser.add_argument("--dir", type=Path, help="where the data goes")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--settle", type=float, default=5, help="seconds before it is measured")
    options = parser.parse_args()
    parent = options.dir or options.bin.parent / "bench-data"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as work:
        cluster = clusters.Cairn(str(options.bin / "cairnd"), options.nodes, Path(work) / "cairn")
        try:
            cluster.start()
            clusters.http_json(cluster.http[0], "POST", "/v1/logs/default/records", {"hello": "idle"})
            print(f"{options.nodes} nodes, nobody asks; measuring {options.seconds:g} s", file=sys.stderr, flush=True)
            time.sleep(options.settle)
            cpu, woken = report.cpu_seconds(cluster.pids()), [wake_ups(pid) for pid in cluster.pids()]
            time.sleep(options.seconds)
            lines, leader = [], cluster.leader()
            for index, pid in enumerate(cluster.pids()):
                share = (report.cpu_seconds([pid])[0] - cpu[index]) / options.seconds * 100
                per_s = (wake_ups(pid) - woken[index]) / options.seconds
                lines.append([f"n{index + 1}" + (" (leader)" if index == leader else ""), f"{share:.2f} %",
                              f"{per_s:.0f}", f"{cluster.memory_mb(index):.0f}",
                              "met" if share < LIMIT_PERCENT else "MISSED"])
        except clusters.Trouble as trouble:
            sys.exit(f"error: {trouble}")
        finally:
            cluster.stop()
    head = ["node", "of a core", "wake-ups/s", "anonymous MB", f"under {LIMIT_PERCENT:g} %"]
    print(report.table("Idle", head, lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
