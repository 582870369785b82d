"""One call: an actor with one inbox, that applies one table. What inputs mean is in `table.py`, what is done in
`actions/`.

The call never sees SIP: legs tell it News, timers and control clients post Inputs. One input is processed to its end
before the next, so there is no lock and no half-applied state; a call that is over ignores what still comes.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from santral.codecs.tones import Tone
from santral.engine.calls import account, digits, playing
from santral.engine.calls.actions import PERFORM
from santral.engine.calls.actions.branches import Branch
from santral.engine.calls.actions.originating import Originating
from santral.engine.calls.actions.transferring import Transfer
from santral.engine.calls.collecting import Collecting
from santral.engine.calls.dialer import Dialer, Failure
from santral.engine.calls.joins import Attendance, Join
from santral.engine.calls.leg import Leg, News, Role, sure
from santral.engine.calls.playing import Playing
from santral.engine.calls.table import TABLE, Do, Heard, Input, State
from santral.engine.calls.verbs import Verbs
from santral.engine.config.sounds import Sound
from santral.engine.ids import new_id
from santral.engine.media import MediaEvent
from santral.engine.recordings import masking
from santral.engine.world import Services, World
from santral.routing.plan import CallFacts, Dialled, Plan

if TYPE_CHECKING:
    from santral.engine.acd.waiting import Waiting

CALLER_NEWS: Final = {
    News.CANCELLED: Input.CALLER_CANCELLED,
    News.ENDED: Input.CALLER_ENDED,
    News.BROKEN: Input.BROKEN,
    News.REFERRED: Input.REFERRED,
}
CALLEE_NEWS: Final = {
    News.BROKEN: Input.BROKEN,
    News.TRYING: Input.CALLEE_TRYING,
    News.RINGING: Input.CALLEE_RINGING,
    News.ANSWERED: Input.CALLEE_ANSWERED,
    News.FAILED: Input.CALLEE_FAILED,
    News.ENDED: Input.CALLEE_ENDED,
    News.REFERRED: Input.REFERRED,
}
LEAVER_NEWS: Final = {
    News.ENDED: Input.LEAVER_ENDED,
    News.BROKEN: Input.BROKEN,
    News.REFERRED: Input.REFERRED,
}
NO_PLAN: Final = Plan(None, "", (), ())


class Call:
    """One call from its INVITE to its record. `on_end` is called once, when the record has been handed over.

    `legs` are all it ever had, in order of their coming; `roles` says who is whose counterpart now, `branches` which
    legs are being dialled; every other leg is history. What they are joined to is `join`.
    """

    def __init__(self, services: Services, world: World, facts: CallFacts, on_end: Callable[["Call"], None]) -> None:
        self.id = new_id()
        self.linked = self.id  # shared by calls that belong together
        self.parent: str | None = None  # the call this one was made from
        self.custom: dict[str, str] = {}  # what routes and applications put on it
        self.tenant = facts.tenant
        self.facts = facts
        self.plan = NO_PLAN
        self.state = State.NEW
        self.services = services
        self.world = world
        self._origin: Leg | None = None
        self.legs: list[Leg] = []
        self.roles: dict[Role, Leg] = {}
        self.branches: dict[str, Branch] = {}  # by leg id, in order of their making
        self.failures: list[Failure] = []  # of this attempt's legs
        self.dialer = Dialer(())
        self.join: Join | None = None
        self.transfer: Transfer | None = None  # while it is under way
        self.originating: Originating | None = None
        self.redirects = 0  # followed so far
        self.entertained: dict[str, tuple[Sound | Tone, str]] = {}  # legs that wait -> what they hear, their codec
        self.outcome = account.Outcome()
        self.probes: dict[str, Leg] = {}
        self.doubted: dict[str, int] = {}  # leg that was silent and answered the probe -> packets it had sent by then
        self.plays: dict[int, Playing] = {}  # by the media plane's number
        self.collecting: dict[str, Collecting] = {}  # by leg
        self.pressed: dict[tuple[str, str], float] = {}  # leg and digit -> when it last came by media
        self.sending: set[int] = set()  # digits that a command asked for, by the media plane's number
        self.waits_for_media: Callable[[], None] | None = None  # what begins when a late offer has been answered
        self.waiting: Waiting | None = None  # in a queue
        self.queued_since: float | None = None  # when its waiting began, over all queues it goes through
        self.service = account.Service()  # what queues have done for it
        self.recordings: list[str] = []  # ids, in order
        self.masks: set[str] = set()  # why nobody is to learn what is said and pressed now
        self.gated: set[str] = set()  # legs whose digits are kept back for that
        self.is_finished = False
        self.log = services.call_log.bind(call=self.id)
        self._on_end = on_end
        self._inbox: deque[tuple[Input, Any]] = deque()
        self._is_busy = False
        self._timers: dict[tuple[Input, str], asyncio.TimerHandle] = {}  # "" or the id of the leg it is about
        self._tasks: set[asyncio.Task[None]] = set()

    # ---- who is who ----

    @property
    def caller(self) -> Leg:
        """The originating leg; the first one, until legs move."""
        return sure(self.roles.get(Role.CALLER))

    @property
    def origin(self) -> Leg:
        """The leg that began the call, whatever has become of it."""
        return sure(self._origin)

    @property
    def callee(self) -> Leg | None:
        """The connected leg, once one has answered."""
        return self.roles.get(Role.CALLEE)

    @property
    def dialled(self) -> tuple[Leg, ...]:
        """The legs that are being dialled."""
        return tuple(branch.leg for branch in self.branches.values())

    @property
    def has_dialled(self) -> bool:
        """Legs are being dialled, and each has been sent its INVITE."""
        return bool(self.branches) and all(leg.session is not None for leg in self.dialled)

    def add_leg(self, leg: Leg) -> None:
        """Have this leg in the record, and its media's events."""
        self.legs.append(leg)

    @property
    def is_masked(self) -> bool:
        """Nobody is to learn what its parties say and press now."""
        return bool(self.masks)

    # ---- the actor ----

    def begin(self, caller: Leg, plan: Plan) -> None:
        """The caller's leg and the plan are there: announce the call and work it off."""
        self.add_leg(caller)
        self._origin = self.roles[Role.CALLER] = caller
        self.plan, self.tenant = plan, plan.tenant
        self.dialer = Dialer(plan.attempts, self.services.registrations.contacts)
        facts = self.facts
        self.custom.update(plan.custom)
        self.emit("call.started", trunk=facts.source, caller=facts.caller, called=facts.called, **account.ties(self))
        self.log.info("call started", trunk=facts.source, caller=facts.caller, called=facts.called, route=plan.route)
        self.emit("leg.started", leg=caller.id, role=caller.role.value, trunk=caller.party.name, target=caller.target)
        self.services.cdrs.call_started(account.opened(self, self.world.node))
        self.emit("call.routed", route=plan.route, attempts=[one.why for one in plan.attempts], why=list(plan.why))
        self.post(Input.START)

    def originate(self, wanted: Originating) -> None:
        """Nobody has called: ring the first leg of `wanted`, then call on to the second."""
        self.originating = wanted
        (first, *_) = wanted.first.attempts
        party = self.world.side_of(first).party if isinstance(first, Dialled) else None
        nobody = Leg(Role.CALLER, sure(party), self.services.signalling, self.hear)
        nobody.presented = wanted.shown
        self._origin = self.roles[Role.CALLER] = nobody
        self.plan, facts = wanted.second, self.facts
        self.dialer = Dialer(wanted.first.attempts, self.services.registrations.contacts)
        self.emit("call.started", trunk="", caller=facts.caller, called=facts.called, **account.ties(self))
        self.log.info("call originated", caller=facts.caller, called=facts.called)
        self.services.cdrs.call_started(account.opened(self, self.world.node))
        for plan in (wanted.first, wanted.second):
            self.emit("call.routed", route=plan.route, attempts=[one.why for one in plan.attempts], why=list(plan.why))
        self.post(Input.ORIGINATE)

    def take_origin(self, leg: Leg) -> None:
        """The first leg of an originated call has answered: it is the caller."""
        self.roles[Role.CALLER].forget()
        self._origin = self.roles[Role.CALLER] = leg

    def hang_up(self, status: int | None, by: str) -> None:
        """A command from outside: `status` is what a caller not answered yet is told."""
        self.post(Input.HANG_UP, (status, by))

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
        if not self.is_finished:
            masking.settle(self)
        self.services.recordings.follow(self)
        self.services.queues.supervising.follow(self)

    def _step(self, what: Input, data: Any) -> None:
        row = TABLE.get((self.state, what))
        if row is None:
            return
        self.state, actions = row
        try:
            for action in actions:
                PERFORM[action](self, what, data)
        except Exception:
            self.log.exception("the call failed inside the engine", input=what.name, state=self.state.name)
            if what is not Input.BROKEN and not self.is_finished:
                self.state = State.ENDED
                for action in (Do.BREAK_OFF, Do.FINISH):
                    PERFORM[action](self, what, data)

    # ---- what it hears ----

    def hear(self, leg: Leg, news: News, data: Any) -> None:
        """A leg's happening, as an input; those of legs that were given up are history."""
        if leg is self.roles.get(Role.CALLER):
            what = CALLER_NEWS.get(news)
        elif leg is self.callee or leg.id in self.branches:
            what = CALLEE_NEWS.get(news)
        elif self.transfer is not None and leg is self.transfer.leaver:
            what = LEAVER_NEWS.get(news)
        else:
            return
        if news is News.ENDED and self.state is State.CONNECTED:
            what = Input.MEMBER_ENDED if isinstance(self.join, Attendance) and self.join.has_company(leg) else what
        self._announce(leg, news, data)
        if what is not None:
            self.post(what, Heard(leg, data))
        else:
            self.post(Input.CHANGE, (leg, news, data))

    def hear_media(self, leg: Leg, event: MediaEvent) -> None:
        """What the media plane noticed on one of our legs."""
        match event.kind:
            case "dtmf":
                digits.heard(self, leg, digits.Digit.of(event))
            case "digits_sent":
                digits.sent(self, leg, event)
            case "talk_started":
                self.emit("talk.started", leg=leg.id)
                self.post(Input.TALKED, Heard(leg))
            case "talk_stopped":
                self.emit("talk.stopped", leg=leg.id, **event.data)
                self.post(Input.TALKED, Heard(leg, event.data["ms"]))
            case "tone":
                self.emit("tone.detected", leg=leg.id, **event.data)
            case "fax":
                self.emit("fax.detected", leg=leg.id, **event.data)
            case "level":
                self.emit("media.level", leg=leg.id, **event.data)
            case "silent":
                self.emit("media.silent", leg=leg.id, seconds=event.data["after_s"])
            case "first_packet":
                self.post(Input.CALLEE_AUDIBLE, leg)
            case "quality":
                self._tell_quality(leg, event)
            case "timeout":
                self.emit("media.timeout", leg=leg.id, seconds=event.data["after_s"])
                self.post(Input.MEDIA_TIMEOUT, leg)
            case "play_finished":
                playing.finished(self, event)

    def _tell_quality(self, leg: Leg, event: MediaEvent) -> None:
        """Once per report interval at most, and only when it is in another class."""
        stats = leg.rtp.stats()
        self.emit("media.quality", leg=leg.id, **event.data, jitter_ms=round(stats.jitter_ms, 1), rtt_ms=stats.rtt_ms)

    # ---- what it tells ----

    def emit(self, kind: str, leg: str | None = None, **fields: Any) -> None:
        self.services.events.emit(kind, tenant=self.tenant, call=self.id, leg=leg, **fields)

    def _announce(self, leg: Leg, news: News, data: Any) -> None:
        match news:
            case News.RINGING:
                self.emit("leg.ringing", leg=leg.id, status=data)
                if leg.agreement is not None:
                    self.emit("leg.early", leg=leg.id, status=data, codec=leg.agreement.audio.name)
            case News.ANSWERED:
                self.announce_answer(leg)
            case News.BROKEN:
                self.log.exception("a leg failed inside the engine", leg=leg.id, heard=type(data).__name__)

    def announce_answer(self, leg: Leg) -> None:
        self.emit("leg.answered", leg=leg.id, codec=leg.agreement.audio.name if leg.agreement else None)

    def snapshot(self) -> dict[str, Any]:
        """The call as control clients see it."""
        return account.snapshot(self)

    @property
    def verbs(self) -> Verbs:
        """What may be asked of it while it stands."""
        return Verbs(self)

    # ---- timers and tasks ----

    def arm(self, what: Input, delay_s: float, data: Any = None) -> None:
        """Post this input later. With `Heard` as data the timer is that leg's own; arming again replaces it."""
        key = (what, data.leg.id if isinstance(data, Heard) else "")
        self._stop(key)
        self._timers[key] = self.services.loop.call_later(delay_s, self.post, what, data)

    def disarm(self, what: Input, leg: Leg | None = None) -> None:
        self._stop((what, "" if leg is None else leg.id))

    def disarm_all(self) -> None:
        for key in list(self._timers):
            self._stop(key)

    def is_armed(self, what: Input) -> bool:
        return (what, "") in self._timers

    def _stop(self, key: tuple[Input, str]) -> None:
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()

    def spawn(self, work: Any) -> None:
        """Run this coroutine for the call; what it raises ends the call."""
        task = self.services.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._settle_task)

    def _settle_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            self.log.error("the call failed inside the engine", exc_info=problem)
            self.post(Input.BROKEN)

    # ---- giving back ----

    def end_join(self) -> None:
        join, self.join = self.join, None
        if join is not None:
            join.end()

    def let_go(self, leg: Leg) -> None:
        """A leg is done with: its channel is free now, its ports when its last counters have come."""
        self.services.limits.release(leg.id)
        self.services.queues.gone(leg)
        if (collecting := self.collecting.get(leg.id)) is not None:
            collecting.finish("ended")
        self.spawn(self.close_media(leg))

    async def close_media(self, leg: Leg) -> None:
        await leg.close_media()
        for stream in leg.streams:
            if stream.media is not None:
                self.services.media_owners.pop(stream.media.id, None)

    def forget(self) -> None:
        """The record is written. Undo the circles between a call, its legs and its join, so that all of it goes with
        the last reference.
        """
        self._on_end(self)
        self.join, self.waits_for_media, self.transfer, self.waiting = None, None, None, None
        self._inbox.clear()
        self.probes.clear()
        self.plays.clear()
        self.collecting.clear()
        self.branches.clear()
        for leg in self.legs:
            leg.forget()
        if self.origin.session is None:  # of a call that began here and reached nobody; others may have moved on
            self.origin.forget()
