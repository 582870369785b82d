"""What control clients ask of a call's audio: by the real socket, with real RTP on both sides."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from santral.engine.control.client import Client
from santral.engine.control.protocol import RequestError

Start = Callable[..., Awaitable[Any]]
SOUNDS = 'sounds = "{folder}/sounds"'


@pytest.fixture
async def connect_client() -> AsyncIterator[Callable[[Any], Awaitable[Client]]]:
    made: list[Client] = []

    async def connect(bench: Any) -> Client:
        made.append(await Client.unix(str(bench.folder / "data" / "control.sock")))
        return made[-1]

    yield connect
    for one in made:
        await one.close()


async def talking(bench: Any, caller: Any, callee: Any, left: str = "0 101", right: str = "0 101") -> tuple[Any, Any]:
    """A call in which both sides talk: the caller 500 Hz, the callee 900 Hz. (dialog of left, dialog of right)"""
    ours = await bench.left.call("100", bench.left.sdp(caller.port, left))
    invite = await bench.right.expect("INVITE")
    await bench.right.answer(invite, 200, bench.right.sdp(callee.port, right))
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    await ours.ack(answer)
    caller.talk(answer.media_port, 500)
    callee.talk(invite.media_port, 900)
    return ours, bench.right.dialog_of(invite)


async def code(what: Awaitable[Any]) -> str:
    with pytest.raises(RequestError) as refused:
        await what
    return refused.value.code


def of_type(bench: Any, kind: str) -> list[dict[str, Any]]:
    return [event for event in bench.events() if event["type"] == kind]


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - the engine tells nobody but its peers
            await asyncio.sleep(0.01)


async def test_a_file_is_played_to_one_leg_and_ends_exactly(
    start: Start, talkers: Any, sounds: Any, connect_client: Any
) -> None:
    """Only the leg that is meant hears it, for as long as it is; before and after, the two hear each other."""
    sounds("ding.wav", 1500, 0.8)
    bench = await start(tenant_keys=SOUNDS.format(folder=Path(sounds("x.wav", 1, 0.1)).parents[1]))
    caller, callee = talkers(2)
    client = await connect_client(bench)
    await talking(bench, caller, callee)
    (call,) = bench.engine.calls()
    assert await caller.tones(900, 1500) == [8000, 0]
    (play,) = (await client.call("call.play", id=call.id, file="ding.wav", leg="originating"))["plays"]
    await asyncio.sleep(0.1)
    (mine, other) = await asyncio.gather(caller.tones(900, 1500), callee.tones(500, 1500))
    assert (mine, other) == ([0, 8000], [8000, 0])
    await until(lambda: of_type(bench, "play.finished"))
    (end,) = of_type(bench, "play.finished")
    assert (end["play"], end["reason"], end["ms"], end["leg"]) == (play["play"], "end", 800, call.caller.id)
    assert await caller.tones(900, 1500) == [8000, 0]


async def test_lists_loops_offsets_and_gains(start: Start, talkers: Any, sounds: Any, connect_client: Any) -> None:
    for name, hz in (("a.wav", 700), ("b.wav", 1100)):
        folder = sounds(name, hz, 0.5).parent
    bench = await start(tenant_keys=f'sounds = "{folder}"')
    caller, callee = talkers(2)
    client = await connect_client(bench)
    await talking(bench, caller, callee)
    (call,) = bench.engine.calls()
    caller.packets.clear()
    plays = await client.call("call.play", id=call.id, file=["a.wav", "b.wav"], offset_ms=300, gain_db=-6.0)
    assert len(plays["plays"]) == 2
    await until(lambda: len(of_type(bench, "play.finished")) == 2)
    assert {(one["reason"], one["ms"]) for one in of_type(bench, "play.finished")} == {("end", 700)}
    await client.call("call.play", id=call.id, file="a.wav", leg=call.caller.id, loop=True)
    await asyncio.sleep(0.6)
    assert await caller.tones(700, 900) == [8000, 0]
    assert await client.call("call.stop", id=call.id) == {"stopped": 1}
    await until(lambda: of_type(bench, "play.finished")[-1]["reason"] == "stopped")
    assert await client.call("call.stop", id=call.id) == {"stopped": 0}


async def test_what_cannot_be_played_is_said_before_anything_is_heard(
    start: Start, talkers: Any, sounds: Any, connect_client: Any
) -> None:
    folder = sounds("good.wav", 700, 0.5).parent
    (folder / "bad.wav").write_text("no sound at all")
    (folder / "notes.txt").write_text("x")
    (folder.parent / "secret.wav").write_bytes((folder / "good.wav").read_bytes())
    (folder / "link.wav").symlink_to(folder.parent / "secret.wav")
    bench = await start(tenant_keys=f'sounds = "{folder}"')
    caller, callee = talkers(2)
    client = await connect_client(bench)
    await bench.left.call("100", bench.left.sdp(caller.port, "0 101"))
    invite = await bench.right.expect("INVITE")
    (call,) = bench.engine.calls()
    assert await code(client.call("call.play", id=call.id, file="good.wav")) == "bad_state"
    await bench.right.answer(invite, 486)
    await bench.right.expect("ACK")
    await bench.left.expect(486)
    await until(lambda: not list(bench.engine.calls()))
    await talking(bench, caller, callee)
    (call,) = bench.engine.calls()
    for file in ("bad.wav", "notes.txt", "../secret.wav", "link.wav", "none.wav", str(folder / "good.wav")):
        assert await code(client.call("call.play", id=call.id, file=["good.wav", file])) == "cannot_play"
        assert await code(client.call("call.collect", id=call.id, file=file)) == "cannot_play"
    assert await code(client.call("call.play", id=call.id, file=[])) == "bad_params"
    assert await code(client.call("call.play", id=call.id, file="good.wav", gain_db=99.0)) == "bad_params"
    assert await code(client.call("call.play", id=call.id, file="good.wav", stop_on="x")) == "bad_params"
    assert await code(client.call("call.play", id=call.id, file="good.wav", leg="nobody")) == "not_found"
    assert await code(client.call("call.play", id="nobody", file="good.wav")) == "not_found"
    assert not of_type(bench, "play.started")


async def test_digits_are_collected_behind_a_prompt_that_the_first_one_ends(
    start: Start, talkers: Any, sounds: Any, connect_client: Any
) -> None:
    """The digits go nowhere else, and the connection answers other requests meanwhile."""
    folder = sounds("prompt.wav", 1500, 5.0).parent
    bench = await start(tenant_keys=f'sounds = "{folder}"')
    caller, callee = talkers(2)
    client = await connect_client(bench)
    await talking(bench, caller, callee)
    (call,) = bench.engine.calls()
    await asyncio.sleep(0.2)
    asked = asyncio.create_task(client.call("call.collect", id=call.id, file="prompt.wav", length=3))
    await until(lambda: of_type(bench, "play.started"))
    assert (await client.call("call.get", id=call.id))["id"] == call.id
    assert await code(client.call("call.collect", id=call.id)) == "bad_state"
    callee.packets.clear()
    for digit in (1, 2, 3):
        caller.press(digit)
        await asyncio.sleep(0.15)
    assert await asked == {"digits": "123", "reason": "length", "leg": call.caller.id}
    (end,) = of_type(bench, "play.finished")
    assert (end["reason"], end["ms"] < 1000) == ("digit", True)
    assert [event["digit"] for event in of_type(bench, "dtmf.received")] == ["1", "2", "3"]
    assert not [payload_type for payload_type, _ in callee.packets if payload_type == 101]
    caller.press(4)
    await until(lambda: any(payload_type == 101 for payload_type, _ in callee.packets))  # back to the far end


async def test_how_a_collection_ends(start: Start, talkers: Any, connect_client: Any) -> None:
    bench = await start()
    caller, callee = talkers(2)
    client = await connect_client(bench)
    ours, _ = await talking(bench, caller, callee)
    (call,) = bench.engine.calls()
    await asyncio.sleep(0.2)

    async def collected(*codes: int, **wanted: Any) -> tuple[str, str]:
        asked = asyncio.create_task(client.call("call.collect", id=call.id, **{"timeout": 0.5, **wanted}))
        await until(lambda: call.collecting)
        for each in codes:
            caller.press(each)
        answer = await asked
        return answer["digits"], answer["reason"]

    assert await collected() == ("", "timeout")
    assert await collected(7, 8, digit_timeout=0.4) == ("78", "digit_timeout")
    assert await collected(5, 11) == ("5", "terminator")
    asked = asyncio.create_task(client.call("call.collect", id=call.id))
    await until(lambda: call.collecting)
    await client.call("call.stop", id=call.id)
    assert (await asked)["reason"] == "stopped"
    other = await connect_client(bench)
    left_behind = asyncio.create_task(other.call("call.collect", id=call.id))
    await until(lambda: call.collecting)
    await other.close()
    await until(lambda: not call.collecting)
    assert isinstance((await asyncio.gather(left_behind, return_exceptions=True))[0], ConnectionError)
    asked = asyncio.create_task(client.call("call.collect", id=call.id))
    await until(lambda: call.collecting)
    await ours.request("BYE")
    assert (await asked)["reason"] == "ended"
    await bench.left.expect(200)


async def test_secure_digits_are_in_the_answer_and_nowhere_else(
    start: Start, talkers: Any, connect_client: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    bench = await start()
    caller, callee = talkers(2)
    client = await connect_client(bench)
    ours, _ = await talking(bench, caller, callee)
    (call,) = bench.engine.calls()
    await asyncio.sleep(0.2)
    assert await code(client.call("call.collect", id=call.id, secure=True, key="once")) == "bad_params"
    asked = asyncio.create_task(client.call("call.collect", id=call.id, length=4, secure=True))
    await until(lambda: call.collecting)
    for digit in (6, 6, 7, 9):
        caller.press(digit)
        await asyncio.sleep(0.15)
    assert (await asked)["digits"] == "6679"
    assert [event["digit"] for event in of_type(bench, "dtmf.received")] == ["*"] * 4
    assert of_type(bench, "collect.finished")[0]["digits"] == "****"
    shown = str(bench.events()) + str(await client.call("call.get", id=call.id)) + "".join(capfd.readouterr())
    assert "6679" not in shown
    await ours.request("BYE")
    await bench.left.expect(200)


async def test_digits_are_sent_and_speech_is_noticed_and_muted(start: Start, talkers: Any, connect_client: Any) -> None:
    bench = await start()
    caller, callee = talkers(2)
    client = await connect_client(bench)
    await talking(bench, caller, callee)
    (call,) = bench.engine.calls()
    callee.packets.clear()
    await client.call("call.send_dtmf", id=call.id, digits="1#a")
    await until(lambda: of_type(bench, "dtmf.sent"))
    (sent,) = of_type(bench, "dtmf.sent")
    assert (sent["digits"], sent["completed"], sent["leg"]) == (3, True, call.callee.id)
    events = [payload[0] for payload_type, payload in callee.packets if payload_type == 101]
    assert list(dict.fromkeys(events)) == [1, 11, 12]
    assert await code(client.call("call.send_dtmf", id=call.id, digits="5x")) == "bad_params"
    caller.talk(caller.to[1], 0)
    await client.call("call.detect", id=call.id, kinds=["voice", "level"], leg="originating")
    await asyncio.sleep(0.5)
    caller.talk(caller.to[1], 500)
    await until(lambda: of_type(bench, "talk.started"))
    await until(lambda: of_type(bench, "media.level"))
    caller.talk(caller.to[1], 0)
    await until(lambda: of_type(bench, "talk.stopped"))
    assert await code(client.call("call.detect", id=call.id, kinds=["ghosts"])) == "bad_params"
    caller.talk(caller.to[1], 500)
    assert await client.call("call.mute", id=call.id, leg="originating") == {"legs": [call.caller.id]}
    await asyncio.sleep(0.1)
    assert await callee.tones(500) == [0]
    await client.call("call.unmute", id=call.id)
    await asyncio.sleep(0.1)
    assert await callee.tones(500) == [8000]


async def test_ringback_is_the_tone_of_the_tenants_country(start: Start) -> None:
    bench = await start(tenant_keys='country = "TR"')
    tone = bench.engine.world.ringback["acme"]
    assert tone.bursts[0].hz == (450,)
