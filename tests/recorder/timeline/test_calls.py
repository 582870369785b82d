"""Everything at once, as a bad day brings it: and every codec under loss."""

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from scipy.io import wavfile

from santral.recorder.mixdown import Options

from ..scene import Samples, Talk, Tape, following, judged, mixed, note, speech, two_sides

SOUNDS = Path("/usr/share/asterisk/sounds")  # of Debian's asterisk-core-sounds-*-wav
HZ = 8000


def recorded(voice: int, seconds: float, lacking: Callable[[str], NoReturn]) -> Samples:
    """Prompts one after the other, 8 kHz."""
    files = sorted(SOUNDS.glob("*/*.wav"))[voice::7]
    pieces: list[Samples] = []
    while files and sum(map(len, pieces)) < seconds * HZ:
        rate, samples = wavfile.read(files.pop(0))
        if rate == HZ and samples.dtype == np.int16:
            pieces.append(samples)
    if sum(map(len, pieces)) < seconds * HZ:
        lacking("no recorded speech in /usr/share/asterisk/sounds")
    return np.concatenate(pieces)[: round(seconds * HZ)]


@pytest.mark.parametrize("loss", [0, 0.01, 0.05])
@pytest.mark.parametrize("kind", ["made up", "recorded"])
def test_a_call_with_everything_in_it(kind: str, loss: float, lacking: Callable[[str], NoReturn]) -> None:
    """30 ms of jitter, packets out of order, 200 ppm between clocks; other codec, other SSRC, a hold, a transfer."""
    voices = [speech(46, seed=n) if kind == "made up" else recorded(n, 46, lacking) for n in range(3)]
    bad = {"jitter_ms": 30.0, "loss": loss}
    a1 = Talk(0, voices[0][: 14 * HZ], ppm=100, seed=1, **bad)
    a2 = following(a1, voices[0][14 * HZ : 24 * HZ], codec="PCMU/8000")  # a re-INVITE
    a3 = following(a2, voices[0][24 * HZ :], ssrc=77, first_sequence=3, first_timestamp=5)
    b1 = Talk(1, voices[1][: 12 * HZ], ppm=-100, ssrc=7, seed=5, **bad)
    b2 = following(b1, voices[1][12 * HZ : 22 * HZ], after_s=6.0)  # holds for six seconds, and its clock stands still
    c = Talk(2, voices[2][: 14 * HZ], start_s=32, ppm=-50, ssrc=9, seed=8, codec="PCMU/8000", **bad)
    notes = two_sides(
        note(12.5, "hold", stream=1),
        note(18.5, "unhold", stream=1),
        note(28.8, "stream_end", stream=1),
        note(31, "stream", stream=2, leg="leg-c", side="said", role="connected"),
        end_s=47,
    )
    audio, summary = mixed(Tape([a1, a2, a3, b1, b2, c], notes))
    assert len(audio) == 47 * HZ
    tracks: list[np.ndarray] = []
    for channel, talks in ((0, (a1, a2, a3)), (1, (b1, b2, c))):
        found = [judged(audio[:, channel], talk, HZ) for talk in talks]
        correlation = np.concatenate([each.correlation for each in found])
        tracks.append(np.concatenate([each.late_ms for each in found]))
        assert len(correlation) >= 25
        assert np.median(correlation) >= 0.98
        assert np.abs(tracks[-1]).max() <= 5
    assert tracks[0].max() - tracks[1].min() <= 5
    assert tracks[1].max() - tracks[0].min() <= 5
    assert summary.streams[0]["lost"] >= a1.lost_between + a3.lost_between
    assert sum(each["refused_samples"] for each in summary.streams) == 0


@pytest.mark.parametrize("rate_hz", [0, 8000, 44100, 48000])
@pytest.mark.parametrize("codec", ["PCMU/8000", "G722/8000", "L16/16000", "opus/48000/2"])
def test_every_codec_at_every_rate(codec: str, rate_hz: int) -> None:
    hz = {"PCMU/8000": 8000, "opus/48000/2": 48000}.get(codec, 16000)
    talk = Talk(0, speech(9, hz, seed=3), codec=codec, jitter_ms=10, loss=0.03, packet_ms=20)
    audio, summary = mixed(Tape([talk], two_sides(end_s=10)), Options(rate_hz=rate_hz))
    assert summary.rate_hz == (rate_hz or hz)
    assert len(audio) == 10 * summary.rate_hz
    verdict = judged(audio[:, 0], talk, summary.rate_hz)
    assert len(verdict.late_ms) >= 6
    assert np.median(verdict.correlation) >= (0.7 if codec.startswith("opus") else 0.97)
    assert np.abs(verdict.late_ms).max() <= 2
    assert summary.streams[0]["lost"] == talk.lost_between


@pytest.mark.parametrize("packet_ms", [10, 30, 40, 60])
def test_packets_of_any_length(packet_ms: int) -> None:
    talk = Talk(0, speech(12, seed=3), packet_ms=packet_ms, jitter_ms=10, loss=0.02, ppm=100)
    audio, summary = mixed(Tape([talk], two_sides(end_s=13)))
    verdict = judged(audio[:, 0], talk, HZ)
    assert np.median(verdict.correlation) >= 0.98
    assert np.abs(verdict.late_ms).max() <= 2
    assert summary.streams[0]["lost"] == talk.lost_between
