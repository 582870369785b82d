"""Calls over TLS, web sockets and IPv6: who is known by a certificate, what each side sees, what breaks in between."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from santral.engine import signalling
from santral.engine.control.client import Client

Start = Callable[..., Awaitable[Any]]

SECURE = """
[engine]
node = "test"
data_dir = "{folder}/data"
[sip]
listen = ["tls:{host}:0", "udp:{host}:0", "tcp:{host}:0", "ws:{host}:0"]
certificate = "server.pem"
private_key = "server.key"
ca = "authority.pem"
{sip}
[rtp]
address = "{address}"
ports = "0"
[[tenant]]
name = "acme"
[[trunk]]
name = "left"
tenant = "acme"
{left_keys}
[[trunk]]
name = "right"
tenant = "acme"
targets = {targets}
{right_keys}
[[route]]
name = "echo"
from_trunk = "left"
called = "9196"
destinations = [{{ echo = true }}]
[[route]]
name = "over"
from_trunk = "left"
destinations = [{{ trunk = "right", called = "{{called}}" }}]
"""
BY_NAME = 'auth_inbound = "tls"\ntls_names = ["left.example"]'
DEFAULTS = {"host": "127.0.0.1", "address": "127.0.0.1", "sip": "", "config": SECURE, "left_keys": BY_NAME,
            "right_keys": ""}  # fmt: skip


class Ends:
    """A caller and a callee on TLS, with certificates of the test's authority, who remember whom they talked to."""

    def __init__(self, authority: Any, left: Any, right: Any) -> None:
        self.authority = authority
        self.left = left
        self.right = right
        self.server_pair = authority.issue("pbx.example", "127.0.0.1", "::1", into="server")

    def context(self, side: ssl.Purpose, *names: str, authority: Any = None) -> ssl.SSLContext:
        context = ssl.create_default_context(side, cafile=str(self.authority.file))
        if names:
            context.load_cert_chain(*(authority or self.authority).issue(*names))
        context.check_hostname = False
        return context

    async def listen(self, peer: Any, *names: str) -> None:
        """Take TLS connections, and ask whoever opens one for a certificate."""
        peer.server.close()
        context = self.context(ssl.Purpose.CLIENT_AUTH, *names)
        context.verify_mode = ssl.CERT_REQUIRED
        peer.server = await asyncio.start_server(peer._read, peer.host, 0, ssl=context)
        peer.port = peer.server.sockets[0].getsockname()[1]
        peer.transport, peer.suffix = "TLS", ";transport=tls"

    async def connect(self, peer: Any, engine: tuple[str, int], *names: str, authority: Any = None) -> None:
        """Open a connection to the engine, showing a certificate for these names, if any."""
        peer.engine = engine
        context = self.context(ssl.Purpose.SERVER_AUTH, *names, authority=authority)
        reader, writer = await asyncio.open_connection(*engine, ssl=context, server_hostname="pbx.example")
        peer.task = asyncio.get_running_loop().create_task(peer._read(reader, writer))
        await asyncio.sleep(0)
        peer.transport, peer.suffix = "TLS", ";transport=tls"


@pytest.fixture
def ends(authority: Any, streams: Any) -> Ends:
    return Ends(authority, *streams)


def names_shown(writer: asyncio.StreamWriter) -> set[str]:
    return {value for _, value in writer.get_extra_info("peercert").get("subjectAltName", ())}


async def begun(start: Start, **changes: Any) -> Any:
    return await start(**{**DEFAULTS, **changes})


def at(bench: Any, transport: str) -> tuple[str, int]:
    host, port = bench.engine.signalling.transports.addresses["default", transport]
    return host, port


async def test_a_call_between_trunks_known_by_certificate(start: Start, ends: Ends) -> None:
    left, right = ends.left, ends.right
    await ends.listen(right, "localhost")
    ends.authority.issue("trunk.example", into="trunk")
    own = 'certificate = "trunk.pem"\nprivate_key = "trunk.key"'
    bench = await begun(start, targets=f'["sips:localhost:{right.port}"]', right_keys=own)
    await ends.listen(left, "left.example")
    await ends.connect(left, at(bench, "tls"), "left.example")
    ours = await left.call("100")
    assert (await left.receive()).status == 100
    invite = await right.expect("INVITE")
    assert names_shown(right.writers[-1]) == {"trunk.example"}
    assert invite.start == f"INVITE sips:100@localhost:{right.port} SIP/2.0"
    assert invite.get("Via").startswith("SIP/2.0/TLS 127.0.0.1:")
    assert invite.get("Contact").startswith("<sips:127.0.0.1:")
    await right.answer(invite, 200, right.sdp(5000, "0 101"))
    await right.expect("ACK")
    await ours.ack(await left.expect(200))
    # Both connections break: what comes next opens new ones to where the Contacts say, and asks for the same names.
    left.cut()
    right.cut()
    await asyncio.sleep(0.05)
    (call,) = bench.engine.calls()
    call.hang_up(None, "api")
    await left.answer(await left.expect("BYE"), 200)
    await right.answer(await right.expect("BYE"), 200)
    assert names_shown(left.writers[-1]) == {"pbx.example", "127.0.0.1", "0:0:0:0:0:0:0:1"}
    assert names_shown(right.writers[-1]) == {"trunk.example"}
    record = await bench.record()
    assert record["legs"][1]["target"] == f"tls:127.0.0.1:{right.port}"
    status = bench.engine.status()
    assert any(one.startswith("tls:127.0.0.1:") for one in status["listen"])
    assert status["transport"]["connections_accepted"] == 1


