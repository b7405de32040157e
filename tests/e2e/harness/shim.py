"""cairnd with a preloaded library of ours that makes syncing fail, slow or void: see ../sync_shim.c."""

import os
import struct
import unittest
from pathlib import Path

from .node import Node


class Shim:
    def __init__(self, folder):
        library = os.environ.get("CAIRN_SYNC_SHIM")
        if not library or not Path(library).exists():
            raise unittest.SkipTest("CAIRN_SYNC_SHIM does not name the built library (target sync_shim): use ctest")
        self.control = Path(folder) / "shim"
        self.env = {"LD_PRELOAD": library, "CAIRN_SHIM_CONTROL": str(self.control)}

    def say(self, words):
        """Rewritten in one piece, so that the node never reads half of it."""
        new = self.control.with_suffix(".new")
        new.write_text(words)
        new.rename(self.control)

    def calls(self):
        """How many calls have matched since the last words."""
        try:
            return struct.unpack("Q", Path(f"{self.control}.count").read_bytes())[0]
        except (FileNotFoundError, struct.error):
            return 0


class ShimmedNode(Node):
    """A node with the library, and what it is told by."""

    def __init__(self, directory, shim, **options):
        super().__init__(directory, **options)
        self.env.update(shim.env)
