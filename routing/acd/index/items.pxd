# Those who wait and what is offered of them: the fields.

cimport cython

from santral.routing.acd.index.match cimport Lane

@cython.no_gc
cdef class Item:
    cdef readonly str id
    cdef readonly str kind
    cdef readonly str channel
    cdef readonly int priority
    cdef readonly tuple needs
    cdef readonly tuple wishes
    cdef readonly object sticky
    cdef readonly double sticky_for
    cdef readonly str number
    cdef readonly object not_before
    cdef readonly object expires
    cdef readonly object max_wait
    cdef readonly object queue
    cdef public double rank
    cdef public long long tie
    cdef public double started
    cdef public double joined
    cdef public object standing
    cdef public tuple stages
    cdef public int stage
    cdef public Lane lane
    cdef public object stood
    cdef public double clock
    cdef public tuple pending
    cdef public Reservation accepted
    cdef public int rule
    cdef public object rule_at
    cdef public object stage_at
    cdef public object ring_at
    cdef public object announce_at
    cdef public object offer_at
    cdef public object park_until
    cdef public int announced
    cdef public int attempts
    cdef public object due

@cython.no_gc
cdef class Reservation:
    cdef readonly str id
    cdef readonly Item item
    cdef readonly object agent
    cdef readonly long long tie
    cdef public double created
    cdef public object phase
    cdef public object cell
    cdef public double connected
    cdef public object held_since
    cdef public double held
    cdef public double finished
    cdef public object due
