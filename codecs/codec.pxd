"""The row that every codec fills in, and the Python objects that carry it.

Who works without the GIL copies nothing: it keeps a `const codec_t *` (rows live as long as the process) and memory of
its own for the states, `encoder_bytes` and `decoder_bytes` of it, aligned to `STATE_ALIGNMENT`. Nothing here raises,
allocates or locks; a result below zero means that the input cannot be right, and is the caller's to count.
"""

from libc.stdint cimport int16_t, uint8_t

cdef enum:
    STATE_ALIGNMENT = 16
    FRAME_MS_MAX = 120  # the longest packet anything here makes or takes (RFC 6716 3.2.5)
    FRAME_SAMPLES_MAX = 5760  # of it, at 48 kHz
    FRAME_BYTES_MAX = 11520  # of it, as L16 at 48 kHz

# What signalling settles for one direction; zeros ask for the codec's own defaults. For an encoder it comes from the
# peer's fmtp, since that says what the peer likes to receive (RFC 7587 6.1).
cdef struct codec_params_t:
    int sample_hz  # of the samples on our side: one of the codec's rates
    int frame_ms  # length of the frames to be encoded
    int bitrate  # bit/s, on average
    int bandwidth_hz  # the highest sampling rate whose content is worth sending
    bint is_constant  # constant bit rate
    bint is_protected  # in-band forward error correction
    bint is_discontinuous  # silence is not sent
    int loss_percent  # expected, which the protection is dimensioned for

# `init`: 0, or -1 for parameters the codec cannot work with. May be called again on the same memory to start afresh.
ctypedef int (*init_t)(void *state, const codec_params_t *params) noexcept nogil
# Bytes written into `wire` (at most `room`); 0: nothing needs to be sent for this frame (discontinuous transmission).
ctypedef int (*encode_t)(void *state, const int16_t *samples, int n, uint8_t *wire, int room) noexcept nogil
# Samples written (at most `room`).
ctypedef int (*decode_t)(void *state, const uint8_t *wire, int n, int16_t *samples, int room) noexcept nogil
# Fills `n` samples in place of a lost or unsent packet.
ctypedef int (*conceal_t)(void *state, int16_t *samples, int n) noexcept nogil
# An encoder that runs learns what share of its packets is lost on their way, 0 to 100; -1 when it cannot be told.
ctypedef int (*expect_loss_t)(void *state, int percent) noexcept nogil
# The samples at `sample_hz` that a payload stands for.
ctypedef int (*span_t)(const uint8_t *wire, int n, int sample_hz) noexcept nogil

cdef struct codec_t:
    const char *name  # encoding name as registered
    int payload_type  # static number of RFC 3551, -1 for none
    int clock_hz  # of RTP timestamps
    int channels  # as in rtpmap; samples are mono here whatever it says
    int sample_hz  # preferred; `rates` has all
    int rates[6]  # of samples; ends with 0
    # The smallest piece of constant-rate codecs; `unit_bytes` 0: the length says nothing, ask `span`.
    int unit_samples
    int unit_bytes
    int frame_bytes_max  # of variable-rate codecs
    int frames_ms[8]  # lengths that can be encoded, longest first; empty: every whole number of units
    # State; NULL and 0 for codecs without.
    int encoder_bytes
    int decoder_bytes
    init_t init_encoder
    init_t init_decoder
    encode_t encode  # NULL: passed through only
    decode_t decode
    conceal_t conceal  # NULL: no concealment of its own, take that of `shape.conceal`
    decode_t recover  # NULL: none. Reads the *following* packet for what it repeats of the lost one just before it
    span_t span  # NULL: constant rate
    expect_loss_t expect_loss  # NULL: none of its packets repeats another

# A row of a constant-rate codec without state: whoever has more fills in the rest.
cdef codec_t codec_row(
    const char *name, int payload_type, int clock_hz, int sample_hz, int unit_samples, int unit_bytes
) noexcept nogil

# Frame arithmetic, -1 where there is no right answer.
cdef int codec_span(const codec_t *row, const uint8_t *wire, int n, int sample_hz) noexcept nogil
cdef int codec_bytes(const codec_t *row, int samples) noexcept nogil
cdef int codec_ticks(const codec_t *row, int samples, int sample_hz) noexcept nogil
cdef int codec_frame_ms(const codec_t *row, int wanted_ms) noexcept nogil
cdef bint codec_takes_rate(const codec_t *row, int sample_hz) noexcept nogil

cdef class Parameters:
    cdef codec_params_t row

cdef class Codec:
    cdef codec_t row

    @staticmethod
    cdef Codec of(codec_t row)

cdef class Encoder:
    cdef readonly Codec codec
    cdef readonly Parameters parameters
    cdef void *state

cdef class Decoder:
    cdef readonly Codec codec
    cdef readonly Parameters parameters
    cdef void *state

    cdef bytes run(self, decode_t decode, const unsigned char[::1] wire)
