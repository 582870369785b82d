"""A queue in order of sending: who comes late is put back where it belongs, whoever comes twice counts once."""

from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove

cdef enum:
    HEADS = 256  # to begin with
    BYTES = 1 << 16


cdef void waiting_init(waiting_t *waiting) noexcept nogil:
    waiting.heads = NULL
    waiting.bytes = NULL
    waiting.first = waiting.count = waiting.room = 0
    waiting.start = waiting.end = waiting.bytes_room = 0


cdef void waiting_free(waiting_t *waiting) noexcept nogil:
    free(waiting.heads)
    free(waiting.bytes)
    waiting_init(waiting)


cdef int more_heads(waiting_t *waiting) noexcept nogil:
    cdef int room = waiting.room * 2 if waiting.room else HEADS
    cdef head_t *heads = <head_t *>realloc(waiting.heads, room * sizeof(head_t))
    if heads == NULL:
        return -1
    memcpy(heads + waiting.room, heads, waiting.first * sizeof(head_t))  # what had wrapped goes on behind the old end
    waiting.heads, waiting.room = heads, room
    return 0


cdef int more_bytes(waiting_t *waiting, int n) noexcept nogil:
    """Room for `n`: by moving what is still wanted to the start, or else by growing."""
    cdef int64_t wanted = waiting.end
    cdef int64_t room = waiting.bytes_room if waiting.bytes_room else BYTES
    cdef uint8_t *memory
    cdef int i
    for i in range(waiting.count):
        if waiting_head(waiting, i).at < wanted:
            wanted = waiting_head(waiting, i).at
    if wanted > waiting.start:
        memmove(waiting.bytes, waiting.bytes + (wanted - waiting.start), waiting.end - wanted)
        waiting.start = wanted
    while room < 2 * (waiting.end - waiting.start + n):
        room *= 2
    if room > waiting.bytes_room:
        memory = <uint8_t *>realloc(waiting.bytes, room)
        if memory == NULL:
            return -1
        waiting.bytes, waiting.bytes_room = memory, room
    return 0


cdef int waiting_add(waiting_t *waiting, const head_t *head, const uint8_t *payload) noexcept nogil:
    cdef int i = waiting.count
    cdef int j
    cdef const head_t *other
    if i == waiting.room and more_heads(waiting) < 0:
        return -1
    if waiting.end - waiting.start + head.length > waiting.bytes_room and more_bytes(waiting, head.length) < 0:
        return -1
    while i > 0:
        other = waiting_head(waiting, i - 1)
        if other.epoch != head.epoch or other.sequence < head.sequence:
            break
        if other.sequence == head.sequence:
            return 0
        i -= 1
    waiting.count += 1
    for j in range(waiting.count - 1, i, -1):
        waiting_head(waiting, j)[0] = waiting_head(waiting, j - 1)[0]
    waiting_head(waiting, i)[0] = head[0]
    waiting_head(waiting, i).at = waiting.end
    if head.length:
        memcpy(waiting.bytes + (waiting.end - waiting.start), payload, head.length)
    waiting.end += head.length
    return 1


cdef void waiting_drop(waiting_t *waiting) noexcept nogil:
    waiting.first = (waiting.first + 1) & (waiting.room - 1)
    waiting.count -= 1
