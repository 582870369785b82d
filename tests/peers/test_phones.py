"""Phones by other people that register, over each transport: they call, hold, press keys and transfer."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from santral.bench.foreign.baresip import Baresip
from santral.bench.foreign.exchange import Exchange, serving
from santral.bench.foreign.linphone import Linphone
from santral.bench.judge import pitch
from santral.bench.peer.wav import RATE_HZ
from santral.bench.ports import HOST, free_block, free_ports

CONFIG = """
[engine]
node = "phones"
data_dir = "data"
drain_timeout = 1
[sip]
listen = ["udp:{host}:{sip}", "tcp:{host}:{sip}", "tls:{host}:{tls}"]
certificate = "{chain}"
private_key = "{key}"
digest = ["MD5"]
[rtp]
address = "{host}"
ports = "{rtp}-{rtp_last}"
[[tenant]]
name = "acme"
domain = "acme.example"
[[user]]
name = "101"
tenant = "acme"
password = "secret101"
[[user]]
name = "102"
tenant = "acme"
password = "secret102"
[[user]]
name = "103"
tenant = "acme"
password = "secret103"
srtp = "required"
[[route]]
name = "echo"
tenant = "acme"
called = "9196"
destinations = [{{ echo = true }}]
[[route]]
name = "inside"
tenant = "acme"
called = "1\\\\d\\\\d"
destinations = [{{ user = "{{called}}" }}]
"""
RTP_PORTS = 60
NAME = "localhost"  # of the engine, to who takes no address for a name
CALLER_HZ, CALLEE_HZ = 700, 1100
WAIT_S = 8.0
HEARD_S = 0.3  # of a tone, at least
LATE_S = 0.3  # until a phone hears what is said: its jitter buffer, and the start of its recording


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory, make_authority: Callable[[Path], Any]) -> Iterator[Exchange]:
    """One engine for the tests of this module."""
    folder = tmp_path_factory.mktemp("phones")
    authority = make_authority(folder)
    chain, key = authority.issue(HOST, NAME, "acme.example")
    names = ("sip", "tls", "near", "far")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    rtp = free_block(RTP_PORTS)
    at = {"rtp": rtp, "rtp_last": rtp + RTP_PORTS - 1, "chain": chain, "key": key, "authority": authority.file}
    with serving(folder, CONFIG, host=HOST, **ports, **at) as ready:
        yield ready


def line(exchange: Exchange, user: str, transport: str) -> str:
    """baresip's account of a user."""
    port = exchange.at["tls" if transport == "tls" else "sip"]
    return (
        f"<sip:{user}@acme.example;transport={transport}>;auth_user={user};auth_pass=secret{user};regint=60;"
        f'outbound="sip:{HOST}:{port};transport={transport}";answermode=auto;audio_codecs=PCMA'
    )


def press(press_key: Callable[[str], None], key: str, callee: Baresip) -> None:
    """Press it, and have it heard by the callee, once."""
    known = callee.keys_heard()
    press_key(key)
    give_up = time.monotonic() + WAIT_S
    while (heard := callee.keys_heard()) != known + key:
        assert time.monotonic() < give_up, f"pressed {known + key}, heard {heard}"
        time.sleep(0.02)


@pytest.fixture
def tones(tmp_path: Path) -> tuple[Path, Path]:
    """What the caller says, and what the callee."""
    return pitch.write(tmp_path, CALLER_HZ), pitch.write(tmp_path, CALLEE_HZ)


def judge(by_caller: Any, by_callee: Any) -> None:
    """Each has heard the other, and not itself."""
    for heard, other, own in ((by_caller, CALLEE_HZ, CALLER_HZ), (by_callee, CALLER_HZ, CALLEE_HZ)):
        assert pitch.seconds_of(other, heard) >= HEARD_S
        assert pitch.seconds_of(own, heard) == 0


