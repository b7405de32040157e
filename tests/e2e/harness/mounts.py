"""Small file systems of our own. They need root; without it, or without loop devices, a test is skipped, saying why."""

import contextlib
import os
import subprocess
import unittest
from pathlib import Path


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(map(str, command))}: {(done.stderr or done.stdout).strip()}")


def unmount(where):
    done = subprocess.run(["umount", str(where)], capture_output=True, text=True)
    if done.returncode != 0:
        subprocess.run(["umount", "--lazy", str(where)], check=False, capture_output=True)


def skip_unless_root():
    if os.geteuid() != 0:
        raise unittest.SkipTest("mounting a file system needs root")


@contextlib.contextmanager
def tmpfs(where, size_mb):
    """A tmpfs of fixed size at `where`."""
    skip_unless_root()
    Path(where).mkdir(parents=True, exist_ok=True)
    try:
        run("mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(where))
    except OSError as error:
        raise unittest.SkipTest(f"no tmpfs here: {error}") from None
    try:
        yield Path(where)
    finally:
        unmount(where)


def make_ext4(image, size_mb):
    with open(image, "wb") as file:
        file.truncate(size_mb << 20)
    try:
        run("mkfs.ext4", "-q", "-F", str(image))
    except OSError as error:
        raise unittest.SkipTest(f"cannot make an ext4 image: {error}") from None


@contextlib.contextmanager
def loop(image, where, options=""):
    """The file system in `image`, mounted at `where`."""
    skip_unless_root()
    Path(where).mkdir(parents=True, exist_ok=True)
    try:
        run("mount", "-o", ",".join(filter(None, ("loop", options))), str(image), str(where))
    except OSError as error:
        raise unittest.SkipTest(f"no loop mounts here: {error}") from None
    try:
        yield Path(where)
    finally:
        unmount(where)
