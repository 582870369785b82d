"""Sources that change in mid-call: codecs, SSRCs, timestamps, pauses, paths. What is said stays where it was said."""

import numpy as np
import pytest

from santral.recorder.mixdown import Options, Summary

from ..scene import Samples, Talk, Tape, Verdict, following, judged, mixed, note, speech, two_sides

FIRST, SECOND, OTHER = speech(12, seed=1), speech(12, seed=3), speech(26, seed=2)
WIDE = speech(12, 16000, seed=5)
OPUS = speech(12, 48000, seed=6)


def start(**other: float) -> Talk:
    return Talk(0, FIRST, jitter_ms=10, **other)  # type: ignore[arg-type]


def both(first: Talk, second: Talk, options: Options | None = None) -> tuple[Verdict, Verdict, Summary]:
    """Two talks on stream 0, one beside them on stream 1 that must not care."""
    other = Talk(1, OTHER, jitter_ms=10, seed=4, ssrc=7)
    audio, summary = mixed(Tape([first, second, other], two_sides(end_s=28)), options)
    assert len(audio) == 28 * summary.rate_hz
    undisturbed = judged(audio[:, 1], other, summary.rate_hz)
    assert np.median(undisturbed.correlation) >= 0.98
    assert np.abs(undisturbed.late_ms).max() < 5
    one = judged(audio[:, 0], first, summary.rate_hz)
    return one, judged(audio[:, 0], second, summary.rate_hz), summary


def assert_in_place(*sides: Verdict, least: int = 9, alike: float = 0.98) -> None:
    for side in sides:
        assert len(side.late_ms) >= least
        assert np.median(side.correlation) >= alike
        assert np.abs(side.late_ms).max() <= 5


@pytest.mark.parametrize("rate_hz", [0, 16000])
def test_another_codec_in_mid_call(rate_hz: int) -> None:
    first = start()
    one, two, summary = both(first, following(first, WIDE, codec="G722/8000"), Options(rate_hz=rate_hz))
    assert_in_place(one, two)
    assert summary.rate_hz == (rate_hz or 8000)
    assert summary.streams[0]["lost"] == summary.streams[0]["steps"] == 0


def test_another_codec_with_another_clock() -> None:
    first = start()
    opus = following(first, OPUS, codec="opus/48000/2", first_timestamp=99)
    one, two, summary = both(first, opus, Options(rate_hz=16000))
    assert_in_place(one)
    assert_in_place(two, alike=0.7)  # Opus keeps what is heard, not the wave
    assert summary.streams[0]["sources"] == 2


def test_another_ssrc() -> None:
    first = start()
    one, two, summary = both(first, following(first, SECOND, ssrc=99, first_sequence=7, first_timestamp=12345))
    assert_in_place(one, two)
    assert summary.streams[0]["sources"] == 2
    assert summary.streams[0]["lost"] == 0


@pytest.mark.parametrize("ticks", [160 * 7, 160 * 500, -160 * 7, -160 * 500, 10**9, -(10**9), 2**31])
def test_timestamps_that_jump_move_nothing(ticks: int) -> None:
    first = start()
    timestamp = (first.first_timestamp + 600 * 160 + ticks) & 0xFFFFFFFF
    one, two, summary = both(first, following(first, SECOND, first_timestamp=timestamp))
    assert_in_place(one, two)
    assert summary.streams[0]["lost"] == 0


@pytest.mark.parametrize("ticks", [0, 5_000_000])
def test_a_source_that_counts_its_packets_anew(ticks: int) -> None:
    first = start()
    timestamp = (first.first_timestamp + 600 * 160 + ticks) & 0xFFFFFFFF
    one, two, _ = both(first, following(first, SECOND, first_sequence=65_300, first_timestamp=timestamp))
    assert_in_place(one, two)


@pytest.mark.parametrize("pause_s", [0.05, 0.1, 0.3, 1.0, 2.0])
def test_a_clock_that_stood_still_for_a_while(pause_s: float) -> None:
    """Some senders stop counting while they are held: what follows is later than their timestamps say."""
    first = start()
    one, two, summary = both(first, following(first, SECOND, after_s=pause_s))
    assert_in_place(one, two)
    assert summary.streams[0]["refused_samples"] == 0


@pytest.mark.parametrize("hold_s", [5.0, 40.0, 300.0])
@pytest.mark.parametrize("counts_on", [False, True])
def test_hold(hold_s: float, counts_on: bool) -> None:
    """Nothing is sent for a long time, while the other side talks on and clocks drift."""
    first = start(ppm=100)
    skipped = round(hold_s * 8000 * (1 + 100e-6)) if counts_on else 0
    timestamp = (first.first_timestamp + 600 * 160 + skipped) & 0xFFFFFFFF
    second = following(first, SECOND, after_s=hold_s, first_timestamp=timestamp)
    other = Talk(1, OTHER, seed=4, ssrc=7)
    tape = Tape(
        [first, second, other],
        two_sides(note(12.6, "hold", stream=0), note(12.5 + hold_s, "unhold", stream=0), end_s=26 + hold_s),
    )
    audio, summary = mixed(tape)
    assert len(audio) == round((26 + hold_s) * 8000)
    assert_in_place(judged(audio[:, 0], first, 8000), judged(audio[:, 0], second, 8000))
    held = [span for span in summary.spans if span.what == "held"]
    assert [(span.start, span.end, span.stream) for span in held] == [(12.6, 12.5 + hold_s, 0)]
    assert summary.streams[0]["lost"] == 0


