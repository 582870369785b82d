"""Runs the transaction tables: matches messages to machines, sends, repeats, times out, forgets.

Decides nothing about calls: what matters to them goes to the `Listener`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from santral.sip.events import Hop, Send
from santral.sip.message import Request, Response, make_response, serialise
from santral.sip.ua.compose import COOKIE, Composer, note_source, reply_hop
from santral.sip.ua.deadlines import Deadlines, Timers
from santral.sip.ua.transaction import (
    INVITE_CLIENT,
    INVITE_SERVER,
    OTHER_CLIENT,
    OTHER_SERVER,
    Do,
    Input,
    State,
    Transaction,
)

if TYPE_CHECKING:
    from santral.sip.session.base import Usage
    from santral.sip.ua.challenge import Attempt
    from santral.sip.ua.core import Outbox

__all__ = ["Due", "Listener", "Runner", "Timed", "client_key", "merge_key", "server_key"]

TIMED_OUT: Final = 408  # RFC 3261 8.1.3.1: how silence is reported to the owner
UNREACHABLE: Final = 503
MAX_DATAGRAM: Final = 1300  # octets of a request by UDP where the path's MTU is unknown (RFC 3261 18.1.1)
NO_STREAM_S: Final = 600.0
MAX_NO_STREAM: Final = 4096
_UNHEARD: Final = frozenset({State.CALLING, State.TRYING})  # nothing has come back yet

Due = tuple["Transaction | Timed", Any]  # whose timer it is, and what to feed to its table


class Timed(Protocol):
    """What can have a timer besides a transaction."""

    def on_timer(self, cue: Any, now: float, /) -> None:
        """One of its timers has come due."""


class Listener(Protocol):
    """Who hears what transactions have to say."""

    def on_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """A response to a request of ours, provisional ones to INVITE only."""

    def on_failure(self, transaction: Transaction, status: int, now: float) -> None:
        """No response to a request of ours: 408 for silence, 503 for an unreachable hop."""

    def on_ack(self, request: Request, now: float) -> None:
        """An ACK to a 2xx."""


def client_key(branch: str | None, method: str) -> str:
    """RFC 3261 17.1.3: branch and method of CSeq name the transaction a response belongs to."""
    return f"{branch} {method}"


def server_key(request: Request, method: str) -> str:
    """RFC 3261 17.2.3, for `method` "INVITE" when an ACK or CANCEL looks for the INVITE it is about."""
    via = request.via
    branch = via.branch
    if branch is not None and branch.startswith(COOKIE):
        return f"{branch} {via.sent_by} {method}"
    # RFC 2543: no unique branch. All but the To tag, which an ACK has and its INVITE has not.
    return f"{request.uri} {request.from_.tag} {request.call_id} {request.cseq.number} {via} {method}"


def merge_key(request: Request) -> str:
    """What two copies of one request have in common when they came by different ways (RFC 3261 8.2.2.2)."""
    cseq = request.cseq
    return f"{request.from_.tag} {request.call_id} {cseq.number} {cseq.method}"


class Runner:
    """All transactions of one agent."""

    def __init__(
        self, listener: Listener, timers: Timers, composer: Composer, deadlines: Deadlines, outbox: Outbox
    ) -> None:
        self.clients: dict[str, Transaction] = {}
        self.servers: dict[str, Transaction] = {}
        self.merged: dict[str, str] = {}
        self._no_stream: dict[Hop, float] = {}  # peers that lately took no TCP, and until when that is believed
        self._by_hop: dict[Hop, set[Transaction]] = {}  # what a broken connection would hit
        self._timers = timers
        self._composer = composer
        self._deadlines = deadlines
        self._out = outbox.actions
        self._counters = outbox.counters
        self._listener = listener

    # -- what starts a transaction ---------------------------------------------------------------------------------

    def start_client(
        self,
        request: Request,
        hop: Hop,
        owner: Usage | None,
        now: float,
        attempt: Attempt | None = None,
        *,
        fallback: Hop | None = None,
    ) -> Transaction:
        """Send a request of ours, by `fallback` where the way to `hop` is gone. A challenge to it is answered by
        `attempt`, or as its owner's requests are.
        """
        method, data = request.method, serialise(request)
        if len(data) > MAX_DATAGRAM and hop.transport == "udp" and self._has_stream(hop, now):
            hop, fallback = hop._replace(transport="tcp"), hop
            data = self._readdress(request, hop)
        table = INVITE_CLIENT if method == "INVITE" else OTHER_CLIENT
        transaction = Transaction(client_key(request.via.branch, method), table, hop, owner)
        transaction.fallback = fallback
        transaction.request = request
        transaction.attempt = owner.attempt if attempt is None and owner is not None else attempt
        self.clients[transaction.key] = transaction
        self._watch(transaction)
        self.feed(transaction, Input.REQUEST, now, data)
        return transaction

    def start_server(self, request: Request, source: Hop, owner: Usage | None, now: float, key: str) -> Transaction:
        """Take in a request that belongs to no transaction yet."""
        hop, written = reply_hop(request, source)
        note_source(request, source)
        transaction = Transaction(key, INVITE_SERVER if request.method == "INVITE" else OTHER_SERVER, hop, owner)
        transaction.request = request
        self.servers[key] = transaction
        if request.to.tag is None:
            transaction.merge_key = merge_key(request)
            self.merged[transaction.merge_key] = key
        if transaction.is_reliable:
            transaction.fallback = written
            self._watch(transaction)
        self.feed(transaction, Input.REQUEST, now)
        return transaction

    # -- what happens to it ----------------------------------------------------------------------------------------

    def receive_response(self, transaction: Transaction, response: Response, now: float) -> None:
        """A response with the branch of this client transaction."""
        status = response.status
        if status < 200:
            what = Input.PROVISIONAL
        elif transaction.table is OTHER_CLIENT:
            what = Input.FINAL
        else:
            what = Input.SUCCESS if status < 300 else Input.FAILURE
        self.feed(transaction, what, now, response)

    def respond(self, transaction: Transaction, response: Response, now: float) -> bytes:
        """Answer a request; returns the bytes, so that a session can repeat its 2xx."""
        status = response.status
        if transaction.table is OTHER_SERVER:
            what = Input.FINAL if status >= 200 else Input.PROVISIONAL
        elif status < 200:
            what = Input.PROVISIONAL
        else:
            what = Input.SUCCESS if status < 300 else Input.FAILURE
        data = serialise(response)
        self.feed(transaction, what, now, data)
        return data

    def forget(self, transaction: Transaction) -> None:
        """Let go of a transaction whatever its state."""
        self._remove(transaction)

    def unreachable(self, hop: Hop, now: float) -> None:
        """The transport could not deliver to this hop (RFC 3261 8.1.3.1, 17.1.4, 18.4)."""
        for transaction in tuple(self._by_hop.get(hop, ())):
            if transaction.is_client and transaction.fallback is not None and transaction.state in _UNHEARD:
                self._take_other_way(transaction, transaction.fallback, now)
            else:
                self.feed(transaction, Input.UNREACHABLE, now)

    # -- the other way: what is too long for a datagram (RFC 3261 18.1.1), what came by a flow that is gone ----------

    def _has_stream(self, hop: Hop, now: float) -> bool:
        """Whether TCP to this peer is worth a try."""
        return (hop.interface, "tcp") in self._composer.sent_by and self._no_stream.get(hop, 0.0) <= now

    def _readdress(self, request: Request, hop: Hop) -> bytes:
        """The same request with a Via for this hop's transport."""
        request.headers.replace_first("Via", self._composer.via(hop, request.via.branch or ""))
        return serialise(request)

    def _take_other_way(self, transaction: Transaction, hop: Hop, now: float) -> None:
        """Send again, with a Via for that way. That a peer takes no TCP is remembered for a while."""
        if hop == transaction.hop._replace(transport="udp"):
            if len(self._no_stream) >= MAX_NO_STREAM:
                self._no_stream.clear()
            self._no_stream[hop] = now + NO_STREAM_S
            self._counters["datagrams_after_all"] += 1
        self._unwatch(transaction)
        transaction.hop, transaction.fallback = hop, None
        self._watch(transaction)
        if transaction.request is not None:
            self._send(transaction, now, self._readdress(transaction.request, hop))
            arm = Do.ARM_A if transaction.table is INVITE_CLIENT else Do.ARM_E
            _PERFORM[arm](self, transaction, now, None)

    def feed(
        self, transaction: Transaction, what: Input, now: float, cue: Request | Response | bytes | None = None
    ) -> None:
        """Run one row of the machine's table; no row, nothing happens."""
        row = transaction.table.get((transaction.state, what))
        if row is None:
            return
        transaction.state, todo = row
        for do in todo:
            _PERFORM[do](self, transaction, now, cue)
        if transaction.state is State.TERMINATED:
            self._remove(transaction)

    def _remove(self, transaction: Transaction) -> None:
        (self.clients if transaction.is_client else self.servers).pop(transaction.key, None)
        if transaction.merge_key:
            self.merged.pop(transaction.merge_key, None)
        self._stop(transaction, 0.0, None)
        self._unwatch(transaction)
        transaction.owner = transaction.request = transaction.attempt = None

    def _watch(self, transaction: Transaction) -> None:
        self._by_hop.setdefault(transaction.hop, set()).add(transaction)

    def _unwatch(self, transaction: Transaction) -> None:
        group = self._by_hop.get(transaction.hop)
        if group is not None:
            group.discard(transaction)
            if not group:
                del self._by_hop[transaction.hop]

    # -- what a row does -------------------------------------------------------------------------------------------

    def _send(self, transaction: Transaction, _now: float, data: bytes) -> None:
        transaction.last = data
        self._out.append(Send(transaction.hop, data))

    def _resend(self, transaction: Transaction, _now: float, _cue: object) -> None:
        if transaction.last:
            self._counters["retransmissions_sent"] += 1
            self._out.append(Send(transaction.hop, transaction.last))

    def _trying(self, transaction: Transaction, now: float, _cue: object) -> None:
        if transaction.request is not None:
            self._send(transaction, now, serialise(make_response(transaction.request, 100)))

    def _ack(self, transaction: Transaction, now: float, response: Response) -> None:
        if transaction.request is not None:
            self._send(transaction, now, serialise(self._composer.ack_failure(transaction.request, response)))

    def _deliver(self, transaction: Transaction, now: float, response: Response) -> None:
        self._listener.on_response(transaction, response, now)

    def _deliver_ack(self, _transaction: Transaction, now: float, request: Request) -> None:
        self._listener.on_ack(request, now)

    def _report_timeout(self, transaction: Transaction, now: float, _cue: object) -> None:
        self._listener.on_failure(transaction, TIMED_OUT, now)

    def _report_unreachable(self, transaction: Transaction, now: float, _cue: object) -> None:
        self._listener.on_failure(transaction, UNREACHABLE, now)

    def _fall_back(self, transaction: Transaction, now: float, cue: object) -> None:
        if transaction.fallback is not None and transaction.fallback != transaction.hop:
            self._unwatch(transaction)
            transaction.hop, transaction.fallback = transaction.fallback, None
            self._watch(transaction)
            self._resend(transaction, now, cue)

    def _stop(self, transaction: Transaction, _now: float, _cue: object) -> None:
        if transaction.retry:
            self._deadlines.cancel(transaction.retry)
            transaction.retry = 0
        if transaction.expiry:
            self._deadlines.cancel(transaction.expiry)
            transaction.expiry = 0

    def _drop(self, transaction: Transaction, _now: float, _cue: object) -> None:
        transaction.request = None
        transaction.last = b""

    def _release(self, transaction: Transaction, _now: float, _cue: object) -> None:
        transaction.owner = transaction.request = transaction.attempt = None
        if transaction.is_client:
            self._unwatch(transaction)


