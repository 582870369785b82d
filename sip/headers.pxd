# What the values of headers.py are when they are compiled: fields at fixed places, set once by the constructor.

cdef class Via:
    cdef readonly str transport
    cdef readonly str host
    cdef readonly object port
    cdef readonly str branch
    cdef readonly str received
    cdef readonly object rport
    cdef readonly tuple params

cdef class CSeq:
    cdef readonly object number
    cdef readonly str method
