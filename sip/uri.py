"""URIs and name-addr values (RFC 3261 sections 19.1, 20.10, 25.1; RFC 3966 tel): parse and serialise side by side.

Values are kept as they travel (escaped); nothing here compares, resolves or routes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final, Self
from urllib.parse import unquote

from santral.sip.errors import Malformed

__all__ = [
    "NameAddr",
    "Params",
    "Uri",
    "escape_user",
    "find_param",
    "format_host",
    "parse_params",
    "quote",
    "unquote_string",
]

Params = tuple[tuple[str, str | None], ...]

MAX_PORT: Final = 65535
TOKEN_CHAR: Final = r"[A-Za-z0-9\-.!%*_+`'~]"  # noqa: S105 - RFC 3261 25.1 token
HOST: Final = r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9\-._]+"  # host names with "_" exist, although RFC 1123 forbids them
_USER_CHARS: Final = r"A-Za-z0-9\-_.!~*'()&=+$,;?/%"  # RFC 3261 25.1 user, with "%" of escapes checked apart

# "#" is not allowed unescaped, but phones send it for feature codes such as *21#.
_SIP: Final = re.compile(
    rf"(?:([{_USER_CHARS}#]+)(?::([{_USER_CHARS}]*))?@)?({HOST})(?::([0-9]{{1,5}}))?((?:;[^;?<>\"@\s]+)*)(?:\?([^<>\"\s]*))?",
    re.ASCII,
).fullmatch
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):([^<>\"\s]+)", re.ASCII).fullmatch
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})").search
_NOT_USER: Final = re.compile(r"[^A-Za-z0-9\-_.!~*'()&=+$,;?/]")
_VISUAL_SEPARATORS: Final = str.maketrans("", "", "-.()")  # RFC 3966 section 3

_PARAM: Final = re.compile(
    rf'[ \t]*;[ \t]*({TOKEN_CHAR}+)(?:[ \t]*=[ \t]*("[^"\\]*(?:\\.[^"\\]*)*"|[^ \t;,"<>]*))?', re.DOTALL
).match
_PLAIN_PARAMS: Final = re.compile(rf'(?:;{TOKEN_CHAR}+(?:=[^ \t;,"<>]*)?)+').fullmatch
_DISPLAY: Final = re.compile(rf"{TOKEN_CHAR}+(?:[ \t]+{TOKEN_CHAR}+)*").fullmatch
_QUOTED: Final = re.compile(r'"([^"\\]*(?:\\.[^"\\]*)*)"[ \t]*', re.DOTALL).match
_QUOTED_PAIR: Final = re.compile(r"\\(.)", re.DOTALL)
_NEEDS_ESCAPE: Final = re.compile(r'(["\\])')


def quote(text: str) -> str:
    """Write `text` as a quoted-string (RFC 3261 section 25.1)."""
    return '"' + _NEEDS_ESCAPE.sub(r"\\\1", text) + '"'


def unquote_string(text: str) -> str:
    """Read a quoted-string or a token as plain text."""
    if len(text) >= 2 and text[0] == '"' == text[-1]:
        text = text[1:-1]
        return _QUOTED_PAIR.sub(r"\1", text) if "\\" in text else text
    return text


def escape_user(text: str) -> str:
    """Write any text as the user part of a SIP URI: what is not allowed there becomes %XX of its UTF-8 octets."""
    return _NOT_USER.sub(lambda bad: "".join(f"%{octet:02X}" for octet in bad[0].encode()), text)


def format_host(host: str) -> str:
    """An IPv6 address in brackets, anything else as it is."""
    return f"[{host}]" if ":" in host else host


def parse_params(text: str) -> Params:
    """Read `;name=value;flag` with optional white space; values stay as written (a quoted one keeps its quotes)."""
    if not text:
        return ()
    if _PLAIN_PARAMS(text):
        return _split_params(text)
    found: list[tuple[str, str | None]] = []
    at, end = 0, len(text.rstrip(" \t"))
    while at < end:
        match = _PARAM(text, at, end)
        if match is None:
            raise Malformed(f"parameters: {text[at : at + 40]!r}")
        found.append((match[1], match[2]))
        at = match.end()
    return tuple(found)


def _split_params(text: str) -> Params:
    """`;name=value;flag` that is known to hold no white space and no quotes."""
    found: list[tuple[str, str | None]] = []
    for part in text[1:].split(";"):
        name, equals, value = part.partition("=")
        found.append((name, value if equals else None))
    return tuple(found)


def find_param(params: Params, name: str) -> str | None:
    """The value of the first parameter called `name` (lower case): "" when it has none, None when it is absent."""
    for key, value in params:
        if key == name or key.lower() == name:
            return value or ""
    return None


def format_params(params: Params) -> str:
    """The reverse of `parse_params`."""
    return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in params])


@dataclass(frozen=True)
class Uri:
    """A SIP or SIPS URI in its parts; any other scheme keeps everything after the colon in `opaque`.

    `user`, `password`, `params` and `headers` stay escaped as on the wire; `host` carries no brackets; `scheme` is in
    lower case.
    """

    scheme: str = "sip"
    user: str | None = None
    password: str | None = None
    host: str = ""
    port: int | None = None
    params: Params = ()
    headers: str = ""
    opaque: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one URI and nothing around it; raises Malformed."""
        scheme, _, rest = text.partition(":")
        if scheme not in ("sip", "sips"):
            scheme = scheme.lower()
            if scheme not in ("sip", "sips"):
                return cls._parse_other(text)
        match = _SIP(rest)
        if match is None:
            raise Malformed(f"URI: {text[:80]!r}")
        user, password, host, port_text, params, headers = match.groups()
        port = None
        if port_text is not None:
            port = int(port_text)
            if port > MAX_PORT:
                raise Malformed(f"URI port: {text[:80]!r}")
        if "%" in rest and _BAD_ESCAPE(rest):
            raise Malformed(f"URI escape: {text[:80]!r}")
        if host[0] == "[":
            host = host[1:-1]
        return cls(scheme, user, password, host, port, _split_params(params) if params else (), headers or "")

    @classmethod
    def _parse_other(cls, text: str) -> Self:
        match = _SCHEME(text)
        if match is None:
            raise Malformed(f"URI: {text[:80]!r}")
        return cls(scheme=match[1].lower(), opaque=match[2])

    def __str__(self) -> str:
        if self.opaque:
            return f"{self.scheme}:{self.opaque}"
        text = self.scheme + ":"
        if self.user is not None:
            text += f"{self.user}@" if self.password is None else f"{self.user}:{self.password}@"
        text += f"[{self.host}]" if ":" in self.host else self.host
        if self.port is not None:
            text += f":{self.port}"
        if self.params:
            text += format_params(self.params)
        return f"{text}?{self.headers}" if self.headers else text

    def param(self, name: str) -> str | None:
        """Value of a URI parameter (escaped as on the wire), "" when it stands without one, None when absent."""
        return find_param(self.params, name.lower()) if self.params else None

    def has_param(self, name: str) -> bool:
        """Whether the parameter is there, with or without a value."""
        return self.param(name) is not None

    @property
    def user_decoded(self) -> str:
        """The user part with its escapes undone; "" when there is none."""
        user = self.user
        if not user:
            return ""
        return unquote(user) if "%" in user else user

    @property
    def number(self) -> str:
        """The user part or the tel: number, without parameters and (when it is a number) without visual separators."""
        text = (self.opaque if self.scheme == "tel" else self.user_decoded).partition(";")[0]
        plain = text.translate(_VISUAL_SEPARATORS)
        return plain if plain.lstrip("+").isdigit() and plain.isascii() else text

    def with_(self, **changes: Any) -> Self:
        """A copy with some parts replaced (names of the fields)."""
        return replace(self, **changes)


