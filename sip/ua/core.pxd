# What the classes of core.py are when they are compiled: fields at fixed places.

from santral.sip.ua.compose cimport Composer
from santral.sip.ua.deadlines cimport Deadlines
from santral.sip.ua.runner cimport Runner

cdef class Outbox:
    cdef public list actions
    cdef public object counters

cdef class Core:
    cdef public object settings
    cdef public object timers
    cdef public Composer composer
    cdef public Outbox outbox
    cdef public list out
    cdef public Deadlines deadlines
    cdef public Runner runner
    cdef public object source
    cdef public object now
    cdef object _last_session
    cdef public dict sessions
    cdef public dict subscriptions
