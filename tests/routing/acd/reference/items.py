"""What `routing/acd/index/items.pyx` does: fields."""

from typing import Any

from santral.routing.acd.settings import CALL, CALLBACK, Work
from santral.routing.acd.tables import NEVER, Phase, Standing, State

NOT_YET = ("rule_at", "stage_at", "ring_at", "announce_at", "offer_at", "park_until", "due")
COUNTED = ("stage", "rule", "announced", "attempts")


class Item:
    def __init__(self, work: Work, queue: Any, rank: float, tie: int, now: float) -> None:
        for name in NOT_YET:
            setattr(self, name, NEVER)
        self.lane = self.accepted = None
        self.stood = 0.0
        for name in COUNTED:
            setattr(self, name, 0)
        for name in (
            "id",
            "kind",
            "priority",
            "needs",
            "wishes",
            "sticky",
            "number",
            "max_wait",
        ):
            setattr(self, name, getattr(work, name))
        self.not_before = NEVER if work.not_before is None else float(work.not_before)
        self.expires = NEVER if work.expires is None else float(work.expires)
        self.sticky_for = float(work.sticky_for)
        self.channel = CALL if work.kind == CALLBACK else work.kind
        self.queue, self.rank, self.tie = queue, float(rank), tie
        self.started = float(now if work.started is None else work.started)
        self.joined = self.clock = float(now)
        self.standing, self.stages, self.pending = Standing.WAITING, (), ()


class Reservation:
    def __init__(self, reservation: str, item: Item, agent: Any, now: float, tie: int) -> None:
        self.id, self.item, self.agent, self.tie = reservation, item, agent, tie
        self.beside: Reservation | None = None
        self.created = self.connected = self.finished = float(now)
        self.phase, self.cell = Phase.PENDING, State.AVAILABLE
        self.held_since, self.held, self.due = NEVER, 0.0, NEVER

    def fetch(self) -> None:
        pass
