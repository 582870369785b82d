# What the class of runner.py is when it is compiled: fields at fixed places.

from santral.sip.ua.compose cimport Composer
from santral.sip.ua.deadlines cimport Deadlines
from santral.sip.ua.transaction cimport Transaction

cdef class Runner:
    cdef public dict clients
    cdef public dict servers
    cdef public dict merged
    cdef dict _no_stream
    cdef readonly dict _by_hop
    cdef public object _timers
    cdef Composer _composer
    cdef readonly Deadlines _deadlines
    cdef list _out
    cdef object _counters
    cdef object _listener
    cpdef feed(self, Transaction transaction, object what, object now, object cue=*)
    cpdef _remove(self, Transaction transaction)
    cpdef _watch(self, Transaction transaction)
    cpdef _unwatch(self, Transaction transaction)
