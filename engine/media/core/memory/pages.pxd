"""Memory of thousands of legs, in huge pages."""

cdef void *map_pages(size_t bytes) except NULL
cdef void unmap_pages(void *memory, size_t bytes) noexcept
cdef void *take(size_t bytes) except NULL
cdef void give_back(void *memory, size_t bytes) noexcept
