"""SIPp with scenarios of our own: the dialog features that carriers use, through the B2BUA in both directions."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

import pytest

from santral.bench.foreign.exchange import Exchange, serving
from santral.bench.foreign.flow import Flow
from santral.bench.foreign.sipp import Sipp, converse
from santral.bench.ports import HOST, free_block, free_ports
from santral.bench.scene.stage import PhoneProcess

HEAD = """
[engine]
node = "flows"
data_dir = "data"
drain_timeout = 1
[sip]
listen = ["udp:{host}:{sip}", "tcp:{host}:{sip}"]
digest = ["MD5"]
[rtp]
address = "{host}"
ports = "{rtp}-{rtp_last}"
timeout = 0
no_audio = 0
[[interface]]
name = "six"
sip = ["udp:[::1]:{sip}"]
rtp = "::1"
[[tenant]]
name = "acme"
domain = "acme.example"
[[user]]
name = "101"
tenant = "acme"
password = "secret101"
[[trunk]]
name = "near"
tenant = "acme"
accept_from = ["{host}/32:{near}", "127.0.0.2"]
transfer = "local"
[[trunk]]
name = "slow"
tenant = "acme"
accept_from = ["{host}/32:{slow}", "{host}/32:{slower}"]
[[trunk]]
name = "far-slow"
tenant = "acme"
targets = ["sip:{host}:{far_slow}"]
session_expires = 90
options_interval = 0
[[trunk]]
name = "far-slower"
tenant = "acme"
targets = ["sip:{host}:{far_slower}"]
options_interval = 0
[[route]]
name = "slow"
from_trunk = "slow"
called = "1601"
destinations = [{{ trunk = "far-slow" }}]
[[route]]
name = "slower"
from_trunk = "slow"
called = "1602"
destinations = [{{ trunk = "far-slower" }}]
[[trunk]]
name = "prover"
tenant = "acme"
accept_from = ["{host}/32:{prover}"]
auth_inbound = "digest"
username = "near"
password = "sesame"
[[trunk]]
name = "near-six"
tenant = "acme"
interface = "six"
accept_from = ["::1"]
[[route]]
name = "closed"
from_trunk = "near"
called = "9197"
destinations = [{{ play = "closed.wav" }}]
[[route]]
name = "busy"
from_trunk = "near"
called = "9486"
destinations = [{{ reject = 486 }}]
[[route]]
name = "phone"
from_trunk = "near"
called = "101"
destinations = [{{ user = "101" }}]
"""
# The far end under several agreements: what its number begins with, and the keys of its trunk.
FAR = {
    "10": ("far", 'targets = ["sip:{host}:{far}"]'),
    "11": ("far-off", 'targets = ["sip:{host}:{far}"]\nreliable = "off"'),
    "12": ("far-proof", 'targets = ["sip:{host}:{far}"]\nusername = "santral"\npassword = "open"'),
    "13": ("far-tcp", 'targets = ["sip:{host}:{far};transport=tcp"]'),
    "15": ("far-timed", 'targets = ["sip:{host}:{far}"]\nsession_expires = 90'),
    "14": ("far-six", 'targets = ["sip:[::1]:{far}"]\ninterface = "six"'),
}
RTP_PORTS = 100
SLOW_S = 80
CAPTURES = Path("/usr/share/sip-tester")
ALLOWS = "Allow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE"
TIMER = ("Supported: timer", ALLOWS)


def configuration() -> str:
    text = HEAD
    for prefix, (name, keys) in FAR.items():
        text += f'[[trunk]]\nname = "{name}"\ntenant = "acme"\noptions_interval = 0\n{keys}\n'
        for trunk in ("near", "prover", "near-six"):
            text += (
                f'[[route]]\nname = "{trunk}-{name}"\nfrom_trunk = "{trunk}"\ncalled = "{prefix}\\\\d\\\\d"\n'
                f'destinations = [{{{{ trunk = "{name}" }}}}]\n'
            )
    return text


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """One engine for the tests of this module."""
    names = ("sip", "near", "prover", "far", "slow", "slower", "far_slow", "far_slower")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    rtp = free_block(RTP_PORTS)
    ports |= {"rtp": rtp, "rtp_last": rtp + RTP_PORTS - 1}
    with serving(tmp_path_factory.mktemp("flows"), configuration(), host=HOST, **ports) as ready:
        yield ready


@pytest.fixture(scope="module", autouse=True)
def slow(exchange: Exchange, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[Sipp, Sipp]]]:
    """Calls under session timers of 90 s, the shortest there may be: they go on while the other tests run."""
    if not shutil.which("sipp"):
        yield {}
        return
    at, folder = exchange.at, tmp_path_factory.mktemp("slow")
    refreshed = Flow.caller("is refreshed").send("INVITE", *TIMER, "Session-Expires: 90;refresher=uas", sdp="sendrecv")
    refreshed.expect(200, "Session-Expires: 90;refresher=uas").send("ACK")
    refreshed.expect("UPDATE", "Session-Expires: 90").answer(200, "Require: timer", "Session-Expires: 90;refresher=uac")
    refreshing = Flow.callee("is refreshed too").expect("INVITE", "Session-Expires: 90")
    refreshing.answer(200, *TIMER, "Require: timer", "Session-Expires: 90;refresher=uac", sdp="sendrecv", invite=True)
    refreshing.expect("ACK").expect("UPDATE", "Session-Expires: 90;refresher=uac")
    refreshing.answer(200, "Require: timer", "Session-Expires: 90;refresher=uac")
    lost = Flow.caller("falls silent").send("INVITE", *TIMER, "Session-Expires: 90;refresher=uac", sdp="sendrecv")
    lost.expect(200, "Session-Expires: 90;refresher=uac").send("ACK")
    flows = {
        "refreshed": ("slow", "far_slow", "1601", refreshed.pause(2000).send("BYE").expect(200), ends(refreshing)),
        "lost": ("slower", "far_slower", "1602", ends(lost), plain_callee()),
    }
    with ExitStack() as stack:
        playing = {}
        for name, (near, far, number, caller, callee) in flows.items():
            words = ("-m", "1")
            answering = Sipp(folder, f"{name}-callee", at[far], *words, scenario=str(callee), longest_s=SLOW_S)
            stack.enter_context(answering)
            words = (f"{HOST}:{at['sip']}", "-s", number, "-m", "1")
            calling = Sipp(folder, f"{name}-caller", at[near], *words, scenario=str(caller), longest_s=SLOW_S)
            playing[name] = stack.enter_context(calling), answering
        yield playing


Play = Callable[..., dict[str, Any]]


@pytest.fixture
def play(exchange: Exchange, need: Callable[[str], None], tmp_path: Path) -> Play:
    """Play a caller against a callee, and give the call's record."""
    need("sipp")

    def go(
        caller: Flow, callee: Flow | None, number: str = "1001", *, port: str = "near", host: str = HOST,
        far_host: str = HOST, words: tuple[str, ...] = (), far_words: tuple[str, ...] = (),
        is_recorded: bool = True,
    ) -> dict[str, Any]:  # fmt: skip
        at = exchange.at
        exchange.forget()
        far = callee and Sipp(
            tmp_path, "callee", at["far"], "-m", "1", *far_words, scenario=str(callee), host=far_host,
            media_port=free_block(10),
        )  # fmt: skip
        target = f"[::1]:{at['sip']}" if ":" in host else f"{HOST}:{at['sip']}"
        near = Sipp(
            tmp_path, "caller", at[port], target, "-s", number, "-m", "1", *words, scenario=str(caller), host=host,
            media_port=free_block(10),
        )  # fmt: skip
        converse(near, far)
        return exchange.record() if is_recorded else exchange.nothing()

    return go


