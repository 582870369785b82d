"""Agents whose calls are listened to hold, transfer and hang up as always; supervisors listen, coach, and take over."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tests.calls.test_replaces import named, refer_to
from tests.calls.test_transfer import refer
from tests.queues.conftest import Staff, told, until

from santral.engine.control.client import Client
from santral.engine.control.protocol import RequestError

Hire = Callable[..., Awaitable[Staff]]
WRAPS = {"wrap_up": 30}
HEARS = {  # mode -> what customer, agent and supervisor hear of customer, agent, colleague, supervisor
    "monitor": [(False, True, False, False), (True, False, False, False), (True, True, False, False)],
    "whisper": [(False, True, False, False), (True, False, False, True), (True, True, False, False)],
    "barge": [(False, True, False, True), (True, False, False, True), (True, True, False, False)],
}
MUSIC = (False, False, False, False, True)
NOTHING = (False, False, False, False)
TWO = [(False, False, True, False), (True, False, False, False)]  # customer and colleague, apart from all others


ECHO = """
[[route]]
name = "echo"
tenant = "acme"
called = "[*]99"
destinations = [{ echo = true }]
"""


TRIO = """
[[route]]
name = "trio"
tenant = "acme"
called = "800"
destinations = [{ conference = "trio" }]
"""


def reasons(staff: Staff) -> list[str]:
    return [one["reason"] for one in told(staff.bench, "supervision.ended")]


def assert_alone(staff: Staff) -> None:
    """Nothing is left of supervision: no room, no supervisor."""
    engine = staff.bench.engine
    assert not list(engine.conferences)
    assert not engine.queues.supervising._all


async def test_a_supervisor_goes_from_one_mode_to_another(staff: Hire) -> None:
    people = await staff()
    await people.talk()
    supervisor = await people.supervise("monitor")
    three = people.customer, people.agent, people.boss
    for mode, heard in HEARS.items():
        if mode != "monitor":
            await people.client.call("agent.supervise", name="ayse", call=supervisor, mode=mode)
        await people.hear(heard, *three)
    assert [one["mode"] for one in told(people.bench, "supervision.changed")] == ["whisper", "barge"]
    people.agent.talker.press(5)  # a key of the agent's reaches the customer, through the room
    await until(lambda: any(kind == 101 for kind, _ in people.customer.talker.packets))
    await people.boss.dialog.request("BYE")
    await people.boss.peer.expect(200)
    await until(lambda: told(people.bench, "conference.ended"))
    await people.hear(HEARS["monitor"][:2], *three[:2])
    (ended,) = told(people.bench, "supervision.ended")
    (call,) = people.bench.engine.calls()
    assert (ended["call"], ended["supervisor"], ended["mode"], ended["reason"]) == (
        call.id, supervisor, "barge", "left",
    )  # fmt: skip
    assert (people.state(), call.join.room) == ("talking", None)
    assert_alone(people)


async def test_a_blind_transfer_by_the_agent_ends_the_supervision(staff: Hire) -> None:
    """Until the colleague answers all is as it was; then the supervisor, who came for the agent, is hung up."""
    people = await staff(**WRAPS)
    await people.talk()
    await people.supervise("whisper")
    report = await refer(people.agent.dialog, "102")
    invite = await people.colleague.peer.expect("INVITE")
    await people.colleague.peer.answer(invite, 180)
    assert await report.next() == 180
    await people.hear([HEARS["whisper"][2], HEARS["whisper"][1]], people.boss, people.agent)
    people.colleague.talker.talk(invite.media_port, people.colleague.tone)
    await people.colleague.peer.answer(invite, 200, people.colleague.sdp)
    await people.colleague.peer.expect("ACK")
    assert await report.next() == 200
    await people.agent.is_hung_up()
    await people.boss.is_hung_up()
    await people.hear(TWO, people.customer, people.colleague)
    assert (people.state(), reasons(people)) == ("wrapping", ["leg_left"])
    assert_alone(people)
    queue, agent = people.figures()
    assert (queue["answered"], queue["handled"], agent["handled"]) == (1, 1, 1)
    talked = told(people.bench, "reservation.wrapping")[0]["talk"]
    await people.customer.dialog.request("BYE")
    await people.customer.peer.expect(200)
    await people.colleague.is_hung_up(people.colleague.peer.dialog_of(invite))
    records = await people.records(2)
    assert (records["100"]["agent"], len(records["100"]["legs"])) == ("ayse", 3)
    assert records["103"]["parent"] == records["100"]["id"]
    assert people.figures()[1]["talk"] == pytest.approx(talked, abs=0.01)  # it did not go on with the call


async def test_a_transfer_that_fails_leaves_the_supervisor_listening(staff: Hire) -> None:
    people = await staff(**WRAPS)
    await people.talk()
    await people.supervise("barge")
    report = await refer(people.agent.dialog, "102")
    await people.colleague.peer.answer(await people.colleague.peer.expect("INVITE"), 486)
    await people.colleague.peer.expect("ACK")
    assert await report.next() == 486
    three = people.customer, people.agent, people.boss
    await people.hear(HEARS["barge"], *three)
    assert (people.state(), reasons(people)) == ("talking", [])


async def test_hold_consult_and_attended_transfer_under_supervision(staff: Hire, sounds: Callable[..., Any]) -> None:
    sounds("hold-music.wav", 1700.0, 1.5)
    people = await staff(user='hold = "music"', **WRAPS)
    await people.talk()
    await people.supervise("monitor")
    await people.agent.change("sendonly", 2)
    await people.hear([MUSIC], people.customer, also=(1700.0,))
    asked = await people.consult()
    await people.hear([(False, True, False, False)], people.colleague)  # the supervisor does not
    await refer_to(people.agent.dialog, named(asked), "102")
    await people.agent.peer.expect(202)
    await people.agent.is_hung_up(people.agent.dialog, asked)
    await people.boss.is_hung_up()
    await people.hear(TWO, people.customer, people.colleague)
    assert (people.state(), reasons(people)) == ("wrapping", ["leg_left"])
    (done,) = told(people.bench, "reservation.wrapping")
    assert (done["hold"] >= 0.5, done["talk"] > 0) == (True, True)
    assert_alone(people)


async def test_take_over_rings_the_supervisor_and_the_agent_leaves(staff: Hire) -> None:
    people = await staff(**WRAPS)
    await people.talk()
    await people.client.call("agent.supervise", name="ayse", to="103", mode="take_over")
    invite = await people.boss.peer.expect("INVITE")
    await people.boss.peer.answer(invite, 180)
    await people.hear(HEARS["monitor"][:2], people.customer, people.agent)  # it rings, nothing else
    people.boss.talker.talk(invite.media_port, people.boss.tone)
    await people.boss.peer.answer(invite, 200, people.boss.sdp)
    await people.boss.peer.expect("ACK")
    people.boss.dialog = people.boss.peer.dialog_of(invite)
    await people.agent.is_hung_up()
    await assert_taken_over(people)


async def test_a_supervisor_who_listens_takes_over(staff: Hire) -> None:
    people = await staff(**WRAPS)
    await people.talk()
    supervisor = await people.supervise("monitor")
    await people.hear(HEARS["monitor"][2:], people.boss)
    await people.client.call("agent.supervise", name="ayse", call=supervisor, mode="take_over")
    await people.agent.is_hung_up()
    await assert_taken_over(people)


async def assert_taken_over(people: Staff) -> None:
    """Customer and supervisor speak to each other, the agent wraps up, and all records say so."""
    await people.hear([(False, False, False, True), (True, False, False, False)], people.customer, people.boss)
    assert (people.state(), reasons(people)) == ("wrapping", ["taken_over"])
    assert_alone(people)
    queues = people.bench.engine.queues
    (reservation,) = {one["reservation"] for one in told(people.bench, "reservation.wrapping")}
    assert queues.distributor.reservation(reservation).phase == "wrapping"
    assert not queues.held
    assert not queues.by_leg
    (went,) = told(people.bench, "call.transferred")
    assert went["by"] == "local"
    (call,) = people.bench.engine.calls()
    assert [leg.party.name for leg in call.join.legs] == ["carrier", "103@acme.example"]
    await people.boss.dialog.request("BYE")
    await people.boss.peer.expect(200)
    await people.customer.peer.answer(await people.customer.peer.expect("BYE"), 200)
    records = await people.records(2)
    taken, own = records["100"], records["103"]
    assert (taken["cause"], taken["agent"], taken["queue"]) == ("normal", "ayse", "support")
    assert [leg["trunk"] for leg in taken["legs"]] == ["carrier", "101@acme.example", "103@acme.example"]
    assert (own["cause"], own["parent"], own["linked"]) == ("transferred", taken["id"], taken["linked"])
    queue, agent = people.figures()
    assert (queue["offered"], queue["answered"], queue["handled"], agent["handled"]) == (1, 1, 1, 1)


async def test_a_supervisor_who_does_not_answer_changes_nothing(staff: Hire) -> None:
    people = await staff()
    await people.talk()
    await people.client.call("agent.supervise", name="ayse", to="103", mode="take_over")
    await people.boss.peer.answer(await people.boss.peer.expect("INVITE"), 486)
    await people.boss.peer.expect("ACK")
    await until(lambda: told(people.bench, "call.ended"))
    await people.hear(HEARS["monitor"][:2], people.customer, people.agent)
    assert (people.state(), told(people.bench, "supervision.started", "supervision.ended")) == ("talking", [])


async def test_a_supervisor_whose_phone_rings_when_the_call_ends(staff: Hire) -> None:
    people = await staff()
    await people.talk()
    await people.client.call("agent.supervise", name="ayse", to="103")
    invite = await people.boss.peer.expect("INVITE")
    await people.boss.peer.answer(invite, 180)
    await people.customer.dialog.request("BYE")
    await people.customer.peer.expect(200)
    await people.boss.peer.answer(await people.boss.peer.expect("CANCEL"), 200)
    await people.boss.peer.answer(invite, 487)
    await people.boss.peer.expect("ACK")
    await people.agent.is_hung_up()
    assert not told(people.bench, "supervision.started", "supervision.ended")
    assert_alone(people)


async def test_two_supervisors_of_one_agent(staff: Hire) -> None:
    """One listens, one coaches: neither hears the other, and the one who stays goes on, and takes over."""
    people = await staff(**WRAPS)
    await people.talk()
    await people.supervise("monitor")
    coach = await people.client.call("agent.supervise", name="ayse", to="102", mode="whisper")
    await people.colleague.pick_up()
    four = people.customer, people.agent, people.colleague, people.boss
    both = [(False, True, False, False), (True, False, True, False), (True, True, False, False)]
    await people.hear([*both, (True, True, False, False)], *four)
    await people.boss.dialog.request("BYE")
    await people.boss.peer.expect(200)
    await people.hear(both, *four[:3])
    await people.client.call("agent.supervise", name="ayse", call=coach["call"], mode="take_over")
    await people.agent.is_hung_up()
    await people.hear(TWO, people.customer, people.colleague)
    assert reasons(people) == ["left", "taken_over"]
    assert_alone(people)


async def test_a_supervisor_follows_the_agent_s_leg_to_another_caller(staff: Hire) -> None:
    """By command the agent's leg goes to somebody else: it is the same agent that is listened to."""
    people = await staff(more=ECHO)
    await people.talk()
    await people.supervise("monitor")
    await people.colleague.call("*99", "102")
    first, other = (call for call in people.bench.engine.calls() if call.facts.called in {"100", "*99"})
    await people.client.call("call.bridge", id=other.id, other=first.id, keep="caller", take="callee")
    await until(lambda: told(people.bench, "call.ended"))
    await people.hear([(False, True, True, False), (False, True, False, False)], people.boss, people.colleague)
    assert reasons(people) == []


