"""A running engine on free loopback ports, and peers that speak SIP in plain text, independent of our own stack."""

import asyncio
import re
import socket
import struct
import wave
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from santral.codecs import CODECS, Encoder
from santral.engine.app import Engine
from santral.engine.config.load import loads

WAIT_S = 12.0  # a busy machine's; nothing of ours takes so long

CONFIG = """
[engine]
node = "test"
data_dir = "{folder}/data"
{engine}
[sip]
listen = [{listen}]
{sip}
[rtp]
ports = "0"
{rtp}
[[tenant]]
name = "acme"
max_duration = {max_duration}
{tenant_keys}
[[trunk]]
name = "left"
tenant = "acme"
accept_from = [{left_from}]
codecs = [{left_codecs}]
{left_keys}
[[trunk]]
name = "right"
tenant = "acme"
targets = {targets}
accept_from = [{right_from}]
codecs = [{right_codecs}]
try_timeout = {try_timeout}
progress_timeout = {progress_timeout}
{right_keys}
[[route]]
name = "echo"
from_trunk = "left"
called = "9196"
destinations = [{{ echo = true }}]
[[route]]
name = "closed"
from_trunk = "left"
called = "9197"
destinations = [{{ play = "closed.wav" }}]
[[route]]
name = "no"
from_trunk = "left"
called = "603"
destinations = [{{ reject = 603 }}]
[[route]]
name = "twice"
from_trunk = "left"
called = "2\\\\d+"
destinations = [{{ trunk = "right", called = "first", timeout = 1 }}, {{ trunk = "right", called = "second" }}]
[[route]]
name = "or_here"
from_trunk = "left"
called = "3\\\\d"
destinations = [{{ trunk = "right", called = "first" }}, {{ echo = true }}]
[[route]]
name = "over"
from_trunk = "left"
called = "1\\\\d+"
destinations = [{{ trunk = "right", called = "{{called}}", timeout = {timeout} }}]
"""
DEFAULTS: dict[str, Any] = {
    "engine": "", "sip": "", "rtp": "", "max_duration": 3600, "tenant_keys": "", "left_keys": "", "right_keys": "",
    "listen": '"udp:127.0.0.1:0", "tcp:127.0.0.1:0"', "try_timeout": 2, "progress_timeout": 3, "timeout": 20,
    "left_codecs": '"pcmu", "pcma"', "right_codecs": '"pcmu", "pcma"',
}  # fmt: skip


@dataclass
class Message:
    """One SIP message as text, read with regular expressions only."""

    start: str
    lines: list[str]
    body: str

    @classmethod
    def parse(cls, data: bytes) -> "Message":
        head, _, body = data.decode().partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        return cls(start, lines, body)

    def all(self, name: str) -> list[str]:
        return [line.split(":", 1)[1].strip() for line in self.lines if line.lower().startswith(name.lower() + ":")]

    def get(self, name: str) -> str:
        found = self.all(name)
        return found[0] if found else ""

    @property
    def method(self) -> str:
        return self.start.split()[0] if not self.start.startswith("SIP/") else ""

    @property
    def status(self) -> int:
        return int(self.start.split()[1]) if self.start.startswith("SIP/") else 0

    @property
    def cseq(self) -> str:
        return self.get("CSeq").split()[1]

    @property
    def media_port(self) -> int:
        found = re.search(r"^m=audio (\d+)", self.body, re.MULTILINE)
        return int(found[1]) if found else 0

    @property
    def direction(self) -> str:
        found = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)\r?$", self.body, re.MULTILINE)
        return found[1] if found else "sendrecv"


