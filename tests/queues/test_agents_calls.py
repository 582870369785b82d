"""What agents do with a queue's call: hold, consult, transfer, conference, wrap up. Who hears whom; what is counted."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.calls.test_replaces import named, refer_to
from tests.calls.test_transfer import refer
from tests.queues.conftest import Staff, told, until

Hire = Callable[..., Awaitable[Staff]]
WRAPS = {"wrap_up": 30}
MUSIC = (False, False, False, False, True)
TALK = [(False, True, False, False), (True, False, False, False)]  # customer and agent, apart from all others
HANDED_OVER = [(False, False, True, False), (True, False, False, False)]  # customer and colleague
BORA = """
[[agent]]
name = "bora"
tenant = "acme"
endpoint = "user:102"
queues = ["support"]
[[route]]
name = "queue"
tenant = "acme"
called = "700"
destinations = [{ queue = "support" }]
[[route]]
name = "trio"
tenant = "acme"
called = "800"
destinations = [{ conference = "trio" }]
"""
STAYS = 'connection = "persistent"\nauto_accept = true'


async def finish(people: Staff) -> dict[str, Any]:
    """The agent's talk is over: how it was counted."""
    await until(lambda: told(people.bench, "reservation.wrapping"))
    (done,) = told(people.bench, "reservation.wrapping")
    assert people.state() == "wrapping"
    return done


def assert_counted_once(people: Staff) -> None:
    """One caller, one answer, one talk of one agent, whatever else was dialled."""
    queue, agent = people.figures()
    assert (queue["offered"], queue["answered"], queue["handled"]) == (1, 1, 1)
    assert (agent["offers"], agent["accepted"], agent["handled"]) == (1, 1, 1)
    done = told(people.bench, "reservation.wrapping")[0]
    assert (queue["talk"], agent["talk"]) == pytest.approx((done["talk"], done["talk"]), abs=0.01)
    assert (queue["hold"], agent["hold"]) == pytest.approx((done["hold"], done["hold"]), abs=0.01)


async def test_hold_that_is_passed_on_is_counted_as_hold(staff: Hire) -> None:
    """The agent's phone says so, the customer's agrees: only then does it count, and until it is over."""
    people = await staff(**WRAPS)
    await people.talk()
    for version, (wish, other) in enumerate((("sendonly", "recvonly"), ("sendrecv", "sendrecv")), 2):
        await people.agent.dialog.request("INVITE", people.agent.described(wish, version))
        asked = await people.bench.left.expect("INVITE")
        assert asked.direction == wish
        await people.bench.left.answer(asked, 200, people.customer.described(other, version))
        await people.bench.left.expect("ACK")
        await people.agent.dialog.ack(await people.agent.peer.expect(200))
        await asyncio.sleep(0.4)
        assert people.state() == "talking"
    await people.agent.dialog.request("BYE")
    await people.agent.peer.expect(200)
    done = await finish(people)
    assert (done["hold"] >= 0.4, done["talk"] >= 0.4) == (True, True)
    assert_counted_once(people)


async def test_hold_by_command_is_hold_too(staff: Hire, sounds: Callable[..., Any]) -> None:
    sounds("hold-music.wav", 1700.0, 1.5)
    people = await staff(**WRAPS)
    await people.talk()
    (call,) = people.bench.engine.calls()
    await people.client.call("call.hold", id=call.id, leg="originating")
    asked = await people.bench.left.expect("INVITE")
    await people.bench.left.answer(asked, 200, people.customer.described("recvonly", 2))
    await people.bench.left.expect("ACK")
    await people.hear([MUSIC], people.customer, also=(1700.0,))
    await people.client.call("call.resume", id=call.id)
    asked = await people.bench.left.expect("INVITE")
    await people.bench.left.answer(asked, 200, people.customer.described("sendrecv", 3))
    await people.bench.left.expect("ACK")
    await people.hear(TALK, people.customer, people.agent)
    await people.customer.dialog.request("BYE")
    await people.bench.left.expect(200)
    done = await finish(people)
    assert (done["hold"] >= 0.4, done["talk"] >= 0.4) == (True, True)
    assert_counted_once(people)


async def test_consult_and_attended_transfer(staff: Hire, sounds: Callable[..., Any]) -> None:
    """The customer waits with music, the consultation is nobody's talk, the transfer ends the agent's; nobody else is
    offered meanwhile.
    """
    sounds("hold-music.wav", 1700.0, 1.5)
    people = await staff(user='hold = "music"', **WRAPS)
    await people.talk()
    await people.agent.change("sendonly", 2)
    asked = await people.consult()
    await people.hear([(False, False, True, False), (False, True, False, False)], people.second, people.colleague)
    next_one = await people.bench.left.call("100")
    await next_one.ack(await people.bench.left.expect(200))
    await until(lambda: len(told(people.bench, "queue.joined")) == 2)
    await refer_to(people.agent.dialog, named(asked), "102")
    await people.agent.peer.expect(202)
    await people.agent.is_hung_up(people.agent.dialog, asked)
    await people.hear(HANDED_OVER, people.customer, people.colleague)
    done = await finish(people)
    assert (done["hold"] > 0.4, done["talk"] > 0) == (True, True)
    queue, agent = people.figures()
    assert (queue["answered"], queue["waiting"], queue["handled"], agent["handled"]) == (1, 1, 1, 1)
    assert len(told(people.bench, "reservation.created")) == 1
    await people.client.call("agent.finish", name="ayse")
    await people.agent.pick_up()  # the one who waits; its own phone is free again
    await until(lambda: len(told(people.bench, "reservation.connected")) == 2)


