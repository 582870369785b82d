"""Reservations: what becomes of an offer, and of what an agent has in hand."""

from __future__ import annotations

from typing import Final

from santral.routing.acd import matching, waiting
from santral.routing.acd.events import Accepted, Completed, Connected, Refused, Rescinded, Ringing, TimedOut, Wrapping
from santral.routing.acd.index.items import Item, Reservation
from santral.routing.acd.index.match import fetch_object
from santral.routing.acd.records import Agent, Floor
from santral.routing.acd.tables import AGENT, MISSES, NEVER, RESERVATION, Cause, Cue, Phase, Standing, State, Turn

CONNECT_LIMIT: Final = 120.0  # from the agent's answer to the connection: dialling the customer of a callback is in it

# Members bound once: looking one up in its class costs as much as making an event.
PENDING, ACCEPTED, CONNECTED, WRAPPING = Phase.PENDING, Phase.ACCEPTED, Phase.CONNECTED, Phase.WRAPPING
OFFERED, CONNECTING = Standing.OFFERED, Standing.CONNECTING
AVAILABLE, OFFLINE, RESERVED = State.AVAILABLE, State.OFFLINE, State.RESERVED
CUE_ACCEPT, CUE_RELEASE, CUE_FINISH, CUE_COMPLETE = Cue.ACCEPT, Cue.RELEASE, Cue.FINISH, Cue.COMPLETE
CUE_RING, CUE_MISSED = Cue.RING, Cue.MISSED
TURN_ACCEPT, TURN_REFUSE, TURN_EXPIRE, TURN_RESCIND = Turn.ACCEPT, Turn.REFUSE, Turn.EXPIRE, Turn.RESCIND
TURN_CONNECT, TURN_FINISH, TURN_COMPLETE = Turn.CONNECT, Turn.FINISH, Turn.COMPLETE


def step(one: Reservation, turn: Turn, cue: Cue) -> bool:
    """Both cells of a reservation, its own and the agent's. Whether the table has such a row."""
    phase = RESERVATION.get((one.phase, turn))
    if phase is None:
        return False
    one.phase = phase
    one.cell = AGENT[one.cell, cue]
    return True


def _about(one: Reservation) -> tuple[str, str, str, str, str, str]:
    """The fields that every event of a reservation has."""
    item, queue = one.item, one.item.queue
    return one.id, queue.name, item.id, item.kind, one.agent.name, queue.tenant


def on_due(floor: Floor, one: Reservation, now: float) -> None:
    """Its time is up: nobody answered, nobody was connected, or the wrap-up is over."""
    if one.phase is PENDING:
        time_out(floor, one, now)
    elif one.phase is ACCEPTED:
        failed(floor, one, now)
    elif one.phase is WRAPPING:
        complete(floor, one, now)


def ringing(floor: Floor, one: Reservation, now: float) -> None:
    """The agent's phone rings."""
    if one.phase is PENDING and one.cell is RESERVED:
        one.cell = AGENT[one.cell, CUE_RING]
        floor.out.append(Ringing(now, *_about(one)))
        matching.show(floor, one.agent, now, about=one)


def customer_answered(floor: Floor, one: Reservation, now: float) -> None:
    """Now the agent's phone is rung, who has the usual time for it."""
    if one.phase is PENDING:
        floor.arm(one, now + one.item.queue.settings.ring_timeout)


def accept(floor: Floor, one: Reservation, now: float) -> None:
    """The first agent who accepts has the person; all others are free again."""
    item, agent = one.item, one.agent
    if not step(one, TURN_ACCEPT, CUE_ACCEPT):
        return
    queue = item.queue
    item.pending = without(item.pending, one)
    item.standing, item.accepted = CONNECTING, one
    queue.offered -= 1
    matching.leave_lane(item)
    queue.order.discard(item.rank, 0.0, 0.0, item.tie)
    queue.pace.taken(now, somebody_waits=bool(queue.order))
    floor.arm_item(item, NEVER)
    floor.arm(one, now + CONNECT_LIMIT)
    agent.misses = 0
    floor.out.append(Accepted(now, *_about(one), now - one.created))
    matching.show(floor, agent, now, about=one)
    end_offers(floor, item, "answered_elsewhere", now)
    if agent.has_several:
        matching.refresh(floor, agent, now)
        matching.show(floor, agent, now)


def end_offers(floor: Floor, item: Item, reason: str, now: float) -> None:
    """Take back what is still offered of this person; the agents keep their idle time and are free at once."""
    for agent in take_back(floor, item, reason, now):
        free(floor, agent, now)


