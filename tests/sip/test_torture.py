"""The IETF's torture messages (RFC 4475, RFC 5118), messages of real phones, session descriptions of many stacks.

The material is not part of the project: SANTRAL_CORPUS names the folder that holds it.
"""

import hashlib
import json
import os
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from santral.sip.errors import RemoteError
from santral.sip.framing import Framer
from santral.sip.message import Request, Response, make_response, parse_message, sdp_body, serialise
from santral.sip.offer_answer import remote_streams
from santral.sip.sdp import SessionDescription

CORPUS = os.environ.get("SANTRAL_CORPUS", "")
pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not CORPUS, reason="SANTRAL_CORPUS is not set"),
]

# The answer where the parser is the one to refuse, although the message is only semantically wrong.
REFUSED_BY_PARSER = {"insuf": 400, "multi01": 400, "mcl01": 400}
# RFC 4475 section 3.1.2.12: a Date nobody reads does no harm, and a server may take the message.
TOLERATED = {"baddate"}


def folder(name: str) -> Path:
    return Path(CORPUS, name)


def expectations() -> list[dict[str, Any]]:
    if not CORPUS:
        return []
    rows: list[dict[str, Any]] = json.loads(folder("sip/expect.json").read_text())
    return rows


def load(row: dict[str, Any]) -> bytes:
    archived = folder("sip").joinpath(row["file"]).read_bytes()
    assert hashlib.sha256(archived).hexdigest() == row["sha256"]
    return folder("sip").joinpath(row.get("wire", row["file"])).read_bytes()


def named(name: str) -> Request | Response:
    (row,) = [row for row in expectations() if row["name"] == name]
    return parse_message(load(row))


def request(name: str) -> Request:
    message = named(name)
    assert isinstance(message, Request)
    return message


def rows(*classes: str) -> list[Any]:
    return [pytest.param(row, id=row["name"]) for row in expectations() if row["cls"] in classes]


def test_the_corpus_is_whole() -> None:
    by_rfc = [row["rfc"] for row in expectations()]
    assert (by_rfc.count(4475), by_rfc.count(5118)) == (50, 12)  # 49 of RFC 4475, and one it never mentions


@pytest.mark.parametrize("row", rows("valid"))
def test_valid_messages_are_read_whole(row: dict[str, Any]) -> None:
    data = load(row)
    message = parse_message(data)
    body = data.partition(b"\r\n\r\n")[2]
    length = message.headers.get("Content-Length")
    assert message.body == (body if length is None else body[: int(length)])
    again = parse_message(serialise(message))
    assert again.body == message.body
    assert again.via == message.via
    assert [item for item in again.headers.items() if item[0] != "Content-Length"] == [
        item for item in message.headers.items() if item[0] != "Content-Length"
    ]


@pytest.mark.parametrize("row", rows("invalid", "unreferenced"))
def test_invalid_messages_are_refused_with_the_right_status(row: dict[str, Any]) -> None:
    data = load(row)
    if row["name"] in TOLERATED:
        parse_message(data)
        return
    with pytest.raises(RemoteError) as caught:
        parse_message(data)
    if data.startswith(b"SIP/"):
        assert caught.value.request is None
        return
    assert caught.value.status == (505 if row["expect"].startswith("505") else 400)
    if row["name"] != "test":
        assert caught.value.request is not None
        assert serialise(make_response(caught.value.request, caught.value.status)).startswith(b"SIP/2.0 ")


@pytest.mark.parametrize("row", rows("semantic"))
def test_semantic_cases_reach_the_agent_or_get_the_same_answer(row: dict[str, Any]) -> None:
    data = load(row)
    status = REFUSED_BY_PARSER.get(row["name"])
    if status is None:
        parse_message(data)
        return
    assert row["expect"].startswith(str(status))
    with pytest.raises(RemoteError) as caught:
        parse_message(data)
    assert caught.value.status == status
    assert caught.value.request is not None