async def test_an_agent_who_stays_on_the_line_is_supervised(staff: Hire, sounds: Callable[..., Any]) -> None:
    sounds("hold-music.wav", 1700.0, 1.5)
    people = await staff(agent='connection = "persistent"\nauto_accept = true', user='hold = "music"', **WRAPS)
    await people.caller_comes()
    await until(lambda: told(people.bench, "reservation.connected"))
    supervisor = await people.supervise("whisper")
    three = people.customer, people.agent, people.boss
    await people.hear(HEARS["whisper"], *three)
    await people.agent.change("sendonly", 2)
    await people.hear([MUSIC], people.customer, also=(1700.0,))
    await people.agent.change("sendrecv", 3)
    await people.client.call("agent.supervise", name="ayse", call=supervisor, mode="take_over")
    await people.hear([(False, False, False, True), (True, False, False, False)], people.customer, people.boss)
    assert (people.state(), reasons(people)) == ("wrapping", ["taken_over"])
    await people.agent.peer.hears_nothing(0.1)  # its leg stands
    assert told(people.bench, "reservation.wrapping")[0]["hold"] > 0.3
    assert people.bench.engine.queues.standing
    assert_alone(people)


async def test_the_caller_of_an_agent_who_stays_hangs_up_under_supervision(staff: Hire) -> None:
    people = await staff(agent='connection = "persistent"\nauto_accept = true', **WRAPS)
    await people.caller_comes()
    await until(lambda: told(people.bench, "reservation.connected"))
    await people.supervise("monitor")
    await people.customer.dialog.request("BYE")
    await people.customer.peer.expect(200)
    await people.boss.is_hung_up()
    assert (people.state(), reasons(people)) == ("wrapping", ["leg_left"])
    assert_alone(people)
    await people.agent.peer.hears_nothing(0.1)


