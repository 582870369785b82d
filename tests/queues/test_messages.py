"""Messages that callers leave: the ways to one, what ends it, and what is found of it afterwards. Real calls; where
content is judged, the real recorder has made it.
"""

import asyncio
import io
import wave
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.calls.test_recorded import Shelf, shelf  # noqa: F401 - a fixture
from tests.queues.conftest import told, until

Start = Callable[..., Awaitable[Any]]
RATE = 8000
GREETING_HZ, THANKS_HZ, TONE_HZ, CALLER_HZ = 620.0, 1410.0, 1000.0, 500.0
KEY = "11" * 32
LONGEST_S = 4.0  # more than a busy machine takes for a second of speech and a key
MESSAGES = """
[[message]]
name = "after-hours"
tenant = "acme"
greeting = "greeting.wav"
thanks = "thanks.wav"
{keys}
[[route]]
name = "mailbox"
from_trunk = "carrier"
called = "200"
destinations = [{{ message = "after-hours" }}, {{ reject = 480 }}]
"""


PATIENT = """
[[queue]]
name = "patient"
tenant = "acme"
message = "after-hours"
message_keys = "7"
[[route]]
name = "patient"
from_trunk = "carrier"
called = "150"
destinations = [{ queue = "patient" }]
"""


def messages(keys: str = "max_length = 30") -> str:
    return MESSAGES.format(keys=keys)


async def call_in(bench: Any, phone: Any, called: str = "100") -> Any:
    """A caller that is answered, and says nothing yet; its dialog."""
    ours = await bench.left.call(called, bench.left.sdp(phone.port, "0 101"))
    answer = await bench.left.expect(200)
    await ours.ack(answer)
    ours.engine_port = answer.media_port
    phone.talk(answer.media_port)
    return ours


async def hear_tone(bench: Any, count: int = 1) -> None:
    await until(lambda: len(told(bench, "message.started")) == count, within=15)


def loud(line: Any, hz: float) -> float:
    """Amplitude of this tone."""
    shape = np.hanning(len(line))
    turns = np.exp(-2j * np.pi * hz * np.arange(len(line)) / RATE)
    return float(abs(np.sum(line * shape * turns)) * 2 / max(1.0, np.sum(shape)))


def story(line: Any) -> list[str]:
    """What is heard in each 40 ms, those that follow each other once; silence left out."""
    found: list[str] = []
    names = {"greeting": GREETING_HZ, "tone": TONE_HZ, "thanks": THANKS_HZ}
    for at in range(0, len(line) - 320, 320):
        by = {name: loud(line[at : at + 320].astype(float), hz) for name, hz in names.items()}
        name = max(by, key=lambda one: by[one])
        if by[name] > 1500 and (not found or found[-1] != name):
            found.append(name)
    return found


async def stored(bench: Any, client: Any, count: int) -> list[dict[str, Any]]:
    """All recordings, oldest first, once the recorder is done with so many."""
    async with asyncio.timeout(30):
        while True:
            items = (await client.call("recording.list", by="message"))["items"]
            if sum(one["state"] == "ready" for one in items) == count:
                return sorted(items, key=lambda one: str(one["id"]))
            await asyncio.sleep(0.05)


async def audio_of(client: Any, row: dict[str, Any]) -> Any:
    """Its samples, as whoever may read it gets them."""
    data, read = b"", b"more"
    while read:
        read = (await client.call("recording.read", id=row["id"], offset=len(data), length=100_000))["wav"]
        data += read
    with wave.open(io.BytesIO(data)) as source:
        assert (source.getnchannels(), source.getframerate()) == (1, RATE)
        return np.frombuffer(source.readframes(source.getnframes()), "<i2").astype(float)


def span_of(line: Any, hz: float) -> tuple[float, float]:
    """From when to when this tone is there, in seconds."""
    loud_at = [at for at in range(0, len(line) - 160, 160) if loud(line[at : at + 160], hz) > 4000]
    return loud_at[0] / RATE, (loud_at[-1] + 160) / RATE


