"""Who is calling, and in which order targets are tried."""

from collections import Counter
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.routing.numbers import Pattern
from santral.routing.trunks import (
    Acceptance,
    AcceptError,
    Entrances,
    Identified,
    Source,
    Strategy,
    Target,
    Trunk,
    Unknown,
    draw_order,
    identify,
    order_targets,
)

CALLER = Source("192.0.2.1", 5080, "udp", "default", "pbx.example", "+903125550100")


def trunk(name: str, *accept_from: str, **more: object) -> Trunk:
    return replace(Trunk(name, "acme", accept_from=tuple(map(Acceptance.parse, accept_from))), **more)  # type: ignore[arg-type]


def who(source: Source, *trunks: Trunk) -> str | None:
    match identify(Entrances(trunks), source):
        case Identified(trunk=name):
            return name
        case Unknown():
            return None


@pytest.mark.parametrize(
    ("text", "network", "port"),
    [
        ("10.0.0.0/8", "10.0.0.0/8", None),
        ("192.0.2.1", "192.0.2.1/32", None),
        ("192.0.2.1/32:5080", "192.0.2.1/32", 5080),
        ("192.0.2.1:5080", "192.0.2.1/32", 5080),
        ("2001:db8::/32", "2001:db8::/32", None),
        ("[2001:db8::]/32:5080", "2001:db8::/32", 5080),
        ("[2001:db8::1]:5080", "2001:db8::1/128", 5080),
        ("[2001:db8::1]", "2001:db8::1/128", None),
        ("::1", "::1/128", None),
        ("0.0.0.0/0", "0.0.0.0/0", None),
    ],
)
def test_networks_of_accept_from(text: str, network: str, port: int | None) -> None:
    accepts = Acceptance.parse(text)
    assert accepts == Acceptance(ip_network(network), port)
    assert Acceptance.parse(str(accepts)) == accepts


@pytest.mark.parametrize(
    "wrong",
    ["", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "10.0.0.0/8:0", "10.0.0.0/8:65536", "10.0.0.0/8:",
     "host.example", "2001:db8::1:5080/128:1", "[10.0.0.1]:5060", "[::1",
     "::1]", "[::1]x", "10.0.0.0/", "10.0.0.0/x", "[::1]/-1"],
)  # fmt: skip
def test_what_is_no_network(wrong: str) -> None:
    with pytest.raises(AcceptError):
        Acceptance.parse(wrong)


def test_the_port_counts_for_udp_only() -> None:
    a, b = trunk("a", "192.0.2.1/32:5080"), trunk("b", "192.0.2.1/32:5090")
    assert who(CALLER, a, b) == "a"
    assert who(replace(CALLER, port=5090), a, b) == "b"
    assert who(replace(CALLER, port=40000), a, b) is None
    assert who(replace(CALLER, port=40000, transport="tcp"), b, a) == "b"  # the first in the file
    assert who(replace(CALLER, port=5080, transport="tcp"), b, a) == "a"  # or the one whose port it happens to be


def test_mapped_and_scoped_addresses_are_read() -> None:
    assert who(replace(CALLER, ip="::ffff:192.0.2.1"), trunk("a", "192.0.2.0/24")) == "a"
    assert who(replace(CALLER, ip="fe80::1%eth0"), trunk("a", "fe80::/10")) == "a"
    assert who(replace(CALLER, ip="nonsense"), trunk("a", "0.0.0.0/0")) is None


@pytest.mark.parametrize(
    ("asks", "other"),
    [
        ({"match_interface": "default"}, {"interface": "lan"}),
        ({"match_domain": "pbx.example"}, {"domain": "other.example"}),
        ({"match_called": Pattern(r"\+90312.*")}, {"called": "+902120000000"}),
        ({"match_trunk_group": "tg1"}, {"trunk_group": "tg2"}),
    ],
)
def test_a_discriminator_decides_before_a_trunk_without_one(asks: dict[str, object], other: dict[str, str]) -> None:
    plain, picky = trunk("plain", "192.0.2.1"), trunk("picky", "192.0.2.0/24", **asks)
    source = replace(CALLER, trunk_group="TG1", domain="PBX.example.")
    assert who(source, plain, picky) == "picky"
    assert who(replace(source, **other), plain, picky) == "plain"
    answer = identify(Entrances([picky]), replace(source, **other))
    assert isinstance(answer, Unknown)
    assert "trunk picky: " in answer.reason


