#!/usr/bin/env python3
"""The metrics of three nodes: promtool has nothing to say against them, Debian's Prometheus scrapes them, and they
tell where the time of an append goes."""

import json
import os
import re
import shutil
import subprocess
import threading
import unittest
import urllib.parse
from pathlib import Path

from rig.case import Case, main, wait_until
from rig.cluster import Cluster, free_ports

from harness.case import REPOSITORY
from harness.http import Http, NotSent, Unknown

RECORDS = "/v1/logs/default/records"
APPENDS = 60
STAGES = {"queue", "forward", "write", "sync", "replicate", "commit", "answer", "total"}
SAMPLE = re.compile(r'^([a-z_]+)(?:\{(.*)\})? ([-+.e0-9A-Za-z]+)$')


def program(name):
    """A program of Debian's package prometheus: where scripts/setup --test has put it, or installed."""
    cache = os.environ.get("CAIRN_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "cairn")
    found = Path(cache) / "prometheus" / name
    if os.access(found, os.X_OK):
        return str(found)
    installed = shutil.which(name)
    if installed is None:
        raise unittest.SkipTest(f"no {name}: scripts/setup --test fetches it")
    return installed


def samples(text):
    """{(name, labels): value} of a page of metrics; labels as a sorted tuple of pairs."""
    out = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        name, labels, value = SAMPLE.match(line).groups()
        pairs = tuple(sorted(re.findall(r'([a-z_]+)="([^"]*)"', labels or "")))
        assert (name, pairs) not in out, f"twice: {line}"
        out[name, pairs] = float(value)
    return out


def metrics(node):
    with node.client(10) as client:
        answer = client.get("/metrics")
        assert answer.status == 200, answer
        return answer.body.decode()


def of_stage(page, suffix, stage):
    return page["cairn_append_stage_seconds_" + suffix, (("log", "default"), ("stage", stage))]


class Metrics(Case):
    def append(self, node, count):
        with node.client() as client:
            for n in range(count):
                answer = client.request("POST", RECORDS, {"Content-Type": "application/json"}, b'{"n":%d}' % n)
                self.assertEqual(answer.status, 201, answer)

    def judge(self, text):
        done = subprocess.run([program("promtool"), "check", "metrics"], input=text, capture_output=True, text=True,
                              timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_promtool_finds_nothing_to_say(self):
        program("promtool")
        with Cluster(self.dir, 3).start() as cluster:
            for node in cluster:
                self.append(node, 3)
            for node in cluster:
                text = metrics(node)
                self.judge(text)
                families = set(re.findall(r"^# TYPE ([a-z_]+) ", text, re.M))
                helped = set(re.findall(r"^# HELP ([a-z_]+) \S", text, re.M))
                self.assertEqual(families, helped)
                self.assertTrue(all(name.startswith(("cairn_", "process_", "caf_")) for name in families), families)

    def test_promtool_is_asked_in_earnest(self):
        with self.assertRaises(AssertionError):
            self.judge("# TYPE a_wrong_ms counter\na_wrong_ms 1\n")

    def test_stages_of_appends(self):
        """Every append is in every stage, on the leader; a follower counts what it has sent on."""
        with Cluster(self.dir, 3).start() as cluster:
            leader = cluster.leader()
            follower = next(node for node in cluster if node is not leader)
            before = samples(metrics(leader))
            self.append(leader, APPENDS)
            self.append(follower, APPENDS)
            page = samples(metrics(leader))
            there = samples(metrics(follower))

            def grown(suffix, stage):
                return of_stage(page, suffix, stage) - of_stage(before, suffix, stage)
            for stage in STAGES - {"forward", "total"}:
                self.assertEqual(grown("count", stage), 2 * APPENDS, stage)
            self.assertEqual(grown("count", "total"), APPENDS)
            self.assertEqual(grown("count", "forward"), 0)
            for stage in "forward", "total":
                self.assertEqual(of_stage(there, "count", stage), APPENDS, stage)
                self.assertGreater(of_stage(there, "sum", stage), 0)
            self.assertGreaterEqual(of_stage(there, "sum", "total"), of_stage(there, "sum", "forward"))
            # What happens within the commit takes no longer than it, and the whole is no less than its parts.
            self.assertGreaterEqual(grown("sum", "commit"), grown("sum", "replicate"))
            self.assertGreater(grown("sum", "total"), 0)
            self.note("of %d appends at the leader, mean us: %s" % (2 * APPENDS, ", ".join(
                f"{stage} {grown('sum', stage) / grown('count', stage) * 1e6:.0f}"
                for stage in ("queue", "write", "sync", "replicate", "commit", "answer", "total"))))
            for node in cluster:
                if node is not leader:
                    self.assertEqual(page["cairn_raft_peer_lag_entries", (("log", "default"), ("peer", node.node_id))]
                                     >= 0, True)
                    self.assertGreaterEqual(
                        page["cairn_raft_peer_ack_seconds_count", (("log", "default"), ("peer", node.node_id))], 1)

    def test_a_real_prometheus_scrapes_three_nodes(self):
        prometheus = program("prometheus")
        with Cluster(self.dir, 3).start() as cluster:
            targets = ["%s:%d" % node.http_address for node in cluster]
            (self.dir / "prometheus.yml").write_text(json.dumps({
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
                "rule_files": [str(REPOSITORY / "docs" / "alerts.yml")],
                "scrape_configs": [{"job_name": "cairn", "static_configs": [{"targets": targets}]}]}))
            port = free_ports("127.0.0.1", 1)[0]
            with open(self.dir / "prometheus.log", "wb") as log:
                process = subprocess.Popen(
                    [prometheus, f"--config.file={self.dir}/prometheus.yml", f"--storage.tsdb.path={self.dir}/tsdb",
                     f"--web.listen-address=127.0.0.1:{port}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                self.watch(cluster, port, process)
            finally:
                process.kill()
                process.wait()

    def watch(self, cluster, port, process):
        done = threading.Event()

        def keep_appending():
            while not done.is_set():
                self.append(cluster["n2"], 1)
        worker = threading.Thread(target=keep_appending)
        worker.start()
        try:
            def query(text):
                assert process.poll() is None, (self.dir / "prometheus.log").read_text()[-3000:]
                try:
                    with Http(("127.0.0.1", port), 10) as client:
                        answer = client.get("/api/v1/query?query=" + urllib.parse.quote(text))
                except (NotSent, Unknown):
                    return []
                return answer.json()["data"]["result"] if answer.status == 200 else []
            wait_until(lambda: [one["value"][1] for one in query('up{job="cairn"}')] == ["1"] * 3, 60,
                       "three targets are up")
            wait_until(lambda: float((query(
                'sum(rate(cairn_append_stage_seconds_count{stage="commit"}[10s]))') or [{"value": [0, "0"]}])
                [0]["value"][1]) > 0, 60, "appends are counted")
            p99 = query('histogram_quantile(0.99, sum by (le, stage) (rate(cairn_append_stage_seconds_bucket[30s])))')
            self.assertEqual({one["metric"]["stage"] for one in p99}, STAGES)
            took = {one["metric"]["stage"]: float(one["value"][1]) for one in p99}
            self.note("p99 by PromQL, ms: " + ", ".join(f"{stage} {value * 1e3:.2f}"
                                                       for stage, value in sorted(took.items())))
            leads = query("sum(cairn_raft_leads)")
            self.assertEqual(leads[0]["value"][1], "1")
            self.assertEqual(query('count(process_start_time_seconds{job="cairn"})')[0]["value"][1], "3")
            self.assertEqual(query('ALERTS{severity="critical"}'), [])
            # Every series of one node, as Prometheus counts them: bounded.
            series = query('max(scrape_samples_scraped{job="cairn"})')
            self.note(f"{series[0]['value'][1]} samples a scrape, "
                      f"{float(query('max(scrape_duration_seconds)')[0]['value'][1]) * 1e3:.1f} ms")
        finally:
            done.set()
            worker.join()

    def test_the_alert_rules_are_valid(self):
        done = subprocess.run([program("promtool"), "check", "rules", str(REPOSITORY / "docs" / "alerts.yml")],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_everything_is_documented(self):
        """docs/metrics.md names every family that there is, and the alerts use no other."""
        said = (REPOSITORY / "docs" / "metrics.md").read_text()
        documented = set(re.findall(r"`((?:cairn|process|caf)_[a-z_]+)", said))
        with Cluster(self.dir, 2).start() as cluster:
            leader = cluster.leader()
            self.append(leader, 1)
            families = set(re.findall(r"^# TYPE ([a-z_]+) ", metrics(leader), re.M))
        self.assertEqual(families - documented, set())
        used = set(re.findall(r"\b(?:cairn|process|caf)_[a-z_]+", (REPOSITORY / "docs" / "alerts.yml").read_text()))
        known = {name + suffix for name in families | documented for suffix in ("", "_bucket", "_sum", "_count")}
        self.assertEqual(used - known, set())


if __name__ == "__main__":
    main()
