"""What is at hand while one row of a table is performed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from santral.sip.ua.compose import NOTHING, Draft

if TYPE_CHECKING:
    from santral.sip.events import Progress
    from santral.sip.message import Request, Response
    from santral.sip.ua.challenge import Amendment
    from santral.sip.ua.dialog import Dialog
    from santral.sip.ua.transaction import Transaction

__all__ = ["Moment"]


class Moment:
    """The message, its transaction, what the owner wants said. `method` names the change, `dialog` is the one it is
    about where that is not plain; `progress` is the event a provisional response has become.
    """

    __slots__ = (
        "amended",
        "dialog",
        "draft",
        "is_reliable",
        "is_same",
        "message",
        "method",
        "now",
        "progress",
        "status",
        "transaction",
    )

    def __init__(
        self,
        now: float,
        message: Request | Response | None = None,
        transaction: Transaction | None = None,
        draft: Draft = NOTHING,
        *,
        status: int = 0,
        method: str = "INVITE",
        dialog: Dialog | None = None,
        is_reliable: bool = False,
    ) -> None:
        self.now = now
        self.message: Any = message
        self.transaction: Any = transaction
        self.draft = draft
        self.status = status
        self.method = method
        self.dialog = dialog
        self.is_reliable = is_reliable
        self.amended: Amendment | None = None  # what a refused request is sent again with
        self.is_same = False  # the peer's description is the one it had
        self.progress: Progress | None = None
