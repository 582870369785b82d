"""Callbacks by agents whose phones do not ring: they stay on the line, or answer by themselves once they accept."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.queues.conftest import Staff, told, until
from tests.queues.test_callbacks import OFFERS, takes_the_offer

Hire = Callable[..., Awaitable[Staff]]
BORA = """
[[agent]]
name = "bora"
tenant = "acme"
endpoint = "user:102"
queues = ["support"]
"""


async def promised(staff: Hire, connection: str, order: str, keys: str = "", **changes: Any) -> Staff:
    """A caller has hung up and is to be called back; the agent is on a break meanwhile, and back then."""
    queue = OFFERS.format(more=f', order = "{order}"')
    people = await staff(agent=f'connection = "{connection}"\n{keys}', queue=queue, **changes)
    await people.client.call("agent.state", name="ayse", state="break")
    await takes_the_offer(people.bench, people.customer.talker)
    await people.client.call("agent.state", name="ayse", state="available")
    await until(lambda: told(people.bench, "reservation.created"))
    return people


async def accept(people: Staff, nth: int = 0) -> None:
    await people.client.call("agent.accept", reservation=told(people.bench, "reservation.created")[nth]["reservation"])


def offered(people: Staff) -> list[str]:
    return [one["work"] for one in told(people.bench, "reservation.created")]


async def assert_they_talk(people: Staff) -> None:
    await until(lambda: told(people.bench, "reservation.connected"))
    await people.hear([(False, True, False, False), (True, False, False, False)], people.customer, people.agent)


@pytest.mark.parametrize("keys", ["", "auto_accept = true"])
async def test_an_agent_on_the_line_accepts_and_the_customer_is_dialled(staff: Hire, keys: str) -> None:
    people = await promised(staff, "persistent", "agent", keys, wrap_up=30)
    if not keys:
        await people.bench.left.hears_nothing(0.2)  # nobody is dialled before
        await accept(people)
    invite = await people.bench.left.expect("INVITE")
    assert invite.start.startswith("INVITE sip:2001@")
    await people.bench.left.answer(invite, 180)
    await until(lambda: told(people.bench, "play.started"))
    await asyncio.sleep(0.2)
    assert people.agent.talker.heard().any()  # it rings: the agent hears that
    people.customer.talker.talk(invite.media_port, people.customer.tone)
    await people.bench.left.answer(invite, 200, people.customer.sdp)
    await people.bench.left.expect("ACK")
    await assert_they_talk(people)
    await people.bench.left.dialog_of(invite).request("BYE")
    await people.bench.left.expect(200)
    await until(lambda: told(people.bench, "reservation.wrapping"))
    await people.agent.peer.hears_nothing(0.1)  # its leg stands
    assert people.state() == "wrapping"
    assert [one["reason"] for one in told(people.bench, "queue.left")] == ["callback", "answered"]
    queue, agent = people.figures()
    assert (queue["called_back"], queue["answered"], queue["handled"], agent["handled"]) == (1, 1, 1, 1)


async def test_a_customer_who_is_busy_is_tried_again_and_the_agent_stays(staff: Hire) -> None:
    people = await promised(staff, "persistent", "agent", "auto_accept = true")
    for _ in range(2):
        await people.bench.left.answer(await people.bench.left.expect("INVITE"), 486)
        await people.bench.left.expect("ACK")
    await until(lambda: len(told(people.bench, "queue.left")) == 2)
    assert told(people.bench, "queue.left")[1]["reason"] == "unreached"
    await until(lambda: people.state() == "available")
    assert not people.bench.engine.queues.callbacks._attempts
    await until(lambda: len(list(people.bench.engine.calls())) == 1)
    (home,) = people.bench.engine.calls()
    assert not home.entertained  # nothing rings in the agent's ear any more
    assert {one["reason"] for one in told(people.bench, "reservation.rescinded")} == {"unanswered"}


async def test_an_agent_who_leaves_the_line_while_the_customer_is_rung(staff: Hire) -> None:
    people = await promised(staff, "persistent", "agent", "auto_accept = true")
    invite = await people.bench.left.expect("INVITE")
    await people.bench.left.answer(invite, 180)
    await people.agent.dialog.request("BYE")
    await people.agent.peer.expect(200)
    await people.bench.left.answer(await people.bench.left.expect("CANCEL"), 200)
    await people.bench.left.answer(invite, 487)
    await people.bench.left.expect("ACK")
    waits = (await people.client.call("queue.get", name="support"))["people"]
    assert [(one["kind"], one["number"]) for one in waits] == [("callback", "2001")]
    assert told(people.bench, "reservation.rescinded")[0]["reason"] == "failed"


async def test_customer_first_waits_for_an_agent_on_the_line_and_then_in_front(staff: Hire) -> None:
    """Who does not accept in time does not answer: the customer waits in the queue, with the place it had."""
    people = await promised(staff, "persistent", "customer", "auto_pause = 0", ring_timeout=1)
    invite = await people.bench.left.expect("INVITE")
    people.customer.talker.talk(invite.media_port, people.customer.tone)
    await people.bench.left.answer(invite, 200, people.customer.sdp)
    await people.bench.left.expect("ACK")
    await until(lambda: len(told(people.bench, "queue.joined")) == 3)
    first, promise, again = told(people.bench, "queue.joined")
    assert first["started"] == promise["started"] == again["started"]
    view = await people.client.call("queue.get", name="support")
    assert [one["kind"] for one in view["people"]] == ["call"]
    await until(lambda: offered(people)[-1:] == [again["work"]])
    await accept(people, -1)
    await assert_they_talk(people)
    assert len([one for one in people.bench.left.seen if one.method == "INVITE"]) == 1  # nobody is called twice


async def test_customer_first_and_an_agent_on_the_line_who_accepts(staff: Hire) -> None:
    people = await promised(staff, "persistent", "customer")
    invite = await people.bench.left.expect("INVITE")
    people.customer.talker.talk(invite.media_port, people.customer.tone)
    await people.bench.left.answer(invite, 200, people.customer.sdp)
    await people.bench.left.expect("ACK")
    await until(lambda: told(people.bench, "play.started"))
    assert not told(people.bench, "reservation.accepted")
    await accept(people)
    await assert_they_talk(people)


async def test_a_phone_that_answers_by_itself_rings_when_its_agent_accepts(staff: Hire) -> None:
    people = await promised(staff, "auto_answer", "agent")
    await people.agent.peer.hears_nothing(0.2)
    await accept(people)
    invite = await people.agent.peer.expect("INVITE")
    assert "answer-after=0" in invite.get("Call-Info")
    people.agent.talker.talk(invite.media_port, people.agent.tone)
    await people.agent.peer.answer(invite, 200, people.agent.sdp)
    await people.agent.peer.expect("ACK")
    invite = await people.bench.left.expect("INVITE")
    people.customer.talker.talk(invite.media_port, people.customer.tone)
    await people.bench.left.answer(invite, 200, people.customer.sdp)
    await people.bench.left.expect("ACK")
    await assert_they_talk(people)


async def test_a_phone_that_does_not_answer_leaves_a_customer_who_is_there_in_front(staff: Hire) -> None:
    people = await promised(staff, "on_demand", "customer", ring_timeout=1, retry_delay=60)
    invite = await people.bench.left.expect("INVITE")
    await people.bench.left.answer(invite, 200, people.customer.sdp)
    await people.bench.left.expect("ACK")
    ringing = await people.agent.peer.expect("INVITE")
    await people.agent.peer.answer(ringing, 180)
    await people.agent.peer.expect("CANCEL")
    await until(lambda: len(told(people.bench, "queue.joined")) == 3)
    assert len({one["started"] for one in told(people.bench, "queue.joined")}) == 1
    view = await people.client.call("queue.get", name="support")
    assert [one["kind"] for one in view["people"]] == ["call"]  # it is not called back, too
    assert not people.bench.engine.queues.callbacks.promises


async def test_a_customer_who_is_there_is_not_called_again_for_the_next_agent(staff: Hire) -> None:
    """Refused by one agent while another is free: that one is rung for the caller who waits."""
    people = await promised(staff, "on_demand", "customer", retry_delay=60, more=BORA)
    invite = await people.bench.left.expect("INVITE")
    people.customer.talker.talk(invite.media_port, people.customer.tone)
    await people.bench.left.answer(invite, 200, people.customer.sdp)
    await people.bench.left.expect("ACK")
    await people.client.call("agent.login", name="bora")
    await people.agent.peer.answer(await people.agent.peer.expect("INVITE"), 603)
    await people.agent.peer.expect("ACK")
    await people.colleague.pick_up()
    await until(lambda: told(people.bench, "reservation.connected"))
    assert told(people.bench, "reservation.connected")[0]["agent"] == "bora"
    assert told(people.bench, "reservation.refused")[0]["cause"] == "refused"
    await people.hear([(False, False, True, False), (True, False, False, False)], people.customer, people.colleague)
    assert len([one for one in people.bench.left.seen if one.method == "INVITE"]) == 1
