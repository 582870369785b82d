"""Conferences by destination and by command: who hears whom, by frequency; who comes, goes, is kept out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from santral.engine.control.client import Client
from santral.engine.control.protocol import RequestError

Start = Callable[..., Awaitable[Any]]
ROUTE = """
[[conference]]
name = "7001"
tenant = "acme"
max_members = 3
{keys}
[[route]]
name = "rooms"
from_trunk = "left"
called = "(?P<room>7\\\\d+)"
destinations = [{{ conference = "{{room}}" }}]
"""
SILENT = {"right_keys": ROUTE.format(keys="silent = true")}
TONES = (500, 700, 900, 1100)


@pytest.fixture
async def client_of() -> AsyncIterator[Callable[[Any], Awaitable[Client]]]:
    made: list[Client] = []

    async def connect(bench: Any) -> Client:
        made.append(await Client.unix(str(bench.folder / "data" / "control.sock")))
        return made[-1]

    yield connect
    for one in made:
        await one.close()


def told(bench: Any, kind: str) -> list[dict[str, Any]]:
    return [event for event in bench.events() if event["type"] == kind]


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - the engine tells nobody but its peers
            await asyncio.sleep(0.01)


async def come(bench: Any, talker: Any, hz: float, room: str = "7001") -> Any:
    """Call the room and talk in it; the dialog."""
    dialog = await bench.left.call(room, bench.left.sdp(talker.port, "0 101"))
    answer = await bench.left.expect(200)
    await dialog.ack(answer)
    talker.talk(answer.media_port, hz)
    return dialog


async def refused(what: Awaitable[Any]) -> str:
    with pytest.raises(RequestError) as refusal:
        await what
    return refusal.value.code


async def test_each_hears_exactly_the_others(start: Start, talkers: Any, client_of: Any) -> None:
    bench = await start(**SILENT)
    client = await client_of(bench)
    phones = talkers(4)
    dialogs = [await come(bench, phones[0], TONES[0]), await come(bench, phones[1], TONES[1])]
    await asyncio.sleep(0.5)
    heard = await asyncio.gather(*(phone.tones(*TONES[:3]) for phone in phones[:2]))
    assert [[level > 6000 for level in one] for one in heard] == [[False, True, False], [True, False, False]]
    dialogs.append(await come(bench, phones[2], TONES[2]))
    await asyncio.sleep(0.8)
    heard = await asyncio.gather(*(phone.tones(*TONES[:3]) for phone in phones[:3]))
    assert [[level > 6000 for level in one] for one in heard] == [
        [other != own for other in range(3)] for own in range(3)
    ]
    calls = [event["call"] for event in told(bench, "conference.joined")]
    (shown,) = (await client.call("conference.list"))["items"]
    assert (shown["name"], [one["call"] for one in shown["members"]]) == ("7001", calls)
    fourth = await bench.left.call("7001", bench.left.sdp(phones[3].port, "0 101"))
    await bench.left.expect(486)  # max_members
    await client.call("conference.mute", call=calls[0])
    await asyncio.sleep(0.3)
    assert [level > 6000 for level in await phones[1].tones(*TONES[:3])] == [False, False, True]
    await client.call("conference.unmute", call=calls[0])
    await dialogs[2].request("BYE")
    await bench.left.expect(200)
    await asyncio.sleep(0.5)
    assert [level > 6000 for level in await phones[1].tones(*TONES[:3])] == [True, False, False]
    for dialog in dialogs[:2]:
        await dialog.request("BYE")
        await bench.left.expect(200)
    await until(lambda: told(bench, "conference.ended"))
    assert [event["members"] for event in told(bench, "conference.left")] == [2, 1, 0]
    assert len(told(bench, "conference.started")) == 1
    assert (await client.call("conference.list"))["items"] == []
    assert fourth


async def test_a_beep_for_who_comes_and_a_sound_for_who_goes(
    start: Start, talkers: Any, sounds: Any, client_of: Any
) -> None:
    folder = sounds("bye.wav", 1700, 1.0).parent
    keys = 'leave_sound = "bye.wav"\nmuted_on_join = true'
    bench = await start(tenant_keys=f'sounds = "{folder}"', right_keys=ROUTE.format(keys=keys))
    one, two = talkers(2)
    await come(bench, one, 0)
    await asyncio.sleep(0.6)
    second = await come(bench, two, 600)
    assert (await one.tones(1000, 600))[0] > 1000
    await second.request("BYE")
    await bench.left.expect(200)
    await asyncio.sleep(0.1)
    levels = await one.tones(1700, 600)
    assert (levels[0] > 6000, levels[1]) == (True, 0)


async def test_commands_bring_calls_in_and_out(start: Start, talkers: Any, client_of: Any) -> None:
    """A call of two legs joins somebody who echoes; it leaves, and its legs hear each other again."""
    bench = await start(**SILENT)
    client = await client_of(bench)
    caller, callee, alone = talkers(3)
    ours = await bench.left.call("100", bench.left.sdp(caller.port, "0 101"))
    invite = await bench.right.expect("INVITE")
    (call,) = bench.engine.calls()
    assert await refused(client.call("conference.join", name="x", call=call.id)) == "bad_state"
    await bench.right.answer(invite, 200, bench.right.sdp(callee.port, "0 101"))
    await bench.right.expect("ACK")
    answer = await bench.left.expect(200)
    await ours.ack(answer)
    caller.talk(answer.media_port, 500)
    callee.talk(invite.media_port, 700)
    await come(bench, alone, 900, "9196")
    other = next(one for one in bench.engine.calls() if one is not call)
    await client.call("conference.create", name="x", tenant="acme")
    for one in (call, other):
        await client.call("conference.join", name="x", call=one.id)
    assert await refused(client.call("conference.join", name="x", call=call.id)) == "bad_state"
    await asyncio.sleep(1.2)
    heard = await asyncio.gather(*(phone.tones(500, 700, 900) for phone in (caller, callee, alone)))
    assert [[level > 6000 for level in one] for one in heard] == [
        [False, True, True], [True, False, True], [True, True, False],
    ]  # fmt: skip
    await client.call("conference.leave", call=call.id)
    await asyncio.sleep(0.3)
    heard = await asyncio.gather(*(phone.tones(500, 700, 900) for phone in (caller, callee)))
    assert [[level > 6000 for level in one] for one in heard] == [[False, True, False], [True, False, False]]
    assert (await client.call("conference.lock", name="x", tenant="acme"))["locked"] is True
    assert await refused(client.call("conference.join", name="x", call=call.id)) == "bad_state"
    assert await refused(client.call("conference.leave", call=call.id)) == "bad_state"
    await client.call("conference.lock", name="x", tenant="acme", locked=False)
    await client.call("conference.join", name="x", call=call.id)
    await client.call("conference.kick", call=other.id)
    await bench.left.expect("BYE")
    assert (await client.call("conference.end", name="x", tenant="acme"))["calls"] == [call.id]
    await bench.right.expect("BYE")
    assert await refused(client.call("conference.end", name="x", tenant="acme")) == "not_found"
    assert [event["reason"] for event in told(bench, "conference.left")] == ["left", "left", "kicked", "ended", "ended"]
