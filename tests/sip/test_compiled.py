"""The parser has one source and two forms, compiled and plain: both do the same with every message.

The plain form is loaded beside the compiled one. Without a compiled form both are the same, and nothing is compared.
"""

import os
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORPUS = os.environ.get("SANTRAL_CORPUS", "")
MUTATIONS = 4000

INVITE = (
    b"INVITE sip:bob:pw@192.0.2.2:5060;user=phone SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport, SIP/2.0/TCP [2001:db8::1]:5061;received=::2;ttl=1\r\n"
    b'From: "Alice \\"A\\"" <sip:alice@192.0.2.1>;tag=a1;x="q;,"\r\n'
    b"t: sip:bob@192.0.2.2;lr\r\nCall-ID: 1@192.0.2.1\r\nCSeq: 1\r\n INVITE\r\nMax-Forwards: 70\r\n"
    b'Contact: Al ice <sips:alice@[::1]:5060;transport=udp?a=b>;+sip.instance="<urn:uuid:1>"\r\n'
    b"Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\nRoute: <sip:%%41b@p3;lr>\r\nX-Own: \xc3\xbc \xff\r\n"
    b'Reason: SIP;cause=200;text="x"\r\nRetry-After: 5 (later);duration=60\r\n'
    b"Content-Type: multipart/mixed;boundary=b\r\nContent-Length: %d\r\n\r\n"
)
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1/127\r\nt=0 0\r\nm=audio 4000/2 RTP/AVP 8 0 101\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\nm=video 0 RTP/AVP 99\r\n"
)
BODY = b"--b\r\nContent-Type: application/sdp\r\n\r\n" + SDP + b"\r\n--b--\r\n"
OWN = [
    INVITE % len(BODY) + BODY,
    b"SIP/2.0 200 OK\r\n" + (INVITE % 0).partition(b"\r\n")[2],
    (INVITE % len(SDP)).replace(b"multipart/mixed;boundary=b", b"application/sdp") + SDP,
]
ODD = (b"", b"\0", b"\r\n", b" ", b",", b";", b"=", b'"', b"<", b">", b"%", b"[", b"9" * 12, b"\xff", b"sip:", b"*")


TYPED = ("vias", "from_", "to", "call_id", "cseq", "contacts", "record_routes", "routes", "max_forwards", "via")


