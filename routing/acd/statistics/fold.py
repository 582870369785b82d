"""The fold: every figure from the events alone, whether they come one by one or out of a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from santral.routing.acd import events as log
from santral.routing.acd.settings import ServiceLevel, Settings
from santral.routing.acd.statistics.figures import AgentFigures, QueueFigures, Shift

INTERVAL: Final = 900.0

T = TypeVar("T", QueueFigures, AgentFigures)


class Statistics:
    """Figures per queue and kind, and per agent, each by interval; sums of them when asked for."""

    def __init__(
        self,
        settings: Settings,
        interval: float = INTERVAL,
        schedules: Mapping[str, tuple[Shift, ...]] | None = None,
    ) -> None:
        self.interval = interval
        self._levels = {queue.name: queue.service_level for queue in settings.queues}
        self._schedules = {} if schedules is None else dict(schedules)
        self._queues: dict[tuple[str, str], dict[int, QueueFigures]] = {}
        self._agents: dict[str, dict[int, AgentFigures]] = {}
        self._tenants: dict[str, str] = {}  # of queues, and of agents with a mark before the name
        self._now: dict[str, tuple[str, float]] = {}  # agent -> state, since when
        self._acts: dict[type[log.Event], Callable[[Any], None]] = {
            log.Joined: self._joined,
            log.TurnedAway: self._turned_away,
            log.Left: self._left,
            log.Overflowed: self._overflowed,
            log.Created: self._created,
            log.Accepted: self._accepted,
            log.Refused: self._refused,
            log.TimedOut: self._timed_out,
            log.Rescinded: self._rescinded,
            log.Wrapping: self._wrapping,
            log.Completed: self._completed,
            log.AgentChanged: self._changed,
        }

    def add(self, event: log.Event) -> None:
        """One more event. They must come in the order in which they happened."""
        act = self._acts.get(type(event))
        if act is not None:
            act(event)

    def configure(self, settings: Settings) -> None:
        """Other service levels from now on."""
        self._levels = {queue.name: queue.service_level for queue in settings.queues}

    def leave_off(self, now: float) -> None:
        """Somebody else counts from now on: the time in the present states ends here."""
        for agent, (state, since) in self._now.items():
            self._span(self._agents.setdefault(agent, {}), agent, state, since, now)
        self._now.clear()

    def forget(self, before: float) -> None:
        """Drop the intervals that end before this moment."""
        last = int(before // self.interval)
        for queues in self._queues.values():
            for index in [index for index in queues if index < last]:
                del queues[index]
        for agents in self._agents.values():
            for index in [index for index in agents if index < last]:
                del agents[index]

    # ---- reading ----

    def queue(
        self, name: str, kind: str | None = None, since: float | None = None, until: float | None = None
    ) -> QueueFigures:
        """One queue, all kinds or one, over the intervals that begin in [since, until)."""
        found = QueueFigures()
        for (queue, each), series in self._queues.items():
            if queue == name and kind in (None, each):
                self._sum(found, series, since, until)
        return found

    def agent(
        self, name: str, now: float | None = None, since: float | None = None, until: float | None = None
    ) -> AgentFigures:
        """One agent; with `now` the time in the present state too."""
        found = AgentFigures()
        self._sum(found, self._live(name, now), since, until)
        return found

    def tenant(
        self, name: str, now: float | None = None, since: float | None = None, until: float | None = None
    ) -> tuple[QueueFigures, AgentFigures]:
        """All queues and all agents of a tenant."""
        queues, agents = QueueFigures(), AgentFigures()
        for (queue, _), series in self._queues.items():
            if self._tenants.get(queue) == name:
                self._sum(queues, series, since, until)
        for agent in self._agents.keys() | self._now.keys():
            if self._tenants.get(f"@{agent}") == name:
                self._sum(agents, self._live(agent, now), since, until)
        return queues, agents

    def queue_intervals(self, name: str, kind: str | None = None) -> Iterator[tuple[float, QueueFigures]]:
        """When each interval begins, and its figures, in order."""
        found: dict[int, QueueFigures] = {}
        for (queue, each), series in self._queues.items():
            if queue == name and kind in (None, each):
                for index, figures in series.items():
                    found.setdefault(index, QueueFigures()).merge(figures)
        for index in sorted(found):
            yield index * self.interval, found[index]

    def agent_intervals(self, name: str, now: float | None = None) -> Iterator[tuple[float, AgentFigures]]:
        """When each interval begins, and its figures, in order."""
        series = self._live(name, now)
        for index in sorted(series):
            yield index * self.interval, series[index]

    def _sum(self, found: T, series: Mapping[int, T], since: float | None, until: float | None) -> None:
        for index, figures in series.items():
            begins = index * self.interval
            if (since is None or begins >= since) and (until is None or begins < until):
                found.merge(figures)

    def _live(self, agent: str, now: float | None) -> dict[int, AgentFigures]:
        """An agent's intervals with the present state as if it ended now."""
        series = self._agents.get(agent, {})
        present = self._now.get(agent)
        if now is None or present is None:
            return series
        copy: dict[int, AgentFigures] = {}
        for index, figures in series.items():
            copy[index] = AgentFigures()
            copy[index].merge(figures)
        self._span(copy, agent, present[0], present[1], now)
        return copy

    # ---- folding ----

    def _queue(self, queue: str, kind: str, at: float) -> QueueFigures:
        series = self._queues.get((queue, kind))
        if series is None:
            series = self._queues[queue, kind] = {}
        index = int(at // self.interval)
        found = series.get(index)
        if found is None:
            found = series[index] = QueueFigures()
        return found

    def _agent(self, agent: str, at: float) -> AgentFigures:
        series = self._agents.get(agent)
        if series is None:
            series = self._agents[agent] = {}
        index = int(at // self.interval)
        found = series.get(index)
        if found is None:
            found = series[index] = AgentFigures()
        return found

    def _joined(self, event: log.Joined) -> None:
        self._tenants[event.queue] = event.tenant
        self._queue(event.queue, event.kind, event.at).offered += 1

    def _turned_away(self, event: log.TurnedAway) -> None:
        self._queue(event.queue, event.kind, event.at).turned_away += 1

    def _overflowed(self, event: log.Overflowed) -> None:
        self._queue(event.queue, event.kind, event.joined).overflowed += 1

    def _left(self, event: log.Left) -> None:
        figures = self._queue(event.queue, event.kind, event.joined)
        reason, waited = event.reason, event.waited
        if reason == "answered":
            level = self._levels.get(event.queue) or ServiceLevel()
            figures.answered += 1
            figures.answered_within += waited <= level.within
            figures.wait_answered += waited
            figures.longest_wait = max(figures.longest_wait, waited)
            figures.waits.add(waited)
        elif reason == "abandoned":
            level = self._levels.get(event.queue) or ServiceLevel()
            figures.abandoned += 1
            figures.abandoned_short += waited < level.short_abandon
            figures.abandoned_connecting += event.is_connecting
            figures.wait_abandoned += waited
        elif reason == "key":
            figures.left_by_key += 1
        elif reason == "request":
            figures.left_by_request += 1
        elif reason == "callback":
            figures.called_back += 1
        elif reason == "closed":
            figures.closed += 1
        elif reason == "lost":
            figures.lost += 1
        else:
            figures.unreached += 1

    def _created(self, event: log.Created) -> None:
        self._queue(event.queue, event.kind, event.at).offers += 1
        self._agent(event.agent, event.at).offers += 1

    def _accepted(self, event: log.Accepted) -> None:
        self._agent(event.agent, event.at).accepted += 1

    def _refused(self, event: log.Refused) -> None:
        self._queue(event.queue, event.kind, event.at).offers_refused += 1
        self._agent(event.agent, event.at).refused += 1

    def _timed_out(self, event: log.TimedOut) -> None:
        self._queue(event.queue, event.kind, event.at).offers_timed_out += 1
        self._agent(event.agent, event.at).timed_out += 1

    def _rescinded(self, event: log.Rescinded) -> None:
        self._queue(event.queue, event.kind, event.at).offers_rescinded += 1
        self._agent(event.agent, event.at).rescinded += 1

    def _wrapping(self, event: log.Wrapping) -> None:
        for figures in (self._queue(event.queue, event.kind, event.at), self._agent(event.agent, event.at)):
            figures.handled += 1
            figures.talk += event.talk
            figures.hold += event.hold

    def _completed(self, event: log.Completed) -> None:
        figures = self._queue(event.queue, event.kind, event.at)
        figures.wrapped += 1
        figures.wrap += event.wrap
        self._agent(event.agent, event.at).wrap += event.wrap

    def _changed(self, event: log.AgentChanged) -> None:
        agent, at = event.agent, event.at
        self._tenants[f"@{agent}"] = event.tenant
        self._now[agent] = (event.state, at)
        begins = at - event.for_s
        first, last = int(begins // self.interval), int(at // self.interval)
        if first == last and agent not in self._schedules:
            states = self._agent(agent, at).states
            states[event.before] = states.get(event.before, 0.0) + event.for_s
        else:
            series = self._agents.setdefault(agent, {})
            self._span(series, agent, event.before, begins, at)

    def _span(self, series: dict[int, AgentFigures], agent: str, state: str, begins: float, ends: float) -> None:
        """Time in a state, shared out among intervals, and compared with the schedule."""
        at = begins
        while at < ends:
            index = int(at // self.interval)
            until = min(ends, (index + 1) * self.interval)
            if until <= at:  # the interval's end, missed by rounding
                index, until = index + 1, min(ends, (index + 2) * self.interval)
            figures = series.get(index)
            if figures is None:
                figures = series[index] = AgentFigures()
            figures.states[state] = figures.states.get(state, 0.0) + until - at
            for shift in self._schedules.get(agent, ()):
                inside = min(until, shift.ends) - max(at, shift.begins)
                if inside > 0:
                    figures.scheduled += inside
                    figures.adhered += inside if shift.fits(state) else 0.0
            at = until
