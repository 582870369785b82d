"""Agents at their phones: feature codes, busy with something else, staying on the line, answering by themselves."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.calls.test_users import invite, register
from tests.queues.conftest import Staff, told, until
from tests.queues.test_callbacks_on_the_line import BORA
from tests.queues.test_waiting import wait_in_queue

Start = Callable[..., Awaitable[Any]]
USERS = """
[[user]]
name = "101"
tenant = "acme"
password = "secret101"
[[user]]
name = "102"
tenant = "acme"
password = "secret102"
[[agent]]
name = "zeynep"
tenant = "acme"
endpoint = "user:101"
queues = ["support"]
{keys}
[[route]]
name = "codes"
tenant = "acme"
called = "{code}"
destinations = [{{ agent = "{what}" }}]
[[route]]
name = "inside"
tenant = "acme"
called = "10[0-9]"
destinations = [{{ user = "{{called}}" }}]
"""


def state(bench: Any, name: str = "zeynep") -> str:
    return str(bench.engine.queues.distributor.agent(name, bench.engine.queues.now).state)


def states(bench: Any) -> list[str]:
    """All that the agent has been in."""
    return [one["state"] for one in told(bench, "agent.changed") if one["agent"] == "zeynep"]


async def at_home(begin: Start, *, keys: str = "", what: str = "toggle") -> tuple[Any, Any]:
    """An engine, and the registered phone of its agent."""
    bench, phones = await begin("spare", retry_delay=60, more=USERS.format(keys=keys, code="[*]5", what=what))
    await register(phones["spare"])
    await bench_logout(bench)
    return bench, phones["spare"]


async def bench_logout(bench: Any) -> None:
    """The agent that every bench has is not there."""
    queues = bench.engine.queues
    queues.apply(queues.distributor.logout("spare", queues.now))


async def hear_out(phone: Any, dialog: Any) -> None:
    """What is said to it, until the engine hangs up."""
    await dialog.ack(await phone.expect(200))
    bye = await phone.expect("BYE", within=8)
    await phone.answer(bye, 200)


async def test_a_feature_code_logs_in_and_out(begin: Start) -> None:
    bench, phone = await at_home(begin)
    assert state(bench) == "offline"
    await hear_out(phone, await invite(phone, "*5"))
    await until(lambda: state(bench) == "available")
    await wait_in_queue(bench)
    ringing = await phone.expect("INVITE")
    await phone.answer(ringing, 486)
    await phone.expect("ACK")
    assert told(bench, "reservation.refused")[0]["cause"] == "busy"


async def test_strangers_to_the_code_are_refused(begin: Start) -> None:
    bench, phone = await at_home(begin)
    await register(phone, "102", "secret102")
    await invite(phone, "*5", user="102", password="secret102")
    await phone.expect(403)
    assert state(bench) == "offline"


async def test_an_agent_who_calls_somebody_is_not_rung(begin: Start) -> None:
    bench, phone = await at_home(begin, keys="logged_in = true")
    assert state(bench) == "available"
    own = await invite(phone, "102")  # nobody is registered there, but it is a call
    await phone.expect(480)
    await own.request("ACK")
    await until(
        lambda: [one["state"] for one in told(bench, "agent.changed") if one["agent"] == "zeynep"][-1] == "available"
    )
    states = [one["state"] for one in told(bench, "agent.changed") if one["agent"] == "zeynep"]
    assert states[-2:] == ["busy", "available"]


async def test_an_agent_who_stays_on_the_line_is_connected_by_command(
    begin: Start, talkers: Callable[[int], list[Any]], client_of: Any
) -> None:
    bench, phone = await at_home(begin, keys='connection = "persistent"', what="stay")
    client = await client_of(bench)
    agent, caller = talkers(2)
    dialog = await invite(phone, "*5")
    answer = await phone.expect(200)
    await dialog.ack(answer)
    await until(lambda: state(bench) == "available")
    assert (await client.call("agent.get", name="zeynep"))["stays"] is True
    call = await wait_in_queue(bench, bench.left.sdp(caller.port, "0 101"))
    caller.talk(call.media_port, 700)
    await until(lambda: told(bench, "reservation.created"))
    await phone.hears_nothing(0.1)  # nothing rings
    reservation = told(bench, "reservation.created")[0]["reservation"]
    await client.call("agent.accept", reservation=reservation)
    await until(lambda: told(bench, "reservation.connected"))
    await call.request("BYE")
    await bench.left.expect(200)
    await until(lambda: told(bench, "reservation.completed"))
    assert state(bench) == "available"  # and the leg stands
    assert agent.port
    await dialog.request("BYE")
    await phone.expect(200)
    await until(lambda: not (bench.engine.queues.standing))


async def test_a_phone_is_told_to_answer_by_itself_once_the_agent_has_accepted(begin: Start, client_of: Any) -> None:
    bench, phone = await at_home(begin, keys='connection = "auto_answer"\nlogged_in = true')
    client = await client_of(bench)
    await wait_in_queue(bench)
    await until(lambda: told(bench, "reservation.created"))
    await phone.hears_nothing(0.1)
    await client.call("agent.accept", reservation=told(bench, "reservation.created")[0]["reservation"])
    ringing = await phone.expect("INVITE")
    assert "answer-after=0" in ringing.get("Call-Info")
    await phone.answer(ringing, 200, phone.sdp(5000, "0 101"))
    await phone.expect("ACK")
    await until(lambda: told(bench, "reservation.connected"))


async def test_agents_whose_phone_is_not_there_are_not_offered_anything(begin: Start) -> None:
    bench, _ = await begin("spare", more=USERS.format(keys="logged_in = true", code="[*]5", what="login"))
    await bench_logout(bench)
    await wait_in_queue(bench)
    await asyncio.sleep(0.05)
    assert not told(bench, "reservation.created")


async def test_an_agent_on_the_line_hears_the_whisper_and_then_the_caller(
    staff: Callable[..., Awaitable[Staff]], sounds: Callable[..., Any]
) -> None:
    sounds("says.wav", 1700.0, 1.5)
    people = await staff(agent='connection = "persistent"\nauto_accept = true', queue='whisper = ["says.wav"]')
    await people.caller_comes()
    await people.hear([(False, False, False, False, True)], people.agent, also=(1700.0,))
    await until(lambda: told(people.bench, "reservation.connected"))
    await people.hear([(False, True, False, False), (True, False, False, False)], people.customer, people.agent)


async def test_an_agent_who_leaves_the_line_while_it_is_offered_a_caller(
    staff: Callable[..., Awaitable[Staff]],
) -> None:
    """The caller is somebody else's at once, and it is no miss of the agent's."""
    people = await staff(agent='connection = "persistent"', more=BORA)
    await people.caller_comes()
    await until(lambda: told(people.bench, "reservation.created"))
    await people.agent.dialog.request("BYE")
    await people.agent.peer.expect(200)
    await people.client.call("agent.login", name="bora")
    await people.colleague.pick_up()
    await until(lambda: told(people.bench, "reservation.connected"))
    assert [one["cause"] for one in told(people.bench, "reservation.refused")] == ["unreachable"]  # which is no miss
    assert [one["agent"] for one in told(people.bench, "reservation.connected")] == ["bora"]
    assert not told(people.bench, "reservation.timed_out")


async def test_an_agent_who_leaves_the_line_during_the_whisper(
    staff: Callable[..., Awaitable[Staff]], sounds: Callable[..., Any]
) -> None:
    """The caller has not been heard yet: it keeps its place."""
    sounds("says.wav", 1700.0, 2)
    people = await staff(
        agent='connection = "persistent"\nauto_accept = true', queue='whisper = ["says.wav"]', more=BORA
    )
    await people.caller_comes()
    await until(lambda: told(people.bench, "reservation.accepted"))
    await people.agent.dialog.request("BYE")
    await people.agent.peer.expect(200)
    await people.client.call("agent.login", name="bora")
    await people.colleague.pick_up()
    await until(lambda: told(people.bench, "reservation.connected"), within=15)
    assert [one["reason"] for one in told(people.bench, "reservation.rescinded")] == ["failed"]
    assert told(people.bench, "reservation.connected")[0]["agent"] == "bora"
