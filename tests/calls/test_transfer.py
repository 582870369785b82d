"""Blind transfer by REFER: carried out here, as the party that asks for it, whatever goes wrong meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

Start = Callable[..., Awaitable[Any]]

CONFIG = """
[engine]
node = "test"
data_dir = "{folder}/data"
[sip]
listen = ["udp:127.0.0.1:0"]
domain = "santral.example"
{sip}
[rtp]
ports = "0"
[[tenant]]
name = "acme"
domain = "acme.example"
[[tenant]]
name = "globex"
[[trunk]]
name = "left"
tenant = "acme"
targets = ["sip:127.0.0.1:{left}"]
accept_from = [{left_from}]
transfer = "{left_transfer}"
codecs = ["pcmu", "pcma"]
[[trunk]]
name = "right"
tenant = "acme"
targets = {targets}
accept_from = [{right_from}]
transfer = "{right_transfer}"
codecs = ["pcmu", "pcma"]
{right_keys}
[[trunk]]
name = "spare"
tenant = "acme"
targets = ["sip:127.0.0.1:{spare}"]
codecs = ["pcmu", "pcma"]
{spare_keys}
[[route]]
name = "over"
from_trunk = "left"
called = "1\\\\d+"
destinations = [{{ trunk = "right" }}]
[[route]]
name = "left_to_spare"
from_trunk = "left"
called = "7\\\\d+"
destinations = [{{ trunk = "spare" }}]
[[route]]
name = "echo"
from_trunk = "right"
called = "9196"
destinations = [{{ echo = true }}]
[[route]]
name = "ring_short"
from_trunk = "right"
called = "701"
destinations = [{{ trunk = "spare", timeout = 1 }}]
[[route]]
name = "right_to_right"
from_trunk = "right"
called = "5\\\\d+"
destinations = [{{ trunk = "right" }}]
[[route]]
name = "right_to_spare"
from_trunk = "right"
called = "7\\\\d+"
destinations = [{{ trunk = "spare" }}]
[[route]]
name = "left_echo"
from_trunk = "left"
called = "9196"
destinations = [{{ echo = true }}]
{routes}
[[route]]
name = "elsewhere"
tenant = "globex"
called = "8\\\\d+"
destinations = [{{ echo = true }}]
"""


@pytest.fixture
def begin(start: Start) -> Start:
    async def made(**changes: Any) -> Any:
        values = {
            "config": CONFIG,
            "left_transfer": "local",
            "right_transfer": "local",
            "spare_keys": "",
            "sip": "",
            "routes": "",
        }
        values |= changes
        values["routes"] = values["routes"].replace("{{", "{").replace("}}", "}").replace("\\\\", "\\\\")
        bench = await start(**values)
        bench.spare.name = "spare"
        return bench

    return made


class Notified:
    """What a transferor is told."""

    def __init__(self, dialog: Any) -> None:
        self.dialog, self.said = dialog, []

    async def next(self) -> int:
        """The status of the next NOTIFY, answered."""
        notify = await self.dialog.peer.expect("NOTIFY")
        await self.dialog.peer.answer(notify, 200)
        assert notify.get("Event").startswith("refer")
        assert notify.get("Content-Type").startswith("message/sipfrag")
        self.state = notify.get("Subscription-State")
        status = int(notify.body.split()[1])
        self.said.append(status)
        return status

    async def until(self, wanted: int) -> None:
        while await self.next() != wanted:
            pass


def refer_to(number: str, port: int) -> str:
    return f"Refer-To: <sip:{number}@127.0.0.1:{port}>\r\n"


async def refer(dialog: Any, number: str, headers: str = "") -> Notified:
    """REFER in this dialog, taken; the next NOTIFYs are its reports."""
    await dialog.request("REFER", headers=refer_to(number, dialog.peer.engine[1]) + headers)
    await dialog.peer.expect(202)
    told = Notified(dialog)
    assert await told.next() == 100
    return told


async def refuse(dialog: Any, number: str, status: int) -> None:
    await dialog.request("REFER", headers=refer_to(number, dialog.peer.engine[1]))
    await dialog.peer.expect(status)


async def take(peer: Any, port: int = 6000) -> Any:
    """The target answers; its dialog."""
    invite = await peer.expect("INVITE")
    await peer.answer(invite, 200, peer.sdp(port, "0 101"))
    await peer.expect("ACK")
    return peer.dialog_of(invite)


async def hang_up(dialog: Any, *others: Any) -> None:
    await dialog.request("BYE")
    await dialog.peer.expect(200)
    for other in others:
        await other.peer.answer(await other.peer.expect("BYE"), 200)


def kinds(bench: Any) -> list[str]:
    return [e["type"] for e in bench.events() if e["type"].startswith(("call.", "bridge."))]


def assert_nothing_left(bench: Any) -> None:
    services = bench.engine.services
    assert (services.limits.holders(), services.limits.calls(), services.media_owners) == (0, 0, {})
    assert not bench.engine.signalling.agent.counts["subscriptions"]


@pytest.mark.parametrize("by", ["caller", "callee"])
async def test_a_party_sends_the_other_one_elsewhere(begin: Start, by: str) -> None:
    bench = await begin()
    left, right = await bench.connect("100")
    leaver, stays = (left, right) if by == "caller" else (right, left)
    (call,) = bench.engine.calls()
    told = await refer(leaver, "700")
    invite = await bench.spare.expect("INVITE")
    assert invite.start.startswith("INVITE sip:700@")
    assert ("sip:100@" if by == "caller" else "sip:2001@") in invite.get("From")
    await bench.spare.answer(invite, 180)
    assert await told.next() == 180
    await bench.spare.answer(invite, 200, bench.spare.sdp(6000, "0 101"))
    await bench.spare.expect("ACK")
    target = bench.spare.dialog_of(invite)
    assert await told.next() == 200
    assert told.state.startswith("terminated")
    bye = await leaver.peer.expect("BYE")
    assert bye.get("Reason") == "Q.850;cause=16"
    await leaver.peer.answer(bye, 200)
    assert {leg.sip_call_id for leg in call.join.legs} == {stays.call_id, target.call_id}
    await hang_up(stays, target)
    record = await bench.record()
    assert (record["cause"], record["trunk_out"]) == ("normal", "spare")
    assert [leg["trunk"] for leg in record["legs"]] == ["left", "right", "spare"]
    left_leg, right_leg, _ = record["legs"]
    gone, stayed = (left_leg, right_leg) if by == "caller" else (right_leg, left_leg)
    assert gone["ended"] <= stayed["ended"]
    assert kinds(bench) == [
        "call.started", "call.routed", "bridge.started", "call.routed", "call.transferred", "bridge.ended",
        "bridge.started", "bridge.ended", "call.ended",
    ]  # fmt: skip
    (event,) = [e for e in bench.events() if e["type"] == "call.transferred"]
    assert (event["target"], event["by"], event["other"]) == ("700", by, None)
    assert_nothing_left(bench)


@pytest.mark.parametrize("status", [486, 404, 603, 503])
async def test_a_transfer_that_fails_changes_nothing(begin: Start, status: int) -> None:
    bench = await begin()
    left, right = await bench.connect("100")
    told = await refer(right, "700")
    invite = await bench.spare.expect("INVITE")
    await bench.spare.answer(invite, status)
    await bench.spare.expect("ACK")
    assert await told.next() == (status if status != 503 else 500)
    assert told.state.startswith("terminated")
    (call,) = bench.engine.calls()
    assert (call.state.value, len(call.join.legs), call.transfer) == ("connected", 2, None)
    told = await refer(right, "702")  # and may be tried again
    target = await take(bench.spare)
    assert await told.next() == 200
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    await hang_up(target, left)
    await bench.record()
    assert kinds(bench).count("call.transfer_failed") == 1
    assert_nothing_left(bench)


async def test_a_target_that_rings_in_vain(begin: Start) -> None:
    bench = await begin()
    left, right = await bench.connect("100")
    told = await refer(right, "701")
    invite = await bench.spare.expect("INVITE")
    await bench.spare.answer(invite, 180)
    assert await told.next() == 180
    await bench.spare.answer(await bench.spare.expect("CANCEL"), 200)
    await bench.spare.answer(invite, 487)
    assert await told.next() == 480
    await hang_up(left, right)
    assert (await bench.record())["cause"] == "normal"
    assert_nothing_left(bench)


async def test_who_transfers_hangs_up_at_once(begin: Start) -> None:
    """The other side waits with ringback; who has gone is still told."""
    bench = await begin()
    left, right = await bench.connect("100")
    told = await refer(right, "700")
    invite = await bench.spare.expect("INVITE")
    await right.request("BYE")
    await bench.right.expect(200)
    await bench.spare.answer(invite, 180)
    assert await told.next() == 180
    async with asyncio.timeout(5):
        while "play.started" not in [e["type"] for e in bench.events()]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await bench.spare.answer(invite, 200, bench.spare.sdp(6000, "0 101"))
    await bench.spare.expect("ACK")
    assert await told.next() == 200
    await hang_up(left, bench.spare.dialog_of(invite))
    record = await bench.record()
    assert record["cause"] == "normal"
    assert_nothing_left(bench)


async def test_who_transfers_is_gone_when_it_fails(begin: Start) -> None:
    bench = await begin()
    _left, right = await bench.connect("100")
    told = await refer(right, "700")
    invite = await bench.spare.expect("INVITE")
    await right.request("BYE")
    await bench.right.expect(200)
    await bench.spare.answer(invite, 486)
    await bench.spare.expect("ACK")
    assert await told.next() == 486
    bye = await bench.left.expect("BYE")
    assert "cause=17" in bye.get("Reason")
    await bench.left.answer(bye, 200)
    assert (await bench.record())["cause"] == "busy"
    assert_nothing_left(bench)


async def test_who_waits_hangs_up(begin: Start) -> None:
    bench = await begin()
    left, right = await bench.connect("100")
    told = await refer(right, "700")
    invite = await bench.spare.expect("INVITE")
    await bench.spare.answer(invite, 180)
    assert await told.next() == 180
    await left.request("BYE")
    await bench.left.expect(200)
    await bench.spare.answer(await bench.spare.expect("CANCEL"), 200)
    await bench.spare.answer(invite, 487)
    assert await told.next() == 487
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    assert (await bench.record())["cause"] == "normal"
    assert_nothing_left(bench)


async def test_byes_cross(begin: Start) -> None:
    """Who transfers hangs up at the very moment in which we do."""
    bench = await begin()
    left, right = await bench.connect("100")
    told = await refer(right, "700")
    target = await take(bench.spare)
    assert await told.next() == 200
    bye = await bench.right.expect("BYE")
    await right.request("BYE")
    await bench.right.answer(bye, 200)
    await bench.right.expect(200)
    await hang_up(target, left)
    assert (await bench.record())["cause"] == "normal"
    assert_nothing_left(bench)


async def test_refer_and_bye_cross(begin: Start) -> None:
    bench = await begin()
    left, right = await bench.connect("100")
    await left.request("BYE")
    await right.request("REFER", headers=refer_to("700", bench.right.engine[1]))
    bye = await bench.right.expect("BYE")
    await bench.right.expect(481)
    await bench.right.answer(bye, 200)
    await bench.record()
    await bench.spare.hears_nothing(0.2)
    assert_nothing_left(bench)


async def test_nothing_is_told_who_wants_to_hear_nothing(begin: Start) -> None:
    bench = await begin()
    left, right = await bench.connect("100")
    headers = refer_to("700", bench.right.engine[1]) + "Refer-Sub: false\r\nSupported: norefersub\r\n"
    await right.request("REFER", headers=headers)
    answer = await bench.right.expect(200, 202)
    assert answer.get("Refer-Sub") == "false"
    target = await take(bench.spare)
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    await hang_up(target, left)
    await bench.record()
    assert_nothing_left(bench)


async def test_transfer_to_the_engine_itself(begin: Start) -> None:
    bench = await begin()
    left, right = await bench.connect("100")
    await refer(right, "9196")
    for _ in range(2):  # the report waits for the answer to the one before
        message = await bench.right.expect("BYE", "NOTIFY")
        await bench.right.answer(message, 200)
    await hang_up(left)
    assert (await bench.record())["cause"] == "normal"
    assert_nothing_left(bench)


async def test_held_and_sent_elsewhere(begin: Start) -> None:
    """Who was on hold when it was transferred hears the new side."""
    bench = await begin()
    left, right = await bench.connect("100")
    await right.request("INVITE", bench.right.sdp(5000, "0 101", "a=sendonly", 2))
    asked = await bench.left.expect("INVITE")
    await bench.left.answer(asked, 200, bench.left.sdp(4000, "0 101", "a=recvonly", 2))
    await bench.left.expect("ACK")
    await right.ack(await bench.right.expect(200))
    told = await refer(right, "700")
    invite = await bench.spare.expect("INVITE")
    assert invite.direction == "sendrecv"
    await bench.spare.answer(invite, 200, bench.spare.sdp(6000, "0 101"))
    await bench.spare.expect("ACK")
    await told.until(200)
    again = await bench.left.expect("INVITE")
    assert again.direction == "sendrecv"
    await bench.left.answer(again, 200, bench.left.sdp(4000, "0 101", "a=sendrecv", 3))
    await bench.left.expect("ACK")
    await bench.right.answer(await bench.right.expect("BYE"), 200)
    await hang_up(left, bench.spare.dialog_of(invite))
    await bench.record()


# ---- who may, and where to ----


async def test_transfers_are_refused_unless_allowed(begin: Start) -> None:
    bench = await begin(right_transfer="refuse")
    left, right = await bench.connect("100")
    await refuse(right, "700", 603)
    await hang_up(left, right)


@pytest.mark.parametrize("number", ["8001", "100", "999"])
async def test_nothing_is_reached_that_who_transfers_could_not_dial(begin: Start, number: str) -> None:
    """8xxx is another tenant's route, 1xxx one for calls from the other trunk."""
    bench = await begin()
    left, right = await bench.connect("100")
    await refuse(right, number, 404)
    await bench.spare.hears_nothing(0.1)
    await hang_up(left, right)


