"""A packet as the index of a capture gives it: the rows that numpy knows as `PACKET`."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

cdef packed struct row_t:  # `PACKET` of model.py
    uint16_t stream
    uint8_t codec
    uint8_t flags
    uint8_t payload_type
    uint8_t unused
    uint16_t sequence
    uint16_t octets
    uint16_t length
    uint32_t timestamp
    uint32_t ssrc
    uint32_t unused_too
    int64_t arrival_ns
    int64_t offset
