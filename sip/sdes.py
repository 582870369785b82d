"""SRTP keys in session descriptions (RFC 4568, RFC 7714): one `a=crypto` line read and written, and choosing one.

A line that we could not serve exactly as it asks (unknown suite, MKI, unencrypted streams, key derivation rates) is as
good as absent: the peer offers others, or the call goes without SRTP or not at all, as its policy says.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from santral.sip.errors import LocalError, Malformed

__all__ = ["SUITES", "Crypto", "choose", "make", "read_all"]

SUITES: Final = {  # name -> octets of master key and master salt (RFC 4568 section 6.2, RFC 7714 section 14.2)
    "AEAD_AES_256_GCM": (32, 12),
    "AEAD_AES_128_GCM": (16, 12),
    "AES_CM_128_HMAC_SHA1_80": (16, 14),
    "AES_CM_128_HMAC_SHA1_32": (16, 14),
}
MAX_LINES: Final = 16  # a=crypto lines of one stream that are looked at
MAX_TAG_DIGITS: Final = 9  # RFC 4568 section 9.2
MAX_TEXT: Final = 512

_LINE: Final = re.compile(r"([0-9]+)[ \t]+([A-Za-z0-9_]+)[ \t]+(\S+)((?:[ \t]+\S+)*)[ \t]*", re.ASCII).fullmatch
_INLINE: Final = re.compile(
    r"inline:(?P<key>[A-Za-z0-9+/]+={0,2})(?:\|(?:2\^)?[0-9]{1,15})?(?P<mki>\|[0-9]+:[0-9]+)?", re.ASCII
).fullmatch
_HARMLESS: Final = re.compile(r"WSH=[0-9]{1,10}|KDR=0|-\S+", re.ASCII).fullmatch  # RFC 4568 6.3


@dataclass(frozen=True, slots=True)
class Crypto:
    """One `a=crypto` value: its tag, suite, and master key with salt. The key shows in no `repr`."""

    tag: int
    suite: str
    key: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the value after `a=crypto:`; raises Malformed for what is wrong, and for what we do not serve."""
        match = _LINE(text) if len(text) <= MAX_TEXT else None
        if match is None:
            raise Malformed("a=crypto cannot be read")  # its text may hold a key
        tag, suite, keys, parameters = match.groups()
        if len(tag) > MAX_TAG_DIGITS or tag != str(int(tag)):
            raise Malformed("a=crypto: tag")
        if suite not in SUITES:
            raise Malformed(f"a=crypto: suite {suite[:40]}")
        for parameter in parameters.split():
            if _HARMLESS(parameter) is None:
                raise Malformed(f"a=crypto: {parameter[:40]}")
        return cls(int(tag), suite, _read_key(keys, suite))

    def __str__(self) -> str:
        return f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode('ascii')}"

    def __post_init__(self) -> None:
        if len(self.key) != sum(SUITES.get(self.suite, (0, -1))):
            raise LocalError(f"a=crypto: {len(self.key)} octets of key for {self.suite[:40]}")


def _read_key(text: str, suite: str) -> bytes:
    match = _INLINE(text)
    if match is None:
        raise Malformed("a=crypto: key parameters")
    if match["mki"] is not None:
        raise Malformed("a=crypto: MKI")
    try:
        key = base64.b64decode(match["key"], validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("a=crypto: key") from None
    if len(key) != sum(SUITES[suite]):
        raise Malformed(f"a=crypto: {len(key)} octets of key")
    return key


def read_all(values: Iterable[str]) -> tuple[Crypto, ...]:
    """The lines that can be served, in the peer's order; of lines with one tag the first counts."""
    found: dict[int, Crypto] = {}
    for value in list(values)[:MAX_LINES]:
        try:
            crypto = Crypto.parse(value)
        except Malformed:
            continue
        found.setdefault(crypto.tag, crypto)
    return tuple(found.values())


def choose(offered: Sequence[Crypto], suites: Iterable[str] = SUITES) -> Crypto | None:
    """The first of the offer whose suite is among ours: the order is the offerer's (RFC 4568 section 5.1.2)."""
    ours = frozenset(suites)
    return next((crypto for crypto in offered if crypto.suite in ours), None)


def make(tag: int, suite: str, entropy: Callable[[int], bytes]) -> Crypto:
    """A line of ours with a fresh key from `entropy`."""
    return Crypto(tag, suite, entropy(sum(SUITES[suite])))
