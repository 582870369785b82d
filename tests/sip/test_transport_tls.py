"""TLS on real sockets: who is believed, which connection is used again, what is bounded, certificates that change."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from santral.sip.errors import RemoteError
from santral.sip.events import Hop
from santral.sip.transport import Keyring, Listener, TlsError, TlsSettings, Transports, doorway, streams, wire
from santral.sip.transport.tls import is_named, names_of

PAUSE_S = 0.05


def message(number: int = 1) -> bytes:
    return f"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nCSeq: {number} OPTIONS\r\nContent-Length: 0\r\n\r\n".encode()


def settings(pair: tuple[Path, Path], authority: Any, **more: Any) -> TlsSettings:
    return TlsSettings(str(pair[0]), str(pair[1]), str(authority.file), **more)


class Node:
    """Transports with a keyring, and what they reported."""

    def __init__(self, *transports: str, tls: TlsSettings, host: str, profiles: dict[str, TlsSettings]) -> None:
        self.received: list[tuple[bytes, Hop]] = []
        self.failed: list[Hop] = []
        self.closed: list[Hop] = []
        self.broken: list[tuple[RemoteError, Hop]] = []
        self.keyring = Keyring({"lan": tls}, profiles)
        self.keyring.load()
        self.transports = Transports(
            asyncio.get_running_loop(),
            [Listener("lan", transport, host, 0) for transport in transports],
            lambda data, hop: self.received.append((data, hop)),
            self.failed.append,
            on_closed=self.closed.append,
            on_broken=self.on_broken,
            keyring=self.keyring,
        )

    def on_broken(self, error: RemoteError, hop: Hop) -> None:
        self.broken.append((error, hop))
        self.transports.send(hop, b"SIP/2.0 400 Bad Request\r\n\r\n")

    def hop(self, name: str, profile: str = "", transport: str = "tls") -> Hop:
        host, port = self.transports.addresses["lan", transport]
        return Hop(transport, host, port, "lan", name, profile)


@contextlib.asynccontextmanager
async def node(
    tls: TlsSettings, *transports: str, host: str = "127.0.0.1", profiles: dict[str, TlsSettings] | None = None
) -> AsyncIterator[Node]:
    made = Node(*(transports or ("tls",)), tls=tls, host=host, profiles=profiles or {})
    await made.transports.start()
    try:
        yield made
    finally:
        await made.transports.close()


async def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is awaited is the other end of a socket
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_there_and_back(authority: Any, host: str) -> None:
    tls = settings(authority.issue("gw.example"), authority)
    async with node(tls, host=host) as a, node(tls, host=host) as b:
        for number in range(20):
            a.transports.send(b.hop("gw.example"), message(number))
        await until(lambda: len(b.received) == 20)
        assert [data for data, _ in b.received] == [message(number) for number in range(20)]
        source = b.received[0][1]
        assert (source.transport, source.host, source.verified) == ("tls", host, ())
        assert source.flow
        assert b.transports.has_flow(source)
        b.transports.send(source, message(99))
        await until(lambda: a.received)
        assert a.received[0] == (message(99), b.hop("gw.example")._replace(verified=("gw.example",)))
        assert a.transports.connections == b.transports.connections == 1
        figures = b.transports.figures()
        assert (figures["tls_connections"], figures["connections_accepted"]) == (1, 1)
    assert [hop.flow for hop in b.closed] == [source.flow]


@pytest.mark.parametrize(
    ("names", "wanted", "wildcards", "is_believed"),
    [
        (("gw.example",), "GW.example", False, True),
        (("gw.example",), "other.example", False, False),
        (("*.example.com",), "gw.example.com", False, False),  # RFC 5922 7.2
        (("*.example.com",), "gw.example.com", True, True),
        (("*.example.com",), "a.gw.example.com", True, False),
        (("127.0.0.1",), "127.0.0.1", False, True),
        (("gw.example",), "127.0.0.1", False, False),
        (("sip:gw.example", "www.example"), "www.example", False, False),  # RFC 5922 7.1: it has a SIP domain
        ((), "nobody reads this", False, False),
    ],
)
async def test_the_certificate_must_name_the_host_of_the_uri(
    authority: Any, names: tuple[str, ...], wanted: str, *, wildcards: bool, is_believed: bool
) -> None:
    server = settings(authority.issue(*names), authority)
    client = TlsSettings(authorities=str(authority.file), wildcards=wildcards)
    async with node(server) as b, node(server, profiles={"p": client}) as a:
        hop = b.hop(wanted, "p")
        a.transports.send(hop, message())
        if is_believed:
            await until(lambda: b.received)
        else:
            await until(lambda: a.failed)
            assert a.failed == [hop]
            assert a.transports.counters["certificates_refused"] == 1
            assert b.received == []
        assert a.failed == ([] if is_believed else [hop])


async def test_a_certificate_of_nobody_we_trust(authority: Any, stranger_authority: Any) -> None:
    server = settings(stranger_authority.issue("gw.example"), stranger_authority)
    async with node(server) as b, node(settings(authority.issue("a.example"), authority)) as a:
        a.transports.send(b.hop("gw.example"), message())
        await until(lambda: a.failed)
        assert a.transports.counters["handshakes_failed"] == 1
        await until(lambda: b.transports.counters["handshakes_failed"] == 1)
        assert (a.transports.connections, b.transports.connections) == (0, 0)
        assert b.transports.figures()["handshakes"] == 0


async def test_mutual_tls_tells_who_calls(authority: Any, stranger_authority: Any) -> None:
    """A client that shows a certificate is known by its names; one without may talk, one with a false one may not."""
    server = settings(authority.issue("gw.example"), authority, asks_peer=True)
    own = settings(authority.issue("pbx.example", "192.0.2.7"), authority)
    false = TlsSettings(*map(str, stranger_authority.issue("pbx.example")), str(authority.file))
    none = TlsSettings(authorities=str(authority.file))
    async with node(server) as b, node(server, profiles={"own": own, "false": false, "none": none}) as a:
        for profile in ("own", "none"):
            a.transports.send(b.hop("gw.example", profile), message())
        await until(lambda: len(b.received) == 2)
        assert {source.verified for _, source in b.received} == {("pbx.example", "192.0.2.7"), ()}
        assert a.transports.connections == 2  # a connection belongs to its certificate
        a.transports.send(b.hop("gw.example", "false"), message())
        await until(lambda: b.transports.counters["handshakes_failed"] == 1)
        assert len(b.received) == 2


async def test_connections_are_shared_by_server_name_and_certificate(authority: Any) -> None:
    tls = settings(authority.issue("a.example", "b.example"), authority)
    async with node(tls) as a, node(tls, profiles={"trunk": tls}) as b:
        for hop in (a.hop("a.example"), a.hop("b.example"), a.hop("a.example", "trunk"), a.hop("a.example")):
            b.transports.send(hop, message())
        await until(lambda: len(a.received) == 4)
        assert b.transports.connections == 3


async def test_an_alias_needs_a_certificate(authority: Any) -> None:
    """RFC 5923: a request to the address that a peer calls its own goes by the connection which that peer opened."""
    server = settings(authority.issue("gw.example"), authority, asks_peer=True)
    own = settings(authority.issue("pbx.example"), authority)
    async with node(server) as b, node(own) as a:
        a.transports.send(b.hop("gw.example"), message())
        await until(lambda: b.received)
        source = b.received[0][1]
        listens = a.hop("pbx.example")
        b.transports.add_alias(source, listens.port)
        b.transports.send(listens, message(2))
        await until(lambda: a.received)
        assert b.transports.connections == a.transports.connections == 1
        b.transports.send(listens._replace(server_name="other.example"), message(3))  # not proved: on its own
        await until(lambda: b.failed)
        a.transports._ports["lan", "tls"]._pool[streams.Key.of(b.hop("gw.example"))].close()
        await until(lambda: not b.transports.has_flow(source))
        b.transports.send(listens, message(4))
        await until(lambda: len(a.received) == 2)  # by a connection of its own now


async def test_an_alias_without_a_certificate_is_ignored(authority: Any) -> None:
    server = settings(authority.issue("gw.example"), authority)
    async with node(server) as b, node(server) as a:
        a.transports.send(b.hop("gw.example"), message())
        await until(lambda: b.received)
        b.transports.add_alias(b.received[0][1], 5061)
        assert len(b.transports._ports["lan", "tls"]._pool) == 0


@pytest.mark.parametrize(("version", "is_spoken"), [("TLSv1_1", False), ("TLSv1_2", True), ("TLSv1_3", True)])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_versions(authority: Any, version: str, *, is_spoken: bool) -> None:
    async with node(settings(authority.issue("gw.example"), authority)) as b:
        context = ssl.create_default_context(cafile=str(authority.file))
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
        address = b.transports.addresses["lan", "tls"]
        if not is_spoken:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await asyncio.open_connection(*address, ssl=context, server_hostname="gw.example")
            return
        reader, writer = await asyncio.open_connection(*address, ssl=context, server_hostname="gw.example")
        writer.write(b"\r\n\r\n" + message())
        assert await reader.readexactly(2) == b"\r\n"
        await until(lambda: b.received)
        writer.transport.abort()


async def test_certificates_change_without_a_restart(authority: Any, stranger_authority: Any) -> None:
    """New connections get the new certificate, standing ones stay; what cannot be read changes nothing."""
    pair = authority.issue("old.example", into="server")
    async with node(settings(pair, authority)) as b, node(settings(authority.issue("a.example"), authority)) as a:
        a.transports.send(b.hop("old.example"), message())
        await until(lambda: b.received)
        assert not b.keyring.has_changed()
        good = pair[0].read_bytes(), pair[1].read_bytes()
        pair[1].write_text("no key\n")
        assert b.keyring.has_changed()
        with pytest.raises(TlsError, match=r"server\.pem"):
            b.keyring.load()
        assert not b.keyring.has_changed()  # looked at already
        a.transports.send(b.hop("old.example"), message(2))
        await until(lambda: len(b.received) == 2)
        authority.issue("new.example", into="server")
        assert good != (pair[0].read_bytes(), pair[1].read_bytes())
        assert b.keyring.has_changed()
        b.keyring.load()
        a.transports.send(b.hop("new.example"), message(3))
        a.transports.send(b.hop("old.example"), message(4))
        await until(lambda: len(b.received) == 4)
        assert a.transports.connections == 2
        assert a.failed == []


async def test_a_silent_client_does_not_stay(authority: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "HANDSHAKE_S", 0.1)
    monkeypatch.setattr(wire, "MAX_HANDSHAKES", 2)
    async with node(settings(authority.issue("gw.example"), authority)) as b:
        address = b.transports.addresses["lan", "tls"]
        pairs = [await asyncio.open_connection(*address) for _ in range(3)]
        await until(lambda: b.transports.counters["handshakes_failed"] == 2)
        assert b.transports.counters["connections_refused"] == 1
        for reader, writer in pairs:
            assert await reader.read() == b""
            writer.close()
        assert b.transports._upward.crowd.total == 0


async def test_one_source_cannot_take_all_places(authority: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MAX_PER_SOURCE", 2)
    async with node(settings(authority.issue("gw.example"), authority), "tcp") as b:
        host, port = b.transports.addresses["lan", "tcp"]
        first = [await asyncio.open_connection(host, port) for _ in range(3)]
        await until(lambda: b.transports.counters["connections_refused"] == 1)
        other = await asyncio.open_connection(host, port, local_addr=("127.0.0.2", 0))
        await until(lambda: b.transports.connections == 3)
        for _, writer in (*first, other):
            writer.transport.abort()
        await until(lambda: b.transports.connections == 0)
        assert b.transports._upward.crowd.total == 0


async def test_nothing_is_accepted_without_descriptors(authority: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorway, "REST_S", 0.05)
    async with node(settings(authority.issue("gw.example"), authority), "tcp") as b:
        door = b.transports._ports["lan", "tcp"]._doorway
        real, tries = door._socket, []

        class Exhausted:
            """A listening socket while the process has no descriptor left, three times."""

            def accept(self) -> Any:
                if len(tries) < 3:
                    tries.append(asyncio.get_running_loop().time())
                    raise OSError(24, "Too many open files")
                return real.accept()

            def __getattr__(self, name: str) -> Any:
                return getattr(real, name)

        door._socket = Exhausted()
        _, writer = await asyncio.open_connection(*b.transports.addresses["lan", "tcp"])
        await until(lambda: b.transports.connections == 1)
        assert tries[-1] - tries[0] >= 0.09  # it looked away in between
        writer.transport.abort()


async def test_a_stream_that_cannot_be_cut_gets_its_answer(authority: Any) -> None:
    async with node(settings(authority.issue("gw.example"), authority), "tcp") as b:
        reader, writer = await asyncio.open_connection(*b.transports.addresses["lan", "tcp"])
        writer.write(message() + b"INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/TCP x;branch=1\r\nCSeq: 1 INVITE\r\n\r\n")
        assert await reader.read() == b"SIP/2.0 400 Bad Request\r\n\r\n"
        ((error, hop),) = b.broken
        assert error.request is not None
        assert (error.status, error.request.method, hop.transport) == (400, "INVITE", "tcp")
        writer.close()


# -- keep-alives -------------------------------------------------------------------------------------------------------


async def test_we_ping_what_we_opened_and_believe_the_silence_of_those_who_answered(
    authority: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "PING_S", (0.05, 0.05))
    monkeypatch.setattr(streams, "PONG_S", 0.1)
    monkeypatch.setattr(streams, "SWEEP_S", 0.02)
    async with node(settings(authority.issue("gw.example"), authority), "tcp") as a:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            hop = Hop("tcp", *server.getsockname()[:2], "lan")
            a.transports.send(hop, message())
            loop = asyncio.get_running_loop()
            peer, _ = await loop.sock_accept(server)
            with peer:
                got = b""
                while got.count(b"\r\n\r\n") < 4:  # the message, and three pings nobody answers
                    got += await loop.sock_recv(peer, 1000)
                assert a.failed == []
                await loop.sock_sendall(peer, b"\r\n")
                got = await loop.sock_recv(peer, 1000)
                await loop.sock_sendall(peer, b"\r\n" + message(2))
                await until(lambda: a.received)
                assert a.received[0][0] == message(2)
                assert a.failed == []
                await until(lambda: a.failed)
                assert set(a.failed) == {hop}
                assert a.closed == [hop]
                assert a.transports.counters["flows_failed"] == 1


async def test_we_do_not_ping_what_others_opened(authority: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "PING_S", (0.0, 0.0))
    monkeypatch.setattr(streams, "SWEEP_S", 0.01)
    async with node(settings(authority.issue("gw.example"), authority), "tcp") as b:
        reader, writer = await asyncio.open_connection(*b.transports.addresses["lan", "tcp"])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(10), PAUSE_S)
        writer.transport.abort()


# -- names -------------------------------------------------------------------------------------------------------------


def test_whom_a_certificate_names() -> None:
    def names(*alternatives: tuple[str, str]) -> tuple[str, ...]:
        return names_of({"subject": ((("commonName", "cn.example"),),), "subjectAltName": alternatives})

    assert names() == names_of({}) == names_of(None) == ()
    assert names(("DNS", "A.Example."), ("DNS", "a.example")) == ("a.example",)
    assert names(("DNS", "www.example"), ("URI", "sip:A.example"), ("URI", "https://x")) == ("a.example",)
    assert names(("URI", "sip:bob@a.example"), ("DNS", "b.example")) == ("b.example",)
    assert names(("IP Address", "2001:DB8:0:0:0:0:0:1"), ("DNS", "b.example")) == ("b.example", "2001:db8::1")
    assert is_named("[2001:db8:0::1]", ("2001:db8::1",))
    assert not is_named("x.com", ("*.com",), wildcards=True)
    assert not is_named("192.0.2.1", ("*.0.2.1",), wildcards=True)


def test_files_that_are_no_certificates_are_named(tmp_path: Path, authority: Any) -> None:
    chain, key = authority.issue("a.example")
    for wrong in (
        TlsSettings(str(tmp_path / "none"), str(key)),
        TlsSettings(str(key), str(key)),
        TlsSettings(str(chain), str(authority.issue("b.example")[1])),
        TlsSettings(authorities=str(tmp_path / "none")),
    ):
        with pytest.raises(TlsError, match=str(wrong.authorities or wrong.certificate)):
            Keyring({"lan": wrong}).load()