Perform = Callable[[Runner, Transaction, float, Any], None]


def _expiry(what: Input, wait: Callable[[Timers], float], *, udp_only: bool = False) -> Perform:
    """Arm the one timer that ends a state; on a reliable transport `udp_only` ones have nothing to wait for."""

    def arm(runner: Runner, transaction: Transaction, now: float, _cue: object) -> None:
        if transaction.expiry:
            runner._deadlines.cancel(transaction.expiry)
        after = 0.0 if udp_only and transaction.is_reliable else wait(runner._timers)
        transaction.expiry = runner._deadlines.arm(now + after, (transaction, what))

    return arm


def _repetition(what: Input, wait: Callable[[Timers, float], float]) -> Perform:
    """Arm the one timer that repeats a message, on UDP; `wait` makes the interval from the last one (0: none yet)."""

    def arm(runner: Runner, transaction: Transaction, now: float, _cue: object) -> None:
        if not transaction.is_reliable:
            transaction.interval = after = wait(runner._timers, transaction.interval)
            transaction.retry = runner._deadlines.arm(now + after, (transaction, what))

    return arm


def _trying_timer(runner: Runner, transaction: Transaction, now: float, _cue: object) -> None:
    """RFC 4320 4.1 asks for this 100 whatever the transport."""
    transaction.retry = runner._deadlines.arm(now + runner._timers.trying, (transaction, Input.TIMER_TRYING))


