"""Messages that cross on their way through a running engine: what each side is told, and that one record comes of it.

The same crossings by the table, on a clock of their own: tests/sip/test_crossings.py. REFER and BYE: test_transfer.py.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

Start = Callable[..., Awaitable[Any]]

ABLE = "Supported: 100rel\r\nAllow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE\r\n"
RELIABLY = "Require: 100rel\r\nRSeq: 1\r\nAllow: INVITE, ACK, CANCEL, BYE, PRACK, UPDATE\r\n"


async def over(bench: Any, cause: str = "normal") -> dict[str, Any]:
    """The one record, once nothing is left of the call."""
    record: dict[str, Any] = await bench.record()
    assert record["cause"] == cause
    assert len((await bench.engine.cdrs.page(10))["items"]) == 1
    assert (bench.engine.services.limits.holders(), bench.engine.services.media_owners) == (0, {})
    assert bench.engine.signalling.agent.counts["sessions"] == 0
    return record


async def heard(peer: Any, *wanted: tuple[str, int, str], within: float = 5.0) -> dict[tuple[str, int, str], Any]:
    """Messages in any order: (method, status, method of the CSeq)."""
    found: dict[tuple[str, int, str], Any] = {}
    while set(found) != set(wanted):
        message = await peer.receive(within)
        key = (message.method, message.status, message.cseq)
        assert key in wanted or message.status == 100, message.start
        found.update({key: message} if key in wanted else {})
    return found


async def test_a_request_belongs_to_its_call_by_call_id_and_tags(start: Start) -> None:
    """… not by where it comes from, nor by its Contact; and another tag is another call."""
    bench = await start()
    ours, _ = await bench.connect()
    data = ours.text("BYE")
    assert f";tag={bench.left.name}1" in data
    await bench.left.send(data.replace(f";tag={bench.left.name}1", ";tag=another").replace("z9hG4bK", "z9hG4bKx"))
    assert (await bench.left.expect(481)).cseq == "BYE"
    moved = data.replace(f":{bench.left.port}", f":{bench.spare.port}")
    assert moved != data
    await bench.spare.send(moved)
    assert (await bench.spare.expect(200)).cseq == "BYE"
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    await over(bench)


async def test_bye_and_bye(start: Start) -> None:
    bench = await start()
    ours, theirs = await bench.connect()
    await ours.request("BYE")
    await theirs.request("BYE")  # before it has seen ours
    await bench.left.expect(200)
    found = await heard(bench.right, ("BYE", 0, "BYE"), ("", 200, "BYE"))
    await bench.right.answer(found["BYE", 0, "BYE"], 200)
    assert (await over(bench))["hung_up_by"] == "caller"


async def test_bye_and_bye_that_is_not_known_any_more(start: Start) -> None:
    bench = await start()
    ours, _ = await bench.connect()
    await ours.request("BYE")
    await bench.left.expect(200)
    await bench.right.answer(await bench.right.expect("BYE"), 481)  # to it the call is over
    await over(bench)


async def test_cancel_and_the_200_to_the_caller(start: Start) -> None:
    """The caller's CANCEL comes when the answer is on its way to it: the CANCEL does nothing, its BYE ends the call."""
    bench = await start()
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0"))
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    await ours.request("CANCEL")
    assert (await bench.left.expect(200)).cseq == "CANCEL"
    await ours.ack(answer)
    await ours.request("BYE")
    assert (await bench.left.expect(200)).cseq == "BYE"
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    await over(bench)


async def test_2xx_repeated_after_a_cancel_that_came_too_late(start: Start) -> None:
    """Each is acknowledged, also those after the end; there is one BYE."""
    bench = await start()
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 180)
    await bench.left.expect(180)
    await ours.request("CANCEL")
    cancel = await bench.right.expect("CANCEL")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0"))
    await bench.right.answer(cancel, 200)
    found = await heard(bench.right, ("ACK", 0, "ACK"), ("BYE", 0, "BYE"))
    for is_over in (False, True):
        if is_over:
            await bench.right.answer(found["BYE", 0, "BYE"], 200)
            await bench.record()
        bench.right._known.clear()  # an ACK is repeated octet by octet
        await bench.right.answer(invite, 200, bench.right.sdp(5000, "0"))
        while (again := await bench.right.receive()).method == "BYE":
            assert not is_over  # the first one, which had no answer yet
        assert again.method == "ACK"
    assert (await bench.record())["cause"] == "cancelled"


async def test_reinvite_and_reinvite_and_one_tries_again(start: Start) -> None:
    bench = await start()
    ours, theirs = await bench.connect()
    await ours.request("INVITE", bench.left.sdp(4000, "0 101", "a=sendonly", 2))
    await theirs.request("INVITE", bench.right.sdp(5000, "0 101", "a=inactive", 2))  # before it has seen the other
    found = await heard(bench.right, ("INVITE", 0, "INVITE"), ("", 491, "INVITE"))
    await theirs.request("ACK")
    await bench.right.answer(found["INVITE", 0, "INVITE"], 491)
    await bench.right.expect("ACK")
    await bench.left.expect(491)
    await ours.request("ACK")
    await theirs.request("INVITE", bench.right.sdp(5000, "0 101", "a=inactive", 2))  # 0 to 2 s later (RFC 3261 14.1)
    change = await bench.left.expect("INVITE")
    assert change.direction == "inactive"
    await bench.left.answer(change, 200, bench.left.sdp(4000, "0 101", "a=inactive", 3))
    await bench.left.expect("ACK")
    await theirs.ack(await bench.right.expect(200))
    await ours.request("BYE")
    await bench.left.expect(200)
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    await over(bench)


