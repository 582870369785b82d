"""Who may take whom, and who comes first: the two searches of the distributor, on plain memory.

People who may be taken by the same agents stand in one lane; a hall is a queue, with its lanes and the seats of its
agents; a desk is an agent. A lane that is not empty has no idle agent who may take somebody from it: the distributor
keeps it so, which is why an arrival in such a lane needs no search.

A desk that comes free looks at the first of each lane of its halls: people cost nothing here, lanes do. An arrival
looks at idle seats in their order, until one may take it.
"""

from libc.math cimport INFINITY
from libc.stdlib cimport free
from libc.string cimport memcpy, memmove

from santral.routing.acd.index.memory cimport LINE, aligned, fetch, fetch_lines
from santral.routing.acd.index.order cimport Order, comes_before, is_same, node_t

cdef enum:
    ALL_STEPS = 1000
    FEWEST_GATES = 16
    FETCHED_GATES = 12  # of each hall, before the first of them is looked at
    LINES_OF_AN_ITEM = 4
    LINES_OF_A_SEAT = 2
    LINES_OF_A_HALL = 2
    LINES_OF_AN_OBJECT = 3


cdef inline bint may_take(Desk desk, place_t *place, gate_t *gate, int lowest_tier) noexcept:
    cdef const unsigned char *needs = gate.needs
    cdef const unsigned char *levels = desk.levels
    cdef int i, skill
    if not desk.kinds & gate.kind:
        return False
    if place.tier > lowest_tier + gate.steps or place.min_priority > gate.reach:
        return False
    if gate.only != NULL and gate.only != <void *>desk:
        return False
    if gate.count > NEEDS_AT_HAND:
        memcpy(&needs, gate.needs, sizeof(needs))
    for i in range(0, 3 * gate.count, 3):
        skill = needs[i] * 256 + needs[i + 1]
        if skill >= desk.known or levels[skill] < needs[i + 2]:
            return False
    return True


cdef inline bint seat_may_take(Seat seat, Lane lane) noexcept:
    return may_take(seat.desk, &seat.place, &lane.gate, lane.hall.lowest_tier)


cpdef fetch_object(object thing):
    """Ask for the begin of an object that is needed soon."""
    fetch_lines(<void *>thing, LINES_OF_AN_OBJECT)


cpdef fetch_ways(Order everybody, Order waits, Lane lane, double rank, double stood, double due, long long tie):
    """Ask for all that lies on somebody's ways through three trees: at once, where each by itself would wait at every step."""
    cdef node_t *one = everybody.nodes
    cdef node_t *two = waits.nodes
    cdef node_t *three = lane.waiting.nodes
    cdef int n = everybody.root
    cdef int m = waits.root if due < INFINITY else 0
    cdef int k = lane.waiting.root
    while n or m or k:
        if n:
            n = step_to(&one[n], rank, 0.0, tie)
            fetch(&one[n])
        if m:
            m = step_to(&two[m], due, rank, tie)
            fetch(&two[m])
        if k:
            k = step_to(&three[k], stood, 0.0, tie)
            fetch(&three[k])


cdef inline int step_to(node_t *x, double a, double b, long long tie) noexcept:
    if is_same(x, a, b, 0.0, tie):
        return 0
    return x.right if comes_before(x, a, b, 0.0, tie) else x.left


cdef class Walk:
    """Over an Order from its first to its last. Nothing may be added or taken out meanwhile."""

    cdef Order order
    cdef int stack[256]
    cdef int depth
    cdef void *item

    def __cinit__(self, Order order not None):
        self.order = order
        self.depth = 0
        self.descend(order.root)

    cdef void descend(self, int n) noexcept:
        while n and self.depth < 256:
            self.stack[self.depth] = n
            self.depth += 1
            n = self.order.nodes[n].left

    cdef bint step(self) noexcept:
        cdef int n
        if self.depth == 0:
            return False
        self.depth -= 1
        n = self.stack[self.depth]
        self.item = self.order.nodes[n].item
        self.descend(self.order.nodes[n].right)
        return True


