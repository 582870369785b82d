"""One call: an actor with one inbox, that applies one table. Every decision about its course is a row below.

The call never sees SIP: legs tell it News, timers and control clients post Inputs. One input is processed to its end
before the next, so there is no lock and no half-applied state; a call that is over ignores what still comes.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from santral.engine import log
from santral.engine.calls import account, negotiation, outgoing
from santral.engine.calls.bridge import Bridge, Endpoint
from santral.engine.calls.dialer import AnswerHere, Dial, Dialer, Failure, Fault, GiveUp, Step
from santral.engine.calls.leg import Leg, News, Role, sure
from santral.engine.calls.table import TABLE, Input, State
from santral.engine.cdr.record import CallRecord
from santral.engine.ids import new_id
from santral.engine.limits import Refusal
from santral.engine.media import AudioError, MediaError, MediaEvent, PortsExhausted, PreparedAudio
from santral.engine.world import Services, TrunkSide, World
from santral.routing.plan import CallFacts, Plan, Play
from santral.sip.errors import NotAcceptable
from santral.sip.events import Hop
from santral.sip.offer_answer import Codec

CALLER_NEWS: Final = {
    News.CANCELLED: Input.CALLER_CANCELLED,
    News.ENDED: Input.CALLER_ENDED,
    News.BROKEN: Input.BROKEN,
}
CALLEE_NEWS: Final = {
    News.BROKEN: Input.BROKEN,
    News.TRYING: Input.CALLEE_TRYING,
    News.RINGING: Input.CALLEE_RINGING,
    News.ANSWERED: Input.CALLEE_ANSWERED,
    News.FAILED: Input.CALLEE_FAILED,
    News.ENDED: Input.CALLEE_ENDED,
}
FAULTS: Final = {Input.NO_TRY: Fault.NO_TRY, Input.NO_PROGRESS: Fault.NO_PROGRESS, Input.NO_ANSWER: Fault.NO_ANSWER}
TERMINATED: Final = 'SIP;cause=487;text="Request Terminated"'
NORMAL: Final = ("Q.850;cause=16",)  # normal call clearing
RECOVERY: Final = ("Q.850;cause=102",)  # recovery on timer expiry
OWN_OVERLOAD_RETRY_S: Final = 5
OWN_OVERLOAD: Final = 503
UNABLE: Final = 500  # to an INFO while nobody is there to hear it
GONE: Final = frozenset({404, 408, 410, 481, 503, 504})  # answers to a probe of a call that the peer has not
BY_COMMAND_STATUS: Final = 603
NO_PLAN: Final = Plan(None, "", (), ())


class Call:
    """One call from its INVITE to its record. `on_end` is called once, when the record has been handed over."""

    def __init__(self, services: Services, world: World, facts: CallFacts, on_end: Callable[["Call"], None]) -> None:
        self.id = new_id()
        self.tenant = facts.tenant
        self.facts = facts
        self.plan = NO_PLAN
        self.state = State.NEW
        self.legs: list[Leg] = []  # in order of their making, tried ones included
        self.callee: Leg | None = None
        self.outcome = account.Outcome()
        self._services = services
        self._world = world
        self._on_end = on_end
        self._inbox: deque[tuple[Input, Any]] = deque()
        self._is_busy = False
        self._timers: dict[Input, asyncio.TimerHandle] = {}
        self._dialer = Dialer(())
        self._join: Bridge | Endpoint | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._probes: dict[str, Leg] = {}
        self._doubted: dict[str, int] = {}  # leg that was silent and answered the probe -> packets it had sent by then
        self._playing = ""
        self._waiting_audio: PreparedAudio | None = None
        self._ring_for_s = 0.0
        self._is_finished = False
        self._log = log.get("call").bind(call=self.id)

    @property
    def caller(self) -> Leg:
        return self.legs[0]

    # ---- the actor ----

    def post(self, what: Input, data: Any = None) -> None:
        """Put an input in the inbox and, unless the call is at work already, work it off."""
        self._inbox.append((what, data))
        if self._is_busy:
            return
        self._is_busy = True
        try:
            while self._inbox:
                self._step(*self._inbox.popleft())
        finally:
            self._is_busy = False

    def _step(self, what: Input, data: Any) -> None:
        row = TABLE.get((self.state, what))
        if row is None:
            return
        self.state, actions = row
        try:
            for action in actions:
                getattr(self, action.value)(what, data)
        except Exception:
            self._log.exception("the call failed inside the engine", input=what.name, state=self.state.name)
            if what is not Input.BROKEN and not self._is_finished:
                self.state = State.ENDED
                self.break_off(what, data)
                self.finish(what, data)

    def break_off(self, _what: Input, _data: Any) -> None:
        """Our own bug must not leave a call hanging: everyone is told, and the record says so."""
        self.outcome.end(account.INTERNAL_ERROR, "engine")
        if self._is_answered:
            self.caller.hang_up()
        elif self.caller.is_open:
            self.caller.reject(500)
        if self.callee is not None:
            self.callee.hang_up()

    def hear(self, leg: Leg, news: News, data: Any) -> None:
        """A leg's happening, as an input; those of legs that were given up are history."""
        if leg is not self.caller and leg is not self.callee:
            return
        self._announce(leg, news, data)
        what = (CALLER_NEWS if leg is self.caller else CALLEE_NEWS).get(news)
        if what is not None:
            self.post(what, data)
        else:
            self.post(Input.CHANGE, (leg, news, data))

    def hear_media(self, leg: Leg, event: MediaEvent) -> None:
        """What the media plane noticed on one of our legs."""
        match event.kind:
            case "dtmf":
                self.emit("dtmf.received", leg=leg.id, **event.data)
            case "silent":
                self.emit("media.silent", leg=leg.id, seconds=event.data["after_s"])
            case "timeout":
                self.emit("media.timeout", leg=leg.id, seconds=event.data["after_s"])
                self.post(Input.MEDIA_TIMEOUT, leg)
            case "play_finished":
                done = bool(event.data["completed"])
                self.emit("play.finished", leg=leg.id, file=self._playing, reason="end" if done else "stopped")
                self.post(Input.PLAYED)

    def emit(self, kind: str, leg: str | None = None, **fields: Any) -> None:
        self._services.events.emit(kind, tenant=self.tenant, call=self.id, leg=leg, **fields)

    def _announce(self, leg: Leg, news: News, data: Any) -> None:
        match news:
            case News.RINGING:
                self.emit("leg.ringing", leg=leg.id, status=data)
                if leg.agreement is not None:
                    self.emit("leg.early", leg=leg.id, status=data, codec=leg.agreement.audio.name)
            case News.ANSWERED:
                self._announce_answer(leg)
            case News.BROKEN:
                self._log.exception("a leg failed inside the engine", leg=leg.id, heard=type(data).__name__)

    def _announce_answer(self, leg: Leg) -> None:
        self.emit("leg.answered", leg=leg.id, codec=leg.agreement.audio.name if leg.agreement else None)

    # ---- timers ----

    def _arm(self, what: Input, delay_s: float) -> None:
        self._timers[what] = self._services.loop.call_later(delay_s, self.post, what)

    def _disarm(self, *whats: Input) -> None:
        for what in whats:
            if (timer := self._timers.pop(what, None)) is not None:
                timer.cancel()

    def _spawn(self, work: Any) -> None:
        task = self._services.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._settle_task)

    def _settle_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            self._log.error("the call failed inside the engine", exc_info=problem)
            self.post(Input.BROKEN)

    # ---- beginning ----

    def begin(self, caller: Leg, plan: Plan) -> None:
        """The caller's leg and the plan are there: announce the call and work it off."""
        self.legs.append(caller)
        self.plan, self.tenant, self._dialer = plan, plan.tenant, Dialer(plan.attempts)
        facts = self.facts
        self.emit("call.started", trunk=facts.trunk, caller=facts.caller, called=facts.called)
        self._log.info("call started", trunk=facts.trunk, caller=facts.caller, called=facts.called, route=plan.route)
        self.emit("leg.started", leg=caller.id, role=caller.role.value, trunk=caller.party.trunk, target=caller.target)
        self._services.cdrs.call_started(account.opened(self, self._world.node))
        self.emit("call.routed", route=plan.route, attempts=[one.why for one in plan.attempts], why=list(plan.why))
        self.post(Input.START)

    def take_first_step(self, _what: Input, _data: Any) -> None:
        if self.plan.refusal is not None:
            self._go(GiveUp(self.plan.refusal))
            return
        try:
            self._open_media(self.caller)
        except (PortsExhausted, OSError) as problem:
            self._log.error("no media for the caller", error=str(problem))
            self._go(GiveUp(OWN_OVERLOAD, retry_after_s=OWN_OVERLOAD_RETRY_S))
            return
        self._go(self._dialer.first())

    def take_next_step(self, what: Input, data: Any) -> None:
        """After a failure, given as data or meant by the timer that ran out."""
        self._disarm(Input.NO_TRY, Input.NO_PROGRESS, Input.NO_ANSWER)
        failure = (
            data
            if isinstance(data, Failure)
            else Failure(FAULTS.get(what, Fault.NO_PROGRESS), rang=what is Input.NO_ANSWER)
        )
        self._give_up_callee()
        self._go(self._dialer.after(failure))

    def _go(self, step: Step) -> None:
        match step:
            case Dial():
                self.post(Input.DIAL, step)
            case AnswerHere():
                self.post(Input.ANSWER_HERE, step)
            case GiveUp():
                self.post(Input.GIVE_UP, step)

    def _open_media(self, leg: Leg) -> None:
        leg.open_media(self._services.plane.open_leg(leg.party.rtp_address), self._services.description_id())
        self._services.media_owners[leg.rtp.id] = (self, leg)

    # ---- dialling ----

    def dial_callee(self, _what: Input, step: Dial) -> None:
        """A leg for this target: channel, media, name look-up, INVITE. Any of them may fail the attempt at once."""
        side = self._world.trunks[step.attempt.trunk]
        leg = Leg(Role.CALLEE, side.party, self._services.signalling, self.hear)
        leg.target = step.target
        refusal = self._services.limits.take_channel(leg.id, side.name, self._services.signalling.now())
        if refusal is not None:
            self.post(Input.CALLEE_FAILED, self._full(side, refusal))
            return
        self.legs.append(leg)
        self.callee = leg
        self.emit("leg.started", leg=leg.id, role=leg.role.value, trunk=side.name, target=step.target)
        try:
            self._open_media(leg)
            offer = leg.offer(*self._wanted_from(side))
        except (PortsExhausted, OSError) as problem:
            self._log.error("no media for the callee", trunk=side.name, error=str(problem))
            self.post(Input.CALLEE_FAILED, Failure(Fault.NO_PORTS, retry_after_s=OWN_OVERLOAD_RETRY_S))
            return
        except NotAcceptable as problem:
            self.post(Input.CALLEE_FAILED, Failure(Fault.REFUSED, problem.status))
            return
        invite = outgoing.Invite(side, step.attempt.called, self.facts.caller, self.caller, leg, offer)
        self._ring_for_s = step.attempt.timeout_s
        hop = self._services.locator.hop_now(step.target, side.party.interface)
        if hop is not None:
            self.invite_callee(Input.LOCATED, (invite, hop))
        else:
            self._spawn(self._locate(invite))

    def _full(self, side: TrunkSide, refusal: Refusal) -> Failure:
        """The far trunk has no room: its own answer for its channels, our overload for calls per second."""
        if refusal.reason != "trunk_channels":
            return Failure(Fault.FULL, OWN_OVERLOAD, retry_after_s=refusal.retry_after_s)
        self.emit("trunk.full", trunk=side.name, channels=self._services.limits.channels(side.name))
        return Failure(Fault.FULL, side.full_status)

    def _wanted_from(self, side: TrunkSide) -> tuple[tuple[Codec, ...], str]:
        """Codecs and direction of our offer to a callee. Where early media has settled the caller's answer, that codec
        comes first.
        """
        caller = self.caller
        codecs = negotiation.offer_to_far_end(caller.remote, side.party.codecs)
        if caller.agreement is not None:
            settled = caller.agreement.audio.key
            codecs = tuple(sorted(codecs, key=lambda codec: codec.key != settled))
        return codecs, "sendrecv" if caller.remote is None else caller.remote.direction

    async def _locate(self, invite: outgoing.Invite) -> None:
        """Look the target's name up; whether anybody still waits for it is decided when the answer is there."""
        hop = await self._services.locator.hop(invite.leg.target, invite.side.party.interface)
        self.post(Input.LOCATED, (invite, hop))

    def invite_callee(self, _what: Input, located: tuple[outgoing.Invite, Hop | None]) -> None:
        invite, hop = located
        if invite.leg is not self.callee:
            return
        if hop is None:
            self.post(Input.CALLEE_FAILED, Failure(Fault.UNREACHABLE))
            return
        self._arm(Input.NO_TRY, invite.side.try_timeout_s)
        self._arm(Input.NO_PROGRESS, invite.side.progress_timeout_s)
        outgoing.send(invite, hop, self._services.signalling)

    def stop_try_timer(self, _what: Input, _data: Any) -> None:
        self._disarm(Input.NO_TRY)

    def carry_progress(self, _what: Input, status: int) -> None:
        """The far end rings: tell the caller, with early media once the far end described any (RFC 3960)."""
        self._disarm(Input.NO_TRY, Input.NO_PROGRESS)
        if Input.NO_ANSWER not in self._timers:
            self._arm(Input.NO_ANSWER, self._ring_for_s)
        callee = self.callee
        if callee is not None and callee.agreement is not None and not self.caller.is_late:
            self._answer_caller_with(callee)
            self._bridge(callee)
        self.caller.progress(status)

    def drop_attempt(self, _what: Input, _data: Any) -> None:
        if self.callee is not None:
            self.callee.hang_up()

    def _give_up_callee(self) -> None:
        """Whatever the last attempt held is given back; its counters still go into the record."""
        leg, self.callee = self.callee, None
        if self._join is not None:
            self._join.end()
            self._join = None
        if leg is not None:
            leg.hang_up()
            self._let_go(leg)

    def _let_go(self, leg: Leg) -> None:
        self._services.limits.release(leg.id)
        self._spawn(self._close_media(leg))

    async def _close_media(self, leg: Leg) -> None:
        if leg.media is not None and leg.stats is None:
            leg.stats = await leg.media.close()
            self._services.media_owners.pop(leg.media.id, None)

    # ---- connecting ----

    def _answer_caller_with(self, callee: Leg) -> None:
        codec, events = callee.agreed.audio.key, callee.agreed.has_events
        limit = callee.remote.direction if callee.remote is not None else "sendrecv"
        self.caller.prepare_answer(negotiation.answer_with(self.caller.peer, codec, events=events), limit)

    def _bridge(self, callee: Leg) -> Bridge:
        """The bridge to this callee, made at early media or at the answer."""
        if not isinstance(self._join, Bridge):
            self._join = Bridge(self._services.plane, self.caller, callee, self.emit)
        return self._join

    def connect(self, _what: Input, _data: Any) -> None:
        """The callee answered: so do we, with the codec it chose; from here on both hear each other."""
        self._disarm(Input.NO_TRY, Input.NO_PROGRESS, Input.NO_ANSWER)
        callee = sure(self.callee)
        if self.caller.is_late:
            self.caller.offer(callee.agreed.ours, callee.peer.direction)
        else:
            self._answer_caller_with(callee)
        bridge = self._bridge(callee)
        self._answer()
        bridge.announce()

    def _answer(self) -> None:
        self.caller.answer()
        self._services.cdrs.call_answered(self.id, sure(self.caller.times.answered))
        self._announce_answer(self.caller)
        self._arm(Input.TOO_LONG, self._world.max_duration_s[self.tenant])

    @property
    def _is_answered(self) -> bool:
        return self.caller.times.answered is not None

    def prepare_endpoint(self, _what: Input, step: AnswerHere) -> None:
        """Echo is ready at once; a file is decoded first, so that the caller never hears silence for a broken one."""
        caller = self.caller
        try:
            if caller.remote is None:
                codecs = negotiation.offer_to_far_end(None, caller.party.codecs[:1])
                caller.offer(codecs)
                codec = codecs[0].name
            else:
                agreement = negotiation.answer_locally(caller.remote, caller.party.codecs)
                caller.prepare_answer(agreement, "sendrecv")
                codec = caller.agreed.audio.name
        except NotAcceptable as problem:
            self.post(Input.CALLEE_FAILED, Failure(Fault.REFUSED, problem.status))
            return
        if isinstance(step.endpoint, Play):
            self._spawn(self._prepare_audio(step.endpoint, codec))
        else:
            self.post(Input.AUDIO_READY)

    async def _prepare_audio(self, what: Play, codec: str) -> None:
        try:
            audio = await self._services.audio.prepare(what.file, codec, what.folder)
        except AudioError as problem:
            self._log.error("cannot play", file=what.file, error=problem.reason)
            self.post(Input.CALLEE_FAILED, Failure(Fault.REFUSED, 500))
            return
        self._playing = what.file
        self.post(Input.AUDIO_READY, audio)

    def connect_endpoint(self, _what: Input, audio: PreparedAudio | None) -> None:
        caller = self.caller
        self._join = Endpoint(caller, self.emit)
        self._answer()
        if audio is None:
            self._services.plane.echo(caller.rtp)
        elif caller.agreement is not None:
            self._start_playing(audio)
        else:
            self._waiting_audio = audio  # a late offer: the ACK brings the address

    def _start_playing(self, audio: PreparedAudio) -> None:
        try:
            self._services.plane.play(self.caller.rtp, audio)
        except MediaError as problem:
            self._log.error("cannot play", file=self._playing, error=str(problem))
            self.post(Input.PLAYED)
            return
        self.emit("play.started", leg=self.caller.id, file=self._playing)

    # ---- in mid-call ----

    def carry_change(self, _what: Input, change: tuple[Leg, News, Any]) -> None:
        leg, news, data = change
        if news is News.REPLIED and data[0] in self._probes:
            self._judge(self._probes.pop(data[0]), data[1])
            return
        if self._join is not None:
            self._join.hear(leg, news, data)
        elif news is News.ASKED:
            key, request = data
            leg.reply(key, request, UNABLE)
        if news is News.CHANGED and self._waiting_audio is not None:
            audio, self._waiting_audio = self._waiting_audio, None
            self._start_playing(audio)

    def probe(self, _what: Input, leg: Leg) -> None:
        """No RTP for the whole time-out: ask over SIP before ending the call; silence ever since ends it anyway."""
        if self._doubted.get(leg.id) == leg.rtp.stats().packets_in:
            self.post(Input.MEDIA_LOST, leg)
        elif leg.is_open:
            self._probes[leg.probe()] = leg

    def _judge(self, leg: Leg, status: int) -> None:
        """Any answer but that of a peer without this call will do: a phone may say 486 to OPTIONS (RFC 3261 11.2)."""
        if status in GONE:
            self.post(Input.MEDIA_LOST, leg)
        else:
            self._doubted[leg.id] = leg.rtp.stats().packets_in
            leg.expect_media()

    # ---- ending ----

    def hang_up(self, status: int | None, by: str) -> None:
        """A command from outside: `status` is what a caller not answered yet is told."""
        self.post(Input.HANG_UP, (status, by))

    def refuse_caller(self, _what: Input, step: GiveUp) -> None:
        headers = () if step.retry_after_s is None else (("Retry-After", str(step.retry_after_s)),)
        self.outcome.end(account.refusal_cause(step.status), step.by)
        self.caller.reject(step.status, step.reasons, headers)

    def refuse_by_command(self, _what: Input, data: tuple[int | None, str]) -> None:
        status, by = data
        self.outcome.end("hung_up", by)
        self.caller.reject(status or BY_COMMAND_STATUS, NORMAL)

    def cancel_callee(self, what: Input, data: Any) -> None:
        """The caller is gone before the answer: CANCEL, with the caller's reason or the usual one (RFC 3326)."""
        if what is not Input.HANG_UP:
            self.outcome.end("cancelled", "caller")
        if self.callee is not None:
            self.callee.hang_up(data if what is Input.CALLER_CANCELLED and data else (TERMINATED,))

    def hang_up_callee(self, _what: Input, cause: str) -> None:
        self.outcome.end(account.end_cause(cause), "caller" if cause == "bye" else "engine")
        if self.callee is not None:
            self.callee.hang_up(self._said(self.caller, cause))

    def hang_up_caller(self, what: Input, cause: str | None) -> None:
        if what is Input.PLAYED or cause is None or self.callee is None:
            self.outcome.end("normal", "engine")
            self.caller.hang_up(NORMAL)
            return
        self.outcome.end(account.end_cause(cause), "callee" if cause == "bye" else "engine")
        self.caller.hang_up(self._said(self.callee, cause))

    @staticmethod
    def _said(leg: Leg, cause: str) -> tuple[str, ...]:
        """The Reason values for the other side: what the peer gave in its BYE, or what its end means (RFC 3326)."""
        if cause != "bye":
            return RECOVERY
        return leg.reasons or NORMAL

    def hang_up_both(self, what: Input, data: Any) -> None:
        cause, reason = {Input.MEDIA_LOST: ("media_timeout", RECOVERY), Input.TOO_LONG: ("max_duration", RECOVERY)}.get(
            what, ("hung_up", NORMAL)
        )
        self.outcome.end(cause, data[1] if what is Input.HANG_UP else "engine")
        for leg in (self.caller, self.callee):
            if leg is not None:
                leg.hang_up(reason)

    def finish(self, _what: Input, _data: Any) -> None:
        """Over for everyone: limits are given back now, the record follows with the final counters."""
        self._is_finished = True
        self._disarm(*list(self._timers))
        if self._join is not None:
            self._join.end()
        self.caller.close()
        self._services.limits.release(self.id, *(leg.id for leg in self.legs))
        self._spawn(self._record())

    async def _record(self) -> None:
        try:
            for leg in self.legs:
                await self._close_media(leg)
            self._hand_over(account.closed(self, self._world.node))
        finally:
            self._on_end(self)
            self._forget()

    def _forget(self) -> None:
        """Undo the circles between a call, its legs and its bridge, so that all of it goes with the last reference."""
        self._join, self._waiting_audio = None, None
        self._inbox.clear()
        self._probes.clear()
        for leg in self.legs:
            leg.forget()

    def _hand_over(self, record: CallRecord) -> None:
        for leg in record.legs:
            self.emit("leg.ended", leg=leg.id, cause=account.leg_cause(leg, record), status=leg.status, q850=leg.q850)
        self._services.cdrs.call_ended(record)
        self.emit(
            "call.ended",
            cause=record.cause,
            status=record.status,
            hung_up_by=record.hung_up_by,
            duration_ms=record.duration_ms,
        )

        self._log.info(
            "call ended", cause=record.cause, status=record.status, by=record.hung_up_by, duration_ms=record.duration_ms
        )

    def snapshot(self) -> dict[str, Any]:
        """The call as control clients see it."""
        return account.snapshot(self)
