"""URIs and name-addr values: what is read, what is refused, and that writing gives back the same."""

import time
from contextlib import suppress

import pytest

from santral.sip.errors import Malformed
from santral.sip.uri import NameAddr, Uri, escape_user, parse_params


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip:example.com", Uri(host="example.com")),
        ("SIP:example.com", Uri(host="example.com")),
        ("sips:a@example.com:5061", Uri("sips", "a", host="example.com", port=5061)),
        (
            "sip:+903125550100@192.0.2.1;user=phone",
            Uri("sip", "+903125550100", None, "192.0.2.1", None, (("user", "phone"),)),
        ),
        ("sip:a:secret@h", Uri("sip", "a", "secret", "h")),
        ("sip:a:@h", Uri("sip", "a", "", "h")),
        ("sip:[2001:db8::10]:5070", Uri(host="2001:db8::10", port=5070)),
        ("sip:[2001:db8::10:5070]", Uri(host="2001:db8::10:5070")),
        ("sip:[::ffff:192.0.2.10]", Uri(host="::ffff:192.0.2.10")),
        ("sip:user;par=u%40example.net@example.com", Uri("sip", "user;par=u%40example.net", None, "example.com")),
        ("sip:a/b?c=d,e@h", Uri("sip", "a/b?c=d,e", None, "h")),
        ("sip:*21#@h", Uri("sip", "*21#", None, "h")),
        ("sip:h;lr;x=%20", Uri(host="h", params=(("lr", None), ("x", "%20")))),
        ("sip:h;gr=urn:uuid:6e1956f2", Uri(host="h", params=(("gr", "urn:uuid:6e1956f2"),))),
        ("sip:h?Route=%3Csip:x%3E&Subject=a", Uri(host="h", headers="Route=%3Csip:x%3E&Subject=a")),
        (
            "tel:+90-312-555-0100;phone-context=example.com",
            Uri("tel", opaque="+90-312-555-0100;phone-context=example.com"),
        ),
        ("soap.beep://192.0.2.103:3002", Uri("soap.beep", opaque="//192.0.2.103:3002")),
    ],
)
def test_reads_every_part(text: str, expected: Uri) -> None:
    uri = Uri.parse(text)
    assert uri == expected
    assert Uri.parse(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    [
        "", "sip", "sip:", ":a@h", "sip:@h", "sip:a@", "sip:a@b@c", "sip:a b@h", "sip:a@h:", "sip:a@h:65536",
        "sip:a@h:5x", "sip:2001:db8::10", "sip:[2001:db8::10", "sip:[]", "sip:a@h;;b", "sip:a@h;", "sip:a@h;x=<y>",
        "sip:a%4@h", "sip:a%zz@h", "<sip:a@h>", " sip:a@h", "sip:a@h ", "sip:a@h\r\nX: y", "sip:\u00fc@h", "1tel:5",
        "tel:", "http:a b",
    ],
)  # fmt: skip
def test_refuses_what_is_no_uri(text: str) -> None:
    with pytest.raises(Malformed):
        Uri.parse(text)


def test_parameters_match_in_any_case() -> None:
    uri = Uri.parse("sip:a@h;Transport=TCP;LR")
    assert uri.param("transport") == "TCP"
    assert uri.param("TRANSPORT") == "TCP"
    assert uri.has_param("lr")
    assert uri.param("lr") == ""
    assert uri.param("maddr") is None
    assert not uri.has_param("maddr")


def test_user_is_unescaped_on_demand_only() -> None:
    uri = Uri.parse("sip:sips%3Auser%40example.com@example.net")
    assert uri.user == "sips%3Auser%40example.com"
    assert uri.user_decoded == "sips:user@example.com"
    assert Uri.parse("sip:h").user_decoded == ""


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("tel:+90-312-555-01-00;phone-context=x", "+903125550100"),
        ("tel:(0312)555.0100", "03125550100"),
        ("sip:+903125550100;npdi@h", "+903125550100"),
        ("sip:%2B903125550100@h", "+903125550100"),
        ("sip:front-desk@h", "front-desk"),
        ("sip:h", ""),
    ],
)
def test_number_of_sip_and_tel(text: str, number: str) -> None:
    assert Uri.parse(text).number == number


