"""Callbacks: a caller hangs up and keeps the place; when it is its turn an agent and the customer are connected.

Screened like any number that is dialled, with the rights of the tenant (rule 35). Each attempt is a call of its own: an
agent is rung first and the customer next, or the other way round; a customer whose agent has not answered then waits in
front.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from santral.engine.acd.phones import ON_DEMAND, PERSISTENT, cause_of, headers_for, way_to
from santral.engine.acd.waiting import Waiting
from santral.engine.calls.actions.originating import Originating
from santral.engine.calls.commanding import NOBODY, Unable, check
from santral.engine.calls.crossing import Presented
from santral.engine.calls.dialer import Failure, Fault
from santral.engine.calls.joins import OnLoan
from santral.engine.calls.onward import plan_of_tenant
from santral.engine.calls.table import Input
from santral.engine.calls.waiting import entertain
from santral.engine.ids import new_id
from santral.routing.acd import events
from santral.routing.acd.tables import Leave
from santral.routing.plan import Enqueue, MeetAgent, Plan

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from santral.codecs.tones import Tone
    from santral.engine.acd.queues import Held, Queues
    from santral.engine.acd.settings import AgentManner
    from santral.engine.calls.call import Call
    from santral.engine.calls.leg import Leg
    from santral.engine.config.sounds import Sound


def _not_started(*_: Any) -> "Call":
    raise Unable("unavailable", "the engine has not started")


CUSTOMER: Final = "customer"  # rung first


@dataclass(frozen=True, slots=True)
class Promise:
    """Somebody is to be called back. `call` is the call that took the offer."""

    work: str
    queue: str
    tenant: str
    number: str
    shown: str  # the number that is shown to it
    call: str
    started: float  # when its waiting began

    def as_map(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("work", "queue", "tenant", "number", "shown", "call")}


@dataclass(slots=True)
class Attempt:
    """One call to fulfil a promise."""

    promise: Promise
    reservation: str
    agent: "AgentManner"
    order: str
    call: "Call"
    first_there: bool = False
    is_over: bool = False  # connected, or its reservation is
    accepted: "asyncio.Future[None] | None" = None  # the customer is there, the agent on the line has not accepted yet

    @property
    def stands(self) -> bool:
        """The agent stays on the line: only the customer is dialled, whoever it was asked of first."""
        return self.agent.connection == PERSISTENT

    @property
    def has_customer(self) -> bool:
        """The first side is the customer's, and there."""
        return self.first_there and (self.stands or self.order == CUSTOMER)

    def wake(self) -> None:
        """Whoever waits for the agent looks again."""
        if self.accepted is not None and not self.accepted.done():
            self.accepted.set_result(None)


