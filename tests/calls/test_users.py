"""Phones that register and call, through a whole engine: who is let in, who rings, what is shown, what is refused."""

import asyncio
import random
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from santral.sip.auth.account import Account
from santral.sip.auth.digest import Challenge

Start = Callable[..., Awaitable[Any]]

CONFIG = """
[engine]
node = "test"
data_dir = "{folder}/data"
[sip]
listen = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0"]
{sip}
[rtp]
ports = "0"
[[tenant]]
name = "acme"
domain = "acme.example"
country = "TR"
[[tenant]]
name = "globex"
domain = "globex.example"
[[trunk]]
name = "carrier"
tenant = "acme"
targets = ["sip:127.0.0.1:{right}"]
accept_from = ["127.0.0.2"]
codecs = ["pcmu", "pcma"]
emergency = true
channels = {carrier_channels}
[[user]]
name = "101"
tenant = "acme"
password = "secret101"
number = "+903125550100"
[[user]]
name = "102"
tenant = "acme"
password = "secret102"
channels = 1
[[user]]
name = "101"
tenant = "globex"
password = "other"
[[number]]
number = "+903125550100"
tenant = "acme"
route = "in"
[[number]]
number = "+903125550101"
tenant = "acme"
route = "in"
[[route]]
name = "in"
from_trunk = "carrier"
called = "\\\\+90312555010\\\\d"
destinations = [{{ user = "101", timeout = 5 }}, {{ echo = true }}]
[[route]]
name = "inside"
tenant = "acme"
called = "1\\\\d\\\\d"
destinations = [{{ user = "{{called}}", timeout = {ring} }}]
[[route]]
name = "out"
tenant = "acme"
destinations = [{{ trunk = "carrier" }}]
"""


@pytest.fixture
def start_users(start: Start) -> Start:
    async def begin(**changes: Any) -> Any:
        values = {"config": CONFIG, "sip": "", "ring": 5, "carrier_channels": 10, **changes}
        bench = await start(**values)
        for peer in (bench.left, bench.right, bench.spare, bench.stranger):
            peer.name = {"left": "101", "right": "carrier", "spare": "102"}.get(peer.name, peer.name)
        return bench

    return begin


def authorization(response: Any, user: str, password: str, method: str, uri: str, *, place: int = 0) -> str:
    """The header that answers one of a 401's challenges."""
    challenge = Challenge.parse(response.all("WWW-Authenticate")[place])
    made = Account(user, password).answer(challenge, method, uri, b"", random.Random(1).randbytes)
    return f"Authorization: {made}\r\n"


def registration(phone: Any, user: str = "101", domain: str = "acme.example") -> Any:
    """A dialog in which a phone sends REGISTERs."""
    dialog = phone.new_call(user)
    dialog.uri = f"sip:{domain}"
    dialog.local = f"<sip:{user}@{domain}>;tag=r{random.randrange(10**9)}"
    dialog.remote = f"<sip:{user}@{domain}>"
    return dialog


async def register(phone: Any, user: str = "101", password: str = "secret101", **more: Any) -> Any:
    """REGISTER, be challenged, prove it; the 200."""
    domain = more.pop("domain", "acme.example")
    headers = more.pop("headers", "Expires: 120\r\n")
    dialog = registration(phone, user, domain)
    await dialog.request("REGISTER", headers=headers)
    challenged = await phone.expect(401)
    proof = authorization(challenged, user, password, "REGISTER", dialog.uri, place=more.pop("place", 0))
    await dialog.request("REGISTER", headers=headers + proof)
    return await phone.expect(200, 401, 403)


async def invite(
    phone: Any, called: str, user: str = "101", password: str = "secret101", *, shown: str = "", sdp: str = ""
) -> Any:
    """INVITE, be challenged, ACK that, and INVITE again with the proof; the dialog."""
    dialog = phone.new_call(called)
    dialog.uri = f"sip:{called}@acme.example"
    dialog.local = f"<sip:{shown or user}@acme.example>;tag=i{random.randrange(10**9)}"
    await dialog.request("INVITE", sdp or phone.sdp())
    challenged = await phone.expect(401)
    branch, dialog.branch = dialog.branch, ""
    await phone.send(
        f"ACK {dialog.uri} SIP/2.0\r\nVia: SIP/2.0/UDP {phone.written}:{phone.port};branch={branch};rport\r\n"
        f"Max-Forwards: 70\r\nFrom: {dialog.local}\r\nTo: {challenged.get('To')}\r\nCall-ID: {dialog.call_id}\r\n"
        f"CSeq: {dialog.invite_cseq} ACK\r\nContent-Length: 0\r\n\r\n"
    )
    proof = authorization(challenged, user, password, "INVITE", dialog.uri)
    await dialog.request("INVITE", sdp or phone.sdp(), proof)
    return dialog


