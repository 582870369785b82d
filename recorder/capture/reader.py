"""Reading a capture: whole, in pieces of bounded size, or while it grows.

Only whole chunks count. What is damaged is skipped and told; a tail that is no whole chunk stays unread, since the rest
of it may still come.
"""

import fcntl
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgpack
import numpy as np

from santral.recorder.capture.header import MAX_MAP_BYTES, read_header
from santral.recorder.capture.index import chunk_head, count_packets, index_packets, is_body_sound
from santral.recorder.capture.model import PACKET, Batch, CaptureHeader, Damage, KeyNeeded, NotACapture, Note
from santral.recorder.capture.seal import Seal

CHUNK_MAGIC: Final = b"chnk"
CHUNK_HEAD_BYTES: Final = 24
MAX_CHUNK_BYTES: Final = CHUNK_HEAD_BYTES + (1 << 20)
NUMBER_BITS: Final = 48  # of a chunk's number; above them: how often it was tried before, so that no nonce serves twice
READ_BYTES: Final = 1 << 26  # at a time, where nobody asks for less
OPENING_BYTES: Final = 4 * MAX_MAP_BYTES

Unwrap = Callable[[str, str, bytes], bytes]  # (tenant, recording, wrapped key) -> data key


@dataclass(frozen=True, slots=True)
class Body:
    """Where the records of one chunk are in the bytes they were read into."""

    start: int
    end: int
    packets: int


@dataclass(slots=True)
class Found:
    """What has been found in some bytes of the file."""

    data: bytes
    opened: bytearray = field(default_factory=bytearray)  # bodies without their encryption
    bodies: list[Body] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)
    bytes: int = 0  # that are done with


class CaptureFile:
    """One capture, read from the front. Raises `OSError`, `NotACapture`, and `KeyNeeded` for want of the right key.

    `is_complete`, once everything was read, says whether its writer came to its end.
    """

    def __init__(self, path: Path | str, unwrap: Unwrap | None = None) -> None:
        self.path: Final = Path(path)
        self.codecs: Final[dict[int, str]] = {}
        self.is_complete = False
        self.end_reason = ""
        self.damage: Final[list[Damage]] = []
        self._fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            opening = read_header(os.pread(self._fd, OPENING_BYTES, 0))
            self.header: CaptureHeader = opening.header
            self.damage.extend(opening.damage)
            self._at = opening.bytes  # up to here all is read
            self._next_number = 0
            self._seal = self._key(opening.salt, unwrap)
            if self._seal is not None or not self.header.wrapped:
                self._read_meta()
        except BaseException:
            os.close(self._fd)
            raise

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def unread_bytes(self) -> int:
        """Behind what was read. Once nothing more comes of a file that nobody writes: its torn tail."""
        return os.fstat(self._fd).st_size - self._at

    def read(self, limit_bytes: int | None = None) -> Batch:
        """All that is whole and was not read yet, or about so many bytes of it (one chunk at least)."""
        if self._seal is None and self.header.wrapped:
            raise KeyNeeded(f"recording {self.header.recording} is encrypted")
        if limit_bytes is not None:
            return self._batch(max(limit_bytes, 1))
        batches = [self._batch(READ_BYTES)]
        while batches[-1]:
            batches.append(self._batch(READ_BYTES))
        return joined(batches[:-1]) if len(batches) > 2 else batches[0]

    def _key(self, salt: bytes, unwrap: Unwrap | None) -> Seal | None:
        if not self.header.wrapped or unwrap is None:
            return None
        key = unwrap(self.header.tenant, self.header.recording, self.header.wrapped)
        return Seal(key, self.header.recording, salt)

    def _read_meta(self) -> None:
        """It stands in the first chunk, which is read again with everything else."""
        data = os.pread(self._fd, MAX_CHUNK_BYTES, self._at)
        found = self._parse(data[: first_chunk_bytes(data)])
        if any(damage.why == "seal" for damage in found.damage):
            raise KeyNeeded(f"not the key of recording {self.header.recording}")
        meta = next((dict(note.fields) for note in self._batch_of(found).notes if note.kind == "meta"), {})
        self.header = replace(self.header, meta=meta)

    def _batch(self, limit: int) -> Batch:
        """From the next bytes of the file; more than `limit` where one chunk takes more."""
        while True:
            data = os.pread(self._fd, limit, self._at)
            found = self._parse(data)
            if found.bytes or len(data) < limit:
                break
            limit = max(2 * limit, MAX_CHUNK_BYTES)
        self.damage.extend(replace(damage, at=damage.at + self._at) for damage in found.damage)
        self._at += found.bytes
        for number in found.numbers:
            self._count(number)
        batch = self._batch_of(found)
        for note in batch.notes:
            self._learn(note)
        if found.bytes and not batch:  # all of it was damaged: go on, or it would look like the end
            return self._batch(limit)
        return batch

    def _count(self, number: int) -> None:
        """Chunks that are not there at all can only be seen by their numbers."""
        number &= (1 << NUMBER_BITS) - 1
        if number != self._next_number and not self.damage:
            self.damage.append(Damage(self._at, 0, "missing"))
        self._next_number = number + 1

    def _learn(self, note: Note) -> None:
        if note.kind == "codec":
            number, key = note.fields.get("number"), note.fields.get("key")
            if isinstance(number, int) and isinstance(key, str):
                self.codecs[number] = key
        elif note.kind == "end":
            self.is_complete = True
            self.end_reason = str(note.fields.get("reason", ""))

    def _parse(self, data: bytes) -> Found:
        """Whole chunks, from the first byte on."""
        found = Found(data)
        while True:
            head = chunk_head(data, found.bytes)
            if head is None:
                next_at = next_chunk(data, found.bytes)
                if next_at < 0:
                    return found
                found.damage.append(Damage(found.bytes, next_at - found.bytes, "chunk"))
                found.bytes = next_at
                continue
            number, length = head
            size = CHUNK_HEAD_BYTES + length
            if size > len(data) - found.bytes:
                return found
            why = self._take(found, number, length)
            if why:
                found.damage.append(Damage(found.bytes, size, why))
            else:
                found.numbers.append(number)
            found.bytes += size

    def _take(self, found: Found, number: int, length: int) -> str:
        """The chunk that comes next. Empty, or what is wrong with it."""
        if not is_body_sound(found.data, found.bytes):
            return "body"
        start = found.bytes + CHUNK_HEAD_BYTES
        end = start + length
        if self._seal is None:
            packets = count_packets(found.data, start, end)
        else:
            plain = self._seal.open(number, found.data[start:end])
            if plain is None:
                return "seal"
            packets = count_packets(plain, 0, len(plain))
            start, end = len(found.opened), len(found.opened) + len(plain)
            found.opened += plain
        if packets < 0:
            return "records"
        found.bodies.append(Body(start, end, packets))
        return ""

    def _batch_of(self, found: Found) -> Batch:
        return batch_of(found.data if self._seal is None else bytes(found.opened), found.bodies)


