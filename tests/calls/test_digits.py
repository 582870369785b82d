"""Digits from one side to the other, however each says and hears them; every digit arrives once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from santral.codecs.detect.dtmf import digits
from santral.codecs.generate.score import Score, ScorePlayer

Start = Callable[..., Awaitable[Any]]
WAYS = ("rfc4733", "inband", "info")


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - the engine tells nobody but its peers
            await asyncio.sleep(0.01)


async def connected(bench: Any, caller: Any, callee: Any) -> tuple[Any, Any, Any]:
    ours = await bench.left.call("100", bench.left.sdp(caller.port, "0 101"))
    invite = await bench.right.expect("INVITE")
    body = bench.right.sdp(callee.port, "0 101" if "telephone-event" in invite.body else "0")
    await bench.right.answer(invite, 200, body)
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    await ours.ack(answer)
    caller.talk(answer.media_port)
    callee.talk(invite.media_port)
    await asyncio.sleep(0.3)
    return ours, invite, answer


def tones(text: str) -> np.ndarray[Any, np.dtype[np.int16]]:
    score = Score.digits(text, tone_ms=100, gap_ms=100)
    return np.frombuffer(ScorePlayer(score).render(round(8 * (score.ms or 0))), np.int16)


def keys(bench: Any) -> list[tuple[str, str]]:
    return [(event["digit"], event["via"]) for event in bench.events() if event["type"] == "dtmf.received"]


async def say(way: str, dialog: Any, caller: Any) -> None:
    """Press 4 and 7."""
    for code in (4, 7):
        match way:
            case "rfc4733":
                caller.press(code)
            case "info":
                await dialog.request("INFO", f"Signal={code}\r\nDuration=120\r\n", kind="application/dtmf-relay")
                await dialog.peer.expect(200)
            case "inband":
                caller.said = tones(str(code))
        await asyncio.sleep(0.5)


@pytest.mark.parametrize("said", WAYS)
@pytest.mark.parametrize("heard", WAYS)
async def test_each_way_into_each_other(start: Start, talkers: Any, said: str, heard: str) -> None:
    bench = await start(left_keys=f'dtmf = "{said}"', right_keys=f'dtmf = "{heard}"')
    caller, callee = talkers(2)
    ours, invite, answer = await connected(bench, caller, callee)
    assert ("telephone-event" in invite.body) == (heard == "rfc4733")
    assert ("telephone-event" in answer.body) == (said == "rfc4733")
    callee.packets.clear()
    await say(said, ours, caller)
    if heard == "info":
        for digit in "47":
            info = await bench.right.expect("INFO")
            assert info.body.split("\r\n")[0] == f"Signal={digit}"
            await bench.right.answer(info, 200)
        await bench.right.hears_nothing(0.2)
    await asyncio.sleep(0.3)
    events = [payload for payload_type, payload in callee.packets if payload_type == 101]
    ends = [n for n, one in enumerate(events) if one[1] & 0x80 and not (n and events[n - 1][1] & 0x80)]
    assert [events[n][0] for n in ends] == ([4, 7] if heard == "rfc4733" else [])
    line = callee.heard()
    found = "".join(one.digit for one in digits(line.tobytes()))
    assert found == ("47" if heard == "inband" else "")
    assert keys(bench) == [("4", said), ("7", said)]


@pytest.mark.parametrize(
    ("body", "kind", "digit"),
    [
        ("Signal=5\r\nDuration=160\r\n", "application/dtmf-relay", "5"),
        ("Signal= *\r\n", "application/dtmf-relay;x=y", "*"),
        ("signal=11", "Application/DTMF-Relay", "#"),
        ("7", "application/dtmf", "7"),
        ("d", "application/dtmf", "D"),
        ("Signal=hook\r\n", "application/dtmf-relay", None),
        ("", "application/dtmf", None),
        ("Signal=16\r\n", "application/dtmf-relay", None),
    ],
)
async def test_what_an_info_says(start: Start, body: str, kind: str, digit: str | None) -> None:
    bench = await start(left_keys='dtmf = "info"')
    ours, _ = await bench.connect()
    await ours.request("INFO", body or " ", kind=kind)
    await bench.left.expect(200 if digit else 400)
    assert keys(bench) == ([(digit, "info")] if digit else [])


async def test_a_key_that_is_said_both_ways_counts_once(start: Start, talkers: Any) -> None:
    """`auto`, telephone-event agreed on: the event counts, an INFO alone counts all the same."""
    bench = await start()
    caller, callee = talkers(2)
    ours, _, _ = await connected(bench, caller, callee)
    callee.packets.clear()
    await ours.request("INFO", "Signal=3\r\n", kind="application/dtmf-relay")
    caller.press(3)
    await bench.left.expect(200)
    await asyncio.sleep(0.5)
    caller.press(3)
    await asyncio.sleep(0.05)
    await ours.request("INFO", "Signal=3\r\n", kind="application/dtmf-relay")
    await bench.left.expect(200)
    await asyncio.sleep(0.5)
    assert keys(bench) == [("3", "rfc4733"), ("3", "rfc4733")]
    await ours.request("INFO", "Signal=9\r\n", kind="application/dtmf-relay")
    await bench.left.expect(200)
    await until(lambda: ("9", "info") in keys(bench))
    await until(lambda: any(one[0] == 9 for payload_type, one in callee.packets if payload_type == 101))
