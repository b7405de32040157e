"""Disks of our own for the nodes of a cluster: loop images whose power can be cut, syncs that can be made to fail."""

import os
import shutil
from pathlib import Path

from harness.mounts import loop, make_ext4
from harness.shim import Shim

OPTIONS = "commit=300"  # the file system writes nothing by itself
SIZE_MB = 256


def sync_directory(path):
    """What was made and removed in it outlives a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Images:
    """An ext4 image for each node. A power cut leaves what was on the disk, not what the kernel had not written."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.mounts = {}

    def place(self, node_id):
        make_ext4(self.image(node_id), SIZE_MB)
        self.mount(node_id)
        return self.folder / f"disk-{node_id}" / "data"

    def image(self, node_id):
        return self.folder / f"{node_id}.img"

    def mount(self, node_id):
        mount = loop(self.image(node_id), self.folder / f"disk-{node_id}", OPTIONS)
        mount.__enter__()
        self.mounts[node_id] = mount

    def unmount(self, node_id):
        self.mounts.pop(node_id).__exit__(None, None, None)

    def unmount_all(self):
        for node_id in list(self.mounts):
            self.unmount(node_id)

    def cut_power(self, nodes, gone):
        """All of them at one moment: they are dead then, and have what their disks held. `gone(node)` kills one."""
        for node in nodes:
            node.pause()
        for node in nodes:
            copy = self.folder / f"{node.node_id}-cut.img"
            shutil.copyfile(self.image(node.node_id), copy)
            gone(node)
            self.unmount(node.node_id)
            copy.replace(self.image(node.node_id))
            self.mount(node.node_id)


class Shims:
    """The library that interferes with syncing, told separately for each node. SkipTest when it is not built."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.of = {}

    def environment(self, node_id):
        folder = self.folder / f"{node_id}-shim"
        os.makedirs(folder, exist_ok=True)
        self.of[node_id] = Shim(folder)
        return dict(self.of[node_id].env)

    def say(self, node, words):
        self.of[node.node_id].say(words)
