"""From the configuration to what the parts of the engine are made with. Values only; `app.py` makes the parts."""

import os
from typing import Any, Final

from santral.engine.config.model import Config
from santral.engine.config.values import bracketed
from santral.engine.control.access import Token
from santral.sip.transport import Listener

__all__ = ["SPARE_LEGS", "bracketed", "control_tcp", "examine", "listeners", "media_threads", "tokens"]

SPARE_LEGS: Final = 256  # media slots beyond two a call, for legs that close while others open


def media_threads() -> int:
    """One core is left to signalling; at least one thread moves media."""
    return max(1, len(os.sched_getaffinity(0)) - 1)


def listeners(config: Config) -> list[Listener]:
    return [
        Listener(network.name, where.transport, where.host, where.port)
        for network in config.interfaces.values()
        for where in network.sip
    ]


def control_tcp(config: Config) -> tuple[str, int] | None:
    tcp = config.control.tcp
    return None if tcp is None else (tcp.host, tcp.port)


def tokens(config: Config) -> list[Token]:
    return [
        Token(one.name, one.secret.get_secret_value(), frozenset(one.scopes), one.tenant)
        for one in config.control.token
    ]


def examine(config: Config) -> list[dict[str, Any]]:
    """What is wrong with this machine for this configuration (imported late: it looks at every corner)."""
    from santral.engine.control.doctor import examine as look  # noqa: PLC0415

    return look(config)
