# What the classes of message.py are when they are compiled: fields at fixed places.

from santral.sip.headers cimport Headers
from santral.sip.uri cimport Uri

cdef class Message:
    cdef public Headers headers
    cdef public bytes body

cdef class Request(Message):
    cdef public str method
    cdef public Uri uri

cdef class Response(Message):
    cdef public object status
    cdef public str reason
