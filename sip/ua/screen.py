"""What a request must not be (RFC 3261 section 8.2, in its order): decides, answers nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from santral.sip.ua.compose import COOKIE, SDP

if TYPE_CHECKING:
    from santral.sip.events import Hop
    from santral.sip.message import Request
    from santral.sip.ua.compose import AgentSettings, HeaderList

__all__ = ["KNOWN_METHODS", "Door", "Refusal", "screen", "screen_first"]

KNOWN_METHODS: Final = frozenset(
    {"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "PRACK", "UPDATE", "REFER", "SUBSCRIBE", "NOTIFY", "PUBLISH",
     "MESSAGE", "REGISTER"}
)  # fmt: skip
OF_REGISTRARS: Final = frozenset({"path", "gin"})  # extensions of REGISTER alone (RFC 3327, RFC 6140)
_SCHEMES: Final = frozenset({"sip", "sips", "tel"})
_SDP_RANGES: Final = frozenset({SDP, "application/*", "*/*"})  # of Accept (RFC 3261 20.1)
_ACCEPT: Final = f"{SDP}, multipart/mixed, multipart/alternative, multipart/related"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer a request has earned, and what to write into the log."""

    status: int
    kind: str
    detail: str
    headers: HeaderList = ()


class Door(Protocol):
    """Who decides about requests outside dialogs by who sends them, before they have any state."""

    def admit(self, request: Request, source: Hop, now: float) -> Refusal | None:
        """What this request gets at once; None to go on. Status 0 gets nothing."""

    def answers(self, source: Hop, now: float) -> bool:
        """Whether a refusal for other reasons is sent to this source at all."""


def screen(request: Request, settings: AgentSettings) -> Refusal | None:
    """What makes any request unacceptable, inside a dialog or not: method, extensions, body. Not for ACK and CANCEL."""
    method = request.method
    if method not in settings.allow:
        allow = (("Allow", ", ".join(settings.allow)),)
        if method in KNOWN_METHODS:
            return Refusal(405, "method", f"{method} is not allowed", allow)
        return Refusal(501, "method", f"{method[:40]} is unknown", allow)
    headers = request.headers
    if "Require" in headers:
        unknown = [
            tag
            for tag in headers.tokens("Require")
            if tag not in settings.supported and not (method == "REGISTER" and tag in OF_REGISTRARS)
        ]
        if unknown:
            tags = ", ".join(unknown)
            return Refusal(420, "extension", f"Require: {tags[:80]}", (("Unsupported", tags),))
    if request.body and method == "INVITE":
        return _screen_body(request)
    return None


def _screen_body(request: Request) -> Refusal | None:
    """RFC 3261 8.2.3: a body we must understand is a session description, or a multipart that may hold one."""
    headers = request.headers
    encoding = (headers.get("Content-Encoding") or "identity").lower()
    if encoding != "identity":
        return Refusal(415, "body", f"Content-Encoding {encoding[:40]}", (("Accept-Encoding", "identity"),))
    kind = request.content_type or SDP
    if kind == SDP or kind.startswith("multipart/"):
        return None
    if "handling=optional" in (headers.get("Content-Disposition") or "").replace(" ", "").lower():
        return None
    return Refusal(415, "body", f"Content-Type {kind[:40]}", (("Accept", _ACCEPT),))


def screen_first(request: Request) -> Refusal | None:
    """What makes a request outside any dialog unacceptable besides: scheme, hops left, no way back."""
    if request.uri.scheme not in _SCHEMES:
        return Refusal(416, "scheme", f"scheme {request.uri.scheme[:40]}")
    if request.max_forwards == 0 and request.method != "OPTIONS":  # OPTIONS may end here (RFC 3261 section 11)
        return Refusal(483, "hops", "Max-Forwards is 0")
    if request.method != "INVITE":
        return None
    if request.contact is None and (request.via.branch or "").startswith(COOKIE):  # RFC 2543 peers need not name one
        return Refusal(400, "malformed", "INVITE without Contact")
    if "Accept" in request.headers and _SDP_RANGES.isdisjoint(map(str.lower, request.headers.tokens("Accept"))):
        return Refusal(406, "accept", "no session description is accepted")
    return None
