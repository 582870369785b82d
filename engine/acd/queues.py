"""The owner of all queues of the node: what happens to calls and agents goes to the distributor as facts, and what it
decides is carried out. Everything on the engine's loop, one fact after the other, so that nothing is decided twice.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from santral.engine import log
from santral.engine.acd import carrying, journal
from santral.engine.acd.byphone import ByPhone
from santral.engine.acd.callbacks import Callbacks
from santral.engine.acd.counting import Counting
from santral.engine.acd.desk import Desk
from santral.engine.acd.keeping import UNREADABLE, Keeping, Revived
from santral.engine.acd.owning import Owner
from santral.engine.acd.phones import PERSISTENT, Occupancy, cause_of, place_of, way_to
from santral.engine.acd.settings import Acd, AgentManner, embedded, message_in
from santral.engine.acd.store import LocalStore
from santral.engine.acd.supervising import Supervising
from santral.engine.acd.waiting import HoldAudio, Waiting
from santral.engine.calls.dialer import AnswerHere, Failure, Fault
from santral.engine.calls.joins import Bridge, OnLoan
from santral.engine.calls.table import Input
from santral.engine.config.sounds import Sound
from santral.engine.config.tables.recording import Record
from santral.engine.ids import new_id
from santral.routing.acd.distributor import Distributor
from santral.routing.acd.events import Created, Event, TurnedAway
from santral.routing.acd.settings import CALLBACK, AgentSettings, Need, Settings, Work
from santral.routing.acd.tables import Cause, Leave
from santral.routing.acd.views import ReservationView
from santral.routing.plan import Enqueue, TakeMessage

if TYPE_CHECKING:
    from santral.engine.calls.actions.queueing import Offer
    from santral.engine.calls.call import Call
    from santral.engine.calls.leg import Leg
    from santral.engine.events import EventLog
    from santral.engine.world import Services, World
    from santral.routing.plan import Dialled

MOST_QUEUES: Final = 8  # that one caller goes through, one overflowing into the next
HOURS_EVERY_S: Final = 5.0  # opening hours are looked at
LAST_AGENTS: Final = 20_000  # callers whose last agent is remembered
NOT_NOW: Final = Failure(Fault.REFUSED, 480)  # nobody takes the call here; another destination may
FULL: Final = Failure(Fault.REFUSED, 486)


@dataclass(slots=True)
class Held:
    """A reservation as it is carried out. `call` is nil for work that is no call."""

    id: str
    queue: str
    work: str
    kind: str
    agent: str
    call: "Call | None" = None
    leg: "Leg | None" = None  # by which the agent speaks to who waited
    is_engaged: bool = False  # the store has said so
    is_wanted: bool = False  # the agent has accepted before that


class Queues:
    """All queues and agents. Facts come by methods, in any order of crossings; unknown ids are history."""

    def __init__(self, loop: asyncio.AbstractEventLoop, events: "EventLog", acd: Acd) -> None:
        self.loop, self.events = loop, events
        self.acd = acd
        self.distributor = self._nobody()  # until this engine decides
        self.owner = Owner(loop, self)
        self.calls: Final[dict[str, Call]] = {}  # that wait, by id, which is that of their work
        self.held: Final[dict[str, Held]] = {}
        self.by_leg: Final[dict[str, str]] = {}  # agents' legs in calls -> reservation
        self.standing: Final[dict[str, tuple[Call, Leg]]] = {}  # agents who stay on the line
        self.occupancy = Occupancy(self._occupied)
        self.counting = Counting(loop, acd)
        self.desk = Desk(self)
        self.keeping = Keeping(loop, self)
        self.forced: Final[dict[str, bool]] = {}  # queues that a command has opened or closed
        self.callbacks = Callbacks(self)
        self.by_phone = ByPhone(self)
        self.supervising = Supervising(self)
        self._world: World | None = None
        self._services: Services | None = None
        self._is_open: dict[str, bool] = {}
        self._last: dict[tuple[str, str], str] = {}  # tenant and caller -> the agent it last spoke to
        self._at: dict[str, list[str]] = {}  # phone -> agents
        self._on_hold: set[str] = set()  # agents' legs
        self._pending: deque[Event] = deque()
        self._is_busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._clock: asyncio.TimerHandle | None = None
        self.log = log.get("queues")

    # ---- life ----

    @property
    def now(self) -> float:
        return self.loop.time()

    @property
    def world(self) -> "World":
        if self._world is None:
            raise RuntimeError("queues are used before the engine has started")
        return self._world

    @property
    def services(self) -> "Services":
        if self._services is None:
            raise RuntimeError("queues are used before the engine has started")
        return self._services

    async def start(self, world: "World", services: "Services", make: "Callable[..., Call]") -> None:
        """Go on where an earlier run has ended; new agents who are always there log in. `make` begins calls of ours."""
        self._world, self._services = world, services
        self.callbacks.make = make
        await self.owner.start(LocalStore(services.cdrs, world.node), world.node)

    def revive(self, kept: dict[str, Any]) -> Revived | None:
        """A distributor that goes on from there; None if what was kept has no known form: it is left behind."""
        draw, now = secrets.SystemRandom().random, self.now
        try:
            made, events = Distributor.restore(self.acd.settings, kept, lambda _: True, now, new_id=new_id, draw=draw)
        except UNREADABLE as problem:
            self.log.error("the state of the queues cannot be read; they begin empty", error=type(problem).__name__)
            return None
        return Revived(kept, made, events, now)

    def begin(self, revived: Revived | None) -> None:
        """Decide from now on, from where whoever did it before has left off."""
        self.counting.go_on()
        if revived is None:
            draw = secrets.SystemRandom().random
            self.distributor = Distributor(self.acd.settings, self.now, new_id=new_id, draw=draw)
        else:
            self._go_on(revived)
        for agent in self.acd.agents.values():
            if agent.logged_in and (revived is None or agent.name not in revived.kept["agents"]):
                self.apply(self.distributor.login(agent.name, self.now))
        self._is_open = {}
        self._look_at_hours()
        self.look_at_phones()

    def _go_on(self, revived: Revived) -> None:
        self.distributor = revived.distributor
        orphans = self.keeping.take_up(revived.kept, revived.now)
        self.apply(revived.events)
        for work in orphans:
            self.apply(self.distributor.join(work, self.now))
        self.counting.find(self.distributor)

    def let_go(self) -> None:
        """Somebody else decides: those who wait go on along their routes, those who ring are told to stop."""
        talking = set(self.by_leg.values())
        for held in list(self.held.values()):
            if held.id not in talking:
                carrying.withdraw(self, held.id, ())
        for leg, reservation in self.by_leg.items():  # agents are busy with calls of no queue
            served = self.held.get(reservation)
            agent = None if served is None else self.acd.agents.get(served.agent)
            if agent is not None:
                self.occupancy.began(leg, self.place(agent))
        for clock in (self._timer, self._clock):
            if clock is not None:
                clock.cancel()
        self._timer = self._clock = None
        self._pending.clear()
        self.distributor = self._nobody()
        self.callbacks.promises.clear()
        self.keeping.forget()
        self.counting.leave_off()
        for call in list(self.calls.values()):
            self.send_on(call)

    def _nobody(self) -> Distributor:
        return Distributor(Settings(), self.now, new_id=new_id, draw=secrets.SystemRandom().random)

    def reconfigure(self, world: "World") -> None:
        """New settings: people of queues that are gone go on to their next destinations."""
        fresh = set(world.acd.agents) - set(self.acd.agents)
        self._world = world
        self.reconfigure_agents(world.acd)
        for name in fresh:
            if world.acd.agents[name].logged_in:
                self.apply(self.distributor.login(name, self.now))
        self._look_at_hours()
        self.look_at_phones()

    def reconfigure_agents(self, acd: Acd) -> None:
        """Other settings for the distributor."""
        self.acd = acd
        if self.owner.lease is not None:
            self.apply(self.distributor.configure(acd.settings, self.now))
        self.counting.configure(acd)

    def settings_of(self, agent: str) -> AgentSettings:
        return next(one for one in self.acd.settings.agents if one.name == agent)

    def works(self) -> set[str]:
        """What agents have in hand."""
        return {held.work for held in self.held.values()}

    def send_on(self, call: "Call") -> None:
        """By command: the caller goes on to the next destination."""
        call.post(Input.ATTEMPT_FAILED, NOT_NOW)

    def close(self) -> None:
        self.counting.close()
        self.keeping.close()
        self.owner.close()
        for timer in (self._timer, self._clock):
            if timer is not None:
                timer.cancel()

    def _look_at_hours(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
        if self.owner.lease is None:
            return
        at = datetime.now(UTC)
        for name, queue in self.acd.queues.items():
            is_open = self.forced.get(name, not queue.hours or any(hours.is_open(at) for hours in queue.hours))
            if is_open != self._is_open.get(name, True):
                self._is_open[name] = is_open
                self.apply(self.distributor.open_queue(name, is_open, self.now))
        self._clock = self.loop.call_later(HOURS_EVERY_S, self._look_at_hours)

    def force(self, queue: str, is_open: bool | None) -> None:
        """Open or close a queue whatever its hours say; None: as they say."""
        if is_open is None:
            self.forced.pop(queue, None)
        else:
            self.forced[queue] = is_open
        self._look_at_hours()

    # ---- facts to events, events to orders ----

    def apply(self, events: Iterable[Event]) -> None:
        """Tell what happened, count it, and do what it asks. What that leads to comes behind it."""
        if self.owner.lease is None:
            return
        self._pending.extend(events)
        if self._is_busy:
            return
        self._is_busy = True
        try:
            while self._pending:
                event = self._pending.popleft()
                self.counting.add(event)
                self.keeping.note(event)
                journal.tell(self, event)
                carrying.carry_out(self, event)
        finally:
            self._is_busy = False
            self._rearm()

    def _rearm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.distributor.next_deadline()
        if due is not None:
            self._timer = self.loop.call_at(due, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.apply(self.distributor.tick(self.now))

    # ---- what calls say: joining and leaving ----

    def answers(self, call: "Call", queue: str) -> bool:
        """Whether callers of this queue are answered as they come."""
        manner = call.world.acd.queues.get(queue)
        return manner is not None and manner.answers

    def turned_away_to(self, queue: str) -> str | None:
        """Where those go on to who wait there when it closes."""
        return next((one.turned_away_to for one in self.acd.settings.queues if one.name == queue), None)

    def records(self, call: "Call", queue: str) -> Record | None:
        """What this queue says of recording its callers."""
        manner = call.world.acd.queues.get(queue)
        return None if manner is None else manner.record

    def enter(self, call: "Call", attempt: Enqueue) -> Failure | AnswerHere | None:
        """The call waits from now on; or why it cannot, after all the queues it would have gone on to; or it leaves a
        message instead.
        """
        for _ in range(MOST_QUEUES):
            manner = self.acd.queues.get(attempt.queue)
            if manner is None or manner.tenant != call.tenant or self.owner.lease is None:
                return NOT_NOW
            if call.queued_since is None:
                call.queued_since = self.callbacks.waits_after_all(call) or self.now
            call.service.queue = manner.name
            said = self.distributor.join(self._work_of(call, attempt), self.now)
            refused = next((one for one in said if isinstance(one, TurnedAway)), None)
            if refused is None:
                call.waiting = Waiting(manner, call.queued_since, self.now, HoldAudio(call, manner.music))
                self.calls[call.id] = call
                self.apply(said)
                return None
            self.apply(said)
            if refused.to is None:
                return FULL if refused.reason == "full" else NOT_NOW
            if (message := message_in(refused.to)) is not None:
                return AnswerHere(TakeMessage(message))
            attempt = replace(attempt, queue=refused.to)
        return NOT_NOW

    def _work_of(self, call: "Call", attempt: Enqueue) -> Work:
        caller, manner = call.facts.caller, self.acd.queues[attempt.queue]
        last = self._last.get((call.tenant, caller)) if manner.sticky_s else None
        return Work(
            id=call.id,
            queue=attempt.queue,
            priority=attempt.points,
            needs=tuple(Need(skill, level) for skill, level in attempt.skills),
            sticky=last if last in self.acd.agents else None,
            sticky_for=manner.sticky_s,
            started=call.queued_since,
            max_wait=attempt.timeout_s,
        )

    def entered(self, call: "Call") -> None:
        """The caller is answered, or hears that it rings."""
        self.audible(call)

    def audible(self, call: "Call") -> None:
        if call.waiting is not None:
            call.waiting.audio.begin()

    def pressed(self, call: "Call", key: str) -> None:
        """A key that the caller has pressed while it waits."""
        waiting = call.waiting
        if waiting is None:
            return
        if key in waiting.queue.exit_keys:
            waiting.by = "key"
            call.post(Input.ATTEMPT_FAILED, NOT_NOW)
        elif key in waiting.queue.message_keys:
            waiting.by = "key"
            call.post(Input.ANSWER_HERE, AnswerHere(TakeMessage(waiting.queue.message)))
        elif waiting.queue.calling_back is not None and key == waiting.queue.calling_back.key:
            self.callbacks.take(call, waiting)

    def over(self, call: "Call") -> None:
        """The call waits no more, if it did, and speaks to no lent leg any more, if it has ended."""
        waiting, call.waiting = call.waiting, None
        self.calls.pop(call.id, None)
        if waiting is not None:
            waiting.audio.end()
            call.service.waits(self.now - waiting.entered)
            self.apply(self.distributor.leave(call.id, _leave(call, waiting), self.now))
        if call.is_finished:
            self.callbacks.over(call)
            self.supervising.over(call)

    # ---- what calls say: reservations ----

    def ringing(self, offer: "Offer") -> None:
        self.apply(self.distributor.ringing(offer.reservation, self.now))

    def accept(self, offer: "Offer") -> bool:
        """The agent takes the call by its phone; False when somebody else has, or nobody is asked any more."""
        if offer.reservation not in self.held:
            return False
        said = self.distributor.accept(offer.reservation, self.now)
        self.apply(said)
        return bool(said)

    def failed(self, offer: "Offer", failure: Failure) -> None:
        """No phone of this agent has brought it."""
        self.forget(offer.reservation)
        if offer.accepted:
            self.apply(self.distributor.failed(offer.reservation, self.now))
        else:
            self.apply(self.distributor.refuse(offer.reservation, cause_of(failure), self.now))

    def connected(self, call: "Call", offer: "Offer", leg: "Leg") -> None:
        """Caller and agent hear each other."""
        waiting, call.waiting = call.waiting, None
        self.calls.pop(call.id, None)
        if waiting is not None:
            call.service.waits(self.now - waiting.entered)
        call.service.agent = offer.agent
        self._remember(call, offer.agent)
        self.engage(leg, offer.reservation)
        self.apply(self.distributor.connected(offer.reservation, self.now))

    def engage(self, leg: "Leg", reservation: str) -> None:
        """By this leg the agent speaks to whom it was reserved for."""
        self.by_leg[leg.id] = reservation
        self.held[reservation].leg = leg

    def joined(self, call: "Call") -> None:
        """A leg has come over from another call. If it is an agent's, that is whom the caller speaks to from now on."""
        for leg in call.roles.values():
            held = self.held.get(self.by_leg.get(leg.id, ""))
            if held is not None:
                held.call, call.service.agent = call, held.agent

    def _remember(self, call: "Call", agent: str) -> None:
        """Whom the caller spoke to last, for the next time."""
        key = (call.tenant, call.facts.caller)
        self._last.pop(key, None)
        self._last[key] = agent
        if len(self._last) > LAST_AGENTS:
            del self._last[next(iter(self._last))]

    def look_at_hold(self, call: "Call") -> None:
        """Does an agent in this call hold who it speaks to, by its phone or by command, or not any more?"""
        bridge = call.join.to if isinstance(call.join, OnLoan) else call.join
        if not isinstance(bridge, Bridge):
            return
        for leg in bridge.legs:
            reservation, is_on = self.by_leg.get(leg.id), leg.is_held or bridge.other(leg).waits
            if reservation is not None and is_on != (leg.id in self._on_hold):
                (self._on_hold.add if is_on else self._on_hold.discard)(leg.id)
                self.apply(self.distributor.hold(reservation, is_on, self.now))

    def _finished(self, reservation: str) -> None:
        self.forget(reservation)
        self.apply(self.distributor.finished(reservation, self.now))

    def hold(self, event: Created) -> Held:
        """A reservation begins."""
        held = self.held[event.reservation] = Held(event.reservation, event.queue, event.work, event.kind, event.agent)
        return held

    def resume(self, one: ReservationView) -> None:
        """One that began in an earlier run goes on."""
        self.held[one.id] = Held(one.id, one.queue, one.work, one.kind, one.agent, is_engaged=True)

    def forget(self, reservation: str) -> None:
        """It is over, as the distributor says."""
        self.held.pop(reservation, None)

    def refuse(self, reservation: str, cause: Cause) -> None:
        self.apply(self.distributor.refuse(reservation, cause, self.now))

    def accept_for(self, reservation: str) -> bool:
        """The agent takes it without its phone: by command, or since it takes all. Its audio is opened now."""
        held = self.held.get(reservation)
        if held is not None and not held.is_engaged:
            held.is_wanted = True
            return True
        if held is None or not (said := self.distributor.accept(reservation, self.now)):
            return False
        self.apply(said)
        if held.kind == CALLBACK:
            self.callbacks.accepted(held)
        elif held.call is not None:
            held.call.post(Input.OPEN_AUDIO, held.agent)
        else:
            self.apply(self.distributor.connected(reservation, self.now))
        return True

    # ---- what calls say: phones ----

    def dialled(self, call: "Call", leg: "Leg", attempt: "Dialled") -> None:
        """A leg to this phone; it counts unless a queue has made it."""
        place = place_of(attempt)
        if not self.callbacks.is_ours(call, place):
            self.occupancy.began(leg.id, place)

    def first_answered(self, call: "Call") -> None:
        """The first side of a call that began here."""
        self.callbacks.first_answered(call)
        self.supervising.first_answered(call)

    def second_answered(self, call: "Call", callee: "Leg") -> None:
        """Somebody answers to a caller, and they hear each other."""
        self.callbacks.second_answered(call, callee)

    def called(self, leg: "Leg", user: str) -> None:
        """This user calls."""
        self.occupancy.began(leg.id, user)

    def gone(self, leg: "Leg") -> None:
        """A leg is over, whatever it was."""
        self._left(leg)
        self.by_phone.gone(leg)

    def _left(self, leg: "Leg") -> None:
        """The agent's leg has left the call: its wrap-up begins, and nobody listens to it any more."""
        self.occupancy.gone(leg.id)
        self._on_hold.discard(leg.id)
        self.supervising.gone(leg)
        if (reservation := self.by_leg.pop(leg.id, None)) is not None:
            self._finished(reservation)

    def returned(self, leg: "Leg") -> None:
        """An agent who stays on the line speaks to its caller no more."""
        self._left(leg)

    def _occupied(self, place: str, legs: int) -> None:
        for name in self._at.get(place, ()):
            self.apply(self.distributor.occupy(name, legs, self.now))

    def place(self, agent: AgentManner) -> str:
        try:
            return place_of(way_to(self.world, agent, 0))
        except KeyError:
            return ""

    def look_at_phones(self) -> None:
        """Which agents can be reached at all: those of users by their registrations, standing ones by their leg."""
        self._at = {}
        for agent in self.acd.agents.values():
            self._at.setdefault(self.place(agent), []).append(agent.name)
        for place, names in self._at.items():
            if legs := self.occupancy.at(place):
                for name in names:
                    self.apply(self.distributor.occupy(name, legs, self.now))
        for agent in self.acd.agents.values():
            self.look_at(agent)

    def look_at(self, agent: AgentManner) -> None:
        reached = True
        if agent.connection == PERSISTENT:
            reached = agent.name in self.standing
        elif agent.aor:
            reached = bool(self.contacts(agent.aor))
        self.apply(self.distributor.reach(agent.name, reached, self.now))

    contacts: Callable[[str], Any] = staticmethod(lambda _aor: ())

    def registered(self, aor: str) -> None:
        """A phone of this user came or went; it hears so before anything rings it."""
        for name in self._at.get(aor, ()):
            self.loop.call_soon(self.look_at, self.acd.agents[name])

    def agents_at(self, place: str) -> Sequence[str]:
        """Whose phone this is."""
        return self._at.get(place, ())

    def sound(self, call: "Call", name: str) -> Sound:
        return embedded(name, call.world.config.tenants[call.tenant])


def _leave(call: "Call", waiting: Waiting) -> Leave:
    """Why a call leaves that waited until now: by itself, by a key, by command; or the distributor knows already."""
    if not call.is_finished:
        return Leave.KEY if waiting.by == "key" else Leave.REQUEST
    return Leave.HUNG_UP if call.outcome.by in {"caller", ""} else Leave.LOST
