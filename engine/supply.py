"""From the configuration to what the parts of the engine are made with. Values only; `app.py` makes the parts."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from santral.engine.config.model import Config
from santral.engine.config.tables.node import InterfaceTable, SipTable
from santral.engine.config.tables.peers import TrunkTable
from santral.engine.config.values import SECURED, bracketed
from santral.engine.control.access import Token
from santral.engine.trace import Sender, TraceSettings
from santral.sip.transport import Certificate, Keyring, Listener, TlsSettings

__all__ = [
    "SPARE_LEGS",
    "bracketed",
    "control_certificate",
    "control_tcp",
    "examine",
    "keyring",
    "listeners",
    "media_threads",
    "tokens",
    "trace",
]

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


def keyring(config: Config, networks: Mapping[str, InterfaceTable]) -> Keyring:
    """The certificates of all networks that speak TLS, and of trunks with some of their own; not read yet.

    Clients are asked for theirs where a trunk is known by it.
    """
    asks = any(trunk.auth_inbound == "tls" for trunk in config.trunk)
    interfaces = {}
    for name, network in networks.items():
        if any(where.transport in SECURED for where in network.sip):
            table = {one.name: one for one in config.interface}.get(name)
            interfaces[name] = _tls(config.sip if table is None else table, config.sip, asks_peer=asks)
    profiles = {
        trunk.name: _tls(trunk, config.interface_of(trunk), config.sip, wildcards=trunk.tls_wildcards)
        for trunk in config.trunk
        if trunk.tls_profile
    }
    return Keyring(interfaces, profiles)


def _tls(
    *tables: SipTable | InterfaceTable | TrunkTable, asks_peer: bool = False, wildcards: bool = False
) -> TlsSettings:
    """The first table with a certificate, and the first with authorities, count."""
    chain = next((table for table in tables if table.certificate is not None), tables[-1])
    ca = next((table.ca for table in tables if table.ca is not None), None)
    return TlsSettings(
        certificate=_text(chain.certificate),
        private_key=_text(chain.private_key),
        authorities=_text(ca),
        asks_peer=asks_peer,
        wildcards=wildcards,
    )


def _text(file: Path | None) -> str:
    return "" if file is None else str(file)


def control_certificate(config: Config) -> Certificate | None:
    """What control clients over TCP are shown. Raises TlsError."""
    control = config.control
    if control.tcp is None or control.cert is None:
        return None
    return Certificate(TlsSettings(_text(control.cert), _text(control.key)))


def control_tcp(config: Config) -> tuple[str, int] | None:
    tcp = config.control.tcp
    return None if tcp is None else (tcp.host, tcp.port)


def tokens(config: Config) -> list[Token]:
    return [
        Token(one.name, one.secret.get_secret_value(), frozenset(one.scopes), one.tenant)
        for one in config.control.token
    ]


def trace(config: Config) -> TraceSettings:
    """What of the signalling is kept and captured."""
    table = config.trace
    password = table.hep_password.get_secret_value() if table.hep_password is not None else ""
    return TraceSettings(
        ladder=table.ladder,
        hep=None if table.hep is None else (table.hep.transport, table.hep.host, table.hep.port),
        sender=Sender(table.hep_id, config.engine.node, password),
    )


def examine(config: Config) -> list[dict[str, Any]]:
    """What is wrong with this machine for this configuration (imported late: it looks at every corner)."""
    from santral.engine.control.doctor import examine as look  # noqa: PLC0415

    return look(config)
