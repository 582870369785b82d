"""From a URI to the places its requests are tried at, in order (RFC 3263 section 4).

A search is a generator: it yields the questions it needs answered next and is sent the answers, so that whoever drives
it may wait, remember, or refuse to wait. Nothing here asks, sleeps or draws lots by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from santral.sip.locating.records import Answers, Naptr, Question, Srv, order_services

if TYPE_CHECKING:
    from santral.sip.uri import Uri

__all__ = ["DEFAULT_PORTS", "Network", "Place", "Search", "address_version", "is_within", "search"]

DEFAULT_PORTS: Final = {"udp": 5060, "tcp": 5060, "tls": 5061}  # RFC 3261 19.1.2
MAX_PLACES: Final = 8  # more than anybody waits for
MAX_HOSTS: Final = 1024  # remembered as addresses or names
MAX_RECORDS: Final = 16  # of one answer
_PREFERRED: Final = ("udp", "tcp", "tls")  # where the name system does not say (RFC 3263 section 4.1)
_SERVICES: Final = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}  # RFC 3263 section 4.1
_PREFIXES: Final = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}
_LOOKS_NUMERIC: Final = re.compile(r"[0-9.]+").fullmatch


Network = IPv4Network | IPv6Network


class Place(NamedTuple):
    """One way to a server; `host` is an address."""

    transport: str
    host: str
    port: int


Search = Generator[Sequence[Question], Answers, list[Place]]


@lru_cache(MAX_HOSTS)
def address_version(host: str) -> int | None:
    """4 or 6 for an address, None for a name."""
    if ":" not in host and not _LOOKS_NUMERIC(host):
        return None
    try:
        return ip_address(host.partition("%")[0]).version
    except ValueError:
        return None


def is_within(host: str, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of these networks; a name does not."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return any(address in network for network in networks)


def search(uri: Uri, spoken: Mapping[str, int], draw: Callable[[], float]) -> Search:
    """Where to send a request for `uri`. `spoken` has our own transports with the IP version each of them is bound to.

    `draw()` gives numbers in [0, 1) for the weights of SRV records.
    """
    kinds = _usable(uri, spoken)
    host = (uri.param("maddr") or uri.host).lower().rstrip(".")
    version = address_version(host)
    if version is not None:
        fitting = [kind for kind in kinds if spoken[kind] == version]
        return [Place(kind, host, uri.port or DEFAULT_PORTS[kind]) for kind in fitting[:1]]
    if not kinds or not host:
        return []
    if uri.port is not None:
        return (yield from _resolve([(kinds[0], Srv(0, 0, uri.port, host))], spoken))
    services = yield from _find_services(host, kinds, draw, asks_naptr=not uri.param("transport"))
    if services is None:
        services = [(kinds[0], Srv(0, 0, DEFAULT_PORTS[kinds[0]], host))]
    return (yield from _resolve(services, spoken))


def _usable(uri: Uri, spoken: Mapping[str, int]) -> list[str]:
    """The transports this URI may be reached by, the usual one first (RFC 3263 4.1, RFC 3261 26.2.2 for sips)."""
    if uri.scheme not in ("sip", "sips"):
        return []
    asked = (uri.param("transport") or "").lower()
    if uri.scheme == "sips":
        kinds: Iterable[str] = ("tls",) if asked in ("", "tcp", "tls") else ()
    else:
        kinds = (asked,) if asked else _PREFERRED
    return [kind for kind in kinds if kind in spoken and kind in DEFAULT_PORTS]


def _find_services(
    host: str, kinds: Sequence[str], draw: Callable[[], float], *, asks_naptr: bool
) -> Generator[Sequence[Question], Answers, list[tuple[str, Srv]] | None]:
    """SRV records in order, with their transports; None where the domain has none, and its own address counts.

    NAPTR and the usual SRV names are asked for at once: most domains lack NAPTR, and nobody should wait twice for that.
    """
    usual = {kind: Question("SRV", _PREFIXES[kind] + host) for kind in kinds}
    naptr = Question("NAPTR", host)
    answers = yield [*([naptr] if asks_naptr else ()), *usual.values()]
    wanted = list(usual.items())
    if pointers := _pointers(cast("tuple[Naptr, ...]", answers.get(naptr, ())), kinds):
        wanted = pointers
        answers = yield [question for _, question in pointers]
    found: list[tuple[str, Srv]] = []
    is_refused = False
    for kind, question in wanted:
        records = cast("tuple[Srv, ...]", answers.get(question, ()))[:MAX_RECORDS]
        is_refused = is_refused or any(not record.target for record in records)
        found += [(kind, record) for record in order_services(records, draw) if record.target]
    return found if found or is_refused else None


def _pointers(records: Sequence[Naptr], kinds: Sequence[str]) -> list[tuple[str, Question]]:
    """The SRV names that NAPTR records point to, for the transports we can use, in their order."""
    pointers = []
    for record in sorted(records, key=lambda one: (one.order, one.preference))[:MAX_RECORDS]:
        kind = _SERVICES.get(record.service.upper())
        if kind is not None and kind in kinds and record.flags.lower() == "s" and record.replacement:
            pointers.append((kind, Question("SRV", record.replacement)))
    return pointers


def _resolve(services: Sequence[tuple[str, Srv]], spoken: Mapping[str, int]) -> Search:
    """The addresses of servers, for the IP version that each transport of ours is bound to."""
    if not services:
        return []
    questions = {(kind, record.target): _address_question(record.target, spoken[kind]) for kind, record in services}
    answers = yield list(dict.fromkeys(questions.values()))
    places = [
        Place(kind, address, record.port)
        for kind, record in services
        for address in cast("tuple[str, ...]", answers.get(questions[kind, record.target], ()))[:MAX_RECORDS]
    ]
    return list(dict.fromkeys(places))[:MAX_PLACES]


def _address_question(name: str, version: int) -> Question:
    return Question("AAAA" if version == 6 else "A", name)
