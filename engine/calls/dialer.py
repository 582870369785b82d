"""What to dial next: walks a plan attempt by attempt and target by target. Decides only; dialling is the call's work.

The rules of failover are the constants of this file. Nothing here reads a clock, sends anything or reserves anything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto
from itertools import groupby
from typing import Final, Literal

from santral.routing.plan import (
    ActAsAgent,
    Attempt,
    Confer,
    DialAddress,
    Dialled,
    DialTrunk,
    DialUser,
    Echo,
    Enqueue,
    MeetAgent,
    Play,
    Reject,
    TakeMessage,
)
from santral.sip.events import Hop
from santral.sip.identity.redirection import Diverted
from santral.sip.reasons import PHRASES, q850_from_status
from santral.sip.uri import Uri


class Fault(StrEnum):
    """Why an attempt came to nothing."""

    NO_TRY = auto()  # no provisional answer within the trunk's try_timeout
    NO_PROGRESS = auto()  # nothing but 100 within the trunk's progress_timeout
    NO_ANSWER = auto()  # rang for the destination's whole timeout
    UNREACHABLE = auto()  # name not found, connection refused, transport error
    FULL = auto()  # the trunk's channels or calls per second are used up
    NO_PORTS = auto()  # no RTP port pair is left
    REFUSED = auto()  # a final answer, in `Failure.status`


@dataclass(frozen=True, slots=True)
class Failure:
    """The end of one attempt: `status` is the final answer received (0: none), `reasons` its Reason header values."""

    fault: Fault
    status: int = 0
    rang: bool = False
    reasons: tuple[str, ...] = ()
    retry_after_s: int | None = None  # our own overload is the reason
    contacts: tuple[Uri, ...] = ()  # of a redirect, the highest q first
    diverted: tuple[Diverted, ...] = ()  # as the redirect itself says, where it is believed
    passed: tuple[str, ...] = ()  # numbers of a redirect that the caller is to follow itself


@dataclass(frozen=True, slots=True)
class Contact:
    """One phone of a user. `is_block`: it takes every number of its user, as the user part of its URI (RFC 6140)."""

    uri: str
    hop: Hop
    routes: tuple[str, ...] = ()  # Path (RFC 3327)
    q: int = 1000
    is_block: bool = False


FindContacts = Callable[[str], Sequence[Contact]]  # by address of record, the highest q first


@dataclass(frozen=True, slots=True)
class Dial:
    """Send an INVITE for this attempt to each of these target URIs, at once. A trunk's are tried one by one, a user's
    phones by their q, those of the same at once (RFC 3261 16.6).
    """

    attempt: Dialled
    targets: tuple[str, ...]
    contacts: tuple[Contact, ...] = ()  # of a user's phones, beside `targets`: where they are, with no look-up
    diverted: tuple[Diverted, ...] = ()  # by redirects on the way to here: newest first


@dataclass(frozen=True, slots=True)
class AnswerHere:
    """Answer the caller ourselves; the media plane echoes, plays, records or mixes."""

    endpoint: Echo | Play | Confer | TakeMessage | ActAsAgent | MeetAgent


@dataclass(frozen=True, slots=True)
class Wait:
    """Have the caller wait in a queue."""

    attempt: Enqueue


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Refuse the caller with `status` and these Reason header values (RFC 3326). `by` is who wanted it so."""

    status: int
    reasons: tuple[str, ...] = ()
    by: Literal["engine", "callee"] = "engine"
    retry_after_s: int | None = None
    contacts: tuple[str, ...] = ()  # numbers of a redirect, in their normal form


Step = Dial | AnswerHere | Wait | GiveUp

# The caller is told what the far end decided about the call; what it said about one hop's protocol stays on that hop.
PASSED_ON: Final = frozenset({403, 404, 408, 410, 480, 484, 486, 487, 488, 600, 603, 604, 606, 607, 608})
TRY_NEXT_TARGET: Final = frozenset({408, 503})
UNTOLD: Final = {
    Fault.NO_TRY: 504,
    Fault.NO_PROGRESS: 504,
    Fault.NO_ANSWER: 480,
    Fault.UNREACHABLE: 502,
    Fault.NO_PORTS: 503,
}
NOT_DIVERTED: Final[tuple[Diverted, ...]] = ()
BUSY: Final = frozenset({486, 600})
NOT_THERE: Final = 480  # no phone of the user is registered
NO_ANSWER_CAUSE: Final = 19  # Q.850: no answer from user


