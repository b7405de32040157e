"""The frame of every end-to-end test: where programs and scratch directories are, waiting with deadlines, skipping.

CAIRN_BIN_DIR      where cairnd and cairn are (ctest sets it; else the newest of build/release/bin, build/dev/bin)
CAIRN_E2E_DIR      where tests put their data, on a real disk (ctest sets it; else the machine's temporary directory)
CAIRN_E2E_KEEP=1   keep the data of tests that passed, too
"""

import os
import shutil
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
SKIPPED = 77  # ctest's SKIP_RETURN_CODE


def bin_dir():
    named = os.environ.get("CAIRN_BIN_DIR")
    if named:
        return Path(named)
    built = [REPOSITORY / "build" / preset / "bin" for preset in ("release", "dev")]
    built = [folder for folder in built if (folder / "cairnd").exists()]
    if not built:
        sys.exit("no cairnd has been built (build/release/bin, build/dev/bin): scripts/build, or set CAIRN_BIN_DIR")
    return max(built, key=lambda folder: (folder / "cairnd").stat().st_mtime)


def wait_until(condition, timeout_s, what):
    """Returns the first true value of condition(); fails with `what` (text or function) after timeout_s."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()  # never set: it only spaces out the looks
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s} s: {what() if callable(what) else what}")
        pause.wait(0.01)


class Case(unittest.TestCase):
    """A test with a directory of its own (self.dir), kept when the test fails."""

    def setUp(self):
        base = os.environ.get("CAIRN_E2E_DIR")
        if base:
            os.makedirs(base, exist_ok=True)
        self.dir = Path(tempfile.mkdtemp(prefix=self.id().split(".", 1)[-1] + "-", dir=base))
        self.addCleanup(self._remove_dir)

    def _failed(self):
        outcome = getattr(self, "_outcome", None)
        result = getattr(outcome, "result", None)
        return result is not None and any(test is self for test, _ in result.errors + result.failures)

    def _remove_dir(self):
        if os.environ.get("CAIRN_E2E_KEEP") == "1" or self._failed():
            print(f"data kept in {self.dir}", file=sys.stderr)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def note(self, text):
        """A line for the reader of the log: what was measured, what was left out and why."""
        print(f"  {self.id().split('.')[-1]}: {text}", file=sys.stderr, flush=True)


def main():
    """unittest.main, but exit 77 when every test was skipped (ctest then says Skipped)."""
    program = unittest.main(exit=False, verbosity=2)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    if result.testsRun and len(result.skipped) >= result.testsRun:
        sys.exit(SKIPPED)
