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
            self._span(self._agents.setdefault(agent, {}), agent, state, since, now)
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
        for queues in self._queues.values():
            for index in [index for index in queues if index < last]:
                del queues[index]
        for agents in self._agents.values():
            for index in [index for index in agents if index < last]:
                del agents[index]

    # ---- figures of an earlier run ----

    def put_queue(self, name: str, kind: str, begins: float, figures: QueueFigures) -> None:
        """What was counted of an interval before this log begins."""
        self._queue(name, kind, begins + self.interval / 2).merge(figures)

    def put_agent(self, name: str, begins: float, figures: AgentFigures, until: float) -> None:
        """The same, with the time in states counted until then."""
        self._agent(name, begins + self.interval / 2).merge(figures)
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
        """All queues and all agents of a tenant."""
        queues, agents = QueueFigures(), AgentFigures()
        for (queue, _), series in self._queues.items():
            if self._tenants.get(queue) == name:
                self._sum(queues, series, since, until)
        for agent in self._agents.keys() | set(self._present()):
            if self._tenants.get(f"@{agent}") == name:
                self._sum(agents, self._live(agent, now, since), since, until)
        return queues, agents

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
        self._span(found, agent, state, begins, now)
        return found

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
        begins = at - event.for_s
        if agent in self._now:
            begins = max(begins, self._now[agent][1])
        elif agent in self._schedules and self._began is not None and begins > self._began:
            self._span(self._agents.setdefault(agent, {}), agent, OFFLINE, self._began, begins)
        self._now[agent] = (event.state, at)
        first, last = int(begins // self.interval), int(at // self.interval)
        if first == last and agent not in self._schedules:
            states = self._agent(agent, at).states
            states[event.before] = states.get(event.before, 0.0) + max(0.0, at - begins)
        else:
            self._span(self._agents.setdefault(agent, {}), agent, event.before, begins, at)

    def _span(self, series: dict[int, AgentFigures], agent: str, state: str, begins: float, ends: float) -> None:
        """Time in a state, shared out among intervals, and compared with the schedule."""
        schedule = self._schedules.get(agent)
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
            for shift in schedule.shifts(at, until) if schedule is not None else ():
                inside = min(until, shift.ends) - max(at, shift.begins)
                if inside > 0:
                    figures.scheduled += inside
                    figures.adhered += inside if shift.fits(state) else 0.0
            at = until
