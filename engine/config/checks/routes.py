"""What must hold for numbers and routes: tenants agree, trunks may be used, templates fit, sounds exist."""

from collections import Counter
from typing import Final

from santral.engine.config.convert import home_numbering
from santral.engine.config.draft import Draft, Placed
from santral.engine.config.problems import KeyPath
from santral.engine.config.sounds import SoundError, find_sound
from santral.engine.config.tables.routes import DestinationTable, NumberTable, RouteTable
from santral.routing.numbers import Template

BUILT_IN: Final = frozenset({"called", "caller"})  # names every template can use


def check_routes(draft: Draft) -> None:
    tenants = {one.table.name: tenant_of(draft, one) for one in draft.routes}
    for number in draft.numbers:
        check_number(draft, number, tenants)
    check_twice(draft)
    for route in draft.routes:
        check_source(draft, route)
        names = check_groups(draft, route)
        check_order(draft, route)
        for place, destination in enumerate(route.table.destinations):
            path: KeyPath = (*route.path, "destinations", place)
            if destination.trunk is not None:
                check_dial(draft, route.table, path, destination, tenants[route.table.name])
                check_template(draft, path, destination, names)
            if destination.user is not None:
                check_ring(draft, path, destination.user, names, tenants[route.table.name])
            if destination.queue is not None:
                check_queue(draft, (*path, "queue"), destination.queue, tenants[route.table.name])
            if destination.message is not None:
                check_message(draft, (*path, "message"), destination.message, tenants[route.table.name])
            if destination.conference is not None:
                check_slots(draft, (*path, "conference"), destination.conference, names)
            if destination.play is not None:
                check_sound(draft, (*path, "play"), destination.play, tenants[route.table.name])


def check_conferences(draft: Draft) -> None:
    """Their tenants and sounds are there, and no two of a tenant have one name."""
    seen: set[tuple[str, str]] = set()
    for one in draft.conferences:
        row = one.table
        draft.refer((*one.path, "tenant"), "tenant", row.tenant)
        if (row.tenant, row.name) in seen:
            draft.blame((*one.path, "name"), f"{row.name} is there twice")
        seen.add((row.tenant, row.name))
        for key, sound in (("join_sound", row.join_sound), ("leave_sound", row.leave_sound)):
            if sound is not None:
                check_sound(draft, (*one.path, key), sound, row.tenant)


def tenant_of(draft: Draft, route: Placed[RouteTable]) -> str | None:
    """The route's tenant, its own or its trunk's; `None` where neither is known."""
    if route.table.tenant is not None:
        return route.table.tenant
    trunk = draft.trunk_named.get(route.table.from_trunk)
    return trunk.tenant if trunk else None


def check_number(draft: Draft, number: Placed[NumberTable], tenants: dict[str, str | None]) -> None:
    row = number.table
    draft.refer((*number.path, "tenant"), "tenant", row.tenant)
    draft.refer((*number.path, "route"), "route", row.route)
    owner = tenants.get(row.route)
    if owner is not None and owner != row.tenant:
        draft.blame((*number.path, "route"), f"route {row.route} belongs to tenant {owner}, not to {row.tenant}")


def check_twice(draft: Draft) -> None:
    """Two spellings of one number are one number. Equal spellings are blamed with the names."""
    seen: dict[str, str] = {}
    for one in draft.numbers:
        owner = draft.tenant_named.get(one.table.tenant)
        normal = home_numbering(owner.country if owner else None).read(one.table.number)
        first = seen.setdefault(normal, one.table.number)
        if first != one.table.number:
            draft.blame((*one.path, "number"), f"is the same number as {first}: {normal}")


def check_source(draft: Draft, route: Placed[RouteTable]) -> None:
    """A route has a tenant, and takes calls from a trunk of that tenant or from a shared one."""
    row = route.table
    if row.tenant is not None:
        draft.refer((*route.path, "tenant"), "tenant", row.tenant)
    if row.from_trunk is None:
        if row.tenant is None:
            draft.blame(route.path, f"route {row.name} needs a tenant, or a from_trunk to take it from")
        return
    draft.refer((*route.path, "from_trunk"), "trunk", row.from_trunk)
    trunk = draft.trunk_named.get(row.from_trunk)
    if trunk is None:
        return
    if row.tenant not in (None, trunk.tenant) and not trunk.shared:
        draft.blame(
            (*route.path, "from_trunk"), f"trunk {trunk.name} belongs to tenant {trunk.tenant} and is not shared"
        )
    if not trunk.accept_from and not trunk.register_ and trunk.auth_inbound == "ip":
        draft.blame((*route.path, "from_trunk"), f"trunk {trunk.name} takes no calls: it has no accept_from")


