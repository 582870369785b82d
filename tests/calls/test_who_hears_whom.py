"""Commands before the answer (ring, answer, reject) and between legs (hold, resume, bridge, unbridge), by ear."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from santral.engine.control.client import Client
from santral.engine.control.protocol import RequestError

Start = Callable[..., Awaitable[Any]]
RINGBACK_HZ = 425  # of a tenant without a country


@pytest.fixture
async def connect_client() -> AsyncIterator[Callable[[Any], Awaitable[Client]]]:
    made: list[Client] = []

    async def connect(bench: Any) -> Client:
        made.append(await Client.unix(str(bench.folder / "data" / "control.sock")))
        return made[-1]

    yield connect
    for one in made:
        await one.close()


async def refused(what: Awaitable[Any]) -> str:
    with pytest.raises(RequestError) as refusal:
        await what
    return refusal.value.code


def told(bench: Any, *kinds: str) -> list[dict[str, Any]]:
    return [event for event in bench.events() if event["type"] in kinds]


async def talking(bench: Any, caller: Any, callee: Any) -> tuple[Any, Any]:
    """A call in which the caller says 500 Hz, the callee 900 Hz: the two dialogs."""
    ours = await bench.left.call("100", bench.left.sdp(caller.port, "0 101"))
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(callee.port, "0 101"))
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    await ours.ack(answer)
    caller.talk(answer.media_port, 500)
    callee.talk(invite.media_port, 900)
    return ours, bench.right.dialog_of(invite)


async def agree(peer: Any, talker: Any, offered: str) -> None:
    """Answer a re-INVITE as a phone does that goes along with all of it."""
    answers = {"sendonly": "recvonly", "sendrecv": "sendrecv"}
    request = await peer.expect("INVITE")
    assert request.direction == offered
    await peer.answer(request, 200, peer.sdp(talker.port, "0 101", f"a={answers[offered]}", 2), tag=peer.name)
    await peer.expect("ACK")


async def ears(caller: Any, callee: Any, *hz: float) -> list[list[bool]]:
    """Which of these the two hear. Nothing at all is silence, too."""
    for one in (caller, callee):
        one.packets.clear()
    await asyncio.sleep(0.35)
    found = []
    for one in (caller, callee):
        if not one.packets:
            found.append([False] * len(hz))
            continue
        line = one.heard()
        found.append([one.level(line, tone) > 1500 for tone in hz])
    return found


async def settle(caller: Any, callee: Any, wanted: list[list[bool]]) -> None:
    """Until they hear these of 500, 900 and 1500 Hz: a change takes as long as the machine needs for it."""
    async with asyncio.timeout(10):
        while await ears(caller, callee, 500, 900, 1500) != wanted:
            pass


async def test_a_leg_waits_by_command_and_comes_back(
    start: Start, talkers: Any, sounds: Any, connect_client: Any
) -> None:
    """Its phone is told, it hears music and is not heard, though it talks on; the other side is told nothing."""
    folder = sounds("hold-music.wav", 1500, 3.0).parent
    bench = await start(tenant_keys=f'sounds = "{folder}"')
    caller, callee = talkers(2)
    client = await connect_client(bench)
    _, theirs = await talking(bench, caller, callee)
    (call,) = bench.engine.calls()
    await settle(caller, callee, [[False, True, False], [True, False, False]])
    assert (await client.call("call.hold", id=call.id, leg="connected"))["legs"] == [call.callee.id]
    await agree(bench.right, callee, "sendonly")
    async with asyncio.timeout(5):
        while not told(bench, "play.started"):  # noqa: ASYNC110 - the engine tells nobody but its peers
            await asyncio.sleep(0.01)
    await settle(caller, callee, [[False] * 3, [False, False, True]])
    shown = await client.call("call.get", id=call.id)
    assert [leg["waits"] for leg in shown["legs"]] == [False, True]
    await client.call("call.hold", id=call.id, leg="connected")  # once more is nothing more
    await theirs.request("INVITE", bench.right.sdp(callee.port, "0 101", "a=sendrecv", 3))  # it would talk
    answer = await bench.right.expect(200)
    assert answer.direction == "sendonly"
    await theirs.ack(answer)
    await client.call("call.resume", id=call.id)
    await agree(bench.right, callee, "sendrecv")
    await settle(caller, callee, [[False, True, False], [True, False, False]])
    await bench.left.hears_nothing(0.05)
    held = [(event["type"], event["leg"], event["by"]) for event in told(bench, "leg.held", "leg.resumed")]
    assert [(kind, leg) for kind, leg, _ in held] == [("leg.held", call.callee.id), ("leg.resumed", call.callee.id)]
    assert {by for *_, by in held} == {"local"}


async def test_both_wait_and_a_transfer_ends_it(start: Start, connect_client: Any) -> None:
    """The leg that stays is brought back when it is connected to somebody else; who is put on hold twice waits once."""
    bench = await start()
    client = await connect_client(bench)
    one, _ = await bench.connect("100")
    (first,) = bench.engine.calls()
    await client.call("call.hold", id=first.id)
    for peer in (bench.left, bench.right):
        request = await peer.expect("INVITE")
        assert request.direction == "sendonly"
        port = 4000 if peer is bench.left else 5000
        await peer.answer(request, 200, peer.sdp(port, "0 101", "a=recvonly", 2), tag=peer.name)
        await peer.expect("ACK")
    two, _ = await bench.connect("101")
    second = next(call for call in bench.engine.calls() if call is not first)
    await client.call("call.bridge", id=first.id, other=second.id)
    request = await bench.left.expect("INVITE", "BYE")
    seen = {request.method}
    if request.method == "BYE":
        await bench.left.answer(request, 200)
        request = await bench.left.expect("INVITE")
    assert request.direction == "sendrecv"
    assert one
    assert two
    assert seen
    await asyncio.sleep(0.05)
    assert [leg.waits for leg in first.roles.values()] == [False, False]
    assert told(bench, "leg.resumed")[0]["by"] == "engine"


async def test_legs_are_parted_played_to_one_by_one_and_brought_together(
    start: Start, talkers: Any, sounds: Any, connect_client: Any
) -> None:
    folder = sounds("ding.wav", 1500, 3.0).parent
    bench = await start(tenant_keys=f'sounds = "{folder}"')
    caller, callee = talkers(2)
    client = await connect_client(bench)
    ours, _ = await talking(bench, caller, callee)
    (call,) = bench.engine.calls()
    await asyncio.sleep(0.2)
    assert await refused(client.call("call.bridge", id=call.id)) == "bad_state"
    assert len((await client.call("call.unbridge", id=call.id))["legs"]) == 2
    await client.call("call.play", id=call.id, file="ding.wav", leg="originating")
    await asyncio.sleep(0.1)
    assert await ears(caller, callee, 500, 900, 1500) == [[False, False, True], [False] * 3]
    for method in ("call.unbridge", "call.hold", "call.resume"):
        assert await refused(client.call(method, id=call.id)) == "bad_state"
    await client.call("call.stop", id=call.id)
    await client.call("call.bridge", id=call.id)
    await asyncio.sleep(0.2)
    assert await ears(caller, callee, 500, 900, 1500) == [[False, True, False], [True, False, False]]
    assert [event["type"] for event in told(bench, "bridge.started", "bridge.ended")] == [
        "bridge.started", "bridge.ended", "bridge.started",
    ]  # fmt: skip
    await client.call("call.unbridge", id=call.id)
    await ours.request("BYE")
    await bench.left.expect(200)
    await bench.right.expect("BYE")


async def test_a_caller_is_told_that_it_rings_answered_and_connected(
    start: Start, talkers: Any, connect_client: Any
) -> None:
    """It hears ringback while the callee rings on, and the callee when that answers; billing began at the command."""
    bench = await start()
    caller, callee = talkers(2)
    client = await connect_client(bench)
    ours = await bench.left.call("100", bench.left.sdp(caller.port, "0 101"))
    invite = await bench.right.expect("INVITE")
    (call,) = bench.engine.calls()
    await client.call("call.ring", id=call.id)
    await bench.left.expect(180)
    await bench.right.answer(invite, 180)
    await client.call("call.answer", id=call.id)
    answer = await bench.left.expect(200)
    await ours.ack(answer)
    caller.talk(answer.media_port, 500)
    assert await refused(client.call("call.ring", id=call.id)) == "bad_state"
    assert await refused(client.call("call.answer", id=call.id)) == "bad_state"
    assert await refused(client.call("call.reject", id=call.id)) == "bad_state"
    assert await refused(client.call("call.hold", id=call.id)) == "bad_state"
    assert (await caller.tones(RINGBACK_HZ))[0] > 1000
    await bench.right.answer(invite, 200, bench.right.sdp(callee.port, "0 101"))
    await bench.right.expect("ACK")
    callee.talk(invite.media_port, 900)
    await asyncio.sleep(0.2)
    assert await ears(caller, callee, 500, 900, RINGBACK_HZ) == [[False, True, False], [True, False, False]]
    answers = [event["leg"] for event in told(bench, "leg.answered")]
    assert answers == [call.caller.id, call.callee.id]
    assert await refused(client.call("call.reject", id=call.id, status=200)) == "bad_params"


async def test_a_caller_answered_by_command_is_hung_up_when_nobody_comes(start: Start, connect_client: Any) -> None:
    bench = await start()
    client = await connect_client(bench)
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    (call,) = bench.engine.calls()
    await client.call("call.answer", id=call.id)
    await ours.ack(await bench.left.expect(200))
    await bench.right.answer(invite, 486)
    await bench.right.expect("ACK")
    await bench.left.expect("BYE")
    assert (await bench.record())["cause"] == "busy"


async def test_a_late_offer_is_not_answered_before_somebody_is_there(start: Start, connect_client: Any) -> None:
    bench = await start()
    client = await connect_client(bench)
    await bench.left.call("100", "")
    await bench.right.answer(await bench.right.expect("INVITE"), 180)
    (call,) = bench.engine.calls()
    assert await refused(client.call("call.answer", id=call.id)) == "bad_state"
    await bench.left.expect(180)
    await client.call("call.reject", id=call.id, status=480)
    await bench.left.expect(480)
    await bench.right.expect("CANCEL")
    assert (await bench.record())["status"] == 480
