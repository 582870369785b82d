# Memory by the line of the cache, and asking for it before it is needed: a large call centre fits in no cache.

cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **memory, size_t alignment, size_t size)

cdef extern from *:
    """
    #define fetch(address) __builtin_prefetch(address)
    """
    void fetch(void *address) noexcept nogil

cdef enum:
    LINE = 64  # octets


cdef inline void *aligned(size_t size) except NULL:
    cdef void *found = NULL
    if posix_memalign(&found, LINE, size):
        raise MemoryError
    return found


cdef inline void fetch_lines(void *begin, int lines) noexcept:
    """Ask for so many lines, and do not wait for them."""
    cdef int i
    for i in range(lines):
        fetch(<char *>begin + i * LINE)
