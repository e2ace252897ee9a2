# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Passes over the rows of a design whose columns belong to several linear predictors.

Symmetric K x K matrices of the rows are packed, (P, n): their lower
triangles row by row, entry (a, c) in row a (a + 1) / 2 + c. Every function is described by a few
lines of numpy in ``tests/helpers/numpy_kernels.py``; those for one predictor are in `_weighted`.
"""


cdef class Columns:
    """Covariates Z (n, k) of one grouping factor, seen by several predictors.

    `inverse` (k,) are the reciprocals of the columns' scales, `of` (k,) their predictors.
    """

    cdef const double[:, :] Z
    cdef const double[::1] inverse
    cdef const int[::1] of
    cdef int k

    def __init__(self, const double[:, :] Z, const double[::1] inverse, const int[::1] of):
        self.Z, self.inverse, self.of, self.k = Z, inverse, of, Z.shape[1]

    def __reduce__(self):
        return Columns, (self.Z.base, self.inverse.base, self.of.base)


cdef inline int packed(int a, int c) noexcept nogil:
    return a * (a + 1) // 2 + c if a >= c else c * (c + 1) // 2 + a


def diagonal(const int[::1] codes, Columns own, const double[:, ::1] w, double[:, :, ::1] A):
    """A[l][a, c] = Σ w_i[of_a, of_c] z_ia z_ic over the rows of level l, z scaled."""
    cdef const double[:, :] Z = own.Z
    cdef const double[::1] inverse = own.inverse
    cdef const int[::1] of = own.of
    cdef Py_ssize_t i, l
    cdef int k = own.k, a, c
    cdef double f
    cdef double* base = &A[0, 0, 0]
    cdef double* block
    with nogil:
        for l in range(A.shape[0] * k * k):
            base[l] = 0.0
        for i in range(codes.shape[0]):
            block = base + k * k * <Py_ssize_t>codes[i]
            for a in range(k):
                f = inverse[a] * Z[i, a]
                for c in range(a + 1):
                    block[a * k + c] += f * w[packed(of[a], of[c]), i] * (inverse[c] * Z[i, c])
        for l in range(A.shape[0]):
            block = base + k * k * l
            for a in range(k):
                for c in range(a):
                    block[c * k + a] = block[a * k + c]


def pair(const int[::1] place, Columns own_b, Columns own_c, const double[:, ::1] w,
         double[:, :, ::1] values):
    """values[e][a, c] = Σ w_i[of_a, of_c] zb_ia zc_ic over the rows of pair e, z scaled."""
    cdef const double[:, :] Zb = own_b.Z
    cdef const double[:, :] Zc = own_c.Z
    cdef const double[::1] inverse_b = own_b.inverse
    cdef const double[::1] inverse_c = own_c.inverse
    cdef const int[::1] of_b = own_b.of
    cdef const int[::1] of_c = own_c.of
    cdef Py_ssize_t i, e
    cdef int kb = own_b.k, kc = own_c.k, a, c
    cdef double f
    cdef double* base = &values[0, 0, 0]
    cdef double* block
    with nogil:
        for e in range(values.shape[0] * kb * kc):
            base[e] = 0.0
        for i in range(place.shape[0]):
            block = base + kb * kc * <Py_ssize_t>place[i]
            for a in range(kb):
                f = inverse_b[a] * Zb[i, a]
                for c in range(kc):
                    block[a * kc + c] += (
                        f * w[packed(of_b[a], of_c[c]), i] * (inverse_c[c] * Zc[i, c])
                    )


def gather(const int[::1] codes, Columns own, const double[:, ::1] b, double[:, ::1] out):
    """out[of_j, i] += z_ij b[codes[i], j]."""
    cdef const double[:, :] Z = own.Z
    cdef const int[::1] of = own.of
    cdef Py_ssize_t i
    cdef int j
    with nogil:
        for j in range(Z.shape[1]):
            for i in range(codes.shape[0]):
                out[of[j], i] += Z[i, j] * b[codes[i], j]


def scatter(const int[::1] codes, Columns own, const double[:, ::1] s, double[:, ::1] out):
    """out[l, j] = Σ z_ij s[of_j, i] over the rows of level l, z scaled."""
    cdef const double[:, :] Z = own.Z
    cdef const double[::1] inverse = own.inverse
    cdef const int[::1] of = own.of
    cdef Py_ssize_t i, l
    cdef int j
    with nogil:
        for l in range(out.shape[0]):
            for j in range(out.shape[1]):
                out[l, j] = 0.0
        for j in range(Z.shape[1]):
            for i in range(codes.shape[0]):
                out[codes[i], j] += s[of[j], i] * (inverse[j] * Z[i, j])


def scatter_columns(const int[::1] codes, Columns own, const double[:, :, ::1] S,
                    double[:, :, ::1] out):
    """out[l, j] (r,) = Σ z_ij S[of_j, i] over the rows of level l, z scaled; S is (K, n, r)."""
    cdef const double[:, :] Z = own.Z
    cdef const double[::1] inverse = own.inverse
    cdef const int[::1] of = own.of
    cdef Py_ssize_t i, l, c, r = S.shape[2]
    cdef int k = own.k, j
    cdef double f
    cdef double* base = &out[0, 0, 0]
    cdef double* level
    cdef const double* row
    with nogil:
        for l in range(out.shape[0] * k * r):
            base[l] = 0.0
        for j in range(k):
            for i in range(codes.shape[0]):
                level = base + r * (k * <Py_ssize_t>codes[i] + j)
                row = &S[of[j], i, 0]
                f = inverse[j] * Z[i, j]
                for c in range(r):
                    level[c] += f * row[c]


def scatter_weighted(const int[::1] codes, Columns own, int predictor, const double[:, ::1] w,
                     const double[:, :] X, double[:, :, ::1] out):
    """out[l, j] (p,) = Σ w_i[of_j, predictor] z_ij X_i over the rows of level l, z scaled."""
    cdef const double[:, :] Z = own.Z
    cdef const double[::1] inverse = own.inverse
    cdef const int[::1] of = own.of
    cdef Py_ssize_t i, l
    cdef int k = own.k, p = X.shape[1], j, c
    cdef double f
    with nogil:
        for l in range(out.shape[0]):
            for j in range(k):
                for c in range(p):
                    out[l, j, c] = 0.0
        for j in range(k):
            for i in range(codes.shape[0]):
                f = w[packed(of[j], predictor), i] * (inverse[j] * Z[i, j])
                for c in range(p):
                    out[codes[i], j, c] += f * X[i, c]


cdef void loadings(Columns own, Py_ssize_t i, const double[:, ::1] T, int K,
                   double* a) noexcept nogil:
    """a (K, k): [c, j] = Σ z_im T_mj over the columns m of predictor c, z scaled."""
    cdef int k = own.k, j, m
    cdef double z
    cdef double* row
    for j in range(K * k):
        a[j] = 0.0
    for m in range(k):
        z = own.inverse[m] * own.Z[i, m]
        row = a + own.of[m] * k
        for j in range(m + 1):
            row[j] += z * T[m, j]


def quadratic(const int[::1] codes, Columns own, const double[:, ::1] T, const double[:, :, :] S,
              int K, double[:, ::1] h, double[::1] work):
    """h[(a, c), i] += a_i'S[codes[i]]c_i, the loadings of predictors a, c. work: ((K + 1) k,)."""
    cdef Py_ssize_t i, l
    cdef int k = own.k, j, m, a, c
    cdef double x
    cdef double* left = &work[0]
    cdef double* right = &work[K * k]
    with nogil:
        for i in range(codes.shape[0]):
            l = codes[i]
            loadings(own, i, T, K, left)
            for a in range(K):
                for j in range(k):
                    x = 0.0
                    for m in range(k):
                        x += S[l, j, m] * left[a * k + m]
                    right[j] = x
                for c in range(a + 1):
                    x = 0.0
                    for j in range(k):
                        x += left[c * k + j] * right[j]
                    h[packed(a, c), i] += x


