"""The distributor on a fake clock, with callers and agents as theory has them, and what its statistics say."""

import itertools
import random
from dataclasses import dataclass
from heapq import heappop, heappush
from math import exp, inf, sqrt
from typing import Final

from santral.bench.acd.theory import Case, Expected, erlang_b, queue_law
from santral.routing.acd.distributor import Distributor
from santral.routing.acd.events import Created, Event, Joined, Left
from santral.routing.acd.settings import AgentSettings, Membership, QueueSettings, ServiceLevel, Settings, Work
from santral.routing.acd.statistics import QueueFigures, Statistics
from santral.routing.acd.tables import Leave

BATCHES: Final = 10
STUDENT_99: Final = 3.2498  # two-sided 99 % of Student's t with 9 degrees of freedom
RELAXATIONS: Final = 6.0  # a batch lasts so many relaxation times, so that batches know little of each other
WITHIN: Final = 20.0
SHORT: Final = 5.0
FEWEST_OBSERVATIONS: Final = 1_000.0  # calls that make up a figure: fewer say nothing
WAITS, SPEED = "waits at all", "speed of answer"
MISSED, ABANDONS = "service level missed", "abandons"
BEFORE: Final = -1e-3  # when those came who are there already


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure of the simulation with its 99 % interval, what theory says, and how many calls are to make it up."""

    name: str
    measured: float
    spread: float  # the interval is from measured / spread to measured * spread
    expected: float
    observations: float

    @property
    def is_inside(self) -> bool:
        return self.measured / self.spread <= self.expected <= self.measured * self.spread


def relaxation_calls(case: Case) -> float:
    """How many calls it takes to forget a state: 1 / (1 - sqrt occupancy)^2 near saturation, else a handling time."""
    handling = case.agents * case.occupancy
    if case.patience < inf:
        return handling * max(1.0, case.patience / case.handling)
    return max(handling, case.occupancy / (1.0 - sqrt(case.occupancy)) ** 2)


class Simulation:
    """One case and one seed, from a state drawn from the stationary law, so that nothing has to warm up."""

    def __init__(self, case: Case, calls: int, seed: int) -> None:
        self.case = case
        self.chance = random.Random(seed)
        self.ends = calls / case.arrivals
        numbers = itertools.count()
        queue = QueueSettings("q", "t", service_level=ServiceLevel(WITHIN, 0.8, SHORT))
        agents = tuple(AgentSettings(f"a{n}", "t", memberships=(Membership("q"),)) for n in range(case.agents))
        settings = Settings((queue,), agents)
        self.d = Distributor(settings, -1.0, new_id=lambda: f"r{next(numbers)}", draw=self.chance.random)
        self.statistics = Statistics(settings, self.ends / BATCHES)
        self.delayed = [0] * BATCHES
        self.agenda: list[tuple[float, int, bool, str]] = []  # when, a number, whether an agent is done, who
        self.serial = itertools.count()
        for agent in agents:
            self.d.login(agent.name, -1.0)

    def run(self) -> list[QueueFigures]:
        """The figures of each batch; `delayed` has beside them how many waited at all."""
        for _ in range(self.found_there()):
            self.arrive(BEFORE)
        rate, draw = self.case.arrivals, self.chance.expovariate
        arrival = draw(rate)
        while arrival < self.ends:
            while self.agenda and self.agenda[0][0] <= arrival:
                self.next_on_agenda()
            self.arrive(arrival)
            arrival += draw(rate)
        while self.agenda:
            self.next_on_agenda()
        batches = dict(self.statistics.queue_intervals("q"))
        length = self.ends / BATCHES
        return [figures for begins, figures in sorted(batches.items()) if -0.5 < begins / length < BATCHES - 0.5]

    def found_there(self) -> int:
        """How many callers are there at the start: drawn from the stationary law, which is that of an arrival."""
        case, spot = self.case, self.chance.random()
        waiting = queue_law(case)
        load = case.occupancy * case.agents
        shares, term = [], waiting[0]  # all agents busy and nobody waiting; then one agent idle, and so on
        for k in range(case.agents, 0, -1):
            term *= k / load
            shares.append(term)
        for count, share in itertools.chain(
            ((case.agents + k, share) for k, share in enumerate(waiting)),
            ((case.agents - 1 - k, share) for k, share in enumerate(shares)),
        ):
            spot -= share
            if spot <= 0:
                return count
        return case.agents

    def arrive(self, now: float) -> None:
        self.take_in(self.d.join(Work(f"w{next(self.serial)}", "q"), now), now)

    def next_on_agenda(self) -> None:
        at, _, is_agent, who = heappop(self.agenda)
        self.take_in(self.d.finished(who, at) if is_agent else self.d.leave(who, Leave.HUNG_UP, at), at)

    def take_in(self, events: list[Event], now: float) -> None:
        """Agents answer at once and talk for a while; callers lose patience one day."""
        case, draw, add = self.case, self.chance.expovariate, self.statistics.add
        for event in events:
            add(event)
            if isinstance(event, Created):
                one = event.reservation
                self.take_in(self.d.accept(one, now), now)
                self.take_in(self.d.connected(one, now), now)
                heappush(self.agenda, (now + draw(1.0 / case.handling), next(self.serial), True, one))
            elif isinstance(event, Joined) and case.patience < inf:
                heappush(self.agenda, (now + draw(1.0 / case.patience), next(self.serial), False, event.work))
            elif isinstance(event, Left) and event.waited > 0 <= event.joined:
                self.delayed[min(BATCHES - 1, int(event.joined // self.statistics.interval))] += 1


def compare(case: Case, calls: int, seed: int, expected: Expected) -> list[Estimate]:
    """Every figure with its interval, from one run."""
    simulation = Simulation(case, calls, seed)
    batches = simulation.run()
    offered = [float(one.offered) for one in batches]
    answered = [float(one.answered) for one in batches]
    counted = [float(one.offered - one.abandoned_short) for one in batches]
    missed = [base - one.answered_within for base, one in zip(counted, batches, strict=True)]
    late, gone = 1.0 - expected.service_level, expected.abandons
    found = [
        ratio(WAITS, [float(one) for one in simulation.delayed], offered, expected.waits, calls * expected.waits),
        ratio(
            SPEED, [one.wait_answered for one in batches], answered, expected.speed_of_answer,
            calls * (expected.waits - gone),
        ),
        ratio(MISSED, missed, counted, late, calls * late),
    ]  # fmt: skip
    if case.patience < inf:
        found.append(ratio(ABANDONS, [float(one.abandoned) for one in batches], offered, gone, calls * gone))
    return [one for one in found if one.observations >= FEWEST_OBSERVATIONS]


def ratio(name: str, tops: list[float], bottoms: list[float], expected: float, observations: float) -> Estimate:
    """A ratio of sums over batches, with the interval of its logarithm: such ratios are skewed, and never negative."""
    count, top, bottom = len(tops), sum(tops), sum(bottoms)
    value = top / bottom
    spread = sum((part - value * each) ** 2 for part, each in zip(tops, bottoms, strict=True)) / (count - 1)
    return Estimate(name, value, exp(STUDENT_99 * sqrt(spread * count) / top) if top else inf, expected, observations)


def waits_to_expect(case: Case, calls: int) -> float:
    """How many of so many calls will have to wait."""
    blocked = erlang_b(case.agents, case.occupancy * case.agents)
    if case.patience < inf:
        return calls * sum(queue_law(case))
    return calls * blocked / (1.0 - case.occupancy * (1.0 - blocked))