@pytest.mark.parametrize(
    ("names", "keys", "is_let_in"),
    [
        (("left.example",), "", True),
        (("x.example", "left.example"), "", True),
        (("right.example",), "", False),
        ((), "", False),
        (("left.example",), 'accept_from = ["127.0.0.1"]', True),
        (("left.example",), 'accept_from = ["192.0.2.1"]', False),
        (("left.example",), 'match_domain = "other.example"', False),
    ],
)
async def test_who_is_let_in(start: Start, ends: Ends, names: tuple[str, ...], keys: str, *, is_let_in: bool) -> None:
    bench = await begun(start, left_keys=f"{BY_NAME}\n{keys}")
    await ends.connect(ends.left, at(bench, "tls"), *names)
    ours = await ends.left.call("9196")
    answer = await ends.left.expect(200 if is_let_in else 403)
    await ours.ack(answer)
    if not is_let_in:
        assert bench.engine.gate.counters["refused_unknown_source"] == 1


async def test_an_address_alone_is_not_enough_for_a_trunk_known_by_certificate(start: Start, ends: Ends) -> None:
    bench = await begun(start, left_keys=f'{BY_NAME}\naccept_from = ["127.0.0.1"]')
    bench.left.engine = at(bench, "udp")
    await bench.left.call("9196")
    await bench.left.expect(403)


