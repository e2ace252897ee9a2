# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Scatter into and gather from the dense Schur complement of the tail.

The coupling of the levels of the first factor with the tail is kept flat: level l touches the tail
columns ``cols[indptr[l]:indptr[l + 1]]`` (increasing), with one row of k0 numbers per column.
Dense symmetric matrices are Fortran-ordered and only their lower triangle is used. Tiles are
squares of `tile` columns; ``pointers[l, t]`` is where the columns of tile t begin in level l.
Every function is described by a few lines of numpy in ``tests/helpers/numpy_kernels.py``.
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


def dense_rows(const double[:, :, ::1] values, const long long[::1] chosen,
               const long long[::1] row, const int[::1] level, Py_ssize_t start, double factor,
               const double[:, :, ::1] heads, double[:, :, ::1] J):
    """J[row[e], :, start + level[e] k:][:, :k] = factor heads[row[e]] values[chosen[e]] (k0, k).

    heads (levels, 1, 1) for k0 = 1, or with 0 levels for ones.
    """
    cdef Py_ssize_t e, l, o
    cdef int i, j, k0 = values.shape[1], k = values.shape[2]
    cdef bint plain = heads.shape[0] == 0
    cdef double f = factor
    cdef const double* block
    with nogil:
        for e in range(chosen.shape[0]):
            block = &values[chosen[e], 0, 0]
            l = row[e]
            o = start + k * <Py_ssize_t>level[e]
            if not plain:
                f = factor * heads[l, 0, 0]
            if k0 == 1 and k == 1:
                J[l, 0, o] = f * block[0]
                continue
            for i in range(k0):
                for j in range(k):
                    J[l, i, o + j] = f * block[i * k + j]


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
                      Py_ssize_t column, double[:, :, ::1] inner, double* y) noexcept nogil:
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
            inner[l, 0, 0] += 2.0 * w
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
                    inner[l, i, m] += s
                    inner[l, m, i] += s


def gather(const double[::1, :] S, const long long[:, ::1] pointers, const int[::1] cols,
           const double[:, ::1] J, double[:, :, ::1] inner, double[::1] work):
    """inner[l] += J_l S J_l' (k0, k0), S symmetric by its lower triangle.

    work: (k0,).
    """
    cdef Py_ssize_t q = S.shape[0], n_tiles = pointers.shape[1] - 1, row, column
    with nogil:
        for column in range(n_tiles):
            for row in range(column, n_tiles):
                gather_tile(&S[0, 0], q, pointers, cols, J, row, column, inner, &work[0])


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


def add_diagonal(const double[:, :, ::1] A, const double[:, ::1] T, Py_ssize_t start,
                 double[::1, :] C):
    """Lower triangles of T'A[l]T added to the diagonal blocks of C from column `start` on."""
    cdef Py_ssize_t l, o
    cdef int k = A.shape[1], i, j, m, n
    cdef double s, f
    with nogil:
        for l in range(A.shape[0]):
            o = start + l * k
            for i in range(k):
                for j in range(i + 1):
                    s = 0.0
                    for m in range(i, k):
                        f = 0.0
                        for n in range(j, k):
                            f += A[l, m, n] * T[n, j]
                        s += T[m, i] * f
                    C[o + i, o + j] += s


def add_pair(const long long[::1] indptr, const int[::1] indices, const double[:, :, ::1] values,
             const double[:, ::1] Tb, const double[:, ::1] Tc, Py_ssize_t start_b,
             Py_ssize_t start_c, double[::1, :] C):
    """Tb'values[e]Tc of two tail factors added to C: rows of c, columns of b (b before c)."""
    cdef Py_ssize_t l, e, row, column
    cdef int kb = values.shape[1], kc = values.shape[2], i, j, m, n
    cdef double s, f
    with nogil:
        for l in range(indptr.shape[0] - 1):
            column = start_b + l * kb
            for e in range(indptr[l], indptr[l + 1]):
                row = start_c + kc * <Py_ssize_t>indices[e]
                for i in range(kb):
                    for j in range(kc):
                        s = 0.0
                        for m in range(i, kb):
                            f = 0.0
                            for n in range(j, kc):
                                f += values[e, m, n] * Tc[n, j]
                            s += Tb[m, i] * f
                        C[row + j, column + i] += s


def take_diagonal(const double[::1, :] S, Py_ssize_t start, double[:, :, ::1] out):
    """out[l] (k, k) = the diagonal blocks of S, symmetric by its lower triangle."""
    cdef Py_ssize_t l, o
    cdef int k = out.shape[1], i, j
    with nogil:
        for l in range(out.shape[0]):
            o = start + l * k
            for i in range(k):
                for j in range(i + 1):
                    out[l, i, j] = S[o + i, o + j]
                    out[l, j, i] = S[o + i, o + j]


def take_pair(const double[::1, :] S, const long long[::1] indptr, const int[::1] indices,
              Py_ssize_t start_b, Py_ssize_t start_c, double[:, :, ::1] out):
    """out[e] (k_b, k_c) = the block of S at pair e of two tail factors, b before c."""
    cdef Py_ssize_t l, e, row, column
    cdef int kb = out.shape[1], kc = out.shape[2], i, j
    with nogil:
        for l in range(indptr.shape[0] - 1):
            column = start_b + l * kb
            for e in range(indptr[l], indptr[l + 1]):
                row = start_c + kc * <Py_ssize_t>indices[e]
                for i in range(kb):
                    for j in range(kc):
                        out[e, i, j] = S[row + j, column + i]


