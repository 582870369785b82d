"""How much loss an encoder is to protect its packets against, by what the peer reports."""

cdef struct expectation_t:
    int percent  # expected
    int calm  # reports in a row that said less

cdef bint expect(expectation_t *e, int percent) noexcept nogil
