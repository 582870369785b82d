"""Those who wait: how they join, what happens to them with time, and every way out but an agent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from santral.routing.acd import matching
from santral.routing.acd.events import (
    Announced,
    CallbackOffered,
    CallbackRefused,
    Joined,
    Left,
    Overflowed,
    TurnedAway,
    Widened,
)
from santral.routing.acd.index.items import Item
from santral.routing.acd.index.match import Lane
from santral.routing.acd.records import Floor, Queue
from santral.routing.acd.settings import CALLBACK, JoinWhen, OverflowRule, Work
from santral.routing.acd.stages import Stage, reach_of, stages
from santral.routing.acd.tables import NEVER, Leave, Standing, State

STAGES_KEPT: Final = 4096  # different sets of demands a queue remembers
DRAINED_AT_ONCE: Final = 64  # people sent away in one step

REASONS: Final = {Leave.HUNG_UP: "abandoned", Leave.KEY: "key", Leave.REQUEST: "request", Leave.LOST: "lost"}

PARKED, WAITING, OFFERED, CONNECTING = Standing.PARKED, Standing.WAITING, Standing.OFFERED, Standing.CONNECTING

# ---- in ----


def join(floor: Floor, work: Work, now: float) -> None:
    """Let somebody in, or turn them away."""
    queue = floor.queues[work.queue]
    item = Item(work, queue, 0.0, floor.next_tie(), now)
    item.rank = rank_of(floor, item)
    position = position_of(item)
    refused, to = _objection(floor, queue, work, position)
    if refused:
        floor.out.append(TurnedAway(now, queue.name, work.id, work.kind, queue.tenant, refused, to))
        return
    enter(floor, item)
    floor.out.append(
        Joined(
            now, queue.name, work.id, work.kind, queue.tenant, work.priority, item.started, position,
            expected(queue, position),
        )
    )  # fmt: skip
    begin(floor, item, now)


def rank_of(floor: Floor, item: Item) -> float:
    """Who has the smaller rank comes first: the time of arrival, less what their points are worth."""
    return item.started - (item.priority + item.queue.settings.priority) * floor.ageing


def rank_anew(floor: Floor, item: Item) -> None:
    """Points are worth something else: take the place that the rank gives now, and stand in no lane until arranged."""
    matching.leave_lane(item)
    floor.arm_item(item, NEVER)
    item.queue.order.discard(item.rank, 0.0, 0.0, item.tie)
    item.rank = rank_of(floor, item)
    item.queue.order.add(item.rank, 0.0, 0.0, item.tie, item)


def position_of(item: Item) -> int:
    """1 is next."""
    return item.queue.order.before(item.rank, 0.0, 0.0, item.tie) + 1


def expected(queue: Queue, position: int) -> float | None:
    """Seconds, by the queue's pace; `None` if nobody is there to take anybody."""
    return queue.pace.expected(position) if queue.available else None


def _objection(floor: Floor, queue: Queue, work: Work, position: int) -> tuple[str, str | None]:
    settings = queue.settings
    if work.id in floor.items:
        return "already_there", None
    if not queue.is_open or queue.is_removed:
        return "closed", settings.turned_away_to
    if settings.max_waiting is not None and len(queue.order) >= settings.max_waiting:
        return "full", settings.turned_away_to
    there = {JoinWhen.ALWAYS: 1, JoinWhen.LOGGED_IN: queue.logged_in, JoinWhen.AVAILABLE: queue.available}
    if not there[settings.join_when]:
        return "no_agents", settings.turned_away_to
    for rule in settings.overflow:
        if rule.after <= 0 and holds(queue, rule, position):
            return "overflow", rule.to
    return "", None


def enter(floor: Floor, item: Item) -> None:
    """Be one of those who wait."""
    queue = item.queue
    floor.items[item.id] = item
    queue.order.add(item.rank, 0.0, 0.0, item.tie, item)
    if item.number:
        queue.numbers[item.number] = item.id


def begin(floor: Floor, item: Item, now: float) -> None:
    """Start waiting: arrange what time will bring, and look for an agent."""
    settings = item.queue.settings
    find_stage(floor, item, now)
    _next_rule(item)
    if item.kind != CALLBACK:
        if settings.announce is not None:
            item.announce_at = now + settings.announce.first
        if settings.callback is not None and settings.callback.offer_after is not None:
            item.offer_at = now + settings.callback.offer_after
    if now < item.not_before < NEVER:
        park(floor, item, item.not_before)
    else:
        wait(floor, item, now)


def park(floor: Floor, item: Item, until: float) -> None:
    """Keep the place, and be offered to nobody until then."""
    item.standing = PARKED
    item.park_until = until
    matching.leave_lane(item)
    _note_pace(item.queue)
    floor.arm_item(item, matching.next_due(item))


