from typing import Final

from santral.routing.acd.index.match import Lane
from santral.routing.acd.records import Agent, Queue
from santral.routing.acd.settings import Need, Wish, Work
from santral.routing.acd.stages import Stage
from santral.routing.acd.tables import Phase, Standing, State

class Item:
    id: Final[str]
    kind: Final[str]
    channel: Final[str]  # the kind of room it takes at an agent
    priority: Final[int]
    needs: Final[tuple[Need, ...]]
    wishes: Final[tuple[Wish, ...]]
    sticky: Final[str | None]
    sticky_for: Final[float]
    number: Final[str]
    not_before: Final[float]  # NEVER, as all moments that do not come
    expires: Final[float]
    max_wait: Final[float | None]
    queue: Final[Queue]
    rank: float
    tie: int
    started: float
    joined: float
    clock: float  # from when its demands relax
    standing: Standing
    stages: tuple[Stage, ...]
    stage: int
    stage_at: float
    lane: Lane | None  # `None`: in no lane, nobody may take this person now
    stood: float  # the rank it stands at in its lane
    pending: tuple[Reservation, ...]
    accepted: Reservation | None
    rule: int  # the next overflow rule to look at
    rule_at: float
    ring_at: float
    announce_at: float
    offer_at: float
    park_until: float
    announced: int
    attempts: int
    due: float
    def __init__(self, work: Work, queue: Queue, rank: float, tie: int, now: float) -> None: ...

class Reservation:
    id: Final[str]
    item: Final[Item]
    agent: Final[Agent]
    beside: Reservation | None  # the next thing in the agent's hand
    tie: Final[int]
    created: float
    phase: Phase
    cell: State
    connected: float
    held_since: float
    held: float
    finished: float
    due: float
    def __init__(self, reservation: str, item: Item, agent: Agent, now: float, tie: int) -> None: ...
    def fetch(self) -> None: ...
