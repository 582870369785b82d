"""A call centre played at random: facts in any order, with invariants looked at after each.

The model beside the distributor knows only what the log told: who was offered to whom, who waits, what was counted. It
shares no code with it.
"""

import random
from collections import Counter
from dataclasses import replace
from typing import Any

from santral.routing.acd import events as log
from santral.routing.acd.distributor import Distributor
from santral.routing.acd.settings import (
    AgentSettings,
    Announcements,
    AtClose,
    CallbackSettings,
    DialFirst,
    JoinWhen,
    Membership,
    Need,
    OverflowRule,
    QueueSettings,
    Settings,
    Strategy,
    Wish,
    Work,
)
from santral.routing.acd.tables import Cause, Leave

SKILLS = ("red", "green", "blue")
PLAIN = (Strategy.LONGEST_IDLE, Strategy.FEWEST_CALLS, Strategy.LEAST_TALK_TIME, Strategy.ROUND_ROBIN, Strategy.RANDOM,
         Strategy.TOP_DOWN, Strategy.SKILL_SCORE)  # fmt: skip


def some_settings(chance: random.Random) -> Settings:
    """Queues and agents with a bit of everything."""
    queues = tuple(_queue(chance, f"q{n}") for n in range(chance.randint(1, 4)))
    agents = tuple(_agent(chance, f"a{n}", queues) for n in range(chance.randint(1, 7)))
    return Settings(queues, agents, chance.choice((60.0, 10.0, None)))


def _queue(chance: random.Random, name: str) -> QueueSettings:
    strategy = chance.choice((*PLAIN, Strategy.RING_ALL, Strategy.RING_PROGRESSIVELY))
    return QueueSettings(
        name, "t", strategy=strategy, priority=chance.choice((0, 0, 1)), ring_timeout=chance.choice((5.0, 20.0)),
        retry_delay=chance.choice((0.0, 3.0)), wrap_up=chance.choice((0.0, 5.0)), ring_limit=chance.choice((2, 20)),
        ring_every=2.0, needs=(Need("red", 2, 8.0),) if chance.random() < 0.2 else (),
        wishes=(Wish("blue", 3),) if chance.random() < 0.3 else (), tier_wait=chance.choice((0.0, 0.0, 4.0)),
        release_reserved=chance.choice((None, 6.0)), max_waiting=chance.choice((None, None, 4)),
        max_wait=chance.choice((None, 30.0)), join_when=chance.choice(tuple(JoinWhen)),
        leave_when_empty=chance.random() < 0.3, at_close=chance.choice(tuple(AtClose)), turned_away_to="elsewhere",
        overflow=(OverflowRule("more", 12.0, position=1), OverflowRule("now", expected_wait=60.0)),
        announce=Announcements(3.0, 5.0) if chance.random() < 0.5 else None,
        callback=CallbackSettings(4.0, None, chance.choice(tuple(DialFirst)), 2, 10.0, 8.0),
    )  # fmt: skip


def _agent(chance: random.Random, name: str, queues: tuple[QueueSettings, ...]) -> AgentSettings:
    chosen = chance.sample(queues, chance.randint(1, len(queues)))
    seats = tuple(
        Membership(queue.name, chance.choice((0, 0, 2)), chance.choice((1, 1, 2, 3)), chance.randint(1, 5),
                   chance.choice((-1000, -1000, -1000, 3)))
        for queue in chosen
    )  # fmt: skip
    return AgentSettings(
        name, "t", {skill: chance.randint(1, 10) for skill in SKILLS if chance.random() < 0.6}, seats,
        chance.choice(({"call": 1}, {"call": 1}, {"call": 1, "chat": 2})), mixes=chance.random() < 0.3,
        auto_pause=chance.choice((0, 2)),
    )  # fmt: skip