def quadratic_pair(const int[::1] place, Columns own_b, Columns own_c, const double[:, ::1] Tb,
                   const double[:, ::1] Tc, const double[:, :, :] S, int K, double[:, ::1] h,
                   double[::1] work):
    """h[(a, c), i] += b_a'S c_c + b_c'S c_a of S[place[i]]. work: (K (k_b + k_c) + k_b,)."""
    cdef Py_ssize_t i, e
    cdef int kb = own_b.k, kc = own_c.k, j, m, a, c
    cdef double x, y
    cdef double* b = &work[0]
    cdef double* d = &work[K * kb]
    cdef double* right = &work[K * (kb + kc)]
    with nogil:
        for i in range(place.shape[0]):
            e = place[i]
            loadings(own_b, i, Tb, K, b)
            loadings(own_c, i, Tc, K, d)
            for a in range(K):
                for j in range(kb):
                    x = 0.0
                    for m in range(kc):
                        x += S[e, j, m] * d[a * kc + m]
                    right[j] = x
                for c in range(K):
                    y = 0.0
                    for j in range(kb):
                        y += b[c * kb + j] * right[j]
                    # of (c, a) and of its mirror image; on the diagonal both are the same entry
                    h[packed(a, c), i] += 2.0 * y if a == c else y


def product(const double[:, ::1] w, const double[:, :, :] a, double[:, :, ::1] out):
    """out[k, i] (r,) = Σ_j w_i[k, j] a[j, i]; a is (K, n, r)."""
    cdef Py_ssize_t i
    cdef int K = a.shape[0], r = a.shape[2], k, j, c
    cdef double f
    with nogil:
        for k in range(K):
            for i in range(a.shape[1]):
                for c in range(r):
                    out[k, i, c] = 0.0
            for j in range(K):
                for i in range(a.shape[1]):
                    f = w[packed(k, j), i]
                    for c in range(r):
                        out[k, i, c] += f * a[j, i, c]
