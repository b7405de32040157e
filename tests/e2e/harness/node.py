"""One cairnd process on one data directory."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

from .case import bin_dir, wait_until
from .http import Http, NotSent, Unknown

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10  # promised: SIGTERM ends the node within 10 s


class Node:
    """Starts, stops and kills cairnd. Its stderr of all lives is in `log`, stdout goes there, too.

    Use as a context manager or call kill(): no process outlives its test.
    """

    def __init__(self, directory, node_id="n1", args=(), env=None, log=None, stderr=None):
        self.directory = Path(directory)
        self.node_id = node_id
        self.args = list(args)
        self.env = dict(env or {})
        self.log = Path(log) if log else self.directory.with_name(self.directory.name + ".log")
        self.stderr = stderr  # a descriptor that gets what would go to `log`
        self.http = "127.0.0.1:0"
        self.process = None
        self.ports = None
        self.lives = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def command(self):
        return [str(bin_dir() / "cairnd"), "--node-id", self.node_id, "--data-dir", str(self.directory),
                "--http", self.http, "--grpc", "127.0.0.1:0", "--peer", "127.0.0.1:0", "--bootstrap", *self.args]

    def spawn(self, command=None):
        """Starts the process and returns at once."""
        assert self.process is None or self.process.poll() is not None, "it runs already"
        (self.directory / "ports.json").unlink(missing_ok=True)
        self.ports = None
        self.lives += 1
        with open(self.log, "ab") as log:
            log.write(f"--- life {self.lives}\n".encode())
            log.flush()
            self.life_begins = log.tell()
            self.process = subprocess.Popen(command or self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log if self.stderr is None else self.stderr,
                                            env={**clean_environment(), **self.env})
        return self

    def start(self, timeout_s=START_TIMEOUT_S):
        """Starts the process and waits until it is ready."""
        self.spawn()
        self.wait_ready(timeout_s)
        return self

    def wait_listening(self, timeout_s=START_TIMEOUT_S):
        """Waits for ports.json."""
        def known():
            if self.process.poll() is not None:
                raise AssertionError(f"cairnd ended with {self.process.returncode}; it said:\n{self.output()}")
            try:
                self.ports = json.loads((self.directory / "ports.json").read_text())
            except (FileNotFoundError, json.JSONDecodeError):
                return False
            return True
        wait_until(known, timeout_s, lambda: f"{self.directory}/ports.json; the node said:\n{self.output()}")
        return self

    def wait_ready(self, timeout_s=START_TIMEOUT_S):
        self.wait_listening(timeout_s)

        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"cairnd ended with {self.process.returncode}; it said:\n{self.output()}")
            try:
                with self.client(timeout_s=5) as client:
                    return client.get("/readyz").status == 200
            except (NotSent, Unknown):
                return False
        wait_until(ready, timeout_s, lambda: f"/readyz; the node said:\n{self.output()}")

    @property
    def http_address(self):
        """(host, port) of the HTTP gateway."""
        return address_of(self.ports, "http")

    def keep_address(self):
        """The next lives listen where this one does, for clients that are told an address once."""
        self.http = "%s:%d" % self.http_address

    @property
    def url(self):
        return "http://%s:%d" % self.http_address

    def client(self, timeout_s=30):
        return Http(self.http_address, timeout_s)

    def output(self):
        """What the present (or last) life has said."""
        with open(self.log, "rb") as log:
            log.seek(self.life_begins)
            return log.read().decode(errors="replace")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL, and waits for the end."""
        if self.alive():
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def stop(self, timeout_s=STOP_TIMEOUT_S):
        """SIGTERM; the exit code, which must come in time."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout_s)

    def wait(self, timeout_s):
        """The exit code of a process that is to end by itself."""
        try:
            return self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"cairnd did not end within {timeout_s} s; it said:\n{self.output()}") from None

    def pause(self):
        """SIGSTOP, and waits until the kernel says that all of it stands still."""
        self.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: self.status_field("State").startswith("T"), 10, "the process stands still")

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def status_field(self, name):
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return line.split(":", 1)[1].strip()
        raise KeyError(name)

    def rss_bytes(self):
        return int(self.status_field("VmRSS").split()[0]) * 1024

    def threads(self):
        return int(self.status_field("Threads"))

    def descriptors(self):
        """What each open descriptor is."""
        folder = f"/proc/{self.process.pid}/fd"
        found = []
        for name in os.listdir(folder):
            try:
                found.append(os.readlink(f"{folder}/{name}"))
            except FileNotFoundError:
                pass  # closed meanwhile
        return found


def clean_environment():
    """Ours without CAIRN_... variables: the node would take them for its configuration."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CAIRN_")}


def address_of(ports, name):
    """An entry of ports.json: a number, or "host:port"."""
    value = ports[name]
    if isinstance(value, int):
        return ("127.0.0.1", value)
    host, port = str(value).rsplit(":", 1)
    return (host, int(port))


def cairn(*arguments, timeout_s=120, env=None, **options):
    """Runs the command line client: CompletedProcess with bytes."""
    return subprocess.run([str(bin_dir() / "cairn"), *map(str, arguments)], capture_output=True, timeout=timeout_s,
                          env={**clean_environment(), **(env or {})}, **options)


def have(*programs):
    return all(shutil.which(program) for program in programs)
