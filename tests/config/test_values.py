"""Addresses, port ranges and target URIs: what is taken, what is refused, and that printing gives the text back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.engine.config.values import HostPort, Listen, PortRange, TargetUri, parse_address, parse_domain


@pytest.mark.parametrize(
    ("text", "listen"),
    [
        ("udp:127.0.0.1:5060", Listen("udp", "127.0.0.1", 5060)),
        ("tcp:[::1]:5060", Listen("tcp", "::1", 5060)),
        ("udp:0.0.0.0:0", Listen("udp", "0.0.0.0", 0)),
    ],
)
def test_listen(text: str, listen: Listen) -> None:
    assert Listen.parse(text) == listen
    assert str(listen) == text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("127.0.0.1:5060", "does not begin with udp:"),
        ("sctp:127.0.0.1:5060", "does not begin with udp:"),
        ("udp:127.0.0.1", "has no port"),
        ("udp:::1:5060", "needs brackets"),
        ("udp:localhost:5060", "is no IP address"),
        ("udp:[127.0.0.1:5060", "is no IP address"),
        ("udp:127.0.0.1:65536", "is no port"),
        ("udp:127.0.0.1:", "is no port"),
        ("udp:127.0.0.1:٥", "is no port"),
        ("udp:[fe80::1%eth0]:5060", "zone"),
    ],
)
def test_what_cannot_be_listened_on(wrong: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Listen.parse(wrong)


@given(st.ip_addresses(), st.integers(0, 65535), st.sampled_from(["udp", "tcp"]))
def test_any_address_comes_back(address: object, port: int, transport: str) -> None:
    listen = Listen(transport, str(address), port)
    assert Listen.parse(str(listen)) == listen
    assert HostPort.parse(str(HostPort(str(address), port))) == HostPort(str(address), port)


@pytest.mark.parametrize(
    ("one", "other", "collide"),
    [
        ("udp:127.0.0.1:5060", "udp:127.0.0.1:5060", True),
        ("udp:127.0.0.1:5060", "tcp:127.0.0.1:5060", False),
        ("udp:127.0.0.1:5060", "udp:127.0.0.2:5060", False),
        ("udp:127.0.0.1:5060", "udp:0.0.0.0:5060", True),
        ("udp:[::]:5060", "udp:0.0.0.0:5060", False),
        ("udp:127.0.0.1:0", "udp:127.0.0.1:0", False),
    ],
)
def test_collisions(one: str, other: str, collide: bool) -> None:
    assert Listen.parse(one).collides(Listen.parse(other)) is collide
    assert Listen.parse(other).collides(Listen.parse(one)) is collide


def test_port_ranges() -> None:
    assert PortRange.parse("20000-29999") == (20000, 29999)
    assert PortRange.parse("20000-29999").pairs == 5000
    assert PortRange.parse("0") == (0, 0)
    assert str(PortRange(0, 0)) == "0"
    assert PortRange.parse(str(PortRange(1024, 65535))) == (1024, 65535)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("", "is no port range"),
        ("20000", "is no port range"),
        ("20000-29999x", "is no port range"),
        ("29999-20000", "must go upwards"),
        ("80-99", "between 1024 and 65535"),
        ("20000-70001", "between 1024 and 65535"),
        ("20001-29999", "must begin at an even port"),
        ("20000-29998", "must begin at an even port"),
    ],
)
def test_what_is_no_port_range(wrong: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PortRange.parse(wrong)


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("sip:127.0.0.1:5090", ("127.0.0.1", 5090, "udp")),
        ("SIP:gw.example", ("gw.example", 0, "")),
        ("sip:gw.example:5060;transport=TCP", ("gw.example", 5060, "tcp")),
        ("sip:[2001:db8::1]:5060;transport=udp", ("2001:db8::1", 5060, "udp")),
        ("sip:[2001:db8::1]", ("2001:db8::1", 0, "udp")),
    ],
)
def test_targets(text: str, uri: tuple[str, int, str]) -> None:
    target = TargetUri.parse(text)
    assert target[:3] == uri
    assert str(target) == text


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("sips:gw.example;transport=udp", "sips never goes over UDP"),
        ("tel:+90312", "is no SIP URI"),
        ("gw.example", "is no SIP URI"),
        ("sip:", "names no host"),
        ("sip:bob@gw.example", "has a user part"),
        ("sip:gw example", "names no host"),
        ("sip:-gw.example", "names no host"),
        ("sip:1.2.3", "is no IP address"),
        ("sip:1.2.3.400", "is no IP address"),
        ("sip:2001:db8::1", "needs brackets"),
        ("sip:[1.2.3]", "is no IP address"),
        ("sip:gw.example:0", "is no port"),
        ("sip:gw.example:", "is no port"),
        ("sip:gw.example;transport=ws", "transport ws is none of udp, tcp, tls"),
        ("sip:gw.example;lr", "only the parameter transport"),
        ("sip:gw.example\r\n", "names no host"),
    ],
)
def test_what_is_no_target(wrong: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TargetUri.parse(wrong)


def test_addresses_and_domains_have_one_spelling() -> None:
    assert parse_address("[2001:DB8:0::1]") == "2001:db8::1"
    assert parse_domain("PBX.Example.") == "pbx.example"
    with pytest.raises(ValueError, match="no domain"):
        parse_domain("a..b")
    with pytest.raises(ValueError, match="no domain"):
        parse_domain("a" * 254)


@given(st.text(max_size=60))
def test_any_text_is_a_value_or_a_value_error(text: str) -> None:
    for parse in (Listen.parse, HostPort.parse, PortRange.parse, TargetUri.parse, parse_address, parse_domain):
        try:
            value = parse(text)
        except ValueError:
            continue
        assert parse(str(value)) == value
