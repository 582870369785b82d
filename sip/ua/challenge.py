"""A request of ours met 401 or 407: what it needs to be sent again (RFC 3261 22.2, 22.3; RFC 7616).

Only where the owner gave an account for it, only towards the host it was given for, never for a request that was
cancelled. The owner hears of nothing but what comes of the second try, under the key of the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from santral.sip.auth.digest import challenges_in
from santral.sip.uri import quote

if TYPE_CHECKING:
    from santral.sip.auth.account import Account, Answered
    from santral.sip.message import Request, Response
    from santral.sip.ua.compose import Composer, HeaderList
    from santral.sip.ua.transaction import Transaction

__all__ = ["CHALLENGES", "Amendment", "Attempt", "credentials_for", "proofs_of"]

MAX_TRIES: Final = 4  # of one request: two realms, or one whose nonces run out under way
_HEADERS: Final = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}
CHALLENGES: Final = frozenset(_HEADERS)
_PROOFS: Final = frozenset(answer for _, answer in _HEADERS.values())


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a transaction has to know to try again: whose credentials, for which host, and what was answered so far."""

    account: Account
    host: str
    answered: Answered = ()


class Amendment(NamedTuple):
    """What a refused request is sent again with: headers instead of those it has, and how the next challenge is met."""

    headers: HeaderList
    attempt: Attempt | None = None


def proofs_of(request: Request) -> tuple[tuple[str, str], ...]:
    """The credentials of an INVITE, which its ACK repeats (RFC 3261 22.1)."""
    return tuple(item for item in request.headers.items() if item[0] in _PROOFS)


def credentials_for(transaction: Transaction, response: Response, composer: Composer) -> Amendment | None:
    """The credentials this challenge asks for; None when it stays a refusal."""
    attempt, request = transaction.attempt, transaction.request
    names = _HEADERS.get(response.status)
    if attempt is None or request is None or names is None or transaction.hop.host != attempt.host:
        return None
    if len(attempt.answered) >= MAX_TRIES:
        return None
    asked, answers = names
    challenge = attempt.account.choose(challenges_in(response.headers.all(asked)), attempt.answered)
    if challenge is None:
        return None
    proof = attempt.account.answer(challenge, request.method, str(request.uri), request.body, composer.entropy)
    others = [line for line in request.headers.all(answers) if not _is_about(line, challenge.realm)]
    lines = tuple([(answers, line) for line in (*others, str(proof))])
    answered = (*attempt.answered, (challenge.realm, challenge.nonce))
    return Amendment(lines, Attempt(attempt.account, attempt.host, answered))


def _is_about(line: str, realm: str) -> bool:
    return f"realm={quote(realm)}" in line
