"""Torture messages at a running engine, over real sockets: each has one outcome, whatever the transport or the cuts.

The messages of RFC 4475 and RFC 5118 are not part of the project (SANTRAL_CORPUS names the folder that holds them);
those in `OURS` are, and prove the same.
"""

import asyncio
import json
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from santral.sip.errors import RemoteError
from santral.sip.framing import Framer
from santral.sip.transport import streams as streams_module
from santral.sip.ua.deadlines import Timers

Start = Callable[..., Awaitable[Any]]

CORPUS = os.environ.get("SANTRAL_CORPUS", "")
CONFIG = """
[engine]
node = "test"
data_dir = "{folder}/data"
[sip]
listen = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]
[rtp]
ports = "0"
[[tenant]]
name = "acme"
domain = "example.com"
[[trunk]]
name = "torturer"
tenant = "acme"
accept_from = ["{host}"]
codecs = ["pcmu", "pcma"]
[[user]]
name = "j.user"
tenant = "acme"
password = "secret"
[[route]]
name = "everything"
from_trunk = "torturer"
destinations = [{{ reject = 603 }}]
"""
QUICK = Timers(t1=0.01, t2=0.1, t4=0.1, d=0.6)  # 64*T1: 0.64 s
DROPPED = ("malformed", "stray_responses")  # what is not answered is counted as one of these
PORTS = (5050, 6050, 19823, 5060)  # to which the Vias of the messages send their answers


CLOSING = 4  # turns of the loop until the end of a connection is seen here
ROUTED = 603  # what every call that is understood gets


class Watched(Framer):
    """Tells how its stream came in."""

    made: "list[Watched]" = []  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.octets = self.chunks = 0
        self.made.append(self)

    def receive(self, chunk: bytes) -> Any:
        self.octets += len(chunk)
        self.chunks += 1
        return super().receive(chunk)


