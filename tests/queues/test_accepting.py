"""Offers taken and left: by command, by the phone, by both at once; phones that refuse, die, or hang up too early."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.queues.conftest import told, until
from tests.queues.test_waiting import ALL, pick_up, wait_in_queue

from santral.engine.control.protocol import RequestError

Start = Callable[..., Awaitable[Any]]
ONE_BY_ONE = {"retry_delay": 60, "queue": 'strategy = "top_down"'}


async def rings(bench: Any, phone: Any) -> tuple[Any, str]:
    """The agent's phone rings: its INVITE, and the reservation."""
    invite = await phone.expect("INVITE")
    await phone.answer(invite, 180)
    await until(lambda: any(one["agent"] == phone.name for one in told(bench, "reservation.ringing")))
    (mine,) = (one for one in told(bench, "reservation.ringing") if one["agent"] == phone.name)
    return invite, mine["reservation"]


async def cancelled(phone: Any, invite: Any) -> Any:
    cancel = await phone.expect("CANCEL")
    await phone.answer(cancel, 200)
    await phone.answer(invite, 487)
    await phone.expect("ACK")
    return cancel


def state(bench: Any, agent: str) -> str:
    return str(bench.engine.queues.distributor.agent(agent, bench.engine.queues.now).state)


async def test_accepting_by_command_before_the_phone_is_answered(begin: Start, client_of: Any) -> None:
    """The others stop ringing at once; the phone is answered then, and whatever is said twice counts once."""
    bench, phones = await begin("ayse", "bora", queue=ALL)
    client = await client_of(bench)
    await wait_in_queue(bench)
    mine, reservation = await rings(bench, phones["ayse"])
    theirs, other = await rings(bench, phones["bora"])
    await client.call("agent.accept", reservation=reservation)
    cancel = await cancelled(phones["bora"], theirs)
    assert cancel.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    assert not told(bench, "reservation.connected")  # nobody has been heard yet
    await client.call("agent.accept", reservation=reservation)
    await pick_up(phones["ayse"], mine)
    await until(lambda: told(bench, "reservation.connected"))
    await client.call("agent.accept", reservation=reservation)
    with pytest.raises(RequestError) as said:
        await client.call("agent.accept", reservation=other)
    assert said.value.code == "not_found"
    assert len(told(bench, "reservation.accepted")) == len(told(bench, "reservation.connected")) == 1
    assert (state(bench, "ayse"), state(bench, "bora")) == ("talking", "available")


@pytest.mark.parametrize("status", [486, 603])
async def test_accepted_by_command_but_the_phone_refuses(begin: Start, client_of: Any, status: int) -> None:
    """The caller is back at its place and goes to the next; it is no refusal of the agent's."""
    bench, phones = await begin("ayse", "bora", **ONE_BY_ONE)
    client = await client_of(bench)
    await wait_in_queue(bench)
    mine, reservation = await rings(bench, phones["ayse"])
    await client.call("agent.accept", reservation=reservation)
    await phones["ayse"].answer(mine, status)
    await phones["ayse"].expect("ACK")
    await pick_up(phones["bora"], await phones["bora"].expect("INVITE"))
    await until(lambda: told(bench, "reservation.connected"))
    assert [one["reason"] for one in told(bench, "reservation.rescinded")] == ["failed"]
    assert not told(bench, "reservation.refused")
    assert told(bench, "reservation.connected")[0]["agent"] == "bora"


async def test_refusing_by_command_stops_the_phone_and_rings_the_next(begin: Start, client_of: Any) -> None:
    bench, phones = await begin("ayse", "bora", **ONE_BY_ONE)
    client = await client_of(bench)
    await wait_in_queue(bench)
    mine, reservation = await rings(bench, phones["ayse"])
    await client.call("agent.refuse", reservation=reservation)
    await cancelled(phones["ayse"], mine)
    await pick_up(phones["bora"], await phones["bora"].expect("INVITE"))
    await until(lambda: told(bench, "reservation.connected"))
    (refused,) = told(bench, "reservation.refused")
    assert (refused["agent"], refused["cause"]) == ("ayse", "refused")
    with pytest.raises(RequestError, match="no such reservation"):
        await client.call("agent.refuse", reservation=reservation)


