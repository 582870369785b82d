"""RFC 3263 as pure decisions: which questions a URI asks, and which places the answers name, in which order."""

import random
from collections import Counter
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.sip.locating import Naptr, Place, Question, Records, Srv, address_version, order_services, search
from santral.sip.locating.search import MAX_PLACES
from santral.sip.uri import Uri

ALL = {"udp": 4, "tcp": 4, "tls": 4}
D = "carrier.example"
A = Question("A", D)
NAPTR = Question("NAPTR", D)
UDP, TCP, TLS = (Question("SRV", f"{prefix}.{D}") for prefix in ("_sip._udp", "_sip._tcp", "_sips._tcp"))


def found(
    uri: str, answers: Mapping[Question, Records] | None = None, spoken: Mapping[str, int] = ALL
) -> tuple[list[Place], list[list[Question]]]:
    """The places, and the questions asked, round by round."""
    steps, asked = search(Uri.parse(uri), spoken, lambda: 0.0), []
    try:
        questions = next(steps)
        while True:
            asked.append(list(questions))
            questions = steps.send({one: (answers or {}).get(one, ()) for one in questions})
    except StopIteration as end:
        return end.value, asked


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("sip:192.0.2.1", Place("udp", "192.0.2.1", 5060)),
        ("sip:192.0.2.1:5080", Place("udp", "192.0.2.1", 5080)),
        ("sip:192.0.2.1;transport=TCP", Place("tcp", "192.0.2.1", 5060)),
        ("sip:192.0.2.1;transport=tls", Place("tls", "192.0.2.1", 5061)),
        ("sips:192.0.2.1", Place("tls", "192.0.2.1", 5061)),
        ("sips:bob@192.0.2.1:5071;transport=tcp", Place("tls", "192.0.2.1", 5071)),
        ("sip:carrier.example;maddr=192.0.2.9", Place("udp", "192.0.2.9", 5060)),
        ("sip:[2001:db8::1]:5070", None),  # no transport of ours has that version
        ("sips:192.0.2.1;transport=udp", None),
        ("sip:192.0.2.1;transport=ws", None),  # a web socket is opened by the other side
        ("sip:192.0.2.1;transport=sctp", None),
        ("tel:+905551112233", None),
    ],
)
def test_an_address_asks_nobody(uri: str, place: Place | None) -> None:
    assert found(uri) == ([place] if place else [], [])


def test_the_version_is_that_of_the_interface() -> None:
    assert found("sip:[2001:DB8::1]", spoken={"udp": 6})[0] == [Place("udp", "2001:db8::1", 5060)]
    places, asked = found(f"sip:{D}:5080", {Question("AAAA", D): ("2001:db8::2",)}, {"udp": 6})
    assert (places, asked) == ([Place("udp", "2001:db8::2", 5080)], [[Question("AAAA", D)]])
    mixed = {"udp": 4, "tls": 6}
    assert found(f"sips:{D}:5061", {Question("AAAA", D): ("::1",)}, mixed)[0] == [Place("tls", "::1", 5061)]


@pytest.mark.parametrize(
    ("uri", "kind", "port"),
    [(f"sip:{D}:5080", "udp", 5080), (f"sips:{D}:5081", "tls", 5081), (f"sip:{D}:5082;transport=tcp", "tcp", 5082)],
)
def test_a_port_asks_for_addresses_only(uri: str, kind: str, port: int) -> None:
    places, asked = found(uri, {A: ("192.0.2.1", "192.0.2.2")})
    assert places == [Place(kind, "192.0.2.1", port), Place(kind, "192.0.2.2", port)]
    assert asked == [[A]]


