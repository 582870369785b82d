# What the classes of headers.py are when they are compiled: fields at fixed places, those of values set once.

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

cdef class Headers:
    cdef readonly list _items
    cdef readonly dict _typed
    cpdef get(self, str name)
    cpdef list all(self, str name)
    cpdef tuple typed(self, str name, object parse)
    cpdef tuple typed_single(self, str name, object parse)
