"""A call that begins here: the first leg is rung; once it has answered it is the caller, and the second is dialled.

Until then an empty leg stands where a caller would be: it has no session, and appears in no record.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from santral.engine.calls import account, collecting
from santral.engine.calls.actions.beginning import NOT_RECORDED, go, must_be_refused
from santral.engine.calls.actions.branches import TIMERS, give_up
from santral.engine.calls.actions.connecting import ELSEWHERE
from santral.engine.calls.actions.ending import NORMAL
from santral.engine.calls.crossing import Presented
from santral.engine.calls.dialer import Dialer, GiveUp
from santral.engine.calls.leg import HeaderLines, Role, sure
from santral.engine.calls.table import Heard, Input
from santral.engine.config.sounds import Sound
from santral.routing.plan import Plan

if TYPE_CHECKING:
    from santral.engine.calls.call import Call


@dataclass(frozen=True, slots=True)
class Originating:
    """A call of two legs that nobody asked for by SIP: whom it rings first, and whom it calls then."""

    first: Plan
    second: Plan
    shown: Presented  # to both
    lines: HeaderLines = ()  # of the first one's INVITE
    past_refusals: bool = False  # what the second plan has next is tried whatever the one before has said
    confirm: str = ""  # the key without which the first one's answer is none
    prompt: tuple[Sound, ...] = ()  # heard until that key


def ring_first(call: "Call", _what: Input, _data: Any) -> None:
    go(call, GiveUp(NOT_RECORDED) if must_be_refused(call) else call.dialer.first())


def ask_first(call: "Call", _what: Input, heard: Heard) -> None:
    """The first has answered; a voicemail presses no key."""
    wanted = sure(call.originating)
    if wanted.confirm:
        call.spawn(_await_key(call, wanted, heard))
    else:
        call.post(Input.CONFIRMED, heard)


async def _await_key(call: "Call", wanted: Originating, heard: Heard) -> None:
    def is_wanted() -> bool:
        return heard.leg.id in call.branches

    if await collecting.key_pressed(call, heard.leg, wanted.confirm, wanted.prompt, is_wanted):
        call.post(Input.CONFIRMED, heard)


def call_on(call: "Call", _what: Input, heard: Heard) -> None:
    """The first has answered: it is the caller from now on, and hears the second being called."""
    leg, wanted = heard.leg, sure(call.originating)
    call.branches.pop(leg.id)
    for timer in TIMERS:
        call.disarm(timer, leg=leg)
    call.disarm(Input.NO_ANSWER)
    give_up(call, call.dialled, ELSEWHERE)
    leg.role, leg.presented = Role.CALLER, wanted.shown
    call.take_origin(leg)
    call.services.cdrs.call_answered(call.id, sure(leg.times.answered))
    call.arm(Input.TOO_LONG, call.world.max_duration_s[call.tenant])
    contacts = call.services.registrations.contacts
    call.dialer = Dialer(wanted.second.attempts, contacts, past_refusals=wanted.past_refusals)
    call.services.take_turns(wanted.second)
    call.services.queues.first_answered(call)
    go(call, call.dialer.first())


def not_reached(call: "Call", _what: Input, step: GiveUp) -> None:
    call.outcome.end(account.refusal_cause(step.status), step.by)


def call_off(call: "Call", what: Input, data: Any) -> None:
    """By command, before the first has answered."""
    call.outcome.end("hung_up", data[1] if what is Input.HANG_UP else "engine")
    for leg in call.dialled:
        leg.hang_up(NORMAL)
