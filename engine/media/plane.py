"""The plane as the engine sees it: legs are opened, pointed at a peer, joined, played to and closed.

Everything here runs on the event loop's thread and never touches a packet. Commands go down a ring to the media thread
that owns the leg, events come up another; a leg's sockets are closed by its media thread only, and its ports and slot
return when that thread acknowledges.
"""

import asyncio
import errno
from collections.abc import Callable, Sequence
from itertools import count
from random import Random, SystemRandom
from time import monotonic
from typing import Final, cast

from santral.engine.media.audio import PreparedAudio
from santral.engine.media.capturing import Captures
from santral.engine.media.core.thread import LegTable
from santral.engine.media.leg import MediaLeg, Seat
from santral.engine.media.model import EventKind, LegStats, MediaError, MediaEvent, PlaneSettings, PortsExhausted
from santral.engine.media.orders import playlist
from santral.engine.media.paths import AS_THEY_COME, KeysPlan, has_pauses_to_fill, path_between
from santral.engine.media.ports import PortPool
from santral.engine.media.remote import CodecKeys, first_encodable
from santral.engine.media.room import MediaRoom
from santral.engine.media.sockets import SocketPair, bind_any_pair, bind_pair
from santral.engine.media.worker import MediaWorker, Report

BIND_TRIES: Final = 32  # ports of the range that another process holds are laid aside, so many at a time
FIRST_SEQUENCE_BITS: Final = 15  # below 2^15, so that SRTP's roll-over counter starts unambiguous (RFC 3711 §3.3.1)


