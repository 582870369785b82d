# What the class of moment.py is when it is compiled: fields at fixed places.

cdef class Moment:
    cdef public object now
    cdef public object message
    cdef public object transaction
    cdef public object draft
    cdef public object status
    cdef public str method
    cdef public object dialog
    cdef public bint is_reliable
    cdef public object amended
    cdef public bint is_same
    cdef public object progress