def wait(floor: Floor, item: Item, now: float) -> None:
    """Wait from now on, at the place that the rank gives; or go, if that is overdue."""
    item.standing = WAITING
    if item.queue.pace.last is None:
        item.queue.pace.begin(now)
    if (item.queue.drain or item.rule_at <= now or item.expires <= now) and _sent_away(floor, item, now):
        return
    _advance(floor, item, now)
    if matching.stand(floor, item):
        matching.seek(floor, item, now)
    floor.arm_item(item, matching.next_due(item))


def stages_of(floor: Floor, item: Item) -> tuple[Stage, ...]:
    """The stages of somebody, remembered per queue for everybody who asks for the same."""
    queue = item.queue
    reach = reach_of(queue.reaches, item.priority)
    wanted = floor.agents.get(item.sticky) if item.sticky is not None else None
    if wanted is not None and wanted.state is State.AVAILABLE and queue.name in wanted.seats:
        return stages(queue.settings, queue.highest_tier, item, reach, is_sticky=True)
    key = (item.channel, reach, item.needs)
    found = queue.stages.get(key)
    if found is None:
        if len(queue.stages) >= STAGES_KEPT:
            queue.stages.clear()
        found = stages(queue.settings, queue.highest_tier, item, reach, is_sticky=False)
        queue.stages[key] = found
    return found


# ---- time ----


def on_due(floor: Floor, item: Item, now: float) -> None:
    """Whatever is due for somebody who waits."""
    if item.standing is PARKED:
        if item.expires <= now:
            _expire(floor, item, now)
        elif item.park_until <= now:
            item.park_until = NEVER
            wait(floor, item, now)
        else:
            floor.arm_item(item, matching.next_due(item))
        return
    if item.standing is WAITING and _sent_away(floor, item, now):
        return
    if item.stage_at <= now:
        _advance(floor, item, now)
        if matching.stand(floor, item):
            matching.seek(floor, item, now)
    if item.standing is OFFERED and item.ring_at <= now:
        matching.ring_another(floor, item, now)
    if item.standing is WAITING:
        _tell(floor, item, now)
    floor.arm_item(item, matching.next_due(item))


def _advance(floor: Floor, item: Item, now: float) -> None:
    """Go on to the stage that the time waited has brought."""
    while _next_stage_is_due(item, now):
        item.stage += 1
        floor.out.append(Widened(now, item.queue.name, item.id, item.stages[item.stage].why))
    _set_stage_at(item)


def find_stage(floor: Floor, item: Item, now: float) -> None:
    """The stage that the time waited means, without a word: for who begins, and after changes of the rules."""
    item.stages, item.stage = stages_of(floor, item), 0
    while _next_stage_is_due(item, now):
        item.stage += 1
    _set_stage_at(item)


def _next_stage_is_due(item: Item, now: float) -> bool:
    return item.stage + 1 < len(item.stages) and item.stages[item.stage + 1].after <= now - item.clock + 1e-9


def _set_stage_at(item: Item) -> None:
    is_last = item.stage + 1 >= len(item.stages)
    item.stage_at = NEVER if is_last else item.clock + item.stages[item.stage + 1].after


def _tell(floor: Floor, item: Item, now: float) -> None:
    """Announcements and offers that are due, if the queue still has such."""
    announce, callback = item.queue.settings.announce, item.queue.settings.callback
    if item.announce_at <= now:
        item.announce_at = NEVER if announce is None else now + announce.every
        if announce is not None:
            item.announced += 1
            position = position_of(item)
            about = expected(item.queue, position)
            floor.out.append(Announced(now, item.queue.name, item.id, position, about, item.announced))
    if item.offer_at <= now:
        again = None if callback is None else callback.offer_every
        item.offer_at = NEVER if again is None else now + again
        if callback is not None:
            floor.out.append(CallbackOffered(now, item.queue.name, item.id))


def _next_rule(item: Item) -> None:
    """When the next rule of overflow is to be looked at; the longest wait is one of them, and its own limit another."""
    later = rules_of(item.queue)
    if item.kind == CALLBACK or item.rule >= len(later):
        item.rule_at = NEVER
    else:
        item.rule_at = item.joined + later[item.rule].after
    if item.max_wait is not None:
        item.rule_at = min(item.rule_at, item.joined + item.max_wait)


def rules_of(queue: Queue) -> tuple[OverflowRule, ...]:
    """The rules that wait for their time, in its order."""
    settings = queue.settings
    later = [rule for rule in settings.overflow if rule.after > 0]
    if settings.max_wait is not None:
        later.append(OverflowRule(settings.turned_away_to, settings.max_wait))
    return tuple(sorted(later, key=lambda rule: rule.after))


def holds(queue: Queue, rule: OverflowRule, position: int) -> bool:
    """Whether all conditions of a rule are met; a rule without any always is."""
    if rule.position is not None and position <= rule.position:
        return False
    if rule.expected_wait is not None:
        wait_s = expected(queue, position)
        if wait_s is None or wait_s <= rule.expected_wait:
            return False
    if rule.service_level is not None:
        return queue.level.share is not None and queue.level.share < rule.service_level
    return True


