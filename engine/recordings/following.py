"""Whose audio belongs to a recording at this moment, read off a call or a conference. Values; nothing is changed."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple

from santral.engine.calls.joins import Bridge, Join, Lent
from santral.engine.calls.leg import Leg, Role
from santral.engine.calls.table import State
from santral.engine.recordings.policy import Start

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.conferences import Conference

Part = Literal["originating", "connected", "member"]


class Side(NamedTuple):
    """One side of a leg: what its peer says, or what is sent to it."""

    leg: Leg
    side: Literal["said", "heard"]
    part: Part


class Scene(NamedTuple):
    """All that is to be recorded now. `together`: legs that hear each other; `held`: those whose peers hold."""

    sides: tuple[Side, ...] = ()
    together: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()


def is_audible(leg: Leg) -> bool:
    """Its audio can be had."""
    return leg.is_open and leg.media is not None and leg.media.final is None


def scene_of(call: "Call") -> Scene:
    """The legs of the call and of what it is joined to. What a leg hears counts where no other leg says it: prompts,
    echo, a conference.
    """
    join = call.join
    joined: tuple[Leg, ...] = () if join is None else join.legs
    legs = {leg.id: leg for leg in (*call.roles.values(), *joined) if is_audible(leg)}
    sides = [Side(leg, "said", _part_of(leg, join)) for leg in legs.values()]
    are_two = isinstance(join, Bridge)
    if not are_two and len(legs) == 1:
        (only,) = legs.values()
        sides.append(Side(only, "heard", "connected" if only.role is Role.CALLER else "originating"))
    together = tuple(leg.id for leg in joined if leg.id in legs) if are_two else ()
    held = frozenset(leg.id for leg in legs.values() if leg.is_held)
    return Scene(tuple(sides), together if len(together) == 2 else (), held)


def _part_of(leg: Leg, join: Join | None) -> Part:
    """Its role in the call; an agent's that stays on the line has one in a call of its own."""
    return "connected" if isinstance(join, Lent) and leg is join.lent else leg.role.value


def scene_in(conference: "Conference") -> Scene:
    """Everybody in it."""
    members = [one.leg for one in conference.members.values() if is_audible(one.leg)]
    return Scene(tuple(Side(leg, "said", "member") for leg in members))


def has_begun(call: "Call", record_from: Start) -> bool:
    """Whether the moment has come from which such a call is recorded."""
    if not any(is_audible(leg) for leg in call.roles.values()):
        return False
    match record_from:
        case "start":
            return True
        case "answer":
            return call.caller.is_answered and call.caller.remote is not None
        case "bridge":
            return call.state is not State.ENDED and call.join is not None and _all_answered(call.join.legs)


def _all_answered(legs: Iterable[Leg]) -> bool:
    return all(leg.is_answered for leg in legs)