cdef class Hall:
    """One queue: its lanes that are not empty, and its idle seats in the order of its strategy."""

    def __cinit__(self):
        self.idle = Order()
        self.lanes = []
        self.gates = NULL
        self.capacity = self.count = 0
        self.seats = []
        self.on_duty = [0]
        self.lowest_tier = 1

    def __dealloc__(self):
        free(self.gates)

    cdef int open(self, Lane lane) except -1:
        """Somebody stands in this lane."""
        cdef gate_t *grown
        if self.count == self.capacity:
            grown = <gate_t *>aligned(max(FEWEST_GATES, 2 * self.capacity) * sizeof(gate_t))
            if self.count:
                memcpy(grown, self.gates, self.count * sizeof(gate_t))
            free(self.gates)
            self.gates, self.capacity = grown, max(FEWEST_GATES, 2 * self.capacity)
        self.lanes.append(lane)
        self.gates[self.count] = lane.gate
        lane.place = self.count
        self.count += 1
        return 0

    cdef int shut(self, Lane lane) except -1:
        """Nobody does any more: the last one takes its place."""
        cdef Lane last = self.lanes.pop()
        self.count -= 1
        if last is not lane:
            self.lanes[lane.place] = last
            self.gates[lane.place] = self.gates[self.count]
            last.place = lane.place
        lane.place = -1
        return 0

    def duty(self, int tier, int change):
        """One agent more or less of this tier is there; whether that opens the queue to other tiers."""
        cdef int before = self.lowest_tier
        cdef int i
        while len(self.on_duty) <= tier:
            self.on_duty.append(0)
        self.on_duty[tier] += change
        self.lowest_tier = 1
        for i in range(1, len(self.on_duty)):
            if self.on_duty[i] > 0:
                self.lowest_tier = i
                break
        return self.lowest_tier > before

    def active_lanes(self):
        """The lanes somebody stands in."""
        return list(self.lanes)

    def idle_seats(self):
        """How many seats are idle."""
        return len(self.idle)


