"""What nobody is to read in a trace, replaced by as many `x`: lengths stay, so that a message still parses.

Always: answers to challenges, SRTP and ICE keys, digits in INFO. For those who may not know: the names and numbers of
callers who hide (RFC 3323), as the message itself or the call it belongs to says.
"""

import re
from collections.abc import Iterable
from typing import Final

MIN_DIGITS: Final = 5  # of a number that is looked for by itself: shorter ones stand everywhere
TAIL: Final = 7  # last digits by which the spellings of one number are found

_DIGEST: Final = re.compile(rb'((?:response|cnonce|rspauth)[ \t]*=[ \t]*"?)([^",\r\n]+)', re.IGNORECASE)
_CREDENTIALS: Final = re.compile(
    rb"(\r\n(?:Proxy-)?(?:Authorization|Authentication-Info)[ \t]*:[ \t]*)([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)",
    re.IGNORECASE,
)
_KEYS: Final = re.compile(
    rb"(\n(?:a=crypto:[^\r\n]*?inline:|a=ice-pwd:|a=key-mgmt:|k=[a-z]+:))([^\s|]+)", re.IGNORECASE
)
_MORE_KEYS: Final = re.compile(rb"(inline:)([^\s|;]+)", re.IGNORECASE)
_IS_DIGITS: Final = re.compile(rb"\r\n(?:content-type|c)[ \t]*:[ \t]*[^\r\n]*(?:dtmf|digits)", re.IGNORECASE).search
_DIGIT: Final = re.compile(rb"((?:signal|d)[ \t]*=[ \t]*)([^\r\n]+)", re.IGNORECASE)
_PRIVACY: Final = re.compile(
    rb"\r\nPrivacy[ \t]*:[^\r\n]*\b(?:id|user)\b|;[ \t]*privacy[ \t]*=[ \t]*\"?(?:full|name|uri)", re.IGNORECASE
).search
_IDENTITY: Final = re.compile(
    rb"\r\n(?:From|f|P-Asserted-Identity|P-Preferred-Identity|Remote-Party-ID|Contact|m)[ \t]*:"
    rb"([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)",
    re.IGNORECASE,
)
_HIDDEN_DIVERSION: Final = re.compile(
    rb"\r\nDiversion[ \t]*:([^\r\n]*;[ \t]*privacy[ \t]*=[ \t]*\"?(?:full|name|uri)[^\r\n]*)", re.IGNORECASE
)
_NAME: Final = re.compile(rb'"((?:[^"\\]|\\.)*)"[ \t]*<')
_USER: Final = re.compile(rb"(?:sips?:([^@;>\s]+)@|tel:([^;>\s]+))", re.IGNORECASE)
_NO_DIGIT: Final = re.compile(rb"[^0-9]")


def redact(data: bytes, hidden: Iterable[str] = (), *, hides: bool = True) -> bytes:
    """The message as it may be shown. `hidden` are the names and numbers of its call's hidden caller.

    With `hides` false, who hides is shown all the same: to those who may know.
    """
    head, blank, body = data.partition(b"\r\n\r\n")
    head = _CREDENTIALS.sub(_mask_credentials, head)
    if body:
        body = _mask_body(head, body)
    masked = head + blank + body
    if not hides:
        return masked
    texts = [text.encode() for text in hidden]
    if _PRIVACY(head):
        texts += _named_in(_IDENTITY, head)
    texts += _named_in(_HIDDEN_DIVERSION, head)
    for text in dict.fromkeys(texts):
        masked = _mask_text(masked, text)
    return masked


def _mask_credentials(found: re.Match[bytes]) -> bytes:
    scheme, space, rest = found[2].partition(b" ")
    if scheme.lower() == b"digest" or b"=" in scheme:  # Authentication-Info has no scheme
        return found[1] + _DIGEST.sub(_second, found[2])
    return found[1] + scheme + space + b"x" * len(rest)


def _mask_body(head: bytes, body: bytes) -> bytes:
    if b"a=" in body or b"k=" in body or b"inline:" in body:
        body = _MORE_KEYS.sub(_second, _KEYS.sub(_second, b"\n" + body)[1:])
    if head.lstrip(b"\r\n")[:5].upper() == b"INFO " and _IS_DIGITS(head):
        masked = _DIGIT.sub(_second, body)
        body = masked if masked != body else b"x" * len(body)
    return body


def _second(found: re.Match[bytes]) -> bytes:
    return found[1] + b"x" * len(found[2])


def _named_in(headers: re.Pattern[bytes], head: bytes) -> list[bytes]:
    """Names and users in these headers, folded or not."""
    found: list[bytes] = []
    for line in headers.finditer(head):
        found += [name[1] for name in _NAME.finditer(line[1])]
        found += [user[1] or user[2] for user in _USER.finditer(line[1])]
    return [text for text in found if text.lower() not in (b"", b"anonymous")]


def _mask_text(data: bytes, text: bytes) -> bytes:
    """A number is found by its last digits in any spelling; anything else where it stands as it is."""
    digits = _NO_DIGIT.sub(b"", text)
    if len(digits) >= MIN_DIGITS:
        return re.sub(rb"\+?[0-9]*" + digits[-TAIL:] + rb"(?![0-9])", lambda found: b"x" * len(found[0]), data)
    return data.replace(text, b"x" * len(text)) if len(text) >= 3 else data
