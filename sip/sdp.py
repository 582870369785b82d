"""Session descriptions (RFC 8866): every line is kept as it came, in order; typed views read single lines on demand.

Lenient where peers are (unknown lines, host names, odd origins); what a stream means is `offer_answer`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_letters
from typing import Final, Self

from santral.sip.errors import Malformed

__all__ = ["Attribute", "Connection", "Line", "Media", "Origin", "SessionDescription"]

MAX_LINES: Final = 2000
MAX_MEDIA: Final = 64

_LETTERS: Final = frozenset(ascii_letters)  # types of lines

Line = tuple[str, str]  # type letter, text after "="
Attribute = tuple[str, str | None]  # name, value after the colon (None: a flag)


@dataclass(frozen=True, slots=True)
class Origin:
    """The `o=` line (RFC 8866 section 5.2). Numbers stay text: peers put all sorts of things there."""

    username: str
    session_id: str
    version: str
    net_type: str
    address_type: str
    address: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text after `o=`; raises Malformed unless it has six fields."""
        fields = text.split()
        if len(fields) != 6:
            raise Malformed(f"o={text[:80]}")
        return cls(*fields)

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} {self.net_type} {self.address_type} {self.address}"


@dataclass(frozen=True, slots=True)
class Connection:
    """A `c=` line (RFC 8866 section 5.7); `suffix` is what follows the address of a multicast one (`/127`)."""

    net_type: str
    address_type: str
    address: str
    suffix: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text after `c=`; raises Malformed unless it has three fields."""
        fields = text.split()
        if len(fields) != 3:
            raise Malformed(f"c={text[:80]}")
        address, slash, suffix = fields[2].partition("/")
        if not address:
            raise Malformed(f"c={text[:80]}")
        return cls(fields[0], fields[1], address, slash + suffix)

    def __str__(self) -> str:
        return f"{self.net_type} {self.address_type} {self.address}{self.suffix}"


class _Section:
    """What the session part and a media part have in common: lines after the first."""

    __slots__ = ()

    lines: tuple[Line, ...]

    def first(self, letter: str) -> str | None:
        """Text of the first line of that type in this section; None when there is none."""
        for key, text in self.lines:
            if key == letter:
                return text
        return None

    def attributes(self) -> list[Attribute]:
        """The `a=` lines of this section, in order."""
        found: list[Attribute] = []
        for letter, text in self.lines:
            if letter == "a":
                name, colon, value = text.partition(":")
                found.append((name, value if colon else None))
        return found

    def attribute(self, name: str) -> str | None:
        """Value of the first such attribute, "" for a flag, None when absent. Names are case-sensitive."""
        flag, prefix = name, name + ":"
        for letter, text in self.lines:
            if letter == "a":
                if text == flag:
                    return ""
                if text.startswith(prefix):
                    return text[len(prefix) :]
        return None

    @property
    def connection(self) -> Connection | None:
        """The `c=` line of this section; None when there is none; raises Malformed when it cannot be read."""
        text = self.first("c")
        return None if text is None else Connection.parse(text)


@dataclass(frozen=True, slots=True)
class Media(_Section):
    """One `m=` line and what follows it, up to the next one (RFC 8866 section 5.14)."""

    kind: str
    port_text: str  # "49170" or "49170/2"; kept as written even when it is no number
    protocol: str
    formats: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()

    @classmethod
    def parse(cls, text: str, lines: tuple[Line, ...] = ()) -> Self:
        """Read the text after `m=`; raises Malformed with fewer than three fields."""
        fields = text.split()
        if len(fields) < 3:
            raise Malformed(f"m={text[:80]}")
        return cls(fields[0], fields[1], fields[2], tuple(fields[3:]), lines)

    @property
    def port(self) -> int:
        """The first port, 0 to 65535; raises Malformed when it is no such number."""
        digits = self.port_text.partition("/")[0]
        if digits.isascii() and digits.isdigit() and len(digits) <= 5 and int(digits) <= 65535:
            return int(digits)
        raise Malformed(f"m={self.kind[:20]}: port {self.port_text[:20]!r}")

    def __str__(self) -> str:
        head = " ".join(("m=" + self.kind, self.port_text, self.protocol, *self.formats))
        return _write((head, self.lines))


@dataclass(frozen=True, slots=True)
class SessionDescription(_Section):
    """Session lines (the first is `v=`) and media sections."""

    lines: tuple[Line, ...]
    media: tuple[Media, ...] = ()

    @classmethod
    def parse(cls, body: bytes | str) -> Self:
        """Read a body; raises Malformed when it is no session description at all, never anything else.

        Line ends may be CRLF, LF or CR; octets that are no UTF-8 are read as ISO 8859-1.
        """
        text = body if isinstance(body, str) else _decode(body)
        if "\0" in text:
            raise Malformed("NUL in a session description")
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        raw = [line for line in text.split("\n") if line.strip(" \t")]
        if len(raw) > MAX_LINES:
            raise Malformed(f"session description of {len(raw)} lines")
        sections: list[tuple[str, list[Line]]] = [("", [])]
        for line in raw:
            if line[1:2] != "=" or line[0] not in _LETTERS:
                raise Malformed(f"session description line: {line[:40]!r}")
            if line[0] == "m":
                sections.append((line[2:], []))
            else:
                sections[-1][1].append((line[0], line[2:]))
        if len(sections) - 1 > MAX_MEDIA:
            raise Malformed(f"{len(sections) - 1} media lines")
        session = tuple(sections[0][1])
        if not session or session[0][0] != "v":
            raise Malformed("session description without v=")
        return cls(session, tuple([Media.parse(head, tuple(lines)) for head, lines in sections[1:]]))

    @property
    def origin(self) -> Origin | None:
        """The `o=` line; None when there is none; raises Malformed when it cannot be read."""
        text = self.first("o")
        return None if text is None else Origin.parse(text)

    def __str__(self) -> str:
        return _write((None, self.lines)) + "".join(map(str, self.media))

    def __bytes__(self) -> bytes:
        return str(self).encode()


def _decode(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _write(section: tuple[str | None, tuple[Line, ...]]) -> str:
    head, lines = section
    text = "".join([f"{letter}={value}\r\n" for letter, value in lines])
    return text if head is None else f"{head}\r\n{text}"