class MediaPlane:
    """All media threads, legs and ports of one node. Every method belongs to the event loop's thread.

    `chance` is what nobody may guess: ports, synchronisation sources, first sequence numbers.
    """

    def __init__(
        self, settings: PlaneSettings, on_event: Callable[[MediaEvent], None], chance: Random | None = None
    ) -> None:
        self.chance: Final[Random] = chance or SystemRandom()
        first, last = settings.ports
        self.settings: Final = settings
        self.codec_keys: Final = CodecKeys()
        self.legs: Final[dict[int, MediaLeg]] = {}
        self.rooms: Final[dict[int, MediaRoom]] = {}
        self._on_event = on_event
        self._table = LegTable(settings.max_legs)
        self._free_slots = list(range(settings.max_legs - 1, -1, -1))
        self._ports = PortPool(first, last, settings.rest_s, self.chance) if (first, last) != (0, 0) else None
        self._workers = [
            MediaWorker(self._table, settings, n, self._on_report) for n in range(max(settings.threads, 1))
        ]
        self._leg_ids = count(1)
        self._play_ids = count(1)
        self._serials = count(1)
        self.captures: Final = Captures(self.codec_keys, self.next_serial)
        self._refused = 0
        self._is_running = False

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        for worker in self._workers:
            worker.start(loop)
        self._is_running = True

    async def stop(self) -> None:
        """Stop the threads, which close every socket left; then free. Legs still open get their final counters."""
        if not self._is_running:
            return
        self._is_running = False
        for worker in self._workers:
            await worker.stop()
        self._table.close_orphans()
        for leg in list(self.legs.values()):
            if leg.final is None:
                leg.final = asyncio.get_running_loop().create_future()
            self._let_go(leg)
        for room in self.rooms.values():
            room.end()
        self.rooms.clear()
        await self.captures.stop()

    def open_leg(self, address: str) -> MediaLeg:
        """Bind a port pair on `address`. Raises `PortsExhausted`; `OSError` when `address` is not ours."""
        if not self._is_running:
            raise MediaError("the media plane is not running")
        if not self._free_slots:
            self._refused += 1
            raise PortsExhausted(f"all {self.settings.max_legs} media slots are in use")
        sockets = self._bind(address)
        slot, leg_id = self._free_slots.pop(), next(self._leg_ids)
        worker = min(self._workers, key=lambda w: w.legs)
        worker.legs += 1
        leg = self.legs[leg_id] = MediaLeg(self, worker, Seat(leg_id, slot, address, sockets.port))
        leg.post(
            "open",
            sockets.rtp_fd,
            sockets.rtcp_fd,
            self.chance.getrandbits(32),
            self.chance.getrandbits(FIRST_SEQUENCE_BITS),
            self.chance.getrandbits(32),
        )
        return leg

    def bridge(self, a: MediaLeg, b: MediaLeg, *, convert_digits: bool = True) -> None:
        """Let the two hear each other from now on. Earlier bridges, echoes and rooms of either end.

        Relayed where they agree on codec and packet time, else transcoded, see `MediaLeg.path`. With `convert_digits`,
        digits that one side sends as events and the other hears as tones, or the other way round, are converted.
        """
        if a is b:
            raise MediaError("a leg cannot be bridged to itself: that is echo()")
        for leg in (a, b):
            leg.refuse_if_closed()
        if a.room is not None and a.room is b.room:  # linking takes both out, and what is on its way along
            room = a.room
            room.forget(a)
            room.forget(b)
        for leg in (a, b):
            self.part(leg)
        a.peer, b.peer = b, a
        a.converts_digits = b.converts_digits = convert_digits
        self.settle(a)
        self._join(a)

    def unbridge(self, a: MediaLeg) -> None:
        """End the bridge (or echo) that `a` is in; without one nothing happens."""
        a.refuse_if_closed()
        self.part(a)
        a.post("unlink")

    def echo(self, leg: MediaLeg) -> None:
        """Send back what the leg hears, digits included, as a stream of our own."""
        leg.refuse_if_closed()
        self.part(leg)
        leg.is_echoing = True
        leg.post("echo")

    def play(
        self,
        leg: MediaLeg,
        audio: PreparedAudio | Sequence[PreparedAudio],
        *,
        loop: bool = False,
        offset_ms: int = 0,
        gain_db: float = 0.0,
        stop_on: str = "",
        interlude: bool = False,
    ) -> int:
        """Play to the leg, one after the other; what is relayed to it is held back meanwhile.

        `stop_on`: digits of the peer that end it ("any" for each of them). An `interlude` ends by itself only: what is
        played beside it stands still meanwhile. A `play_finished` event follows in any case.
        Raises `MediaError` when nothing can be encoded for the peer, `ValueError` for what cannot be played.
        """
        leg.refuse_if_closed()
        if leg.remote is None or first_encodable(leg.remote) is None:
            raise MediaError(f"media leg {leg.id} has no codec that audio could be encoded with")
        play_id = self.next_play_id()
        what = playlist(play_id, audio, loop=loop, offset_ms=offset_ms, gain_db=gain_db, stop_on=stop_on)
        leg.equip()
        leg.playing[play_id] = what
        leg.post("interlude" if interlude else "play", what)
        return play_id

    def stop_play(self, leg: MediaLeg) -> None:
        leg.refuse_if_closed()
        leg.post("stop_play")

    def snapshot(self) -> dict[str, int | float]:
        """Counters of the plane; all of them grow only, except legs_open and the ports that are free, resting, used."""
        now = monotonic()
        ports = self._ports
        totals: dict[str, int | float] = {
            "legs_open": len(self.legs),
            "rooms_open": len(self.rooms),
            "slots_free": len(self._free_slots),
            "ports_free": ports.free(now) if ports else 0,
            "ports_resting": ports.resting if ports else 0,
            "ports_used": ports.used if ports else 2 * len(self.legs),
            "port_shortages": ports.shortages if ports else 0,
            "legs_refused": self._refused,
            "threads": len(self._workers),
            **self.captures.counters(),
        }
        for worker in self._workers:
            for name, value in worker.counters().items():
                totals[name] = (
                    max(totals.get(name, 0), value) if name.startswith("max_") else totals.get(name, 0) + value
                )
        return totals

    def open_room(self, rate_hz: int = 8000, *, levels: bool = False) -> MediaRoom:
        """A conference that mixes at `rate_hz`. With `levels` it tells who speaks, and how loud each is."""
        if not self._is_running:
            raise MediaError("the media plane is not running")
        room = MediaRoom(self, min(self._workers, key=lambda w: w.legs), rate_hz, levels=levels)
        self.rooms[room.id] = room
        return room

    def next_play_id(self) -> int:
        return next(self._play_ids)

    def next_serial(self) -> int:
        """For what is lent to media threads, and for orders whose end is told."""
        return next(self._serials)

    def settle(self, leg: MediaLeg) -> None:
        """Have ready what the way between the leg and its peer needs. Called whenever either side may have changed."""
        peer = leg.peer
        for one in (leg, peer):
            if one is not None and one.is_equipped:
                one.equip(one.room.rate_hz if one.room is not None else 0)
        if peer is None or leg.remote is None or peer.remote is None:
            return
        if leg.converts_digits:
            plans = KeysPlan.between(leg.remote, peer.remote), KeysPlan.between(peer.remote, leg.remote)
            if plans != (AS_THEY_COME, AS_THEY_COME):
                leg.equip(peer.sample_hz)
                peer.equip(leg.sample_hz)
            leg.pass_keys(plans[0])
            peer.pass_keys(plans[1])
        for speaker, listener in ((leg, peer), (peer, leg)):
            if speaker.remote is None or listener.remote is None:
                continue
            pauses = has_pauses_to_fill(speaker.remote, listener.remote) and listener.can_be_mixed
            if pauses:
                listener.equip(speaker.sample_hz)
            speaker.fill_pauses(pauses)
        paths = path_between(leg.remote, peer.remote), path_between(peer.remote, leg.remote)
        if "transcode" in paths or "repacketise" in paths or leg.needs_decoding or peer.needs_decoding:
            leg.equip(peer.sample_hz)
            peer.equip(leg.sample_hz)

    def read_stats(self, leg: MediaLeg) -> LegStats:
        return LegStats(**self._table.stats(leg.slot))

    def start_closing(self, leg: MediaLeg) -> asyncio.Future[LegStats]:
        final = leg.final = asyncio.get_running_loop().create_future()
        self.part(leg)
        leg.post("close_leg")
        return final

    def _bind(self, address: str) -> SocketPair:
        if self._ports is None:
            return bind_any_pair(address)
        for _ in range(BIND_TRIES):
            port = self._ports.take(monotonic())
            if self._ports.has_become_low():
                self._announce_shortage(self._ports)
            if port is None:
                break
            try:
                return bind_pair(address, port)
            except OSError as problem:
                self._ports.give_back(port, monotonic())
                if problem.errno != errno.EADDRINUSE:
                    raise
        self._refused += 1
        raise PortsExhausted(f"no rested port pair left in {self.settings.ports[0]}-{self.settings.ports[1]}")

    def _announce_shortage(self, ports: PortPool) -> None:
        data = {"free": ports.free(monotonic()), "resting": ports.resting, "used": ports.used}
        self._on_event(MediaEvent(0, "ports_low", data))

    def part(self, leg: MediaLeg) -> None:
        """Forget whom the leg is bridged to, and leave its room; the media thread does so with what is posted next."""
        leg.is_echoing = False
        if leg.room is not None:
            leg.room.leave(leg)
        for one in (leg, leg.peer):
            if one is not None and one.final is None:
                one.pass_keys(AS_THEY_COME)
                one.fill_pauses(False)
        if leg.peer is not None:
            leg.peer.peer = None
            leg.peer = None

    def _join(self, leg: MediaLeg) -> None:
        """Link the leg to its peer once both are on one thread; asked again whenever one of them has moved."""
        peer = leg.peer
        if peer is None or leg.is_moving or peer.is_moving:
            return
        if leg.worker is not peer.worker:
            leg.move_to(peer.worker)
        else:
            leg.post("link", peer.slot, peer.id)

    def _on_room_report(self, report: Report) -> None:
        room = self.rooms.get(report.leg)
        if room is None:
            return
        if report.kind == "room_closed":
            del self.rooms[room.id]
        event = room.hear(report)
        if event is not None:
            self._on_event(event)

    def _on_report(self, report: Report) -> None:
        if report.kind in {"room_closed", "room_played", "room_returned", "speaker"}:
            self._on_room_report(report)
            return
        leg = self.legs.get(report.leg)
        if leg is None:
            return
        match report.kind:
            case "closed":
                self._let_go(leg)
            case "released":
                leg.arrive()
                self._join(leg)
            case "play_finished":
                leg.playing.pop(int(report.data["play_id"]), None)
                self._on_event(MediaEvent(leg.id, "play_finished", report.data))
            case "returned":
                leg.returned(int(report.data["serial"]))
            case "needs_stage":
                leg.equip(leg.peer.sample_hz if leg.peer is not None else 0)
                if leg.peer is not None:
                    leg.peer.equip(leg.sample_hz)
            case kind:
                self._on_event(MediaEvent(leg.id, cast(EventKind, kind), report.data))

    def _let_go(self, leg: MediaLeg) -> None:
        """The sockets are closed: ports and slot may serve again, after their rest."""
        stats = self.read_stats(leg)
        del self.legs[leg.id]
        leg.worker.legs -= 1
        leg.let_go()
        self._free_slots.append(leg.slot)
        if self._ports is not None:
            self._ports.give_back(leg.port, monotonic())
        if leg.final is not None and not leg.final.done():
            leg.final.set_result(stats)
