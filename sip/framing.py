"""Cut a byte stream into SIP messages (RFC 3261 sections 7.5 and 18.3, RFC 5626 section 4.4.1 keep-alives).

Content-Length alone says where a message ends; the messages themselves are left to `parse_message`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final

from santral.sip.errors import Malformed, RemoteError, TooLarge
from santral.sip.message import MAX_HEAD, MAX_MESSAGE, salvage

__all__ = ["Framer", "KeepAlive", "is_keep_alive"]

_LENGTH: Final = re.compile(rb"\r\n(?:content-length|l)[ \t]*:((?:[^\r\n]|\r\n[ \t])*)", re.IGNORECASE)
_PING: Final = b"\r\n\r\n"


class KeepAlive(Enum):
    """What travels between messages to hold a flow open."""

    PING = b"\r\n\r\n"
    PONG = b"\r\n"


def is_keep_alive(datagram: bytes) -> bool:
    """Whether a datagram holds nothing but line ends, blanks or NULs: something to drop without a word."""
    return len(datagram) <= 16 and not datagram.strip(b"\r\n\0 \t")


class Framer:
    """One direction of one connection. Once it has raised the stream is lost: answer what can be answered and close."""

    __slots__ = ("_buffer", "_scanned")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0  # no end of headers before this offset

    def receive(self, chunk: bytes) -> Iterator[bytes | KeepAlive]:
        """Take over a chunk at once; iterate over what it completes, in order.

        Iterating raises RemoteError (after what came before it was delivered) where the stream cannot be cut any
        further: Content-Length missing, given twice or no number, or a message longer than our limits.
        """
        self._buffer += chunk
        return self._cut()

    @property
    def pending(self) -> int:
        """Octets that wait for the rest of their message; half a keep-alive is none."""
        return 0 if _PING.startswith(self._buffer) else len(self._buffer)

    def _cut(self) -> Iterator[bytes | KeepAlive]:
        buffer = self._buffer
        while buffer:
            if buffer.startswith(b"\r"):
                if len(buffer) < 4 and _PING.startswith(buffer):
                    return
                if buffer.startswith(_PING):
                    del buffer[:4]
                    yield KeepAlive.PING
                    continue
                if buffer.startswith(b"\r\n"):
                    del buffer[:2]
                    continue
            message = self._next_message()
            if message is None:
                return
            yield message

    def _next_message(self) -> bytes | None:
        buffer = self._buffer
        end = buffer.find(_PING, self._scanned, MAX_HEAD)
        if end < 0:
            if len(buffer) >= MAX_HEAD:
                raise TooLarge("headers without an end", salvage(bytes(buffer[:MAX_HEAD])))
            self._scanned = max(0, len(buffer) - 3)
            return None
        try:
            total = end + 4 + self._read_length(end)
            if total > MAX_MESSAGE:
                raise TooLarge(f"message of {total} octets")
        except RemoteError as refusal:
            refusal.request = salvage(bytes(buffer[:end]))
            raise
        if len(buffer) < total:
            self._scanned = end
            return None
        message = bytes(buffer[:total])
        del buffer[:total]
        self._scanned = 0
        return message

    def _read_length(self, end: int) -> int:
        found = _LENGTH.findall(self._buffer, 0, end)
        if len(found) != 1:
            raise Malformed(f"{len(found)} Content-Length headers on a stream")
        digits: bytes = found[0].strip()
        if not digits.isdigit() or len(digits) > 10:
            raise Malformed(f"Content-Length: {digits[:20]!r}")
        return int(digits)