def test_what_the_valid_ones_mean() -> None:
    wsinv = request("wsinv")
    assert (wsinv.cseq.number, wsinv.max_forwards, len(wsinv.vias)) == (9, 68, 3)
    assert wsinv.contact is not None
    assert (wsinv.contact.display, wsinv.contact.param("q")) == ('Quoted string ""', "0.33")
    assert wsinv.headers.get("Subject") == ""
    assert wsinv.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert request("esc01").uri.user == "sips%3Auser%40example.com"
    assert [contact.uri.user for contact in request("escnull").contacts] == ["%00", "%00%00"]
    esc02 = request("esc02")
    assert (esc02.method, len(esc02.contacts)) == ("RE%47IST%45R", 2)
    assert request("lwsdisp").from_.display == "caller"
    assert len(request("longreq").vias) > 30
    assert (request("dblreq").method, request("dblreq").body) == ("REGISTER", b"")
    assert request("semiuri").uri.user == "user;par=u%40example.net"
    assert [via.transport for via in request("transports").vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]
    unreason = named("unreason")
    assert isinstance(unreason, Response)
    assert unreason.reason.startswith("= 2**3")
    cparam = request("cparam01").contact
    assert cparam is not None
    assert (cparam.param("unknownparam"), cparam.uri.params) == ("", ())
    cparam = request("cparam02").contact
    assert cparam is not None
    assert (cparam.params, cparam.uri.param("unknownparam")) == ((), "")
    escaped = request("regescrt").contact
    assert escaped is not None
    assert escaped.uri.headers == "Route=%3Csip:sip.example.com%3E"


def test_what_the_ipv6_ones_mean() -> None:
    assert request("ipv6-good").uri.host == "2001:db8::10"
    ambiguous, clear = request("port-ambiguous").uri, request("port-unambiguous").uri
    assert (ambiguous.host, ambiguous.port) == ("2001:db8::10:5070", None)
    assert (clear.host, clear.port) == ("2001:db8::10", 5070)
    for name in ("via-received-param-with-delim", "via-received-param-no-delim"):
        assert request(name).via.received == "2001:db8::9:255"
    body = sdp_body(named("mult-ip-in-sdp"))
    assert body is not None
    assert [stream.address for stream in remote_streams(SessionDescription.parse(body))] == ["192.0.2.1", "2001:db8::1"]
    assert named("ipv4-mapped-ipv6").via.host.startswith("::ffff:192.0.2.")


def test_two_messages_in_one_stream() -> None:
    (row,) = [row for row in expectations() if row["name"] == "dblreq"]
    cut = islice(Framer().receive(load(row)), 2)  # the second one's Content-Length is short: rubbish follows
    first, second = [parse_message(message) for message in cut if isinstance(message, bytes)]
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert (first.method, second.method, len(second.body)) == ("REGISTER", "INVITE", 150)


@pytest.mark.parametrize("name", ["ncl", "mcl01"])
def test_streams_that_cannot_be_cut(name: str) -> None:
    (row,) = [row for row in expectations() if row["name"] == name]
    with pytest.raises(RemoteError) as caught:
        list(Framer().receive(load(row)))
    assert (caught.value.status, caught.value.request is not None) == (400, True)


def test_a_stream_waits_for_the_rest() -> None:
    (row,) = [row for row in expectations() if row["name"] == "clerr"]
    assert list(Framer().receive(load(row))) == []


def test_messages_of_real_peers() -> None:
    files = sorted(folder("sip/live").glob("*.sip"))
    assert len(files) >= 26
    for file in files:
        data = file.read_bytes()
        message = parse_message(data)
        assert message.body == data.partition(b"\r\n\r\n")[2], file.name
        assert parse_message(serialise(message)).body == message.body
        body = sdp_body(message)
        assert (body is not None) == (message.content_type == "application/sdp"), file.name
        if body is not None:
            assert remote_streams(SessionDescription.parse(body))[0].codecs, file.name


def test_session_descriptions_of_many_stacks() -> None:
    index = json.loads(folder("sdp/index.json").read_text())
    files = [folder("sdp") / row["file"] for row in index] + sorted(folder("sdp/real").iterdir())
    assert len(files) > 1200
    for file in files:
        sdp = SessionDescription.parse(file.read_bytes())
        assert SessionDescription.parse(bytes(sdp)) == sdp, file
        try:
            streams = remote_streams(sdp)
        except RemoteError:
            continue
        assert len(streams) == len(sdp.media)
