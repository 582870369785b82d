"""What is refused at the door, with which answer, and that nothing of it disturbs a call in progress."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

Start = Callable[..., Awaitable[Any]]


async def test_an_unknown_source_is_refused_and_told_of_once_a_second(start: Start) -> None:
    bench = await start()
    for _ in range(5):
        await bench.stranger.call("100")
        await bench.stranger.expect(403)
    await bench.right.hears_nothing()
    told = [event for event in bench.events() if event["type"] == "security.refused"]
    assert len(told) == 1
    assert str(bench.stranger.port) in told[0]["source"]
    assert bench.engine.status()["gate"]["refused_unknown_source"] == 5


async def test_an_unknown_source_is_answered_once_and_forgotten(start: Start) -> None:
    bench = await start()
    await bench.stranger.call("100")
    await bench.stranger.expect(403)
    assert set(bench.engine.signalling.agent.counts.values()) == {0}
    received = asyncio.get_running_loop().sock_recv(bench.stranger.socket, 65536)
    with pytest.raises(TimeoutError):  # a response that waits for its ACK is repeated after half a second
        await asyncio.wait_for(received, 0.8)


async def test_no_route_is_404_with_a_record(start: Start) -> None:
    bench = await start()
    await bench.left.call("777")
    await bench.left.expect(404)
    record = await bench.record()
    assert (record["cause"], record["status"]) == ("not_found", 404)
    assert any("does not match" in reason for reason in record["plan"])


async def test_no_audio_is_488(start: Start) -> None:
    bench = await start()
    video = "v=0\r\no=a 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 4000 RTP/AVP 96\r\n"
    await bench.left.call("100", body=video)
    await bench.left.expect(488)


async def test_calls_per_second_are_503_with_retry_after(start: Start) -> None:
    bench = await start(sip="max_calls_per_second = 1")
    await bench.left.call("603")
    await bench.left.expect(603)
    await bench.left.call("603")
    assert int((await bench.left.expect(503)).get("Retry-After")) >= 1


async def test_the_total_is_503_with_retry_after(start: Start) -> None:
    bench = await start(sip="max_calls = 1")
    await bench.connect()
    await bench.left.call("100")
    assert int((await bench.left.expect(503)).get("Retry-After")) >= 1


@pytest.mark.parametrize("full", [486, 503])
async def test_a_full_trunk_answers_as_configured_and_gives_channels_back(start: Start, full: int) -> None:
    bench = await start(left_keys=f"channels = 1\nfull = {full}")
    ours, _ = await bench.connect()
    await bench.left.call("100")
    assert (await bench.left.expect(full)).get("Retry-After") == ""
    await ours.request("BYE")
    await bench.left.expect(200)
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    await bench.record()
    await bench.left.call("603")
    await bench.left.expect(603)


@pytest.mark.parametrize("full", [486, 503])
async def test_a_full_far_trunk_is_told_to_the_caller(start: Start, full: int) -> None:
    bench = await start(right_keys=f"channels = 1\nfull = {full}")
    await bench.connect()
    await bench.left.call("100")
    assert (await bench.left.expect(full)).get("Retry-After") == ""  # rule: only for our own overload
    assert "trunk.full" in [event["type"] for event in bench.events()]


async def test_too_many_calls_per_second_for_the_far_trunk_are_our_overload(start: Start) -> None:
    bench = await start(right_keys="calls_per_second = 1")
    await bench.connect()
    await bench.left.call("100")
    assert int((await bench.left.expect(503)).get("Retry-After")) >= 1


async def test_what_the_engine_refuses_is_not_put_down_to_the_callee(start: Start) -> None:
    bench = await start()
    await bench.left.call("603")
    await bench.left.expect(603)
    assert (await bench.record())["hung_up_by"] == "engine"


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        ("REGISTER sip:127.0.0.1", "", 404),
        ("SUBSCRIBE sip:127.0.0.1", "", 489),
        ("MESSAGE sip:127.0.0.1", "", 403),
        ("FROBNICATE sip:127.0.0.1", "", 501),
        ("OPTIONS sip:127.0.0.1", "", 200),
        ("BYE sip:127.0.0.1", "", 481),
        ("CANCEL sip:127.0.0.1", "", 481),
        ("INFO sip:127.0.0.1", "", 481),
        ("INVITE sip:127.0.0.1", "Require: precondition\r\nContact: <sip:a@b>\r\n", 420),
        ("INVITE sip:127.0.0.1", "Max-Forwards: 0\r\nContact: <sip:a@b>\r\n", 483),
    ],
)
async def test_requests_that_cannot_be_served(start: Start, request_line: str, headers: str, status: int) -> None:
    bench = await start()
    method = request_line.split(maxsplit=1)[0]
    to = "To: <sip:c@d>;tag=9\r\n" if method in {"BYE", "INFO"} else "To: <sip:c@d>\r\n"
    await bench.left.send(
        f"{request_line} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{bench.left.port};branch=z9hG4bK-1;rport\r\n"
        f"From: <sip:a@b>;tag=1\r\n{to}Call-ID: x@y\r\nCSeq: 1 {method}\r\n{headers}Content-Length: 0\r\n\r\n"
    )
    answer = await bench.left.expect(status)
    if status in {405, 200}:
        assert "INVITE" in answer.get("Allow")
    if status == 420:
        assert answer.get("Unsupported") == "precondition"


async def test_rubbish_is_counted_and_a_call_in_progress_does_not_notice(start: Start) -> None:
    bench = await start()
    ours, _ = await bench.connect()
    loop = bench.left
    for rubbish in (
        "\0\0\0\0",
        "INVITE",
        "SIP/2.0 200 OK\r\n\r\n",
        "ACK sip:x SIP/2.0\r\n\r\n",
        "é" * 3000,
        "x" * 65000,
    ):
        await bench.stranger.send(rubbish)
    await ours.request("INFO", "x", kind="text/plain")
    info = await bench.right.expect("INFO")
    await bench.right.answer(info, 200)
    await loop.expect(200)
    await ours.request("BYE")
    await bench.left.expect(200)
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    assert (await bench.record())["cause"] == "normal"
    assert sum(bench.engine.status()["sip"]["counters"].values()) > 0


async def test_while_draining_new_calls_are_503_and_old_ones_stay(start: Start) -> None:
    bench = await start()
    ours, _ = await bench.connect()
    bench.engine.drain()
    await bench.left.call("100")
    assert int((await bench.left.expect(503)).get("Retry-After")) >= 1
    await ours.request("BYE")
    await bench.left.expect(200)
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    await bench.engine.drained()


async def test_without_ports_the_caller_is_told_of_our_own_overload(start: Start) -> None:
    bench = await start()
    bench.engine.services.plane._free_slots.clear()
    await bench.left.call("100")
    assert int((await bench.left.expect(503)).get("Retry-After")) >= 1


async def test_a_reload_changes_new_calls_and_leaves_old_ones(start: Start) -> None:
    bench = await start(right_keys="channels = 1")
    ours, theirs = await bench.connect()
    path = bench.folder / "santral.toml"
    text = path.read_text()
    path.write_text(text.replace('from_trunk = "left"', 'from_trunk = "right"').replace("channels = 1", "channels = 2"))
    await bench.engine.reload()
    await bench.left.call("100")
    await bench.left.expect(404)
    await ours.request("INVITE", bench.left.sdp(4000, "0 101", "a=sendonly", 2))
    change = await bench.right.expect("INVITE")
    await bench.right.answer(change, 200, bench.right.sdp(5000, "0 101", "a=recvonly", 2))
    await bench.right.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    path.write_text("nonsense")
    with pytest.raises(Exception, match="the new configuration is wrong"):
        await bench.engine.reload()
    await theirs.request("BYE")
    await bench.right.expect(200)
    await bench.left.answer(await bench.left.expect("BYE"), 200)
    await bench.record()
    assert bench.engine.services.limits.holders() == 0


async def test_a_reload_moves_no_socket(start: Start) -> None:
    bench = await start()
    path = bench.folder / "santral.toml"
    path.write_text(path.read_text().replace("[rtp]", '[rtp]\naddress = "127.0.0.9"'))
    assert any("rtp.address" in change for change in await bench.engine.reload())
    await bench.left.call("100")
    assert "c=IN IP4 127.0.0.1" in (await bench.right.expect("INVITE")).body
