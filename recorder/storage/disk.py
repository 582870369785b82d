"""Writing that survives a power cut: what is said to be written is on the disk, whole, or not there at all."""

import os
from pathlib import Path

NEW = ".new"  # the suffix of what is being written


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace `path` by `data` at once."""
    beside = path.with_name(path.name + NEW)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """What was written to it is on the disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Its entries are on the disk when this returns."""
    sync_file(folder)


def make_folders(folder: Path) -> None:
    """Make a folder and those above it, each on the disk before what will be in it."""
    if not folder.is_dir():
        make_folders(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