def told(bench: Any, kind: str) -> list[dict[str, Any]]:
    return [event for event in bench.events() if event["type"] == kind]


@pytest.mark.parametrize("place", [0, 1])
async def test_a_phone_registers_with_either_hash(start_users: Start, place: int) -> None:
    bench = await start_users()
    answer = await register(bench.left, place=place)
    assert answer.status == 200
    assert re.search(r"expires=1(20|19)", answer.get("Contact"))
    (event,) = told(bench, "user.registered")
    assert (event["user"], event["tenant"], event["expires_s"]) == ("101@acme.example", "acme", 120)
    (user, *_) = [one for one in bench.engine.users() if one["address"] == "101@acme.example"]
    assert user["contacts"][0]["source"] == f"udp:127.0.0.1:{bench.left.port}"


async def test_taking_a_registration_back(start_users: Start) -> None:
    bench = await start_users()
    await register(bench.left)
    answer = await register(bench.left, headers="Expires: 0\r\n")
    assert answer.all("Contact") == []
    assert [event["reason"] for event in told(bench, "user.unregistered")] == ["unregistered"]


async def test_known_and_unknown_users_get_the_same_answers(start_users: Start) -> None:
    bench = await start_users()
    answers = []
    for user, password in (("101", "wrong"), ("999", "wrong"), ("101", "other")):
        answer = await register(bench.left, user, password)
        answers.append((answer.start, [line.split("nonce")[0] for line in answer.all("WWW-Authenticate")]))
    assert answers[0][0].startswith("SIP/2.0 401")
    assert answers == [answers[0]] * 3


async def test_a_user_registers_for_nobody_else(start_users: Start) -> None:
    bench = await start_users()
    dialog = registration(bench.left, "102")
    await dialog.request("REGISTER")
    challenged = await bench.left.expect(401)
    await dialog.request("REGISTER", headers=authorization(challenged, "101", "secret101", "REGISTER", dialog.uri))
    await bench.left.expect(403)
    assert bench.engine.services.registrations.count() == 0


async def test_one_phone_calls_another(start_users: Start) -> None:
    bench = await start_users()
    await register(bench.spare, "102", "secret102")
    ours = await invite(bench.left, "102")
    ringing = await bench.spare.expect("INVITE")
    assert ringing.start.startswith(f"INVITE sip:102@127.0.0.1:{bench.spare.port}")
    assert "sip:101@acme.example" in ringing.get("From")
    await bench.spare.answer(ringing, 200, bench.spare.sdp(5000, "0 101"))
    await bench.spare.expect("ACK")
    await ours.ack(await bench.left.expect(200))
    await ours.request("BYE")
    await bench.left.expect(200)
    await bench.spare.answer(await bench.spare.expect("BYE"), 200)
    record = await bench.record()
    assert (record["tenant"], record["caller"], record["called"], record["cause"]) == ("acme", "101", "102", "normal")
    assert (record["trunk_in"], record["trunk_out"]) == ("101@acme.example", "102@acme.example")
    assert [leg["trunk"] for leg in record["legs"]] == ["101@acme.example", "102@acme.example"]
    assert bench.engine.services.limits.holders() == 0


async def test_all_phones_of_a_user_ring_and_take_one_channel(start_users: Start) -> None:
    bench = await start_users()
    await register(bench.spare, "102", "secret102")
    await register(bench.stranger, "102", "secret102")
    ours = await invite(bench.left, "102")
    first, second = await bench.spare.expect("INVITE"), await bench.stranger.expect("INVITE")
    assert bench.engine.services.limits.channels("102@acme.example") == 1
    await bench.stranger.answer(second, 200, bench.stranger.sdp(5000, "0 101"))
    await bench.stranger.expect("ACK")
    await bench.spare.answer(first, 180)
    await ours.ack(await bench.left.expect(200))
    assert bench.engine.services.limits.channels("102@acme.example") == 1


async def test_a_user_without_phones_is_not_there(start_users: Start) -> None:
    bench = await start_users()
    await invite(bench.left, "102")
    await bench.left.expect(480)


async def test_a_user_that_is_not_there_does_not_exist(start_users: Start) -> None:
    bench = await start_users()
    await invite(bench.left, "150")
    await bench.left.expect(404)


async def test_wrong_passwords_do_not_call(start_users: Start) -> None:
    bench = await start_users()
    await invite(bench.left, "102", password="wrong")
    await bench.left.expect(401)
    assert bench.engine.status()["gate"]["refused_wrong_credentials"] == 1
    assert not list(bench.engine.calls())


