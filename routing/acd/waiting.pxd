# The types of waiting.py when it is compiled.

cimport cython

from santral.routing.acd.index.items cimport Item
from santral.routing.acd.records cimport Floor, Queue

@cython.locals(queue=Queue, item=Item)
cpdef join(Floor floor, object work, double now)
@cython.locals(queue=Queue)
cpdef double rank_of(Floor floor, Item item) except? -1
@cython.locals(queue=Queue)
cpdef int position_of(Item item) except -1
@cython.locals(queue=Queue)
cpdef enter(Floor floor, Item item)
cpdef begin(Floor floor, Item item, double now)
@cython.locals(queue=Queue)
cpdef wait(Floor floor, Item item, double now)
@cython.locals(queue=Queue)
cpdef tuple stages_of(Floor floor, Item item)
cpdef find_stage(Floor floor, Item item, double now)
cdef bint _next_stage_is_due(Item item, double now) except -1
@cython.locals(queue=Queue)
cpdef forget(Floor floor, Item item)
@cython.locals(queue=Queue, waited=double)
cpdef left(Floor floor, Item item, str reason, double now, object agent=*)
