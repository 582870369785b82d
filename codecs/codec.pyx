"""A codec as Python sees it: its row of facts, and encoding and decoding of whole buffers."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.limits cimport INT_MAX
from libc.stdint cimport int16_t, uint8_t


cdef class Codec:
    """Made by a codec's module only. Samples are 16-bit mono in native byte order."""

    @staticmethod
    cdef Codec of(codec_t row):
        cdef Codec codec = Codec.__new__(Codec)
        codec.row = row
        return codec

    @property
    def name(self):
        return self.row.name.decode("ascii")

    @property
    def payload_type(self):
        return self.row.payload_type if self.row.payload_type >= 0 else None

    @property
    def sample_hz(self):
        return self.row.sample_hz

    @property
    def clock_hz(self):
        return self.row.clock_hz

    def encode(self, const unsigned char[::1] samples not None):
        """The wire bytes of `samples`; ValueError for half a sample or more than fits an int."""
        cdef int n = self.checked(samples.shape[0], 2) // 2
        cdef bytes wire = PyBytes_FromStringAndSize(NULL, 2 * n)
        cdef uint8_t *out = <uint8_t *>PyBytes_AS_STRING(wire)
        cdef int written = 0
        if n:
            with nogil:
                written = self.row.encode(<const int16_t *>&samples[0], n, out)
        return self.cut(wire, written)

    def decode(self, const unsigned char[::1] wire not None):
        """The samples of `wire`; ValueError when the codec refuses its length."""
        cdef int n = self.checked(wire.shape[0], 1)
        cdef bytes samples = PyBytes_FromStringAndSize(NULL, 2 * n * self.row.samples_per_byte_max)
        cdef int16_t *out = <int16_t *>PyBytes_AS_STRING(samples)
        cdef int written = 0
        if n:
            with nogil:
                written = self.row.decode(&wire[0], n, out)
        return self.cut(samples, 2 * written)

    def __repr__(self):
        return f"<Codec {self.name}/{self.clock_hz}>"

    cdef int checked(self, Py_ssize_t n, int unit) except -1:
        if n % unit or n * self.row.samples_per_byte_max > INT_MAX // 4:
            raise ValueError(f"{self.name}: {n} bytes")
        return <int>n

    cdef bytes cut(self, bytes buffer, int length):
        if length < 0:
            raise ValueError(f"{self.name}: not a whole frame")
        return buffer if length == len(buffer) else buffer[:length]
