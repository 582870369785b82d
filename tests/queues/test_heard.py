"""What a caller who waits really hears: music, an announcement, music, the agent; nothing silent, no clicks."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
from tests.queues.conftest import told, until
from tests.queues.test_waiting import at_home, wait_in_queue

Start = Callable[..., Awaitable[Any]]
RATE = 8000
MUSIC_HZ, SAYS_HZ, AGENT_HZ = 503.0, 911.0, 1300.0
ANNOUNCES = 'music = "music.wav"\nannounce = { first = 1, every = 30, position = false, files = ["says.wav"] }'


def loud(line: Any, hz: float) -> float:
    time, shape = np.arange(len(line)) / RATE, np.hanning(len(line))
    return float(abs(np.sum(line * shape * np.exp(-2j * np.pi * hz * time))) * 2 / np.sum(shape))


def heard_most(line: Any) -> list[str]:
    """Which of the three is heard in each 40 ms, those that follow each other once; "-" for silence."""
    found: list[str] = []
    for at in range(0, len(line) - 320, 320):
        part = line[at : at + 320]
        by = {"music": loud(part, MUSIC_HZ), "says": loud(part, SAYS_HZ), "agent": loud(part, AGENT_HZ)}
        name = max(by, key=lambda one: by[one])
        name = name if by[name] > 2000 else "-"
        if not found or found[-1] != name:
            found.append(name)
    return found


def story(caller: Any) -> list[str]:
    """What this one has heard so far, silence left out."""
    return [one for one in heard_most(caller.heard(again=True)) if one != "-"]


async def test_music_announcement_music_agent(
    begin: Start, talkers: Callable[[int], list[Any]], sounds: Callable[..., Path], client_of: Any
) -> None:
    sounds("music.wav", MUSIC_HZ, 1.7)
    sounds("says.wav", SAYS_HZ, 0.5)
    bench, phones = await begin("ayse", queue=ANNOUNCES)
    client = await client_of(bench)
    await client.call("agent.state", name="ayse", state="break")
    caller, agent = talkers(2)
    call = await wait_in_queue(bench, bench.left.sdp(caller.port, "0 101"))
    caller.talk(call.media_port)
    await until(lambda: story(caller)[-2:] == ["says", "music"])
    await asyncio.sleep(0.2)
    await client.call("agent.state", name="ayse", state="available")
    invite = await phones["ayse"].expect("INVITE")
    agent.talk(int(invite.body.split("m=audio ")[1].split()[0]), AGENT_HZ)
    await phones["ayse"].answer(invite, 200, at_home(phones["ayse"].sdp(agent.port, "0 101")))
    await phones["ayse"].expect("ACK")
    await until(lambda: story(caller)[-1:] == ["agent"])
    assert story(caller) == ["music", "says", "music", "agent"]
    line = caller.heard().astype(int)
    first = int(np.argmax(np.abs(line) > 100))
    steps = np.abs(np.diff(line[first:]))
    assert steps.max() < 8000 * 2 * np.pi * AGENT_HZ / RATE * 1.2  # nothing steeper than the highest tone


async def test_the_agent_alone_hears_the_whisper_before_the_caller(
    begin: Start, talkers: Callable[[int], list[Any]], sounds: Callable[..., Path]
) -> None:
    sounds("music.wav", MUSIC_HZ, 1.7)
    sounds("says.wav", SAYS_HZ, 0.6)
    bench, phones = await begin("ayse", queue='music = "music.wav"\nwhisper = ["says.wav"]')
    caller, agent = talkers(2)
    call = await wait_in_queue(bench, bench.left.sdp(caller.port, "0 101"))
    caller.talk(call.media_port, AGENT_HZ)
    invite = await phones["ayse"].expect("INVITE")
    agent.talk(int(invite.body.split("m=audio ")[1].split()[0]))
    await phones["ayse"].answer(invite, 200, at_home(phones["ayse"].sdp(agent.port, "0 101")))
    await phones["ayse"].expect("ACK")
    await until(lambda: told(bench, "reservation.connected"))
    assert [one for one in heard_most(caller.heard()) if one != "-"] == ["music"]
    await asyncio.sleep(0.4)
    assert [one for one in heard_most(agent.heard()) if one != "-"] == ["says", "agent"]  # the caller's tone
