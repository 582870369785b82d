"""The control server: a Unix socket, and optionally TCP with tokens."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from santral.engine.control.view import EngineView


@dataclass(frozen=True, slots=True)
class Token:
    """Who may log in over TCP. `tenant` is None only for scope `admin`."""

    name: str
    secret: str
    scopes: frozenset[str]
    tenant: str | None = None


@dataclass(frozen=True, slots=True)
class ControlSettings:
    """Where to listen and whom to admit."""

    socket: Path | None
    tcp: tuple[str, int] | None = None
    tokens: Sequence[Token] = ()
    tls: ssl.SSLContext | None = None


class ControlServer:
    """Answers control clients. Lives on the engine's loop."""

    def __init__(self, engine: EngineView, settings: ControlSettings) -> None: ...

    @property
    def addresses(self) -> list[str]:
        """Where it listens, as `unix:/path` and `tcp:host:port`."""
        return []

    async def start(self) -> None:
        """Listen; OSError or ValueError with a clear text when that is impossible."""

    def set_tokens(self, tokens: Sequence[Token]) -> None:
        """Take the tokens of a new configuration; connections of tokens that are gone or changed are closed."""

    async def close(self) -> None:
        """Stop listening and close every connection."""