class Peer:
    """A UDP socket that sends SIP text and waits for what it expects. Retransmissions it has seen are dropped."""

    parse = Message.parse
    transport = "UDP"
    suffix = ""  # of its Contact

    def __init__(self, name: str, host: str = "127.0.0.1") -> None:
        self.name = name
        self.host = host
        self.written = f"[{host}]" if ":" in host else host
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((host, 0))
        self.port = self.socket.getsockname()[1]
        self.engine = ("127.0.0.1", 0)
        self.seen: list[Message] = []
        self._known: set[bytes] = set()
        self._count = 0

    def close(self) -> None:
        self.socket.close()

    async def send(self, text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        await asyncio.get_running_loop().sock_sendto(self.socket, data, self.engine)

    async def receive(self, within: float = WAIT_S) -> Message:
        async with asyncio.timeout(within):
            while True:
                data = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
                if data not in self._known:
                    self._known.add(data)
                    message = Message.parse(data)
                    self.seen.append(message)
                    return message

    async def expect(self, *wanted: int | str, within: float = WAIT_S) -> Message:
        """The next message that is one of these methods or statuses; 100 is passed over unless wanted."""
        while True:
            message = await self.receive(within)
            if message.method in wanted or message.status in wanted:
                return message
            assert message.status == 100, f"{self.name} wanted {wanted}, got {message.start}"

    async def hears_nothing(self, seconds: float = 0.3) -> None:
        with pytest.raises(TimeoutError):
            await self.receive(seconds)

    # -- as a caller --

    def sdp(self, port: int = 4000, formats: str = "0 8 101", extra: str = "a=sendrecv", version: int = 1) -> str:
        event = "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n" if "101" in formats.split() else ""
        address = f"IN IP{6 if ':' in self.host else 4} {self.host}"
        return (
            f"v=0\r\no={self.name} 1 {version} {address}\r\ns=-\r\nc={address}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP {formats}\r\n{event}{extra}\r\n"
        )

    def new_call(self, called: str) -> "Dialog":
        self._count += 1
        tag = f"{self.name}{self._count}"
        return Dialog(
            self,
            uri=f"sip:{called}@{self.written}:{self.engine[1]}",
            local=f"<sip:200{self._count}@{self.name}.example>;tag={tag}",
            remote=f"<sip:{called}@santral.example>",
            call_id=f"{tag}@{self.name}",
        )

    async def call(self, called: str, body: str | None = None, headers: str = "") -> "Dialog":
        dialog = self.new_call(called)
        await dialog.request("INVITE", self.sdp() if body is None else body, headers)
        return dialog

    # -- as a callee --

    async def answer(
        self, request: Message, status: int, body: str = "", *, tag: str = "", headers: str = "", reason: str = "Any"
    ) -> None:
        to = request.get("To")
        if "tag=" not in to and status > 100:
            to += f";tag={tag or self.name}"
        vias = "".join(f"Via: {via}\r\n" for via in request.all("Via"))
        contact = f"Contact: <sip:{self.name}@{self.written}:{self.port}{self.suffix}>\r\n" if status < 300 else ""
        kind = "Content-Type: application/sdp\r\n" if body else ""
        await self.send(
            f"SIP/2.0 {status} {reason}\r\n{vias}From: {request.get('From')}\r\nTo: {to}\r\n"
            f"Call-ID: {request.get('Call-ID')}\r\nCSeq: {request.get('CSeq')}\r\n{contact}{headers}{kind}"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def dialog_of(self, request: Message, tag: str = "") -> "Dialog":
        """The dialog this INVITE made, as its callee sees it."""
        contact = re.search(r"<([^>]+)>", request.get("Contact"))
        assert contact is not None
        return Dialog(
            self,
            uri=contact[1],
            local=f"{request.get('To')};tag={tag or self.name}",
            remote=request.get("From"),
            call_id=request.get("Call-ID"),
            cseq=5000,
        )


class Stream(Peer):
    """A peer that speaks SIP over TCP: it listens, and opens one connection to the engine when it has to."""

    transport = "TCP"
    suffix = ";transport=tcp"

    async def open(self) -> None:
        self.socket.close()
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.writers: list[asyncio.StreamWriter] = []
        self.server = await asyncio.start_server(self._read, self.host, 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def connect(self, engine: tuple[str, int]) -> None:
        self.engine = engine
        reader, writer = await asyncio.open_connection(*engine)
        self.task = asyncio.get_running_loop().create_task(self._read(reader, writer))
        await asyncio.sleep(0)

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"Content-Length: *(\d+)", head)
                assert length is not None
                self.messages.put_nowait(Message.parse(head + await reader.readexactly(int(length[1]))))
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def send(self, text: str | bytes) -> None:
        self.writers[-1].write(text.encode() if isinstance(text, str) else text)

    async def receive(self, within: float = WAIT_S) -> Message:
        async with asyncio.timeout(within):
            return await self.messages.get()

    def cut(self) -> None:
        for writer in self.writers:
            writer.transport.abort()

    async def shut(self) -> None:
        self.server.close()
        self.cut()
        await asyncio.sleep(0.05)


@dataclass
class Dialog:
    """What a peer needs to send requests of one call."""

    peer: Peer
    uri: str
    local: str
    remote: str
    call_id: str
    cseq: int = 0
    branch: str = ""
    invite_cseq: int = 0
    sent: list[str] = field(default_factory=list)

    def learn(self, response: Message) -> None:
        self.remote = response.get("To")
        contact = re.search(r"<([^>]+)>", response.get("Contact"))
        if contact:
            self.uri = contact[1]

    async def request(self, method: str, body: str = "", headers: str = "", kind: str = "application/sdp") -> None:
        self.sent.append(self.text(method, body, headers, kind))
        await self.peer.send(self.sent[-1])

    def text(self, method: str, body: str = "", headers: str = "", kind: str = "application/sdp") -> str:
        cseq = self.cseq
        if method in {"ACK", "CANCEL"}:
            cseq = self.invite_cseq
        else:
            self.cseq = cseq = cseq + 1
        if method == "INVITE":
            self.invite_cseq = cseq
        peer = self.peer
        call = self.call_id[: -len(peer.name) - 1]
        branch = f"z9hG4bK-{peer.name}-{call}-{'INVITE' if method == 'CANCEL' else method}-{cseq}"
        if method != "CANCEL":
            self.branch = branch
        content = f"Content-Type: {kind}\r\n" if body else ""
        return (
            f"{method} {self.uri} SIP/2.0\r\n"
            f"Via: SIP/2.0/{peer.transport} {peer.written}:{peer.port};branch={branch};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: {self.local}\r\nTo: {self.remote}\r\nCall-ID: {self.call_id}\r\n"
            f"CSeq: {cseq} {method}\r\nContact: <sip:{peer.name}@{peer.written}:{peer.port}{peer.suffix}>\r\n"
            f"{headers}{content}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    async def ack(self, response: Message, body: str = "") -> None:
        self.learn(response)
        await self.request("ACK", body)

    async def again(self) -> None:
        """The last request once more, as a retransmission."""
        await self.peer.send(self.sent[-1])


@dataclass
class Bench:
    """One engine and the peers around it: `left` calls, `right` (and `spare`) are called."""

    engine: Engine
    left: Peer
    right: Peer
    spare: Peer
    stranger: Peer
    folder: Path

    async def connect(self, called: str = "100") -> tuple[Dialog, Dialog]:
        """A call from left to right, answered and acknowledged on both sides."""
        ours = await self.left.call(called)
        invite = await self.right.expect("INVITE")
        await self.right.answer(invite, 200, self.right.sdp(5000, "0 101"))
        await self.right.expect("ACK")
        await ours.ack(await self.left.expect(200))
        return ours, self.right.dialog_of(invite)

    async def record(self) -> dict[str, Any]:
        """The record of the only (or latest) call, once it is written."""
        async with asyncio.timeout(WAIT_S):
            while True:
                await self.engine.cdrs.flush()
                page = await self.engine.cdrs.page(10)
                if page["items"] and not list(self.engine.calls()):
                    return dict(page["items"][0])
                await asyncio.sleep(0.02)

    def events(self) -> list[dict[str, Any]]:
        """Everything the engine has told so far."""
        import msgpack  # noqa: PLC0415

        subscription = self.engine.events.subscribe(since=0)
        found: list[Any] = []
        while subscription._next <= self.engine.events.last:
            found += [msgpack.unpackb(packed) for packed in subscription._collect()]
        subscription.close()
        return [event[2][0] if isinstance(event, list) else event for event in found]


@pytest.fixture
def make_peer() -> Iterator[Callable[[str, str], Peer]]:
    """Make a further peer, on an address of its own."""
    made: list[Peer] = []

    def make(name: str, host: str) -> Peer:
        made.append(Peer(name, host))
        return made[-1]

    yield make
    for peer in made:
        peer.close()


@pytest.fixture
async def streams() -> AsyncIterator[tuple[Stream, Stream]]:
    """A caller and a callee that speak TCP."""
    both = Stream("left"), Stream("right")
    for one in both:
        await one.open()
    yield both
    for one in both:
        await one.shut()


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Bench]]]:
    """Start an engine: keywords fill the configuration above."""
    benches: list[Bench] = []

    async def begin(**changes: Any) -> Bench:
        peers = [Peer(name) for name in ("left", "right", "spare", "stranger")]
        left, right, spare, _ = peers
        values = {**DEFAULTS, "folder": tmp_path, "left": left.port, "right": right.port, "spare": spare.port}
        values |= changes
        values.setdefault("left_from", f'"127.0.0.1/32:{left.port}"')
        values.setdefault("right_from", f'"127.0.0.1/32:{right.port}"')
        values.setdefault("targets", f'["sip:127.0.0.1:{right.port}"]')
        values["targets"] = str(values["targets"]).format(right=right.port, spare=spare.port)
        (tmp_path / "data").mkdir(mode=0o700, exist_ok=True)
        config = str(values.pop("config", CONFIG))
        path = tmp_path / "santral.toml"
        path.write_text(config.format(**values))
        engine = Engine(loads(path.read_text(), folder=tmp_path), path, asyncio.get_running_loop())
        bench = Bench(engine, *peers, tmp_path)
        benches.append(bench)
        await engine.start()
        for peer in peers:
            peer.engine = engine.signalling.transports.addresses.get(("default", "udp"), ("", 0))
        return bench

    yield begin
    for bench in benches:
        await bench.engine.stop()
        for peer in (bench.left, bench.right, bench.spare, bench.stranger):
            peer.close()