async def test_what_is_left_is_what_was_said(
    begin: Start,
    talkers: Callable[[int], list[Any]],
    sounds: Callable[..., Path],
    client_of: Any,
) -> None:
    """One message ended by a key, one by hanging up, one by its length: sealed, in the index, in the call's record."""
    sounds("greeting.wav", GREETING_HZ, 0.4)
    sounds("thanks.wav", THANKS_HZ, 0.4)
    more = messages(f"max_length = {LONGEST_S}\nmin_length = 0.4") + f'[recording]\nkey = "{KEY}"\n'
    queue = 'message = "after-hours"\noverflow = [{ after = 0.2 }]'
    bench, _ = await begin(queue=queue, more=more + PATIENT)
    client = await client_of(bench)
    by_key, by_hand, by_length = talkers(3)

    ours = await call_in(bench, by_key)  # overflows
    await hear_tone(bench, 1)
    by_key.talk(ours.engine_port, CALLER_HZ)
    await asyncio.sleep(0.8)
    by_key.talk(ours.engine_port)
    await asyncio.sleep(0.1)
    by_key.press(11)
    await bench.left.answer(await bench.left.expect("BYE"), 200)
    assert story(by_key.heard()) == ["greeting", "tone", "thanks"]
    (gone,) = told(bench, "queue.overflowed")
    assert gone["to"] == "message:after-hours"

    ours = await call_in(bench, by_hand, "150")
    await until(lambda: len(told(bench, "queue.joined")) == 2)
    by_hand.press(7)
    await hear_tone(bench, 2)
    by_hand.talk(ours.engine_port, CALLER_HZ)
    await asyncio.sleep(0.8)
    await ours.request("BYE")
    await bench.left.expect(200)

    ours = await call_in(bench, by_length)
    await hear_tone(bench, 3)
    by_length.talk(ours.engine_port, CALLER_HZ)
    await bench.left.answer(await bench.left.expect("BYE"), 200)
    assert story(by_length.heard())[-1] == "thanks"

    left = told(bench, "message.left")
    assert [one["reason"] for one in left] == ["key", "hung_up", "full"]
    queues = ["support", "patient", "support"]
    assert [(one["message"], one["queue"]) for one in left] == [("after-hours", queue) for queue in queues]
    assert [one["reason"] for one in told(bench, "queue.left")] == ["key"]
    assert not told(bench, "message.discarded")
    rows = await stored(bench, client, 3)
    assert [row["id"] for row in rows] == [one["recording"] for one in left]
    for row, one in zip(rows, left, strict=True):
        assert (row["demanded_by"], row["channels"], row["is_encrypted"]) == ("message", "mono", True)
        assert (row["call"], row["queue"], row["caller"]) == (one["call"], one["queue"], one["caller"])
        line = await audio_of(client, row)
        first, last = span_of(line, CALLER_HZ)
        assert first < 0.8  # the tone was over a moment before
        assert abs(last - one["ms"] / 1000) < 0.8
        assert 7000 < loud(line[round(RATE * (first + 0.1)) : round(RATE * (last - 0.1))], CALLER_HZ) < 9000
        assert loud(line, TONE_HZ) < 200
        assert loud(line, GREETING_HZ) < 200
        if one["reason"] != "full":
            assert 0.5 < last - first < 3.0  # 0.8 s
    assert abs(len(line) / RATE - LONGEST_S) < 1.0
    assert last > LONGEST_S - 0.5
    cdrs = (await client.call("cdr.list"))["items"]
    assert sorted(one["recordings"][0] for one in cdrs) == [row["id"] for row in rows]
    assert sorted(one["queue"] for one in cdrs) == sorted(queues)
    of_one = (await client.call("recording.list", by="message", queue="patient"))["items"]
    assert [row["id"] for row in of_one] == [rows[1]["id"]]
    assert not (await client.call("recording.list", by="queue"))["items"]
    assert not list((bench.folder / "data" / "captures").iterdir())


