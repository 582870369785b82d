"""Chunks encrypted one by one with AES-256-GCM. The nonce is the file's salt and the chunk's number, and no number is
used for two bodies; which recording it is and which chunk is authenticated too, so that nothing can change places.
"""

import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from santral.recorder.capture.chunk import bound_head

TAG_BYTES: Final = 16


class Seal:
    """Of one capture."""

    def __init__(self, data_key: bytes, recording: str, salt: bytes) -> None:
        self._cipher = AESGCM(data_key)
        self._recording = recording.encode()
        self._salt = salt

    def seal(self, number: int, body: bytes) -> bytes:
        """The body as it is stored: ciphertext and tag."""
        nonce, bound = self._terms(number, len(body) + TAG_BYTES)
        return self._cipher.encrypt(nonce, body, bound)

    def open(self, number: int, stored: bytes) -> bytes | None:
        """None: it was not sealed so."""
        nonce, bound = self._terms(number, len(stored))
        try:
            return self._cipher.decrypt(nonce, stored, bound)
        except InvalidTag:
            return None

    def _terms(self, number: int, stored_bytes: int) -> tuple[bytes, bytes]:
        return self._salt + struct.pack("<Q", number), bound_head(number, stored_bytes) + self._recording
