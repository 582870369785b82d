"""A call centre of any size, full: every agent talks, and as many people wait as asked for."""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from santral.routing.acd.distributor import Distributor
from santral.routing.acd.events import Created, Event
from santral.routing.acd.settings import (
    AgentSettings,
    Membership,
    Need,
    QueueSettings,
    Settings,
    Strategy,
    Wish,
    Work,
)

SEATS: Final = 4  # queues of one agent
SKILLS_OF_AN_AGENT: Final = 8
DEMANDS: Final = 6  # different sets of needs in one queue
FILLED_IN: Final = 100.0  # seconds in which everybody who waits arrives: as many demands have relaxed at every size


@dataclass(frozen=True, slots=True)
class Size:
    agents: int
    waiting: int
    queues: int
    skills: int = 50

    def __str__(self) -> str:
        return f"{self.agents:,} agents, {self.waiting:,} waiting, {self.queues} queues, {self.skills} skills"


@dataclass(slots=True)
class Crowd:
    """The distributor and what is needed to keep it busy."""

    size: Size
    chance: random.Random
    settings: Settings
    d: Distributor
    demands: dict[str, list[tuple[Need, ...]]]
    now: float = 0.0
    serial: int = 0
    talking: list[str] = field(default_factory=list)  # reservations

    def next_work(self) -> Work:
        """Somebody who has not joined yet."""
        self.serial += 1
        self.now += FILLED_IN / self.size.waiting
        queue = f"q{self.chance.randrange(self.size.queues)}"
        priority = self.chance.choice((0, 0, 0, 0, 1, 2))
        return Work(f"w{self.serial}", queue, priority=priority, needs=self.chance.choice(self.demands[queue]))

    def fill(self, act: Callable[[Work], list[Event]]) -> None:
        """Everybody in: first one for each agent, who is accepted, then those who wait."""
        for agent in self.d.agents():
            self.d.login(agent, self.now)
        for _ in range(20 * self.size.agents):
            if len(self.talking) == self.size.agents:
                break
            self.take_all(act(self.next_work()))
        while sum(self.d.queue(name, self.now).waiting for name in self.d.queues()) < self.size.waiting:
            for _ in range(min(1000, self.size.waiting)):
                act(self.next_work())

    def take_all(self, events: list[Event]) -> None:
        """Whoever is offered somebody in these events answers."""
        for event in events:
            if isinstance(event, Created):
                self.take(event.reservation)

    def take(self, reservation: str) -> None:
        """The agent answers and is connected."""
        self.d.accept(reservation, self.now)
        self.d.connected(reservation, self.now)
        self.talking.append(reservation)


def crowd(size: Size, strategy: Strategy, seed: int = 1) -> Crowd:
    """A call centre with nobody in it."""
    chance = random.Random(seed)
    numbers = itertools.count()
    skills = [f"s{n}" for n in range(size.skills)]
    queues, demands = [], {}
    for n in range(size.queues):
        wished = tuple(Wish(skill, chance.randint(1, 3)) for skill in chance.sample(skills, 3))
        queues.append(QueueSettings(f"q{n}", "t", strategy=strategy, wishes=wished))
        sets: list[tuple[Need, ...]] = [()]
        for _ in range(DEMANDS - 1):
            asked = chance.sample(skills, chance.randint(1, 2))
            sets.append(tuple(Need(skill, chance.randint(1, 5), chance.choice((None, 60.0))) for skill in asked))
        demands[f"q{n}"] = sets
    agents = []
    for n in range(size.agents):
        seats = chance.sample(range(size.queues), min(SEATS, size.queues))
        levels = {skill: chance.randint(1, 10) for skill in chance.sample(skills, SKILLS_OF_AN_AGENT)}
        agents.append(
            AgentSettings(f"a{n}", "t", levels, tuple(Membership(f"q{q}", chance.choice((0, 0, 1))) for q in seats))
        )
    settings = Settings(tuple(queues), tuple(agents))
    distributor = Distributor(settings, new_id=lambda: f"r{next(numbers)}", draw=chance.random)
    return Crowd(size, chance, settings, distributor, demands)