async def test_a_refusal_by_command_crosses_the_answer(begin: Start, client_of: Any) -> None:
    """The 200 that comes when the agent has refused is acknowledged and ended, and connects nobody."""
    bench, phones = await begin("ayse", "bora", **ONE_BY_ONE)
    client = await client_of(bench)
    await wait_in_queue(bench)
    mine, reservation = await rings(bench, phones["ayse"])
    await client.call("agent.refuse", reservation=reservation)
    await phones["ayse"].expect("CANCEL")
    await pick_up(phones["ayse"], mine)
    await phones["ayse"].expect("BYE")
    await pick_up(phones["bora"], await phones["bora"].expect("INVITE"))
    await until(lambda: told(bench, "reservation.connected"))
    assert [one["agent"] for one in told(bench, "reservation.accepted", "reservation.connected")] == ["bora", "bora"]


async def test_an_agent_who_hangs_up_during_the_whisper_loses_no_caller(
    begin: Start, sounds: Callable[..., Path]
) -> None:
    """It has answered and heard the name of the queue, but never the caller."""
    sounds("says.wav", 911.0, 2)
    bench, phones = await begin("ayse", "bora", retry_delay=60, queue='strategy = "top_down"\nwhisper = ["says.wav"]')
    caller = await wait_in_queue(bench)
    agent = await pick_up(phones["ayse"], await phones["ayse"].expect("INVITE"))
    await until(lambda: told(bench, "play.started"))
    await agent.request("BYE")
    await phones["ayse"].expect(200)
    invite = await phones["bora"].expect("INVITE")
    assert [one["reason"] for one in told(bench, "reservation.rescinded")] == ["failed"]
    await pick_up(phones["bora"], invite)
    await until(lambda: told(bench, "reservation.connected"), within=15)
    (connected,) = told(bench, "reservation.connected")
    assert (connected["agent"], len(told(bench, "queue.joined"))) == ("bora", 1)
    await caller.request("BYE")
    await bench.left.expect(200)


async def test_a_caller_who_hangs_up_during_the_whisper_is_abandoned_while_connecting(
    begin: Start, sounds: Callable[..., Path]
) -> None:
    sounds("says.wav", 911.0, 2)
    bench, phones = await begin("ayse", wrap_up=30, queue='whisper = ["says.wav"]')
    caller = await wait_in_queue(bench)
    await pick_up(phones["ayse"], await phones["ayse"].expect("INVITE"))
    await until(lambda: told(bench, "play.started"))
    await caller.request("BYE")
    await bench.left.expect(200)
    await phones["ayse"].expect("BYE")
    (left,) = told(bench, "queue.left")
    assert (left["reason"], left["is_connecting"]) == ("abandoned", True)
    await until(lambda: state(bench, "ayse") == "available")  # nothing to wrap up
    queue = bench.engine.queues.counting.queue("support", None, None, None)
    assert (queue["answered"], queue["abandoned"], queue["abandoned_connecting"]) == (0, 1, 1)


async def test_phones_that_fail_in_every_way_pause_only_who_did_not_take_it(begin: Start, client_of: Any) -> None:
    """Twice refused, and the agent is not answering; busy and unreachable do not count."""
    bench, phones = await begin("ayse", retry_delay=0, keys="auto_pause = 2")
    client = await client_of(bench)
    await wait_in_queue(bench)
    for status in (486, 503, 603, 486, 603):
        await phones["ayse"].answer(await phones["ayse"].expect("INVITE"), status)
        await phones["ayse"].expect("ACK")
    await until(lambda: state(bench, "ayse") == "not_answering")
    causes = [one["cause"] for one in told(bench, "reservation.refused")]
    assert causes == ["busy", "unreachable", "refused", "busy", "refused"]
    await phones["ayse"].hears_nothing(0.2)
    await client.call("agent.state", name="ayse", state="available")
    await pick_up(phones["ayse"], await phones["ayse"].expect("INVITE"))
    await until(lambda: told(bench, "reservation.connected"))
