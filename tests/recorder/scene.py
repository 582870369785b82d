"""Captures made up packet by packet as arrays, with the truth about them, and a judge of what a mixdown made of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import correlate, resample_poly

from santral.codecs import CODECS, Encoder, Parameters
from santral.recorder.capture import PACKET, Batch, CaptureHeader, Damage, Note
from santral.recorder.mixdown import Mixdown, Options, Piece, Summary

Samples = NDArray[np.int16]

START_NS = 7_000_000_000_000
AUDIBLE = 150  # as a standard deviation: quieter seconds say nothing
UTC_NS = 1_760_000_000_000_000_000
NUMBERS = {"PCMU/8000": 1, "PCMA/8000": 2, "G722/8000": 3, "opus/48000/2": 4, "telephone-event/8000": 5, "CN/8000": 6,
           "L16/16000": 7, "G729/8000": 8}  # fmt: skip


def speech(seconds: float, hz: int = 8000, seed: int = 1) -> Samples:
    """Voiced syllables of a wandering pitch with pauses between, over faint noise: nothing in it repeats."""
    rng = np.random.default_rng(seed)
    n = round(seconds * hz)
    time_s = np.arange(n) / hz
    turns, beats = np.arange(0, seconds + 1, 0.13), np.arange(0, seconds + 1, 0.11)
    phase = 2 * np.pi * np.cumsum(np.interp(time_s, turns, rng.uniform(90, 220, len(turns)))) / hz
    loud = np.interp(time_s, beats, rng.uniform(0.1, 1, len(beats)))
    voice = sum(np.sin(k * phase + k * k) / k for k in range(1, 12))
    return np.asarray(3500 * loud * voice + 30 * rng.standard_normal(n), np.int16)


@dataclass
class Talk:
    """One source on one stream: what it says from `start_s` on, and what the network does to it."""

    stream: int
    samples: Samples
    start_s: float = 0.5
    codec: str = "PCMA/8000"
    ppm: float = 0.0  # how much faster its clock runs than ours
    jitter_ms: float = 0.0
    loss: float = 0.0
    seed: int = 1
    ssrc: int = 0x1234
    first_sequence: int = 65_400  # so that it wraps
    first_timestamp: int = 2**32 - 80_000
    packet_ms: int = 20
    delay_ms: float = 0.0
    masked: tuple[float, float] | None = None  # seconds of the talk
    quiet: Sequence[tuple[float, float]] = ()  # seconds of the talk that are not sent (DTX, hold)
    late_ms: Any = None  # array: more delay of each packet
    lost: NDArray[np.bool_] = field(init=False)

    @property
    def lost_between(self) -> int:
        """Those that a later packet shows to be missing."""
        return int(self.lost[: np.flatnonzero(~self.lost)[-1]].sum())

    @property
    def hz(self) -> int:
        return CODECS[self.codec].sample_hz

    @property
    def frame(self) -> int:
        return self.hz * self.packet_ms // 1000

    def rows(self) -> tuple[NDArray[Any], list[bytes]]:
        """Packets in order of arrival."""
        rng = np.random.default_rng(self.seed)
        codec = CODECS[self.codec]
        count = len(self.samples) // self.frame
        number = np.arange(count)
        encoder = Encoder(codec, Parameters(bitrate=64_000 if codec.name == "opus" else 0))
        payloads = [encoder.encode(self.samples[i * self.frame : (i + 1) * self.frame].tobytes()) for i in number]
        sent_s = self.start_s + self.packet_ms / 1000 * (number + 1) / (1 + self.ppm * 1e-6)
        delay_s = self.delay_ms / 1000 + rng.uniform(0, 3 * self.jitter_ms / 1000, count)
        if self.late_ms is not None:
            delay_s = delay_s + np.asarray(self.late_ms)[:count] / 1000
        rows = np.zeros(count, PACKET)
        rows["stream"], rows["codec"], rows["ssrc"] = self.stream, NUMBERS[self.codec], self.ssrc
        rows["sequence"] = (self.first_sequence + number) & 0xFFFF
        ticks = codec.clock_hz * self.packet_ms // 1000
        rows["timestamp"] = (self.first_timestamp + number * ticks) & 0xFFFFFFFF
        rows["octets"] = rows["length"] = [len(payload) for payload in payloads]
        rows["arrival_ns"] = START_NS + ((sent_s + delay_s) * 1e9).astype(np.int64)
        at_s = number * self.packet_ms / 1000
        if self.masked:
            is_masked = (at_s >= self.masked[0]) & (at_s < self.masked[1])
            rows["flags"][is_masked] = 2
            rows["length"][is_masked] = 0
            payloads = [b"" if is_masked[i] else payload for i, payload in enumerate(payloads)]
        self.lost = rng.random(count) < self.loss
        self.lost[:2] = False
        sent = np.ones(count, bool)
        for start, end in self.quiet:
            sent &= ~((at_s >= start) & (at_s < end))
        if self.quiet:  # a sender that is silent does not count on
            rows["sequence"] = (self.first_sequence + np.cumsum(sent) - 1) & 0xFFFF
        order = np.argsort(rows["arrival_ns"], kind="stable")
        order = order[(~self.lost & sent)[order]]
        return rows[order], [payloads[i] for i in order]


class Tape:
    """What `CaptureFile` is to a mixdown, from arrays."""

    def __init__(self, talks: Sequence[Talk], notes: Sequence[Note]) -> None:
        self.header = CaptureHeader("rec-1", "acme", "node", START_NS, UTC_NS, "synchronised")
        self.is_complete = False
        self.damage: list[Damage] = []
        made = [talk.rows() for talk in talks]
        rows = np.concatenate([rows for rows, _ in made]) if made else np.zeros(0, PACKET)
        payloads = [payload for _, some in made for payload in some]
        order = np.argsort(rows["arrival_ns"], kind="stable")
        self.rows = rows[order].astype(PACKET)
        chosen = [payloads[i] for i in order]
        lengths = np.array([len(payload) for payload in chosen], np.int64)
        self.rows["offset"] = np.cumsum(lengths) - lengths
        self.payloads = b"".join(chosen)
        codecs = [Note(START_NS, "codec", {"number": number, "key": key}) for key, number in NUMBERS.items()]
        self.notes = sorted([*codecs, *notes], key=lambda note: note.at_ns)
        self.at = 0
        self.rows_a_read = len(self.rows)

    def read(self, limit_bytes: int | None = None) -> Batch:
        rows = self.rows[self.at : self.at + self.rows_a_read]
        self.at += len(rows)
        is_last = self.at >= len(self.rows)
        until = int(rows["arrival_ns"][-1]) if len(rows) and not is_last else 2**63 - 1
        notes = [note for note in self.notes if note.at_ns <= until]
        self.notes = [note for note in self.notes if note.at_ns > until]
        self.is_complete = self.is_complete or any(note.kind == "end" for note in notes)
        return Batch(rows, self.payloads, notes)


def note(at_s: float, kind: str, **fields: Any) -> Note:
    return Note(START_NS + round(at_s * 1e9), kind, fields)


def two_sides(*more: Note, end_s: float | None = None) -> list[Note]:
    """Stream 0 originates, stream 1 is connected."""
    notes = [
        note(0, "stream", stream=0, leg="leg-a", side="said", role="originating", party="+905551112233"),
        note(0, "stream", stream=1, leg="leg-b", side="said", role="connected", party="101"),
        *more,
    ]
    return notes if end_s is None else [*notes, note(end_s, "end", reason="hangup")]


def mixed(tape: Tape, options: Options | None = None) -> tuple[Samples, Summary]:
    """The mix, and what it was made of."""
    mix = Mixdown([tape], options)
    pieces = [piece.samples for piece in mix.pieces() if not piece.track.name]
    return np.concatenate(pieces), mix.summary


def tracks(tape: Tape, options: Options) -> dict[str, Samples]:
    """Every track, whole: who joined late is silent before."""
    whole: dict[str, list[Piece]] = {}
    for piece in Mixdown([tape], options).pieces():
        whole.setdefault(piece.track.name, []).append(piece)
    found = {}
    for name, pieces in whole.items():
        before = np.zeros((pieces[0].at, pieces[0].track.channels), np.int16)
        found[name] = np.concatenate([before, *(piece.samples for piece in pieces)])
    return found


def following(talk: Talk, samples: Samples, *, after_s: float = 0.0, **other: Any) -> Talk:
    """The same source goes on, perhaps otherwise: numbers and timestamps run on, over a pause of its clock."""
    count = len(talk.samples) // talk.frame
    ticks = CODECS[talk.codec].clock_hz * talk.packet_ms // 1000
    same = {
        "start_s": talk.start_s + len(talk.samples) / talk.hz / (1 + talk.ppm * 1e-6) + after_s,
        "first_sequence": (talk.first_sequence + count) & 0xFFFF,
        "first_timestamp": (talk.first_timestamp + count * ticks) & 0xFFFFFFFF,
        "seed": talk.seed + 100,
    }
    return replace(talk, samples=samples, **(same | other))


@dataclass
class Verdict:
    """Second by second of one side."""

    correlation: NDArray[np.float64]
    late_ms: NDArray[np.float64]  # than where it should stand


def judged(heard: Samples, talk: Talk, hz: int, *, first_s: float = 0.0, last_s: float = 1e9) -> Verdict:
    """One channel against what was said, in windows of a second of the talk: where it stands, and how alike it is then,
    outside what was lost. A packet belongs where it would have come without delay by the network.
    """
    truth = resample_poly(talk.samples.astype(float), hz, talk.hz) if talk.hz != hz else talk.samples.astype(float)
    frame = hz * talk.packet_ms // 1000
    said = np.repeat(~talk.lost, frame)
    said = np.concatenate([said, np.ones(len(truth), bool)])[: len(truth)]
    for start, end in talk.quiet:
        said[round(start * hz) - frame : round(end * hz) + frame] = False
    for lost in np.flatnonzero(talk.lost):  # the blend back in
        said[(lost + 1) * frame : (lost + 1) * frame + hz // 100] = False
    begins_s = talk.start_s + talk.packet_ms / 1000
    rate = hz * (1 + talk.ppm * 1e-6)
    correlations, lates = [], []
    reach = hz // 20
    for second in range(max(1, int(np.ceil(first_s))), int(min(len(truth) / hz, last_s)) - 1):
        place = (begins_s + second / (1 + talk.ppm * 1e-6)) * hz
        window = heard[round(place) : round(place) + hz].astype(float)
        k = round(second * rate / (1 + talk.ppm * 1e-6))
        around = truth[k - reach : k + hz + reach]
        if len(window) < hz or len(around) < hz + 2 * reach or around[reach:-reach].std() < AUDIBLE:
            continue
        keep = said[k : k + hz]
        if keep.mean() < 0.5:
            continue
        score = correlate(around, window * keep, "valid", "fft")
        best = int(np.clip(np.argmax(score), 1, len(score) - 2))
        a, b, c = score[best - 1 : best + 2]
        part = 0.5 * (a - c) / (a - 2 * b + c)
        lates.append((reach - best - part + round(place) - place) * 1000 / hz)
        aligned = shifted(around, best + part)[:hz]
        keep = shifted_mask(said, k - reach + best, hz)
        correlations.append(float(np.corrcoef(aligned[keep], window[keep])[0, 1]))
    return Verdict(np.array(correlations), np.array(lates))


def shifted_mask(said: NDArray[np.bool_], first: int, n: int) -> NDArray[np.bool_]:
    return said[max(first, 0) : max(first, 0) + n]


def shifted(samples: NDArray[np.float64], by: float) -> NDArray[np.float64]:
    """From a fraction of a sample on."""
    spectrum = np.fft.rfft(samples)
    turns = np.exp(2j * np.pi * np.fft.rfftfreq(len(samples)) * by)
    return np.asarray(np.fft.irfft(spectrum * turns, len(samples)))
