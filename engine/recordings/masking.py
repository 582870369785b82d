"""What nobody is to learn while a call is masked: digits and words of all its legs (rule: card numbers leak outside
audio too). The state belongs to the call: events, other legs, recordings, monitors and transcripts all ask it.

Reasons add up: a command, and every secure collection with a moment behind it, since the last tone still sounds when
its digit is known.
"""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from santral.engine.calls.call import Call
    from santral.engine.calls.leg import Leg

BY_COMMAND: Final = "command"
TAIL_S: Final = 0.5  # of a secure collection


def add(call: "Call", reason: str) -> None:
    """Masked from now on, for this reason too."""
    call.masks.add(reason)
    _tell(call)


def drop(call: "Call", reason: str) -> None:
    """This reason holds no longer."""
    if reason in call.masks and not call.is_finished:
        call.masks.discard(reason)
        _tell(call)


def _tell(call: "Call") -> None:
    """Whoever hears the call hears of it."""
    settle(call)
    call.services.recordings.follow(call)
    call.services.queues.supervising.follow(call)


def drop_later(call: "Call", reason: str) -> None:
    call.services.loop.call_later(TAIL_S, drop, call, reason)


def settle(call: "Call") -> None:
    """Digits of every leg go where they may go now. Asked again whenever legs have come."""
    if not call.masks and not call.gated:
        return
    for leg in _audible(call):
        if leg.id in call.collecting:  # its own gate stands until it ends
            continue
        if call.masks and leg.id not in call.gated:
            call.gated.add(leg.id)
            leg.rtp.gate("mask")
        elif not call.masks and leg.id in call.gated:
            leg.rtp.gate("pass")
    if not call.masks:
        call.gated.clear()


def _audible(call: "Call") -> list["Leg"]:
    return [leg for leg in call.roles.values() if leg.is_open and leg.media is not None and leg.media.final is None]
