# What the classes of ladder.py are when they are compiled: fields at fixed places.

cdef class Ladder:
    cdef list _first
    cdef object _latest
    cdef Py_ssize_t _limit
    cdef readonly Py_ssize_t bytes
    cdef readonly str call
    cdef readonly Py_ssize_t dropped
    cdef public tuple hidden
    cdef public tuple sip_call_ids
    cdef readonly str tenant
    cpdef add(self, tuple message)

cdef class Ladders:
    cdef Py_ssize_t _limit
    cdef Py_ssize_t _total_bytes
    cdef object _by_call
    cdef dict _by_call_id
    cdef readonly Py_ssize_t bytes
    cdef readonly Py_ssize_t forgotten
    cpdef add(self, Ladder ladder, tuple message)
    cpdef tuple owners(self, str sip_call_id)
    cpdef _make_room(self)
