#!/usr/bin/env python3
"""Measures a node over HTTP beside a bare server, in one run, with the same load generator (wrk).

usage: node_bench.py --bin DIR [--dir DIR] [--seconds S] [--rounds N] [--only PART[,PART]] [--json FILE] [--smoke]

DIR holds cairnd and bare_server. Only ratios of one run count; docs/performance.md says how to read them. Exits 77
when wrk is not installed.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
RECORDS = "/v1/logs/default/records"
RECORD_BYTES = 200
LINES_A_BODY = 1000
READ_LIMIT = 10000
START_DEADLINE_S = 20
FILL_BYTES = 64 << 20


def say(text):
    print(text, file=sys.stderr, flush=True)


class Server:
    """A process that serves HTTP on a port of its own, ended by SIGTERM."""

    def __init__(self, name, command, log_path, find_port):
        self.name = name
        self.log_path = log_path
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        deadline = time.monotonic() + START_DEADLINE_S
        self.port = None
        while self.port is None:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                self.die(f"did not start: {' '.join(map(str, command))}")
            self.port = find_port(self.process)
            if self.port is None:
                time.sleep(0.02)

    def die(self, what):
        """Ends this program; says what the server said last."""
        ended = "" if self.process.poll() is None else f" (it ended with {self.process.returncode})"
        said = self.log_path.read_text(errors="replace").splitlines()[-5:]
        sys.exit("\n".join([f"error: {self.name}{ended} {what}", *said]))

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def cpu_seconds(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        return 0.0

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(START_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start_bare(bin_dir, work):
    return Server("bare_server", [bin_dir / "bare_server"], work / "bare_server.log",
                  lambda process: int(process.stdout.readline() or 0) or None)


def start_node(bin_dir, work):
    data_dir = work / "node"
    ports = data_dir / "ports.json"

    def find_port(_):
        try:
            return int(json.loads(ports.read_text())["http"].rsplit(":", 1)[1])
        except (OSError, ValueError, KeyError, IndexError):
            return None

    command = [bin_dir / "cairnd", "--node-id", "n1", "--data-dir", data_dir]
    for flag in ("--http", "--grpc", "--peer"):
        command += [flag, "127.0.0.1:0"]
    server = Server("cairnd", command, work / "cairnd.log", find_port)
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(server.url("/readyz"), timeout=5).read()
            return server
        except OSError:
            time.sleep(0.02)
    server.stop()
    server.die("did not become ready")


def load(server, connections, seconds, arguments):
    """One run of wrk. Its figures, and the server's processor time for each request."""
    for patience in (1, 4, 16):  # a machine so busy that not one answer came in time
        figures = run_wrk(server, connections, seconds * patience, arguments)
        if figures:
            return figures
    server.die(f"answered nothing at {connections} connections")


def run_wrk(server, connections, seconds, arguments):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "20s",
               "-s", HERE / "node_bench.lua",
               server.url("/"), "--", *map(str, arguments)]
    before = server.cpu_seconds()
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    spent = server.cpu_seconds() - before
    line = next((x for x in ran.stdout.splitlines() if x.startswith("FIGURES ")), None)
    if line is None:
        server.die(f"under wrk gave no figures:\n{ran.stdout}{ran.stderr}")
    figures = json.loads(line[len("FIGURES "):])
    if not figures["requests"] and not figures["errors"]:
        return None
    if figures["errors"]:
        server.die(f"at {connections} connections: {figures}")
    figures["per_s"] = figures["requests"] / figures["micros"] * 1e6
    figures["cpu_us"] = spent / figures["requests"] * 1e6
    return figures


def fdatasync_samples_us(path, count):
    """What the disk alone takes for 4 KiB into a file that holds zeros already."""
    samples = []
    with open(path, "wb+", buffering=0) as file:
        file.write(bytes(4 << 20))
        os.fsync(file.fileno())
        block = b"x" * 4096
        for i in range(count):
            begin = time.perf_counter_ns()
            os.pwrite(file.fileno(), block, i % 1024 * 4096)
            os.fdatasync(file.fileno())
            samples.append((time.perf_counter_ns() - begin) / 1e3)
    os.unlink(path)
    return samples


