"""Pauses, masks, hold, cut captures, several captures, conferences, tracks: what is where, and what is told of it."""

import numpy as np
import pytest

from santral.recorder.capture import Note
from santral.recorder.mixdown import Mixdown, Options
from santral.recorder.mixdown.sections import Cuts

from ..scene import START_NS, Samples, Talk, Tape, judged, mixed, note, speech, tracks, two_sides

HZ = 8000


def tone(hz: float, seconds: float, loud: int = 6000) -> Samples:
    return np.asarray(loud * np.sin(2 * np.pi * hz * np.arange(round(seconds * HZ)) / HZ), np.int16)


def strength(samples: Samples, hz: float) -> float:
    """Amplitude of one frequency."""
    turn = np.exp(-2j * np.pi * hz * np.arange(len(samples)) / HZ)
    return float(2 * abs(np.mean(samples * turn)))


def at(audio: Samples, start_s: float, end_s: float) -> Samples:
    return audio[round(start_s * HZ) : round(end_s * HZ)]


def without(tape: Tape, start_s: float, end_s: float) -> Tape:
    """What arrived in between is not in the file."""
    since = tape.rows["arrival_ns"] - START_NS
    tape.rows = tape.rows[~((since >= start_s * 1e9) & (since < end_s * 1e9))]
    tape.rows_a_read = len(tape.rows)
    return tape


def test_a_pause_that_is_kept_is_silence_and_moves_nothing() -> None:
    talk = Talk(0, speech(20, seed=1))
    notes = two_sides(note(8, "paused", mode="silence"), note(11, "resumed"), end_s=21)
    audio, summary = mixed(without(Tape([talk], notes), 8, 11))
    assert len(audio) == 21 * HZ
    assert not at(audio, 8.03, 11).any()
    before, after = judged(audio[:, 0], talk, HZ, last_s=7), judged(audio[:, 0], talk, HZ, first_s=11)
    assert np.abs(np.concatenate([before.late_ms, after.late_ms])).max() < 1
    assert np.median(after.correlation) > 0.99
    assert (summary.paused_ms, summary.cut_ms, summary.streams[0]["lost"]) == (3000, 0, 0)
    assert [(s.start, s.end) for s in summary.spans if s.what == "paused"] == [(8.0, 11.0)]


@pytest.mark.parametrize("pause_s", [0.2, 3.0])
def test_a_pause_that_is_skipped_is_cut_out_without_a_click(pause_s: float) -> None:
    until = 8 + pause_s
    notes = two_sides(note(8, "paused", mode="skip"), note(until, "resumed"), end_s=21)
    tape = without(Tape([Talk(0, tone(200, 20), start_s=0), Talk(1, tone(300, 20), start_s=0)], notes), 8, until)
    audio, summary = mixed(tape)
    assert len(audio) == round((21 - pause_s) * HZ)
    steps = np.abs(np.diff(audio[:, 0].astype(int)))
    assert steps.max() < 1.5 * 6000 * 2 * np.pi * 200 / HZ  # a click would be steeper than the tone
    assert strength(at(audio, 8.1, 9.1)[:, 0], 200) > 5500
    assert strength(at(audio, 8.1, 9.1)[:, 1], 300) > 5500
    assert (summary.cut_ms, summary.seconds) == (round(pause_s * 1000), 21 - pause_s)
    assert summary.streams[0]["lost"] == summary.streams[1]["lost"] == 0


def test_what_is_masked_is_silence_to_the_packet() -> None:
    a = Talk(0, tone(400, 20), start_s=0, masked=(5, 6))
    notes = two_sides(note(5.0, "masked"), note(6.0, "unmasked"), end_s=20)
    audio, summary = mixed(Tape([a, Talk(1, tone(500, 20), start_s=0, masked=(5, 6))], notes))
    assert not at(audio, 5.03, 6.01).any()
    assert strength(at(audio, 4, 5)[:, 0], 400) > 5500
    assert strength(at(audio, 6.05, 7)[:, 1], 500) > 5500
    assert summary.masked_ms == 1000
    own = [(span.start, span.end, span.stream) for span in summary.spans if span.what == "masked"]
    assert sorted(own, key=str) == [(5.0, 6.0, None), (5.02, 6.02, 0), (5.02, 6.02, 1)]
    assert summary.streams[0]["lost"] == 0


