"""Calls whose signalling runs over TCP, in and out; what happens when a connection breaks."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from santral.engine.locating.cache import Answer
from santral.sip.locating import Question, Srv

Start = Callable[..., Awaitable[Any]]


ANYONE = {"left_from": '"127.0.0.1/32"', "right_from": ""}  # TCP gives callers a port at random


async def test_a_call_comes_in_and_goes_out_over_tcp(start: Start, streams: Any) -> None:
    left, right = streams
    bench = await start(targets=f'["sip:127.0.0.1:{right.port};transport=tcp"]', **ANYONE)
    await left.connect(bench.engine.signalling.transports.addresses["default", "tcp"])
    ours = await left.call("100")
    assert (await left.receive()).status == 100
    invite = await right.expect("INVITE")
    assert invite.start == f"INVITE sip:100@127.0.0.1:{right.port};transport=tcp SIP/2.0"
    assert invite.get("Via").startswith("SIP/2.0/TCP 127.0.0.1:")
    assert "transport=tcp" in invite.get("Contact")
    await right.answer(invite, 180)
    await left.expect(180)
    await right.answer(invite, 200, right.sdp(5000, "0 101"))
    await right.expect("ACK")
    answer = await left.expect(200)
    assert "transport=tcp" in answer.get("Contact")
    await ours.ack(answer)
    theirs = right.dialog_of(invite)
    await theirs.request("BYE")
    await right.expect(200)
    bye = await left.expect("BYE")
    await left.answer(bye, 200)
    record = await bench.record()
    assert (record["cause"], record["legs"][0]["target"].split(":")[0]) == ("normal", "tcp")
    assert record["legs"][1]["target"] == f"tcp:127.0.0.1:{right.port}"


async def test_a_call_outlives_its_connections(start: Start, streams: Any) -> None:
    left, right = streams
    bench = await start(targets=f'["sip:127.0.0.1:{right.port};transport=tcp"]', **ANYONE)
    await left.connect(bench.engine.signalling.transports.addresses["default", "tcp"])
    ours = await left.call("100")
    invite = await right.expect("INVITE")
    await right.answer(invite, 200, right.sdp(5000, "0 101"))
    await right.expect("ACK")
    await ours.ack(await left.expect(200))
    left.cut()
    right.cut()
    await asyncio.sleep(0.1)
    (call,) = bench.engine.calls()
    call.hang_up(None, "api")
    await left.answer(await left.expect("BYE"), 200)  # over new connections, to where their Contacts say
    await right.answer(await right.expect("BYE"), 200)
    assert (await bench.record())["cause"] == "hung_up"


async def test_a_caller_that_gave_a_name_is_found_again(start: Start, streams: Any) -> None:
    """Its Contact is a name, its connection breaks: the BYE goes where that name leads (RFC 3263)."""
    left, right = streams
    bench = await start(targets=f'["sip:127.0.0.1:{right.port};transport=tcp"]', **ANYONE)

    async def ask(question: Question) -> Answer:
        return Answer(("127.0.0.1",) if question == Question("A", "left.example") else (), 60.0)

    bench.engine.services.locator._names._ask = ask
    await left.connect(bench.engine.signalling.transports.addresses["default", "tcp"])
    left.written = "left.example"
    ours = await left.call("100")
    invite = await right.expect("INVITE")
    await right.answer(invite, 200, right.sdp(5000, "0 101"))
    await right.expect("ACK")
    await ours.ack(await left.expect(200))
    left.cut()
    await asyncio.sleep(0.1)
    (call,) = bench.engine.calls()
    call.hang_up(None, "api")
    bye = await left.expect("BYE")
    assert bye.get("Via").startswith("SIP/2.0/TCP 127.0.0.1:")
    await left.answer(bye, 200)
    await right.answer(await right.expect("BYE"), 200)
    async with asyncio.timeout(2):
        while bench.engine.signalling.agent.counts["sessions"]:  # noqa: ASYNC110 - what is awaited is the BYE's end
            await asyncio.sleep(0.01)


async def test_a_name_is_looked_up_for_the_family_of_the_interface(start: Start) -> None:
    bench = await start(targets='["sip:localhost:{right}"]')
    await bench.left.call("100")
    await bench.right.answer(await bench.right.expect("INVITE"), 486)
    await bench.left.expect(486)


async def test_a_caller_that_gives_up_during_the_look_up_starts_nothing(start: Start) -> None:
    bench = await start(targets='["sip:localhost:{right}"]')
    gate = asyncio.Event()
    names = bench.engine.services.locator._names
    find = names._ask

    async def slow(question: Any) -> Any:
        await gate.wait()
        return await find(question)

    names._ask = slow
    ours = await bench.left.call("100")
    assert (await bench.left.receive()).status == 100
    await ours.request("CANCEL")
    assert {(await bench.left.receive()).status for _ in range(2)} == {200, 487}
    gate.set()
    await bench.right.hears_nothing()
    record = await bench.record()
    assert (record["cause"], [leg["status"] for leg in record["legs"]]) == ("cancelled", [487, None])
    assert bench.engine.services.limits.holders() == 0


async def test_the_servers_of_a_name_are_tried_in_order(start: Start) -> None:
    """RFC 3263 section 4.3: a server that refuses connections, one that is overloaded, one that takes the call."""
    bench = await start(targets='["sip:carrier.example"]')
    names = bench.engine.services.locator._names
    zone: dict[Question, Any] = {
        Question("SRV", "_sip._udp.carrier.example"): tuple(
            Srv(place, 0, port, "a.example") for place, port in enumerate((1, bench.spare.port, bench.right.port))
        ),
        Question("A", "a.example"): ("127.0.0.1",),
    }

    async def ask(question: Question) -> Answer:
        return Answer(zone.get(question, ()), 60.0)

    names._ask = ask
    await bench.left.call("100")
    await bench.spare.answer(await bench.spare.expect("INVITE"), 503)
    invite = await bench.right.expect("INVITE")
    assert invite.start == "INVITE sip:100@carrier.example SIP/2.0"
    await bench.right.answer(invite, 486)
    await bench.left.expect(486)
    record = await bench.record()
    ports = [str(leg["target"]).rpartition(":")[2] for leg in record["legs"][1:]]
    assert ports == ["1", str(bench.spare.port), str(bench.right.port)]


async def test_a_name_without_an_address_moves_on(start: Start) -> None:
    bench = await start(targets='["sip:no-such-host.invalid", "sip:127.0.0.1:{spare}"]')
    await bench.left.call("100")
    await bench.spare.answer(await bench.spare.expect("INVITE"), 486)
    await bench.left.expect(486)
