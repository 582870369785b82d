"""What a leg's own counting and its peer's reports come to."""

from libc.stdint cimport int64_t, uint32_t

from santral.engine.media.core.leg cimport leg_t, media_t
from santral.engine.media.core.measure.voip cimport voip_t

cdef enum grade_t:  # G.107 Annex B, table B.1: users are satisfied from 80 on, nearly all dissatisfied below 60
    GRADE_BAD
    GRADE_POOR
    GRADE_FAIR
    GRADE_GOOD

cdef struct figures_t:  # of one direction; negative: not measured
    double loss
    double r
    double mos

cdef void judge_reception(const leg_t *leg, figures_t *out) noexcept nogil
cdef void judge_sending(const leg_t *leg, figures_t *out) noexcept nogil
cdef void measure_interval(media_t *m, leg_t *leg) noexcept nogil
cdef bint describe_voip(const leg_t *leg, voip_t *out) noexcept nogil