def test_loss_before_a_mask_is_not_made_up_of_what_came_after() -> None:
    """Concealment continues what was heard before; the first packets behind a mask find nothing of it."""
    talk = Talk(0, tone(400, 10), start_s=0, masked=(5, 6))
    tape = without(Tape([talk], two_sides(end_s=10)), 6.02, 6.08)
    audio, _ = mixed(tape)
    assert not at(audio, 5.03, 6.07).any()


@pytest.mark.parametrize("loss", ["conceal", "silence"])
def test_loss_is_concealed_or_silent(loss: str) -> None:
    talk = Talk(0, tone(250, 10), start_s=0)
    tape = without(Tape([talk], two_sides(end_s=10)), 5.0, 5.04)
    audio, summary = mixed(tape, Options(loss=loss))  # type: ignore[arg-type]
    gap = at(audio, 5.005, 5.02)[:, 0]
    assert bool(gap.any()) == (loss == "conceal")
    assert summary.streams[0]["lost"] == 2
    assert [(s.what, s.start, s.end) for s in summary.spans] == [("lost", 5.0, 5.04)]


@pytest.mark.parametrize("held", ["record", "silence"])
def test_what_somebody_sends_who_holds(held: str) -> None:
    notes = two_sides(note(4, "hold", stream=1), note(7, "unhold", stream=1), end_s=10)
    tape = Tape([Talk(0, tone(400, 10), start_s=0), Talk(1, tone(500, 10), start_s=0)], notes)
    audio, _ = mixed(tape, Options(held=held))  # type: ignore[arg-type]
    assert bool(at(audio, 4.1, 6.9)[:, 1].any()) == (held == "record")
    assert strength(at(audio, 7.1, 8.1)[:, 1], 500) > 5500
    assert strength(at(audio, 5, 6)[:, 0], 400) > 5500


def test_a_capture_that_was_cut_is_as_long_as_what_it_has() -> None:
    talk = Talk(0, speech(9.8, seed=1))
    audio, summary = mixed(Tape([talk], two_sides()))
    assert summary.recovered
    assert len(audio) / HZ == pytest.approx(10.3 + 0.02, abs=0.02)
    assert np.median(judged(audio[:, 0], talk, HZ).correlation) > 0.99


def test_an_empty_capture_is_silence_of_its_length() -> None:
    audio, summary = mixed(Tape([], two_sides(end_s=3)))
    assert audio.shape == (3 * HZ, 2)
    assert not audio.any()
    assert not summary.recovered


def test_codecs_that_cannot_be_decoded_are_silence_of_their_length_and_said_so() -> None:
    tape = Tape([Talk(0, tone(400, 5), start_s=0), Talk(1, tone(500, 5), start_s=0)], two_sides(end_s=5))
    g729 = tape.rows["stream"] == 1
    tape.rows["codec"][g729] = 8
    tape.rows["length"][g729] = tape.rows["octets"][g729] = 20
    audio, summary = mixed(tape)
    assert not audio[:, 1].any()
    assert strength(audio[:, 0], 400) > 5500
    spans = [(span.what, span.stream, span.start) for span in summary.spans]
    assert spans == [("unreadable", 1, 0.02)]


