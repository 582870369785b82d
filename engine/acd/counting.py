"""Statistics of queues and agents: counted live from the events, kept per interval in the database.

Intervals begin at whole quarters of an hour UTC; the fold is that of `routing/acd/statistics/`, also when a log of
events is read again.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from santral.engine import utc
from santral.engine.acd.settings import Acd
from santral.engine.cdr import queues as rows
from santral.routing.acd.distributor import Distributor
from santral.routing.acd.events import AgentChanged, Event
from santral.routing.acd.settings import Settings
from santral.routing.acd.statistics import AgentFigures, QueueFigures, Statistics

if TYPE_CHECKING:
    from santral.engine.cdr.store import CdrStore

INTERVAL_S: Final = 900.0
SAVE_EVERY_S: Final = 60.0
SAVE_SOON_S: Final = 0.05
SAVED_AT_ONCE: Final = 50  # queues and agents
LONGEST_WAIT_S: Final = 4 * 3600.0  # after which an interval changes no more
KEPT_S: Final = 48 * 3600.0  # in memory
MOMENTS: Final = ("at", "joined", "started", "expires")
QUEUE: Final = "queue"
AGENT: Final = "agent"
TENANT: Final = "tenant"
KEPT: Final = "kept"  # of the figures in the database: what the next run needs to go on with them
UNTIL: Final = "until"  # of an agent's: so far its time in states is counted


def in_utc(event: Event, offset_s: float) -> Event:
    """The event with its moments in UTC seconds; `offset_s` is UTC where the loop's clock is 0."""
    found: Event = event._replace(
        **{name: value + offset_s for name in MOMENTS if (value := getattr(event, name, None)) is not None}
    )
    return found


