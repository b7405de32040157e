"""A program on a pseudo-terminal: what is typed, what is shown."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>]|\x1b\][^\x07]*\x07")

CTRL_C, CTRL_D, TAB, UP, ENTER = b"\x03", b"\x04", b"\t", b"\x1b[A", b"\r"


class Terminal:
    """Use as a context manager: no process outlives its test."""

    def __init__(self, command, environment, columns=80, rows=24):
        master, slave = pty.openpty()
        self.master = master
        self._set_size(slave, columns, rows)

        def own_terminal():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen([str(part) for part in command], stdin=slave, stdout=slave, stderr=slave,
                                        env=environment, preexec_fn=own_terminal, close_fds=True)
        os.close(slave)
        self.raw = b""
        self.seen = 0  # how much of text() has been waited for already

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.master is not None:
            os.close(self.master)
        self.master = None

    @staticmethod
    def _set_size(descriptor, columns, rows):
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns, rows=24):
        """The kernel tells the program by SIGWINCH."""
        self._set_size(self.master, columns, rows)

    def send(self, keys):
        os.write(self.master, keys if isinstance(keys, bytes) else keys.encode())

    def line(self, text):
        self.send(text.encode() + ENTER)

    def _read(self, wait_s):
        ready, _, _ = select.select([self.master], [], [], wait_s)
        if not ready:
            return False
        try:
            piece = os.read(self.master, 65536)
        except OSError:  # the other end has gone
            return False
        self.raw += piece
        return bool(piece)

    def text(self):
        """All that has been shown, without escapes."""
        return ESCAPES.sub("", self.raw.decode(errors="replace")).replace("\r", "")

    def expect(self, wanted, timeout_s=20):
        """Waits until `wanted` (a text, or a compiled pattern) is shown after what was waited for last; returns what
        has been shown from there up to its end."""
        pattern = wanted if isinstance(wanted, re.Pattern) else re.compile(re.escape(wanted))
        deadline = time.monotonic() + timeout_s
        while True:
            shown = self.text()[self.seen:]
            found = pattern.search(shown)
            if found:
                self.seen += found.end()
                return shown[:found.end()]
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"not shown within {timeout_s} s: {pattern.pattern!r}; shown was:\n{shown}")
            if not self._read(min(left, 0.2)) and self.process.poll() is not None and not self._read(0):
                if pattern.search(self.text()[self.seen:]):
                    continue
                raise AssertionError(f"the program has ended; not shown: {pattern.pattern!r}; shown was:\n{shown}")

    def wait(self, timeout_s=20):
        """The exit code; what is still said is read."""
        deadline = time.monotonic() + timeout_s
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                raise AssertionError(f"it goes on; shown was:\n{self.text()[-2000:]}")
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.returncode

    def settings(self):
        """Of the terminal: whether it echoes and waits for Enter, as a shell would find it."""
        flags = termios.tcgetattr(self.master)[3]
        return bool(flags & termios.ECHO), bool(flags & termios.ICANON)

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
