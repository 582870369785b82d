"""What all sessions of one agent share: the outbox, the timers, the transactions, the composer, the books."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from santral.sip.events import Hop
from santral.sip.ua.deadlines import Deadlines
from santral.sip.ua.runner import Listener, Runner

if TYPE_CHECKING:
    from santral.sip.events import Action
    from santral.sip.session import Session, Subscription
    from santral.sip.ua.compose import AgentSettings, Composer

__all__ = ["Core", "Outbox"]


class Outbox:
    """Actions in the order in which they arose, until the call that caused them returns; counters that only grow."""

    __slots__ = ("actions", "counters")

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.counters: Counter[str] = Counter()

    def flush(self) -> list[Action]:
        """Hand out what has gathered."""
        actions = self.actions.copy()
        self.actions.clear()
        return actions


class Core:
    """Owned by the agent; a session gets it at birth and uses nothing else of the agent."""

    __slots__ = (
        "_last_session",
        "composer",
        "deadlines",
        "now",
        "out",
        "outbox",
        "runner",
        "sessions",
        "settings",
        "source",
        "subscriptions",
        "timers",
    )

    def __init__(self, listener: Listener, settings: AgentSettings, composer: Composer) -> None:
        self.settings = settings
        self.timers = timers = settings.timers
        self.composer = composer
        self.outbox = Outbox()
        self.out = self.outbox.actions
        self.deadlines = Deadlines()
        self.runner = Runner(listener, timers, composer, self.deadlines, self.outbox)
        self.source = Hop("udp", "", 0, "")  # of the message at hand
        self.now = 0.0  # when it came
        self._last_session = 0
        self.sessions: dict[tuple[str, str], Session] = {}  # by Call-ID and our own tag
        self.subscriptions: dict[tuple[str, str], tuple[Subscription, ...]] = {}  # likewise; several in one dialog

    def next_session(self) -> int:
        """The number of a new session."""
        self._last_session += 1
        return self._last_session
