"""Wall clocks of nodes that can be set while they run (clock_shim.c). Their monotonic clocks go on as they are."""

import os
import re
import struct
import time
import unittest
from pathlib import Path

UNITS_NS = {"s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}
WORDS = re.compile(r"([+-]\d+)([smhd])(?: x(\d+))?")
MARK = 0x636c6f636b  # k_mark of the shim


class Clocks:
    def __init__(self, folder):
        self.library = os.environ.get("CAIRN_CLOCK_SHIM")
        if not self.library or not Path(self.library).exists():
            raise unittest.SkipTest("CAIRN_CLOCK_SHIM does not name the built library (target clock_shim): use ctest")
        self.folder = Path(folder)

    def file(self, node_id):
        return self.folder / f"{node_id}.clock"

    def environment(self, node_id):
        if not self.file(node_id).exists():
            self.write(node_id, "+0s")
        return {"LD_PRELOAD": self.library, "CAIRN_CLOCK_FILE": str(self.file(node_id))}

    def set(self, node, words):
        """Relative to the machine's clock: "+1h", "-5s", "+0s x2" (twice as fast from now on)."""
        self.write(node.node_id, words)

    def write(self, node_id, words):
        """Into the same file: the process has it mapped, and looks for words that belong together."""
        count, unit, speed = WORDS.fullmatch(words).groups()
        offset_ns, speed_ppm, since_ns = int(count) * UNITS_NS[unit], int(speed or 1) * 10**6, time.time_ns()
        descriptor = os.open(self.file(node_id), os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            check = offset_ns ^ speed_ppm ^ since_ns ^ MARK
            os.pwrite(descriptor, struct.pack("=qqqq", offset_ns, speed_ppm, since_ns, check), 0)
        finally:
            os.close(descriptor)


def together(*environments):
    """One environment of several that each preload a library."""
    merged = {}
    for one in environments:
        preloaded = " ".join(filter(None, (merged.get("LD_PRELOAD"), one.get("LD_PRELOAD"))))
        merged.update(one)
        if preloaded:
            merged["LD_PRELOAD"] = preloaded
    return merged
