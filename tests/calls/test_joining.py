"""Two calls become one: a leg moves over, keeps its session and its ports, and the call it leaves ends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from santral.engine.calls.actions.moving import Joining
from santral.engine.calls.leg import Role
from santral.engine.calls.table import Input

Start = Callable[..., Awaitable[Any]]


async def two_calls(bench: Any) -> tuple[Any, Any]:
    """Calls of left to right, with the peers' dialogs: ((call, ours, theirs), (call, ours, theirs))."""
    found = []
    for number in ("100", "101"):
        ours, theirs = await bench.connect(number)
        call = next(call for call in bench.engine.calls() if call.facts.called == number)
        found.append((call, ours, theirs))
    return found[0], found[1]


@pytest.mark.parametrize("kept", list(Role))
@pytest.mark.parametrize("moved", list(Role))
async def test_a_leg_moves_to_the_call_that_goes_on(start: Start, kept: Role, moved: Role) -> None:
    bench = await start()
    (first, *firsts), (second, *seconds) = await two_calls(bench)
    keep, leg = first.roles[kept], second.roles[moved]
    slot = leg.rtp.id
    first.post(Input.JOIN, Joining(keep, second, leg))
    byes = {}
    for peer in (bench.left, bench.right):
        while len(byes) < 2:
            try:
                message = await peer.receive(0.3)
            except TimeoutError:
                break
            assert message.method == "BYE"
            assert message.get("Reason") == "Q.850;cause=16"
            byes[message.get("Call-ID")] = message
            await peer.answer(message, 200)
    stayed = {d.call_id for d in (*firsts, *seconds)} - set(byes)
    assert stayed == {keep.sip_call_id, leg.sip_call_id}
    assert (first.join.legs, leg.rtp.id) == ((keep, leg), slot)
    assert leg.rtp.peer is keep.rtp
    record = await ended(bench, second)
    assert (record["cause"], record["hung_up_by"]) == ("transferred", "engine")
    assert leg.id not in [one["id"] for one in record["legs"]]
    # the call goes on: a hold crosses it, and it ends like any other
    dialogs = {d.call_id: d for d in (*firsts, *seconds)}
    ours, theirs = dialogs[keep.sip_call_id], dialogs[leg.sip_call_id]
    await ours.request("INVITE", ours.peer.sdp(4000, "0 101", "a=sendonly", 2))
    asked = await expect(theirs, "INVITE")
    assert asked.direction == "sendonly"
    await theirs.peer.answer(asked, 200, theirs.peer.sdp(5000, "0 101", "a=recvonly", 2))
    await expect(theirs, "ACK")
    await ours.ack(await expect(ours, 200))
    await theirs.request("BYE")
    await expect(theirs, 200)
    await expect(ours, "BYE")
    record = await ended(bench, first)
    assert record["cause"] == "normal"
    assert {one["id"] for one in record["legs"]} == {*(one.id for one in first.legs)} >= {keep.id, leg.id}
    services = bench.engine.services
    assert (services.limits.holders(), services.limits.calls(), services.media_owners) == (0, 0, {})


async def expect(dialog: Any, *wanted: int | str) -> Any:
    while True:
        message = await dialog.peer.receive()
        if message.get("Call-ID") == dialog.call_id and (message.method in wanted or message.status in wanted):
            return message


async def ended(bench: Any, call: Any) -> dict[str, Any]:
    async with asyncio.timeout(5):
        while True:
            await bench.engine.cdrs.flush()
            for item in (await bench.engine.cdrs.page(10))["items"]:
                if item["id"] == call.id:
                    return dict(item)
            await asyncio.sleep(0.02)


async def test_nothing_happens_when_one_of_the_two_has_gone(start: Start) -> None:
    bench = await start()
    (first, *_), (second, ours, _) = await two_calls(bench)
    leg = second.caller
    await ours.request("BYE")
    await bench.left.expect(200)
    first.post(Input.JOIN, Joining(first.caller, second, leg))
    assert first.join.legs == (first.caller, first.callee)
    assert second.outcome.cause == "normal"