cdef class Lane:
    """People whom the same agents may take. Of `needs` each is a skill's number and a level."""

    def __cinit__(self, Hall hall not None, object key, int kind, tuple needs not None, int steps, int reach, Desk only):
        cdef list packed = []
        cdef const unsigned char *first
        for skill, level in needs:
            packed += [skill >> 8, skill & 255, level]
        self.hall = hall
        self.key = key
        self.waiting = Order()
        self.needs = bytes(packed)
        self.only = only
        self.place = -1
        self.gate.kind = 1ULL << kind
        self.gate.only = <void *>only if only is not None else NULL
        self.gate.steps = ALL_STEPS if steps < 0 else steps
        self.gate.reach = reach
        self.gate.count = len(needs)
        first = self.needs
        if self.gate.count > NEEDS_AT_HAND:
            memcpy(self.gate.needs, &first, sizeof(first))
        else:
            memcpy(self.gate.needs, first, 3 * self.gate.count)

    def __len__(self):
        return len(self.waiting)

    cdef void look(self) noexcept:
        """Keep who is first at hand for the search. Somebody stands here."""
        cdef gate_t *gate = &self.hall.gates[self.place]
        cdef node_t *node = self.waiting.first_node()
        gate.rank, gate.tie, gate.first = node.a, node.tie, node.item

    cpdef put(self, double rank, long long tie, object item):
        """Somebody stands here from now on, who is kept alive by the caller."""
        self.waiting.insert(rank, 0.0, 0.0, tie, <void *>item)
        if self.place < 0:
            self.hall.open(self)
        self.look()

    cpdef bint take(self, double rank, long long tie):
        """Somebody stands here no longer; whether anybody did."""
        cdef bint found = self.waiting.erase(rank, 0.0, 0.0, tie)
        if self.waiting.root:
            self.look()
        elif self.place >= 0:
            self.hall.shut(self)
        return found

    def first(self):
        """Who comes first here, `None` if nobody stands here."""
        return self.waiting.first()

    cpdef Seat seat(self):
        """The idle seat that comes first of those which may take somebody from here, or `None`."""
        cdef Seat seat
        cdef Walk walk
        if self.only is not None:
            return self.seat_of(self.only)
        walk = Walk(self.hall.idle)
        while walk.step():
            seat = <Seat>walk.item
            if seat_may_take(seat, self):
                return seat
        return None

    cpdef Seat seat_of(self, Desk desk):
        """The seat of this desk, if it is idle and may take somebody from here; else `None`."""
        cdef Seat seat
        for seat in desk.seats:
            if seat.hall is self.hall:
                return seat if seat.is_idle and seat_may_take(seat, self) else None
        return None

    def at_random(self, double draw):
        """One of the idle seats that may take somebody from here, of the lowest tier, by a draw from [0, 1); or `None`.

        From a random place onward to the next that may: those who may not stand anywhere, so each is as likely.
        """
        cdef Seat first = self.seat()
        cdef Seat seat
        cdef Order idle = self.hall.idle
        cdef int low, count, index, i
        if first is None or self.only is not None:
            return first
        low = idle.count_before(first.a, -INFINITY, 0.0, 0)
        count = idle.count_before(first.a + 0.5, -INFINITY, 0.0, 0) - low
        index = <int>(draw * count)
        for i in range(count):
            seat = idle.at(low + (index + i) % count)
            if seat_may_take(seat, self):
                return seat
        return first

    def seats(self, int limit):
        """The idle seats that may take somebody from here, the first `limit` of them in their order."""
        cdef Seat seat
        cdef list found = []
        cdef Walk walk = Walk(self.hall.idle)
        while len(found) < limit and walk.step():
            seat = <Seat>walk.item
            if seat_may_take(seat, self):
                found.append(seat)
        return found

    def best(self, tuple weights not None):
        """The idle seat of the lowest tier with the highest sum of weight times level; with it that sum.

        `weights` are pairs of a skill's number and its weight. Among equals the order of the seats decides.
        """
        cdef Seat seat, found = None
        cdef long score, highest = -1
        cdef double tier = 0
        cdef Walk walk = Walk(self.hall.idle)
        while walk.step():
            seat = <Seat>walk.item
            if found is not None and seat.a > tier:
                break
            if seat_may_take(seat, self):
                score = seat.desk.sum_of(weights)
                if score > highest:
                    found, highest, tier = seat, score, seat.a
        return found, highest


