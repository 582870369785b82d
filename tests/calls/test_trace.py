"""A call's messages as its ladder, as a pcap and at a HEP collector: complete, masked by scope, off when told so."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from santral.engine.control.access import LOCAL, Identity
from santral.engine.control.answers import Answers
from santral.engine.control.commands import perform
from santral.engine.control.protocol import Request, RequestError
from santral.engine.trace import hep, trace

Start = Callable[..., Awaitable[Any]]

NUMBER = "+905551112233"
CRYPTO = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
AUDITOR = Identity("auditor", frozenset({"read", "calls"}), "acme")
STRANGER = Identity("stranger", frozenset({"read", "calls"}), "globex")


async def ask(bench: Any, who: Identity, method: str, **params: Any) -> dict[str, Any]:
    class Session:
        engine = bench.engine

    session: Any = Session()
    session.who = who
    return await perform(session, Answers(), Request(1, method, params))


async def hidden_call(bench: Any) -> str:
    """A call of somebody who hides, with secrets in it, answered and ended; its id."""
    lines = f"P-Asserted-Identity: <sip:{NUMBER}@left.example>\r\nPrivacy: id\r\n"
    lines += 'Authorization: Digest username="u", realm="r", response="0123abcd0123abcd"\r\n'
    ours = await bench.left.call("100", bench.left.sdp(extra=f"{CRYPTO}\r\na=sendrecv"), headers=lines)
    invite = await bench.right.expect("INVITE")
    (call,) = bench.engine.calls()
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    await ours.request("INFO", "Signal=7\r\nDuration=160\r\n", kind="application/dtmf-relay")
    await bench.left.expect(200)
    return str(call.id)


TRUSTED = {"left_keys": "trust = true", "right_keys": 'trust = true\nidentity = "pai"'}


async def test_a_calls_ladder(start: Start) -> None:
    bench = await start(**TRUSTED)
    call = await hidden_call(bench)
    ladder = (await ask(bench, LOCAL, "call.get", id=call))["ladder"]
    steps = [(row["direction"], row["line"].replace("SIP/2.0", "").split()[0]) for row in ladder]
    assert steps == [
        ("in", "INVITE"), ("out", "100"), ("out", "INVITE"), ("in", "200"), ("out", "ACK"), ("out", "200"),
        ("in", "ACK"), ("in", "INFO"), ("out", "200"),
    ]  # fmt: skip
    (found,) = bench.engine.calls()
    by_leg = {leg.id: {row["leg"] for row in ladder if row["leg"] == leg.id} for leg in found.legs}
    assert all(by_leg.values())
    assert ladder[0]["from"] == f"127.0.0.1:{bench.left.port}"
    assert ladder[2]["to"] == f"127.0.0.1:{bench.right.port}"
    assert [row["at"] for row in ladder] == sorted(row["at"] for row in ladder)


async def test_traces_are_masked_by_scope(start: Start) -> None:
    bench = await start(**TRUSTED)
    call = await hidden_call(bench)
    for who in (LOCAL, AUDITOR):
        text = "\n".join(
            row["message"] for row in (await ask(bench, who, "call.trace", id=call, format="text"))["items"]
        )
        assert "0123abcd" not in text
        assert "d0Rmdmcm" not in text
        assert "Signal=7" not in text
        assert ("5551112233" in text) == (who is LOCAL)
    for method in ("call.trace", "call.get"):
        with pytest.raises(RequestError):
            await ask(bench, STRANGER, method, id=call)


async def test_a_pcap_of_a_call_that_has_ended(start: Start) -> None:
    bench = await start(**TRUSTED)
    call = await hidden_call(bench)
    bench.engine.call(call).hang_up(None, "test")
    await bench.left.answer(await bench.left.expect("BYE"), 200)
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    await bench.record()
    answer = await ask(bench, AUDITOR, "call.trace", id=call, format="pcap")
    assert answer["messages"] == 13
    assert answer["pcap"][:4] == b"\xd4\xc3\xb2\xa1"
    assert b"INVITE sip:100@" in answer["pcap"]
    assert b"5551112233" not in answer["pcap"]
    assert b"0123abcd" not in answer["pcap"]
    with pytest.raises(RequestError):
        await ask(bench, LOCAL, "call.trace", id="00000000-0000-7000-8000-000000000000")


def hep_of(data: bytes) -> dict[int, bytes]:
    found, at = {}, 6
    while at < len(data):
        length = int.from_bytes(data[at + 4 : at + 6])
        found[int.from_bytes(data[at + 2 : at + 4])] = data[at + 6 : at + length]
        at += length
    return found


async def test_a_collector_gets_every_message_and_reports(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "REPORT_INTERVAL_S", 0.2)
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.setblocking(False)
        port = collector.getsockname()[1]
        bench = await start(
            **TRUSTED, rtp=f'[trace]\nladder = 0\nhep = "udp:127.0.0.1:{port}"\nhep_id = 9\nhep_password = "pw"'
        )
        call = await hidden_call(bench)
        (found,) = bench.engine.calls()
        legs = {leg.sip_call_id for leg in found.legs}
        frames = []
        async with asyncio.timeout(5):
            while len({kind for kind, _ in frames}) < 2 or len(frames) < 13:
                chunks = hep_of(await loop.sock_recv(collector, 65536))
                frames.append((chunks[hep.Chunk.KIND][0], chunks))
    sip = [chunks for kind, chunks in frames if kind == hep.Kind.SIP]
    reports = [chunks for kind, chunks in frames if kind == hep.Kind.RTCP_JSON]
    assert len(sip) == 9
    assert {chunks[hep.Chunk.CORRELATION].decode() for chunks in sip} == legs
    assert {chunks[hep.Chunk.CORRELATION].decode() for chunks in reports} == legs
    assert all((c[hep.Chunk.CAPTURE_ID], c[hep.Chunk.PASSWORD]) == (b"\0\0\0\x09", b"pw") for c in sip)
    text = b"".join(chunks[hep.Chunk.PAYLOAD] for chunks in sip)
    for secret in (b"5551112233", b"0123abcd", b"d0Rmdmcm", b"Signal=7"):
        assert secret not in text
    assert (await ask(bench, LOCAL, "call.get", id=call))["ladder"] == []
    assert bench.engine.status()["trace"]["hep"]["sent"] >= 13


async def test_a_stream_collector_may_come_late_and_go(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    got = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await reader.readexactly(4)) == b"HEP3":
            got.set()
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    bench = await start(rtp=f'[trace]\nhep = "tcp:127.0.0.1:{port}"')
    async with asyncio.timeout(5):
        while not got.is_set():
            await bench.left.call("603")
            await bench.left.expect(603)
            await asyncio.sleep(0.02)
    server.close()
    assert bench.engine.status()["trace"]["hep"]["sent"] > 0


async def test_without_traces_there_is_no_tap(start: Start) -> None:
    bench = await start(rtp="[trace]\nladder = 0")
    assert bench.engine.signalling.tap is None
    await bench.connect()
    (call,) = bench.engine.calls()
    assert (await ask(bench, LOCAL, "call.get", id=call.id))["ladder"] == []
