"""What must hold for the node: names, tokens, addresses, ports, tenants' folders."""

from collections.abc import Iterable
from ipaddress import ip_address
from itertools import combinations

from santral.engine.config.draft import Draft
from santral.engine.config.problems import KeyPath, spell
from santral.engine.config.tables.base import DEFAULT_INTERFACE
from santral.engine.config.values import HostPort, Listen, PortRange

PORTS_PER_CALL = 4  # two legs, RTP and RTCP each


def check_node(draft: Draft) -> None:
    check_names(draft)
    check_tokens(draft)
    check_listeners(draft)
    check_media(draft)
    check_tenants(draft)


def check_names(draft: Draft) -> None:
    """Names are unique per kind."""
    unique(draft, "interface", (((*one.path, "name"), one.table.name) for one in draft.interfaces))
    unique(draft, "tenant", (((*one.path, "name"), one.table.name) for one in draft.tenants))
    unique(draft, "trunk", (((*one.path, "name"), one.table.name) for one in draft.trunks))
    unique(draft, "number", (((*one.path, "number"), one.table.number) for one in draft.numbers))
    unique(draft, "message", (((*one.path, "name"), one.table.name) for one in draft.messages))
    unique(draft, "queue", (((*one.path, "name"), one.table.name) for one in draft.queues))
    unique(draft, "schedule", (((*one.path, "name"), one.table.name) for one in draft.schedules))
    unique(draft, "agent", (((*one.path, "name"), one.table.name) for one in draft.agents))
    unique(draft, "route", (((*one.path, "name"), one.table.name) for one in draft.routes))
    for interface in draft.interfaces:
        if interface.table.name == DEFAULT_INTERFACE:
            draft.blame((*interface.path, "name"), "default is the interface of [sip] and [rtp]: choose another name")


def unique(draft: Draft, kind: str, names: Iterable[tuple[KeyPath, str]]) -> None:
    seen: set[str] = set()
    for path, name in names:
        if name in seen:
            draft.blame(path, f"there is another {kind} {name}")
        seen.add(name)


def check_tokens(draft: Draft) -> None:
    control = draft.control
    if control is None:
        return
    unique(draft, "token", ((("control", "token", i, "name"), one.name) for i, one in enumerate(control.token)))
    for place, token in enumerate(control.token):
        path: KeyPath = ("control", "token", place)
        if token.tenant is not None:
            draft.refer((*path, "tenant"), "tenant", token.tenant)
        elif "admin" not in token.scopes:
            draft.blame((*path, "tenant"), "is required: only a token with the scope admin sees all tenants")
    if control.tcp is None:
        return
    if not control.token:
        draft.blame(("control", "tcp"), "needs at least one [[control.token]]")
    if not control.tcp.is_loopback and control.cert is None:
        draft.blame(("control", "tcp"), "needs cert and key, or a loopback address: secrets could be read on the way")


def check_listeners(draft: Draft) -> None:
    """No two listeners on one address and port; a wildcard address is told to nobody, so it needs `advertise`."""
    listeners: list[tuple[KeyPath, Listen]] = []
    spoken: set[tuple[KeyPath, str]] = set()
    for path, listen, advertise in sip_listeners(draft):
        listeners.append((path, listen))
        if (path[:-1], listen.transport) in spoken:
            draft.blame(path, f"a network listens once on {listen.transport}: give this one an [[interface]]")
        spoken.add((path[:-1], listen.transport))
        if listen.is_wildcard and advertise is None:
            draft.blame(path, f"{listen.host} is no address to be called at: set advertise beside it")
    if draft.control is not None and draft.control.tcp is not None:
        listeners.append((("control", "tcp"), as_listen(draft.control.tcp)))
    if draft.metrics is not None:
        listeners.append((("metrics", "listen"), as_listen(draft.metrics.listen)))
    if draft.recording is not None and draft.recording.listen is not None:
        listeners.append((("recording", "listen"), as_listen(draft.recording.listen)))
    for (first, one), (second, other) in combinations(listeners, 2):
        if one.collides(other):
            draft.blame(second, f"{other} is taken by {spell(first)}")
    if draft.sip is not None and not draft.sip.listen and not draft.raw.get("interface"):
        draft.blame(("sip", "listen"), "there is nothing to listen on")


def as_listen(at: HostPort) -> Listen:
    return Listen("tcp", at.host, at.port)


def sip_listeners(draft: Draft) -> Iterable[tuple[KeyPath, Listen, str | None]]:
    """Every SIP listener with its key path and the address advertised for it."""
    if draft.sip is not None:
        for place, listen in enumerate(draft.sip.listen):
            yield ("sip", "listen", place), listen, draft.sip.advertise
    for one in draft.interfaces:
        for place, listen in enumerate(one.table.sip):
            yield (*one.path, "sip", place), listen, one.table.advertise


def check_media(draft: Draft) -> None:
    """RTP has its ports for itself, on addresses that can be told to a peer, and enough of them."""
    addresses: list[tuple[KeyPath, str, str | None]] = [
        ((*one.path, "rtp"), one.table.rtp, one.table.advertise) for one in draft.interfaces
    ]
    if draft.rtp is None:
        return
    if draft.sip is not None and draft.sip.listen:
        addresses.append((("rtp", "address"), draft.rtp.address, draft.sip.advertise))
    for path, address, advertise in addresses:
        if ip_address(address).is_unspecified and advertise is None:
            draft.blame(path, f"{address} is no address to send media to: set advertise for this network")
    ports = draft.rtp.ports
    for path, listen, _ in sip_listeners(draft):
        if listen.transport == "udp" and ports.first <= listen.port <= ports.last and listen.port:
            draft.blame(path, f"port {listen.port} lies inside rtp.ports {ports}")
    warn_of_few_ports(draft, ports)


def warn_of_few_ports(draft: Draft, ports: PortRange) -> None:
    if draft.sip is not None and ports.pairs and ports.pairs * 2 < draft.sip.max_calls * PORTS_PER_CALL:
        few = ports.pairs * 2 // PORTS_PER_CALL
        draft.warn(
            ("rtp", "ports"),
            f"{ports} is enough for {few} calls on one address, and sip.max_calls is {draft.sip.max_calls}",
        )


def check_tenants(draft: Draft) -> None:
    for one in draft.tenants:
        sounds = one.table.sounds
        if sounds is not None and not sounds.is_dir():
            draft.blame((*one.path, "sounds"), f"{sounds} is no folder")
