# Who may take whom: the fields that the matching of match.pyx reads.

from santral.routing.acd.index.order cimport Order

cdef enum:
    NEEDS_AT_HAND = 5  # of a lane; more are looked up in the lane itself


cdef struct gate_t:
    # What a search reads of a lane somebody stands in: one line of the cache.
    double rank
    long long tie
    void *first  # who
    unsigned long long kind
    void *only  # the one desk that may take from here; NULL: any
    int reach
    short steps
    unsigned short count  # of needs
    unsigned char needs[3 * NEEDS_AT_HAND]  # of each the skill (two octets) and the level


cdef struct place_t:
    # What a search reads of a seat.
    void *hall
    void *seat
    double bonus
    int tier
    int min_priority


cdef class Hall:
    cdef Order idle
    cdef list lanes
    cdef gate_t *gates  # of the lanes, in the same order
    cdef int capacity
    cdef int count
    cdef readonly int lowest_tier
    cdef readonly list seats
    cdef list on_duty

    cdef int open(self, Lane lane) except -1
    cdef int shut(self, Lane lane) except -1

cdef class Lane:
    cdef readonly Hall hall
    cdef readonly object key
    cdef Order waiting
    cdef gate_t gate  # what it asks for; who is first stands in the hall's
    cdef bytes needs
    cdef Desk only
    cdef int place
    cdef void look(self) noexcept

    cpdef put(self, double rank, long long tie, object item)
    cpdef bint take(self, double rank, long long tie)
    cpdef Seat seat(self)
    cpdef Seat seat_of(self, Desk desk)

cdef class Desk:
    cdef readonly unsigned long long kinds
    cdef place_t *places
    cdef unsigned char *levels
    cdef int known  # levels, by the number of the skill
    cdef int seated
    cdef int idle  # of its seats
    cdef void *block  # the memory of places and levels
    cdef readonly list seats

    cdef int lay_out(self, int places) except -1
    cdef long sum_of(self, tuple weights)
    cpdef fetch_places(self)
    cpdef fetch_halls(self)
    cpdef fetch_gates(self)
    cpdef object first(self)
    cpdef Seat seat_in(self, Hall hall)
    cpdef free(self, unsigned long long kinds)
    cpdef bint is_idle(self)

cdef class Seat:
    cdef readonly Hall hall
    cdef readonly Desk desk
    cdef readonly object owner
    cdef place_t place
    cdef readonly int tier
    cdef readonly int position
    cdef long long tie
    cdef double a
    cdef double b
    cdef double c
    cdef bint is_idle
    cdef public double turn

    cpdef wait(self, double a, double b, double c)
    cpdef stop_waiting(self)
    cpdef bint is_waiting(self)


cpdef fetch_object(object thing)
cpdef fetch_ways(Order everybody, Order waits, Lane lane, double rank, double stood, double due, long long tie)
