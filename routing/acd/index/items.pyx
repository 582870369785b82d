"""Those who wait and what is offered of them: there may be a hundred thousand, so the garbage collector knows of none.

Whatever ends must be taken out of all that knows it: a cycle that is left behind stays for ever.
"""

cimport cython

from libc.math cimport INFINITY

from santral.routing.acd.index.match cimport Lane
from santral.routing.acd.index.memory cimport fetch_lines

from santral.routing.acd.settings import CALL, CALLBACK
from santral.routing.acd.tables import Phase, Standing, State

cdef enum:
    LINES_OF_AN_AGENT = 4
    LINES_OF_AN_ITEM = 3

cdef object WAITING = Standing.WAITING
cdef object PENDING = Phase.PENDING
cdef object AVAILABLE = State.AVAILABLE


@cython.freelist(64)
@cython.no_gc
cdef class Item:
    """Somebody who waits: what is asked for, and how far the waiting has come."""

    def __init__(self, work, queue, double rank, long long tie, double now):
        self.id = work.id
        self.kind = work.kind
        self.channel = CALL if work.kind == CALLBACK else work.kind
        self.priority = work.priority
        self.needs = work.needs
        self.wishes = work.wishes
        self.sticky = work.sticky
        self.sticky_for = work.sticky_for
        self.number = work.number
        self.not_before = INFINITY if work.not_before is None else work.not_before
        self.expires = INFINITY if work.expires is None else work.expires
        self.max_wait = work.max_wait
        self.queue = queue
        self.rank = rank
        self.tie = tie
        self.started = now if work.started is None else work.started
        self.joined = self.clock = now
        self.standing = WAITING
        self.stages = ()
        self.pending = ()
        self.due = self.stage_at = self.rule_at = self.ring_at = INFINITY
        self.announce_at = self.offer_at = self.park_until = INFINITY


@cython.freelist(64)
@cython.no_gc
cdef class Reservation:
    """One agent and one person, from the offer to the end of the wrap-up."""

    def __init__(self, str reservation, Item item not None, agent, double now, long long tie):
        self.id = reservation
        self.item = item
        self.agent = agent
        self.tie = tie
        self.created = self.connected = self.finished = now
        self.phase = PENDING
        self.cell = AVAILABLE
        self.due = self.held_since = INFINITY

    cpdef fetch(self):
        """Ask for the agent and the person, who are needed soon and were not for long."""
        fetch_lines(<void *>self.agent, LINES_OF_AN_AGENT)
        fetch_lines(<void *>self.item, LINES_OF_AN_ITEM)
