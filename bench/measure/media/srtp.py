"""`srtp`: what SRTP on one side of a bridge adds to the relay of a packet, beside what libsrtp itself takes.

The same plane relays the same bursts, plain and with one side encrypted, in turns. The media thread shares the sender's
core and yields to it, so that it finds whole bursts: what is compared is work on packets, not waking up.
"""

import asyncio
import contextlib
import os
import socket
import struct
from pathlib import Path
from typing import Final

from pylibsrtp import Policy, Session

from santral.bench.measure.result import Result, Row, Setting, median
from santral.bench.ports import HOST
from santral.bench.process import pinned
from santral.engine.media import MediaLeg, MediaPlane, PlaneSettings, RemoteMedia, SrtpKeys
from santral.engine.media.core.secure.srtp import PROFILES, Secure

SUITE: Final = "AES_CM_128_HMAC_SHA1_80"
SUITES: Final = {SUITE: 30, "AES_CM_128_HMAC_SHA1_32": 30, "AEAD_AES_128_GCM": 28, "AEAD_AES_256_GCM": 44}
LIMIT_US: Final = 0.6
BURST: Final = 100  # packets; a socket's buffer takes them all
BURSTS: Final = 40  # of one round
ROUNDS: Final = 15  # of each kind, in turns
NICE: Final = 10
POLLS: Final = 1000  # of a millisecond
PAYLOAD: Final = b"\xd5" * 160
ALONE: Final = 20_000  # packets


class End:
    """One side of a bridge: a socket, and its keys if it has any."""

    def __init__(self, plane: MediaPlane, suite: str | None) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.setblocking(False)
        self.sequence = 0
        self.session: Session | None = None
        keys = None
        if suite is not None:
            keys = SrtpKeys(suite, os.urandom(SUITES[suite]), os.urandom(SUITES[suite]))
            policy = Policy(key=keys.theirs, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=PROFILES[suite])
            self.session = Session(policy)
        self.leg: MediaLeg = plane.open_leg(HOST)
        port = self.socket.getsockname()[1]
        self.leg.set_remote(RemoteMedia(HOST, port, {8: "PCMA/8000"}, {"PCMA/8000": 8}, rtcp=False, srtp=keys))

    def packets(self, count: int) -> list[bytes]:
        made = []
        for _ in range(count):
            self.sequence += 1
            head = struct.pack("!BBHII", 0x80, 8, self.sequence & 0xFFFF, 160 * self.sequence & 0xFFFFFFFF, 1)
            made.append(head + PAYLOAD if self.session is None else self.session.protect(head + PAYLOAD))
        return made

    def forget(self) -> None:
        """What it heard does not matter, only that it was sent."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.socket.recv(2048)


def run(setting: Setting) -> Result:
    return asyncio.run(_run(setting))


async def _run(setting: Setting) -> Result:
    result = Result("srtp")
    rounds, bursts = (1, 2) if setting.quick else (ROUNDS, BURSTS)
    with pinned(setting.subject_core):
        before = threads()
        plane = MediaPlane(PlaneSettings(ports=(0, 0), max_legs=64), lambda _event: None)
        plane.start(asyncio.get_running_loop())
        (thread,) = threads() - before
        os.setpriority(os.PRIO_PROCESS, thread, NICE)
        try:
            relayed = await _rounds(plane, thread, rounds, bursts)
        finally:
            await plane.stop()
    _judge(result, *relayed, is_quick=setting.quick)
    for suite, size in SUITES.items():
        key = bytes(range(size))
        own = Secure(suite, key, key).cost_ns(struct.pack("!BBHII", 0x80, 8, 0, 0, 1) + PAYLOAD, ALONE) / 1000
        result.rows.append(Row(f"libsrtp alone, {suite}", f"{own:.2f} us", "mean of protect and unprotect"))
        result.data[f"alone {suite}"] = own
    return result


async def _rounds(plane: MediaPlane, thread: int, rounds: int, bursts: int) -> tuple[float, float, float]:
    """Microseconds: plain relay; added on the way to the encrypted side; on the way from it. Medians."""
    plain, half = bridge(plane, None), bridge(plane, SUITE)
    base, to, away = [], [], []
    for _ in range(rounds):
        there = await cost_us(plain[0], plain[1], thread, bursts)
        to.append(await cost_us(half[0], half[1], thread, bursts) - there)
        back = await cost_us(plain[1], plain[0], thread, bursts)
        away.append(await cost_us(half[1], half[0], thread, bursts) - back)
        base += [there, back]
    for end in (*plain, *half):
        end.socket.close()
    return median(base), median(to), median(away)


def _judge(result: Result, relay: float, to: float, away: float, *, is_quick: bool) -> None:
    mean = (to + away) / 2
    result.rows += [
        Row("plain relay in bursts", f"{relay:.2f} us/packet"),
        Row("added towards the encrypted side", f"{to:.2f} us/packet", SUITE),
        Row("added from the encrypted side", f"{away:.2f} us/packet", SUITE),
        Row(
            "added, mean of both ways",
            f"{mean:.2f} us/packet",
            SUITE,
            f"at most {LIMIT_US}",
            None if is_quick else mean <= LIMIT_US,
        ),
    ]
    result.data = {"relay_us": relay, "to_us": to, "from_us": away, "added_us": mean}


def bridge(plane: MediaPlane, suite: str | None) -> tuple[End, End]:
    a, b = End(plane, None), End(plane, suite)
    plane.bridge(a.leg, b.leg)
    return a, b


async def cost_us(speaker: End, listener: End, thread: int, bursts: int) -> float:
    """CPU of the media thread per packet that it took from one to the other."""
    await asyncio.sleep(0.02)
    where = (HOST, speaker.leg.port)
    began, done = cpu_ns(thread), listener.leg.stats().packets_out
    for _ in range(bursts):
        packets = speaker.packets(BURST)
        wanted = listener.leg.stats().packets_out + BURST
        for packet in packets:
            speaker.socket.sendto(packet, where)
        for _ in range(POLLS):
            if listener.leg.stats().packets_out >= wanted:
                break
            await asyncio.sleep(0.001)
        listener.forget()
    return (cpu_ns(thread) - began) / 1000 / max(1, listener.leg.stats().packets_out - done)


def threads() -> set[int]:
    return {int(name) for name in os.listdir("/proc/self/task")}


def cpu_ns(thread: int) -> int:
    return int(Path(f"/proc/self/task/{thread}/schedstat").read_text().split()[0])