@dataclass
class Torturer:
    """A peer at an address of its own, where answers to any Via find it; and the engine it torments."""

    engine: Any
    host: str
    sockets: dict[int, socket.socket]
    fences: int = 0
    over: set[str] = field(default_factory=set)
    vias: set[str] = field(default_factory=set)

    def address(self, transport: str) -> tuple[str, int]:
        address: tuple[str, int] = self.engine.signalling.transports.addresses["default", transport]
        return address

    def dropped(self) -> dict[str, int]:
        counters = self.engine.signalling.agent.counters
        return {name: counters[name] for name in DROPPED}

    async def forget(self, data: bytes) -> None:
        """Several messages share their branch: none may be taken for a repetition of an earlier one."""
        key = value(data, "Via|v")
        if key in self.vias:
            async with asyncio.timeout(10):
                while self.engine.signalling.agent.counts["server_transactions"]:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            self.over.clear()
            for own in self.sockets.values():
                with suppress(BlockingIOError):
                    while own.recv(65536):
                        pass
        self.vias.add(key)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendto(self.sockets[5060], data, self.address("udp"))

    async def over_udp(self, data: bytes) -> int | str:
        """The final status it is answered with, or as what it was dropped unanswered."""
        await self.forget(data)
        before, fence = self.dropped(), self.fence()
        await self.send(data)
        await self.send(fence)
        found: set[int] = set()
        waits_for = {value(fence, "Call-ID") + value(fence, "CSeq")}
        async with asyncio.timeout(5):
            while waits_for:
                answer = await self.receive()
                status, call = int(answer[8:11]), value(answer, "Call-ID") + value(answer, "CSeq")
                if call in self.over:
                    continue  # an earlier one's, repeated
                if status < 200:
                    waits_for.add(call)
                    continue
                waits_for.discard(call)
                self.over.add(call)
                if not call.startswith("fence"):
                    found.add(status)
                    if status == ROUTED:
                        await self.send(ack(answer))
        dropped = self.dropped()
        (outcome,) = found or [name for name in DROPPED if dropped[name] > before[name]]
        return outcome

    async def receive(self) -> bytes:
        """From whichever port an answer comes in first."""
        loop = asyncio.get_running_loop()
        while True:
            for own in self.sockets.values():
                with suppress(BlockingIOError):
                    return own.recv(65536)
            ready = asyncio.Event()
            for own in self.sockets.values():
                loop.add_reader(own.fileno(), ready.set)
            try:
                await ready.wait()
            finally:
                for own in self.sockets.values():
                    loop.remove_reader(own.fileno())

    def fence(self) -> bytes:
        """Something harmless behind the message: once that is answered, the message had its turn."""
        self.fences += 1
        return (
            f"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP {self.host};branch=z9hG4bKfence{self.fences}\r\n"
            f"From: <sip:a@b>;tag=1\r\nTo: <sip:x>\r\nCall-ID: fence{self.fences}\r\nCSeq: 1 OPTIONS\r\n\r\n"
        ).encode()

    async def over_tcp(self, data: bytes, step: int) -> tuple[int | str, ...]:
        """The same over a connection of its own, `step` octets at a time: final statuses, what was dropped, and at last
        "waits" (for the rest of a message) or "closed".
        """
        await self.forget(data)
        before = self.dropped()
        Watched.made.clear()
        reader, writer = await asyncio.open_connection(*self.address("tcp"), local_addr=(self.host, 0))
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for start in range(0, len(data), step):
                writer.write(data[start : start + step])
                if step == 1 and not await self.has_come(start + 1, reader):
                    break
            is_whole = await self.has_come(len(data), reader)
            framer = next(one for one in Watched.made if one.octets)
            assert step > 1 or not is_whole or framer.chunks == len(data)
            found: list[int | str] = [*await self.answers(reader, writer)]
            dropped = self.dropped()
            if not found:
                found += [name for name in DROPPED if dropped[name] > before[name]]
            if reader.at_eof():
                found.append("closed")
            elif framer.pending:
                found.append("waits")
            return tuple(found)
        finally:
            writer.close()

    async def answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[int]:
        """The final statuses that come by a connection: until it is closed, or nothing more is to be expected."""
        found: list[int] = []
        waits_for: set[str] = set()
        framer = Framer()
        while True:
            try:
                octets = await asyncio.wait_for(reader.read(65536), 5 if waits_for else 0.01)
            except TimeoutError:
                assert not waits_for
                return found
            if not octets:
                return found
            for answer in framer.receive(octets):
                assert isinstance(answer, bytes)
                status, call_id = int(answer[8:11]), value(answer, "Call-ID")
                if status < 200:
                    waits_for.add(call_id)
                    continue
                waits_for.discard(call_id)
                found.append(status)
                if status == ROUTED:
                    writer.write(ack(answer))

    async def has_come(self, octets: int, reader: asyncio.StreamReader) -> bool:
        """Wait for the engine to have read so many; False: it has closed the connection instead."""
        async with asyncio.timeout(5):
            while not has_ended(reader):
                if any(one.octets >= octets for one in Watched.made):  # the engine's own connections get none
                    break
                await asyncio.sleep(0)
        for _ in range(CLOSING):
            await asyncio.sleep(0)
        return not has_ended(reader)


def has_ended(reader: asyncio.StreamReader) -> bool:
    """Whether the engine has closed the connection, although there may be something to read yet."""
    return bool(vars(reader)["_eof"])


async def bind(own: socket.socket, address: tuple[str, int]) -> None:
    """As soon as nobody else has the port on all addresses."""
    async with asyncio.timeout(20):
        while True:
            with suppress(OSError):
                own.bind(address)
                return
            await asyncio.sleep(0.1)


def value(message: bytes, name: str) -> str:
    found = re.search(rf"\r\n(?:{name})[ \t]*:[ \t]*([^\r]*)".encode(), message)
    return found[1].decode() if found else ""


def ack(response: bytes) -> bytes:
    """What acknowledges a refusal: with its topmost Via alone."""
    via = value(response, "Via").split(",")[0]
    kept = "".join(f"{name}: {value(response, name)}\r\n" for name in ("From", "To", "Call-ID"))
    cseq = value(response, "CSeq").replace("INVITE", "ACK")
    return f"ACK sip:x SIP/2.0\r\nVia: {via}\r\n{kept}CSeq: {cseq}\r\nContent-Length: 0\r\n\r\n".encode()


@pytest.fixture
async def torturer(start: Start, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Torturer]:
    monkeypatch.setattr(streams_module, "Framer", Watched)
    Watched.made.clear()
    host = f"127.{64 + os.getpid() % 64}.{os.getpid() // 64 % 250 + 1}.5"
    bench = await start(config=CONFIG, host=host)
    agent = bench.engine.signalling.agent
    agent._core.timers = agent._runner._timers = QUICK
    with ExitStack() as stack:
        sockets = {port: stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for port in PORTS}
        for port, own in sockets.items():
            own.setblocking(False)
            await bind(own, (host, port))
        yield Torturer(bench.engine, host, sockets)