def ends(flow: Flow) -> Flow:
    """The other side hangs up."""
    return flow.expect("BYE").answer(200)


def plain_callee(name: str = "callee") -> Flow:
    callee = Flow.callee(name).expect("INVITE").answer(180, invite=True)
    return ends(callee.answer(200, sdp="sendrecv", invite=True).expect("ACK"))


def plain_caller(name: str = "caller") -> Flow:
    return Flow.caller(name).send("INVITE", sdp="sendrecv").expect(200).send("ACK").pause(100).send("BYE").expect(200)


def test_a_call(play: Play) -> None:
    record = play(plain_caller(), plain_callee())
    assert (record["cause"], record["status"], record["hung_up_by"]) == ("normal", 200, "caller")
    assert (record["trunk_in"], record["trunk_out"], record["called"]) == ("near", "far", "1001")


# -- reliable provisional responses (RFC 3262) and UPDATE (RFC 3311) --

RELIABLE = ("Require: 100rel", "RSeq: 7")


def reliable_callee() -> Flow:
    callee = Flow.callee("183 reliably").expect("INVITE", "Supported:[-a-z0-9, ]*100rel")
    callee.answer(183, *RELIABLE, sdp="sendrecv", invite=True).expect("PRACK", "RAck: *7 [0-9]+ INVITE").answer(200)
    return ends(callee.answer(200, invite=True).expect("ACK"))


