"""One recording under way: its folder, its lock, and how far it has come. What is on disk is the whole truth.

The lock is a flock, which the kernel drops with the process: whoever holds it works on the recording, alone, and nobody
has to guess whether another recorder still lives.
"""

import fcntl
import os
import shutil
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self

import msgpack

from santral.recorder.storage.disk import make_folders, sync_folder, write_whole

STATE: Final = "job.msgpack"
LOCK: Final = "lock"
OUT: Final = "out"


class Lock:
    """A job's folder, locked. `release` or `remove` it."""

    def __init__(self, folder: Path, descriptor: int) -> None:
        self.folder = folder
        self._descriptor = descriptor

    @classmethod
    def take(cls, folder: Path) -> "Lock | None":
        """None while somebody else works there. Makes the folder. Raises OSError."""
        while True:
            make_folders(folder)
            try:
                descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except FileNotFoundError:
                continue  # removed in between
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            except OSError:
                os.close(descriptor)
                raise
            if _is_file(folder / LOCK, descriptor):
                return cls(folder, descriptor)
            os.close(descriptor)  # the folder that was locked is gone

    def release(self) -> None:
        os.close(self._descriptor)

    def remove(self) -> None:
        """The work is done: nothing of it stays. The lock goes last."""
        for path in sorted(self.folder.iterdir(), key=lambda path: path.name == STATE):
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink()
        (self.folder / LOCK).unlink()
        self.folder.rmdir()
        sync_folder(self.folder.parent)
        os.close(self._descriptor)


def _is_file(path: Path, descriptor: int) -> bool:
    try:
        found = path.stat()
    except FileNotFoundError:
        return False
    mine = os.fstat(descriptor)
    return (found.st_dev, found.st_ino) == (mine.st_dev, mine.st_ino)


@dataclass(slots=True)
class Job:
    """How far a recording has come, as its folder remembers."""

    folder: Path
    recording: str
    step: str = ""  # the last one done
    tenant: str = ""
    run: str = ""  # of the process that works, or worked, on it
    deaths: int = 0  # of processes while they worked on it
    recovered: list[str] = field(default_factory=list)  # "capture": it was cut; "recorder": a process died over it
    key: bytes = b""  # the wrapped data key of the files
    facts: dict[str, Any] = field(default_factory=dict)  # what the mixdown told
    files: list[dict[str, Any]] = field(default_factory=list)
    store: str = ""  # where they are
    place: str = ""  # of the ledger, before this job's line
    hold: dict[str, Any] | None = None
    tries: int = 0  # that failed since the last success
    retry_at: float = 0.0  # UTC seconds
    failure: dict[str, Any] | None = None
    refusal: dict[str, Any] | None = None  # of the tenant's store: why the files are in the local one

    @property
    def out(self) -> Path:
        return self.folder / OUT

    @property
    def capture(self) -> Path:
        return self.folder / f"{self.recording}.capture"

    def save(self) -> None:
        """Raises OSError."""
        said = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in {"folder", "recording"}}
        write_whole(self.folder / STATE, msgpack.packb(said))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """As it was left, or at its beginning. What cannot be read begins again: every step can be done twice."""
        try:
            said = msgpack.unpackb((folder / STATE).read_bytes())
            return cls(folder=folder, recording=folder.name, **said)
        except (FileNotFoundError, ValueError, TypeError):
            return cls(folder=folder, recording=folder.name)

    def to_map(self) -> dict[str, Any]:
        return {**asdict(self), "folder": str(self.folder)}
