"""A peer that pauses (comfort noise, DTX) opposite one that was never told of pauses: so long as nothing comes, the far end hears
the noise that the peer described last, or silence, 20 ms at a time; when audio comes again it goes on behind it.
"""

from libc.stdint cimport uint8_t

from santral.codecs.comfort_noise cimport noise_source_fill, noise_source_follow, noise_source_init
from santral.engine.media.core.leg cimport WHEEL_FILL, leg_t, media_t, next_random
from santral.engine.media.core.stage.heard cimport far_end
from santral.engine.media.core.stage.mouth cimport GAP_BY_CLOCK, say
from santral.engine.media.core.stage.wheel cimport FRAME_MS, dismount, mount

cdef enum:
    PAUSE_NS = 45000000  # without a packet: two of the usual length are missing
    NOISE_HZ = 8000


cdef void begin_filling(media_t *m, leg_t *leg, bint on) noexcept nogil:
    if on:
        noise_source_init(&leg.stage.noise, <unsigned int>next_random(m))
        leg.stage.spoke_ns = m.now_ns
        mount(m, leg, WHEEL_FILL)
    else:
        dismount(m, leg, WHEEL_FILL)


cdef void hear_noise(leg_t *leg, const uint8_t *payload, int n) noexcept nogil:
    """A comfort noise packet of the peer's."""
    noise_source_follow(&leg.stage.noise, payload, n)


cdef void fill_frame(media_t *m, leg_t *leg) noexcept nogil:
    cdef leg_t *to = far_end(m, leg)
    cdef int n = NOISE_HZ * FRAME_MS // 1000
    if to == NULL or to.stage == NULL or to.taken or not leg.remote.peer_sends or not to.remote.peer_receives:
        return
    if not leg.stage.spoke_ns or m.turn_ns - leg.stage.spoke_ns < PAUSE_NS:
        return
    noise_source_fill(&leg.stage.noise, m.pcm, n)
    say(m, to, m.pcm, n, NOISE_HZ, GAP_BY_CLOCK)
