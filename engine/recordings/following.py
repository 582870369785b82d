"""Whose audio belongs to a recording at this moment, read off a call or a conference. Values; nothing is changed."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple

from santral.engine.calls.joins import Attendance, Bridge, Join, Lent
from santral.engine.calls.leg import Leg
from santral.engine.calls.table import State
from santral.engine.media import MediaRoom
from santral.engine.recordings.policy import Start

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.conferences import Conference, Manners

Part = Literal["originating", "connected", "member"]


class Side(NamedTuple):
    """One side of a leg: what its peer says, all it hears, or what of that the engine plays. `part`: the leg's."""

    leg: Leg
    side: Literal["said", "heard", "played"]
    part: Part


class Scene(NamedTuple):
    """All that is to be recorded now. `together`: legs that hear each other; `held`: those whose peers hold; `room`:
    the conference, of which it is what is played to all.
    """

    sides: tuple[Side, ...] = ()
    together: tuple[str, ...] = ()
    held: frozenset[str] = frozenset()
    room: MediaRoom | None = None


def is_audible(leg: Leg) -> bool:
    """Its audio can be had."""
    return leg.is_open and leg.media is not None and leg.media.final is None


def scene_of(call: "Call") -> Scene:
    """The legs of the call and of what it is joined to. One alone: also all that it hears. Several: what is played to
    each of them, and in a conference the others in it, as a supervisor who has barged in.
    """
    join = call.join
    joined: tuple[Leg, ...] = () if join is None else join.legs
    legs = {leg.id: leg for leg in (*call.roles.values(), *joined) if is_audible(leg)}
    are_two, room = isinstance(join, Bridge), None
    hears: Literal["heard", "played"] = "played" if are_two or len(legs) > 1 else "heard"
    sides = [Side(leg, side, _part_of(leg, join)) for leg in legs.values() for side in ("said", hears)]
    conference = join.conference if isinstance(join, Attendance) else join.room if isinstance(join, Bridge) else None
    if conference is not None and hears == "played":
        others = scene_in(conference)
        sides += [side for side in others.sides if side.side == "said" and side.leg.id not in legs]
        room = others.room
    together = tuple(leg.id for leg in joined if leg.id in legs) if are_two else ()
    held = frozenset(leg.id for leg in legs.values() if leg.is_held)
    return Scene(tuple(sides), together if len(together) == 2 else (), held, room)


def _part_of(leg: Leg, join: Join | None) -> Part:
    """Its role in the call; an agent's that stays on the line has one in a call of its own."""
    return "connected" if isinstance(join, Lent) and leg is join.lent else leg.role.value


def scene_in(conference: "Conference") -> Scene:
    """Everybody whom all can hear, and what is played: to all, or to one of them."""
    members = [one for one in conference.members.values() if is_audible(one.leg)]
    said = [Side(one.leg, "said", "member") for one in members if _is_heard_by_all(one.manners)]
    played = [Side(one.leg, "played", "member") for one in members]
    return Scene((*said, *played), room=conference.room)


def _is_heard_by_all(manners: "Manners") -> bool:
    return not (manners.muted or manners.monitor or manners.whisper_to)


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
