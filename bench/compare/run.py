#!/usr/bin/env python3
"""Drives Cairn, etcd (JSON gateway) and NATS JetStream through the same work, as clusters on loopback, in one run.

usage: run.py [--quick] [--only PARTS] [--peers NAMES] [--json FILE] [--plot FILE] ...

In every round each peer does the same work in turn, with one load generator (compare_load: one thread, epoll) that is
sent to the leader. Only ratios of one run count: servers and load share the machine. Records are acknowledged when they
are synced on a majority, except by `nats-lazy`, which is NATS as it comes. etcd and NATS are those that
`scripts/setup --bench` fetches, or of PATH; a peer whose program is missing is left out, and a line says so.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import clusters  # noqa: E402
import failover  # noqa: E402
import report  # noqa: E402

PARTS = ["single", "batch", "read", "disk", "failover", "idle"]
BATCH_SIZES = [256, 1024, 16384]
READ_BYTES = 256


def say(text):
    print(text, file=sys.stderr, flush=True)


def cache_dir():
    return Path(os.environ.get("CAIRN_CACHE") or
                Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cairn")


def find_program(named, name):
    """The program that was named, that of scripts/setup --bench, or that of PATH."""
    if named:
        return str(named) if shutil.which(named) else None
    fetched = cache_dir() / "peers" / name
    return str(fetched) if fetched.exists() else shutil.which(name)


def version_of(program):
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\d+\.\d+\.\d+", said)
    return found.group(0) if found else "unknown version"


def find_peers(options):
    """{name: (class, program)} of those that can run here, and their versions."""
    programs = {"cairn": str(options.bin / "cairnd") if (options.bin / "cairnd").exists() else None,
                "etcd": find_program(options.etcd, "etcd"),
                "nats": find_program(options.nats, "nats-server")}
    programs["nats-lazy"] = programs["nats"]
    peers, versions = {}, {}
    for name in options.peers:
        program = programs[name]
        label = clusters.CLUSTERS[name].label
        if program is None:
            remedy = "scripts/build" if name == "cairn" else "scripts/setup --bench"
            say(f"{label} is left out: its program is not here ({remedy})")
            continue
        version = version_of(program)
        if name == "nats" and tuple(map(int, version.split(".")[:2])) < (2, 10):
            say(f"{label} is left out: nats-server {version} cannot sync on each write, 2.10 and newer can")
            continue
        peers[name], versions[label] = (clusters.CLUSTERS[name], program), version
    return peers, versions


class Run:
    def __init__(self, options, peers, work):
        self.options = options
        self.peers = peers
        self.work = work
        self.clusters = {}
        self.rows = []
        self.begun = time.monotonic()
        self.started = 0

    def progress(self, text):
        say(f"{time.monotonic() - self.begun:6.0f} s  {text}")

    def start(self, name):
        cluster_class, program = self.peers[name]
        nodes = self.options.cairn_nodes if name == "cairn" else 3
        self.started += 1
        cluster = cluster_class(program, nodes, self.work / f"{self.started}-{name}")
        self.clusters[name] = cluster
        cluster.start()
        return cluster

    def start_all(self):
        for name in self.peers:
            if name not in self.clusters:
                self.progress(f"starting {clusters.CLUSTERS[name].label}")
                self.start(name)

    def stop_all(self):
        for cluster in self.clusters.values():
            cluster.stop()
        self.clusters = {}

    def load(self, cluster, work, connections, **more):
        """One run of compare_load against the leader; its figures and what follows from them."""
        leader = cluster.leader()
        if leader is None:
            raise clusters.Trouble(f"{cluster.label} has no leader")
        arguments = {"peer": cluster.kind, "work": work, "connections": connections, "name": cluster.name,
                     "address": f"{clusters.HOST}:{cluster.client_port(leader)}", "first-key": cluster.next_key,
                     "seconds": self.options.seconds, "warm-up": self.options.warm_up, **more}
        command = [self.options.bin / "compare_load"]
        for key, value in arguments.items():
            command += [f"--{key}", str(value)]
        for pid in cluster.pids():
            command += ["--pid", str(pid)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            raise clusters.Trouble(f"{cluster.label}: {ran.stderr.strip()}\n{cluster.said(leader)}")
        figures = json.loads(ran.stdout)
        cluster.next_key = figures["next_key"]
        if figures["records"] == 0:
            raise clusters.Trouble(f"{cluster.label} stored or read nothing: {figures}")
        if figures["refusals"]:
            say(f"          {cluster.label} refused {figures['refusals']} requests: {figures['refusal'][:200]}")
        figures["per_s"] = figures["records"] / figures["seconds"]
        figures["cpu_us"] = sum(figures["server_cpu_s"]) / figures["records"] * 1e6
        figures["load_cpu_us"] = figures["own_cpu_s"] / figures["records"] * 1e6
        figures["resident_mb"] = cluster.resident_mb()
        return figures

    def alternate(self, part, what, bytes_, connections, one_run):
        """`rounds` times each peer in turn; the medians of each go into the rows."""
        runs = {name: [] for name in self.peers}
        for _ in range(self.options.rounds):
            for name in self.peers:
                runs[name].append(one_run(self.clusters[name]))
        line = []
        for name in self.peers:
            of = lambda key, name=name: statistics.median(run[key] for run in runs[name])  # noqa: E731
            row = {"part": part, "what": what, "bytes": bytes_, "connections": connections, "peer": name,
                   "refusals": sum(run["refusals"] for run in runs[name])}
            for key in ("per_s", "p50_us", "p99_us", "cpu_us", "load_cpu_us", "resident_mb"):
                row[key] = of(key)
            if name != "cairn" and "cairn" in self.peers:
                row["cairn_ratio"] = statistics.median(
                    ours["per_s"] / theirs["per_s"] for ours, theirs in zip(runs["cairn"], runs[name]))
            self.rows.append(row)
            line.append(f"{clusters.CLUSTERS[name].label} {row['per_s']:,.0f}/s")
        self.progress(f"{what}: {', '.join(line)}")

    def single(self):
        self.start_all()
        for size in self.options.sizes:
            for connections in self.options.connections:
                self.alternate("single", f"{report.size_text(size)}, {connections} connections", size, connections,
                               lambda cluster: self.load(cluster, "append", connections, bytes=size))

    def batch_arguments(self, cluster, size):
        """(connections, arguments): what suits each; the same in peers' own benchmarks."""
        if cluster.kind == "nats":
            return 4, {"work": "append", "in-flight": 1000 if size < 16384 else 250}
        if cluster.kind == "etcd":  # transactions of 128 at most, 1.5 MB
            return 16, {"work": "batch", "records-a-request": 64}
        return 4, {"work": "batch", "records-a-request": min(1000, (1 << 20) // size)}

    def batch(self):
        self.start_all()

        def one_run(cluster, size):
            connections, more = self.batch_arguments(cluster, size)
            return self.load(cluster, more.pop("work"), connections, bytes=size, **more)

        for size in BATCH_SIZES:
            self.alternate("batch", f"{report.size_text(size)}, batches", size, 0,
                           lambda cluster: one_run(cluster, size))

    def read(self):
        """Every peer reads what was appended for this alone, in fresh clusters."""
        self.stop_all()
        self.start_all()
        for name, cluster in self.clusters.items():
            connections, more = self.batch_arguments(cluster, READ_BYTES)
            records_a_request = more.get("records-a-request", 1)
            self.progress(f"{cluster.label}: appending {self.options.read_records:,} records to be read")
            self.load(cluster, more.pop("work"), connections, bytes=READ_BYTES, seconds=300, **{"warm-up": 0},
                      limit=-(-self.options.read_records // records_a_request), **more)
        for connections in (1, 4):
            what = f"{report.size_text(READ_BYTES)}, {connections} connections"
            self.alternate("read", what, READ_BYTES, connections,
                           lambda cluster: self.load(cluster, "read", connections, end=self.options.read_records,
                                                     seconds=120, **{"warm-up": 0, "records-a-request": 10000}))

    def disk(self):
        """Fresh clusters, records one at a time, counted after a graceful end."""
        for size in (100, 256):
            for name in self.peers:
                self.stop_all()
                cluster = self.start(name)
                self.load(cluster, "append", 64, bytes=size, seconds=600, limit=self.options.disk_records,
                          **{"warm-up": 0})
                records = cluster.records()
                cluster.stop()
                used, ahead = cluster.disk_bytes()
                row = {"part": "disk", "what": f"{report.size_text(size)}, {records:,} records",
                       "bytes": size, "peer": name, "bytes_a_record": used / cluster.count / records,
                       "ahead_mb": ahead / cluster.count / 1e6}
                self.rows.append(row)
                self.progress(f"on disk, {size} B: {cluster.label} {row['bytes_a_record']:.0f} B a record and node, "
                              f"{row['ahead_mb']:.0f} MB ahead of use")
        self.stop_all()

    def failover(self):
        for name in self.peers:
            self.stop_all()
            cluster = self.start(name)
            if cluster.count < 3:
                say(f"{cluster.label}: no failover with {cluster.count} node")
                continue
            self.load(cluster, "append", 16, bytes=100)
            took = []
            for _ in range(self.options.kills):
                took.append(failover.measure(cluster))
                self.progress(f"failover: {cluster.label} {took[-1]:.2f} s")
            self.rows.append({"part": "failover", "what": f"leader killed {len(took)} times", "peer": name,
                              "median_s": statistics.median(took), "least_s": min(took), "most_s": max(took)})
        self.stop_all()

    def idle(self):
        for name in self.peers:
            self.stop_all()
            cluster = self.start(name)
            time.sleep(1 if self.options.quick else 3)
            before = report.cpu_seconds(cluster.pids())
            seconds = 2 if self.options.quick else 15
            time.sleep(seconds)
            after = report.cpu_seconds(cluster.pids())
            shares = [(b - a) / seconds * 100 for a, b in zip(before, after)]
            self.rows.append({"part": "idle", "what": "nobody asks", "peer": name, "most_percent": max(shares),
                              "resident_mb": cluster.resident_mb()})
            self.progress(f"idle: {cluster.label} at most {max(shares):.2f} % of a core a node")
        self.stop_all()


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    build = HERE.parents[1] / "build" / "release"
    parser.add_argument("--bin", type=Path, default=build / "bin", help="the folder of cairnd and compare_load")
    parser.add_argument("--dir", type=Path, help="where the data goes; on the disk that is to be measured")
    parser.add_argument("--peers", default="cairn,etcd,nats,nats-lazy", help="who takes part, of these four")
    parser.add_argument("--only", default=",".join(PARTS), help=f"parts, of {','.join(PARTS)}")
    parser.add_argument("--connections", default="1,16,64,256")
    parser.add_argument("--sizes", default="100,1024,16384", help="of single records, in bytes")
    parser.add_argument("--seconds", type=float, default=4, help="of each run of the load generator")
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds; medians are reported")
    parser.add_argument("--kills", type=int, default=5, help="of the leader, for the failover time")
    parser.add_argument("--cairn-nodes", type=int, default=3, help="1 shows what replication costs")
    parser.add_argument("--etcd", help="program")
    parser.add_argument("--nats", help="program (nats-server)")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--plot", type=Path, help="draw them into this SVG")
    parser.add_argument("--quick", action="store_true", help="about two minutes: shows that it runs, measures badly")
    parser.add_argument("--smoke", action="store_true", help="one node of Cairn alone, for a moment: it runs")
    options = parser.parse_args()
    options.warm_up, options.read_records, options.disk_records = 1, 1_000_000, 100_000
    if options.quick:
        options.seconds, options.rounds, options.kills, options.warm_up = 1, 1, 1, 0.3
        options.read_records, options.disk_records = 100_000, 20_000
        options.connections, options.sizes = "1,64", "100,16384"
    if options.smoke:
        options.peers, options.only, options.cairn_nodes = "cairn", "single,batch,read,disk", 1
        options.connections = "1,8"
        options.seconds, options.rounds, options.warm_up = 0.2, 1, 0.1
        options.read_records, options.disk_records = 5000, 1000
    for key in ("connections", "sizes"):
        setattr(options, key, [int(x) for x in getattr(options, key).split(",")])
    options.only, options.peers = options.only.split(","), options.peers.split(",")
    for wrong in set(options.only) - set(PARTS):
        parser.error(f"--only: '{wrong}' is none of {', '.join(PARTS)}")
    for wrong in set(options.peers) - set(clusters.CLUSTERS):
        parser.error(f"--peers: '{wrong}' is none of {', '.join(clusters.CLUSTERS)}")
    return options


def main():
    options = parse()
    if not (options.bin / "compare_load").exists():
        sys.exit(f"error: there is no {options.bin}/compare_load: scripts/build makes it")
    peers, versions = find_peers(options)
    if not peers:
        sys.exit("error: no peer can run here")
    parent = options.dir or options.bin.parent / "bench-data"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as name:
        run = Run(options, peers, Path(name))
        try:
            for part in PARTS:
                if part in options.only:
                    getattr(run, part)()
        except clusters.Trouble as trouble:
            sys.exit(f"error: {trouble}")
        finally:
            run.stop_all()
    facts = report.conditions(options, versions)
    print(report.tables(run.rows, facts, list(peers)))
    everything = {"conditions": facts, "rows": run.rows}
    if options.json:
        options.json.write_text(json.dumps(everything, indent=1) + "\n")
    if options.plot:
        report.draw(everything, options.plot, say)
    return 0


if __name__ == "__main__":
    sys.exit(main())
