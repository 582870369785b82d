"""Trunks that register, prove themselves, challenge their callers and are watched, through a whole engine."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from santral.engine.locating import Locator
from santral.sip.auth.account import Account
from santral.sip.auth.challenger import Challenger, Known, Proof
from santral.sip.auth.digest import Challenge, ha1
from santral.sip.events import Hop
from santral.sip.message import parse_message

Start = Callable[..., Awaitable[Any]]
REALM = "carrier.example"
REGISTERS = 'username = "u1"\npassword = "hunter2"\nregister = true\noptions_interval = 0'


class Carrier:
    """The peer `right` as a registrar that challenges everything."""

    def __init__(self, peer: Any) -> None:
        self.peer = peer
        self.challenger = Challenger(random.Random(4).randbytes)
        self.secrets = {name: ha1(name, "u1", REALM, "hunter2") for name in ("MD5", "SHA-256")}

    async def challenge(self, request: Any, status: int = 401) -> None:
        name = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}[status]
        lines = self.challenger.challenges(REALM, "x", 0.0)
        await self.peer.answer(request, status, headers="".join(f"{name}: {line}\r\n" for line in lines))

    def judge(self, request: Any) -> Proof:
        raw = "\r\n".join([request.start, *request.lines]) + f"\r\n\r\n{request.body}"
        parsed: Any = parse_message(raw.encode())
        return self.challenger.verify(parsed, REALM, "x", lambda *_: Known("u1", self.secrets), 0.0).proof

    async def admit(self, expires: int = 600, headers: str = "") -> Any:
        """Let it register: challenge, judge, accept; the REGISTER that was accepted."""
        await self.challenge(await self.peer.expect("REGISTER"))
        request = await self.peer.expect("REGISTER")
        assert self.judge(request) is Proof.GOOD
        contact = re.match(r"<[^>]+>", request.get("Contact"))
        assert contact is not None
        await self.peer.answer(request, 200, headers=f"Contact: {contact[0]};expires={expires}\r\n{headers}")
        return request


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


def trunk(bench: Any, name: str = "right") -> dict[str, Any]:
    return next(one for one in bench.engine.trunks() if one["name"] == name)


def told(bench: Any, kind: str) -> list[dict[str, Any]]:
    return [event for event in bench.events() if event["type"] == kind]


async def test_a_trunk_registers_and_its_state_is_shown(start: Start) -> None:
    bench = await start(right_keys=REGISTERS)
    request = await Carrier(bench.right).admit()
    assert request.start == f"REGISTER sip:127.0.0.1:{bench.right.port} SIP/2.0"
    assert request.get("To") == "<sip:u1@127.0.0.1>"
    await until(lambda: trunk(bench)["state"] == "up")
    state = trunk(bench)["registration"]
    assert (state["state"], state["last_status"], state["last_error"]) == ("registered", 200, None)
    assert 590 < state["expires_in"] <= 600
    assert [event["reason"] for event in told(bench, "trunk.up")] == ["registered"]


@pytest.mark.parametrize("broken", [False, True], ids=["a server without room", "our own bug"])
async def test_the_next_server_behind_a_name_is_tried(
    start: Start, monkeypatch: pytest.MonkeyPatch, broken: bool
) -> None:
    """RFC 3263 section 4.3, for REGISTER and for OPTIONS: one dead server of a carrier is no dead carrier."""
    monkeypatch.setattr("santral.engine.trunks.trunks.TICK_S", 0.02)
    monkeypatch.setattr("santral.engine.trunks.health.RECHECK_MOST_S", 0.02)
    monkeypatch.setattr("santral.sip.registration.enrolment.RETRY_FIRST_S", 0.02)
    ports: list[int] = []
    asked: list[str] = []

    async def hops(_self: Locator, target: str, interface: str, _profile: str = "") -> list[Hop]:
        asked.append(target)
        if broken and len(asked) <= 2:
            raise LookupError(target)
        return [Hop("udp", "127.0.0.1", port, interface) for port in ports]

    monkeypatch.setattr(Locator, "hops", hops)
    keys = REGISTERS.replace("options_interval = 0", "options_interval = 0.1")
    bench = await start(right_keys=keys, left_keys="options_interval = 0")
    ports += [bench.spare.port, bench.right.port]

    async def serve(peer: Any, status: int) -> None:
        while True:
            request = await peer.receive(30)
            contact = request.get("Contact").partition(";")[0]
            accepted = f"Contact: {contact};expires=600\r\n" if request.method == "REGISTER" else ""
            await peer.answer(request, status, headers=accepted)

    servants = [asyncio.create_task(serve(*one)) for one in ((bench.spare, 503), (bench.right, 200))]
    await until(lambda: [event["reason"] for event in told(bench, "trunk.up")] == ["registered"])
    await asyncio.sleep(0.5)
    assert not [event for event in told(bench, "trunk.down") if "OPTIONS" in event["reason"]]
    for servant in servants:
        servant.cancel()


async def test_a_refused_registration_is_told_and_not_asked_again_soon(start: Start) -> None:
    bench = await start(right_keys=REGISTERS)
    await bench.right.answer(await bench.right.expect("REGISTER"), 403, reason="Forbidden")
    await until(lambda: bool(told(bench, "trunk.down")))
    state = trunk(bench)
    assert (state["state"], state["registration"]["state"]) == ("down", "failed")
    assert state["registration"]["last_error"].startswith("403")
    await bench.right.hears_nothing()


async def test_calls_to_the_contact_are_the_trunks_and_others_are_not(
    start: Start, make_peer: Callable[..., Any]
) -> None:
    """The registrar is at an address no accept_from names: the contact's secret user part says whose call it is."""
    carrier = make_peer("carrier", "127.0.0.3")
    stranger = make_peer("stranger", "127.0.0.4")
    bench = await start(left_keys=f'targets = ["sip:127.0.0.3:{carrier.port}"]\n{REGISTERS}')
    carrier.engine = stranger.engine = bench.left.engine
    request = await Carrier(carrier).admit()
    user = re.search(r"<sip:([^@>]+)@", request.get("Contact"))
    assert user is not None
    for caller, status in ((carrier, 603), (stranger, 403)):
        dialog = caller.new_call("603")
        dialog.uri = f"sip:{user[1]}@127.0.0.1"
        await dialog.request("INVITE", caller.sdp())
        await caller.expect(status)
    assert (await bench.record())["trunk_in"] == "left"


