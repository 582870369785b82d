# What the classes of compose.py are when they are compiled: fields at fixed places, those of a draft set once.

cdef class Draft:
    cdef readonly object headers
    cdef readonly bytes body
    cdef readonly str content_type
    cdef readonly object reason

cdef class Composer:
    cdef readonly dict sent_by
    cdef readonly object entropy
    cdef dict _inside
    cdef dict _local_nets
    cdef dict _insiders
    cdef bytes _secret
    cdef str _user_agent
    cdef str _allow
    cdef str _supported
    cpdef str branch(self)
    cpdef str tag(self)
    cpdef str via(self, object hop, str branch)
    cpdef str contact(self, object hop, str scheme=*)
    cpdef str _our_name(self, object hop)
