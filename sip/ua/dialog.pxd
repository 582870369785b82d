# What the class of dialog.py is when it is compiled: fields at fixed places.

from santral.sip.uri cimport Uri

cdef class Dialog:
    cdef public str call_id
    cdef public str local
    cdef public str remote
    cdef public str remote_tag
    cdef public Uri target
    cdef public tuple routes
    cdef public object local_cseq
    cdef public object remote_cseq
    cdef public object next_hop
    cdef public object exchange
    cdef public str allow
    cdef public str supported
    cdef public object rseq
    cdef public object rseq_cseq
    cdef public str pracking
    cdef public str owed_rack
    cdef Uri _first_route
