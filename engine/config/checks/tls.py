"""What must hold for TLS: certificates where they are needed, files that can be used, callers told apart by name."""

from pathlib import Path
from typing import Protocol

from santral.engine.config.checks.node import sip_listeners
from santral.engine.config.convert import routing_trunk
from santral.engine.config.draft import Draft
from santral.engine.config.problems import KeyPath
from santral.engine.config.values import SECURED, Listen
from santral.sip.transport import Keyring, TlsError, TlsSettings


class HasCertificate(Protocol):
    """A table with the three keys."""

    @property
    def certificate(self) -> Path | None: ...
    @property
    def private_key(self) -> Path | None: ...
    @property
    def ca(self) -> Path | None: ...


def check_tls(draft: Draft) -> None:
    own = draft.sip
    if own is not None:
        check_network(draft, ("sip",), own.listen, own, own.certificate is not None)
    inherited = own is not None and own.certificate is not None
    for one in draft.interfaces:
        check_network(draft, one.path, one.table.sip, one.table, inherited or one.table.certificate is not None)
    for trunk in draft.trunks:
        check_files(draft, trunk.path, trunk.table)
    check_callers(draft)
    check_control(draft)


def check_network(
    draft: Draft, path: KeyPath, listeners: tuple[Listen, ...], table: HasCertificate, has_certificate: bool
) -> None:
    key = "listen" if path == ("sip",) else "sip"
    for place, listen in enumerate(listeners):
        if listen.transport in SECURED and not has_certificate:
            draft.blame((*path, key, place), f"{listen.transport} needs certificate and private_key")
    check_files(draft, path, table)


def check_files(draft: Draft, path: KeyPath, table: HasCertificate) -> None:
    """The files can be read and belong together."""
    if table.private_key is not None and table.certificate is None:
        draft.blame((*path, "private_key"), "is no use without certificate")
    elif table.certificate is not None:
        key = None if table.private_key is None else str(table.private_key)
        try_files(draft, (*path, "certificate"), TlsSettings(str(table.certificate), key or ""))
    if table.ca is not None:
        try_files(draft, (*path, "ca"), TlsSettings(authorities=str(table.ca)))


def try_files(draft: Draft, path: KeyPath, settings: TlsSettings) -> None:
    try:
        Keyring({"": settings}).load()
    except TlsError as problem:
        draft.blame(path, str(problem))


def check_callers(draft: Draft) -> None:
    """Callers by certificate have names, listeners to show them at, and no names in common without a discriminator."""
    secured = any(listen.transport in SECURED for _, listen, _ in sip_listeners(draft))
    seen: dict[tuple[str, object], str] = {}
    for one in draft.trunks:
        trunk, path = routing_trunk(one.table), (*one.path, "auth_inbound")
        if one.table.tls_names and not trunk.names:
            draft.warn((*one.path, "tls_names"), "count with auth_inbound = tls only")
        if one.table.auth_inbound != "tls":
            continue
        if not secured:
            draft.blame(path, "nothing listens on tls or wss, so nobody can show a certificate")
        if not trunk.names:
            draft.blame(path, "tls needs tls_names, or targets with host names")
        for name in trunk.names:
            other = seen.setdefault((name, trunk.discriminators), trunk.name)
            if other != trunk.name:
                draft.blame(
                    path,
                    f"a certificate for {name} is also one of trunk {other}: "
                    "set a different match_interface, match_domain, match_called or match_trunk_group",
                )
                break


def check_control(draft: Draft) -> None:
    control = draft.control
    if control is None:
        return
    if control.key is not None and control.cert is None:
        draft.blame(("control", "key"), "is no use without cert")
    if control.cert is not None:
        key = None if control.key is None else str(control.key)
        try_files(draft, ("control", "cert"), TlsSettings(str(control.cert), key or ""))
        if control.tcp is None:
            draft.warn(("control", "cert"), "counts with control.tcp only")
