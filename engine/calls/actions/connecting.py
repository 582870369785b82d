"""Connecting the caller: with early media, with the leg that answered, or with the engine itself."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from santral.engine.calls import negotiation, playing
from santral.engine.calls.actions import conferring
from santral.engine.calls.actions.branches import TIMERS, give_up
from santral.engine.calls.actions.conferring import Attending
from santral.engine.calls.crossing import STRANGER, connected
from santral.engine.calls.dialer import AnswerHere, Failure, Fault
from santral.engine.calls.joins import Bridge, Endpoint, Lent
from santral.engine.calls.leg import Leg, Role, sure
from santral.engine.calls.negotiation import Agreement
from santral.engine.calls.playing import Playing
from santral.engine.calls.table import Heard, Input
from santral.engine.calls.tones import rendered, tone_of
from santral.engine.calls.waiting import entertain
from santral.engine.media import MediaError, PreparedAudio, rate_of
from santral.engine.messages import taking
from santral.engine.messages.taking import Prepared, Taking
from santral.routing.plan import ActAsAgent, Confer, MeetAgent, Play, TakeMessage
from santral.sip.errors import NotAcceptable
from santral.sip.uri import Uri

if TYPE_CHECKING:
    from santral.engine.calls.call import Call

FORBIDDEN: Final = 403
NOT_THERE: Final = 480  # the agent has not accepted
STAYS: Final = "stays"  # an agent on the line: nothing is said to it
ELSEWHERE: Final = ('SIP;cause=200;text="Call completed elsewhere"',)  # RFC 3326, to phones that rang in vain


class Meeting(NamedTuple):
    """An agent's leg that stays up, and the call it has of its own."""

    home: "Call"
    leg: Leg


def answer_caller_with(call: "Call", callee: Leg) -> None:
    """Settle the caller's answer by what this leg's peer answered, unless it is settled."""
    if call.caller.agreement is not None:
        return
    caller, far = call.caller, callee.agreed
    limit = callee.remote.direction if callee.remote is not None else "sendrecv"
    events = negotiation.says_events(caller.party, callee.party, far_has=far.has_events)
    caller.prepare_answer(negotiation.answer_for(caller.peer, caller.party, far, events=events), limit)


def bridge(call: "Call", callee: Leg) -> Bridge:
    """The bridge to this leg, made at early media or at the answer; an earlier one of another leg ends."""
    join = call.join
    if isinstance(join, Bridge) and callee in join.legs:
        return join
    call.end_join()
    call.join = join = Bridge(call, call.caller, callee)
    return join


def connect(call: "Call", _what: Input, heard: Heard) -> None:
    """This leg answered: so do we, with the codec it chose; from here on both hear each other. The other legs that
    rang are told that the call was answered elsewhere (a 200 of theirs that crosses is acknowledged and ended).
    """
    callee = heard.leg
    call.branches.pop(callee.id)
    for timer in TIMERS:
        call.disarm(timer, leg=callee)
    call.disarm(Input.NO_ANSWER)
    call.roles[Role.CALLEE] = callee
    note_way(call, callee)
    give_up(call, call.dialled, ELSEWHERE)
    call.services.queues.second_answered(call, callee)
    if call.caller.is_answered:
        joined = bridge(call, callee)
        joined.announce()
        joined.align()
        return
    if call.caller.is_late:
        call.caller.offer_once(callee.agreed.ours, callee.peer.direction)
    else:
        answer_caller_with(call, callee)
    joined = bridge(call, callee)
    answer(call)
    joined.announce()
    joined.align()


def answer(call: "Call") -> None:
    """Answer the caller, with the name of who was reached where the sides allow it."""
    caller, callee = call.caller, call.callee
    answering = (None, STRANGER) if callee is None else (callee.response, callee.party.policy)
    note_way(call, caller)
    caller.answer(connected(*answering, caller.party.policy, call.id))
    call.services.cdrs.call_answered(call.id, sure(call.caller.times.answered))
    call.announce_answer(call.caller)
    call.arm(Input.TOO_LONG, call.world.max_duration_s[call.tenant])


def answer_caller(call: "Call", _what: Input, agreement: Agreement) -> None:
    """By command, while others ring: from now on the caller hears what we play it, ringback at least."""
    if call.caller.agreement is None:
        call.caller.prepare_answer(agreement, "sendrecv")
    answer(call)
    if isinstance(call.join, Bridge):
        call.join.align()
    elif any(leg.rang for leg in call.dialled):
        entertain(call, call.caller, call.world.ringback[call.tenant])


def note_way(call: "Call", leg: Leg) -> None:
    """A peer that called by a connection of its own, and named itself instead of giving an address, is looked up now:
    its connection may be gone when the leg has something to say.
    """
    uri = None if leg.session is None else leg.session.unlocated
    if uri is not None:
        call.spawn(_look_up(call, leg, uri))


async def _look_up(call: "Call", leg: Leg, uri: Uri) -> None:
    side = call.world.trunks.get(leg.party.trunk)
    profile = "" if side is None else side.tls_profile
    hops = await call.services.locator.hops(uri, leg.party.interface, profile)
    if hops and leg.session is not None:
        leg.session.located = hops[0]


# ---- endpoints of our own ----


