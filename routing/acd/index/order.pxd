# A sorted collection of objects that can be counted: the node and what other compiled modules may call.

cdef struct node_t:
    double a
    double b
    double c
    long long tie
    void *item
    int left
    int right
    int size
    int ahead  # the size of what hangs on the left, so that counting reads no nodes beside its way
    unsigned int weight
    int _  # a node is one line of the cache


cdef inline bint comes_before(node_t *x, double a, double b, double c, long long tie) noexcept nogil:
    if x.a != a:
        return x.a < a
    if x.b != b:
        return x.b < b
    if x.c != c:
        return x.c < c
    return x.tie < tie


cdef inline bint is_same(node_t *x, double a, double b, double c, long long tie) noexcept nogil:
    return x.tie == tie and x.a == a and x.b == b and x.c == c


cdef class Order:
    cdef node_t *nodes
    cdef void *block  # the memory they lie in
    cdef int capacity
    cdef int used
    cdef int free
    cdef int root
    cdef int head
    cdef unsigned int seed

    cdef int _new(self, double a, double b, double c, long long tie, void *item) except -1
    cdef int insert(self, double a, double b, double c, long long tie, void *item) except -1
    cdef int erase(self, double a, double b, double c, long long tie) noexcept
    cdef int grow(self) except -1
    cdef int count_before(self, double a, double b, double c, long long tie) noexcept
    cpdef add(self, double a, double b, double c, long long tie, object item)
    cpdef bint discard(self, double a, double b, double c, long long tie)
    cpdef int before(self, double a, double b, double c, long long tie)
    cpdef object first(self)
    cdef inline node_t *first_node(self) noexcept:
        cdef int n
        if self.root == 0:
            return NULL
        if self.head == 0:
            n = self.root
            while self.nodes[n].left:
                n = self.nodes[n].left
            self.head = n
        return &self.nodes[self.head]
