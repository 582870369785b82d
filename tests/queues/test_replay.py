"""A supervisor's figures are those of the event log: read again by whoever followed it, it gives the same."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from tests.queues.conftest import told, until
from tests.queues.test_keeping import ALWAYS, accepted_chat
from tests.queues.test_waiting import pick_up, wait_in_queue

from santral.engine import utc
from santral.engine.acd.journal import MOMENTS
from santral.routing.acd.events import Created, Event, Why, parse
from santral.routing.acd.statistics import Statistics

Start = Callable[..., Awaitable[Any]]
NOT_OURS = {"seq", "node", "type", "at", "call", "leg"}
NOTHING = Why("", 0.0, 0, 0, 0.0, 0, 0, 0, "")._asdict()  # reasons are words in the log; no figure asks for them
WITHOUT_TENANT = ("queue.announced", "queue.widened", "queue.callback_offered", "queue.callback_refused")


def read(line: Mapping[str, Any]) -> Event:
    """The event of a line of the log, with its moments in UTC seconds."""
    fields = {name: value for name, value in line.items() if name not in NOT_OURS}
    if line["type"] in WITHOUT_TENANT:
        del fields["tenant"]
    for name in MOMENTS & fields.keys():
        if fields[name] is not None:
            fields[name] = utc.parse(fields[name]) / 1000
    if line["type"] == "reservation.created":
        fields["why"] = NOTHING
    return parse(line["type"], utc.parse(line["at"]) / 1000, fields)


def alike(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """Counts are equal, times to what the log rounds and the machine needs for a line."""
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        if isinstance(value, Mapping):
            states = {state for each in (value, theirs[name]) for state, seconds in each.items() if seconds > 0.5}
            for state in states:
                assert value.get(state, 0.0) == pytest.approx(theirs[name].get(state, 0.0), abs=0.5), state
        elif isinstance(value, float):
            assert value == pytest.approx(theirs[name], rel=0.03, abs=0.5), name
        else:
            assert value == theirs[name], name


async def a_busy_minute(bench: Any, phones: Any, client: Any) -> None:
    """A caller is answered, one gives up, one is refused and waits too long; a chat, and a break."""
    await wait_in_queue(bench)
    agent = await pick_up(phones["ayse"], await phones["ayse"].expect("INVITE"))
    await until(lambda: told(bench, "reservation.connected"))
    impatient = await wait_in_queue(bench)
    await until(lambda: len(told(bench, "queue.joined")) == 2)
    await impatient.request("BYE")
    await bench.left.expect(200)
    await agent.request("BYE")
    await phones["ayse"].expect(200)
    await bench.left.answer(await bench.left.expect("BYE"), 200)
    await until(lambda: told(bench, "reservation.completed"))
    await client.call("agent.state", name="ayse", state="break", reason="lunch")
    await client.call("agent.state", name="ayse", state="available")
    reservation = await accepted_chat(bench, client, "chat-1")
    await client.call("agent.finish", name="ayse", reservation=reservation)
    await wait_in_queue(bench)
    await phones["ayse"].answer(await phones["ayse"].expect("INVITE"), 603)
    await phones["ayse"].expect("ACK")
    await bench.left.answer(await bench.left.expect("BYE", within=20), 200)  # max_wait
    await client.call("agent.logout", name="ayse")


async def test_the_log_gives_the_figures_again(begin: Start, client_of: Any) -> None:
    bench, phones = await begin(
        "ayse",
        keys='capacity = { call = 1, chat = 1 }\nschedule = "always"',
        retry_delay=60,
        queue="max_wait = 5\n" + ALWAYS,
    )
    client = await client_of(bench)
    await a_busy_minute(bench, phones, client)
    queues = bench.engine.queues
    began = utc.parse(told(bench, "engine.queues")[0]["at"]) / 1000
    again = Statistics(queues.acd.settings, schedules=queues.acd.schedules, began=began)
    for line in told(bench, *{event["type"] for event in bench.events()}):
        if line["type"].partition(".")[0] in {"queue", "reservation", "agent"}:
            event = read(line)
            assert not isinstance(event, Created) or event.agent == "ayse"
            again.add(event)
    now = queues.counting.now_s
    live = await client.call("queue.stats", name="support")
    assert [live[name] for name in ("offered", "answered", "abandoned", "overflowed", "handled")] == [4, 2, 1, 1, 2]
    alike(again.queue("support").as_map(), {name: live[name] for name in again.queue("support").as_map()})
    for kind, offered in (("call", 3), ("chat", 1)):
        figures = queues.counting.queue("support", kind, None, None)
        assert figures["offered"] == offered
        alike(again.queue("support", kind).as_map(), figures)
    alike(again.agent("ayse", now).as_map(), queues.counting.agent("ayse", None, None))
    for ours, theirs in zip(again.tenant("acme", now), queues.counting.tenant("acme", None, None), strict=True):
        alike(ours.as_map(), theirs)
    quarters = await queues.counting.intervals("queue", "support", now - 3600, now)
    assert [(begins, figures.offered) for begins, figures in again.queue_intervals("support")] == [
        (utc.parse(one["started"]) / 1000, one["offered"]) for one in quarters if one["offered"]
    ]
