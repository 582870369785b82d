"""Who sends a command, and what it may find."""

from dataclasses import dataclass
from typing import Protocol

from santral.engine.control.access import Identity, tenant_for
from santral.engine.control.protocol import RequestError
from santral.engine.control.view import CallView, EngineView
from santral.engine.events import Subscription


class Session(Protocol):
    """The connection a command came in on."""

    @property
    def engine(self) -> EngineView:
        """The engine it may talk to."""
        ...

    @property
    def who(self) -> Identity | None:
        """The client, None before it has logged in."""
        ...

    async def login(self, name: str, secret: str) -> Identity:
        """Become the client with this token; RequestError("refused") otherwise."""
        ...

    def follow(self, subscription: Subscription) -> None:
        """Send these events, after the answer to the current request, instead of any followed before."""
        ...

    def unfollow(self) -> bool:
        """Send no more events; tells whether any were followed."""
        ...


@dataclass(frozen=True, slots=True)
class Caller:
    """A session whose client is known, as commands see it."""

    session: Session
    who: Identity

    @property
    def engine(self) -> EngineView:
        """The engine."""
        return self.session.engine

    def call(self, identifier: str) -> CallView:
        """Find a call this client may see."""
        call = self.engine.call(identifier)
        if call is None or not self.who.sees(call.tenant):
            raise RequestError("not_found", "no such call in progress", {"id": identifier})
        return call

    def owner(self, asked: str | None) -> str:
        """The tenant that something new is to belong to."""
        tenant = tenant_for(self.who, asked)
        if tenant is None:
            raise RequestError("bad_params", "tenant: missing", {"fields": ["tenant"]})
        return tenant
