"""SIP load: many calls through one server, caller and callee in this process.

What the server repeats, and what we must repeat, is counted: on loopback with a healthy server both stay at zero.
"""

import asyncio
import math
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from santral.bench.load import wire
from santral.bench.load.legs import Legs
from santral.bench.load.wire import Address, Read
from santral.bench.ports import HOST

T1_S: Final = 0.5  # RFC 3261 17.1.1.1
GIVE_UP_S: Final = 32.0
CALLEE_S: Final = 5.0  # after the last caller has gone
SWEEP_S: Final = 0.02
BUFFER: Final = 4 << 20
BATCH: Final = 256  # datagrams read before the loop does something else
NO_MEDIA_PORT: Final = 9  # discard: named in the SDP when no audio is wanted


@dataclass(slots=True)
class Figures:
    """What both sides saw; `statuses` counts final answers to INVITE, 408 standing for none."""

    started: int = 0
    answered: int = 0
    ended: int = 0  # our BYE answered 200
    failed: int = 0  # refused, never answered, or BYE not answered
    dropped: int = 0  # the server hung up on us
    callee_started: int = 0
    callee_ended: int = 0
    callee_left: int = 0  # never got a BYE
    peak: int = 0
    repeated_to_us: Counter[str] = field(default_factory=Counter)  # by the server
    repeated_by_us: Counter[str] = field(default_factory=Counter)  # because the server was silent for T1
    statuses: Counter[int] = field(default_factory=Counter)
    setup_ms: list[float] = field(default_factory=list)  # INVITE sent to 200 read


@dataclass(slots=True)
class Pending:
    """A message that is sent again until something answers it."""

    data: bytes
    to: Address
    resend_at: float
    interval: float
    give_up_at: float


@dataclass(slots=True)
class Call:
    """The caller's half of one call; `number` also names the callee's half and both RTP legs."""

    number: int
    call_id: bytes
    invited_at: float
    hold_s: float  # from answer to BYE; infinite: when told
    hang_up_at: float = math.inf
    answered: bool = False
    acknowledgement: bytes = b""
    to: bytes = b""
    target: bytes = b""
    hop: Address = ("", 0)