def first_chunk_bytes(data: bytes) -> int:
    head = chunk_head(data, 0)
    return 0 if head is None else CHUNK_HEAD_BYTES + head[1]


def next_chunk(data: bytes, at: int) -> int:
    """Where the next sound head of a chunk stands behind `at`; -1: nowhere."""
    found = data.find(CHUNK_MAGIC, at + 1)
    while found >= 0 and chunk_head(data, found) is None:
        found = data.find(CHUNK_MAGIC, found + 1)
    return found


def batch_of(data: bytes, bodies: list[Body]) -> Batch:
    packets = np.empty(sum(body.packets for body in bodies), PACKET)
    rows = packets.view(np.uint8).reshape(-1)
    places: list[tuple[int, int, int]] = []
    first = 0
    for body in bodies:
        first += index_packets(data, body.start, body.end, rows, first, places)
    notes = [note for note in (note_of(at_ns, data[start:end]) for at_ns, start, end in places) if note is not None]
    return Batch(packets, data, notes)


def note_of(at_ns: int, packed: bytes) -> Note | None:
    """None: no map with a kind, which no writer makes."""
    try:
        fields: Any = msgpack.unpackb(packed)
    except (ValueError, msgpack.UnpackException):
        return None
    if not isinstance(fields, dict) or not isinstance(kind := fields.pop("kind", None), str):
        return None
    return Note(at_ns, kind, fields)


def joined(batches: list[Batch]) -> Batch:
    """One behind the other."""
    parts, before = [], 0
    for batch in batches:
        part = batch.packets.copy()
        part["offset"] += before
        before += len(batch.payloads)
        parts.append(part)
    payloads = b"".join(batch.payloads for batch in batches)
    return Batch(np.concatenate(parts), payloads, [note for batch in batches for note in batch.notes])


def is_being_written(path: Path | str) -> bool:
    """Whether its writer lives, here: it holds the lock of the file, which the kernel frees when the process ends."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


__all__ = ["CaptureFile", "NotACapture", "Unwrap", "is_being_written"]
