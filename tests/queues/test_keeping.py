"""What survives a restart: agents' states, other work that waits, promises to call back."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.queues.conftest import told, until
from tests.queues.test_callbacks import OFFERS, OUT, takes_the_offer

from santral.engine.app import Engine
from santral.engine.config.load import loads
from santral.engine.control.protocol import RequestError

Start = Callable[..., Awaitable[Any]]


async def again(bench: Any, client: Any = None, meanwhile: Callable[[], None] = lambda: None) -> None:
    """The same engine, stopped and started; for a client that stays it would wait a while."""
    if client is not None:
        await client.close()
    await bench.engine.stop()
    meanwhile()
    text = (bench.folder / "santral.toml").read_text()
    bench.engine = Engine(loads(text, folder=bench.folder), bench.folder / "santral.toml", asyncio.get_running_loop())
    await bench.engine.start()


async def test_agents_and_other_work_are_found_again(begin: Start, client_of: Any) -> None:
    bench, _ = await begin("ayse", "bora", "cem", keys="capacity = { call = 1, chat = 1 }")
    client = await client_of(bench)
    await client.call("agent.state", name="ayse", state="break", reason="lunch")
    await client.call("agent.logout", name="bora")
    await client.call("agent.logout", name="cem")
    for name in ("first", "second"):
        await client.call("queue.join", queue="support", kind="chat", id=name)
    before = (await client.call("queue.get", name="support"))["people"]
    await again(bench, client)
    client = await client_of(bench)
    agents = {one["name"]: one for one in (await client.call("agent.list"))["items"]}
    assert {name: one["state"] for name, one in agents.items()} == {
        "ayse": "break",
        "bora": "offline",
        "cem": "offline",
    }
    assert agents["ayse"]["reason"] == "lunch"
    after = (await client.call("queue.get", name="support"))["people"]
    assert [one["id"] for one in after] == ["first", "second"]
    assert after[0]["waited"] >= before[0]["waited"]
    stats = await client.call("agent.get", name="ayse", stats=True)
    assert stats["stats"]["states"]["break"] >= 0


@pytest.mark.parametrize(("kind", "ayse"), [("work", "break"), ("promise", "break"), ("agent", "available")])
async def test_what_cannot_be_read_is_left_behind(
    begin: Start, client_of: Any, kind: str, ayse: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A row of another form is one thing less; where that of an agent does not fit the rest, the queues begin empty."""
    bench, _ = await begin("ayse", "bora")
    client = await client_of(bench)
    await client.call("agent.state", name="ayse", state="break", reason="lunch")

    def spoil() -> None:
        row = ("test", kind, "bora", json.dumps({"number": "4111111111111111"}), "2026-11-21T10:00:00.123Z")
        with contextlib.closing(sqlite3.connect(bench.folder / "data" / "santral.db")) as database, database:
            database.execute(
                "INSERT OR REPLACE INTO acd_states (node, kind, name, state, saved) VALUES (?,?,?,?,?)", row
            )

    await again(bench, client, spoil)
    client = await client_of(bench)
    agents = {one["name"]: one["state"] for one in (await client.call("agent.list"))["items"]}
    assert agents == {"ayse": ayse, "bora": "available"}
    said = "".join(capfd.readouterr())
    assert "cannot be read" in said
    assert "4111" not in said


async def test_promises_are_kept_over_a_restart(
    begin: Start, talkers: Callable[[int], list[Any]], client_of: Any
) -> None:
    bench, phones = await begin("ayse", queue=OFFERS.format(more=""), more=OUT)
    client = await client_of(bench)
    await client.call("agent.state", name="ayse", state="break")
    await takes_the_offer(bench, talkers(1)[0])
    await until(lambda: not list(bench.engine.calls()))
    await again(bench, client)
    client = await client_of(bench)
    people = (await client.call("queue.get", name="support"))["people"]
    assert [(one["kind"], one["number"]) for one in people] == [("callback", "2001")]
    await client.call("agent.state", name="ayse", state="available")
    assert (await phones["ayse"].expect("INVITE")).start.startswith("INVITE sip:ayse@")