# -- the messages ------------------------------------------------------------------------------------------------------

SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
PARTS = f"--b\r\nContent-Type: image/png\r\n\r\n\0\0\r\n--b\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--b--\r\n"
COMMON = {
    "Via": "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{name}",
    "Max-Forwards": "70",
    "From": "<sip:caller@example.org>;tag=1",
    "To": "<sip:called@example.com>",
    "Call-ID": "{name}@192.0.2.1",
    "CSeq": "1 {method}",
    "Contact": "<sip:caller@192.0.2.1>",
}


def message(name: str, method: str, *, uri: str = "sip:called@example.com", start: str = "", **changes: str) -> bytes:
    """A sound request but for `changes` (header names with "_"; "-": left out), with `more` lines and a body."""
    body, more = changes.pop("body", SDP if method == "INVITE" else ""), changes.pop("more", "")
    length = changes.pop("length", f"Content-Length: {len(body.encode())}\r\n")
    headers = {**COMMON, **{key.replace("_", "-"): text for key, text in changes.items()}}
    lines = "".join(f"{key}: {text}\r\n" for key, text in headers.items() if text != "-")
    kind = "Content-Type: application/sdp\r\n" if body and "Content-Type" not in headers else ""
    head = (start or f"{method} {uri} SIP/2.0") + f"\r\n{lines}{kind}{more}{length}\r\n"
    return (head.replace("{name}", name).replace("{method}", method) + body).encode("utf-8", "surrogateescape")


def response(name: str, start: str = "SIP/2.0 200 OK", more: str = "") -> bytes:
    return message(name, "INVITE", start=start, body="", more=more)


