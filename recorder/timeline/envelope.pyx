"""The line below all arrivals: how fast the sender's clock runs on ours, and where it stands (rule: never from its RTCP).

Delay only adds. So of each half second the packet that came soonest counts, and of all the lines below those points the
one that is highest in their middle gives the slope (a linear program whose answer is the edge of the lower hull below
the mean). The level is then that of the lowest points of the last seconds alone, which follows a path that changes.
"""

from libc.math cimport floor
from libc.string cimport memmove

cdef enum:
    DROPPED = 32  # buckets forgotten at once

cdef double BUCKET_S = 0.5
cdef double LEVEL_S = 16.0  # so far around a place the least delay is looked for
cdef double SLOPE_MAX = 500e-6  # crystals are within 100, sound cards and software within 300
cdef double TRUSTED_S = 20.0  # a shorter time says too little of a slope: that much less of it is believed


cdef void envelope_clear(envelope_t *envelope) noexcept nogil:
    envelope.count = 0


cdef void envelope_hear(envelope_t *envelope, double x, double y) noexcept nogil:
    cdef double bucket = floor(x / BUCKET_S)
    cdef int i = envelope.count - 1
    while i >= 0 and floor(envelope.x[i] / BUCKET_S) > bucket:
        i -= 1
    if i >= 0 and floor(envelope.x[i] / BUCKET_S) == bucket:
        if y < envelope.y[i]:
            envelope.x[i], envelope.y[i] = x, y
        return
    if i < envelope.count - 1:
        return  # of a bucket that nobody was heard in, and late: says nothing
    if envelope.count == BUCKETS:
        envelope.count -= DROPPED
        memmove(&envelope.x[0], &envelope.x[DROPPED], envelope.count * sizeof(double))
        memmove(&envelope.y[0], &envelope.y[DROPPED], envelope.count * sizeof(double))
    envelope.x[envelope.count], envelope.y[envelope.count] = x, y
    envelope.count += 1


cdef double envelope_slope(const envelope_t *envelope) noexcept nogil:
    cdef int[BUCKETS] hull
    cdef int corners = 0
    cdef int i, a, b
    cdef double middle = 0.0
    cdef double slope, length
    if envelope.count < 2:
        return 0.0
    for i in range(envelope.count):
        middle += envelope.x[i]
        while corners >= 2:
            a, b = hull[corners - 2], hull[corners - 1]
            if (envelope.y[b] - envelope.y[a]) * (envelope.x[i] - envelope.x[a]) < (
                envelope.y[i] - envelope.y[a]
            ) * (envelope.x[b] - envelope.x[a]):
                break
            corners -= 1
        hull[corners] = i
        corners += 1
    middle /= envelope.count
    i = 1
    while i < corners - 1 and envelope.x[hull[i]] < middle:
        i += 1
    a, b = hull[i - 1], hull[i]
    slope = (envelope.y[b] - envelope.y[a]) / (envelope.x[b] - envelope.x[a])
    length = envelope.x[envelope.count - 1] - envelope.x[0]
    if length < TRUSTED_S:
        slope *= length / TRUSTED_S
    return SLOPE_MAX if slope > SLOPE_MAX else -SLOPE_MAX if slope < -SLOPE_MAX else slope


cdef double envelope_at(const envelope_t *envelope, double x, double otherwise) noexcept nogil:
    cdef double slope = envelope_slope(envelope)
    cdef double least = 1e300
    cdef double level
    cdef int i
    for i in range(envelope.count):
        if -LEVEL_S <= envelope.x[i] - x <= LEVEL_S:
            level = envelope.y[i] - slope * (envelope.x[i] - x)
            least = level if level < least else least
    return least if least < 1e299 else otherwise


cdef class Envelope:
    """For tests and tools."""

    cdef envelope_t state

    def __init__(self):
        envelope_clear(&self.state)

    def hear(self, double x, double y):
        envelope_hear(&self.state, x, y)

    @property
    def slope(self):
        return envelope_slope(&self.state)

    def at(self, double x):
        """The least delay at `x`, None if nothing was heard near it."""
        cdef double found = envelope_at(&self.state, x, 1e300)
        return None if found > 1e299 else found