async def test_a_certificate_of_a_stranger_ends_the_handshake(
    start: Start, ends: Ends, stranger_authority: Any
) -> None:
    bench = await begun(start)
    await ends.connect(ends.left, at(bench, "tls"), "left.example", authority=stranger_authority)
    async with asyncio.timeout(5):
        while not bench.engine.signalling.transports.counters["handshakes_failed"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert bench.engine.status()["transport"]["handshakes_failed"] == 1


async def test_a_server_that_is_somebody_else_gets_no_call(start: Start, ends: Ends) -> None:
    await ends.listen(ends.right, "other.example")
    bench = await begun(start, targets=f'["sips:localhost:{ends.right.port}"]')
    await ends.connect(ends.left, at(bench, "tls"), "left.example")
    await ends.left.call("100")
    assert (await ends.left.expect(502)).status == 502
    assert ends.right.messages.empty()
    assert bench.engine.signalling.transports.counters["certificates_refused"] == 1


async def test_changed_certificates_are_shown_without_a_restart(
    start: Start, ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signalling, "CERTIFICATES_S", 0.02)
    bench = await begun(start)

    async def shown() -> set[str]:
        context = ends.context(ssl.Purpose.SERVER_AUTH)
        _, writer = await asyncio.open_connection(*at(bench, "tls"), ssl=context, server_hostname="x")
        found = names_shown(writer)
        writer.transport.abort()
        return found

    assert "pbx.example" in await shown()
    ends.server_pair[1].write_text("not a key")
    await asyncio.sleep(0.1)
    assert "pbx.example" in await shown()
    ends.authority.issue("new.example", into="server")
    async with asyncio.timeout(5):
        while await shown() != {"new.example"}:  # noqa: ASYNC110 - what is awaited is the watch for files
            await asyncio.sleep(0.02)
    ends.authority.issue("newer.example", into="server")
    await bench.engine.reload()
    assert await shown() == {"newer.example"}


# -- web sockets -------------------------------------------------------------------------------------------------------


async def test_a_phone_in_a_browser(start: Start, ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its Contact names no address: everything for it takes its own connection, and ends with that."""
    bench = await begun(start, left_keys='accept_from = ["127.0.0.1"]', targets='["sip:127.0.0.1:{right}"]')
    host, port = at(bench, "ws")
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"ws://{host}:{port}", protocols=["sip"]) as phone,
    ):
        left = bench.left
        left.engine, left.transport, left.suffix = (host, port), "WS", ";transport=ws"

        async def send(text: str) -> None:
            await phone.send_str(text.replace(f"{left.written}:{left.port}", "abc123.invalid"))

        async def receive(within: float = 5.0) -> Any:
            return left.parse((await phone.receive_str(timeout=within)).encode())

        monkeypatch.setattr(left, "send", send)
        monkeypatch.setattr(left, "receive", receive)
        ours = await left.call("100")
        invite = await bench.right.expect("INVITE")
        assert invite.get("Via").startswith("SIP/2.0/UDP")
        await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
        await bench.right.expect("ACK")
        answer = await left.expect(200)
        assert answer.get("Contact").endswith(f":{port};transport=ws>")
        await ours.ack(answer)
        theirs = bench.right.dialog_of(invite)
        await theirs.request("BYE")
        await bench.right.expect(200)
        await left.answer(await left.expect("BYE"), 200)
    assert (await bench.record())["cause"] == "normal"


# -- IPv6 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
async def test_a_whole_call_over_ipv6(start: Start, ends: Ends, make_peer: Any, transport: str) -> None:
    right = make_peer("far", "::1")
    bench = await begun(
        start, host="[::1]", address="::1", targets=f'["sip:[::1]:{right.port}"]', left_keys='accept_from = ["::1"]'
    )
    right.engine = at(bench, "udp")
    if transport == "udp":
        left = make_peer("near", "::1")
        left.engine = at(bench, "udp")
    else:
        left = ends.left
        left.host = "::1"
        if transport == "tls":
            await ends.connect(left, at(bench, "tls"))
        else:
            await left.connect(at(bench, "tcp"))
    ours = await left.call("100")
    invite = await right.expect("INVITE")
    assert invite.get("Via").startswith("SIP/2.0/UDP [::1]:")
    assert "@[::1]:" in invite.start
    assert "<sip:[::1]:" in invite.get("Contact")
    assert "c=IN IP6 ::1" in invite.body
    await right.answer(invite, 200, right.sdp(5000, "0 101"))
    await right.expect("ACK")
    answer = await left.expect(200)
    assert "c=IN IP6 ::1" in answer.body
    await ours.ack(answer)
    await ours.request("BYE")
    await left.expect(200)
    await right.answer(await right.expect("BYE"), 200)
    record = await bench.record()
    assert (record["cause"], record["legs"][0]["target"].split("]")[0]) == ("normal", f"{transport}:[::1")


# -- bound and advertised ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("nets", "shown"), [("", "203.0.113.7"), ('local_net = ["127.0.0.0/8"]', "127.0.0.1")])
async def test_peers_of_the_local_net_see_the_inner_address(start: Start, ends: Ends, nets: str, shown: str) -> None:
    bench = await begun(
        start,
        sip=f'advertise = "203.0.113.7"\n{nets}',
        left_keys='accept_from = ["127.0.0.1"]',
        targets='["sip:localhost:{right}"]',
    )
    bench.left.engine = at(bench, "udp")
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    assert f"UDP {shown}:" in invite.get("Via")
    for message in (invite, answer):
        assert f"<sip:{shown}:" in message.get("Contact")
        assert f"c=IN IP4 {shown}\r\n" in message.body
        assert f" IN IP4 {shown}\r\n" in message.body.splitlines(keepends=True)[1]
    await ours.ack(answer)


# -- what is too long for a datagram -----------------------------------------------------------------------------------

RULE = '[[trunk.header]]\ndirection = "out"\naction = "add"\nname = "X-Long-{}"\nvalue = "{}"'
LONG = "\n".join(RULE.format(number, "x" * 120) for number in range(10))


@pytest.mark.parametrize("takes_tcp", [True, False])
async def test_a_long_invite_tries_tcp_and_goes_back(start: Start, ends: Ends, *, takes_tcp: bool) -> None:
    bench = await begun(
        start, left_keys='accept_from = ["127.0.0.1"]', targets='["sip:127.0.0.1:{right}"]', right_keys=LONG
    )
    bench.left.engine = at(bench, "udp")
    right = bench.right
    if takes_tcp:
        right = ends.right
        right.server.close()
        right.server = await asyncio.start_server(right._read, "127.0.0.1", bench.right.port)
        right.port = bench.right.port
    await bench.left.call("100")
    invite = await right.expect("INVITE")
    assert invite.get("Via").startswith(f"SIP/2.0/{'TCP' if takes_tcp else 'UDP'} 127.0.0.1:")
    await right.answer(invite, 486)
    await right.expect("ACK")
    await bench.left.expect(486)
    assert bench.engine.signalling.agent.counters["datagrams_after_all"] == (not takes_tcp)


async def test_control_over_tls(start: Start, ends: Ends) -> None:
    config = SECURE + (
        '[control]\ntcp = "127.0.0.1:0"\ncert = "server.pem"\nkey = "server.key"\n'
        '[[control.token]]\nname = "root"\nsecret = "s"\nscopes = ["admin"]\n'
    )
    bench = await begun(start, config=config)
    (address,) = [one for one in bench.engine.control.addresses if one.startswith("tcp:")]
    trusted = ssl.create_default_context(cafile=str(ends.authority.file))
    client = await Client.tcp("127.0.0.1", int(address.rpartition(":")[2]), "root", "s", trusted)
    status = await client.call("engine.status")
    assert any(one.startswith("tls:") for one in status["listen"])
    await client.close()
