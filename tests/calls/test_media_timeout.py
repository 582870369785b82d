"""Silence on the wire: a question over SIP comes before the end, and hold is no silence."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from santral.engine.media import MediaEvent

Start = Callable[..., Awaitable[Any]]


def silence(bench: Any) -> Any:
    """The media plane says that the caller has sent nothing for the whole time-out."""
    (call,) = bench.engine.calls()
    bench.engine._hear_media(MediaEvent(call.caller.rtp.id, "timeout", {"after_s": 60.0}))
    return call


@pytest.mark.parametrize("status", [200, 486, 501])
async def test_a_silent_peer_that_answers_is_left_alone_once(start: Start, status: int) -> None:
    bench = await start()
    await bench.connect()
    silence(bench)
    await bench.left.answer(await bench.left.expect("OPTIONS"), status)
    await asyncio.sleep(0.05)
    silence(bench)
    assert (await bench.left.expect("BYE")).get("Reason") == "Q.850;cause=102"
    await bench.right.expect("BYE")
    record = await bench.record()
    assert (record["cause"], record["hung_up_by"], record["q850"]) == ("media_timeout", "engine", 102)


async def test_a_peer_that_spoke_in_between_is_asked_again(start: Start) -> None:
    bench = await start()
    await bench.connect()
    call = silence(bench)
    await bench.left.answer(await bench.left.expect("OPTIONS"), 200)
    await asyncio.sleep(0.05)
    call.doubted = {leg: packets - 1 for leg, packets in call.doubted.items()}  # as if it had sent a packet since
    silence(bench)
    await bench.left.answer(await bench.left.expect("OPTIONS"), 200)
    await asyncio.sleep(0.05)
    assert list(bench.engine.calls()) == [call]


async def test_a_peer_without_the_call_ends_it(start: Start) -> None:
    bench = await start()
    await bench.connect()
    silence(bench)
    await bench.left.answer(await bench.left.expect("OPTIONS"), 481)
    await bench.right.expect("BYE")
    assert (await bench.record())["cause"] == "media_timeout"


@pytest.mark.parametrize("hold", ["sendonly", "inactive"])
async def test_the_plane_does_not_wait_for_audio_on_hold(start: Start, hold: str) -> None:
    bench = await start(rtp="timeout = 1\nno_audio = 0")
    ours = await bench.left.call("9196")
    await ours.ack(await bench.left.expect(200))
    await ours.request("INVITE", bench.left.sdp(4000, "0 101", f"a={hold}", 2))
    await ours.ack(await bench.left.expect(200))
    await bench.left.hears_nothing(1.6)
    assert "media.timeout" not in [event["type"] for event in bench.events()]


async def test_the_plane_tells_of_silence_and_the_peer_is_asked(start: Start) -> None:
    bench = await start(rtp="timeout = 1\nno_audio = 1")
    ours = await bench.left.call("9196")
    await ours.ack(await bench.left.expect(200))
    await bench.left.answer(await bench.left.expect("OPTIONS"), 200)
    await bench.left.expect("BYE")
    kinds = [event["type"] for event in bench.events()]
    assert kinds.count("media.timeout") == 2
    assert kinds.count("media.silent") == 1
