"""Trunks as values: who may call in on which, and in which order the targets of one are tried. No I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Self, TypeVar

from santral.routing.numbering import AS_IT_IS, Numbering
from santral.routing.numbers import Pattern

MAX_PORT: Final = 65535
MAX_SOURCES: Final = 1024  # addresses remembered as they were read
ALMOST_ONE: Final = 1.0 - 2.0**-53  # the largest draw below one

T = TypeVar("T")


class Strategy(StrEnum):
    """In which order the targets of a trunk are tried."""

    FAILOVER = "failover"  # as written
    ROUND_ROBIN = "round_robin"  # as written, each call starting one further
    WEIGHTED = "weighted"  # drawn by weight, without putting back


class AcceptError(ValueError):
    """A network of accept_from that cannot be read."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a trunk sends calls: a SIP URI, and its share of them under the strategy `weighted`."""

    uri: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One entry of accept_from: a network, and for UDP the port calls have to come from (`None`: any)."""

    network: IPv4Network | IPv6Network
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """`192.0.2.0/24`, `192.0.2.1/32:5080`, `192.0.2.1:5080`, `2001:db8::/32`, `[2001:db8::]/32:5080`."""
        address, length, port = _split_acceptance(text)
        try:
            network = ip_network(address + length)
        except ValueError as problem:
            raise AcceptError(str(problem)) from None
        if port is None:
            return cls(network)
        if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) <= MAX_PORT):
            raise AcceptError(f"{port} is no port: 1 to {MAX_PORT}")
        return cls(network, int(port))

    def overlaps(self, other: "Acceptance") -> bool:
        """Whether one datagram could come from both."""
        if self.port is not None and other.port is not None and self.port != other.port:
            return False
        return self.network.version == other.network.version and self.network.overlaps(other.network)

    def __str__(self) -> str:
        if self.port is None:
            return str(self.network)
        if self.network.version == 4:
            return f"{self.network}:{self.port}"
        return f"[{self.network.network_address}]/{self.network.prefixlen}:{self.port}"


@dataclass(frozen=True, slots=True)
class Trunk:
    """What routing knows of a trunk. A discriminator that is `None` asks nothing; domain and group are lower case.

    A trunk with `names` (lower case) is known by a certificate with one of them, and `accept_from` only narrows that.
    """

    name: str
    tenant: str
    targets: tuple[Target, ...] = ()
    strategy: Strategy = Strategy.FAILOVER
    shared: bool = False
    emergency: bool = False  # takes calls for help
    auth_inbound: str = "ip"  # how its callers prove who they are
    accept_from: tuple[Acceptance, ...] = ()
    names: tuple[str, ...] = ()
    match_interface: str | None = None
    match_domain: str | None = None
    match_called: Pattern | None = None
    match_trunk_group: str | None = None
    numbering: Numbering = AS_IT_IS

    @property
    def discriminators(self) -> tuple[tuple[str, str], ...]:
        """The discriminators in use, with what they ask for: two trunks with the same ones cannot be told apart."""
        asked = (
            ("match_interface", self.match_interface),
            ("match_domain", self.match_domain),
            ("match_called", None if self.match_called is None else self.match_called.source),
            ("match_trunk_group", self.match_trunk_group),
        )
        return tuple((key, value) for key, value in asked if value is not None)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a call comes from and what it asks for, as far as a trunk is recognised by it.

    `domain` is the host of the request URI, `called` its user part, `trunk_group` its `tgrp` parameter (RFC 4904),
    `names` those that the certificate of the connection has proved.
    """

    ip: str
    port: int
    transport: str
    interface: str
    domain: str
    called: str
    trunk_group: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Identified:
    trunk: str
    why: str


@dataclass(frozen=True, slots=True)
class Unknown:
    reason: str


@dataclass(frozen=True, slots=True)
class _Door:
    """One entry of accept_from with its trunk. `rank` orders those that fit: the most demanding first."""

    trunk: Trunk
    accepts: Acceptance
    rank: tuple[int, int, int]


class Entrances:
    """Every accept_from of all trunks, found by address: one dictionary per prefix length in use; and every name that
    a certificate may prove.
    """

    def __init__(self, trunks: Iterable[Trunk]) -> None:
        self._doors: dict[tuple[int, int], dict[int, list[_Door]]] = {}
        self._named: dict[str, list[Trunk]] = {}
        for place, trunk in enumerate(trunks):
            for name in trunk.names:
                self._named.setdefault(name, []).append(trunk)
            if trunk.names:
                continue
            for accepts in trunk.accept_from:
                network = accepts.network
                rank = (-len(trunk.discriminators), -network.prefixlen, place)
                same_length = self._doors.setdefault((network.version, network.max_prefixlen - network.prefixlen), {})
                key = int(network.network_address) >> (network.max_prefixlen - network.prefixlen)
                same_length.setdefault(key, []).append(_Door(trunk, accepts, rank))

    def named(self, names: Iterable[str]) -> list[Trunk]:
        """The trunks known by one of these names, the most demanding first."""
        found = {trunk.name: trunk for name in names for trunk in self._named.get(name, ())}
        return sorted(found.values(), key=lambda trunk: -len(trunk.discriminators))

    def at(self, address: IPv4Address | IPv6Address) -> list[_Door]:
        """The entries whose network holds this address, the most demanding trunk first."""
        number = int(address)
        found: list[_Door] = []
        for (version, host_bits), doors in self._doors.items():
            if version == address.version:
                found += doors.get(number >> host_bits, ())
        found.sort(key=lambda door: door.rank)
        return found