async def test_figures_are_found_again_in_the_database(begin: Start, client_of: Any) -> None:
    bench, _ = await begin("ayse", keys="capacity = { call = 1, chat = 1 }")
    client = await client_of(bench)
    await client.call("queue.join", queue="support", kind="chat", id="chat-1")
    await until(lambda: bench.engine.queues.held)
    (reservation,) = bench.engine.queues.held
    await client.call("agent.accept", reservation=reservation)
    await client.call("agent.finish", name="ayse", reservation=reservation)
    await again(bench, client)
    client = await client_of(bench)
    queue = await client.call("queue.stats", name="support", intervals=True)
    assert [one["answered"] for one in queue["intervals"]] == [1]
    agent = await client.call("agent.get", name="ayse", intervals=True)
    assert sum(one["handled"] for one in agent["intervals"]) == 1


async def accepted_chat(bench: Any, client: Any, name: str) -> str:
    """A chat that ayse has taken; its reservation."""
    await client.call("queue.join", queue="support", kind="chat", id=name, number="web visitor")
    await until(lambda: any(held.work == name for held in bench.engine.queues.held.values()))
    reservation = next(held.id for held in bench.engine.queues.held.values() if held.work == name)
    await client.call("agent.accept", reservation=reservation)
    return reservation


async def test_other_work_in_an_agent_s_hands_is_found_again(begin: Start, client_of: Any) -> None:
    bench, _ = await begin("ayse", keys="capacity = { call = 1, chat = 2 }", wrap_up=600)
    client = await client_of(bench)
    talking = await accepted_chat(bench, client, "talking")
    wrapping = await accepted_chat(bench, client, "wrapping")
    bench.engine.queues.apply(bench.engine.queues.distributor.finished(wrapping, bench.engine.queues.now))
    await client.call("queue.join", queue="support", kind="chat", id="waiting")
    await again(bench, client)
    client = await client_of(bench)
    ayse = await client.call("agent.get", name="ayse")
    assert ayse["state"] == "talking"
    held = [(one["id"], one["work"], one["phase"]) for one in ayse["reservations"]]
    assert sorted(held) == sorted([(talking, "talking", "connected"), (wrapping, "wrapping", "wrapping")])
    people = (await client.call("queue.get", name="support"))["people"]
    assert [one["id"] for one in people] == ["waiting"]  # there is no room for a third
    with pytest.raises(RequestError, match="queued already"):
        await client.call("queue.join", queue="support", kind="chat", id="talking")
    await client.call("agent.finish", name="ayse", reservation=wrapping)
    await until(lambda: [one for one in told(bench, "reservation.created") if one["work"] == "waiting"])
    await client.call("agent.finish", name="ayse", reservation=talking)
    ended = {one["reservation"]: one for one in told(bench, "reservation.wrapping")}
    assert ended[talking]["queue"] == "support"
    await again(bench, client)  # what is done is not found again
    client = await client_of(bench)
    held = [one["work"] for one in (await client.call("agent.get", name="ayse"))["reservations"]]
    assert "wrapping" not in held


async def test_work_whose_agent_is_gone_waits_again_in_its_place(begin: Start, client_of: Any) -> None:
    bench, _ = await begin("ayse", "bora", keys="capacity = { call = 1, chat = 1 }")
    client = await client_of(bench)
    await client.call("agent.logout", name="bora")
    reservation = await accepted_chat(bench, client, "first")
    await client.call("queue.join", queue="support", kind="chat", id="second")
    file = bench.folder / "santral.toml"
    before, name, after = file.read_text().partition('[[agent]]\nname = "ayse"')
    file.write_text(before + after[after.index("[[") :])
    assert name
    await again(bench, client)
    client = await client_of(bench)
    people = (await client.call("queue.get", name="support"))["people"]
    assert [one["id"] for one in people] == ["first", "second"]
    with pytest.raises(RequestError, match="it is over"):
        await client.call("agent.accept", reservation=reservation)
    await client.call("agent.login", name="bora")
    await until(lambda: told(bench, "reservation.created")[-1]["work"] == "first")


