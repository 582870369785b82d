"""Tones of networks and fax machines: what our generator makes is recognised, by kind and time, and nothing else is."""

from itertools import cycle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from santral.codecs.detect.spectrum import spectrum
from santral.codecs.detect.tones import ToneDetector, ToneReport, tones
from santral.codecs.g711 import PCMA, PCMU
from santral.codecs.generate.score import Score, ScorePlayer
from santral.codecs.tones import TONES, Burst, Tone

RATE_HZ = 8000
KINDS = ("ringback", "busy", "congestion", "dial", "sit", "cng", "ced")
Audio = NDArray[np.float64]


def made(tone: Tone, ms: float) -> Audio:
    return np.frombuffer(ScorePlayer(Score.tone(tone)).render(round(8 * ms)), np.int16).astype(np.float64)


def silence(ms: float) -> Audio:
    return np.zeros(round(ms * 8))


def pcm(audio: Audio) -> bytes:
    return np.clip(np.round(audio), -32768, 32767).astype(np.int16).tobytes()


def steady(hz: float, ms: float, dbm0: float = -11) -> Audio:
    sound: Audio = 32767 * 10 ** ((dbm0 - 3.14) / 20) * np.sin(2 * np.pi * hz * np.arange(round(8 * ms)) / RATE_HZ)
    return sound


def last_whole_burst(tone: Tone, ms: int) -> int:
    """When the last burst that `ms` of the tone hold ends."""
    at = end = 0
    for burst in cycle(tone.bursts) if tone.repeats else tone.bursts:
        at += burst.ms or ms
        if at > ms:
            break
        end = at if burst.hz else end
    return end


@pytest.mark.parametrize("law", [None, PCMU, PCMA], ids=["linear", "mu-law", "A-law"])
@pytest.mark.parametrize(("country", "kind"), [(c, k) for c in TONES for k in KINDS])
def test_every_tone_of_every_country(country: str, kind: str, law: object) -> None:
    tone = TONES[country][kind]
    sound = pcm(np.concatenate([silence(333), made(tone, 9000), silence(700)]))
    if law is not None:
        sound = law.decode(law.encode(sound))  # type: ignore[attr-defined]
    (found,) = tones(sound)
    assert found.kind == kind
    assert found.start == pytest.approx(8 * 333, abs=8 * 8)
    expected = {hz for burst in tone.bursts for hz in burst.hz}
    assert sorted(found.hz) == pytest.approx(sorted(expected), abs=2)
    assert found.end == pytest.approx(8 * (333 + last_whole_burst(tone, 9000)), abs=8 * 12)


@pytest.mark.parametrize(
    ("country", "kind", "within_ms"),
    [
        ("tr", "ringback", 2150),
        ("eu", "ringback", 1150),
        ("uk", "ringback", 1200),
        ("tr", "busy", 1650),
        ("us", "congestion", 1450),
        ("us", "dial", 1350),
        ("tr", "dial", 2650),
        ("us", "sit", 1100),
        ("eu", "cng", 650),
        ("eu", "ced", 550),
    ],
)
def test_how_soon_it_is_known(country: str, kind: str, within_ms: float) -> None:
    sound = np.concatenate([silence(100), made(TONES[country][kind], 6000), silence(500)])
    detector = ToneDetector()
    for at in range(0, len(sound), 160):
        reports = detector.feed(pcm(sound[at : at + 160]))
        if reports:
            break
    assert reports[0].kind == kind
    assert (at + 160) / 8 - 100 <= within_ms


@pytest.mark.parametrize("country", TONES)
def test_frequencies_and_cadences_may_be_off(country: str) -> None:
    for kind in ("ringback", "busy", "congestion"):
        for hz_off, ms_off in ((0.985, 0.9), (1.015, 1.1)):
            tone = TONES[country][kind]
            bursts = tuple(Burst(tuple(hz * hz_off for hz in b.hz), round(b.ms * ms_off)) for b in tone.bursts)
            found = tones(pcm(np.concatenate([made(Tone(bursts, tone.dbm0), 12_000), silence(400)])))
            assert [each.kind for each in found] == [kind], (kind, hz_off)


