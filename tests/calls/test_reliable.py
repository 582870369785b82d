"""100rel per leg (RFC 3262): each side has what it knows, offers and answers travel where the RFC lets them."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

Start = Callable[..., Awaitable[Any]]

ABLE = "Supported: 100rel\r\nAllow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE\r\n"
REQUIRED = "Require: 100rel\r\nAllow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE\r\n"


def reliably(rseq: int) -> str:
    return f"Require: 100rel\r\nRSeq: {rseq}\r\nAllow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE\r\n"


async def prack(dialog: Any, response: Any, body: str = "") -> Any:
    """Acknowledge a reliable 18x of the engine; its 200 to the PRACK."""
    dialog.learn(response)
    cseq = response.get("CSeq").split()[0]
    await dialog.request("PRACK", body, f"RAck: {response.get('RSeq')} {cseq} INVITE\r\n")
    answer = await dialog.peer.expect(200)
    assert answer.cseq == "PRACK"
    return answer


async def pracked(peer: Any, rseq: int) -> Any:
    """The engine's PRACK of our reliable 18x, answered."""
    found = await peer.expect("PRACK")
    assert found.get("RAck").split()[0] == str(rseq)
    await peer.answer(found, 200)
    return found


@pytest.mark.parametrize("asks", [ABLE, REQUIRED])
async def test_the_caller_s_side_alone_is_reliable(start: Start, asks: str) -> None:
    """The answer goes once, in the 18x that is acknowledged; the 200 waits for that, and says nothing more."""
    bench = await start()
    ours = await bench.left.call("100", headers=asks)
    invite = await bench.right.expect("INVITE")
    assert "100rel" in invite.get("Supported")
    assert invite.get("Require") == ""
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"))
    early = await bench.left.expect(183)
    assert (early.get("Require"), early.media_port > 0) == ("100rel", True)
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    await bench.left.hears_nothing(0.2)
    assert (await prack(ours, early)).body == ""
    answer = await bench.left.expect(200)
    assert (answer.cseq, answer.body) == ("INVITE", "")
    await ours.ack(answer)
    (call,) = bench.engine.calls()
    assert call.join.legs == (call.caller, call.callee)
    await ours.request("BYE")
    await bench.left.expect(200)


