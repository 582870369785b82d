"""Hold in all its forms, in both directions: passed on, or answered here with music for the other side."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

Start = Callable[..., Awaitable[Any]]

BOTH = [True, False]


async def sides(bench: Any, from_left: bool) -> tuple[Any, Any, Any, Any]:
    """(peer, dialog) of the side that holds, and of the side that is held."""
    ours, theirs = await bench.connect()
    return (bench.left, ours, bench.right, theirs) if from_left else (bench.right, theirs, bench.left, ours)


async def change(asker: Any, dialog: Any, direction: str, version: int, extra: str = "") -> Any:
    """A re-INVITE that needs nobody else: its answer, acknowledged."""
    port = 4000 if asker.name == "left" else 5000
    await dialog.request("INVITE", asker.sdp(port, "0 101", f"a={direction}{extra}", version))
    answer = await asker.expect(200)
    await dialog.ack(answer)
    return answer


async def kinds(bench: Any, *wanted: str) -> list[str]:
    """The events of these types so far, once the last of them has come."""
    async with asyncio.timeout(5):
        while True:
            found = [event["type"] for event in bench.events() if event["type"] in wanted]
            if found and found[-1] == wanted[-1]:
                return found
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("from_left", BOTH)
@pytest.mark.parametrize(("held", "answered"), [("sendonly", "recvonly"), ("inactive", "inactive")])
async def test_hold_with_music_is_answered_here_and_the_other_side_hears_music(
    start: Start, from_left: bool, held: str, answered: str
) -> None:
    keys = "left_keys" if from_left else "right_keys"
    bench = await start(**{keys: 'hold = "music"'})
    asker, dialog, asked, _ = await sides(bench, from_left)
    assert (await change(asker, dialog, held, 2)).direction == answered
    assert await kinds(bench, "leg.held", "play.started") == ["leg.held", "play.started"]
    (call,) = bench.engine.calls()
    (playing,) = call.plays.values()
    waiting = call.callee if from_left else call.caller
    assert playing.leg is waiting
    assert (await change(asker, dialog, "sendrecv", 3)).direction == "sendrecv"
    assert "leg.resumed" in await kinds(bench, "leg.resumed", "play.finished")
    await asked.hears_nothing(0.1)
    await dialog.request("BYE")
    await asker.expect(200)
    await asked.expect("BYE")
    await asked.hears_nothing(0.1)


async def test_an_old_phone_holds_by_an_address_of_zeros(start: Start) -> None:
    bench = await start()
    asker, dialog, asked, _ = await sides(bench, True)
    await dialog.request(
        "INVITE", asker.sdp(4000, "0 101", "a=sendrecv", 2).replace("c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0")
    )
    offer = await asked.expect("INVITE")
    assert "0.0.0.0" not in offer.body
    assert offer.direction == "sendonly"
    await asked.answer(offer, 200, asked.sdp(5000, "0 101", "a=recvonly", 2))
    await asked.expect("ACK")
    answer = await asker.expect(200)
    assert answer.direction == "recvonly"
    assert "0.0.0.0" not in answer.body


async def test_both_hold_with_music_and_resume_in_turn(start: Start) -> None:
    """Nobody who holds is played to; whoever has resumed first hears music until the other one has."""
    bench = await start(left_keys='hold = "music"', right_keys='hold = "music"')
    ours, theirs = await bench.connect()
    (call,) = bench.engine.calls()
    await change(bench.left, ours, "sendonly", 2)
    await kinds(bench, "play.started")
    assert [one.leg for one in call.plays.values()] == [call.callee]
    assert (await change(bench.right, theirs, "sendonly", 2)).direction in {"recvonly", "inactive"}
    await kinds(bench, "play.started", "play.finished")
    assert call.plays == {}
    await change(bench.left, ours, "sendrecv", 3)
    await kinds(bench, "play.finished", "play.started")
    assert [one.leg for one in call.plays.values()] == [call.caller]
    await change(bench.right, theirs, "sendrecv", 3)
    await kinds(bench, "play.started", "play.finished")
    assert {leg.direction for leg in call.legs} == {"sendrecv"}


async def test_both_hold_and_resume_in_turn_passed_on(start: Start) -> None:
    bench = await start()
    ours, theirs = await bench.connect()
    ports = {"left": 4000, "right": 5000}
    for version, (asker, dialog, asked, offered, answered, answered_back) in enumerate(
        [
            (bench.left, ours, bench.right, "sendonly", "recvonly", "recvonly"),
            (bench.right, theirs, bench.left, "sendonly", "inactive", "inactive"),
            (bench.left, ours, bench.right, "sendrecv", "sendonly", "sendonly"),
            (bench.right, theirs, bench.left, "sendrecv", "sendrecv", "sendrecv"),
        ],
        start=2,
    ):
        await dialog.request("INVITE", asker.sdp(ports[asker.name], "0 101", f"a={offered}", version))
        there = await asked.expect("INVITE")
        assert there.direction == offered
        await asked.answer(there, 200, asked.sdp(ports[asked.name], "0 101", f"a={answered}", version), tag=asked.name)
        await asked.expect("ACK")
        back = await asker.expect(200)
        assert back.direction == answered_back
        await dialog.ack(back)
    (call,) = bench.engine.calls()
    assert {leg.direction for leg in call.legs} == {"sendrecv"}
    held = [event["type"] for event in bench.events() if event["type"] in {"leg.held", "leg.resumed"}]
    assert (held.count("leg.held"), held.count("leg.resumed")) == (2, 2)


async def test_music_follows_a_change_of_codec(start: Start) -> None:
    bench = await start(left_keys='hold = "music"')
    ours, theirs = await bench.connect()
    await change(bench.left, ours, "sendonly", 2)
    await kinds(bench, "play.started")
    await theirs.request("INVITE", bench.right.sdp(5000, "8 101", version=2))
    there = await bench.left.expect("INVITE")
    await bench.left.answer(there, 200, bench.left.sdp(4000, "8 101", "a=sendonly", 3))
    await bench.left.expect("ACK")
    await theirs.ack(await bench.right.expect(200))
    assert (await kinds(bench, "play.started", "play.finished", "play.started"))[-1] == "play.started"
    (call,) = bench.engine.calls()
    assert [one.leg for one in call.plays.values()] == [call.callee]