# Of our own, by the same ideas: what is sent, the one outcome over UDP, and that over TCP where it is another.
OURS: dict[str, tuple[bytes, int | str] | tuple[bytes, int | str, tuple[int | str, ...]]] = {
    "plain": (message("plain", "INVITE"), 603),
    "folded": (message("folded", "INVITE", Subject="a\r\n  b\r\n\tc", Max_Forwards=" \t 068"), 603),
    "compact": (message("compact", "INVITE", To="-", Contact="-", more="t: <sip:x@y>\r\nm: <sip:a@b>\r\n"), 603),
    "quoted": (message("quoted", "INVITE", From='"a \\" <b>; \\\\" <sip:a@b;x=%3b>;tag=2;y="\\"," '), 603),
    "utf8": (message("utf8", "INVITE", From='"Çağrı ☎" <sip:a@b>;tag=3'), 603),
    "escapes": (message("escapes", "INVITE", uri="sip:%75%73er%00@example.com"), 603),
    "many vias": (message("vias", "INVITE", more="Via: SIP/2.0/UDP h;branch=z, SIP/2.0/UDP i\r\n" * 20), 603),
    "odd transports": (message("odd", "OPTIONS", more="Via: SIP/2.0/SCTP h;branch=1, SIP/2.0/DOVE h\r\n"), 200),
    "no hops left": (message("hops", "INVITE", Max_Forwards="0"), 483),
    "no hops left, asked": (message("asked", "OPTIONS", Max_Forwards="0"), 200),
    "wishes we do not know": (
        message("wishes", "INVITE", more="Accept-Contact: *;audio;require;explicit\r\nReject-Contact: *;video\r\n"
                "Request-Disposition: no-fork\r\nP-Charging-Vector: icid-value=1\r\nP-Access-Network-Info: x\r\n"),
        603,
    ),
    "late offer": (message("late", "INVITE", body=""), 603),
    "part of a multipart": (
        message("part", "INVITE", Content_Type="multipart/mixed;boundary=b", body=PARTS), 603,
    ),
    "old style": (message("old", "INVITE", Via="SIP/2.0/UDP 192.0.2.1", From="<sip:a@b>", Contact="-"), 603),
    "old style, no length": (
        message("older", "INVITE", Via="SIP/2.0/UDP 192.0.2.2", From="<sip:a@b>", Contact="-", length=""),
        603, (400, "closed"),
    ),
    "ipv6": (message("six", "OPTIONS", uri="sip:[2001:db8::1]:5070", Contact="<sip:a@[::ffff:192.0.2.1]>"), 200),
    "ipv6 media": (message("media", "INVITE", body=SDP.replace("IP4 192.0.2.1", "IP6 2001:db8::1")), 488),
    "two requests": (
        message("first", "OPTIONS") + b"\r\n" + message("second", "OPTIONS", uri="soap:x"), 200, (200, 416),
    ),
    "unknown method": (message("method", "%49NVITE"), 501),
    "unknown scheme": (message("scheme", "INVITE", uri="mailto:a@b"), 416),
    "unknown extension": (message("extension", "INVITE", Require="x, 100rel"), 420),
    "unknown body": (message("body", "INVITE", Content_Type="text/xml"), 415),
    "nothing acceptable": (message("accept", "INVITE", Accept="text/plain;q=1, image/*"), 406),
    "anything acceptable": (message("any", "INVITE", Accept="text/plain, */*;q=0.1"), 603),
    "nobody to register": (message("tel", "REGISTER", To="<isbn:123>"), 400),
    "wrong proof": (message("proof", "REGISTER", To="<sip:j.user@example.com>", Authorization="Unheard of=1"), 401),
    "inside of nothing": (message("inside", "INVITE", To="<sip:x@y>;tag=none"), 481),
    "spaces in the uri": (message("uri", "INVITE", uri="sip:a b@example.com"), 400),
    "uri in brackets": (message("angle", "INVITE", uri="<sip:a@example.com>"), 400),
    "headers in the uri": (message("hinu", "INVITE", uri="sip:a@example.com?Route=%3Csip:x%3E"), 400),
    "ipv6 without brackets": (message("bare", "OPTIONS", uri="sip:2001:db8::1"), 400),
    "blank before the method": (message("blank", "OPTIONS", start=" OPTIONS sip:x SIP/2.0"), "malformed"),
    "blank after the version": (message("after", "OPTIONS", start="OPTIONS sip:x SIP/2.0  "), 400),
    "version 7": (message("seven", "OPTIONS", start="OPTIONS sip:x SIP/7.0"), 505),
    "open quote": (message("open", "INVITE", To='"never closed <sip:x@y>'), 400),
    "comma in a bare name": (message("comma", "OPTIONS", To="Doe, Jane <sip:x@y>"), 400),
    "query without brackets": (message("query", "REGISTER", Contact="sip:a@b?Route=%3Csip:x%3E"), 400),
    "empty parameters": (message("empty", "INVITE", Contact='"" <> ;,"Joe" <sip:a@b>;;'), 400),
    "cseq of another": (message("other", "OPTIONS", CSeq="1 INVITE"), 400),
    "cseq too large": (message("large", "OPTIONS", CSeq="4294967296 OPTIONS"), 400),
    "hops too many": (message("much", "OPTIONS", Max_Forwards="300"), 400),
    "no call": (message("none", "OPTIONS", Call_ID="-"), 400),
    "two callers": (message("two", "OPTIONS", more="From: <sip:b@b>;tag=4\r\n"), 400),
    "too long for the datagram": (message("long", "OPTIONS", length="Content-Length: 9999\r\n"), 400, ("waits",)),
    "negative length": (message("negative", "INVITE", length="Content-Length: -9\r\n"), 400, (400, "closed")),
    "two lengths": (message("lengths", "INVITE", length="l: 3\r\nContent-Length: 9\r\n"), 400, (400, "closed")),
    "no end of headers": (message("end", "OPTIONS")[:-2], 400, ("waits",)),
    "answer to nobody": (response("nobody"), "stray_responses"),
    "answer to broadcast": (response("broad", more="Via: SIP/2.0/UDP 255.255.255.255\r\n"), "stray_responses"),
    "answer without words": (response("words", start="SIP/2.0 100 "), "stray_responses"),
    "answer of no range": (response("range", start="SIP/2.0 4294967301 wraps to 5"), "malformed"),
    "no version": (message("version", "OPTIONS", start="OPTIONS sip:x"), 400),
}  # fmt: skip


def expectations() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(Path(CORPUS, "sip", "expect.json").read_text())
    return rows


def corpus() -> dict[str, bytes]:
    return {row["name"]: Path(CORPUS, "sip", row.get("wire", row["file"])).read_bytes() for row in expectations()}


WAYS = {"udp": 0, "tcp": 10**6, "tcp octet by octet": 1}


