# What the records of records.py are when they are compiled: fields at fixed places.

cimport cython

from santral.routing.acd.index.items cimport Item, Reservation
from santral.routing.acd.index.match cimport Desk, Hall
from santral.routing.acd.index.order cimport Order

cdef class Agent:
    cdef public object settings
    cdef readonly str name
    cdef public str tenant
    cdef public Desk desk
    cdef public long long tie
    cdef public dict seats
    cdef public object wrap_up
    cdef public dict rooms
    cdef public object everything
    cdef public bint has_several
    cdef public object state
    cdef public str reason
    cdef public object shown
    cdef public double since
    cdef public double idle_since
    cdef public Reservation hand
    cdef public int held
    cdef public int outside
    cdef public bint is_reachable
    cdef public double rests_until
    cdef public int misses
    cdef public int calls
    cdef public double talk
    cdef public bint is_removed
    cdef public bint is_wanted
    cdef public double due

    @cython.locals(last=Reservation)
    cpdef take(self, Reservation one)
    @cython.locals(before=Reservation)
    cpdef put_down(self, Reservation one)

cdef class Queue:
    cdef public object settings
    cdef readonly str name
    cdef public str tenant
    cdef readonly Hall hall
    cdef readonly Order order
    cdef readonly dict lanes
    cdef readonly dict stages
    cdef public bint is_open
    cdef public bint is_removed
    cdef public str drain
    cdef public int logged_in
    cdef public int available
    cdef public int offered
    cdef public int highest_tier
    cdef public tuple reaches
    cdef public object pace
    cdef public object level
    cdef readonly dict numbers

cdef class Floor:
    cdef readonly object new_id
    cdef readonly object draw
    cdef public double ageing
    cdef readonly dict queues
    cdef readonly dict agents
    cdef readonly dict items
    cdef readonly dict reservations
    cdef readonly dict kinds
    cdef readonly dict skills
    cdef readonly Order deadlines
    cdef readonly Order waits
    cdef readonly dict stale
    cdef readonly dict draining
    cdef readonly list orphans
    cdef public list out
    cdef public long long last_tie

    cpdef long long next_tie(self)
    cpdef arm(self, object thing, double at)
    cpdef arm_item(self, Item item, double at)
    cpdef double next_due(self)
