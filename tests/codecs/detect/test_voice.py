"""Voice activity on speech of ours with known pauses, clean and in noise; levels against their definition."""

import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from santral.codecs.detect.voice import VoiceDetector, level, speech
from santral.codecs.g711 import PCMA, PCMU

SOUNDS = Path(__file__).resolve().parents[3] / "engine/sounds"
Audio = NDArray[np.float64]
LEAD, PAUSE, TRAIL = 8000, 12_000, 9600  # samples


def said(name: str) -> Audio:
    """A passage at 8 kHz, without the silence around it, at -26 dBov."""
    with wave.open(str(SOUNDS / name)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float64)
        samples = samples[:: file.getframerate() // 8000]
    loud = np.flatnonzero(np.abs(samples) > 300)
    samples = samples[loud[0] : loud[-1]]
    spoken: Audio = samples * 10 ** (-26 / 20) * 32767 / np.sqrt(np.mean(samples**2))
    return spoken


@pytest.fixture(scope="module")
def talk() -> tuple[Audio, list[tuple[int, int]]]:
    """Two passages with silence around them, and where they are."""
    parts = [said("passage-en.wav"), said("passage-tr.wav")]
    sound = np.concatenate([np.zeros(LEAD), parts[0], np.zeros(PAUSE), parts[1], np.zeros(TRAIL)])
    second = LEAD + len(parts[0]) + PAUSE
    return sound, [(LEAD, LEAD + len(parts[0])), (second, second + len(parts[1]))]


def pcm(audio: Audio) -> bytes:
    return np.clip(np.round(audio), -32768, 32767).astype(np.int16).tobytes()


def noise(count: int, dbov: float, colour: str = "white") -> Audio:
    made = np.random.default_rng(11).standard_normal(count)
    if colour == "pink":
        bins = np.fft.rfft(made)
        made = np.fft.irfft(bins / np.sqrt(np.maximum(np.arange(len(bins)), 1)), count)
    scaled: Audio = made * 32767 * 10 ** (dbov / 20) / made.std()
    return scaled


def covered(found: list[tuple[int, int]], count: int) -> NDArray[np.bool_]:
    mask = np.zeros(count, bool)
    for start, end in found:
        mask[start:end] = True
    return mask


@pytest.mark.parametrize("law", [None, PCMU, PCMA], ids=["linear", "mu-law", "A-law"])
@pytest.mark.parametrize(
    ("colour", "noise_dbov", "missed_max"),
    [("white", -90, 0.04), ("white", -56, 0.08), ("pink", -46, 0.08), ("white", -46, 0.12), ("pink", -40, 0.14)],
)
def test_talk_is_found_and_pauses_are_not(
    talk: tuple[Audio, list[tuple[int, int]]], law: object, colour: str, noise_dbov: float, missed_max: float
) -> None:
    sound, truth = talk
    samples = pcm(sound + noise(len(sound), noise_dbov, colour))
    if law is not None:
        samples = law.decode(law.encode(samples))  # type: ignore[attr-defined]
    found, there = covered(speech(samples), len(sound)), covered(truth, len(sound))
    assert (there & ~found).sum() / there.sum() <= missed_max
    assert (found & ~there).sum() / (~there).sum() <= 0.02


def test_times_of_start_and_stop(talk: tuple[Audio, list[tuple[int, int]]]) -> None:
    sound, truth = talk
    found = speech(pcm(sound + noise(len(sound), -70)))
    starts, ends = [each[0] for each in found], [each[1] for each in found]
    for start, end in truth:
        assert min(abs(each - start) for each in starts) <= 8 * 40
        assert min(abs(each - end) for each in ends) <= 8 * 60


def test_a_longer_hangover_joins_sentences(talk: tuple[Audio, list[tuple[int, int]]]) -> None:
    sound, truth = talk
    (whole,) = speech(pcm(sound), hangover_ms=2000)
    assert whole == pytest.approx((truth[0][0], truth[1][1]), abs=8 * 40)


def test_the_report_comes_when_it_should(talk: tuple[Audio, list[tuple[int, int]]]) -> None:
    sound, _ = talk
    detector = VoiceDetector(hangover_ms=200)
    for at in range(0, len(sound), 80):
        for report in detector.feed(pcm(sound[at : at + 80])):
            late = at + 80 - report.at
            assert late <= 8 * 70 if report.kind == "started" else late == 8 * 200
            assert detector.is_speech == (report.kind == "started")


@pytest.mark.parametrize("dbov", [-60, -45, -33])
def test_noise_is_no_talk_also_when_it_grows(dbov: float) -> None:
    sound = noise(8 * 12_000, dbov)
    sound[: 8 * 3000] *= 0.05  # the first three seconds are 26 dB fainter
    found = speech(pcm(sound))
    assert all(start >= 8 * 2900 and end <= 8 * 7000 for start, end in found)  # the floor has followed by then
    assert speech(pcm(noise(8 * 5000, -60))) == []


def test_hum_and_direct_current_are_no_talk() -> None:
    hum = 6000 * np.sin(2 * np.pi * 50 * np.arange(40_000) / 8000)
    gated = np.where(np.arange(40_000) // 4000 % 2, hum, 0)
    assert speech(pcm(np.concatenate([np.zeros(8000), hum, np.zeros(8000)]))) == []
    assert speech(pcm(np.full(40_000, 3000.0))) == []
    assert len(speech(pcm(gated))) <= 10  # its edges click: nothing longer than a hangover
    clicks = np.zeros(40_000)
    clicks[::3000] = 20_000
    assert speech(pcm(clicks)) == []


def test_levels() -> None:
    square = np.full(160, 32767.0)
    sine = 32767 * np.sin(2 * np.pi * 1000 * np.arange(160) / 8000)
    assert level(pcm(square)) == pytest.approx(0, abs=0.01)
    assert level(pcm(sine)) == pytest.approx(-3.01, abs=0.02)
    assert level(pcm(sine / 100)) == pytest.approx(-43.01, abs=0.05)
    assert level(pcm(np.zeros(160))) == -127
    assert level(b"") == -127
    detector = VoiceDetector()
    assert detector.level_dbov == -127
    detector.feed(pcm(sine / 10))
    assert detector.level_dbov == pytest.approx(-23.01, abs=0.05)
    assert detector.floor_dbov <= -50


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 600), min_size=1, max_size=20))
def test_how_the_stream_is_cut_changes_nothing(sizes: list[int]) -> None:
    samples = pcm(np.concatenate([np.zeros(4000), said("passage-en.wav")[:24_000], np.zeros(6000)]))
    whole, pieces = VoiceDetector(), VoiceDetector()
    expected = whole.feed(samples)
    got = []
    at = turn = 0
    while at < len(samples):
        size = 2 * sizes[turn % len(sizes)]
        got += pieces.feed(samples[at : at + size])
        at, turn = at + size, turn + 1
    assert got == expected
    assert got
    assert pieces.finish() == whole.finish()


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="half"):
        VoiceDetector().feed(b"\0")
    with pytest.raises(ValueError, match="hangover"):
        VoiceDetector(hangover_ms=0)
