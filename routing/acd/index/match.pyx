"""Who may take whom, and who comes first: the two searches of the distributor, on plain memory.

People who may be taken by the same agents stand in one lane; a hall is a queue, with its lanes and the seats of its
agents; a desk is an agent. A lane that is not empty has no idle agent who may take somebody from it: the distributor
keeps it so, which is why an arrival in such a lane needs no search.

A desk that comes free looks at the first of each lane of its halls: people cost nothing here, lanes do. An arrival
looks at idle seats in their order, until one may take it.
"""

from libc.math cimport INFINITY

from santral.routing.acd.index.order cimport Order, node_t

cdef enum:
    ALL_STEPS = 1000


cdef inline bint may_take(Seat seat, Lane lane) noexcept:
    cdef Desk desk = seat.desk
    cdef const unsigned char *needs
    cdef const unsigned char *levels
    cdef Py_ssize_t i, n, known
    if not desk.kinds & lane.kind:
        return False
    if seat.tier > lane.hall.lowest_tier + lane.steps or seat.min_priority > lane.reach:
        return False
    if lane.only is not None and lane.only is not desk:
        return False
    n = len(lane.needs)
    if n:
        needs = lane.needs
        levels = desk.levels
        known = len(desk.levels)
        for i in range(0, n, 3):  # skill (two octets), level
            if needs[i] * 256 + needs[i + 1] >= known or levels[needs[i] * 256 + needs[i + 1]] < needs[i + 2]:
                return False
    return True


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
        self.seats = []
        self.on_duty = [0]
        self.lowest_tier = 1

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
        for skill, level in needs:
            packed += [skill >> 8, skill & 255, level]
        self.hall = hall
        self.key = key
        self.waiting = Order()
        self.kind = 1ULL << kind
        self.needs = bytes(packed)
        self.steps = ALL_STEPS if steps < 0 else steps
        self.reach = reach
        self.only = only
        self.place = -1
        self.head = NULL

    def __len__(self):
        return len(self.waiting)

    cdef void look(self) noexcept:
        """Keep who is first at hand: the search looks at the first of many lanes."""
        cdef node_t *node = self.waiting.first_node()
        if node == NULL:
            self.head = NULL
        else:
            self.head, self.head_rank, self.head_tie = node.item, node.a, node.tie

    cpdef put(self, double rank, long long tie, object item):
        """Somebody stands here from now on, who is kept alive by the caller."""
        self.waiting.insert(rank, 0.0, 0.0, tie, <void *>item)
        self.look()
        if self.place < 0:
            self.place = len(self.hall.lanes)
            self.hall.lanes.append(self)

    cpdef bint take(self, double rank, long long tie):
        """Somebody stands here no longer; whether anybody did."""
        cdef list lanes = self.hall.lanes
        cdef Lane last
        cdef bint found = self.waiting.erase(rank, 0.0, 0.0, tie)
        self.look()
        if self.place >= 0 and self.waiting.root == 0:
            last = lanes.pop()
            if last is not self:
                lanes[self.place] = last
                last.place = self.place
            self.place = -1
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
            if may_take(seat, self):
                return seat
        return None

    cpdef Seat seat_of(self, Desk desk):
        """The seat of this desk, if it is idle and may take somebody from here; else `None`."""
        cdef Seat seat
        for seat in desk.seats:
            if seat.hall is self.hall:
                return seat if seat.is_idle and may_take(seat, self) else None
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
            if may_take(seat, self):
                return seat
        return first

    def seats(self, int limit):
        """The idle seats that may take somebody from here, the first `limit` of them in their order."""
        cdef Seat seat
        cdef list found = []
        cdef Walk walk = Walk(self.hall.idle)
        while len(found) < limit and walk.step():
            seat = <Seat>walk.item
            if may_take(seat, self):
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
            if may_take(seat, self):
                score = seat.desk.sum_of(weights)
                if score > highest:
                    found, highest, tier = seat, score, seat.a
        return found, highest


cdef class Desk:
    """One agent, as far as matching goes: levels of skills by their numbers, and the kinds there is room for now."""

    def __cinit__(self, dict levels not None):
        cdef bytearray packed = bytearray(max(levels, default=-1) + 1)
        for skill, level in levels.items():
            packed[skill] = level
        self.levels = bytes(packed)
        self.kinds = 0
        self.seats = []

    cdef long sum_of(self, tuple weights):
        cdef long found = 0
        cdef int skill, weight
        cdef const unsigned char *levels = self.levels
        for skill, weight in weights:
            if skill < len(self.levels):
                found += weight * <int>levels[skill]
        return found

    def score(self, tuple weights not None):
        """The sum of weight times level."""
        return self.sum_of(weights)

    cpdef object first(self):
        """Who comes first of all whom this desk may take now, by rank less the seat's bonus, or `None`."""
        cdef Seat seat
        cdef Lane lane
        cdef void *found = NULL
        cdef double rank, best = 0
        cdef long long tie = 0
        if self.kinds == 0:
            return None
        for seat in self.seats:
            for lane in seat.hall.lanes:
                rank = lane.head_rank - seat.bonus
                if (found == NULL or rank < best or (rank == best and lane.head_tie < tie)) and may_take(seat, lane):
                    found, best, tie = lane.head, rank, lane.head_tie
        return None if found == NULL else <object>found

    cpdef free(self, unsigned long long kinds):
        """There is room for these kinds; 0: for none, and the desk's seats are idle no longer."""
        self.kinds = kinds


cdef class Seat:
    """A desk in a hall. `owner` is the caller's; `turn` when it last had an offer here."""

    def __cinit__(self, Hall hall not None, Desk desk not None, tuple place not None, double bonus, long long tie, object owner):
        self.hall = hall
        self.desk = desk
        self.tier, self.position, self.min_priority = place
        self.bonus = bonus
        self.tie = tie
        self.owner = owner
        self.is_idle = False
        self.turn = 0

    cpdef wait(self, double a, double b, double c):
        """Stand in the hall's order of idle seats at this key."""
        if self.is_idle:
            self.hall.idle.erase(self.a, self.b, self.c, self.tie)
        self.a, self.b, self.c = a, b, c
        self.hall.idle.insert(a, b, c, self.tie, <void *>self)
        self.is_idle = True

    cpdef bint is_waiting(self):
        """Whether it stands among the idle."""
        return self.is_idle

    cpdef stop_waiting(self):
        """Be idle no longer."""
        if self.is_idle:
            self.hall.idle.erase(self.a, self.b, self.c, self.tie)
            self.is_idle = False

    def take_place(self):
        """Belong to the hall's and the desk's seats."""
        self.desk.seats.append(self)
        self.hall.seats.append(self)

    def give_place(self):
        """Belong to them no longer."""
        self.stop_waiting()
        self.desk.seats.remove(self)
        self.hall.seats.remove(self)