@pytest.mark.parametrize("from_left", [True, False])
async def test_reinvite_and_bye_of_the_same_side(start: Start, from_left: bool) -> None:
    """Who asks for a change hangs up before it is decided."""
    bench = await start()
    ours, theirs = await bench.connect()
    asker, dialog, asked = (bench.left, ours, bench.right) if from_left else (bench.right, theirs, bench.left)
    await dialog.request("INVITE", asker.sdp(4000, "0 101", "a=sendonly", 2))
    change = await asked.expect("INVITE")
    invite_cseq = dialog.invite_cseq
    await dialog.request("BYE")
    found = await heard(asker, ("", 487, "INVITE"), ("", 200, "BYE"))
    assert found["", 487, "INVITE"].get("CSeq") == f"{invite_cseq} INVITE"
    await dialog.request("ACK")
    while (message := await asked.receive()).method != "BYE":
        assert message.method == "CANCEL"
        await asked.answer(message, 200)
    await asked.answer(message, 200)
    await asked.answer(change, 487)
    record = await over(bench)
    assert record["hung_up_by"] == ("caller" if from_left else "callee")


async def test_reinvite_and_bye_of_the_side_that_is_asked(start: Start) -> None:
    bench = await start()
    ours, theirs = await bench.connect()
    await theirs.request("BYE")  # before it has seen the change
    await ours.request("INVITE", bench.left.sdp(4000, "0 101", "a=sendonly", 2))
    bye = (await heard(bench.left, ("BYE", 0, "BYE"), ("", 481, "INVITE")))["BYE", 0, "BYE"]
    await ours.request("ACK")
    await bench.left.answer(bye, 200)
    await bench.right.expect(200)
    await over(bench)


async def test_update_and_bye(start: Start) -> None:
    bench = await start()
    ours = await bench.left.call("100", headers=ABLE)
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(5000, "0 101"), headers=ABLE)
    await bench.right.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    theirs = bench.right.dialog_of(invite)
    await ours.request("UPDATE", bench.left.sdp(4000, "0 101", "a=sendonly", 2))
    update = await bench.right.expect("UPDATE")
    await theirs.request("BYE")
    await bench.right.expect(200)
    found = await heard(bench.left, ("BYE", 0, "BYE"), ("", 487, "UPDATE"))
    await bench.left.answer(found["BYE", 0, "BYE"], 200)
    await bench.right.answer(update, 481)
    await over(bench)


async def test_update_and_prack(start: Start) -> None:
    """The caller's UPDATE overtakes its PRACK: both are answered, and the change reaches the other side."""
    bench = await start()
    ours = await bench.left.call("100", headers=ABLE)
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 183, bench.right.sdp(5000, "0 101"), headers=RELIABLY)
    await bench.right.answer(await bench.right.expect("PRACK"), 200)
    early = await bench.left.expect(183)
    ours.learn(early)
    prack = ours.text("PRACK", headers=f"RAck: {early.get('RSeq')} {ours.invite_cseq} INVITE\r\n")
    await ours.request("UPDATE", bench.left.sdp(4000, "0 101", "a=sendonly", 2))
    update = await bench.right.expect("UPDATE")
    await bench.left.send(prack)
    assert (await bench.left.expect(200)).cseq == "PRACK"
    await bench.right.answer(update, 200, bench.right.sdp(5000, "0 101", "a=recvonly", 2))
    assert (await bench.left.expect(200)).direction == "recvonly"
    await bench.right.answer(invite, 200)
    await bench.right.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    await ours.request("BYE")
    await bench.left.expect(200)
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    await over(bench)


async def test_a_late_200_after_the_next_target_was_tried(start: Start) -> None:
    """The first target answers when the second has been asked: it is acknowledged and hung up, the second stands."""
    bench = await start(targets='["sip:127.0.0.1:{right}", "sip:127.0.0.1:{spare}"]', progress_timeout=0.4)
    ours = await bench.left.call("100")
    first = await bench.right.expect("INVITE")
    await bench.right.answer(first, 100)
    cancel = await bench.right.expect("CANCEL")
    second = await bench.spare.expect("INVITE")
    await bench.right.answer(first, 200, bench.right.sdp(5000, "0"))
    await bench.right.answer(cancel, 200)
    found = await heard(bench.right, ("ACK", 0, "ACK"), ("BYE", 0, "BYE"))
    await bench.right.answer(found["BYE", 0, "BYE"], 200)
    await bench.spare.answer(second, 200, bench.spare.sdp(5000, "0"))
    await bench.spare.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    await asyncio.sleep(0)
    await ours.request("BYE")
    await bench.left.expect(200)
    await bench.spare.answer(await bench.spare.expect("BYE"), 200)
    record = await over(bench)
    assert [leg["status"] for leg in record["legs"]] == [200, 487, 200]
