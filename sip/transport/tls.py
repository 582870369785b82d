"""TLS 1.2 and 1.3: contexts made from files and made anew when they change, and whom a certificate names (RFC 5922)."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, NamedTuple

__all__ = ["Certificate", "Client", "Keyring", "TlsError", "TlsSettings", "is_named", "names_of"]

MIN_VERSION: Final = ssl.TLSVersion.TLSv1_2
MAX_NAMES: Final = 64  # of one certificate


class TlsError(ValueError):
    """A certificate, key or authority file that cannot be used; the text names it."""


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Files in PEM. Without `authorities` the system's are trusted; with `asks_peer` clients are asked (not forced) to
    prove who they are; with `wildcards` a server's `*.example` counts.
    """

    certificate: str = ""
    private_key: str = ""
    authorities: str = ""
    asks_peer: bool = False
    wildcards: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """All that it names."""
        return tuple(file for file in (self.certificate, self.private_key, self.authorities) if file)


class Client(NamedTuple):
    """How a server is connected to and judged."""

    context: ssl.SSLContext
    wildcards: bool


class Contexts(NamedTuple):
    """All of one configuration."""

    servers: Mapping[str, ssl.SSLContext]
    clients: Mapping[tuple[str, str], Client]


NOTHING: Final = Contexts({}, {})


class Keyring:
    """The contexts in force: of interfaces, and of profiles (trunks with certificates or authorities of their own).

    What cannot be read as a whole changes nothing. Standing connections keep what they began with.
    """

    def __init__(
        self, interfaces: Mapping[str, TlsSettings] | None = None, profiles: Mapping[str, TlsSettings] | None = None
    ) -> None:
        self._interfaces = dict(interfaces or {})
        self._profiles = dict(profiles or {})
        self._contexts = NOTHING
        self._seen: tuple[object, ...] = ()

    def load(self) -> None:
        """Read all files; raises TlsError. Takes milliseconds: call it in a thread once calls are running."""
        self._take(self._interfaces, self._profiles)

    def replace(self, other: Keyring) -> None:
        """Take over what `other`, loaded before, was made of."""
        self._interfaces, self._profiles = other._interfaces, other._profiles
        self._contexts, self._seen = other._contexts, other._seen

    def has_changed(self) -> bool:
        """Whether a file is another one than that last read (or read in vain)."""
        return self._state() != self._seen

    def server(self, interface: str) -> ssl.SSLContext | None:
        """The context of connections that peers open here."""
        return self._contexts.servers.get(interface)

    def client(self, interface: str, profile: str) -> Client | None:
        """The context of connections that we open from here with that profile ("": the interface's own)."""
        clients = self._contexts.clients
        return clients.get(("profile", profile)) or clients.get(("interface", interface))

    def _take(self, interfaces: Mapping[str, TlsSettings], profiles: Mapping[str, TlsSettings]) -> None:
        self._seen = self._state()  # a broken file is not tried again until it changes
        servers = {name: _server(one) for name, one in interfaces.items() if one.certificate}
        clients = {("interface", name): _client(one) for name, one in interfaces.items()}
        clients |= {("profile", name): _client(one) for name, one in profiles.items()}
        self._contexts = Contexts(servers, clients)

    def _state(self) -> tuple[object, ...]:
        return _stamps(*self._interfaces.values(), *self._profiles.values())


class Certificate:
    """One context for listening, `context`, for whoever cannot ask a keyring each time. Raises TlsError."""

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self._seen = _stamps(settings)
        self.context = _server(settings)

    def has_changed(self) -> bool:
        """Whether a file is another one than that last read (or read in vain)."""
        return _stamps(self._settings) != self._seen

    def load(self) -> None:
        """Show what the files hold now from the next connection on; raises TlsError and shows the old chain then."""
        self._seen = _stamps(self._settings)
        _server(self._settings)
        _load_chain(self.context, self._settings)


def _stamps(*settings: TlsSettings) -> tuple[object, ...]:
    """What tells the files of today from those of tomorrow."""
    return tuple((file, _stamp(file)) for file in sorted({file for one in settings for file in one.files}))


def _stamp(file: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _server(settings: TlsSettings) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = MIN_VERSION
    _load_chain(context, settings)
    if settings.asks_peer:
        context.verify_mode = ssl.CERT_OPTIONAL
        _load_authorities(context, settings, ssl.Purpose.CLIENT_AUTH)
    return context


def _client(settings: TlsSettings) -> Client:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = MIN_VERSION
    context.check_hostname = False  # SIP has rules of its own for names (RFC 5922): `is_named`
    context.verify_mode = ssl.CERT_REQUIRED
    _load_authorities(context, settings, ssl.Purpose.SERVER_AUTH)
    if settings.certificate:
        _load_chain(context, settings)
    return Client(context, settings.wildcards)


def _load_chain(context: ssl.SSLContext, settings: TlsSettings) -> None:
    try:
        # The empty password makes an encrypted key an error instead of a question on the terminal.
        context.load_cert_chain(settings.certificate, settings.private_key or None, password="")
    except (OSError, ValueError) as problem:
        raise TlsError(f"{settings.certificate}: {_said(problem)}") from None


def _load_authorities(context: ssl.SSLContext, settings: TlsSettings, purpose: ssl.Purpose) -> None:
    try:
        if settings.authorities:
            context.load_verify_locations(settings.authorities)
        else:
            context.load_default_certs(purpose)
    except (OSError, ValueError) as problem:
        raise TlsError(f"{settings.authorities}: {_said(problem)}") from None


def _said(problem: Exception) -> str:
    if isinstance(problem, ssl.SSLError):
        reason: str | None = problem.reason
        return reason.lower().replace("_", " ") if reason else "is no PEM file of a certificate or key"
    return (problem.strerror if isinstance(problem, OSError) else "") or str(problem)


def names_of(certificate: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Whom a verified certificate names (RFC 5922 section 7.1): its SIP domains if it has any, else its DNS names; and
    its addresses. Lower case; wildcards as they stand. The common name says nothing.
    """
    domains: list[str] = []
    hosts: list[str] = []
    addresses: list[str] = []
    for kind, value in (certificate or {}).get("subjectAltName", ())[:MAX_NAMES]:
        text = str(value).lower()
        if kind == "URI" and text.startswith("sip:") and "@" not in text:
            domains.append(text[4:].partition(";")[0].rstrip("."))
        elif kind == "DNS":
            hosts.append(text.rstrip("."))
        elif kind == "IP Address":
            addresses += _address(text)
    return tuple(dict.fromkeys((domains or hosts) + addresses))


def is_named(name: str, names: Iterable[str], *, wildcards: bool = False) -> bool:
    """Whether one of these names is `name`. A wildcard stands for one whole label, and counts only if asked for."""
    wanted = name.lower().rstrip(".")
    for found in _address(wanted) or [wanted]:
        if found in names:
            return True
    _, dot, parent = wanted.partition(".")
    return wildcards and bool(dot) and "." in parent and f"*.{parent}" in names and not _address(wanted)


def _address(text: str) -> list[str]:
    """The address in its one spelling, as a list; empty for a name."""
    try:
        return [str(ip_address(text.strip("[]").partition("%")[0]))]
    except ValueError:
        return []
