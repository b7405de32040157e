#!/usr/bin/env python3
"""Draws the figures of run.py --json (on standard input) into an SVG. usage: plot.py FILE.svg < figures.json"""

import json
import sys

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "cairn"  # same figures, same file
import matplotlib.pyplot as plt  # noqa: E402

from report import LABELS, size_text  # noqa: E402

COLOURS = {"cairn": "#b5410e", "etcd": "#4c78a8", "nats": "#54a24b", "nats-lazy": "#a5c99b"}


def lines(axes, rows, key, size, peers):
    for peer in peers:
        points = sorted((r["connections"], r[key]) for r in rows if r["peer"] == peer and r["bytes"] == size)
        if points:
            axes.plot(*zip(*points), marker="o", color=COLOURS[peer], label=LABELS[peer])
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = sorted({r["connections"] for r in rows})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.grid(True, alpha=0.3)
    axes.set_xlabel("connections")


def bars(axes, rows, key, peers, title, scale=1.0):
    whats = list(dict.fromkeys(r["what"] for r in rows))
    width = 0.8 / max(1, len(peers))
    for number, peer in enumerate(peers):
        for place, what in enumerate(whats):
            row = next((r for r in rows if r["peer"] == peer and r["what"] == what), None)
            if row:
                axes.bar(place + number * width, row[key] * scale, width, color=COLOURS[peer])
    axes.set_xticks([i + 0.4 - width / 2 for i in range(len(whats))], whats, fontsize=8)
    axes.set_title(title, fontsize=10)
    axes.grid(True, axis="y", alpha=0.3)


def main():
    figures = json.load(sys.stdin)
    rows, facts = figures["rows"], figures["conditions"]
    of = lambda part: [r for r in rows if r["part"] == part]  # noqa: E731
    peers = [p for p in LABELS if any(r["peer"] == p for r in rows)]
    sizes = sorted({r["bytes"] for r in of("single")})
    below = [(part, key, title, scale) for part, key, title, scale in (
        ("batch", "per_s", "batches: thousand records/s", 1e-3),
        ("read", "per_s", "sequential reads: thousand records/s", 1e-3),
        ("disk", "bytes_a_record", "bytes on disk a record and node", 1),
        ("failover", "median_s", "failover, s", 1)) if of(part)]
    columns = max(len(sizes), len(below), 1)
    heights = [1, 1] if sizes else []
    heights += [1] if below else []
    figure, axes = plt.subplots(len(heights), columns, figsize=(4.2 * columns, 3.4 * len(heights)), squeeze=False)
    for row in axes:
        for one in row:
            one.set_visible(False)
    for column, size in enumerate(sizes):
        for line, (key, unit) in enumerate((("per_s", "records/s"), ("cpu_us", "us of all servers a record"))):
            one = axes[line][column]
            one.set_visible(True)
            lines(one, of("single"), key, size, peers)
            one.set_title(f"single appends of {size_text(size)}: {unit}", fontsize=10)
    for column, (part, key, title, scale) in enumerate(below):
        one = axes[-1][column]
        one.set_visible(True)
        bars(one, of(part), key, peers, title, scale)
    handles = [plt.Line2D([], [], color=COLOURS[p], marker="o", label=LABELS[p]) for p in peers]
    figure.legend(handles=handles, loc="upper right", ncol=len(peers), frameon=False)
    figure.suptitle(f"three-node clusters on one machine of {facts['cores']} cores, {facts['when']}"
                    f"{' (quick: not a measurement)' if facts['quick'] else ''}", x=0.01, ha="left", fontsize=11)
    figure.tight_layout(rect=(0, 0, 1, 0.97))
    figure.savefig(sys.argv[1], format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
