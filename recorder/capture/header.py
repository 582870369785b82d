"""The header of a capture: a map behind a sum, and all of it twice, so that one flipped bit cannot cost a recording."""

import struct
import zlib
from dataclasses import dataclass
from typing import Any, Final, cast

import msgpack

from santral.recorder.capture.model import CaptureHeader, Clock, Damage, NotACapture

MAGIC: Final = b"\x89SCAP\r\n\x1a"
VERSION: Final = 1
ENCRYPTED: Final = 1  # bit of the flags
PREAMBLE: Final = struct.Struct("<8sHHII")  # magic, version, flags, bytes of the map, CRC-32 of all but itself
SUMMED_BYTES: Final = 16  # of the preamble
MAX_MAP_BYTES: Final = 1 << 16
SALT_BYTES: Final = 4
FIELDS: Final[dict[str, type]] = {
    "recording": str,
    "tenant": str,
    "node": str,
    "monotonic_ns": int,
    "utc_ns": int,
    "clock": str,
}


@dataclass(frozen=True, slots=True)
class Opening:
    """How a file begins: the header, what its nonces begin with, and where the first chunk stands."""

    header: CaptureHeader
    salt: bytes
    bytes: int
    damage: tuple[Damage, ...] = ()


def header_bytes(header: CaptureHeader, salt: bytes) -> bytes:
    """Both copies. `meta` is not among the fields: it goes into the first chunk, which may be encrypted."""
    fields: dict[str, Any] = {name: getattr(header, name) for name in FIELDS}
    if header.wrapped:
        fields |= {"cipher": "AES-256-GCM", "wrapped": header.wrapped, "salt": salt}
    packed = msgpack.packb(fields)
    if len(packed) > MAX_MAP_BYTES:
        raise ValueError("a capture's header is too long")
    flags = ENCRYPTED if header.wrapped else 0
    summed = PREAMBLE.pack(MAGIC, VERSION, flags, len(packed), 0)[:SUMMED_BYTES]
    copy: bytes = summed + struct.pack("<I", zlib.crc32(packed, zlib.crc32(summed))) + packed
    return copy + copy


def read_header(data: bytes) -> Opening:
    """From the first bytes of a file. Raises `NotACapture` where neither copy of the header is sound."""
    first = one_copy(data, 0)
    if first is not None:
        header, salt, length = first
        if data[length : 2 * length] == data[:length]:
            return Opening(header, salt, 2 * length)
        return Opening(header, salt, 2 * length, (Damage(length, length, "header"),))
    at = data.find(MAGIC, 1)
    while at > 0:
        second = one_copy(data, at)
        if second is not None:
            header, salt, length = second
            return Opening(header, salt, at + length, (Damage(0, at, "header"),))
        at = data.find(MAGIC, at + 1)
    raise NotACapture("no sound header of a capture")


def one_copy(data: bytes, at: int) -> tuple[CaptureHeader, bytes, int] | None:
    if len(data) - at < PREAMBLE.size:
        return None
    magic, version, flags, length, crc = PREAMBLE.unpack_from(data, at)
    packed = data[at + PREAMBLE.size : at + PREAMBLE.size + length]
    if magic != MAGIC or length > MAX_MAP_BYTES or len(packed) < length:
        return None
    if zlib.crc32(packed, zlib.crc32(data[at : at + SUMMED_BYTES])) != crc:
        return None
    if version != VERSION:
        raise NotACapture(f"a capture of version {version}; known is {VERSION}")
    header, salt = header_of(packed, encrypted=bool(flags & ENCRYPTED))
    return header, salt, PREAMBLE.size + length


def header_of(packed: bytes, *, encrypted: bool) -> tuple[CaptureHeader, bytes]:
    try:
        fields = msgpack.unpackb(packed)
    except (ValueError, msgpack.UnpackException):
        fields = None
    if not isinstance(fields, dict) or any(not isinstance(fields.get(name), kind) for name, kind in FIELDS.items()):
        raise NotACapture("fields are missing in the header")
    wrapped, salt = fields.get("wrapped", b""), fields.get("salt", b"")
    if encrypted and not (
        isinstance(wrapped, bytes) and wrapped and isinstance(salt, bytes) and len(salt) == SALT_BYTES
    ):
        raise NotACapture("an encrypted capture without its wrapped key")
    header = CaptureHeader(
        fields["recording"],
        fields["tenant"],
        fields["node"],
        fields["monotonic_ns"],
        fields["utc_ns"],
        cast(Clock, fields["clock"]),
        {},
        wrapped if encrypted else b"",
    )
    return header, salt if encrypted else b""
