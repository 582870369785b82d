"""Supervisors on an agent's call: who hears whom, by frequency."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.queues.conftest import told, until
from tests.queues.test_callbacks import OUT
from tests.queues.test_waiting import at_home, wait_in_queue

from santral.engine.control.protocol import RequestError

Start = Callable[..., Awaitable[Any]]
TONES = (500.0, 700.0, 900.0)  # caller, agent, supervisor
USER = '[[user]]\nname = "101"\ntenant = "acme"\npassword = "secret101"\n'
HEARS = {  # mode -> what caller, agent and supervisor hear
    "monitor": ((False, True, False), (True, False, False), (True, True, False)),
    "whisper": ((False, True, False), (True, False, True), (True, True, False)),
    "barge": ((False, True, True), (True, False, True), (True, True, False)),
}


@pytest.mark.parametrize("mode", HEARS)
async def test_who_hears_whom(mode: str, begin: Start, talkers: Callable[[int], list[Any]], client_of: Any) -> None:
    bench, phones = await begin("ayse", more=OUT + USER)
    client = await client_of(bench)
    with pytest.raises(RequestError, match="speaks to nobody"):
        await client.call("agent.supervise", name="ayse", to="2099")
    caller, agent, supervisor = talkers(3)
    call = await wait_in_queue(bench, bench.left.sdp(caller.port, "0 101"))
    caller.talk(call.media_port, TONES[0])
    invite = await phones["ayse"].expect("INVITE")
    agent.talk(int(invite.body.split("m=audio ")[1].split()[0]), TONES[1])
    await phones["ayse"].answer(invite, 200, at_home(phones["ayse"].sdp(agent.port, "0 101")))
    await phones["ayse"].expect("ACK")
    await until(lambda: told(bench, "reservation.connected"))
    made = await client.call("agent.supervise", name="ayse", to="2099", mode=mode)
    invite = await bench.left.expect("INVITE")
    supervisor.talk(int(invite.body.split("m=audio ")[1].split()[0]), TONES[2])
    await bench.left.answer(invite, 200, bench.left.sdp(supervisor.port, "0 101"))
    await bench.left.expect("ACK")
    await until(lambda: len(told(bench, "conference.joined")) == 3)
    await asyncio.sleep(0.2)
    heard = await asyncio.gather(*(one.tones(*TONES) for one in (caller, agent, supervisor)))
    assert tuple(tuple(level > 2000 for level in levels) for levels in heard) == HEARS[mode], heard
    await client.call("call.hangup", id=made["call"])
    await until(lambda: told(bench, "conference.ended"))  # caller and agent are alone again
    assert [level > 2000 for level in await caller.tones(*TONES, seconds=0.2)] == [False, True, False]
