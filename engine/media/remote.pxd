# What the values of remote.py are when they are compiled: fields at fixed places, set once by the constructor.

cdef class RemoteWire:
    cdef readonly bytes address
    cdef readonly object port
    cdef readonly bytes rtcp_address
    cdef readonly object rtcp_port
    cdef readonly tuple networks
    cdef readonly bytes receives
    cdef readonly bytes sends
    cdef readonly bytes events
    cdef readonly bytes noises
    cdef readonly tuple clocks
    cdef readonly bint peer_sends
    cdef readonly bint peer_receives
    cdef readonly bint rtcp_mux
    cdef readonly bint rtcp
    cdef readonly bint may_pause
    cdef readonly bytes cname
    cdef readonly tuple rows
    cdef readonly object first_codec
    cdef readonly object frame_ms
    cdef readonly object event_codec
    cdef readonly object keys
    cdef readonly object ie
    cdef readonly object bpl
