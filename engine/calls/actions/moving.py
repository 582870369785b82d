"""Joining two calls: legs move to the one that goes on, the other ends `transferred`.

A leg that moves keeps its session, its ports and its channel; what changes is whose it is, and to whom it is joined.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from santral.engine.calls.joins import Bridge
from santral.engine.calls.leg import Leg, Role
from santral.engine.calls.table import Input

if TYPE_CHECKING:
    from santral.engine.calls.call import Call

NORMAL = ("Q.850;cause=16",)


class Joining(NamedTuple):
    """`keep`, a leg of the call that goes on, is to hear `leg`, which is one of `other`."""

    keep: Leg
    other: "Call"
    leg: Leg


def join_call(call: "Call", _what: Input, joining: Joining) -> None:
    """Our leg and the other call's hear each other from now on; everybody else in both is hung up.

    Nothing happens when one of the two has gone meanwhile.
    """
    keep, other, leg = joining
    if not (keep.is_open and leg.is_open and keep in call.legs and leg in other.legs):
        return
    call.end_join()
    other.end_join()
    for role, own in list(call.roles.items()):
        if own is not keep:
            del call.roles[role]
            own.hang_up(NORMAL)
            call.let_go(own)
    other.linked = call.linked  # one story from here on, in both records
    move(leg, other, call, Role.CALLEE if keep.role is Role.CALLER else Role.CALLER)
    call.join = bridge = Bridge(call, keep, leg)
    bridge.announce()
    bridge.align()
    other.post(Input.TRANSFERRED)


def move(leg: Leg, source: "Call", target: "Call", role: Role) -> None:
    """The leg is `target`'s from now on, in this role: its news, its media's events, its place in the record."""
    source.legs.remove(leg)
    source.emit("leg.moved", leg=leg.id, role=leg.role.value, other=target.id)
    leg.role, leg.tell = role, target.hear
    target.add_leg(leg)
    target.roles[role] = leg
    for stream in leg.streams:
        if stream.media is not None:
            target.services.media_owners[stream.media.id] = (target, leg)
    target.emit("leg.moved", leg=leg.id, role=role.value, other=source.id)


def end_transferred(call: "Call", _what: Input, _data: Any) -> None:
    """Legs of ours went on to another call: those that stayed behind are hung up."""
    call.outcome.end("transferred", "engine")
    for leg in call.legs:
        leg.hang_up(NORMAL)
