"""Agents whose phone or program is gone for a while: their state is kept, nothing rings meanwhile, nothing is lost."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.calls.test_users import register
from tests.queues.conftest import told, until
from tests.queues.test_agents_phones import at_home, state
from tests.queues.test_keeping import accepted_chat, again
from tests.queues.test_waiting import pick_up, wait_in_queue

Start = Callable[..., Awaitable[Any]]
GONE = "Expires: 0\r\n"


def agent(bench: Any) -> Any:
    return bench.engine.queues.distributor.agent("zeynep", bench.engine.queues.now)


async def test_a_phone_that_is_not_registered_is_not_rung_and_its_agent_stays(begin: Start) -> None:
    bench, phone = await at_home(begin, keys="logged_in = true")
    await register(phone, headers=GONE)
    await until(lambda: not agent(bench).is_reachable)
    assert (state(bench), agent(bench).is_ready) == ("available", False)
    await wait_in_queue(bench)
    await phone.hears_nothing(0.2)
    assert not told(bench, "reservation.created")
    await register(phone)
    await pick_up(phone, await phone.expect("INVITE"))
    await until(lambda: state(bench) == "talking")
    changes = [(one["before"], one["state"]) for one in told(bench, "agent.changed") if one["agent"] == "zeynep"]
    assert ("available", "offline") not in changes
    assert not told(bench, "reservation.refused", "reservation.timed_out")  # and no penalty


async def test_a_break_outlasts_the_registration(begin: Start, client_of: Any) -> None:
    bench, phone = await at_home(begin, keys="logged_in = true")
    client = await client_of(bench)
    await client.call("agent.state", name="zeynep", state="break", reason="lunch")
    await register(phone, headers=GONE)
    await until(lambda: not agent(bench).is_reachable)
    await register(phone)
    await until(lambda: agent(bench).is_reachable)
    assert (state(bench), agent(bench).reason) == ("break", "lunch")
    assert len([one for one in told(bench, "agent.changed") if one["state"] == "break"]) == 1


async def test_a_talk_goes_on_without_the_registration(begin: Start) -> None:
    bench, phone = await at_home(begin, keys="logged_in = true\nwrap_up = 600")
    caller = await wait_in_queue(bench)
    await pick_up(phone, await phone.expect("INVITE"))
    await until(lambda: told(bench, "reservation.connected"))
    await register(phone, headers=GONE)
    await until(lambda: not agent(bench).is_reachable)
    assert state(bench) == "talking"
    await caller.request("BYE")
    await bench.left.expect(200)
    await phone.answer(await phone.expect("BYE"), 200)
    await until(lambda: state(bench) == "wrapping")


async def test_it_is_unreachable_over_a_restart_until_it_registers(begin: Start) -> None:
    bench, phone = await at_home(begin, keys="logged_in = true")
    await register(phone, headers=GONE)
    await until(lambda: not agent(bench).is_reachable)
    await again(bench)
    phone.engine = bench.left.engine = bench.engine.signalling.transports.addresses["default", "udp"]
    assert (state(bench), agent(bench).is_reachable) == ("available", False)
    await wait_in_queue(bench)
    await phone.hears_nothing(0.2)
    await register(phone)
    await pick_up(phone, await phone.expect("INVITE"))
    await until(lambda: state(bench) == "talking")


async def test_a_program_that_is_gone_takes_nothing_with_it(begin: Start, client_of: Any) -> None:
    """Who has logged in, paused and accepted by a connection of the control socket finds it all by the next."""
    bench, _ = await begin("ayse", "bora", keys="capacity = { call = 1, chat = 2 }")
    client = await client_of(bench)
    await client.call("agent.logout", name="ayse")
    await client.call("agent.login", name="ayse")
    await client.call("agent.state", name="bora", state="break", reason="lunch")
    reservation = await accepted_chat(bench, client, "chat-1")
    await client.call("queue.join", queue="support", kind="chat", id="chat-2")
    await until(lambda: len(bench.engine.queues.held) == 2)
    await client.close()
    await until(lambda: not bench.engine.control.connected)
    client = await client_of(bench)
    ayse, bora = [await client.call("agent.get", name=name) for name in ("ayse", "bora")]
    assert (ayse["presence"], bora["state"], bora["reason"]) == ("available", "break", "lunch")
    held = {one["work"]: one for one in ayse["reservations"]}
    assert (held["chat-1"]["phase"], held["chat-2"]["phase"]) == ("connected", "pending")
    await client.call("agent.accept", reservation=held["chat-2"]["id"])
    for one in (reservation, held["chat-2"]["id"]):
        await client.call("agent.finish", name="ayse", reservation=one)
    assert (await client.call("agent.get", name="ayse"))["reservations"] == []
