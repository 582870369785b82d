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


async def wait_in_queue(bench: Any, sdp: str | None = None) -> Any:
    """A caller that has been answered and waits; its dialog."""
    caller = await bench.left.call("100", sdp)
    answer = await bench.left.expect(200)
    await caller.ack(answer)
    caller.media_port = answer.media_port
    return caller


async def pick_up(phone: Any, invite: Any, port: int = 5000) -> Any:
    await phone.answer(invite, 200, phone.sdp(port, "0 101"))
    await phone.expect("ACK")
    return phone.dialog_of(invite)


def at_home(sdp: str) -> str:
    """The same with its audio where talkers are."""
    return sdp.replace("127.0.0.2", "127.0.0.1")


INSIDE = """
[[route]]
name = "inside"
tenant = "acme"
called = "700"
destinations = [{ queue = "support" }]
"""
ALL = 'strategy = "ring_all"'


async def test_of_all_who_ring_one_wins_and_the_others_are_told(begin: Start) -> None:
    bench, phones = await begin("ayse", "bora", "cem", queue=ALL)
    await wait_in_queue(bench)
    invites = {name: await phone.expect("INVITE") for name, phone in phones.items()}
    for name, phone in phones.items():
        await phone.answer(invites[name], 180)
    await pick_up(phones["bora"], invites["bora"])
    cancelled = await phones["ayse"].expect("CANCEL")
    assert cancelled.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    await phones["ayse"].answer(cancelled, 200)
    await phones["ayse"].answer(invites["ayse"], 487)
    await phones["ayse"].expect("ACK")
    await phones["cem"].expect("CANCEL")  # and its 200 crosses
    await pick_up(phones["cem"], invites["cem"])
    await phones["cem"].expect("BYE")
    assert [one["agent"] for one in told(bench, "reservation.connected")] == ["bora"]
    assert {one["agent"]: one["reason"] for one in told(bench, "reservation.rescinded")} == {
        "ayse": "answered_elsewhere",
        "cem": "answered_elsewhere",
    }
    assert not told(bench, "reservation.refused", "reservation.timed_out")


async def test_whoever_does_not_take_it_loses_no_caller(begin: Start) -> None:
    """Refused, busy, unreachable, not answered: told apart, and the next agent is rung each time."""
    keys = "auto_pause = 0"
    bench, phones = await begin("a", "b", "c", "d", "e", ring_timeout=1, retry_delay=60, keys=keys)
    caller = await wait_in_queue(bench)
    for name, status in (("a", 603), ("b", 486), ("c", 503)):
        phone = phones[name]
        await phone.answer(await phone.expect("INVITE"), status)
        await phone.expect("ACK")
    ringing = await phones["d"].expect("INVITE")
    await phones["d"].answer(ringing, 180)  # and nobody answers
    await phones["d"].expect("CANCEL")
    await pick_up(phones["e"], await phones["e"].expect("INVITE"))
    await until(lambda: told(bench, "reservation.connected"))
    refused = {one["agent"]: one["cause"] for one in told(bench, "reservation.refused")}
    assert refused == {"a": "refused", "b": "busy", "c": "unreachable"}
    assert [one["agent"] for one in told(bench, "reservation.timed_out")] == ["d"]
    await caller.request("BYE")
    await bench.left.expect(200)
    await phones["e"].expect("BYE")


async def test_a_caller_gone_while_an_agent_rings_costs_the_agent_nothing(begin: Start) -> None:
    bench, phones = await begin("ayse")
    caller = await wait_in_queue(bench)
    invite = await phones["ayse"].expect("INVITE")
    await phones["ayse"].answer(invite, 180)
    await until(lambda: told(bench, "reservation.ringing"))
    await caller.request("BYE")
    await bench.left.expect(200)
    await phones["ayse"].expect("CANCEL")
    await phones["ayse"].answer(invite, 487)
    await phones["ayse"].expect("ACK")
    assert told(bench, "queue.left")[0]["reason"] == "abandoned"
    assert told(bench, "reservation.rescinded")[0]["reason"] == "caller_gone"
    assert bench.engine.queues.distributor.agent("ayse", bench.engine.queues.now).state == "available"
    record = await bench.record()
    assert (record["queue"], record["agent"]) == ("support", "")
    assert record["waited_ms"] >= 0


