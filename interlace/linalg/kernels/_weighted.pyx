# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Passes over the rows of a design for weights that change.

Z is (n, k) of one grouping factor; `inverse` (k,) are the reciprocals of its columns' scales.
A sole column of stride 0, the same number in every row, is never read row by row. `place[i]` is the
block of row i among those of a pair of factors. Rows are visited in the order of the data. Every
function is described by a few lines of numpy in ``tests/helpers/numpy_kernels.py``.
"""


def places(const int[::1] codes_b, const int[::1] codes_c, const long long[::1] indptr,
           const int[::1] indices, int[::1] place):
    """place[i] = the block of levels (codes_b[i], codes_c[i]) in sorted compressed rows."""
    cdef Py_ssize_t i, low, high, middle
    cdef int target
    with nogil:
        for i in range(codes_b.shape[0]):
            low = indptr[codes_b[i]]
            high = indptr[codes_b[i] + 1] - 1
            target = codes_c[i]
            while low < high:
                middle = (low + high) // 2
                if indices[middle] < target:
                    low = middle + 1
                else:
                    high = middle
            place[i] = <int>low


def diagonal(const int[::1] codes, const double[:, :] Z, const double[::1] inverse,
             const double[::1] w, double[:, :, ::1] A):
    """A[l] (k, k) = Σ w_i z_i z_i' over the rows of level l, both triangles, z scaled."""
    cdef Py_ssize_t n = codes.shape[0], i, l
    cdef int k = Z.shape[1], a, c
    cdef double f, z0, z1
    cdef double* base = &A[0, 0, 0]
    cdef double* block
    with nogil:
        for l in range(A.shape[0] * k * k):
            base[l] = 0.0
        if k == 1 and Z.strides[0] == 0:
            for i in range(n):
                base[codes[i]] += w[i]
            f = Z[0, 0] * inverse[0]
            f = f * f
            if f != 1.0:
                for l in range(A.shape[0]):
                    base[l] *= f
        elif k == 1:
            f = inverse[0] * inverse[0]
            for i in range(n):
                base[codes[i]] += f * w[i] * Z[i, 0] * Z[i, 0]
        elif k == 2:
            for i in range(n):
                block = base + 4 * <Py_ssize_t>codes[i]
                z0 = inverse[0] * Z[i, 0]
                z1 = inverse[1] * Z[i, 1]
                f = w[i] * z1
                block[0] += w[i] * z0 * z0
                block[2] += f * z0
                block[3] += f * z1
        else:
            for i in range(n):
                block = base + k * k * <Py_ssize_t>codes[i]
                for a in range(k):
                    f = w[i] * inverse[a] * Z[i, a]
                    for c in range(a + 1):
                        block[a * k + c] += f * inverse[c] * Z[i, c]
        for l in range(A.shape[0] if k > 1 else 0):
            block = base + k * k * l
            for a in range(k):
                for c in range(a):
                    block[c * k + a] = block[a * k + c]


def pair(const int[::1] place, const double[:, :] Zb, const double[:, :] Zc,
         const double[::1] inverse_b, const double[::1] inverse_c, const double[::1] w,
         double[:, :, ::1] values):
    """values[e] (k_b, k_c) = Σ w_i zb_i zc_i' over the rows of pair e, z scaled."""
    cdef Py_ssize_t n = place.shape[0], i, e
    cdef int kb = Zb.shape[1], kc = Zc.shape[1], a, c
    cdef double f
    cdef double* base = &values[0, 0, 0]
    cdef double* block
    with nogil:
        for e in range(values.shape[0] * kb * kc):
            base[e] = 0.0
        if kb == 1 and kc == 1 and Zb.strides[0] == 0 and Zc.strides[0] == 0:
            for i in range(n):
                base[place[i]] += w[i]
            f = Zb[0, 0] * inverse_b[0] * Zc[0, 0] * inverse_c[0]
            if f != 1.0:
                for e in range(values.shape[0]):
                    base[e] *= f
        else:
            for i in range(n):
                block = base + kb * kc * <Py_ssize_t>place[i]
                for a in range(kb):
                    f = w[i] * inverse_b[a] * Zb[i, a]
                    for c in range(kc):
                        block[a * kc + c] += f * inverse_c[c] * Zc[i, c]


