# What the values of uri.py are when they are compiled: fields at fixed places, set once by the constructor.

cdef class Uri:
    cdef readonly str scheme
    cdef readonly str user
    cdef readonly str password
    cdef readonly str host
    cdef readonly object port
    cdef readonly tuple params
    cdef readonly str headers
    cdef readonly str opaque

cdef class NameAddr:
    cdef readonly str display
    cdef readonly Uri uri
    cdef readonly tuple params