def test_naptr_says_which_transport_first() -> None:
    answers: dict[Question, Records] = {
        NAPTR: (
            Naptr(20, 1, "s", "SIP+D2U", f"_sip._udp.{D}"),
            Naptr(10, 2, "S", "sip+d2t", f"_sip._tcp.{D}"),
            Naptr(10, 1, "s", "SIPS+D2T", f"_sips._tcp.{D}"),
            Naptr(1, 1, "s", "SIP+D2S", f"_sip._sctp.{D}"),  # not ours
            Naptr(1, 1, "u", "SIP+D2U", "anything"),  # no pointer to SRV
        ),
        TLS: (Srv(1, 1, 5061, "s.example"),),
        TCP: (Srv(1, 1, 5060, "t.example"),),
        UDP: (Srv(1, 1, 5060, "u.example"),),
        Question("A", "s.example"): ("192.0.2.1",),
        Question("A", "t.example"): ("192.0.2.2",),
        Question("A", "u.example"): ("192.0.2.3",),
    }
    places, asked = found(f"sip:{D}", answers)
    assert [(one.transport, one.host) for one in places] == [
        ("tls", "192.0.2.1"), ("tcp", "192.0.2.2"), ("udp", "192.0.2.3")
    ]  # fmt: skip
    assert asked == [
        [NAPTR, UDP, TCP, TLS],
        [TLS, TCP, UDP],
        [Question("A", "s.example"), Question("A", "t.example"), Question("A", "u.example")],
    ]
    assert [one.transport for one in found(f"sips:{D}", answers)[0]] == ["tls"]
    assert [one.transport for one in found(f"sip:{D}", answers, {"udp": 4})[0]] == ["udp"]


def test_an_explicit_transport_asks_its_srv_alone() -> None:
    answers: dict[Question, Records] = {TCP: (Srv(1, 1, 5070, D),), A: ("192.0.2.1",)}
    places, asked = found(f"sip:{D};transport=tcp", answers)
    assert (places, asked) == ([Place("tcp", "192.0.2.1", 5070)], [[TCP], [A]])


def test_without_srv_the_domain_itself_is_meant() -> None:
    assert found(f"sip:{D}", {A: ("192.0.2.1",)})[0] == [Place("udp", "192.0.2.1", 5060)]
    assert found(f"sips:{D}", {A: ("192.0.2.1",)})[0] == [Place("tls", "192.0.2.1", 5061)]
    assert found(f"sip:{D};transport=tcp", {A: ("192.0.2.1",)})[0] == [Place("tcp", "192.0.2.1", 5060)]
    assert found(f"sip:{D}")[0] == []


def test_a_domain_may_say_that_it_has_no_such_service() -> None:
    assert found(f"sip:{D};transport=tcp", {TCP: (Srv(0, 0, 0, ""),), A: ("192.0.2.1",)}) == ([], [[TCP]])


def test_places_are_bounded_and_each_is_there_once() -> None:
    answers: dict[Question, Records] = {
        UDP: tuple(Srv(n // 2, 1, 5060, D) for n in range(100)),
        A: tuple(f"192.0.2.{n}" for n in range(100)),
    }
    places = found(f"sip:{D};transport=udp", answers)[0]
    assert len(places) == len(set(places)) == MAX_PLACES


def test_weights_share_the_first_place() -> None:
    records = [Srv(1, 10, 1, "a"), Srv(1, 30, 1, "b"), Srv(1, 0, 1, "c"), Srv(0, 0, 1, "first")]
    draw = random.Random(1).random
    firsts, rounds = Counter[str](), 20_000
    for _ in range(rounds):
        ordered = order_services(records, draw)
        assert ordered[0].target == "first"
        assert sorted(one.target for one in ordered[1:]) == ["a", "b", "c"]
        firsts[ordered[1].target] += 1
    assert abs(firsts["a"] / rounds - 10 / 41) < 0.02
    assert abs(firsts["b"] / rounds - 30 / 41) < 0.02
    assert 0 < firsts["c"] / rounds < 0.04  # RFC 2782: a very small chance


@given(st.lists(st.builds(Srv, st.integers(0, 3), st.integers(0, 65535), st.just(5060), st.text("abc", min_size=1))),
       st.floats(0, 1, exclude_max=True))  # fmt: skip
def test_every_record_keeps_its_priority(records: list[Srv], number: float) -> None:
    ordered = order_services(records, lambda: number)
    assert Counter(ordered) == Counter(records)
    assert [one.priority for one in ordered] == sorted(one.priority for one in records)


def test_what_is_an_address() -> None:
    assert [address_version(host) for host in ("192.0.2.1", "::1", "fe80::1%eth0", "1.2.3", "a.b", "1.2.3.4.5")] == [
        4, 6, 6, None, None, None
    ]  # fmt: skip