def test_one_recording_in_two_captures_goes_on_one_timeline() -> None:
    """The engine was restarted, on a machine that was started anew: another monotonic clock, the same UTC."""
    first = Tape([Talk(0, tone(400, 4), start_s=0)], two_sides())
    second = Tape([Talk(0, tone(600, 4), start_s=0), Talk(1, tone(700, 4), start_s=0)], two_sides(end_s=5))
    apart_ns, boot_ns = 7 * 10**9, -5 * 10**12
    second.header = type(second.header)(
        "rec-1", "acme", "node", START_NS + boot_ns, second.header.utc_ns + apart_ns, "synchronised"
    )
    second.rows["arrival_ns"] += boot_ns
    second.notes = [Note(each.at_ns + boot_ns, each.kind, each.fields) for each in second.notes]
    mix = Mixdown([second, first])
    audio = np.concatenate([piece.samples for piece in mix.pieces()])
    assert len(audio) == 12 * HZ
    assert strength(at(audio, 1, 2)[:, 0], 400) > 5500
    assert not at(audio, 4.1, 7).any()
    assert strength(at(audio, 8, 9)[:, 0], 600) > 5500
    assert strength(at(audio, 8, 9)[:, 1], 700) > 5500
    assert mix.summary.recovered  # one of them was cut


def conference() -> Tape:
    notes = [note(0, "stream", stream=n, leg=f"leg-{n}", side="said", role="member") for n in range(3)]
    talks = [Talk(n, tone(300 + 100 * n, 6), start_s=3.0 * n, ssrc=n) for n in range(3)]
    return Tape(talks, [*notes, note(12, "end")])


def test_a_conference_is_one_mix_and_a_track_for_each_member() -> None:
    found = tracks(conference(), Options(tracks=True))
    assert {name: audio.shape for name, audio in found.items()} == {
        "": (12 * HZ, 1), "leg-0": (12 * HZ, 1), "leg-1": (12 * HZ, 1), "leg-2": (12 * HZ, 1),
    }  # fmt: skip
    together = at(found[""], 4, 5)[:, 0]
    assert strength(together, 300) > 5500
    assert strength(together, 400) > 5500
    assert strength(together, 500) < 50
    only = at(found["leg-1"], 4, 5)[:, 0]
    assert strength(only, 400) > 5500
    assert strength(only, 300) < 50


def test_many_loud_members_saturate_once() -> None:
    notes = [note(0, "stream", stream=n, leg=f"leg-{n}", side="said", role="member") for n in range(3)]
    tape = Tape([Talk(n, tone(300, 3, 20000), start_s=0, ssrc=n) for n in range(3)], [*notes, note(3, "end")])
    audio, _ = mixed(tape)
    assert audio.max() == 32767
    assert audio.min() == -32768
    assert strength(at(audio, 1, 2)[:, 0], 300) > 32000  # the sum is cut off, and does not turn over


def test_mono_is_both_sides_in_one_channel() -> None:
    tape = Tape([Talk(0, tone(400, 5), start_s=0), Talk(1, tone(500, 5), start_s=0)], two_sides(end_s=5))
    audio, _ = mixed(tape, Options(channels="mono"))
    assert audio.shape == (5 * HZ, 1)
    assert strength(audio[:, 0], 400) > 5500
    assert strength(audio[:, 0], 500) > 5500


def test_what_is_said_to_somebody_comes_from_the_other_side() -> None:
    """Announcements: captured as what the caller hears."""
    notes = [
        note(0, "stream", stream=0, leg="a", side="said", role="originating"),
        note(0, "stream", stream=1, leg="a", side="heard", role="originating"),
        note(5, "end"),
    ]
    tape = Tape([Talk(0, tone(400, 5), start_s=0), Talk(1, tone(500, 5), start_s=0)], notes)
    audio, _ = mixed(tape)
    assert strength(audio[:, 0], 400) > 5500
    assert strength(audio[:, 1], 500) > 5500


