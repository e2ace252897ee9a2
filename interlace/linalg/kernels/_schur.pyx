# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Scatter into and gather from the dense Schur complement of the tail.

The coupling of the levels of the first factor with the tail is kept flat: level l touches the tail
columns ``cols[indptr[l]:indptr[l + 1]]`` (increasing), with one row of k0 numbers per column.
Dense symmetric matrices are Fortran-ordered and only their lower triangle is used. Tiles are
squares of `tile` columns; ``pointers[l, t]`` is where the columns of tile t begin in level l.
Every function is described by a few lines of numpy in ``tests/linalg/twins.py``.
"""


def scale_tail(const double[:, :, ::1] values, const double[:, ::1] T,
               const long long[::1] position, double[:, ::1] out):
    """out[position[e] + j, i] = (values[e] T)[i, j], T lower triangular."""
    cdef Py_ssize_t e, o
    cdef int i, j, m, k0 = values.shape[1], k = values.shape[2]
    cdef double s
    with nogil:
        if k == 1:
            s = T[0, 0]
            for e in range(values.shape[0]):
                for i in range(k0):
                    out[position[e], i] = values[e, i, 0] * s
        else:
            for e in range(values.shape[0]):
                o = position[e]
                for i in range(k0):
                    for j in range(k):
                        s = 0.0
                        for m in range(j, k):
                            s += values[e, i, m] * T[m, j]
                        out[o + j, i] = s


def scale_head(const long long[::1] indptr, const double[:, :, ::1] G, const double[:, ::1] V,
               double[:, ::1] J):
    """J[e] = G[l] V[e] for the entries e of level l."""
    cdef Py_ssize_t l, e
    cdef int i, m, k0 = V.shape[1]
    cdef double s
    with nogil:
        for l in range(G.shape[0]):
            if k0 == 1:
                s = G[l, 0, 0]
                for e in range(indptr[l], indptr[l + 1]):
                    J[e, 0] = s * V[e, 0]
            else:
                for e in range(indptr[l], indptr[l + 1]):
                    for i in range(k0):
                        s = 0.0
                        for m in range(k0):
                            s += G[l, i, m] * V[e, m]
                        J[e, i] = s


def tile_pointers(const long long[::1] indptr, const int[::1] cols, int tile,
                  long long[:, ::1] pointers):
    """pointers[l, t] = the first entry of level l in columns >= t * tile."""
    cdef Py_ssize_t l, e, t
    with nogil:
        for l in range(pointers.shape[0]):
            e = indptr[l]
            for t in range(pointers.shape[1]):
                while e < indptr[l + 1] and cols[e] < t * tile:
                    e += 1
                pointers[l, t] = e


cdef void scatter_tile(double* C, Py_ssize_t q, const long long[:, ::1] pointers,
                       const int[::1] cols, const double[:, ::1] J, Py_ssize_t row,
                       Py_ssize_t column) noexcept nogil:
    cdef Py_ssize_t l, a, b, first, last
    cdef int m, k0 = J.shape[1]
    cdef double v, v0, v1, s
    cdef double* target
    for l in range(pointers.shape[0]):
        last = pointers[l, row + 1]
        if pointers[l, row] == last:
            continue
        for a in range(pointers[l, column], pointers[l, column + 1]):
            target = C + q * cols[a]
            first = a if row == column else pointers[l, row]
            if k0 == 1:
                v = J[a, 0]
                for b in range(first, last):
                    target[cols[b]] -= v * J[b, 0]
            elif k0 == 2:
                v0 = J[a, 0]
                v1 = J[a, 1]
                for b in range(first, last):
                    target[cols[b]] -= v0 * J[b, 0] + v1 * J[b, 1]
            else:
                for b in range(first, last):
                    s = 0.0
                    for m in range(k0):
                        s += J[a, m] * J[b, m]
                    target[cols[b]] -= s


def scatter(double[::1, :] C, int tile, const long long[:, ::1] pointers, const int[::1] cols,
            const double[:, ::1] J):
    """C = -J'J on the lower triangle, tile by tile."""
    cdef Py_ssize_t q = C.shape[0], n_tiles = pointers.shape[1] - 1, row, column, i, j
    cdef double* base = &C[0, 0]
    with nogil:
        for column in range(n_tiles):
            for row in range(column, n_tiles):
                for j in range(column * tile, min(q, (column + 1) * tile)):
                    for i in range(max(j, row * tile), min(q, (row + 1) * tile)):
                        base[i + j * q] = 0.0
                scatter_tile(base, q, pointers, cols, J, row, column)


