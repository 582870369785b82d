"""The plan of a call: which route, which attempts in which order, and why. Decides only; dialling is the engine's."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Final

from santral.routing.numbers import MAX_NUMBER, NO_GROUPS, Template, TemplateError
from santral.routing.routes import (
    NO_RIGHTS,
    RING_S,
    Destination,
    Route,
    RoutingTable,
    ToAgent,
    ToConference,
    ToEcho,
    ToMessage,
    ToPlay,
    ToQueue,
    ToReject,
    ToTrunk,
    ToUser,
)
from santral.routing.screening import objection
from santral.routing.trunks import Trunk, draw_order, order_targets

FORBIDDEN: Final = 403
NOT_FOUND: Final = 404

PRIORITY: Final = attrgetter("priority")
NO_TURNS: Final[Mapping[str, int]] = {}
NOTHING_DOWN: Final[Set[tuple[str, str]]] = frozenset()


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What a plan depends on. `trunk` is the source trunk (empty for a call that came on none), `at` is aware.

    Numbers are in their normal form; `wrote` says how the peer wrote them (caller, called), where that is known.
    """

    trunk: str
    tenant: str
    caller: str
    called: str
    at: datetime
    wrote: tuple[str, str] = ("", "")
    user: str = ""  # address of record of the user who calls; `trunk` is empty then
    is_own: bool = False  # made by command, for the tenant

    @property
    def source(self) -> str:
        """Where the call comes from, in events and records: a trunk, or a user's address of record."""
        return self.trunk or self.user


@dataclass(frozen=True, slots=True)
class DialTrunk:
    """Dial `called` (as the trunk writes numbers) at these target URIs, in this order. `timeout_s` counts ringing."""

    trunk: str
    called: str
    timeout_s: float
    targets: tuple[str, ...]
    why: str = ""
    caller: str | None = None  # the number to show; None: as the call has it, "": none
    is_emergency: bool = False  # exempt from limits but one of its own


@dataclass(frozen=True, slots=True)
class DialUser:
    """Ring the phones of the user with this address of record. `timeout_s` counts ringing."""

    user: str
    timeout_s: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class DialAddress:
    """Dial a SIP address that somebody named, where addresses may be named at all: no plan makes it, the engine does.

    `target` is the URI without its user part, which is `called`; `interface` the network it is reached by.
    """

    called: str
    target: str
    interface: str
    timeout_s: float = RING_S
    why: str = ""


Dialled = DialTrunk | DialUser | DialAddress


@dataclass(frozen=True, slots=True)
class Echo:
    """Answer, and send back what is heard."""

    why: str = ""


@dataclass(frozen=True, slots=True)
class Play:
    """Answer and play `file`, which has to stand inside `folder`; both are absolute."""

    file: str
    folder: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Confer:
    """Answer, and join the conference of this name."""

    room: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Wait in this queue, for `timeout_s` at most (None: as long as the queue lets callers wait)."""

    queue: str
    timeout_s: float | None = None
    why: str = ""
    points: int = 0  # against others in the queue
    skills: tuple[tuple[str, int], ...] = ()  # that the agent must have, and their least levels


@dataclass(frozen=True, slots=True)
class TakeMessage:
    """Answer, and have the caller leave the message of this name."""

    message: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class ActAsAgent:
    """Answer, and do this to the state of the agent whose phone calls."""

    what: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class MeetAgent:
    """Connect who is on the line with an agent who stays on it, too, as soon as that one has accepted."""

    agent: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse with this SIP status."""

    status: int
    why: str = ""