def test_what_is_played_is_heard_where_it_was_and_in_no_track() -> None:
    """To one of two from the other side, to a member of a conference in all channels; streams without it are untold."""
    sides = [
        ("said", "originating"),
        ("played", "originating"),
        ("said", "connected"),
        ("played", "connected"),
        ("played", "member"),
        ("heard", "member"),
    ]
    notes = [
        note(0, "stream", stream=n, leg=f"leg-{role}", side=side, role=role) for n, (side, role) in enumerate(sides)
    ]
    talks = [Talk(n, tone(300 + 100 * n, 4), start_s=0, ssrc=n) for n in (0, 1, 2, 4, 5)]
    audio, summary = mixed(Tape(talks, [*notes, note(5, "end")]))
    part = at(audio, 1, 3)
    assert [strength(part[:, 0], hz) > 2000 for hz in (300, 400, 500, 700, 800)] == [True, False, False, True, False]
    assert [strength(part[:, 1], hz) > 2000 for hz in (300, 400, 500, 700, 800)] == [False, True, True, True, False]
    assert [each["stream"] for each in summary.streams] == [0, 1, 2, 4, 5]
    found = tracks(Tape(talks, [*notes, note(5, "end")]), Options(channels="mono", tracks=True))
    assert set(found) == {"", "leg-originating", "leg-connected"}
    assert strength(at(found["leg-originating"], 1, 3)[:, 0], 400) < 50


def test_nobody_waits_for_what_is_played_now_and_then() -> None:
    def made(side: str) -> Tape:
        notes = two_sides(note(0, "stream", stream=2, leg="leg-a", side=side, role="originating"))
        talks = [Talk(0, tone(400, 30), start_s=0), Talk(1, tone(500, 30), start_s=0)]
        sounds = [Talk(2, tone(700, 1), start_s=2.0, ssrc=5), Talk(2, tone(900, 1), start_s=20.0, ssrc=6)]
        tape = Tape([*talks, *sounds], notes)
        tape.rows_a_read = 11
        return tape

    def ready(side: str) -> tuple[float, Samples]:
        mix = Mixdown([made(side)])
        early = [piece.samples for piece in mix.advance()]
        rest = [piece.samples for piece in mix.finish()]
        return sum(map(len, early)) / HZ, np.concatenate(early + rest)

    seconds, audio = ready("played")
    assert seconds >= 23
    assert ready("heard")[0] <= 15  # as for every other side, which may come late
    for begin, hz in ((2.2, 700), (20.2, 900)):
        assert strength(at(audio, begin, begin + 0.6)[:, 1], hz) > 2500


def test_a_leg_that_joins_late_has_a_track_from_the_beginning() -> None:
    notes = two_sides(note(10, "stream", stream=2, leg="leg-c", side="said", role="connected"), end_s=20)
    tape = Tape([Talk(0, tone(400, 20), start_s=0), Talk(2, tone(500, 9), start_s=10, ssrc=5)], notes)
    tape.rows_a_read = 50
    late = tracks(tape, Options(tracks=True))["leg-c"]
    assert len(late) == 20 * HZ
    assert not at(late, 0, 10).any()
    assert strength(at(late, 11, 12)[:, 0], 500) > 5500


def test_options_of_a_header() -> None:
    wishes = {"channels": "mono", "tracks": True, "rate_hz": 11025, "loss": 7, "held": "silence", "format": "wav"}
    assert Options.of(wishes) == Options("mono", True, 0, "conceal", "silence")
    with pytest.raises(ValueError, match="11025 Hz is none"):
        Options(rate_hz=11025)


def test_cuts_that_touch_or_stay_open() -> None:
    cuts = Cuts()
    for begin, end in ((10, 20), (20, 30), (40, None)):
        cuts.begin(begin)
        if end is not None:
            cuts.finish(end)
    assert list(cuts.kept(0, 100)) == [(0, 10), (30, 40)]
    assert [cuts.before(place) for place in (5, 15, 25, 35, 45, 60)] == [0, 5, 15, 20, 25, 40]
    samples = np.arange(100, dtype=np.int16)[:, None]
    assert len(cuts.apply(samples, 0, 1)) == 20
    assert len(cuts.apply(samples[:50], 50, 1)) == 0
