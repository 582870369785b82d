"""What a phone may have done by transfer is what it may do by calling; and chains of transfers leave nothing behind."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from tests.calls.test_leaks import WATCHED, assert_in_order, hasten, quiet
from tests.calls.test_transfer import Start, assert_nothing_left, begin, hang_up, refer, refuse, take
from tests.calls.test_users import register, start_users

__all__ = ["begin", "start_users"]


@pytest.fixture
def talking(start_users: Start, make_peer: Callable[..., Any]) -> Start:
    """A call from outside to the phone of 101: bench, the caller's dialog, the phone's."""

    async def made() -> tuple[Any, Any, Any]:
        bench = await start_users()
        outside = make_peer("outside", "127.0.0.2")
        outside.engine = bench.left.engine
        await register(bench.left)
        call = await outside.call("+903125550100")
        invite = await bench.left.expect("INVITE")
        await bench.left.answer(invite, 200, bench.left.sdp(5000, "0 101"))
        await bench.left.expect("ACK")
        await call.ack(await outside.expect(200))
        return bench, call, bench.left.dialog_of(invite)

    return made


async def test_a_transfer_to_the_outside_shows_a_number_of_the_tenant_and_keeps_the_channel(talking: Start) -> None:
    bench, call, phone = await talking()
    limits = bench.engine.services.limits
    told = await refer(phone, "+903124440000")
    invite = await bench.right.expect("INVITE")
    assert "sip:+903125550100@" in invite.get("From")
    await bench.right.answer(invite, 200, bench.right.sdp(6000, "0 101"))
    await bench.right.expect("ACK")
    assert await told.next() == 200
    await bench.left.answer(await bench.left.expect("BYE"), 200)
    assert limits.channels("101@acme.example") == 1
    await hang_up(call, bench.right.dialog_of(invite))
    await bench.record()
    assert limits.channels("101@acme.example") == 0
    assert_nothing_left(bench)


async def test_a_transfer_inside_frees_the_channel(talking: Start) -> None:
    bench, call, phone = await talking()
    await register(bench.spare, "102", "secret102")
    told = await refer(phone, "102")
    target = await take(bench.spare)
    assert await told.next() == 200
    await bench.left.answer(await bench.left.expect("BYE"), 200)
    assert bench.engine.services.limits.channels("101@acme.example") == 0
    await hang_up(target, call)
    await bench.record()
    assert_nothing_left(bench)


@pytest.mark.parametrize(("number", "status"), [("+441632960000", 403), ("09001234567", 403), ("150", 404)])
async def test_a_phone_transfers_nowhere_where_it_may_not_call(talking: Start, number: str, status: int) -> None:
    bench, _, phone = await talking()
    await refuse(phone, number, status)
    await bench.right.hears_nothing(0.1)


# ---- chains ----

NUMBERS = ("700", "702", "704", "999", "9196")
STATUSES = {"700": 200, "702": 486, "704": 603}


@pytest.fixture
async def uncollected() -> AsyncIterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


class Party:
    """Answers what it is called with, and says of each of its dialogs when it stands."""

    def __init__(self, peer: Any) -> None:
        self.peer = peer
        self.dialogs: dict[str, Any] = {}

    async def run(self) -> None:
        while True:
            message = await self.peer.receive(60)
            call_id = message.get("Call-ID")
            if message.method == "INVITE" and "tag=" not in message.get("To"):
                status = STATUSES.get(message.start.split(":")[1].split("@")[0], 200)
                body = self.peer.sdp(5000, "0 101") if status == 200 else ""
                await self.peer.answer(message, status, body, tag=call_id)
                if status == 200:
                    self.dialogs[call_id] = self.peer.dialog_of(message, call_id)
            elif message.method == "INVITE":
                await self.peer.answer(message, 200, self.peer.sdp(5000, "0 101"))
            elif message.method and message.method != "ACK":
                await self.peer.answer(message, 200)
            elif message.cseq == "INVITE" and message.status == 200 and call_id in self.dialogs:
                await self.dialogs[call_id].ack(message)

    async def call(self, number: str) -> Any:
        dialog = await self.peer.call(number)
        self.dialogs[dialog.call_id] = dialog
        return dialog


async def test_nothing_is_left_of_many_transfers(begin: Start, uncollected: None) -> None:
    """Every outcome, with who transfers staying or leaving at once, and BYEs of anybody in between."""
    bench = await begin(sip="max_calls_per_second = 1000")
    hasten(bench)
    before = {kind: {id(one) for one in gc.get_objects() if isinstance(one, kind)} for kind in WATCHED}
    sides = [Party(peer) for peer in (bench.left, bench.right, bench.spare)]
    tasks = [asyncio.create_task(side.run()) for side in sides]
    left, right, _ = sides
    port = bench.right.engine[1]
    for n in range(60):
        ours = await left.call("100")
        async with asyncio.timeout(5):
            while len(right.dialogs) <= n or "tag=" not in ours.remote:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        theirs = list(right.dialogs.values())[n]
        number = NUMBERS[n % len(NUMBERS)]
        await theirs.request("REFER", headers=f"Refer-To: <sip:{number}@127.0.0.1:{port}>\r\n")
        if n % 3 == 0:
            await theirs.request("BYE")
        if n % 4 == 0:
            await asyncio.sleep(0.02)
        await ours.request("BYE")
    await quiet(bench)
    for task in tasks:
        task.cancel()
    assert set(map(type, await asyncio.gather(*tasks, return_exceptions=True))) == {asyncio.CancelledError}
    assert_nothing_left(bench)
    assert bench.engine.signalling.agent.counts == dict.fromkeys(bench.engine.signalling.agent.counts, 0)
    for kind in WATCHED:
        left_over = [one for one in gc.get_objects() if isinstance(one, kind) and id(one) not in before[kind]]
        assert left_over == [], [gc.get_referrers(one) for one in left_over[:1]]
    await bench.engine.cdrs.flush()
    assert len((await bench.engine.cdrs.page(1000))["items"]) == 60
    assert_in_order([event for event in bench.events() if event["type"].startswith(("call.", "leg."))])
    assert sum(event["type"] == "call.transferred" for event in bench.events()) > 5
