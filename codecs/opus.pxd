"""For C callers: the row's functions; states are libopus' own, of the sizes in the row."""

from libc.stdint cimport int16_t, uint8_t

from santral.codecs.codec cimport codec_params_t

cdef int opus_encoder_ready(void *state, const codec_params_t *params) noexcept nogil
cdef int opus_decoder_ready(void *state, const codec_params_t *params) noexcept nogil
cdef int opus_encode(void *state, const int16_t *samples, int n, uint8_t *wire, int room) noexcept nogil
cdef int opus_decode(void *state, const uint8_t *wire, int n, int16_t *samples, int room) noexcept nogil
cdef int opus_conceal(void *state, int16_t *samples, int n) noexcept nogil
cdef int opus_recover(void *state, const uint8_t *following, int n, int16_t *samples, int room) noexcept nogil
cdef int opus_span(const uint8_t *wire, int n, int sample_hz) noexcept nogil

# What an encoder that runs is told of the loss its packets meet (0 to 100), from the peer's reports.
cdef int opus_expect_loss(void *encoder, int percent) noexcept nogil
