"""The legs that are being dialled, as a call keeps them: each a branch, until it wins, fails or is given up."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from santral.engine.calls.dialer import Contact
from santral.engine.calls.leg import HeaderLines, Leg
from santral.engine.calls.table import Input
from santral.routing.plan import Dialled
from santral.sip.events import Hop
from santral.sip.identity.redirection import Diverted

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.world import TrunkSide

TIMERS: Final = (Input.NO_TRY, Input.NO_PROGRESS)  # of each branch


@dataclass(frozen=True, slots=True)
class Way:
    """How a branch came to be dialled."""

    contact: Contact | None = None  # of a user: the phone it rings
    diverted: tuple[Diverted, ...] = ()  # by redirects on the way to here: newest first
    agent: str = ""  # of a queue that it is rung for
    lines: HeaderLines = ()  # of the INVITE, beside those that cross


@dataclass(slots=True)
class Branch:
    """One leg being dialled, and the hops its target has left."""

    attempt: Dialled
    side: "TrunkSide"
    target: str
    leg: Leg
    way: Way = Way()
    offer: bytes = b""
    hops: deque[Hop] = field(default_factory=deque)


def give_up(call: "Call", legs: Iterable[Leg], reasons: tuple[str, ...] = ()) -> None:
    """Whatever these dialled legs hold is given back; their counters still go into the record."""
    for leg in tuple(legs):
        call.branches.pop(leg.id, None)
        for timer in TIMERS:
            call.disarm(timer, leg=leg)
        if call.join is not None and leg in call.join.legs:
            call.end_join()
        leg.hang_up(reasons)
        call.let_go(leg)