async def test_calls_prove_themselves_and_follow_the_service_route(start: Start) -> None:
    bench = await start(right_keys=REGISTERS)
    carrier = Carrier(bench.right)
    await carrier.admit(headers="Service-Route: <sip:edge.carrier.example;lr>\r\n")
    ours = await bench.left.call("100")
    first = await bench.right.expect("INVITE")
    assert first.get("Route") == "<sip:edge.carrier.example;lr>"
    assert first.get("Proxy-Authorization") == ""
    await carrier.challenge(first, 407)
    await bench.right.expect("ACK")
    second = await bench.right.expect("INVITE")
    assert carrier.judge(second) is Proof.GOOD
    assert "hunter2" not in str(bench.events())
    await bench.right.answer(second, 200, bench.right.sdp(5000, "0 101"))
    await bench.right.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    await ours.request("BYE")
    await bench.left.expect(200)
    bye = await bench.right.expect("BYE")
    await carrier.challenge(bye)
    again = await bench.right.expect("BYE")
    assert carrier.judge(again) is Proof.GOOD
    await bench.right.answer(again, 200)
    assert (await bench.record())["cause"] == "normal"


async def test_a_stop_takes_the_registration_back(start: Start) -> None:
    bench = await start(right_keys=REGISTERS)
    await Carrier(bench.right).admit()
    await until(lambda: trunk(bench)["state"] == "up")
    stopping = asyncio.create_task(bench.engine.stop())
    request = await bench.right.expect("REGISTER")
    assert request.get("Expires") == "0"
    await bench.right.answer(request, 200)
    await stopping
    bench.engine.stop = bench.engine.drained  # it is down already
    bench.engine.stop_now()


