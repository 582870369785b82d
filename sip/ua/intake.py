"""Requests of others: matched to their transaction, their dialog or neither, and refused where they must be.

A refusal keeps no state (RFC 3261 8.2.7), so that nobody can fill our memory with bad requests.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from santral.sip.errors import RemoteError
from santral.sip.events import Alias, IncomingInvite, Refused, Send, Stray
from santral.sip.message import Request, serialise
from santral.sip.session import Session, Subscription
from santral.sip.session.replacing import find_replaced
from santral.sip.session.values import EventType, one_replaces
from santral.sip.session.watch import too_brief
from santral.sip.ua.compose import NOTHING, Draft, default_port, note_source, reply_hop
from santral.sip.ua.runner import client_key, merge_key, server_key
from santral.sip.ua.screen import Door, Refusal, screen, screen_first
from santral.sip.ua.transaction import Input
from santral.sip.uri import find_param

if TYPE_CHECKING:
    from santral.sip.ua.core import Core

__all__ = ["Intake"]

_NOBODY: Final = Refusal(481, "dialog", "no such dialog")
_LOOP: Final = Refusal(482, "loop", "our own request came back unchanged")
_NO_INVITE: Final = Refusal(481, "dialog", "nothing to cancel")
_OLD: Final = Refusal(500, "sequence", "CSeq out of order")
_MERGED: Final = Refusal(482, "merged", "the same request came by another way")
_OVERLOAD: Final = Refusal(503, "overload", "too many transactions", (("Retry-After", "5"),))
_OF_EVENTS: Final = frozenset({"NOTIFY", "SUBSCRIBE"})
_INSIDE_ONLY: Final = frozenset({"BYE", "PRACK", "UPDATE", "NOTIFY"})


class Intake:
    """Of one agent. `door` decides about requests outside dialogs before they have any state."""

    def __init__(self, core: Core) -> None:
        self.door: Door | None = None
        self._core = core
        self._composer = core.composer
        self._runner = core.runner
        self._sessions = core.sessions
        self._out = core.out
        self._counters = core.outbox.counters

    def receive(self, request: Request, now: float) -> None:
        """One request off the wire."""
        method, source = request.method, self._core.source
        if source.verified and source.flow and find_param(request.via.params, "alias") is not None:
            self._out.append(Alias(source, request.via.port or default_port(source.transport)))
        if method == "ACK":
            invite = self._runner.servers.get(server_key(request, "INVITE"))
            if invite is not None:
                self._runner.feed(invite, Input.ACK, now, request)
            else:
                self.on_ack(request, now)
            return
        if method == "CANCEL":
            self._receive_cancel(request, now)
            return
        key = server_key(request, method)
        transaction = self._runner.servers.get(key)
        if transaction is not None:
            self._counters["retransmissions_received"] += 1
            self._runner.feed(transaction, Input.REQUEST, now)
        elif (tag := request.to.tag) is not None:
            self._receive_in_dialog(request, key, tag, now)
        else:
            self._receive_first(request, key, now)

    def on_ack(self, request: Request, now: float) -> None:
        """An ACK that belongs to a 2xx, or to nothing."""
        session = self._sessions.get((request.call_id, request.to.tag or ""))
        if session is None or session.find_dialog(request.from_.tag or "") is None:
            self._counters["stray_acks"] += 1
            return
        session.last_source = self._core.source
        if not session.on_ack(request, now):
            self._counters["stray_acks"] += 1

    def _receive_cancel(self, request: Request, now: float) -> None:
        """RFC 3261 9.2: always 200 to the CANCEL itself; what it does depends on whether the INVITE is unanswered."""
        invite = self._runner.servers.get(server_key(request, "INVITE"))
        if invite is None:
            self._refuse(request, _NO_INVITE)
            return
        session = invite.owner
        self._reply_stateless(request, 200, session.local_tag if session else self._composer.stateless_tag(request))
        if session is not None:
            session.on_cancel(request, now)

    def _receive_in_dialog(self, request: Request, key: str, tag: str, now: float) -> None:
        method, remote_tag = request.method, request.from_.tag or ""
        session = self._sessions.get((request.call_id, tag))
        dialog = session.find_dialog(remote_tag) if session is not None else None
        usage: Session | Subscription | None = session if dialog is not None else None
        refusal = None
        if method in _OF_EVENTS:
            usage, refusal = self._find_subscription(request, tag, usage)
            dialog = usage.find_dialog(remote_tag) if usage is not None else None
        if usage is None:
            refusal = refusal or _NOBODY
        refusal = refusal or screen(request, self._core.settings)
        if refusal is None and dialog is not None and not dialog.accepts(request.cseq.number):
            is_late_prack = method == "PRACK" and session is not None and session.awaits(request)
            refusal = None if is_late_prack else _OLD
        if refusal is not None or usage is None:
            self._refuse(request, refusal or _NOBODY)
            return
        usage.last_source = self._core.source
        transaction = self._runner.start_server(request, self._core.source, usage, now, key)
        try:
            if usage.on_request(transaction, request, now):
                return
            refusal = _NOBODY
        except RemoteError as problem:
            refusal = Refusal(problem.status, "malformed", str(problem))
        self._runner.respond(transaction, self._composer.response(request, refusal.status, tag), now)
        self._note_refusal(refusal)

    def _find_subscription(
        self, request: Request, tag: str, session: Session | Subscription | None
    ) -> tuple[Session | Subscription | None, Refusal | None]:
        """Whom a NOTIFY or SUBSCRIBE with our tag concerns: a subscription, or a session that gets a new one."""
        event, remote_tag = EventType.of(request), request.from_.tag or ""
        for subscription in self._core.subscriptions.get((request.call_id, tag), ()):
            if subscription.is_about(request.method, event, remote_tag):
                return subscription, None
        if event.package != "refer" and event.package not in self._core.settings.event_packages:
            return None, self._bad_event(event)
        if isinstance(session, Session) and request.method == "SUBSCRIBE" and event.package != "refer":
            return session, None
        return None, _NOBODY

    def _bad_event(self, event: EventType) -> Refusal:
        packages = ", ".join(("refer", *self._core.settings.event_packages))
        return Refusal(489, "event", f"event package {event.package[:40]!r}", (("Allow-Events", packages),))

    def _receive_first(self, request: Request, key: str, now: float) -> None:
        """A request outside any dialog: something new, or something wrong."""
        method = request.method
        turned_away = self.door.admit(request, self._core.source, now) if self.door is not None else None
        if turned_away is not None:
            self._answer_refusal(request, turned_away)
            return
        refusal = screen(request, self._core.settings) or screen_first(request) or self._screen_new(request)
        if refusal is None and merge_key(request) in self._runner.merged:
            refusal = _MERGED
        if refusal is None and len(self._runner.servers) >= self._core.settings.max_transactions:
            refusal = _OVERLOAD
        if refusal is not None:
            self._refuse(request, refusal)
            return
        source = self._core.source
        replaces = one_replaces(request) if method == "INVITE" and "replaces" in self._core.settings.supported else None
        transaction = self._runner.start_server(request, source, None, now, key)
        if method == "INVITE":
            session = Session(self._core, "uas", request, self._composer.tag(), source)
            replacement = None if replaces is None else find_replaced(self._sessions, replaces)
            session.adopt(transaction)
            self._out.append(IncomingInvite(session, request, source, replacement))
        elif method in ("REFER", "SUBSCRIBE"):
            event = "refer" if method == "REFER" else EventType.of(request).package
            subscription = Subscription(self._core, request.call_id, self._composer.tag(), source, event)
            subscription.take(transaction, request, now)
        else:
            self._out.append(Stray(key, request, source))

    def _screen_new(self, request: Request) -> Refusal | None:
        """What makes a request outside any dialog unacceptable by what we are and have."""
        method, settings = request.method, self._core.settings
        if method in _INSIDE_ONLY:
            return _NOBODY
        if method == "SUBSCRIBE":
            event = EventType.of(request)
            if event.package not in settings.event_packages:
                return self._bad_event(event)
        if method == "INVITE" and "timer" in settings.supported and too_brief(request, settings.min_se_s):
            least = (("Min-SE", f"{settings.min_se_s}"),)
            return Refusal(422, "session timer", f"Session-Expires below {settings.min_se_s} s", least)
        if len(vias := request.vias) > 1:
            for via in vias[1:]:
                ours = self._runner.clients.get(client_key(via.branch, method))
                if ours is not None and ours.request is not None and ours.request.uri == request.uri:
                    return _LOOP
        return None

    # -- refusals --------------------------------------------------------------------------------------------------

    def _refuse(self, request: Request, refusal: Refusal) -> None:
        if refusal.status and self.door is not None and not self.door.answers(self._core.source, self._core.now):
            refusal = replace(refusal, status=0)
        self._answer_refusal(request, refusal)

    def _answer_refusal(self, request: Request, refusal: Refusal) -> None:
        if refusal.status:
            tag = self._composer.stateless_tag(request)
            self._reply_stateless(request, refusal.status, tag, Draft(refusal.headers))
        self._note_refusal(refusal)

    def refuse_broken(self, error: RemoteError, data: bytes) -> None:
        """What could not be read; answered where that much could be."""
        self._counters["malformed"] += 1
        request, detail = error.request, f"{error} in {data[:40]!r}"
        if request is None or request.method == "ACK":
            self._out.append(Refused("malformed", self._core.source, 0, detail))
        else:
            self._refuse(request, Refusal(error.status, "malformed", detail))

    def _reply_stateless(self, request: Request, status: int, tag: str, draft: Draft = NOTHING) -> None:
        hop, _ = reply_hop(request, self._core.source)
        note_source(request, self._core.source)
        self._out.append(Send(hop, serialise(self._composer.response(request, status, tag, None, draft))))

    def _note_refusal(self, refusal: Refusal) -> None:
        self._counters["refused"] += 1
        self._out.append(Refused(refusal.kind, self._core.source, refusal.status, refusal.detail))
