"""What control clients see and do: agents come and go, other work is queued, figures are told."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.queues.conftest import told, until

from santral.engine.control.protocol import RequestError

Start = Callable[..., Awaitable[Any]]
CHAT = "capacity = { call = 1, chat = 1 }\nmixes = true"


async def test_agents_log_in_pause_and_leave(begin: Start, client_of: Any) -> None:
    bench, _ = await begin("ayse")
    client = await client_of(bench)
    assert (await client.call("agent.get", name="ayse"))["state"] == "available"
    paused = await client.call("agent.state", name="ayse", state="break", reason="lunch")
    assert (paused["state"], paused["reason"]) == ("break", "lunch")
    assert (await client.call("queue.get", name="support"))["available"] == 0
    assert (await client.call("agent.state", name="ayse", state="available"))["state"] == "available"
    assert (await client.call("agent.logout", name="ayse"))["state"] == "offline"
    with pytest.raises(RequestError, match="not logged in"):
        await client.call("agent.state", name="ayse", state="break")
    assert (await client.call("agent.login", name="ayse"))["state"] == "available"
    changes = [(one["before"], one["state"]) for one in told(bench, "agent.changed")]
    assert changes == [
        ("offline", "available"), ("available", "break"), ("break", "available"), ("available", "offline"),
        ("offline", "available"),
    ]  # fmt: skip
    with pytest.raises(RequestError, match="no such agent"):
        await client.call("agent.get", name="fatma")


async def test_other_work_is_queued_offered_and_finished(begin: Start, client_of: Any) -> None:
    bench, phones = await begin("ayse", keys=CHAT)
    client = await client_of(bench)
    with pytest.raises(RequestError, match="calls join by their routes"):
        await client.call("queue.join", queue="support", kind="call")
    joined = await client.call("queue.join", queue="support", kind="chat", id="chat-1", number="web visitor")
    assert joined["work"] == "chat-1"
    await until(lambda: told(bench, "reservation.created"))
    created = told(bench, "reservation.created")[0]
    assert (created["kind"], created["agent"], created["call"]) == ("chat", "ayse", None)
    await client.call("agent.accept", reservation=created["reservation"])
    await client.call("agent.accept", reservation=created["reservation"])  # twice is once
    assert (await client.call("agent.get", name="ayse"))["state"] == "talking"
    await phones["ayse"].hears_nothing(0.1)  # the engine knows nothing else of it
    await client.call("agent.finish", name="ayse", reservation=created["reservation"])
    assert (await client.call("agent.get", name="ayse"))["state"] == "available"
    stats = await client.call("queue.stats", name="support", kind="chat", intervals=True)
    assert (stats["offered"], stats["answered"], stats["handled"]) == (1, 1, 1)
    assert [one["answered"] for one in stats["intervals"]] == [1]


async def test_other_work_refused_comes_back_and_is_taken_away(begin: Start, client_of: Any) -> None:
    bench, _ = await begin("ayse", keys=CHAT)
    client = await client_of(bench)
    await client.call("queue.join", queue="support", kind="chat", id="chat-1")
    first = told(bench, "reservation.created")[0]
    await client.call("agent.refuse", reservation=first["reservation"])
    await until(lambda: len(told(bench, "reservation.created")) == 2)  # retry_delay = 0, nobody else is there
    await client.call("queue.leave", work="chat-1")
    assert told(bench, "queue.left")[0]["reason"] == "request"
    with pytest.raises(RequestError, match="nobody waits"):
        await client.call("queue.leave", work="chat-1")


async def test_a_queue_is_closed_by_command(begin: Start, client_of: Any) -> None:
    bench, _ = await begin("ayse")
    client = await client_of(bench)
    assert (await client.call("queue.set", name="support", open="no"))["is_open"] is False
    await bench.left.call("100")
    await bench.left.expect(486)  # the next destination of the route
    assert told(bench, "queue.refused")[0]["reason"] == "closed"
    assert (await client.call("queue.set", name="support", open="hours"))["is_open"] is True
