"""Routes, numbers and the table of both: what a plan is made from. Values only; built once per configuration."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Self, TypeVar

from santral.routing.hours import Hours
from santral.routing.numbers import Pattern, Template
from santral.routing.screening import Rights, is_emergency
from santral.routing.trunks import Entrances, Trunk

T = TypeVar("T")

RING_S: Final = 60.0  # how long a destination rings where nothing else is said
NO_RIGHTS: Final = Rights()
THE_SAME: Final = Template.parse("{called}")


@dataclass(frozen=True, slots=True)
class ToTrunk:
    """Dial `called` on a trunk; `timeout_s` counts ringing."""

    trunk: str
    called: Template = THE_SAME
    timeout_s: float = RING_S


@dataclass(frozen=True, slots=True)
class ToUser:
    """Ring the phones of the user this makes the name of, in the route's tenant; `timeout_s` counts ringing."""

    user: Template
    timeout_s: float = RING_S


@dataclass(frozen=True, slots=True)
class ToEcho:
    """Answer, and send back what is heard."""


@dataclass(frozen=True, slots=True)
class ToPlay:
    """Answer and play `file`, which stands inside `folder`; both are absolute."""

    file: str
    folder: str


@dataclass(frozen=True, slots=True)
class ToConference:
    """Answer and join the conference this makes the name of, in the route's tenant."""

    room: Template


@dataclass(frozen=True, slots=True)
class ToQueue:
    """Wait in a queue of the route's tenant, for `timeout_s` at most (None: as long as the queue lets callers wait)."""

    queue: str
    timeout_s: float | None = None
    points: int = 0  # of its callers against others in the queue
    skills: tuple[tuple[str, int], ...] = ()  # that the agent must have, and their least levels


@dataclass(frozen=True, slots=True)
class ToMessage:
    """Answer, and have the caller leave the message of this name."""

    message: str


@dataclass(frozen=True, slots=True)
class ToAgent:
    """A phone of an agent does this to who it is: logs in or out, takes a break, stays on the line."""

    what: str


@dataclass(frozen=True, slots=True)
class ToReject:
    """Refuse with a SIP status, 400 to 699."""

    status: int


@dataclass(frozen=True, slots=True)
class Destination:
    """One place a route leads to. Lower priorities first; within one, by weight where any has one, else as written."""

    what: ToTrunk | ToUser | ToEcho | ToPlay | ToConference | ToQueue | ToMessage | ToAgent | ToReject
    priority: int = 0
    weight: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Filters (`None` and no hours ask nothing) and destinations. `tenant` is never empty: no route belongs to all."""

    name: str
    tenant: str
    destinations: tuple[Destination, ...]
    from_trunk: str | None = None
    called: Pattern | None = None
    caller: Pattern | None = None
    hours: tuple[Hours, ...] = ()
    custom: Mapping[str, str] = field(default_factory=dict, compare=False)  # put on its calls, for whoever reads them


@dataclass(frozen=True, slots=True)
class Number:
    """A number of ours (in its normal form) and the route that calls to it take. `caller_name`: of calls from it."""

    number: str
    tenant: str
    route: str
    caller_name: str = ""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a phone that registers. `number` is shown for calls outside where the phone shows none of ours."""

    name: str
    tenant: str
    aor: str
    rights: Rights = NO_RIGHTS
    number: str = ""


@dataclass(frozen=True, slots=True)
class Tenant:
    """What plans need to know of a tenant; no `emergency` numbers mean those of the country."""

    name: str
    country: str | None = None
    emergency: frozenset[str] = frozenset()
    rights: Rights = NO_RIGHTS  # of calls made by command


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """All that plans are made from. Immutable: a reload makes a new one."""

    trunks: Mapping[str, Trunk]
    routes: tuple[Route, ...]
    numbers: Mapping[str, Number]
    by_name: Mapping[str, Route] = field(repr=False)
    entrances: Entrances = field(repr=False, compare=False)
    users: Mapping[str, User] = field(default_factory=dict)  # by address of record
    names: Mapping[tuple[str, str], User] = field(default_factory=dict, repr=False)  # by tenant and name
    tenants: Mapping[str, Tenant] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        trunks: Iterable[Trunk] = (),
        routes: Sequence[Route] = (),
        numbers: Iterable[Number] = (),
        users: Iterable[User] = (),
        tenants: Iterable[Tenant] = (),
    ) -> Self:
        """The table of these. Raises ValueError for a name used twice or a name that names nothing."""
        trunks_by_name = _unique("trunk", ((trunk.name, trunk) for trunk in trunks))
        routes_by_name = _unique("route", ((route.name, route) for route in routes))
        rows = _unique("number", ((row.number, row) for row in numbers))
        by_aor = _unique("user", ((user.aor, user) for user in users))
        for row in rows.values():
            _known("route", row.route, routes_by_name)
        for route in routes:
            if route.from_trunk is not None:
                _known("trunk", route.from_trunk, trunks_by_name)
            for destination in route.destinations:
                if isinstance(destination.what, ToTrunk):
                    _known("trunk", destination.what.trunk, trunks_by_name)
        return cls(
            MappingProxyType(trunks_by_name),
            tuple(routes),
            MappingProxyType(rows),
            MappingProxyType(routes_by_name),
            Entrances(trunks_by_name.values()),
            MappingProxyType(by_aor),
            MappingProxyType({(user.tenant, user.name): user for user in by_aor.values()}),
            MappingProxyType({tenant.name: tenant for tenant in tenants}),
        )

    def is_emergency(self, tenant: str, number: str) -> bool:
        """Whether a caller of this tenant calls for help."""
        row = self.tenants.get(tenant)
        return row is not None and is_emergency(number, row.country, row.emergency)


def _unique(kind: str, pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    found: dict[str, T] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{kind} {name} is there twice")
        found[name] = value
    return found


def _known(kind: str, name: str, names: Mapping[str, object]) -> None:
    if name not in names:
        raise ValueError(f"there is no {kind} {name}")