GoesOn = ToTrunk | ToUser | ToPlay | ToConference | ToQueue | ToMessage
Attempt = Dialled | Echo | Play | Confer | Enqueue | TakeMessage | ActAsAgent | MeetAgent | Reject


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with a call. `refusal` is the status to refuse it with when there is nothing to attempt."""

    route: str | None
    tenant: str
    attempts: tuple[Attempt, ...]
    why: tuple[str, ...]
    refusal: int | None = None
    custom: Mapping[str, str] = field(default_factory=dict)  # of the route


def plan(
    table: RoutingTable,
    facts: CallFacts,
    draw: float = 0.0,
    turns: Mapping[str, int] = NO_TURNS,
    down: Set[tuple[str, str]] = NOTHING_DOWN,
) -> Plan:
    """Decide about a call. `draw` in [0, 1) settles weights, `turns` counts the calls of each round-robin trunk; `down`
    are the targets that do not answer, as trunk and URI.
    """
    return _Decision(table, facts, draw, turns, down).plan()


class _Decision:
    """One plan in the making: collects the reasons, and spends the draw."""

    __slots__ = ("asked", "down", "draw", "facts", "forbidden", "table", "turns", "why")

    def __init__(
        self, table: RoutingTable, facts: CallFacts, draw: float, turns: Mapping[str, int], down: Set[tuple[str, str]]
    ) -> None:
        self.table = table
        self.down = down
        self.facts = facts
        self.draw = draw
        self.turns = turns
        self.why: list[str] = []
        self.asked: Route | None = None  # the route of the number, if it did not fit
        self.forbidden = False  # whether a rule, not the facts, left a destination out

    def plan(self) -> Plan:
        for what, wrote, number in zip(
            ("caller", "called"), self.facts.wrote, (self.facts.caller, self.facts.called), strict=True
        ):
            if wrote and wrote != number:
                self.why.append(f"{what} {wrote[:MAX_NUMBER]} is {number[:MAX_NUMBER]}")
        if self.facts.user and self.table.is_emergency(self.facts.tenant, self.facts.called):
            calls = tuple(self.help())
            if calls:
                return Plan(None, self.facts.tenant, calls, tuple(self.why))
        chosen = self.by_number() or self.by_order()
        if chosen is None:
            self.why.append(f"no route for {self.facts.called[:MAX_NUMBER]}")
            return Plan(None, self.facts.tenant, (), tuple(self.why), NOT_FOUND)
        route, groups = chosen
        attempts = tuple(self.attempts(route, groups))
        if attempts:
            return Plan(route.name, route.tenant, attempts, tuple(self.why), custom=route.custom)
        self.why.append(f"route {route.name}: no destination is left")
        refusal = FORBIDDEN if self.forbidden else NOT_FOUND
        return Plan(route.name, route.tenant, (), tuple(self.why), refusal, route.custom)

    def by_number(self) -> tuple[Route, Mapping[str, str]] | None:
        """The route of an exact number, if its filters hold."""
        row = self.table.numbers.get(self.facts.called)
        if row is None:
            return None
        route = self.table.by_name[row.route]
        if row.tenant != route.tenant:
            self.why.append(f"number {row.number}: route {route.name} is of another tenant")
            return None
        groups = self.fit(route, owned=True)
        if groups is None:
            self.asked = route
            self.why.append(f"number {row.number}: leads to route {route.name}, which does not fit")
            return None
        self.why.append(f"number {row.number}: leads to route {route.name}")
        return route, groups

    def by_order(self) -> tuple[Route, Mapping[str, str]] | None:
        """The first route in file order whose filters hold."""
        for place, route in enumerate(self.table.routes, start=1):
            groups = None if route is self.asked else self.fit(route, owned=False)
            if groups is None:
                continue
            later = len(self.table.routes) - place
            if later:
                self.why.append(f"later routes not asked ({later}): the first that fits decides")
            return route, groups
        return None

    def fit(self, route: Route, *, owned: bool) -> Mapping[str, str] | None:
        """The named groups of a route's patterns where all its filters hold, else `None`; the reason is noted."""
        facts, held, groups = self.facts, [], NO_GROUPS
        if route.from_trunk is not None:
            if route.from_trunk != facts.trunk:
                self.refuse(route, f"only from trunk {route.from_trunk}")
                return None
            held.append(f"from trunk {route.from_trunk}")
        if route.tenant != facts.tenant and not self.brought_in(route, owned):
            self.refuse(route, "other tenant")
            return None
        for what, pattern, text in (("called", route.called, facts.called), ("caller", route.caller, facts.caller)):
            if pattern is None:
                continue
            found = pattern.match(text)
            if found is None:
                self.refuse(route, f"{what} does not match {pattern.source}")
                return None
            held.append(f"{what} matches {pattern.source}")
            groups = {**groups, **found} if found else groups
        if route.hours:
            clock = route.hours[0].clock(facts.at)
            if not any(hours.is_open(facts.at) for hours in route.hours):
                self.refuse(route, f"closed at {clock}")
                return None
            held.append(f"open at {clock}")
        self.why.append(f"route {route.name}: fits ({', '.join(held) or 'it asks for nothing'})")
        return groups

    def refuse(self, route: Route, reason: str) -> None:
        self.why.append(f"route {route.name}: {reason}")

    def brought_in(self, route: Route, owned: bool) -> bool:
        """Whether a shared trunk brings the call to this other tenant: to their number, or by a route naming it."""
        source = self.table.trunks.get(self.facts.trunk)
        return source is not None and source.shared and (owned or route.from_trunk is not None)

    def attempts(self, route: Route, groups: Mapping[str, str]) -> Iterator[Attempt]:
        """The attempts in order. Those that cannot be made go into the reasons; nothing comes after a sure ending."""
        order = self.in_order(route.destinations)
        for place, destination in enumerate(order, start=1):
            label = f"route {route.name}: destination {place} of {len(order)}"
            match destination.what:
                case ToAgent(what=what):
                    yield ActAsAgent(what, f"{label}, agent {what}")
                case ToEcho():
                    yield Echo(label)
                case ToReject(status=status):
                    yield Reject(status, label)
                case way:
                    attempt = self.attempt(route, way, groups, label)
                    if attempt is not None:
                        yield attempt
                    continue
            if place < len(order):
                self.why.append(f"route {route.name}: nothing after destination {place}, which always ends the call")
            return

    def attempt(self, route: Route, way: GoesOn, groups: Mapping[str, str], label: str) -> Attempt | None:
        """The attempt at a destination behind which there may be others; None when it cannot be made."""
        match way:
            case ToTrunk():
                return self.dial(route, way, groups, label)
            case ToUser():
                return self.ring(route, way, groups, label)
            case ToPlay(file=file, folder=folder):
                return Play(file, folder, label)
            case ToConference(room=room):
                return self.confer(room, groups, label)
            case ToQueue():
                return Enqueue(way.queue, way.timeout_s, f"{label}, queue {way.queue}", way.points, way.skills)
            case ToMessage(message=message):
                return TakeMessage(message, f"{label}, message {message}")

    def in_order(self, destinations: tuple[Destination, ...]) -> list[Destination]:
        """Lower priorities first; within one by weight if any has one (the others count 1), else as written."""
        if all(one.priority == 0 and one.weight is None for one in destinations):
            return list(destinations)
        ordered: list[Destination] = []
        for _, group in groupby(sorted(destinations, key=PRIORITY), key=PRIORITY):
            same = list(group)
            if len(same) > 1 and any(one.weight is not None for one in same):
                weights = [1 if one.weight is None else one.weight for one in same]
                same, self.draw = draw_order(same, weights, self.draw)
                self.why.append(f"destinations of priority {same[0].priority} drawn by weight")
            ordered += same
        return ordered

    def help(self) -> Iterator[DialTrunk]:
        """A user calls for help: every emergency trunk of the tenant, whatever routes and rights say."""
        for trunk in self.table.trunks.values():
            if trunk.emergency and trunk.targets and (trunk.tenant == self.facts.tenant or trunk.shared):
                self.why.append(f"{self.facts.called} is an emergency number: trunk {trunk.name}")
                written, targets = trunk.numbering.write(self.facts.called), self.targets(trunk)
                why = f"emergency, trunk {trunk.name}"
                yield DialTrunk(trunk.name, written, RING_S, targets, why, self.shown(trunk), is_emergency=True)

    def ring(self, route: Route, way: ToUser, groups: Mapping[str, str], label: str) -> DialUser | None:
        try:
            name = way.user.render({**groups, "called": self.facts.called, "caller": self.facts.caller})
        except (TemplateError, KeyError) as problem:
            self.why.append(f"user {way.user}: {problem}")
            return None
        user = self.table.names.get((route.tenant, name))
        if user is None:
            self.why.append(f"there is no user {name}")
            return None
        return DialUser(user.aor, way.timeout_s, f"{label}, user {name}")

    def confer(self, room: Template, groups: Mapping[str, str], label: str) -> Confer | None:
        try:
            name = room.render({**groups, "called": self.facts.called, "caller": self.facts.caller})
        except (TemplateError, KeyError) as problem:
            self.why.append(f"conference {room}: {problem}")
            return None
        if not name:
            self.why.append(f"conference {room}: has no name for this call")
            return None
        return Confer(name, f"{label}, conference {name}")

    def screened(self, called: str, trunk: Trunk) -> str | None:
        """Why the user who calls, or the tenant by command, may not call this number, as it is meant or as this trunk
        may take it; None for calls that come from elsewhere.
        """
        user = self.table.users.get(self.facts.user)
        if user is None and not self.facts.is_own:
            return None
        tenant = self.table.tenants.get(self.facts.tenant if user is None else user.tenant)
        country = tenant.country if tenant else None
        rights = user.rights if user is not None else tenant.rights if tenant is not None else NO_RIGHTS
        reached = trunk.numbering.understands(trunk.numbering.write(called))
        return objection(called, country, rights) or objection(reached, country, rights)

    def shown(self, trunk: Trunk) -> str | None:
        """The number a user's call shows: the one of ours that the phone gave, else the user's own, else none."""
        user = self.table.users.get(self.facts.user)
        if user is None and not self.facts.is_own:
            return None
        tenant = self.facts.tenant if user is None else user.tenant
        owned = self.table.numbers.get(self.facts.caller)
        if owned is not None and owned.tenant == tenant:
            return None
        self.why.append(f"trunk {trunk.name}: {self.facts.caller[:MAX_NUMBER]} is no number of {tenant}")
        return "" if user is None else user.number

    def targets(self, trunk: Trunk) -> tuple[str, ...]:
        """In the trunk's order; those that are down are left out, unless all are."""
        targets, self.draw = order_targets(trunk, self.turns.get(trunk.name, 0), self.draw)
        up = tuple(one for one in targets if (trunk.name, one) not in self.down)
        if len(up) < len(targets):
            self.why.append(f"trunk {trunk.name}: {len(targets) - len(up)} of {len(targets)} targets down")
        return up or targets

    def dial(self, route: Route, way: ToTrunk, groups: Mapping[str, str], label: str) -> DialTrunk | None:
        trunk = self.table.trunks[way.trunk]
        if trunk.tenant != route.tenant and not trunk.shared:
            self.forbid(trunk, "other tenant")
            return None
        if self.facts.trunk and route.from_trunk is None:
            self.forbid(trunk, f"calls between trunks need from_trunk in route {route.name}")
            return None
        if not trunk.targets:
            self.why.append(f"trunk {trunk.name}: has no targets")
            return None
        try:
            called = way.called.render({**groups, "called": self.facts.called, "caller": self.facts.caller})
        except (TemplateError, KeyError) as problem:
            self.why.append(f"trunk {trunk.name}: {problem}")
            return None
        refusal = self.screened(called, trunk)
        if refusal is not None:
            self.forbid(trunk, f"{called} is {refusal}")
            return None
        is_emergency = trunk.emergency and self.table.is_emergency(self.facts.tenant, called)
        targets = self.targets(trunk)
        written = trunk.numbering.write(called)
        said = f", {called} written {trunk.numbering}" if written != called else ""
        why = f"{label}, trunk {trunk.name}, {trunk.strategy}{said}"
        return DialTrunk(trunk.name, written, way.timeout_s, targets, why, self.shown(trunk), is_emergency)

    def forbid(self, trunk: Trunk, reason: str) -> None:
        self.forbidden = True
        self.why.append(f"trunk {trunk.name}: {reason}")
