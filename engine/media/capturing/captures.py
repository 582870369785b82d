"""Recordings as the engine sees them: a capture is opened, legs are added and leave, it is paused, masked and closed.

Runs on the event loop's thread. No call here waits for a disk, and what goes wrong comes as a `CaptureEvent`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic_ns
from typing import TYPE_CHECKING, Any, Final

from santral.engine.media.capturing.filing import Filing
from santral.engine.media.capturing.model import CaptureEvent, CaptureReason, CaptureSummary, PauseMode, Role
from santral.engine.media.capturing.threads import CaptureThread
from santral.engine.media.core.stage.tap import TapRing
from santral.engine.media.model import MediaError, Side
from santral.engine.media.remote import CodecKeys
from santral.engine.media.room import MediaRoom
from santral.engine.media.taps import LentTap
from santral.recorder.capture import CaptureHeader, CaptureKey
from santral.recorder.capture.opening import note_fields, opening_bytes

if TYPE_CHECKING:
    from santral.engine.media.leg import MediaLeg

SMALL_RING_BYTES: Final = 1 << 16  # six seconds of G.711 in packets of 20 ms, three in packets of 10 ms
RING_BYTES: Final = 1 << 18
LOOK_AHEAD_MS: Final = 320  # more than what core/stage/heard.pyx takes back when it hears a digit
WATCH_S: Final = 1.0
MAX_NOTE_BYTES: Final = 8192
SLOW_NS: Final = 2_000_000_000
SLOW_FLUSH_NS: Final = 10_000_000_000  # with everything that others have written to the same disk
CLOSE_S: Final = 30.0  # at the latest: what a disk took by then is what there is
STOP_S: Final = 12.0  # the same, of a node that stops

OnEvent = Callable[[CaptureEvent], None]


class StreamTap(LentTap):
    """What feeds one stream of a capture."""

    def __init__(self, ring: TapRing, serial: int, side: Side, on_back: Callable[[], None]) -> None:
        super().__init__(ring, serial, side)
        self._on_back = on_back

    def given_back(self) -> None:
        self._on_back()


@dataclass(slots=True)
class Stream:
    """One side of one leg, in one capture."""

    number: int
    leg: "MediaLeg | MediaRoom"
    tap: StreamTap
    reason: str = ""  # why it ends


class Capture:
    """One growing file. Made by `Captures.open`; in use until `close`."""

    def __init__(self, captures: "Captures", path: Path, header: CaptureHeader, on_event: OnEvent | None) -> None:
        self.path: Final = path
        self.header: Final = header
        self.is_paused = False
        self.is_masked = False
        self.hides_digits = False
        self.final: asyncio.Future[CaptureSummary] | None = None  # set by close()
        self.filing: Filing
        self._captures = captures
        self._on_event = on_event
        self._streams: dict[int, Stream] = {}
        self._next_stream = 0
        self._reason = ""
        self._patience: asyncio.TimerHandle | None = None
        self._failing: set[tuple[str, CaptureReason]] = set()

    # ---- who is in it ----

    def add(self, leg: "MediaLeg | MediaRoom", role: Role, *, side: Side = "said", **fields: Any) -> int:
        """What the leg's peer says (or hears, or is played) is captured from now on, until `remove` or the leg's end.

        Of a room that is what is played to everybody. Returns the number of the stream; `fields` go into its note.
        Raises `MediaError` once either is closed.
        """
        self._refuse_if_closed()
        leg.refuse_if_closed()
        number = self._next_stream
        self._next_stream += 1
        serial = self._captures.next_serial()
        ring = TapRing(serial, SMALL_RING_BYTES if leg.has_small_packets else RING_BYTES, rings=False)
        tap = StreamTap(ring, serial, side, lambda: self._given_back(number))
        self._streams[number] = Stream(number, leg, tap)
        told = {"stream": number, "leg": leg.id, "side": side, "role": role, **fields}
        self._order(self.filing.add, number, ring, self._packed("stream", told))
        leg.give_tap(tap)
        if self.hides_digits:
            self._hide(self._streams[number])
        return number

    def remove(self, stream: int, reason: str = "") -> None:
        """It has left, by a transfer for example. One that has left already is ignored."""
        found = self._streams.get(stream)
        if found is not None:
            found.reason = found.reason or reason
            found.leg.take_tap(found.tap)

    def _given_back(self, number: int) -> None:
        stream = self._streams.pop(number)
        self._order(self.filing.leave, number, stream.reason)
        self._end_if_empty()

    # ---- what is said of it ----

    def note(self, kind: str, **fields: Any) -> None:
        """Into the file, at the present time."""
        self._refuse_if_closed()
        self._order(self.filing.note, self._packed(kind, fields))

    def pause(self, mode: PauseMode) -> None:
        """Nothing that arrives from now on gets into the file. Its time is cut out (`skip`), or stays as `silence`."""
        self._refuse_if_closed()
        if mode not in {"skip", "silence"}:
            raise MediaError("a pause is skip or silence")
        if not self.is_paused:
            self.is_paused = True
            self._order(self.filing.pause, mode)

    def resume(self) -> None:
        self._refuse_if_closed()
        if self.is_paused:
            self.is_paused = False
            self._order(self.filing.pause, "")

    def mask(self) -> None:
        """Packets that arrive from now on are in the file without what was said."""
        self._refuse_if_closed()
        if not self.is_masked:
            self.is_masked = True
            self._order(self.filing.mask, True)

    def unmask(self) -> None:
        self._refuse_if_closed()
        if self.is_masked:
            self.is_masked = False
            self._order(self.filing.mask, False)

    def mask_digits(self, on: bool = True) -> None:
        """Digits that recorded peers press, as tones or as events, do not get into the file; calls go on as they are.

        Nor do those that the engine presses, of streams `played`. What streams `heard` have of them is not looked for.
        Stays on for legs added later.
        """
        self._refuse_if_closed()
        if on == self.hides_digits:
            return
        self.hides_digits = on
        for stream in self._streams.values():
            self._hide(stream)

    def _hide(self, stream: Stream) -> None:
        on, side = self.hides_digits, stream.tap.side
        if isinstance(stream.leg, MediaRoom) or side == "heard":
            return
        stream.leg.hide_digits(stream.tap, on=on, delay_ms=LOOK_AHEAD_MS if on and side == "said" else 0)
        self._order(self.filing.note, self._packed("masks_digits", {"stream": stream.number, "on": on}))

    # ---- its end ----

    async def close(self, reason: str) -> CaptureSummary:
        """All streams end, the note `end` is written, flushed, and the file closed. Again: same answer.

        Takes a second or so; seconds with a disk that takes nothing, which the summary says then.
        """
        return await asyncio.shield(self.start_closing(reason))

    def start_closing(self, reason: str) -> asyncio.Future[CaptureSummary]:
        if self.final is None:
            loop = asyncio.get_running_loop()
            self.final = loop.create_future()
            self._patience = loop.call_later(CLOSE_S, self._give_up)
            self._reason = reason
            for number in list(self._streams):
                self.remove(number, reason)
            self._end_if_empty()
        return self.final

    def summary(self) -> CaptureSummary:
        """As it stands; the last word once it is closed."""
        if self.final is not None and self.final.done():
            return self.final.result()
        return self.filing.summary()

    def _end_if_empty(self) -> None:
        if self.final is not None and not self._streams:
            self._order(self.filing.end, self._reason)
            self._captures.hurry()

    # ---- the captures' own ----

    def _give_up(self) -> None:
        """A disk that answers nothing at all: nobody may wait for it for ever."""
        self.done(replace(self.filing.summary(), failure="slow"))

    def done(self, summary: CaptureSummary) -> None:
        if self._patience is not None:
            self._patience.cancel()
        if self.final is not None and not self.final.done():
            self.final.set_result(summary)

    def hear(self, what: str, reason: CaptureReason, detail: str, source: str = "file") -> None:
        """Of a failure: that it is there, or over."""
        if (what == "failed") == ((source, reason) in self._failing):
            return
        self._failing ^= {(source, reason)}
        if self._on_event is None:
            return
        dropped = self.filing.summary().dropped
        kind: Any = what
        self._on_event(CaptureEvent(self.header.recording, kind, reason, detail, dropped))

    def _packed(self, kind: str, fields: dict[str, Any]) -> bytes:
        packed = note_fields(kind, fields)
        if len(packed) > MAX_NOTE_BYTES:
            raise MediaError(f"a note of more than {MAX_NOTE_BYTES} bytes")
        return packed

    def _order(self, act: Callable[..., None], *arguments: Any) -> None:
        self._captures.order(act, *arguments)

    def _refuse_if_closed(self) -> None:
        if self.final is not None:
            raise MediaError(f"the capture of recording {self.header.recording} is closed")


class Captures:
    """All captures of a media plane. The threads begin with the first one."""

    def __init__(self, codec_keys: CodecKeys, next_serial: Callable[[], int]) -> None:
        self.open_captures: Final[set[Capture]] = set()
        self.next_serial: Final = next_serial
        self.thread = CaptureThread(codec_keys)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._closed_packets = 0
        self._closed_dropped = 0

    def open(
        self,
        path: Path | str,
        header: CaptureHeader,
        *,
        key: CaptureKey | None = None,
        on_event: OnEvent | None = None,
    ) -> Capture:
        """A capture into a new file, which the capture thread makes; that it cannot be made comes as an event."""
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self.thread.start()
        capture = Capture(self, Path(path), header, on_event)
        opening, seal = opening_bytes(header, key)
        capture.filing = Filing(
            capture.path,
            opening,
            seal,
            lambda what, reason, detail: self._from_thread(capture.hear, what, reason, detail),
            lambda summary: self._from_thread(self._close, capture, summary),
        )
        self.open_captures.add(capture)
        self.order(self.thread.begin, capture.filing)
        self.hurry()
        if self._watch is None:
            self._watch = self._loop.call_later(WATCH_S, self._look)
        return capture

    async def stop(self) -> None:
        """Close what is open, end the threads. The media threads have ended by then, and given back every ring."""
        if self._loop is None:
            return
        closing = [capture.start_closing("stopped") for capture in self.open_captures]
        if closing:
            await asyncio.wait(closing, timeout=STOP_S)
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        await asyncio.to_thread(self.thread.stop)
        self._loop = None

    def counters(self) -> dict[str, int]:
        """Packets in files, and packets that found no room, of all captures so far."""
        summaries = [capture.summary() for capture in self.open_captures]
        return {
            "captures_open": len(summaries),
            "captured_packets": self._closed_packets + sum(summary.packets for summary in summaries),
            "captured_dropped": self._closed_dropped + sum(summary.dropped for summary in summaries),
        }

    def order(self, act: Callable[..., None], *arguments: Any) -> None:
        self.thread.order(act, *arguments)

    def hurry(self) -> None:
        self.thread.hurry()

    def _from_thread(self, act: Callable[..., None], *arguments: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(act, *arguments)

    def _close(self, capture: Capture, summary: CaptureSummary) -> None:
        self.open_captures.discard(capture)
        self._closed_packets += summary.packets
        self._closed_dropped += summary.dropped
        capture.done(summary)

    def _look(self) -> None:
        """What a thread cannot tell while a disk holds it up."""
        self._watch = None
        if not self.open_captures or self._loop is None:
            return
        self._watch = self._loop.call_later(WATCH_S, self._look)
        now_ns = monotonic_ns()
        writing_ns = now_ns - (self.thread.since_ns or now_ns)
        flushing_ns = now_ns - (self.thread.flusher.since_ns or now_ns)
        is_slow = writing_ns > SLOW_NS or flushing_ns > SLOW_FLUSH_NS
        detail = f"{max(writing_ns, flushing_ns) / 1e9:.0f} s and more"
        problem = self.thread.flusher.problem
        for capture in list(self.open_captures):
            capture.hear("failed" if is_slow else "recovered", "slow", detail, "disk")
            capture.hear("failed" if problem else "recovered", "io", "flush", "disk")