async def test_the_proof_says_who_calls_not_the_name(start_users: Start) -> None:
    """From names another user and no number of ours: outside the user's own number is shown."""
    bench = await start_users()
    await invite(bench.left, "+903124440000", shown="+441632960000")
    outside = await bench.right.expect("INVITE")
    assert "sip:+903125550100@" in outside.get("From")


async def test_a_number_of_the_tenant_may_be_shown(start_users: Start) -> None:
    bench = await start_users()
    await invite(bench.left, "03124440000", shown="+903125550101")
    outside = await bench.right.expect("INVITE")
    assert outside.start.startswith("INVITE sip:+903124440000@")
    assert "sip:+903125550101@" in outside.get("From")


async def test_a_number_that_is_proven_to_be_ours_is_asserted(start_users: Start) -> None:
    config = CONFIG.replace("emergency = true\n", 'emergency = true\nidentity = "pai"\n')
    bench = await start_users(config=config)
    for shown in ("+903125550101", "+441632960000"):
        await invite(bench.left, "03124440000", shown=shown)
        outside = await bench.right.expect("INVITE")
        sure = "+903125550101" if shown == "+903125550101" else "+903125550100"
        assert f"sip:{sure}@" in outside.get("P-Asserted-Identity")


async def test_a_user_without_number_is_anonymous_outside(start_users: Start) -> None:
    bench = await start_users()
    await invite(bench.spare, "+903124440000", "102", "secret102", shown="+441632960000")
    assert "sip:anonymous@" in (await bench.right.expect("INVITE")).get("From")


@pytest.mark.parametrize("number", ["+441632960000", "0044163296000", "+8821612345678", "09001234567", "+19005551234"])
async def test_abroad_and_premium_numbers_are_refused(start_users: Start, number: str) -> None:
    bench = await start_users()
    await invite(bench.left, number)
    await bench.left.expect(403)
    await bench.right.hears_nothing(0.1)


async def test_a_user_has_so_many_channels(start_users: Start) -> None:
    bench = await start_users()
    await invite(bench.spare, "+903124440000", "102", "secret102")
    await bench.right.expect("INVITE")
    await invite(bench.spare, "+903124440001", "102", "secret102")
    await bench.spare.expect(486)


async def test_help_passes_every_limit(start_users: Start) -> None:
    bench = await start_users(sip="max_calls = 1", carrier_channels=1)
    await invite(bench.left, "+903124440000")
    await bench.right.expect("INVITE")
    await invite(bench.left, "+903124440001")
    await bench.left.expect(503)
    await invite(bench.left, "112")
    assert (await bench.right.expect("INVITE")).start.startswith("INVITE sip:112@")


