"""One stream of a capture, from its packets to samples at their places."""

from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t

from santral.codecs.codec cimport Codec, codec_t
from santral.codecs.comfort_noise cimport noise_source_t
from santral.codecs.shape.conceal cimport concealer_t
from santral.recorder.timeline.envelope cimport envelope_t
from santral.recorder.timeline.line cimport line_t
from santral.recorder.capture.row cimport row_t
from santral.recorder.timeline.run cimport run_t
from santral.recorder.timeline.spans cimport spans_t
from santral.recorder.timeline.tone cimport tone_t
from santral.recorder.timeline.waiting cimport waiting_t

cdef enum:
    SLOTS = 256
    AHEAD_MS = 3000  # so long a packet waits for those before it, and the clock is known ahead
    LATE_MS = 1000  # so late a packet may be and still be heard for sure

cdef enum kind_t:
    UNKNOWN  # nobody said what it is
    VOICE
    MUTE  # a codec that cannot be decoded here: silence of the right length
    NOISE  # RFC 3389
    EVENT  # RFC 4733

cdef struct slot_t:
    kind_t kind
    const codec_t *row
    void *state
    bint is_fresh  # the state must be made ready first
    int hz
    int clock_hz
    double delay_s  # of encoder and decoder together

cdef struct counts_t:
    int64_t packets
    int64_t lost
    int64_t late
    int64_t doubled
    int64_t malformed
    int64_t events
    int64_t masked
    int64_t sources  # epochs: SSRC, clock or numbering changed
    int64_t steps  # timestamps or the path jumped
    int64_t slipped  # samples

cdef struct side_t:
    slot_t *slots
    waiting_t waiting
    envelope_t envelope
    run_t run
    line_t line
    concealer_t concealer
    noise_source_t noise
    counts_t counts
    bint conceals
    bint has_tones  # for events
    bint is_sparse  # there is something now and then: it is not waited for
    tone_t tone
    bint is_noisy  # comfort noise was described and nobody spoke since
    bint has_failed  # no memory
    int out_hz
    int64_t start_ns  # the time of place 0
    int64_t over_ns  # when its stream ended; 0: not yet
    # Receiving: the newest packet.
    int64_t last_ns
    int64_t sequence
    int64_t timestamp
    uint32_t epoch
    uint32_t ssrc
    uint32_t raw_timestamp
    uint16_t raw_sequence
    int clock_hz
    # Playing: the last packet that had its turn.
    uint32_t played_epoch
    int64_t played_sequence
    int64_t played_ns
    int64_t missing  # packets, since the last with sound
    int span  # samples of that one
    int64_t *breaks  # times of arrival, rising: what comes from then on follows nothing
    int break_count
    int breaks_passed
    spans_t spans

# A packet of the capture, in the order of the file.
cdef void side_take(side_t *side, const row_t *row, const uint8_t *payload) noexcept nogil
# What arrived up to then has its turn, whatever may still come.
cdef void side_play(side_t *side, int64_t until_ns) noexcept nogil
# All there is up to this place lies on the line: nothing before it waits for what comes behind.
cdef void side_settle(side_t *side, int64_t place) noexcept nogil

# Packets were kept out of the file before this time: they are not lost, and nothing is made up for them.
cdef int side_break(side_t *side, int64_t at_ns) noexcept nogil
# Nothing of it waits any more.
cdef bint side_is_done(const side_t *side) noexcept nogil
# All memory but that of slots and spans.
cdef void side_free(side_t *side) noexcept nogil

cdef class Side:
    cdef side_t side
    cdef dict learnt

    cdef Codec codec_of(self, str key)
    cdef hear(self, slot_t *slot, str key)
