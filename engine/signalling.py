"""Where the sans-IO user agent meets the loop: bytes in, actions performed, one timer armed. No protocol in here."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from santral.engine import log
from santral.engine.ids import CHANCE
from santral.sip.agent import AgentSettings, UserAgent
from santral.sip.errors import RemoteError
from santral.sip.events import Action, Alias, Event, Hop, Send
from santral.sip.framing import KeepAlive
from santral.sip.message import Response
from santral.sip.transport import Certificate, Keyring, Listener, TlsError, Transports

CERTIFICATES_S: Final = 10.0  # how often changes of certificate files are looked for
TICK_S: Final = 0.005  # the agent's timers, half a second and more, are looked at no oftener: thousands end each second


class Tap(Protocol):
    """Sees every message, in order, before it is acted upon; is told whose a new session is."""

    def received(self, data: bytes, source: Hop) -> None: ...
    def sent(self, data: bytes, target: Hop) -> None: ...
    def adopt(self, sip_call_id: str, call: str, leg: str, tenant: str, hidden: Iterable[str] = ()) -> None: ...


class Signalling:
    """One user agent on its transports. Events go to `on_event` in order, as plain calls from the loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listeners: Sequence[Listener],
        settings: AgentSettings,
        on_event: Callable[[Event], None],
        keyring: Keyring | None = None,
    ) -> None:
        self.allow, self.supported = settings.allow, settings.supported
        self.agent = UserAgent(settings, CHANCE.randbytes)
        self.transports = Transports(
            loop,
            listeners,
            self._receive,
            self._fail,
            on_closed=self._tell_closed,
            on_broken=self._refuse_unframed,
            keyring=keyring,
        )
        self.watched: list[Keyring | Certificate] = [self.transports.keyring]
        self.flow_closed: list[Callable[[Hop], None]] = []  # who is told of connections that are gone
        self.admits: Callable[[bytes, Hop, float], bool] | None = None  # whether a message is read at all
        self._loop = loop
        self.tap: Tap | None = None
        self._on_event = on_event
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = float("inf")
        self._ticked = float("-inf")  # when the agent's timers were last looked at
        self._watch: asyncio.Task[None] | None = None
        self._log = log.get("signalling")

    async def start(self) -> None:
        """Listen. Raises OSError for an address that cannot be had, TlsError for a certificate that cannot be used."""
        self.transports.keyring.load()
        await self.transports.start()
        self._watch = self._loop.create_task(self._watch_certificates())

    async def close(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()
        await self.transports.close()

    def now(self) -> float:
        return self._loop.time()

    def perform(self, actions: Iterable[Action]) -> None:
        """Send what is to be sent and report the rest, in order; then sleep until the agent's next deadline."""
        for action in actions:
            if isinstance(action, Send):
                if self.tap is not None:
                    self.tap.sent(action.data, action.hop)
                self.transports.send(action.hop, action.data)
            elif isinstance(action, Alias):
                self.transports.add_alias(action.hop, action.port)
            else:
                self._tell(action)
        deadline = self.agent.next_deadline()
        if deadline is not None and deadline < self._wakes_at:
            self._arm(max(deadline, self._ticked + TICK_S))

    def respond(self, key: str, response: Response) -> None:
        self.perform(self.agent.respond(key, response, self.now()))

    def has_flow(self, hop: Hop) -> bool:
        """Whether the connection this hop came by still stands."""
        return self.transports.has_flow(hop)

    def keep_alive(self, hop: Hop) -> None:
        """Hold a binding of address translators on the way to this peer open (RFC 5626 section 3.5)."""
        self.transports.send(hop, KeepAlive.PING.value)

    def _tell(self, event: Event) -> None:
        """A bug in what hears of one event must not keep back what is to be sent after it, nor stop the timers."""
        try:
            self._on_event(event)
        except Exception:
            self._log.exception("an event failed inside the engine", heard=type(event).__name__)

    def _tell_closed(self, hop: Hop) -> None:
        for tell in self.flow_closed:
            tell(hop)

    def _refuse_unframed(self, error: RemoteError, source: Hop) -> None:
        self.perform(self.agent.refuse_unframed(error, source))

    async def _watch_certificates(self) -> None:
        """Take over certificate files that have changed; wrong ones are told of, and the old ones stay."""
        while True:
            await asyncio.sleep(CERTIFICATES_S)
            for one in self.watched:
                if one.has_changed():
                    await self._read_again(one)

    async def _read_again(self, changed: Keyring | Certificate) -> None:
        try:
            await asyncio.to_thread(changed.load)
        except TlsError as problem:
            self._log.error("a changed certificate cannot be used; the old ones stay", problem=str(problem))
        else:
            self._log.info("certificates read again")

    def _receive(self, data: bytes, source: Hop) -> None:
        now = self._loop.time()
        if self.admits is not None and not self.admits(data, source, now):
            return
        if self.tap is not None:
            self.tap.received(data, source)
        self.perform(self.agent.receive(data, source, now))

    def _fail(self, hop: Hop) -> None:
        self.perform(self.agent.send_failed(hop, self._loop.time()))

    def _arm(self, moment: float) -> None:
        if moment >= self._wakes_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wakes_at = moment
        self._timer = self._loop.call_at(moment, self._tick)

    def _tick(self) -> None:
        self._timer, self._wakes_at, self._ticked = None, float("inf"), self._loop.time()
        self.perform(self.agent.tick(self._ticked))