async def test_a_message_in_which_nobody_speaks_is_thrown_away(
    begin: Start,
    talkers: Callable[[int], list[Any]],
    sounds: Callable[..., Path],
    client_of: Any,
) -> None:
    """By a route, with no queue; silence ends it. Nothing is left of it but a row that says so."""
    sounds("greeting.wav", GREETING_HZ, 0.2)
    sounds("thanks.wav", THANKS_HZ, 0.2)
    bench, _ = await begin(more=messages("silence = 0.4"))
    client = await client_of(bench)
    (phone,) = talkers(1)
    await call_in(bench, phone, "200")
    await bench.left.answer(await bench.left.expect("BYE"), 200)
    assert story(phone.heard()) == ["greeting", "tone"]  # and no thanks
    (gone,) = told(bench, "message.discarded")
    assert (gone["reason"], gone["ms"], gone["queue"]) == ("too_short", 0, None)
    await until(lambda: told(bench, "recording.erased"))
    (erased,) = told(bench, "recording.erased")
    (started,) = told(bench, "message.started")
    assert (erased["recording"], erased["by"], erased["entry"]) == (started["recording"], "engine", None)
    await bench.engine.cdrs.flush()
    row = await client.call("recording.get", id=started["recording"])
    assert (row["state"], row["reason"], row["files"]) == ("erased", "too_short", [])
    assert not list((bench.folder / "data" / "captures").iterdir())
    record = await bench.record()
    assert (record["recordings"], record["cause"], record["hung_up_by"]) == ([], "normal", "engine")
    assert bench.engine.studio.recordings.licences.in_use("acme") == 0


async def test_closed_full_and_without_agents_lead_to_the_message(
    shelf: Shelf,  # noqa: F811
    begin: Start,
    talkers: Callable[[int], list[Any]],
    sounds: Callable[..., Path],
) -> None:
    """At the join, and for those who wait when the queue closes."""
    sounds("greeting.wav", GREETING_HZ, 0.1)
    sounds("thanks.wav", THANKS_HZ, 0.1)
    queue = 'message = "after-hours"\nat_close = "send_away"\nmax_waiting = 1'
    bench, _ = await begin(queue=queue, more=messages())
    waits, too_many, late = talkers(3)
    await call_in(bench, waits)
    await until(lambda: told(bench, "queue.joined"))
    await call_in(bench, too_many)
    await hear_tone(bench, 1)
    bench.engine.queues.force("support", False)
    await hear_tone(bench, 2)
    await call_in(bench, late)
    await hear_tone(bench, 3)
    refused = [(one["reason"], one["to"]) for one in told(bench, "queue.refused")]
    assert refused == [("full", "message:after-hours"), ("closed", "message:after-hours")]
    assert [one["reason"] for one in told(bench, "queue.left")] == ["closed"]
    assert {one["queue"] for one in told(bench, "message.started")} == {"support"}
    assert [(tape.wish.by, tape.wish.queue, tape.wish.message) for tape in shelf.tapes] == [
        ("message", "support", "after-hours")
    ] * 3
    assert {tuple(one[1:] for one in tape.streams.values()) for tape in shelf.tapes} == {(("said", "originating"),)}


async def test_exits_of_the_route_s_own_lead_past_the_message(
    shelf: Shelf,  # noqa: F811
    begin: Start,
    talkers: Callable[[int], list[Any]],
) -> None:
    """The `timeout` of the destination, and a key of `exit_keys`."""
    queue = 'message = "after-hours"\nexit_keys = "0"'
    sounds_of_ours = messages().replace('greeting = "greeting.wav"\nthanks = "thanks.wav"\n', "")
    bench, _ = await begin(queue=queue, more=sounds_of_ours, timeout=", timeout = 0.2")
    (phone,) = talkers(1)
    await call_in(bench, phone)
    await bench.left.answer(await bench.left.expect("BYE"), 200)  # rejected, and it is answered already
    assert [(one["why"], one["to"]) for one in told(bench, "queue.overflowed")] == [("timeout", None)]
    assert not shelf.tapes