async def test_a_supervisor_goes_along_into_a_conference_and_back(staff: Hire) -> None:
    """Where customer and agent hear a colleague, too, the supervisor hears all, and is heard by the agent alone."""
    people = await staff(more=TRIO)
    await people.talk()
    await people.supervise("whisper")
    call = next(one for one in people.bench.engine.calls() if one.facts.called == "100")
    await people.client.call("conference.join", name="trio", call=call.id)
    await people.colleague.call("800", "102")
    all_four = people.customer, people.agent, people.colleague, people.boss
    await people.hear(
        [(False, True, True, False), (True, False, True, True), (True, True, False, False), (True, True, True, False)],
        *all_four,
    )
    (room,) = people.bench.engine.conferences
    assert (room.name, len(room.members)) == ("trio", 4)
    await people.client.call("conference.leave", call=call.id)
    await people.hear(HEARS["whisper"], people.customer, people.agent, people.boss)
    assert {one.name.partition("-")[0] for one in people.bench.engine.conferences} == {"trio", "supervise"}
    await people.agent.dialog.request("BYE")
    await people.agent.peer.expect(200)
    await people.boss.is_hung_up()
    assert reasons(people) == ["leg_left"]


async def test_nobody_listens_to_a_masked_call(staff: Hire) -> None:
    """Nor does anybody hear it, or come into the room, by another way."""
    people = await staff(more=ECHO)
    await people.talk()
    supervisor = await people.supervise("barge")
    call = next(one for one in people.bench.engine.calls() if one.facts.called == "100")
    await people.client.call("recording.mask", call=call.id)
    await people.hear([HEARS["barge"][0], NOTHING], people.customer, people.boss)
    await people.client.call("agent.supervise", name="ayse", call=supervisor, mode="monitor")
    await people.hear([NOTHING], people.boss)
    (room,) = people.bench.engine.conferences
    for method, wanted, why in (
        ("conference.change", {"call": supervisor, "deaf": False}, "masked"),
        ("conference.lock", {"name": room.name, "tenant": "acme", "locked": False}, "stays locked"),
        ("recording.start", {"conference": room.name, "tenant": "acme"}, "record the calls"),
    ):
        with pytest.raises(RequestError, match=why):
            await people.client.call(method, **wanted)
    await people.client.call("recording.unmask", call=call.id)
    await people.hear(HEARS["monitor"], people.customer, people.agent, people.boss)
    await people.colleague.call("*99", "102")
    other = next(one for one in people.bench.engine.calls() if one.facts.called == "*99")
    with pytest.raises(RequestError, match="locked"):
        await people.client.call("conference.join", name=room.name, call=other.id)


