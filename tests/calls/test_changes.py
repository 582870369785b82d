"""re-INVITE, hold and INFO through the engine, in both directions."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

Start = Callable[..., Awaitable[Any]]


async def pair(bench: Any, from_left: bool) -> tuple[Any, Any, Any, Any]:
    """(peer, dialog) of the side that asks and of the side that is asked."""
    ours, theirs = await bench.connect()
    return (bench.left, ours, bench.right, theirs) if from_left else (bench.right, theirs, bench.left, ours)


@pytest.mark.parametrize("from_left", [True, False])
async def test_hold_and_resume_cross_the_engine(start: Start, from_left: bool) -> None:
    bench = await start()
    asker, dialog, asked, _ = await pair(bench, from_left)
    for version, (hold, answer) in enumerate([("sendonly", "recvonly"), ("sendrecv", "sendrecv")], start=2):
        await dialog.request("INVITE", asker.sdp(4000, "0 101", f"a={hold}", version))
        change = await asked.expect("INVITE")
        assert change.direction == hold
        await asked.answer(change, 200, asked.sdp(5000, "0 101", f"a={answer}", version))
        await asked.expect("ACK")
        response = await asker.expect(200)
        assert response.direction == answer
        await dialog.ack(response)
    kinds = [event["type"] for event in bench.events()]
    assert kinds.count("leg.held") == 1
    assert kinds.count("leg.resumed") == 1


async def test_a_new_address_is_taken_without_asking_the_other_side(start: Start) -> None:
    bench = await start()
    ours, _ = await bench.connect()
    await ours.request("INVITE", bench.left.sdp(4444, "0 101", version=2))
    await ours.ack(await bench.left.expect(200))
    await bench.right.hears_nothing()
    (call,) = bench.engine.calls()
    assert call.legs[0].remote.port == 4444


async def test_a_refresh_is_answered_with_the_same_description(start: Start) -> None:
    bench = await start()
    ours, _ = await bench.connect()
    bodies = set()
    for _ in range(2):
        await ours.request("INVITE", bench.left.sdp(4000, "0 101"))
        response = await bench.left.expect(200)
        bodies.add(response.body)
        await ours.ack(response)
    assert len(bodies) == 1
    await bench.right.hears_nothing()


async def test_a_refused_change_leaves_the_call_standing(start: Start) -> None:
    bench = await start()
    ours, _ = await bench.connect()
    await ours.request("INVITE", bench.left.sdp(4000, "0 101", "a=sendonly", 2))
    change = await bench.right.expect("INVITE")
    await bench.right.answer(change, 488)
    await bench.right.expect("ACK")
    await bench.left.expect(488)
    await ours.request("ACK")
    (call,) = bench.engine.calls()
    assert call.snapshot()["legs"][0]["direction"] == "sendrecv"
    await ours.request("BYE")
    await bench.left.expect(200)
    await bench.right.expect("BYE")


async def test_glare_is_answered_491(start: Start) -> None:
    bench = await start()
    ours, theirs = await bench.connect()
    await ours.request("INVITE", bench.left.sdp(4000, "0 101", "a=sendonly", 2))
    change = await bench.right.expect("INVITE")
    await theirs.request("INVITE", bench.right.sdp(5000, "0 101", "a=inactive", 2))
    await bench.right.expect(491)
    await theirs.request("ACK")
    await bench.right.answer(change, 491)
    await bench.right.expect("ACK")
    await bench.left.expect(491)


async def test_a_codec_change_reaches_the_other_side(start: Start) -> None:
    bench = await start()
    ours, _ = await bench.connect()
    await ours.request("INVITE", bench.left.sdp(4000, "8 101", version=2))
    change = await bench.right.expect("INVITE")
    assert "PCMA/8000" in change.body
    assert "PCMU/8000" not in change.body
    await bench.right.answer(change, 200, bench.right.sdp(5000, "8 101", version=2))
    await bench.right.expect("ACK")
    response = await bench.left.expect(200)
    assert "PCMA/8000" in response.body
    await ours.ack(response)


async def test_an_offerless_reinvite_gets_an_offer(start: Start) -> None:
    bench = await start()
    ours, _ = await bench.connect()
    await ours.request("INVITE")
    offer = await bench.left.expect(200)
    assert offer.media_port > 0
    await ours.ack(offer, bench.left.sdp(4000, "0 101", "a=inactive", 2))
    change = await bench.right.expect("INVITE")  # the answer in the ACK put the call on hold
    assert change.direction == "inactive"
    await bench.right.answer(change, 200, bench.right.sdp(5000, "0 101", "a=inactive", 2))
    await bench.right.expect("ACK")


@pytest.mark.parametrize("from_left", [True, False])
async def test_info_and_its_answer_cross_the_engine(start: Start, from_left: bool) -> None:
    bench = await start()
    asker, dialog, asked, _ = await pair(bench, from_left)
    await dialog.request("INFO", "flash", kind="application/hook-flash")
    info = await asked.expect("INFO")
    assert (info.body, info.get("Content-Type")) == ("flash", "application/hook-flash")
    await asked.answer(info, 415)
    assert (await asker.expect(415)).cseq == "INFO"


async def test_a_bye_during_a_change_ends_the_call(start: Start) -> None:
    bench = await start()
    ours, theirs = await bench.connect()
    await ours.request("INVITE", bench.left.sdp(4000, "0 101", "a=sendonly", 2))
    change = await bench.right.expect("INVITE")
    await theirs.request("BYE")
    await bench.right.expect(200)
    heard = [await bench.left.receive()]
    while heard[-1].method != "BYE":
        heard.append(await bench.left.receive())
    await bench.left.answer(heard[-1], 200)
    await bench.right.answer(change, 481)
    assert (await bench.record())["hung_up_by"] == "callee"


async def test_a_change_taken_back_is_taken_back_on_the_other_side(start: Start) -> None:
    bench = await start()
    ours, _ = await bench.connect()
    await ours.request("INVITE", bench.left.sdp(4000, "0 101", "a=sendonly", 2))
    change = await bench.right.expect("INVITE")
    await bench.right.answer(change, 100)
    await ours.request("CANCEL")
    assert {(await bench.left.expect(200, 487)).status for _ in range(2)} == {200, 487}
    await ours.request("ACK")
    cancel = await bench.right.expect("CANCEL")
    await bench.right.answer(cancel, 200)
    await bench.right.answer(change, 487)
    await bench.right.expect("ACK")
    (call,) = bench.engine.calls()
    assert [leg.direction for leg in call.legs] == ["sendrecv", "sendrecv"]
    await ours.request("INVITE", bench.left.sdp(4000, "0 101", "a=sendonly", 3))
    assert (await bench.right.expect("INVITE")).direction == "sendonly"


async def test_a_change_taken_back_but_answered_all_the_same_is_undone(start: Start) -> None:
    bench = await start()
    ours, _ = await bench.connect()
    await ours.request("INVITE", bench.left.sdp(4000, "0 101", "a=sendonly", 2))
    change = await bench.right.expect("INVITE")
    await bench.right.answer(change, 100)
    await ours.request("CANCEL")
    assert {(await bench.left.expect(200, 487)).status for _ in range(2)} == {200, 487}
    await ours.request("ACK")
    await bench.right.answer(change, 200, bench.right.sdp(5000, "0 101", "a=recvonly", 2))  # it crossed our CANCEL
    heard = [await bench.right.receive() for _ in range(3)]
    assert [message.method for message in heard] == ["CANCEL", "ACK", "INVITE"]
    assert heard[2].direction == "sendrecv"
    await bench.right.answer(heard[2], 200, bench.right.sdp(5000, "0 101", "a=sendrecv", 3))
    await bench.right.expect("ACK")
    (call,) = bench.engine.calls()
    assert [leg.direction for leg in call.legs] == ["sendrecv", "sendrecv"]
    await bench.left.hears_nothing(0.1)


@pytest.mark.parametrize("from_left", [True, False])
async def test_a_message_and_its_answer_cross_the_engine(start: Start, from_left: bool) -> None:
    bench = await start()
    asker, dialog, asked, _ = await pair(bench, from_left)
    await dialog.request("MESSAGE", "hello", kind="text/plain")
    message = await asked.expect("MESSAGE")
    assert (message.body, message.get("Content-Type")) == ("hello", "text/plain")
    await asked.answer(message, 202)
    assert (await asker.expect(202)).cseq == "MESSAGE"


async def test_options_inside_a_call_are_answered_here(start: Start) -> None:
    bench = await start()
    ours, _ = await bench.connect()
    await ours.request("OPTIONS")
    answer = await bench.left.expect(200)
    assert {"INVITE", "INFO", "MESSAGE"} <= set(answer.get("Allow").replace(" ", "").split(","))
    await bench.right.hears_nothing(0.1)


@pytest.mark.parametrize(
    "body",
    [
        "m=audio 0 RTP/AVP 0\r\nm=image 4002 udptl t38\r\na=T38FaxVersion:0\r\n",
        "m=audio 0 RTP/AVP 0\r\nm=video 4002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n",
        "m=image 4002 udptl t38\r\n",
    ],
)
async def test_a_change_to_fax_or_video_alone_is_refused_and_the_call_stands(start: Start, body: str) -> None:
    bench = await start()
    ours, _ = await bench.connect()
    await ours.request("INVITE", f"v=0\r\no=left 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n{body}")
    await bench.left.expect(488)
    await ours.request("ACK")
    await bench.right.hears_nothing(0.1)
    await ours.request("BYE")
    await bench.left.expect(200)


async def test_video_beside_audio_is_refused_with_port_0_and_stays_in_its_place(start: Start) -> None:
    bench = await start()
    video = "m=video 4002 RTP/AVP 96\r\na=rtpmap:96 VP8/90000"
    body = bench.left.sdp(4000, "0 101", f"a=sendrecv\r\n{video}")
    ours = await bench.left.call("100", body=body)
    invite = await bench.right.expect("INVITE")
    assert "m=video" not in invite.body
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    lines = [line for line in answer.body.splitlines() if line.startswith("m=")]
    assert [line.split()[0] for line in lines] == ["m=audio", "m=video"]
    assert lines[1].split()[1:3] == ["0", "RTP/AVP"]
    await ours.ack(answer)
    await ours.request("INVITE", bench.left.sdp(4000, "0 101", f"a=sendonly\r\n{video}", 2))
    change = await bench.right.expect("INVITE")
    await bench.right.answer(change, 200, bench.right.sdp(5000, "0 101", "a=recvonly", 2))
    again = await bench.left.expect(200)
    assert [line.split()[1] for line in again.body.splitlines() if line.startswith("m=video")] == ["0"]