def level_effects(const double[:, ::1] T, const double[::1] inverse, const double[:, ::1] u,
                  double[:, ::1] b):
    """b[l] = (T u[l]) / scale for every level; T (k, k) lower triangular."""
    cdef Py_ssize_t l
    cdef int k = T.shape[0], i, j
    cdef double s
    with nogil:
        if k == 1:
            s = T[0, 0] * inverse[0]
            for l in range(u.shape[0]):
                b[l, 0] = s * u[l, 0]
        else:
            for l in range(u.shape[0]):
                for i in range(k):
                    s = 0.0
                    for j in range(i + 1):
                        s += T[i, j] * u[l, j]
                    b[l, i] = s * inverse[i]


def gather(const int[::1] codes, const double[:, :] Z, const double[:, ::1] b, bint add,
           double[::1] out):
    """out[i] = Z_i'b[codes[i]], or added to out[i]."""
    cdef Py_ssize_t i
    cdef int k = Z.shape[1], j
    cdef double s, f
    cdef const double* base = &b[0, 0]
    cdef const double* effect
    with nogil:
        if k == 1 and Z.strides[0] == 0:
            f = Z[0, 0]
            if add:
                for i in range(codes.shape[0]):
                    out[i] += f * base[codes[i]]
            else:
                for i in range(codes.shape[0]):
                    out[i] = f * base[codes[i]]
        elif k == 2:
            for i in range(codes.shape[0]):
                effect = base + 2 * <Py_ssize_t>codes[i]
                s = Z[i, 0] * effect[0] + Z[i, 1] * effect[1]
                out[i] = out[i] + s if add else s
        else:
            for i in range(codes.shape[0]):
                effect = base + k * <Py_ssize_t>codes[i]
                s = 0.0
                for j in range(k):
                    s += Z[i, j] * effect[j]
                out[i] = out[i] + s if add else s


def scatter(const int[::1] codes, const double[:, :] Z, const double[::1] inverse,
            const double[::1] s, double[:, ::1] out):
    """out[l] (k,) = Σ z_i s_i over the rows of level l, z scaled."""
    cdef Py_ssize_t i, l
    cdef int k = Z.shape[1], j
    cdef double f
    cdef double* base = &out[0, 0]
    cdef double* level
    with nogil:
        for l in range(out.shape[0] * k):
            base[l] = 0.0
        if k == 1 and Z.strides[0] == 0:
            for i in range(codes.shape[0]):
                base[codes[i]] += s[i]
            f = Z[0, 0] * inverse[0]
            if f != 1.0:
                for l in range(out.shape[0]):
                    base[l] *= f
        else:
            for i in range(codes.shape[0]):
                level = base + k * <Py_ssize_t>codes[i]
                for j in range(k):
                    level[j] += s[i] * (inverse[j] * Z[i, j])


def scatter_columns(const int[::1] codes, const double[:, :] Z, const double[::1] inverse,
                    const double[::1] w, const double[:, ::1] S, double[:, :, ::1] out):
    """out[l] (k, r) = Σ w_i z_i S_i' over the rows of level l, z scaled; an empty w is all ones."""
    cdef Py_ssize_t i, l, c, r = S.shape[1]
    cdef int k = Z.shape[1], j
    cdef bint weighted = w.shape[0] > 0
    cdef double f, g = 1.0
    cdef double* base = &out[0, 0, 0]
    cdef double* level
    cdef const double* row
    with nogil:
        for l in range(out.shape[0] * k * r):
            base[l] = 0.0
        for i in range(codes.shape[0]):
            row = &S[i, 0]
            level = base + k * r * <Py_ssize_t>codes[i]
            if weighted:
                g = w[i]
            for j in range(k):
                f = g * inverse[j] * Z[i, j]
                for c in range(r):
                    level[j * r + c] += f * row[c]


