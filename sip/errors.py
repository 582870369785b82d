"""Errors that know their verdict: the class is the kind, `status` is what the peer is told.

Local errors are our own bugs (log them with a traceback); remote errors are the peer's doing (answer and count them).
"""

# ruff: noqa: N818 - the names say what the peer did
from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from santral.sip.message import Request

__all__ = [
    "BadExtension",
    "BadVersion",
    "LocalError",
    "LoopDetected",
    "Malformed",
    "NotAcceptable",
    "RemoteError",
    "SipError",
    "TooLarge",
    "TooManyHops",
    "UnsupportedMedia",
    "UnsupportedScheme",
    "verdict",
]


class SipError(Exception):
    """Everything this stack raises. Each class knows the answer the peer deserves."""

    status: ClassVar[int] = 500


class LocalError(SipError):
    """We were asked for something the protocol forbids: our bug."""


class RemoteError(SipError):
    """The peer broke the protocol: expected, answered, counted.

    `request` is what could still be read of the offending request, good enough for `make_response` (its top Via is
    readable); None for responses and for bytes nobody can answer.
    """

    def __init__(self, detail: str = "", request: Request | None = None) -> None:
        super().__init__(detail)
        self.request = request


class Malformed(RemoteError):
    """Not what the grammar of RFC 3261 section 25 (or RFC 8866 for SDP) allows."""

    status = 400


class UnsupportedMedia(RemoteError):
    """A body type we do not read (RFC 3261 section 8.2.3)."""

    status = 415


class UnsupportedScheme(RemoteError):
    """A Request-URI scheme we do not serve (RFC 3261 section 8.2.2.1)."""

    status = 416


class BadExtension(RemoteError):
    """Require names an option we do not have (RFC 3261 section 8.2.2.3)."""

    status = 420


class LoopDetected(RemoteError):
    """The same request came back, or by two ways (RFC 3261 section 8.2.2.2)."""

    status = 482


class TooManyHops(RemoteError):
    """Max-Forwards has run out (RFC 3261 section 16.3)."""

    status = 483


class NotAcceptable(RemoteError):
    """The session description offers nothing we can use (RFC 3261 section 21.4.26)."""

    status = 488


class BadVersion(RemoteError):
    """Not SIP/2.0 (RFC 3261 section 21.5.6)."""

    status = 505


class TooLarge(RemoteError):
    """Longer than one of our limits (RFC 3261 section 21.5.7)."""

    status = 513


def verdict(error: Exception) -> int:
    """The status code that answers this error; 500 for anything that is not ours."""
    return error.status if isinstance(error, SipError) else SipError.status
