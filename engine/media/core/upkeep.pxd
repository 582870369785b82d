"""What a leg needs apart from packets: reports, time-outs, keep-alives, digits that end by silence."""

from santral.engine.media.core.leg cimport leg_t, media_t

cdef void run_due(media_t *m) noexcept nogil
cdef void send_keepalive(media_t *m, leg_t *leg) noexcept nogil
cdef void plan_report(media_t *m, leg_t *leg) noexcept nogil
cdef void say_goodbye(media_t *m, leg_t *leg) noexcept nogil
