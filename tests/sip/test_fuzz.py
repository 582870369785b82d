"""Whatever bytes come, only remote errors come out; how they are cut does not matter; what was read is written again.

Deterministic and short by default. SANTRAL_FUZZ_EXAMPLES sets the number of examples per property, and looks for new
ones each time.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from santral.sip.errors import LocalError, RemoteError
from santral.sip.framing import Framer, KeepAlive
from santral.sip.headers import CSeq, Reason, RetryAfter, Via, parse_max_forwards, split_values
from santral.sip.message import Request, make_response, parse_message, salvage, sdp_body, serialise
from santral.sip.offer_answer import (
    Codec,
    LocalSession,
    LocalStream,
    answer_direction,
    audio,
    common,
    event_for,
    refuse,
    remote_streams,
)
from santral.sip.sdp import Connection, Media, Origin, SessionDescription
from santral.sip.uri import NameAddr, Uri, escape_user, parse_params, quote, unquote_string

EXAMPLES = int(os.environ.get("SANTRAL_FUZZ_EXAMPLES", "0"))
pytestmark = pytest.mark.timeout(60 + EXAMPLES)  # generous: a hang is what this looks for
fuzz = settings(
    max_examples=EXAMPLES or 100,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

INVITE = (
    b"INVITE sip:bob@192.0.2.2;user=phone SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport, SIP/2.0/TCP [2001:db8::1]:5061;received=::2\r\n"
    b'From: "Alice \\"A\\"" <sip:alice@192.0.2.1>;tag=a1\r\n'
    b"t: sip:bob@192.0.2.2\r\n"
    b"Call-ID: 1@192.0.2.1\r\n"
    b"CSeq: 1\r\n INVITE\r\n"
    b"Max-Forwards: 70\r\n"
    b'Contact: <sip:alice@192.0.2.1:5060;transport=udp>;+sip.instance="<urn:uuid:1>"\r\n'
    b"Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\n"
    b"Content-Type: multipart/mixed;boundary=b\r\n"
    b"Content-Length: %d\r\n\r\n"
)
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0 101\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtcp:4001 IN IP4 192.0.2.1\r\na=ptime:20\r\n"
    b"a=sendrecv\r\n"
)
BODY = b"--b\r\nContent-Type: application/sdp\r\n\r\n" + SDP + b"\r\n--b--\r\n"
SEEDS = [INVITE % len(BODY) + BODY, b"SIP/2.0 200 OK\r\n" + (INVITE % 0).partition(b"\r\n")[2], SDP]
if corpus := os.environ.get("SANTRAL_CORPUS"):
    SEEDS += [
        file.read_bytes()
        for kind in ("sip", "sdp", "uri")
        for file in sorted(Path(corpus, "fuzz/pjsip", kind).iterdir())
    ]
    SEEDS += [file.read_bytes() for file in sorted(Path(corpus, "sip/rfc4475").iterdir())]

# Pieces that matter to the grammar, so that random text comes close to it.
PIECES = st.sampled_from(
    ["sip:", "tel:", "<", ">", '"', "\\", ";", ",", "?", "@", ":", "=", "%", "%41", "[", "]", "::1", "a", "b.c", "1",
     "65536", "lr", "tag", "rport", "branch", "received", "SIP/2.0/UDP", "SIP/2.0", " ", "\t", "\r\n", "\r\n ", "\r",
     "\n", "\0", "(", ")", "*", "/", "\u00fc", "\u0661", "\u2028", "\x85", "9" * 30, "v=0\r\n",
     "m=audio 1 RTP/AVP 0\r\n", "a=rtpmap:", "c=IN IP4 ", "Q.850;cause=16", "IN", "IP4", "192.0.2.1"]
)  # fmt: skip
TEXT = st.lists(PIECES | st.text(max_size=4), max_size=30).map("".join)
TOKEN = st.text("abzAZ019-.!%*_+`'~", min_size=1, max_size=8)
HOSTS = st.sampled_from(["example.com", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "a_b-c.d"])
PORTS = st.none() | st.integers(0, 65535)
WORDS = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=12)
USERS = st.none() | WORDS.filter(bool).map(escape_user)
URI_WORD = st.text("abzAZ019-.!*_+'~", min_size=1, max_size=8) | st.just("%2C")
URI_PARAMS = st.lists(st.tuples(URI_WORD, st.none() | URI_WORD), max_size=3).map(tuple)
PARAMS = st.lists(st.tuples(TOKEN, st.none() | TOKEN | WORDS.map(quote)), max_size=3).map(tuple)
URIS = st.builds(
    Uri,
    st.sampled_from(["sip", "sips"]),
    USERS,
    st.none(),
    HOSTS,
    PORTS,
    URI_PARAMS,
    st.sampled_from(["", "a=b&c=%20"]),
)
URIS |= st.builds(
    Uri, scheme=st.sampled_from(["tel", "urn", "http"]), opaque=st.sampled_from(["+90312;x=y", "service:sos", "//h/"])
)
NAME_ADDRS = st.builds(NameAddr, WORDS, URIS, PARAMS)
OTHER_PARAMS = PARAMS.map(
    lambda pairs: tuple(p for p in pairs if p[0].lower() not in ("branch", "received", "rport", "cause", "text"))
)
VIAS = st.builds(
    Via,
    st.sampled_from(["UDP", "TCP", "TLS", "WS"]),
    HOSTS,
    PORTS,
    st.none() | TOKEN,
    st.none() | HOSTS,
    PORTS,
    OTHER_PARAMS,
)
REASONS = st.builds(Reason, TOKEN, st.none() | st.integers(0, 999), WORDS, OTHER_PARAMS)
NUMBERS = st.integers(0, 2**31 - 1)


def mutations(seed: bytes) -> st.SearchStrategy[bytes]:
    """The seed with a few octets exchanged, inserted, taken out or doubled."""
    change = st.tuples(
        st.integers(0, len(seed)),
        st.integers(0, 8),
        st.binary(max_size=3) | TEXT.map(lambda text: text.encode("utf-8", "replace")),
    )

    def apply(changes: list[tuple[int, int, bytes]]) -> bytes:
        data = seed
        for at, length, new in changes:
            data = data[:at] + new + data[at + length :]
        return data

    return st.lists(change, min_size=1, max_size=4).map(apply)


BYTES = st.binary(max_size=300) | st.sampled_from(SEEDS).flatmap(mutations)


def check_datagram(data: bytes) -> None:
    """Do with a datagram all that the engine would do with it: nothing but a refusal comes out, and it reads back."""
    try:
        message = parse_message(data)
    except RemoteError as refusal:
        if refusal.request is not None:
            answer = make_response(refusal.request, refusal.status, to_tag="t")
            answer.headers.replace_first("Via", str(refusal.request.via.with_source("192.0.2.9", 1)))
            serialise(answer)
        return
    _ = message.content_type, message.vias, message.contact, message.record_routes
    again = parse_message(serialise(message))
    assert again.body == message.body
    assert again.cseq == message.cseq
    if isinstance(message, Request):
        serialise(make_response(message, 200, to_tag="t"))
    with suppress(RemoteError):
        body = sdp_body(message)
        if body is not None:
            check_negotiation(body)


def check_negotiation(body: bytes) -> None:
    """A description reads back, and has an answer or a refusal."""
    sdp = SessionDescription.parse(body)
    assert SessionDescription.parse(str(sdp)) == sdp
    offered = remote_streams(sdp)
    for stream in offered:
        refuse(stream).lines("192.0.2.9")
        answer_direction(stream.direction)
    stream = audio(offered)
    for codec in common(stream.codecs, ("pcma", "pcmu")):
        event_for(codec, stream.events)


@fuzz
@given(BYTES)
def test_any_datagram(data: bytes) -> None:
    check_datagram(data)
    saved = salvage(data)
    assert saved is None or serialise(make_response(saved, 400)).startswith(b"SIP/2.0 400 ")


@fuzz
@given(BYTES)
def test_any_session_description(data: bytes) -> None:
    with suppress(RemoteError):
        check_negotiation(data)


@pytest.mark.parametrize(
    "parse",
    [
        Uri.parse, NameAddr.parse, Via.parse, CSeq.parse, Reason.parse, RetryAfter.parse, Origin.parse,
        Connection.parse, Media.parse, SessionDescription.parse,
    ],
    ids=lambda parse: parse.__qualname__,
)  # fmt: skip
@fuzz
@given(TEXT)
def test_any_text(parse: Callable[[str], object], text: str) -> None:
    try:
        value = parse(text)
    except RemoteError:
        return
    assert parse(str(value) if not isinstance(value, Media) else str(value).partition("\r\n")[0][2:]) == value


@fuzz
@given(TEXT)
def test_any_text_in_small_parsers(text: str) -> None:
    for parse in (parse_params, parse_max_forwards, split_values):
        with suppress(RemoteError):
            parse(text)
    assert unquote_string(quote(text)) == text


VALUES: st.SearchStrategy[Uri | NameAddr | Via | CSeq | Reason | RetryAfter] = st.one_of(
    URIS,
    NAME_ADDRS,
    VIAS,
    st.builds(CSeq, NUMBERS, TOKEN),
    REASONS,
    st.builds(RetryAfter, NUMBERS, TOKEN, st.none() | NUMBERS),
)


@fuzz
@given(VALUES)
def test_written_values_read_the_same(value: Uri | NameAddr | Via | CSeq | Reason | RetryAfter) -> None:
    assert type(value).parse(str(value)) == value


@fuzz
@given(
    st.lists(
        st.builds(
            LocalStream,
            st.sampled_from(["audio", "video"]),
            st.sampled_from(["192.0.2.1", "::1"]),
            st.sampled_from([0, 4000, 65534]),
            st.lists(
                st.builds(Codec, TOKEN, st.integers(1, 999999), st.integers(1, 8), st.integers(0, 127)), max_size=3
            ).map(tuple),
            ptime=st.none() | st.integers(1, 240),
        ),
        max_size=3,
    )
)
def test_written_descriptions_read_the_same(streams: list[LocalStream]) -> None:
    try:
        body = LocalSession(1, "192.0.2.1").render(streams)
    except LocalError:
        return
    read = remote_streams(SessionDescription.parse(body))
    assert [(stream.kind, stream.port, stream.rejected) for stream in read] == [
        (s.kind, s.port, not s.port) for s in streams
    ]
    for ours, theirs in zip(streams, read, strict=True):
        if ours.port:
            assert (theirs.address, theirs.ptime, theirs.direction) == (ours.address, ours.ptime, ours.direction)


def outcome(chunks: list[bytes]) -> list[bytes | KeepAlive | str]:
    framer = Framer()
    got: list[bytes | KeepAlive | str] = []
    try:
        for chunk in chunks:
            got.extend(framer.receive(chunk))
    except RemoteError as refusal:
        got.append(type(refusal).__name__)
    return got


STREAMS = st.lists(
    st.sampled_from(
        [SEEDS[0], SEEDS[1], b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"X\r\nl: 2\r\n\r\n\r\n", b"X\r\nl:\r\n 0\r\n\r\n"]
    )
    | BYTES,
    max_size=5,
).map(b"".join)


@fuzz
@given(STREAMS, st.lists(st.integers(1, 400), max_size=5))
def test_cutting_the_stream_changes_nothing(data: bytes, sizes: list[int]) -> None:
    whole = outcome([data])
    assert outcome([data[i : i + 1] for i in range(len(data))]) == whole
    chunks, at = [], 0
    for size in sizes:
        chunks.append(data[at : at + size])
        at += size
    assert outcome([*chunks, data[at:]]) == whole
    for item in whole:
        if isinstance(item, bytes):
            check_datagram(item)


@fuzz
@given(st.binary(max_size=40))
def test_trailing_bytes_change_nothing(rest: bytes) -> None:
    assert parse_message(SEEDS[0] + rest) == parse_message(SEEDS[0])
    assert outcome([SEEDS[0] + rest])[0] == SEEDS[0]