def test_the_refusal_names_the_source() -> None:
    answer = identify(Entrances([trunk("a", "10.0.0.0/8")]), CALLER)
    assert answer == Unknown("no trunk accepts calls from 192.0.2.1:5080 (udp)")


ADDRESS = st.one_of(
    st.ip_addresses(v=4), st.ip_addresses(v=6), st.integers(0, 3).map(lambda n: ip_address(f"10.0.0.{n}"))
)


@given(
    st.lists(st.tuples(ADDRESS, st.integers(0, 128), st.none() | st.integers(1, 3)), max_size=8),
    ADDRESS,
    st.integers(1, 3),
)
def test_identify_agrees_with_a_plain_search(rows: list[tuple], address: object, port: int) -> None:  # type: ignore[type-arg]
    networks = [(ip_network(f"{a}/{min(n, a.max_prefixlen)}", strict=False), p) for a, n, p in rows]
    trunks = [Trunk(str(i), "t", accept_from=(Acceptance(n, p),)) for i, (n, p) in enumerate(networks)]
    source = replace(CALLER, ip=str(address), port=port)
    if getattr(address, "ipv4_mapped", None):
        return
    fitting = [(-n.prefixlen, i) for i, (n, p) in enumerate(networks) if address in n and p in (None, port)]
    assert who(source, *trunks) == (str(min(fitting)[1]) if fitting else None)


TARGETS = tuple(Target(f"sip:{name}", weight) for name, weight in (("a", 3), ("b", 1), ("c", 0)))


def test_failover_and_round_robin() -> None:
    one = Trunk("t", "acme", TARGETS)
    assert order_targets(one, turn=7, draw=0.5) == (("sip:a", "sip:b", "sip:c"), 0.5)
    many = replace(one, strategy=Strategy.ROUND_ROBIN)
    firsts = [order_targets(many, turn)[0] for turn in range(4)]
    assert firsts == [("sip:a", "sip:b", "sip:c"), ("sip:b", "sip:c", "sip:a"), ("sip:c", "sip:a", "sip:b"), firsts[0]]


def test_weights_share_and_zero_comes_last() -> None:
    weighted = Trunk("t", "acme", TARGETS, Strategy.WEIGHTED)
    firsts = Counter(order_targets(weighted, draw=step / 400)[0] for step in range(400))
    assert firsts == {("sip:a", "sip:b", "sip:c"): 300, ("sip:b", "sip:a", "sip:c"): 100}


def test_every_order_has_its_share_from_one_draw() -> None:
    orders = Counter(tuple(draw_order("abc", [1, 1, 1], step / 6000)[0]) for step in range(6000))
    assert len(orders) == 6
    assert all(abs(count - 1000) <= 2 for count in orders.values())


@given(st.lists(st.integers(0, 5), max_size=8), st.floats(0, 1, exclude_max=True))
def test_a_draw_loses_nobody_and_leaves_a_draw(weights: list[int], draw: float) -> None:
    ordered, rest = draw_order(range(len(weights)), weights, draw)
    assert sorted(ordered) == list(range(len(weights)))
    assert 0 <= rest < 1


def test_a_certificate_says_who_calls() -> None:
    """A trunk with names is never known by its address, and a proved name goes before any address."""
    caller = replace(CALLER, transport="tls", names=("gw.example", "192.0.2.1"))
    named = trunk("named", names=("gw.example",))
    by_address = trunk("by_address", "192.0.2.0/24")
    assert who(caller, named, by_address) == who(caller, by_address, named) == "named"
    assert who(replace(caller, names=()), named, by_address) == "by_address"
    assert who(replace(caller, names=("other.example",)), named) is None
    narrow = trunk("narrow", "198.51.100.0/24", names=("gw.example",))
    assert who(caller, narrow) is None
    assert who(replace(caller, ip="198.51.100.9"), narrow) == "narrow"
    assert who(replace(CALLER, ip="198.51.100.9"), narrow) is None
    assert who(caller, narrow, by_address) == "by_address"  # what it proved fits nobody here
    asking = trunk("asking", names=("gw.example",), match_domain="pbx.example")
    assert who(caller, named, asking) == "asking"
    assert who(replace(caller, domain="x.example"), named, asking) == "named"
    match identify(Entrances([narrow]), caller):
        case Unknown(reason=reason):
            assert "certificate shown from 192.0.2.1, outside accept_from" in reason