def reliable_caller() -> Flow:
    caller = Flow.caller("PRACKs").send("INVITE", "Supported: 100rel", sdp="sendrecv")
    caller.expect(183, "Require:[-a-z0-9, ]*100rel", "m=audio [1-9]", keep="RSeq")
    caller.send("PRACK", "RAck:[$rseq] 1 INVITE").expect(200)
    return caller.expect(200).send("ACK").pause(100).send("BYE").expect(200)


def test_183_reliably_on_both_sides(play: Play) -> None:
    assert play(reliable_caller(), reliable_callee())["status"] == 200


def test_183_reliably_to_the_caller_alone(play: Play) -> None:
    callee = (
        Flow.callee("183 plainly")
        .expect("INVITE", lacks=["Supported:[-a-z0-9, ]*100rel"])
        .answer(183, sdp="sendrecv", invite=True)
    )
    callee = ends(callee.pause(200).answer(200, sdp="sendrecv", invite=True).expect("ACK"))
    assert play(reliable_caller(), callee, "1101")["status"] == 200


def test_183_reliably_from_the_callee_alone(play: Play) -> None:
    caller = Flow.caller("no PRACK").send("INVITE", sdp="sendrecv").expect(183, "m=audio [1-9]", lacks=["Require:"])
    assert play(caller.expect(200).send("ACK").send("BYE").expect(200), reliable_callee())["status"] == 200


def test_update_before_the_answer_and_after_it(play: Play) -> None:
    caller = Flow.caller("UPDATEs").send("INVITE", "Supported: 100rel", ALLOWS, sdp="sendrecv")
    caller.expect(183, "Allow:[A-Z, ]*UPDATE", keep="RSeq").send("PRACK", "RAck:[$rseq] 1 INVITE").expect(200)
    caller.send("UPDATE", sdp="sendonly").expect(200, "a=recvonly").expect(200).send("ACK").pause(100)
    caller.send("UPDATE", sdp="sendrecv").expect(200, "a=sendrecv").send("BYE").expect(200)
    callee = Flow.callee("is UPDATEd").expect("INVITE").answer(183, *RELIABLE, ALLOWS, sdp="sendrecv", invite=True)
    callee.expect("PRACK").answer(200).expect("UPDATE", "a=sendonly").answer(200, sdp="recvonly").pause(100)
    callee.answer(200, ALLOWS, invite=True).expect("ACK").expect("UPDATE", "a=sendrecv").answer(200, sdp="sendrecv")
    assert play(caller, ends(callee))["status"] == 200


# -- late offers, hold --


def test_an_invite_without_an_offer(play: Play) -> None:
    caller = Flow.caller("late").send("INVITE").expect(200, "m=audio [1-9]").send("ACK", sdp="sendrecv").pause(200)
    assert play(caller.send("BYE").expect(200), plain_callee())["status"] == 200


