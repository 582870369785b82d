"""The plane as the engine sees it: legs are opened, pointed at a peer, joined, played to and closed.

Everything here runs on the event loop's thread and never touches a packet. Commands go down a ring to the media thread
that owns the leg, events come up another; a leg's sockets are closed by its media thread only, and its ports and slot
return when that thread acknowledges.
"""

import asyncio
import errno
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from random import SystemRandom
from time import monotonic
from typing import Any, Final

from santral.engine.media.audio import PreparedAudio
from santral.engine.media.core.thread import LegTable
from santral.engine.media.model import (
    Direction,
    LegClosed,
    LegStats,
    MediaError,
    MediaEvent,
    PlaneSettings,
    PortsExhausted,
    RemoteMedia,
)
from santral.engine.media.ports import PortPool
from santral.engine.media.remote import CodecKeys, RemoteWire
from santral.engine.media.sockets import SocketPair, bind_any_pair, bind_pair
from santral.engine.media.worker import MediaWorker, Report

BIND_TRIES: Final = 32  # ports of the range that another process holds are laid aside, so many at a time
FIRST_SEQUENCE_BITS: Final = 15  # below 2^15, so that SRTP's roll-over counter starts unambiguous (RFC 3711 §3.3.1)


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
        self.slot: Final = seat.slot
        self.worker = worker
        self.final: asyncio.Future[LegStats] | None = None  # set by close(): the leg takes no more commands
        self.playing: dict[int, PreparedAudio] = {}  # keeps the frames alive until the media thread is done with them
        self._plane = plane
        self._destination = worker
        self._waiting: list[tuple[str, tuple[Any, ...]]] | None = (
            None  # commands held back while moving between threads
        )

    def set_remote(self, remote: RemoteMedia) -> None:
        """Point the leg at its peer; opens a new latch window. Raises `MediaError` for what cannot be an address."""
        self.refuse_if_closed()
        wire = RemoteWire.of(remote, self._plane.codec_keys, self.address)
        self.remote = remote
        self.post("set_remote", wire)

    def set_direction(self, direction: Direction) -> None:
        """Hold and resume without touching the learnt source. The direction is the peer's."""
        self.refuse_if_closed()
        if self.remote is None:
            raise MediaError("the leg has no remote yet")
        self.remote = replace(self.remote, direction=direction)
        self.post("set_direction", direction in {"sendrecv", "sendonly"}, direction in {"sendrecv", "recvonly"})

    def stats(self) -> LegStats:
        """Counters as they stand; the final ones once the leg is closed."""
        if self.final is not None and self.final.done():
            return self.final.result()
        return self._plane.read_stats(self)

    async def close(self) -> LegStats:
        """Close the sockets and wait for the media thread's acknowledgement. May be called again: same answer."""
        final = self.final or self._plane.start_closing(self)
        return await asyncio.shield(final)

    def post(self, command: str, *arguments: Any) -> None:
        """Send one command to the thread that owns the leg, in order, also across a move to another thread."""
        if self._waiting is not None:
            self._waiting.append((command, arguments))
        else:
            self.worker.post(command, self.slot, self.id, *arguments)

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


class MediaPlane:
    """All media threads, legs and ports of one node. Every method belongs to the event loop's thread."""

    def __init__(self, settings: PlaneSettings, on_event: Callable[[MediaEvent], None]) -> None:
        first, last = settings.ports
        self.settings: Final = settings
        self.codec_keys: Final = CodecKeys()
        self.legs: Final[dict[int, MediaLeg]] = {}
        self._on_event = on_event
        self._table = LegTable(settings.max_legs)
        self._free_slots = list(range(settings.max_legs - 1, -1, -1))
        self._ports = PortPool(first, last, settings.rest_s, SystemRandom()) if (first, last) != (0, 0) else None
        self._workers = [
            MediaWorker(self._table, settings, n, self._on_report) for n in range(max(settings.threads, 1))
        ]
        self._leg_ids = count(1)
        self._play_ids = count(1)
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
            secrets.randbits(32),
            secrets.randbits(FIRST_SEQUENCE_BITS),
            secrets.randbits(32),
        )
        return leg

    def bridge(self, a: MediaLeg, b: MediaLeg) -> None:
        """Relay between the two, both ways, from now on. Earlier bridges and echoes of either end."""
        if a is b:
            raise MediaError("a leg cannot be bridged to itself: that is echo()")
        for leg in (a, b):
            leg.refuse_if_closed()
        for leg in (a, b):
            self._part(leg)
        a.peer, b.peer = b, a
        self._join(a)

    def unbridge(self, a: MediaLeg) -> None:
        """End the bridge (or echo) that `a` is in; without one nothing happens."""
        a.refuse_if_closed()
        self._part(a)
        a.post("unlink")

    def echo(self, leg: MediaLeg) -> None:
        """Send back what the leg hears, digits included, as a stream of our own."""
        leg.refuse_if_closed()
        self._part(leg)
        leg.post("echo")

    def play(self, leg: MediaLeg, audio: PreparedAudio, *, loop: bool = False) -> int:
        """Play to the leg; what is relayed to it is held back meanwhile. A `play_finished` event follows in any case.

        Raises `MediaError` when the peer does not take the codec of `audio`.
        """
        leg.refuse_if_closed()
        if leg.remote is None or audio.codec not in leg.remote.sends:
            raise MediaError(f"media leg {leg.id} has no payload type for {audio.codec}")
        play_id = next(self._play_ids)
        leg.playing[play_id] = audio
        leg.post("play", play_id, audio.frames, self.codec_keys.number(audio.codec), loop)
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
            "slots_free": len(self._free_slots),
            "ports_free": ports.free(now) if ports else 0,
            "ports_resting": ports.resting if ports else 0,
            "ports_used": ports.used if ports else 2 * len(self.legs),
            "port_shortages": ports.shortages if ports else 0,
            "legs_refused": self._refused,
            "threads": len(self._workers),
        }
        for worker in self._workers:
            for name, value in worker.counters().items():
                totals[name] = (
                    max(totals.get(name, 0), value) if name.startswith("max_") else totals.get(name, 0) + value
                )
        return totals

    def read_stats(self, leg: MediaLeg) -> LegStats:
        return LegStats(**self._table.stats(leg.slot))

    def start_closing(self, leg: MediaLeg) -> asyncio.Future[LegStats]:
        final = leg.final = asyncio.get_running_loop().create_future()
        self._part(leg)
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

    def _part(self, leg: MediaLeg) -> None:
        """Forget who the leg is bridged to; its media thread does the same when it carries out what follows."""
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

    def _on_report(self, report: Report) -> None:
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
            case kind:
                self._on_event(MediaEvent(leg.id, kind, report.data))

    def _let_go(self, leg: MediaLeg) -> None:
        """The sockets are closed: ports and slot may serve again, after their rest."""
        stats = self.read_stats(leg)
        del self.legs[leg.id]
        leg.worker.legs -= 1
        leg.playing.clear()
        self._free_slots.append(leg.slot)
        if self._ports is not None:
            self._ports.give_back(leg.port, monotonic())
        if leg.final is not None and not leg.final.done():
            leg.final.set_result(stats)