async def test_a_consultation_that_leads_nowhere_leaves_the_talk_as_it_was(
    staff: Hire, sounds: Callable[..., Any]
) -> None:
    sounds("hold-music.wav", 1700.0, 1.5)
    people = await staff(user='hold = "music"', **WRAPS)
    await people.talk()
    await people.agent.change("sendonly", 2)
    asked = await people.consult()
    await asked.request("BYE")
    await people.agent.peer.expect(200)
    await people.colleague.is_hung_up()
    await people.agent.change("sendrecv", 3)
    await people.hear(TALK, people.customer, people.agent)
    assert (people.state(), told(people.bench, "reservation.wrapping")) == ("talking", [])
    await people.agent.dialog.request("BYE")
    await people.agent.peer.expect(200)
    await finish(people)
    assert_counted_once(people)


async def test_consulting_another_agent_of_the_queue_and_leaving_the_caller_there(staff: Hire) -> None:
    """Each agent's talk ends when it leaves: the first one's by the transfer, the second one's by the hang-up."""
    people = await staff(more=BORA, **WRAPS)
    await people.talk()
    await people.client.call("agent.login", name="bora")
    asked = await people.second.call("700", "101")
    await people.colleague.pick_up()
    await until(lambda: len(told(people.bench, "reservation.connected")) == 2)
    await refer_to(people.agent.dialog, named(asked))
    await people.agent.peer.expect(202)
    await people.agent.is_hung_up(people.agent.dialog, asked)
    await people.hear(HANDED_OVER, people.customer, people.colleague)
    queues = people.bench.engine.queues
    assert (people.state(), queues.distributor.agent("bora", queues.now).state) == ("wrapping", "talking")
    await people.client.call("agent.supervise", name="bora", to="103")  # she is found in the call she came to
    await people.boss.pick_up()
    await people.hear([(True, False, True, False)], people.boss)
    await people.customer.dialog.request("BYE")
    await people.customer.peer.expect(200)
    await people.colleague.is_hung_up()
    await until(lambda: len(told(people.bench, "reservation.wrapping")) == 2)
    assert [one["agent"] for one in told(people.bench, "reservation.wrapping")] == ["ayse", "bora"]
    records = await people.records(3)
    assert records["100"]["agent"] == "bora"  # whom the customer spoke to last


async def test_a_conference_that_the_agent_leaves_goes_on(staff: Hire) -> None:
    """Customer, agent and colleague hear each other; without the agent the other two go on, and it wraps up."""
    people = await staff(more=BORA, **WRAPS)
    await people.talk()
    (call,) = people.bench.engine.calls()
    await people.client.call("conference.join", name="trio", call=call.id)
    await people.colleague.call("800", "102")
    await until(lambda: len(told(people.bench, "conference.joined")) == 3)
    await people.hear(
        [(False, True, True, False), (True, False, True, False), (True, True, False, False)],
        people.customer,
        people.agent,
        people.colleague,
    )
    assert people.state() == "talking"
    await people.agent.dialog.request("BYE")
    await people.agent.peer.expect(200)
    await people.hear(HANDED_OVER, people.customer, people.colleague)
    await finish(people)
    assert_counted_once(people)
    await people.customer.dialog.request("BYE")
    await people.customer.peer.expect(200)
    await until(lambda: len(told(people.bench, "conference.left")) == 2)  # agent and customer
    await people.client.call("conference.end", name="trio", tenant="acme")
    records = await people.records(2)
    assert (records["100"]["agent"], records["100"]["cause"]) == ("ayse", "normal")
    assert [leg["trunk"] for leg in records["100"]["legs"]] == ["carrier", "101@acme.example"]


async def test_wrap_up_is_extended_and_ended_by_the_agent(staff: Hire) -> None:
    people = await staff(wrap_up=1)
    await people.talk()
    await people.agent.dialog.request("BYE")
    await people.agent.peer.expect(200)
    await finish(people)
    await people.client.call("agent.finish", name="ayse", extend=60)
    await people.customer.peer.answer(await people.customer.peer.expect("BYE"), 200)
    await people.caller_comes()
    await people.agent.peer.hears_nothing(1.3)  # the second that was configured is over
    assert people.state() == "wrapping"
    await people.client.call("agent.finish", name="ayse")
    await people.agent.pick_up()
    assert told(people.bench, "reservation.completed")[0]["wrap"] > 1.2


async def test_an_agent_on_the_line_transfers_and_its_leg_stands(staff: Hire) -> None:
    people = await staff(agent=STAYS, **WRAPS)
    await people.caller_comes()
    await until(lambda: told(people.bench, "reservation.connected"))
    report = await refer(people.agent.dialog, "102")
    await people.colleague.peer.answer(await people.colleague.peer.expect("INVITE"), 486)
    await people.colleague.peer.expect("ACK")
    assert await report.next() == 486
    await people.hear(TALK, people.customer, people.agent)  # it failed: nothing has changed
    (call,) = [one for one in people.bench.engine.calls() if one.facts.called == "100"]
    await people.client.call("call.transfer", id=call.id, to="102")
    await people.colleague.pick_up()
    await people.hear(HANDED_OVER, people.customer, people.colleague)
    await finish(people)
    assert_counted_once(people)
    await people.agent.peer.hears_nothing(0.1)
    await people.client.call("agent.finish", name="ayse")
    another = await people.bench.left.call("100")
    await another.ack(await people.bench.left.expect(200))
    await until(lambda: len(told(people.bench, "reservation.connected")) == 2)
    await people.agent.dialog.request("BYE")  # and now it leaves the line: who speaks to it is alone
    await people.agent.peer.expect(200)
    assert (await people.bench.left.expect("BYE")).get("Call-ID") == another.call_id
    assert told(people.bench, "agent.changed")[-1]["state"] in {"wrapping", "available"}
