"""Settings coming into force: at the start, and while people wait and talk."""

from __future__ import annotations

from santral.routing.acd import matching, offers, staff, waiting
from santral.routing.acd.index.match import Desk, Seat
from santral.routing.acd.records import Agent, Floor, Queue
from santral.routing.acd.settings import STRICT_AGEING, AgentSettings, QueueSettings, Settings
from santral.routing.acd.tables import Phase, State


def configure(floor: Floor, settings: Settings, now: float) -> None:
    """Make floor what the settings say. Not bounded like other steps: a reload may take as long as there are people."""
    before, floor.ageing = floor.ageing, STRICT_AGEING if settings.ageing is None else settings.ageing
    is_other_ageing = before != floor.ageing
    wanted = {queue.name: queue for queue in settings.queues}
    agents = {agent.name: agent for agent in settings.agents}
    changed = [queue for queue in settings.queues if _set_queue(floor, queue) or is_other_ageing]
    _set_reaches(floor, settings, now)
    for agent in list(floor.agents.values()):
        if agent.name not in agents:
            _remove_agent(floor, agent, now)
    for each in settings.agents:
        _set_agent(floor, each, now, is_other_ageing=is_other_ageing)
    for queue in list(floor.queues.values()):
        if queue.name not in wanted:
            _remove_queue(floor, queue, now)
    for queue in floor.queues.values():
        _set_tiers(queue)
    for each_queue in changed:
        _stand_anew(floor, floor.queues[each_queue.name], now)
        floor.stale[each_queue.name] = floor.queues[each_queue.name]


def _set_queue(floor: Floor, settings: QueueSettings) -> bool:
    """Whether a queue that was there has changed."""
    queue = floor.queues.get(settings.name)
    if queue is None:
        floor.queues[settings.name] = Queue(settings)
        return False
    if queue.settings == settings:
        return False
    queue.settings, queue.tenant = settings, settings.tenant
    queue.stages.clear()
    return True


def _set_reaches(floor: Floor, settings: Settings, now: float) -> None:
    """Which priorities make a difference; people stand by them. Before agents change, who then look at everybody."""
    found: dict[str, set[int]] = {}
    for agent in settings.agents:
        for seat in agent.memberships:
            found.setdefault(seat.queue, set()).add(seat.min_priority)
    for queue in floor.queues.values():
        reaches = tuple(sorted(found.get(queue.name, ())))
        if reaches != queue.reaches:
            queue.reaches = reaches
            queue.stages.clear()
            for index in range(len(queue.order)):
                waiting.arrange(floor, queue.order.at(index), now)


def _set_tiers(queue: Queue) -> None:
    highest = max((seat.tier for seat in queue.hall.seats), default=1)
    if highest != queue.highest_tier:
        queue.highest_tier = highest
        queue.stages.clear()


def _stand_anew(floor: Floor, queue: Queue, now: float) -> None:
    """Everybody in a queue, by its new settings and the ranks that these give; who rings goes on ringing."""
    everybody = [queue.order.at(index) for index in range(len(queue.order))]
    for item in everybody:
        waiting.rank_anew(floor, item)
    for index in range(len(queue.order)):
        item = queue.order.at(index)
        item.rule = 0
        waiting.arrange(floor, item, now)


def _remove_queue(floor: Floor, queue: Queue, now: float) -> None:
    queue.is_removed = True
    while len(queue.order):
        item = queue.order.at(0)
        waiting.overflow(floor, item, None, "queue removed", now)
        offers.end_offers(floor, item, "removed", now)
    del floor.queues[queue.name]
    floor.stale.pop(queue.name, None)
    floor.draining.pop(queue.name, None)


def _remove_agent(floor: Floor, agent: Agent, now: float) -> None:
    agent.is_removed = True
    staff.logout(floor, agent, now, "removed")
    _give_up_seats(agent)
    offers.free(floor, agent, now)


def _give_up_seats(agent: Agent) -> None:
    for seat in agent.seats.values():
        seat.give_place()
    agent.seats.clear()


def _set_agent(floor: Floor, settings: AgentSettings, now: float, *, is_other_ageing: bool) -> None:
    agent = floor.agents.get(settings.name)
    if agent is None:
        agent = floor.agents[settings.name] = Agent(settings, _desk(floor, settings), now, floor.next_tie())
    elif agent.settings == settings and not agent.is_removed and not is_other_ageing:
        return
    else:
        count(floor, agent, -1)
        offers.abandon_lanes(floor, agent)
        agent.settings, agent.tenant, agent.is_removed = settings, settings.tenant, False
        agent.wrap_up = settings.wrap_up
        _give_up_seats(agent)
        agent.desk.free(0)
        agent.desk = _desk(floor, settings)
    for seat in settings.memberships:
        made = Seat(
            floor.queues[seat.queue].hall, agent.desk, (seat.tier, seat.position, seat.min_priority),
            seat.priority * floor.ageing, floor.next_tie(), agent,
        )  # fmt: skip
        made.take_place()
        agent.seats[seat.queue] = made
    agent.rooms = {kind: 1 << floor.number_of_kind(kind) for kind, most in settings.capacity.items() if most > 0}
    agent.everything = sum(agent.rooms.values())
    agent.has_several = sum(settings.capacity.values()) > 1
    count(floor, agent, 1)
    for one in agent.engaged:
        if one.phase is Phase.PENDING and one.item.queue.name not in agent.seats:
            offers.rescind(floor, one, "removed", now)
    matching.refresh(floor, agent, now)
    matching.show(floor, agent, now)


def _desk(floor: Floor, settings: AgentSettings) -> Desk:
    return Desk({floor.number_of_skill(skill): level for skill, level in settings.skills.items()})


def count(floor: Floor, agent: Agent, change: int) -> None:
    """Into the counts of the queues (1), or out of them (-1)."""
    for name, seat in agent.seats.items():
        queue = floor.queues[name]
        if agent.state is not State.OFFLINE:
            queue.logged_in += change
        if agent.state is State.AVAILABLE:
            queue.available += change
            if seat.hall.duty(seat.tier, change):
                floor.stale[name] = queue
