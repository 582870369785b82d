# What the events of every call are when they are compiled: fields at fixed places, set once by the constructor.

from santral.sip.message cimport Request, Response

cdef class Send:
    cdef readonly object hop
    cdef readonly bytes data

cdef class IncomingInvite:
    cdef readonly object session
    cdef readonly Request request
    cdef readonly object source
    cdef readonly object replaces

cdef class Progress:
    cdef readonly object session
    cdef readonly Response response
    cdef readonly str to_tag
    cdef readonly bint is_reliable
    cdef readonly bint is_offer

cdef class Answered:
    cdef readonly object session
    cdef readonly Response response

cdef class Acknowledged:
    cdef readonly object session
    cdef readonly Request request

cdef class Ended:
    cdef readonly object session
    cdef readonly str cause
    cdef readonly Request request
