"""How much loss an encoder is to protect its packets against, by what the peer reports (RFC 3550 6.4.2).

Up at once, since what is lost meanwhile is gone; down by a step after some reports in a row that said less, since loss comes
in spells, and protection that comes and goes with each of them would always be late.
"""

cdef enum:
    STEP = 5  # percent: finer is not worth telling an encoder
    MOST = 30  # protection against more would cost more of the speech than it saves
    CALM_REPORTS = 3


cdef bint expect(expectation_t *e, int percent) noexcept nogil:
    """A report of so much loss in its interval has come. True when another expectation is to be told."""
    cdef int wanted = (percent + STEP - 1) // STEP * STEP
    if wanted > MOST:
        wanted = MOST
    if wanted >= e.percent:
        e.calm = 0
        if wanted == e.percent:
            return False
        e.percent = wanted
        return True
    e.calm += 1
    if e.calm < CALM_REPORTS:
        return False
    e.calm = 0
    e.percent -= STEP
    return True


cdef class Expectation:
    """The same for tests."""

    cdef expectation_t state

    def hear(self, int percent):
        """What is expected behind this report."""
        expect(&self.state, percent)
        return self.state.percent