class Model:
    """What the log says, kept by reading it."""

    def __init__(self) -> None:
        self.waiting: dict[str, log.Joined] = {}
        self.offered: dict[str, log.Created] = {}  # pending
        self.accepted: dict[str, log.Accepted] = {}
        self.talking: dict[str, log.Connected] = {}
        self.wrapping: dict[str, log.Wrapping] = {}
        self.states: dict[str, str] = {}
        self.counts: Counter[str] = Counter()
        self.agent_of: dict[str, str] = {}
        self.classes: dict[str, tuple[object, ...]] = {}  # work -> what makes it equal to others; sticky ones to nobody
        self.ended: dict[str, float] = {}  # work -> when an offer of it last came to nothing

    def check_first(self, event: log.Created) -> None:
        """First come, first served among equals: nobody equal who came earlier stands there with no offer."""
        taken = {one.work for one in (*self.offered.values(), *self.accepted.values())}
        mine, joined = self.classes.get(event.work), self.waiting[event.work]
        if mine is None:
            return
        for work, other in self.waiting.items():
            if work not in taken and self.classes.get(work) == mine and self.ended.get(work) != event.at:
                came_first = other.at <= joined.at and other.started < joined.started
                assert not came_first, f"{work} was before {event.work}"

    def read(self, event: log.Event) -> None:
        match event:
            case log.Joined():
                assert event.work not in self.waiting, "joined twice"
                self.waiting[event.work] = event
                self.counts["offered"] += 1
            case log.Left() | log.Overflowed():
                assert event.work in self.waiting, "left without having joined"
                joined = self.waiting.pop(event.work)
                assert joined.queue == event.queue
                assert abs(event.waited - (event.at - joined.at)) < 1e-6, "the clock runs from the join"
                self.counts[event.reason if isinstance(event, log.Left) else "overflowed"] += 1
            case log.Created():
                assert event.work in self.waiting, "offered and not there"
                self.check_first(event)
                assert event.work not in {one.work for one in self.accepted.values()}, "offered though accepted"
                self.offered[event.reservation] = event
                self.agent_of[event.reservation] = event.agent
            case log.Accepted():
                self.offered.pop(event.reservation)
                assert event.work not in {one.work for one in self.accepted.values()}, "accepted twice"
                self.accepted[event.reservation] = event
            case log.Refused() | log.TimedOut():
                self.ended[self.offered.pop(event.reservation).work] = event.at
            case log.Rescinded():
                self.ended[event.work] = event.at
                assert self.offered.pop(event.reservation, None) or self.accepted.pop(event.reservation, None)
            case log.Connected():
                self.accepted.pop(event.reservation)
                self.talking[event.reservation] = event
            case log.Wrapping():
                self.talking.pop(event.reservation)
                self.wrapping[event.reservation] = event
            case log.Completed():
                self.wrapping.pop(event.reservation)
            case log.AgentChanged():
                assert self.states.get(event.agent, "offline") == event.before, "a change that was not told"
                self.states[event.agent] = event.state
            case _:
                pass

    def in_hand(self) -> Counter[str]:
        """How many reservations each agent has."""
        live = (*self.offered, *self.accepted, *self.talking, *self.wrapping)
        return Counter(self.agent_of[one] for one in live)


