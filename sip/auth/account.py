"""The client's side of digest: what we prove ourselves with, towards one trunk (RFC 7616 3.4, RFC 8760 2.5).

The credentials answer only the pinned realm and, as far as the agent asks, only the host the first request went to.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from santral.sip.auth.digest import AUTH, AUTH_INT, Challenge, Credentials, digest, hash_of

__all__ = ["Account", "Answered"]

MAX_NONCES: Final = 256  # of one trunk, whose count is kept: servers may give the same one again and again
_CNONCE_OCTETS: Final = 8

Answered = tuple[tuple[str, str], ...]  # (realm, nonce) of the challenges a request has answered already


class Account:
    """Username and password of one trunk. Without a `realm` the first challenge pins it, for the account's life."""

    __slots__ = ("_counts", "_password", "realm", "username")

    def __init__(self, username: str, password: str, realm: str | None = None) -> None:
        self.username = username
        self.realm = realm
        self._password = password
        self._counts: OrderedDict[str, int] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Account {self.username} realm={self.realm}>"

    def choose(self, challenges: Sequence[Challenge], answered: Answered) -> Challenge | None:
        """The first challenge we can answer, in the server's order of preference; None: it stays a refusal.

        An answer that was refused is given again only to a fresh nonce: to a stale one always, else once more, since
        the servers of one carrier may not know each other's nonces.
        """
        for challenge in challenges:
            known = [nonce for realm, nonce in answered if realm == challenge.realm]
            refused = challenge.nonce in known or (len(known) > 1 and not challenge.stale)
            if self._fits(challenge) and not refused:
                return challenge
        return None

    def _fits(self, challenge: Challenge) -> bool:
        speaks = not challenge.qop or AUTH in challenge.qop or AUTH_INT in challenge.qop
        return speaks and hash_of(challenge.algorithm) is not None and self.realm in (None, challenge.realm)

    def answer(
        self, challenge: Challenge, method: str, uri: str, body: bytes, entropy: Callable[[int], bytes]
    ) -> Credentials:
        """The credentials for a request. Pins the realm."""
        self.realm = challenge.realm
        qop = None
        if challenge.qop:
            qop = AUTH if AUTH in challenge.qop else AUTH_INT
        is_session = challenge.algorithm.lower().endswith("-sess")
        made = Credentials(
            username=self.username,
            realm=challenge.realm,
            nonce=challenge.nonce,
            uri=uri,
            response="",
            algorithm=challenge.algorithm,
            qop=qop,
            nc=None if qop is None else self._count(challenge.nonce),
            cnonce=entropy(_CNONCE_OCTETS).hex() if qop is not None or is_session else "",
            opaque=challenge.opaque,
        )
        hashed = hash_of(challenge.algorithm)
        if hashed is None:
            raise ValueError(challenge.algorithm)  # `choose` lets none through
        secret = hashed(f"{self.username}:{challenge.realm}:{self._password}".encode())
        return replace(made, response=digest(made, secret, method, body))

    def _count(self, nonce: str) -> int:
        count = self._counts.pop(nonce, 0) + 1
        self._counts[nonce] = count
        if len(self._counts) > MAX_NONCES:
            self._counts.popitem(last=False)
        return count
