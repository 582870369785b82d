"""The interpreter's objects in huge pages. A call touches objects all over the heap: with pages of 4 KiB the processor
waits for its page tables again and again, all the more after each pause between two messages.

CPython takes memory for objects in arenas of 1 MiB. Two of them lie in one huge page here, which goes back to the system
when both are free. Arenas made before, and those of another size, stay with whoever made them.
"""

cdef extern from "Python.h":
    ctypedef struct PyObjectArenaAllocator:
        void *ctx
        void *(*alloc)(void *ctx, size_t size) noexcept
        void (*free)(void *ctx, void *memory, size_t size) noexcept
    void PyObject_GetArenaAllocator(PyObjectArenaAllocator *allocator)
    void PyObject_SetArenaAllocator(PyObjectArenaAllocator *allocator)

cdef extern from "<sys/mman.h>" nogil:
    int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS, MADV_HUGEPAGE
    void *MAP_FAILED
    void *mmap(void *address, size_t bytes, int protection, int flags, int fd, long offset)
    int munmap(void *address, size_t bytes)
    int madvise(void *address, size_t bytes, int advice)

cdef enum:
    ARENA = 1024 * 1024
    PIECE = 2 * ARENA  # a huge page of x86-64, and of arm64 with 4 KiB pages
    MAX_PIECES = 16384  # 32 GiB; arenas beyond that are the former allocator's
    LOWER = 1
    UPPER = 2
    BOTH = 3

cdef PyObjectArenaAllocator former
cdef char *pieces[MAX_PIECES]
cdef unsigned char used[MAX_PIECES]  # a bit for each half
cdef int n_pieces = 0
cdef bint is_in_use = False


def use() -> None:
    """From now on. Best before anything else is imported: what lies elsewhere stays there. Twice is once."""
    global is_in_use
    cdef PyObjectArenaAllocator ours
    if is_in_use:
        return
    PyObject_GetArenaAllocator(&former)
    ours.ctx = NULL
    ours.alloc = take
    ours.free = give_back
    PyObject_SetArenaAllocator(&ours)
    is_in_use = True


def held() -> int:
    """Octets of the pieces that are in use."""
    return n_pieces * PIECE


# Both are called by the interpreter, under its lock; in them nothing of Python's may be touched.

cdef void *take(void *_ctx, size_t size) noexcept:
    cdef int i
    if size != ARENA:
        return former.alloc(former.ctx, size)
    for i in range(n_pieces):
        if used[i] != BOTH:
            return half_of(i)
    if n_pieces == MAX_PIECES or not add_piece():
        return former.alloc(former.ctx, size)
    return half_of(n_pieces - 1)


cdef void *half_of(int i) noexcept:
    """A free half of this piece, in use from now on."""
    cdef unsigned char half = UPPER if used[i] & LOWER else LOWER
    used[i] |= half
    return pieces[i] + (ARENA if half == UPPER else 0)


cdef bint add_piece() noexcept:
    """One more, on a boundary of huge pages; False where there is no memory."""
    global n_pieces
    cdef char *memory = <char *>mmap(NULL, 2 * PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    cdef char *begin
    if <void *>memory == MAP_FAILED:
        return False
    begin = <char *>((<size_t>memory + PIECE - 1) // PIECE * PIECE)
    if begin > memory:
        munmap(memory, begin - memory)
    munmap(begin + PIECE, memory + PIECE - begin)
    madvise(begin, PIECE, MADV_HUGEPAGE)  # where there are none, small ones do
    pieces[n_pieces], used[n_pieces] = begin, 0
    n_pieces += 1
    return True


cdef void give_back(void *_ctx, void *memory, size_t size) noexcept:
    global n_pieces
    cdef char *begin = <char *>(<size_t>memory // PIECE * PIECE)
    cdef int i
    if size == ARENA:
        for i in range(n_pieces):
            if pieces[i] == begin:
                used[i] &= LOWER if begin != <char *>memory else UPPER
                if not used[i]:
                    munmap(begin, PIECE)
                    n_pieces -= 1
                    pieces[i], used[i] = pieces[n_pieces], used[n_pieces]
                return
    former.free(former.ctx, memory, size)
