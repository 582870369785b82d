"""One SIP call over UDP, as caller or as callee, with its audio. RFC 3261 as far as a well-behaved phone needs it."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Final, cast

from santral.bench.peer import g711
from santral.bench.peer.line import Line
from santral.bench.peer.message import Message, Offered, audio_sdp, host_port, token, uri_in
from santral.bench.peer.rtp import Script

T1_S: Final = 0.5  # RFC 3261 17.1.1.1
T2_S: Final = 4.0
GIVE_UP_S: Final = 64 * T1_S

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """One SIP message on the wire."""

    at_ns: int
    direction: str  # "in" | "out"
    peer: str
    first: str
    cseq: str
    reason: str  # the Reason header, if any
    body: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Manner:
    """How this phone behaves: who it is, what it says, how it answers."""

    user: str
    script: Script
    answer_after_s: float = 0.2
    status: int = 200  # a callee answers with this
    listen_on_s: float = 0.3  # the caller stays this long after its script
    longest_s: float = 60.0


class Phone(asyncio.DatagramProtocol):
    """Create with `open_phone`, use once: `call` or `wait_for_call`, then `close`."""

    def __init__(self, manner: Manner) -> None:
        self.manner = manner
        self.seen: list[Seen] = []
        self.final_status = 0
        self.retransmissions_seen = 0
        self.ended_by = ""
        self.requested = ""  # callee: the Request-URI as it came
        self.heard_events = manner.script.event_payload_type  # on which we ask for digits
        self.line: Line | None = None
        self.remote = ""  # HOST:PORT of the peer's audio, as its SDP says
        self._tag = token()
        self._responses: asyncio.Queue[Message] = asyncio.Queue()
        self._invited: asyncio.Queue[tuple[Message, Address]] = asyncio.Queue()
        self._acknowledged = asyncio.Event()
        self._said = asyncio.Event()
        self._ended = asyncio.Event()
        self._cancelled = asyncio.Event()
        self._last_ack: tuple[bytes, Address] | None = None
        self._answers: dict[tuple[str, str], bytes] = {}  # (branch, method) -> our last response, for retransmissions
        self._requests_seen: set[tuple[str, str]] = set()
        self._call_id = ""

    # --- wire ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        self.host, self.port = transport.get_extra_info("sockname")[:2]

    def _note(self, direction: str, peer: Address, message: Message) -> None:
        self.seen.append(
            Seen(
                at_ns=time.monotonic_ns(),
                direction=direction,
                peer=f"{peer[0]}:{peer[1]}",
                first=message.first,
                cseq=message.get("cseq"),
                reason=message.get("reason"),
                body=message.body.decode("utf-8", "replace"),
            )
        )

    def _send(self, message: Message, to: Address) -> None:
        self._note("out", to, message)
        self._transport.sendto(bytes(message), to)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        source: Address = addr[:2]
        try:
            message = Message.parse(data)
        except ValueError:
            return
        self._note("in", source, message)
        if message.status:
            self._take_response(message)
        else:
            self._take_request(message, source)

    def _take_response(self, message: Message) -> None:
        repeated_200 = message.status // 100 == 2 and message.method == "INVITE" and self._last_ack is not None
        if repeated_200 and self._last_ack is not None:
            self.retransmissions_seen += 1
            self._transport.sendto(*self._last_ack)
        else:
            self._responses.put_nowait(message)

    def _take_request(self, message: Message, source: Address) -> None:
        key = message.get("via").partition("branch=")[2].partition(";")[0], message.method
        if key in self._requests_seen and message.method != "ACK":
            self.retransmissions_seen += 1
            if key in self._answers:
                self._transport.sendto(self._answers[key], source)
            return
        self._requests_seen.add(key)
        ours = message.get("call-id") == self._call_id
        if message.method == "ACK":
            self._acknowledged.set()
        elif message.method == "INVITE" and not self._call_id:
            self._call_id = message.get("call-id")
            self._invited.put_nowait((message, source))
        elif message.method == "OPTIONS":
            self._reply(message, source, 200, "OK")
        elif not ours:
            self._reply(message, source, 481, "Call/Transaction Does Not Exist")
        elif message.method == "BYE":
            self._reply(message, source, 200, "OK")
            self.ended_by = self.ended_by or "peer"
            self._ended.set()
        elif message.method == "CANCEL":
            self._reply(message, source, 200, "OK")
            self._cancelled.set()
        elif message.method == "INVITE" and self.line is not None:
            self._reply(message, source, 200, "OK", self._sdp(self.line))
        else:
            self._reply(message, source, 501, "Not Implemented")

    def _reply(self, request: Message, to: Address, status: int, reason: str, body: bytes = b"") -> Message:
        answer = request.answer(status, reason, self._tag)
        if request.method == "INVITE":
            answer.headers.append(("Contact", self._contact()))
        if body:
            answer.headers.append(("Content-Type", "application/sdp"))
            answer.body = body
        key = request.get("via").partition("branch=")[2].partition(";")[0], request.method
        self._answers[key] = bytes(answer)
        self._send(answer, to)
        return answer

    def _contact(self) -> str:
        return f"<sip:{self.manner.user}@{self.host}:{self.port}>"

    def _sdp(self, line: Line) -> bytes:
        codec = self.manner.script.codec
        return audio_sdp(self.host, line.port, (codec, g711.PAYLOAD_TYPES[codec]), self.heard_events)

    # --- caller ---

    async def call(self, uri: str, to: Address) -> None:
        """Place a call to `uri` by way of `to`, say the script, listen, hang up."""
        self._call_id = f"{token()}@{self.host}"
        self.line = line = self._open_line()
        invite = self._request("INVITE", uri, f"<{uri}>", 1)
        invite.headers += [("Contact", self._contact()), ("Content-Type", "application/sdp")]
        invite.body = self._sdp(line)
        final = await self._transact(invite, to)
        if final is None:
            return
        self.final_status = final.status
        if final.status >= 300:
            acknowledge = self._request("ACK", uri, final.get("to"), 1)
            acknowledge.headers[0] = ("Via", invite.headers[0][1])  # RFC 3261 17.1.1.3: same branch
            self._send(acknowledge, to)
            return
        target, routes = uri_in(final.get("contact")) or uri, final.all("record-route")[::-1]
        hop = host_port(uri_in(routes[0]) if routes else target)
        acknowledge = self._request("ACK", target, final.get("to"), 1, routes)
        self._last_ack = bytes(acknowledge), hop
        self._send(acknowledge, hop)
        self._speak(line, Offered.parse(final.body))
        await self._any_of(self.manner.longest_s, self._said, self._ended)
        await self._any_of(self.manner.listen_on_s, self._ended)
        if not self._ended.is_set():
            self.ended_by = "us"
            await self._transact(self._request("BYE", target, final.get("to"), 2, routes), hop)

    def _request(self, method: str, uri: str, to: str, number: int, routes: list[str] | None = None) -> Message:
        headers = [
            ("Via", f"SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{token()};rport"),
            ("Max-Forwards", "70"),
            ("From", f"<sip:{self.manner.user}@{self.host}:{self.port}>;tag={self._tag}"),
            ("To", to),
            ("Call-ID", self._call_id),
            ("CSeq", f"{number} {method}"),
        ]
        return Message(f"{method} {uri} SIP/2.0", headers + [("Route", route) for route in routes or ()])

    async def _transact(self, request: Message, to: Address) -> Message | None:
        """Send, retransmit until answered (RFC 3261 17.1), and return the final response; None if none comes."""
        self._send(request, to)
        interval, give_up, quiet = T1_S, time.monotonic() + GIVE_UP_S, False
        resend = time.monotonic() + interval
        while time.monotonic() < give_up:
            until = give_up if quiet else min(resend, give_up)
            try:
                response = await asyncio.wait_for(self._responses.get(), max(0.0, until - time.monotonic()))
            except TimeoutError:
                if not quiet:
                    self._send(request, to)
                    interval = min(2 * interval, T2_S)
                    resend = time.monotonic() + interval
                continue
            if response.get("cseq") != request.get("cseq"):
                continue
            if response.status >= 200:
                return response
            quiet = request.method == "INVITE"
        return None

    # --- callee ---

    async def wait_for_call(self) -> None:
        """Answer one call as the manner says and stay until the other side hangs up. TimeoutError if none comes."""
        invite, source = await asyncio.wait_for(self._invited.get(), self.manner.longest_s)
        self.requested = invite.first.split()[1]
        self._reply(invite, source, 180, "Ringing")
        await self._any_of(self.manner.answer_after_s, self._cancelled)
        if self._cancelled.is_set():
            await self._refuse(invite, source, 487)
        elif self.manner.status >= 300:
            await self._refuse(invite, source, self.manner.status)
        else:
            await self._accept(invite, source)

    async def _refuse(self, invite: Message, source: Address, status: int) -> None:
        self.final_status = status
        await self._until_acknowledged(self._reply(invite, source, status, "Refused"), source)

    async def _accept(self, invite: Message, source: Address) -> None:
        self.final_status = 200
        self.line = line = self._open_line()
        offer = Offered.parse(invite.body)
        self.heard_events = (
            offer.event_payload_type or self.heard_events
        )  # RFC 3264 6.1: answer with the offer's numbers
        answer = self._reply(invite, source, 200, "OK", self._sdp(line))
        self._speak(line, offer)
        await self._until_acknowledged(answer, source)
        await self._any_of(self.manner.longest_s, self._ended)

    async def _until_acknowledged(self, answer: Message, to: Address) -> None:
        """Retransmit a final response until its ACK (RFC 3261 13.3.1.4, 17.2.1)."""
        interval, give_up = T1_S, time.monotonic() + GIVE_UP_S
        while time.monotonic() < give_up:
            try:
                await asyncio.wait_for(self._acknowledged.wait(), interval)
            except TimeoutError:
                self._send(answer, to)
                interval = min(2 * interval, T2_S)
            else:
                return

    # --- both ---

    def _speak(self, line: Line, remote: Offered) -> None:
        self.remote = f"{remote.host}:{remote.port}"
        script = self.manner.script
        if remote.event_payload_type is not None and remote.event_payload_type != script.event_payload_type:
            script = Script(script.codec, script.audio, script.digits, remote.event_payload_type)
        line.speak((remote.host, remote.port), script)

    async def _any_of(self, seconds: float, *events: asyncio.Event) -> None:
        """Wait until one of the events is set, or so long."""
        waiting = [asyncio.ensure_future(event.wait()) for event in events]
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for one in waiting:
            one.cancel()

    def _open_line(self) -> Line:
        loop = asyncio.get_running_loop()

        def said() -> None:
            loop.call_soon_threadsafe(self._said.set)

        return Line(self.host, said)

    def close(self) -> None:
        if self.line is not None:
            self.line.close()
        self._transport.close()


async def open_phone(manner: Manner, host: str, port: int) -> Phone:
    """A phone listening on this address; port 0 takes a free one."""
    loop = asyncio.get_running_loop()
    _, phone = await loop.create_datagram_endpoint(lambda: Phone(manner), local_addr=(host, port))
    return phone
