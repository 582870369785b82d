# What the estimates of estimates.py are when they are compiled: fields at fixed places.

cdef class Pace:
    cdef public object mean
    cdef public object last

cdef class RecentLevel:
    cdef public object share
