"""Loudness of samples in place: gain, and gain that finds itself."""

from libc.stdint cimport int16_t

cdef enum:
    GAIN_ONE = 2048  # 0 dB
    GAIN_MAX = 32767  # +24 dB

cdef struct agc_t:
    int gain  # now, in GAIN_ONE
    float gain_db
    float speech_power  # of the voice, as heard over the last seconds; 0: none yet
    float noise_power  # of what is between the words

cdef int gain_of_db(float db) noexcept nogil  # brought into -66 to +24 dB
# Saturates. Moves from one gain to the other over the frame, so that no step is heard.
cdef void apply_gain(int16_t *samples, int n, int gain_from, int gain_to) noexcept nogil

cdef void agc_init(agc_t *state) noexcept nogil
# One frame of 10 to 60 ms, in place.
cdef void agc_run(agc_t *state, int16_t *samples, int n, int hz) noexcept nogil