class PlainSources(MetaPathFinder):
    """Finds modules of the room as their .py, whatever stands beside it."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "santral.sip" and not name.startswith("santral.sip."):
            return None
        file = ROOT.joinpath(*name.split(".")[1:])
        if file.is_dir():
            inside = [str(file)]
            return spec_from_file_location(name, file / "__init__.py", submodule_search_locations=inside)
        return spec_from_file_location(name, file.with_suffix(".py"))


@contextmanager
def plain_sources() -> Iterator[None]:
    """Imports of the room give fresh plain modules inside, the usual ones again afterwards."""
    import santral  # noqa: PLC0415  (its attribute is put back)

    def ours() -> list[str]:
        return [name for name in sys.modules if name == "santral.sip" or name.startswith("santral.sip.")]

    usual = {name: sys.modules.pop(name) for name in ours()}
    room, finder = getattr(santral, "sip", None), PlainSources()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in ours():
            del sys.modules[name]
        sys.modules.update(usual)
        santral.sip = room  # type: ignore[attr-defined]


def parser() -> SimpleNamespace:
    names = ("errors", "framing", "headers", "message", "multipart", "reasons", "sdp", "uri")
    return SimpleNamespace(**{name: import_module(f"santral.sip.{name}") for name in names})


@pytest.fixture(scope="module")
def compiled(lacking: Callable[[str], NoReturn]) -> SimpleNamespace:
    found = parser()
    if str(found.message.__file__).endswith(".py"):
        lacking("nothing is compiled here")
    return found


@pytest.fixture(scope="module")
def plain(compiled: SimpleNamespace) -> SimpleNamespace:
    with plain_sources():
        found = parser()
    assert found.message is not compiled.message
    assert all(str(module.__file__).endswith(".py") for module in vars(found).values())
    return found


def known() -> list[bytes]:
    found = list(OWN)
    if CORPUS:
        files = (path for kind in ("sip", "sdp", "fuzz/pjsip") for path in Path(CORPUS, kind).rglob("*"))
        found += [path.read_bytes()[:70000] for path in sorted(files) if path.is_file()]
    return found


def broken() -> Iterator[bytes]:
    """Our own messages and session descriptions with one to three wounds."""
    dice = random.Random(3)
    for _ in range(MUTATIONS):
        data = bytearray(dice.choice([*OWN, SDP]))
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(data))
            data[at : at + dice.choice((0, 1, 1, 5))] = dice.choice(ODD)
        yield bytes(data)


def outcome(of: SimpleNamespace, data: bytes) -> list[Any]:
    """Everything that can be said about a message."""
    told: list[Any] = []
    try:
        message = of.message.parse_message(data)
    except of.errors.RemoteError as refusal:
        message = refusal.request
        told += [type(refusal).__name__, str(refusal), refusal.status]
        if message is None:
            return told
    told.append(repr(message))
    for name in TYPED:
        with suppress(of.errors.RemoteError, AttributeError):
            value = getattr(message, name)
            told += [repr(value), str(value)]
    for name, kind in (("Reason", of.headers.Reason), ("Retry-After", of.headers.RetryAfter)):
        with suppress(of.errors.RemoteError):
            told.append(repr([kind.parse(value) for value in message.headers.all(name)]))
    try:
        told.append(of.message.serialise(message))
    except of.errors.LocalError as refusal:
        told.append(str(refusal))
    if isinstance(message, of.message.Request):
        told.append(repr(of.message.make_response(message, 183, to_tag="t")))
    with suppress(of.errors.RemoteError):
        told.append(of.message.sdp_body(message))
    return told


def described(of: SimpleNamespace, body: bytes) -> list[Any]:
    """Everything that can be said about a session description."""
    try:
        session = of.sdp.SessionDescription.parse(body)
        views = (session.origin, session.connection, *((m.port, m.connection, m.attributes()) for m in session.media))
        return [repr(session), str(session), repr(views), session.attribute("sendrecv")]
    except of.errors.RemoteError as refusal:
        return [type(refusal).__name__, str(refusal)]


def cut(of: SimpleNamespace, data: bytes) -> list[Any]:
    """What comes off a stream that brings this message in three pieces."""
    framer, told = of.framing.Framer(), []
    third = len(data) // 3
    try:
        for piece in (data[:third], data[third : 2 * third], data[2 * third :]):
            told += [str(item) for item in framer.receive(piece)]
    except of.errors.RemoteError as refusal:
        told += [str(refusal), repr(refusal.request)]
    return [*told, framer.pending]


@pytest.mark.parametrize("tell", [outcome, described, cut])
def test_both_forms_say_the_same(compiled: SimpleNamespace, plain: SimpleNamespace, tell: Any) -> None:
    for data in [*known(), *broken()]:
        assert tell(compiled, data) == tell(plain, data), data


def test_values_behave_alike(compiled: SimpleNamespace, plain: SimpleNamespace) -> None:
    for of in (compiled, plain):
        value = of.uri.NameAddr.parse('"A" <sip:a@b;lr>;tag=1')
        assert value == of.uri.NameAddr.parse('"A" <sip:a@b;lr>;tag=1')
        assert value != of.uri.NameAddr.parse('"A" <sip:a@b;lr>;tag=2')
        assert hash(value) == hash(of.uri.NameAddr.parse('"A" <sip:a@b;lr>;tag=1'))
        assert value.with_tag(None).uri.with_(user="c", port=5) == of.uri.Uri("sip", "c", None, "b", 5, (("lr", None),))
        assert value != "A"
        for each in (value, value.uri, of.headers.Via("UDP", "h"), of.headers.CSeq(1, "BYE")):
            with pytest.raises(AttributeError):
                each.params = ()