async def test_without_a_licence_the_next_destination_is_taken(
    shelf: Shelf,  # noqa: F811
    begin: Start,
    talkers: Callable[[int], list[Any]],
    sounds: Callable[..., Path],
) -> None:
    """A call that is recorded anyway needs no second one; both recordings hear the same mask."""
    sounds("greeting.wav", GREETING_HZ, 0.1)
    sounds("thanks.wav", THANKS_HZ, 0.1)
    route = 'record = "stereo"\ndestinations = [{ message = "after-hours" }, { reject = 480 }]'
    recorded = (
        messages().split("[[route]]")[0] + f'[[route]]\nname = "r"\nfrom_trunk = "carrier"\ncalled = "200"\n{route}\n'
    )
    plain = messages().split("[[route]]")[1].replace('"mailbox"', '"plain"').replace('"200"', '"300"')
    more = f"{recorded}[[route]]{plain}[recording]\nlimit = 1\n"
    bench, _ = await begin(more=more)
    first, second = talkers(2)
    ours = await call_in(bench, first, "200")
    await hear_tone(bench)
    assert [tape.wish.by for tape in shelf.tapes] == ["route", "message"]
    assert bench.engine.studio.recordings.licences.in_use("acme") == 1
    (call,) = bench.engine.calls()
    call.verbs.mask(on=True)
    assert [tape.told[-1] for tape in shelf.tapes] == [("mask",), ("mask",)]
    await bench.left.call("300", bench.left.sdp(second.port, "0 101"))
    assert (await bench.left.expect(480)).status == 480
    (failed,) = told(bench, "recording.failed")
    assert failed["reason"] == "no_licence"
    await ours.request("BYE")
    await bench.left.expect(200)
    await until(lambda: not list(bench.engine.calls()))
    assert bench.engine.studio.recordings.licences.in_use("acme") == 0


async def test_a_call_that_goes_on_to_something_else_ends_its_message(
    shelf: Shelf,  # noqa: F811
    begin: Start,
    talkers: Callable[[int], list[Any]],
    sounds: Callable[..., Path],
    client_of: Any,
) -> None:
    sounds("greeting.wav", GREETING_HZ, 0.1)
    sounds("thanks.wav", THANKS_HZ, 0.1)
    bench, _ = await begin(more=messages("min_length = 0"))
    client = await client_of(bench)
    (phone,) = talkers(1)
    await call_in(bench, phone, "200")
    await hear_tone(bench)
    (call,) = bench.engine.calls()
    await client.call("conference.join", call=call.id, name="elsewhere")
    await until(lambda: told(bench, "conference.joined"))
    (left,) = told(bench, "message.left")
    assert (left["reason"], left["recording"]) == ("moved", shelf.tape.recording)
    await asyncio.sleep(0.3)
    assert list(bench.engine.calls()) == [call]  # nothing of the message ends the call


async def test_a_recording_that_ends_ends_its_message(
    shelf: Shelf,  # noqa: F811
    begin: Start,
    talkers: Callable[[int], list[Any]],
    sounds: Callable[..., Path],
    client_of: Any,
) -> None:
    """By command, or as the disk is full: nobody speaks to nothing."""
    sounds("greeting.wav", GREETING_HZ, 0.1)
    sounds("thanks.wav", THANKS_HZ, 0.1)
    bench, _ = await begin(more=messages())
    client = await client_of(bench)
    (phone,) = talkers(1)
    await call_in(bench, phone, "200")
    await hear_tone(bench)
    await client.call("recording.stop", id=shelf.tape.recording)
    await bench.left.answer(await bench.left.expect("BYE"), 200)
    (left,) = told(bench, "message.left")
    assert (left["reason"], left["recording"]) == ("lost", shelf.tape.recording)
    assert [order["kind"] for order in shelf.orders] == ["process"]


