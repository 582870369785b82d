"""Calls moved and made by command: as the tenant's own, with its rights and its numbers."""

from dataclasses import replace
from typing import Any

import pytest
from tests.calls.test_replaces import consult, records
from tests.calls.test_transfer import Start, assert_nothing_left, begin, hang_up, kinds, take

from santral.engine.control.access import Identity
from santral.engine.control.answers import Answers
from santral.engine.control.commands import COMMANDS, perform
from santral.engine.control.protocol import Request, RequestError

__all__ = ["begin"]

ROUTES = """
[[user]]
name = "101"
tenant = "acme"
password = "secret101"
[[number]]
number = "+903125550100"
tenant = "acme"
route = "over"
[[route]]
name = "tenant_left"
tenant = "acme"
called = "2\\\\d+"
destinations = [{{ trunk = "left" }}]
[[route]]
name = "tenant_spare"
tenant = "acme"
called = "7\\\\d+|\\\\+.*"
destinations = [{{ trunk = "spare" }}]
[[route]]
name = "tenant_echo"
tenant = "acme"
called = "9196"
destinations = [{{ echo = true }}]
"""


class Desk:
    """A client of the control socket, without the socket."""

    def __init__(self, engine: Any, tenant: str | None = None) -> None:
        self.engine = engine
        self.who = Identity(
            name="desk", tenant=tenant, scopes=frozenset({"calls", "admin"} if tenant is None else {"calls"})
        )
        self.answers = Answers()

    async def __call__(self, method: str, **params: Any) -> Any:
        return await perform(self, self.answers, Request(1, method, params))  # type: ignore[arg-type]


@pytest.fixture
def desk(begin: Start) -> Start:
    async def made(**changes: Any) -> Any:
        bench = await begin(routes=ROUTES, **changes)
        return bench, Desk(bench.engine)

    return made


@pytest.mark.parametrize("keep", ["caller", "callee"])
async def test_a_leg_is_sent_elsewhere(desk: Start, keep: str) -> None:
    bench, ask = await desk()
    left, right = await bench.connect("100")
    (call,) = bench.engine.calls()
    assert await ask("call.transfer", id=call.id, to="700", keep=keep, key="k") == {"id": call.id}
    await ask("call.transfer", id=call.id, to="700", keep=keep, key="k")  # the same again: nothing happens twice
    stays, leaves = (left, right) if keep == "caller" else (right, left)
    target = await take(bench.spare)
    await leaves.peer.answer(await leaves.peer.expect("BYE"), 200)
    await hang_up(stays, target)
    assert (await bench.record())["cause"] == "normal"
    (event,) = [e for e in bench.events() if e["type"] == "call.transferred"]
    assert (event["by"], event["target"]) == ("desk", "700")
    assert_nothing_left(bench)


async def test_who_hears_the_engine_is_sent_to_somebody(desk: Start) -> None:
    bench, ask = await desk()
    left = await bench.left.call("9196")
    bench.right.name = "right"
    await left.ack(await bench.left.expect(200))
    (call,) = bench.engine.calls()
    await ask("call.transfer", id=call.id, to="700")
    target = await take(bench.spare)
    assert len(call.join.legs) == 2
    await hang_up(target, left)
    await bench.record()
    assert_nothing_left(bench)


async def test_two_calls_are_joined(desk: Start) -> None:
    bench, ask = await desk()
    left, _right = await bench.connect("100")
    _, target = await consult(bench)
    first, second = bench.engine.calls()
    await ask("call.transfer", id=first.id, other=second.id)
    for _ in range(2):
        await bench.right.answer(await bench.right.expect("BYE"), 200)
    assert {leg.sip_call_id for leg in first.join.legs} == {left.call_id, target.call_id}
    await hang_up(left, target)
    items = await records(bench)
    assert [items[one.id]["cause"] for one in (first, second)] == ["normal", "transferred"]
    assert_nothing_left(bench)


async def test_what_cannot_be_transferred(desk: Start) -> None:
    bench, ask = await desk()
    await bench.left.call("100")
    invite = await bench.right.expect("INVITE")
    (call,) = bench.engine.calls()
    for params, code in (
        ({"to": "700"}, "bad_state"),
        ({"other": call.id}, "bad_state"),
        ({}, "bad_params"),
        ({"to": "1", "other": "2"}, "bad_params"),
    ):
        with pytest.raises(RequestError) as refused:
            await ask("call.transfer", id=call.id, **params)
        assert refused.value.code == code
    with pytest.raises(RequestError) as refused:
        await Desk(bench.engine, "globex")("call.transfer", id=call.id, to="700")
    assert refused.value.code == "not_found"
    await bench.right.answer(invite, 486)