def reinvited(flow: Flow, offer: str, answer: str) -> Flow:
    """This side is asked for a change and agrees."""
    return flow.expect("INVITE", f"a={offer}").answer(200, sdp=answer).expect("ACK")


def reinvites(flow: Flow, offer: str, answer: str) -> Flow:
    """This side asks for a change, and it is agreed to."""
    return flow.send("INVITE", sdp=offer).expect(200, f"a={answer}").send("ACK")


def test_a_reinvite_without_an_offer_from_the_callee(play: Play) -> None:
    callee = Flow.callee("late").expect("INVITE").answer(200, sdp="sendrecv", invite=True).expect("ACK").pause(200)
    callee.send("INVITE").expect(200, "m=audio [1-9]").send("ACK", sdp="sendrecv")
    caller = Flow.caller("talks").send("INVITE", sdp="sendrecv").expect(200).send("ACK").pause(700)
    assert play(caller.send("BYE").expect(200), ends(callee))["status"] == 200


@pytest.mark.parametrize("holds", [("sendonly", "recvonly"), ("inactive", "inactive")])
def test_the_caller_holds_and_resumes(play: Play, holds: tuple[str, str]) -> None:
    caller = Flow.caller("holds").send("INVITE", sdp="sendrecv").expect(200).send("ACK").pause(100)
    caller = reinvites(reinvites(caller, *holds).pause(100), "sendrecv", "sendrecv")
    callee = Flow.callee("held").expect("INVITE").answer(200, sdp="sendrecv", invite=True).expect("ACK")
    callee = reinvited(reinvited(callee, *holds), "sendrecv", "sendrecv")
    assert play(caller.pause(100).send("BYE").expect(200), ends(callee))["status"] == 200


def test_the_callee_holds_and_resumes(play: Play) -> None:
    callee = Flow.callee("holds").expect("INVITE").answer(200, sdp="sendrecv", invite=True).expect("ACK").pause(100)
    callee = reinvites(reinvites(callee, "sendonly", "recvonly").pause(100), "sendrecv", "sendrecv")
    callee.pause(100).send("BYE").expect(200)
    caller = Flow.caller("held").send("INVITE", sdp="sendrecv").expect(200).send("ACK")
    caller = reinvited(reinvited(caller, "sendonly", "recvonly"), "sendrecv", "sendrecv")
    assert play(ends(caller), callee)["hung_up_by"] == "callee"


# -- transfer (RFC 3515, 3420) --


def refers(flow: Flow, number: str) -> Flow:
    """This side asks for the other one to be connected with a number, and is told that this is tried."""
    flow.send("REFER", f"Refer-To: <sip:{number}@{HOST}>").expect(202)
    return flow.expect("NOTIFY", *SIPFRAG, "SIP/2.0 100", "Subscription-State: *active").answer(200)


SIPFRAG = ("Event: *refer", "Content-Type: *message/sipfrag")
OVER = "Subscription-State: *terminated"


def test_who_transfers_is_told_that_it_worked_and_hung_up(play: Play, exchange: Exchange) -> None:
    caller = Flow.caller("refers").send("INVITE", sdp="sendrecv").expect(200).send("ACK").pause(100)
    caller = refers(caller, "9197").expect("NOTIFY", *SIPFRAG, "SIP/2.0 200", OVER).answer(200)
    callee = Flow.callee("goes on").expect("INVITE").answer(200, sdp="sendrecv", invite=True).expect("ACK")
    record = play(ends(caller), callee.pause(600).send("BYE").expect(200))
    assert (record["cause"], record["hung_up_by"]) == ("normal", "caller")  # who stayed is the caller now
    assert exchange.wait_event("call.transferred")["target"] == "9197"


def test_who_transfers_is_told_that_it_failed_and_talks_on(play: Play) -> None:
    caller = Flow.caller("refers").send("INVITE", sdp="sendrecv").expect(200).send("ACK").pause(100)
    caller = refers(caller, "9486").expect("NOTIFY", *SIPFRAG, "SIP/2.0 486", OVER).answer(200)
    record = play(caller.pause(100).send("BYE").expect(200), plain_callee())
    assert (record["cause"], record["hung_up_by"]) == ("normal", "caller")


