"""By whom a call was diverted: Diversion (RFC 5806) and History-Info (RFC 7044), each value by itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Literal, Self
from urllib.parse import quote, unquote

from santral.sip.errors import Malformed
from santral.sip.headers import is_token
from santral.sip.uri import NameAddr, Params, find_param, format_params, unquote_string
from santral.sip.uri import quote as quoted

__all__ = ["Diversion", "HistoryEntry"]

MAX_COUNTER: Final = 999
MAX_DEPTH: Final = 32  # levels of an index
MAX_EMBEDDED: Final = 8  # headers inside the URI of a History-Info value

_INDEX: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})*", re.ASCII).fullmatch
_DIVERSION_PARAMS: Final = ("reason", "counter", "privacy")
_TARGETS: Final = ("rc", "mp", "np")


@dataclass(frozen=True, slots=True)
class Diversion:
    """One value of Diversion: who diverted, why, how often, and whether the name may be shown.

    `reason` as in RFC 5806 section 7.2 (`unconditional`, `user-busy`, …) or any other text; `privacy` in lower case.
    """

    address: NameAddr
    reason: str = "unknown"
    counter: int = 1
    privacy: str = ""
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one value; raises Malformed."""
        address = NameAddr.parse(text)
        reason = address.param("reason") or "unknown"
        counter = address.param("counter")
        privacy = (address.param("privacy") or "").lower()
        if counter is None:
            count = 1
        elif counter.isascii() and counter.isdigit() and len(counter) <= 3:
            count = max(1, int(counter))
        else:
            raise Malformed(f"Diversion counter: {counter[:20]!r}")
        if privacy and not is_token(privacy):
            raise Malformed(f"Diversion privacy: {privacy[:20]!r}")
        others = tuple(pair for pair in address.params if pair[0].lower() not in _DIVERSION_PARAMS)
        return cls(NameAddr(address.display, address.uri), reason, count, privacy, others)

    def __str__(self) -> str:
        reason = self.reason if is_token(self.reason) else quoted(self.reason)
        text = f"{self.address};reason={reason};counter={self.counter}"
        if self.privacy:
            text += f";privacy={self.privacy}"
        return text + format_params(self.params)

    @property
    def is_hidden(self) -> bool:
        return self.privacy not in ("", "off")


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One value of History-Info. Of the headers inside its URI `Reason` and `Privacy` are kept, others are dropped.

    `index` is the place in the tree of targets; `target` how the next one was found (`rc`, `mp`, `np`) and from which.
    """

    address: NameAddr
    index: tuple[int, ...]
    target: tuple[Literal["rc", "mp", "np"], str] | None = None
    reasons: tuple[str, ...] = ()
    privacy: str = ""
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read one value; raises Malformed."""
        address = NameAddr.parse(text)
        written = address.param("index")
        if written is None or not _INDEX(written) or written.count(".") >= MAX_DEPTH:
            raise Malformed(f"History-Info index: {(written or '')[:40]!r}")
        target: tuple[Literal["rc", "mp", "np"], str] | None = None
        for kind in ("rc", "mp", "np"):
            place = address.param(kind)
            if place and _INDEX(place):
                target = (kind, place)
                break
        reasons, privacy = _embedded(address.uri.headers)
        others = tuple(pair for pair in address.params if pair[0].lower() not in ("index", *_TARGETS))
        uri = replace(address.uri, headers="") if address.uri.headers else address.uri
        index = tuple(map(int, written.split(".")))
        return cls(NameAddr(address.display, uri), index, target, reasons, privacy, others)

    def __str__(self) -> str:
        embedded = [f"Reason={quote(reason, safe='')}" for reason in self.reasons]
        if self.privacy:
            embedded.append(f"Privacy={quote(self.privacy, safe='')}")
        uri = replace(self.address.uri, headers="&".join(embedded)) if embedded else self.address.uri
        text = f"{NameAddr(self.address.display, uri)};index={'.'.join(map(str, self.index))}"
        if self.target is not None:
            text += f";{self.target[0]}={self.target[1]}"
        return text + format_params(self.params)

    @property
    def is_hidden(self) -> bool:
        return any(value.strip().lower() == "history" for value in self.privacy.split(";"))

    @property
    def cause(self) -> int | None:
        """Why the call came to this target: the `cause` parameter of its URI (RFC 4458, RFC 8119)."""
        return _cause(self.address.uri.param("cause"))

    @property
    def left_for(self) -> int | None:
        """Why the call left this target: the SIP cause of its Reason."""
        for reason in self.reasons:
            protocol, _, params = reason.partition(";")
            if protocol.strip().upper() == "SIP":
                pairs = tuple((p.partition("=")[0].strip(), p.partition("=")[2].strip()) for p in params.split(";"))
                return _cause(unquote_string(find_param(pairs, "cause") or ""))
        return None


def _cause(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) == 3 else None


def _embedded(text: str) -> tuple[tuple[str, ...], str]:
    """Reason values and Privacy among the headers of a URI; raises Malformed for too many of them."""
    if not text:
        return (), ""
    parts = text.split("&")
    if len(parts) > MAX_EMBEDDED:
        raise Malformed(f"{len(parts)} headers in a URI")
    reasons: list[str] = []
    privacy = ""
    for part in parts:
        name, _, value = part.partition("=")
        plain = unquote(value, errors="replace")
        if not plain.isprintable():
            raise Malformed("a control character in a header of a URI")
        match unquote(name).lower():
            case "reason" if plain:
                reasons.append(plain)
            case "privacy":
                privacy = plain
    return tuple(reasons), privacy
