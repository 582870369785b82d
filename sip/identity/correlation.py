"""Values that applications and operators tie calls together by: User-to-User (RFC 7433), Session-ID (RFC 7989)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from santral.sip.errors import Malformed
from santral.sip.headers import is_token
from santral.sip.uri import Params, format_params, parse_params, quote, unquote_string

__all__ = ["MAX_USER_TO_USER", "NIL", "SessionId", "UserToUser"]

MAX_USER_TO_USER: Final = 1024  # characters of the data; ISDN carries 128 octets, 256 of them in hexadecimal
MAX_PARAMS: Final = 16
NIL: Final = "0" * 32  # RFC 7989 section 5: not known yet

_DATA: Final = re.compile(r'("[^"\\]*(?:\\.[^"\\]*)*"|[^";,\s]+)[ \t]*(;.*)?', re.DOTALL).fullmatch
_UUID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True)
class UserToUser:
    """What one user's application tells the other's. `data` as it stands, a quoted string without its quotes.

    Parameters are kept in order, `purpose`, `content` and `encoding` among them.
    """

    data: str
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one value; raises Malformed, also when the data is longer than our limit."""
        match = _DATA(text.strip(" \t"))
        if match is None:
            raise Malformed(f"User-to-User: {text[:40]!r}")
        data = unquote_string(match[1])
        params = parse_params(match[2] or "")
        if len(data) > MAX_USER_TO_USER or len(params) > MAX_PARAMS or not data.isprintable():
            raise Malformed(f"User-to-User of {len(data)} characters")
        return cls(data, params)

    def __str__(self) -> str:
        return (self.data if is_token(self.data) else quote(self.data)) + format_params(self.params)


@dataclass(frozen=True, slots=True)
class SessionId:
    """The two ends' halves of a session identifier; `remote` is None where an old peer (RFC 7329) sends none."""

    local: str
    remote: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the value; raises Malformed."""
        local, _, rest = text.strip(" \t").partition(";")
        params = {name.lower(): (value or "").lower() for name, value in parse_params(f";{rest}" if rest else "")}
        local, remote = local.strip(" \t").lower(), params.get("remote")
        if not _UUID(local) or (remote is not None and not _UUID(remote)):
            raise Malformed(f"Session-ID: {text[:80]!r}")
        return cls(local, remote)

    def __str__(self) -> str:
        return self.local if self.remote is None else f"{self.local};remote={self.remote}"