class World:
    """The distributor, the model, and chance."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.settings = some_settings(self.chance)
        self.now = 1000.0 * self.chance.random()
        self.serial = 0
        self.d = Distributor(self.settings, self.now, new_id=self.new_id, draw=self.chance.random)
        self.model = Model()
        self.log: list[log.Event] = []
        self.outside: Counter[str] = Counter()
        self.unreachable: set[str] = set()
        self.old: list[str] = []  # reservations that are over: late answers are tried on them
        self.moves = (
            (14, self.join), (6, self.hang_up), (10, self.login), (2, self.logout), (3, self.pause), (4, self.resume),
            (16, self.accept), (5, self.refuse), (14, self.connect), (3, self.fail), (12, self.finish), (4, self.ring),
            (2, self.hold), (2, self.end_wrap), (2, self.occupy), (2, self.reach), (2, self.call_back),
            (3, self.unanswered), (2, self.customer), (1, self.hours), (1, self.restart), (1, self.reload),
            (3, self.late), (14, self.pass_time),
        )  # fmt: skip
        self.weights = [weight for weight, _ in self.moves]

    def new_id(self) -> str:
        self.serial += 1
        return f"r{self.serial}"

    def play(self, steps: int) -> None:
        for _ in range(steps):
            (_, move), *_ = self.chance.choices(self.moves, self.weights)
            move()
            self.check()
        self.end()

    def tell(self, found: list[log.Event]) -> None:
        for event in found:
            before = self.model.offered.keys() | self.model.accepted.keys()
            self.model.read(event)
            self.old += before - self.model.offered.keys() - self.model.accepted.keys() - self.model.talking.keys()
        self.log += found

    # ---- facts ----

    def one_of(self, things: Any) -> str:
        found = sorted(things)
        return self.chance.choice(found) if found else "nobody"

    def agent(self) -> str:
        return self.chance.choice(self.settings.agents).name

    def join(self) -> None:
        self.serial += 1
        queue = self.chance.choice(self.settings.queues).name
        needs = tuple(
            Need(skill, self.chance.randint(1, 8), self.chance.choice((None, 5.0)))
            for skill in SKILLS if self.chance.random() < 0.25
        )  # fmt: skip
        work = Work(
            f"w{self.serial}", queue, kind=self.chance.choice(("call", "call", "call", "chat")),
            priority=self.chance.choice((0, 0, 0, 1, 5)), needs=needs,
            sticky=self.agent() if self.chance.random() < 0.2 else None, sticky_for=self.chance.choice((0.0, 5.0)),
            started=self.now - 20.0 if self.chance.random() < 0.1 else None,
            max_wait=self.chance.choice((1.0, 5.0, 30.0)) if self.chance.random() < 0.2 else None,
        )  # fmt: skip
        if work.sticky is None:
            self.model.classes[work.id] = (queue, work.kind, work.priority, needs)
        self.tell(self.d.join(work, self.now))

    def hang_up(self) -> None:
        reason = self.chance.choice((Leave.HUNG_UP, Leave.HUNG_UP, Leave.KEY, Leave.REQUEST))
        self.tell(self.d.leave(self.one_of(self.model.waiting), reason, self.now))

    def login(self) -> None:
        self.tell(self.d.login(self.agent(), self.now))

    def logout(self) -> None:
        self.tell(self.d.logout(self.agent(), self.now, "gone"))

    def pause(self) -> None:
        self.tell(self.d.pause(self.agent(), "lunch", self.now))

    def resume(self) -> None:
        self.tell(self.d.resume(self.agent(), self.now))

    def ring(self) -> None:
        self.tell(self.d.ringing(self.one_of(self.model.offered), self.now))

    def customer(self) -> None:
        self.tell(self.d.customer_answered(self.one_of(self.model.offered), self.now))

    def accept(self) -> None:
        self.tell(self.d.accept(self.one_of(self.model.offered), self.now))

    def refuse(self) -> None:
        self.tell(self.d.refuse(self.one_of(self.model.offered), self.chance.choice(tuple(Cause)), self.now))

    def connect(self) -> None:
        self.tell(self.d.connected(self.one_of(self.model.accepted), self.now))

    def fail(self) -> None:
        self.tell(self.d.failed(self.one_of(self.model.accepted), self.now))

    def unanswered(self) -> None:
        offers = [one for one, event in self.model.offered.items() if event.kind == "callback"]
        accepted = [one for one, event in self.model.accepted.items() if event.kind == "callback"]
        self.tell(self.d.unanswered(self.one_of(offers + accepted), self.now))

    def finish(self) -> None:
        self.tell(self.d.finished(self.one_of(self.model.talking), self.now))

    def hold(self) -> None:
        self.tell(self.d.hold(self.one_of(self.model.talking), self.chance.random() < 0.5, self.now))

    def end_wrap(self) -> None:
        if self.chance.random() < 0.5:
            self.tell(self.d.extend_wrap(self.agent(), 3.0, self.now))
        self.tell(self.d.end_wrap(self.agent(), self.now))

    def occupy(self) -> None:
        agent = self.agent()
        self.outside[agent] = self.chance.choice((0, 0, 1))
        self.tell(self.d.occupy(agent, self.outside[agent], self.now))

    def reach(self) -> None:
        agent, is_reachable = self.agent(), self.chance.random() < 0.7
        (self.unreachable.discard if is_reachable else self.unreachable.add)(agent)
        self.tell(self.d.reach(agent, is_reachable, self.now))

    def call_back(self) -> None:
        self.serial += 1
        later = self.now + 5.0 if self.chance.random() < 0.3 else None
        self.tell(
            self.d.call_back(
                self.one_of(self.model.waiting), f"c{self.serial}", f"+90{self.chance.randint(1, 3)}", self.now,
                not_before=later, expires=self.now + 60.0 if self.chance.random() < 0.5 else None,
            )
        )  # fmt: skip

    def hours(self) -> None:
        queue = self.chance.choice(self.settings.queues).name
        self.tell(self.d.open_queue(queue, self.chance.random() < 0.6, self.now))

    def late(self) -> None:
        """Whatever comes for a reservation that is over: nothing may happen."""
        one = self.one_of(self.old[-20:])
        for found in (
            self.d.accept(one, self.now), self.d.refuse(one, Cause.NO_ANSWER, self.now),
            self.d.connected(one, self.now), self.d.ringing(one, self.now), self.d.unanswered(one, self.now),
        ):  # fmt: skip
            assert found == []

    def restart(self) -> None:
        """The node goes down; some calls do not live on; another clock."""
        saved = self.d.snapshot(self.now)
        dead = {work for work in self.model.waiting if self.chance.random() < 0.1}
        self.d, found = Distributor.restore(
            self.settings, saved, lambda work: work not in dead, self.now, new_id=self.new_id, draw=self.chance.random
        )
        assert not dead & {event.work for event in found if isinstance(event, log.Created)} - set(self.model.waiting)
        self.tell(found)
        assert not dead & self.model.waiting.keys()

    def reload(self) -> None:
        """Other settings for a queue and an agent, of the same names; an agent leaves, or one who left is back."""
        queues, agents = list(self.settings.queues), list(self.settings.agents)
        n, m = self.chance.randrange(len(queues)), self.chance.randrange(len(agents))
        queues[n] = _queue(self.chance, queues[n].name)
        other = _agent(self.chance, agents[m].name, tuple(queues))
        in_hand = self.model.in_hand()[other.name]  # what is in hand is kept, whatever the capacity is now
        agents[m] = other if not in_hand else replace(other, capacity=agents[m].capacity, mixes=agents[m].mixes)
        self.settings = Settings(tuple(queues), tuple(agents), self.settings.ageing)
        if self.chance.random() < 0.3:
            without = [agent for agent in agents if agent.name != other.name]
            self.tell(self.d.configure(replace(self.settings, agents=tuple(without)), self.now))
            if not self.model.in_hand()[other.name]:  # else it is there until that ends, its phone known
                self.outside[other.name] = 0
                self.unreachable.discard(other.name)
        self.tell(self.d.configure(self.settings, self.now))

    def pass_time(self) -> None:
        end = self.now + self.chance.choice((0.0, 0.5, 2.0, 7.0))
        self.run_until(end)

    def run_until(self, end: float) -> None:
        steps = 0
        while (due := self.d.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.tell(self.d.tick(self.now))
            steps += 1
            assert steps < 10_000, "a deadline that never goes away"
        self.now = end

    # ---- what must hold ----

    def check(self) -> None:
        self.check_reservations()
        self.check_people()
        self.check_agents()
        self.check_order()

    def check_reservations(self) -> None:
        model, most = self.model, {agent.name: agent for agent in self.settings.agents}
        assert self.d.is_consistent()
        works = Counter(one.work for one in model.accepted.values())
        assert not works or max(works.values()) == 1, "one person with two agents"
        for agent, count in model.in_hand().items():
            settings = most[agent]
            limit = sum(settings.capacity.values()) if settings.mixes else max(settings.capacity.values())
            assert count <= limit, f"{agent} is reserved twice"
        live = {*model.offered, *model.accepted, *model.talking, *model.wrapping}
        held = {one.id for agent in most for one in self.d.reservations_of(agent)}
        assert held == live, "a reservation of which the log knows nothing, or the other way round"

    def check_people(self) -> None:
        seen = {view.id for queue in self.d.queues() for view in self.d.waiting(queue, self.now, 10_000)}
        accepted = {one.work for one in self.model.accepted.values()}
        assert seen | accepted == set(self.model.waiting), "somebody is lost, or counted and gone"
        assert self.model.counts["offered"] == len(self.model.waiting) + sum(
            count for reason, count in self.model.counts.items() if reason != "offered"
        ), "the balance of the queue"

    def check_agents(self) -> None:
        for agent in self.d.agents():
            view = self.d.agent(agent, self.now)
            assert self.model.states.get(agent, "offline") == view.state
            assert view.is_ready == self.has_room(agent), "ready is what the rules say"
            if view.is_ready:
                assert view.state in {"available", "talking", "ringing", "reserved", "wrapping"}
                assert not view.outside_legs
                assert view.is_reachable

    def has_room(self, agent: str) -> bool:
        """Whether an agent may be offered something, from the log and the facts alone."""
        settings = next(each for each in self.settings.agents if each.name == agent)
        view = self.d.agent(agent, self.now)
        if view.presence != "available" or self.outside[agent] or agent in self.unreachable or view.rests:
            return False
        held = [
            "call" if event.kind == "callback" else event.kind
            for one, event in (
                *self.model.offered.items(), *self.model.accepted.items(), *self.model.talking.items(),
                *self.model.wrapping.items(),
            )
            if self.model.agent_of[one] == agent
        ]  # fmt: skip
        if any(event.agent == agent for event in self.model.offered.values()):
            return False
        kinds = settings.capacity if settings.mixes or not held else set(held)
        return any(held.count(kind) < settings.capacity.get(kind, 0) for kind in kinds)

    def check_order(self) -> None:
        """Nobody waits whom an idle agent may take; and each offer went to the first of those the agent may take."""
        if self.d.is_behind():
            return
        for agent in self.d.agents():
            if self.d.agent(agent, self.now).is_ready:
                assert self.d.next_for(agent) is None, f"{agent} is idle, and somebody waits"

    def end(self) -> None:
        """Let everything come to its end: nobody may be left, nobody stuck."""
        for queue in self.settings.queues:
            self.tell(self.d.open_queue(queue.name, True, self.now))
        for work in sorted(self.model.waiting):
            self.tell(self.d.leave(work, Leave.HUNG_UP, self.now))
        for one in sorted(self.model.talking):
            self.tell(self.d.finished(one, self.now))
        self.run_until(self.now + 1000.0)
        for agent in self.d.agents():
            self.tell(self.d.occupy(agent, 0, self.now))
            self.tell(self.d.reach(agent, True, self.now))
            self.tell(self.d.login(agent, self.now))
            self.tell(self.d.resume(agent, self.now))
            view = self.d.agent(agent, self.now)
            assert view.state == "available"
            assert view.is_ready, "a stuck agent"
        self.run_until(self.now)
        assert not self.model.waiting
        assert not self.model.in_hand()
        assert self.d.next_deadline() is None, "a deadline of nobody"
