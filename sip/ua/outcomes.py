"""What becomes of our requests: responses to their sessions, refusals cured and sent again, late answers of forks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from santral.sip.events import RequestAnswered, RequestFailed, Send
from santral.sip.message import Response, serialise
from santral.sip.session.watch import larger_interval
from santral.sip.ua.challenge import CHALLENGES, Amendment, credentials_for
from santral.sip.ua.dialog import Dialog
from santral.sip.ua.runner import client_key
from santral.sip.ua.transaction import INVITE_CLIENT, Transaction

if TYPE_CHECKING:
    from santral.sip.message import Request
    from santral.sip.ua.core import Core

__all__ = ["Outcomes"]

MAX_FORKS: Final = 16  # To-tags remembered per INVITE: more answers than that are ignored
MAX_RESENDS: Final = 6  # of one request, each time for another reason
_UNTOLD: Final = frozenset({"BYE", "CANCEL", "PRACK", "UPDATE"})  # nobody waits for how these end, but a session


class Outcomes:
    """Of all requests of one agent."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._composer = core.composer
        self._runner = core.runner
        self._sessions = core.sessions
        self._out = core.out
        self._counters = core.outbox.counters

    def receive(self, response: Response, now: float) -> None:
        """One response off the wire."""
        transaction = self._runner.clients.get(client_key(response.via.branch, response.cseq.method))
        if transaction is not None:
            if transaction.owner is not None:
                transaction.owner.last_source = self._core.source
            self._runner.receive_response(transaction, response, now)
            return
        is_answer = 200 <= response.status < 300 and response.cseq.method == "INVITE"
        if not (is_answer and self._repeat_ack(response)):
            self._counters["stray_responses"] += 1

    def _repeat_ack(self, response: Response) -> bool:
        """A 2xx that its session has seen before; False when there is no such session any more."""
        session = self._sessions.get((response.call_id, response.from_.tag or ""))
        if session is None or session.remote_tag != (response.to.tag or ""):
            return False
        return session.repeat_ack(response.cseq.number)

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """A response that its transaction lets through."""
        if response.status >= 400 and self._send_again(transaction, response, now):
            return
        owner = transaction.owner
        if transaction.table is INVITE_CLIENT:
            if 200 <= response.status < 300:
                tag = response.to.tag or ""
                if owner is None:
                    self._receive_late_answer(transaction, tag, response, now)
                    return
                transaction.tags = (tag,)
            if owner is not None:
                owner.on_invite_response(transaction, response, now)
            return
        if owner is not None:
            owner.on_final(transaction, response.status, response, now)
        elif transaction.origin and response.cseq.method not in _UNTOLD:
            self._out.append(RequestAnswered(transaction.origin, None, response))

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """No response at all."""
        owner = transaction.owner
        if transaction.table is INVITE_CLIENT:
            if owner is not None:
                owner.on_invite_failure(status, now)
            return
        if owner is not None:
            owner.on_final(transaction, status, None, now)
        elif transaction.origin and transaction.key.rpartition(" ")[2] not in _UNTOLD:
            self._out.append(RequestFailed(transaction.origin, None, status))

    def _send_again(self, transaction: Transaction, response: Response, now: float) -> bool:
        """Whether a refused request has been sent once more, with what it lacked; nobody hears of the refusal then."""
        request, owner = transaction.request, transaction.owner
        if request is None or transaction.resends >= MAX_RESENDS or (owner is None and request.method in _UNTOLD):
            return False
        amended = self._cure(transaction, request, response)
        if amended is None or not (owner or self).resend(transaction, amended, now):
            return False
        self._counters["challenges_answered"] += response.status in CHALLENGES
        return True

    def resend(self, transaction: Transaction, amended: Amendment, now: float) -> bool:
        """A refused request outside any session once more, amended."""
        request = transaction.request
        if request is None or not transaction.origin:
            return False
        again = self._composer.again(request, transaction.hop, request.cseq.number + 1, amended.headers)
        made = self._runner.start_client(again, transaction.hop, None, now, amended.attempt)
        made.origin, made.resends = transaction.origin, transaction.resends + 1
        return True

    def _cure(self, transaction: Transaction, request: Request, response: Response) -> Amendment | None:
        """What a refused request lacked; None where nothing helps."""
        if response.status in CHALLENGES:
            return credentials_for(transaction, response, self._composer)
        lines = larger_interval(request, response) if response.status == 422 else None
        return None if lines is None else Amendment(lines, transaction.attempt)

    def _receive_late_answer(self, transaction: Transaction, tag: str, response: Response, now: float) -> None:
        """A 2xx that no session waits for: the same again, or that of another fork, which is ACKed and BYEd."""
        known = tag in transaction.tags
        if known and self._repeat_ack(response):
            return
        if not known:
            if len(transaction.tags) >= MAX_FORKS:
                self._counters["stray_responses"] += 1
                return
            transaction.tags += (tag,)
        composer = self._composer
        dialog = Dialog.of_caller(response, None, self._core.source, composer.sent_by)
        hop = dialog.next_hop or self._core.source
        uri, routes = dialog.address()
        for method, cseq in (("ACK", response.cseq.number), ("BYE", response.cseq.number + 1)):
            request = composer.request(
                method,
                uri,
                hop,
                branch=composer.branch(),
                from_=dialog.local,
                to=dialog.remote,
                call_id=dialog.call_id,
                cseq=cseq,
                routes=routes,
            )
            if method == "ACK":
                self._out.append(Send(hop, serialise(request)))
            elif not known:
                self._counters["extra_answers"] += 1
                self._runner.start_client(request, hop, None, now)