async def test_any_leg_is_supervised_and_its_place_taken(staff: Hire) -> None:
    """A call of no queue: the colleague calls a customer, the supervisor coaches the colleague, then takes over."""
    people = await staff()
    dialog = await people.calls_out()
    call = next(one for one in people.bench.engine.calls() if one.facts.called == "2001")
    made = await people.client.call("call.supervise", id=call.id, leg="originating", to="103", mode="whisper")
    await people.boss.pick_up()
    three = people.customer, people.colleague, people.boss
    coached = [(False, False, True, False), (True, False, False, True), (True, False, True, False)]
    await people.hear(coached, *three)
    (started,) = told(people.bench, "supervision.started")
    assert (started["agent"], started["leg"], started["call"]) == (None, call.caller.id, call.id)
    await people.client.call("call.supervise", id=call.id, leg="originating", call=made["call"], mode="take_over")
    await people.colleague.is_hung_up(dialog)
    await people.hear([(False, False, False, True), (True, False, False, False)], people.customer, people.boss)
    assert reasons(people) == ["taken_over"]
    assert_alone(people)


TOKENS = """
[control]
tcp = "127.0.0.1:0"
[[tenant]]
name = "globex"
[[control.token]]
name = "wallboard"
secret = "w"
scopes = ["read", "events"]
tenant = "acme"
[[control.token]]
name = "neighbour"
secret = "n"
scopes = ["calls", "read"]
tenant = "globex"
[[control.token]]
name = "lead"
secret = "l"
scopes = ["calls"]
tenant = "acme"
"""