class Talker:
    """A UDP socket that speaks RTP in time: a tone, or silence; and keeps what it hears. PCMU, or another codec."""

    def __init__(self, key: str = "PCMU/8000", payload_type: int = 0) -> None:
        self.codec = CODECS[key]
        self.payload_type = payload_type
        self.rate = self.codec.sample_hz
        self.frame = self.rate // 50
        self.ticks = self.codec.clock_hz // 50
        self._encoder = Encoder(self.codec)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(("127.0.0.1", 0))
        self.port = int(self.socket.getsockname()[1])
        self.packets: list[tuple[int, bytes]] = []  # payload type, payload
        self.to = ("127.0.0.1", 0)
        self.said = np.zeros(0, np.int16)  # what is to be said next, once
        self.amplitude = 8000
        self._tone_hz = 0.0
        self._ssrc = 77
        self._sequence = 0
        self._clock = 0
        self._tasks = [asyncio.create_task(self._speak()), asyncio.create_task(self._listen())]

    def talk(self, port: int, hz: float = 0.0) -> None:
        """Send this tone, or silence, to this port of the engine from now on."""
        self.to, self._tone_hz = ("127.0.0.1", port), hz

    def become_another(self) -> None:
        """Another source from now on, as behind a transfer: its SSRC, sequence and clock have nothing of the last."""
        self._ssrc, self._sequence, self._clock = self._ssrc + 1, 40_000, self._clock + 1_000_000_000

    def press(self, code: int, ms: int = 100, payload_type: int = 101) -> None:
        """A key as events (RFC 4733), all packets at once; the clock goes on behind it."""
        durations = [*range(160, ms * 8 + 1, 160), ms * 8, ms * 8]
        for n, duration in enumerate(durations):
            ends = 0x80 if n >= len(durations) - 3 else 0
            self._send(payload_type, struct.pack("!BBH", code, ends | 10, duration), marker=n == 0)
        self._clock += ms * 8

    def _send(self, payload_type: int, payload: bytes, *, marker: bool = False) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        head = struct.pack(
            "!BBHII", 0x80, payload_type | marker << 7, self._sequence, self._clock & 0xFFFFFFFF, self._ssrc
        )
        if self.to[1]:
            self.socket.sendto(head + payload, self.to)

    async def _speak(self) -> None:
        start, n = asyncio.get_running_loop().time(), 0
        while True:
            n += 1
            await asyncio.sleep(max(0, start + n * 0.02 - asyncio.get_running_loop().time()))
            time = (n * self.frame + np.arange(self.frame)) / self.rate
            frame = (self.amplitude * np.sin(2 * np.pi * self._tone_hz * time)).astype(np.int16)
            if len(self.said):
                frame = np.resize(self.said, self.frame) if len(self.said) >= self.frame else frame * 0
                self.said = self.said[self.frame :]
            self._send(self.payload_type, bytes(self._encoder.encode(frame.tobytes())))
            self._clock += self.ticks

    async def _listen(self) -> None:
        while True:
            data = await asyncio.get_running_loop().sock_recv(self.socket, 2048)
            if len(data) > 12 and not 64 <= data[1] & 0x7F < 96:
                self.packets.append((data[1] & 0x7F, data[12:]))

    def heard(self, *, again: bool = False) -> np.ndarray[Any, np.dtype[np.int16]]:
        """All the audio so far; the next call begins behind it, unless it is to be heard `again`."""
        packets = self.packets
        self.packets = packets[:] if again else []
        wire = b"".join(payload for payload_type, payload in packets if payload_type == self.payload_type)
        return np.frombuffer(self.codec.decode(wire), np.int16)

    async def tones(self, *hz: float, seconds: float = 0.4) -> list[int]:
        """Loudness of these frequencies in what is heard from now on, as amplitudes to the nearest hundred."""
        self.packets.clear()
        await asyncio.sleep(seconds)
        line = self.heard()
        assert len(line) > 0.5 * seconds * self.rate, f"heard {len(line)} samples"
        return [round(self.level(line, one), -2) for one in hz]  # type: ignore[misc]

    def level(self, line: np.ndarray[Any, np.dtype[np.int16]], hz: float) -> float:
        """The amplitude of this frequency in what was heard."""
        time = np.arange(len(line)) / self.rate
        shape = np.hanning(len(line))
        return float(abs(np.sum(line * shape * np.exp(-2j * np.pi * hz * time))) * 2 / np.sum(shape))

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        self.socket.close()


@pytest.fixture
async def talkers() -> AsyncIterator[Callable[..., list[Talker]]]:
    """Make so many phones that speak and hear, by PCMU or another codec."""
    made: list[Talker] = []

    def make(count: int, key: str = "PCMU/8000", payload_type: int = 0) -> list[Talker]:
        made.extend(Talker(key, payload_type) for _ in range(count))
        return made[-count:]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def sounds(tmp_path: Path) -> Callable[..., Path]:
    """Write a sound file into the tenant's folder: a tone of so many seconds, at a quarter of full scale."""

    def write(name: str, hz: float, seconds: float) -> Path:
        file = tmp_path / "sounds" / name
        file.parent.mkdir(exist_ok=True, parents=True)
        time = np.arange(round(8000 * seconds)) / 8000
        with wave.open(str(file), "wb") as out:
            out.setparams((1, 2, 8000, 0, "NONE", ""))
            out.writeframes((8000 * np.sin(2 * np.pi * hz * time)).astype("<i2").tobytes())
        return file

    return write
