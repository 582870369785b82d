"""Hundreds of short calls of every outcome leave nothing behind: no session, timer, port, limit, task, nor garbage."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from santral.engine.calls.call import Call
from santral.engine.calls.leg import Leg
from santral.sip.session import Session
from santral.sip.ua.deadlines import Timers

Start = Callable[..., Awaitable[Any]]

CALLS = 240
QUICK = Timers(t1=0.05, t2=0.1, t4=0.1, d=1.0)  # 64*T1: 3.2 s
WATCHED = (Call, Leg, Session)


@pytest.fixture
async def uncollected() -> AsyncIterator[None]:
    """Nothing is freed but by its reference count."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def hasten(bench: Any) -> None:
    agent = bench.engine.signalling.agent
    agent._core.timers = agent._runner._timers = QUICK


async def answer_everything(peer: Any) -> None:
    """A callee whose answer is in the number called: 1SSSn is answered SSS; 100 gets nothing at all."""
    while True:
        request = await peer.receive(60)
        if request.method == "INVITE":
            wanted = request.start.split(":")[1][1:4]
            status = int(wanted) if wanted.isdigit() else 480
            if status == 183:
                await peer.answer(request, 183, peer.sdp(5000, "0 101"), tag=request.get("Call-ID"))
            elif status == 199:
                await peer.answer(request, 180, tag=request.get("Call-ID"))
            elif status != 100:
                await peer.answer(
                    request, status, peer.sdp(5000, "0 101") if status == 200 else "", tag=request.get("Call-ID")
                )
        elif request.method in {"BYE", "CANCEL"}:
            await peer.answer(request, 200, tag=request.get("Call-ID"))


class Caller:
    """Places calls and ends them by what their number asks for."""

    def __init__(self, peer: Any) -> None:
        self.peer = peer
        self.dialogs: dict[str, Any] = {}
        self.done = 0

    async def begin(self, number: str) -> None:
        body = "" if number.endswith("7") else self.peer.sdp()
        dialog = await self.peer.call(number, body)
        self.dialogs[dialog.call_id] = (dialog, number)

    async def run(self) -> None:
        while True:
            message = await self.peer.receive(60)
            dialog, number = self.dialogs[message.get("Call-ID")]
            if message.method == "BYE":
                await self.peer.answer(message, 200)
            elif message.cseq == "INVITE" and message.status in {180, 183}:
                await dialog.request("CANCEL")
            elif message.cseq == "INVITE" and message.status == 200:
                await dialog.ack(message, self.peer.sdp() if number.endswith("7") else "")
                if int(number[-2:]) % 3 == 0:
                    await dialog.request("INVITE", self.peer.sdp(4000, "0 101", "a=sendonly", 2))
                await dialog.request("BYE")
            elif message.cseq == "INVITE" and message.status >= 300:
                await dialog.request("ACK")


NUMBERS = ("1200", "1486", "1503", "1183", "1199", "1100", "1603", "9196", "777", "603", "21")


async def test_nothing_is_left_of_hundreds_of_calls(start: Start, uncollected: None) -> None:
    bench = await start(sip="max_calls_per_second = 1000", try_timeout=0.3, progress_timeout=0.5, timeout=1)
    hasten(bench)
    before = {kind: {id(one) for one in gc.get_objects() if isinstance(one, kind)} for kind in WATCHED}
    caller = Caller(bench.left)
    sides = [asyncio.create_task(answer_everything(bench.right)), asyncio.create_task(caller.run())]
    for n in range(CALLS):
        number = NUMBERS[n % len(NUMBERS)]
        await caller.begin(number + f"{n % 100:02d}" if number.startswith("1") else number)
        if n % 8 == 0:
            await asyncio.sleep(0.02)
    await quiet(bench)
    for side in sides:
        side.cancel()
    assert set(map(type, await asyncio.gather(*sides, return_exceptions=True))) == {asyncio.CancelledError}
    engine = bench.engine
    assert engine.signalling.agent.counts == dict.fromkeys(engine.signalling.agent.counts, 0)
    assert (engine.services.limits.holders(), engine.services.limits.calls()) == (0, 0)
    assert engine.services.media_owners == {}
    assert engine.services.plane.snapshot()["legs_open"] == 0
    assert [task for task in asyncio.all_tasks() if "engine/calls" in str(task.get_coro().cr_code)] == []
    for kind in WATCHED:
        left = [one for one in gc.get_objects() if isinstance(one, kind) and id(one) not in before[kind]]
        assert left == [], [gc.get_referrers(one) for one in left[:1]]
    await engine.cdrs.flush()
    page = await engine.cdrs.page(1000)
    assert len(page["items"]) == CALLS
    causes = {record["cause"] for record in page["items"]}
    assert causes >= {"normal", "busy", "cancelled", "declined", "no_answer", "not_found", "refused"}
    told = [event for event in bench.events() if event["type"].startswith(("call.", "leg."))]
    assert_in_order(told)


async def quiet(bench: Any, within: float = 20.0) -> None:
    """Until all calls are over and the last transaction has been forgotten."""
    async with asyncio.timeout(within):
        while list(bench.engine.calls()) or any(bench.engine.signalling.agent.counts.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def assert_in_order(told: list[dict[str, Any]]) -> None:
    """call.started first, call.ended last, and every leg that started has ended."""
    calls: dict[str, list[dict[str, Any]]] = {}
    for event in told:
        calls.setdefault(event["call"], []).append(event)
    for events in calls.values():
        assert (events[0]["type"], events[-1]["type"]) == ("call.started", "call.ended")
        started, ended = ([e["leg"] for e in events if e["type"] == kind] for kind in ("leg.started", "leg.ended"))
        assert started == ended
