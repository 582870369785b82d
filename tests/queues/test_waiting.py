"""Callers wait, agents are rung for them: who answers, what the others are told, what is recorded."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.queues.conftest import told, until

Start = Callable[..., Awaitable[Any]]


async def test_a_caller_is_answered_waits_and_hears_the_agent(begin: Start) -> None:
    bench, phones = await begin("ayse")
    caller = await bench.left.call("100")
    await caller.ack(await bench.left.expect(200))
    invite = await phones["ayse"].expect("INVITE")
    await phones["ayse"].answer(invite, 180)
    await phones["ayse"].answer(invite, 200, phones["ayse"].sdp(5000, "0 101"))
    await phones["ayse"].expect("ACK")
    await until(lambda: told(bench, "reservation.connected"))
    await caller.request("BYE")
    await bench.left.expect(200)
    bye = await phones["ayse"].expect("BYE")
    await phones["ayse"].answer(bye, 200)
    record = await bench.record()
    assert (record["queue"], record["agent"], record["cause"]) == ("support", "ayse", "normal")
    kinds = [event["type"] for event in bench.events() if event["type"].startswith(("queue.", "reservation."))]
    assert kinds == [
        "queue.joined", "reservation.created", "reservation.ringing", "reservation.accepted", "queue.left",
        "reservation.connected", "reservation.wrapping", "reservation.completed",
    ]  # fmt: skip
