"""Queues that record: from when their callers wait, with whoever speaks to them; and when there is no licence left."""

from collections.abc import Awaitable, Callable
from typing import Any

from tests.calls.test_recorded import Shelf, shelf  # noqa: F401 - a fixture
from tests.queues.conftest import Staff, told, until

Start = Callable[..., Awaitable[Any]]


async def test_who_waits_is_recorded_with_the_agent_who_comes(shelf: Shelf, begin: Start) -> None:  # noqa: F811
    bench, phones = await begin("ayse", queue='record = "stereo"')
    ayse = phones["ayse"]
    caller = await bench.left.call("100")
    await caller.ack(await bench.left.expect(200))
    assert {(side, role) for _, side, role in shelf.tape.streams.values()} == {
        ("said", "originating"),
        ("heard", "originating"),
    }
    invite = await ayse.expect("INVITE")
    await ayse.answer(invite, 200, ayse.sdp(5000, "0 101"))
    await ayse.expect("ACK")
    await until(lambda: told(bench, "reservation.connected"))
    assert {(side, role) for _, side, role in shelf.tape.streams.values()} == {
        (side, role) for side in ("said", "played") for role in ("originating", "connected")
    }
    (started,) = told(bench, "recording.started")
    assert started["by"] == "queue"
    await caller.request("BYE")
    await until(lambda: told(bench, "recording.stopped"))


async def test_without_a_licence_the_next_destination_is_taken(shelf: Shelf, begin: Start) -> None:  # noqa: F811
    bench, _ = await begin(queue='record = "stereo"', more="[recording]\nlimit = 1")
    first = await bench.left.call("100")
    await first.ack(await bench.left.expect(200))
    await bench.left.call("100")
    assert (await bench.left.expect(486)).status == 486
    assert len(shelf.tapes) == 1


async def test_a_supervisor_is_recorded_where_the_caller_hears_it(
    shelf: Shelf,  # noqa: F811
    staff: Callable[..., Awaitable[Staff]],
) -> None:
    """What caller and agent say is recorded as before; a whisper is not, who barges in is."""
    people = await staff(queue='record = "stereo"')
    await people.talk()
    (call,) = people.bench.engine.calls()

    def speak() -> dict[str, str]:
        return {leg: role for leg, side, role in shelf.tape.streams.values() if side == "said"}

    two = speak()
    assert sorted(two.values()) == ["connected", "originating"]
    supervisor = await people.supervise("whisper")
    await people.hear([(False, True, False, False), (True, False, False, True)], people.customer, people.agent)
    assert speak() == two
    await people.client.call("agent.supervise", name="ayse", call=supervisor, mode="barge")
    await people.hear([(False, True, False, True)], people.customer)
    assert sorted(speak().values()) == ["connected", "member", "originating"]
    await people.boss.dialog.request("BYE")
    await people.boss.peer.expect(200)
    await until(lambda: speak() == two)
    assert [one["call"] for one in told(people.bench, "recording.started")] == [call.id]