async def test_two_numbers_are_called(desk: Start) -> None:
    bench, ask = await desk()
    made = await ask(
        "call.originate", tenant="acme", to="200", then="700", caller="+903125550100", custom={"ticket": "7"}
    )
    invite = await bench.left.expect("INVITE")
    assert invite.start.startswith("INVITE sip:200@")
    assert "sip:+903125550100@" in invite.get("From")
    await bench.left.answer(invite, 180)
    await bench.spare.hears_nothing(0.1)
    await bench.left.answer(invite, 200, bench.left.sdp(4000, "0 101"))
    await bench.left.expect("ACK")
    first = bench.left.dialog_of(invite)
    second = await bench.spare.expect("INVITE")
    assert second.start.startswith("INVITE sip:700@")
    assert "sip:+903125550100@" in second.get("From")
    await bench.spare.answer(second, 200, bench.spare.sdp(6000, "0 101"))
    await bench.spare.expect("ACK")
    await hang_up(first, bench.spare.dialog_of(second))
    record = await bench.record()
    assert (record["id"], record["cause"], record["caller"]) == (made["id"], "normal", "+903125550100")
    assert (record["called"], record["custom"]) == ("700", {"ticket": "7"})
    assert [leg["role"] for leg in record["legs"]] == ["originating", "connected"]
    assert kinds(bench)[0] == "call.started"
    assert_nothing_left(bench)


async def test_the_first_is_busy(desk: Start) -> None:
    bench, ask = await desk()
    await ask("call.originate", tenant="acme", to="200", then="700")
    invite = await bench.left.expect("INVITE")
    assert "anonymous" in invite.get("From")
    await bench.left.answer(invite, 486)
    await bench.left.expect("ACK")
    assert (await bench.record())["cause"] == "busy"
    await bench.spare.hears_nothing(0.1)
    assert_nothing_left(bench)


async def test_the_second_is_busy(desk: Start) -> None:
    bench, ask = await desk()
    await ask("call.originate", tenant="acme", to="200", then="700")
    first = await take(bench.left, 4000)
    invite = await bench.spare.expect("INVITE")
    await bench.spare.answer(invite, 486)
    await bench.spare.expect("ACK")
    await bench.left.answer(await bench.left.expect("BYE"), 200)
    assert first.call_id
    assert (await bench.record())["cause"] == "busy"
    assert_nothing_left(bench)


async def test_called_off_while_the_first_rings(desk: Start) -> None:
    bench, ask = await desk()
    made = await ask("call.originate", tenant="acme", to="200", then="700")
    invite = await bench.left.expect("INVITE")
    await bench.left.answer(invite, 180)
    while bench.engine.call(made["id"]).legs[0].status is None and not bench.engine.call(made["id"]).legs[0].rang:
        await bench.left.hears_nothing(0.02)
    await ask("call.hangup", id=made["id"])
    await bench.left.answer(await bench.left.expect("CANCEL"), 200)
    await bench.left.answer(invite, 487)
    assert (await bench.record())["cause"] == "hung_up"
    assert_nothing_left(bench)


async def test_the_first_hears_the_engine(desk: Start) -> None:
    bench, ask = await desk()
    await ask("call.originate", tenant="acme", to="200", then="9196")
    first = await take(bench.left, 4000)
    (call,) = bench.engine.calls()
    assert call.state.value == "connected"
    await hang_up(first)
    assert (await bench.record())["cause"] == "normal"
    assert_nothing_left(bench)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"to": "200", "then": "700", "caller": "+441632960000"}, "forbidden"),
        ({"to": "200", "then": "+441632960000"}, "forbidden"),  # abroad
        ({"to": "200", "then": "555"}, "not_found"),
        ({"to": "9196", "then": "700"}, "not_found"),  # nobody to ring
        ({"to": "200", "then": "700", "tenant": "nobody"}, "not_found"),
    ],
)
async def test_what_may_not_be_called(desk: Start, params: dict[str, str], code: str) -> None:
    bench, ask = await desk()
    with pytest.raises(RequestError) as refused:
        await ask("call.originate", **{"tenant": "acme", **params})
    assert refused.value.code == code
    assert list(bench.engine.calls()) == []
    assert_nothing_left(bench)


async def test_calls_of_others_are_nobody_s_and_readers_change_nothing(desk: Start) -> None:
    """Every method about one call, as a client of another tenant asks for it, and one without the scope."""
    bench, _ = await desk()
    await bench.connect("100")
    (call,) = bench.engine.calls()
    stranger, reader = Desk(bench.engine, "globex"), Desk(bench.engine, "acme")
    stranger.who = replace(stranger.who, scopes=frozenset({"read", "calls"}))
    reader.who = replace(reader.who, scopes=frozenset({"read", "events"}))
    needed = {"name": "x", "file": "x.wav", "digits": "1", "kinds": [], "muted": True, "to": "200"}
    asked = set()
    for method, row in COMMANDS.items():
        names = {each.name: each.required for each in row.known}
        which = "call" if method.startswith("conference.") else "id"
        if which not in names or not method.startswith(("call.", "conference.")):
            continue
        params = {name: needed[name] for name, required in names.items() if required and name != which}
        if method in {"call.transfer", "conference.change"}:
            params |= {name: needed[name] for name in ("to", "muted") if name in names}
        for who, code in ((stranger, "not_found"), (reader, "forbidden")):
            if who is reader and row.scope == "read":
                continue
            with pytest.raises(RequestError) as refused:
                await who(method, **params, **{which: call.id})
            assert refused.value.code == code, method
        asked.add(method)
    assert len(asked) > 20
    assert bench.engine.call(call.id) is call
