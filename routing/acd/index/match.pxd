# Who may take whom: the fields that the matching of match.pyx reads.

from santral.routing.acd.index.order cimport Order

cdef class Hall:
    cdef Order idle
    cdef list lanes
    cdef readonly list seats
    cdef readonly int lowest_tier
    cdef list on_duty

cdef class Lane:
    cdef readonly Hall hall
    cdef readonly object key
    cdef Order waiting
    cdef unsigned long long kind
    cdef bytes needs
    cdef int steps
    cdef int reach
    cdef Desk only
    cdef int place
    cdef double head_rank
    cdef long long head_tie
    cdef void *head
    cdef void look(self) noexcept

    cpdef put(self, double rank, long long tie, object item)
    cpdef bint take(self, double rank, long long tie)
    cpdef Seat seat(self)
    cpdef Seat seat_of(self, Desk desk)

cdef class Desk:
    cdef bytes levels
    cdef readonly unsigned long long kinds
    cdef readonly list seats

    cdef long sum_of(self, tuple weights)
    cpdef object first(self)
    cpdef free(self, unsigned long long kinds)

cdef class Seat:
    cdef readonly Hall hall
    cdef readonly Desk desk
    cdef readonly object owner
    cdef readonly int tier
    cdef readonly int position
    cdef int min_priority
    cdef double bonus
    cdef long long tie
    cdef double a
    cdef double b
    cdef double c
    cdef bint is_idle
    cdef public double turn

    cpdef wait(self, double a, double b, double c)
    cpdef stop_waiting(self)
    cpdef bint is_waiting(self)
