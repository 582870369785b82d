"""What the engine plays is in the recording, on the side it is heard from; and announcements are heard. By content."""

import asyncio
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests.calls.test_conferences import come
from tests.calls.test_recorded_whole import hang_up, settled, talking

from santral.engine.calls.actions.moving import Joining
from santral.engine.calls.leg import Role
from santral.engine.calls.playing import ONCE
from santral.engine.calls.table import Input
from santral.engine.control.client import Client

Start = Callable[..., Awaitable[Any]]
HZ = 8000
BLOCK = 160
TOLD, FILE, SECRET, JOIN, MUSIC = 700, 1100, 1500, 1900, 1700
ROOM = """
[[conference]]
name = "7001"
tenant = "acme"
join_sound = "join.wav"
[[route]]
name = "rooms"
from_trunk = "left"
called = "7001"
destinations = [{ conference = "7001" }]
"""


def spans(line: Any, hz: float, least: float = 2000) -> list[tuple[int, int]]:
    """From which block of 20 ms to which this tone is there; a block that lacks it between others does not count."""
    blocks = line[: len(line) // BLOCK * BLOCK].reshape(-1, BLOCK).astype(float)
    found = abs(blocks @ np.exp(-2j * np.pi * hz * np.arange(BLOCK) / HZ)) * 2 / BLOCK > least
    runs: list[tuple[int, int]] = []
    for at in np.flatnonzero(found).tolist():
        if runs and at - runs[-1][1] <= 2:
            runs[-1] = (runs[-1][0], at + 1)
        else:
            runs.append((at, at + 1))
    return [(first, last) for first, last in runs if last - first >= 3]


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - the engine tells nobody but its peers
            await asyncio.sleep(0.02)


def only(line: Any, hz: float, seconds: float) -> tuple[int, int]:
    """From where to where a sound of this length is, in one piece unless the machine was late; it is there once."""
    found = spans(line, hz)
    assert abs(sum(last - first for first, last in found) * BLOCK / HZ - seconds) <= 0.081, (hz, found)
    return found[0][0], found[-1][1]


def read(path: Path) -> Any:
    with wave.open(str(path), "rb") as source:
        assert source.getframerate() == HZ
        return np.frombuffer(source.readframes(source.getnframes()), "<i2").reshape(-1, source.getnchannels())


def files(bench: Any, row: dict[str, Any], kind: str) -> list[Any]:
    folder = bench.folder / "data" / "recordings"
    return [read(folder / one["name"]) for one in row["files"] if one["kind"] == kind]


def sounding(sounds: Any, **more: str) -> dict[str, str]:
    """Sounds of the tenant, and what is told of a recording."""
    folder = sounds("told.wav", TOLD, 0.6).parent
    sounds("closed.wav", FILE, 1.0)
    sounds("secret.wav", SECRET, 0.4)
    sounds("join.wav", JOIN, 0.3)
    table = '[recording]\nannouncement = "told.wav"\nextras = ["tracks"]\n'
    return {"tenant_keys": f'sounds = "{folder}"\n', "rtp": table, **more}


async def test_an_announcement_goes_before_what_is_played_and_both_come_from_the_other_side(
    start: Start, talkers: Any, sounds: Any
) -> None:
    """A route that plays a file and hangs up: who calls hears both, whole."""
    bench = await start(**sounding(sounds, left_keys='record = "stereo"'))
    (caller,) = talkers(1)
    ours = await bench.left.call("9197", bench.left.sdp(caller.port, "0 101"))
    answer = await bench.left.expect(200)
    await ours.ack(answer)
    caller.talk(answer.media_port, 500)
    bye = await bench.left.expect("BYE", within=15)
    await bench.left.answer(bye, 200)
    heard = caller.heard()
    only(heard, TOLD, 0.6)
    only(heard, FILE, 1.0)
    row = await settled(bench)
    (both,) = files(bench, row, "audio")
    left, right = both.T
    told = only(right, TOLD, 0.6)
    assert only(right, FILE, 1.0)[0] >= told[1] - 1
    assert spans(left, 500)
    assert [spans(left, TOLD), spans(left, FILE), spans(right, 500)] == [[], [], []]
    said = [one["file"].rsplit("/")[-1] for one in bench.events() if one["type"] == "play.finished"]
    assert said == ["told.wav", "closed.wav"]


async def test_what_is_played_to_one_of_two_comes_from_the_other_and_masked_from_nobody(
    start: Start, talkers: Any, sounds: Any
) -> None:
    bench = await start(**sounding(sounds, left_keys='record = "stereo"'))
    caller, callee = talkers(2)
    ours = await talking(bench, caller, callee)
    (call,) = bench.engine.calls()

    async def play(file: str) -> None:
        done = len(ended())
        await call.verbs.play([file], call.caller.id, ONCE)
        await until(lambda: len(ended()) > done)

    def ended() -> list[Any]:
        return [one for one in bench.events() if one["type"] == "play.finished"]

    await until(lambda: len(ended()) == 2)  # both were told
    await play("closed.wav")
    call.caller.rtp.send_digits("5", 200)
    await asyncio.sleep(0.6)
    call.verbs.mask(on=True)
    await play("secret.wav")
    call.verbs.mask(on=False)
    await asyncio.sleep(0.3)
    await hang_up(bench, ours)
    row = await settled(bench)
    (both,) = files(bench, row, "audio")
    left, right = both.T
    only(left, TOLD, 0.6)
    only(right, TOLD, 0.6)
    only(right, FILE, 1.0)
    only(right, 1336, 0.2)  # the digit's, that was sent as an event
    assert [spans(left, hz) for hz in (FILE, 1336)] == [[], []]
    assert [spans(one, SECRET) for one in (left, right)] == [[], []]
    assert spans(left, 500)
    assert spans(right, 900)
    assert [spans(left, 900), spans(right, 500)] == [[], []]
    tracks = files(bench, row, "track")
    assert len(tracks) == 2
    for track, hz, other in zip(tracks, (500, 900), (900, 500), strict=True):
        assert spans(track[:, 0], hz)
        assert [spans(track[:, 0], one) for one in (other, TOLD, FILE)] == [[], [], []]


async def test_music_on_hold_comes_from_who_holds_and_no_digit_that_is_masked_is_a_tone(
    start: Start, talkers: Any, sounds: Any
) -> None:
    keys = sounding(sounds, left_keys='record = "stereo"\nhold = "music"')
    sounds("hold-music.wav", MUSIC, 2.0)
    keys["rtp"] = '[recording]\nmask_dtmf = true\nlisten = "127.0.0.1:0"\n'
    bench = await start(**keys)
    caller, callee = talkers(2)
    ours = await talking(bench, caller, callee)
    await asyncio.sleep(0.6)
    callee.press(5)
    (call,) = bench.engine.calls()
    call.caller.rtp.send_digits("5", 200)
    await asyncio.sleep(0.6)
    for version, direction in ((2, "sendonly"), (3, "sendrecv")):
        await ours.request("INVITE", bench.left.sdp(caller.port, "0 101", f"a={direction}", version))
        await ours.ack(await bench.left.expect(200))
        await until(lambda: [one for one in bench.events() if one["type"] == "play.started"])
        await asyncio.sleep(0.6)
    await hang_up(bench, ours)
    assert spans(callee.heard(), MUSIC)
    (both,) = files(bench, await settled(bench), "audio")
    left, right = both.T
    assert spans(left, MUSIC)
    assert spans(right, MUSIC) == []
    assert [spans(one, hz, 1000) for one in (left, right) for hz in (770, 1336)] == [[]] * 4
    assert [bool(spans(one, hz)) for one, hz in ((left, 500), (right, 900))] == [True, True]


async def test_who_answers_after_the_beginning_and_who_comes_later_is_told_as_well(
    start: Start, talkers: Any, sounds: Any
) -> None:
    """Recorded from its first sound on; then the caller goes on with somebody of a call that is not recorded."""
    keys = sounding(sounds, left_keys='record = "stereo"')
    keys["tenant_keys"] += 'recording_limit = 1\nover_limit = "continue"\n'
    keys["rtp"] += 'record_from = "start"\n'
    bench = await start(**keys)
    caller, callee, another, taker = talkers(4)
    await talking(bench, caller, callee)
    await talking(bench, another, taker, "101", 1300)

    def told() -> int:
        return len([one for one in bench.events() if one["type"] == "play.finished"])

    await until(lambda: told() == 2)
    await asyncio.sleep(0.2)
    for one in (caller, callee):
        only(one.heard(), TOLD, 0.6)
    assert spans(taker.heard(), TOLD) == []
    first, second = sorted(bench.engine.calls(), key=lambda call: call.facts.called)
    first.post(Input.JOIN, Joining(first.roles[Role.CALLER], second, second.roles[Role.CALLEE]))
    await until(lambda: told() == 3)
    await asyncio.sleep(0.2)
    only(taker.heard(), TOLD, 0.6)
    assert [spans(one.heard(), TOLD) for one in (caller, another)] == [[], []]
    first.hang_up(None, "test")


async def test_a_conference_with_its_sounds_and_a_track_of_each_who_takes_part(
    start: Start, talkers: Any, sounds: Any
) -> None:
    """Who comes later is told as well, and is muted for a while: then it is in neither the mix nor its track."""
    bench = await start(**sounding(sounds, right_keys=ROOM))
    phones = talkers(3)
    tones = (500, 900, 1300)
    for phone in phones:
        phone.amplitude = 5000
    for phone, hz in zip(phones[:2], tones, strict=False):
        phones[0].packets.clear()
        await come(bench, phone, hz)
    await until(lambda: spans(phones[0].heard(again=True), JOIN))
    conference = bench.engine.services.conferences.find("acme", "7001")
    await until(lambda: not conference.room._playing)
    client = await Client.unix(str(bench.folder / "data" / "control.sock"))
    try:
        await client.call("recording.start", conference="7001", tenant="acme")
        await until(lambda: conference._announcing_until and not conference.room._playing)
        phones[2].packets.clear()
        await come(bench, phones[2], tones[2])
        await asyncio.sleep(1.2)
        third = next(one for one in bench.engine.calls() if one.facts.caller == "2003")
        await client.call("conference.change", call=third.id, muted=True)
        await asyncio.sleep(1.0)
        for call in list(bench.engine.calls()):
            await client.call("call.hangup", id=call.id)
    finally:
        await client.close()
    only(phones[2].heard(), TOLD, 0.6)
    row = await settled(bench)
    (mix,) = files(bench, row, "audio")
    assert mix.shape[1] == 1
    line = mix[:, 0]
    assert [len(spans(line, hz)) >= 1 for hz in tones] == [True] * 3
    told, joined = only(line, TOLD, 2 * 0.6), only(line, JOIN, 0.3)
    assert told[0] < joined[0] < told[1]
    assert len(line) // BLOCK - spans(line, tones[2])[-1][1] >= 40  # muted to the end
    tracks = files(bench, row, "track")
    assert len(tracks) == 3
    for at, track in enumerate(tracks):
        assert len(track) == len(mix)
        assert [bool(spans(track[:, 0], hz)) for hz in (*tones, TOLD, JOIN)] == [n == at for n in range(5)]
