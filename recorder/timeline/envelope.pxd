"""The clock of a sender, known from below: no packet arrives before it was sent."""

cdef enum:
    BUCKETS = 160  # so many lowest points are kept: 80 s

cdef struct envelope_t:
    int count
    double[BUCKETS] x  # seconds of the sender's clock, rising
    double[BUCKETS] y  # by how much the packet arrived later than that, on our clock: the least of its bucket

cdef void envelope_clear(envelope_t *envelope) noexcept nogil
# A packet sent at `x` came `y` seconds of our clock later; about in the order of sending.
cdef void envelope_hear(envelope_t *envelope, double x, double y) noexcept nogil
# Seconds that our clock gains a second on the sender's; 0 while nothing is known.
cdef double envelope_slope(const envelope_t *envelope) noexcept nogil
# What the least delay is at `x`; `otherwise` if nothing was heard near it.
cdef double envelope_at(const envelope_t *envelope, double x, double otherwise) noexcept nogil
