"""A detector for Python, offline: samples in, lists of reports out.

Who derives from it owns the detector's state and room for what it tells of one piece of the sound.
"""

from libc.stdint cimport int16_t

cdef enum:
    PIECE = 320  # samples: no detector tells more of them than it has room for


cdef class Listener:
    """Samples are 16-bit mono at 8 kHz in native byte order; times count samples."""

    cdef int feed_some(self, const int16_t *samples, int n) noexcept nogil:
        """How many reports at most one piece of samples gave."""
        return 0

    cdef int end(self) noexcept nogil:
        """The same of the end of the stream."""
        return 0

    cdef list told(self, int n):
        """The reports that were given last, as Python knows them."""
        return []

    def feed(self, const unsigned char[::1] samples not None):
        """What happened in `samples`, as a list of reports. ValueError for half a sample."""
        cdef Py_ssize_t n = samples.shape[0] // 2
        cdef Py_ssize_t done = 0
        cdef int used
        cdef list reports = []
        if samples.shape[0] % 2:
            raise ValueError("half a sample")
        while done < n:
            with nogil:
                used = self.feed_some(<const int16_t *>&samples[2 * done], <int>min(n - done, PIECE))
            done += PIECE
            if used:
                reports += self.told(used)
        return reports

    def finish(self):
        """What the end of the stream ends."""
        return self.told(self.end())
