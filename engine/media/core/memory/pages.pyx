"""Memory of thousands of legs, in huge pages: with pages of 4 KiB every packet waits for the processor's page tables.

A call touches a dozen places of some ten kilobytes each; a thousand calls are more pages than the processor remembers.
Blocks are cut out of pieces of 2 MiB and never go back to the system: the next call takes those of the last. Used by Python
code only, which the interpreter's lock keeps apart.
"""

from libc.string cimport memset

cdef extern from "<sys/mman.h>" nogil:
    int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS, MADV_HUGEPAGE
    void *MAP_FAILED
    void *mmap(void *address, size_t bytes, int protection, int flags, int fd, long offset)
    int munmap(void *address, size_t bytes)
    int madvise(void *address, size_t bytes, int advice)

cdef enum:
    PIECE = 2 * 1024 * 1024  # a huge page of x86-64, and of arm64 with 4 KiB pages
    CACHE_LINE = 64
    STEPS = 8  # sizes between two powers of two: at most an eighth is lost to rounding
    SIZES = 256


cdef struct free_t:
    free_t *next

cdef struct size_class_t:
    size_t bytes
    free_t *first

cdef size_class_t classes[SIZES]
cdef int n_classes = 0
cdef char *piece = NULL
cdef size_t left = 0


cdef void *map_pages(size_t bytes) except NULL:
    """Zeros, on a boundary of huge pages. What nobody touches costs nothing."""
    cdef size_t mapped = rounded(bytes, PIECE) + PIECE
    cdef char *memory = <char *>mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    cdef char *begin
    if <void *>memory == MAP_FAILED:
        raise MemoryError
    begin = <char *>rounded(<size_t>memory, PIECE)
    if begin > memory:
        munmap(memory, begin - memory)
    munmap(begin + rounded(bytes, PIECE), memory + mapped - begin - rounded(bytes, PIECE))
    madvise(begin, rounded(bytes, PIECE), MADV_HUGEPAGE)  # where there are none, small ones do
    return begin


cdef void unmap_pages(void *memory, size_t bytes) noexcept:
    if memory != NULL:
        munmap(memory, rounded(bytes, PIECE))


cdef size_t rounded(size_t bytes, size_t to) noexcept nogil:
    return (bytes + to - 1) // to * to


cdef size_t class_of(size_t bytes) noexcept nogil:
    """The size it is kept as."""
    cdef size_t step = CACHE_LINE
    while bytes > 2 * STEPS * step:
        step *= 2
    return rounded(bytes, step)


cdef size_class_t *find_class(size_t bytes) except NULL:
    global n_classes
    cdef int i
    for i in range(n_classes):
        if classes[i].bytes == bytes:
            return &classes[i]
    if n_classes == SIZES:
        raise MemoryError("more sizes of blocks than there can be")
    classes[n_classes].bytes = bytes
    classes[n_classes].first = NULL
    n_classes += 1
    return &classes[n_classes - 1]


cdef void *take(size_t bytes) except NULL:
    """Zeros, on a boundary of cache lines. Gone back by `give_back` with the same size."""
    global piece, left
    cdef size_t size = class_of(bytes)
    cdef size_class_t *kept
    cdef void *memory
    if size > PIECE:
        return map_pages(bytes)
    kept = find_class(size)
    if kept.first != NULL:
        memory = kept.first
        kept.first = kept.first.next
        return memset(memory, 0, size)
    if size > left:
        piece = <char *>map_pages(PIECE)
        left = PIECE
    memory = piece
    piece += size
    left -= size
    return memory


cdef void give_back(void *memory, size_t bytes) noexcept:
    cdef size_t size = class_of(bytes)
    cdef size_class_t *kept
    if memory == NULL:
        return
    if size > PIECE:
        unmap_pages(memory, bytes)
        return
    kept = find_class(size)
    (<free_t *>memory).next = kept.first
    kept.first = <free_t *>memory