async def test_a_caller_is_transferred_to_a_message(
    shelf: Shelf,  # noqa: F811
    begin: Start,
    talkers: Callable[[int], list[Any]],
    sounds: Callable[..., Path],
) -> None:
    sounds("greeting.wav", GREETING_HZ, 0.1)
    sounds("thanks.wav", THANKS_HZ, 0.1)
    inside = messages().replace('from_trunk = "carrier"', 'tenant = "acme"')
    bench, phones = await begin("ayse", more=inside)
    (phone,) = talkers(1)
    await call_in(bench, phone)
    invite = await phones["ayse"].expect("INVITE")
    await phones["ayse"].answer(invite, 200, phones["ayse"].sdp(5000, "0 101"))
    await phones["ayse"].expect("ACK")
    await until(lambda: told(bench, "reservation.connected"))
    (call,) = bench.engine.calls()
    bench.engine.transfer(call.id, "200", "caller", "test")
    await phones["ayse"].expect("BYE")
    await hear_tone(bench)
    assert [(one["queue"], one["call"]) for one in told(bench, "message.started")] == [("support", call.id)]
    assert told(bench, "reservation.wrapping")


async def test_who_hangs_up_while_sounds_are_got_ready_is_told_of(
    shelf: Shelf,  # noqa: F811
    begin: Start,
    talkers: Callable[[int], list[Any]],
    sounds: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sounds("greeting.wav", GREETING_HZ, 0.1)
    sounds("thanks.wav", THANKS_HZ, 0.1)
    wanted, for_ever = asyncio.Event(), asyncio.Event()

    async def prepare(*_: object) -> None:
        wanted.set()
        await for_ever.wait()

    bench, _ = await begin(queue='message = "after-hours"\nmax_wait = 0.1', more=messages())
    (phone,) = talkers(1)
    ours = await call_in(bench, phone)
    monkeypatch.setattr("santral.engine.messages.taking.playing.prepare", prepare)
    async with asyncio.timeout(10):
        await wanted.wait()
    assert bench.engine.studio.recordings.licences.in_use("acme") == 1
    await ours.request("BYE")
    await bench.left.expect(200)
    record = await bench.record()
    assert (record["cause"], record["hung_up_by"], record["recordings"]) == ("normal", "caller", [])
    assert bench.engine.studio.recordings.licences.in_use("acme") == 0
    for_ever.set()


async def test_a_caller_whom_nobody_has_answered_is_answered_for_the_message(
    shelf: Shelf,  # noqa: F811
    begin: Start,
    talkers: Callable[[int], list[Any]],
    sounds: Callable[..., Path],
) -> None:
    """Out of a queue that answers with its agents; the second caller offers nothing until its ACK."""
    sounds("greeting.wav", GREETING_HZ, 0.1)
    sounds("thanks.wav", THANKS_HZ, 0.1)
    queue = 'answer = "agent"\nmax_wait = 0.1\nmessage = "after-hours"'
    bench, _ = await begin(queue=queue, more=messages())
    phone, late = talkers(2)
    ours = await bench.left.call("100", bench.left.sdp(phone.port, "0 101"))
    await bench.left.expect(180)
    await ours.ack(await bench.left.expect(200))
    await hear_tone(bench, 1)
    ours = await bench.left.call("100", "")
    await bench.left.expect(180)
    await ours.ack(await bench.left.expect(200), bench.left.sdp(late.port, "0 101"))
    await hear_tone(bench, 2)
    assert [one["to"] for one in told(bench, "queue.overflowed")] == ["message:after-hours"] * 2
    assert len(shelf.tapes) == 2
