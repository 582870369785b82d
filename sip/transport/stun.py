"""STUN binding requests on a SIP port (RFC 5626 section 4.4.2): the answer tells a phone its address (RFC 8489)."""

from __future__ import annotations

import struct
import zlib
from ipaddress import ip_address
from typing import Final

__all__ = ["FIRST_SIP_OCTET", "answer"]

FIRST_SIP_OCTET: Final = 4  # a datagram that begins with less is STUN (RFC 7983)
COOKIE: Final = 0x2112A442
BINDING_REQUEST: Final = 0x0001
BINDING_SUCCESS: Final = 0x0101
BINDING_ERROR: Final = 0x0111
MAX_REQUEST: Final = 548  # RFC 8489 section 6.1, for a path of unknown size
XOR_MAPPED_ADDRESS: Final = 0x0020
ERROR_CODE: Final = 0x0009
UNKNOWN_ATTRIBUTES: Final = 0x000A
FINGERPRINT: Final = 0x8028
FINGERPRINT_XOR: Final = 0x5354554E
OPTIONAL_FROM: Final = 0x8000  # attributes one need not understand (RFC 8489 section 14)
_IGNORED: Final = frozenset(
    {0x0003, 0x0006, 0x0008, 0x0014, 0x0015}
)  # credentials and CHANGE-REQUEST: nothing asks here

_HEAD: Final = struct.Struct("!HHI12s")
_ATTRIBUTE: Final = struct.Struct("!HH")


def answer(request: bytes, host: str, port: int) -> bytes | None:
    """The answer to a binding request from this address; None for what deserves none."""
    if len(request) > MAX_REQUEST or len(request) < _HEAD.size:
        return None
    kind, length, cookie, transaction = _HEAD.unpack_from(request)
    if kind != BINDING_REQUEST or cookie != COOKIE or length != len(request) - _HEAD.size or length % 4:
        return None
    attributes = _attributes(request)
    if attributes is None:
        return None
    unknown = [one for one in attributes if one < OPTIONAL_FROM and one not in _IGNORED]
    if unknown:
        reason = b"Unknown Attribute\0\0\0"
        body = _ATTRIBUTE.pack(ERROR_CODE, 21) + b"\0\0\4\x14" + reason
        codes = struct.pack(f"!{len(unknown)}H", *unknown)
        body += _ATTRIBUTE.pack(UNKNOWN_ATTRIBUTES, len(codes)) + codes + b"\0" * (-len(codes) % 4)
        kind = BINDING_ERROR
    else:
        body = _mapped_address(host, port, transaction)
        kind = BINDING_SUCCESS
    return _finish(kind, transaction, body, signs=FINGERPRINT in attributes)


def _attributes(request: bytes) -> list[int] | None:
    """The kinds of all attributes; None for a request that cannot be read."""
    found, at = [], _HEAD.size
    while at < len(request):
        kind, length = _ATTRIBUTE.unpack_from(request, at)
        if at + 4 + length > len(request):
            return None
        if kind == FINGERPRINT and (length != 4 or _fingerprint(request[:at]) != request[at + 4 : at + 8]):
            return None
        found.append(kind)
        at += 4 + length + -length % 4
    return found


def _mapped_address(host: str, port: int, transaction: bytes) -> bytes:
    address = ip_address(host.partition("%")[0])
    mask = struct.pack("!I12s", COOKIE, transaction)
    octets = bytes(one ^ other for one, other in zip(address.packed, mask, strict=False))
    family = 1 if address.version == 4 else 2
    return (
        _ATTRIBUTE.pack(XOR_MAPPED_ADDRESS, 4 + len(octets))
        + struct.pack("!BBH", 0, family, port ^ COOKIE >> 16)
        + octets
    )


def _finish(kind: int, transaction: bytes, body: bytes, *, signs: bool) -> bytes:
    if not signs:
        return _HEAD.pack(kind, len(body), COOKIE, transaction) + body
    message = _HEAD.pack(kind, len(body) + 8, COOKIE, transaction) + body
    return message + _ATTRIBUTE.pack(FINGERPRINT, 4) + _fingerprint(message)


def _fingerprint(message: bytes) -> bytes:
    return struct.pack("!I", zlib.crc32(message) ^ FINGERPRINT_XOR)
