"""CRC-32 as zlib, PNG and Ethernet have it (ISO 3309), eight bytes a step: a C library of its own would be needed else."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    POLYNOMIAL = 0xEDB88320  # reflected
    STEP = 8

cdef uint32_t table[STEP][256]


cdef void fill_tables() noexcept:
    cdef uint32_t value
    cdef int i, k
    for i in range(256):
        value = <uint32_t>i
        for k in range(8):
            value = (value >> 1) ^ (<uint32_t>POLYNOMIAL if value & 1 else 0)
        table[0][i] = value
    for i in range(256):
        for k in range(1, STEP):
            table[k][i] = (table[k - 1][i] >> 8) ^ table[0][table[k - 1][i] & 0xFF]


cdef uint32_t crc32(const uint8_t *data, size_t n, uint32_t before=0) noexcept nogil:
    """`before`: of the bytes that stand in front."""
    cdef uint32_t crc = ~before
    cdef uint64_t eight
    while n >= STEP:
        memcpy(&eight, data, STEP)  # little-endian, see chunk.pxd
        eight ^= crc
        crc = (
            table[7][eight & 0xFF] ^ table[6][eight >> 8 & 0xFF] ^ table[5][eight >> 16 & 0xFF]
            ^ table[4][eight >> 24 & 0xFF] ^ table[3][eight >> 32 & 0xFF] ^ table[2][eight >> 40 & 0xFF]
            ^ table[1][eight >> 48 & 0xFF] ^ table[0][eight >> 56]
        )
        data += STEP
        n -= STEP
    while n:
        crc = (crc >> 8) ^ table[0][(crc ^ data[0]) & 0xFF]
        data += 1
        n -= 1
    return ~crc


fill_tables()
