"""Digest values: challenges and credentials as headers carry them, and the hashes between them (RFC 7616 3.4).

Nothing here knows who is asked or who may do what. HA1 is as good as a password: whoever holds it can be that user.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import unquote

from santral.sip.errors import Malformed
from santral.sip.uri import quote, unquote_string

__all__ = ["ALGORITHMS", "AUTH", "AUTH_INT", "Challenge", "Credentials", "digest", "ha1", "is_same"]

AUTH: Final = "auth"
AUTH_INT: Final = "auth-int"  # the body is protected as well
DEFAULT_ALGORITHM: Final = "MD5"  # RFC 7616 3.3, where a challenge names none
MAX_PARAMS: Final = 32  # of one challenge: the registered ones are thirteen
NC_DIGITS: Final = 8  # RFC 7616 3.4

_PARAM: Final = re.compile(
    r'[ \t,]*([A-Za-z0-9_.*-]+)[ \t]*=[ \t]*("[^"\\]*(?:\\.[^"\\]*)*"|[^\s,"]*)', re.DOTALL
).match
_SCHEME: Final = re.compile(r"[ \t]*Digest[ \t]+", re.IGNORECASE).match
_NC: Final = re.compile(r"[0-9a-fA-F]{8}", re.ASCII).fullmatch


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()  # what the protocol asks for


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha512_256(data: bytes) -> str:
    return hashlib.new("sha512_256", data).hexdigest()


ALGORITHMS: Final[dict[str, Callable[[bytes], str]]] = {"MD5": _md5, "SHA-256": _sha256}
if "sha512_256" in hashlib.algorithms_available:  # not every build of OpenSSL has it
    ALGORITHMS["SHA-512-256"] = _sha512_256
_SESSION: Final = "-sess"


def hash_of(algorithm: str) -> Callable[[bytes], str] | None:
    """The hash an algorithm's name stands for, in any case, `-sess` or not; None for one we do not know."""
    return ALGORITHMS.get(algorithm.upper().removesuffix(_SESSION.upper()))


def ha1(algorithm: str, username: str, realm: str, password: str) -> str:
    """What a server keeps of a password, for one realm: H(username:realm:password)."""
    return ALGORITHMS[algorithm](f"{username}:{realm}:{password}".encode())


def is_same(one: str, other: str) -> bool:
    """Compare two digests in a time that does not tell where they differ."""
    return hmac.compare_digest(one.lower().encode(), other.lower().encode())


