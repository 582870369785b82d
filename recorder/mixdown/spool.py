"""Audio kept for a while on disk, where only its holder can read it: an unlinked file, by a key in memory.

A recording that is encrypted must not lie anywhere in the clear, not even while it is listened to.
"""

import os
import tempfile
from pathlib import Path
from typing import IO, Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

KEY_BYTES: Final = 32
BLOCK: Final = 16  # of AES; a place in the file is a place in the key stream, so any part can be read alone


class Spool:
    """Bytes that are only added to, and read from anywhere."""

    def __init__(self, folder: Path | None = None) -> None:
        self.size = 0
        self._key: Final = algorithms.AES256(os.urandom(KEY_BYTES))
        self._file: Final[IO[bytes]] = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed with this

    def add(self, data: bytes | memoryview) -> None:
        hidden = memoryview(self._ciphered(data, self.size))
        self._file.seek(self.size)
        self.size += len(hidden)
        while hidden:
            hidden = hidden[self._file.write(hidden) or 0 :]

    def read(self, offset: int, length: int) -> bytes:
        """Fewer bytes at the end of what there is."""
        length = max(0, min(length, self.size - offset))
        self._file.seek(offset)
        return self._ciphered(self._file.read(length), offset)

    def close(self) -> None:
        self._file.close()

    def _ciphered(self, data: bytes | memoryview, offset: int) -> bytes:
        """There and back is the same; no place is ever written twice."""
        context = Cipher(self._key, modes.CTR((offset // BLOCK).to_bytes(BLOCK))).encryptor()
        context.update(bytes(offset % BLOCK))
        return context.update(data)
