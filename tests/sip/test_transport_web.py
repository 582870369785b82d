"""SIP over web sockets on real sockets (RFC 7118), with aiohttp's own client as the phone; STUN on the UDP port."""

import asyncio
import contextlib
import ipaddress
import ssl
import struct
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest

from santral.sip.events import Hop
from santral.sip.message import MAX_MESSAGE
from santral.sip.transport import Keyring, Listener, TlsSettings, Transports, stun, websocket

MESSAGE = b"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n"


class Server:
    """Transports that listen for web sockets, and what they reported."""

    def __init__(self, transport: str, tls: TlsSettings | None, host: str) -> None:
        self.received: list[tuple[bytes, Hop]] = []
        self.failed: list[Hop] = []
        self.closed: list[Hop] = []
        keyring = Keyring({} if tls is None else {"lan": tls})
        keyring.load()
        self.transports = Transports(
            asyncio.get_running_loop(),
            [Listener("lan", transport, host, 0)],
            lambda data, hop: self.received.append((data, hop)),
            self.failed.append,
            on_closed=self.closed.append,
            keyring=keyring,
        )

    @property
    def url(self) -> str:
        ((_, transport),) = self.transports.addresses
        host, port = self.transports.addresses["lan", transport]
        return f"{transport}://{f'[{host}]' if ':' in host else host}:{port}/"


@contextlib.asynccontextmanager
async def listening(
    transport: str = "ws", tls: TlsSettings | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Server]:
    made = Server(transport, tls, host)
    await made.transports.start()
    try:
        yield made
    finally:
        await made.transports.close()


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is awaited is the other end of a socket
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("transport", ["ws", "wss"])
async def test_there_and_back(client: aiohttp.ClientSession, authority: Any, transport: str, host: str) -> None:
    chain, key = authority.issue("127.0.0.1", "::1")
    tls = TlsSettings(str(chain), str(key), str(authority.file), asks_peer=True)
    own = ssl.create_default_context(cafile=str(authority.file))
    own.load_cert_chain(*authority.issue("phone.example"))
    async with listening(transport, tls, host) as server:
        async with client.ws_connect(server.url, protocols=["sip"], ssl=own if transport == "wss" else True) as phone:
            assert phone.protocol == "sip"
            await phone.send_str(MESSAGE.decode())
            await phone.send_bytes(MESSAGE + b"\xff")
            await phone.send_str("\r\n\r\n")
            assert await phone.receive_str() == "\r\n"
            assert [data for data, _ in server.received] == [MESSAGE, MESSAGE + b"\xff"]
            hop = server.received[0][1]
            assert (hop.transport, hop.host) == (transport, host)
            assert hop.verified == (("phone.example",) if transport == "wss" else ())
            assert server.transports.has_flow(hop)
            for number in range(50):
                server.transports.send(hop, f"message {number}".encode())
            server.transports.send(hop, b"\xff")
            assert [await phone.receive_str() for _ in range(50)] == [f"message {number}" for number in range(50)]
            assert await phone.receive_bytes() == b"\xff"
            assert server.transports.connections == 1
        await until(lambda: server.closed)
        assert server.closed == [hop]
        assert not server.transports.has_flow(hop)
        server.transports.send(hop, b"too late")
        await until(lambda: server.failed)
        assert server.failed == [hop]
        await until(lambda: server.transports._upward.crowd.total == 0)


async def test_what_is_no_upgrade_is_refused(client: aiohttp.ClientSession) -> None:
    async with listening() as server:
        url = server.url.replace("ws:", "http:")
        async with client.get(url) as answer:
            assert answer.status == 426
        for protocols in ([], ["xmpp"]):
            with pytest.raises(aiohttp.WSServerHandshakeError, match="400"):
                await client.ws_connect(server.url, protocols=protocols)
        reader, writer = await asyncio.open_connection(*server.transports.addresses["lan", "ws"])
        writer.write(b"OPTIONS sip:a SIP/2.0\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.")
        writer.close()
        await until(lambda: server.transports._upward.crowd.total == 0)
        assert server.received == []


