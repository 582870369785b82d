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
    not_before: Final[float | None]
    expires: Final[float | None]
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
    stage_at: float | None
    lane: Lane | None
    stood: float | None  # the rank it stands at in its lane; `None`: in no lane
    pending: tuple[Reservation, ...]
    accepted: Reservation | None
    rule: int  # the next overflow rule to look at
    rule_at: float | None
    ring_at: float | None
    announce_at: float | None
    offer_at: float | None
    park_until: float | None
    announced: int
    attempts: int
    due: float | None
    def __init__(self, work: Work, queue: Queue, rank: float, tie: int, now: float) -> None: ...

class Reservation:
    id: Final[str]
    item: Final[Item]
    agent: Final[Agent]
    tie: Final[int]
    created: float
    phase: Phase
    cell: State
    connected: float
    held_since: float | None
    held: float
    finished: float
    due: float | None
    def __init__(self, reservation: str, item: Item, agent: Agent, now: float, tie: int) -> None: ...
