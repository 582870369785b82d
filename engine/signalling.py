"""Where the sans-IO user agent meets the loop: bytes in, actions performed, one timer armed. No protocol in here."""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence

from santral.sip.agent import AgentSettings, UserAgent
from santral.sip.events import Action, Event, Hop, Send
from santral.sip.message import Response
from santral.sip.transport import Listener, Transports


class Signalling:
    """One user agent on its transports. Events go to `on_event` in order, as plain calls from the loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listeners: Sequence[Listener],
        settings: AgentSettings,
        on_event: Callable[[Event], None],
    ) -> None:
        self.allow = settings.allow
        self.agent = UserAgent(settings, secrets.token_bytes)
        self.transports = Transports(loop, listeners, self._receive, self._fail)
        self._loop = loop
        self._on_event = on_event
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = float("inf")

    async def start(self) -> None:
        await self.transports.start()

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self.transports.close()

    def now(self) -> float:
        return self._loop.time()

    def perform(self, actions: Iterable[Action]) -> None:
        """Send what is to be sent and report the rest, in order; then sleep until the agent's next deadline."""
        for action in actions:
            if isinstance(action, Send):
                self.transports.send(action.hop, action.data)
            else:
                self._on_event(action)
        deadline = self.agent.next_deadline()
        if deadline is not None and deadline < self._wakes_at:
            self._arm(deadline)

    def respond(self, key: str, response: Response) -> None:
        self.perform(self.agent.respond(key, response, self.now()))

    def _receive(self, data: bytes, source: Hop) -> None:
        self.perform(self.agent.receive(data, source, self._loop.time()))

    def _fail(self, hop: Hop) -> None:
        self.perform(self.agent.send_failed(hop, self._loop.time()))

    def _arm(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._wakes_at = deadline
        self._timer = self._loop.call_at(deadline, self._tick)

    def _tick(self) -> None:
        self._timer, self._wakes_at = None, float("inf")
        self.perform(self.agent.tick(self._loop.time()))
