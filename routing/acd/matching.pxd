# The types of matching.py when it is compiled.

cimport cython

from santral.routing.acd.index.items cimport Item, Reservation
from santral.routing.acd.index.match cimport Lane, Seat, fetch_ways
from santral.routing.acd.records cimport Agent, Floor, Queue

cpdef Lane lane_of(Floor floor, Queue queue, object key)
@cython.locals(lane=Lane, lanes=dict)
cpdef leave_lane(Item item)
@cython.locals(lane=Lane, queue=Queue, wanted=double)
cpdef bint stand(Floor floor, Item item) except -1
@cython.locals(lane=Lane, queue=Queue, seat=Seat)
cpdef seek(Floor floor, Item item, double now)
cpdef tuple weights(Floor floor, Item item)
@cython.locals(one=Reservation, bits=object)
cpdef object room(Agent agent, double now)
@cython.locals(first=double)
cpdef tuple key_of(Agent agent, Seat seat, object strategy, object draw)
@cython.locals(item=Item, seat=Seat)
cpdef refresh(Floor floor, Agent agent, double now)
@cython.locals(seat=Seat, queue=Queue)
cpdef settle(Floor floor, Agent agent, object kinds)
@cython.locals(one=Reservation)
cpdef show(Floor floor, Agent agent, double now, str reason=*, Reservation about=*)
@cython.locals(agent=Agent, queue=Queue, one=Reservation)
cpdef reserve(Floor floor, Item item, Seat seat, double now, object score=*)
cpdef double next_due(Item item) except -1
