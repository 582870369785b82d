"""Digits and tones that are made: frequency, level, length, edges, at every rate."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from santral.codecs.detect.dtmf import digits
from santral.codecs.generate.score import MAX_DIGITS, Score, ScorePlayer
from santral.codecs.tones import FOREVER, TONES, Burst, Tone

RATES_HZ = (8000, 16000, 48000)
Audio = NDArray[np.float64]


def audio(score: Score, ms: float = 1e5) -> Audio:
    samples = ScorePlayer(score).render(round(ms * score.sample_hz / 1000))
    return np.frombuffer(samples, np.int16).astype(np.float64)


def level_dbm0(sound: Audio, hz: float, rate_hz: int) -> float:
    """Of one sine, by a Hann window over all of `sound`."""
    t = np.arange(len(sound))
    window = np.hanning(len(sound))
    size = 2 * abs(np.sum(window * sound * np.exp(-2j * np.pi * hz / rate_hz * t))) / window.sum()
    return float(20 * np.log10(size / 32767 + 1e-12) + 3.14)


def sounding(sound: Audio, rate_hz: int) -> list[tuple[float, float]]:
    """Stretches that are not silent, as (from, to) in ms; gaps below 4 ms are zero crossings and soft edges."""
    loud = np.flatnonzero(np.abs(sound) > 30)
    edges = np.flatnonzero(np.diff(loud) > 4 * rate_hz / 1000)
    firsts, lasts = loud[np.r_[0, edges + 1]], loud[np.r_[edges, len(loud) - 1]]
    return [(1000 * a / rate_hz, 1000 * b / rate_hz) for a, b in zip(firsts, lasts, strict=True)]


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize(("country", "name"), [(c, n) for c in TONES for n in TONES[c]])
def test_every_tone_has_its_frequencies_levels_and_cadence(country: str, name: str, rate_hz: int) -> None:
    tone = TONES[country][name]
    lengths = [burst.ms or 3000 for burst in tone.bursts]
    sound = audio(Score.tone(tone, sample_hz=rate_hz), sum(lengths))
    at = 0
    expected: list[tuple[float, float]] = []
    for burst, ms in zip(tone.bursts, lengths, strict=True):
        part = sound[round(at * rate_hz / 1000) : round((at + min(ms, 2000)) * rate_hz / 1000)]
        for hz in burst.hz:
            assert level_dbm0(part, hz, rate_hz) == pytest.approx(tone.dbm0, abs=0.3)
        assert burst.hz or not part.any()
        if burst.hz and expected and expected[-1][1] == at:
            expected[-1] = (expected[-1][0], at + ms)
        elif burst.hz:
            expected.append((at, at + ms))
        at += ms
    assert np.ravel(sounding(sound, rate_hz)) == pytest.approx(np.ravel(expected), abs=4)


def test_a_cadence_goes_on_and_a_sequence_ends() -> None:
    assert len(audio(Score.tone(TONES["tr"]["busy"]), 10_000)) == 80_000
    assert len(sounding(audio(Score.tone(TONES["tr"]["busy"]), 10_000), 8000)) == 10
    assert Score.tone(TONES["tr"]["busy"]).ms is None
    assert Score.tone(TONES["eu"]["dial"]).ms is None
    assert Score.tone(TONES["us"]["sit"]).ms == 1928
    assert len(audio(Score.tone(TONES["us"]["sit"]), 10_000)) == 1928 * 8


def test_a_frequency_holds_for_ten_minutes() -> None:
    sound = audio(Score.tone(TONES["us"]["dial"]), 600_000)
    first, last = sound[8000:16000], sound[-8000:]  # whole periods of 350 and 440 Hz apart
    assert np.abs(first - last).max() <= 1


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_edges_do_not_click(rate_hz: int) -> None:
    """What lies far from the tone stays 50 dB below it, also where it begins and ends."""
    sound = audio(Score.tone(Tone((Burst((1000,), 50), Burst((), 50)), -10, repeats=True), sample_hz=rate_hz), 1000)
    power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
    hz = np.fft.rfftfreq(len(sound), 1 / rate_hz)
    assert 10 * np.log10(power[hz > 2500].sum() / power.sum()) < -50


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_digits_are_heard_as_they_were_written(rate_hz: int) -> None:
    sound = audio(Score.digits("1590*#ADdw7W3", sample_hz=rate_hz, tone_ms=70, gap_ms=60))
    found = digits(sound[:: rate_hz // 8000].astype(np.int16).tobytes())
    assert "".join(each.digit for each in found) == "1590*#ADD73"
    assert all(abs(each.end - each.start - 8 * 70) <= 40 for each in found)
    assert found[-1].start == pytest.approx(8 * (10 * 130 + 500 + 1000), abs=40)
    assert found[0].low_dbm0 == pytest.approx(-9, abs=0.5)
    assert found[0].high_dbm0 == pytest.approx(-7, abs=0.5)


def test_released_it_ends_softly_at_once() -> None:
    player = ScorePlayer(Score.tone(TONES["uk"]["dial"]))
    before = np.frombuffer(player.render(1000), np.int16).astype(int)
    player.release()
    player.release()
    after = np.frombuffer(player.render(1000), np.int16).astype(int)
    assert len(after) == 20
    assert np.abs(np.diff(np.r_[before, after, 0])).max() <= np.abs(np.diff(before)).max() * 1.3
    assert player.render(10) == b""


def test_two_loud_sines_saturate() -> None:
    sound = audio(Score.tone(Tone((Burst((400, 410), FOREVER),), 3.14)), 1000)
    assert sound.max() == 32767
    assert sound.min() == -32768


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 500), min_size=1))
def test_how_it_is_read_changes_nothing(sizes: list[int]) -> None:
    score = Score.digits("1w2")
    player, total = ScorePlayer(score), round((score.ms or 0) * 8)
    pieces = b""
    while len(pieces) < 2 * total:
        for size in sizes:
            pieces += player.render(size)
    assert pieces == ScorePlayer(score).render(total)


@pytest.mark.parametrize("text", ["", "12x", "1 2", "1" * (MAX_DIGITS + 1)])
def test_what_is_no_string_of_digits_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="digits"):
        Score.digits(text)


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(ValueError, match="rates"):
        Score.digits("1", sample_hz=11025)
    with pytest.raises(ValueError, match="40 ms"):
        Score.digits("1", tone_ms=30)
    with pytest.raises(ValueError, match="sound"):
        Score.tone(Tone((Burst((), 0),), -10))


def test_countries_have_the_same_tones() -> None:
    names = {"dial", "ringback", "busy", "congestion", "call_waiting", "sit", "beep", "cng", "ced"}
    assert {country: set(tones) for country, tones in TONES.items()} == dict.fromkeys(("tr", "eu", "us", "uk"), names)
    rows = [tone for country, name in product(TONES, names) for tone in (TONES[country][name],)]
    assert all(len(burst.hz) <= 2 for tone in rows for burst in tone.bursts)