class Results:
    def __init__(self):
        self.rows = []

    def add(self, name, value, unit, at_least=None, at_most=None):
        self.rows.append({"name": name, "value": round(value, 3), "unit": unit})
        met = None
        if at_least is not None:
            self.rows[-1]["at_least"], met = at_least, value >= at_least
        if at_most is not None:
            self.rows[-1]["at_most"], met = at_most, value <= at_most
        if met is not None:
            self.rows[-1]["met"] = met
        say(f"  {name}: {value:.3f} {unit}")

    def print(self):
        width = max(len(row["name"]) for row in self.rows)
        for row in self.rows:
            value = f"{row['value']:,.0f}" if row["value"] >= 1000 else f"{row['value']:.2f}"
            line = f"{row['name']:<{width}}  {value:>10} {row['unit']:<10}"
            for key, sign in (("at_least", ">="), ("at_most", "<=")):
                if key in row:
                    line += f"  target {sign} {row[key]:,}: {'met' if row['met'] else 'MISSED'}"
            print(line.rstrip())


def medians(runs, key):
    return statistics.median(run[key] for run in runs)


def measure_single(bare, node, work, options, results):
    """Single records: POSTs of 100 B of JSON, one record each."""
    body = work / "single.json"
    body.write_text(json.dumps("x" * 98))
    arguments = ["POST", RECORDS, "application/json", body]
    for connections in options.connections:
        on_bare, on_node, disk = [], [], []
        for _ in range(options.rounds):
            if connections == 1:
                disk += fdatasync_samples_us(work / "disk", 2000 if not options.smoke else 10)
            on_bare.append(load(bare, connections, options.seconds, arguments))
            on_node.append(load(node, connections, options.seconds, arguments))
        name = f"POST 100 B, {connections} conn"
        results.add(f"{name}: bare", medians(on_bare, "per_s"), "requests/s")
        results.add(f"{name}: cairnd", medians(on_node, "per_s"), "requests/s")
        results.add(f"{name}: cairnd / bare",
                        statistics.median(n["per_s"] / b["per_s"] for n, b in zip(on_node, on_bare)),
                    "", at_least=0.6 if connections == 256 else None)
        results.add(f"{name}: cairnd median", medians(on_node, "p50_us"), "us")
        results.add(f"{name}: cairnd 99 %", medians(on_node, "p99_us"), "us")
        results.add(f"{name}: processor time, cairnd", medians(on_node, "cpu_us"), "us/request")
        results.add(f"{name}: processor time, bare", medians(on_bare, "cpu_us"), "us/request")
        if connections == 1:
            results.add(f"{name}: fdatasync median", statistics.median(disk), "us")
            results.add(f"{name}: cairnd median - fdatasync",
                        medians(on_node, "p50_us") - statistics.median(disk), "us",
                        at_most=150)


def ndjson_lines(count):
    """Lines of RECORD_BYTES bytes each, all different, with the newline not counted."""
    lines = []
    for i in range(count):
        head = '{"id":%d,"package":"lib%06d","text":"' % (i, i)
        lines.append(head + "y" * (RECORD_BYTES - len(head) - 2) + '"}')
    return "\n".join(lines) + "\n"


def measure_bulk(node, work, options, results):
    body = work / "bulk.ndjson"
    body.write_text(ndjson_lines(LINES_A_BODY))
    write = ["POST", RECORDS, "application/x-ndjson", body]
    for connections in (1, 4):
        runs = [load(node, connections, options.seconds, write) for _ in range(options.rounds)]
        name = f"NDJSON append, {LINES_A_BODY} x {RECORD_BYTES} B, {connections} conn"
        per_s = medians(runs, "per_s") * LINES_A_BODY
        last = connections == 4
        results.add(name, per_s, "records/s", at_least=300000 if last else None)
        results.add(name + ", bytes", per_s * RECORD_BYTES / 1e6, "MB/s", at_least=60 if last else None)
        results.add(name + ": processor time", medians(runs, "cpu_us") / LINES_A_BODY, "us/record")


