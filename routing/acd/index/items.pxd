# Those who wait and what is offered of them: the fields.

cimport cython

from santral.routing.acd.index.match cimport Lane

@cython.no_gc
cdef class Item:
    # In the order in which they are used: what is asked for last lies in lines of the cache of its own.
    cdef readonly str id
    cdef readonly str kind
    cdef readonly object queue
    cdef public Lane lane
    cdef public tuple pending
    cdef public Reservation accepted
    cdef public object standing
    cdef public tuple stages
    cdef readonly str channel
    cdef readonly tuple needs
    cdef readonly tuple wishes
    cdef readonly object sticky
    cdef readonly str number
    cdef readonly object max_wait
    cdef public double rank
    cdef public long long tie
    cdef public double stood
    cdef public double started
    cdef public double joined
    cdef public double due
    cdef readonly int priority
    cdef public int stage
    cdef public double clock
    cdef public double stage_at
    cdef public double ring_at
    cdef public double rule_at
    cdef public double announce_at
    cdef public double offer_at
    cdef public double park_until
    cdef readonly double not_before
    cdef readonly double expires
    cdef readonly double sticky_for
    cdef public int rule
    cdef public int announced
    cdef public int attempts

@cython.no_gc
cdef class Reservation:
    cdef readonly str id
    cdef readonly Item item
    cdef readonly object agent
    cdef public Reservation beside
    cdef readonly long long tie
    cdef public double created
    cdef public object phase
    cdef public object cell
    cdef public double connected
    cdef public double held_since
    cdef public double held
    cdef public double finished
    cdef public double due

    cpdef fetch(self)
