"""From the wire to the ears of who listens to the recording: a bridged call under jitter, loss and disorder."""

import asyncio
import time
from pathlib import Path

import numpy as np
from tests.recorder.scene import START_NS, Talk, judged, speech

from santral.recorder.capture import CaptureFile, CaptureHeader
from santral.recorder.mixdown import Mixdown
from santral.recorder.mixdown.live import LiveFile

SECONDS = 7
HZ = 8000


async def test_a_bridged_call_is_in_its_recording_as_it_was_said(stage, tmp_path: Path) -> None:
    """5 % lost, 30 ms of jitter with packets out of order, clocks 200 ppm apart."""
    a, leg_a, b, leg_b = stage.bridged()
    header = CaptureHeader.now("rec-1", "acme", "node-1")
    path = tmp_path / "x.capture"
    capture = stage.plane.captures.open(path, header)
    sides = ((a, leg_a, "originating"), (b, leg_b, "connected"))
    bad = {"loss": 0.05, "jitter_ms": 30.0, "start_s": 0.3}
    talks = [
        Talk(0, speech(SECONDS, seed=1), ppm=100, seed=3, **bad),
        Talk(1, speech(SECONDS, seed=2), ppm=-100, seed=4, **bad),
    ]
    packets = []
    for side, (talk, (peer, leg, role)) in enumerate(zip(talks, sides, strict=True)):
        assert capture.add(leg, role) == side
        rows, payloads = talk.rows()
        for row, payload in zip(rows, payloads, strict=True):
            numbers = {name: int(row[name]) for name in ("sequence", "timestamp")}
            packets.append((int(row["arrival_ns"]) - START_NS, peer, leg, payload, numbers))
    began_ns = time.monotonic_ns()
    for due_ns, peer, leg, payload, numbers in sorted(packets, key=lambda packet: packet[0]):
        await asyncio.sleep(max(0, began_ns + due_ns - time.monotonic_ns()) / 1e9)
        peer.send(leg, payload, **numbers)
    await asyncio.sleep(0.05)
    with LiveFile(path) as live:
        live.advance()
        assert live.size >= HZ * 4  # the first second can be listened to already
    summary = await capture.close("hung up")
    assert (summary.packets, summary.dropped) == (len(packets), 0)
    with CaptureFile(path) as file:
        mix = Mixdown([file])
        audio = np.concatenate([piece.samples for piece in mix.pieces()])
    late: list[float] = []
    for channel, talk in enumerate(talks):
        talk.start_s += (began_ns - header.monotonic_ns) / 1e9
        verdict = judged(audio[:, channel], talk, HZ)
        assert len(verdict.late_ms) >= 4
        assert np.median(verdict.correlation) >= 0.98
        late.extend(verdict.late_ms)
        assert mix.summary.streams[channel]["lost"] == talk.lost_between
    assert max(late) - min(late) <= 5  # of both sides together; how late this process was is not theirs
