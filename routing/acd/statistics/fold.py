"""The fold: every figure from the events alone, whether they come one by one or out of a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from santral.routing.acd import events as log
from santral.routing.acd.settings import ServiceLevel, Settings
from santral.routing.acd.statistics.figures import AgentFigures, QueueFigures
from santral.routing.acd.statistics.schedules import Schedule

INTERVAL: Final = 900.0
OFFLINE: Final = "offline"

T = TypeVar("T", QueueFigures, AgentFigures)


class Statistics:
    """Figures per queue and kind, and per agent, each by interval; sums of them when asked for.

    `schedules` are those of agents who have one; `began` is when the log begins: agents of whom it says nothing were
    not there since then.
    """

    def __init__(
        self,
        settings: Settings,
        interval: float = INTERVAL,
        schedules: Mapping[str, Schedule] | None = None,
        began: float | None = None,
    ) -> None:
        self.interval = interval
        self._levels = {queue.name: queue.service_level for queue in settings.queues}
        self._schedules = {} if schedules is None else dict(schedules)
        self._began = began
        self._queues: dict[tuple[str, str], dict[int, QueueFigures]] = {}
        self._agents: dict[str, dict[int, AgentFigures]] = {}
        self._sums: dict[str, tuple[dict[int, QueueFigures], dict[int, AgentFigures]]] = {}  # of tenants
        self._tenants: dict[str, str] = {}  # of queues, and of agents with a mark before the name
        self._note_tenants(settings)
        self._now: dict[str, tuple[str, float]] = {}  # agent -> state, since when it is not counted yet
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

    def configure(
        self, settings: Settings, schedules: Mapping[str, Schedule] | None = None, now: float | None = None
    ) -> None:
        """Other service levels and schedules from now on."""
        self._levels = {queue.name: queue.service_level for queue in settings.queues}
        self._note_tenants(settings)
        if now is not None:
            self._settle(now)
        self._schedules = {} if schedules is None else dict(schedules)

    def _note_tenants(self, settings: Settings) -> None:
        self._tenants.update({queue.name: queue.tenant for queue in settings.queues})
        self._tenants.update({f"@{agent.name}": agent.tenant for agent in settings.agents})

    def go_on(self, now: float) -> None:
        """The log begins, or goes on: of whom it says nothing from now on was not there."""
        if self._began is None:
            self._began = now

    def leave_off(self, now: float) -> None:
        """Somebody else counts from now on: the time in the present states ends here."""
        self._settle(now)
        self._now.clear()
        self._began = None

    def _settle(self, now: float) -> None:
        """Count the present states until now; what they last yet is counted when they end."""
        for agent in self._present():
            state, since = self._state_of(agent)
            self._span(self._series(agent), agent, state, since, now)
            self._now[agent] = (state, max(since, now))

    def settle(self, agent: str, now: float) -> None:
        """Count an agent's present state until now, so that looking at it later costs little."""
        if agent in self._now:
            state, since = self._now[agent]
            self._span(self._series(agent), agent, state, since, now)
            self._now[agent] = (state, max(since, now))

    def present(self) -> list[str]:
        """Agents who are logged in, or should be."""
        return [agent for agent in self._present() if self._state_of(agent)[0] != OFFLINE or agent in self._schedules]

    def _present(self) -> list[str]:
        absent = self._schedules.keys() - self._now.keys() if self._began is not None else set()
        return [*self._now, *sorted(absent)]

    def _state_of(self, agent: str) -> tuple[str, float]:
        """An agent's state and since when it is not counted; of whom nothing is known was not there."""
        return self._now.get(agent) or (OFFLINE, self._began or 0.0)

    def forget(self, before: float) -> None:
        """Drop the intervals that end before this moment."""
        last = int(before // self.interval)
        begins = last * self.interval
        for agent in self._present():
            state, since = self._state_of(agent)
            self._now[agent] = (state, max(since, begins))
        sums = [series for both in self._sums.values() for series in both]
        all_of_them: list[dict[int, Any]] = [*self._queues.values(), *self._agents.values(), *sums]
        for series in all_of_them:
            for index in [index for index in series if index < last]:
                del series[index]

    # ---- figures of an earlier run ----

    def put_queue(self, name: str, kind: str, begins: float, figures: QueueFigures) -> None:
        """What was counted of an interval before this log begins."""
        for each in self._queue(name, kind, begins + self.interval / 2):
            each.merge(figures)

    def put_agent(self, name: str, begins: float, figures: AgentFigures, until: float) -> None:
        """The same, with the time in states counted until then."""
        own, tenants = self._agent(name, begins + self.interval / 2)
        own.merge(figures)
        tenants.merge(figures)
        tenants.states.pop(OFFLINE, None)
        state, since = self._now.get(name, (OFFLINE, until))
        self._now[name] = (state, max(since, until))

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
        self._sum(found, self._live(name, now, since), since, until)
        return found

    def tenant(
        self, name: str, now: float | None = None, since: float | None = None, until: float | None = None
    ) -> tuple[QueueFigures, AgentFigures]:
        """All queues and all agents of a tenant, but for the time in which agents are not there."""
        queues, agents = QueueFigures(), AgentFigures()
        for begins, ours, theirs in self.tenant_intervals(name, now, since):
            if (since is None or begins >= since) and (until is None or begins < until):
                queues.merge(ours)
                agents.merge(theirs)
        return queues, agents

    def tenant_intervals(
        self, name: str, now: float | None = None, since: float | None = None
    ) -> Iterator[tuple[float, QueueFigures, AgentFigures]]:
        """When each interval begins (of those that end behind `since`), and its figures, in order."""
        first = None if since is None else int(since // self.interval)
        queues, agents = self._sums.get(name, ({}, {}))
        found: dict[int, AgentFigures] = {}
        if now is not None:
            for agent in self.present():
                if self._tenants.get(f"@{agent}") == name:
                    state, begins = self._state_of(agent)
                    begins = begins if first is None else max(begins, first * self.interval)
                    self._span((found,), agent, state, begins, now)
        for figures in found.values():
            figures.states.pop(OFFLINE, None)
        for index in sorted(queues.keys() | agents.keys() | found.keys()):
            if first is None or index >= first:
                figures = found.get(index, AgentFigures())
                figures.merge(agents.get(index, AgentFigures()))
                yield index * self.interval, queues.get(index, QueueFigures()), figures

    def kinds(self, name: str) -> list[str]:
        """What has waited in a queue."""
        return sorted(kind for queue, kind in self._queues if queue == name)

    def queue_intervals(self, name: str, kind: str | None = None) -> Iterator[tuple[float, QueueFigures]]:
        """When each interval begins, and its figures, in order."""
        found: dict[int, QueueFigures] = {}
        for (queue, each), series in self._queues.items():
            if queue == name and kind in (None, each):
                for index, figures in series.items():
                    found.setdefault(index, QueueFigures()).merge(figures)
        for index in sorted(found):
            yield index * self.interval, found[index]

    def agent_intervals(
        self, name: str, now: float | None = None, since: float | None = None
    ) -> Iterator[tuple[float, AgentFigures]]:
        """When each interval begins (of those that end behind `since`), and its figures, in order."""
        series = self._live(name, now, since)
        for index in sorted(series):
            yield index * self.interval, series[index]

    def _sum(self, found: T, series: Mapping[int, T], since: float | None, until: float | None) -> None:
        for index, figures in series.items():
            begins = index * self.interval
            if (since is None or begins >= since) and (until is None or begins < until):
                found.merge(figures)

    def _live(self, agent: str, now: float | None, since: float | None) -> dict[int, AgentFigures]:
        """An agent's intervals, with the present state as if it ended now."""
        first = None if since is None else int(since // self.interval)
        found = {
            index: figures for index, figures in self._agents.get(agent, {}).items() if first is None or index >= first
        }
        if now is None or (agent not in self._now and (agent not in self._schedules or self._began is None)):
            return found
        state, begins = self._state_of(agent)
        begins = begins if first is None else max(begins, first * self.interval)
        for index in range(int(begins // self.interval), int(now // self.interval) + 1):
            if index in found:
                copy = AgentFigures()
                copy.merge(found[index])
                found[index] = copy
        self._span((found,), agent, state, begins, now)
        return found

    # ---- folding ----

    def _queue(self, queue: str, kind: str, at: float) -> tuple[QueueFigures, QueueFigures]:
        """What an event counts in: the queue's figures, and its tenant's."""
        series = self._queues.get((queue, kind))
        if series is None:
            series = self._queues[queue, kind] = {}
        index = int(at // self.interval)
        return _at(series, index, QueueFigures), _at(self._sum_of(queue)[0], index, QueueFigures)

    def _agent(self, agent: str, at: float) -> tuple[AgentFigures, AgentFigures]:
        own, tenants = self._series(agent)
        index = int(at // self.interval)
        return _at(own, index, AgentFigures), _at(tenants, index, AgentFigures)

    def _series(self, agent: str) -> tuple[dict[int, AgentFigures], dict[int, AgentFigures]]:
        own = self._agents.get(agent)
        if own is None:
            own = self._agents[agent] = {}
        return own, self._sum_of(f"@{agent}")[1]

    def _sum_of(self, name: str) -> tuple[dict[int, QueueFigures], dict[int, AgentFigures]]:
        """The series of the tenant of a queue, or of an agent with a mark before its name."""
        tenant = self._tenants.get(name, "")
        found = self._sums.get(tenant)
        if found is None:
            found = self._sums[tenant] = ({}, {})
        return found

    def _joined(self, event: log.Joined) -> None:
        self._tenants[event.queue] = event.tenant
        for figures in self._queue(event.queue, event.kind, event.at):
            figures.offered += 1

    def _turned_away(self, event: log.TurnedAway) -> None:
        for figures in self._queue(event.queue, event.kind, event.at):
            figures.turned_away += 1

    def _overflowed(self, event: log.Overflowed) -> None:
        for figures in self._queue(event.queue, event.kind, event.joined):
            figures.overflowed += 1

    def _left(self, event: log.Left) -> None:
        level = self._levels.get(event.queue) or ServiceLevel()
        for figures in self._queue(event.queue, event.kind, event.joined):
            leave(figures, event, level)

    def _created(self, event: log.Created) -> None:
        for figures in (*self._queue(event.queue, event.kind, event.at), *self._agent(event.agent, event.at)):
            figures.offers += 1

    def _accepted(self, event: log.Accepted) -> None:
        for figures in self._agent(event.agent, event.at):
            figures.accepted += 1

    def _refused(self, event: log.Refused) -> None:
        for queues in self._queue(event.queue, event.kind, event.at):
            queues.offers_refused += 1
        for agents in self._agent(event.agent, event.at):
            agents.refused += 1

    def _timed_out(self, event: log.TimedOut) -> None:
        for queues in self._queue(event.queue, event.kind, event.at):
            queues.offers_timed_out += 1
        for agents in self._agent(event.agent, event.at):
            agents.timed_out += 1

    def _rescinded(self, event: log.Rescinded) -> None:
        for queues in self._queue(event.queue, event.kind, event.at):
            queues.offers_rescinded += 1
        for agents in self._agent(event.agent, event.at):
            agents.rescinded += 1

    def _wrapping(self, event: log.Wrapping) -> None:
        for figures in (*self._queue(event.queue, event.kind, event.at), *self._agent(event.agent, event.at)):
            figures.handled += 1
            figures.talk += event.talk
            figures.hold += event.hold

    def _completed(self, event: log.Completed) -> None:
        for queues in self._queue(event.queue, event.kind, event.at):
            queues.wrapped += 1
            queues.wrap += event.wrap
        for agents in self._agent(event.agent, event.at):
            agents.wrap += event.wrap

    def _changed(self, event: log.AgentChanged) -> None:
        agent, at = event.agent, event.at
        self._tenants[f"@{agent}"] = event.tenant
        begins = at - event.for_s
        series = self._series(agent)
        if agent in self._now:
            begins = max(begins, self._now[agent][1])
        elif agent in self._schedules and self._began is not None and begins > self._began:
            self._span(series, agent, OFFLINE, self._began, begins)
        self._now[agent] = (event.state, at)
        self._span(series, agent, event.before, begins, at)

    def _span(
        self, into: tuple[dict[int, AgentFigures], ...], agent: str, state: str, begins: float, ends: float
    ) -> None:
        """Time in a state, shared out among intervals, and compared with the schedule. A tenant's is the second."""
        schedule = self._schedules.get(agent)
        at = begins
        while at < ends:
            index = int(at // self.interval)
            until = min(ends, (index + 1) * self.interval)
            if until <= at:  # the interval's end, missed by rounding
                index, until = index + 1, min(ends, (index + 2) * self.interval)
            scheduled, adhered = (0.0, 0.0) if schedule is None else schedule.kept(at, until, state)
            for n, series in enumerate(into):
                figures = _at(series, index, AgentFigures)
                figures.scheduled += scheduled
                figures.adhered += adhered
                if n == 0 or state != OFFLINE:
                    figures.states[state] = figures.states.get(state, 0.0) + until - at
            at = until


def _at(series: dict[int, T], index: int, kind: type[T]) -> T:
    found = series.get(index)
    if found is None:
        found = series[index] = kind()
    return found


def leave(figures: QueueFigures, event: log.Left, level: ServiceLevel) -> None:
    """Somebody is out of the queue: in which way."""
    waited = event.waited
    match event.reason:
        case "answered":
            figures.answered += 1
            figures.answered_within += waited <= level.within
            figures.wait_answered += waited
            figures.longest_wait = max(figures.longest_wait, waited)
            figures.waits.add(waited)
        case "abandoned":
            figures.abandoned += 1
            figures.abandoned_short += waited < level.short_abandon
            figures.abandoned_connecting += event.is_connecting
            figures.wait_abandoned += waited
        case "key":
            figures.left_by_key += 1
        case "request":
            figures.left_by_request += 1
        case "callback":
            figures.called_back += 1
        case "closed":
            figures.closed += 1
        case "lost":
            figures.lost += 1
        case _:
            figures.unreached += 1
