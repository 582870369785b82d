"""What `routing/acd/index/order.pyx` does, by a sorted list."""

from bisect import bisect_left, insort
from typing import Any

Key = tuple[float, float, float, int]


class Order:
    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.things: dict[Key, Any] = {}

    def __class_getitem__(cls, _item: object) -> type["Order"]:
        return cls

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Any:
        return (self.things[key] for key in self.keys)

    def add(self, a: float, b: float, c: float, tie: int, item: object) -> None:
        key = (float(a), float(b), float(c), tie)
        assert key not in self.things, "two at one key"
        insort(self.keys, key)
        self.things[key] = item

    def discard(self, a: float, b: float, c: float, tie: int) -> bool:
        key = (float(a), float(b), float(c), tie)
        if key not in self.things:
            return False
        del self.keys[bisect_left(self.keys, key)], self.things[key]
        return True

    def before(self, a: float, b: float, c: float, tie: int) -> int:
        return bisect_left(self.keys, (a, b, c, tie))

    def first(self) -> Any:
        return self.things[self.keys[0]] if self.keys else None

    def first_key(self) -> float:
        return self.keys[0][0] if self.keys else float("inf")

    def at(self, index: int) -> Any:
        if not 0 <= index < len(self.keys):
            raise IndexError(index)
        return self.things[self.keys[index]]
