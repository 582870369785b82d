"""Several engines on one store: one decides, and lets go of everything when another does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from tests.queues.conftest import told, until
from tests.queues.stores import Server, SharedStore
from tests.queues.test_keeping import accepted_chat
from tests.queues.test_waiting import pick_up, wait_in_queue

from santral.engine.acd import owning
from santral.engine.acd.queues import Queues
from santral.engine.acd.store import LocalStore
from santral.engine.app import Engine
from santral.engine.config.load import loads
from santral.engine.control.client import Client
from santral.engine.control.protocol import RequestError

Start = Callable[..., Awaitable[Any]]
SHORT_S = 4.0
CHAT = "capacity = { call = 1, chat = 1 }\nmixes = true"


@pytest.fixture
def lease_s() -> float:
    """Longer than any test, unless it says another."""
    return 600.0


@pytest.fixture
async def stores(monkeypatch: pytest.MonkeyPatch, lease_s: float) -> list[SharedStore]:
    """That of each engine, in the order in which they are made; all lead to one server."""
    server, made = Server(asyncio.get_running_loop().time), []

    def make(_cdrs: Any, _node: str) -> SharedStore:
        made.append(SharedStore(server, lease_s))
        return made[-1]

    monkeypatch.setattr("santral.engine.acd.queues.LocalStore", make)
    monkeypatch.setattr(owning, "CLAIM_EVERY_S", 0.05)
    return made


@pytest.fixture
async def second(stores: list[SharedStore]) -> AsyncIterator[Callable[[Any], Awaitable[tuple[Engine, Client]]]]:
    """Another node with the configuration of a bench, and a client of it."""
    made: list[Any] = []

    async def start(bench: Any) -> tuple[Engine, Client]:
        text = (bench.folder / "santral.toml").read_text().replace('node = "test"', 'node = "other"')
        text = text.replace('/data"', '/other"')
        (bench.folder / "other").mkdir(mode=0o700)
        path = bench.folder / "other.toml"
        path.write_text(text)
        engine = Engine(loads(text, folder=bench.folder), path, asyncio.get_running_loop())
        made.append(engine)
        await engine.start()
        made.append(await Client.unix(str(bench.folder / "other" / "control.sock")))
        return engine, made[-1]

    yield start
    for one in reversed(made):
        await (one.stop() if isinstance(one, Engine) else one.close())


async def states(client: Client) -> dict[str, str]:
    return {one["name"]: one["state"] for one in (await client.call("agent.list"))["items"]}


@pytest.mark.parametrize("lease_s", [SHORT_S])
async def test_the_second_node_takes_over_when_the_first_is_cut_off(
    begin: Start, client_of: Any, stores: list[SharedStore], second: Any
) -> None:
    bench, phones = await begin("ayse", "bora", keys=CHAT)
    client = await client_of(bench)
    other, other_client = await second(bench)
    assert other.queues.owner.lease is None
    with pytest.raises(RequestError, match="somebody else decides"):
        await other_client.call("queue.get", name="support")
    with pytest.raises(RequestError, match="somebody else decides"):
        await other_client.call("agent.login", name="ayse")
    await client.call("agent.state", name="bora", state="break", reason="lunch")
    reservation = await accepted_chat(bench, client, "chat-1")
    await wait_in_queue(bench)
    invite = await phones["ayse"].expect("INVITE")
    await phones["ayse"].answer(invite, 180)
    await until(lambda: len(stores[0].server.states) == 3)  # two agents and a chat
    stores[0].is_cut = True
    await phones["ayse"].expect("CANCEL", within=10)  # nobody rings for a node that may not decide any more
    await phones["ayse"].answer(invite, 487)
    await bench.left.expect("BYE", within=10)  # answered already: the next destination is an end
    assert bench.engine.queues.owner.lease is None
    assert [event["decides"] for event in told(bench, "engine.queues")] == [True, False]
    await until(lambda: other.queues.owner.lease is not None, within=10)
    assert await states(other_client) == {"ayse": "talking", "bora": "break"}
    await other_client.call("agent.finish", name="ayse", reservation=reservation)
    assert (await states(other_client))["ayse"] == "available"
    stores[0].is_cut = False
    with pytest.raises(RequestError, match="somebody else decides"):
        await client.call("agent.login", name="bora")
    other.queues.close()
    await until(lambda: bench.engine.queues.owner.lease is not None, within=10)
    assert await states(client) == {"ayse": "available", "bora": "break"}


async def test_an_owner_of_the_past_rings_nobody(begin: Start, stores: list[SharedStore]) -> None:
    """It was asleep; another has come and gone with a later token. The store refuses its first reservation."""
    bench, phones = await begin("ayse")
    server = stores[0].server
    server.token, server.owner, server.expires = server.token + 1, ("other", "1"), server.clock() + 3600
    caller = await bench.left.call("100")
    await caller.ack(await bench.left.expect(200))
    await bench.left.expect("BYE")
    await phones["ayse"].hears_nothing(0.2)
    assert bench.engine.queues.owner.lease is None
    await bench.left.call("100")
    await bench.left.expect(486)  # not even taken into the queue


async def test_what_an_owner_has_left_engaged_is_free_under_the_next(begin: Start, stores: list[SharedStore]) -> None:
    bench, phones = await begin("ayse")
    queues, server = bench.engine.queues, stores[0].server
    queues.owner.close()
    server.engaged["ayse"] = {"of an owner who died"}
    stores[0].delay_s = 0.05
    await queues.owner.start(stores[0], "test")
    await wait_in_queue(bench)
    await pick_up(phones["ayse"], await phones["ayse"].expect("INVITE"))
    assert not told(bench, "reservation.refused")


async def test_a_second_engine_on_the_same_data_takes_over(begin: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later run of one node, by the lease in the database: what the first says is not written any more."""
    monkeypatch.setattr(LocalStore, "lease_s", 1.5)
    bench, _ = await begin("ayse")
    queues = bench.engine.queues
    again = Queues(queues.loop, bench.engine.events, queues.acd)
    await again.start(queues.world, queues.services, bench.engine.gate.make)
    assert again.owner.lease is not None
    again.keeping.save()
    queues.apply(queues.distributor.pause("ayse", "too late", queues.now))
    queues.keeping.save()
    await until(lambda: queues.owner.lease is None, within=10)
    await bench.engine.cdrs.flush()
    kept = await LocalStore(bench.engine.cdrs, "test").all()
    assert kept["agent", "ayse"]["state"] == "available"
    again.close()
    await until(lambda: queues.owner.lease is not None, within=10)
    assert queues.distributor.agent("ayse", queues.now).state == "available"


