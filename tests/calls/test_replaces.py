"""Attended transfer, and INVITEs with Replaces: dialogs are named by whoever knows them, and found on either side."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from tests.calls.test_transfer import Notified, Start, assert_nothing_left, begin, hang_up, kinds, take

__all__ = ["begin"]


def tag_of(value: str) -> str:
    return value.partition("tag=")[2].split(";")[0]


def named(dialog: Any) -> str:
    """Its dialog as the other end of it, which is us, has it."""
    return f"{dialog.call_id};to-tag={tag_of(dialog.remote)};from-tag={tag_of(dialog.local)}"


def seen_there(dialog: Any) -> str:
    """The same as it has it itself."""
    return f"{dialog.call_id};to-tag={tag_of(dialog.local)};from-tag={tag_of(dialog.remote)}"


async def consult(bench: Any, caller: Any = None, number: str = "700") -> tuple[Any, Any]:
    """A second call of `right`, to `spare`: both dialogs."""
    caller = caller or bench.right
    ours = await caller.call(number)
    theirs = await take(bench.spare)
    await ours.ack(await caller.expect(200))
    return ours, theirs


async def refer_to(dialog: Any, replaces: str, number: str = "700") -> None:
    port = dialog.peer.engine[1]
    target = f"<sip:{number}@127.0.0.1:{port}?Replaces={quote(replaces, safe='')}>"
    await dialog.request("REFER", headers=f"Refer-To: {target}\r\n")


async def accepted(dialog: Any) -> Notified:
    await dialog.peer.expect(202)
    told = Notified(dialog)
    assert await told.next() == 100
    return told


async def collect(peer: Any, count: int) -> list[Any]:
    """So many requests, answered."""
    found = []
    while len(found) < count:
        message = await peer.receive()
        if message.method:
            found.append(message)
            await peer.answer(message, 200)
    return found


async def records(bench: Any) -> dict[str, dict[str, Any]]:
    """The records of all calls, once they are over."""
    await bench.record()
    await bench.engine.cdrs.flush()
    return {one["id"]: one for one in (await bench.engine.cdrs.page(10))["items"]}


@pytest.mark.parametrize("seen", [named, seen_there])
async def test_two_calls_become_one(begin: Start, seen: Callable[[Any], str]) -> None:
    """`right` has spoken with `spare` and leaves: `left` and `spare` go on, in the call that was there first."""
    bench = await begin()
    left, right = await bench.connect("100")
    asked, target = await consult(bench)
    first, second = bench.engine.calls()
    await refer_to(right, named(asked) if seen is named else seen_there(target))
    await bench.right.expect(202)
    heard = await collect(bench.right, 4)
    assert sorted(m.method for m in heard) == ["BYE", "BYE", "NOTIFY", "NOTIFY"]
    assert [m.body[:11] for m in heard if m.method == "NOTIFY"] == ["SIP/2.0 100", "SIP/2.0 200"]
    assert {leg.sip_call_id for leg in first.join.legs} == {left.call_id, target.call_id}
    await hang_up(left, target)
    items = await records(bench)
    assert [items[one.id]["cause"] for one in (first, second)] == ["normal", "transferred"]
    assert (items[second.id]["linked"], items[second.id]["parent"]) == (first.id, first.id)
    assert [leg["trunk"] for leg in items[first.id]["legs"]] == ["left", "right", "spare"]
    (event,) = [e for e in bench.events() if e["type"] == "call.transferred"]
    assert (event["call"], event["other"], event["by"]) == (first.id, second.id, "callee")
    assert_nothing_left(bench)


async def test_the_target_rings_yet(begin: Start) -> None:
    """`right` does not wait for the answer: what rings for it rings for `left` now."""
    bench = await begin()
    left, right = await bench.connect("100")
    asked = await bench.right.call("700")
    invite = await bench.spare.expect("INVITE")
    await bench.spare.answer(invite, 180)
    asked.learn(await bench.right.expect(180))
    first, second = bench.engine.calls()
    await refer_to(right, named(asked))
    said = [await bench.right.receive() for _ in range(3)]
    assert sorted((m.method or m.status, m.cseq) for m in said if m.status) == [(202, "REFER"), (487, "INVITE")]
    await asked.request("ACK")
    for message in said:
        if message.method == "NOTIFY":
            await bench.right.answer(message, 200)
    told = Notified(right)
    assert await told.next() == 180
    await bench.spare.answer(invite, 200, bench.spare.sdp(6000, "0 101"))
    await bench.spare.expect("ACK")
    assert await told.next() == 200
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    await hang_up(left, bench.spare.dialog_of(invite))
    items = await records(bench)
    assert [items[one.id]["cause"] for one in (first, second)] == ["normal", "transferred"]
    assert_nothing_left(bench)


async def test_what_was_called_is_busy_after_all(begin: Start) -> None:
    bench = await begin()
    left, right = await bench.connect("100")
    asked = await bench.right.call("700")
    invite = await bench.spare.expect("INVITE")
    await bench.spare.answer(invite, 180)
    asked.learn(await bench.right.expect(180))
    await refer_to(right, named(asked))
    said = [await bench.right.receive() for _ in range(3)]
    await asked.request("ACK")
    for message in said:
        if message.method == "NOTIFY":
            await bench.right.answer(message, 200)
    await bench.spare.answer(invite, 486)
    await bench.spare.expect("ACK")
    told = Notified(right)
    await told.until(486)
    await hang_up(left, right)
    await bench.record()
    assert kinds(bench).count("call.transfer_failed") == 1
    assert_nothing_left(bench)


async def test_a_dialog_that_is_not_ours_is_asked_of_its_own_side_only(begin: Start) -> None:
    bench = await begin()
    left, right = await bench.connect("100")
    await refer_to(right, "x@pbx;to-tag=1;from-tag=2")
    await bench.right.expect(404)  # to `spare`, whom that cannot mean
    await refer_to(left, "x@pbx;to-tag=1;from-tag=2", "100")
    await bench.left.expect(404)
    await hang_up(left, right)


async def test_replaces_goes_back_to_the_side_that_knows_the_dialog(begin: Start) -> None:
    bench = await begin()
    left, right = await bench.connect("100")
    await refer_to(right, "x@pbx;to-tag=1;from-tag=2", "500")
    told = await accepted(right)
    invite = await bench.right.expect("INVITE")
    assert invite.get("Replaces") == "x@pbx;to-tag=1;from-tag=2"
    await bench.right.answer(invite, 200, bench.right.sdp(5100, "0 101"), tag="third")
    third = bench.right.dialog_of(invite, "third")
    heard = [await bench.right.receive() for _ in range(3)]
    for message in heard:
        if message.method in {"NOTIFY", "BYE"}:
            await bench.right.answer(message, 200)
    assert {m.method for m in heard} == {"ACK", "NOTIFY", "BYE"}
    assert told.said == [100]
    await hang_up(left, third)
    await bench.record()
    assert_nothing_left(bench)


# ---- INVITE with Replaces ----


async def replace(peer: Any, value: str, number: str = "700", body: str | None = None) -> Any:
    return await peer.call(number, body, headers=f"Replaces: {value}\r\nRequire: replaces\r\n")


async def test_somebody_takes_over_a_place(begin: Start) -> None:
    bench = await begin()
    left, right = await bench.connect("100")
    ours = await replace(bench.left, named(right))
    bye = await bench.right.expect("BYE")
    await bench.right.answer(bye, 200)
    await ours.ack(await bench.left.expect(200))
    (call,) = bench.engine.calls()
    assert {leg.sip_call_id for leg in call.join.legs} == {left.call_id, ours.call_id}
    await ours.request("BYE")
    for message in [await bench.left.receive() for _ in range(2)]:
        if message.method == "BYE":
            await bench.left.answer(message, 200)
    record = await bench.record()
    assert (record["cause"], len(record["legs"])) == ("normal", 3)
    assert_nothing_left(bench)


async def test_a_ringing_call_is_picked_up(begin: Start) -> None:
    bench = await begin()
    ours = await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 180)
    await bench.left.expect(180)
    ringing = bench.right.dialog_of(invite)
    picked = await replace(bench.right, named(ringing) + ";early-only", "700")
    heard = [await bench.right.receive() for _ in range(3)]
    answered = next(m for m in heard if m.status == 200)
    await bench.right.answer(next(m for m in heard if m.method == "CANCEL"), 200)
    await bench.right.answer(invite, 487)
    await picked.ack(answered)
    await ours.ack(await bench.left.expect(200))
    await bench.right.expect("ACK")
    await hang_up(ours, picked)
    record = await bench.record()
    assert record["cause"] == "normal"
    assert_nothing_left(bench)


async def test_verdicts(begin: Start) -> None:
    bench = await begin()
    left, right = await bench.connect("100")
    for value, status in (
        ("x@y;to-tag=1;from-tag=2", 481),
        (named(right) + ";early-only", 486),
        (named(left).replace("from-tag=", "from-tag=x"), 481),
    ):
        ours = await replace(bench.left, value)
        await bench.left.expect(status)
        await ours.request("ACK")
    await hang_up(left, right)
    await bench.record()
    assert_nothing_left(bench)


async def test_only_sides_that_may_transfer_take_places(begin: Start) -> None:
    bench = await begin(left_transfer="refuse")
    left, right = await bench.connect("100")
    ours = await replace(bench.left, named(right))
    await bench.left.expect(403)
    await ours.request("ACK")
    await hang_up(left, right)
    await bench.record()
    assert_nothing_left(bench)


async def test_a_late_offer_takes_over(begin: Start) -> None:
    bench = await begin()
    left, right = await bench.connect("100")
    ours = await replace(bench.left, named(right), body="")
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    answer = await bench.left.expect(200)
    assert answer.media_port
    await ours.ack(answer, bench.left.sdp(4100, "0 101"))
    (call,) = bench.engine.calls()
    assert {leg.sip_call_id for leg in call.join.legs} == {left.call_id, ours.call_id}