class Callbacks:
    """All promises of the node. `make` begins a call of two sides; it raises `Unable`."""

    def __init__(self, queues: "Queues") -> None:
        self._queues = queues
        self.make: Callable[..., Call] = _not_started
        self.promises: Final[dict[str, Promise]] = {}  # by their work
        self._attempts: Final[dict[str, Attempt]] = {}  # by call
        self._unaccepted: Final[dict[str, events.Created]] = {}  # reservations of agents who have to accept first

    def survives(self, work: str) -> bool:
        return work in self.promises

    # ---- offering and taking ----

    def offer(self, call: "Call") -> None:
        waiting = call.waiting
        if waiting is not None and (back := waiting.queue.calling_back) is not None and self._objection(call) is None:
            waiting.audio.say(*back.offer)

    def _objection(self, call: "Call") -> str | None:
        """Why this caller cannot be called back; None when it can."""
        who = call.caller.presented
        if who.is_hidden or not call.facts.caller:
            return "hidden"
        try:
            self._plan(call.tenant, self._shown(call), call.facts.caller)
        except Unable as problem:
            return problem.code
        return None

    def _shown(self, call: "Call") -> str:
        """The number the customer sees: the configured one, else the one it has called, if they are the tenant's."""
        back = None if call.waiting is None else call.waiting.queue.calling_back
        number = (None if back is None else back.caller) or call.facts.called
        row = self._queues.world.table.numbers.get(number)
        return number if row is not None and row.tenant == call.tenant else ""

    def _plan(self, tenant: str, shown: str, number: str) -> Plan:
        queues = self._queues
        return check(plan_of_tenant(queues.services, queues.world, tenant, shown, number), number, dials=True)

    def take(self, call: "Call", waiting: Waiting) -> None:
        """The caller has pressed the key: it hangs up and keeps its place, unless it cannot be called."""
        queues, back, number = self._queues, waiting.queue.calling_back, call.facts.caller
        reason = self._objection(call)
        if reason is not None or back is None:
            queues.events.emit(
                "queue.callback_refused",
                tenant=call.tenant,
                call=call.id,
                queue=waiting.queue.name,
                work=call.id,
                number=number,
                reason=reason,
            )
            return
        promise = Promise(new_id(), waiting.queue.name, call.tenant, number, self._shown(call), call.id, waiting.since)
        self.promises[promise.work] = promise
        now = queues.now
        said = queues.distributor.call_back(call.id, promise.work, number, now, expires=now + back.expires_s)
        queues.apply(said)
        if any(isinstance(one, events.Left) and one.reason == "callback" for one in said):
            waiting.by = "callback"
            call.post(Input.CALL_BACK, back.thanks)
        else:
            del self.promises[promise.work]

    def ended(self, work: str) -> None:
        """Fulfilled, or given up."""
        self.promises.pop(work, None)

    # ---- carrying out ----

    def begin(self, held: "Held", event: events.Created) -> None:
        """An agent is reserved for this promise. One whose phone does not ring accepts first, if it is asked first."""
        queues, agent = self._queues, self._queues.acd.agents.get(held.agent)
        if any(one.promise.work == held.work and one.has_customer for one in self._attempts.values()):
            queues.apply(
                queues.distributor.leave(held.work, Leave.REQUEST, queues.now)
            )  # it waits as a caller from now
            return
        if agent is None or event.order == CUSTOMER or agent.connection == ON_DEMAND:
            self._carry_out(held, event)
            return
        self._unaccepted[held.id] = event
        if agent.auto_accept:
            queues.accept_for(held.id)

    def accepted(self, held: "Held") -> None:
        """The agent has accepted by command."""
        event = self._unaccepted.pop(held.id, None)
        if event is not None:
            self._carry_out(held, event)
        elif held.call is not None and (attempt := self._attempts.get(held.call.id)) is not None:
            attempt.wake()

    def _carry_out(self, held: "Held", event: events.Created) -> None:
        queues, promise = self._queues, self.promises.get(held.work)
        agent = queues.acd.agents.get(held.agent)
        if promise is None or agent is None:
            queues.apply(queues.distributor.leave(held.work, Leave.LOST, queues.now))
            return
        try:
            wanted = self._wanted(agent, event, promise)
            prepare = self._prepared(held, event, promise, agent)
            held.call = self.make(queues.world, promise.tenant, wanted, promise.number, prepare)
        except (Unable, KeyError) as problem:
            queues.log.warning("cannot call back", work=promise.work, error=str(problem))
            queues.apply(queues.distributor.unanswered(held.id, queues.now))

    def _wanted(self, agent: "AgentManner", event: events.Created, promise: Promise) -> Originating:
        """Who is dialled, in which order. Raises Unable, or KeyError when the agent's phone is configured no more."""
        world, tenant, stands = self._queues.world, promise.tenant, agent.connection == PERSISTENT
        is_customer_first = stands or event.order == CUSTOMER
        way = MeetAgent(agent.name) if stands else way_to(world, agent, event.expires - event.at)
        customer = self._plan(tenant, promise.shown, promise.number)
        ours = Plan(None, tenant, (way,), (f"callback {promise.work}",))
        if is_customer_first:
            ours = Plan(None, tenant, (way, Enqueue(promise.queue)), ours.why)
        first, second = (customer, ours) if is_customer_first else (ours, customer)
        shown = promise.shown
        return Originating(
            first,
            second,
            Presented(shown, shown, shown, is_asserted=True) if shown else NOBODY,
            lines=() if is_customer_first else headers_for(world, agent),
            confirm="" if is_customer_first else agent.confirm,
            prompt=agent.prompt,
            past_refusals=is_customer_first,
        )

    def _prepared(
        self, held: "Held", event: events.Created, promise: Promise, agent: "AgentManner"
    ) -> "Callable[[Call], None]":
        def prepare(call: "Call") -> None:
            """Before it rings anybody. An agent on the line who has accepted hears the customer's phone ring."""
            call.parent, call.linked = promise.call, promise.call
            call.service.queue, call.service.agent = promise.queue, held.agent
            attempt = self._attempts[call.id] = Attempt(promise, held.id, agent, event.order, call)
            if attempt.stands and event.order != CUSTOMER:
                self._entertain(attempt, call.world.ringback[call.tenant])

        return prepare

    def _entertain(self, attempt: Attempt, sound: "Sound | Tone | None") -> None:
        """What an agent hears who stays on the line and waits for the customer."""
        home, leg = self._queues.standing.get(attempt.agent.name, (None, None))
        if home is not None and leg is not None and leg.is_open and not isinstance(home.join, OnLoan):
            entertain(home, leg, sound)

    def is_ours(self, call: "Call", place: str) -> bool:
        """Whether a leg of this call to that phone is the reserved agent's."""
        attempt = self._attempts.get(call.id)
        return attempt is not None and not attempt.stands and self._queues.place(attempt.agent) == place

    def first_answered(self, call: "Call") -> None:
        attempt = self._attempts.get(call.id)
        if attempt is None:
            return
        queues, attempt.first_there = self._queues, True
        if attempt.order == CUSTOMER:
            queues.apply(queues.distributor.customer_answered(attempt.reservation, queues.now))
            if attempt.stands and attempt.agent.auto_accept:
                queues.accept_for(attempt.reservation)
        if attempt.has_customer:
            return
        queues.apply(queues.distributor.accept(attempt.reservation, queues.now))
        view = queues.distributor.reservation(attempt.reservation)
        if view is None or view.phase != "accepted":
            call.hang_up(None, "engine")  # taken back meanwhile

    def second_answered(self, call: "Call", callee: "Leg") -> None:
        """Both are there and hear each other."""
        attempt = self._attempts.get(call.id)
        if attempt is None or attempt.is_over:
            return
        queues = self._queues
        if attempt.order == CUSTOMER:
            queues.apply(queues.distributor.accept(attempt.reservation, queues.now))
        self._connected(attempt, callee if attempt.order == CUSTOMER else call.caller)

    def met(self, call: "Call", leg: "Leg") -> None:
        """The customer and an agent who stays on the line hear each other."""
        attempt = self._attempts.get(call.id)
        if attempt is not None and not attempt.is_over:
            self._connected(attempt, leg)

    def _connected(self, attempt: Attempt, agents_leg: "Leg") -> None:
        queues, attempt.is_over = self._queues, True
        queues.engage(agents_leg, attempt.reservation)
        attempt.call.service.waited_ms = round(1000 * (queues.now - attempt.promise.started))
        queues.apply(queues.distributor.connected(attempt.reservation, queues.now))

    async def standing_for(self, call: "Call") -> "tuple[Call, Leg] | None":
        """The leg of the agent who stays on the line, once that has accepted; None when it will not."""
        attempt, queues = self._attempts.get(call.id), self._queues
        if attempt is None or attempt.is_over:
            return None
        if not self._has_accepted(attempt):
            attempt.accepted = queues.loop.create_future()
            await attempt.accepted
        standing = queues.standing.get(attempt.agent.name)
        return standing if self._has_accepted(attempt) and not call.is_finished else None

    def _has_accepted(self, attempt: Attempt) -> bool:
        view = self._queues.distributor.reservation(attempt.reservation)
        return view is not None and view.phase == "accepted"

    def waits_after_all(self, call: "Call") -> float | None:
        """The agent has not answered a customer who is there: it waits in the queue now, since then."""
        attempt = self._attempts.get(call.id)
        if attempt is None or attempt.is_over:
            return None
        queues, attempt.is_over = self._queues, True
        failure = call.failures[-1] if call.failures else Failure(Fault.NO_ANSWER)
        queues.refuse(attempt.reservation, cause_of(failure))
        queues.apply(queues.distributor.leave(attempt.promise.work, Leave.REQUEST, queues.now))
        return attempt.promise.started

    def withdrawn(self, held: "Held") -> None:
        """Timed out or taken back. A customer who is there waits in front; else nobody is rung any more."""
        self._unaccepted.pop(held.id, None)
        attempt = None if held.call is None else self._attempts.get(held.call.id)
        if attempt is None or attempt.is_over:
            return
        if not attempt.has_customer:
            attempt.is_over = True
            attempt.call.hang_up(None, "engine")
        elif attempt.stands:
            attempt.wake()
        else:
            attempt.call.post(Input.NO_ANSWER)

    def over(self, call: "Call") -> None:
        """The call has ended: was it in vain, and by whose doing?"""
        attempt = self._attempts.pop(call.id, None)
        if attempt is None:
            return
        attempt.wake()
        if attempt.stands:
            self._entertain(attempt, None)
        if attempt.is_over:
            return
        queues, now = self._queues, self._queues.now
        if attempt.order == CUSTOMER or attempt.stands:
            queues.apply(queues.distributor.unanswered(attempt.reservation, now))
        elif not attempt.first_there:
            failure = call.failures[-1] if call.failures else Failure(Fault.UNREACHABLE)
            queues.apply(queues.distributor.failed(attempt.reservation, now))  # if it had been accepted by command
            queues.refuse(attempt.reservation, cause_of(failure))
        elif call.outcome.by == "caller":  # the agent hung up before the customer answered
            queues.apply(queues.distributor.failed(attempt.reservation, now))
        else:
            queues.apply(queues.distributor.unanswered(attempt.reservation, now))