def gather_rows(const double[::1, :] S, const long long[:, ::1] pointers, const int[::1] cols,
                const double[:, ::1] J, double[:, ::1] Y):
    """Y[e] = Σ_f S[cols[e], cols[f]] J[f] over the entries f of the level of e, tile by tile.

    S is symmetric by its lower triangle.
    """
    cdef Py_ssize_t q = S.shape[0], n_tiles = pointers.shape[1] - 1, row, column, l, a, b, last
    cdef int m, k0 = J.shape[1]
    cdef double s, t
    cdef const double* source
    with nogil:
        for a in range(J.shape[0]):
            for m in range(k0):
                Y[a, m] = 0.0
        for column in range(n_tiles):
            for row in range(column, n_tiles):
                for l in range(pointers.shape[0]):
                    last = pointers[l, row + 1]
                    if pointers[l, row] == last:
                        continue
                    for a in range(pointers[l, column], pointers[l, column + 1]):
                        source = &S[0, 0] + q * cols[a]
                        b = pointers[l, row]
                        if row == column:
                            b = a + 1
                            for m in range(k0):
                                Y[a, m] += source[cols[a]] * J[a, m]
                        if k0 == 1:
                            s = 0.0
                            t = J[a, 0]
                            while b < last:
                                s += source[cols[b]] * J[b, 0]
                                Y[b, 0] += source[cols[b]] * t
                                b += 1
                            Y[a, 0] += s
                            continue
                        while b < last:
                            s = source[cols[b]]
                            for m in range(k0):
                                Y[a, m] += s * J[b, m]
                                Y[b, m] += s * J[a, m]
                            b += 1


def flat_products(const long long[::1] indptr, const double[:, ::1] Y, const double[:, ::1] J,
                  double[:, :, ::1] inner):
    """inner[l] (k0, k0) = Σ Y[e] J[e]' over the entries e of level l."""
    cdef Py_ssize_t l, e
    cdef int i, m, k0 = J.shape[1]
    with nogil:
        for l in range(inner.shape[0]):
            for i in range(k0):
                for m in range(k0):
                    inner[l, i, m] = 0.0
            for e in range(indptr[l], indptr[l + 1]):
                for i in range(k0):
                    for m in range(k0):
                        inner[l, i, m] += Y[e, i] * J[e, m]


def dense_products(const double[:, :, ::1] Y, const double[:, :, ::1] J, double[:, :, ::1] inner):
    """inner[l] (k0, k0) = Y[l] J[l]', symmetric."""
    cdef Py_ssize_t l, c, q = J.shape[2], even = q - q % 4
    cdef int i, m, k0 = J.shape[1]
    cdef double s0, s1, s2, s3
    cdef const double* y
    cdef const double* j
    with nogil:
        for l in range(inner.shape[0]):
            for i in range(k0):
                y = &Y[l, i, 0]
                for m in range(i + 1):
                    j = &J[l, m, 0]
                    s0 = s1 = s2 = s3 = 0.0
                    for c in range(0, even, 4):
                        s0 += y[c] * j[c]
                        s1 += y[c + 1] * j[c + 1]
                        s2 += y[c + 2] * j[c + 2]
                        s3 += y[c + 3] * j[c + 3]
                    for c in range(even, q):
                        s0 += y[c] * j[c]
                    s0 = (s0 + s1) + (s2 + s3)
                    inner[l, i, m] = s0
                    inner[l, m, i] = s0


def solve_flat(const long long[::1] indptr, const double[:, :, ::1] L, double[:, ::1] Y):
    """Y[e] becomes L[l]^{-T} Y[e] for the entries e of level l."""
    cdef Py_ssize_t l, e
    cdef int i, m, k0 = Y.shape[1]
    cdef double s
    with nogil:
        for l in range(L.shape[0]):
            for e in range(indptr[l], indptr[l + 1]):
                for i in range(k0 - 1, -1, -1):
                    s = Y[e, i]
                    for m in range(i + 1, k0):
                        s -= L[l, m, i] * Y[e, m]
                    Y[e, i] = s / L[l, i, i]


def flat_pairs(const double[:, ::1] Y, const long long[::1] position,
               const long long[::1] chosen, double[:, :, ::1] out):
    """out[chosen[e], i, j] = -Y[position[e] + j, i]."""
    cdef Py_ssize_t e
    cdef int i, j
    with nogil:
        for e in range(position.shape[0]):
            for i in range(out.shape[1]):
                for j in range(out.shape[2]):
                    out[chosen[e], i, j] = -Y[position[e] + j, i]


def dense_pairs(const double[:, :, ::1] Y, const long long[::1] row, const int[::1] level,
                Py_ssize_t start, const long long[::1] chosen, double[:, :, ::1] out):
    """out[chosen[e], i, j] = -Y[row[e], i, start + level[e] k + j]."""
    cdef Py_ssize_t e, o
    cdef int i, j, k0 = out.shape[1], k = out.shape[2]
    with nogil:
        for e in range(row.shape[0]):
            o = start + k * <Py_ssize_t>level[e]
            if k0 == 1 and k == 1:
                out[chosen[e], 0, 0] = -Y[row[e], 0, o]
                continue
            for i in range(k0):
                for j in range(k):
                    out[chosen[e], i, j] = -Y[row[e], i, o + j]