def measure_reads(node, work, options, results):
    body = ndjson_lines(LINES_A_BODY).encode()
    for _ in range(2 if options.smoke else 100):
        request = urllib.request.Request(node.url(RECORDS), data=body, headers={"Content-Type": "application/x-ndjson"})
        receipt = json.load(urllib.request.urlopen(request))
    end = receipt["offset"] + receipt["count"]
    bulk = 2 * LINES_A_BODY if options.smoke else 100 * LINES_A_BODY
    query = f"{RECORDS}?from={end - bulk}&limit={READ_LIMIT}&max_bytes={16 << 20}"
    request = urllib.request.Request(node.url(query), headers={"Accept": "application/x-ndjson"})
    answer = urllib.request.urlopen(request).read().splitlines()
    if len(answer) != min(bulk, READ_LIMIT):
        sys.exit(f"error: {len(answer)} records in an answer instead of {min(bulk, READ_LIMIT)}")
    # Anywhere in what the loop above has appended, so that every answer is full.
    low, high = end - bulk, end - len(answer)
    for connections in (1, 4):
        path = f"{RECORDS}?from=%d&limit={READ_LIMIT}&max_bytes={16 << 20}"
        arguments = ["GET", path, "application/x-ndjson", "-", low, high]
        runs = [load(node, connections, options.seconds, arguments) for _ in range(options.rounds)]
        name = f"NDJSON read, {len(answer)} x {RECORD_BYTES} B, {connections} conn"
        results.add(name, medians(runs, "per_s") * len(answer), "records/s",
                    at_least=500000 if connections == 4 else None)
        results.add(name + ", bytes of answers", statistics.median(r["bytes"] / r["micros"] for r in runs), "MB/s")
    for connections in (1, 64):
        arguments = ["GET", f"{RECORDS}/%d", "application/json", "-", low, end - 1]
        runs = [load(node, connections, options.seconds, arguments) for _ in range(options.rounds)]
        results.add(f"GET one record, random, {connections} conn", medians(runs, "per_s"), "requests/s")
        results.add(f"GET one record, random, {connections} conn: median", medians(runs, "p50_us"), "us")


def measure_idle(node, name, options, results):
    seconds = 1 if options.smoke else 10
    time.sleep(0.2 if options.smoke else 2)
    before = node.cpu_seconds()
    time.sleep(seconds)
    results.add(f"idle {name}: of a core", (node.cpu_seconds() - before) / seconds * 100, "%", at_most=1)
    results.add(f"idle {name}: resident", node.resident_mb(), "MB", at_most=40 if name == "after start" else None)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, required=True, help="the folder of cairnd and bare_server")
    parser.add_argument("--dir", type=Path, help="where to make the data; on the disk that is to be measured")
    parser.add_argument("--seconds", type=float, default=4, help="of each run of wrk")
    parser.add_argument("--rounds", type=int, default=3, help="alternating rounds; medians are reported")
    parser.add_argument("--connections", default="1,16,64,256")
    parser.add_argument("--only", default="idle,single,bulk,read")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--smoke", action="store_true", help="a second each: proves that it runs, measures nothing")
    options = parser.parse_args()
    if options.smoke:
        options.seconds, options.rounds, options.connections = 1, 1, "1,4"
    options.connections = [int(x) for x in options.connections.split(",")]
    options.only = options.only.split(",")
    return options


def main():
    options = parse()
    if shutil.which("wrk") is None:
        say("wrk is not installed: nothing measured")
        return 77
    parent = options.dir or options.bin.parent / "bench-data"
    parent.mkdir(parents=True, exist_ok=True)
    results = Results()
    servers = []
    with tempfile.TemporaryDirectory(dir=parent) as name:
        work = Path(name)
        try:
            node = start_node(options.bin, work)
            servers.append(node)
            bare = start_bare(options.bin, work)
            servers.append(bare)
            if "idle" in options.only:
                measure_idle(node, "after start", options, results)
            if "single" in options.only:
                measure_single(bare, node, work, options, results)
            if "bulk" in options.only:
                measure_bulk(node, work, options, results)
            if "read" in options.only:
                measure_reads(node, work, options, results)
            if "idle" in options.only:
                measure_idle(node, "after the load", options, results)
        finally:
            for server in servers:
                server.stop()
    if options.smoke:
        print("smoke run: the figures mean nothing")
    results.print()
    if options.json:
        options.json.write_text(json.dumps(results.rows, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
