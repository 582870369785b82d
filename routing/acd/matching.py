"""Bringing people and agents together: both directions, and the keys by which each side is ordered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from santral.routing.acd.events import AgentChanged, Created, Why
from santral.routing.acd.index.items import Item, Reservation
from santral.routing.acd.index.match import Lane, Seat, fetch_ways
from santral.routing.acd.records import Agent, Floor, Queue
from santral.routing.acd.settings import CALLBACK, DialFirst, Strategy
from santral.routing.acd.stages import LaneKey
from santral.routing.acd.tables import AGENT, NEVER, SHOWN_FIRST, Cue, Phase, Standing, State

BEHIND: Final = 1e12  # added to the rank of somebody offered to some who may have more agents yet
FROM_THE_TOP: Final = frozenset({Strategy.TOP_DOWN, Strategy.RING_PROGRESSIVELY})
LANES_KEPT: Final = 256  # empty lanes a queue remembers
LOOKED_AT_ONCE: Final = 64  # agents reserved in one step after a change of rules

# Members bound once: looking one up in its class costs as much as making an event.
LONGEST_IDLE: Final = Strategy.LONGEST_IDLE
RING_ALL: Final = Strategy.RING_ALL
RING_PROGRESSIVELY: Final = Strategy.RING_PROGRESSIVELY
SKILL_SCORE: Final = Strategy.SKILL_SCORE
RANDOM: Final = Strategy.RANDOM
WAITING: Final = Standing.WAITING
OFFERED: Final = Standing.OFFERED
PARKED: Final = Standing.PARKED
AVAILABLE: Final = State.AVAILABLE
OFFLINE: Final = State.OFFLINE
PENDING: Final = Phase.PENDING
RESERVE: Final = Cue.RESERVE
AGENT_FIRST: Final = DialFirst.AGENT

# ---- people ----


def lane_of(floor: Floor, queue: Queue, key: LaneKey) -> Lane:
    lane = queue.lanes.get(key)
    if lane is None:
        needs = tuple([(floor.number_of_skill(skill), level) for skill, level in key.needs])
        only = None
        if key.only is not None:
            floor.agents[key.only].is_wanted = True
            only = floor.agents[key.only].desk
        lane = Lane(queue.hall, key, floor.number_of_kind(key.kind), needs, key.steps, key.reach, only)
        queue.lanes[key] = lane
    return lane


def leave_lane(item: Item) -> None:
    """Stand nowhere: nobody may take this person now."""
    lane = item.lane
    if lane is None:
        return
    lane.take(item.stood, item.tie)
    item.lane = None
    lanes = item.queue.lanes
    if len(lanes) > LANES_KEPT and not lane:
        lanes.pop(lane.key, None)


def stand(floor: Floor, item: Item) -> bool:
    """Stand in the lane of the present stage, if anybody may take this person now.

    Returns whether an idle agent may be there for it: in a lane that was not empty none can be.
    """
    wanted = NEVER
    if item.standing is WAITING:
        wanted = item.rank
    elif (
        item.standing is OFFERED
        and item.queue.settings.strategy is RING_ALL
        and len(item.pending) < item.queue.settings.ring_limit
    ):
        wanted = item.rank + BEHIND
    if wanted == NEVER:
        leave_lane(item)
        return False
    key = item.stages[item.stage].key
    if item.lane is not None and item.stood == wanted and item.lane.key is key:
        return False
    leave_lane(item)
    lane = lane_of(floor, item.queue, key)
    was_empty = not lane
    item.lane, item.stood = lane, wanted
    lane.put(wanted, item.tie, item)
    return was_empty


def seek(floor: Floor, item: Item, now: float) -> None:
    """Offer somebody who stands in a lane to the idle agents, as the strategy of the queue says."""
    lane, strategy = item.lane, item.queue.settings.strategy
    if lane is None:
        return
    wanted = item.sticky
    if wanted is not None and not item.pending and strategy is not RING_ALL:
        seat = _own_agent(floor, lane, wanted)
        if seat is not None:
            reserve(floor, item, seat, now)
            return
    if strategy is RING_ALL:
        for seat in lane.seats(item.queue.settings.ring_limit - len(item.pending)):
            reserve(floor, item, seat, now)
    elif strategy is SKILL_SCORE:
        found, score = lane.best(weights(floor, item))
        if found is not None:
            reserve(floor, item, found, now, score)
    else:
        found = lane.at_random(floor.draw()) if strategy is RANDOM else lane.seat()
        if found is not None:
            reserve(floor, item, found, now)


def _own_agent(floor: Floor, lane: Lane, wanted: str) -> Seat | None:
    agent = floor.agents.get(wanted)
    return None if agent is None else lane.seat_of(agent.desk)


def weights(floor: Floor, item: Item) -> tuple[tuple[int, int], ...]:
    """What counts in skill_score: wishes with their weight, needs with one."""
    queue = item.queue.settings
    found = {wish.skill: wish.weight for wish in (*queue.wishes, *item.wishes)}
    for need in (*queue.needs, *item.needs):
        found.setdefault(need.skill, 1)
    return tuple([(floor.number_of_skill(skill), weight) for skill, weight in found.items()])


# ---- agents ----


def room(agent: Agent, now: float) -> int:
    """The kinds an agent may be offered now, as bits: one offer at a time."""
    if agent.state is not AVAILABLE or agent.outside or not agent.is_reachable or agent.rests_until > now:
        return 0
    if not agent.held:
        return agent.everything
    held: dict[str, int] = {}
    for one in agent.engaged:
        if one.phase is PENDING:
            return 0
        channel = one.item.channel
        held[channel] = held.get(channel, 0) + 1
    bits = 0
    for kind, bit in agent.rooms.items():
        if held.get(kind, 0) < agent.settings.capacity[kind] and (agent.settings.mixes or kind in held):
            bits |= bit
    return bits


def key_of(agent: Agent, seat: Seat, strategy: Strategy, draw: Callable[[], float]) -> tuple[float, float, float]:
    """Where an idle seat stands: by tier and load, then as the strategy says, then the longest idle first."""
    first = seat.tier * 1000.0 + agent.held
    if strategy is LONGEST_IDLE:
        return first, agent.idle_since, 0.0
    key = agent.idle_since
    if strategy is Strategy.FEWEST_CALLS:
        key = float(agent.calls)
    elif strategy is Strategy.LEAST_TALK_TIME:
        key = agent.talk
    elif strategy is Strategy.ROUND_ROBIN:
        key = seat.turn
    elif strategy is RANDOM:
        key = draw()
    elif strategy in FROM_THE_TOP:
        key = float(seat.position)
    return first, key, agent.idle_since


def refresh(floor: Floor, agent: Agent, now: float) -> None:
    """Something about an agent has changed: take whoever comes first, or wait in order for somebody."""
    kinds = room(agent, now)
    agent.desk.free(kinds)
    while kinds:
        item = agent.desk.first()
        if item is None:
            break
        seat = agent.desk.seat_in(item.queue.hall)
        score = agent.desk.score(weights(floor, item)) if item.queue.settings.strategy is SKILL_SCORE else 0
        reserve(floor, item, seat, now, score)
        kinds = agent.desk.kinds
    settle(floor, agent, kinds)


def settle(floor: Floor, agent: Agent, kinds: int) -> None:
    """Stand among the idle, or not."""
    if kinds:
        for name, seat in agent.seats.items():
            a, b, c = key_of(agent, seat, floor.queues[name].settings.strategy, floor.draw)
            seat.wait(a, b, c)
    elif agent.desk.is_idle():
        for seat in agent.desk.seats:
            seat.stop_waiting()


def _foremost(agent: Agent) -> State:
    cells = {one.cell for one in agent.engaged}
    return next(cell for cell in SHOWN_FIRST if cell in cells)


def show(floor: Floor, agent: Agent, now: float, reason: str = "", about: Reservation | None = None) -> None:
    """Tell the state an agent is in, if it is another."""
    state = agent.state
    if agent.hand is not None:
        state = agent.hand.cell if agent.held == 1 else _foremost(agent)
    elif agent.outside and state is not OFFLINE:
        state = State.BUSY
    if state is agent.shown and not (reason and state is agent.state):
        return
    queue, work = (None, None) if about is None else (about.item.queue.name, about.item.id)
    floor.out.append(
        AgentChanged(now, agent.name, agent.tenant, state, agent.shown, now - agent.since, reason, queue, work)
    )
    agent.shown, agent.since = state, now


# ---- both ----


def reserve(floor: Floor, item: Item, seat: Seat, now: float, score: int | None = None) -> None:
    """One agent for one person: neither is to be had by anybody else from here on.

    `seat` is idle if the person has come to the agent, and not if the agent has just come free.
    """
    agent: Agent = seat.owner
    queue = item.queue
    if item.lane is not None:
        fetch_ways(queue.order, floor.waits, item.lane, item.rank, item.stood, item.due, item.tie)
    settings = queue.settings
    was_idle = seat.is_waiting()
    order, timeout = AGENT_FIRST, settings.ring_timeout
    if item.kind == CALLBACK and settings.callback is not None:
        order = settings.callback.order
        if order is DialFirst.CUSTOMER:
            timeout = settings.callback.ring_timeout
    one = Reservation(floor.new_id(), item, agent, now, floor.next_tie())
    floor.reservations[one.id] = one
    one.cell = AGENT[one.cell, RESERVE]
    why = Why(
        settings.strategy,
        now - item.started,
        queue.order.before(item.rank, 0.0, 0.0, item.tie),
        item.priority + settings.priority,
        now - agent.idle_since,
        seat.tier,
        score or 0,
        item.stage,
        "arrival" if was_idle else "release",
    )
    if not item.pending:
        item.standing = OFFERED
        queue.offered += 1
    item.pending = (*item.pending, one)
    agent.take(one)
    seat.turn = one.tie
    stand(floor, item)
    floor.arm(one, now + timeout)
    floor.out.append(
        Created(
            now, one.id, settings.name, item.id, item.kind, agent.name, settings.tenant, now + timeout,
            order, why,
        )
    )  # fmt: skip
    show(floor, agent, now, about=one)
    kinds = room(agent, now)
    agent.desk.free(kinds)
    if was_idle:
        settle(floor, agent, kinds)
    if settings.strategy is RING_PROGRESSIVELY:
        item.ring_at = now + settings.ring_every if len(item.pending) < settings.ring_limit else NEVER
        floor.arm_item(item, next_due(item))


def ring_another(floor: Floor, item: Item, now: float) -> None:
    """ring_progressively: one more agent, if there is an idle one."""
    item.ring_at = now + item.queue.settings.ring_every
    lane = lane_of(floor, item.queue, item.stages[item.stage].key)
    seat = lane.seat()
    if seat is not None:
        reserve(floor, item, seat, now)


def next_due(item: Item) -> float:
    """When somebody who waits is to be looked at next; `NEVER` is one answer."""
    if item.standing is PARKED:
        return min(item.park_until, item.expires)
    if item.standing is WAITING:
        return min(item.rule_at, item.stage_at, item.announce_at, item.offer_at, item.expires)
    if item.standing is OFFERED:
        return min(item.stage_at, item.ring_at)
    return NEVER


def look_again(floor: Floor, queue: Queue, now: float, most: int = LOOKED_AT_ONCE) -> bool:
    """Idle agents may take people whom they could not take before. Whether there may be more."""
    for lane in queue.hall.active_lanes():
        seat = lane.seat()
        while seat is not None:
            refresh(floor, seat.owner, now)
            most -= 1
            if most == 0:
                return True
            seat = lane.seat() if lane else None
    return False
