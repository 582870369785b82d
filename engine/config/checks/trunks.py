"""What must hold for trunks: their tenant and network exist, they lead somewhere, and callers can be told apart."""

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from santral.engine.config.convert import routing_trunk
from santral.engine.config.draft import Draft, Placed
from santral.engine.config.problems import KeyPath
from santral.engine.config.tables.base import DEFAULT_INTERFACE
from santral.engine.config.tables.peers import TrunkTable
from santral.engine.config.values import DIALLED, Listen, TargetUri
from santral.routing.trunks import Acceptance, Trunk

SEALED: Final = frozenset({"tls", "wss"})


def check_trunks(draft: Draft) -> None:
    for one in draft.trunks:
        trunk, path = one.table, one.path
        draft.refer((*path, "tenant"), "tenant", trunk.tenant)
        if trunk.match_interface is not None:
            draft.refer((*path, "match_interface"), "interface", trunk.match_interface)
        if not trunk.targets and not trunk.accept_from and not trunk.tls_names:
            draft.blame(path, f"trunk {trunk.name} needs targets, accept_from, or both")
        if not trunk.accept_from and trunk.auth_inbound == "ip" and routing_trunk(trunk).discriminators:
            draft.warn(path, f"trunk {trunk.name} takes no calls: its match_ keys have nothing to choose from")
        for place, codec in enumerate(trunk.codecs):
            if codec in trunk.codecs[:place]:
                draft.blame((*path, "codecs", place), f"{codec} is there twice")
        if trunk.strategy != "weighted" and any("weight" in target.model_fields_set for target in trunk.targets):
            draft.warn((*path, "targets"), f"weights count with strategy = weighted only, and this is {trunk.strategy}")
        owner = draft.tenant_named.get(trunk.tenant)
        if trunk.number_format == "national" and owner is not None and owner.country is None:
            draft.blame((*path, "number_format"), f"national needs the country of tenant {owner.name}")
        check_network(draft, one)
        warn_of_open_keys(draft, one)
    check_overlaps(draft)


def check_network(draft: Draft, one: Placed[TrunkTable]) -> None:
    """The trunk's network is known, and listens on what its targets are reached by."""
    networks = networks_of(draft)
    name, path = one.table.interface, (*one.path, "interface")
    if name is not None:
        draft.refer(path, "interface", name)
    elif DEFAULT_INTERFACE in networks:
        name = DEFAULT_INTERFACE
    elif len(networks) == 1:
        (name,) = networks
    elif networks:
        draft.blame(path, f"is required: one of {', '.join(networks)}")
    if name not in networks:
        return
    for place, target in enumerate(one.table.targets):
        objection = unreachable(target.uri, networks[name])
        if objection:
            draft.blame((*one.path, "targets", place), f"interface {name} {objection}")


def warn_of_open_keys(draft: Draft, one: Placed[TrunkTable]) -> None:
    """SRTP keys travel in the SDP: who reads the signalling hears the call."""
    trunk = one.table
    listeners = networks_of(draft).get(trunk.interface or DEFAULT_INTERFACE, ())
    open_way_in = trunk.auth_inbound != "tls" and bool(trunk.accept_from) and not all_sealed(listeners)
    open_way_out = any(target.uri.transport not in SEALED for target in trunk.targets)
    if trunk.srtp == "required" and (open_way_in or open_way_out):
        draft.warn((*one.path, "srtp"), "the keys go by signalling that is not encrypted: use TLS")


def all_sealed(listeners: tuple[Listen, ...]) -> bool:
    return all(listen.transport in SEALED for listen in listeners)


def networks_of(draft: Draft) -> dict[str, tuple[Listen, ...]]:
    """The listeners of each interface that could be read."""
    found = {one.table.name: one.table.sip for one in draft.interfaces}
    if draft.sip is not None and draft.sip.listen:
        found[DEFAULT_INTERFACE] = draft.sip.listen
    return found


def unreachable(target: TargetUri, listeners: tuple[Listen, ...]) -> str | None:
    """Why these listeners cannot reach the target; an IPv6 wildcard may serve both families."""
    fitting = [listen for listen in listeners if listen.transport in (target.transport or DIALLED)]
    if not fitting:
        return f"does not listen on {target.transport or 'udp, tcp or tls'}, which {target} needs for its answers"
    try:
        version = ip_address(target.host).version
    except ValueError:
        return None  # a name: its addresses are known only when it is resolved
    if any(listen.host == "::" or ip_address(listen.host).version == version for listen in fitting):
        return None
    return f"has no IPv{version} address on {target.transport}, which {target} needs"


@dataclass(frozen=True, slots=True)
class Claim:
    """One entry of one trunk's accept_from."""

    path: KeyPath
    trunk: Trunk
    accepts: Acceptance

    @property
    def place(self) -> int:
        """Of the trunk in the file."""
        return int(self.path[1])

    @property
    def order(self) -> tuple[int, int, int]:
        network = self.accepts.network
        return network.version, int(network.network_address), network.prefixlen


def check_overlaps(draft: Draft) -> None:
    """Trunks that accept the same address need a discriminator between them: an address alone is a weak identity."""
    blamed: set[frozenset[str]] = set()
    for outer, inner in overlaps(draft):
        pair = frozenset((outer.trunk.name, inner.trunk.name))
        if len(pair) < 2 or pair in blamed or outer.trunk.discriminators != inner.trunk.discriminators:
            continue
        if outer.trunk.auth_inbound != inner.trunk.auth_inbound and outer.accepts.network != inner.accepts.network:
            continue  # the smaller network decides whether an address is enough
        blamed.add(pair)
        first, later = sorted((outer, inner), key=lambda claim: claim.place)
        asked = " and ".join(f"{key} = {value}" for key, value in later.trunk.discriminators)
        said = f"both ask for {asked}" if asked else "neither has a discriminator"
        draft.blame(
            later.path,
            f"{later.accepts} overlaps {first.accepts} of trunk {first.trunk.name}, and {said}: "
            "set a different match_interface, match_domain, match_called or match_trunk_group",
        )


def overlaps(draft: Draft) -> Iterator[tuple[Claim, Claim]]:
    """Pairs of entries one datagram could come from. Networks nest or are apart, so one sorted pass finds them all."""
    trunks = [(one.path, routing_trunk(one.table)) for one in draft.trunks if one.table.auth_inbound != "tls"]
    claims = [
        Claim((*path, "accept_from", place), trunk, accepts)
        for path, trunk in trunks
        for place, accepts in enumerate(trunk.accept_from)
    ]
    around: list[Claim] = []
    for claim in sorted(claims, key=lambda one: one.order):
        while around and not holds(around[-1].accepts, claim.accepts):
            around.pop()
        yield from ((outer, claim) for outer in around if outer.accepts.overlaps(claim.accepts))
        around.append(claim)


def holds(outer: Acceptance, inner: Acceptance) -> bool:
    """Whether the outer network holds the inner one, ports aside."""
    a, b = outer.network, inner.network
    if a.version != b.version:
        return False
    return int(a.network_address) <= int(b.network_address) <= int(a.broadcast_address)
