"""Joining two calls: legs move to the one that goes on, the other ends `transferred`.

A leg that moves keeps its session, its ports and its channel; what changes is whose it is, and to whom it is joined.
"""

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from santral.engine.calls.joins import Bridge
from santral.engine.calls.leg import Leg, Referral, Role
from santral.engine.calls.table import Input

if TYPE_CHECKING:
    from santral.engine.calls.call import Call

NORMAL: Final = ("Q.850;cause=16",)
NO_SUCH_CALL: Final = 481


class Joining(NamedTuple):
    """`keep`, a leg of the call that goes on, is to hear `leg`, which is one of `other`; `by` wants it so."""

    keep: Leg
    other: "Call"
    leg: Leg
    by: str = "engine"
    referral: Referral | None = None


def join_call(call: "Call", _what: Input, joining: Joining) -> None:
    """Our leg and the other call's hear each other from now on; everybody else in both is hung up.

    Nothing happens when one of the two has gone meanwhile.
    """
    keep, other, leg = joining.keep, joining.other, joining.leg
    if not (keep.is_open and leg.is_open and keep in call.roles.values() and leg in other.roles.values()):
        if joining.referral is not None:
            joining.referral.tell(NO_SUCH_CALL)
        return
    call.end_join()
    other.end_join()
    for own in other.roles.values():
        if own is not leg:
            keep_channel(call, own, leg)
    if joining.referral is not None:
        joining.referral.tell(200)
    for role, own in list(call.roles.items()):
        if own is not keep:
            del call.roles[role]
            keep_channel(call, own, keep)
            own.hang_up(NORMAL)
            call.let_go(own)
    link(call, other)
    call.services.recordings.go_over(call, other)
    move(leg, other, call, Role.CALLEE if call.roles.get(Role.CALLER) is keep else Role.CALLER)
    call.emit("call.transferred", leg=keep.id, target=leg.presented.number, by=joining.by, to=leg.id, other=other.id)
    call.join = bridge = Bridge(call, keep, leg)
    bridge.announce()
    bridge.align()
    call.services.queues.joined(call)
    other.post(Input.TRANSFERRED)


def link(call: "Call", other: "Call") -> None:
    """One story from here on, in both records: `other` was made to further this call, and its legs go over."""
    other.linked = call.linked
    other.parent = other.parent or call.id


def keep_channel(call: "Call", gone: Leg, stays: Leg) -> None:
    """Whom a user has called outside counts as the user's, also after the user has left."""
    if gone.party.user and stays.party.trunk and not stays.is_incoming:
        call.services.limits.share(stays.id, gone.id)


def move(leg: Leg, source: "Call", target: "Call", role: Role) -> None:
    """The leg is `target`'s from now on, in this role."""
    hand(leg, source, target, role)
    target.roles[role] = leg


def hand(leg: Leg, source: "Call", target: "Call", role: Role) -> None:
    """The leg is `target`'s from now on: its news, its media's events, its place in the record."""
    source.legs.remove(leg)
    source.emit("leg.moved", leg=leg.id, role=leg.role.value, other=target.id)
    leg.role, leg.tell = role, target.hear
    target.add_leg(leg)
    for stream in leg.streams:
        if stream.media is not None:
            target.services.media_owners[stream.media.id] = (target, leg)
    target.emit("leg.moved", leg=leg.id, role=role.value, other=source.id)


def end_transferred(call: "Call", _what: Input, _data: Any) -> None:
    """Legs of ours went on to another call: those that stayed behind are hung up."""
    call.outcome.end("transferred", "engine")
    for leg in call.legs:
        leg.hang_up(NORMAL)
