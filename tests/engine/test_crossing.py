"""What crosses between two sides: as values, for every trust and policy. Nothing crosses that no key lets through."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from santral.engine.calls.crossing import (
    HeaderRule,
    Outbound,
    Policy,
    Presented,
    connected,
    early_media,
    invite,
    presented,
    reasons,
    user_to_user,
)
from santral.engine.calls.crossing.rules import MAX_COPIED, MAX_LINES, MAX_VALUE, TEMPLATE_NAMES, objection
from santral.routing.numbering import Numbering
from santral.routing.numbers import Template
from santral.sip.errors import LoopDetected
from santral.sip.headers import Headers
from santral.sip.identity.redirection import Diverted
from santral.sip.message import Request, Response
from santral.sip.uri import NameAddr, Uri

TRUSTED = Policy(host="santral.example", trust=True)
OPEN = Policy(host="santral.example")
OUT = Outbound("+903125550100", Uri.parse("sip:192.0.2.9:5080;transport=tcp"), call="c1", tenant="acme", trunk="right")
HIDDEN = ("P-Asserted-Identity: <sip:+905551112233@their.example>", "Privacy: id")


def request(*lines: str, from_: str = '"Ayse" <sip:+905551112233@their.example>;tag=1') -> Request:
    pairs = [("From", from_), ("To", "<sip:1@santral.example>")]
    pairs += [(line.partition(":")[0], line.partition(":")[2].strip()) for line in lines]
    return Request("INVITE", Uri.parse("sip:1@santral.example"), Headers(pairs))


def response(*lines: str) -> Response:
    return Response(200, "OK", request(*lines).headers)


def lines_of(made: Any) -> dict[str, str]:
    return dict(made.headers)


# ---- who calls ----


def test_a_plain_caller() -> None:
    who = presented(request(), OPEN)
    assert (who.number, who.name, who.is_hidden, who.is_asserted) == ("+905551112233", "Ayse", False, False)
    made = invite(who, OUT, OPEN)
    assert str(made.uri) == "sip:+903125550100@192.0.2.9:5080;transport=tcp"
    assert str(made.from_) == '"Ayse" <sip:+905551112233@santral.example>'
    assert str(made.to) == "<sip:+903125550100@192.0.2.9:5080>"
    assert made.headers == ()


def test_what_a_stranger_asserts_is_not_believed() -> None:
    who = presented(
        request("P-Asserted-Identity: <tel:+491234567890>", "Remote-Party-ID: <sip:666@x>;screen=yes"), OPEN
    )
    assert (who.number, who.is_asserted) == ("+905551112233", False)
    assert lines_of(invite(who, OUT, replace(TRUSTED, identity="pai"))) == {}


def test_a_trusted_side_is_believed() -> None:
    who = presented(request("P-Asserted-Identity: <tel:+90-312-555-0199>", '"X" <sip:y@h>'), TRUSTED)
    assert (who.number, who.shown, who.is_asserted) == ("+903125550199", "+905551112233", True)
    made = invite(who, OUT, replace(OPEN, identity="pai"))
    assert made.from_.uri.user == "+905551112233"
    assert lines_of(made) == {"P-Asserted-Identity": '"Ayse" <sip:+903125550199@santral.example>'}


@pytest.mark.parametrize(
    ("identity", "lines"),
    [
        ("none", {}),
        ("pai", {"P-Asserted-Identity": '"Ayse" <sip:+905551112233@santral.example>'}),
        ("ppi", {"P-Preferred-Identity": '"Ayse" <sip:+905551112233@santral.example>'}),
        (
            "rpid",
            {"Remote-Party-ID": '"Ayse" <sip:+905551112233@santral.example>;party=calling;privacy=off;screen=yes'},
        ),
    ],
)
def test_the_header_that_tells_who_calls(identity: Any, lines: dict[str, str]) -> None:
    who = presented(request("P-Asserted-Identity: <sip:+905551112233@their.example>"), TRUSTED)
    assert lines_of(invite(who, OUT, replace(OPEN, identity=identity))) == lines


def test_a_number_that_has_to_be_shown() -> None:
    who = presented(request(), OPEN)
    made = invite(who, replace(OUT, caller="+903125550100", caller_name="Acme"), replace(OPEN, identity="pai"))
    assert str(made.from_) == '"Acme" <sip:+903125550100@santral.example>'
    assert "P-Asserted-Identity" in lines_of(made)
    nobody = invite(who, replace(OUT, caller=""), replace(TRUSTED, identity="pai"))
    assert str(nobody.from_) == '"Anonymous" <sip:anonymous@anonymous.invalid>'


def test_numbers_are_written_as_each_side_wants() -> None:
    inward = replace(OPEN, numbering=Numbering("national", "TR"))
    who = presented(request(from_="<sip:05551112233@h>;tag=1"), inward)
    assert who.number == "+905551112233"
    out = replace(OPEN, numbering=Numbering("international"), user_phone=True, caller_name=False)
    made = invite(who, replace(OUT, called="903125550100"), out)
    assert str(made.from_) == "<sip:905551112233@santral.example;user=phone>"
    assert str(made.uri) == "sip:903125550100@192.0.2.9:5080;transport=tcp;user=phone"
    assert str(made.to) == "<sip:903125550100@192.0.2.9:5080;user=phone>"
    assert not invite(who, replace(OUT, called="112"), out).uri.has_param("user")


# ---- who hides ----

HIDING = {
    "privacy id": (*HIDDEN,),
    "privacy user": ("P-Asserted-Identity: <tel:+905551112233>", "Privacy: user;critical"),
    "anonymous with identity": ("P-Asserted-Identity: <tel:+905551112233>",),
    "remote party": ("Remote-Party-ID: <sip:+905551112233@h>;party=calling;privacy=full;screen=yes",),
}


@pytest.mark.parametrize("name", HIDING)
@pytest.mark.parametrize("identity", ["none", "pai", "ppi", "rpid"])
def test_a_hidden_number_reaches_trusted_sides_only(name: str, identity: Any) -> None:
    anonymous = '"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1'
    from_ = anonymous if "anonymous" in name else '"Ayse" <sip:+905551112233@their.example>;tag=1'
    who = presented(request(*HIDING[name], from_=from_), TRUSTED)
    assert (who.number, who.is_hidden) == ("anonymous", True)
    assert "5551112233" not in repr(who)
    strange = invite(who, OUT, replace(OPEN, identity=identity, rules=(rule("out", "add", "X-Who", "{caller}"),)))
    assert str(strange.from_) == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert "5551112233" not in str(strange.headers)
    assert "Ayse" not in str(strange.headers)
    assert lines_of(strange)["Privacy"] == "id"
    friend = invite(who, OUT, replace(TRUSTED, identity=identity))
    assert str(friend.from_) == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert ("5551112233" in str(friend.headers)) == (identity != "none")
    assert lines_of(friend)["Privacy"] == "id"


def test_who_hides_from_a_stranger_is_nobody_to_all() -> None:
    who = presented(request("Privacy: id", from_="<sip:anonymous@anonymous.invalid>;tag=1"), OPEN)
    assert (who.number, who.real) == ("anonymous", "anonymous")
    assert lines_of(invite(who, OUT, replace(TRUSTED, identity="pai"))) == {"Privacy": "id"}


def test_privacy_none_overrules() -> None:
    assert not presented(request("Privacy: none", "Privacy: id"), OPEN).is_hidden


@pytest.mark.parametrize("value", ['id;"', "id user", "a;" * 40])
def test_a_wish_to_hide_that_cannot_be_read_is_heeded(value: str) -> None:
    assert presented(request(f"Privacy: {value}"), OPEN).is_hidden


def test_identities_that_cannot_be_read_are_not_there() -> None:
    broken = ("P-Asserted-Identity: <sip:", "Privacy: ;;", "Diversion: <", "User-to-User: ,", "Session-ID: x")
    who = presented(request(*broken), replace(TRUSTED, user_to_user=True, session_id="pass"))
    assert (who.number, who.diversions, who.user_to_user, who.session_id) == ("+905551112233", (), (), None)


# ---- diversions ----

DIVERTED = "Diversion: <sip:05321112233@their.example>;reason=no-answer, <sip:secret@their.example>;privacy=full"


def test_diversions_cross_in_the_header_each_side_reads() -> None:
    inward = replace(TRUSTED, numbering=Numbering("national", "TR"))
    who = presented(request(DIVERTED), inward)
    made = invite(who, OUT, replace(OPEN, diversion="diversion"))
    assert [value for _, value in made.headers] == [
        "<sip:+905321112233@santral.example>;reason=no-answer;counter=1;privacy=off",
        '"Anonymous" <sip:anonymous@anonymous.invalid>;reason=unknown;counter=1;privacy=full',
    ]
    history = invite(who, OUT, replace(TRUSTED, diversion="history-info"))
    assert [value for _, value in history.headers] == [
        "<sip:secret@santral.example?Reason=SIP%3Bcause%3D404&Privacy=history>;index=1",
        "<sip:+905321112233@santral.example;cause=404?Reason=SIP%3Bcause%3D408>;index=1.1;mp=1",
        "<sip:+903125550100@192.0.2.9:5080;cause=408>;index=1.1.1;mp=1.1",
    ]
    assert invite(who, OUT, OPEN).headers == ()
    assert presented(request(DIVERTED), OPEN).diversions == ()


def test_our_own_diversion_comes_first_and_counts() -> None:
    own = (Diverted(NameAddr("", Uri(user="+903125550100")), "no-answer"),)
    who = presented(request(DIVERTED), TRUSTED)
    made = invite(who, replace(OUT, diverted=own), replace(OPEN, diversion="diversion"))
    assert [value.partition("@")[0] for _, value in made.headers][:2] == ["<sip:+903125550100", "<sip:05321112233"]
    with pytest.raises(LoopDetected):
        invite(who, replace(OUT, diverted=own * 4), OPEN)


@pytest.mark.parametrize("policy", [OPEN, TRUSTED])
def test_more_than_five_diversions_are_a_loop_whoever_tells_them(policy: Policy) -> None:
    with pytest.raises(LoopDetected):
        presented(request("Diversion: <sip:1@h>;counter=6"), policy)


# ---- applications' data ----


def test_user_to_user_needs_both_sides() -> None:
    taking = replace(OPEN, user_to_user=True)
    message = request("User-to-User: 0411;encoding=hex", "User-to-User: a\x07b")
    assert invite(presented(message, taking), OUT, taking).headers == (("User-to-User", "0411;encoding=hex"),)
    assert invite(presented(message, OPEN), OUT, taking).headers == ()
    assert invite(presented(message, taking), OUT, OPEN).headers == ()
    assert user_to_user(message, taking) == (("User-to-User", "0411;encoding=hex"),)
    assert user_to_user(message, OPEN) == ()


def test_session_ids_are_ours_or_the_callers() -> None:
    theirs = "ab30317f1a784dc48ff824d0d3715d86"
    who = presented(request(f"Session-ID: {theirs};remote={'0' * 32}"), replace(OPEN, session_id="pass"))
    passed = lines_of(invite(who, OUT, replace(OPEN, session_id="pass")))["Session-ID"]
    own = lines_of(invite(who, OUT, replace(OPEN, session_id="own")))["Session-ID"]
    assert passed == f"{theirs};remote={'0' * 32}"
    assert theirs not in own
    assert own == lines_of(invite(Presented(), OUT, replace(OPEN, session_id="pass")))["Session-ID"]


def test_who_was_reached() -> None:
    told = ("P-Asserted-Identity: <sip:+903125550101@their.example>", "User-to-User: 04;encoding=hex")
    wants = replace(OPEN, identity="pai", user_to_user=True)
    assert connected(response(*told), replace(TRUSTED, user_to_user=True), wants) == (
        ("P-Asserted-Identity", "<sip:+903125550101@santral.example>"),
        ("User-to-User", "04;encoding=hex"),
    )
    assert connected(response(*told), OPEN, wants) == ()
    assert connected(response(*told), TRUSTED, OPEN) == ()
    hidden = response(told[0], "Privacy: id")
    assert connected(hidden, TRUSTED, wants) == (("Privacy", "id"),)
    assert len(connected(hidden, TRUSTED, replace(TRUSTED, identity="pai"))) == 2
    party = response("Remote-Party-ID: <sip:101@their.example>;party=called;screen=yes")
    assert connected(party, TRUSTED, replace(OPEN, identity="rpid")) == (
        ("Remote-Party-ID", "<sip:101@santral.example>;party=called;privacy=off;screen=yes"),
    )
    assert connected(None, TRUSTED, wants) == ()


def test_early_media_is_authorised_by_trusted_sides_only() -> None:
    authorised = early_media(response("P-Early-Media: sendrecv, gated"), TRUSTED)
    assert authorised is not None
    assert authorised.directions == ("sendrecv",)
    assert early_media(response("P-Early-Media: sendrecv"), OPEN) is None
    assert early_media(response("P-Early-Media: ;"), TRUSTED) is None


def test_reasons_cross_without_the_peers_words() -> None:
    message = request(
        'Reason: Q.850;cause=16;text="sw1.their.example"',
        'Reason: SIP;cause=200;text="answered by 10.0.0.7"',
        "Reason: preemption;cause=1",
        "Reason: SIP;cause=x",
    )
    assert reasons(message) == ("Q.850;cause=16", 'SIP;cause=200;text="Call completed elsewhere"')


# ---- rules ----


def rule(direction: Any, action: Any, name: str, value: str = "", to: str = "") -> HeaderRule:
    return HeaderRule(direction, action, name, Template.parse(value) if value else None, to)


def test_rules_out() -> None:
    rules = (
        rule("out", "copy", "X-Campaign"),
        rule("out", "copy", "X-Long"),
        rule("out", "copy", "X-Old", to="X-New"),
        rule("out", "add", "X-Call", "{call} {caller[-4:]} of {tenant} on {trunk} to {called}"),
        rule("out", "add", "P-Asserted-Identity", "<sip:+903125550000@santral.example>"),
        rule("out", "rename", "X-New", to="X-Newer"),
        rule("out", "remove", "Privacy"),
    )
    message = request(
        "x-campaign: spring", "X-Old: 1", "X-Other: no", f"X-Long: {'a' * (MAX_VALUE + 1)}", "Privacy: id"
    )
    made = invite(presented(message, OPEN), OUT, replace(TRUSTED, rules=rules))
    assert made.headers == (
        ("X-Campaign", "spring"),
        ("X-Call", "c1 2233 of acme on right to +903125550100"),
        ("P-Asserted-Identity", "<sip:+903125550000@santral.example>"),
        ("X-Newer", "1"),
    )


def test_rules_in_change_what_is_read() -> None:
    rules = (
        rule("in", "remove", "P-Asserted-Identity"),
        rule("in", "rename", "X-A", to="X-B"),
        rule("in", "copy", "X-B", to="X-C"),
        rule("in", "add", "X-From", "{trunk}"),
    )
    message = request("P-Asserted-Identity: <sip:1@h>", "X-A: 7")
    policy = replace(TRUSTED, rules=rules, x_headers=("X-A", "X-B", "X-C", "X-From"))
    who = presented(message, policy, dict.fromkeys(TEMPLATE_NAMES, "left"))
    assert (who.is_asserted, who.x_headers) == (False, {"X-B": "7", "X-C": "7", "X-From": "left"})
    assert "X-A" in message.headers  # the message itself is not changed


def test_what_rules_make_is_bounded() -> None:
    many = [f"X-A: {n}" for n in range(MAX_COPIED + 5)]
    rules = tuple(rule("out", "copy", "X-A", to=f"X-{n}") for n in range(20))
    made = invite(presented(request(*many), OPEN), OUT, replace(OPEN, rules=rules))
    assert len(made.headers) == MAX_LINES
    assert [name for name, _ in made.headers].count("X-0") == MAX_COPIED


@pytest.mark.parametrize(
    ("action", "name", "words"),
    [
        ("add", "via", "belongs to the SIP stack"),
        ("add", "v", "belongs to the SIP stack"),
        ("remove", "Content-Foo", "belongs to the SIP stack"),
        ("add", "Authorization", "belongs to the SIP stack"),
        ("copy", "P-Asserted-Identity", "governed by the key identity"),
        ("rename", "history-info", "governed by the key diversion"),
        ("add", "a b", "no header name"),
        ("add", "X-A:", "no header name"),
    ],
)
def test_headers_that_no_rule_touches(action: Any, name: str, words: str) -> None:
    said = objection(action, name)
    assert said is not None
    assert words in said


@given(
    st.lists(
        st.tuples(st.sampled_from(["X-A", "X-B", "P-Asserted-Identity", "Privacy", "Diversion"]), st.text()), max_size=6
    ),
    st.booleans(),
    st.sampled_from(["none", "pai", "ppi", "rpid"]),
)
def test_whatever_a_peer_sends_nothing_breaks_and_nothing_smuggles(lines: Any, trust: bool, identity: Any) -> None:
    rules = (rule("out", "copy", "X-A"), rule("out", "copy", "X-B", to="X-C"), rule("in", "rename", "X-A", to="X-B"))
    message = request()
    for name, value in lines:
        message.headers.add(name, value)
    try:
        who = presented(message, Policy(trust=trust, rules=rules, x_headers=("X-A",)))
    except LoopDetected:
        return
    made = invite(who, OUT, Policy(identity=identity, diversion="history-info", rules=rules))
    text = "".join(name + value for name, value in made.headers) + str(made.from_)
    assert not any(c in text for c in "\r\n\0")