@dataclass(frozen=True, slots=True)
class Challenge:
    """One WWW-Authenticate or Proxy-Authenticate value. Without `qop` the server speaks RFC 2069 only."""

    realm: str
    nonce: str
    algorithm: str = DEFAULT_ALGORITHM
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one value; raises Malformed for another scheme than Digest, or without realm or nonce."""
        found = _read(text)
        if "realm" not in found or not found.get("nonce"):
            raise Malformed("a challenge without realm or nonce")
        return cls(
            realm=found["realm"],
            nonce=found["nonce"],
            algorithm=found.get("algorithm") or DEFAULT_ALGORITHM,
            qop=tuple(one.strip().lower() for one in found.get("qop", "").split(",") if one.strip()),
            opaque=found.get("opaque"),
            stale=found.get("stale", "").lower() == "true",
        )

    def __str__(self) -> str:
        parts = [f"realm={quote(self.realm)}", f"nonce={quote(self.nonce)}", f"algorithm={self.algorithm}"]
        if self.qop:
            parts.append(f'qop="{",".join(self.qop)}"')
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.stale:
            parts.append("stale=true")
        return "Digest " + ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Credentials:
    """One Authorization or Proxy-Authorization value. `nc` is None where `qop` is: a peer of RFC 2069."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str = DEFAULT_ALGORITHM
    qop: str | None = None
    nc: int | None = None
    cnonce: str = ""
    opaque: str | None = None
    userhash: bool = False  # `username` is H(username:realm) (RFC 7616 3.4.4)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one value; raises Malformed."""
        found = _read(text)
        if "username" not in found and "username*" in found:
            found["username"] = _extended(found["username*"])
        for name in ("username", "realm", "nonce", "uri", "response"):
            if name not in found:
                raise Malformed(f"credentials without {name}")
        qop, nc = found.get("qop", "").lower() or None, None
        if qop is not None:
            if not found.get("cnonce") or not _NC(found.get("nc", "")):
                raise Malformed("credentials with qop need cnonce and nc")
            nc = int(found["nc"], 16)
        return cls(
            username=found["username"],
            realm=found["realm"],
            nonce=found["nonce"],
            uri=found["uri"],
            response=found["response"],
            algorithm=found.get("algorithm") or DEFAULT_ALGORITHM,
            qop=qop,
            nc=nc,
            cnonce=found.get("cnonce", ""),
            opaque=found.get("opaque"),
            userhash=found.get("userhash", "").lower() == "true",
        )

    def __str__(self) -> str:
        parts = [
            f"username={quote(self.username)}",
            f"realm={quote(self.realm)}",
            f"nonce={quote(self.nonce)}",
            f"uri={quote(self.uri)}",
            f'response="{self.response}"',
            f"algorithm={self.algorithm}",
        ]
        if self.qop is not None and self.nc is not None:
            parts += [f"qop={self.qop}", f"nc={self.nc:0{NC_DIGITS}x}"]
        if self.cnonce:
            parts.append(f"cnonce={quote(self.cnonce)}")
        if self.opaque is not None:
            parts.append(f"opaque={quote(self.opaque)}")
        if self.userhash:
            parts.append("userhash=true")
        return "Digest " + ", ".join(parts)


def digest(credentials: Credentials, secret: str, method: str, body: bytes) -> str:
    """The response these credentials must carry; `secret` is the HA1 for their algorithm.

    Raises Malformed for an algorithm or a qop we do not know.
    """
    hashed = hash_of(credentials.algorithm)
    if hashed is None or credentials.qop not in (None, AUTH, AUTH_INT):
        raise Malformed(f"digest: {credentials.algorithm[:20]} {(credentials.qop or '')[:20]}")
    if credentials.algorithm.lower().endswith(_SESSION):
        secret = hashed(f"{secret}:{credentials.nonce}:{credentials.cnonce}".encode())
    what = f"{method}:{credentials.uri}"
    if credentials.qop == AUTH_INT:
        what += f":{hashed(body)}"
    middle = credentials.nonce
    if credentials.qop is not None:
        middle += f":{credentials.nc or 0:0{NC_DIGITS}x}:{credentials.cnonce}:{credentials.qop}"
    return hashed(f"{secret}:{middle}:{hashed(what.encode())}".encode())


def challenges_in(lines: Sequence[str]) -> list[Challenge]:
    """The Digest challenges among these header lines, in order; what is no such challenge is passed over."""
    found: list[Challenge] = []
    for line in lines:
        try:
            found.append(Challenge.parse(line))
        except Malformed:
            continue
    return found


def _read(text: str) -> dict[str, str]:
    """The parameters after `Digest`, unquoted, by name in lower case; of one given twice the first counts."""
    scheme = _SCHEME(text)
    if scheme is None:
        raise Malformed(f"no Digest: {text[:20]!r}")
    found: dict[str, str] = {}
    at, end = scheme.end(), len(text.rstrip(" \t,"))
    while at < end:
        match = _PARAM(text, at)
        if match is None or len(found) >= MAX_PARAMS:
            raise Malformed("digest parameters")
        found.setdefault(match[1].lower(), unquote_string(match[2]))
        at = match.end()
    return found


def _extended(text: str) -> str:
    """`username*` of RFC 7616 3.4.4: UTF-8''percent-encoded."""
    charset, _, rest = text.partition("'")
    if charset.upper() != "UTF-8":
        raise Malformed("username* is not UTF-8")
    return unquote(rest.partition("'")[2])
