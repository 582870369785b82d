# What the values of offer_answer.py are when they are compiled: fields at fixed places, set once by the constructor.

cdef class Codec:
    cdef readonly str name
    cdef readonly object clock_hz
    cdef readonly object channels
    cdef readonly object payload_type
    cdef readonly str fmtp

cdef class RemoteStream:
    cdef readonly object index
    cdef readonly str kind
    cdef readonly str protocol
    cdef readonly str address
    cdef readonly object port
    cdef readonly str rtcp_address
    cdef readonly object rtcp_port
    cdef readonly bint rtcp_mux
    cdef readonly tuple codecs
    cdef readonly tuple events
    cdef readonly str direction
    cdef readonly object ptime
    cdef readonly object maxptime
    cdef readonly bint rejected
    cdef readonly tuple formats
    cdef readonly bint rtcp_wanted
    cdef readonly tuple crypto

cdef class LocalStream:
    cdef readonly str kind
    cdef readonly str address
    cdef readonly object port
    cdef readonly tuple codecs
    cdef readonly str direction
    cdef readonly object ptime
    cdef readonly str protocol
    cdef readonly tuple formats
    cdef readonly object rtcp_port
    cdef readonly bint rtcp_mux
    cdef readonly tuple attributes
    cdef readonly tuple crypto

cdef class LocalSession:
    cdef public object session_id
    cdef public str address
    cdef public object version
    cdef tuple _streams
    cdef str _body