async def test_figures_go_on_over_a_restart(begin: Start, client_of: Any) -> None:
    """Who joined before it and was answered behind it is offered once and answered once, in one row a quarter."""
    bench, _ = await begin("ayse", "bora", keys="capacity = { call = 1, chat = 1 }")
    client = await client_of(bench)
    await client.call("agent.state", name="ayse", state="break")
    await client.call("agent.logout", name="bora")
    await client.call("queue.join", queue="support", kind="chat", id="chat-1")
    before = (await client.call("agent.get", name="ayse", stats=True))["stats"]["states"]["break"]
    await again(bench, client)
    client = await client_of(bench)
    await client.call("agent.state", name="ayse", state="available")
    await until(lambda: bench.engine.queues.held)
    (reservation,) = bench.engine.queues.held
    await client.call("agent.accept", reservation=reservation)
    stats = await client.call("queue.stats", name="support", intervals=True)
    assert (stats["offered"], stats["answered"], stats["waiting"]) == (1, 1, 0)
    assert stats["wait_p50"] == pytest.approx(stats["average_speed_of_answer"], rel=0.02)
    for key, total in (("offered", 1), ("answered", 1)):
        assert sum(one[key] for one in stats["intervals"]) == total
    starts = [one["started"] for one in stats["intervals"]]
    assert starts == sorted(set(starts))
    assert all(one["started"][14:16] in {"00", "15", "30", "45"} for one in stats["intervals"])
    ayse = await client.call("agent.get", name="ayse", stats=True, intervals=True)
    assert ayse["stats"]["states"]["break"] > before  # the time in which the engine was down is break, too
    counted = sum(one["logged_in"] for one in ayse["intervals"])
    assert counted == pytest.approx(ayse["stats"]["logged_in"], abs=1)
    (ended,) = [event for event in told(bench, "agent.changed") if event["before"] == "break"]
    assert ayse["stats"]["states"]["break"] == pytest.approx(ended["for_s"], abs=0.1)  # nothing counted twice


ALWAYS = """
[[schedule]]
name = "always"
tenant = "acme"
work = ["daily 00:00-24:00 Europe/Istanbul"]
"""


async def test_adherence_is_told_by_agent_quarter_and_tenant(begin: Start, client_of: Any) -> None:
    bench, _ = await begin("ayse", "bora", keys='schedule = "always"', queue=ALWAYS)
    client = await client_of(bench)
    await client.call("agent.logout", name="bora")
    ayse = await client.call("agent.get", name="ayse")
    assert (ayse["schedule"], ayse["due"]) == ("always", "work")
    await asyncio.sleep(0.2)  # something to be late for
    ayse, bora = [await client.call("agent.get", name=name, stats=True, intervals=True) for name in ("ayse", "bora")]
    assert ayse["stats"]["adherence"] > 0.9
    assert [one["adherence"] > 0.9 for one in ayse["intervals"]] == [True] * len(ayse["intervals"])
    everybody = await client.call("queue.stats", tenant="acme", intervals=True)
    assert bora["stats"]["adherence"] < everybody["agents"]["adherence"] < ayse["stats"]["adherence"]
    quarters = [one["agents"]["scheduled"] for one in everybody["intervals"]]
    assert sum(quarters) == pytest.approx(everybody["agents"]["scheduled"], abs=1)


async def test_quarters_of_a_tenant_and_of_a_kind_are_found_again(begin: Start, client_of: Any) -> None:
    bench, _ = await begin("ayse", keys="capacity = { call = 1, chat = 1, mail = 1 }\nmixes = true")
    client = await client_of(bench)
    await client.call("agent.finish", name="ayse", reservation=await accepted_chat(bench, client, "chat-1"))
    await client.call("queue.join", queue="support", kind="mail", id="mail-1")
    for restart in (False, True):
        if restart:
            await again(bench, client)
            client = await client_of(bench)
        for kind, answered in (("chat", 1), ("mail", 0), ("call", 0)):
            found = await client.call("queue.stats", name="support", kind=kind, intervals=True)
            assert sum(one["answered"] for one in found["intervals"]) == found["answered"] == answered
        tenant = await client.call("queue.stats", tenant="acme", intervals=True)
        assert sum(one["queues"]["offered"] for one in tenant["intervals"]) == tenant["queues"]["offered"] == 2
        assert sum(one["agents"]["handled"] for one in tenant["intervals"]) == tenant["agents"]["handled"] == 1
    await bench.engine.cdrs.flush()
    with contextlib.closing(sqlite3.connect(bench.folder / "data/santral.db")) as database:
        rows = database.execute(
            "SELECT figures FROM queue_intervals WHERE kind = 'tenant' AND name = 'acme'"
        ).fetchall()
    assert sum(json.loads(figures)["queues"]["answered"] for (figures,) in rows) == 1
