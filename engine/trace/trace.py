"""The tap of the signalling: keeps ladders and feeds the collector. With neither there is no tap."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from santral.engine.media import LegStats
from santral.engine.trace import hep
from santral.engine.trace.collector import Collector
from santral.engine.trace.hep import Sender
from santral.engine.trace.ladder import Kept, Ladder, Ladders, traced
from santral.engine.trace.message import Traced, call_id_of
from santral.engine.trace.redact import redact
from santral.sip.events import Hop

REPORT_INTERVAL_S: Final = 5.0  # between two reports of a leg's reception to the collector
NOWHERE: Final = ("", 0)


@dataclass(frozen=True, slots=True)
class TraceSettings:
    """`ladder`: messages kept of each call, 0 for none. `hep`: transport, host and port of a collector."""

    ladder: int = 64
    hep: tuple[str, str, int] | None = None
    sender: Sender = field(default_factory=Sender)


@dataclass(frozen=True, slots=True)
class Reception:
    """One leg's media for a report: its SIP Call-ID, our address and port, and its counters."""

    sip_call_id: str
    ours: tuple[str, int]
    stats: LegStats


class Trace:
    """One node's traces. `addresses` are our own by interface and transport, as the transports fill them in."""

    def __init__(
        self,
        settings: TraceSettings,
        addresses: Mapping[tuple[str, str], tuple[str, int]],
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.ladders = Ladders(settings.ladder)
        self.collector = None if settings.hep is None else Collector(*settings.hep)
        self._keeps = settings.ladder > 0
        self._sender = settings.sender
        self._addresses = addresses
        self._clock_ns = clock_ns
        self._in_hand: tuple[str, list[Kept]] | None = None  # an INVITE whose call is being made, and our 100 to it
        self._reports: asyncio.Task[None] | None = None

    @property
    def is_off(self) -> bool:
        """Neither ladders nor a collector: no tap is needed."""
        return not self._keeps and self.collector is None

    # ---- the tap ----

    def received(self, data: bytes, source: Hop) -> None:
        """A message came in; what it makes happens after this."""
        self._note(data, source, True)

    def sent(self, data: bytes, target: Hop) -> None:
        """A message goes out."""
        self._note(data, target, False)

    def _note(self, data: bytes, hop: Hop, is_incoming: bool) -> None:
        call_id = call_id_of(data)
        if call_id is None:
            return
        owners = self.ladders.owners(call_id)
        ours = self._addresses.get((hop.interface, hop.transport), NOWHERE)
        now_us = self._clock_ns() // 1000
        for ladder, leg in owners:
            self.ladders.add(ladder, (now_us, is_incoming, hop, ours, leg, data))
        if not owners:
            self._hold(call_id, (now_us, is_incoming, hop, ours, "", data))
        if self.collector is not None:
            safe = redact(data, [text for ladder, _ in owners for text in ladder.hidden])
            self._capture(traced((now_us, is_incoming, hop, ours, "", safe)), call_id)

    def _hold(self, call_id: str, message: Kept) -> None:
        """Whose this is shows when it has been acted upon: what comes in is held, with what goes out for it at once."""
        _, is_incoming, *_ = message
        if is_incoming:
            self._in_hand = (call_id, [message])
        elif self._in_hand is not None and self._in_hand[0] == call_id:
            self._in_hand[1].append(message)

    def _capture(self, message: Traced, call_id: str, kind: hep.Kind = hep.Kind.SIP) -> None:
        if self.collector is None:
            return
        frame = hep.frame(message, self._sender, call_id, kind)
        if frame is None:
            self.collector.counters["too_large"] += 1
        else:
            self.collector.send(frame)

    # ---- calls ----

    def adopt(self, sip_call_id: str, call: str, leg: str, tenant: str, hidden: Iterable[str] = ()) -> None:
        """Messages with this Call-ID are this leg's, the INVITE that was just received included.

        `hidden` are names and numbers of a caller who hides.
        """
        if self.is_off:
            return
        ladder = self.ladders.open(sip_call_id, call, leg, tenant)
        ladder.hidden = tuple(dict.fromkeys((*ladder.hidden, *filter(None, hidden))))
        if self._in_hand is not None and self._in_hand[0] == sip_call_id:
            for at_us, is_incoming, hop, ours, _, data in self._in_hand[1]:
                self.ladders.add(ladder, (at_us, is_incoming, hop, ours, leg, data))
        self._in_hand = None

    def ladder(self, call: str) -> Ladder | None:
        """The ladder of a call that is or lately was; None when it is forgotten, or none is kept."""
        return self.ladders.of(call)

    # ---- media ----

    def report(self, reception: Reception) -> None:
        """Tell the collector how a leg's media comes in."""
        now_us = self._clock_ns() // 1000
        theirs = reception.stats.remote or NOWHERE
        message = Traced(now_us, False, "udp", reception.ours, theirs, "", hep.rtcp_json(reception.stats, now_us))
        self._capture(message, reception.sip_call_id, hep.Kind.RTCP_JSON)

    # ---- life ----

    async def start(self, loop: asyncio.AbstractEventLoop, receptions: Callable[[], Iterable[Reception]]) -> None:
        """Open the way to the collector; `receptions` are asked for at every report."""
        if self.collector is not None:
            await self.collector.start(loop)
            self._reports = loop.create_task(self._report_all(receptions))

    async def close(self) -> None:
        if self._reports is not None:
            self._reports.cancel()
        if self.collector is not None:
            await self.collector.close()

    async def _report_all(self, receptions: Callable[[], Iterable[Reception]]) -> None:
        while True:
            await asyncio.sleep(REPORT_INTERVAL_S)
            for reception in receptions():
                self.report(reception)

    def counters(self) -> dict[str, Any]:
        """Figures for `engine.status`."""
        found: dict[str, Any] = {
            "calls": len(self.ladders),
            "bytes": self.ladders.bytes,
            "forgotten": self.ladders.forgotten,
        }
        if self.collector is not None:
            found["hep"] = dict(self.collector.counters)
        return found
