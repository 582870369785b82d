"""The whole state as plain values, and back: for a restart, and for a store that nodes share.

Times are ages (`now` less the moment), so a snapshot means the same on another clock. Settings are not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from typing import Any

from santral.routing.acd import configuring, matching, offers, waiting
from santral.routing.acd.events import TurnedAway
from santral.routing.acd.index.items import Item, Reservation
from santral.routing.acd.records import Agent, Floor, Queue
from santral.routing.acd.settings import Need, Wish, Work
from santral.routing.acd.tables import NEVER, Phase, Standing, State

ITEM_TIMES = ("started", "joined", "clock", "rule_at", "ring_at", "announce_at", "offer_at", "park_until")
ITEM_VALUES = ("tie", "standing", "rule", "announced", "attempts")
AGENT_TIMES = ("since", "idle_since", "rests_until")
AGENT_VALUES = ("state", "reason", "shown", "outside", "is_reachable", "misses", "calls", "talk")
RESERVATION_TIMES = ("created", "connected", "held_since", "finished", "due")
RESERVATION_VALUES = ("id", "tie", "phase", "cell", "held")
SERVED = frozenset({Phase.CONNECTED, Phase.WRAPPING})
WORK_TIMES = ("started", "not_before", "expires")
WORK_VALUES = ("id", "kind", "priority", "sticky", "sticky_for", "number", "max_wait")


def save_some(
    floor: Floor, agents: Iterable[str], works: Iterable[str], in_hand: Iterable[str], now: float
) -> dict[str, Any]:
    """Of the same these agents, those of these works that wait, and those of these reservations that are served."""
    some = [floor.agents[name] for name in agents if name in floor.agents]
    waiting_ones = [floor.items[work] for work in works if work in floor.items]
    known = [floor.reservations[one] for one in in_hand if one in floor.reservations]
    served = [one for one in known if one.phase in SERVED]
    return {
        "agents": {agent.name: _agent(agent, now) for agent in some},
        "items": [_item(item, now) for item in waiting_ones],
        "talking": [_item(one.item, now) for one in served],
        "reservations": [_reservation(one, now) for one in served],
    }


def save(floor: Floor, now: float) -> dict[str, Any]:
    """Everything that is not settings."""
    talking = {
        one.item.tie: one.item for one in floor.reservations.values() if floor.items.get(one.item.id) is not one.item
    }
    return {
        "tie": floor.last_tie,
        "queues": {name: _queue(queue) for name, queue in floor.queues.items()},
        "agents": {agent.name: _agent(agent, now) for agent in floor.agents.values()},
        "items": [_item(item, now) for item in floor.items.values()],
        "talking": [_item(item, now) for item in talking.values()],
        "reservations": [_reservation(one, now) for one in floor.reservations.values()],
    }


def load(floor: Floor, saved: Mapping[str, Any], alive: Callable[[str], bool], now: float) -> None:
    """Take up a state, then let go of those whose call is not `alive` any more.

    The agents of those are in wrap-up if they talked, and free at no penalty if they rang. `floor` has its settings,
    and numbers its things from where `saved` ended.
    """
    for name, values in saved["queues"].items():
        queue = floor.queues.get(name)
        if queue is not None:
            queue.is_open, queue.drain = values["is_open"], values["drain"]
            queue.pace.mean, queue.level.share = values["mean"], values["share"]
    for name, values in saved["agents"].items():
        agent = floor.agents.get(name)
        if agent is not None:
            _load_agent(floor, agent, values, now)
    items: dict[int, Item] = {}
    for values in (*saved["items"], *saved["talking"]):
        _load_item(floor, items, values, now)
    for values in saved["reservations"]:
        _load_reservation(floor, items, values, now)
    _take_places(floor, items, saved, now)
    lost = [item for item in items.values() if not alive(item.id)]
    for item in lost:
        _let_go(floor, item, now)


def _queue(queue: Queue) -> dict[str, Any]:
    return {"is_open": queue.is_open, "drain": queue.drain, "mean": queue.pace.mean, "share": queue.level.share}


def _agent(agent: Agent, now: float) -> dict[str, Any]:
    turns = {name: seat.turn for name, seat in agent.seats.items()}
    return _ages(agent, AGENT_TIMES, AGENT_VALUES, now) | {"turns": turns}


def _item(item: Item, now: float) -> dict[str, Any]:
    work = _ages(item, WORK_TIMES, WORK_VALUES, now) | {
        "queue": item.queue.name,
        "needs": [asdict(need) for need in item.needs],
        "wishes": [asdict(wish) for wish in item.wishes],
    }
    return _ages(item, ITEM_TIMES, ITEM_VALUES, now) | {"work": work}


def _reservation(one: Reservation, now: float) -> dict[str, Any]:
    return _ages(one, RESERVATION_TIMES, RESERVATION_VALUES, now) | {"item": one.item.tie, "agent": one.agent.name}


def _ages(thing: object, times: tuple[str, ...], values: tuple[str, ...], now: float) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in times:
        at = getattr(thing, name)
        found[name] = None if at == NEVER else now - at
    for name in values:
        value = getattr(thing, name)
        found[name] = str(value) if isinstance(value, str) else value
    return found


def _set_times(thing: object, times: tuple[str, ...], saved: Mapping[str, Any], now: float) -> None:
    for name in times:
        setattr(thing, name, NEVER if saved[name] is None else now - saved[name])


def _load_agent(floor: Floor, agent: Agent, saved: Mapping[str, Any], now: float) -> None:
    for name in AGENT_VALUES:
        setattr(agent, name, saved[name])
    agent.state, agent.shown = State(saved["state"]), State(saved["shown"])
    _set_times(agent, AGENT_TIMES, saved, now)
    for name, turn in saved["turns"].items():
        if name in agent.seats:
            agent.seats[name].turn = turn
    configuring.count(floor, agent, 1)


def work_of(saved: Mapping[str, Any], now: float) -> Work:
    """What somebody asked for who is in a snapshot."""
    fields = dict(saved)
    for name in WORK_TIMES:
        fields[name] = None if fields[name] is None else now - fields[name]
    fields["needs"] = tuple(Need(**need) for need in fields["needs"])
    fields["wishes"] = tuple(Wish(**wish) for wish in fields["wishes"])
    return Work(**fields)


def _load_item(floor: Floor, items: dict[int, Item], saved: Mapping[str, Any], now: float) -> None:
    work = work_of(saved["work"], now)
    queue = floor.queues.get(work.queue)
    if queue is None:
        floor.out.append(TurnedAway(now, work.queue, work.id, work.kind, "", "closed", None))
        return
    item = Item(work, queue, 0.0, saved["tie"], now)
    _set_times(item, ITEM_TIMES, saved, now)
    item.rule, item.announced, item.attempts = saved["rule"], saved["announced"], saved["attempts"]
    item.standing = Standing(saved["standing"])
    item.rank = waiting.rank_of(floor, item)
    items[item.tie] = item


def _load_reservation(floor: Floor, items: dict[int, Item], saved: Mapping[str, Any], now: float) -> None:
    item, agent = items.get(saved["item"]), floor.agents.get(saved["agent"])
    if item is None or agent is None:
        return
    one = Reservation(saved["id"], item, agent, now, saved["tie"])
    due = NEVER if saved["due"] is None else now - saved["due"]
    _set_times(one, RESERVATION_TIMES[:-1], saved, now)
    one.phase, one.cell, one.held = Phase(saved["phase"]), State(saved["cell"]), saved["held"]
    floor.reservations[one.id] = one
    agent.take(one)
    floor.arm(one, due)
    if one.phase is Phase.PENDING:
        item.pending = (*item.pending, one)
    elif one.phase is Phase.ACCEPTED:
        item.accepted = one


def _take_places(floor: Floor, items: dict[int, Item], saved: Mapping[str, Any], now: float) -> None:
    """Everybody to where they stood; whoever lost all agents with the settings waits again."""
    for values in saved["items"]:
        item = items.get(values["tie"])
        if item is None:
            continue
        floor.items[item.id] = item
        if item.number:
            item.queue.numbers[item.number] = item.id
        if item.standing is Standing.OFFERED and item.pending:
            item.queue.offered += 1
        elif item.standing in (Standing.OFFERED, Standing.CONNECTING) and item.accepted is None:
            item.standing = Standing.WAITING
        if item.standing is not Standing.CONNECTING:
            item.queue.order.add(item.rank, 0.0, 0.0, item.tie, item)
            if item.queue.pace.last is None:
                item.queue.pace.begin(now)
        waiting.find_stage(floor, item, now)
        matching.stand(floor, item)
        floor.arm_item(item, matching.next_due(item))
    for agent in floor.agents.values():
        matching.refresh(floor, agent, now)
        matching.show(floor, agent, now)
        if agent.rests_until > now:
            floor.arm(agent, agent.rests_until)
    for queue in floor.queues.values():
        if queue.drain:
            floor.draining[queue.name] = queue


def _let_go(floor: Floor, item: Item, now: float) -> None:
    """The call of this one is gone with its node."""
    if floor.items.get(item.id) is item:
        waiting.forget(floor, item)
        waiting.left(floor, item, "lost", now)
        offers.end_offers(floor, item, "caller_gone", now)
    for one in [one for one in floor.reservations.values() if one.item is item]:
        offers.finish(floor, one, now)
