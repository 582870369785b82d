"""Recorded calls end to end: real SIP and RTP, the real capture, the real recorder process; files judged by content."""

import asyncio
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from santral.engine.calls.actions.moving import Joining
from santral.engine.calls.leg import Role
from santral.engine.calls.table import Input
from santral.engine.cdr import recordings as rows
from santral.engine.cdr.recordings import RecordingFilter
from santral.engine.control.client import Client
from santral.engine.control.protocol import RequestError

Start = Callable[..., Awaitable[Any]]
SECONDS = 2.0


async def talking(bench: Any, caller: Any, callee: Any, called: str = "100", hz: float = 900) -> Any:
    """A call in which the caller says 500 Hz, the callee 900 Hz."""
    ours = await bench.left.call(called, bench.left.sdp(caller.port, "0 101"))
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(callee.port, "0 101"))
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    await ours.ack(answer)
    caller.talk(answer.media_port, 500)
    callee.talk(invite.media_port, hz)
    return ours


async def hang_up(bench: Any, ours: Any) -> None:
    await ours.request("BYE")
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    await bench.left.expect(200)


async def settled(bench: Any) -> dict[str, Any]:
    """The only recording, once the recorder has said what became of it."""
    async with asyncio.timeout(20):
        while True:
            page = await bench.engine.cdrs.ask(lambda engine: rows.page(engine, 2, None, RecordingFilter()))
            if page["items"] and page["items"][0]["state"] not in {"recording", "processing"}:
                (only,) = page["items"]
                return dict(only)
            await asyncio.sleep(0.05)


def ears(path: Path) -> Any:
    with wave.open(str(path), "rb") as source:
        assert (source.getnchannels(), source.getframerate()) == (2, 8000)
        return np.frombuffer(source.readframes(source.getnframes()), "<i2").reshape(-1, 2)