@lru_cache(MAX_SOURCES)
def address_of(host: str) -> IPv4Address | IPv6Address:
    """The address that a source's text means: without a zone, an IPv4 one where it is mapped. Raises ValueError."""
    address = ip_address(host.partition("%")[0])
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def identify(entrances: Entrances, source: Source) -> Identified | Unknown:
    """The trunk a call comes from: by the connection's certificate if it proves the name of one, else by address (over
    UDP with the port); then by discriminators.

    Of several that fit, the one with most discriminators wins, then the smaller network. A stream's source port says
    nothing about who calls, so over TCP it only breaks ties; the order of the file breaks the last ones.
    """
    seen = f"{source.ip}:{source.port} ({source.transport})"
    try:
        address = address_of(source.ip)
    except ValueError:
        return Unknown(f"{seen} is no address")
    objections = []
    for trunk in entrances.named(source.names):
        objection = _objection(trunk, source) or _wrong_place(trunk, address)
        if objection is None:
            return Identified(trunk.name, f"trunk {trunk.name}: by certificate")
        objections.append(objection)
    doors = entrances.at(address)
    if source.transport == "udp":
        doors = [door for door in doors if door.accepts.port in (None, source.port)]
    else:
        doors.sort(key=lambda door: (door.rank[0], door.accepts.port != source.port))
    if not doors and not objections:
        return Unknown(f"no trunk accepts calls from {seen}")
    for door in doors:
        objection = _objection(door.trunk, source)
        if objection is None:
            return Identified(door.trunk.name, f"trunk {door.trunk.name}: accepts {door.accepts}")
        objections.append(objection)
    return Unknown(f"no trunk accepts this call from {seen}: {'; '.join(dict.fromkeys(objections))}")


def order_targets(trunk: Trunk, turn: int = 0, draw: float = 0.0) -> tuple[tuple[str, ...], float]:
    """The target URIs in order of trial, and what is left of the draw. `turn` counts the calls of a round robin."""
    targets: Sequence[Target] = trunk.targets
    if len(targets) > 1:
        if trunk.strategy is Strategy.ROUND_ROBIN:
            start = turn % len(targets)
            targets = [*targets[start:], *targets[:start]]
        elif trunk.strategy is Strategy.WEIGHTED:
            targets, draw = draw_order(targets, [target.weight for target in targets], draw)
    return tuple(target.uri for target in targets), draw


def draw_order(items: Sequence[T], weights: Sequence[int], draw: float) -> tuple[list[T], float]:
    """All items, each place drawn by weight among those left, and what is left of the draw for the next decision.

    One uniform draw in [0, 1) serves all places: the part of it below the chosen item's share is uniform again. Items
    of weight 0 come last, in their own order.
    """
    left = [(item, weight) for item, weight in zip(items, weights, strict=True) if weight > 0]
    ordered: list[T] = []
    while len(left) > 1:
        mark = draw * sum(weight for _, weight in left)
        for place, (_, weight) in enumerate(left):
            if mark < weight or place == len(left) - 1:
                break
            mark -= weight
        item, weight = left.pop(place)
        ordered.append(item)
        draw = min(max(mark / weight, 0.0), ALMOST_ONE)
    ordered += [item for item, _ in left]
    ordered += [item for item, weight in zip(items, weights, strict=True) if weight <= 0]
    return ordered, draw


def _objection(trunk: Trunk, source: Source) -> str | None:
    if trunk.match_interface is not None and trunk.match_interface != source.interface:
        return f"trunk {trunk.name}: on interface {source.interface}, not {trunk.match_interface}"
    if trunk.match_domain is not None and trunk.match_domain != source.domain.lower().rstrip("."):
        return f"trunk {trunk.name}: domain {source.domain[:64]} is not {trunk.match_domain}"
    if trunk.match_called is not None and trunk.match_called.match(source.called) is None:
        return f"trunk {trunk.name}: called does not match {trunk.match_called.source}"
    if trunk.match_trunk_group is not None and trunk.match_trunk_group != source.trunk_group.lower():
        return f"trunk {trunk.name}: trunk group {source.trunk_group[:64] or 'none'} is not {trunk.match_trunk_group}"
    return None


def _wrong_place(trunk: Trunk, address: IPv4Address | IPv6Address) -> str | None:
    """A certificate may be good from everywhere, or from the networks of accept_from alone."""
    if not trunk.accept_from or any(address in accepts.network for accepts in trunk.accept_from):
        return None
    return f"trunk {trunk.name}: certificate shown from {address}, outside accept_from"


def _split_acceptance(text: str) -> tuple[str, str, str | None]:
    """Address, prefix length with its slash or nothing, port or `None`."""
    if text.startswith("["):
        address, bracket, rest = text[1:].partition("]")
        if not bracket or ":" not in address:
            raise AcceptError(f"{text} is no network: expected as in [2001:db8::]/32:5080")
        length, colon, port = rest.partition(":")
    elif text.count(":") > 1:
        address, slash, length = text.partition("/")
        length, colon, port = slash + length, "", ""
    else:
        network, colon, port = text.partition(":")
        address, slash, length = network.partition("/")
        length = slash + length
    if length and not (length[1:].isascii() and length[1:].isdigit()):
        raise AcceptError(f"{length[1:] or 'nothing'} is no prefix length")
    return address, length, port if colon else None