async def test_help_has_a_cap_of_its_own(start_users: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("santral.engine.world.EMERGENCY_CALLS", 1)
    bench = await start_users()
    await invite(bench.left, "112")
    await bench.right.expect("INVITE")
    await invite(bench.left, "112")
    await bench.left.expect(503)


async def test_a_call_from_outside_rings_a_phone_and_goes_on_when_none_is_there(
    start_users: Start, make_peer: Callable[..., Any]
) -> None:
    bench = await start_users()
    outside = make_peer("outside", "127.0.0.2")
    outside.engine = bench.left.engine
    call = await outside.call("+903125550100")
    await call.ack(await outside.expect(200))  # nobody has registered: the echo
    await register(bench.left)
    await outside.call("+903125550100")
    assert (await bench.left.expect("INVITE")).start.startswith("INVITE sip:101@127.0.0.1:")


async def test_registrations_on_udp_survive_a_restart(start_users: Start) -> None:
    bench = await start_users()
    await register(bench.left)
    await bench.engine.stop()
    bench.engine.stop = bench.engine.drained  # it is down already
    bench.engine.stop_now()
    again = await start_users()
    (contact,) = again.engine.services.registrations.contacts("101@acme.example")
    assert contact.hop.port == bench.left.port
    assert contact.hop.transport == "udp"


async def test_a_replayed_proof_is_worth_nothing(start_users: Start) -> None:
    bench = await start_users()
    dialog = registration(bench.left)
    await dialog.request("REGISTER")
    proof = authorization(await bench.left.expect(401), "101", "secret101", "REGISTER", dialog.uri)
    await dialog.request("REGISTER", headers=proof)
    await bench.left.expect(200)
    await dialog.request("REGISTER", headers=proof)
    again = await bench.left.expect(401)
    assert "stale=true" in again.get("WWW-Authenticate")


async def test_who_guesses_is_banned_for_a_while(start_users: Start) -> None:
    bench = await start_users()
    for _ in range(10):
        assert (await register(bench.left, password="guess")).status == 401
    await registration(bench.left).request("REGISTER")
    await bench.left.hears_nothing()
    assert [event["source"] for event in told(bench, "security.banned")] == ["127.0.0.1"]
    assert told(bench, "security.refused")[0]["what"] == "wrong_credentials"
    (ban,) = bench.engine.bans()
    assert ban["address"] == "127.0.0.1"
    assert bench.engine.forgive("127.0.0.1")
    assert (await register(bench.left)).status == 200


async def test_scanners_are_not_answered(start_users: Start) -> None:
    bench = await start_users()
    dialog = registration(bench.left)
    await dialog.request("OPTIONS", headers="User-Agent: friendly-scanner\r\n")
    await dialog.request("REGISTER", headers="user-agent :  SIPVicious 0.3\r\n")
    await bench.left.hears_nothing()
    assert bench.engine.status()["guard"]["dropped_scanner"] == 2
    assert [event["what"] for event in told(bench, "security.refused")] == ["scanner"]


async def test_strangers_are_answered_once_in_a_while(start_users: Start) -> None:
    bench = await start_users()
    for called in ("100", "101", "102"):
        await bench.stranger.call(called)
    await bench.stranger.expect(403)
    await bench.stranger.hears_nothing()
    options = registration(bench.stranger, domain="127.0.0.1")
    await options.request("OPTIONS")
    await options.request("REGISTER")
    await options.request("FROBNICATE")
    await bench.stranger.hears_nothing()
    assert set(bench.engine.signalling.agent.counts.values()) == {0}


async def test_a_flood_is_dropped(start_users: Start) -> None:
    bench = await start_users()
    for _ in range(60):
        await registration(bench.left).request("REGISTER")
    await asyncio.sleep(0.1)
    assert bench.engine.status()["gate"]["refused_flood"] > 20


async def test_registrations_die_with_their_connection(start_users: Start, streams: Any) -> None:
    bench, (phone, _) = await start_users(), streams
    phone.name = "101"
    await phone.connect(bench.engine.signalling.transports.addresses["default", "tcp"])
    assert (await register(phone)).status == 200
    ours = await invite(bench.spare, "101", "102", "secret102")
    assert (await phone.expect("INVITE")).start.endswith(";transport=tcp SIP/2.0")
    await ours.request("CANCEL")
    phone.cut()
    async with asyncio.timeout(5):
        while not told(bench, "user.unregistered"):  # noqa: ASYNC110 - the engine tells events, not tests
            await asyncio.sleep(0.02)
    assert told(bench, "user.unregistered")[0]["reason"] == "connection closed"
    assert bench.engine.services.registrations.contacts("101@acme.example") == ()


async def test_a_block_of_numbers_is_called_by_number(start_users: Start, make_peer: Callable[..., Any]) -> None:
    """RFC 6140: one registration with `bnc` stands for all numbers of the user."""
    bench = await start_users()
    dialog = registration(bench.left)
    contact = f"Contact: <sip:127.0.0.1:{bench.left.port};bnc>\r\nRequire: gin\r\n"
    text = dialog.text("REGISTER", headers=contact).replace(f"Contact: <sip:101@127.0.0.1:{bench.left.port}>\r\n", "")
    await bench.left.send(text)
    proof = authorization(await bench.left.expect(401), "101", "secret101", "REGISTER", dialog.uri)
    again = dialog.text("REGISTER", headers=contact + proof)
    await bench.left.send(again.replace(f"Contact: <sip:101@127.0.0.1:{bench.left.port}>\r\n", ""))
    assert (await bench.left.expect(200)).get("Require") == "gin"
    outside = make_peer("outside", "127.0.0.2")
    outside.engine = bench.left.engine
    await outside.call("+903125550101")
    rung = await bench.left.expect("INVITE")
    assert rung.start == f"INVITE sip:+903125550101@127.0.0.1:{bench.left.port} SIP/2.0"


async def test_phones_behind_a_nat_are_kept_reachable(start_users: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("santral.engine.registration.registrations.SWEEP_S", 0.05)
    monkeypatch.setattr("santral.engine.registration.registrations.PING_S", 0.2)
    bench = await start_users(config=CONFIG.replace('password = "secret102"', 'password = "secret102"\nnat = true'))
    await register(bench.left)
    await register(bench.spare, "102", "secret102")
    for _ in range(2):
        await bench.spare.answer(await bench.spare.expect("OPTIONS"), 200)
    await bench.left.hears_nothing()
