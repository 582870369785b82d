"""What can be seen of queues, agents, reservations and those who wait: values, made when asked for."""

from __future__ import annotations

from dataclasses import dataclass

from santral.routing.acd import waiting
from santral.routing.acd.index.items import Item, Reservation
from santral.routing.acd.records import Agent, Floor


@dataclass(frozen=True, slots=True)
class QueueView:
    name: str
    tenant: str
    is_open: bool
    waiting: int  # all of them, offered ones too
    offered: int  # of those: an agent rings
    longest_wait: float  # of who is next, in seconds
    logged_in: int
    available: int  # agents not on a break, busy ones too
    idle: int
    expected_wait: float | None  # of somebody who joins now, by position
    recent_service_level: float | None


@dataclass(frozen=True, slots=True)
class AgentView:
    name: str
    tenant: str
    state: str  # as it is shown
    presence: str  # offline, available, break, not_answering: what comes after what is in hand
    reason: str
    for_s: float  # seconds in this state
    reservations: tuple[str, ...]
    outside_legs: int
    is_reachable: bool
    is_ready: bool  # would be offered something now
    rests: float  # seconds until offers are made again to somebody who did not take one
    calls: int  # since login
    talk: float
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkView:
    id: str
    queue: str
    kind: str
    standing: str
    position: int
    priority: int
    waited: float
    agent: str | None
    reservations: tuple[str, ...]
    number: str


@dataclass(frozen=True, slots=True)
class ReservationView:
    id: str
    queue: str
    work: str
    kind: str
    agent: str
    phase: str


class Views:
    """The reading half of the distributor."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def queues(self) -> tuple[str, ...]:
        return tuple(self._floor.queues)

    def agents(self) -> tuple[str, ...]:
        return tuple(self._floor.agents)

    def queue(self, name: str, now: float) -> QueueView:
        """KeyError if there is no such queue."""
        queue = self._floor.queues[name]
        first = queue.order.first()
        return QueueView(
            name, queue.tenant, queue.is_open, len(queue.order), queue.offered,
            0.0 if first is None else now - first.joined, queue.logged_in, queue.available, queue.hall.idle_seats(),
            waiting.expected(queue, len(queue.order) + 1), queue.level.share,
        )  # fmt: skip

    def agent(self, name: str, now: float) -> AgentView:
        """KeyError if there is no such agent."""
        agent = self._floor.agents[name]
        return AgentView(
            name, agent.tenant, agent.shown, agent.state, agent.reason, now - agent.since,
            tuple(one.id for one in agent.engaged), agent.outside, agent.is_reachable, agent.desk.kinds != 0,
            max(0.0, agent.rests_until - now), agent.calls, agent.talk, tuple(agent.seats),
        )  # fmt: skip

    def work(self, work: str, now: float) -> WorkView | None:
        """Somebody who waits, `None` if nobody of that id does."""
        item = self._floor.items.get(work)
        return None if item is None else _view(item, now)

    def waiting(self, queue: str, now: float, limit: int = 100, after: int = 0) -> list[WorkView]:
        """Who waits, in order; `after` so many. KeyError if there is no such queue."""
        order = self._floor.queues[queue].order
        return [_view(order.at(index), now) for index in range(after, min(len(order), after + limit))]

    def reservation(self, reservation: str) -> ReservationView | None:
        """`None` if it is over or never was."""
        one = self._floor.reservations.get(reservation)
        return None if one is None else _seen(one)

    def next_for(self, agent: str) -> str | None:
        """Who would be offered to an agent who came free as things are; nobody to an idle one, who would have them."""
        item: Item | None = self._floor.agents[agent].desk.first()
        return None if item is None else item.id

    def is_behind(self) -> bool:
        """Whether ticks have more to do than deadlines: after changes that concern many."""
        return bool(self._floor.stale or self._floor.draining or self._floor.orphans)

    def reservations_of(self, agent: str) -> list[ReservationView]:
        """What an agent has in hand. KeyError if there is no such agent."""
        one: Agent = self._floor.agents[agent]
        return [_seen(each) for each in one.engaged]


def _view(item: Item, now: float) -> WorkView:
    accepted = item.accepted
    return WorkView(
        item.id, item.queue.name, item.kind, item.standing,
        waiting.position_of(item) if accepted is None else 0, item.priority, now - item.joined,
        None if accepted is None else accepted.agent.name, tuple(one.id for one in item.pending), item.number,
    )  # fmt: skip


def _seen(one: Reservation) -> ReservationView:
    return ReservationView(one.id, one.item.queue.name, one.item.id, one.item.kind, one.agent.name, one.phase)
