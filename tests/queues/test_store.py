"""What any store of queues must do: leases and their tokens, state, reservations; and that of two owners one decides.

Run on the store of a node (its database) and on the reference of a shared one. Another implementation is one more
fixture here.
"""

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.queues.stores import Server, SharedStore

from santral.engine.acd.store import FencedError, Lease, LocalStore, Store
from santral.engine.cdr.store import CdrStore

LEASE_S = 30.0
TWO_ENGINES, ONE_ENGINE, SHARED = "one database, two engines", "one database, one engine", "shared"


class Clock:
    """Seconds, by hand."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def milliseconds(self) -> int:
        return round(1000 * self.now)


class Place:
    """One place where state is kept, as two owners see it; and a way to wait until what was written is there."""

    def __init__(self, stores: tuple[Store, Store], clock: Clock, databases: tuple[CdrStore, ...] = ()) -> None:
        self.stores, self.clock, self._databases = stores, clock, databases

    async def written(self) -> None:
        for each in self._databases:
            await each.flush()

    async def all(self) -> dict[tuple[str, str], Any]:
        await self.written()
        return await self.stores[0].all()


@pytest.fixture(params=[TWO_ENGINES, ONE_ENGINE, SHARED])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    clock = Clock()
    if request.param == SHARED:
        server = Server(lambda: clock.now)
        yield Place((SharedStore(server, LEASE_S), SharedStore(server, LEASE_S)), clock)
        return
    databases = [
        CdrStore(f"sqlite:///{tmp_path}/a.db", node="n") for _ in range(2 if request.param == TWO_ENGINES else 1)
    ]
    for each in databases:
        await each.start()
    stores = [LocalStore(each, "n", clock.milliseconds) for each in databases]
    assert all(store.lease_s == LEASE_S for store in stores)
    yield Place((stores[0], stores[-1]), clock, tuple(databases))
    for each in databases:
        await each.close()


async def claimed(store: Store, owner: str, run: str = "1") -> Lease:
    lease = await store.claim(owner, run)
    assert lease is not None
    return lease


async def test_one_owner_until_its_lease_has_run_out(place: Place) -> None:
    one, other = place.stores
    first = await claimed(one, "a")
    assert await other.claim("b", "1") is None
    place.clock.now += LEASE_S - 1
    assert await other.claim("b", "1") is None
    assert await one.renew(first)
    place.clock.now += LEASE_S - 1
    assert await other.claim("b", "1") is None
    place.clock.now += 1
    second = await claimed(other, "b")
    assert second.token > first.token
    assert not await one.renew(first)
    assert await one.claim("a", "1") is None


async def test_claiming_again_is_the_same_claim(place: Place) -> None:
    one, other = place.stores
    first = await claimed(one, "a")
    place.clock.now += LEASE_S - 1
    assert await claimed(one, "a") == first
    place.clock.now += LEASE_S - 1
    assert await other.claim("b", "1") is None  # it was prolonged by that


async def test_a_later_run_takes_over_from_an_earlier_one_and_never_the_other_way(place: Place) -> None:
    one, other = place.stores
    first = await claimed(one, "a", "1")
    second = await claimed(other, "a", "2")
    assert second.token > first.token
    assert not await one.renew(first)
    assert await one.claim("a", "1") is None


async def test_a_lapse_that_nobody_has_used_is_healed(place: Place) -> None:
    one, _ = place.stores
    first = await claimed(one, "a")
    place.clock.now += 10 * LEASE_S
    assert await one.renew(first)
    one.put(first, "agent", "x", {"is": 1})
    assert await place.all() == {("agent", "x"): {"is": 1}}


async def test_what_is_released_is_free_at_once_and_writes_nothing_more(place: Place) -> None:
    one, other = place.stores
    first = await claimed(one, "a")
    one.put(first, "agent", "x", {"is": 1})
    one.release(first)
    one.release(first)
    await place.written()
    assert not await one.renew(first)
    one.put(first, "agent", "x", {"is": 2})
    assert (await claimed(other, "b")).token > first.token
    assert await place.all() == {("agent", "x"): {"is": 1}}


async def test_releasing_late_takes_nothing_from_the_next(place: Place) -> None:
    one, other = place.stores
    first = await claimed(one, "a", "1")
    second = await claimed(other, "a", "2")
    one.release(first)
    await place.written()
    assert await other.renew(second)


async def test_the_last_word_on_a_name_counts_and_dropping_twice_is_once(place: Place) -> None:
    one, _ = place.stores
    lease = await claimed(one, "a")
    for value in (1, 2, 2):
        one.put(lease, "agent", "x", {"is": value})
    one.put(lease, "work", "x", {"is": 3})
    one.put(lease, "promise", "gone", {"is": 4})
    one.drop(lease, "promise", "gone")
    one.drop(lease, "promise", "gone")
    one.drop(lease, "promise", "never there")
    assert await place.all() == {("agent", "x"): {"is": 2}, ("work", "x"): {"is": 3}}


async def test_an_owner_of_the_past_writes_nothing(place: Place) -> None:
    one, other = place.stores
    first = await claimed(one, "a")
    one.put(first, "agent", "x", {"is": 1})
    await place.written()
    place.clock.now += LEASE_S
    second = await claimed(other, "b")
    one.put(first, "agent", "x", {"is": 2})
    one.drop(first, "agent", "x")
    one.put(first, "work", "y", {"is": 2})
    assert await place.all() == {("agent", "x"): {"is": 1}}
    other.put(second, "agent", "x", {"is": 3})
    assert await place.all() == {("agent", "x"): {"is": 3}}


async def test_an_agent_has_no_more_in_hand_than_there_is_room_for(place: Place) -> None:
    one, _ = place.stores
    lease = await claimed(one, "a")
    assert [await one.engage(lease, "ayse", name, 2) for name in ("r1", "r2", "r1", "r3")] == [True, True, True, False]
    assert await one.engage(lease, "bora", "r3", 1)
    one.disengage(lease, "ayse", "r1")
    one.disengage(lease, "ayse", "r1")
    one.disengage(lease, "cem", "r1")
    assert [await one.engage(lease, "ayse", name, 2) for name in ("r4", "r5")] == [True, False]
    one.settle(lease, {"ayse": ["r9"]})
    assert [await one.engage(lease, "ayse", name, 2) for name in ("r9", "r4", "r2")] == [True, True, False]
    assert await one.engage(lease, "bora", "r8", 1)


@pytest.mark.parametrize("place", [ONE_ENGINE, SHARED], indirect=True)  # reservations of a node end with its engine
async def test_an_owner_of_the_past_reserves_nobody(place: Place) -> None:
    one, other = place.stores
    first = await claimed(one, "a")
    assert await one.engage(first, "ayse", "r1", 1)
    second = await claimed(other, "a", "2")
    with pytest.raises(FencedError):
        await one.engage(first, "bora", "r2", 1)
    one.disengage(first, "ayse", "r1")
    one.settle(first, {})
    assert not await other.engage(second, "ayse", "r3", 1)
    other.settle(second, {})
    assert await other.engage(second, "ayse", "r3", 1)


# ---- two owners, in any order ----


class Race:
    """Two owners who do as they like, each believing in the lease it was given last; and what must hold always."""

    def __init__(self, place: Place, seed: int) -> None:
        self.place, self.chance = place, random.Random(seed)
        self.leases: list[Lease | None] = [None, None]
        self.runs = [1, 1]
        self.latest = 0  # the largest token given
        self.is_released = False
        self.model: dict[tuple[str, str], Any] = {}
        self.serial = 0
        self.refused = 0

    async def step(self) -> None:
        who = self.chance.randrange(2)
        moves = (self.claim, self.claim, self.renew, self.restart, self.release, *[self.put] * 6, *[self.drop] * 2)
        await self.chance.choice(moves)(who)
        if self.chance.random() < 0.3:
            self.place.clock.now += self.chance.choice((1.0, LEASE_S / 2, LEASE_S))

    async def claim(self, who: int) -> None:
        await self.place.written()
        lease = await self.place.stores[who].claim("ab"[who], str(self.runs[who]))
        if lease is None:
            return
        assert lease.token >= self.latest, "an older token"
        if lease.token == self.latest:
            assert self.leases[who] == lease, "one token for two"
        self.leases[who], self.latest, self.is_released = lease, lease.token, False

    def is_valid(self, who: int) -> bool:
        lease = self.leases[who]
        return lease is not None and lease.token == self.latest and not self.is_released

    async def renew(self, who: int) -> None:
        await self.place.written()
        lease = self.leases[who]
        if lease is not None:
            assert await self.place.stores[who].renew(lease) == self.is_valid(who)

    async def restart(self, who: int) -> None:
        """Killed; its next run knows nothing of any lease."""
        self.runs[who] += 1
        self.leases[who] = None

    async def release(self, who: int) -> None:
        lease = self.leases[who]
        if lease is not None and self.chance.random() < 0.3:
            self.is_released |= self.is_valid(who)
            self.place.stores[who].release(lease)
            await self.place.written()

    async def put(self, who: int) -> None:
        self.serial += 1
        await self._write(who, {"by": who, "is": self.serial})

    async def drop(self, who: int) -> None:
        await self._write(who, None)

    async def _write(self, who: int, state: dict[str, int] | None) -> None:
        lease, key = self.leases[who], ("agent", self.chance.choice("xyz"))
        if lease is None:
            return
        if state is None:
            self.place.stores[who].drop(lease, "agent", key[1])
        else:
            self.place.stores[who].put(lease, "agent", key[1], state)
        self.refused += not self.is_valid(who)
        if self.is_valid(who) and state is not None:
            self.model[key] = state
        elif self.is_valid(who):
            self.model.pop(key, None)
        await self.place.written()  # in the order of the model: two writers have no other


@pytest.mark.parametrize("seed", range(3))
async def test_of_two_owners_one_writes(place: Place, seed: int) -> None:
    steps = 1500 if isinstance(place.stores[0], SharedStore) else 120
    race = Race(place, seed)
    for n in range(steps):
        await race.step()
        assert not (race.is_valid(0) and race.is_valid(1))
        if n % 10 == 0:
            assert await place.all() == race.model
    assert await place.all() == race.model
    assert race.refused > steps / 50, "nobody was ever refused"
    assert race.latest > steps / 50, "the owner hardly changed"


@pytest.mark.parametrize("seed", range(20))
async def test_an_agent_is_never_reserved_twice_by_two_owners(seed: int) -> None:
    """Reservations of two nodes with answers under way, takeovers at any moment: the room is kept, and by one token."""
    chance, clock = random.Random(seed), Clock()
    server = Server(lambda: clock.now)
    stores = (SharedStore(server, LEASE_S), SharedStore(server, LEASE_S))
    leases: list[Lease | None] = [None, None]
    for n in range(400):
        who = chance.randrange(2)
        store, lease, agent = stores[who], leases[who], chance.choice("xy")
        match chance.randrange(6):
            case 0:
                clock.now += chance.choice((1.0, LEASE_S))
            case 1:
                leases[who] = await store.claim("ab"[who], "1") or lease
                if leases[who] is not lease and leases[who] is not None:
                    store.settle(leases[who], {})
            case 2 if lease is not None and server.engaged.get(agent):
                store.disengage(lease, agent, min(server.engaged[agent]))
            case _ if lease is not None:
                before = {name: set(held) for name, held in server.engaged.items()}
                try:
                    taken = await store.engage(lease, agent, f"r{n}", 2)
                except FencedError:
                    assert lease.token < server.token
                    assert server.engaged == before
                else:
                    assert lease.token == server.token
                    assert taken == (len(before.get(agent, ())) < 2)
        assert all(len(held) <= 2 for held in server.engaged.values())
    tokens = [token for token, _ in server.writes]
    assert tokens == sorted(tokens), "an owner of the past wrote behind the next"