async def outcome(torturer: Torturer, way: str, data: bytes) -> tuple[int | str, ...]:
    if way == "udp":
        return (await torturer.over_udp(data),)
    return await torturer.over_tcp(data, WAYS[way])


@pytest.mark.parametrize("way", WAYS)
async def test_our_own(torturer: Torturer, way: str) -> None:
    found, wanted = {}, {}
    for name, (data, udp, *tcp) in OURS.items():
        wanted[name] = tcp[0] if tcp and way != "udp" else (udp,)
        found[name] = await outcome(torturer, way, data)
    assert found == wanted


# Of the RFCs, where an answer is more than "understood" or "400". An INVITE that is understood is routed, and declined.
SEMANTIC: dict[str, int | str] = {
    "wsinv": 481,  # it has a To-tag, and there is no such dialog
    "intmeth": 501,
    "esc02": 501,
    "mpart01": 403,  # MESSAGE outside a call
    "unreason": "stray_responses",
    "noreason": "stray_responses",
    "bcast": "stray_responses",
    "scalarlg": "malformed",
    "bigcode": "malformed",
    "test": "malformed",  # "should be rejected": its start line is not SIP's, nor is there anybody to answer
    "badvers": 505,
    "unkscm": 416,
    "novelsc": 416,
    "bext01": 420,
    "invut": 415,
    "sdp01": 406,
    "baddate": 603,  # RFC 4475 3.1.2.12 lets a server take it: a Date that nobody reads does no harm
    "via-received-param-with-delim": 481,
    "mult-ip-in-header": 481,
    "ipv6-in-sdp": 488,  # the message is sound; the interface it comes in by carries IPv4 audio only
    "ipv4-mapped-ipv6": 488,
}
UNDERSTOOD = {"INVITE": 603, "REGISTER": 401, "OPTIONS": 200}
FRAMED: dict[str, tuple[int | str, ...]] = {  # where a stream has to be cut otherwise than a datagram
    "baddn": ("waits",),  # its headers have no end
    "clerr": ("waits",),  # 9999 octets are announced
    "dblreq": (401, 400, "closed"),  # two messages, and behind the second octets that are none
    "inv2543": (400, "closed"),  # no Content-Length
    "mcl01": (400, "closed"),  # two of them
    "ncl": (400, "closed"),  # a negative one
}


def expected(row: dict[str, Any], data: bytes, way: str) -> tuple[int | str, ...]:
    name = row["name"]
    if way != "udp" and name in FRAMED:
        return FRAMED[name]
    if name in SEMANTIC:
        return (SEMANTIC[name],)
    is_refused = row["cls"] == "invalid" or name in {"insuf", "multi01", "mcl01", "unksm2"}
    return (400 if is_refused else UNDERSTOOD[data.split(b" ")[0].decode()],)


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS, reason="SANTRAL_CORPUS is not set")
@pytest.mark.parametrize("way", WAYS)
async def test_of_the_rfcs(torturer: Torturer, way: str) -> None:
    """Each of the 62 has its one outcome; where the list of expectations names a status, it is that one."""
    rows, messages = expectations(), corpus()
    assert len(rows) == len(messages) == 62
    found = {name: await outcome(torturer, way, data) for name, data in messages.items()}
    assert found == {row["name"]: expected(row, messages[row["name"]], way) for row in rows}
    for row in rows:
        status = re.match(r"(?:UDP: |proxy )?(\d{3})\b", row["expect"])
        if status and way == "udp" and row["name"] != "zeromf":  # 483 is a proxy's: we are where it ends
            assert found[row["name"]] == (int(status[1]),), row["name"]


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS, reason="SANTRAL_CORPUS is not set")
def test_cut_in_two_anywhere() -> None:
    """At whatever octet a message is cut, the pieces of it are the same."""
    for name, data in [*corpus().items(), *((name, row[0]) for name, row in OURS.items())]:
        whole = pieces(data, len(data))
        assert all(pieces(data, cut) == whole for cut in range(1, len(data))), name


def pieces(data: bytes, cut: int) -> list[Any]:
    found: list[Any] = []
    framer = Framer()
    try:
        for chunk in (data[:cut], data[cut:]):
            for piece in framer.receive(chunk):
                found.append(piece)  # noqa: PERF402 - it may raise after some
    except RemoteError as refusal:
        found.append((type(refusal), refusal.request is None))
    else:
        found.append(framer.pending)
    return found
