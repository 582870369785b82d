# What the class of transaction.py is when it is compiled: fields at fixed places.

from santral.sip.message cimport Request

cdef class Transaction:
    cdef public str key
    cdef public str origin
    cdef public object resends
    cdef public object table
    cdef public object state
    cdef public object hop
    cdef public object owner
    cdef public Request request
    cdef public object attempt
    cdef public bytes last
    cdef public tuple tags
    cdef public object fallback
    cdef public str merge_key
    cdef public object interval
    cdef public object retry
    cdef public object expiry