@pytest.mark.parametrize(
    ("transport", "callee_is", "srtp"),
    [("udp", "102", ""), ("tcp", "102", ""), ("tls", "102", ""), ("tls", "103", "srtp-mand")],
)
def test_baresip_calls_holds_presses_and_transfers(
    exchange: Exchange,
    need: Callable[[str], None],
    tmp_path: Path,
    tones: tuple[Path, Path],
    *,
    transport: str,
    callee_is: str,
    srtp: str,
) -> None:
    """103 takes encrypted audio only: SRTP on its side, with its keys over TLS, plain RTP on the other."""
    need("baresip")
    exchange.forget()
    at, authority = exchange.at, str(exchange.at["authority"])
    held, moved = len(exchange.events("leg.held")), len(exchange.events("call.transferred"))
    says, answers = tones
    account = line(exchange, callee_is, transport)
    with (
        Baresip(tmp_path, "callee", at["far"], answers, account=account, authority=authority, srtp=srtp) as callee,
        Baresip(
            tmp_path, "caller", at["near"], says, account=line(exchange, "101", transport), authority=authority
        ) as caller,
    ):
        for user in ("101", callee_is):
            exchange.wait_registered(f"{user}@acme.example", transport)
        caller.dial(f"sip:{callee_is}@acme.example")
        caller.wait_for("CALL_ESTABLISHED", WAIT_S)
        callee.wait_for("CALL_ESTABLISHED", WAIT_S)
        time.sleep(HEARD_S + LATE_S)
        caller.hold()
        exchange.wait_event("leg.held", more_than=held)
        caller.resume()
        exchange.wait_event("leg.resumed", more_than=held)
        press(caller.press, "5", callee)
        caller.transfer("sip:9196@acme.example")
        told = exchange.wait_event("call.transferred", more_than=moved)
        assert (told["target"], told["by"]) == ("9196", "caller")
        caller.wait_for("CALL_CLOSED", WAIT_S)
        callee.hang_up()
        record = exchange.record()
    assert (record["cause"], record["status"], record["caller"], record["called"]) == ("normal", 200, "101", callee_is)
    judge(caller.heard(), callee.heard())


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_linphone_calls_holds_presses_and_transfers(
    exchange: Exchange, need: Callable[[str], None], tmp_path: Path, tones: tuple[Path, Path], transport: str
) -> None:
    need("linphonec")
    need("baresip")
    exchange.forget()
    at, authority = exchange.at, str(exchange.at["authority"])
    held, moved = len(exchange.events("leg.held")), len(exchange.events("call.transferred"))
    says, answers = tones
    account = line(exchange, "102", transport)
    with (
        Baresip(tmp_path, "callee", at["far"], answers, account=account, authority=authority) as callee,
        Linphone(tmp_path, "101", at["near"], transport, authority=authority, answers=False, plays=says) as caller,
    ):
        port = at["tls" if transport == "tls" else "sip"]
        server = f"{NAME}:{port};transport={transport}"  # it looks for domains in the DNS, whatever its proxy
        caller.command(f"register sip:101@acme.example sip:{server} secret101")
        for user in ("101", "102"):
            exchange.wait_registered(f"{user}@acme.example", transport)
        caller.command(f"call sip:102@{server}")
        callee.wait_for("CALL_ESTABLISHED", WAIT_S)
        caller.wait_said("connected", WAIT_S)
        time.sleep(HEARD_S + LATE_S)
        press(caller.press, "5", callee)
        caller.command("pause")
        exchange.wait_event("leg.held", more_than=held)
        caller.wait_said("is now paused", WAIT_S)
        caller.command("resume")
        exchange.wait_event("leg.resumed", more_than=held)
        time.sleep(HEARD_S + LATE_S)
        press(caller.press, "7", callee)
        caller.command(f"transfer sip:9196@{server}")
        told = exchange.wait_event("call.transferred", more_than=moved)
        assert (told["target"], told["by"]) == ("9196", "caller")
        callee.hang_up()
        record = exchange.record()
    assert (record["cause"], record["status"], record["caller"], record["called"]) == ("normal", 200, "101", "102")
    judge(caller.heard(), callee.heard())
    assert pitch.seconds_of(CALLEE_HZ, caller.heard()[-RATE_HZ // 2 :]) >= HEARD_S  # on hold it heard nothing
