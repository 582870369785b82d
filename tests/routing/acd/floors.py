"""A small call centre for tests: settings in one line, ids that count, and events by their names."""

import itertools
import random
from collections.abc import Iterable
from typing import Any

from santral.routing.acd.distributor import Distributor
from santral.routing.acd.events import Event, name_of
from santral.routing.acd.settings import AgentSettings, Membership, QueueSettings, Settings, Work


def queue(name: str = "q", **settings: Any) -> QueueSettings:
    return QueueSettings(name, "t", **settings)


def agent(name: str, *queues: str | Membership, **settings: Any) -> AgentSettings:
    seats = tuple(Membership(one) if isinstance(one, str) else one for one in queues or ("q",))
    return AgentSettings(name, "t", memberships=seats, **settings)


class Floor:
    """A distributor with its whole log."""

    def __init__(
        self, queues: Iterable[QueueSettings], agents: Iterable[AgentSettings], seed: int = 1, **more: Any
    ) -> None:
        numbers = itertools.count(1)
        self.settings = Settings(tuple(queues), tuple(agents), **more)
        self.new_id = lambda: f"r{next(numbers)}"
        self.draw = random.Random(seed).random
        self.d = Distributor(self.settings, new_id=self.new_id, draw=self.draw)
        self.log: list[Event] = []
        self.now = 0.0

    def at(self, now: float) -> "Floor":
        """Let time pass, with everything that is due on the way."""
        while (due := self.d.next_deadline()) is not None and due <= now:
            self.now = max(self.now, due)
            self.log += self.d.tick(self.now)
        self.now = now
        return self

    def do(self, method: str, *args: Any) -> list[Event]:
        """A fact, now."""
        found: list[Event] = getattr(self.d, method)(*args, self.now)
        self.log += found
        return found

    def join(self, work: str, queue: str = "q", **more: Any) -> list[Event]:
        return self.do("join", Work(work, queue, **more))

    def login(self, *agents: str) -> None:
        for each in agents:
            self.do("login", each)

    def offers(self) -> list[tuple[str, str]]:
        """Who was offered to whom, in order."""
        return [(e.work, e.agent) for e in self.log if name_of(e) == "reservation.created"]

    def reservation(self, work: str, agent: str | None = None) -> str:
        """The last reservation of somebody."""
        made = [e for e in self.log if name_of(e) == "reservation.created" and e.work == work]
        return next(e.reservation for e in reversed(made) if agent is None or e.agent == agent)

    def serve(self, work: str, talk: float = 10.0) -> None:
        """Accepted, talked to, and done, wrap-up apart."""
        one = self.reservation(work)
        self.do("accept", one)
        self.do("connected", one)
        self.at(self.now + talk)
        self.do("finished", one)


def names(events: Iterable[Event]) -> list[str]:
    return [name_of(event) for event in events]