cdef class Desk:
    """One agent, as far as matching goes: levels of skills by their numbers, and the kinds there is room for now."""

    def __cinit__(self, dict levels not None):
        self.known = max(levels, default=-1) + 1
        self.kinds = 0
        self.seats = []
        self.seated = self.idle = 0
        self.block = NULL
        self.lay_out(0)
        for skill in range(self.known):
            self.levels[skill] = levels.get(skill, 0)

    def __dealloc__(self):
        free(self.block)

    cdef int lay_out(self, int places) except -1:
        """Room for so many places, and behind them the levels: what a search reads lies together."""
        cdef void *block = aligned(places * sizeof(place_t) + self.known + 1)
        cdef unsigned char *levels = <unsigned char *>block + places * sizeof(place_t)
        if self.block != NULL:
            memcpy(block, self.block, min(places, self.seated) * sizeof(place_t))
            memcpy(levels, self.levels, self.known)
            free(self.block)
        self.block, self.places, self.levels = block, <place_t *>block, levels
        return 0

    cdef long sum_of(self, tuple weights):
        cdef long found = 0
        cdef int skill, weight
        for skill, weight in weights:
            if skill < self.known:
                found += weight * <int>self.levels[skill]
        return found

    def score(self, tuple weights not None):
        """The sum of weight times level."""
        return self.sum_of(weights)

    cpdef fetch_places(self):
        """What `first` is going to read, in three steps with other work between them: its own memory,"""
        fetch_lines(self.block, (self.seated * sizeof(place_t) + self.known) / LINE + 1)

    cpdef fetch_halls(self):
        """then the halls,"""
        cdef int i
        for i in range(self.seated):
            fetch_lines(self.places[i].hall, LINES_OF_A_HALL)

    cpdef fetch_gates(self):
        """then who is first in each lane."""
        cdef Hall hall
        cdef int i
        for i in range(self.seated):
            hall = <Hall>self.places[i].hall
            fetch_lines(hall.gates, min(hall.count, FETCHED_GATES))

    cpdef object first(self):
        """Who comes first of all whom this desk may take now, by rank less the seat's bonus, or `None`."""
        cdef Hall hall
        cdef place_t *place
        cdef gate_t *gate
        cdef void *found = NULL
        cdef double rank, best = INFINITY
        cdef long long tie = 0
        cdef int i, j
        if self.kinds == 0:
            return None
        for i in range(self.seated):
            place = &self.places[i]
            hall = <Hall>place.hall
            for j in range(hall.count):
                gate = &hall.gates[j]
                rank = gate.rank - place.bonus
                if rank > best or (rank == best and (found != NULL and gate.tie >= tie)):
                    continue
                if may_take(self, place, gate, hall.lowest_tier):
                    found, best, tie = gate.first, rank, gate.tie
                    fetch_lines(found, LINES_OF_AN_ITEM)
                    fetch_lines(place.seat, LINES_OF_A_SEAT)
        return None if found == NULL else <object>found

    cpdef Seat seat_in(self, Hall hall):
        """The seat in this hall, or `None`."""
        cdef int i
        for i in range(self.seated):
            if self.places[i].hall == <void *>hall:
                return <Seat>self.places[i].seat
        return None

    cpdef free(self, unsigned long long kinds):
        """There is room for these kinds; 0: for none, and the desk's seats are idle no longer."""
        self.kinds = kinds

    cpdef bint is_idle(self):
        """Whether any of its seats stands among the idle."""
        return self.idle > 0


cdef class Seat:
    """A desk in a hall. `owner` is the caller's; `turn` when it last had an offer here."""

    def __cinit__(self, Hall hall not None, Desk desk not None, tuple place not None, double bonus, long long tie, object owner):
        self.hall = hall
        self.desk = desk
        self.tier, self.position, self.place.min_priority = place
        self.place.hall, self.place.seat = <void *>hall, <void *>self
        self.place.tier, self.place.bonus = self.tier, bonus
        self.tie = tie
        self.owner = owner
        self.is_idle = False
        self.turn = 0

    cpdef wait(self, double a, double b, double c):
        """Stand in the hall's order of idle seats at this key."""
        if self.is_idle:
            self.hall.idle.erase(self.a, self.b, self.c, self.tie)
        else:
            self.is_idle = True
            self.desk.idle += 1
        self.a, self.b, self.c = a, b, c
        self.hall.idle.insert(a, b, c, self.tie, <void *>self)

    cpdef bint is_waiting(self):
        """Whether it stands among the idle."""
        return self.is_idle

    cpdef stop_waiting(self):
        """Be idle no longer."""
        if self.is_idle:
            self.hall.idle.erase(self.a, self.b, self.c, self.tie)
            self.is_idle = False
            self.desk.idle -= 1

    def take_place(self):
        """Belong to the hall's and the desk's seats."""
        cdef Desk desk = self.desk
        desk.lay_out(desk.seated + 1)
        desk.places[desk.seated] = self.place
        desk.seated += 1
        desk.seats.append(self)
        self.hall.seats.append(self)

    def give_place(self):
        """Belong to them no longer."""
        cdef Desk desk = self.desk
        cdef int place = desk.seats.index(self)
        self.stop_waiting()
        desk.seats.pop(place)
        desk.seated -= 1
        memmove(&desk.places[place], &desk.places[place + 1], (desk.seated - place) * sizeof(place_t))
        self.hall.seats.remove(self)
