"""Memory of stages as the event loop owns it."""

from libc.stdint cimport uint8_t

from santral.codecs.codec cimport Codec
from santral.engine.media.core.stage.block cimport detectors_t, playlist_t, room_t, stage_t, voice_t

cdef class Stage:
    cdef stage_t *block

cdef class Voice:
    cdef voice_t *block
    cdef size_t bytes
    cdef tuple codecs  # rows live as long as they do

    cdef uint8_t *add_decoder(self, int number, Codec codec, int sample_hz, uint8_t *at) except NULL
    cdef int add_encoder(self, tuple encoder, uint8_t *at) except -1

cdef class Playlist:
    cdef playlist_t *block
    cdef tuple sounds  # keeps the samples

cdef class Room:
    cdef room_t *block

cdef class Detectors:
    cdef detectors_t *block