def test_with_noise_and_faint() -> None:
    for kind in KINDS:
        sound = made(TONES["eu"][kind], 9000) * 10 ** (-20 / 20)
        noise = np.random.default_rng(4).standard_normal(len(sound)) * 32767 * 10 ** ((-30 - 12 - 6.14) / 20)
        assert [each.kind for each in tones(pcm(sound + noise))] == [kind]


def test_an_answering_modem_with_phase_reversals() -> None:
    """V.8 ANSam: 2100 Hz, its level swings by a fifth at 15 Hz, its phase turns over each 450 ms."""
    t = np.arange(8 * 3300) / RATE_HZ
    turned = np.where((t / 0.450).astype(int) % 2, -1, 1)
    sound = 4000 * (1 + 0.2 * np.sin(2 * np.pi * 15 * t)) * turned * np.sin(2 * np.pi * 2100 * t)
    plain = 4000 * np.sin(2 * np.pi * 2100 * t)
    (found,) = tones(pcm(np.concatenate([silence(200), sound, silence(300)])))
    assert (found.kind, found.reversals) == ("ced", 7)
    (found,) = tones(pcm(np.concatenate([silence(200), plain, silence(300)])))
    assert (found.kind, found.reversals) == ("ced", 0)


def test_digits_and_single_sounds_are_no_network_tones() -> None:
    score = Score.digits("1234567890*#ABCD", tone_ms=500, gap_ms=500)
    assert tones(ScorePlayer(score).render(20 * 8000)) == []
    assert tones(pcm(np.concatenate([silence(500), steady(1000, 400), silence(3000)]))) == []
    assert tones(pcm(np.concatenate([steady(425, 300), silence(1500), steady(425, 120), silence(900)]))) == []
    assert tones(pcm(steady(1500, 5000))) == []
    assert tones(pcm(np.random.default_rng(1).standard_normal(80_000) * 3000)) == []


def test_one_burst_after_speech_is_a_beep_and_no_ringback() -> None:
    """Only where nothing else was heard may one burst be ringback: answering machines beep with 425 Hz, too."""
    babble = np.random.default_rng(3).standard_normal(8 * 1500) * 2000
    beep = np.concatenate([silence(600), steady(425, 1000), silence(1500)])
    assert [each.kind for each in tones(pcm(beep))] == ["ringback"]
    assert tones(pcm(np.concatenate([babble, beep]))) == []


def test_one_tone_after_the_other() -> None:
    sound = [made(TONES["tr"]["ringback"], 8000), silence(300), made(TONES["us"]["sit"], 1928)]
    sound += [made(TONES["tr"]["congestion"], 6000), silence(6000)]
    detector = ToneDetector()
    reports = detector.feed(pcm(np.concatenate(sound)))
    assert [(each.kind, each.ended) for each in reports] == [
        (kind, ended) for kind in ("ringback", "sit", "congestion") for ended in (False, True)
    ]
    assert [each.kind for each in detector.finish()] == []


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(1, 900), min_size=1, max_size=30))
def test_how_the_stream_is_cut_changes_nothing(sizes: list[int]) -> None:
    samples = pcm(np.concatenate([silence(50), made(TONES["uk"]["ringback"], 4000)]))
    whole, pieces = ToneDetector(), ToneDetector()
    expected = whole.feed(samples)
    got: list[ToneReport] = []
    at = turn = 0
    while at < len(samples):
        size = 2 * sizes[turn % len(sizes)]
        got += pieces.feed(samples[at : at + size])
        at, turn = at + size, turn + 1
    assert got == expected
    assert pieces.finish() == whole.finish()


def test_half_a_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="half"):
        ToneDetector().feed(b"\0")


def test_the_spectrum_is_that_of_numpy() -> None:
    samples = np.random.default_rng(1).integers(-30_000, 30_000, 512).astype(np.int16)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(512) + 0.5) / 512)
    expected = np.fft.rfft(samples * window) * np.where(np.arange(257) % 2, -1, 1)
    assert np.abs(np.array(spectrum(samples.tobytes()))[1:256] - expected[1:256]).max() < 1e-6 * np.abs(expected).max()
    with pytest.raises(ValueError, match="512"):
        spectrum(b"\0\0")
