# What the class of trace.py is when it is compiled: fields at fixed places.

from santral.engine.trace.ladder cimport Ladders

cdef class Trace:
    cdef readonly Ladders ladders
    cdef readonly object collector
    cdef bint _keeps
    cdef object _sender
    cdef object _addresses
    cdef object _clock_ns
    cdef tuple _in_hand
    cdef object _reports
    cpdef _note(self, bytes data, object hop, bint is_incoming)