@dataclass(frozen=True)
class NameAddr:
    """The value of From, To, Contact, Route and their like: display name, URI, header parameters.

    `display` is plain text (unquoted, unescaped); a quoted parameter value keeps its quotes in `params`, and `param()`
    takes them off.
    """

    display: str
    uri: Uri
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one value (no comma-separated list); raises Malformed."""
        text = text.strip(" \t")
        display, rest = "", text
        if text[:1] == '"':
            match = _QUOTED(text)
            if match is None:
                raise Malformed(f"unterminated display name: {text[:40]!r}")
            display, rest = match[1], text[match.end() :]
            if "\\" in display:
                display = _QUOTED_PAIR.sub(r"\1", display)
            if rest[:1] != "<":
                raise Malformed(f"name-addr: {text[:40]!r}")
        elif text[:1] != "<":
            name, opening, after = text.partition("<")
            if not opening:
                return cls._parse_bare(text)
            display = name.rstrip(" \t")
            if not _DISPLAY(display):
                raise Malformed(f"display name: {text[:40]!r}")
            rest = opening + after
        inside, closing, params = rest[1:].partition(">")
        if not closing:
            raise Malformed(f"name-addr: {text[:40]!r}")
        return cls(display, Uri.parse(inside), parse_params(params) if params else ())

    @classmethod
    def _parse_bare(cls, text: str) -> Self:
        """Without angle brackets parameters belong to the header, and `?` has no place (RFC 3261 section 20)."""
        address, semicolon, params = text.partition(";")
        address = address.rstrip(" \t")
        if "?" in address or "," in address:
            raise Malformed(f"URI needs angle brackets: {text[:40]!r}")
        return cls("", Uri.parse(address), parse_params(semicolon + params) if semicolon else ())

    def __str__(self) -> str:
        address = f"<{self.uri}>{format_params(self.params)}" if self.params else f"<{self.uri}>"
        return f"{quote(self.display)} {address}" if self.display else address

    def param(self, name: str) -> str | None:
        """Plain text of a header parameter, "" when it stands without a value, None when absent."""
        value = find_param(self.params, name.lower()) if self.params else None
        return unquote_string(value) if value else value

    @property
    def tag(self) -> str | None:
        """The dialog tag; None when absent or empty (RFC 2543 peers)."""
        for name, value in self.params:
            if name == "tag" or name.lower() == "tag":
                return value or None
        return None

    def with_tag(self, tag: str | None) -> Self:
        """A copy with this tag instead of the one it had; None takes it away."""
        others = tuple(pair for pair in self.params if pair[0].lower() != "tag")
        return type(self)(self.display, self.uri, others if tag is None else (*others, ("tag", tag)))
