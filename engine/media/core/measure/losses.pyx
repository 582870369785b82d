"""Lost packets as bursts and gaps (RFC 3611 section 4.7.2): a burst begins and ends with a loss, holds two at least, and never
`GMIN` received packets in a row; everything else is gap.
"""

from libc.stdint cimport uint32_t


cdef void note_lost(losses_t *l, uint32_t n) noexcept nogil:
    """`n` packets in a row are lost."""
    if n == 0:
        return
    if l.since or not l.lost:
        l.runs += 1
    if l.open_lost and l.since < GMIN:
        l.open_packets += l.since + n
        l.open_lost += n
    else:
        end_burst(l)
        l.open_packets = l.open_lost = n
    l.counted += n
    l.lost += n
    l.since = 0


cdef void end_burst(losses_t *l) noexcept nogil:
    """What may still have become longer is over. A single loss belongs to the gap."""
    if l.open_lost > 1:
        l.bursts += 1
        l.burst_packets += l.open_packets
        l.burst_lost += l.open_lost
    l.open_packets = l.open_lost = 0


cdef double burst_ratio(uint32_t lost, uint32_t runs, uint32_t counted) noexcept nogil:
    """BurstR of G.107: mean length of loss runs over that of random loss, 1/(1 - p). At least 1."""
    cdef double ratio
    if runs == 0 or lost >= counted:
        return 1.0
    ratio = <double>lost / runs * (1.0 - <double>lost / counted)
    return ratio if ratio > 1.0 else 1.0


cdef class Losses:
    """Driven by hand, for tests and offline tools."""

    cdef losses_t state

    def note(self, str fates not None):
        """One letter a packet: `x` lost, anything else received."""
        for fate in fates:
            if fate == "x":
                note_lost(&self.state, 1)
            else:
                note_received(&self.state)

    def figures(self):
        cdef losses_t ended = self.state
        end_burst(&ended)
        return {
            "counted": ended.counted,
            "lost": ended.lost,
            "runs": ended.runs,
            "bursts": ended.bursts,
            "burst_packets": ended.burst_packets,
            "burst_lost": ended.burst_lost,
        }
