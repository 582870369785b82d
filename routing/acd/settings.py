"""What the distributor is told once: queues, agents, and what a person who waits asks for. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

MAX_LEVEL: Final = 10  # of a skill; the lowest is 1
MAX_TIER: Final = 100
MAX_PRIORITY: Final = 1000  # points, either way
STRICT_AGEING: Final = 1e7  # seconds a point is worth where points come strictly first: four months
AGEING: Final = 60.0  # seconds of waiting one point is worth by default
CALL: Final = "call"
CALLBACK: Final = "callback"  # takes the place of a call at an agent


class Strategy(StrEnum):
    """Which of the agents who may take somebody is asked first; lower tiers always come before higher ones."""

    LONGEST_IDLE = "longest_idle"
    FEWEST_CALLS = "fewest_calls"  # since login
    LEAST_TALK_TIME = "least_talk_time"  # since login
    ROUND_ROBIN = "round_robin"  # whose last offer in this queue is longest ago
    RANDOM = "random"
    TOP_DOWN = "top_down"  # by tier, then position, always from the top
    RING_ALL = "ring_all"
    RING_PROGRESSIVELY = "ring_progressively"  # like top_down, adding one agent after the other
    SKILL_SCORE = "skill_score"  # the sum of weight times level over what is asked and wished for


class JoinWhen(StrEnum):
    """Who has to be there so that somebody may join."""

    ALWAYS = "always"
    LOGGED_IN = "logged_in"  # any agent, on a break too
    AVAILABLE = "available"  # any agent not on a break; busy ones count


class AtClose(StrEnum):
    """What closing time means for those who wait."""

    SERVE = "serve"
    SEND_AWAY = "send_away"


class DialFirst(StrEnum):
    """Whom a callback rings first."""

    AGENT = "agent"
    CUSTOMER = "customer"


@dataclass(frozen=True, slots=True)
class Need:
    """A skill an agent must have at `level` (1 to 10), until the person has waited `until` seconds; `None`: always.

    Several needs of one skill make a ladder: 5 for half a minute, then 3.
    """

    skill: str
    level: int = 1
    until: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.level <= MAX_LEVEL:
            raise ValueError(f"skill {self.skill}: level {self.level} is not 1 to {MAX_LEVEL}")


@dataclass(frozen=True, slots=True)
class Wish:
    """A skill that counts in `skill_score` and never keeps anybody from an agent."""

    skill: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Membership:
    """An agent's seat in a queue. `priority` are points this agent gives the people of that queue."""

    queue: str
    priority: int = 0
    tier: int = 1
    position: int = 1
    min_priority: int = -MAX_PRIORITY  # takes only people of at least this priority: reserved for VIPs

    def __post_init__(self) -> None:
        if not 1 <= self.tier <= MAX_TIER:
            raise ValueError(f"queue {self.queue}: tier {self.tier} is not 1 to {MAX_TIER}")


@dataclass(frozen=True, slots=True)
class AgentSettings:
    name: str
    tenant: str
    skills: Mapping[str, int] = field(default_factory=dict)  # levels 1 to 10
    memberships: tuple[Membership, ...] = ()
    capacity: Mapping[str, int] = field(default_factory=lambda: {CALL: 1})  # how many of a kind at once
    mixes: bool = False  # may hold different kinds at once
    wrap_up: float | None = None  # seconds; `None`: the queue's
    auto_pause: int = 3  # offers in a row not answered or refused, until it counts as not answering; 0: never

    def __post_init__(self) -> None:
        for skill, level in self.skills.items():
            if not 1 <= level <= MAX_LEVEL:
                raise ValueError(f"agent {self.name}: {skill} = {level} is not 1 to {MAX_LEVEL}")


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    within: float = 20.0
    target: float = 0.8
    short_abandon: float = 5.0  # who gives up sooner was never really there


@dataclass(frozen=True, slots=True)
class OverflowRule:
    """Looked at once, when somebody has waited `after` seconds (0: at the join). All conditions given must hold.

    `to` is the caller's own word for a destination, `None` the next destination of the route.
    """

    to: str | None = None
    after: float = 0.0
    position: int | None = None  # holds if the position is greater
    expected_wait: float | None = None  # holds if the expected wait is longer, in seconds
    service_level: float | None = None  # holds if the recent service level is lower


@dataclass(frozen=True, slots=True)
class Announcements:
    first: float = 15.0
    every: float = 30.0


@dataclass(frozen=True, slots=True)
class CallbackSettings:
    """Offered to those who have waited `offer_after` seconds (`None`: only on their own wish), again `offer_every`."""

    offer_after: float | None = None
    offer_every: float | None = None
    order: DialFirst = DialFirst.AGENT
    attempts: int = 3
    retry_after: float = 300.0
    ring_timeout: float = 30.0  # how long the customer's phone rings, when the customer comes first


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """One queue. Times are seconds."""

    name: str
    tenant: str
    strategy: Strategy = Strategy.LONGEST_IDLE
    priority: int = 0  # points of everybody in it
    ring_timeout: float = 20.0
    retry_delay: float = 5.0  # how long an agent rests who did not take an offer
    wrap_up: float = 0.0
    ring_limit: int = 20  # agents ringing for one person at once, at most
    ring_every: float = 5.0  # ring_progressively: another agent after so many seconds
    needs: tuple[Need, ...] = ()  # of everybody in it, beside their own
    wishes: tuple[Wish, ...] = ()
    tier_wait: float = 0.0  # how long each further tier is kept back; 0: tiers only order
    release_reserved: float | None = None  # after so long everybody may have the agents reserved for VIPs
    max_waiting: int | None = None
    max_wait: float | None = None
    join_when: JoinWhen = JoinWhen.ALWAYS
    leave_when_empty: bool = False  # nobody logged in any more: send away those who wait
    at_close: AtClose = AtClose.SERVE
    turned_away_to: str | None = None  # for whom may not join, who has waited for `max_wait`, who is sent away
    service_level: ServiceLevel = ServiceLevel()
    overflow: tuple[OverflowRule, ...] = ()
    announce: Announcements | None = None
    callback: CallbackSettings | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything configured. `ageing`: the seconds of waiting one point is worth; `None`: points strictly first."""

    queues: tuple[QueueSettings, ...] = ()
    agents: tuple[AgentSettings, ...] = ()
    ageing: float | None = AGEING

    def __post_init__(self) -> None:
        tenants = {queue.name: queue.tenant for queue in self.queues}
        if len(tenants) != len(self.queues):
            raise ValueError("two queues have one name")
        if len({agent.name for agent in self.agents}) != len(self.agents):
            raise ValueError("two agents have one name")
        for agent in self.agents:
            for seat in agent.memberships:
                if tenants.get(seat.queue) != agent.tenant:
                    raise ValueError(f"agent {agent.name}: tenant {agent.tenant} has no queue {seat.queue}")


@dataclass(frozen=True, slots=True)
class Work:
    """Something that waits for an agent: a caller, a callback, a chat, a task. `id` is the caller's own."""

    id: str
    queue: str
    kind: str = CALL
    priority: int = 0
    needs: tuple[Need, ...] = ()
    wishes: tuple[Wish, ...] = ()
    sticky: str | None = None  # the agent who alone is asked …
    sticky_for: float = 0.0  # … for so many seconds; 0: only first
    started: float | None = None  # when the waiting began, if it began elsewhere; `None`: now
    number: str = ""  # of a callback
    not_before: float | None = None  # waits without being offered until then
    expires: float | None = None  # a callback is given up then
    max_wait: float | None = None  # seconds after which it overflows to its next destination, whatever the queue allows
