"""A caller waits in a queue, and agents are rung for it. Who is rung when, and who has won, is the queue's to decide
(`engine/acd/`); this carries it out and says what has come of it.

Agents' phones are branches of the call. One that answers may have to press a key first, and may be told something
before it hears the caller; the caller hears music until then.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from santral.engine.calls import collecting, playing
from santral.engine.calls.actions import connecting
from santral.engine.calls.actions.beginning import NOT_RECORDED
from santral.engine.calls.actions.branches import TIMERS, Way, give_up
from santral.engine.calls.actions.dialling import dial_all, fail_branch
from santral.engine.calls.dialer import AnswerHere, Dial, Dialer, Failure, Fault, Step, Wait, best
from santral.engine.calls.joins import Endpoint
from santral.engine.calls.leg import HeaderLines, Leg, sure
from santral.engine.calls.playing import Playing
from santral.engine.calls.table import Heard, Input, State
from santral.engine.config.sounds import Sound
from santral.sip.errors import NotAcceptable

if TYPE_CHECKING:
    from santral.engine.calls.call import Call

RINGING: Final = 180
HUNG_UP: Final = Failure(Fault.REFUSED, rang=True)  # the phone answered, and was gone before it heard the caller


@dataclass(slots=True)
class Offer:
    """One agent of one reservation, as the call carries it out."""

    reservation: str
    agent: str
    dialer: Dialer | None  # None: its leg stands already
    lines: HeaderLines = ()  # of its INVITE
    confirm: str = ""  # the key without which an answer is none
    prompt: tuple[Sound, ...] = ()  # heard until that key
    whisper: tuple[Sound, ...] = ()  # heard by the agent alone, before the caller
    is_silent: bool = False  # rung only when it has been accepted
    standing: "tuple[Call, Leg] | None" = None  # a leg of the agent that stays up, and the call it has of its own
    failures: list[Failure] = field(default_factory=list)
    accepted: bool = False


class Withdrawal(NamedTuple):
    """This agent is not to be rung any more; `reasons` are what its phones are told (RFC 3326)."""

    agent: str
    reasons: tuple[str, ...] = ()


# ---- in and out ----


def enter(call: "Call", _what: Input, step: Wait) -> None:
    """Into the queue, if it takes callers now; then the caller is answered, or hears that it rings."""
    queues, caller = call.services.queues, call.caller
    answers = caller.is_answered or queues.answers(call, step.attempt.queue)
    try:
        if answers and not caller.is_answered:
            connecting.settle_alone(call)
    except NotAcceptable as problem:
        call.post(Input.ATTEMPT_FAILED, Failure(Fault.REFUSED, problem.status))
        return
    if not call.services.recordings.demand(call, "queue", queues.records(call, step.attempt.queue)):
        call.post(Input.ATTEMPT_FAILED, Failure(Fault.REFUSED, NOT_RECORDED))
        return
    instead = queues.enter(call, step.attempt)
    if isinstance(instead, AnswerHere):
        call.post(Input.ANSWER_HERE, instead)
        return
    if instead is not None:
        call.post(Input.ATTEMPT_FAILED, instead)
        return
    call.end_join()
    endpoint = call.join = Endpoint(call, caller)
    if caller.is_answered:
        endpoint.align()
    elif answers:
        connecting.answer(call)
    else:
        caller.progress(RINGING)
    queues.entered(call)


def leave(call: "Call", _what: Input, _data: Any) -> None:
    """Out of the queue, to wherever the call goes on: nobody is rung for it any more."""
    give_up(call, call.dialled)
    call.services.queues.over(call)
    playing.leave(call, call.caller)
    call.end_join()


def say_goodbye(call: "Call", _what: Input, sound: Sound) -> None:
    """It is called back later: told so, and hung up."""
    call.join = Endpoint(call, call.caller)
    call.spawn(_say_goodbye(call, sound))


async def _say_goodbye(call: "Call", sound: Sound) -> None:
    audio = await playing.prepare(call, call.caller, str(sound.file), str(sound.folder))
    if audio is not None and call.caller.is_open:
        playing.start(call, Playing(call.caller, str(sound.file), then=Input.PLAYED), audio)
    else:
        call.post(Input.PLAYED)


def hear_key(call: "Call", _what: Input, heard: Heard) -> None:
    if heard.leg is call.caller:
        call.services.queues.pressed(call, heard.data)


# ---- ringing agents ----


def ring(call: "Call", _what: Input, offer: Offer) -> None:
    """Ring this agent's phones, unless they are to be rung only when it has accepted."""
    waiting = call.waiting
    if waiting is None:
        return
    waiting.offers[offer.agent] = offer
    if not offer.is_silent and offer.dialer is not None:
        _go_on(call, offer, offer.dialer.first())


def open_audio(call: "Call", _what: Input, agent: str) -> None:
    """The agent has accepted by command: its phone is to be connected, however that is done."""
    offer = _offer(call, agent)
    if offer is None:
        return
    offer.accepted = True
    if offer.standing is not None:
        _tell(call, offer, offer.standing[1])
    elif offer.is_silent and offer.dialer is not None:
        _go_on(call, offer, offer.dialer.first())


