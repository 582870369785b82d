"""Statistics of queues and agents: counted live from the events, kept per interval in the database.

Intervals begin at whole quarters of an hour UTC; the fold is that of `routing/acd/statistics/`, also when a log of
events is read again.
"""

import asyncio
from typing import TYPE_CHECKING, Any, Final

from santral.engine import utc
from santral.engine.cdr import queues as rows
from santral.routing.acd.events import Event
from santral.routing.acd.settings import Settings
from santral.routing.acd.statistics import Statistics

if TYPE_CHECKING:
    from santral.engine.cdr.store import CdrStore

INTERVAL_S: Final = 900.0
SAVE_EVERY_S: Final = 60.0
KEPT_S: Final = 48 * 3600.0  # in memory
MOMENTS: Final = ("at", "joined", "started", "expires")
QUEUE: Final = "queue"
AGENT: Final = "agent"


def in_utc(event: Event, offset_s: float) -> Event:
    """The event with its moments in UTC seconds; `offset_s` is UTC where the loop's clock is 0."""
    found: Event = event._replace(
        **{name: value + offset_s for name in MOMENTS if (value := getattr(event, name, None)) is not None}
    )
    return found


class Counting:
    """Figures of all queues and agents of the node."""

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: Settings) -> None:
        self._loop = loop
        self._statistics = Statistics(settings, INTERVAL_S)
        self._offset_s = utc.now_ms() / 1000 - loop.time()
        self._settings = settings
        self._cdrs: CdrStore | None = None
        self._node = ""
        self._written: dict[tuple[str, str, str, int], dict[str, Any]] = {}  # intervals as the database has them
        self._timer: asyncio.TimerHandle | None = None

    def start(self, cdrs: "CdrStore", node: str) -> None:
        self._cdrs, self._node = cdrs, node
        self._timer = self._loop.call_later(SAVE_EVERY_S, self._save_again)

    def configure(self, settings: Settings) -> None:
        self._settings = settings
        self._statistics.configure(settings)

    def close(self) -> None:
        """What is counted by now goes to the database."""
        if self._timer is not None:
            self._timer.cancel()
            self.save()

    def add(self, event: Event) -> None:
        self._statistics.add(in_utc(event, self._offset_s))

    @property
    def now_s(self) -> float:
        """UTC seconds, by the loop's clock."""
        return self._loop.time() + self._offset_s

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

    async def intervals(self, kind: str, name: str, since: float, until: float) -> list[dict[str, Any]]:
        """One after the other, those in the database and those in memory. `StoreError` when it does not answer."""
        found: dict[int, dict[str, Any]] = {}
        if (cdrs := self._cdrs) is not None:
            edges = round(1000 * since), round(1000 * until)
            kept = await cdrs.ask(lambda engine: rows.intervals(engine, kind, name, *edges))
            found = {row.started: dict(row.figures) for row in kept}
        for begins, figures in self._live(kind, name):
            if since <= begins < until:
                found[round(1000 * begins)] = figures
        return [
            {"started": utc.text_of(begins), "seconds": round(INTERVAL_S), **found[begins]} for begins in sorted(found)
        ]

    def _live(self, kind: str, name: str) -> list[tuple[float, dict[str, Any]]]:
        if kind == QUEUE:
            return [(begins, figures.as_map()) for begins, figures in self._statistics.queue_intervals(name)]
        return [(begins, figures.as_map()) for begins, figures in self._statistics.agent_intervals(name, self.now_s)]

    # ---- the database ----

    def _save_again(self) -> None:
        self._timer = self._loop.call_later(SAVE_EVERY_S, self._save_again)
        self.save()

    def save(self) -> None:
        """Write the intervals that have changed since, and forget the oldest. A long wait counts where it began."""
        if self._cdrs is None:
            return
        now = self.now_s
        for kind, things in ((QUEUE, self._settings.queues), (AGENT, self._settings.agents)):
            for thing in things:
                key = self._node, kind, thing.name
                for begins, figures in self._live(kind, thing.name):
                    moment = round(1000 * begins)
                    if self._written.get((*key, moment)) != figures:
                        self._written[*key, moment] = figures
                        self._cdrs.keep(rows.QueueInterval(*key, moment, thing.tenant, round(INTERVAL_S), figures))
        self._statistics.forget(now - KEPT_S)
        self._written = {key: one for key, one in self._written.items() if key[3] / 1000 >= now - KEPT_S}