async def test_a_trunk_by_digest_challenges_its_callers(start: Start) -> None:
    keys = 'auth_inbound = "digest"\nusername = "pbx"\npassword = "hunter2"\nrealm = "santral"'
    bench = await start(left_keys=keys)
    dialog = await bench.left.call("603")
    challenged = await bench.left.expect(401)
    challenge = Challenge.parse(challenged.get("WWW-Authenticate"))
    assert challenge.realm == "santral"
    for password, status in (("guess", 401), ("hunter2", 603)):
        made = Account("pbx", password).answer(challenge, "INVITE", dialog.uri, b"", random.Random(1).randbytes)
        await dialog.request("INVITE", bench.left.sdp(), f"Authorization: {made}\r\n")
        await bench.left.expect(status)
    assert (await bench.record())["trunk_in"] == "left"


async def test_a_trunk_by_digest_may_name_the_domain_of_users_in_from(start: Start) -> None:
    """Its challenges are in its tenant's domain by default, as those of users are: the user name tells them apart."""
    keys = 'auth_inbound = "digest"\nusername = "pbx"\npassword = "hunter2"'
    bench = await start(left_keys=keys)
    path = bench.folder / "santral.toml"
    user = '[[user]]\nname = "101"\ntenant = "acme"\npassword = "secret101"\n'
    text = path.read_text().replace(
        '[[tenant]]\nname = "acme"\n', '[[tenant]]\nname = "acme"\ndomain = "acme.example"\n'
    )
    path.write_text(text + user)
    await bench.engine.reload()
    dialog = bench.left.new_call("603")
    dialog.local = "<sip:+903125550111@acme.example>;tag=p1"
    await dialog.request("INVITE", bench.left.sdp())
    challenge = Challenge.parse((await bench.left.expect(401)).get("WWW-Authenticate"))
    assert challenge.realm == "acme.example"
    made = Account("pbx", "hunter2").answer(challenge, "INVITE", dialog.uri, b"", random.Random(1).randbytes)
    await dialog.request("INVITE", bench.left.sdp(), f"Authorization: {made}\r\n")
    await bench.left.expect(603)
    assert (await bench.record())["trunk_in"] == "left"
    assert not told(bench, "security.refused")


async def test_a_silent_target_goes_down_is_left_out_and_comes_back(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("santral.engine.trunks.trunks.TICK_S", 0.02)
    monkeypatch.setattr("santral.engine.trunks.health.RECHECK_MOST_S", 0.05)
    targets = '["sip:127.0.0.1:{spare}", "sip:127.0.0.1:{right}"]'
    bench = await start(targets=targets, right_keys="options_interval = 0.1")
    answers = {bench.spare: 503, bench.right: 200}

    async def serve(peer: Any) -> None:
        while True:
            request = await peer.receive(30)
            if request.method == "OPTIONS":
                await peer.answer(request, answers[peer])
            elif request.method == "INVITE":
                invites.append(peer)
                await peer.answer(request, 486)

    invites: list[Any] = []
    servants = [asyncio.create_task(serve(peer)) for peer in (bench.spare, bench.right)]
    await until(lambda: bool(told(bench, "trunk.down")))
    (event,) = told(bench, "trunk.down")
    assert event["target"] == f"sip:127.0.0.1:{bench.spare.port}"
    assert [one["state"] for one in trunk(bench)["targets"]] == ["down", "up"]
    assert trunk(bench)["state"] == "up"
    await bench.left.call("100")
    await bench.left.expect(486)
    assert invites == [bench.right]
    answers[bench.spare] = 404
    await until(lambda: bool(told(bench, "trunk.up")))
    await bench.left.call("101")
    await bench.left.expect(486)
    assert invites == [bench.right, bench.spare]
    for servant in servants:
        servant.cancel()


async def test_a_reload_keeps_what_stands(start: Start) -> None:
    bench = await start(right_keys=REGISTERS)
    await Carrier(bench.right).admit()
    await until(lambda: trunk(bench)["state"] == "up")
    await bench.engine.reload()
    assert trunk(bench)["registration"]["state"] == "registered"
    path = bench.folder / "santral.toml"
    path.write_text(path.read_text().replace("register = true", "register = false"))
    await bench.engine.reload()
    request = await bench.right.expect("REGISTER")
    assert request.get("Expires") == "0"
    assert trunk(bench)["registration"] is None