async def test_who_does_not_upgrade_in_time_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "HANDSHAKE_S", 0.1)
    async with listening() as server:
        reader, writer = await asyncio.open_connection(*server.transports.addresses["lan", "ws"])
        writer.write(b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        await until(lambda: server.transports._upward.crowd.total == 0)
        assert server.transports.counters["handshakes_failed"] == 1
        writer.close()


async def test_a_frame_has_its_limit(client: aiohttp.ClientSession) -> None:
    async with listening() as server:
        async with client.ws_connect(server.url, protocols=["sip"]) as phone:
            await phone.send_bytes(b"x" * (MAX_MESSAGE + 1))
            assert (await phone.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
        await until(lambda: server.closed)
        assert server.received == []


async def test_a_peer_that_does_not_read_is_cut_off(
    client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "MAX_UNSENT", 100_000)
    async with listening() as server, client.ws_connect(server.url, protocols=["sip"]) as phone:
        await phone.send_bytes(MESSAGE)
        await until(lambda: server.received)
        hop = server.received[0][1]
        for _ in range(5):
            server.transports.send(hop, b"x" * 60_000)
        await until(lambda: server.failed)
        assert server.transports.counters["streams_overflowed"] >= 1
        assert not server.transports.has_flow(hop)


async def test_closing_ends_every_flow(client: aiohttp.ClientSession) -> None:
    async with listening() as server:
        phone = await client.ws_connect(server.url, protocols=["sip"])
        await until(lambda: server.transports.connections == 1)
    assert (await phone.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    await phone.close()


# -- STUN --------------------------------------------------------------------------------------------------------------

TRANSACTION = bytes(range(12))


def binding(*attributes: tuple[int, bytes], kind: int = 1, cookie: int = stun.COOKIE) -> bytes:
    body = b"".join(struct.pack("!HH", k, len(v)) + v + b"\0" * (-len(v) % 4) for k, v in attributes)
    return struct.pack("!HHI12s", kind, len(body), cookie, TRANSACTION) + body


def address_in(response: bytes) -> tuple[str, int]:
    """The XOR-MAPPED-ADDRESS of a success, read by RFC 8489 section 14.2 once more."""
    kind, length, cookie, transaction = struct.unpack_from("!HHI12s", response)
    assert (kind, length, cookie, transaction) == (0x0101, len(response) - 20, 0x2112A442, TRANSACTION)
    attribute, size, _, family, port = struct.unpack_from("!HHBBH", response, 20)
    assert attribute == 0x0020
    octets = response[28 : 24 + size]
    assert len(octets) == {1: 4, 2: 16}[family]
    mask = bytes.fromhex("2112a442") + TRANSACTION
    plain = bytes(a ^ b for a, b in zip(octets, mask, strict=False))
    return str(ipaddress.ip_address(plain)), port ^ 0x2112


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_binding_request_on_the_sip_port(host: str) -> None:
    async with listening("udp", host=host) as server:
        loop = asyncio.get_running_loop()
        answers: asyncio.Queue[bytes] = asyncio.Queue()

        class Phone(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: Any) -> None:
                answers.put_nowait(data)

        transport, _ = await loop.create_datagram_endpoint(Phone, remote_addr=server.transports.addresses["lan", "udp"])
        transport.sendto(b"\0\1 no STUN at all")
        transport.sendto(binding())
        assert address_in(await answers.get()) == transport.get_extra_info("sockname")[:2]
        transport.sendto(MESSAGE)
        await until(lambda: server.received)
        assert server.transports.counters["stun_requests"] == server.transports.counters["stun_ignored"] == 1
        assert answers.empty()
        transport.close()


def test_answers_to_binding_requests() -> None:
    for host in ("192.0.2.7", "2001:db8::7"):
        assert address_in(stun.answer(binding((0x8022, b"phone"), (0x0006, b"user")), host, 5062) or b"") == (
            host,
            5062,
        )
    plain = binding()
    head = plain[:2] + struct.pack("!H", 8) + plain[4:]
    signed = head + struct.pack("!HHI", 0x8028, 4, zlib.crc32(head) ^ 0x5354554E)
    response = stun.answer(signed, "192.0.2.7", 5062)
    assert response is not None
    assert response[-8:-4] == bytes.fromhex("80280004")
    assert struct.unpack("!I", response[-4:])[0] == zlib.crc32(response[:-8]) ^ 0x5354554E
    refusal = stun.answer(binding((0x7FFE, b"must know")), "192.0.2.7", 5062)
    assert refusal is not None
    assert refusal[:2] == b"\x01\x11"
    assert b"\0\x09\0\x15\0\0\x04\x14Unknown Attribute" in refusal
    assert refusal.endswith(bytes.fromhex("000a00027ffe0000"))


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        binding()[:19],
        binding() + b"\0",
        binding(kind=0x0101),  # an answer
        binding(kind=0x0011),  # an indication
        binding(cookie=1),  # RFC 3489
        binding((0x8022, b"x" * 600)),
        binding()[:2] + struct.pack("!H", 8) + binding()[4:] + b"\x80\x22\xff\xff\0\0\0\0",
        binding((0x8028, b"bad!")),
    ],
)
def test_what_deserves_no_answer(wrong: bytes) -> None:
    assert stun.answer(wrong, "192.0.2.7", 5062) is None
