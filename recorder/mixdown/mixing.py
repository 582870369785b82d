"""A mixdown of one recording: reads captures piece by piece, follows their notes, hands out audio of every track.

Memory does not grow with the length: a capture is read about a megabyte at a time, and a side keeps some seconds.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np

from santral.codecs import CODECS
from santral.recorder.capture import Batch, CaptureHeader, Note
from santral.recorder.mixdown.desk import Desk, Track
from santral.recorder.mixdown.model import RATES, Options, Piece, Span, Summary, TrackInfo
from santral.recorder.mixdown.sections import Cuts, Section
from santral.recorder.timeline.side import Side

READ_BYTES: Final = 1 << 20
BEGINNING_NS: Final = 6_000_000_000  # what is used in it decides the rate, and whether there are two sides
LAST_PACKET_NS: Final = 20_000_000  # of a capture that was cut: its last packet is heard
SPANS_MAX: Final = 10_000  # listed of one side; all are counted
DEFAULT_HZ: Final = 8000
SIDES: Final = {"originating": 0, "connected": 1}


class Source(Protocol):
    """What `recorder.capture.CaptureFile` is."""

    @property
    def header(self) -> CaptureHeader: ...
    @property
    def is_complete(self) -> bool: ...
    @property
    def damage(self) -> Sequence[Any]: ...
    def read(self, limit_bytes: int | None = None) -> Batch: ...


class Reel:
    """One capture on the timeline of the recording."""

    def __init__(self, source: Source, first: CaptureHeader) -> None:
        self.source = source
        header = source.header
        self.shift_ns = (header.utc_ns - header.monotonic_ns) - (first.utc_ns - first.monotonic_ns)
        self.codecs: dict[int, str] = {}
        self.base: int | None = None  # added to its numbers of streams; unknown before it begins
        self.end_ns: int | None = None


class Stream:
    """One side of one leg: what its note says, and its packets' fate."""

    def __init__(self, number: int, fields: Mapping[str, Any], side: Side, start: int) -> None:
        self.number = number
        self.fields = dict(fields)
        self.side = side
        self.start = start
        self.end: int | None = None
        self.gate: int | None = None