def _sent_away(floor: Floor, item: Item, now: float) -> bool:
    """Whether somebody who waits has to go: closing time, overflow, a callback too late."""
    if item.queue.drain:
        send_away(floor, item, now)
        return True
    if item.expires <= now:
        _expire(floor, item, now)
        return True
    rules = rules_of(item.queue) if item.rule_at <= now else ()
    while item.rule_at <= now:
        if _limit_comes_first(item, rules):
            overflow(floor, item, None, "timeout", now)
            return True
        rule = rules[item.rule]
        item.rule += 1
        _next_rule(item)
        if holds(item.queue, rule, position_of(item)):
            why = f"waited {now - item.joined:.0f} s" if rule.to or rule.after else "waited"
            overflow(floor, item, rule.to, why, now)
            return True
    return False


def _limit_comes_first(item: Item, rules: tuple[OverflowRule, ...]) -> bool:
    """Whether the next thing to be looked at is not a rule of the queue but how long this one waits at most."""
    limit = item.max_wait
    return limit is not None and (item.rule >= len(rules) or limit < rules[item.rule].after)


# ---- out ----


def forget(floor: Floor, item: Item) -> None:
    """Be in the queue no longer. Reservations are somebody else's matter."""
    queue = item.queue
    matching.leave_lane(item)
    floor.arm_item(item, NEVER)
    queue.order.discard(item.rank, 0.0, 0.0, item.tie)
    floor.items.pop(item.id, None)
    if item.number and queue.numbers.get(item.number) == item.id:
        del queue.numbers[item.number]
    _note_pace(queue)


def _note_pace(queue: Queue) -> None:
    if not len(queue.order):
        queue.pace.empty()


def left(floor: Floor, item: Item, reason: str, now: float, agent: str | None = None) -> None:
    """Tell that somebody left, and count it for the recent service level."""
    queue, waited = item.queue, now - item.joined
    level = queue.settings.service_level
    if reason == "answered" or (reason == "abandoned" and waited >= level.short_abandon):
        queue.level.add(is_within=reason == "answered" and waited <= level.within)
    floor.out.append(
        Left(
            now, queue.name, item.id, item.kind, queue.tenant, reason, waited, item.joined, agent,
            reason == "abandoned" and item.standing is CONNECTING,
        )
    )  # fmt: skip


def overflow(floor: Floor, item: Item, to: str | None, why: str, now: float) -> None:
    """Off to another destination."""
    forget(floor, item)
    queue = item.queue
    floor.out.append(
        Overflowed(
            now, queue.name, item.id, item.kind, queue.tenant, to, why, now - item.joined,
            item.joined,
        )
    )  # fmt: skip


def send_away(floor: Floor, item: Item, now: float) -> None:
    """Closing time, or nobody left to serve."""
    if item.queue.drain == "closed":
        forget(floor, item)
        left(floor, item, "closed", now)
    else:
        overflow(floor, item, item.queue.settings.turned_away_to, item.queue.drain, now)


def _expire(floor: Floor, item: Item, now: float) -> None:
    forget(floor, item)
    left(floor, item, "unreached", now)


def drain(floor: Floor, queue: Queue, now: float, most: int = DRAINED_AT_ONCE) -> bool:
    """Send away some of those who wait. Whether there may be more; who is offered to an agent stays until that ends."""
    index = 0
    while queue.drain and index < len(queue.order) and most > 0:
        item = queue.order.at(index)
        if item.standing in (WAITING, PARKED):
            send_away(floor, item, now)
            most -= 1
        else:
            index += 1
    return bool(queue.drain) and most == 0


def widen_orphans(floor: Floor, lane: Lane, now: float, most: int = DRAINED_AT_ONCE) -> bool:
    """The one agent whom people in this lane wanted is gone: let some of them take others. Whether there are more."""
    while lane and most > 0:
        arrange(floor, lane.first(), now)
        most -= 1
    return bool(lane)


def arrange(floor: Floor, item: Item, now: float) -> None:
    """Settings or agents have changed: stand where somebody stands who has waited as long."""
    matching.leave_lane(item)
    find_stage(floor, item, now)
    _next_rule(item)
    if matching.stand(floor, item):
        matching.seek(floor, item, now)
    floor.arm_item(item, matching.next_due(item))


# ---- callbacks ----


def call_back(
    floor: Floor, item: Item, new: Work, now: float, end_offers: Callable[[Floor, Item, str, float], None]
) -> None:
    """The caller hangs up and is called back in turn: the callback takes over rank and stage."""
    queue = item.queue
    if new.number in queue.numbers:
        floor.out.append(CallbackRefused(now, queue.name, item.id, new.number, "promised already"))
        return
    forget(floor, item)
    left(floor, item, "callback", now)
    after = Item(new, queue, item.rank, floor.next_tie(), now)
    after.clock = item.clock
    enter(floor, after)
    position = position_of(after)
    floor.out.append(
        Joined(
            now, queue.name, new.id, new.kind, queue.tenant, new.priority, after.started, position,
            expected(queue, position),
        )
    )  # fmt: skip
    end_offers(floor, item, "caller_gone", now)
    begin(floor, after, now)