class Counting:
    """Figures of all queues and agents of the node."""

    def __init__(self, loop: asyncio.AbstractEventLoop, acd: Acd) -> None:
        self._loop = loop
        self.offset_s: Final = utc.now_ms() / 1000 - loop.time()  # UTC where the loop's clock is 0
        self._began_s: Final = self.now_s
        self._statistics = Statistics(acd.settings, INTERVAL_S, acd.schedules)
        self._tenants = _tenants(acd.settings)
        self._seconds: dict[float, int] = {}  # of intervals in which counting began
        self._cdrs: CdrStore | None = None
        self._node = ""
        self._touched: set[tuple[str, str, str]] = set()  # queues and agents, since they were saved
        self._due: list[tuple[str, str, str]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._saved_s = self.now_s

    async def start(self, cdrs: "CdrStore", node: str) -> None:
        """Go on with what an earlier run has counted of late. Before the first event. `StoreError`."""
        self._cdrs, self._node = cdrs, node
        since = round(1000 * (self._began_s - LONGEST_WAIT_S))
        for row in await cdrs.ask(lambda engine: rows.recent(engine, node, since)):
            if (row.kind, row.name) in self._tenants:
                self._take_up(row)
        begins = self._began_s // INTERVAL_S * INTERVAL_S
        self._seconds.setdefault(begins, round(begins + INTERVAL_S - self._began_s))
        self._timer = self._loop.call_later(SAVE_EVERY_S, self._save_again)

    def _take_up(self, row: rows.QueueInterval) -> None:
        begins, kept = row.started / 1000, row.figures.get(KEPT, {})
        self._seconds[begins] = max(self._seconds.get(begins, 0), row.seconds)
        if row.kind == AGENT:
            until = float(kept.get(UNTIL, begins))
            self._statistics.put_agent(row.name, begins, AgentFigures.of_kept(row.figures), until)
        else:
            for kind, figures in kept.items():
                self._statistics.put_queue(row.name, kind, begins, QueueFigures.of_kept(figures))

    def configure(self, acd: Acd) -> None:
        self._tenants = _tenants(acd.settings)
        self._statistics.configure(acd.settings, acd.schedules, self.now_s)

    def close(self) -> None:
        """What is counted by now goes to the database."""
        if self._timer is not None:
            self._timer.cancel()
            self._save([*self._due, *self._touched])

    def add(self, event: Event) -> None:
        self._statistics.add(in_utc(event, self.offset_s))
        for kind, name in ((QUEUE, getattr(event, "queue", None)), (AGENT, getattr(event, "agent", None))):
            if name is not None:
                self._touch(kind, name)

    def _touch(self, kind: str, name: str) -> None:
        tenant = self._tenants.get((kind, name))
        if tenant is not None:
            self._touched |= {(kind, name, tenant), (TENANT, tenant, tenant)}

    def go_on(self) -> None:
        """From now on agents of whom nothing is heard are not there."""
        self._statistics.go_on(self.now_s)

    def find(self, distributor: Distributor) -> None:
        """Agents go on in the states they were found in."""
        now = self._loop.time()
        for name in distributor.agents():
            one = distributor.agent(name, now)
            self.add(AgentChanged(now, name, one.tenant, one.state, one.state, one.for_s, "", None, None))

    def leave_off(self) -> None:
        """Nobody's states are known any more."""
        self._statistics.leave_off(self.now_s)

    @property
    def now_s(self) -> float:
        """UTC seconds, by the loop's clock."""
        return self._loop.time() + self.offset_s

    # ---- reading ----

    def queue(self, name: str, kind: str | None, since: float | None, until: float | None) -> dict[str, Any]:
        """One queue's figures over the intervals in memory that began in this time (UTC seconds)."""
        return self._statistics.queue(name, kind, since, until).as_map()

    def agent(self, name: str, since: float | None, until: float | None) -> dict[str, Any]:
        return self._statistics.agent(name, self.now_s, since, until).as_map()

    def tenant(self, name: str, since: float | None, until: float | None) -> tuple[dict[str, Any], dict[str, Any]]:
        """All queues and all agents of a tenant."""
        queues, agents = self._statistics.tenant(name, self.now_s, since, until)
        return queues.as_map(), agents.as_map()

    async def intervals(
        self, kind: str, name: str, since: float, until: float, of: str | None = None
    ) -> list[dict[str, Any]]:
        """One after the other, those in the database and those in memory; of a queue only work of one kind, `of`.

        `StoreError` when the database does not answer.
        """
        found: dict[int, dict[str, Any]] = {}
        if (cdrs := self._cdrs) is not None:
            edges = round(1000 * since), round(1000 * until)
            kept = await cdrs.ask(lambda engine: rows.intervals(engine, kind, name, *edges))
            found = {row.started: {"seconds": row.seconds, **_shown(row.figures, of)} for row in kept}
        for begins, figures in self._live(kind, name, since, self.now_s, of):
            if since <= begins < until:
                found[round(1000 * begins)] = {"seconds": self._length(begins), **figures}
        return [{"started": utc.text_of(moment), **found[moment]} for moment in sorted(found)]

    def _length(self, begins: float) -> int:
        """Seconds of an interval in which was counted: of the first one a part."""
        return self._seconds.get(begins, round(INTERVAL_S))

    def _live(
        self, kind: str, name: str, since: float, now: float | None, of: str | None = None
    ) -> Iterator[tuple[float, dict[str, Any]]]:
        if kind == QUEUE:
            for begins, figures in self._statistics.queue_intervals(name, of):
                yield begins, figures.as_map()
        elif kind == AGENT:
            for begins, one in self._statistics.agent_intervals(name, now, since):
                yield begins, one.as_map()
        else:
            for begins, queues, agents in self._statistics.tenant_intervals(name, now, since):
                yield begins, {"queues": queues.as_map(), "agents": agents.as_map()}

    # ---- the database ----

    def _save_again(self) -> None:
        """What has been touched since, some at a time: nobody waits for it."""
        now = self.now_s
        if now // INTERVAL_S != self._saved_s // INTERVAL_S:  # states last, though nothing happens
            for agent in self._statistics.present():
                self._touch(AGENT, agent)
            self._saved_s = now
        if not self._due:
            self._due, self._touched = sorted(self._touched), set()
        some, self._due = self._due[:SAVED_AT_ONCE], self._due[SAVED_AT_ONCE:]
        self._save(some)
        self._timer = self._loop.call_later(SAVE_SOON_S if self._due else SAVE_EVERY_S, self._save_again)
        if not self._due:
            self._statistics.forget(now - KEPT_S)

    def _save(self, touched: Iterable[tuple[str, str, str]]) -> None:
        """A wait counts where it began, so that older intervals change, too."""
        if self._cdrs is None:
            return
        now = self.now_s
        oldest = now - LONGEST_WAIT_S
        for kind, name, tenant in touched:
            if kind == AGENT:
                self._statistics.settle(name, now)
            parts = self._parts(name) if kind == QUEUE else {}
            until = None if kind == TENANT else now  # the states of thousands of agents are in it once they are settled
            for begins, figures in self._live(kind, name, oldest, until):
                if begins < oldest:
                    continue
                kept = parts[begins] if kind == QUEUE else {UNTIL: min(now, begins + INTERVAL_S)}
                row = (self._node, kind, name, round(1000 * begins), tenant, self._length(begins))
                self._cdrs.keep(rows.QueueInterval(*row, {**figures, KEPT: kept}))

    def _parts(self, queue: str) -> dict[float, dict[str, Any]]:
        """A queue's figures by interval and kind, as they are taken up again."""
        found: dict[float, dict[str, Any]] = {}
        for kind in self._statistics.kinds(queue):
            for begins, figures in self._statistics.queue_intervals(queue, kind):
                found.setdefault(begins, {})[kind] = figures.as_kept()
        return found


def _shown(figures: Mapping[str, Any], of: str | None) -> dict[str, Any]:
    """A row's figures as clients see them; of one kind of work, if that is asked for."""
    if of is not None:
        return QueueFigures.of_kept(figures.get(KEPT, {}).get(of, {})).as_map()
    return {name: value for name, value in figures.items() if name != KEPT}


def _tenants(settings: Settings) -> Mapping[tuple[str, str | None], str]:
    """Whose each queue and agent is."""
    found: dict[tuple[str, str | None], str] = {(QUEUE, one.name): one.tenant for one in settings.queues}
    return found | {(AGENT, one.name): one.tenant for one in settings.agents}
