"""What the usages of a dialog share, sessions and subscriptions alike: where requests go and how they are written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from santral.sip.message import Request, Response

if TYPE_CHECKING:
    from santral.sip.events import Event, Hop
    from santral.sip.ua.challenge import Amendment, Attempt
    from santral.sip.ua.compose import Draft
    from santral.sip.ua.core import Core
    from santral.sip.ua.dialog import Dialog
    from santral.sip.ua.transaction import Transaction

__all__ = ["Usage"]


class Usage(ABC):
    """One usage of a dialog (RFC 5057). With `follow_source` requests go to where the peer was last heard instead of
    to the address in its Contact or Route (peers behind NAT).
    """

    __slots__ = ("attempt", "call_id", "core", "follow_source", "last_source", "local_tag", "located")

    def __init__(self, core: Core, call_id: str, local_tag: str, hop: Hop) -> None:
        self.core = core
        self.call_id = call_id
        self.local_tag = local_tag
        self.last_source = hop
        self.follow_source = False
        self.located: Hop | None = None  # where a name in Contact or Route leads, if somebody has looked it up
        self.attempt: Attempt | None = None  # how challenges to our requests are answered, if they are

    # -- what the agent brings -------------------------------------------------------------------------------------

    @abstractmethod
    def find_dialog(self, remote_tag: str) -> Dialog | None:
        """The dialog with this peer tag."""

    @abstractmethod
    def on_request(self, transaction: Transaction, request: Request, now: float) -> bool:
        """A request in the dialog; False when nothing here knows it (481)."""

    @abstractmethod
    def on_final(self, transaction: Transaction, status: int, response: Response | None, now: float) -> None:
        """The end of a request of ours other than INVITE; without a response: 408 for silence, 503 for no way."""

    @abstractmethod
    def on_timer(self, cue: Any, now: float) -> None:
        """One of our own timers has come due."""

    @abstractmethod
    def resend(self, transaction: Transaction, amended: Amendment, now: float) -> bool:
        """Send a refused request once more, amended; False when nobody wants it any more."""

    # -- for its parts ---------------------------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """Something for the owner."""
        self.core.out.append(event)

    def hop_of(self, dialog: Dialog) -> Hop:
        """Where a request in this dialog goes."""
        return self.last_source if self.follow_source or dialog.next_hop is None else dialog.next_hop

    def compose(self, method: str, dialog: Dialog, cseq: int, draft: Draft) -> tuple[Request, Hop]:
        """A request in this dialog, not sent yet."""
        composer, hop = self.core.composer, self.hop_of(dialog)
        uri, routes = dialog.address()
        request = composer.request(
            method,
            uri,
            hop,
            branch=composer.branch(),
            from_=dialog.local,
            to=dialog.remote,
            call_id=self.call_id,
            cseq=cseq,
            routes=routes,
            draft=draft,
        )
        return request, hop

    def send_request(self, method: str, dialog: Dialog, draft: Draft, now: float) -> Transaction:
        """Send a request in this dialog; this usage hears how it ends."""
        request, hop = self.compose(method, dialog, dialog.local_cseq + 1, draft)
        fallback = self.located if hop.flow else None  # that connection may be gone
        transaction = self.core.runner.start_client(request, hop, self, now, fallback=fallback)
        dialog.local_cseq += 1
        return transaction

    def send_again(
        self, transaction: Transaction, dialog: Dialog | None, amended: Amendment, now: float
    ) -> Transaction | None:
        """The request of a refused transaction once more, with the next CSeq; None when it is no longer at hand."""
        old = transaction.request
        if old is None:
            return None
        cseq = (old.cseq.number if dialog is None else dialog.local_cseq) + 1
        request = self.core.composer.again(old, transaction.hop, cseq, amended.headers)
        again = self.core.runner.start_client(request, transaction.hop, self, now, amended.attempt)
        again.origin, again.resends = transaction.origin, transaction.resends + 1
        if dialog is not None:
            dialog.local_cseq = cseq
        return again

    def respond(
        self, transaction: Transaction, request: Request, status: int, draft: Draft, now: float, *, with_contact: bool
    ) -> None:
        """Answer a request in the dialog; `with_contact` for those that make or refresh it."""
        hop = transaction.hop if with_contact else None
        response = self.core.composer.response(request, status, self.local_tag, hop, draft)
        self.core.runner.respond(transaction, response, now)
