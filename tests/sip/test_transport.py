"""Real sockets on loopback, under uvloop and under plain asyncio: UDP, TCP, refusals, cuts, reconnects, bounds."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable

import pytest

from santral.sip.errors import LocalError
from santral.sip.events import Hop
from santral.sip.transport import Listener, Transports, streams, wire
from santral.sip.transport import udp as udp_module


def message(number: int = 1, body: bytes = b"") -> bytes:
    head = f"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nCSeq: {number} OPTIONS\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class Node:
    """Transports, and what they reported."""

    def __init__(self, *listeners: Listener) -> None:
        self.received: list[tuple[bytes, Hop]] = []
        self.failed: list[Hop] = []
        self.transports = Transports(
            asyncio.get_running_loop(),
            listeners,
            lambda data, hop: self.received.append((data, hop)),
            self.failed.append,
        )

    def hop(self, transport: str, interface: str = "lan") -> Hop:
        """Where others reach this node."""
        host, port = self.transports.addresses[interface, transport]
        return Hop(transport, host, port, interface)


@contextlib.asynccontextmanager
async def node(*transports: str, host: str = "127.0.0.1") -> AsyncIterator[Node]:
    made = Node(*(Listener("lan", transport, host, 0) for transport in transports))
    await made.transports.start()
    try:
        yield made
    finally:
        await made.transports.close()


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Let the loop run until something observable has happened."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is awaited is the other end of a socket
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_there_and_back(transport: str, host: str) -> None:
    async with node(transport, host=host) as a, node(transport, host=host) as b:
        a.transports.send(b.hop(transport), message(1))
        await until(lambda: b.received)
        data, source = b.received[0]
        assert data == message(1)
        assert (source.transport, source.host, source.interface) == (transport, host, "lan")
        b.transports.send(source, message(2))
        await until(lambda: a.received)
        data, back = a.received[0]
        assert data == message(2)
        assert back == b.hop(transport)
        assert a.failed == b.failed == []
        assert a.transports.connections == b.transports.connections == (transport == "tcp")


async def test_udp_drains_more_datagrams_than_one_batch() -> None:
    async with node("udp") as a, node("udp") as b:
        for number in range(300):
            a.transports.send(b.hop("udp"), message(number))
        await until(lambda: len(b.received) == 300)
        assert [data for data, _ in b.received] == [message(number) for number in range(300)]
        assert len({id(hop) for _, hop in b.received}) == 1  # one Hop object per peer


async def test_udp_to_a_dead_port_is_reported_and_others_are_not_disturbed() -> None:
    async with node("udp") as a, node("udp") as b:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            dead = Hop("udp", "127.0.0.1", probe.getsockname()[1], "lan")
        for number in range(20):
            a.transports.send(dead, message(number))
            a.transports.send(b.hop("udp"), message(number))
        await until(lambda: len(b.received) == 20 and a.failed)
        assert set(a.failed) == {dead}
        b.transports.send(a.hop("udp"), message(99))  # still reading, also under libuv
        await until(lambda: a.received)


@pytest.mark.parametrize(
    "hop",
    [
        Hop("udp", "name.invalid", 5060, "lan"),
        Hop("tcp", "name.invalid", 5060, "lan"),
        Hop("udp", "::1", 5060, "lan"),
        Hop("udp", "127.0.0.1", 70000, "lan"),
        Hop("tcp", "127.0.0.1", 70000, "lan"),
        Hop("udp", "127.0.0.1", 5060, "wan"),
        Hop("tls", "127.0.0.1", 5061, "lan"),
        Hop("tcp", "127.0.0.1", 1, "lan"),
    ],
)
async def test_what_cannot_be_delivered_is_reported_and_never_raised(hop: Hop) -> None:
    async with node("udp", "tcp") as a:
        a.transports.send(hop, message())
        assert a.failed == []  # never from inside send
        await until(lambda: a.failed)
        assert a.failed == [hop]
        assert a.transports.connections == 0


async def test_udp_waits_for_a_full_kernel_and_bounds_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp_module, "MAX_QUEUED", 3000)
    async with node("udp") as a, node("udp") as b:
        port = a.transports._ports["lan", "udp"]
        real = port._socket

        class Full:
            """A socket whose send buffer is full."""

            def sendto(self, data: bytes, address: tuple[str, int]) -> int:
                raise BlockingIOError

            def __getattr__(self, name: str) -> object:
                return getattr(real, name)

        monkeypatch.setattr(port, "_socket", Full())
        body = b"x" * 900
        for number in range(5):
            a.transports.send(b.hop("udp"), message(number, body))
        assert a.transports.counters["datagrams_dropped"] == 2
        monkeypatch.setattr(port, "_socket", real)
        await until(lambda: len(b.received) == 3)
        assert [data for data, _ in b.received] == [message(number, body) for number in range(3)]
        a.transports.send(b.hop("udp"), message(9))
        await until(lambda: len(b.received) == 4)


async def test_tcp_cut_at_every_byte() -> None:
    stream = message(1, b"body") + b"\r\n\r\n" + message(2) + message(3, b"\r\n\r\n")
    async with node("tcp") as a:
        host, port = a.transports.addresses["lan", "tcp"]
        for cut in range(len(stream)):
            a.received.clear()
            reader, writer = await asyncio.open_connection(host, port)
            writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            writer.write(stream[:cut])
            await asyncio.sleep(0)
            writer.write(stream[cut:])
            await until(lambda: len(a.received) == 3)
            assert [data for data, _ in a.received] == [message(1, b"body"), message(2), message(3, b"\r\n\r\n")]
            assert await reader.readexactly(2) == b"\r\n"  # the pong of RFC 5626
            writer.close()
            await writer.wait_closed()
        await until(lambda: a.transports.connections == 0)


async def test_tcp_stream_that_cannot_be_cut_is_closed() -> None:
    async with node("tcp") as a:
        reader, writer = await asyncio.open_connection(*a.transports.addresses["lan", "tcp"])
        writer.write(message(1) + b"INVITE sip:a SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n" + message(2))
        assert await reader.read() == b""
        assert [data for data, _ in a.received] == [message(1)]
        assert a.transports.counters["broken_streams"] == 1
        writer.close()
        await writer.wait_closed()


async def test_tcp_keeps_order_while_connecting_and_uses_one_connection() -> None:
    async with node("tcp") as a, node("tcp") as b:
        for number in range(50):
            a.transports.send(b.hop("tcp"), message(number))
        await until(lambda: len(b.received) == 50)
        assert [data for data, _ in b.received] == [message(number) for number in range(50)]
        assert a.transports.connections == b.transports.connections == 1


async def test_tcp_reconnects_on_the_next_send() -> None:
    async with node("tcp") as a:
        async with node("tcp") as b:
            target = b.hop("tcp")
            a.transports.send(target, message(1))
            await until(lambda: b.received)
        await until(lambda: a.transports.connections == 0)
        a.failed.clear()
        a.transports.send(target, message(2))
        await until(lambda: a.failed == [target])
        again = Node(Listener("lan", "tcp", target.host, target.port))
        await again.transports.start()
        try:
            a.transports.send(target, message(3))
            await until(lambda: again.received)
            assert again.received[0][0] == message(3)
        finally:
            await again.transports.close()


async def test_tcp_reset_by_the_peer_is_reported() -> None:
    async with node("tcp") as a:
        with socket.create_server(("127.0.0.1", 0)) as server:
            target = Hop("tcp", *server.getsockname()[:2], "lan")
            a.transports.send(target, message(1))
            peer, _ = await asyncio.to_thread(server.accept)
            with peer:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            await until(lambda: a.failed == [target])
            assert a.transports.connections == 0


async def test_tcp_peer_that_does_not_read_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_UNSENT", 200_000)
    async with node("tcp") as a:
        with socket.create_server(("127.0.0.1", 0)) as server:
            target = Hop("tcp", *server.getsockname()[:2], "lan")
            big = message(1, b"x" * 60_000)
            for _ in range(5):
                a.transports.send(target, big)  # more than may wait for the connection
            assert a.transports.counters["streams_overflowed"] == 2
            peer, _ = await asyncio.to_thread(server.accept)
            with peer:
                await until(lambda: a.failed)
                a.failed.clear()
                for _ in range(2000):
                    a.transports.send(target, big)
                    await asyncio.sleep(0)
                    if a.failed:
                        break
                assert a.failed == [target]


async def test_tcp_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_CONNECTIONS", 3)
    async with node("tcp") as a:
        address = a.transports.addresses["lan", "tcp"]
        pairs = [await asyncio.open_connection(*address) for _ in range(5)]
        await until(lambda: a.transports.counters["connections_refused"] == 2)
        assert a.transports.connections == 3
        a.transports.send(Hop("tcp", "127.0.0.1", 9, "lan"), message())
        await until(lambda: a.failed)
        for _, writer in pairs:
            writer.transport.abort()
        await until(lambda: a.transports.connections == 0)


async def test_tcp_closes_what_is_idle_or_stalled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STALL_S", 0.1)
    monkeypatch.setattr(streams, "SWEEP_S", 0.05)
    async with node("tcp") as a:
        address = a.transports.addresses["lan", "tcp"]
        stalled, idle = [await asyncio.open_connection(*address) for _ in range(2)]
        stalled[1].write(b"OPTIONS sip:a")
        assert await stalled[0].read() == b""
        assert a.transports.connections == 1  # the idle one has time
        monkeypatch.setattr(streams, "IDLE_S", 0.1)
        assert await idle[0].read() == b""
        for _, writer in (stalled, idle):
            writer.close()
            await writer.wait_closed()


async def test_start_is_all_or_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        made = Node(Listener("lan", "udp", "127.0.0.1", 0), Listener("lan", "tcp", "127.0.0.1", port))
        with pytest.raises(OSError, match=f"tcp:127.0.0.1:{port}"):
            await made.transports.start()
        assert made.transports.addresses == {}


async def test_listeners_must_make_sense() -> None:
    with pytest.raises(LocalError, match="two listeners"):
        Node(Listener("lan", "udp", "127.0.0.1", 0), Listener("lan", "udp", "127.0.0.1", 0))
    with pytest.raises(LocalError, match="no such transport"):
        Node(Listener("lan", "smoke", "127.0.0.1", 0))


async def test_close_gives_everything_back() -> None:
    async with node("udp", "tcp") as a, node("udp", "tcp") as b:
        a.transports.send(b.hop("tcp"), message())
        a.transports.send(b.hop("udp"), message())
        await until(lambda: len(b.received) == 2)
        addresses = dict(a.transports.addresses)
    again = Node(*(Listener(name, kind, *address) for (name, kind), address in addresses.items()))
    await again.transports.start()
    await again.transports.close()
    assert a.failed == b.failed == []