class Dialer:
    """The cursor over a plan. `first` once, then `after` each failure, until it gives up or the call stands."""

    def __init__(
        self, attempts: Sequence[Attempt], find_contacts: FindContacts = lambda _: (), *, past_refusals: bool = False
    ) -> None:
        self._worst = 700 if past_refusals else 600  # from this status on nothing else is tried
        self._attempts = [(one, NOT_DIVERTED) for one in attempts]
        self._find_contacts = find_contacts
        self._groups: list[tuple[Contact, ...]] = []  # of the user being rung, those not rung yet
        self._attempt = 0
        self._target = 0

    def first(self) -> Step:
        return self._begin() if self._attempts else GiveUp(404)

    def divert(self, attempts: Sequence[Attempt], diverted: tuple[Diverted, ...]) -> None:
        """A redirect: these come next, before everything else that was left to try."""
        at = self._attempt + 1
        self._attempts[at:at] = [(one, diverted) for one in attempts]
        self._groups = []

    def after(self, failure: Failure) -> Step:
        """Next target of the same trunk for faults of the path, never after it rang; else the next destination.

        A global failure (6xx, RFC 3261 21.6) ends the plan: no other place can be better; unless it is known to be
        (`past_refusals`).
        """
        attempt, _ = self._attempts[self._attempt]
        targets = attempt.targets if isinstance(attempt, DialTrunk) else ()
        if may_try_elsewhere(failure) and self._target + 1 < len(targets):
            self._target += 1
            return self._step()
        if failure.status < self._worst and self._groups:
            return self._step()
        if failure.status < self._worst and self._attempt + 1 < len(self._attempts):
            self._attempt, self._target = self._attempt + 1, 0
            return self._begin()
        return upstream(failure)

    def _begin(self) -> Step:
        """The first step of an attempt. A user without a phone is one that does not answer."""
        attempt, _ = self._attempts[self._attempt]
        if not isinstance(attempt, DialUser):
            return self._step()
        contacts = sorted(self._find_contacts(attempt.user), key=lambda one: -one.q)
        self._groups = [tuple(same) for _, same in groupby(contacts, key=lambda one: one.q)]
        return self._step() if self._groups else self.after(Failure(Fault.REFUSED, NOT_THERE))

    def _step(self) -> Step:
        chosen, diverted = self._attempts[self._attempt]
        match chosen:
            case DialTrunk() as attempt:
                return Dial(attempt, (attempt.targets[self._target],), diverted=diverted)
            case DialAddress() as attempt:
                return Dial(attempt, (attempt.target,), diverted=diverted)
            case DialUser() as attempt:
                group = self._groups.pop(0)
                return Dial(attempt, tuple(one.uri for one in group), group, diverted)
            case Enqueue() as attempt:
                return Wait(attempt)
            case Echo() | Play() | Confer() | TakeMessage() | ActAsAgent() | MeetAgent() as endpoint:
                return AnswerHere(endpoint)
            case Reject(status=status):
                return GiveUp(status)


def may_try_elsewhere(failure: Failure) -> bool:
    """Whether another address of the same peer may do better: for faults of the path, never after it rang."""
    if failure.rang:
        return False
    if failure.fault is Fault.REFUSED:
        return failure.status in TRY_NEXT_TARGET
    return failure.fault in {Fault.NO_TRY, Fault.NO_PROGRESS, Fault.UNREACHABLE}


def best(failures: Sequence[Failure]) -> Failure:
    """Of several legs dialled at once, the failure that says most (RFC 3261 16.7 6): a 6xx, else the lowest class with
    a final answer, busy before the others of its class; the first of equals.
    """
    return min(failures, key=_rank)


def _rank(failure: Failure) -> tuple[int, int]:
    if failure.fault is not Fault.REFUSED:
        return (7 if failure.fault is not Fault.FULL else 4, 0)
    if failure.status >= 600:
        return (0, 0)
    return (failure.status // 100, 0 if failure.status in BUSY else 1 if failure.status in PASSED_ON else 2)


def upstream(failure: Failure) -> GiveUp:
    """What the caller is told of the last failure. A received 503 becomes 500 (RFC 3261 16.7), a redirect 480."""
    if failure.fault is not Fault.REFUSED:
        status = failure.status or UNTOLD.get(failure.fault, 500)
        cause = NO_ANSWER_CAUSE if failure.fault is Fault.NO_ANSWER else q850_from_status(status)
        return GiveUp(status, (f"Q.850;cause={cause}",), retry_after_s=failure.retry_after_s)
    reasons = failure.reasons or (f"Q.850;cause={q850_from_status(failure.status)}",)
    if failure.passed:
        return GiveUp(failure.status, (), "callee", contacts=failure.passed)
    if failure.status in PASSED_ON:
        return GiveUp(failure.status, reasons, "callee")
    said = f'SIP;cause={failure.status};text="{PHRASES.get(failure.status, "")}"'
    return GiveUp(480 if failure.status < 400 else 500, (*reasons, said), "callee")