async def test_the_target_trunk_has_its_channels(begin: Start) -> None:
    bench = await begin(spare_keys="channels = 1")
    _left, right = await bench.connect("100")
    await bench.left.call("700")
    ringing = await bench.spare.expect("INVITE")
    await bench.spare.answer(ringing, 180)
    await bench.left.expect(180)
    told = await refer(right, "700")
    assert await told.next() == 486
    assert [e["trunk"] for e in bench.events() if e["type"] == "trunk.full"] == ["spare"]


async def test_a_foreign_host_is_no_number_of_ours(begin: Start) -> None:
    bench = await begin()
    left, right = await bench.connect("100")
    await right.request("REFER", headers="Refer-To: <sip:700@192.0.2.77>\r\n")
    await bench.right.expect(403)
    await hang_up(left, right)


async def test_one_transfer_at_a_time(begin: Start) -> None:
    bench = await begin()
    left, right = await bench.connect("100")
    await refer(right, "700")
    invite = await bench.spare.expect("INVITE")
    await refuse(right, "702", 491)
    await refuse(left, "702", 491)
    await bench.spare.answer(invite, 200, bench.spare.sdp(6000, "0 101"))
    await bench.spare.expect("ACK")


async def test_not_before_the_answer(begin: Start) -> None:
    bench = await begin()
    await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 180)
    await bench.left.expect(180)
    await refuse(bench.right.dialog_of(invite), "700", 481)


async def test_outside_a_call_nobody_is_referred(begin: Start) -> None:
    bench = await begin()
    await refuse(bench.left.new_call("100"), "700", 403)
