"""How the demands of somebody who waits relax with time: a few stages, each with the lane it means."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from santral.routing.acd.settings import MAX_PRIORITY, Need, QueueSettings

if TYPE_CHECKING:
    from santral.routing.acd.index.items import Item

ALL_TIERS: Final = -1
SERVED_BY_NOBODY: Final = -MAX_PRIORITY - 1


class LaneKey(NamedTuple):
    """What an agent must be to take somebody: people with equal keys stand in one lane."""

    kind: str
    needs: tuple[tuple[str, int], ...]  # skills and levels, sorted
    steps: int  # tiers beyond the lowest that is there; ALL_TIERS: any
    reach: int  # agents with a higher min_priority are kept for others
    only: str | None  # the one agent asked


class Stage(NamedTuple):
    """From `after` seconds of waiting on: stand in this lane. `why` says what was dropped."""

    after: float
    key: LaneKey
    why: str


def reach_of(reaches: tuple[int, ...], priority: int) -> int:
    """Of the least priorities that agents serve (in order) the highest that this one meets.

    Whose priorities reach the same agents stand in one lane.
    """
    found = SERVED_BY_NOBODY
    for least in reaches:
        if least <= priority:
            found = least
    return found


def stages(queue: QueueSettings, highest_tier: int, item: Item, reach: int, *, is_sticky: bool) -> tuple[Stage, ...]:
    """All stages of a person, the first at 0. `is_sticky`: the agent wanted is there."""
    needs = (*queue.needs, *item.needs)
    times = {0.0} | {need.until for need in needs if need.until is not None and need.until > 0}
    if is_sticky and item.sticky_for > 0:
        times.add(item.sticky_for)
    if queue.tier_wait > 0:
        times |= {queue.tier_wait * step for step in range(1, highest_tier)}
    if queue.release_reserved is not None:
        times.add(queue.release_reserved)
    found: list[Stage] = []
    for at in sorted(times):
        key = LaneKey(
            item.channel,
            _levels(need for need in needs if need.until is None or at < need.until),
            min(int(at / queue.tier_wait + 1e-9), highest_tier) if queue.tier_wait > 0 else ALL_TIERS,
            MAX_PRIORITY if queue.release_reserved is not None and at >= queue.release_reserved else reach,
            item.sticky if is_sticky and at < item.sticky_for else None,
        )
        if not found or key != found[-1].key:
            found.append(Stage(at, key, _difference(found[-1].key, key) if found else ""))
    return tuple(found)


def _levels(needs: Iterable[Need]) -> tuple[tuple[str, int], ...]:
    highest: dict[str, int] = {}
    for need in needs:
        highest[need.skill] = max(need.level, highest.get(need.skill, 0))
    return tuple(sorted(highest.items()))


def _difference(before: LaneKey, after: LaneKey) -> str:
    found = []
    if before.only != after.only:
        found.append(f"not only {before.only}")
    now = dict(after.needs)
    for skill, level in before.needs:
        if skill not in now:
            found.append(f"{skill} no longer needed")
        elif now[skill] != level:
            found.append(f"{skill} {now[skill]} instead of {level}")
    if before.steps != after.steps:
        found.append(f"{after.steps} more tiers")
    if before.reach != after.reach:
        found.append("reserved agents too")
    return ", ".join(found)