cdef void gather_tile(const double* S, Py_ssize_t q, const long long[:, ::1] pointers,
                      const int[::1] cols, const double[:, ::1] J, Py_ssize_t row,
                      Py_ssize_t column, double[:, :, ::1] W, double* y) noexcept nogil:
    cdef Py_ssize_t l, a, b, first, last
    cdef int i, m, k0 = J.shape[1]
    cdef double s, w
    cdef const double* source
    for l in range(pointers.shape[0]):
        last = pointers[l, row + 1]
        if pointers[l, row] == last:
            continue
        if k0 == 1:
            w = 0.0
            for a in range(pointers[l, column], pointers[l, column + 1]):
                source = S + q * cols[a]
                first = pointers[l, row]
                s = 0.0
                if row == column:
                    s = 0.5 * source[cols[a]] * J[a, 0]
                    first = a + 1
                for b in range(first, last):
                    s += source[cols[b]] * J[b, 0]
                w += s * J[a, 0]
            W[l, 0, 0] += 2.0 * w
            continue
        for a in range(pointers[l, column], pointers[l, column + 1]):
            source = S + q * cols[a]
            first = pointers[l, row]
            for i in range(k0):
                y[i] = 0.0
            if row == column:
                for i in range(k0):
                    y[i] = 0.5 * source[cols[a]] * J[a, i]
                first = a + 1
            for b in range(first, last):
                s = source[cols[b]]
                for i in range(k0):
                    y[i] += s * J[b, i]
            for i in range(k0):
                for m in range(k0):
                    s = y[i] * J[a, m]
                    W[l, i, m] += s
                    W[l, m, i] += s


def gather(const double[::1, :] S, const long long[:, ::1] pointers, const int[::1] cols,
           const double[:, ::1] J, double[:, :, ::1] W, double[::1] work):
    """W[l] += J_l S J_l' (k0, k0), S symmetric by its lower triangle.

    work: (k0,).
    """
    cdef Py_ssize_t q = S.shape[0], n_tiles = pointers.shape[1] - 1, row, column
    with nogil:
        for column in range(n_tiles):
            for row in range(column, n_tiles):
                gather_tile(&S[0, 0], q, pointers, cols, J, row, column, W, &work[0])


def couple(const long long[::1] indptr, const int[::1] cols, const double[:, ::1] J,
           const double[:, ::1] X, double[:, :, ::1] out):
    """out[l] (k0, r) = J_l X[cols of l]."""
    cdef Py_ssize_t l, e, c, r = X.shape[1]
    cdef int i, k0 = J.shape[1]
    cdef double s
    with nogil:
        for l in range(out.shape[0]):
            for i in range(k0):
                for c in range(r):
                    out[l, i, c] = 0.0
                for e in range(indptr[l], indptr[l + 1]):
                    s = J[e, i]
                    for c in range(r):
                        out[l, i, c] += s * X[cols[e], c]


def couple_transposed(const long long[::1] indptr, const int[::1] cols, const double[:, ::1] J,
                      const double[:, :, ::1] x, double[:, ::1] out):
    """out (q_t, r) -= Σ_l J_l' x[l]."""
    cdef Py_ssize_t l, e, c, r = x.shape[2]
    cdef int i, k0 = J.shape[1]
    cdef double s
    with nogil:
        for l in range(x.shape[0]):
            for e in range(indptr[l], indptr[l + 1]):
                for i in range(k0):
                    s = J[e, i]
                    for c in range(r):
                        out[cols[e], c] -= s * x[l, i, c]


def copy_lower(const double[::1, :] source, double[::1, :] target):
    """target = source on the lower triangle."""
    cdef Py_ssize_t i, j, q = source.shape[0]
    with nogil:
        for j in range(q):
            for i in range(j, q):
                target[i, j] = source[i, j]