def prepare_endpoint(call: "Call", _what: Input, step: AnswerHere) -> None:
    """Echo is ready at once; a file is decoded first, so that the caller never hears silence for a broken one."""
    try:
        codec = settle_alone(call)
    except NotAcceptable as problem:
        call.post(Input.ATTEMPT_FAILED, Failure(Fault.REFUSED, problem.status))
        return
    if isinstance(step.endpoint, Play):
        call.spawn(_prepare_audio(call, step.endpoint, codec))
    elif isinstance(step.endpoint, TakeMessage):
        call.spawn(taking.prepare(call, step.endpoint, codec))
    elif isinstance(step.endpoint, Confer):
        call.spawn(conferring.prepare_conference(call, step.endpoint))
    elif isinstance(step.endpoint, ActAsAgent):
        call.spawn(_act_as_agent(call, step.endpoint, codec))
    elif isinstance(step.endpoint, MeetAgent):
        call.spawn(_meet_agent(call))
    else:
        call.post(Input.AUDIO_READY)


def settle_alone(call: "Call") -> str:
    """Settle our answer (or, to a late offer, our offer) to a caller who is to hear the engine; the codec it will hear.

    Raises `NotAcceptable`.
    """
    caller = call.caller
    if caller.remote is None:
        codecs = negotiation.offer_alone(caller.party.codecs[:1], caller.party.dtmf)
        caller.offer(codecs)
        return codecs[0].key
    if caller.agreement is None:  # no early media of an earlier attempt has settled it
        agreement = negotiation.answer_locally(caller.remote, caller.party.codecs, caller.party.dtmf)
        caller.prepare_answer(agreement, "sendrecv")
    return caller.agreed.audio.key


async def _prepare_audio(call: "Call", what: Play, codec: str) -> None:
    audio = await playing.prepare(call, call.caller, what.file, what.folder, codec)
    if audio is None:
        call.post(Input.ATTEMPT_FAILED, Failure(Fault.REFUSED, 500))
    else:
        call.post(Input.AUDIO_READY, (audio, what.file))


async def _act_as_agent(call: "Call", what: ActAsAgent, codec: str) -> None:
    """A feature code: done before the answer, so that a refusal is one; what was done is said by a sound."""
    done = call.services.queues.by_phone.act(call, what.what)
    if done is None:
        call.post(Input.ATTEMPT_FAILED, Failure(Fault.REFUSED, FORBIDDEN))
        return
    if done == STAYS:
        call.post(Input.AUDIO_READY, STAYS)
        return
    sound = call.services.queues.sound(call, f"agent-{done}.wav")
    audio = await playing.prepare(call, call.caller, str(sound.file), str(sound.folder), codec)
    call.post(Input.AUDIO_READY, (audio or rendered(tone_of(None, "beep"), rate_of(codec)), sound.file.name))


async def _meet_agent(call: "Call") -> None:
    """An agent who stays on the line is waited for, as one whose phone rings."""
    entertain(call, call.caller, call.world.ringback[call.tenant])
    standing = await call.services.queues.callbacks.standing_for(call)
    if standing is None:
        call.post(Input.ATTEMPT_FAILED, Failure(Fault.REFUSED, NOT_THERE))
    else:
        call.post(Input.AUDIO_READY, Meeting(*standing))


def lend(call: "Call", leg: Leg, home: "Call") -> None:
    """The caller and a leg that stays up in a call of its own hear each other."""
    call.end_join()
    if not call.caller.is_answered:
        settle_alone(call)
    call.join = lent = Lent(call, call.caller, leg, home)
    if not call.caller.is_answered:
        answer(call)
    lent.announce()
    lent.align()


def connect_endpoint(
    call: "Call", _what: Input, sound: tuple[PreparedAudio, str] | Prepared | Attending | Meeting | str | None
) -> None:
    if isinstance(sound, Meeting):
        lend(call, sound.leg, sound.home)
        call.services.queues.callbacks.met(call, sound.leg)
        return
    call.end_join()
    begin: Callable[[], None] | None = None
    endpoint = call.join = Endpoint(call, call.caller)
    if isinstance(sound, Prepared):
        endpoint = call.join = message = Taking(call, call.caller, sound)
        begin = message.begin
    elif isinstance(sound, Attending):
        try:
            endpoint = conferring.enter(call, sound)
        except MediaError as problem:
            call.log.error("cannot take part in the conference", conference=sound.name, error=str(problem))
            call.post(Input.HANG_UP, (conferring.NO_CODEC, "engine"))
            return
    if call.caller.is_answered:
        endpoint.align()
    else:
        answer(call)
    if isinstance(sound, str):
        call.services.queues.by_phone.stays(call)
        return
    if isinstance(sound, Attending):
        call.services.queues.supervising.entered(call)
        return
    if sound is None:
        call.services.plane.echo(call.caller.rtp)
        return
    begin = begin or partial(start_playing, call, *sound)
    if call.caller.agreement is not None:
        begin()
    else:
        call.waits_for_media = begin  # a late offer: the ACK brings the address


def start_playing(call: "Call", audio: PreparedAudio, file: str) -> None:
    """The caller hears the file; the call ends with it."""
    playing.start(call, Playing(call.caller, file, then=Input.PLAYED), audio)
