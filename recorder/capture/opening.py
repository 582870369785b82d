"""How every capture begins: locked before it has its name; a header, then a chunk with nothing but the note `meta`."""

import errno
import fcntl
import os
import secrets
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import msgpack

from santral.recorder.capture.chunk import Chunk, chunk_of
from santral.recorder.capture.header import SALT_BYTES, header_bytes
from santral.recorder.capture.model import CaptureHeader, CaptureKey
from santral.recorder.capture.seal import Seal

MAKING: Final = ".making"  # behind the name of a file that is not locked yet
YOUNG_S: Final = 2.0  # its maker may not have locked it yet
MAX_META_BYTES: Final = 1 << 16


def opening_bytes(header: CaptureHeader, key: CaptureKey | None) -> tuple[bytes, Seal | None]:
    """What a file begins with, and what seals the chunks behind it. Chunk 0 is taken by this."""
    salt = secrets.token_bytes(SALT_BYTES)
    seal = Seal(key.data, header.recording, salt) if key is not None else None
    fields = note_fields("meta", dict(header.meta))
    if len(fields) > MAX_META_BYTES:
        raise ValueError("a capture's meta is too long")
    first = Chunk(len(fields) + 16)
    first.note(header.monotonic_ns, fields)
    body = first.body if seal is None else seal.seal(0, first.body)
    named = replace(header, wrapped=key.wrapped if key is not None else b"")
    return header_bytes(named, salt) + chunk_of(0, body), seal


def note_fields(kind: str, fields: dict[str, Any]) -> bytes:
    """A note as it stands in a record."""
    return bytes(msgpack.packb({"kind": kind, **fields}))


def create(path: Path, opening: bytes) -> int:
    """A new file with its opening. Its name never stands there unlocked: who finds it so finds it finished.

    Raises `OSError`; then nothing is left of it.
    """
    if path.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    making = path.with_name(path.name + MAKING)
    fd = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_all(fd, opening)
        making.rename(path)
    except BaseException:
        os.close(fd)
        making.unlink(missing_ok=True)
        raise
    return fd


def sweep_unmade(folder: Path, now_s: float) -> tuple[list[Path], bool]:
    """Take away what was being made when its process died; nothing was in it yet. Also whether there may be more soon.

    The lock tells the living from the dead, but for the moment between a file and its lock. Raises OSError.
    """
    gone: list[Path] = []
    is_young = False
    for path in sorted(folder.glob(f"*{MAKING}")):
        with suppress(FileNotFoundError):  # it has its name by now
            if now_s - path.stat().st_mtime < YOUNG_S:  # not even looked at: its maker may be about to lock it
                is_young = True
                continue
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                gone.append(path)
            except BlockingIOError:
                continue
            finally:
                os.close(fd)
    return gone, is_young


def write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
