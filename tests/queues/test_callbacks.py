"""Callers hang up, keep their place and are called back: agent first or customer first, tried again, screened."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.queues.conftest import told, until
from tests.queues.test_waiting import pick_up

Start = Callable[..., Awaitable[Any]]
OUT = """
[[route]]
name = "out"
tenant = "acme"
called = "2\\\\d+"
destinations = [{ trunk = "carrier" }]
"""
OFFERS = 'callback = {{ key = "1", thanks = "beep.wav", offer_after = 60, retry_after = 0.2, attempts = 2{more} }}'


async def takes_the_offer(bench: Any, talker: Any, key: int = 1) -> None:
    """A caller waits, presses the key, is thanked and hung up."""
    caller = await bench.left.call("100", bench.left.sdp(talker.port, "0 101"))
    answer = await bench.left.expect(200)
    await caller.ack(answer)
    talker.talk(answer.media_port)
    await until(lambda: len(talker.packets) > 5)
    talker.press(key)
    bye = await bench.left.expect("BYE", within=10)
    await bench.left.answer(bye, 200)


async def test_agent_first(begin: Start, talkers: Callable[[int], list[Any]], client_of: Any) -> None:
    bench, phones = await begin("ayse", queue=OFFERS.format(more=""), more=OUT)
    client = await client_of(bench)
    await client.call("agent.state", name="ayse", state="break")
    await takes_the_offer(bench, talkers(1)[0])
    assert told(bench, "queue.left")[0]["reason"] == "callback"
    waits = (await client.call("queue.get", name="support"))["people"]
    assert [(one["kind"], one["number"]) for one in waits] == [("callback", "2001")]
    await client.call("agent.state", name="ayse", state="available")
    agent = await pick_up(phones["ayse"], await phones["ayse"].expect("INVITE"))
    customer = await bench.left.expect("INVITE")
    assert customer.start.startswith("INVITE sip:2001@")
    await bench.left.answer(customer, 180)
    await bench.left.answer(customer, 200, bench.left.sdp(5004, "0 101"))
    await bench.left.expect("ACK")
    await until(lambda: told(bench, "reservation.connected"))
    assert told(bench, "reservation.connected")[0]["kind"] == "callback"
    await agent.request("BYE")
    await phones["ayse"].expect(200)
    await bench.left.answer(await bench.left.expect("BYE"), 200)
    await until(lambda: not list(bench.engine.calls()))
    await bench.engine.cdrs.flush()
    record = (await bench.engine.cdrs.page(10))["items"][0]
    assert (record["queue"], record["agent"]) == ("support", "ayse")
    assert [one["reason"] for one in told(bench, "queue.left")] == ["callback", "answered"]
    assert not (await client.call("queue.get", name="support"))["waiting"]


async def test_customers_who_do_not_answer_are_tried_again_and_given_up(
    begin: Start, talkers: Callable[[int], list[Any]], client_of: Any
) -> None:
    more = ', order = "customer"'
    bench, phones = await begin("ayse", queue=OFFERS.format(more=more), more=OUT)
    client = await client_of(bench)
    await client.call("agent.state", name="ayse", state="break")
    await takes_the_offer(bench, talkers(1)[0])
    await client.call("agent.state", name="ayse", state="available")
    for _ in range(2):
        await bench.left.answer(await bench.left.expect("INVITE"), 486)
        await bench.left.expect("ACK")
    await until(lambda: len(told(bench, "queue.left")) == 2)
    assert told(bench, "queue.left")[1]["reason"] == "unreached"
    await phones["ayse"].hears_nothing(0.1)
    assert {one["reason"] for one in told(bench, "reservation.rescinded")} == {"unanswered"}


async def test_customer_first_waits_in_front_when_the_agent_does_not_answer(
    begin: Start, talkers: Callable[[int], list[Any]], client_of: Any
) -> None:
    more = ', order = "customer"'
    bench, phones = await begin("ayse", "bora", queue=OFFERS.format(more=more), more=OUT, retry_delay=60)
    client = await client_of(bench)
    for name in phones:
        await client.call("agent.state", name=name, state="break")
    await takes_the_offer(bench, talkers(1)[0])
    await client.call("agent.state", name="ayse", state="available")
    customer = await bench.left.expect("INVITE")
    await bench.left.answer(customer, 200, bench.left.sdp(5004, "0 101"))
    await bench.left.expect("ACK")
    await phones["ayse"].answer(await phones["ayse"].expect("INVITE"), 603)
    await phones["ayse"].expect("ACK")
    await until(lambda: len(told(bench, "queue.joined")) == 3)  # the caller, its callback, the customer who waits
    await client.call("agent.state", name="bora", state="available")
    await pick_up(phones["bora"], await phones["bora"].expect("INVITE"))
    await until(lambda: told(bench, "reservation.connected"))
    assert told(bench, "reservation.connected")[0]["agent"] == "bora"


async def test_numbers_that_may_not_be_dialled_are_not_called_back(
    begin: Start, talkers: Callable[[int], list[Any]], client_of: Any
) -> None:
    bench, _ = await begin("ayse", queue=OFFERS.format(more=""))  # no route leads out
    client = await client_of(bench)
    await client.call("agent.state", name="ayse", state="break")
    (talker,) = talkers(1)
    caller = await bench.left.call("100", bench.left.sdp(talker.port, "0 101"))
    answer = await bench.left.expect(200)
    await caller.ack(answer)
    talker.talk(answer.media_port)
    await until(lambda: len(talker.packets) > 5)
    talker.press(1)
    await until(lambda: told(bench, "queue.callback_refused"))
    await asyncio.sleep(0.05)
    assert (await client.call("queue.get", name="support"))["waiting"] == 1
