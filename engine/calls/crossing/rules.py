"""Header rules of a trunk: add, remove, rename, copy. A safe subset: no code, no header that the stack or a key owns.

Rules act on the headers of an INVITE: `in` on what a trunk sends, before anything is read of it, `out` on what it gets.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from santral.routing.numbers import Template
from santral.sip.headers import Headers, canonical_name, is_token

Action = Literal["add", "remove", "rename", "copy"]
Direction = Literal["in", "out"]
Lines = tuple[tuple[str, str], ...]

MAX_RULES: Final = 32  # of one trunk
MAX_NAME: Final = 64  # characters
MAX_VALUE: Final = 512  # characters of a value that a rule makes or copies; a longer one is left out
MAX_COPIED: Final = 8  # lines of one name
MAX_LINES: Final = 64  # lines that all rules of one message may leave
TEMPLATE_NAMES: Final = frozenset({"caller", "called", "caller_name", "tenant", "trunk", "call"})

OF_THE_STACK: Final = frozenset({  # what makes messages, dialogs and sessions work, and what proves who we are
    "Accept", "Accept-Encoding", "Allow", "Allow-Events", "Authentication-Info", "Authorization", "CSeq", "Call-ID",
    "Contact", "Content-Disposition", "Content-Encoding", "Content-ID", "Content-Language", "Content-Length",
    "Content-Type", "Event", "Expires", "Flow-Timer", "From", "Join", "MIME-Version", "Max-Breadth", "Max-Forwards",
    "Min-Expires", "Min-SE", "Path", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Require", "RAck", "RSeq",
    "Reason", "Record-Route", "Recv-Info", "Refer-Sub", "Refer-To", "Referred-By", "Replaces", "Require",
    "Retry-After", "Route", "SIP-ETag", "SIP-If-Match", "Security-Client", "Security-Server", "Security-Verify",
    "Server", "Service-Route", "Session-Expires", "Subscription-State", "Supported", "Target-Dialog", "Timestamp",
    "To", "Unsupported", "Via", "WWW-Authenticate",
})  # fmt: skip
OF_KEYS: Final = {  # a rule must not go round what a key decides: they can be added with one's own text, or removed
    "P-Asserted-Identity": "identity",
    "P-Preferred-Identity": "identity",
    "Remote-Party-ID": "identity",
    "Privacy": "identity",
    "Diversion": "diversion",
    "History-Info": "diversion",
    "Session-ID": "session_id",
    "User-to-User": "user_to_user",
}
_STACK_LOWER: Final = frozenset(name.lower() for name in OF_THE_STACK)
_KEYS_LOWER: Final = {name.lower(): key for name, key in OF_KEYS.items()}


@dataclass(frozen=True, slots=True)
class HeaderRule:
    """One rule. `value` is for add, `to` for rename and copy (the same name where it is empty)."""

    direction: Direction
    action: Action
    name: str
    value: Template | None = None
    to: str = ""


def objection(action: Action, name: str, *, is_target: bool = False) -> str | None:
    """Why no rule may do this to a header of that name; `is_target` for the new name of rename and copy."""
    if len(name) > MAX_NAME or not is_token(name):
        return f"{name[:MAX_NAME]} is no header name"
    full = canonical_name(name).lower()
    if full in _STACK_LOWER or full.startswith("content-"):
        return f"{canonical_name(name)} belongs to the SIP stack: no rule touches it"
    if full in _KEYS_LOWER and (action in ("rename", "copy") or is_target):
        return f"{canonical_name(name)} is governed by the key {_KEYS_LOWER[full]}: it can be added or removed only"
    return None


def incoming(rules: Iterable[HeaderRule], headers: Headers, values: Mapping[str, str]) -> Headers:
    """The headers of an INVITE as its trunk's `in` rules leave them; the same object where none does anything."""
    mine = [rule for rule in rules if rule.direction == "in"]
    if not mine:
        return headers
    changed = headers.copy()
    for rule in mine:
        match rule.action:
            case "add" if rule.value is not None:
                changed.add(rule.name, _safe(rule.value.fill(values)))
            case "remove":
                changed.remove(rule.name)
            case "rename":
                _carry(headers.all(rule.name), rule.to, changed)
                changed.remove(rule.name)
            case "copy":
                _carry(changed.all(rule.name), rule.to, changed)
    return changed


def outgoing(
    rules: Iterable[HeaderRule], lines: Sequence[tuple[str, str]], other_side: Headers | None, values: Mapping[str, str]
) -> Lines:
    """The lines of an INVITE to a trunk after its `out` rules; `copy` takes from the other side's INVITE."""
    mine = [rule for rule in rules if rule.direction == "out"]
    if not mine:
        return tuple(lines)
    made = Headers(lines)
    for rule in mine:
        match rule.action:
            case "add" if rule.value is not None:
                if (text := _safe(rule.value.fill(values))) and len(made) < MAX_LINES:
                    made.add(rule.name, text)
            case "remove":
                made.remove(rule.name)
            case "rename":
                moved = made.all(rule.name)
                made.remove(rule.name)
                _carry(moved, rule.to, made)
            case "copy" if other_side is not None:
                _carry(other_side.all(rule.name), rule.to or rule.name, made)
    return tuple(made.items())


def _carry(values: Sequence[str], name: str, into: Headers) -> None:
    for value in values[:MAX_COPIED]:
        if (text := _safe(value)) and len(into) < MAX_LINES:
            into.add(name, text)


def _safe(text: str) -> str:
    """The text if it can stand in a header as it is, else nothing: no control character gets through a rule."""
    return text.strip() if text.isprintable() and len(text) <= MAX_VALUE else ""