async def test_who_may_not_supervise(staff: Hire) -> None:
    people = await staff(more=TOKENS)
    with pytest.raises(RequestError, match="speaks to nobody"):
        await people.client.call("agent.supervise", name="ayse", to="103")
    await people.talk()
    (call,) = people.bench.engine.calls()
    supervisor = await people.supervise("monitor")
    (address,) = [one for one in people.bench.engine.control.addresses if one.startswith("tcp:")]
    refused = {
        "wallboard": [("forbidden", {"to": "103"}), ("forbidden", {"call": supervisor})],
        "neighbour": [("not_found", {"to": "103"}), ("not_found", {"call": supervisor})],
        "lead": [("bad_params", {}), ("bad_params", {"to": "103", "call": supervisor}), ("not_found", {"call": "x"}),
                 ("not_found", {"to": "666"})],
    }  # fmt: skip
    for name, attempts in refused.items():
        client = await Client.tcp("127.0.0.1", int(address.rpartition(":")[2]), name, name[0])
        try:
            for code, params in attempts:
                for method, of in (("agent.supervise", {"name": "ayse"}), ("call.supervise", {"id": call.id})):
                    with pytest.raises(RequestError) as said:
                        await client.call(method, **of, mode="barge", **params)
                    assert said.value.code == code, (name, method, params)
            if name == "lead":  # the one who may
                await client.call("agent.supervise", name="ayse", call=supervisor, mode="barge")
        finally:
            await client.close()
    assert told(people.bench, "supervision.changed")[0]["by"] == "lead"
    await people.boss.peer.hears_nothing(0.1)  # nobody was rung by them
