"""Learns the peer's real address (RFC 4961, RFC 7362), then admits nothing else.

Each SDP answer opens a window. Candidates are the SDP's IP address (on any port: some peers do not send from where they
listen) and the networks given with it. Three consecutive packets of one SSRC with a negotiated payload type lock the source;
while a candidate is on probation its packets are admitted. Another candidate may take over only after the learnt source
has been silent for `relatch_ns`.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcmp, memset

from santral.engine.media.core.net cimport (
    AF_INET, AF_INET6, endpoint_t, htons, mapped_address, same_endpoint,
)


cdef void open_window(latch_t *l, const endpoint_t *remote) noexcept nogil:
    """A new answer. With an unchanged SDP address we go on sending to the source learnt before, until one is learnt anew."""
    if not l.has_remote or not same_endpoint(&l.remote, remote):
        l.remote = l.target = remote[0]
    l.has_remote = True
    l.locked = False
    l.announced.packets = l.other.packets = 0


cdef bint is_candidate(const latch_t *l, const endpoint_t *source) noexcept nogil:
    cdef uint8_t address[16]
    cdef uint8_t announced[16]
    cdef int i
    mapped_address(source, address)
    mapped_address(&l.remote, announced)
    if memcmp(address, announced, 16) == 0:
        return True
    for i in range(l.n_networks):
        if belongs(address, &l.networks[i]):
            return True
    return False


cdef bint belongs(const uint8_t *address, const network_t *network) noexcept nogil:
    cdef int whole = network.bits >> 3
    cdef int rest = network.bits & 7
    if memcmp(address, network.prefix, whole) != 0:
        return False
    return not rest or (address[whole] ^ network.prefix[whole]) >> (8 - rest) == 0


cdef bint passes_probation(
    probation_t *p, const endpoint_t *source, uint32_t ssrc, bint negotiated, int needed
) noexcept nogil:
    if not negotiated:
        p.packets = 0
        return False
    if p.packets == 0 or p.ssrc != ssrc or not same_endpoint(&p.source, source):
        p.source = source[0]
        p.ssrc = ssrc
        p.packets = 0
    p.packets += 1
    return p.packets >= needed


cdef latch_verdict_t admit(
    latch_t *l, const endpoint_t *source, uint32_t ssrc, bint negotiated, bint verified, int64_t now_ns
) noexcept nogil:
    """Whether a packet is the peer's. `negotiated`: its payload type is one we told the peer to use; `verified`: its SRTP
    tag was right, so the learnt source need not fall silent before a candidate takes over.
    """
    cdef bint as_announced
    if l.locked:
        if same_endpoint(&l.target, source):
            l.heard_ns = now_ns
            l.other.packets = 0
            return LATCH_ACCEPTED
        if not verified and now_ns - l.heard_ns < l.relatch_ns:
            return LATCH_REFUSED
    if not l.has_remote or not is_candidate(l, source):
        return LATCH_REFUSED
    as_announced = same_endpoint(&l.remote, source)
    if as_announced:
        l.other.packets = 0
    if not passes_probation(&l.announced if as_announced else &l.other, source, ssrc, negotiated, l.lock_after):
        return LATCH_ACCEPTED
    l.locked = True
    l.target = source[0]
    l.heard_ns = now_ns
    l.announced.packets = l.other.packets = 0
    return LATCH_LOCKED


cdef int read_endpoint(bytes packed, int port, endpoint_t *out) except -1:
    """From 4 or 16 address bytes. Everything else of the union is zeroed."""
    cdef const uint8_t *raw = packed
    cdef uint8_t *v4 = <uint8_t *>&out.v4.sin_addr
    cdef int i
    memset(out, 0, sizeof(endpoint_t))
    if len(packed) == 4:
        out.v4.sin_family = AF_INET
        out.v4.sin_port = htons(<unsigned short>port)
        for i in range(4):
            v4[i] = raw[i]
    elif len(packed) == 16:
        out.v6.sin6_family = AF_INET6
        out.v6.sin6_port = htons(<unsigned short>port)
        for i in range(16):
            out.v6.sin6_addr.s6_addr[i] = raw[i]
    else:
        raise ValueError("an address has 4 or 16 bytes")
    return 0


cdef int read_network(bytes prefix, int bits, network_t *out) except -1:
    cdef const uint8_t *raw = prefix
    cdef int i
    if len(prefix) != 16 or not 0 <= bits <= 128:
        raise ValueError("a network has 16 bytes and up to 128 bits")
    for i in range(16):
        out.prefix[i] = raw[i]
    out.bits = bits
    return 0


cdef class Latch:
    """One latch driven by hand: for tests. Addresses are packed, times in nanoseconds."""

    cdef latch_t state

    def __init__(self, *, int lock_after=3, int64_t relatch_ns=2000000000):
        memset(&self.state, 0, sizeof(latch_t))
        self.state.lock_after = lock_after
        self.state.relatch_ns = relatch_ns

    def open_window(self, bytes address, int port, networks=()):
        cdef endpoint_t remote
        read_endpoint(address, port, &remote)
        self.state.n_networks = 0
        for prefix, bits in networks[:MAX_NETWORKS]:
            read_network(prefix, bits, &self.state.networks[self.state.n_networks])
            self.state.n_networks += 1
        open_window(&self.state, &remote)

    def admit(self, bytes address, int port, *, uint32_t ssrc=1, bint negotiated=True, bint verified=False, int64_t now_ns=0):
        """'refused', 'accepted' or 'locked'."""
        cdef endpoint_t source
        read_endpoint(address, port, &source)
        names = {LATCH_REFUSED: "refused", LATCH_ACCEPTED: "accepted", LATCH_LOCKED: "locked"}
        return names[admit(&self.state, &source, ssrc, negotiated, verified, now_ns)]

    @property
    def locked(self):
        return bool(self.state.locked)
