"""Wall clocks of nodes that can be set while they run (libfaketime). Their monotonic clocks go on as they are."""

import glob
import unittest
from pathlib import Path

LIBRARIES = "/usr/lib/*/faketime/libfaketimeMT.so.1"


class Clocks:
    def __init__(self, folder):
        found = sorted(glob.glob(LIBRARIES))
        if not found:
            raise unittest.SkipTest("no libfaketime here (package libfaketime): clocks cannot be made to jump")
        self.library = found[0]
        self.folder = Path(folder)

    def environment(self, node_id):
        clock = self.folder / f"{node_id}.clock"
        if not clock.exists():
            clock.write_text("+0s")
        return {"LD_PRELOAD": self.library, "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
                "DONT_FAKE_MONOTONIC": "1"}

    def set(self, node, words):
        """As libfaketime has it: "+1h", "-5s", "+0s x2" (twice as fast)."""
        new = self.folder / f"{node.node_id}.clock.new"
        new.write_text(words)
        new.replace(self.folder / f"{node.node_id}.clock")


def together(*environments):
    """One environment of several that each preload a library."""
    merged = {}
    for one in environments:
        preloaded = " ".join(filter(None, (merged.get("LD_PRELOAD"), one.get("LD_PRELOAD"))))
        merged.update(one)
        if preloaded:
            merged["LD_PRELOAD"] = preloaded
    return merged
