"""What the distributor remembers: queues, agents, those who wait, reservations. Only modules beside it change it."""

from collections.abc import Callable

from santral.routing.acd.estimates import Pace, RecentLevel
from santral.routing.acd.events import Event
from santral.routing.acd.index.items import Item, Reservation
from santral.routing.acd.index.match import Desk, Hall, Lane, Seat
from santral.routing.acd.index.order import Order
from santral.routing.acd.settings import AgentSettings, QueueSettings
from santral.routing.acd.stages import Stage
from santral.routing.acd.tables import NEVER, State


class Queue:
    """A queue with everybody in it. `order` holds them by rank, whatever lane they stand in."""

    def __init__(self, settings: QueueSettings) -> None:
        self.settings = settings
        self.name = settings.name
        self.tenant = settings.tenant
        self.hall = Hall()
        self.order: Order[Item] = Order()
        self.lanes: dict[object, Lane] = {}
        self.stages: dict[object, tuple[Stage, ...]] = {}
        self.is_open = True
        self.is_removed = False
        self.drain = ""  # why those who wait are being sent away; empty: they are not
        self.logged_in = 0
        self.available = 0
        self.offered = 0
        self.highest_tier = 1
        self.reaches: tuple[int, ...] = ()  # the least priorities that its agents serve, in order
        self.pace = Pace()
        self.level = RecentLevel()
        self.numbers: dict[str, str] = {}  # whom a callback is promised to: number -> work


class Agent:
    """An agent. `state` is the cell for being there; each reservation in hand has a cell of its own."""

    def __init__(self, settings: AgentSettings, desk: Desk, now: float, tie: int) -> None:
        self.settings = settings
        self.name = settings.name
        self.tenant = settings.tenant
        self.desk = desk
        self.tie = tie
        self.seats: dict[str, Seat] = {}
        self.wrap_up = settings.wrap_up
        self.rooms: dict[str, int] = {}  # kind -> its bit
        self.everything = 0
        self.has_several = False  # room for more than one thing
        self.state = State.OFFLINE
        self.reason = ""
        self.shown = State.OFFLINE
        self.since = now
        self.idle_since = now
        self.hand: Reservation | None = None  # the first thing in hand, which knows the next
        self.held = 0  # how many
        self.outside = 0
        self.is_reachable = True
        self.rests_until = now
        self.misses = 0
        self.calls = 0
        self.talk = 0.0
        self.is_removed = False
        self.is_wanted = False  # somebody waits, or waited, for this agent alone
        self.due = NEVER

    @property
    def engaged(self) -> tuple[Reservation, ...]:
        """Everything in hand, the oldest first."""
        found, one = [], self.hand
        while one is not None:
            found.append(one)
            one = one.beside
        return tuple(found)

    def take(self, one: Reservation) -> None:
        """Something more in hand."""
        self.held += 1
        if self.hand is None:
            self.hand = one
            return
        last = self.hand
        while last.beside is not None:
            last = last.beside
        last.beside = one

    def put_down(self, one: Reservation) -> None:
        """Something less. It is in hand."""
        self.held -= 1
        if self.hand is one:
            self.hand = one.beside
        else:
            before = self.hand
            while before is not None and before.beside is not one:
                before = before.beside
            if before is not None:
                before.beside = one.beside
        one.beside = None


class Floor:
    """Everything there is, and the events of the step at hand."""

    def __init__(self, new_id: Callable[[], str], draw: Callable[[], float]) -> None:
        self.new_id = new_id
        self.draw = draw
        self.ageing = 0.0
        self.queues: dict[str, Queue] = {}
        self.agents: dict[str, Agent] = {}
        self.items: dict[str, Item] = {}
        self.reservations: dict[str, Reservation] = {}
        self.kinds: dict[str, int] = {}
        self.skills: dict[str, int] = {}
        self.deadlines: Order[Agent | Reservation] = Order()
        self.waits: Order[Item] = Order()  # deadlines of those who wait, who are many, apart from the others
        self.stale: dict[str, Queue] = {}  # queues whose idle agents and people have to be looked at again
        self.draining: dict[str, Queue] = {}
        self.orphans: list[Lane] = []  # lanes of agents who went away
        self.out: list[Event] = []
        self.last_tie = 0  # the number of the last thing made

    def next_tie(self) -> int:
        self.last_tie += 1
        return self.last_tie

    def number_of_kind(self, kind: str) -> int:
        return self.kinds.setdefault(kind, len(self.kinds))

    def number_of_skill(self, skill: str) -> int:
        return self.skills.setdefault(skill, len(self.skills))

    def arm(self, thing: Agent | Reservation, at: float) -> None:
        """The one deadline of a thing, or `NEVER`."""
        if thing.due == at:
            return
        if thing.due != NEVER:
            self.deadlines.discard(thing.due, 0.0, 0.0, thing.tie)
        thing.due = at
        if at != NEVER:
            self.deadlines.add(at, 0.0, 0.0, thing.tie, thing)

    def arm_item(self, item: Item, at: float) -> None:
        """The one deadline of somebody who waits, or `NEVER`. At one moment who has the better rank comes first."""
        if item.due == at:
            return
        if item.due != NEVER:
            self.waits.discard(item.due, item.rank, 0.0, item.tie)
        item.due = at
        if at != NEVER:
            self.waits.add(at, item.rank, 0.0, item.tie, item)

    def next_due(self) -> float:
        """The earliest of all; infinity if there is none."""
        return min(self.deadlines.first_key(), self.waits.first_key())