class CallLoad:
    """Calls through one server. In a running loop: `open`, `ramp` + `hang_up_all` or `run_short`, `close`."""

    def __init__(self, server: Address, legs: Legs | None, *, caller_port: int = 0, callee_port: int = 0) -> None:
        self.figures = Figures()
        self.server = server
        self._legs = legs
        self._caller, self._callee = _open_socket(caller_port), _open_socket(callee_port)
        self.caller_port: int = self._caller.getsockname()[1]
        self.callee_port: int = self._callee.getsockname()[1]
        self._caller_own = f"{HOST}:{self.caller_port}".encode()
        self._callee_own = f"{HOST}:{self.callee_port}".encode()
        self._calls: dict[bytes, Call] = {}
        self._callee_calls: dict[bytes, tuple[int, int, bytes]] = {}  # Call-ID -> number, peer's RTP port, our 200
        self._pending: dict[tuple[str, bytes], Pending] = {}
        self._next_number = 0
        self._free: list[int] = []
        self._epoch = f"{time.time_ns():x}"
        self._branches = 0
        self._swept = asyncio.Event()  # replaced after each sweep

    def open(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._caller, _read_all, self._caller, self._at_caller)
        loop.add_reader(self._callee, _read_all, self._callee, self._at_callee)
        self._sweeper = asyncio.create_task(self._sweep_on())

    def close(self) -> None:
        self._sweeper.cancel()
        loop = asyncio.get_running_loop()
        for one in (self._caller, self._callee):
            loop.remove_reader(one)
            one.close()

    @property
    def in_progress(self) -> int:
        return len(self._calls)

    # --- what benchmarks ask for ---

    async def ramp(self, calls: int, per_second: float) -> None:
        """Set up so many calls that last until told, evenly spread; returns when each is answered or has failed."""
        await self._start_evenly(calls, per_second, math.inf)
        await self._when(lambda: all(call.answered for call in self._calls.values()))

    async def run_short(self, calls: int, per_second: float, hold_s: float) -> None:
        """So many calls, each hung up `hold_s` after its answer. Returns when the last has ended."""
        await self._start_evenly(calls, per_second, hold_s)
        await self._calm()

    async def hang_up_all(self, per_second: float) -> None:
        """Hang up every call, evenly spread; returns when each BYE is answered or given up."""
        began = time.monotonic()
        for done, call in enumerate(list(self._calls.values())):
            await _until(began + done / per_second)
            self._hang_up(call)
        await self._calm()

    async def _calm(self) -> None:
        """Until no call is left on either side; a callee that never gets its BYE is counted and forgotten."""
        await self._when(lambda: not self._calls)
        give_up = time.monotonic() + CALLEE_S
        await self._when(lambda: not self._callee_calls or time.monotonic() > give_up)
        self.figures.callee_left += len(self._callee_calls)
        for number, _, _ in self._callee_calls.values():
            self._stop_leg(2 * number + 1)
        self._callee_calls.clear()

    async def _start_evenly(self, calls: int, per_second: float, hold_s: float) -> None:
        began = time.monotonic()
        for done in range(calls):
            await _until(began + done / per_second)
            self._invite(hold_s)

    # --- retransmission ---

    def _keep_sending(self, what: str, call_id: bytes, data: bytes, to: Address) -> None:
        now = time.monotonic()
        self._pending[what, call_id] = Pending(data, to, now + T1_S, T1_S, now + GIVE_UP_S)
        (self._callee if what == "200" else self._caller).sendto(data, to)

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self._sweep(time.monotonic())
            self._swept.set()
            self._swept = asyncio.Event()

    async def _when(self, done: Callable[[], bool]) -> None:
        while not done():
            await self._swept.wait()

    def _sweep(self, now: float) -> None:
        for (what, call_id), pending in list(self._pending.items()):
            if now >= pending.give_up_at:
                del self._pending[what, call_id]
                self._give_up(what, call_id)
            elif now >= pending.resend_at:
                self.figures.repeated_by_us[what] += 1
                pending.interval *= 2
                pending.resend_at = now + pending.interval
                (self._callee if what == "200" else self._caller).sendto(pending.data, pending.to)
        for call in [one for one in self._calls.values() if now >= one.hang_up_at]:
            self._hang_up(call)

    def _give_up(self, what: str, call_id: bytes) -> None:
        call = self._calls.get(call_id)
        if call is not None and what != "200":
            self.figures.failed += 1
            self.figures.statuses[408] += what == "INVITE"
            self._forget(call)

    def _forget(self, call: Call) -> None:
        self._stop_leg(2 * call.number)
        self._free.append(call.number)
        del self._calls[call.call_id]

    # --- caller ---

    def _invite(self, hold_s: float) -> None:
        if self._free:
            number = self._free.pop(0)
        else:
            number, self._next_number = self._next_number, self._next_number + 1
        call_id = f"{self._epoch}-{self.figures.started}".encode()
        self.figures.started += 1
        uri = f"sip:{number:06d}@{self.server[0]}:{self.server[1]}".encode()
        call = Call(number, call_id, time.monotonic(), hold_s, to=b"<" + uri + b">", target=uri, hop=self.server)
        self._calls[call_id] = call
        self.figures.peak = max(self.figures.peak, len(self._calls))
        port = self._legs.ports[2 * number] if self._legs is not None else NO_MEDIA_PORT
        data = self._request(b"INVITE", call, 1, wire.sdp(port))
        self._keep_sending("INVITE", call_id, data, self.server)

    def _request(self, method: bytes, call: Call, number: int, body: bytes = b"") -> bytes:
        self._branches += 1
        branch = f"{self._epoch}.{self._branches:x}".encode()
        own, call_id = self._caller_own, call.call_id
        return wire.request(
            method, call.target, call.to, own=own, call_id=call_id, number=number, branch=branch, body=body
        )

    def _hang_up(self, call: Call) -> None:
        call.hang_up_at = math.inf
        if ("BYE", call.call_id) not in self._pending:
            self._keep_sending("BYE", call.call_id, self._request(b"BYE", call, 2), call.hop)

    def _at_caller(self, data: bytes, source: Address, now: float) -> None:
        message = wire.read(data)
        if message is None:
            return
        call = self._calls.get(message.call_id)
        if not message.status:
            self._asked_at_caller(message, call, data, source)
        elif call is None:
            return
        elif message.method == "BYE" and message.status >= 200:
            self._pending.pop(("BYE", call.call_id), None)
            self.figures.ended += message.status == 200
            self.figures.failed += message.status != 200
            self._forget(call)
        elif message.method == "INVITE":
            self._answered_at_caller(message, call, data, now)

    def _answered_at_caller(self, message: Read, call: Call, data: bytes, now: float) -> None:
        if message.status < 200:
            self._stop_repeating_invite(call)
            return
        if call.answered:
            self.figures.repeated_to_us["200"] += 1
            self._caller.sendto(call.acknowledgement, call.hop)
            return
        self._pending.pop(("INVITE", call.call_id), None)
        self.figures.statuses[message.status] += 1
        call.to = wire.header_to(data)
        if message.status >= 300:
            branch = data.partition(b"branch=z9hG4bK")[2].partition(b"\r\n")[0].partition(b";")[0]
            own, call_id = self._caller_own, call.call_id
            self._caller.sendto(
                wire.request(b"ACK", call.target, call.to, own=own, call_id=call_id, number=1, branch=branch), call.hop
            )
            self.figures.failed += 1
            self._forget(call)
            return
        call.target, call.hop = wire.target(data) or (call.target, call.hop)
        call.answered = True
        call.hang_up_at = now + call.hold_s
        self.figures.answered += 1
        self.figures.setup_ms.append((now - call.invited_at) * 1000)
        call.acknowledgement = self._request(b"ACK", call, 1)
        self._caller.sendto(call.acknowledgement, call.hop)
        self._start_leg(2 * call.number, wire.audio_port(data))

    def _stop_repeating_invite(self, call: Call) -> None:
        """RFC 3261 17.1.1.2: no retransmission once there is a provisional response."""
        pending = self._pending.get(("INVITE", call.call_id))
        if pending is not None:
            pending.resend_at = math.inf

    def _asked_at_caller(self, message: Read, call: Call | None, data: bytes, source: Address) -> None:
        status = b"200 OK" if call is not None else b"481 Call/Transaction Does Not Exist"
        self._caller.sendto(wire.response(data, status, own=self._caller_own, tag=b"load"), source)
        if message.method == "BYE" and call is not None:
            self.figures.dropped += 1
            self._pending.pop(("BYE", call.call_id), None)
            self._forget(call)

    def _start_leg(self, leg: int, port: int) -> None:
        if self._legs is not None and port and 0 <= leg < len(self._legs.ports):
            self._legs.stop(leg)
            self._legs.start(leg, port)

    def _stop_leg(self, leg: int) -> None:
        if self._legs is not None and 0 <= leg < len(self._legs.ports):
            self._legs.stop(leg)

    # --- callee ---

    def _at_callee(self, data: bytes, source: Address, _now: float) -> None:
        message = wire.read(data)
        if message is None or message.status:
            return
        known = self._callee_calls.get(message.call_id)
        if message.method == "INVITE" and known is None:
            self._answer(message, data, source)
        elif message.method == "INVITE" and known is not None:
            self.figures.repeated_to_us["INVITE"] += 1
            self._callee.sendto(known[2], source)
        elif message.method == "ACK" and known is not None:
            if self._pending.pop(("200", message.call_id), None) is not None:
                self._start_leg(2 * known[0] + 1, known[1])
            else:
                self.figures.repeated_to_us["ACK"] += 1
        elif message.method == "BYE":
            self._end_at_callee(message, data, source)
        elif message.method != "ACK":
            self._callee.sendto(wire.response(data, b"200 OK", own=self._callee_own, tag=b"load"), source)

    def _answer(self, message: Read, data: bytes, source: Address) -> None:
        number = wire.called_number(data)
        own_port = NO_MEDIA_PORT
        if self._legs is not None and 0 <= 2 * number + 1 < len(self._legs.ports):
            own_port = self._legs.ports[2 * number + 1]
        tag = message.call_id[-12:].replace(b"@", b"")
        for early in (b"100 Trying", b"180 Ringing"):  # a call of 14 messages, as phones make it
            self._callee.sendto(wire.response(data, early, own=self._callee_own, tag=tag), source)
        answer = wire.response(data, b"200 OK", own=self._callee_own, tag=tag, body=wire.sdp(own_port))
        self._callee_calls[message.call_id] = number, wire.audio_port(data), answer
        self.figures.callee_started += 1
        self._keep_sending("200", message.call_id, answer, source)

    def _end_at_callee(self, message: Read, data: bytes, source: Address) -> None:
        known = self._callee_calls.pop(message.call_id, None)
        self._callee.sendto(wire.response(data, b"200 OK", own=self._callee_own, tag=b"load"), source)
        if known is None:
            self.figures.repeated_to_us["BYE"] += 1
            return
        self._pending.pop(("200", message.call_id), None)
        self._stop_leg(2 * known[0] + 1)
        self.figures.callee_ended += 1


def _open_socket(port: int) -> socket.socket:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    one.bind((HOST, port))
    return one


def _read_all(one: socket.socket, take: Callable[[bytes, Address, float], None]) -> None:
    for _ in range(BATCH):
        try:
            data, source = one.recvfrom(65_535)
        except BlockingIOError:
            return
        take(data, source, time.monotonic())


async def _until(at: float) -> None:
    wait = at - time.monotonic()
    if wait > 0:
        await asyncio.sleep(wait)
