"""A recording is listened to while it is made: bytes that were read stay as they are, and end as the finished file."""

from pathlib import Path

import numpy as np
import pytest

from santral.recorder.capture import CaptureFile, CaptureHeader, CaptureWriter
from santral.recorder.encode.wav import HEADER_BYTES
from santral.recorder.mixdown import Mixdown
from santral.recorder.mixdown.live import LiveFile
from santral.recorder.mixdown.spool import Spool

from ..scene import START_NS, Talk, speech


class Call:
    """Two sides that are captured second by second."""

    def __init__(self, path: Path, seconds: int) -> None:
        self.writer = CaptureWriter(path, CaptureHeader("rec-1", "acme", "node", START_NS, 1_760_000_000_000_000_000))
        self.writer.codec(2, "PCMA/8000")
        packets = []
        for stream, role in enumerate(("originating", "connected")):
            self.writer.stream(stream, START_NS, leg=f"leg-{stream}", side="said", role=role)
            rows, payloads = Talk(stream, speech(seconds, seed=stream + 1), jitter_ms=10, start_s=0, ppm=80).rows()
            packets += list(zip(rows, payloads, strict=True))
        self.packets = sorted(packets, key=lambda packet: packet[0]["arrival_ns"])

    def go_on(self, until_s: float) -> None:
        """What arrives up to then gets into the file."""
        while self.packets and self.packets[0][0]["arrival_ns"] < START_NS + until_s * 1e9:
            row, payload = self.packets.pop(0)
            fields = (int(row[name]) for name in ("stream", "arrival_ns", "timestamp", "ssrc", "sequence", "codec"))
            self.writer.packet(*fields, payload)
        self.writer.cut()


def test_ranges_of_a_growing_recording(tmp_path: Path) -> None:
    path = tmp_path / "x.capture"
    call = Call(path, 20)
    seen = b""
    with LiveFile(path, folder=tmp_path) as live:
        assert not live.advance()
        for second in range(1, 21):
            call.go_on(second)
            live.advance()
            assert live.read(0, len(seen)) == seen
            seen = live.read(0, 1 << 30)
            assert len(seen) == live.size
            behind = second - (live.size - HEADER_BYTES) / 32_000 if live.size else 0
            assert behind <= 7.5
        assert len(seen) > 12 * 32_000
        call.go_on(99)
        call.writer.end(START_NS + 21 * 10**9, "hangup")
        assert live.advance()
        assert live.is_finished
        assert not live.advance()
        assert live.read(HEADER_BYTES, len(seen)) == seen[HEADER_BYTES:] + live.read(len(seen), HEADER_BYTES)
        assert live.read(live.size - 10, 100) == live.read(live.size - 10, 10)
        assert live.read(0, 8)[4:] == (live.size - 8).to_bytes(4, "little")
        with CaptureFile(path) as capture:
            whole = np.concatenate([piece.samples for piece in Mixdown([capture]).pieces()])
        assert live.read(HEADER_BYTES, live.size) == whole.tobytes()
        assert len(whole) == 21 * 8000
    assert [each.name for each in tmp_path.iterdir()] == ["x.capture"]


@pytest.mark.parametrize("seconds", [2, 20])
def test_a_writer_that_dies_ends_the_recording_with_what_there_is(seconds: int, tmp_path: Path) -> None:
    path = tmp_path / "x.capture"
    call = Call(path, seconds)
    with LiveFile(path) as live:
        call.go_on(seconds)
        live.advance()
        assert not live.is_finished
        call.writer.close()
        live.advance()
        assert live.is_finished
        assert (live.size - HEADER_BYTES) / 32_000 == pytest.approx(seconds, abs=0.05)


def test_what_is_spooled_lies_nowhere_in_the_clear(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    text = b"four one one one " * 1000
    for at in range(0, len(text), 777):
        spool.add(text[at : at + 777])
    assert [spool.read(at, 100) for at in (0, 1, 15, 16, 776, 16_950)] == [
        text[at : at + 100] for at in (0, 1, 15, 16, 776, 16_950)
    ]
    on_disk = Path(f"/proc/self/fd/{spool._file.fileno()}").read_bytes()
    assert len(on_disk) == len(text)
    assert b"one" not in on_disk
    assert not list(tmp_path.iterdir())
    spool.close()