async def test_a_phone_that_dies_in_mid_ring_loses_no_caller(begin: Start) -> None:
    bench, phones = await begin("ayse", "bora", ring_timeout=1, retry_delay=60)
    await wait_in_queue(bench)
    first = await phones["ayse"].expect("INVITE")
    await phones["ayse"].answer(first, 180)
    phones["ayse"].close()
    await pick_up(phones["bora"], await phones["bora"].expect("INVITE"))
    await until(lambda: told(bench, "reservation.connected"))
    assert told(bench, "reservation.timed_out")[0]["agent"] == "ayse"


async def test_an_agent_who_hangs_up_first_wraps_up_before_the_next(begin: Start) -> None:
    bench, phones = await begin("ayse", wrap_up=0.5)
    await wait_in_queue(bench)
    agent = await pick_up(phones["ayse"], await phones["ayse"].expect("INVITE"))
    await wait_in_queue(bench)
    await agent.request("BYE")
    await phones["ayse"].expect(200)
    await bench.left.expect("BYE")
    await phones["ayse"].hears_nothing(0.3)
    await phones["ayse"].expect("INVITE", within=2)
    assert 0.4 < told(bench, "reservation.completed")[0]["wrap"] < 1


async def test_an_answer_counts_only_behind_the_key(begin: Start, talkers: Callable[[int], list[Any]]) -> None:
    bench, phones = await begin("ayse", "bora", ring_timeout=2, retry_delay=60, keys='confirm = "1"')
    await wait_in_queue(bench)
    (voicemail, agent) = talkers(2)
    invite = await phones["ayse"].expect("INVITE")
    await phones["ayse"].answer(
        invite, 200, at_home(phones["ayse"].sdp(voicemail.port, "0 101"))
    )  # and presses nothing
    await phones["ayse"].expect("ACK")
    await phones["ayse"].expect("BYE")
    assert [one["agent"] for one in told(bench, "reservation.timed_out")] == ["ayse"]
    invite = await phones["bora"].expect("INVITE")
    await phones["bora"].answer(invite, 200, at_home(phones["bora"].sdp(agent.port, "0 101")))
    ack = await phones["bora"].expect("ACK")
    port = int(invite.body.split("m=audio ")[1].split()[0])
    assert ack.start
    agent.talk(port)
    await until(lambda: len(agent.packets) > 10)
    assert not told(bench, "reservation.accepted")
    agent.press(1)
    await until(lambda: told(bench, "reservation.connected"))
    assert told(bench, "reservation.accepted")[0]["agent"] == "bora"


async def test_callers_go_on_when_they_have_waited_enough(begin: Start) -> None:
    bench, _ = await begin(timeout=", timeout = 0.3")
    await wait_in_queue(bench)
    bye = await bench.left.expect("BYE")  # the next destination refuses, and it is answered already
    assert bye.get("CSeq")
    (gone,) = told(bench, "queue.overflowed")
    assert (gone["why"], gone["to"]) == ("timeout", None)
    assert 0.3 <= gone["waited"] < 3
    figures = bench.engine.queues.counting.queue("support", None, None, None)
    assert (figures["offered"], figures["overflowed"]) == (1, 1)


async def test_unanswered_callers_wait_for_the_agent_s_answer(begin: Start) -> None:
    bench, phones = await begin("ayse", queue='answer = "agent"')
    caller = await bench.left.call("100")
    await bench.left.expect(180)
    invite = await phones["ayse"].expect("INVITE")
    await bench.left.hears_nothing(0.2)
    await pick_up(phones["ayse"], invite)
    await caller.ack(await bench.left.expect(200))
    await until(lambda: told(bench, "reservation.connected"))


async def test_a_transferred_caller_keeps_its_place_in_time(begin: Start) -> None:
    """By REFER of the agent, to the number of the same queue: wrap-up begins, and the caller waits as the first."""
    bench, phones = await begin("ayse", wrap_up=0.2, more=INSIDE)
    await wait_in_queue(bench)
    agent = await pick_up(phones["ayse"], await phones["ayse"].expect("INVITE"))
    await until(lambda: told(bench, "reservation.connected"))
    joined = told(bench, "queue.joined")[0]
    call = next(iter(bench.engine.calls()))
    bench.engine.transfer(call.id, "700", "caller", "test")
    await phones["ayse"].expect("BYE")
    await until(lambda: len(told(bench, "queue.joined")) == 2)
    again = told(bench, "queue.joined")[1]
    assert (again["work"], again["started"]) == (call.id, joined["started"])
    assert told(bench, "reservation.wrapping")
    await phones["ayse"].expect("INVITE")
    assert agent.call_id
