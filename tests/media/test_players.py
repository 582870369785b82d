"""Playing on the plane's clock, and digits heard on a live leg."""

import asyncio
import time
from itertools import pairwise

import pytest

from santral.codecs import CODECS
from santral.engine.media import MediaError, PreparedAudio

PCMA = CODECS["PCMA/8000"]


def audio(frames: int) -> PreparedAudio:
    """Each frame is its number, as A-law has it."""
    return PreparedAudio(8000, PCMA.decode(b"".join(bytes([n % 256]) * 160 for n in range(frames))))


async def test_frames_are_exact_in_content_number_and_time(stage) -> None:
    a = stage.peer()
    leg = stage.leg(a)
    began = time.monotonic()
    play_id = stage.plane.play(leg, audio(25))
    await stage.until(lambda: bool(stage.of("play_finished")))
    took = time.monotonic() - began
    heard = a.heard()
    assert [p.payload for p in heard] == [bytes([n]) * 160 for n in range(25)]
    assert all(y.sequence == x.sequence + 1 for x, y in pairwise(heard))
    assert all((y.timestamp - x.timestamp) & 0xFFFFFFFF == 160 for x, y in pairwise(heard))
    assert [p.marker for p in heard] == [True] + [False] * 24
    assert {p.payload_type for p in heard} == {8}
    assert stage.of("play_finished", leg) == [
        {"play_id": play_id, "frames": 25, "completed": True, "reason": "completed"}
    ]
    assert 0.48 < took < 10
    await asyncio.sleep(0.1)
    assert a.heard() == []
    assert leg.playing == {}


async def test_a_loop_goes_on_until_it_is_stopped(stage) -> None:
    a = stage.peer()
    leg = stage.leg(a)
    play_id = stage.plane.play(leg, audio(3), loop=True)
    heard = await a.hears(10)
    assert [p.payload[0] for p in heard[:7]] == [0, 1, 2, 0, 1, 2, 0]
    stage.plane.stop_play(leg)
    await stage.until(lambda: bool(stage.of("play_finished")))
    assert stage.of("play_finished")[0]["play_id"] == play_id
    assert not stage.of("play_finished")[0]["completed"] or stage.of("play_finished")[0]["frames"] % 3 == 0


async def test_another_play_takes_over_and_closing_ends_it(stage) -> None:
    a = stage.peer()
    leg = stage.leg(a)
    first = stage.plane.play(leg, audio(100))
    await a.hears(2)
    second = stage.plane.play(leg, PreparedAudio(8000, PCMA.decode(b"z" * 16000)))
    heard = await a.hears(5)
    assert {p.payload for p in heard[-3:]} == {b"z" * 160}
    await leg.close()
    ended = stage.of("play_finished", leg)
    assert [(e["play_id"], e["reason"]) for e in ended] == [(first, "replaced"), (second, "closed")]


async def test_relayed_audio_waits_while_something_is_played(stage) -> None:
    a, leg_a, b, leg_b = stage.bridged()
    a.send(leg_a, b"r" * 160)
    await b.hears(1)
    stage.plane.play(leg_b, audio(5))
    await asyncio.sleep(0.03)
    a.send(leg_a, b"s" * 160)
    await stage.until(lambda: bool(stage.of("play_finished")))
    a.send(leg_a, b"t" * 160)
    heard = await b.hears(6)
    assert [p.payload[:1] for p in heard] == [bytes([n]) for n in range(5)] + [b"t"]
    assert all(y.sequence == x.sequence + 1 for x, y in pairwise(heard))
    await stage.expect_counts(leg_a, dropped_direction=1)


async def test_a_file_keeps_its_time_through_a_hold(stage) -> None:
    a = stage.peer()
    leg = stage.leg(a)
    stage.plane.play(leg, audio(30))
    await a.hears(5)
    leg.set_direction("sendonly")
    await asyncio.sleep(0.2)
    held = a.heard()
    leg.set_direction("sendrecv")
    await stage.until(lambda: bool(stage.of("play_finished")))
    rest = a.heard()
    assert len(held) <= 6
    assert rest[0].payload[0] >= 13
    assert rest[-1].payload[0] == 29


async def test_many_players_share_the_frame_time(stage) -> None:
    peers = [stage.peer() for _ in range(40)]
    legs = [stage.leg(peer) for peer in peers]
    for leg in legs:
        stage.plane.play(leg, audio(10))
    await stage.until(lambda: len(stage.of("play_finished")) == 40)
    assert all(len(peer.heard()) == 10 for peer in peers)
    assert stage.plane.snapshot()["packets_out"] == 400


async def test_what_cannot_be_played_is_refused(stage) -> None:
    a = stage.peer()
    leg = stage.leg(a, sends={"G729/8000": 18})
    with pytest.raises(MediaError, match="no codec"):
        stage.plane.play(leg, audio(1))
    other = stage.leg(a)
    for wrong in (PreparedAudio(8000, b"odd"), PreparedAudio(8000, b""), PreparedAudio(11025, b"ab")):
        with pytest.raises(ValueError, match="played"):
            stage.plane.play(other, wrong)
    with pytest.raises(MediaError, match="gain"):
        stage.plane.play(other, audio(1), gain_db=40)
    with pytest.raises(MediaError, match="digits"):
        stage.plane.play(other, audio(1), stop_on="x")


async def test_digits_are_told_with_their_length(stage) -> None:
    a, leg_a, b, _ = stage.bridged()
    for code, timestamp in [(5, 8000), (11, 16000)]:
        for n in range(1, 6):
            a.send(
                leg_a, bytes([code, 10, *(160 * n).to_bytes(2, "big")]), 101, timestamp=timestamp, sequence=a.sequence
            )
            a.sequence += 1
        for _ in range(3):
            a.send(leg_a, bytes([code, 0x8A, 3, 0x20]), 101, timestamp=timestamp, sequence=a.sequence)
            a.sequence += 1
    await stage.until(lambda: len(stage.of("dtmf", leg_a)) == 2)
    assert stage.of("dtmf") == [{"digit": d, "ms": 100, "via": "rfc4733", "masked": False} for d in "5#"]
    heard = await b.hears(16)
    assert len({p.timestamp for p in heard}) == 2  # event timestamps survive the relay
    assert heard[8].timestamp - heard[0].timestamp in {8000, 8000 - 2**32}


async def test_a_digit_without_an_end_is_told_after_silence(stage) -> None:
    a = stage.peer()
    leg = stage.leg(a)
    began = time.monotonic()
    a.send(leg, bytes([1, 10, 1, 0x40]), 101)
    await stage.until(lambda: bool(stage.of("dtmf", leg)))
    assert time.monotonic() - began > 0.1
    assert stage.of("dtmf") == [{"digit": "1", "ms": 40, "via": "rfc4733", "masked": False}]


async def test_an_open_digit_is_told_before_the_leg_goes(stage) -> None:
    a = stage.peer()
    leg = stage.leg(a)
    a.send(leg, bytes([1, 10, 1, 0x40]), 101)
    await stage.expect_counts(leg, packets_in=1)
    await leg.close()
    assert stage.of("dtmf", leg) == [{"digit": "1", "ms": 40, "via": "rfc4733", "masked": False}]
