"""Notes of a media thread as Python values."""

from santral.engine.media.core.leg cimport note_t
from santral.engine.media.core.net cimport endpoint_t

cdef tuple described(const note_t *note)
cdef tuple address_of(const endpoint_t *where)
