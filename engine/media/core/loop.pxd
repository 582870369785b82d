"""The loop of a media thread."""

from santral.engine.media.core.leg cimport media_t

cdef void serve(media_t *m) noexcept nogil
