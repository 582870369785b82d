"""Where a leg's packets may come from, and where they go: symmetric RTP with probation and a source lock."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from santral.engine.media.core.net cimport endpoint_t

cdef enum:
    MAX_NETWORKS = 8

cdef struct network_t:
    uint8_t prefix[16]  # IPv4 as ::ffff:a.b.c.d
    int bits

cdef enum latch_verdict_t:
    LATCH_REFUSED
    LATCH_ACCEPTED
    LATCH_LOCKED  # accepted, and the source was learnt just now

cdef struct probation_t:
    endpoint_t source
    uint32_t ssrc
    int packets

cdef struct latch_t:
    bint has_remote
    bint locked
    int64_t heard_ns  # last packet of the learnt source
    endpoint_t target  # where we send: the learnt source, else `remote`
    endpoint_t remote  # of the SDP
    network_t networks[MAX_NETWORKS]
    int n_networks
    int lock_after  # consecutive packets
    int64_t relatch_ns  # silence of the learnt source after which another candidate may take over
    probation_t announced  # the SDP address itself: strangers do not interrupt its probation
    probation_t other

cdef void open_window(latch_t *l, const endpoint_t *remote) noexcept nogil
cdef latch_verdict_t admit(
    latch_t *l, const endpoint_t *source, uint32_t ssrc, bint negotiated, bint verified, int64_t now_ns
) noexcept nogil
cdef int read_endpoint(bytes packed, int port, endpoint_t *out) except -1
cdef int read_network(bytes prefix, int bits, network_t *out) except -1