def check_groups(draft: Draft, route: Placed[RouteTable]) -> frozenset[str]:
    """The names this route's templates can use; a name must mean one thing."""
    found: Counter[str] = Counter()
    for key, pattern in (("called", route.table.called), ("caller", route.table.caller)):
        for name in pattern.groups if pattern else ():
            found[name] += 1
            if name in BUILT_IN:
                draft.blame((*route.path, key), f"the group cannot be named {name}: that is the whole number")
            elif found[name] > 1:
                draft.blame((*route.path, key), f"the group {name} is in called too")
    return BUILT_IN | found.keys()


def check_order(draft: Draft, route: Placed[RouteTable]) -> None:
    """Priorities on all destinations or on none; nothing behind one that always ends the call."""
    destinations = route.table.destinations
    path: KeyPath = (*route.path, "destinations")
    bare = [place for place, one in enumerate(destinations) if one.priority is None]
    if bare and len(bare) < len(destinations):
        draft.blame((*path, bare[0]), "needs a priority, as other destinations of this route have one")
    if all(one.priority is None and one.weight is None for one in destinations):
        for place, one in enumerate(destinations[:-1]):
            if one.echo or one.agent or one.reject is not None:
                draft.warn((*path, place + 1), f"is never tried: destination {place + 1} always ends the call")
                break


def check_dial(
    draft: Draft, route: RouteTable, path: KeyPath, destination: DestinationTable, tenant: str | None
) -> None:
    """No open relay: the trunk is the tenant's own or shared, and a call from a trunk needs the route to name it."""
    here = (*path, "trunk")
    draft.refer(here, "trunk", str(destination.trunk))
    trunk = draft.trunk_named.get(destination.trunk)
    if trunk is not None and tenant is not None and trunk.tenant != tenant and not trunk.shared:
        draft.blame(here, f"trunk {trunk.name} belongs to tenant {trunk.tenant} and is not shared")
    if trunk is not None and not trunk.targets:
        draft.blame(here, f"trunk {trunk.name} has no targets")
    callers = {one.table.tenant for one in draft.users}
    callers |= {one.table.tenant for one in draft.queues if one.table.callback is not None}  # calls of our own
    if route.from_trunk is None and tenant not in callers:
        draft.blame(here, f"calls between trunks need from_trunk in route {route.name}")


def check_queue(draft: Draft, path: KeyPath, name: str, tenant: str | None) -> None:
    """It is there, and of the tenant."""
    draft.refer(path, "queue", name)
    owner = next((one.table.tenant for one in draft.queues if one.table.name == name), None)
    if tenant is not None and owner not in (None, tenant):
        draft.blame(path, f"queue {name} belongs to tenant {owner}")


def check_message(draft: Draft, path: KeyPath, name: str, tenant: str | None) -> None:
    """The message is there, and of this tenant."""
    draft.refer(path, "message", name)
    owner = next((one.table.tenant for one in draft.messages if one.table.name == name), None)
    if tenant is not None and owner not in (None, tenant):
        draft.blame(path, f"message {name} belongs to tenant {owner}")


def check_template(draft: Draft, path: KeyPath, destination: DestinationTable, names: frozenset[str]) -> None:
    if destination.called is not None:
        check_slots(draft, (*path, "called"), destination.called, names)


def check_slots(draft: Draft, path: KeyPath, template: Template, names: frozenset[str]) -> None:
    for name in sorted(template.names - names):
        draft.blame(path, f"there is no {{{name}}} here: {', '.join(sorted(names))}")


def check_ring(draft: Draft, path: KeyPath, user: Template, names: frozenset[str], tenant: str | None) -> None:
    """The user is there, unless the name depends on the call."""
    check_slots(draft, (*path, "user"), user, names)
    if user.names or tenant is None or ("user", str(user)) in draft.broken:
        return
    if (tenant, str(user)) not in {(one.table.tenant, one.table.name) for one in draft.users}:
        draft.blame((*path, "user"), f"tenant {tenant} has no user {user}")


def check_sound(draft: Draft, path: KeyPath, play: str, tenant: str | None) -> None:
    owner = draft.tenant_named.get(tenant)
    try:
        find_sound(play, owner.sounds if owner else None, owner.language if owner else None)
    except SoundError as problem:
        draft.blame(path, str(problem))
