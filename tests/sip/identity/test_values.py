"""Identity headers: what is written reads back the same, limits hold, nothing but a refusal comes out of a parser."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.sip.errors import LoopDetected, Malformed, RemoteError
from santral.sip.headers import Headers
from santral.sip.identity.asserted import Privacy, RemoteParty, identities, remote_parties
from santral.sip.identity.correlation import MAX_USER_TO_USER, SessionId, UserToUser
from santral.sip.identity.diversion import Diversion, HistoryEntry
from santral.sip.identity.early_media import EarlyMedia
from santral.sip.identity.redirection import (
    Diverted,
    as_diversion,
    as_history,
    check_loop,
    diversions,
    from_diversion,
    from_history,
)
from santral.sip.identity.tel import TelNumber, number_of
from santral.sip.uri import NameAddr, Uri

tokens = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
words = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_characters="\x7f"), max_size=20).filter(
    str.isprintable
)
numbers = st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)
uris = st.builds(Uri, user=numbers | tokens, host=st.sampled_from(["a.example", "192.0.2.1", "2001:db8::1"]))
addresses = st.builds(NameAddr, words.map(str.strip), uris)
uuids = st.text("0123456789abcdef", min_size=32, max_size=32)
causes = st.sampled_from(["SIP;cause=302", 'Q.850;cause=16;text="a, b"', 'SIP;cause=486;text="Busy & gone"'])

VALUES: dict[Callable[[str], object], st.SearchStrategy[object]] = {
    TelNumber.parse: st.builds(
        TelNumber, numbers, st.lists(st.tuples(tokens, st.none() | tokens), max_size=3).map(tuple)
    ),
    Privacy.parse: st.builds(Privacy, st.lists(tokens, min_size=1, max_size=4, unique=True).map(tuple)),
    RemoteParty.parse: st.builds(RemoteParty, addresses, tokens, tokens | st.just(""), tokens | st.just("")),
    Diversion.parse: st.builds(Diversion, addresses, words.filter(bool), st.integers(1, 999), tokens | st.just("")),
    HistoryEntry.parse: st.builds(
        HistoryEntry,
        addresses,
        st.lists(st.integers(0, 999), min_size=1, max_size=6).map(tuple),
        st.none() | st.tuples(st.sampled_from(["rc", "mp", "np"]), st.just("1.2")),
        st.lists(causes, max_size=2).map(tuple),
        st.sampled_from(["", "history", "none"]),
    ),
    UserToUser.parse: st.builds(
        UserToUser, words, st.lists(st.tuples(tokens, st.none() | tokens), max_size=3).map(tuple)
    ),
    SessionId.parse: st.builds(SessionId, uuids, st.none() | uuids),
    EarlyMedia.parse: st.builds(
        EarlyMedia,
        st.lists(st.sampled_from(["sendrecv", "inactive"]), min_size=1, max_size=8).map(tuple),
        st.booleans(),
    ),
}  # fmt: skip
PARSERS = [pytest.param(parse, id=parse.__qualname__) for parse in VALUES]


@pytest.mark.parametrize("parse", PARSERS)
@given(st.data())
def test_what_is_written_reads_back_the_same(parse: Callable[[str], object], data: st.DataObject) -> None:
    value = data.draw(VALUES[parse])
    assert parse(str(value)) == value


@pytest.mark.parametrize("parse", PARSERS)
@given(st.text(max_size=120) | st.text('<>;=",:@sip+0123456789abcdef%&?. ', max_size=80))
def test_nothing_but_a_refusal_comes_out(parse: Callable[[str], object], text: str) -> None:
    try:
        value = parse(text)
    except RemoteError:
        return
    assert parse(str(value)) == value


# ---- numbers ----


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("tel:+90-555-111.22(33)", "+905551112233"),
        ("tel:5550100;phone-context=+90312", "+903125550100"),
        ("tel:5550100;phone-context=acme.example", "5550100"),
        ("sip:+905551112233;tgrp=a;trunk-context=b@h;user=phone", "+905551112233"),
        ("sip:5550100%3Bphone-context=+90312@h;user=phone", "+903125550100"),
        ("sip:alice@h", "alice"),
        ("sip:h", ""),
        ("urn:service:sos", ""),
        ("tel:x", ""),
    ],
)
def test_the_number_of_a_uri(uri: str, number: str) -> None:
    assert number_of(Uri.parse(uri)) == number


# ---- identities ----


def test_two_identities_and_no_more() -> None:
    headers = Headers([("P-Asserted-Identity", '"A, B" <sip:+90312@h>'), ("P-Asserted-Identity", "tel:+90312")])
    assert [str(one) for one in identities(headers, "P-Asserted-Identity")] == ['"A, B" <sip:+90312@h>', "<tel:+90312>"]
    headers.add("P-Asserted-Identity", "<sip:c@h>")
    with pytest.raises(Malformed):
        identities(headers, "P-Asserted-Identity")


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("id", True),
        ("id;critical", True),
        ("header;session", False),
        ("user", True),
        ("none", False),
        ("id,none", False),
    ],
)
def test_what_privacy_hides(text: str, hidden: bool) -> None:
    assert Privacy.parse(text).hides_caller is hidden


def test_remote_party() -> None:
    headers = Headers([("Remote-Party-ID", '"A" <sip:100@h>;party=calling;id-type=subscriber;privacy=full;screen=yes')])
    (party,) = remote_parties(headers)
    assert (party.party, party.hides_caller, party.is_screened) == ("calling", True, True)
    assert party.params == (("id-type", "subscriber"),)


# ---- diversions ----

HISTORY = (
    "<sip:+903125550100@a.example?Reason=SIP%3Bcause%3D302&Privacy=history>;index=1, "
    "<sip:+903125550101@a.example;cause=302>;index=1.1;mp=1, "
    "<sip:+903125550102@a.example;cause=486>;index=1.1.1;mp=1.1"
)


def test_a_history_says_the_same_as_diversions() -> None:
    found = diversions(Headers([("History-Info", HISTORY)]))
    assert [(one.address.uri.user, one.reason, one.is_hidden) for one in found] == [
        ("+903125550101", "user-busy", False),
        ("+903125550100", "unconditional", True),
    ]
    written = ", ".join(map(str, as_diversion(found)))
    assert diversions(Headers([("Diversion", written)])) == found


def test_retargeting_is_no_diversion() -> None:
    entries = [HistoryEntry.parse(text) for text in ("<sip:a@h>;index=1", "<sip:b@h>;index=1.1;rc=1")]
    assert from_history(entries) == ()


@given(
    st.lists(
        st.builds(
            Diverted,
            addresses,
            st.sampled_from(["unknown", "unconditional", "user-busy", "no-answer", "deflection", "unavailable"]),
            st.booleans(),
        ),
        max_size=5,
    ).map(tuple)
)
def test_both_headers_carry_the_same(found: tuple[Diverted, ...]) -> None:
    assert from_diversion(as_diversion(found)) == found
    history = [HistoryEntry.parse(str(one)) for one in as_history(found, Uri(user="x", host="h"))]
    assert from_history(history) == found


def test_a_counter_becomes_entries_of_nobody() -> None:
    found = (Diverted(NameAddr.parse("<sip:a@h>"), "no-answer", count=3),)
    history = as_history(found, Uri(user="x", host="h"))
    assert [entry.address.uri.user for entry in history] == ["a", "unknown", "unknown", "x"]
    assert sum(one.count for one in from_history(history)) == 3


def test_more_than_five_diversions_are_a_loop() -> None:
    one = "<sip:a@h>;reason=unconditional"
    check_loop(diversions(Headers([("Diversion", ", ".join([one] * 5))])))
    for text in (", ".join([one] * 6), f"{one};counter=6"):
        with pytest.raises(LoopDetected):
            check_loop(diversions(Headers([("Diversion", text)])))
    with pytest.raises(LoopDetected):
        diversions(Headers([("Diversion", ", ".join([one] * 65))]))


def test_user_to_user_is_bounded() -> None:
    assert UserToUser.parse("56a390f3d2b7;encoding=hex;purpose=isdn-uui").data == "56a390f3d2b7"
    with pytest.raises(Malformed):
        UserToUser.parse("a" * (MAX_USER_TO_USER + 1))
