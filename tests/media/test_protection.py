"""Opus protects its packets as much as the peer loses them: by reports, with hysteresis; heard in what is repaired."""

import asyncio
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiortc.rtp import RtcpReceiverInfo, RtcpRrPacket
from hypothesis import given
from hypothesis import strategies as st

from santral.codecs import CODECS, Decoder, Parameters
from santral.engine.media.core.measure.protection import Expectation

OPUS = "opus/48000/2"
SPEECH = Path(__file__).parents[2] / "engine" / "sounds" / "passage-en.wav"
FRAMES = 150


def test_up_at_once_and_down_by_steps_after_some_calm() -> None:
    expectation = Expectation()
    heard = [expectation.hear(percent) for percent in (0, 3, 22, 4, 4, 22, 4, 4, 4, 4, 4, 4, 0, 0, 0)]
    assert heard == [0, 5, 25, 25, 25, 25, 25, 25, 20, 20, 20, 15, 15, 15, 10]


@given(st.lists(st.integers(0, 100), max_size=60))
def test_never_less_than_was_reported_and_never_in_small_steps(reports: list[int]) -> None:
    expectation, before = Expectation(), 0
    for percent in reports:
        now = expectation.hear(percent)
        assert now >= min(percent, 30)
        assert now % 5 == 0
        assert now >= before - 5
        before = now


def speech() -> np.ndarray[Any, np.dtype[np.int16]]:
    with wave.open(str(SPEECH)) as file:
        rate, data = file.getframerate(), np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return data[:: rate // 8000][: FRAMES * 160]


async def said(stage: Any, report: RtcpReceiverInfo | None, params: str) -> list[bytes]:
    """What a peer of Opus is sent of speech that came as PCMA, having reported this before."""
    near, far = stage.peer(), stage.peer()
    leg = stage.leg(near, receives={8: "PCMA/8000"}, sends={"PCMA/8000": 8})
    to = stage.leg(far, receives={96: OPUS}, sends={OPUS: 96}, params={OPUS: params})
    stage.plane.bridge(leg, to)
    line = CODECS["PCMA/8000"].encode(speech().tobytes())
    near.send(leg, line[:160], sequence=0, timestamp=0)
    first = await far.hears(1)
    if report is not None:
        report.ssrc = first[0].ssrc
        far.rtcp.sendto(bytes(RtcpRrPacket(ssrc=far.ssrc, reports=[report])), (to.address, to.rtcp_port))
        await stage.expect_counts(to, rtcp_in=1)
    for n in range(1, FRAMES):
        near.send(leg, line[n * 160 : n * 160 + 160], sequence=n, timestamp=160 * n)
        if n % 10 == 0:
            await asyncio.sleep(0.005)  # no more than its socket holds
    return [packet.payload for packet in await far.hears(FRAMES - 1)]


def repaired_db(packets: list[bytes]) -> float:
    """How well every fourth packet comes back from the one behind it: its signal over what is wrong with it."""
    clean, lossy = (Decoder(CODECS[OPUS], Parameters(8000)) for _ in range(2))
    signal = error = 0.0
    for n, packet in enumerate(packets[:-1]):
        whole = np.frombuffer(clean.decode(packet), np.int16).astype(float)
        if n % 4 == 3:
            found = np.frombuffer(lossy.recover(packets[n + 1]), np.int16).astype(float)[: len(whole)]
            signal, error = signal + float(np.sum(whole**2)), error + float(np.sum((found - whole) ** 2))
        else:
            lossy.decode(packet)
    return 10 * float(np.log10(signal / error))


def lost(fraction: int) -> RtcpReceiverInfo:
    return RtcpReceiverInfo(ssrc=0, fraction_lost=fraction, packets_lost=5, highest_sequence=9, jitter=0, lsr=0, dlsr=0)


async def test_what_a_lossy_peer_is_sent_can_be_repaired_better(stage: Any) -> None:
    if not CODECS[OPUS].can_transcode:
        pytest.skip("no libopus")
    usual = await said(stage, None, "useinbandfec=1")
    heeded = await said(stage, lost(64), "useinbandfec=1")
    assert repaired_db(heeded) > repaired_db(usual) + 1.5
    assert abs(sum(map(len, heeded)) / sum(map(len, usual)) - 1) < 0.1  # within the same bit rate


async def test_who_cannot_use_it_is_sent_the_same_as_before(stage: Any) -> None:
    if not CODECS[OPUS].can_transcode:
        pytest.skip("no libopus")
    assert await said(stage, None, "") == await said(stage, lost(64), "")