def samples(file: bytes) -> Any:
    """Of a WAV whose length may not be known yet."""
    begin = file.index(b"data") + 8
    return np.frombuffer(file[begin : begin + (len(file) - begin) // 4 * 4], "<i2").reshape(-1, 2)


def loud(ear: Any, hz: float) -> float:
    """Amplitude of this tone in the middle half."""
    part = ear[len(ear) // 4 : 3 * len(ear) // 4].astype(float)
    shape = np.hanning(len(part))
    wave_ = np.exp(-2j * np.pi * hz * np.arange(len(part)) / 8000)
    return float(abs(np.sum(part * shape * wave_)) * 2 / np.sum(shape))


def assert_each_in_its_ear(path: Path) -> Any:
    both = ears(path)
    left, right = both[:, 0], both[:, 1]
    assert loud(left, 500) > 7000
    assert loud(right, 900) > 7000
    assert loud(left, 900) < 300
    assert loud(right, 500) < 300
    return both


async def test_a_call_becomes_a_file_with_each_side_in_its_ear(start: Start, talkers: Any) -> None:
    bench = await start(
        tenant_keys='record = "stereo"', rtp='[recording]\nlisten = "127.0.0.1:0"\nextras = ["peaks", "picture"]'
    )
    caller, callee = talkers(2)
    ours = await talking(bench, caller, callee)
    await asyncio.sleep(SECONDS)
    await hang_up(bench, ours)
    row = await settled(bench)
    assert (row["state"], row["is_recovered"], row["parties"]) == ("ready", False, ["2001", "100"])
    assert {one["kind"] for one in row["files"]} >= {"audio", "peaks", "picture"}
    audio = next(one for one in row["files"] if one["kind"] == "audio")
    path = bench.folder / "data" / "recordings" / audio["name"]
    both = assert_each_in_its_ear(path)
    assert SECONDS - 0.1 < len(both) / 8000 < SECONDS + 1.0
    assert abs(row["ms"] - 1000 * len(both) / 8000) <= 1
    assert list((bench.folder / "data" / "captures").iterdir()) == []
    (ready,) = [event for event in bench.events() if event["type"] == "recording.ready"]
    assert ready["recording"] == row["id"]
    client = await Client.unix(str(bench.folder / "data" / "control.sock"))
    try:
        read = await client.call("recording.read", id=row["id"], offset=44, length=1000)
        exported = await client.call("recording.export", id=row["id"])
        async with aiohttp.ClientSession() as session:
            for one in exported["files"]:
                async with session.get(one["url"], headers={"Range": "bytes=0-99"}) as response:
                    assert response.status == 206
                    assert len(await response.read()) == 100
        assert read["wav"] == path.read_bytes()[44:1044]
        held = await client.call("recording.hold", id=row["id"], reason="case 7")
        assert held["entry"] > 0
        with pytest.raises(RequestError, match="held"):
            await client.call("recording.delete", id=row["id"])
        await client.call("recording.release", id=row["id"])
        await client.call("recording.delete", id=row["id"])
        assert not path.exists()
        shown = await client.call("recording.get", id=row["id"])
        assert shown["state"] == "erased"
    finally:
        await client.close()


async def test_sealed_masked_paused_and_heard_while_it_runs(start: Start, talkers: Any) -> None:
    """What is fetched while the call runs is what the finished file holds; nothing of it lies open on the disk."""
    key = "11" * 32
    bench = await start(
        tenant_keys=f'record = "stereo"\nrecording_key = "{key}"', rtp='[recording]\nlisten = "127.0.0.1:0"'
    )
    caller, callee = talkers(2)
    ours = await talking(bench, caller, callee)
    (one,) = bench.engine.studio.recordings
    (call,) = bench.engine.calls()
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def at(seconds: float) -> None:
        await asyncio.sleep(began + seconds - loop.time())

    await at(1.0)
    call.verbs.mask(on=True)
    await at(2.0)
    call.verbs.mask(on=False)
    await at(3.0)
    bench.engine.studio.recordings.pause(one, "silence")
    await at(4.0)
    bench.engine.studio.recordings.resume(one)
    await at(8.0)
    assert len(list((bench.folder / "data" / "captures").iterdir())) == 1
    client = await Client.unix(str(bench.folder / "data" / "control.sock"))
    try:
        (file,) = (await client.call("recording.export", id=one.id))["files"]
        async with aiohttp.ClientSession() as session, session.get(file["url"]) as response:
            early = await response.content.readexactly(8000 * 4)  # about the first second, while the call runs
            assert loud(samples(early)[:, 0], 500) > 7000
            await hang_up(bench, ours)
            rest = await response.read()
        row = await settled(bench)
        files = (await client.call("recording.export", id=one.id))["files"]
        (file,) = [each for each in files if each["kind"] == "audio"]
        async with aiohttp.ClientSession() as session, session.get(file["url"]) as response:
            whole = await response.read()
    finally:
        await client.close()
    assert (row["state"], row["is_encrypted"]) == ("ready", True)
    stored = (bench.folder / "data" / "recordings" / row["files"][0]["name"]).read_bytes()
    assert whole[44:1000] not in stored
    path = bench.folder / "fetched.wav"
    path.write_bytes(whole)
    both = ears(path)
    live = samples(early + rest)
    assert len(live) == len(both)
    assert np.array_equal(live, both)
    for first, last, is_heard in (
        (0.2, 0.9, True),
        (1.1, 1.9, False),
        (2.2, 2.9, True),
        (3.1, 3.9, False),
        (4.2, 7, True),
    ):
        part = both[round(first * 8000) : round(last * 8000)]
        for ear, hz in ((part[:, 0], 500), (part[:, 1], 900)):
            assert (loud(ear, hz) > 7000) == is_heard, (first, hz)
            assert is_heard or np.abs(ear).max() == 0, (first, hz)
    assert 900 < row["masked_ms"] < 1100


async def test_who_takes_over_is_in_the_same_ear(start: Start, talkers: Any) -> None:
    """The caller goes on with somebody of another call: one file, with both talks in it."""
    bench = await start(left_keys='record = "stereo"', tenant_keys='recording_limit = 1\nover_limit = "continue"')
    caller, callee, another, taker = talkers(4)
    await talking(bench, caller, callee)
    await talking(bench, another, taker, "101", 1300)
    first, second = sorted(bench.engine.calls(), key=lambda call: call.facts.called)
    await asyncio.sleep(1.5)
    first.post(Input.JOIN, Joining(first.roles[Role.CALLER], second, second.roles[Role.CALLEE]))
    await asyncio.sleep(1.5)
    first.hang_up(None, "test")
    row = await settled(bench)
    assert (row["state"], row["parties"]) == ("ready", ["2001", "100", "101"])
    audio = next(one for one in row["files"] if one["kind"] == "audio")
    both = ears(bench.folder / "data" / "recordings" / audio["name"])
    for begin, hz, other in ((0.3, 900, 1300), (2.0, 1300, 900)):
        part = both[round(8000 * begin) : round(8000 * (begin + 0.8))]
        assert loud(part[:, 0], 500) > 7000
        assert loud(part[:, 1], hz) > 7000
        assert loud(part[:, 1], other) < 300
        assert loud(part[:, 1], 500) < 300
