"""`acd`: how many agents the distributor gives somebody per second, and how long its longest step takes.

An assignment is one whole turn: an agent is done, is matched with the first of those it may take, reserved with the
reasons, and accepts. The centre is full, and for everybody taken somebody new joins, whose cost is printed apart. All
is CPU time of the one thread, which others on the machine disturb least: assignments by whole blocks, steps one by one
with the pauses of the garbage collector in them. Collection is set up as the engine does it.
"""

import gc
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import log
from typing import Final

from santral.bench.acd.crowd import Crowd, Size, crowd
from santral.bench.measure.result import Result, Row, Setting, median, quantile
from santral.engine.daemon import COLLECT_AFTER
from santral.routing.acd.events import Created, Event
from santral.routing.acd.settings import Strategy
from santral.routing.acd.statistics import Statistics

SIZES: Final = (Size(100, 1_000, 2), Size(1_000, 10_000, 20), Size(10_000, 100_000, 200))
SMALL: Final = (Size(20, 100, 2, 10), Size(40, 200, 4, 10))
BLOCK: Final = 500
BLOCKS: Final = 60
TURNED_OVER: Final = 0.6  # of those who wait; then a new centre: of a small one only whom nobody may take would be left
LIMIT_PER_S: Final = 50_000
LIMIT_STEP_MS: Final = 5.0


@dataclass(slots=True)
class Run:
    """What one size did."""

    size: Size
    strategy: Strategy
    assignments: list[float] = field(default_factory=list)  # CPU microseconds of one, by block
    joins: list[float] = field(default_factory=list)
    folds: list[float] = field(default_factory=list)  # of the events of one assignment
    steps: list[float] = field(default_factory=list)  # milliseconds, every call into the distributor
    pauses: list[float] = field(default_factory=list)  # milliseconds, of the collector

    @property
    def cost(self) -> float:
        return median(self.assignments)

    @property
    def per_second(self) -> float:
        return 1e6 / self.cost


def run(setting: Setting) -> Result:
    sizes, blocks = (SMALL, 2) if setting.quick else (SIZES, BLOCKS)
    runs = [measure(size, Strategy.LONGEST_IDLE, blocks) for size in sizes]
    scored = measure(sizes[-1], Strategy.SKILL_SCORE, blocks)
    largest, judged = runs[-1], not setting.quick
    result = Result("acd", data={"collect_after": list(COLLECT_AFTER)})
    for one in (*runs, scored):
        result.rows.append(
            Row(
                f"{one.strategy}: {one.size}",
                f"{one.per_second:,.0f}/s ({one.cost:.1f} us, best block {min(one.assignments):.1f})",
                f"a join {median(one.joins):.1f} us, its events counted {median(one.folds):.1f} us",
                f"{LIMIT_PER_S:,}/s" if one is largest else "",
                one.per_second >= LIMIT_PER_S if judged and one is largest else None,
            )
        )
    longest = max(max(one.steps) for one in (*runs, scored))
    result.rows += [
        Row(
            "longest step of all",
            f"{longest:.2f} ms",
            f"p99.9 {quantile(largest.steps, 0.999) * 1000:.0f} us of {len(largest.steps):,}",
            f"{LIMIT_STEP_MS:.0f} ms",
            longest <= LIMIT_STEP_MS if judged else None,
        ),
        Row(
            "pauses of the collector in it",
            f"{max(largest.pauses, default=0.0):.2f} ms at most, {len(largest.pauses)} of them",
            f"frozen before anybody joins, then thresholds {COLLECT_AFTER}",
        ),
        growth(runs, judged),
    ]  # fmt: skip
    result.data["cost_us"] = {str(one.size): one.cost for one in runs}
    return result


def growth(runs: list[Run], judged: bool) -> Row:
    """What a decision costs at every size, and the largest beside the smallest: at most as their logarithms."""
    ratio = runs[-1].cost / runs[0].cost
    fewest, most = runs[0].size.waiting, runs[-1].size.waiting
    limit = log(most) / log(fewest)
    return Row(
        f"cost per decision, {fewest:,} to {most:,} waiting", f"x {ratio:.2f}",
        ", ".join(f"{one.size.waiting:,}: {one.cost:.1f} us" for one in runs),
        f"x {limit:.2f} (ln {most:,} / ln {fewest:,})",
        ratio <= limit if judged else None,
    )  # fmt: skip


