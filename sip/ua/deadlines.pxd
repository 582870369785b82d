# What the classes of deadlines.py are when they are compiled: fields at fixed places.

cdef class Deadlines:
    cdef readonly list _heap
    cdef readonly dict _armed
    cdef object _last
    cpdef arm(self, object at, object what)
    cpdef cancel(self, object ticket)
    cpdef next(self)