async def test_the_callee_s_side_alone_is_reliable(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"), headers=reliably(7))
    await pracked(bench.right, 7)
    early = await bench.left.expect(183)
    assert (early.get("Require"), early.get("RSeq"), early.media_port > 0) == ("", "", True)
    await bench.right.answer(invite, 200)  # described before: RFC 3261 13.2.1
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    assert answer.body == early.body
    await ours.ack(answer)
    (call,) = bench.engine.calls()
    assert call.callee.rtp.remote.port == 5000


async def test_each_side_has_its_own_numbers(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100", headers=ABLE)
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"), headers=reliably(1000))
    await pracked(bench.right, 1000)
    early = await bench.left.expect(183)
    assert early.get("RSeq") not in {"", "1000"}
    await prack(ours, early)
    await bench.right.answer(invite, 180, headers=reliably(1001))
    await pracked(bench.right, 1001)
    ringing = await bench.left.expect(180)
    assert (ringing.body, ringing.get("Require")) == ("", "")  # nothing in it that has to arrive
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    await ours.ack(await bench.left.expect(200))


@pytest.mark.parametrize(("policy", "supported", "required"), [("off", False, ""), ("required", True, "100rel")])
async def test_a_trunk_s_policy(start: Start, policy: str, supported: bool, required: str) -> None:
    bench = await start(left_keys=f'reliable = "{policy}"', right_keys=f'reliable = "{policy}"')
    await bench.left.call("100", headers=ABLE)
    invite = await bench.right.expect("INVITE")
    assert ("100rel" in invite.get("Supported"), invite.get("Require")) == (supported, required)
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"))
    early = await bench.left.expect(183)
    assert early.get("Require") == ("" if policy == "off" else "100rel")
    assert ("100rel" in early.get("Supported")) == supported


async def test_a_late_offer_is_made_in_a_reliable_18x(start: Start) -> None:
    """The caller hears early media although it sent no offer: ours is in the 183, its answer in the PRACK."""
    bench = await start()
    ours = await bench.left.call("100", body="", headers=ABLE)
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"))
    offer = await bench.left.expect(183)
    assert ("PCMU/8000" in offer.body, "PCMA/8000" in offer.body) == (True, False)
    (call,) = bench.engine.calls()
    assert call.join is None
    await prack(ours, offer, bench.left.sdp(4000, "0 101"))
    assert call.join.legs == (call.caller, call.dialled[0])
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    assert (answer.cseq, answer.body) == ("INVITE", "")
    await ours.ack(answer)
    assert call.snapshot()["legs"][0]["codec"] == "PCMU"
    await ours.request("BYE")
    await bench.left.expect(200)
    assert (await bench.record())["cause"] == "normal"


async def test_the_answer_overtakes_the_prack_of_a_late_offer(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100", body="", headers=ABLE)
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"))
    offer = await bench.left.expect(183)
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    await prack(ours, offer, bench.left.sdp(4000, "0 101"))
    answer = await bench.left.expect(200)
    assert (answer.cseq, answer.body) == ("INVITE", "")
    await ours.ack(answer)
    (call,) = bench.engine.calls()
    assert (call.join.legs, call.caller.rtp.remote.port) == ((call.caller, call.callee), 4000)


async def test_a_trunk_that_wants_to_offer_does_so_in_a_reliable_18x(start: Start) -> None:
    """Both sides offer late and reliably: their offer, our PRACK; our offer, their PRACK (RFC 3262 5)."""
    bench = await start(right_keys='offer = "late"')
    ours = await bench.left.call("100", body="", headers=ABLE)
    invite = await bench.right.expect("INVITE")
    assert invite.body == ""
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "8 0 101"), headers=reliably(3))
    answered = await pracked(bench.right, 3)
    assert ("PCMU/8000" in answered.body, "PCMA/8000" in answered.body) == (True, False)
    offer = await bench.left.expect(183)
    await prack(ours, offer, bench.left.sdp(4000, "0 101"))
    await bench.right.answer(invite, 200)
    ack = await bench.right.expect("ACK")
    assert ack.body == ""
    await ours.ack(await bench.left.expect(200))
    (call,) = bench.engine.calls()
    assert [leg.agreement.audio.name for leg in (call.caller, call.callee)] == ["PCMU", "PCMU"]


async def test_a_prack_without_the_answer_ends_the_call(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100", body="", headers=ABLE)
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"))
    offer = await bench.left.expect(183)
    await prack(ours, offer)
    await bench.left.expect(487)
    await bench.right.expect("CANCEL")
    assert (await bench.record())["cause"] == "no_media_answer"


async def test_an_offer_in_a_prack_is_answered(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100", headers=ABLE)
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"))
    early = await bench.left.expect(183)
    answer = await prack(ours, early, bench.left.sdp(4444, "0 101", version=2))
    assert "PCMU/8000" in answer.body
    (call,) = bench.engine.calls()
    assert call.caller.rtp.remote.port == 4444
    await bench.right.hears_nothing(0.1)
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    await ours.ack(await bench.left.expect(200))


async def test_a_caller_that_gives_up_while_its_200_is_held_back(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100", headers=ABLE)
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"))
    early = await bench.left.expect(183)
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    ours.remote = early.get("To").partition(";tag")[0]
    await ours.request("CANCEL")
    heard = {(m.status, m.cseq) for m in [await bench.left.receive(), await bench.left.receive()]}
    assert heard == {(200, "CANCEL"), (487, "INVITE")}
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    record = await bench.record()
    assert (record["cause"], record["status"], record["answered"], record["billed_s"]) == ("cancelled", 487, None, 0)


async def test_a_caller_that_never_acknowledges_is_refused(start: Start) -> None:
    from santral.sip.ua.deadlines import Timers  # noqa: PLC0415

    bench = await start()
    agent = bench.engine.signalling.agent
    agent._core.timers = agent._runner._timers = Timers(t1=0.02, t2=0.05, t4=0.05, d=0.5)  # 64*T1: 1.3 s
    await bench.left.call("100", headers=ABLE)
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"))
    await bench.left.expect(183)
    assert (await bench.left.expect(504)).cseq == "INVITE"
    await bench.right.expect("CANCEL")
    assert (await bench.record())["cause"] == "no_prack"


async def test_an_early_update_crosses_where_the_other_side_can_be_asked(start: Start) -> None:
    """Hold before the answer (RFC 3311): by UPDATE on both sides, once both dialogs have settled reliably."""
    bench = await start()
    ours = await bench.left.call("100", headers=ABLE)
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"), headers=reliably(1))
    await pracked(bench.right, 1)
    await prack(ours, await bench.left.expect(183))
    await ours.request("UPDATE", bench.left.sdp(4000, "0 101", "a=sendonly", 2))
    update = await bench.right.expect("UPDATE")
    assert update.direction == "sendonly"
    await bench.right.answer(update, 200, bench.right.sdp(5000, "0 101", "a=recvonly", 2))
    answer = await bench.left.expect(200)
    assert (answer.cseq, answer.direction) == ("UPDATE", "recvonly")
    await bench.right.answer(invite, 200)
    await bench.right.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    (call,) = bench.engine.calls()
    assert call.callee.effective == "sendonly"
    await bench.right.hears_nothing(0.1)


async def test_an_early_update_is_answered_here_where_the_other_side_cannot_be_asked(start: Start) -> None:
    """… and the callee is told as soon as it has answered."""
    bench = await start()
    ours = await bench.left.call("100", headers=ABLE)
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"))
    await prack(ours, await bench.left.expect(183))
    await ours.request("UPDATE", bench.left.sdp(4000, "0 101", "a=inactive", 2))
    answer = await bench.left.expect(200)
    assert (answer.cseq, answer.direction) == ("UPDATE", "inactive")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"))
    heard = [await bench.right.receive(), await bench.right.receive()]
    assert [message.method for message in heard] == ["ACK", "INVITE"]
    assert heard[1].direction == "inactive"
    await bench.right.answer(heard[1], 200, bench.right.sdp(5000, "0 101", "a=inactive", 2))
    await bench.right.expect("ACK")


async def test_the_winner_s_codec_reaches_the_caller_by_update(start: Start) -> None:
    """Rule 14: the fork that is heard has another codec than the answer upstream: UPDATE, before the 200."""
    bench = await start()
    ours = await bench.left.call("100", headers=ABLE)
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0"), tag="one")
    early = await bench.left.expect(183)
    await prack(ours, early)
    await bench.right.answer(invite, 183, bench.right.sdp(5002, "8"), tag="two", reason="Other")
    update = await bench.left.expect("UPDATE", 183)
    if update.status == 183:
        update = await bench.left.expect("UPDATE")
    assert ("PCMA/8000" in update.body, "PCMU/8000" in update.body) == (True, False)
    await bench.left.answer(update, 200, bench.left.sdp(4000, "8", version=2))
    await bench.right.answer(invite, 200, bench.right.sdp(5002, "8"), tag="two")
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200, 183)
    while answer.status != 200:
        answer = await bench.left.expect(200, 183)
    assert answer.body == ""
    await ours.ack(answer)
    (call,) = bench.engine.calls()
    assert {leg.agreement.audio.name for leg in (call.caller, call.callee)} == {"PCMA"}
    await bench.left.hears_nothing(0.1)


@pytest.mark.parametrize("allows", [True, False])
async def test_an_update_in_the_call_crosses_as_the_other_side_allows(start: Start, allows: bool) -> None:
    bench = await start()
    ours = await bench.left.call("100", headers=ABLE)
    invite = await bench.right.expect("INVITE")
    allow = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\r\n" if allows else ""
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"), headers=allow)
    await bench.right.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    await ours.request("UPDATE", bench.left.sdp(4000, "0 101", "a=sendonly", 2))
    change = await bench.right.expect("UPDATE" if allows else "INVITE")
    assert change.direction == "sendonly"
    await bench.right.answer(change, 200, bench.right.sdp(5000, "0 101", "a=recvonly", 2))
    if not allows:
        await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    assert (answer.cseq, answer.direction) == ("UPDATE", "recvonly")


async def test_an_update_that_is_not_known_after_all_becomes_a_reinvite(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100", headers=ABLE)
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"), headers="Allow: INVITE, ACK, BYE, UPDATE\r\n")
    await bench.right.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    await ours.request("UPDATE", bench.left.sdp(4000, "0 101", "a=sendonly", 2))
    await bench.right.answer(await bench.right.expect("UPDATE"), 405)
    assert (await bench.left.expect(491)).cseq == "UPDATE"  # to be tried again, by then we know better
    await ours.request("UPDATE", bench.left.sdp(4000, "0 101", "a=sendonly", 2))
    change = await bench.right.expect("INVITE")
    await bench.right.answer(change, 200, bench.right.sdp(5000, "0 101", "a=recvonly", 2))
    await bench.right.expect("ACK")
    assert (await bench.left.expect(200)).direction == "recvonly"


async def test_an_update_without_a_body_is_answered_here(start: Start) -> None:
    bench = await start()
    ours, theirs = await bench.connect()
    for dialog, peer, other in ((ours, bench.left, bench.right), (theirs, bench.right, bench.left)):
        await dialog.request("UPDATE")
        assert (await peer.expect(200)).cseq == "UPDATE"
        await other.hears_nothing(0.05)


async def test_what_met_another_change_is_asked_for_again(start: Start) -> None:
    """Our own change is refused with 491: it comes again by itself (RFC 3261 14.1)."""
    bench = await start()
    ours, _ = await bench.connect()
    await ours.request("INVITE")
    offer = await bench.left.expect(200)
    await ours.ack(offer, bench.left.sdp(4000, "0 101", "a=inactive", 2))
    change = await bench.right.expect("INVITE")
    assert change.direction == "inactive"
    await bench.right.answer(change, 491)
    await bench.right.expect("ACK")
    again = await bench.right.expect("INVITE", within=6)
    assert again.direction == "inactive"
    await bench.right.answer(again, 200, bench.right.sdp(5000, "0 101", "a=inactive", 2))
    await bench.right.expect("ACK")
