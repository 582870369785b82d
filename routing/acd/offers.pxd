# The types of offers.py when it is compiled.

cimport cython

from santral.routing.acd.index.items cimport Item, Reservation
from santral.routing.acd.index.match cimport fetch_object
from santral.routing.acd.records cimport Agent, Floor, Queue

@cython.locals(item=Item, queue=Queue)
cdef tuple _about(Reservation one)
cpdef bint step(Reservation one, object turn, object cue) except -1
@cython.locals(item=Item, agent=Agent, queue=Queue)
cpdef accept(Floor floor, Reservation one, double now)
cpdef end_offers(Floor floor, Item item, str reason, double now)
@cython.locals(one=Reservation, queue=Queue)
cpdef list take_back(Floor floor, Item item, str reason, double now)
@cython.locals(item=Item, agent=Agent)
cdef _drop(Floor floor, Reservation one)
cpdef free(Floor floor, Agent agent, double now)
@cython.locals(item=Item)
cpdef connected(Floor floor, Reservation one, double now)
@cython.locals(item=Item, agent=Agent, talk=double)
cpdef finish(Floor floor, Reservation one, double now)
@cython.locals(agent=Agent)
cpdef complete(Floor floor, Reservation one, double now)
