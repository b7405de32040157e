"""What a run of the comparison looks like: tables of text, and a plot through plot.py."""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
LABELS = {"cairn": "Cairn", "etcd": "etcd", "nats": "NATS sync", "nats-lazy": "NATS lazy"}


def size_text(size):
    return f"{size // 1024} KiB" if size >= 1024 else f"{size} B"


def cpu_seconds(pids):
    seconds = []
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        seconds.append((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))
    return seconds


def conditions(options, versions):
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return {"when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "processor": model, "cores": os.cpu_count(),
            "load_average_at_the_end": round(os.getloadavg()[0], 1), "versions": versions, "rounds": options.rounds,
            "seconds": options.seconds, "cairn_nodes": options.cairn_nodes, "quick": options.quick}


def table(title, head, lines):
    """Markdown that is also readable as it is."""
    cells = [head, *lines]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    out = [f"## {title}", ""]
    for number, row in enumerate(cells):
        out.append("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")
        if number == 0:
            out.append("|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(out) + "\n"


def by_what(rows, part):
    """{what: {peer: row}} in the order in which they were measured."""
    found = {}
    for row in rows:
        if row["part"] == part:
            found.setdefault(row["what"], {})[row["peer"]] = row
    return found


def figures(rows, part, peers, show, title, ratio=None):
    """One line for each thing measured, one column for each peer, then Cairn's ratio to each other one."""
    found = by_what(rows, part)
    if not found:
        return ""
    others = [peer for peer in peers if peer != "cairn"] if ratio and "cairn" in peers else []
    lines = []
    for what, of in found.items():
        line = [what] + [show(of[peer]) if peer in of else "-" for peer in peers]
        for peer in others:
            value = ratio(of, peer) if peer in of and "cairn" in of else None
            line.append("-" if value is None else f"{value:.2f}")
        lines.append(line)
    head = [""] + [LABELS[peer] for peer in peers] + [f"Cairn / {LABELS[peer]}" for peer in others]
    return table(title, head, lines)


def divided(key):
    return lambda of, peer: of["cairn"][key] / of[peer][key] if of[peer][key] else None


def tables(rows, facts, peers):
    def rate(of, peer):
        return of[peer].get("cairn_ratio")

    def speed(row):
        return f"{row['per_s']:,.0f} ({row['p50_us'] / 1000:.2f})"

    def volume(row):
        return f"{row['per_s']:,.0f} ({row['per_s'] * row['bytes'] / 1e6:.0f})"

    def cpu(row):
        return f"{row['cpu_us']:.1f}"

    def seconds(row):
        return f"{row['median_s']:.2f} ({row['least_s']:.2f}-{row['most_s']:.2f})"

    cpu_ratio = divided("cpu_us")
    parts = [
        f"Measured {facts['when']} on {facts['cores']} cores ({facts['processor']}), "
        f"{facts['rounds']} interleaved rounds of {facts['seconds']} s, Cairn with {facts['cairn_nodes']} nodes; "
        f"{', '.join(f'{name} {version}' for name, version in facts['versions'].items())}; "
        f"load average {facts['load_average_at_the_end']} at the end.\n",
        figures(rows, "single", peers, speed, "Single appends: records/s (median ms)", rate),
        figures(rows, "single", peers, cpu, "Single appends: processor time of all servers, us a record", cpu_ratio),
        figures(rows, "batch", peers, volume, "Batches: records/s (MB/s)", rate),
        figures(rows, "batch", peers, cpu, "Batches: processor time of all servers, us a record", cpu_ratio),
        figures(rows, "read", peers, volume, "Sequential reads: records/s (MB/s)", rate),
        figures(rows, "disk", peers, lambda row: f"{row['bytes_a_record']:.0f} ({row['ahead_mb']:.0f})",
                "On disk: bytes a record and node (MB that a node has allocated ahead of use)",
                divided("bytes_a_record")),
        figures(rows, "failover", peers, seconds,
                "SIGKILL of the leader to the next acknowledged write: median s (least-most)", divided("median_s")),
        figures(rows, "idle", peers, lambda row: f"{row['most_percent']:.2f} % ({row['resident_mb']:.0f} MB)",
                "Idle: the busiest node's share of a core (the largest node's memory)"),
    ]
    return "\n".join(part for part in parts if part)


def draw(everything, target, say):
    """Through a Python that has matplotlib: this one, or Debian's."""
    for python in dict.fromkeys((sys.executable, "/usr/bin/python3")):
        has = subprocess.run([python, "-c", "import matplotlib"], capture_output=True, check=False)
        if has.returncode == 0:
            subprocess.run([python, HERE / "plot.py", target], input=json.dumps(everything), text=True, check=True)
            say(f"plot: {target}")
            return
    say("no plot: python3-matplotlib is not installed (scripts/setup --bench)")