def _go_on(call: "Call", offer: Offer, step: Step) -> None:
    if isinstance(step, Dial):
        dial_all(call, step, Way(agent=offer.agent, lines=offer.lines))
    else:
        _fail(call, offer, best(offer.failures) if offer.failures else Failure(Fault.UNREACHABLE))


def note_ringing(call: "Call", _what: Input, heard: Heard) -> None:
    for timer in TIMERS:
        call.disarm(timer, leg=heard.leg)
    if (offer := _offer_of(call, heard.leg)) is not None:
        call.services.queues.ringing(offer)


def stop_ringing(call: "Call", _what: Input, what: Withdrawal) -> None:
    waiting = call.waiting
    if waiting is not None and waiting.offers.pop(what.agent, None) is not None:
        give_up(call, _phones(call, what.agent), what.reasons)


def drop_agent(call: "Call", what: Input, heard: Heard) -> None:
    """A phone has failed; with the last one that could be rung, the agent."""
    offer = _offer_of(call, heard.leg)
    was_answered = heard.leg.is_answered
    failure = fail_branch(call, what, heard)
    if offer is None or failure is None:
        return
    if was_answered:
        give_up(call, _phones(call, offer.agent))
        _fail(call, offer, HUNG_UP)
        return
    offer.failures.append(failure)
    if not _phones(call, offer.agent) and offer.dialer is not None:
        _go_on(call, offer, offer.dialer.after(best(offer.failures)))


def _fail(call: "Call", offer: Offer, failure: Failure) -> None:
    if call.waiting is not None:
        call.waiting.offers.pop(offer.agent, None)
        call.services.queues.failed(offer, failure)


# ---- an agent answers ----


def ask_agent(call: "Call", what: Input, heard: Heard) -> None:
    """A phone has answered: is it the agent? A voicemail presses no key."""
    leg, offer = heard.leg, _offer_of(call, heard.leg)
    for timer in TIMERS:
        call.disarm(timer, leg=leg)
    if offer is None:
        give_up(call, (leg,), connecting.ELSEWHERE)
    elif offer.confirm:
        call.spawn(_await_key(call, offer, leg))
    else:
        take_agent(call, what, heard)


async def _await_key(call: "Call", offer: Offer, leg: Leg) -> None:
    """How long the key may take is bounded by the reservation."""
    if await collecting.key_pressed(call, leg, offer.confirm, offer.prompt, lambda: _offer_of(call, leg) is offer):
        call.post(Input.CONFIRMED, Heard(leg))


def take_agent(call: "Call", _what: Input, heard: Heard) -> None:
    """The agent takes the call, if nobody else has: it is told of it before it hears the caller."""
    leg, offer = heard.leg, _offer_of(call, heard.leg)
    if offer is None or leg.id not in call.branches:
        return
    if not offer.accepted and not call.services.queues.accept(offer):
        give_up(call, _phones(call, offer.agent), connecting.ELSEWHERE)
        return
    offer.accepted = True
    give_up(call, [one for one in call.dialled if one is not leg], connecting.ELSEWHERE)
    _tell(call, offer, leg)


def _tell(call: "Call", offer: Offer, leg: Leg) -> None:
    if offer.whisper:
        call.spawn(_whisper(call, offer, leg))
    else:
        call.post(Input.AGENT_READY, Heard(leg))


async def _whisper(call: "Call", offer: Offer, leg: Leg) -> None:
    said = await playing.prepare_all(call, leg, offer.whisper)

    def ready(_reason: str = "") -> None:
        if leg.is_open and call.state is State.QUEUED and _is_taken(call, offer):
            call.post(Input.AGENT_READY, Heard(leg))

    if not leg.is_open or not _is_taken(call, offer):
        return
    if said:
        home = call if offer.standing is None else offer.standing[0]  # who hears of the end of what is played to it
        playing.begin(home, Playing(leg, str(offer.whisper[0].file), on_end=ready), said)
    else:
        ready()


def _is_taken(call: "Call", offer: Offer) -> bool:
    return call.waiting is not None and call.waiting.offers.get(offer.agent) is offer


def connect(call: "Call", what: Input, heard: Heard) -> None:
    """Caller and agent hear each other. A leg of the agent's that stays up is lent to the call."""
    leg, waiting = heard.leg, call.waiting
    if waiting is None:
        return
    offer = next(one for one in waiting.offers.values() if one.accepted)
    waiting.audio.fade()
    if leg.id in call.branches:
        connecting.connect(call, what, heard)
    else:
        give_up(call, call.dialled, connecting.ELSEWHERE)
        connecting.lend(call, leg, sure(offer.standing)[0])
    call.services.queues.connected(call, offer, leg)


# ---- who is who ----


def _offer(call: "Call", agent: str) -> Offer | None:
    return None if call.waiting is None else call.waiting.offers.get(agent)


def _offer_of(call: "Call", leg: Leg) -> Offer | None:
    branch = call.branches.get(leg.id)
    return None if branch is None else _offer(call, branch.way.agent)


def _phones(call: "Call", agent: str) -> list[Leg]:
    return [branch.leg for branch in call.branches.values() if branch.way.agent == agent]