@pytest.mark.parametrize("lease_s", [SHORT_S])
async def test_a_talk_goes_on_when_somebody_else_decides(begin: Start, stores: list[SharedStore]) -> None:
    bench, phones = await begin("ayse")
    caller = await wait_in_queue(bench)
    await pick_up(phones["ayse"], await phones["ayse"].expect("INVITE"))
    await until(lambda: told(bench, "reservation.connected"))
    queues, server = bench.engine.queues, stores[0].server
    server.token, server.owner, server.expires = server.token + 1, ("other", "1"), server.clock() + 3600
    await until(lambda: queues.owner.lease is None, within=10)
    server.owner, server.expires = ("", ""), 0.0
    await until(lambda: queues.owner.lease is not None, within=10)
    assert len(list(bench.engine.calls())) == 1
    assert queues.distributor.agent("ayse", queues.now).outside_legs == 1  # busy, whoever has brought that call
    await caller.request("BYE")
    await bench.left.expect(200)
    await phones["ayse"].answer(await phones["ayse"].expect("BYE"), 200)
    await until(lambda: queues.distributor.agent("ayse", queues.now).outside_legs == 0)
    assert not server.engaged.get("ayse")


async def test_calls_and_chats_through_a_store_that_takes_its_time(
    begin: Start, client_of: Any, stores: list[SharedStore]
) -> None:
    bench, phones = await begin("ayse", keys=CHAT)
    stores[0].delay_s = 0.1
    client = await client_of(bench)
    await client.call("queue.join", queue="support", kind="chat", id="chat-1")
    (reservation,) = bench.engine.queues.held
    assert not stores[0].server.engaged.get("ayse")
    await client.call("agent.accept", reservation=reservation)  # the store has not answered yet
    await until(lambda: told(bench, "reservation.connected"))
    assert stores[0].server.engaged["ayse"] == {reservation}
    caller = await bench.left.call("100")
    await caller.ack(await bench.left.expect(200))
    await caller.request("BYE")  # gone before the store has answered: nobody rings
    await bench.left.expect(200)
    await phones["ayse"].hears_nothing(0.3)
    await wait_in_queue(bench)
    await pick_up(phones["ayse"], await phones["ayse"].expect("INVITE"))
    await until(lambda: len(stores[0].server.engaged["ayse"]) == 2)


async def test_an_agent_whom_the_store_knows_to_be_engaged_is_not_rung(
    begin: Start, stores: list[SharedStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owning, "TRY_AGAIN_S", 0.05)
    bench, phones = await begin("ayse", "bora", retry_delay=60)
    stores[0].server.engaged["ayse"] = {"elsewhere"}
    await wait_in_queue(bench)
    await pick_up(phones["bora"], await phones["bora"].expect("INVITE"))
    await phones["ayse"].hears_nothing(0.1)
    assert [event["cause"] for event in told(bench, "reservation.refused")] == ["busy"]
