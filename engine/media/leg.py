"""A leg as the engine sees it: pointed at its peer, muted, tapped, listened to, sent digits. Joining: `plane.py`.

Runs on the event loop's thread and never touches a packet.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from santral.engine.media.core.memory.pieces import Detectors, Playlist, Stage, Voice
from santral.engine.media.core.mix.jitter import JitterMemory
from santral.engine.media.core.secure.srtp import Secure
from santral.engine.media.core.stage.tap import TapRing
from santral.engine.media.model import (
    SIDES,
    Detected,
    Direction,
    Gate,
    LegClosed,
    LegStats,
    MediaError,
    Path,
    RemoteMedia,
    Side,
    SrtpKeys,
)
from santral.engine.media.paths import AS_THEY_COME, KeysPlan, VoicePlan, audio_keys, has_events, path_between
from santral.engine.media.remote import RemoteWire, first_encodable, rate_of
from santral.engine.media.taps import LentTap, Tap, ring_bytes
from santral.engine.media.worker import MediaWorker

if TYPE_CHECKING:
    from santral.engine.media.plane import MediaPlane
    from santral.engine.media.room import MediaRoom

DIGITS: Final = "0123456789*#ABCD"
SMALL_CODECS: Final = frozenset({"PCMU", "PCMA", "G722"})
DETECTED: Final[dict[Detected, int]] = {"dtmf": 1, "tones": 2, "fax": 4, "voice": 8, "level": 16}  # as core has them
CONVERT: Final = 32
GATES: Final[tuple[Gate, ...]] = ("pass", "swallow", "mask")
MAX_DIGITS: Final = 64  # of one `send_digits`
DEFAULT_DIGIT_MS: Final = 100
DEFAULT_GAP_MS: Final = 60
TAP_MS: Final = 2000


@dataclass(frozen=True, slots=True)
class Seat:
    """What a leg occupies, and gives back when it is closed."""

    leg: int
    slot: int
    address: str
    port: int


class MediaLeg:
    """One peer's RTP stream: a port pair of ours, the peer's address, counters. Made by `MediaPlane.open_leg`."""

    def __init__(self, plane: "MediaPlane", worker: MediaWorker, seat: Seat) -> None:
        self.id: Final = seat.leg
        self.address: Final = seat.address
        self.port: Final = seat.port
        self.rtcp_port: Final = seat.port + 1
        self.remote: RemoteMedia | None = None
        self.peer: MediaLeg | None = None
        self.room: MediaRoom | None = None
        self.is_echoing = False
        self.converts_digits = False  # in its bridge
        self.is_muted = False
        self.slot: Final = seat.slot
        self.worker = worker
        self.final: asyncio.Future[LegStats] | None = None  # set by close(): the leg takes no more commands
        self.playing: dict[int, Playlist] = {}  # kept until the media thread is done with them; so is `kept`
        self.kept: dict[int, Stage | Voice | LentTap | JitterMemory | Detectors | Secure] = {}
        self._plane = plane
        self._destination = worker
        self._waiting: list[tuple[str, tuple[Any, ...]]] | None = (
            None  # commands held back while moving between threads
        )
        self._keys: SrtpKeys | None = None
        self._secure: Secure | None = None
        self._has_stage = False
        self._voice: VoicePlan | None = None  # what the present codecs were made for
        self._digits = AS_THEY_COME
        self._is_gated = False
        self._fills = False
        self._wanted = 0  # bits of `DETECTED`
        self._hiding: set[int] = set()  # serials of taps that hide digits
        self._heard = 0  # the same as the media thread knows it, `CONVERT` included
        self._detectors: Detectors | None = None
        self._voice_hz = 0  # the partner's rate they were chosen for

    # ---- what the leg is ----

    def set_remote(self, remote: RemoteMedia) -> None:
        """Point the leg at its peer; opens a new latch window. Raises `MediaError` for what cannot be an address."""
        self.refuse_if_closed()
        wire = RemoteWire.of(remote, self._plane.codec_keys, self.address, self._plane.chance)
        self._secure_with(remote.srtp)
        self.remote = remote
        self.post("set_remote", wire)
        self._plane.settle(self)

    def _secure_with(self, keys: SrtpKeys | None) -> None:
        """Other keys for the media thread, or none. An unchanged key keeps its roll-over counter."""
        if keys == self._keys:
            return
        secure = None
        if keys is not None:
            try:
                secure = Secure(keys.suite, keys.ours, keys.theirs, self._plane.next_serial(), self._secure)
            except ValueError as problem:
                raise MediaError(str(problem)) from None
            self.kept[secure.serial] = secure
        self._keys, self._secure = keys, secure
        self.post("give_secure", secure)

    def set_direction(self, direction: Direction) -> None:
        """Hold and resume without touching the learnt source. The direction is the peer's."""
        self.refuse_if_closed()
        if self.remote is None:
            raise MediaError("the leg has no remote yet")
        self.remote = replace(self.remote, direction=direction)
        self.post("set_direction", direction in {"sendrecv", "sendonly"}, direction in {"sendrecv", "recvonly"})

    @property
    def path(self) -> Path:
        """What becomes of the peer's audio now."""
        if self.room is not None:
            return "room"
        if self.is_echoing:
            return "echo"
        if self.peer is None or self.remote is None or self.peer.remote is None:
            return "none"
        return path_between(self.remote, self.peer.remote)

    @property
    def sample_hz(self) -> int:
        """Samples a second of the codec we speak to the peer: what audio for it is best prepared at."""
        key = first_encodable(self.remote) if self.remote is not None else None
        return rate_of(key) if key is not None else rate_of("")

    def stats(self) -> LegStats:
        """Counters as they stand; the final ones once the leg is closed."""
        if self.final is not None and self.final.done():
            return self.final.result()
        return self._plane.read_stats(self)

    def begin_closing(self) -> asyncio.Future[LegStats]:
        """Have the sockets closed; the future is done with the media thread's acknowledgement. Again: the same one."""
        return self.final or self._plane.start_closing(self)

    async def close(self) -> LegStats:
        """Close the sockets and wait for the media thread's acknowledgement. May be called again: same answer."""
        final = self.begin_closing()
        return final.result() if final.done() else await asyncio.shield(final)

    # ---- what is asked of it ----

    def mute(self, on: bool = True) -> None:
        """What the peer says becomes silence for everybody who would hear it, taps included."""
        self.refuse_if_closed()
        self.equip()
        self.is_muted = on
        self.post("mute", on)
        self._plane.settle(self)

    def gate(self, which: Gate) -> None:
        """What becomes of the digits that the peer sends, beside the event that tells them.

        Of a peer without telephone-event, the tones themselves are taken out of the audio.
        """
        self.refuse_if_closed()
        self.equip()
        self._is_gated = which != "pass"
        self.post("gate", GATES.index(which))
        self.listen()
        self._plane.settle(self)

    def detect(self, *kinds: Detected) -> None:
        """Listen to the peer for these from now on, and for nothing else: no kinds, no listening."""
        self.refuse_if_closed()
        if any(kind not in DETECTED for kind in kinds):
            raise MediaError(f"nothing listens for {', '.join(kinds)}")
        self._wanted = sum({DETECTED[kind] for kind in kinds})
        self.listen()

    def tap(self, side: Side = "said", *, delay_ms: int = 0, capacity_ms: int = TAP_MS) -> Tap:
        """Copies of all packets of one side from now on, for one consumer; any number of taps may run.

        Behind `delay_ms` a masked digit takes back what had been let through before it was recognised.
        """
        serial = self._plane.next_serial()
        ring = TapRing(serial, ring_bytes(capacity_ms + delay_ms), delay_ms * 1_000_000)
        tap = Tap(ring, serial, side, self._plane.codec_keys.name, self.take_tap)
        self.give_tap(tap)
        return tap

    def send_digits(self, digits: str, ms: int = DEFAULT_DIGIT_MS, gap_ms: int = DEFAULT_GAP_MS) -> int:
        """Press keys towards the peer, as events or as tones; audio to it is held back meanwhile.

        A `digits_sent` event follows in any case. Raises `MediaError` for what is no digit, or too many of them.
        """
        self.refuse_if_closed()
        keys = digits.upper()
        if not 0 < len(keys) <= MAX_DIGITS or any(key not in DIGITS for key in keys):
            raise MediaError(f"not 1 to {MAX_DIGITS} digits of {DIGITS}")
        if self.remote is None:
            raise MediaError("the leg has no remote yet")
        if not 40 <= ms <= 10_000 or not 20 <= gap_ms <= 10_000:
            raise MediaError("a digit takes 40 ms to 10 s, the pause behind it 20 ms to 10 s")
        self.equip()
        send_id = self._plane.next_serial()
        self.post("press", send_id, keys.encode("ascii"), ms, gap_ms)
        return send_id

    # ---- the plane's own ----

    def give_tap(self, tap: LentTap) -> None:
        """Lend the tap to the media thread, until `take_tap` or the leg's end."""
        self.refuse_if_closed()
        self.equip()
        self.kept[tap.serial] = tap
        self.post("give_tap", tap.ring, SIDES.index(tap.side))

    def take_tap(self, tap: LentTap) -> None:
        if self.final is None:
            self.hide_digits(tap, on=False, delay_ms=None)
            self.post("take_tap", tap.serial, SIDES.index(tap.side))

    def hide_digits(self, tap: LentTap, *, on: bool, delay_ms: int | None) -> None:
        """Keep what the peer presses out of the tap, which waits so long for digits to be known. None: as it is.

        Of a tap on what is played that is what we press, and needs no listening.
        """
        if self.final is not None:
            return
        if delay_ms is not None:
            self.post("tune_tap", tap.serial, SIDES.index(tap.side), on, delay_ms * 1_000_000)
        if on and tap.side == "said":
            self._hiding.add(tap.serial)
        else:
            self._hiding.discard(tap.serial)
        self.listen()

    def pass_keys(self, plan: KeysPlan) -> None:
        """How its digits reach the far end."""
        if plan is self._digits or plan == self._digits:
            return
        self._digits = plan
        self.equip()
        self.post("pass_keys", plan.passes)
        self.listen()

    def fill_pauses(self, on: bool) -> None:
        """So that the far end hears something while this peer says nothing."""
        if on != self._fills:
            self._fills = on
            self.equip()
            self.post("fill", on)

    @property
    def needs_decoding(self) -> bool:
        """Its audio is changed on its way to the far end, which takes codecs on both sides."""
        return bool(self._heard & CONVERT) or self.is_muted

    def listen(self) -> None:
        """Give it detectors, or take them back, as what is wanted of it has changed."""
        wanted = self._wanted
        if self._hiding:
            wanted |= DETECTED["dtmf"]
        if self._digits.converts or (self._is_gated and self.remote is not None and not has_events(self.remote)):
            wanted |= CONVERT
        if wanted == self._heard:
            return
        self._heard = wanted
        self.equip()
        if not wanted:
            self._detectors = None
        elif self._detectors is None:
            serial = self._plane.next_serial()
            self._detectors = Detectors(serial)
            self.kept[serial] = self._detectors
        self.post("listen", self._detectors, wanted)

    def equip(self, partner_hz: int = 0) -> None:
        """Give the leg its stage block, and the codecs of its remote at a rate that suits the other side, if it can."""
        if self.final is not None:
            return
        if not self._has_stage:
            self._has_stage = True
            serial = self._plane.next_serial()
            stage = Stage(serial)
            self.kept[serial] = stage
            self.post("give_stage", stage)
        if self.remote is None:
            return
        wanted = VoicePlan.of(self.remote, self._plane.codec_keys, partner_hz or self._voice_hz)
        if wanted == self._voice:
            return
        self._voice, self._voice_hz = wanted, partner_hz or self._voice_hz
        serial = self._plane.next_serial()
        voice = wanted.make(serial)
        self.kept[serial] = voice
        self.post("give_voice", voice)

    @property
    def can_be_mixed(self) -> bool:
        return self.remote is not None and first_encodable(self.remote) is not None

    @property
    def has_small_packets(self) -> bool:
        """None of its codecs takes more than 64 kbit/s, whatever happens."""
        return self.remote is not None and all(key.partition("/")[0] in SMALL_CODECS for key in audio_keys(self.remote))

    @property
    def is_equipped(self) -> bool:
        return self._has_stage

    def returned(self, serial: int) -> None:
        """The media thread uses it no longer."""
        piece = self.kept.pop(serial, None)
        if isinstance(piece, LentTap):
            piece.given_back()

    def let_go(self) -> None:
        """The media thread uses nothing of the leg's any longer."""
        self.playing.clear()
        for serial in list(self.kept):
            self.returned(serial)

    def post(self, command: str, *arguments: Any) -> None:
        """Send one command to the thread that owns the leg, in order, also across a move to another thread."""
        if self._waiting is not None:
            self._waiting.append((command, arguments))
        else:
            self.worker.post(command, self.slot, self.id, *arguments)

    def head_for(self, worker: MediaWorker) -> None:
        """To this thread, from wherever it is or was about to go."""
        if self._waiting is not None:
            self._destination = worker
        elif self.worker is not worker:
            self.move_to(worker)

    def move_to(self, worker: MediaWorker) -> None:
        """Hand the leg to another media thread; packets wait in its socket buffers meanwhile."""
        self.post("release")
        self._waiting, self._destination = [], worker

    def arrive(self) -> None:
        """The former thread let go: the new one takes over, then hears what was held back."""
        self.worker.legs -= 1
        self.worker = self._destination
        self.worker.legs += 1
        waiting, self._waiting = self._waiting or [], None
        self.post("adopt")
        for command, arguments in waiting:
            self.post(command, *arguments)

    @property
    def is_moving(self) -> bool:
        return self._waiting is not None

    def refuse_if_closed(self) -> None:
        if self.final is not None:
            raise LegClosed(f"media leg {self.id}")
