"""Diversions of a call whichever header tells them: one neutral list, read from and written to both (RFC 7544).

Newest first, as Diversion is written. What both headers cannot say is left out: screens, limits, forks of the tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from santral.sip.errors import LoopDetected, Malformed
from santral.sip.headers import Headers
from santral.sip.identity.diversion import Diversion, HistoryEntry
from santral.sip.uri import NameAddr, Uri

__all__ = [
    "MAX_DIVERSIONS",
    "Diverted",
    "as_diversion",
    "as_history",
    "check_loop",
    "diversions",
    "from_diversion",
    "from_history",
]

MAX_DIVERSIONS: Final = 5  # hops; one more is taken for a loop
MAX_VALUES: Final = 64  # of one header: more are a loop, whatever they say
NOBODY: Final = Uri(user="unknown", host="unknown.invalid")  # RFC 7544 section 5: a diverting user who was left out

CAUSES: Final = {  # RFC 7544 section 4.2; every reason not named is 404
    "unknown": 404,
    "unconditional": 302,
    "user-busy": 486,
    "no-answer": 408,
    "deflection": 480,
    "unavailable": 503,
}
REASONS: Final = {404: "unknown", 302: "unconditional", 486: "user-busy", 408: "no-answer", 480: "deflection",
                  487: "deflection", 503: "unavailable"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Diverted:
    """One diversion. `reason` in the words of RFC 5806; `count` is how many of the same it stands for."""

    address: NameAddr
    reason: str = "unknown"
    is_hidden: bool = False
    count: int = 1


def diversions(headers: Headers) -> tuple[Diverted, ...]:
    """Those of a message, newest first: from Diversion, or where there is none from History-Info.

    Raises Malformed, and LoopDetected for more values than any call has.
    """
    told = headers.values("Diversion")
    history = headers.values("History-Info")
    if len(told) > MAX_VALUES or len(history) > MAX_VALUES:
        raise LoopDetected(f"{len(told)} Diversion, {len(history)} History-Info")
    if told:
        return from_diversion(map(Diversion.parse, told))
    return from_history(list(map(HistoryEntry.parse, history)))


def check_loop(found: Iterable[Diverted]) -> None:
    """Raises LoopDetected for more than `MAX_DIVERSIONS` hops, counters included."""
    hops = sum(one.count for one in found)
    if hops > MAX_DIVERSIONS:
        raise LoopDetected(f"diverted {hops} times")


def from_diversion(values: Iterable[Diversion]) -> tuple[Diverted, ...]:
    """The neutral list of Diversion values."""
    return tuple(Diverted(one.address, one.reason, one.is_hidden, one.counter) for one in values)


def from_history(entries: Sequence[HistoryEntry]) -> tuple[Diverted, ...]:
    """The neutral list of a history: each entry that the next one, by its cause, says was left by diversion."""
    found: list[Diverted] = []
    for entry, following in pairwise(entries):
        cause = following.cause or (entry.left_for if following.target and following.target[0] == "mp" else None)
        if cause is None:
            continue
        reason = REASONS.get(cause, "unknown")
        uri = entry.address.uri
        params = tuple(pair for pair in uri.params if pair[0].lower() != "cause")
        address = NameAddr(entry.address.display, replace(uri, params=params))
        found.append(Diverted(address, reason, entry.is_hidden))
    found.reverse()
    return tuple(found)


def as_diversion(found: Iterable[Diverted]) -> tuple[Diversion, ...]:
    """The same as values of Diversion."""
    return tuple(Diversion(one.address, one.reason, one.count, "full" if one.is_hidden else "off") for one in found)


def as_history(found: Sequence[Diverted], target: Uri) -> tuple[HistoryEntry, ...]:
    """The same as a history whose last entry is the present target. Raises Malformed for a tel: URI of nothing."""
    if not found:
        return ()
    entries: list[HistoryEntry] = []
    cause: int | None = None
    for one in reversed(found):  # the oldest first
        cause = _append(entries, one.address, cause, is_hidden=one.is_hidden, reason=one.reason)
        for _ in range(1, one.count):
            cause = _append(entries, NameAddr("", NOBODY), cause, is_hidden=False, reason="unknown")
    _append(entries, NameAddr("", target), cause, is_hidden=False, reason="")
    return tuple(entries)


def _append(
    entries: list[HistoryEntry], address: NameAddr, cause: int | None, *, is_hidden: bool, reason: str
) -> int | None:
    """One entry more, one level deeper; answers the cause of the entry after it."""
    if address.uri.scheme not in ("sip", "sips"):
        raise Malformed(f"no place in a history: {address.uri.scheme}")
    index = (1,) * (len(entries) + 1)
    params = tuple(pair for pair in address.uri.params if pair[0].lower() != "cause")
    if cause is not None:
        params = (*params, ("cause", str(cause)))
    uri = replace(address.uri, params=params, headers="")
    following = CAUSES.get(reason, 404) if reason else None
    entries.append(
        HistoryEntry(
            NameAddr(address.display, uri),
            index,
            ("mp", ".".join(map(str, index[:-1]))) if entries else None,
            (f"SIP;cause={following}",) if following is not None else (),
            "history" if is_hidden else "",
        )
    )
    return following