def test_who_may_not_transfer_is_refused(play: Play) -> None:
    callee = Flow.callee("refers").expect("INVITE").answer(200, sdp="sendrecv", invite=True).expect("ACK").pause(100)
    callee.send("REFER", f"Refer-To: <sip:9197@{HOST}>").expect(603).send("BYE").expect(200)
    caller = Flow.caller("talks").send("INVITE", sdp="sendrecv").expect(200).send("ACK")
    assert play(ends(caller), callee)["hung_up_by"] == "callee"


# -- digest, registration --


@pytest.mark.parametrize(("password", "admitted"), [("sesame", True), ("guess", False)])
def test_a_caller_proves_who_it_is(play: Play, exchange: Exchange, password: str, admitted: bool) -> None:
    proof = f"[authentication username=near password={password}]"
    caller = Flow.caller("proves").send("INVITE", sdp="sendrecv").expect(401, auth="true").refuse_ack()
    caller.send("INVITE", proof, sdp="sendrecv", begins=True)
    words = ("-auth_uri", f"1001@{HOST}:{exchange.at['sip']}")
    if admitted:
        caller.expect(200).send("ACK").pause(100).send("BYE").expect(200)
        assert play(caller, plain_callee(), port="prover", words=words)["trunk_in"] == "prover"
    else:
        assert play(caller.expect(401).refuse_ack(), None, port="prover", words=words, is_recorded=False) == {}


@pytest.mark.parametrize(("status", "header"), [(401, "WWW-Authenticate"), (407, "Proxy-Authenticate")])
def test_a_trunk_challenges_us(play: Play, status: int, header: str) -> None:
    """SIPp verifies Authorization only; what answers a 407 is looked at."""
    challenge = f'{header}: Digest realm="carrier", nonce="n0nce", algorithm=MD5, qop="auth"'
    callee = Flow.callee("challenges").expect("INVITE").answer(status, challenge, invite=True).expect("ACK")
    if status == 401:
        callee.expect("INVITE", anew=True).proves("santral", "open")
    else:
        callee.expect("INVITE", 'Proxy-Authorization: Digest username="santral"', 'nonce="n0nce"', anew=True)
    callee.answer(200, sdp="sendrecv", invite=True).expect("ACK")
    assert play(plain_caller(), ends(callee), "1201")["status"] == 200


def registering(password: str) -> Flow:
    proof = f"[authentication username=101 password={password}]"
    caller = Flow.caller("registers", who="101@acme.example").send("REGISTER", "Expires: 120", begins=True)
    caller.expect(401, auth="true").send("REGISTER", "Expires: 120", proof, begins=True)
    return caller


def test_a_phone_registers_and_is_called(play: Play, exchange: Exchange, tmp_path: Path) -> None:
    at = exchange.at
    registers = str(registering("secret101").expect(200, "expires=1(20|19)"))
    words = ("-m", "1", "-auth_uri", "acme.example")
    with Sipp(tmp_path, "phone", at["far"], f"{HOST}:{at['sip']}", *words, scenario=registers) as phone:
        assert phone.finish() == 0, phone.complaints()
    assert [one["source"] for one in exchange.contacts("101@acme.example")] == [f"udp:{HOST}:{at['far']}"]
    assert play(plain_caller(), plain_callee(), "101")["status"] == 200


def test_a_wrong_password_does_not_register(play: Play, exchange: Exchange, tmp_path: Path) -> None:
    at = exchange.at
    refused = str(registering("no").expect(401))
    words = ("-m", "1", "-auth_uri", "acme.example")
    with Sipp(tmp_path, "phone", at["prover"], f"{HOST}:{at['sip']}", *words, scenario=refused) as phone:
        assert phone.finish() == 0, phone.complaints()
    assert all(str(at["prover"]) not in one["source"] for one in exchange.contacts("101@acme.example"))


# -- transports --


