"""The guard: who counts as one, whom a certificate makes known, and how much is told of what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from santral.engine.config import loads
from santral.engine.events import EventLog
from santral.engine.guard.bans import BAN_AFTER
from santral.engine.guard.guard import ALL_REPORTS_PER_S, REQUESTS_PER_S, Guard, customer_of
from santral.engine.sequence import SequenceFile
from santral.engine.world import World
from santral.routing.routes import RoutingTable
from santral.routing.trunks import Trunk
from santral.sip.auth.account import Account
from santral.sip.auth.digest import Challenge
from santral.sip.events import Hop
from santral.sip.message import Request, parse_message

CONFIG = """
[[tenant]]
name = "acme"
domain = "acme.example"
[[user]]
name = "101"
tenant = "acme"
password = "secret101"
"""


@pytest.fixture
def events(tmp_path: Path) -> EventLog:
    return EventLog("test", SequenceFile(tmp_path / "events.seq"))


@pytest.fixture
def guard(events: EventLog) -> Guard:
    trunk = Trunk("mutual", "acme", auth_inbound="tls", names=("pbx.example",))
    world = replace(World.of(loads(CONFIG)), table=RoutingTable.build([trunk]))
    return Guard(world, events, lambda _: False)


def message(method: str = "OPTIONS", more: str = "") -> Request:
    text = (
        f"{method} sip:acme.example SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"
        f"From: <sip:101@acme.example>;tag=1\r\nTo: <sip:101@acme.example>\r\n"
        f"Call-ID: c\r\nCSeq: 1 {method}\r\n{more}\r\n"
    )
    found = parse_message(text.encode())
    assert isinstance(found, Request)
    return found


def tls(host: str, *verified: str) -> Hop:
    return Hop("tls", host, 40000, "default", flow=1, verified=verified)


@pytest.mark.parametrize(
    ("host", "customer"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("no:address", "no:address"),
    ],
)
def test_who_counts_as_one(host: str, customer: str) -> None:
    assert customer_of(host) == customer


def guess(guard: Guard, source: Hop, now: float) -> None:
    challenge = Challenge.parse(guard.challenge("acme.example", source.host, now)[0][1])
    made = Account("101", "guess").answer(challenge, "REGISTER", "sip:acme.example", b"", bytes)
    request = message("REGISTER", f"Authorization: {made}\r\n")
    guard.verify_user(request, "acme.example", source, now)


def test_another_address_of_the_same_network_is_banned_with_it(guard: Guard, events: EventLog) -> None:
    for n in range(BAN_AFTER):
        guess(guard, Hop("udp", f"2001:db8::{n + 1:x}", 5060, "default"), 1.0)
    assert not guard.admits_bytes(b"OPTIONS", Hop("udp", "2001:db8::ffff", 5060, "default"), 2.0)
    assert guard.admits_bytes(b"OPTIONS", Hop("udp", "2001:db8:0:1::1", 5060, "default"), 2.0)
    assert [ban["address"] for ban in guard.bans(2.0)] == ["2001:db8::/64"]
    assert guard.forgive("2001:db8::77")
    assert not guard.bans(2.0)
    assert events.last


@pytest.mark.parametrize(("names", "passes"), [(("pbx.example",), True), (("somebody.example",), False)])
def test_a_certificate_makes_known_whom_a_trunk_names(guard: Guard, names: tuple[str, ...], passes: bool) -> None:
    """Any authority's customer has a certificate: only a trunk's is spared the limits of strangers."""
    source = tls("192.0.2.9", *names)
    refused = [guard.admit(message(), source, 1.0) for _ in range(int(REQUESTS_PER_S) + 5)]
    assert all(one is None for one in refused) == passes
    assert [guard.answers(source, 1.0) for _ in range(3)] == [True, passes, passes]


def test_forged_addresses_do_not_flood_the_log(guard: Guard, events: EventLog, monkeypatch: Any) -> None:
    told: list[Any] = []
    monkeypatch.setattr(events, "emit", lambda kind, **fields: told.append((kind, fields["held_back"])))
    for n in range(1000):
        guard.report("unknown_source", Hop("udp", f"10.0.{n // 250}.{n % 250}", 5060, "default"), "", 1.0)
    assert len(told) == ALL_REPORTS_PER_S
    guard.report("unknown_source", Hop("udp", "10.9.9.9", 5060, "default"), "", 2.0)
    assert told[-1] == ("security.refused", 1000 - ALL_REPORTS_PER_S)
