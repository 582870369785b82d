"""Our own registration with a carrier, as a machine: when to send REGISTER, what to make of the answer, when to retry.

RFC 3261 10.2, RFC 3608 (Service-Route), the waiting of RFC 5626 4.5. `now` and the draw in [0, 1) are arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from santral.sip.errors import Malformed
from santral.sip.uri import NameAddr

if TYPE_CHECKING:
    from santral.sip.message import Response

__all__ = ["Enrolment", "Standing"]

EXPIRES_S: Final = 3600  # what we ask for
MIN_REFRESH_S: Final = 5.0
REFRESH_BEFORE: Final = 0.1  # of the time granted, at least REFRESH_BEFORE_S: one lost REGISTER must not end it
REFRESH_BEFORE_S: Final = 30.0
RETRY_FIRST_S: Final = 30.0  # RFC 5626 4.5: base time, doubled with every failure …
RETRY_MOST_S: Final = 1800.0  # … up to this; half to all of it is waited
REFUSED_FIRST_S: Final = 300.0  # after 401, 403, 404…: asking again soon is how an account gets blocked
EXPIRES_MOST_S: Final = 86_400  # longer than a day we do not ask for, nor believe: carriers lose their memory, too
MAX_FAILURES: Final = 12  # counted; the wait has long met its bound
MAX_ROUTES: Final = 8
_REFUSALS: Final = range(400, 500)
_PASSING: Final = frozenset({408, 423, 480, 491})  # 4xx that say nothing about us


class Standing(StrEnum):
    """What the carrier thinks of us."""

    OFF = "off"
    TRYING = "registering"
    REGISTERED = "registered"
    FAILED = "failed"
    LEAVING = "unregistering"


@dataclass(slots=True)
class Enrolment:
    """One registration. The owner sends a REGISTER when `due`, and tells what came of it."""

    contact: str  # our own URI, as text
    call_id: str
    standing: Standing = Standing.OFF
    expires_s: int = EXPIRES_S
    cseq: int = 1
    next_at: float = 0.0
    expires_at: float = 0.0
    failures: int = 0
    last_status: int = 0
    last_error: str = ""
    routes: tuple[str, ...] = ()  # Service-Route, as Route values (RFC 3608)
    is_pending: bool = False

    def due(self, now: float) -> bool:
        """Whether a REGISTER has to go out now."""
        return not self.is_pending and self.standing is not Standing.LEAVING and now >= self.next_at

    def begin(self) -> int:
        """A REGISTER goes out; returns its CSeq number."""
        self.is_pending = True
        if self.standing is Standing.OFF:
            self.standing = Standing.TRYING
        return self.cseq

    def leave(self) -> bool:
        """Say good-bye: True when there is a registration that a REGISTER with `Expires: 0` has to end."""
        had = self.standing is Standing.REGISTERED
        self.standing = Standing.LEAVING
        return had

    def answered(self, response: Response, now: float, draw: float) -> None:
        """The final answer to our REGISTER."""
        self.is_pending = False
        self.cseq = max(self.cseq, response.cseq.number) + 1
        if self.standing is Standing.LEAVING:
            return
        self.last_status = response.status
        if response.status < 300:
            self._accept(response, now)
        elif (
            response.status == 423
            and (least := _number(response.headers.get("Min-Expires"))) > self.expires_s < EXPIRES_MOST_S
        ):
            self.expires_s = min(least, EXPIRES_MOST_S)  # RFC 3261 10.2.8: the same again with what the registrar wants
            self.next_at = now
        else:
            asked = _number((response.headers.get("Retry-After") or "").partition("(")[0].partition(";")[0])
            self._fail(f"{response.status} {response.reason}", now, draw, asked)

    def failed(self, status: int, now: float, draw: float, why: str = "") -> None:
        """No answer: 408 for silence, 503 for an unreachable registrar."""
        self.is_pending = False
        self.cseq += 2  # a second try with credentials may have been under way
        if self.standing is not Standing.LEAVING:
            self.last_status = status
            self._fail(why or ("no answer" if status == 408 else "unreachable"), now, draw, 0)

    def granted_until(self, now: float) -> int:
        """Seconds for which the registration stands yet, whole; 0 when it does not."""
        return max(0, int(self.expires_at - now))

    def _accept(self, response: Response, now: float) -> None:
        granted = min(self._granted(response), EXPIRES_MOST_S)
        self.standing, self.failures, self.last_error = Standing.REGISTERED, 0, ""
        self.expires_at = now + granted
        early = max(REFRESH_BEFORE_S, granted * REFRESH_BEFORE)
        self.next_at = now + max(MIN_REFRESH_S, granted - early if granted > 2 * early else granted / 2)
        try:
            routes = response.headers.values("Service-Route")[:MAX_ROUTES]
            self.routes = tuple(str(NameAddr.parse(route)) for route in routes)
        except Malformed:
            self.routes = ()

    def _granted(self, response: Response) -> int:
        """What the registrar granted our contact: its own `expires`, else the header, else what we asked for."""
        for contact in response.contacts:
            same = contact.uri.user == self._user and contact.param("expires")
            if same and _number(same):
                return _number(same)
        return _number(response.headers.get("Expires")) or self.expires_s

    @property
    def _user(self) -> str | None:
        return NameAddr.parse(self.contact).uri.user

    def _fail(self, why: str, now: float, draw: float, asked_s: int) -> None:
        self.failures = min(self.failures + 1, MAX_FAILURES)
        self.standing, self.last_error = Standing.FAILED, why
        is_refused = self.last_status in _REFUSALS and self.last_status not in _PASSING
        first = REFUSED_FIRST_S if is_refused else RETRY_FIRST_S
        most = min(RETRY_MOST_S, first * 2 ** (self.failures - 1))
        self.next_at = now + max(float(min(asked_s, RETRY_MOST_S)), most * (0.5 + draw / 2))


def _number(text: str | None) -> int:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