@pytest.mark.parametrize("user", ["+905551112233", "a b", "a@b", "100%", "*21#", "ay\u015fe", "x:y", '"<>'])
def test_any_text_can_be_a_user(user: str) -> None:
    uri = Uri(user=escape_user(user), host="example.com")
    assert Uri.parse(str(uri)).user_decoded == user


def test_with_changes_only_what_it_names() -> None:
    uri = Uri.parse("sip:a@h:5060;lr")
    assert str(uri.with_(user="b", port=None)) == "sip:b@h;lr"
    assert str(uri) == "sip:a@h:5060;lr"


@pytest.mark.parametrize(
    ("text", "display", "uri", "params"),
    [
        ("<sip:a@h>", "", "sip:a@h", ()),
        ("sip:a@h", "", "sip:a@h", ()),
        ("sip:a@h;tag=1", "", "sip:a@h", (("tag", "1"),)),
        ("sip:a@h ; tag = 1", "", "sip:a@h", (("tag", "1"),)),
        ("<sip:a@h;lr>;tag=1", "", "sip:a@h;lr", (("tag", "1"),)),
        ("caller<sip:a@h>", "caller", "sip:a@h", ()),
        ("J. Doe <sip:a@h>", "J. Doe", "sip:a@h", ()),
        ('"Bell, Alexander" <sip:a@h>;tag=1', "Bell, Alexander", "sip:a@h", (("tag", "1"),)),
        ('"a \\"b\\" \\\\"<sip:a@h>', 'a "b" \\', "sip:a@h", ()),
        ('"\u0160\u00fc <x>" <sip:a@h>', "\u0160\u00fc <x>", "sip:a@h", ()),
        ('"" <sip:a@h>', "", "sip:a@h", ()),
        ('<sip:a@h>;x="a;b,c";y', "", "sip:a@h", (("x", '"a;b,c"'), ("y", None))),
        ('<sip:a@h>;+sip.instance="<urn:uuid:1>"', "", "sip:a@h", (("+sip.instance", '"<urn:uuid:1>"'),)),
        ("<tel:+90312>;x", "", "tel:+90312", (("x", None),)),
    ],
)
def test_reads_name_addr(text: str, display: str, uri: str, params: tuple[tuple[str, str | None], ...]) -> None:
    value = NameAddr.parse(text)
    assert (value.display, str(value.uri), value.params) == (display, uri, params)
    assert NameAddr.parse(str(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "", "<>", "< sip:a@h >", "<sip:a@h", "sip:a@h>", '"open <sip:a@h>', '"x" sip:a@h', "Bell, Alexander <sip:a@h>",
        "sip:a@h?Subject=x", "a,sip:b@h", "<sip:a@h>;;", "<sip:a@h>;", "<sip:a@h>x", '<sip:a@h>;x="open',
        "<sip:a@h>;x=a b",
    ],
)  # fmt: skip
def test_refuses_what_is_no_name_addr(text: str) -> None:
    with pytest.raises(Malformed):
        NameAddr.parse(text)


def test_tag_is_found_replaced_and_removed() -> None:
    value = NameAddr.parse("<sip:a@h>;x=1;TAG=old")
    assert value.tag == "old"
    assert str(value.with_tag("new")) == "<sip:a@h>;x=1;tag=new"
    assert str(value.with_tag(None)) == "<sip:a@h>;x=1"
    assert NameAddr.parse("<sip:a@h>;tag=").tag is None
    assert NameAddr.parse("<sip:a@h>").tag is None


def test_quoted_parameter_reads_plain() -> None:
    value = NameAddr.parse('<sip:a@h>;x="a\\"b";y=z;flag')
    assert (value.param("X"), value.param("y"), value.param("flag"), value.param("none")) == ('a"b', "z", "", None)


@pytest.mark.parametrize(
    "text",
    [";a" * 20000, "; " * 20000, ' ;x="' + "\\" * 40000, ";a=" + "=" * 40000, " " * 40000 + "x", ";a" + " " * 40000],
)
def test_hostile_lengths_take_linear_time(text: str) -> None:
    before = time.thread_time()
    for parse in (parse_params, NameAddr.parse, Uri.parse, lambda bad: NameAddr.parse(f"<sip:a@h>{bad}")):
        with suppress(Malformed):
            parse(text)
    assert time.thread_time() - before < 0.5  # of our own work, whatever else the machine does; it takes a hundredth
