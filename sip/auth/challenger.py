"""The server's side of digest: nonces that prove themselves, a verdict on credentials. Nothing is kept for strangers.

A nonce carries its time and is sealed with our secret and the address it was given to, so that whoever failed with one
has really been there: forged packets cannot get anybody banned.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from hashlib import blake2s
from typing import TYPE_CHECKING, Final

from santral.sip.auth.digest import AUTH, AUTH_INT, Challenge, Credentials, digest, hash_of, is_same
from santral.sip.errors import Malformed
from santral.sip.uri import Uri

if TYPE_CHECKING:
    from santral.sip.message import Request

__all__ = ["Challenger", "Proof", "Verdict", "credentials_in"]

NONCE_LIFETIME_S: Final = 300.0  # a phone that comes back later is challenged again, with stale=true
MAX_NONCES: Final = 50_000  # nonces in use whose count is kept
MAX_COUNT: Final = 2**31  # uses of one nonce, far beyond any
PREFERRED: Final = ("SHA-256", "MD5")  # RFC 8760 2.3: the best first
_STAMP_OCTETS: Final = 6
_RANDOM_OCTETS: Final = 6
_SEAL_OCTETS: Final = 12
_NONCE_OCTETS: Final = _STAMP_OCTETS + _RANDOM_OCTETS + _SEAL_OCTETS

Secrets = Mapping[str, str]  # algorithm -> HA1
FindSecrets = Callable[[str, bool], "Known | None"]


@dataclass(frozen=True, slots=True)
class Known:
    """A user somebody may be: the name, and HA1 by algorithm."""

    name: str
    secrets: Secrets


class Proof(Enum):
    """What credentials are worth."""

    GOOD = auto()
    MISSING = auto()  # none for our realm, or none we can read
    STALE = auto()  # an old, foreign or already used nonce: nobody's fault
    WRONG = auto()  # a fresh nonce of ours and yet the wrong answer: a guess


@dataclass(frozen=True, slots=True)
class Verdict:
    """`name` is the user the credentials are for; empty unless they are GOOD."""

    proof: Proof
    name: str = ""


class Challenger:
    """One node's challenges. `entropy(n)` gives n random octets; `algorithms` are offered in this order."""

    def __init__(self, entropy: Callable[[int], bytes], algorithms: Sequence[str] = PREFERRED) -> None:
        self._entropy = entropy
        self._secret = entropy(32)
        self._algorithms = tuple(algorithms)
        self._counts: OrderedDict[str, int] = OrderedDict()  # nonce -> highest nc seen
        self._horizon = -1  # stamp of the latest nonce whose count was forgotten: older ones are not believed

    def challenges(self, realm: str, host: str, now: float, *, stale: bool = False) -> list[str]:
        """One header value per algorithm, for somebody at this address, the preferred one first (RFC 8760 2.4)."""
        nonce = self._nonce(realm, host, now)
        return [str(Challenge(realm, nonce, name, (AUTH,), None, stale)) for name in self._algorithms]

    def verify(self, request: Request, realm: str, host: str, find: FindSecrets, now: float) -> Verdict:
        """Judge the credentials in a request that came from this address. `find` gives a user's HA1 by name.

        Unknown users cost the same hashes as known ones.
        """
        credentials = self._chosen(request, realm)
        if credentials is None:
            return Verdict(Proof.MISSING)
        stamp = self._opened(credentials.nonce, realm, host)
        if stamp is None:
            return Verdict(Proof.STALE)
        algorithm = credentials.algorithm.upper().removesuffix("-SESS")
        known = find(credentials.username, credentials.userhash)
        secret = self._nobody(credentials.username, realm, algorithm)
        if known is not None:
            secret = known.secrets.get(algorithm, secret)
        is_right = is_same(digest(credentials, secret, request.method, request.body), credentials.response)
        if not is_right or known is None or not _is_for(credentials.uri, request.uri):
            return Verdict(Proof.WRONG)
        if now - stamp / 1000 > NONCE_LIFETIME_S or not self._is_new(credentials, stamp):
            return Verdict(Proof.STALE)
        return Verdict(Proof.GOOD, known.name)

    def _chosen(self, request: Request, realm: str) -> Credentials | None:
        for credentials in credentials_in(request):
            algorithm = credentials.algorithm.upper().removesuffix("-SESS")
            fits = algorithm in self._algorithms and credentials.qop in (None, AUTH, AUTH_INT)
            if credentials.realm == realm and fits:
                return credentials
        return None

    def _nobody(self, username: str, realm: str, algorithm: str) -> str:
        """A secret nobody knows, of the same length as a real one."""
        hashed = hash_of(algorithm)
        return "" if hashed is None else hashed(self._secret + f"{username}:{realm}".encode(errors="replace"))

    def _nonce(self, realm: str, host: str, now: float) -> str:
        head = int(now * 1000).to_bytes(_STAMP_OCTETS, "big") + self._entropy(_RANDOM_OCTETS)
        return urlsafe_b64encode(head + self._seal(head, realm, host)).decode()

    def _opened(self, nonce: str, realm: str, host: str) -> int | None:
        """When a nonce of ours was made, in milliseconds; None for one that is not ours, or not for this address."""
        try:
            data = urlsafe_b64decode(nonce.encode("ascii"))
        except (Base64Error, ValueError):
            return None
        head, seal = data[:-_SEAL_OCTETS], data[-_SEAL_OCTETS:]
        if len(data) != _NONCE_OCTETS or not is_same(seal.hex(), self._seal(head, realm, host).hex()):
            return None
        return int.from_bytes(head[:_STAMP_OCTETS], "big")

    def _seal(self, head: bytes, realm: str, host: str) -> bytes:
        text = head + f"{realm}\0{host}".encode()
        return blake2s(text, key=self._secret, digest_size=_SEAL_OCTETS).digest()

    def _is_new(self, credentials: Credentials, stamp: int) -> bool:
        """Whether this count of this nonce was not used before (RFC 7616 5.12). Without qop a nonce serves once."""
        count = MAX_COUNT if credentials.nc is None else credentials.nc
        last = self._counts.get(credentials.nonce)
        if last is None and stamp <= self._horizon:
            return False
        if not (last or 0) < count <= MAX_COUNT:
            return False
        self._counts[credentials.nonce] = count
        self._counts.move_to_end(credentials.nonce)
        if len(self._counts) > MAX_NONCES:
            forgotten, _ = self._counts.popitem(last=False)
            self._horizon = max(self._horizon, _stamp_of(forgotten))
        return True


def credentials_in(request: Request) -> Iterator[Credentials]:
    """All that a request tries to prove; what cannot be read is passed over."""
    for name in ("Authorization", "Proxy-Authorization"):
        for line in request.headers.all(name):
            with suppress(Malformed):
                yield Credentials.parse(line)


def _stamp_of(nonce: str) -> int:
    return int.from_bytes(urlsafe_b64decode(nonce)[:_STAMP_OCTETS], "big")


def _is_for(written: str, target: Uri) -> bool:
    """Whether the URI the digest protects is the one asked for: user and host, whatever parameters are beside them."""
    if written == str(target):
        return True
    try:
        uri = Uri.parse(written)
    except Malformed:
        return False
    return (uri.scheme, uri.user, uri.host.lower()) == (target.scheme, target.user, target.host.lower())
