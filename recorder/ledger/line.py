"""One line of the ledger: canonical JSON that names the line before it by its hash, signed by Ed25519 (RFC 8032).

`{"n", "at", "kind", …facts…, "previous", "signature"}`: `previous` is the SHA-256 of the whole line before, without its
newline; the signature covers the line without it. Keys are sorted and there is no space: same facts, same bytes.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

START: Final = "0" * 64  # `previous` of the first line
CONTEXT: Final = b"santral ledger 1\0"  # what is signed can be taken for nothing else
KINDS: Final = ("stored", "moved", "erased", "hold", "released", "rewrapped")
OWN: Final = ("n", "at", "kind", "previous", "signature")


class LedgerError(Exception):
    """The ledger cannot be read, written or trusted."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line and what it says."""

    number: int  # from 1
    at_ms: int  # UTC
    kind: str
    facts: Mapping[str, Any]
    previous: str
    raw: bytes  # without the newline

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.raw).hexdigest()


def write(kind: str, facts: Mapping[str, Any], *, after: tuple[int, str], at_ms: int, key: Ed25519PrivateKey) -> Entry:
    """Make the line that follows the one with this number and hash. `facts` may use any name but the line's own."""
    if kind not in KINDS or set(facts) & set(OWN):
        raise ValueError(f"not an entry: {kind} {sorted(facts)}")
    number, previous = after[0] + 1, after[1]
    said = {"n": number, "at": at_ms, "kind": kind, "previous": previous, **facts}
    said["signature"] = base64.b64encode(key.sign(CONTEXT + canonical(said))).decode()
    return Entry(number, at_ms, kind, dict(facts), previous, canonical(said))


def read(raw: bytes) -> Entry:
    """What a line says; nothing is checked but its form. Raises `LedgerError`."""
    try:
        said = json.loads(raw)
        own = (int(said["n"]), int(said["at"]), str(said["kind"]), str(said["previous"]), str(said["signature"]))
    except (ValueError, TypeError, KeyError):
        raise LedgerError("not a line of a ledger") from None
    facts = {name: value for name, value in said.items() if name not in OWN}
    return Entry(own[0], own[1], own[2], facts, own[3], raw)


def is_signed(entry: Entry, key: Ed25519PublicKey) -> bool:
    """Whether the line is as its writer left it."""
    said = json.loads(entry.raw)
    try:
        signature = base64.b64decode(said.pop("signature"), validate=True)
        key.verify(signature, CONTEXT + canonical(said))
    except (ValueError, InvalidSignature):
        return False
    return canonical({**said, "signature": base64.b64encode(signature).decode()}) == entry.raw


def canonical(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
