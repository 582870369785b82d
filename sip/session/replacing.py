"""Which session an INVITE with Replaces means, and whether it may have it (RFC 3891 section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from santral.sip.events import Replacement
from santral.sip.ua.usage import Stage

if TYPE_CHECKING:
    from santral.sip.session.session import Session
    from santral.sip.session.values import Replaces

__all__ = ["find_replaced"]

NOT_FOUND: Final = 481
ANSWERED_ALREADY: Final = 486  # early-only was asked for
OVER: Final = 603
_CALLED_EARLY: Final = frozenset({Stage.INCOMING, Stage.ANSWER_HELD})
_CALLING_EARLY: Final = frozenset({Stage.CALLING, Stage.EARLY})
_LEAVING: Final = frozenset({Stage.CANCEL_HELD, Stage.CANCELLING, Stage.BYE_HELD, Stage.ENDING, Stage.ENDED})


def find_replaced(sessions: Mapping[tuple[str, str], Session], wanted: Replaces) -> Replacement:
    """The verdict, for an owner that first makes sure who asks."""
    session = sessions.get((wanted.call_id, wanted.to_tag))
    if session is None or not _has_peer(session, wanted.from_tag):
        return Replacement(wanted, None, NOT_FOUND)
    if session.state in _LEAVING:
        return Replacement(wanted, session, OVER)
    if session.state in _CALLED_EARLY:  # only who began an early dialog can give it up for another
        return Replacement(wanted, None, NOT_FOUND)
    if wanted.early_only and session.state not in _CALLING_EARLY:
        return Replacement(wanted, session, ANSWERED_ALREADY)
    return Replacement(wanted, session, 0)


def _has_peer(session: Session, tag: str) -> bool:
    return session.find_dialog(tag) is not None or (tag == "0" and session.find_dialog("") is not None)