cdef void loadings(const double[:, :] Z, Py_ssize_t i, const double[::1] inverse,
                   const double[:, ::1] T, double* a) noexcept nogil:
    """a = T'z_i, z scaled, T lower triangular."""
    cdef int k = Z.shape[1], j, m
    cdef double s
    for j in range(k):
        s = 0.0
        for m in range(j, k):
            s += T[m, j] * (inverse[m] * Z[i, m])
        a[j] = s


def quadratic(const int[::1] codes, const double[:, :] Z, const double[::1] inverse,
              const double[:, ::1] T, const double[:, :, :] S, bint add, double[::1] h,
              double[::1] work):
    """h[i] = a_i'S[codes[i]]a_i, a_i = T'z_i, or added to h[i]. work: (k,)."""
    cdef Py_ssize_t i, l
    cdef int k = Z.shape[1], j, m
    cdef double f, s, x, z0, z1
    cdef double* a = &work[0]
    with nogil:
        if k == 1 and Z.strides[0] == 0:
            f = T[0, 0] * inverse[0] * Z[0, 0]
            f = f * f
            for i in range(codes.shape[0]):
                x = f * S[codes[i], 0, 0]
                h[i] = h[i] + x if add else x
        elif k == 2:
            for i in range(codes.shape[0]):
                l = codes[i]
                z1 = inverse[1] * Z[i, 1]
                z0 = T[0, 0] * inverse[0] * Z[i, 0] + T[1, 0] * z1
                z1 *= T[1, 1]
                x = z0 * z0 * S[l, 0, 0] + 2.0 * z0 * z1 * S[l, 1, 0] + z1 * z1 * S[l, 1, 1]
                h[i] = h[i] + x if add else x
        else:
            for i in range(codes.shape[0]):
                l = codes[i]
                loadings(Z, i, inverse, T, a)
                x = 0.0
                for j in range(k):
                    s = 0.5 * S[l, j, j] * a[j]
                    for m in range(j):
                        s += S[l, j, m] * a[m]
                    x += a[j] * s
                h[i] = h[i] + 2.0 * x if add else 2.0 * x


def quadratic_pair(const int[::1] place, const double[:, :] Zb, const double[:, :] Zc,
                   const double[::1] inverse_b, const double[::1] inverse_c,
                   const double[:, ::1] Tb, const double[:, ::1] Tc, const double[:, :, :] S,
                   double[::1] h, double[::1] work):
    """h[i] += 2 b_i'S[place[i]]c_i, b_i = T_b'zb_i, c_i = T_c'zc_i. work: (k_b + k_c,)."""
    cdef Py_ssize_t i, e
    cdef int kb = Zb.shape[1], kc = Zc.shape[1], j, m
    cdef double f, s
    cdef double* b = &work[0]
    cdef double* c = &work[kb]
    with nogil:
        if kb == 1 and kc == 1 and Zb.strides[0] == 0 and Zc.strides[0] == 0:
            f = 2.0 * Tb[0, 0] * inverse_b[0] * Zb[0, 0] * Tc[0, 0] * inverse_c[0] * Zc[0, 0]
            for i in range(place.shape[0]):
                h[i] += f * S[place[i], 0, 0]
        else:
            for i in range(place.shape[0]):
                e = place[i]
                loadings(Zb, i, inverse_b, Tb, b)
                loadings(Zc, i, inverse_c, Tc, c)
                f = 0.0
                for j in range(kb):
                    s = 0.0
                    for m in range(kc):
                        s += S[e, j, m] * c[m]
                    f += b[j] * s
                h[i] += 2.0 * f
