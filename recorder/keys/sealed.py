"""Sealed files: AES-256-GCM in chunks, so that any byte range is read, and checked, without the rest.

Layout: a header of `HEADER_BYTES` (magic `STRLSEAL`, version, log2 of the chunk size, two zero bytes, salt of 16), then
chunks of nonce (12), ciphertext (of the chunk size; the last has 1 to that many, or 0 in an empty file) and tag (16).
Associated data: the header, the chunk's number (u64, big-endian) and 1 for the last one, else 0: chunks cannot be cut
off, moved, or taken from another file. Every sealing takes a fresh random nonce; the key, `DataKey.file(salt)`, is this
file's own.
"""

import io
import os
import struct
from abc import abstractmethod
from types import TracebackType
from typing import BinaryIO, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from santral.recorder.keys.keyring import NONCE_BYTES, TAG_BYTES, DataKey

MAGIC: Final = b"STRLSEAL"
VERSION: Final = 1
SALT_BYTES: Final = 16
HEADER: Final = struct.Struct(f">8sBBxx{SALT_BYTES}s")
HEADER_BYTES: Final = HEADER.size
CHUNK_LOG2: Final = 16
MIN_CHUNK_LOG2: Final = 9
MAX_CHUNK_LOG2: Final = 24
OVERHEAD_BYTES: Final = NONCE_BYTES + TAG_BYTES  # of a chunk
BOUND: Final = struct.Struct(">QB")  # chunk number, whether it is the last


class DamagedError(Exception):
    """A sealed file was changed, cut short, or is none."""


class _Chunks:
    """The chunks of one file: how each is sealed, opened and found."""

    def __init__(self, file: BinaryIO, header: bytes, key: DataKey) -> None:
        _, _, log2, salt = HEADER.unpack(header)
        self.bytes: int = 1 << log2
        self._file = file
        self._header = header
        self._cipher = AESGCM(key.file(salt))

    def write(self, number: int, plain: bytes | bytearray, *, last: bool) -> None:
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, plain, self._header + BOUND.pack(number, last))
        self._file.seek(self._position(number))
        self._file.write(nonce + sealed)

    def read(self, number: int, *, last: bool) -> bytes:
        """Raises `DamagedError`."""
        self._file.seek(self._position(number))
        sealed = self._file.read(self.bytes + OVERHEAD_BYTES)
        if len(sealed) < OVERHEAD_BYTES:
            raise DamagedError(f"cut short in chunk {number}")
        bound = self._header + BOUND.pack(number, last)
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound)
        except InvalidTag:
            raise DamagedError(f"chunk {number} does not open") from None

    def _position(self, number: int) -> int:
        return HEADER_BYTES + number * (self.bytes + OVERHEAD_BYTES)


class _Plain(io.RawIOBase):
    """The plain bytes of a sealed file, a chunk of them at hand: `_take` has another one there."""

    _chunks: _Chunks
    _chunk: bytes | bytearray
    size = 0
    _at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        if start + offset < 0:
            raise ValueError("before the beginning")
        self._at = start + offset
        return self._at

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        if self._at >= self.size:
            return 0
        self._take(self._at // self._chunks.bytes)
        inside = self._at % self._chunks.bytes
        piece = self._chunk[inside : inside + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    @abstractmethod
    def _take(self, number: int) -> None: ...


class SealedWriter(_Plain):
    """Seals what is written; encoders may seek back and correct their headers. A file is whole once it is closed.

    The plain bytes never reach the disk. `file` must be readable, writable, seekable and empty; it is left open.
    """

    _chunk: bytearray

    def __init__(self, file: BinaryIO, key: DataKey, *, chunk_log2: int = CHUNK_LOG2) -> None:
        super().__init__()
        header = HEADER.pack(MAGIC, VERSION, chunk_log2, os.urandom(SALT_BYTES))
        file.write(header)
        self._chunks = _Chunks(file, header, key)
        self._number = 0  # of the chunk at hand
        self._chunk = bytearray()
        self._changed = True
        self._written = 0  # chunks in the file, none of them sealed as the last

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        if self._at > self.size:  # a hole reads as zeros
            gap, self._at = self._at - self.size, self.size
            self.write(bytes(gap))
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view):
            self._take(self._at // self._chunks.bytes)
            inside = self._at % self._chunks.bytes
            piece = view[done : done + self._chunks.bytes - inside]
            self._chunk[inside : inside + len(piece)] = piece
            self._changed = True
            done += len(piece)
            self._at += len(piece)
            self.size = max(self.size, self._at)
        return done

    def close(self) -> None:
        """Seal the last chunk as the last. `discard` instead if the file is not to be whole."""
        if not self.closed:
            last = max(0, self.size - 1) // self._chunks.bytes
            self._take(last)
            self._chunks.write(last, self._chunk, last=True)
        super().close()

    def discard(self) -> None:
        """Close without making the file whole."""
        super().close()

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def __del__(self) -> None:
        """A forgotten writer leaves no whole file behind."""

    def _take(self, number: int) -> None:
        """Have this chunk at hand; the one that was goes to the file."""
        if number == self._number:
            return
        if self._changed:
            self._chunks.write(self._number, self._chunk, last=False)
            self._written = max(self._written, self._number + 1)
        self._changed = False
        self._number = number
        self._chunk = bytearray(self._chunks.read(number, last=False) if number < self._written else b"")


class SealedReader(_Plain):
    """The plain bytes of a sealed file, seekable. Owns `file`. Raises `DamagedError`, from any read."""

    def __init__(self, file: BinaryIO, key: DataKey) -> None:
        super().__init__()
        self._file = file
        sealed_bytes = file.seek(0, os.SEEK_END) - HEADER_BYTES
        file.seek(0)
        header = file.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES or sealed_bytes < OVERHEAD_BYTES:
            raise DamagedError("too short for a sealed file")
        magic, version, log2, _ = HEADER.unpack(header)
        if (magic, version) != (MAGIC, VERSION) or not MIN_CHUNK_LOG2 <= log2 <= MAX_CHUNK_LOG2:
            raise DamagedError("not a sealed file of a known version")
        self._chunks = _Chunks(file, header, key)
        self._count = -(-sealed_bytes // (self._chunks.bytes + OVERHEAD_BYTES))
        self.size = sealed_bytes - self._count * OVERHEAD_BYTES
        if self.size <= (self._count - 1) * self._chunks.bytes and self._count > 1:  # the last chunk holds something
            raise DamagedError("cut short")
        self._number, self._chunk = -1, b""

    def __enter__(self) -> Self:
        return self

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        if not self.size:
            self._take(0)  # says that it is empty
        return super().readinto(buffer)

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    def _take(self, number: int) -> None:
        if number != self._number:
            self._number, self._chunk = number, self._chunks.read(number, last=number == self._count - 1)
