"""Agents' phones: how one is dialled, and which of them are busy with something else (rule 32)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from santral.engine.acd.settings import AgentManner
from santral.engine.calls.dialer import Failure, Fault
from santral.engine.calls.leg import HeaderLines
from santral.engine.config.tables.base import DEFAULT_INTERFACE
from santral.routing.acd.tables import Cause
from santral.routing.plan import DialAddress, Dialled, DialTrunk, DialUser

if TYPE_CHECKING:
    from santral.engine.world import World

AUTO_ANSWER: Final = "auto_answer"
ON_DEMAND: Final = "on_demand"
PERSISTENT: Final = "persistent"  # it stays on the line
NO_ANSWER: Final = Cause.NO_ANSWER
BUSY: Final = frozenset({486, 600})
SAYS_NO: Final = frozenset({403, 433, 603, 607, 608})


def way_to(world: "World", agent: AgentManner, ring_s: float) -> Dialled:
    """How this agent's phone is dialled. KeyError when its user or trunk is there no more."""
    end, why = agent.endpoint, f"agent {agent.name}"
    if agent.aor:
        return DialUser(world.users[agent.aor].side.name, ring_s, why)
    if end.kind == "trunk":
        trunk = world.table.trunks[end.name]
        number = trunk.numbering.write(end.where)
        return DialTrunk(trunk.name, number, ring_s, tuple(one.uri for one in trunk.targets), why)
    interface = agent.interface or (
        DEFAULT_INTERFACE if DEFAULT_INTERFACE in world.networks else next(iter(world.networks))
    )
    return DialAddress(end.name, end.where, interface, ring_s, why)


def place_of(attempt: Dialled) -> str:
    """The phone an attempt rings, as legs to it are counted."""
    match attempt:
        case DialUser(user=user):
            return user
        case DialTrunk(trunk=trunk, called=called):
            return f"{trunk}/{called}"
        case DialAddress(called=called, target=target):
            return f"{target}/{called}"


def headers_for(world: "World", agent: AgentManner) -> HeaderLines:
    """What tells a phone to answer by itself: both ways that phones know."""
    if agent.connection != AUTO_ANSWER:
        return ()
    host = world.config.sip.domain or "localhost"
    return (
        ("Call-Info", f"<sip:{host}>;answer-after=0"),
        ("Alert-Info", f"<http://{host}>;info=alert-autoanswer;delay=0"),
    )


def cause_of(failure: Failure) -> Cause:
    """What an agent's phone has said, or not: only no answer and refusals count against it."""
    if failure.fault is Fault.FULL or failure.status in BUSY:
        return Cause.BUSY
    if failure.fault is Fault.NO_ANSWER:
        return Cause.NO_ANSWER
    if failure.fault is Fault.REFUSED and (failure.rang or failure.status in SAYS_NO):
        return Cause.REFUSED
    return Cause.UNREACHABLE


class Occupancy:
    """How many legs each phone has, apart from those that queues have made."""

    def __init__(self, tell: Callable[[str, int], None]) -> None:
        self._tell = tell
        self._places: dict[str, str] = {}  # leg -> phone
        self._counts: dict[str, int] = {}

    def began(self, leg: str, place: str) -> None:
        """This leg goes to, or comes from, that phone."""
        if leg in self._places:
            return
        self._places[leg] = place
        self._counts[place] = self._counts.get(place, 0) + 1
        self._tell(place, self._counts[place])

    def gone(self, leg: str) -> None:
        """It is over, or is not counted any more; nothing happens when it was not counted."""
        place = self._places.pop(leg, None)
        if place is None:
            return
        left = self._counts[place] - 1
        if left:
            self._counts[place] = left
        else:
            del self._counts[place]
        self._tell(place, left)

    def at(self, place: str) -> int:
        return self._counts.get(place, 0)
