"""A sorted collection of objects that knows how many stand before each: a treap in one block of memory.

Adding, taking out and counting cost the logarithm of the length; looking at the first costs nothing. The collection
holds no references (whoever adds an object keeps it alive until it is taken out) and is nothing the garbage collector
looks into, however long. The weights come from a generator of its own with a fixed seed: the same calls build the same
tree.
"""

from libc.stdlib cimport free, realloc
from libc.string cimport memmove

from santral.routing.acd.index.memory cimport LINE

cdef enum:
    SMALLEST = 8  # nodes in the first block


cdef inline void recount(node_t *nodes, int n) noexcept nogil:
    nodes[n].ahead = nodes[nodes[n].left].size
    nodes[n].size = 1 + nodes[n].ahead + nodes[nodes[n].right].size


cdef void split(node_t *nodes, int root, node_t *key, int *left, int *right) noexcept nogil:
    """What comes before `key`, and the rest."""
    if root == 0:
        left[0] = right[0] = 0
    elif comes_before(&nodes[root], key.a, key.b, key.c, key.tie):
        split(nodes, nodes[root].right, key, &nodes[root].right, right)
        left[0] = root
        recount(nodes, root)
    else:
        split(nodes, nodes[root].left, key, left, &nodes[root].left)
        right[0] = root
        recount(nodes, root)


cdef int merge(node_t *nodes, int left, int right) noexcept nogil:
    if left == 0:
        return right
    if right == 0:
        return left
    if nodes[left].weight > nodes[right].weight:
        nodes[left].right = merge(nodes, nodes[left].right, right)
        recount(nodes, left)
        return left
    nodes[right].left = merge(nodes, left, nodes[right].left)
    recount(nodes, right)
    return right


cdef int insert_below(node_t *nodes, int root, int new) noexcept nogil:
    if root == 0:
        return new
    if nodes[new].weight > nodes[root].weight:
        split(nodes, root, &nodes[new], &nodes[new].left, &nodes[new].right)
        recount(nodes, new)
        return new
    if comes_before(&nodes[root], nodes[new].a, nodes[new].b, nodes[new].c, nodes[new].tie):
        nodes[root].right = insert_below(nodes, nodes[root].right, new)
    else:
        nodes[root].left = insert_below(nodes, nodes[root].left, new)
        nodes[root].ahead += 1
    nodes[root].size += 1
    return root


cdef class Order:
    """Objects by a key of three numbers and a tie-break that makes it unique."""

    def __cinit__(self):
        self.block = self.nodes = NULL
        self.capacity = self.used = self.free = self.root = self.head = 0
        self.seed = 2463534242

    def __dealloc__(self):
        free(self.block)

    cdef int grow(self) except -1:
        """Twice the room. Large blocks are moved by the kernel, page by page, and not copied."""
        cdef int wanted = max(SMALLEST, self.capacity * 2)
        cdef size_t before = <char *>self.nodes - <char *>self.block
        cdef size_t after
        cdef void *block = realloc(self.block, wanted * sizeof(node_t) + LINE)
        if block == NULL:
            raise MemoryError
        after = -<size_t>block % LINE
        if self.capacity and after != before:
            memmove(<char *>block + after, <char *>block + before, self.capacity * sizeof(node_t))
        self.block, self.nodes = block, <node_t *>(<char *>block + after)
        if not self.capacity:
            self.nodes[0] = node_t(0.0, 0.0, 0.0, 0, NULL, 0, 0, 0, 0, 0, 0)  # node 0 is nobody
        self.capacity = wanted
        return 0

    cdef int _new(self, double a, double b, double c, long long tie, void *item) except -1:
        cdef int n = self.free
        if n:
            self.free = self.nodes[n].left
        else:
            if self.used + 1 >= self.capacity:
                self.grow()
            self.used += 1
            n = self.used
        self.seed ^= self.seed << 13
        self.seed ^= self.seed >> 17
        self.seed ^= self.seed << 5
        self.nodes[n] = node_t(a, b, c, tie, item, 0, 0, 1, 0, self.seed, 0)
        return n

    cdef int insert(self, double a, double b, double c, long long tie, void *item) except -1:
        cdef int n = self._new(a, b, c, tie, item)
        cdef node_t *head
        if self.head:
            head = &self.nodes[self.head]
            if not comes_before(head, a, b, c, tie):
                self.head = n
        elif self.root == 0:
            self.head = n
        self.root = insert_below(self.nodes, self.root, n)
        return 0

    cdef int erase(self, double a, double b, double c, long long tie) noexcept:
        """Whether it was there."""
        cdef int *link = &self.root
        cdef int n = self.root
        cdef node_t *nodes = self.nodes
        while n and not is_same(&nodes[n], a, b, c, tie):
            n = nodes[n].right if comes_before(&nodes[n], a, b, c, tie) else nodes[n].left
        if n == 0:
            return 0
        n = self.root
        while not is_same(&nodes[n], a, b, c, tie):
            nodes[n].size -= 1
            if comes_before(&nodes[n], a, b, c, tie):
                link = &nodes[n].right
            else:
                nodes[n].ahead -= 1
                link = &nodes[n].left
            n = link[0]
        link[0] = merge(nodes, nodes[n].left, nodes[n].right)
        nodes[n].left = self.free
        self.free = n
        if n == self.head:
            self.head = 0
        return 1

    cdef int count_before(self, double a, double b, double c, long long tie) noexcept:
        cdef int n = self.root
        cdef int found = 0
        while n:
            if comes_before(&self.nodes[n], a, b, c, tie):
                found += self.nodes[n].ahead + 1
                n = self.nodes[n].right
            else:
                n = self.nodes[n].left
        return found

    def __len__(self):
        return self.nodes[self.root].size if self.root else 0

    cpdef add(self, double a, double b, double c, long long tie, object item):
        """Put `item` at this key, which must not be taken. The caller keeps `item` alive."""
        self.insert(a, b, c, tie, <void *>item)

    cpdef bint discard(self, double a, double b, double c, long long tie):
        """Take out what stands at this key; whether anything did."""
        return self.erase(a, b, c, tie) != 0

    cpdef int before(self, double a, double b, double c, long long tie):
        """How many stand before this key."""
        return self.count_before(a, b, c, tie)

    cpdef object first(self):
        """The first object, `None` if there is none."""
        cdef node_t *node = self.first_node()
        return None if node == NULL else <object>node.item

    def first_key(self):
        """The first number of the first key; infinity if there is none."""
        cdef node_t *node = self.first_node()
        return float("inf") if node == NULL else node.a

    def at(self, int index):
        """The object at `index`, from 0. IndexError beyond the last."""
        cdef int n = self.root
        cdef int left
        if index < 0 or n == 0 or index >= self.nodes[n].size:
            raise IndexError(index)
        while True:
            left = self.nodes[n].ahead
            if index < left:
                n = self.nodes[n].left
            elif index == left:
                return <object>self.nodes[n].item
            else:
                index -= left + 1
                n = self.nodes[n].right
