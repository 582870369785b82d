"""RTP legs of the load: sockets on free ports, the sending thread, windows in which every packet is accounted for."""

import os
import socket
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from santral.bench.generator import Generator
from santral.bench.ports import HOST
from santral.bench.process import Bystanders, Child

FIRST_PORT: Final = 34_000
LAST_PORT: Final = 65_000
RECEIVE_BUFFER: Final = 262_144
MOST_OTHERS: Final = 0.15  # cores; an idle machine shows a few hundredths
LEAST_SENT: Final = 0.998  # of the schedule
SETTLE_S: Final = 0.5  # after a window: what is still on its way may arrive


WHOLE: Final = (
    "legs",
    "sent",
    "arrived",
    "lost",
    "duplicate",
    "misrouted",
    "foreign",
    "legs_unheard",
    "send_failed",
    "sent_late",
)
TIMED: Final = ("p50_us", "p99_us", "p999_us", "max_us", "lag_p999_us")


@dataclass(frozen=True, slots=True)
class Latency:
    """Microseconds from just before our sendto to the kernel's stamp on arrival; `lag` is ours against the schedule."""

    p50_us: float
    p99_us: float
    p999_us: float
    max_us: float
    lag_p999_us: float


@dataclass(frozen=True, slots=True)
class Window:
    """What happened to the packets sent in one window."""

    seconds: float
    legs: int
    sent: int
    arrived: int
    lost: int
    duplicate: int
    misrouted: int
    foreign: int
    legs_unheard: int
    send_failed: int
    sent_late: int
    own_drops: int  # dropped by the kernel at our sockets: our fault, the window is void
    cpu_ns: int  # of the subject during the window
    resident: int  # bytes of the subject at its end
    others_cores: float  # CPU that neither we nor the subject used
    latency: Latency
    histogram: tuple[tuple[float, int], ...]

    @property
    def cpu_us_per_packet(self) -> float:
        """Of the subject, which relayed what we sent."""
        return self.cpu_ns / 1000 / max(1, self.sent)

    @property
    def doubt(self) -> str:
        """Why the window should not be relied on; empty when nothing speaks against it."""
        expected = self.legs * 50 * self.seconds
        reasons = {
            f"others used {self.others_cores:.2f} cores": self.others_cores > MOST_OTHERS,
            "the load was late": self.sent_late > self.sent // 1000 or self.sent < expected * LEAST_SENT,
            "our own sockets overflowed": self.own_drops > 0,
            "sending failed": self.send_failed > 0,
        }
        return ", ".join(reason for reason, is_so in reasons.items() if is_so)

    @property
    def is_valid(self) -> bool:
        return not self.doubt


def kernel_drops(ports: set[int]) -> int:
    """Datagrams dropped at sockets bound to these ports, since they were opened (`drops` of /proc/net/udp)."""
    total = 0
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].rpartition(":")[2], 16) in ports:
            total += int(fields[-1])
    return total


@dataclass(frozen=True, slots=True)
class Said:
    """What a leg says instead of stamps: frames of 20 ms in turn, all of one length."""

    frames: bytes
    payload_type: int = 8
    size: int = 160  # bytes of a frame
    ticks: int = 160  # of the RTP clock


class Legs:
    """A context manager: sockets are open and the thread turns while inside."""

    def __init__(self, count: int, *, echo: bool = False, core: int | None = None, payload_type: int = 8) -> None:
        self.ports: list[int] = []
        self._sockets: list[socket.socket] = []
        self._open(count)
        rtp = self._sockets[: 2 * count : 2]
        self._generator = Generator([one.fileno() for one in rtp], echo=echo, payload_type=payload_type)
        self._thread = threading.Thread(target=self._turn, args=(core,), name="rtp load")

    def _open(self, count: int) -> None:
        port = FIRST_PORT
        while len(self.ports) < count:
            if port > LAST_PORT:
                raise OSError(f"no {count} free RTP port pairs from {FIRST_PORT} up")
            pair = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) for _ in range(2)]
            try:
                pair[0].bind((HOST, port))
                pair[1].bind((HOST, port + 1))  # RTCP: an open port that nobody reads
            except OSError:
                for one in pair:
                    one.close()
            else:
                pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
                pair[1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
                self._sockets += pair
                self.ports.append(port)
            port += 2

    def _turn(self, core: int | None) -> None:
        if core is not None:
            os.sched_setaffinity(0, {core})
        self._generator.run()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._generator.halt()
        self._thread.join()
        for one in self._sockets:
            one.close()

    def start(self, leg: int, port: int, said: Said | None = None) -> None:
        if said is None:
            self._generator.start(leg, port)
        else:
            self._generator.start(
                leg, port, said.frames, payload_type=said.payload_type, size=said.size, ticks=said.ticks
            )

    def listened(self, leg: int) -> bytes:
        """The last second that a leg with something of its own to say heard."""
        return self._generator.listened(leg)

    def stop(self, leg: int) -> None:
        self._generator.stop(leg)

    def stop_all(self) -> None:
        for leg in range(len(self.ports)):
            self._generator.stop(leg)

    def heard(self, leg: int) -> int:
        return self._generator.heard(leg)

    def window(self, seconds: float, subject: Child | None = None) -> Window:
        """Count and time everything sent for so long, and what `subject` used meanwhile. Blocks."""
        ports = set(self.ports)
        drops = kernel_drops(ports)
        self._generator.open_window(seconds + 5)
        bystanders = Bystanders(subject)
        began, before = time.monotonic(), subject.figures() if subject else None
        time.sleep(seconds)
        after, others = subject.figures() if subject else None, bystanders.cores()
        self._generator.close_window()
        lasted = time.monotonic() - began
        time.sleep(SETTLE_S)
        counts = self._generator.counts()
        return Window(
            seconds=lasted,
            **{name: int(counts[name]) for name in WHOLE},
            own_drops=kernel_drops(ports) - drops,
            cpu_ns=after.cpu_ns - before.cpu_ns if before and after else 0,
            resident=after.resident if after else 0,
            others_cores=others,
            latency=Latency(**{name: counts[name] for name in TIMED}),
            histogram=tuple(self._generator.histogram()),
        )
