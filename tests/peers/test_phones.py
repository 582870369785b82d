"""Phones by other people that register, over each transport: they call, hold, press keys and transfer."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from santral.bench.foreign.baresip import Baresip
from santral.bench.foreign.exchange import Exchange, serving
from santral.bench.foreign.linphone import Linphone
from santral.bench.ports import HOST, free_block, free_ports
from santral.bench.scene.stage import SOUNDS

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
CALLER_SAYS = SOUNDS / "passage-en.wav"
CALLEE_SAYS = SOUNDS / "passage-tr.wav"
WAIT_S = 8.0


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory, make_authority: Callable[[Path], Any]) -> Iterator[Exchange]:
    """One engine for the tests of this module."""
    folder = tmp_path_factory.mktemp("phones")
    authority = make_authority(folder)
    chain, key = authority.issue(HOST, "acme.example")
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


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_baresip_calls_holds_presses_and_transfers(
    exchange: Exchange, need: Callable[[str], None], tmp_path: Path, transport: str
) -> None:
    need("baresip")
    exchange.forget()
    at, authority = exchange.at, str(exchange.at["authority"])
    held, moved = len(exchange.events("leg.held")), len(exchange.events("call.transferred"))
    with (
        Baresip(
            tmp_path, "callee", at["far"], CALLEE_SAYS, account=line(exchange, "102", transport), authority=authority
        ) as callee,
        Baresip(
            tmp_path, "caller", at["near"], CALLER_SAYS, account=line(exchange, "101", transport), authority=authority
        ) as caller,
    ):
        for user in ("101", "102"):
            exchange.wait_registered(f"{user}@acme.example", transport)
        caller.dial("sip:102@acme.example")
        caller.wait_for("CALL_ESTABLISHED", WAIT_S)
        callee.wait_for("CALL_ESTABLISHED", WAIT_S)
        caller.hold()
        exchange.wait_event("leg.held", more_than=held)
        caller.resume()
        exchange.wait_event("leg.resumed", more_than=held)
        caller.press("5")
        callee.wait_for("CALL_DTMF_START", WAIT_S)
        assert callee.keys_heard() == "5"
        caller.transfer("sip:9196@acme.example")
        told = exchange.wait_event("call.transferred", more_than=moved)
        assert (told["target"], told["by"]) == ("9196", "caller")
        caller.wait_for("CALL_CLOSED", WAIT_S)
        callee.hang_up()
        record = exchange.record()
    assert (record["cause"], record["status"], record["caller"], record["called"]) == ("normal", 200, "101", "102")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_linphone_calls_holds_and_transfers(
    exchange: Exchange, need: Callable[[str], None], tmp_path: Path, transport: str
) -> None:
    need("linphonec")
    need("baresip")
    exchange.forget()
    at, authority = exchange.at, str(exchange.at["authority"])
    held, moved = len(exchange.events("leg.held")), len(exchange.events("call.transferred"))
    account = line(exchange, "102", transport)
    with (
        Baresip(tmp_path, "callee", at["far"], CALLEE_SAYS, account=account, authority=authority) as callee,
        Linphone(tmp_path, "101", at["near"], transport, authority=authority, answers=False) as caller,
    ):
        server = f"{HOST}:{at['sip']};transport={transport}"  # it looks for domains in the DNS, whatever its proxy
        caller.command(f"register sip:101@acme.example sip:{server} secret101")
        for user in ("101", "102"):
            exchange.wait_registered(f"{user}@acme.example", transport)
        caller.command(f"call sip:102@{server}")
        callee.wait_for("CALL_ESTABLISHED", WAIT_S)
        caller.wait_said("connected", WAIT_S)
        caller.command("pause")
        exchange.wait_event("leg.held", more_than=held)
        caller.command("resume")
        exchange.wait_event("leg.resumed", more_than=held)
        caller.command(f"transfer sip:9196@{server}")
        told = exchange.wait_event("call.transferred", more_than=moved)
        assert (told["target"], told["by"]) == ("9196", "caller")
        callee.hang_up()
        record = exchange.record()
    assert (record["cause"], record["status"], record["caller"], record["called"]) == ("normal", 200, "101", "102")
