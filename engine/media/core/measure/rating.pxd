"""The E-model (ITU-T G.107), on the media thread and off it."""

cdef double rate_r(double ie, double bpl, double loss, double ratio, double delay_ms) noexcept nogil
cdef double mos_of_r(double r) noexcept nogil
