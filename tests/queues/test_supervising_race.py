"""Whatever agents, customers, supervisors and commands do at once: nobody is left in a room, no call fails inside."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from tests.calls.conftest import Dialog, Message, Peer
from tests.queues.conftest import Staff, told, until

from santral.engine.control.protocol import RequestError

Hire = Callable[..., Awaitable[Staff]]
SEEDS = range(24)
STEPS = 14
MODES = ("monitor", "whisper", "barge", "take_over")


class Automaton:
    """A phone that answers whatever it is asked, and holds, transfers or hangs up when told."""

    def __init__(self, peer: Peer, sdp: Callable[..., str]) -> None:
        self.peer, self.sdp = peer, sdp
        self.dialogs: dict[str, Dialog] = {}
        self.standing: Dialog | None = None  # it stays on the line
        self.versions: dict[str, int] = {}
        self.task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:
            message = await self.peer.receive(3600)
            if message.method:
                await self._asked(message)
            elif message.cseq == "INVITE" and message.status >= 200:
                dialog = self.dialogs.get(message.get("Call-ID"))
                if dialog is not None and message.status < 300:
                    await dialog.ack(message)
                elif dialog is not None:
                    await dialog.request("ACK")

    async def _asked(self, message: Message) -> None:
        call = message.get("Call-ID")
        match message.method:
            case "ACK":
                return
            case "INVITE":
                if "tag=" not in message.get("To"):
                    self.dialogs[call] = self.peer.dialog_of(message)
                    self.versions[call] = 1
                await self.peer.answer(message, 200, self.sdp(OPPOSITE[message.direction], self._next(call)))
            case _:
                await self.peer.answer(message, 200)
                if message.method == "BYE":
                    self.dialogs.pop(call, None)

    def _next(self, call: str) -> int:
        self.versions[call] = self.versions.get(call, 1) + 1
        return self.versions[call]

    async def call(self, called: str) -> None:
        dialog = self.peer.new_call(called)
        self.dialogs[dialog.call_id] = dialog
        await dialog.request("INVITE", self.sdp("sendrecv", 1))

    async def do(self, what: str) -> None:
        """In each of its calls."""
        for call, dialog in list(self.dialogs.items()):
            match what:
                case "hold" | "resume":
                    wish = "sendonly" if what == "hold" else "sendrecv"
                    await dialog.request("INVITE", self.sdp(wish, self._next(call)))
                case "refer":
                    to = f"Refer-To: <sip:102@127.0.0.1:{self.peer.engine[1]}>\r\n"
                    await dialog.request("REFER", headers=to)
                case "bye" if dialog is not self.standing:
                    del self.dialogs[call]
                    await dialog.request("BYE")

    async def close(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


OPPOSITE = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


async def one_story(people: Staff, phones: dict[str, Automaton], draw: random.Random) -> None:
    """A caller, and what everybody does then, in any order and as fast as they can."""
    client = people.client
    await phones["customer"].call("100")

    async def commanded(method: str, **params: Any) -> None:
        with suppress(RequestError):  # most make no sense at their moment
            await client.call(method, **params)

    async def supervise() -> None:
        calls = [one.id for one in people.bench.engine.calls()]
        mode = draw.choice(MODES)
        if draw.random() < 0.4 and calls:
            await commanded("agent.supervise", name="ayse", call=draw.choice(calls), mode=mode)
        else:
            await commanded("agent.supervise", name="ayse", to=draw.choice(("103", "102")), mode=mode)

    async def command() -> None:
        calls = passing(people.bench.engine)
        if calls:
            call, other = draw.choice(calls), draw.choice(calls)
            await draw.choice((
                lambda: commanded("call.hold", id=call), lambda: commanded("call.resume", id=call),
                lambda: commanded("conference.join", name="trio", call=call),
                lambda: commanded("conference.leave", call=call), lambda: commanded("call.hangup", id=call),
                lambda: commanded("call.bridge", id=call, other=other), lambda: commanded("call.unbridge", id=call),
                lambda: commanded("call.transfer", id=call, to="102"), lambda: commanded("recording.mask", call=call),
            ))()  # fmt: skip

    for _ in range(STEPS):
        await asyncio.sleep(draw.choice((0, 0, 0.005, 0.02)))
        kind = draw.random()
        if kind < 0.4:
            await supervise()
        elif kind < 0.65:
            await command()
        else:
            who = phones[draw.choice(("agent", "agent", "customer", "boss", "colleague"))]
            await who.do(draw.choice(("hold", "resume", "refer", "bye", "hold", "resume")))


@pytest.mark.parametrize("agent", ["", 'connection = "persistent"\nauto_accept = true'])
async def test_nothing_is_left_whatever_crosses(staff: Hire, agent: str) -> None:
    people = await staff(agent=agent, user='hold = "music"' if agent else "")
    engine = people.bench.engine
    parts = {"agent": people.agent, "customer": people.customer, "boss": people.boss, "colleague": people.colleague}
    phones = {name: Automaton(one.peer, one.described) for name, one in parts.items()}
    if agent:
        phones["agent"].standing = people.agent.dialog
        phones["agent"].dialogs[people.agent.dialog.call_id] = people.agent.dialog
    try:
        for seed in SEEDS:
            draw = random.Random(seed)
            await one_story(people, phones, draw)
            await until(lambda: not hang_up_all(engine), within=20)
            assert (list(engine.conferences), engine.queues.supervising._all) == ([], {}), seed
            assert (engine.queues.by_leg, engine.queues.held, engine.queues.calls) == ({}, {}, {}), seed
            await engine.cdrs.flush()
            causes = {one["cause"] for one in (await engine.cdrs.page(100))["items"]}
            assert "internal_error" not in causes, seed
            await people.client.call("agent.state", name="ayse", state="available")
    finally:
        for one in phones.values():
            await one.close()
    started, ended = (
        [one["supervisor"] for one in told(people.bench, f"supervision.{what}")] for what in ("started", "ended")
    )
    assert sorted(started) == sorted(ended)  # each that began has ended, once
    assert {"leg_left", "taken_over"} & {one["reason"] for one in told(people.bench, "supervision.ended")}


def passing(engine: Any) -> list[str]:
    """All calls but those of agents on the line."""
    standing = {call.id for call, _ in engine.queues.standing.values()}
    return [one.id for one in engine.calls() if one.id not in standing]


def hang_up_all(engine: Any) -> list[str]:
    """Those that are not over yet are ended."""
    left = passing(engine)
    for one in left:
        engine.call(one).hang_up(None, "test")
    return left