@contextmanager
def pauses_into(found: list[float]) -> Iterator[None]:
    """The engine's policy of collection, and how long each collection stops everything."""
    began = 0

    def note(phase: str, _: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.thread_time_ns()
        else:
            found.append((time.thread_time_ns() - began) / 1e6)

    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    gc.callbacks.append(note)
    try:
        yield
    finally:
        gc.callbacks.remove(note)
        gc.set_threshold(*before)
        gc.unfreeze()


def measure(size: Size, strategy: Strategy, blocks: int) -> Run:
    """Fill call centres, and turn each over in blocks: half of the turns for the cost, half for single steps."""
    found = Run(size, strategy)
    of_one = max(1, int(TURNED_OVER * size.waiting / (2 * min(BLOCK, size.agents))))
    for seed, first in enumerate(range(0, blocks, of_one), start=1):
        centre = crowd(size, strategy, seed)
        statistics = Statistics(centre.settings)
        with pauses_into(found.pauses):
            fill(centre, found)
            for _ in range(first, min(blocks, first + of_one)):
                one_block(centre, found, statistics)
    return found


def fill(centre: Crowd, found: Run) -> None:
    centre.fill(lambda work: timed(found, lambda: centre.d.join(work, centre.now)))


def one_block(centre: Crowd, found: Run, statistics: Statistics) -> None:
    """Assignments, joins, single steps, and the count of what happened."""
    block = min(BLOCK, len(centre.talking))
    before = len(centre.talking)
    found.assignments.append(cpu_us(lambda: turn_over(centre, block)) / (block - before + len(centre.talking)))
    works = [centre.next_work() for _ in range(block)]
    told: list[list[Event]] = []
    found.joins.append(cpu_us(lambda: told.extend([centre.d.join(work, centre.now) for work in works])) / block)
    for events in told:
        centre.take_all(events)
    settle(centre, found)
    lines = single_steps(centre, found, block)
    found.folds.append(cpu_us(lambda: deque(map(statistics.add, lines), 0)) / block)


def cpu_us(task: Callable[[], object]) -> float:
    began = time.thread_time_ns()
    task()
    return (time.thread_time_ns() - began) / 1000


def timed(found: Run, task: Callable[[], list[Event]]) -> list[Event]:
    """One step."""
    began = time.thread_time_ns()
    events = task()
    found.steps.append((time.thread_time_ns() - began) / 1e6)
    return events


def turn_over(centre: Crowd, assignments: int) -> None:
    """So many agents are done, get somebody else, and accept."""
    d, talking, draw = centre.d, centre.talking, centre.chance.random
    now = centre.now
    for _ in range(assignments):
        index = int(draw() * len(talking))
        for event in d.finished(talking[index], now):
            if type(event) is Created:
                talking[index] = event.reservation
                d.accept(event.reservation, now)
                d.connected(event.reservation, now)
                break
        else:
            talking[index] = talking[-1]
            talking.pop()


def single_steps(centre: Crowd, found: Run, assignments: int) -> list[Event]:
    """The same, with a join for each, every step by itself. Returns what happened."""
    lines: list[Event] = []
    for _ in range(assignments):
        index = centre.chance.randrange(len(centre.talking))
        events = timed(found, lambda: centre.d.finished(centre.talking[index], centre.now))  # noqa: B023
        lines += events
        made = next((event for event in events if isinstance(event, Created)), None)
        if made is None:
            centre.talking.pop(index)
        else:
            centre.talking[index] = made.reservation
            lines += timed(found, lambda: centre.d.accept(made.reservation, centre.now))  # noqa: B023
            lines += timed(found, lambda: centre.d.connected(made.reservation, centre.now))  # noqa: B023
        work = centre.next_work()
        events = timed(found, lambda: centre.d.join(work, centre.now))  # noqa: B023
        lines += events
        centre.take_all(events)
        settle(centre, found)
    return lines


def settle(centre: Crowd, found: Run) -> None:
    """Whatever is due: demands that relax."""
    while (due := centre.d.next_deadline()) is not None and due <= centre.now:
        centre.take_all(timed(found, lambda: centre.d.tick(centre.now)))