class Mixdown:
    """Audio of one recording. `pieces()` for all of it; `advance()` again and again while the capture grows.

    The same packets give the same samples, whether they are read at once or as they come.
    """

    def __init__(self, sources: Sequence[Source], options: Options | None = None) -> None:
        if not sources:
            raise ValueError("a mixdown of nothing")
        self.options = options or Options()
        ordered = sorted(sources, key=lambda source: source.header.utc_ns)
        self.header: Final = ordered[0].header
        self.reels: Final = [Reel(source, self.header) for source in ordered]
        self.tracks: list[TrackInfo] = []
        self.is_finished = False
        self._desk: Desk | None = None
        self._waiting: list[tuple[Reel, Batch]] = []  # until the beginning has been seen
        self._reel = 0
        self._outputs: list[Track] = []
        self._streams: dict[int, Stream] = {}
        self._cuts = Cuts()
        self._sections: list[Section] = []
        self._open: dict[str, Section] = {}
        self._at = 0  # frames handed out
        self._end_reason = ""
        self._last_note_ns = self.header.monotonic_ns

    # ---- reading ----

    def pieces(self) -> Iterator[Piece]:
        """All of it, to the end of the captures as they stand."""
        yield from self.advance()
        yield from self.finish()

    def advance(self) -> Iterator[Piece]:
        """What can be mixed of what has been captured and was not read yet."""
        while batch := self._read():
            self._waiting.append(batch)
            if self._desk is None and not self._has_begun():
                continue
            yield from self._mix_waiting()

    def finish(self) -> Iterator[Piece]:
        """The rest: nothing more will come."""
        yield from self._mix_waiting()
        desk = self._started()
        end = self._end_place(desk)
        while not desk.finish(end):
            yield from self._take(desk)
        yield from self._take(desk)
        self.is_finished = True

    @property
    def is_complete(self) -> bool:
        """The end of the last capture has been read."""
        return self._reel == len(self.reels) - 1 and self.reels[-1].source.is_complete

    @property
    def rate_hz(self) -> int:
        """0 until the beginning has been seen."""
        return self._desk.hz if self._desk else 0

    def _read(self) -> tuple[Reel, Batch] | None:
        while True:
            reel = self.reels[self._reel]
            batch = reel.source.read(READ_BYTES)
            if batch:
                return reel, batch
            if self._reel + 1 >= len(self.reels):
                return None
            self._reel += 1

    def _has_begun(self) -> bool:
        arrivals = [batch.packets["arrival_ns"] for _, batch in self._waiting if len(batch.packets)]
        return bool(arrivals) and max(a.max() for a in arrivals) - arrivals[0][0] >= BEGINNING_NS

    def _mix_waiting(self) -> Iterator[Piece]:
        desk = self._started()
        waiting, self._waiting = self._waiting, []
        for reel, batch in waiting:
            if reel.base is None:
                reel.base = max(self._streams, default=-1) + 1
            for note in batch.notes:
                self._heed(desk, reel, note)
            packets = batch.packets
            if reel.base and len(packets):  # numbers of another file
                packets = packets.copy()
                packets["stream"] += reel.base
            first = 0
            while first < len(packets):
                first = desk.feed(packets, batch.payloads, first, reel.shift_ns)
                if desk.filled >= desk.piece:
                    yield from self._take(desk)
            yield from self._take(desk)

    def _take(self, desk: Desk) -> Iterator[Piece]:
        start = desk.at - desk.filled
        if not desk.filled:
            return
        at = self._at
        for info, samples in zip(self.tracks, desk.take(), strict=True):
            kept = self._cuts.apply(samples, start, desk.hz)
            self._at = at + len(kept)
            if len(kept):
                yield Piece(info, at, kept)

    # ---- the beginning ----

    def _started(self) -> Desk:
        """The rate and the tracks, from what was used in the first seconds of sound."""
        if self._desk is None:
            used, roles = self._first_seconds()
            hz = self.options.rate_hz or best_rate(used)
            self._desk = Desk(hz, self.header.monotonic_ns, conceals=self.options.loss == "conceal")
            is_stereo = self.options.channels == "stereo" and (not roles or bool(roles & SIDES.keys()))
            self._add_track(self._desk, "", 2 if is_stereo else 1)
        return self._desk

    def _first_seconds(self) -> tuple[set[str], set[str]]:
        """The codecs in use, and the roles of who uses them."""
        used: set[str] = set()
        roles: set[str] = set()
        until = None
        codecs: dict[int, str] = {}
        streams: dict[int, str] = {}
        for _, batch in self._waiting:
            for note in batch.notes:
                if note.kind == "codec":
                    codecs[int(note.fields.get("number", -1))] = str(note.fields.get("key", ""))
                elif note.kind == "stream":
                    streams[int(note.fields.get("stream", -1))] = str(note.fields.get("role", ""))
            if not len(batch.packets):
                continue
            if until is None:
                until = int(batch.packets["arrival_ns"][0]) + BEGINNING_NS
            early = batch.packets[batch.packets["arrival_ns"] <= until]
            used |= {codecs.get(int(number), "") for number in np.unique(early["codec"])}
            roles |= {streams.get(int(number), "") for number in np.unique(early["stream"])}
        return used, roles

    def _add_track(self, desk: Desk, name: str, width: int) -> Track:
        track = desk.track(width)
        self._outputs.append(track)
        self.tracks.append(TrackInfo(name, width))
        return track

    # ---- notes ----

    def _heed(self, desk: Desk, reel: Reel, note: Note) -> None:
        at_ns = note.at_ns + reel.shift_ns
        place = max(0, desk.place(at_ns))
        if note.at_ns:
            self._last_note_ns = max(self._last_note_ns, at_ns)
        match note.kind:
            case "codec":
                self._learn(reel, note.fields)
            case "stream":
                self._add_stream(desk, reel, note.fields, place)
            case "end":
                reel.end_ns = at_ns
                self._end_reason = str(note.fields.get("reason", ""))
            case "stream_end" | "hold" | "unhold" | "party":
                stream = self._streams.get((reel.base or 0) + int(note.fields.get("stream", -1)))
                if stream is not None:
                    self._change_stream(desk, stream, note, at_ns, place)
            case "resumed":
                desk.resume(at_ns)
                self._section(note, place)
            case "paused" | "masked" | "unmasked" | "connected" | "parted":
                self._section(note, place)

    def _learn(self, reel: Reel, fields: Mapping[str, Any]) -> None:
        number, key = int(fields.get("number", -1)), str(fields.get("key", ""))
        reel.codecs[number] = key
        for stream in self._streams.values():
            if stream.number >= (reel.base or 0):
                stream.side.learn(number, key)

    def _add_stream(self, desk: Desk, reel: Reel, fields: Mapping[str, Any], place: int) -> None:
        base = reel.base or 0
        number = base + int(fields.get("stream", -1))
        if number < base or number in self._streams:
            return
        side = desk.side(number)
        side.behave(has_tones=self.options.digits == "tones", is_sparse=fields.get("side") == "played")
        for codec, key in reel.codecs.items():
            side.learn(codec, key)
        stream = self._streams[number] = Stream(number, fields, side, place)
        for channel in channels_of(stream.fields, self.tracks[0].channels):
            self._outputs[0].put(side, channel)
        if self.options.tracks and stream.fields.get("side", "said") == "said":
            self._track_of(desk, stream).put(side, 0)

    def _track_of(self, desk: Desk, stream: Stream) -> Track:
        """A leg keeps its track when its stream begins anew."""
        name = str(stream.fields.get("leg") or stream.number)
        for info, track in zip(self.tracks, self._outputs, strict=True):
            if info.name == name:
                return track
        return self._add_track(desk, name, 1)

    def _change_stream(self, desk: Desk, stream: Stream, note: Note, at_ns: int, place: int) -> None:
        if note.kind == "stream_end":
            stream.end = place
            desk.end(stream.side, at_ns)
        elif note.kind == "party":
            stream.fields |= {name: value for name, value in note.fields.items() if name != "stream"}
        elif note.kind == "hold" and stream.gate is None:
            self._sections.append(Section("held", place, None, {"stream": stream.number}))
            stream.gate = -1
            if self.options.held == "silence":
                stream.gate = desk.gate(stream.side, place, np.iinfo(np.int64).max)
        elif note.kind == "unhold" and stream.gate is not None:
            if stream.gate >= 0:
                desk.end_gate(stream.gate, place)
            stream.gate = None
            for section in self._sections:
                if section.what == "held" and section.end is None and section.fields["stream"] == stream.number:
                    section.end = place

    def _section(self, note: Note, place: int) -> None:
        begins = {"paused": "paused", "masked": "masked"}
        ends = {"resumed": "paused", "unmasked": "masked"}
        if note.kind in begins:
            what = begins[note.kind]
            if what == "paused" and note.fields.get("mode") == "skip":
                self._cuts.begin(place)
            elif what not in self._open:
                self._open[what] = Section(what, place)
                self._sections.append(self._open[what])
        elif note.kind in ends:
            what = ends[note.kind]
            if what == "paused":
                self._cuts.finish(place)
            if what in self._open:
                self._open.pop(what).end = place
        else:
            self._join(note, place)

    def _join(self, note: Note, place: int) -> None:
        """Who hears whom: a new pair, or one that parts."""
        streams = [int(number) for number in note.fields.get("streams", ())]
        for section in self._sections:
            if section.what == "connected" and section.end is None and section.fields["streams"] == streams:
                section.end = place
        if note.kind == "connected":
            self._sections.append(Section("connected", place, None, {"streams": streams}))

    # ---- the end ----

    def _end_place(self, desk: Desk) -> int:
        end_ns = self.reels[-1].end_ns
        if end_ns is None:
            end_ns = max(desk.newest_ns + LAST_PACKET_NS, self._last_note_ns)
        return max(desk.at, desk.place(end_ns))

    @property
    def summary(self) -> Summary:
        """Of what has been handed out so far."""
        desk = self._started()
        seconds = self._at / desk.hz
        spans = [self._span(desk, section) for section in self._sections]
        for stream in self._streams.values():
            lost = stream.side.spans()[:SPANS_MAX]
            spans += [self._span(desk, Section(what, a, b), stream.number) for what, a, b in lost]
        ended = desk.at if not self.is_finished else self._end_place(desk)
        return Summary(
            recording=self.header.recording,
            seconds=seconds,
            rate_hz=desk.hz,
            tracks=tuple(self.tracks),
            started_utc_ns=self.header.utc_of(self.header.monotonic_ns),
            ended_utc_ns=self.header.utc_of(self.header.monotonic_ns + ended * 1_000_000_000 // desk.hz),
            clock=self.header.clock,
            recovered=not all(reel.source.is_complete for reel in self.reels),
            end_reason=self._end_reason,
            masked_ms=self._masked_ms(desk),
            paused_ms=sum(self._ms(desk, section) for section in self._sections if section.what == "paused"),
            cut_ms=round(self._cuts.before(desk.at) * 1000 / desk.hz),
            streams=tuple(self._described(desk, stream) for stream in self._streams.values() if _tells(stream)),
            spans=tuple(sorted(spans, key=lambda span: span.start)),
            damage=tuple(str(each) for reel in self.reels for each in reel.source.damage),
        )

    def _ms(self, desk: Desk, section: Section) -> int:
        return round((section.until(desk.at) - section.start) * 1000 / desk.hz)

    def _masked_ms(self, desk: Desk) -> int:
        """By order for all, or on the side where most was masked by itself."""
        ordered = sum(self._ms(desk, section) for section in self._sections if section.what == "masked")
        own = [
            sum(end - start for what, start, end in stream.side.spans() if what == "masked") * 1000 // desk.hz
            for stream in self._streams.values()
        ]
        return max(ordered, *own, 0)

    def _seconds(self, desk: Desk, place: int) -> float:
        return round((place - self._cuts.before(place)) / desk.hz, 3)

    def _span(self, desk: Desk, section: Section, stream: int | None = None) -> Span:
        start, end = self._seconds(desk, section.start), self._seconds(desk, section.until(desk.at))
        number = stream if stream is not None else section.fields.get("stream")
        return Span(section.what, start, end, number, {k: v for k, v in section.fields.items() if k != "stream"})

    def _described(self, desk: Desk, stream: Stream) -> dict[str, Any]:
        times = {
            "start": self._seconds(desk, stream.start),
            "end": self._seconds(desk, desk.at if stream.end is None else stream.end),
        }
        return stream.fields | {"stream": stream.number} | times | stream.side.counts()


def _tells(stream: Stream) -> bool:
    """There is one for what may be played to each leg: mostly nothing is."""
    return stream.fields.get("side") != "played" or bool(stream.side.counts()["packets"])


def best_rate(keys: set[str]) -> int:
    """The rate that takes away nothing of these codecs."""
    known = [CODECS[key].sample_hz for key in keys if key in CODECS]
    wanted = max(known, default=DEFAULT_HZ)
    return next((hz for hz in RATES if hz >= wanted), RATES[-1])


def channels_of(fields: Mapping[str, Any], width: int) -> tuple[int, ...]:
    """Where a stream is heard in the mix. What is said to somebody comes from the other side; what a member of a
    conference hears is what the others say, and there already.
    """
    side, role = fields.get("side", "said"), fields.get("role")
    is_said = side == "said"
    if role not in SIDES:
        return () if side == "heard" else tuple(range(width))
    if width == 1:
        return (0,)
    return (SIDES[role] if is_said else 1 - SIDES[role],)
