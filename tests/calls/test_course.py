"""The course of calls through a running engine: answered, refused, cancelled, failed over. Peers speak SIP by hand."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

Start = Callable[..., Awaitable[Any]]


async def test_a_call_is_answered_bridged_and_ended_by_the_caller(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100")
    assert (await bench.left.receive()).status == 100
    invite = await bench.right.expect("INVITE")
    assert invite.start == f"INVITE sip:100@127.0.0.1:{bench.right.port} SIP/2.0"
    assert invite.get("Max-Forwards") == "69"
    assert invite.get("Call-ID") != ours.call_id
    await bench.right.answer(invite, 180)
    assert (await bench.left.expect(180)).body == ""
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    assert "m=audio" in answer.body
    assert "PCMU/8000" in answer.body
    assert "PCMA/8000" not in answer.body  # one codec, the far end's
    await ours.ack(answer)
    await ours.request("BYE")
    assert (await bench.left.expect(200)).cseq == "BYE"
    bye = await bench.right.expect("BYE")
    await bench.right.answer(bye, 200)
    record = await bench.record()
    assert (record["cause"], record["status"], record["hung_up_by"], record["billed_s"]) == (
        "normal",
        200,
        "caller",
        60,
    )
    assert [leg["role"] for leg in record["legs"]] == ["originating", "connected"]
    assert [leg["codec"] for leg in record["legs"]] == ["PCMU", "PCMU"]
    kinds = [event["type"] for event in bench.events() if event["call"] == record["id"]]
    assert kinds[0] == "call.started"
    assert kinds[-1] == "call.ended"
    wanted = (
        "leg.started",
        "call.routed",
        "leg.ringing",
        "leg.answered",
        "bridge.started",
        "bridge.ended",
        "leg.ended",
    )
    assert set(wanted) <= set(kinds)


async def test_the_callee_hangs_up_and_its_reason_is_told(start: Start) -> None:
    bench = await start()
    _, theirs = await bench.connect()
    await theirs.request("BYE")
    await bench.right.expect(200)
    bye = await bench.left.expect("BYE")
    assert bye.get("Reason") == "Q.850;cause=16"
    await bench.left.answer(bye, 200)
    assert (await bench.record())["hung_up_by"] == "callee"


@pytest.mark.parametrize(("said", "told"), [(486, 486), (404, 404), (603, 603), (503, 500), (302, 480), (420, 500)])
async def test_refusals_are_mapped_and_carry_their_reason(start: Start, said: int, told: int) -> None:
    bench = await start()
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, said)
    await bench.right.expect("ACK")
    refusal = await bench.left.expect(told)
    assert any(reason.startswith("Q.850;cause=") for reason in refusal.all("Reason"))
    await ours.request("ACK")
    record = await bench.record()
    assert record["status"] == told
    assert record["legs"][1]["status"] == said


async def test_cancel_reaches_the_callee_with_its_reason(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 180)
    await bench.left.expect(180)
    await ours.request("CANCEL", headers='Reason: SIP;cause=200;text="Call completed elsewhere"\r\n')
    answers = {(m.status, m.cseq) for m in (await bench.left.receive(), await bench.left.receive())}
    assert answers == {(200, "CANCEL"), (487, "INVITE")}
    cancel = await bench.right.expect("CANCEL")
    assert cancel.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    await bench.right.answer(cancel, 200)
    await bench.right.answer(invite, 487)
    await bench.right.expect("ACK")
    record = await bench.record()
    assert (record["cause"], record["status"], record["hung_up_by"]) == ("cancelled", 487, "caller")


async def test_a_200_that_crosses_our_cancel_is_acknowledged_and_ended(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 180)
    await bench.left.expect(180)
    await ours.request("CANCEL")
    cancel = await bench.right.expect("CANCEL")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0"))
    await bench.right.answer(cancel, 200)
    heard = [await bench.right.receive(), await bench.right.receive()]
    assert [message.method for message in heard] == ["ACK", "BYE"]
    await bench.right.answer(heard[1], 200)
    assert (await bench.record())["cause"] == "cancelled"


async def test_a_silent_target_makes_room_for_the_next(start: Start) -> None:
    bench = await start(targets='["sip:127.0.0.1:{right}", "sip:127.0.0.1:{spare}"]', try_timeout=0.5)
    ours = await bench.left.call("100")
    first = await bench.right.expect("INVITE")
    second = await bench.spare.expect("INVITE")
    assert first.get("Via") != second.get("Via")  # a new branch
    await bench.spare.answer(second, 200, bench.spare.sdp(5000, "0"))
    await bench.spare.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    await bench.right.answer(first, 200, bench.right.sdp(5002, "0"))  # late: acknowledged and ended
    heard = [await bench.right.expect("INVITE", "ACK") for _ in range(1)]
    while heard[-1].method != "BYE":
        heard.append(await bench.right.receive())
    await bench.right.answer(heard[-1], 200)
    await ours.request("BYE")
    await bench.left.expect(200)
    await bench.spare.answer(await bench.spare.expect("BYE"), 200)
    record = await bench.record()
    assert [leg["status"] for leg in record["legs"]] == [200, 487, 200]


async def test_a_503_moves_to_the_next_target(start: Start) -> None:
    bench = await start(targets='["sip:127.0.0.1:{right}", "sip:127.0.0.1:{spare}"]')
    await bench.left.call("100")
    await bench.right.answer(await bench.right.expect("INVITE"), 503, headers="Retry-After: 10\r\n")
    await bench.spare.answer(await bench.spare.expect("INVITE"), 486)
    assert (await bench.left.expect(486)).get("Retry-After") == ""
    assert [leg["status"] for leg in (await bench.record())["legs"]] == [486, 503, 486]


async def test_a_target_that_only_says_100_is_cancelled(start: Start) -> None:
    bench = await start(targets='["sip:127.0.0.1:{right}", "sip:127.0.0.1:{spare}"]', progress_timeout=0.6)
    await bench.left.call("100")
    await bench.right.answer(await bench.right.expect("INVITE"), 100)
    assert (await bench.right.expect("CANCEL")).method == "CANCEL"
    await bench.spare.answer(await bench.spare.expect("INVITE"), 486)
    await bench.left.expect(486)


async def test_an_unreachable_target_is_noticed_at_once(start: Start) -> None:
    bench = await start(targets='["sip:127.0.0.1:9;transport=tcp", "sip:127.0.0.1:{spare}"]', try_timeout=4)
    await bench.left.call("100")
    await bench.spare.answer(await bench.spare.expect("INVITE", within=2), 486)
    await bench.left.expect(486)


async def test_nobody_answers_and_the_caller_is_told_so(start: Start) -> None:
    bench = await start(timeout=0.5)
    await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 180)
    await bench.left.expect(180)
    await bench.right.expect("CANCEL")
    refusal = await bench.left.expect(480)
    assert refusal.get("Reason") == "Q.850;cause=19"
    assert (await bench.record())["cause"] == "no_answer"


async def test_after_the_ringing_time_the_next_destination_is_tried(start: Start) -> None:
    bench = await start()
    await bench.left.call("200")
    first = await bench.right.expect("INVITE")
    assert "sip:first@" in first.start
    await bench.right.answer(first, 180)
    await bench.right.expect("CANCEL")
    second = await bench.right.expect("INVITE")
    assert "sip:second@" in second.start
    await bench.right.answer(second, 486, tag="other")
    await bench.left.expect(180)
    await bench.left.expect(486)


async def test_early_media_is_described_to_the_caller_once(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"))
    early = await bench.left.expect(183)
    assert early.media_port > 0
    await bench.right.answer(invite, 180)
    assert (await bench.left.expect(180)).body == early.body  # 180 after 183 keeps the early media
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    assert answer.body == early.body
    await ours.ack(answer)


async def test_forks_of_the_callee_are_one_early_dialog_to_the_caller(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0"), tag="one")
    early = await bench.left.expect(183)
    await bench.right.answer(invite, 183, bench.right.sdp(5002, "0"), tag="two", reason="Other")
    await bench.right.answer(invite, 200, bench.right.sdp(5002, "0"), tag="two")
    ack = await bench.right.expect("ACK")
    assert "tag=two" in ack.get("To")
    answer = await bench.left.expect(200)  # a second, equal 183 went before it
    assert (answer.get("To"), answer.body) == (early.get("To"), early.body)
    await ours.ack(answer)
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0"), tag="one")  # the other fork answers, too
    heard = [await bench.right.receive(), await bench.right.receive()]
    assert [(m.method, "tag=one" in m.get("To")) for m in heard] == [("ACK", True), ("BYE", True)]


async def test_a_late_offer_is_answered_in_the_ack(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100", body="")
    invite = await bench.right.expect("INVITE")
    assert "PCMU/8000" in invite.body
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    offer = await bench.left.expect(200)
    assert offer.media_port > 0
    assert "PCMA/8000" not in offer.body
    await ours.ack(offer, bench.left.sdp(4000, "0 101"))
    await asyncio.sleep(0.1)
    (call,) = bench.engine.calls()
    assert call.snapshot()["legs"][0]["codec"] == "PCMU"
    await ours.request("BYE")
    await bench.left.expect(200)


async def test_a_late_offer_without_an_answer_ends_the_call(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100", body="")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    assert (await bench.left.expect("BYE")).method == "BYE"
    assert (await bench.right.expect("BYE")).method == "BYE"
    assert (await bench.record())["cause"] == "no_media_answer"


async def test_an_answer_without_a_common_codec_ends_that_attempt(start: Start) -> None:
    bench = await start()
    await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "18"))
    heard = [await bench.right.receive(), await bench.right.receive()]
    assert [message.method for message in heard] == ["ACK", "BYE"]
    assert (await bench.left.expect(488)).status == 488


async def test_max_duration_ends_the_call(start: Start) -> None:
    bench = await start(max_duration=1)
    await bench.connect()
    assert (await bench.left.expect("BYE")).get("Reason") == "Q.850;cause=102"
    await bench.right.expect("BYE")
    assert (await bench.record())["cause"] == "max_duration"


async def test_an_unacknowledged_answer_is_repeated_and_the_call_stands(start: Start) -> None:
    bench = await start()
    await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0"))
    await bench.right.expect("ACK")
    await bench.left.expect(200)
    data = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(bench.left.socket, 65536), 2)
    assert data.startswith(b"SIP/2.0 200")  # after T1, the same again


async def test_echo_and_reject_destinations(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("9196")
    await ours.ack(await bench.left.expect(200))
    await ours.request("BYE")
    await bench.left.expect(200)
    assert (await bench.record())["route"] == "echo"
    await bench.left.call("603")
    await bench.left.expect(603)


async def test_a_file_is_played_to_its_end(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("9197")
    await ours.ack(await bench.left.expect(200, within=10))
    bye = await bench.left.expect("BYE", within=20)
    await bench.left.answer(bye, 200)
    record = await bench.record()
    assert (record["cause"], record["hung_up_by"]) == ("normal", "engine")
    kinds = [event["type"] for event in bench.events()]
    assert kinds.index("play.started") < kinds.index("play.finished")


async def test_a_call_hung_up_by_command(start: Start) -> None:
    bench = await start()
    await bench.connect()
    (call,) = bench.engine.calls()
    call.hang_up(None, "api")
    await bench.left.answer(await bench.left.expect("BYE"), 200)
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    record = await bench.record()
    assert (record["cause"], record["hung_up_by"]) == ("hung_up", "api")


async def test_the_reason_of_a_bye_crosses_and_is_recorded(start: Start) -> None:
    bench = await start()
    _, theirs = await bench.connect()
    await theirs.request("BYE", headers='Reason: Q.850;cause=31;text="Normal, unspecified"\r\n')
    await bench.right.expect(200)
    bye = await bench.left.expect("BYE")
    assert bye.get("Reason") == "Q.850;cause=31"  # the peer's own words stay on its side
    await bench.left.answer(bye, 200)
    record = await bench.record()
    assert (record["q850"], [leg["q850"] for leg in record["legs"]]) == (31, [31, 31])


async def test_the_reason_of_a_refusal_is_recorded(start: Start) -> None:
    bench = await start()
    await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 480, headers="Reason: Q.850 ;cause=20\r\n")
    assert (await bench.left.expect(480)).get("Reason") == "Q.850;cause=20"
    record = await bench.record()
    assert (record["q850"], record["hung_up_by"], record["legs"][1]["q850"]) == (20, "callee", 20)


async def test_a_call_answered_here_went_out_on_no_trunk(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("33")
    await bench.right.answer(await bench.right.expect("INVITE"), 486)
    await ours.ack(await bench.left.expect(200))
    await ours.request("BYE")
    await bench.left.expect(200)
    record = await bench.record()
    assert (record["trunk_out"], [leg["trunk"] for leg in record["legs"]]) == ("", ["left", "right"])
    ended = [event for event in bench.events() if event["type"] == "leg.ended"]
    assert [event["cause"] for event in ended] == ["normal", "busy"]


async def test_a_lost_fork_and_unknown_progress_are_not_told_as_such(start: Start) -> None:
    bench = await start()
    await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 199, tag="gone")
    await bench.right.answer(invite, 150)
    assert (await bench.left.expect(183, 199)).status == 183
    await bench.right.answer(invite, 486)
    await bench.left.expect(486)