def test_a_call_over_tcp(play: Play) -> None:
    stream = ("-t", "t1")
    caller, callee = plain_caller(), plain_callee()
    assert play(caller, callee, "1301", host="127.0.0.2", words=stream, far_words=stream)["trunk_out"] == "far-tcp"


def test_a_call_over_ipv6(play: Play) -> None:
    record = play(plain_caller(), plain_callee(), "1401", host="::1", far_host="::1")
    assert (record["trunk_in"], record["trunk_out"], record["status"]) == ("near-six", "far-six", 200)


# -- digits from a capture --


@pytest.fixture
def raw_sockets(lacking: Callable[[str], NoReturn]) -> None:
    """SIPp plays captures over raw sockets."""
    if os.geteuid() != 0:
        lacking("playing a capture needs root")


@pytest.mark.parametrize("capture", [("5", "5"), ("star", "*"), ("pound", "#")], ids=lambda one: one[0])
def test_a_captured_digit_is_heard_once(
    exchange: Exchange, play: Play, raw_sockets: None, tmp_path: Path, capture: tuple[str, str]
) -> None:
    name, digit = capture
    file = CAPTURES / f"dtmf_2833_{name}.pcap"
    caller = Flow.caller("presses").send("INVITE", sdp="sendrecv").expect(200).send("ACK").pause(200).play(str(file))
    caller.pause(1200).send("BYE").expect(200)
    words = ["answer", "--listen", f"{HOST}:{exchange.at['far']}", "--longest", "20"]
    with PhoneProcess(tmp_path, "far", words) as far:
        assert play(caller, None)["status"] == 200
        heard = far.story().report["digits_heard"]
    assert [(one["key"], one["ended"]) for one in heard] == [(digit, True)]


# -- session timers (RFC 4028) --


def test_too_short_a_session_is_refused_and_asked_for_again(play: Play) -> None:
    caller = Flow.caller("short").send("INVITE", *TIMER, "Session-Expires: 60", sdp="sendrecv")
    caller.expect(422, "Min-SE: 90").refuse_ack()
    assert play(caller, None, is_recorded=False) == {}
    caller = plain_caller()
    callee = Flow.callee("longer").expect("INVITE", "Session-Expires: 90").answer(422, "Min-SE: 120", invite=True)
    callee.expect("ACK").expect("INVITE", "Session-Expires: 120", "Min-SE: 120", anew=True)
    assert play(caller, ends(callee.answer(200, sdp="sendrecv", invite=True).expect("ACK")), "1501")["status"] == 200


def test_both_sides_refresh(play: Play) -> None:
    refresh = ("Supported: timer", "Session-Expires: 90;refresher=uac")
    caller = Flow.caller("refreshes").send("INVITE", *TIMER, "Session-Expires: 90;refresher=uac", sdp="sendrecv")
    caller.expect(200, "Session-Expires: 90;refresher=uac").send("ACK").pause(100)
    caller.send("UPDATE", *refresh).expect(200, "Session-Expires: 90;refresher=uac").pause(300)
    callee = Flow.callee("refreshes").expect("INVITE", "Session-Expires: 90")
    callee.answer(200, *TIMER, "Require: timer", "Session-Expires: 90;refresher=uas", sdp="sendrecv", invite=True)
    callee.expect("ACK").pause(100).send("UPDATE", *refresh).expect(200, "Session-Expires: 90;refresher=uac")
    assert play(caller.send("BYE").expect(200), ends(callee), "1501")["status"] == 200


def test_we_refresh_where_it_is_ours_and_end_what_nobody_refreshes(
    exchange: Exchange, slow: dict[str, tuple[Sipp, Sipp]], need: Callable[[str], None]
) -> None:
    need("sipp")
    for sides in slow.values():
        for one in sides:
            assert one.finish() == 0, one.complaints()
    refreshed, lost = exchange.record_of("1601"), exchange.record_of("1602")
    assert (refreshed["cause"], refreshed["hung_up_by"]) == ("normal", "caller")
    assert lost["cause"] == "session_expired"
    assert 59_000 < lost["duration_ms"] < 65_000
