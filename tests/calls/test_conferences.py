"""Conferences by destination and by command: who hears whom, by frequency; who comes, goes, is kept out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
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
    dialog = await bench.left.call(room, bench.left.sdp(talker.port, f"{talker.payload_type} 101"))
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


async def test_who_only_listens_comes_and_goes_without_a_sound(
    start: Start, talkers: Any, sounds: Any, client_of: Any
) -> None:
    folder = sounds("any.wav", 1700, 1.0).parent
    keys = 'join_sound = "any.wav"\nleave_sound = "any.wav"'
    bench = await start(tenant_keys=f'sounds = "{folder}"', right_keys=ROUTE.format(keys=keys))
    client = await client_of(bench)
    one, two = talkers(2)
    await come(bench, one, 0)
    await until(lambda: told(bench, "conference.joined"))
    await asyncio.sleep(1.2)  # its own sound
    await come(bench, two, 600, "9196")
    listening = next(call for call in bench.engine.calls() if call.facts.called == "9196")
    one.heard()
    await client.call("conference.join", name="7001", call=listening.id, monitor=True)
    await until(lambda: len(told(bench, "conference.joined")) == 2)
    await asyncio.sleep(0.3)
    await client.call("conference.leave", call=listening.id)
    await until(lambda: told(bench, "conference.left"))
    await asyncio.sleep(0.3)
    assert abs(one.heard().astype(int)).max(initial=0) < 100
    await client.call("conference.join", name="7001", call=listening.id)
    await asyncio.sleep(0.6)
    assert one.level(one.heard(), 1700) > 1000


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


def who_hears(heard: list[list[int]]) -> list[str]:
    """For each ear, the talkers in it by their letters."""
    return ["".join(letter for letter, level in zip("abcd", ear, strict=False) if level > 5000) for ear in heard]


async def test_each_takes_part_in_a_manner_of_its_own(start: Start, talkers: Any, client_of: Any) -> None:
    """Monitors, whispers, is deaf, louder or softer: which frequency is in which ear."""
    bench = await start(right_keys=ROUTE.format(keys="silent = true").replace("= 3", "= 4"))
    client = await client_of(bench)
    phones = talkers(4)
    for phone, hz in zip(phones, TONES, strict=True):
        await come(bench, phone, hz)
    (shown,) = (await client.call("conference.list"))["items"]
    calls, legs = ([one[key] for one in shown["members"]] for key in ("call", "leg"))

    async def ears() -> list[str]:
        await asyncio.sleep(0.25)  # what is on its way yet
        return who_hears(await asyncio.gather(*(phone.tones(*TONES, seconds=0.3) for phone in phones)))

    async def change(who: int, **manner: Any) -> None:
        assert (await client.call("conference.change", call=calls[who], **manner))["legs"] == [legs[who]]

    await asyncio.sleep(0.3)
    assert await ears() == ["bcd", "acd", "abd", "abc"]
    await change(3, monitor=True)
    await change(2, deaf=True)
    assert await ears() == ["bc", "ac", "", "abc"]
    await change(2, deaf=False)
    await change(3, monitor=False, whisper_to=legs[0])
    await change(1, gain_db=-12.0)
    assert await ears() == ["cd", "ac", "a", "ac"]  # b is 2000 in everybody's ear
    levels = await phones[0].tones(*TONES, seconds=0.3)
    assert 1700 < levels[1] < 2300
    await change(1, gain_db=0.0)
    await change(0, muted=True)
    assert await ears() == ["bcd", "c", "b", "bc"]
    await change(0, muted=False)
    await change(3, whisper_to="")
    assert await ears() == ["bcd", "acd", "abd", "abc"]
    (shown,) = (await client.call("conference.list"))["items"]
    plain = {"muted": False, "deaf": False, "monitor": False, "gain_db": 0.0, "agc": False, "whisper_to": ""}
    assert all(plain.items() <= one.items() for one in shown["members"])
    changes = told(bench, "conference.changed")
    assert [(one["leg"], one["whisper_to"]) for one in changes if one["leg"] == legs[3]][1:] == [
        (legs[3], legs[0]), (legs[3], ""),
    ]  # fmt: skip
    assert await refused(client.call("conference.change", call=calls[0], gain_db=30.0)) == "bad_params"
    assert await refused(client.call("conference.change", call=calls[0])) == "bad_params"
    assert await refused(client.call("conference.change", call=calls[0], whisper_to=legs[0])) == "not_found"
    assert await refused(client.call("conference.change", call=calls[0], whisper_to="nobody")) == "not_found"


async def test_a_supervisor_listens_then_coaches_and_is_never_heard_by_the_customer(
    start: Start, talkers: Any, client_of: Any
) -> None:
    """Also when the agent who was whispered to has gone: the whisperer is heard by nobody then."""
    bench = await start(**SILENT)
    client = await client_of(bench)
    customer, agent, supervisor = talkers(3)
    await come(bench, customer, 500)
    talks = await come(bench, agent, 700)
    await come(bench, supervisor, 900, "9196")
    members = (await client.call("conference.list"))["items"][0]["members"]
    listening = next(one for one in bench.engine.calls() if one.id not in {member["call"] for member in members})
    coach = {"name": "7001", "call": listening.id}
    assert await refused(client.call("conference.join", **coach, whisper_to="nobody")) == "not_found"
    await client.call("conference.join", **coach, monitor=True)
    await asyncio.sleep(0.8)
    phones = (customer, agent, supervisor)

    async def ears() -> list[str]:
        return who_hears(await asyncio.gather(*(phone.tones(500, 700, 900, seconds=0.3) for phone in phones)))

    assert await ears() == ["b", "a", "ab"]
    await client.call("conference.change", call=listening.id, monitor=False, whisper_to=members[1]["leg"])
    await asyncio.sleep(0.3)
    assert await ears() == ["b", "ac", "ab"]
    await talks.request("BYE")
    await bench.left.expect(200)
    await asyncio.sleep(0.3)
    customer.packets.clear()
    await asyncio.sleep(0.3)
    line = customer.heard().astype(float)
    assert abs(line).max(initial=0) < 100


async def test_loudness_and_a_new_source_in_a_mixed_room(start: Start, talkers: Any, client_of: Any) -> None:
    """Who speaks low is brought up where the room says so; who goes on from another source is heard on."""
    bench = await start(right_keys=ROUTE.format(keys="silent = true\nagc = true"))
    client = await client_of(bench)
    phones = low, loud, other = talkers(3)
    low.amplitude, loud.amplitude = 800, 16000
    times = np.arange(2 * 8000) / 8000
    for phone, hz in zip(phones, TONES, strict=False):
        await come(bench, phone, hz)
        speaks = (times % 0.5 < 0.35) * phone.amplitude * np.sin(2 * np.pi * hz * times)  # like words: with pauses
        phone.said = speaks.astype(np.int16)
    await until(lambda: not len(other.said))
    levels = await other.tones(*TONES[:2])
    assert (levels[0] > 1200, levels[1] < 4000) == (True, True), levels  # -26 dBov is 2300; up by 4 dB a second
    calls = [event["call"] for event in told(bench, "conference.joined")]
    for call in calls[:2]:
        await client.call("conference.change", call=call, agc=False)
    low.amplitude = loud.amplitude = 8000
    await asyncio.sleep(0.3)
    low.become_another()
    await asyncio.sleep(0.4)
    levels = await other.tones(*TONES[:2])
    assert [abs(level - 8000) < 800 for level in levels] == [True, True], levels


async def test_a_room_at_16_khz_keeps_what_wideband_members_say(start: Start, talkers: Any) -> None:
    """5 kHz between two of G.722, with a third of PCMU who hears what fits; at 8 kHz it does not pass."""
    heard = {}
    keys = "silent = true\nspeakers = true\nrate_hz = {rate}"
    rooms = {"7001": 16000, "7002": 8000}
    both = "".join(
        ROUTE.format(keys=keys.format(rate=rate)).partition("[[route]]")[0].replace("7001", name)
        for name, rate in rooms.items()
    )
    route = "[[route]]" + ROUTE.format(keys="").partition("[[route]]")[2]
    bench = await start(left_codecs='"g722", "pcmu"', right_keys=both + route)
    for room in rooms:
        wide, far = talkers(2, "G722/8000", 9)
        (narrow,) = talkers(1)
        for phone, hz in ((wide, 5000), (far, 1000), (narrow, 600)):
            await come(bench, phone, hz, room)
        await asyncio.sleep(0.5)
        heard[room] = await asyncio.gather(
            wide.tones(1000, 600), far.tones(5000, 600), narrow.tones(1000, 5000 - 8000, 3000)
        )
    assert all(level > 6000 for level in heard["7001"][0] + heard["7001"][1]), heard
    assert (heard["7002"][1][0] < 100, heard["7002"][1][1] > 6000) == (True, True), heard
    for one in heard.values():
        assert (one[2][0] > 6000, max(one[2][1:]) < 100) == (True, True), heard  # nothing is folded down


async def test_conferences_are_listed_in_pages(start: Start, client_of: Any) -> None:
    bench = await start()
    client = await client_of(bench)
    for name in ("c", "a", "b"):
        await client.call("conference.create", name=name, tenant="acme")
    first = await client.call("conference.list", limit=2)
    assert [one["name"] for one in first["items"]] == ["a", "b"]
    rest = await client.call("conference.list", limit=2, after=first["next"])
    assert ([one["name"] for one in rest["items"]], rest["next"]) == (["c"], None)
    assert await refused(client.call("conference.list", limit=0)) == "bad_params"
