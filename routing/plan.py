"""The plan of a call: which route, which attempts in which order, and why. Decides only; dialling is the engine's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Final

from santral.routing.numbers import MAX_NUMBER, NO_GROUPS, TemplateError
from santral.routing.routes import Destination, Route, RoutingTable, ToEcho, ToPlay, ToReject, ToTrunk
from santral.routing.trunks import Trunk, draw_order, order_targets

FORBIDDEN: Final = 403
NOT_FOUND: Final = 404

PRIORITY: Final = attrgetter("priority")
NO_TURNS: Final[Mapping[str, int]] = {}


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


@dataclass(frozen=True, slots=True)
class DialTrunk:
    """Dial `called` (as the trunk writes numbers) at these target URIs, in this order. `timeout_s` counts ringing."""

    trunk: str
    called: str
    timeout_s: float
    targets: tuple[str, ...]
    why: str = ""


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
class Reject:
    """Refuse with this SIP status."""

    status: int
    why: str = ""


Attempt = DialTrunk | Echo | Play | Reject


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with a call. `refusal` is the status to refuse it with when there is nothing to attempt."""

    route: str | None
    tenant: str
    attempts: tuple[Attempt, ...]
    why: tuple[str, ...]
    refusal: int | None = None
    custom: Mapping[str, str] = field(default_factory=dict)  # of the route


def plan(table: RoutingTable, facts: CallFacts, draw: float = 0.0, turns: Mapping[str, int] = NO_TURNS) -> Plan:
    """Decide about a call. `draw` in [0, 1) settles weights, `turns` counts the calls of each round-robin trunk."""
    return _Decision(table, facts, draw, turns).plan()


class _Decision:
    """One plan in the making: collects the reasons, and spends the draw."""

    __slots__ = ("asked", "draw", "facts", "forbidden", "table", "turns", "why")

    def __init__(self, table: RoutingTable, facts: CallFacts, draw: float, turns: Mapping[str, int]) -> None:
        self.table = table
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
                case ToTrunk() as way:
                    dial = self.dial(route, way, groups, label)
                    if dial is not None:
                        yield dial
                    continue
                case ToPlay(file=file, folder=folder):
                    yield Play(file, folder, label)
                    continue
                case ToEcho():
                    yield Echo(label)
                case ToReject(status=status):
                    yield Reject(status, label)
            if place < len(order):
                self.why.append(f"route {route.name}: nothing after destination {place}, which always ends the call")
            return

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
        targets, self.draw = order_targets(trunk, self.turns.get(trunk.name, 0), self.draw)
        written = trunk.numbering.write(called)
        said = f", {called} written {trunk.numbering}" if written != called else ""
        why = f"{label}, trunk {trunk.name}, {trunk.strategy}{said}"
        return DialTrunk(trunk.name, written, way.timeout_s, targets, why)

    def forbid(self, trunk: Trunk, reason: str) -> None:
        self.forbidden = True
        self.why.append(f"trunk {trunk.name}: {reason}")
