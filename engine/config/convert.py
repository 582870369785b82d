"""From the configuration to the values `routing` decides on. No decision of its own."""

from types import MappingProxyType

from santral.engine.calls.crossing import HeaderRule, Policy
from santral.engine.config.model import Config
from santral.engine.config.sounds import find_sound
from santral.engine.config.tables.peers import TrunkTable, UserTable
from santral.engine.config.tables.routes import DestinationTable, NumberTable, RouteTable, TenantTable
from santral.routing.numbering import AS_IT_IS, Numbering
from santral.routing.numbers import Template
from santral.routing.routes import (
    RING_S,
    THE_SAME,
    Destination,
    Number,
    Route,
    RoutingTable,
    Tenant,
    ToAgent,
    ToConference,
    ToEcho,
    ToMessage,
    ToPlay,
    ToQueue,
    ToReject,
    ToTrunk,
    ToUser,
    User,
)
from santral.routing.screening import Rights
from santral.routing.trunks import Strategy, Target, Trunk


def routing_table(config: Config) -> RoutingTable:
    """The table that plans are made from. Raises ValueError for a configuration that was not checked."""
    return RoutingTable.build(
        [routing_trunk(trunk, numbering_of(config, trunk)) for trunk in config.trunk],
        [_route(config, route) for route in config.route],
        _numbers(config),
        [_user(config, user) for user in config.user],
        [_tenant(one) for one in config.tenant],
    )


def aor_of(config: Config, user: UserTable) -> str:
    """A user's address of record. Raises ValueError for an unchecked configuration."""
    domain = config.tenants[user.tenant].domain
    if domain is None:
        raise ValueError(f"tenant {user.tenant} has no domain")
    return f"{user.name}@{domain}"


def _user(config: Config, user: UserTable) -> User:
    numbering = home_numbering(config.tenants[user.tenant].country)
    rights = Rights(user.international, user.premium)
    return User(user.name, user.tenant, aor_of(config, user), rights, numbering.read(user.number or ""))


def numbering_of(config: Config, trunk: TrunkTable) -> Numbering:
    """How a trunk writes numbers: in its own format, at home in its tenant's country."""
    return Numbering(trunk.number_format, config.tenants[trunk.tenant].country)


def policy_of(config: Config, trunk: TrunkTable, our_host: str) -> Policy:
    """What the trunk is believed and told of the other side of its calls. `our_host`: where it names no from_domain."""
    return Policy(
        host=trunk.from_domain or our_host,
        numbering=numbering_of(config, trunk),
        trust=trunk.trust,
        identity=trunk.identity,
        caller_name=trunk.caller_name == "pass",
        user_phone=trunk.user_phone,
        diversion=trunk.diversion,
        user_to_user=trunk.user_to_user,
        session_id=trunk.session_id,
        rules=tuple(HeaderRule(row.direction, row.action, row.name, row.value, row.to or "") for row in trunk.header),
        x_headers=trunk.x_headers,
    )


def _tenant(one: TenantTable) -> Tenant:
    return Tenant(one.name, one.country, frozenset(one.emergency), Rights(one.international, one.premium))


def home_numbering(country: str | None) -> Numbering:
    """How people write numbers of their own: E.164, or as they are dialled in their country."""
    return Numbering("national", country) if country else AS_IT_IS


def _numbers(config: Config) -> list[Number]:
    """Each number in its normal form, and as it is written: a trunk may send it in that form all the same."""
    found: dict[str, Number] = {}
    for row in config.number:
        number = home_numbering(config.tenants[row.tenant].country).read(row.number)
        found[number] = _number(number, row)
    for row in config.number:
        found.setdefault(row.number, _number(row.number, row))
    return list(found.values())


def _number(number: str, row: NumberTable) -> Number:
    return Number(number, row.tenant, row.route, row.caller_name or "")


def routing_trunk(trunk: TrunkTable, numbering: Numbering = AS_IT_IS) -> Trunk:
    return Trunk(
        name=trunk.name,
        tenant=trunk.tenant,
        targets=tuple(Target(str(target.uri), target.weight) for target in trunk.targets),
        strategy=Strategy(trunk.strategy),
        shared=trunk.shared,
        emergency=trunk.emergency,
        auth_inbound=trunk.auth_inbound,
        accept_from=trunk.accept_from,
        names=_names(trunk),
        match_interface=trunk.match_interface,
        match_domain=trunk.match_domain,
        match_called=trunk.match_called,
        match_trunk_group=trunk.match_trunk_group and trunk.match_trunk_group.lower(),
        numbering=numbering,
    )


def _names(trunk: TrunkTable) -> tuple[str, ...]:
    """Whom a caller's certificate must name; empty for trunks that are known by address."""
    if trunk.auth_inbound != "tls":
        return ()
    return trunk.tls_names or tuple(dict.fromkeys(target.uri.host.lower().rstrip(".") for target in trunk.targets))


def tenant_of(config: Config, route: RouteTable) -> str:
    """A route's tenant: its own, else its trunk's (no route is without). Raises KeyError for an unchecked one."""
    return route.tenant if route.tenant is not None else config.trunks[route.from_trunk or ""].tenant


def _route(config: Config, route: RouteTable) -> Route:
    tenant = tenant_of(config, route)
    return Route(
        name=route.name,
        tenant=tenant,
        destinations=tuple(_destination(config, tenant, one) for one in route.destinations),
        from_trunk=route.from_trunk,
        called=route.called,
        caller=route.caller,
        hours=route.hours,
        custom=MappingProxyType(dict(route.custom)),
    )


def _destination(config: Config, tenant: str, table: DestinationTable) -> Destination:
    what: ToTrunk | ToUser | ToEcho | ToPlay | ToConference | ToQueue | ToMessage | ToAgent | ToReject
    if table.trunk is not None:
        called: Template = table.called or THE_SAME
        what = ToTrunk(table.trunk, called, RING_S if table.timeout is None else table.timeout)
    elif table.user is not None:
        what = ToUser(table.user, RING_S if table.timeout is None else table.timeout)
    elif table.play is not None:
        sound = find_sound(table.play, config.tenants[tenant].sounds, config.tenants[tenant].language)
        what = ToPlay(str(sound.file), str(sound.folder))
    elif table.conference is not None:
        what = ToConference(table.conference)
    elif table.queue is not None:
        what = ToQueue(table.queue, table.timeout, table.points or 0, tuple((table.skills or {}).items()))
    elif table.message is not None:
        what = ToMessage(table.message)
    elif table.agent is not None:
        what = ToAgent(table.agent)
    elif table.reject is not None:
        what = ToReject(table.reject)
    else:
        what = ToEcho()
    return Destination(what, table.priority or 0, table.weight)
