"""How every capture begins: header, then a chunk with nothing but the note `meta`."""

import secrets
from dataclasses import replace
from typing import Any

import msgpack

from santral.recorder.capture.chunk import Chunk, chunk_of
from santral.recorder.capture.header import SALT_BYTES, header_bytes
from santral.recorder.capture.model import CaptureHeader, CaptureKey
from santral.recorder.capture.seal import Seal

MAX_META_BYTES = 1 << 16


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
