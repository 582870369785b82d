"""The server as clients meet it: sockets, logins, methods, events, and clients that misbehave."""

import asyncio
import socket
import ssl
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import msgpack
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from santral.engine import ids, utc
from santral.engine.cdr.record import CallRecord
from santral.engine.control.client import Client, Disconnected
from santral.engine.control.protocol import MAX_FRAME, RequestError
from santral.engine.control.server import ControlServer, ControlSettings, Patience, Token


async def refusal(client: Client, method: str, **params: Any) -> str:
    with pytest.raises(RequestError) as refused:
        await client.call(method, **params)
    return refused.value.code


# sockets


def test_the_socket_is_private(server: ControlServer, socket_path: str) -> None:
    path = Path(socket_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_live_socket_is_not_taken_over(server: ControlServer, engine: Any, socket_path: str) -> None:
    with pytest.raises(ValueError, match="another engine answers"):
        await ControlServer(engine, ControlSettings(Path(socket_path))).start()
    assert await asyncio.to_thread(Path(socket_path).exists)


async def test_a_stale_socket_is_replaced_and_removed_at_the_end(engine: Any, tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = ControlServer(engine, ControlSettings(path))
    await server.start()
    client = await Client.unix(str(path))
    assert (await client.call("engine.status"))["node"] == "n1"
    await client.close()
    await server.close()
    assert not path.exists()


async def test_other_files_are_left_alone(engine: Any, tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.write_text("notes")
    with pytest.raises(ValueError, match="no socket"):
        await ControlServer(engine, ControlSettings(path)).start()
    assert path.read_text() == "notes"


@pytest.mark.parametrize(
    ("host", "tokens", "message"),
    [("127.0.0.1", (), "token"), ("0.0.0.0", (Token("a", "b", frozenset({"admin"})),), "TLS")],
)
async def test_tcp_needs_tokens_and_off_loopback_tls(engine: Any, host: str, tokens: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        await ControlServer(engine, ControlSettings(None, (host, 0), tokens)).start()


# methods


async def test_methods_describe_themselves(client: Client) -> None:
    methods = {each["name"]: each for each in (await client.call("engine.methods"))["items"]}
    assert {"engine.status", "engine.methods", "call.list", "call.get", "call.hangup", "cdr.list"} <= methods.keys()
    assert {"events.subscribe", "events.unsubscribe", "trunk.list", "engine.login"} <= methods.keys()
    assert methods["call.hangup"]["scope"] == "calls"
    assert [each["name"] for each in methods["call.hangup"]["params"]] == ["id", "status"]


async def test_unknown_methods_and_wrong_parameters(client: Client) -> None:
    assert await refusal(client, "call.fly") == "unknown_method"
    assert await refusal(client, "call.get") == "bad_params"
    assert await refusal(client, "call.get", id=5) == "bad_params"
    assert await refusal(client, "call.get", id="x", colour="red") == "bad_params"
    assert await refusal(client, "call.list", limit=0) == "bad_params"
    assert await refusal(client, "call.list", limit=501) == "bad_params"


async def test_trunks_users_and_bans(client: Client) -> None:
    assert (await client.call("trunk.get", name="b"))["tenant"] == "other"
    assert await refusal(client, "trunk.get", name="z") == "not_found"
    first = await client.call("user.list", limit=1)
    assert [each["address"] for each in first["items"]] == ["101@acme.example"]
    second = await client.call("user.list", limit=1, after=first["next"])
    assert [each["address"] for each in second["items"]] == ["101@other.example"]
    assert [each["address"] for each in (await client.call("security.bans"))["items"]] == ["192.0.2.66"]
    assert (await client.call("security.forgive", address="192.0.2.66"))["forgiven"] is True
    assert (await client.call("security.forgive", address="192.0.2.67"))["forgiven"] is False


async def test_calls_are_listed_page_by_page(client: Client, engine: Any) -> None:
    for number in range(25):
        engine.add(f"call-{number:02}", "acme" if number % 2 else "other")
    seen, after = [], None
    while True:
        page = await client.call("call.list", limit=10, after=after)
        seen += [each["id"] for each in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == [f"call-{number:02}" for number in range(25)]
    assert len((await client.call("call.list", tenant="acme"))["items"]) == 12


async def test_a_call_is_shown_and_hung_up(client: Client, engine: Any) -> None:
    call = engine.add("c1")
    assert (await client.call("call.get", id="c1"))["state"] == "talking"
    assert await client.call("call.hangup", id="c1", status=480) == {"id": "c1"}
    assert call.hung_up == [(480, "local")]
    assert await refusal(client, "call.hangup", id="c1", status=200) == "bad_params"
    assert await refusal(client, "call.get", id="c2") == "not_found"


async def test_a_repeated_key_hangs_up_once_even_from_another_connection(
    client: Client, engine: Any, socket_path: str
) -> None:
    call = engine.add("c1")
    first = await client.call("call.hangup", id="c1", key="k1")
    other = await Client.unix(socket_path)
    assert await other.call("call.hangup", id="c1", key="k1") == first
    assert await refusal(other, "call.hangup", id="c2", key="k1") == "key_reused"
    await other.close()
    assert len(call.hung_up) == 1
    assert await client.call("engine.status", key="k1") == {"node": "n1", "calls": 1}


async def test_reload_and_drain(client: Client, engine: Any) -> None:
    assert await client.call("engine.reload") == {"changes": ["reload 1"]}
    engine.problems = ["trunk.a: wrong"]
    with pytest.raises(RequestError) as refused:
        await client.call("engine.reload")
    assert (refused.value.code, refused.value.data) == ("invalid_configuration", ["trunk.a: wrong"])
    assert (await client.call("engine.drain"))["draining"] is True
    assert engine.drained == 1
    assert (await client.call("engine.doctor"))["items"][0]["ok"] is True


async def test_a_fault_of_ours_is_told_without_details(client: Client, engine: Any) -> None:
    engine.status = lambda: 1 / 0
    with pytest.raises(RequestError) as refused:
        await client.call("engine.status")
    assert refused.value.code == "internal"
    assert "zero" not in refused.value.message
    assert (await client.call("call.list"))["items"] == []


async def test_cdrs_are_listed(client: Client, engine: Any) -> None:
    now = utc.now_ms()
    for tenant in ("acme", "other", "acme"):
        engine.cdrs.call_ended(CallRecord(ids.new_id(), "n1", tenant, now, now, "normal", called="100"))
    await engine.cdrs.flush()
    page = await client.call("cdr.list", tenant="acme", limit=1, since=utc.text_of(now), called="100")
    assert [each["tenant"] for each in page["items"]] == ["acme"]
    page = await client.call("cdr.list", tenant="acme", limit=1, after=page["next"])
    assert page["next"] is None
    assert len(page["items"]) == 1
    assert await refusal(client, "cdr.list", since="yesterday") == "bad_params"


# tokens


async def test_a_token_sees_its_tenant_only(tcp: tuple[str, int], engine: Any) -> None:
    engine.add("mine")
    engine.add("theirs", "other")
    now = utc.now_ms()
    for tenant in ("acme", "other"):
        engine.cdrs.call_ended(CallRecord(ids.new_id(), "n1", tenant, now, now, "normal"))
    await engine.cdrs.flush()
    client = await Client.tcp(*tcp, "dashboard", "see")
    assert [each["id"] for each in (await client.call("call.list"))["items"]] == ["mine"]
    assert [each["tenant"] for each in (await client.call("cdr.list"))["items"]] == ["acme"]
    assert [each["name"] for each in (await client.call("trunk.list"))["items"]] == ["a", "c"]
    assert (await client.call("trunk.get", name="c"))["shared"]
    assert await refusal(client, "trunk.get", name="b") == "not_found"
    assert [each["address"] for each in (await client.call("user.list"))["items"]] == ["101@acme.example"]
    assert await refusal(client, "security.bans") == "forbidden"
    assert await refusal(client, "security.forgive", address="192.0.2.66") == "forbidden"
    assert await refusal(client, "call.get", id="theirs") == "not_found"
    assert await refusal(client, "call.list", tenant="other") == "forbidden"
    assert await refusal(client, "cdr.list", tenant="other") == "forbidden"
    assert await refusal(client, "call.hangup", id="mine") == "forbidden"
    assert await refusal(client, "engine.drain") == "forbidden"
    engine.events.emit("call.started", tenant="other", call="theirs")
    engine.events.emit("engine.ready")
    engine.events.emit("call.started", tenant="acme", call="mine")
    stream = client.events(since=0)
    assert (await anext(stream))["call"] == "mine"
    await client.close()


async def test_strangers_can_only_log_in(tcp: tuple[str, int], engine: Any, server: ControlServer) -> None:
    reader, writer = await asyncio.open_connection(*tcp)
    client = Client(reader, writer)
    assert await refusal(client, "engine.status") == "login_required"
    assert await refusal(client, "no.such") == "login_required"
    await client.call("engine.login", name="root", secret="all")
    assert await refusal(client, "no.such") == "unknown_method"
    await asyncio.sleep(0.4)  # longer than a stranger may stay
    assert (await client.call("engine.status"))["node"] == "n1"
    await client.close()


async def test_a_stranger_who_does_not_log_in_is_dropped(tcp: tuple[str, int]) -> None:
    reader, writer = await asyncio.open_connection(*tcp)
    assert msgpack.unpackb(await reader.read())[2][0]["code"] == "login_required"
    writer.close()


async def test_wrong_secrets_are_slow_reported_and_counted(
    tcp: tuple[str, int], engine: Any, server: ControlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("santral.engine.control.server.REFUSED_LOGIN_S", 0.01)
    client = Client(*await asyncio.open_connection(*tcp))
    for name in ("dashboard", "nobody", "root"):
        assert await refusal(client, "engine.login", name=name, secret="guess") == "refused"
    with pytest.raises(Disconnected):
        await client.call("engine.login", name="dashboard", secret="see")
    assert server.counters["refused"] == 3
    stream = engine.events.subscribe(since=0, types=("security.*",))
    assert len(await stream.batch()) == 1  # the others were held back
    await client.close()


async def test_a_changed_token_ends_its_connections(tcp: tuple[str, int], server: ControlServer) -> None:
    gone = await Client.tcp(*tcp, "dashboard", "see")
    stays = await Client.tcp(*tcp, "root", "all")
    server.set_tokens(
        [Token("dashboard", "new", frozenset({"read"}), "acme"), Token("root", "all", frozenset({"admin"}))]
    )
    await asyncio.sleep(0.05)
    with pytest.raises(Disconnected) as reason:
        await gone.call("engine.status")
    assert reason.value.code == "token_changed"
    assert (await stays.call("engine.status"))["node"] == "n1"
    await gone.close()
    await stays.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a file with a key and a certificate for 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "santral")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = tmp_path / "both.pem"
    file.write_bytes(secret + made.public_bytes(pem))
    return file


async def test_tcp_takes_tls(engine: Any, patience: Patience, certificate: Path) -> None:
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate)
    token = Token("root", "all", frozenset({"admin"}))
    server = ControlServer(engine, ControlSettings(None, ("0.0.0.0", 0), [token], ours, patience))
    await server.start()
    port = int(server.addresses[0].rpartition(":")[2])
    client = await Client.tcp("127.0.0.1", port, "root", "all", ssl.create_default_context(cafile=certificate))
    stream = client.events()
    following = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.05)
    engine.events.emit("engine.ready")
    assert (await following)["type"] == "engine.ready"
    await server.close()
    with pytest.raises(Disconnected, match="stops"):
        await anext(stream)
    await client.close()


# events


async def test_events_are_replayed_then_followed_by_type(client: Client, engine: Any) -> None:
    first = engine.events.emit("call.started", call="c1", tenant="acme", trunk="t")
    engine.events.emit("leg.started", call="c1", tenant="acme")
    stream = client.events(since=0, types=["call.*"])
    assert (await anext(stream))["seq"] == first
    engine.events.emit("leg.ended", call="c1")
    last = engine.events.emit("call.ended", call="c1")
    event = await anext(stream)
    assert (event["seq"], event["type"], event["node"], event["tenant"]) == (last, "call.ended", "n1", None)
    assert event["at"].endswith("Z")
    assert await client.call("events.unsubscribe") == {"followed": True}
    assert await client.call("events.unsubscribe") == {"followed": False}
    assert engine.events.subscribers == 0


async def test_subscribing_again_replaces(client: Client, engine: Any) -> None:
    await client.call("events.subscribe", types=["leg.*"])
    stream = client.events(types=["call.*"])
    following = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.1)
    engine.events.emit("leg.started")
    engine.events.emit("call.started")
    assert (await following)["type"] == "call.started"
    assert await refusal(client, "events.subscribe", since=-1) == "bad_params"
    assert await refusal(client, "events.subscribe", types=[]) == "bad_params"
    assert await refusal(client, "events.subscribe", since=10_000) == "since_ahead"


async def test_a_client_that_leaves_frees_its_subscription(
    engine: Any, server: ControlServer, socket_path: str
) -> None:
    client = await Client.unix(socket_path)
    await client.call("events.subscribe")
    assert engine.events.subscribers == 1
    await client.close()
    for _ in range(100):
        await asyncio.sleep(0.01)
        if server.connected == 0:
            break
    assert (engine.events.subscribers, server.connected) == (0, 0)


async def test_a_client_that_does_not_read_is_dropped_with_a_reason(
    engine: Any, server: ControlServer, socket_path: str
) -> None:
    reader, writer = await asyncio.open_unix_connection(socket_path, limit=1024)
    writer.write(msgpack.packb([0, 1, "events.subscribe", [{}]]))
    await asyncio.sleep(0.05)
    for _ in range(3000):  # more than socket buffers hold
        engine.events.emit("call.started", call="c", caller="x" * 1000)
    for _ in range(200):
        await asyncio.sleep(0.01)
        if server.counters["slow_readers"]:
            break
    assert server.counters["slow_readers"] == 1
    unpacker = msgpack.Unpacker()
    unpacker.feed(await reader.read())
    assert list(unpacker)[-1][1:] == ["closing", [{"code": "slow_reader", "message": "events were not read"}]]
    writer.close()


async def test_answers_that_are_not_read_do_not_pile_up(engine: Any, server: ControlServer, socket_path: str) -> None:
    for number in range(400):
        engine.add(f"call-{number}" + "x" * 200)
    _, writer = await asyncio.open_unix_connection(socket_path, limit=1024)
    writer.write(msgpack.packb([0, 1, "call.list", [{"limit": 400}]]) * 100)
    for _ in range(200):
        await asyncio.sleep(0.01)
        if server.counters["slow_readers"]:
            break
    assert server.counters["slow_readers"] == 1
    assert server.counters["requests"] < 50
    writer.close()


# bad input


@pytest.mark.parametrize(
    "data", [b"\xc1", b"GET / HTTP/1.0\r\n\r\n", msgpack.packb([0, 1, "m", 5]), b"\xdb\x7f" * MAX_FRAME]
)
async def test_a_malformed_frame_is_answered_then_the_connection_ends(
    data: bytes, socket_path: str, client: Client
) -> None:
    reader, writer = await asyncio.open_unix_connection(socket_path)
    writer.write(msgpack.packb([0, 9, "engine.status", [{}]]) + data)
    unpacker = msgpack.Unpacker()
    unpacker.feed(await reader.read())
    messages = list(unpacker)
    assert messages[0][:2] == [1, 9]
    assert (messages[1][:2], messages[1][2]["code"]) == ([1, None], "bad_frame")
    assert messages[2][:2] == [2, "closing"]
    writer.close()
    assert (await client.call("engine.status"))["node"] == "n1"


async def test_too_many_connections_are_turned_away(
    tcp: tuple[str, int], socket_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("santral.engine.control.server.MAX_STRANGERS", 2)
    strangers = [await asyncio.open_connection(*tcp) for _ in range(3)]
    answer = msgpack.unpackb(await strangers[2][0].read())
    assert answer == [2, "closing", [{"code": "busy", "message": "too many connections"}]]
    client = await Client.unix(socket_path)
    assert (await client.call("engine.status"))["node"] == "n1"
    await client.close()
    for _, writer in strangers:
        writer.close()


async def test_closing_tells_clients(engine: Any, tmp_path: Path, patience: Patience) -> None:
    server = ControlServer(engine, ControlSettings(tmp_path / "c.sock", patience=replace(patience, closing_s=0.2)))
    await server.start()
    client = await Client.unix(str(tmp_path / "c.sock"))
    stream = client.events()
    following = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.05)
    await server.close()
    with pytest.raises(Disconnected, match="stops"):
        await following
    await client.close()