@pytest.mark.parametrize("quiet", [[(3, 3.6), (5, 9), (10, 10.3)], [(0.4, 0.5)]])
def test_silence_that_is_not_sent_is_neither_lost_nor_made_up(quiet: list[tuple[float, float]]) -> None:
    talk = Talk(0, speech(14, seed=1), jitter_ms=10, quiet=quiet)
    audio, summary = mixed(Tape([talk], two_sides(end_s=15)))
    assert_in_place(judged(audio[:, 0], talk, 8000), least=5)
    assert summary.streams[0]["lost"] == 0
    for begin, end in quiet:
        a, b = round((talk.start_s + begin + 0.03) * 8000), round((talk.start_s + end) * 8000)
        assert not audio[a:b, 0].any()


def test_a_network_that_stops_for_a_moment_moves_nothing() -> None:
    late = np.zeros(1000)
    late[300:320] = np.linspace(400, 0, 20)  # they come all at once
    late[:8] = np.linspace(160, 0, 8)  # also at the start
    talk = Talk(0, speech(20, seed=1), jitter_ms=5, late_ms=late)
    audio, summary = mixed(Tape([talk], two_sides(end_s=21)))
    assert_in_place(judged(audio[:, 0], talk, 8000))
    assert summary.streams[0]["steps"] == summary.streams[0]["lost"] == summary.streams[0]["refused_samples"] == 0


def test_a_path_that_becomes_shorter_loses_nothing() -> None:
    late = np.zeros(1500)
    late[:500] = 60
    talk = Talk(0, speech(30, seed=1), jitter_ms=5, late_ms=late)
    audio, summary = mixed(Tape([talk], two_sides(end_s=31)))
    assert summary.streams[0]["refused_samples"] == 0
    after = judged(audio[:, 0], talk, 8000, first_s=22)
    assert_in_place(after, least=6)
    assert 0 < summary.streams[0]["slipped"] < 0.07 * 8000


def test_transfer() -> None:
    """Who was connected when: the second party stands where the first one stood, from its own time on."""
    a = Talk(0, speech(30, seed=1), jitter_ms=10)
    b = Talk(1, speech(12, seed=2), jitter_ms=10, ssrc=7, seed=5, ppm=100)
    c = Talk(2, speech(14, seed=3), start_s=15, jitter_ms=10, ssrc=8, seed=6, codec="PCMU/8000", ppm=-100)
    notes = two_sides(
        note(0.5, "connected", streams=[0, 1]),
        note(12.6, "stream_end", stream=1, reason="transfer"),
        note(14.9, "stream", stream=2, leg="leg-c", side="said", role="connected", party="102"),
        note(15.0, "connected", streams=[0, 2]),
        note(12.6, "parted", streams=[0, 1]),
        end_s=31,
    )
    audio, summary = mixed(Tape([a, b, c], notes))
    assert_in_place(judged(audio[:, 0], a, 8000), judged(audio[:, 1], b, 8000), judged(audio[:, 1], c, 8000))
    assert not audio[round(12.7 * 8000) : round(14.9 * 8000), 1].any()
    joined = [(span.start, span.end, span.fields["streams"]) for span in summary.spans if span.what == "connected"]
    assert joined == [(0.5, 12.6, [0, 1]), (15.0, 31.0, [0, 2])]
    assert [(each["party"], each["start"], each["end"]) for each in summary.streams] == [
        ("+905551112233", 0.0, 31.0), ("101", 0.0, 12.6), ("102", 14.9, 31.0),
    ]  # fmt: skip


def test_digits_kept_out_of_the_file_are_silence_and_not_lost() -> None:
    """RFC 4733: a number for every packet of the event, the last of them three times, and no sound meanwhile."""
    talk = Talk(0, speech(12, seed=1), jitter_ms=5, quiet=[(4, 4.2)])
    tape = Tape([talk], two_sides(end_s=13))
    later = tape.rows["arrival_ns"] >= tape.rows["arrival_ns"][200]
    tape.rows["sequence"][later] += 12
    audio, summary = mixed(tape)
    assert_in_place(judged(audio[:, 0], talk, 8000))
    assert summary.streams[0]["lost"] == 0
    assert summary.streams[0]["events"] == 12
    assert not audio[round(4.55 * 8000) : round(4.7 * 8000), 0].any()


def noise_level(audio: Samples) -> float:
    return float(np.sqrt(np.mean(audio.astype(float) ** 2)))


def test_comfort_noise_is_heard_while_nothing_is_sent() -> None:
    talk = Talk(0, speech(10, seed=1), quiet=[(4, 7)])
    tape = Tape([talk], two_sides(end_s=11))
    described = tape.rows[tape.rows["arrival_ns"] <= tape.rows["arrival_ns"][199]][-1:].copy()  # at 4 s
    described["codec"], described["length"], described["octets"] = 6, 1, 1
    described["sequence"] += 1
    described["timestamp"] += 160
    described["offset"] = len(tape.payloads)
    described["arrival_ns"] += 20_000_000
    later = tape.rows["arrival_ns"] > described["arrival_ns"][0]
    tape.rows["sequence"][later] += 1
    tape.payloads += bytes([40])  # -40 dBov
    tape.rows = np.concatenate([tape.rows[~later], described, tape.rows[later]]).astype(tape.rows.dtype)
    tape.rows_a_read = len(tape.rows)
    audio, summary = mixed(tape)
    level = 20 * np.log10(noise_level(audio[round(4.8 * 8000) : round(7.3 * 8000), 0]) / 32768)
    assert -44 < level < -36
    assert_in_place(judged(audio[:, 0], talk, 8000), least=5)
    assert summary.streams[0]["lost"] == 0
