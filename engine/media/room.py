"""A conference as the engine sees it: legs join and leave, each in its own manner. All are on one media thread."""

import asyncio
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from santral.engine.media.audio import PreparedAudio
from santral.engine.media.core.memory.pieces import Playlist, Room
from santral.engine.media.core.mix.jitter import JitterMemory
from santral.engine.media.leg import MediaLeg
from santral.engine.media.model import MediaError, MediaEvent
from santral.engine.media.orders import playlist
from santral.engine.media.taps import LentTap
from santral.engine.media.worker import MediaWorker, Report

if TYPE_CHECKING:
    from santral.engine.media.plane import MediaPlane

SMALL_PACKET_BYTES: Final = 480  # 60 ms of what takes 64 kbit/s
LARGE_PACKET_BYTES: Final = 1472
GAIN_DB: Final = (-66.0, 24.0)

_room_ids = count(1)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a leg takes part. `whisper_to`: id of the only leg that hears it, 0 for everybody."""

    muted: bool = False
    deaf: bool = False
    monitor: bool = False  # hears all, is heard by nobody
    agc: bool = False
    gain_db: float = 0.0
    whisper_to: int = 0


class MediaRoom:
    """Made by `MediaPlane.open_room`. Two legs that need nothing of it are relayed, unless it tells levels."""

    def __init__(self, plane: "MediaPlane", worker: MediaWorker, rate_hz: int, *, levels: bool) -> None:
        self.id: Final = next(_room_ids)
        self.rate_hz: Final = rate_hz
        self.has_small_packets: Final = False  # of what is played, as it is tapped
        self.legs: Final[dict[MediaLeg, Manner]] = {}
        self.worker: Final = worker
        self.closed: asyncio.Future[None] | None = None
        self._plane = plane
        wire = plane.codec_keys.number(f"L16/{rate_hz}")
        self._memory = Room(plane.next_serial(), self.id, rate_hz, levels, wire)
        self._playing: dict[int, Playlist] = {}
        self._taps: dict[int, LentTap] = {}
        worker.post("open_room", self._memory)

    def join(
        self,
        leg: MediaLeg,
        *,
        muted: bool = False,
        deaf: bool = False,
        gain_db: float = 0.0,
        agc: bool = False,
        monitor: bool = False,
        whisper_to: MediaLeg | None = None,
    ) -> None:
        """From now on the leg hears the others, and they hear it; its bridge or echo ends."""
        self.refuse_if_closed()
        leg.refuse_if_closed()
        if leg.remote is not None and leg.remote.sends and not leg.can_be_mixed:
            raise MediaError(f"media leg {leg.id} has no codec that could be mixed")
        manner = _checked(Manner(muted, deaf, monitor, agc, gain_db, whisper_to.id if whisper_to is not None else 0))
        self._plane.part(leg)
        leg.room = self
        self.legs[leg] = manner
        leg.equip(self.rate_hz)
        serial = self._plane.next_serial()
        jitter = JitterMemory(serial, SMALL_PACKET_BYTES if leg.has_small_packets else LARGE_PACKET_BYTES)
        leg.kept[serial] = jitter
        leg.head_for(self.worker)
        leg.post("join", self._memory, jitter, manner)

    def change(self, leg: MediaLeg, **changed: Any) -> None:
        """The fields of `join`, those named; the others stay."""
        if leg not in self.legs:
            raise MediaError(f"media leg {leg.id} is not in room {self.id}")
        if "whisper_to" in changed:
            to = changed["whisper_to"]
            changed["whisper_to"] = to.id if to is not None else 0
        self.legs[leg] = _checked(replace(self.legs[leg], **changed))
        leg.post("change", self.legs[leg])

    def leave(self, leg: MediaLeg) -> None:
        """The leg hears nobody any more; nothing happens when it is not in the room."""
        if leg.room is self:
            self.forget(leg)
            if leg.final is None:
                leg.post("leave")

    def forget(self, leg: MediaLeg) -> None:
        """It is taken out by what the media thread is told next."""
        leg.room = None
        del self.legs[leg]

    def play(
        self,
        audio: PreparedAudio | list[PreparedAudio],
        *,
        loop: bool = False,
        offset_ms: int = 0,
        gain_db: float = 0.0,
    ) -> int:
        """To everybody who hears the room, prepared at its rate. A `play_finished` event follows in any case."""
        self.refuse_if_closed()
        sounds = [audio] if isinstance(audio, PreparedAudio) else audio
        if any(sound.rate_hz != self.rate_hz for sound in sounds):
            raise MediaError(f"sounds for this room are prepared at {self.rate_hz} Hz")
        play_id = self._plane.next_play_id()
        what = playlist(play_id, sounds, loop=loop, offset_ms=offset_ms, gain_db=gain_db, stop_on="")
        self._playing[play_id] = what
        self.worker.post("play_to_room", self._memory, what)
        return play_id

    def stop_play(self) -> None:
        self.refuse_if_closed()
        self.worker.post("stop_room_play", self._memory)

    def give_tap(self, tap: LentTap) -> None:
        """On what is played to everybody. Lent to the media thread, until `take_tap` or the room's end."""
        self.refuse_if_closed()
        self._taps[tap.serial] = tap
        self.worker.post("give_room_tap", self._memory, tap.ring)

    def take_tap(self, tap: LentTap) -> None:
        if self.closed is None and tap.serial in self._taps:
            self.worker.post("take_room_tap", self._memory, tap.serial)

    async def close(self) -> None:
        """Everybody leaves; returns when the media thread is done with the room. May be called again."""
        if self.closed is None:
            self.closed = asyncio.get_running_loop().create_future()
            for leg in list(self.legs):
                self.leave(leg)
            self.worker.post("close_room", self._memory)
        await asyncio.shield(self.closed)

    def hear(self, report: Report) -> MediaEvent | None:
        """What the media thread says of the room, as an event if it is one."""
        match report.kind:
            case "room_played":
                self._playing.pop(int(report.data["play_id"]), None)
                return MediaEvent(0, "play_finished", report.data, room=self.id)
            case "room_returned":
                self._taps.pop(int(report.data["serial"])).given_back()
                return None
            case "room_closed":
                self.end()
                return None
            case _:
                return MediaEvent(0, "speaker", report.data, room=self.id)

    def end(self) -> None:
        """Its memory may go: no media thread uses it."""
        self._playing.clear()
        for serial in list(self._taps):
            self._taps.pop(serial).given_back()
        if self.closed is None:
            self.closed = asyncio.get_running_loop().create_future()
        if not self.closed.done():
            self.closed.set_result(None)

    def refuse_if_closed(self) -> None:
        if self.closed is not None:
            raise MediaError(f"room {self.id} is closed")


def _checked(manner: Manner) -> Manner:
    if not GAIN_DB[0] <= manner.gain_db <= GAIN_DB[1]:
        raise MediaError(f"gain {manner.gain_db} dB is not between {GAIN_DB[0]} and {GAIN_DB[1]}")
    return manner
