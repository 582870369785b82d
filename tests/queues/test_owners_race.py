"""Two owners on one store, with clocks of their own, connections that break, and naps: one decides at most."""

import asyncio
import logging
import random
from typing import Any

import pytest
from tests.queues.stores import Server, SharedStore

from santral.engine.acd.owning import Owner

LEASE_S = 6.0
STEPS = 1500


class Clock:
    """A node's clock, which runs a little wrong. It begins late, so that no time-out of the real loop is ever due."""

    def __init__(self, true: list[float], rate: float) -> None:
        self.true, self.rate = true, rate

    def time(self) -> float:
        return asyncio.get_running_loop().time() + 1e9 + self.rate * self.true[0]


class Queues:
    """As far as an owner knows them."""

    def __init__(self) -> None:
        self.keeping = self.events = self
        self.begun = self.let_go_of = 0
        self.told: list[bool] = []

    async def load(self, _store: Any) -> None:
        return None

    def begin(self, _kept: None) -> None:
        self.begun += 1

    def let_go(self) -> None:
        self.let_go_of += 1

    def emit(self, _type: str, *, decides: bool, token: int) -> None:
        assert token > 0
        self.told.append(decides)


@pytest.mark.parametrize("seed", range(8))
async def test_two_never_decide_at_once(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    chance, true = random.Random(seed), [0.0]
    server = Server(lambda: true[0])
    stores = [SharedStore(server, LEASE_S) for _ in range(2)]
    clocks = [Clock(true, chance.uniform(0.9, 1.1)) for _ in range(2)]
    queues = [Queues(), Queues()]
    owners = [Owner(clock, each) for clock, each in zip(clocks, queues, strict=True)]  # type: ignore[arg-type]
    for owner, store, name in zip(owners, stores, "ab", strict=True):
        owner._store, owner._name = store, name  # started by hand: the steps below are its task
    written: dict[str, int] = {}
    for n in range(STEPS):
        true[0] += (
            chance.choice((0.1, 0.5, 1.0, LEASE_S / 2)) if chance.random() < 0.8 else chance.uniform(0, 3 * LEASE_S)
        )
        who = chance.randrange(2)
        stores[who].is_cut = chance.random() < 0.2
        owner = owners[who]
        await (owner._try() if owner.lease is None else owner._renew(stores[who]))
        assert sum(each.lease is not None for each in owners) <= 1, "two decide"
        for each in owners:
            each.put("agent", f"x{n}", {"n": n})
        for token, name in server.writes:
            assert written.setdefault(name, token) == token, "written by two"
        server.writes.clear()
    for each in queues:
        assert each.begun > STEPS / 100
        assert each.begun - each.let_go_of in {0, 1}
        assert each.told == [n % 2 == 0 for n in range(len(each.told))]