def take_back(floor: Floor, item: Item, reason: str, now: float) -> list[Agent]:
    """Every pending reservation of a person, and the accepted one unless that is the reason. Returns whose."""
    taken = item.pending
    if taken:
        item.pending = ()
        if item.standing is OFFERED:
            item.queue.offered -= 1
    if item.accepted is not None and reason != "answered_elsewhere":
        taken = (*taken, item.accepted)
        item.accepted = None
    for one in taken:
        step(one, TURN_RESCIND, CUE_RELEASE)
        _drop(floor, one)
        floor.out.append(Rescinded(now, *_about(one), reason, now - one.created))
    return [one.agent for one in taken]


def without(pending: tuple[Reservation, ...], one: Reservation) -> tuple[Reservation, ...]:
    return () if len(pending) == 1 and pending[0] is one else tuple([each for each in pending if each is not one])


def rescind(floor: Floor, one: Reservation, reason: str, now: float) -> None:
    """Take one offer back; the person waits again, or is still offered to others. The caller looks after the agent."""
    if one.phase is not PENDING or not step(one, TURN_RESCIND, CUE_RELEASE):
        return
    _drop(floor, one)
    floor.out.append(Rescinded(now, *_about(one), reason, now - one.created))
    give_back(floor, one, now)


def _drop(floor: Floor, one: Reservation) -> None:
    """It is in nobody's hand any more, and known to nothing."""
    if one.item.accepted is one:
        one.item.accepted = None
    floor.arm(one, NEVER)
    floor.reservations.pop(one.id, None)
    agent = one.agent
    agent.put_down(one)


def free(floor: Floor, agent: Agent, now: float) -> None:
    """An agent has something less in hand."""
    matching.refresh(floor, agent, now)
    matching.show(floor, agent, now)
    if agent.is_removed and not agent.held:
        floor.arm(agent, NEVER)
        if floor.agents.get(agent.name) is agent:
            del floor.agents[agent.name]


def refuse(floor: Floor, one: Reservation, cause: Cause, now: float) -> None:
    """The agent does not take it; the person keeps the place."""
    if not step(one, TURN_REFUSE, CUE_RELEASE):
        return
    floor.out.append(Refused(now, *_about(one), cause, now - one.created))
    _not_taken(floor, one, now, is_miss=cause in MISSES)


def time_out(floor: Floor, one: Reservation, now: float) -> None:
    """Nobody answered in time."""
    if not step(one, TURN_EXPIRE, CUE_RELEASE):
        return
    floor.out.append(TimedOut(now, *_about(one), now - one.created))
    _not_taken(floor, one, now, is_miss=True)


def _not_taken(floor: Floor, one: Reservation, now: float, *, is_miss: bool) -> None:
    agent, item = one.agent, one.item
    _drop(floor, one)
    reason = ""
    if is_miss:
        agent.misses += 1
        if 0 < agent.settings.auto_pause <= agent.misses and agent.state is AVAILABLE:
            move(floor, agent, CUE_MISSED)
            reason = f"{agent.misses} offers not taken"
    rest(floor, agent, now + item.queue.settings.retry_delay, now)
    matching.refresh(floor, agent, now)
    matching.show(floor, agent, now, reason)
    if agent.is_removed:
        free(floor, agent, now)
    give_back(floor, one, now)


def rest(floor: Floor, agent: Agent, until: float, now: float) -> None:
    """Offer nothing to this agent until then."""
    if until > max(now, agent.rests_until):
        agent.rests_until = until
        floor.arm(agent, until)


def give_back(floor: Floor, one: Reservation, now: float) -> None:
    """The person of an offer that came to nothing: still offered to others, or waiting again at the same place."""
    item = one.item
    item.pending = without(item.pending, one)
    if item.id not in floor.items or item.standing is not OFFERED:
        return
    if item.pending:
        if matching.stand(floor, item):
            matching.seek(floor, item, now)
        return
    item.queue.offered -= 1
    item.ring_at = NEVER
    waiting.wait(floor, item, now)


def connected(floor: Floor, one: Reservation, now: float) -> None:
    """Both hear each other: the waiting is over."""
    item = one.item
    if RESERVATION.get((one.phase, TURN_CONNECT)) is None:
        return
    one.phase = RESERVATION[one.phase, TURN_CONNECT]
    one.connected = now
    floor.arm(one, NEVER)
    waiting.forget(floor, item)
    waiting.left(floor, item, "answered", now, one.agent.name)
    floor.out.append(Connected(now, *_about(one), now - item.joined))