def _doubled(timers: Timers, last: float) -> float:
    return last * 2 or timers.t1


def _doubled_to_t2(timers: Timers, last: float) -> float:
    return min(last * 2, timers.t2) or timers.t1


def _timeout(timers: Timers) -> float:
    return timers.timeout


_PERFORM: Final[dict[Do, Perform]] = {
    Do.SEND: Runner._send,
    Do.RESEND: Runner._resend,
    Do.TRYING: Runner._trying,
    Do.ACK: Runner._ack,
    Do.DELIVER: Runner._deliver,
    Do.DELIVER_ACK: Runner._deliver_ack,
    Do.REPORT_TIMEOUT: Runner._report_timeout,
    Do.REPORT_UNREACHABLE: Runner._report_unreachable,
    Do.FALL_BACK: Runner._fall_back,
    Do.STOP: Runner._stop,
    Do.DROP: Runner._drop,
    Do.RELEASE: Runner._release,
    Do.ARM_A: _repetition(Input.TIMER_A, _doubled),
    Do.ARM_B: _expiry(Input.TIMER_B, _timeout),
    Do.ARM_D: _expiry(Input.TIMER_D, lambda timers: timers.d, udp_only=True),
    Do.ARM_E: _repetition(Input.TIMER_E, _doubled_to_t2),
    Do.ARM_E_SLOW: _repetition(Input.TIMER_E, lambda timers, _: timers.t2),
    Do.ARM_F: _expiry(Input.TIMER_F, _timeout),
    Do.ARM_G: _repetition(Input.TIMER_G, _doubled_to_t2),
    Do.ARM_H: _expiry(Input.TIMER_H, _timeout),
    Do.ARM_I: _expiry(Input.TIMER_I, lambda timers: timers.t4, udp_only=True),
    Do.ARM_J: _expiry(Input.TIMER_J, _timeout, udp_only=True),
    Do.ARM_SILENCE: _expiry(Input.TIMER_J, _timeout),
    Do.ARM_K: _expiry(Input.TIMER_K, lambda timers: timers.t4, udp_only=True),
    Do.ARM_L: _expiry(Input.TIMER_L, _timeout),
    Do.ARM_M: _expiry(Input.TIMER_M, _timeout),
    Do.ARM_TRYING: _trying_timer,
    Do.ARM_ABANDON: _expiry(Input.TIMER_ABANDON, _timeout),
}
