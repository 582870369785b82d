"""What `routing/acd/index/match.pyx` does, as its definitions read: by looking at everybody."""

from typing import Any

from santral.routing.acd.index.order import Order


def may_take(seat: "Seat", lane: "Lane") -> bool:
    levels = seat.desk.levels
    return (
        bool(seat.desk.kinds >> lane.kind & 1)
        and (lane.steps < 0 or seat.tier <= lane.hall.lowest_tier + lane.steps)
        and seat.min_priority <= lane.reach
        and lane.only in (None, seat.desk)
        and all(levels.get(skill, -1) >= level for skill, level in lane.needs)
    )


def fetch_object(thing: object) -> None:
    pass


def fetch_ways(*_of: Any) -> None:
    pass


class Hall:
    def __init__(self) -> None:
        self.idle, self.lanes, self.seats = Order(), [], []
        self.on_duty: dict[int, int] = {}

    @property
    def lowest_tier(self) -> int:
        return min((tier for tier, count in self.on_duty.items() if count > 0), default=1)

    def duty(self, tier: int, change: int) -> bool:
        before = self.lowest_tier
        self.on_duty[tier] = self.on_duty.get(tier, 0) + change
        return self.lowest_tier > before

    def active_lanes(self) -> list["Lane"]:
        return list(self.lanes)

    def idle_seats(self) -> int:
        return len(self.idle)


class Lane:
    def __init__(self, hall: Hall, key: Any, kind: int, *rules: Any) -> None:
        self.hall, self.key, self.kind = hall, key, kind
        self.needs, self.steps, self.reach, self.only = rules
        self.waiting = Order()

    def __len__(self) -> int:
        return len(self.waiting)

    def put(self, rank: float, tie: int, item: Any) -> None:
        if not self.waiting:
            self.hall.lanes.append(self)
        self.waiting.add(rank, 0.0, 0.0, tie, item)

    def take(self, rank: float, tie: int) -> bool:
        found = self.waiting.discard(rank, 0.0, 0.0, tie)
        if self in self.hall.lanes and not self.waiting:
            place, last = self.hall.lanes.index(self), self.hall.lanes.pop()
            if last is not self:
                self.hall.lanes[place] = last
        return found

    def first(self) -> Any:
        return self.waiting.first()

    def _takers(self) -> list["Seat"]:
        return [seat for seat in self.hall.idle if may_take(seat, self)]

    def seat(self) -> "Seat | None":
        return next(iter(self._takers()), None)

    def seat_of(self, desk: "Desk") -> "Seat | None":
        return next((seat for seat in self._takers() if seat.desk is desk), None)

    def at_random(self, draw: float) -> "Seat | None":
        first = self.seat()
        if first is None or self.only is not None:
            return first
        same = [seat for seat in self.hall.idle if seat.key[0] == first.key[0]]
        index = int(draw * len(same))
        return next(seat for seat in same[index:] + same[:index] if may_take(seat, self))

    def seats(self, limit: int) -> list["Seat"]:
        return self._takers()[:limit]

    def best(self, weights: Any) -> tuple["Seat | None", int]:
        takers = self._takers()
        lowest = [seat for seat in takers if seat.key[0] == takers[0].key[0]]
        found = max(lowest, key=lambda seat: seat.desk.score(weights), default=None)
        return found, -1 if found is None else found.desk.score(weights)


class Desk:
    def __init__(self, levels: dict[int, int]) -> None:
        self.levels, self.kinds, self.seats = dict(levels), 0, []

    def score(self, weights: Any) -> int:
        return sum(weight * self.levels.get(skill, 0) for skill, weight in weights)

    def first(self) -> Any:
        found = [
            (lane.waiting.keys[0][0] - seat.bonus, lane.waiting.keys[0][3], lane.first())
            for seat in self.seats
            for lane in seat.hall.lanes
            if may_take(seat, lane)
        ]
        return min(found, key=lambda one: one[:2])[2] if found else None

    def seat_in(self, hall: Hall) -> "Seat":
        return next(seat for seat in self.seats if seat.hall is hall)

    def free(self, kinds: int) -> None:
        self.kinds = kinds

    def is_idle(self) -> bool:
        return any(seat.is_waiting() for seat in self.seats)

    def fetch_places(self) -> None:
        pass

    def fetch_halls(self) -> None:
        pass

    def fetch_gates(self) -> None:
        pass


class Seat:
    def __init__(self, hall: Hall, desk: Desk, place: Any, *others: Any) -> None:
        self.hall, self.desk = hall, desk
        self.bonus, self.tie, self.owner = others
        self.tier, self.position, self.min_priority = place
        self._turn = 0.0
        self.key: tuple[float, float, float] | None = None

    @property
    def turn(self) -> float:
        return self._turn

    @turn.setter
    def turn(self, value: float) -> None:
        self._turn = float(value)

    def wait(self, a: float, b: float, c: float) -> None:
        self.stop_waiting()
        self.key = (float(a), float(b), float(c))
        self.hall.idle.add(*self.key, self.tie, self)

    def is_waiting(self) -> bool:
        return self.key is not None

    def stop_waiting(self) -> None:
        if self.key is not None:
            self.hall.idle.discard(*self.key, self.tie)
            self.key = None

    def take_place(self) -> None:
        self.desk.seats.append(self)
        self.hall.seats.append(self)

    def give_place(self) -> None:
        self.stop_waiting()
        self.desk.seats.remove(self)
        self.hall.seats.remove(self)