def failed(floor: Floor, one: Reservation, now: float, reason: str = "failed") -> None:
    """The agent accepted and was lost before the connection: the person is back at the old place."""
    item, agent = one.item, one.agent
    if one.phase is not ACCEPTED or not step(one, TURN_RESCIND, CUE_RELEASE):
        return
    _drop(floor, one)
    item.accepted = None
    floor.out.append(Rescinded(now, *_about(one), reason, now - one.created))
    if reason == "failed":
        rest(floor, agent, now + item.queue.settings.retry_delay, now)
    item.rank = waiting.rank_of(floor, item)  # settings may be others by now
    item.queue.order.add(item.rank, 0.0, 0.0, item.tie, item)
    if reason == "unanswered":
        retry_later(floor, item, now)
    free(floor, agent, now)
    if reason != "unanswered":
        waiting.wait(floor, item, now)


def unanswered(floor: Floor, one: Reservation, now: float) -> None:
    """The customer of a callback did not answer, before the agent was rung or after the agent answered."""
    item = one.item
    if one.phase is ACCEPTED:
        failed(floor, one, now, "unanswered")
    elif one.phase is PENDING:
        rung = take_back(floor, item, "unanswered", now)
        item.ring_at = NEVER
        retry_later(floor, item, now)
        for agent in rung:
            free(floor, agent, now)


def retry_later(floor: Floor, item: Item, now: float) -> None:
    """The next attempt of a callback, or its end."""
    settings = item.queue.settings.callback
    item.attempts += 1
    attempts, retry_after = (1, 0.0) if settings is None else (settings.attempts, settings.retry_after)
    if item.attempts >= attempts:
        waiting.forget(floor, item)
        waiting.left(floor, item, "unreached", now)
    else:
        waiting.park(floor, item, now + retry_after)


def hold(one: Reservation, now: float, *, is_on: bool) -> None:
    """Hold time, which is not talk time."""
    if one.phase is not CONNECTED:
        return
    if is_on and one.held_since == NEVER:
        one.held_since = now
    elif not is_on and one.held_since != NEVER:
        one.held += now - one.held_since
        one.held_since = NEVER


def finish(floor: Floor, one: Reservation, now: float) -> None:
    """The agent has left the call: wrap-up begins now."""
    one.fetch()  # what has not been used for a whole call is far from the processor: it comes while other work is done
    hold(one, now, is_on=False)
    if not step(one, TURN_FINISH, CUE_FINISH):
        return
    item, agent = one.item, one.agent
    fetch_object(agent.desk)
    one.finished = now
    talk = now - one.connected - one.held
    agent.talk += talk
    floor.out.append(Wrapping(now, *_about(one), talk, one.held))
    agent.desk.fetch_places()
    wrap_up = item.queue.settings.wrap_up if agent.wrap_up is None else agent.wrap_up
    if wrap_up > 0 and agent.state is not OFFLINE and not agent.is_removed:
        floor.arm(one, now + wrap_up)
        matching.show(floor, agent, now, about=one)
    else:
        complete(floor, one, now)


def complete(floor: Floor, one: Reservation, now: float) -> None:
    """The agent is done: free, with the idle time beginning now."""
    if not step(one, TURN_COMPLETE, CUE_COMPLETE):
        return
    agent = one.agent
    agent.desk.fetch_halls()
    _drop(floor, one)
    agent.calls += 1
    agent.idle_since = now
    agent.desk.fetch_gates()
    floor.out.append(Completed(now, *_about(one), now - one.finished))
    free(floor, agent, now)


def move(floor: Floor, agent: Agent, cue: Cue) -> bool:
    """The cell for being there. Whether the table has such a row; who is on duty in the agent's queues follows."""
    after = AGENT.get((agent.state, cue))
    if after is None:
        return False
    before, agent.state = agent.state, after
    was_on, is_on = before is AVAILABLE, after is AVAILABLE
    was_in, is_in = before is not OFFLINE, after is not OFFLINE
    came_on, came_in = int(is_on) - int(was_on), int(is_in) - int(was_in)
    for name, seat in agent.seats.items():
        queue = floor.queues[name]
        queue.logged_in += came_in
        queue.available += came_on
        if came_on and seat.hall.duty(seat.tier, came_on):
            floor.stale[name] = queue
        if queue.logged_in == 0 and was_in and queue.settings.leave_when_empty and queue.order:
            queue.drain = "no agents"
            floor.draining[name] = queue
        elif is_in and queue.drain == "no agents":
            queue.drain = ""
    if was_on and not is_on:
        abandon_lanes(floor, agent)
    return True


def abandon_lanes(floor: Floor, agent: Agent) -> None:
    """Who waits for this agent alone will have to take others."""
    for name in agent.seats:
        lanes = floor.queues[name].lanes
        for key, lane in tuple(lanes.items()) if agent.is_wanted else ():
            if lane.key.only == agent.name:
                del lanes[key]
                if lane:
                    floor.orphans.append(lane)
    agent.is_wanted = False
