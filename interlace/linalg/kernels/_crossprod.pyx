# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""One pass over rows that fills the cross-products of a grouping factor."""

from libc.math cimport NAN, fabs, log, sqrt
from libc.stdint cimport int32_t, int64_t

import numpy as np

# What a rotation leaves of a covariate that depends on those before it: some eps of its terms.
cdef double ROUNDING = 1e-14


def accumulate(const int32_t[:] codes, const double[:, :] Z, const double[:] root_weights,
               const double[:, ::1] Xy, double[:, :, ::1] A, double[:, :, ::1] ZXy):
    """A[l] += Z_i Z_i' w_i and ZXy[l] += Z_i Xy_i' over rows i of level l = codes[i].

    Xy is already multiplied by sqrt(w); an empty ``root_weights`` means weights of one.
    The lower triangle of A is filled.
    """
    cdef Py_ssize_t n = codes.shape[0], k = Z.shape[1], m = Xy.shape[1]
    cdef Py_ssize_t i, a, c, j, l
    cdef bint weighted = root_weights.shape[0] > 0
    cdef double s = 1.0, z
    with nogil:
        for i in range(n):
            l = codes[i]
            if weighted:
                s = root_weights[i]
            for a in range(k):
                z = Z[i, a] * s
                for c in range(a + 1):
                    A[l, a, c] += z * Z[i, c] * s
                for j in range(m):
                    ZXy[l, a, j] += z * Xy[i, j]


def rotate(const int32_t[:] codes, const double[:, :] Z, const double[:] root_weights,
           double[:, ::1] Xy, double[:, :, ::1] R, double[:, :, ::1] b,
           double[:, :, ::1] turns=None):
    """Rows i of level l = codes[i] into the triangular factor of the level's rows [Z X y] sqrt(w).

    Givens rotations keep R_l'R_l the sum of w_i Z_i Z_i' and b_l = Q_l'[X y], Z_l = Q_l R_l. Xy,
    already multiplied by sqrt(w), is overwritten with what is left of it: Xy'Xy is then the sum of
    squares within levels, of which nothing has been subtracted. ``turns`` (n, k, 2) keeps the
    rotations, for `turn`; those that are none must stand there already.
    """
    cdef Py_ssize_t n = codes.shape[0], k = Z.shape[1], m = Xy.shape[1]
    cdef Py_ssize_t i, j, c, l
    cdef bint weighted = root_weights.shape[0] > 0, kept = turns is not None
    cdef double s = 1.0, norm, cosine, sine, t, u
    cdef double[::1] z = np.empty(k)
    with nogil:
        for i in range(n):
            l = codes[i]
            if weighted:
                s = root_weights[i]
            for j in range(k):
                z[j] = Z[i, j] * s
            for j in range(k):
                if z[j] == 0.0:
                    continue
                norm = sqrt(R[l, j, j] * R[l, j, j] + z[j] * z[j])
                if norm == 0.0:
                    continue
                cosine, sine = R[l, j, j] / norm, z[j] / norm
                R[l, j, j] = norm
                if kept:
                    turns[i, j, 0], turns[i, j, 1] = cosine, sine
                for c in range(j + 1, k):
                    t = R[l, j, c]
                    R[l, j, c] = cosine * t + sine * z[c]
                    u, t = cosine * z[c], sine * t
                    z[c] = u - t if fabs(u - t) > ROUNDING * (fabs(u) + fabs(t)) else 0.0
                for c in range(m):
                    t = b[l, j, c]
                    b[l, j, c] = cosine * t + sine * Xy[i, c]
                    Xy[i, c] = cosine * Xy[i, c] - sine * t


def turn(const int32_t[:] codes, const double[:, :, ::1] turns, double[::1] y, double[:, :] b):
    """One more column y by the rotations that `rotate` kept; b (l, k) begins as zero."""
    with nogil:
        turned(codes, turns, y, b)


def turn_each(const int32_t[:] codes, const double[:, :, ::1] turns, double[:, ::1] Y,
              double[:, :, ::1] b):
    """`turn` of every row of Y (m, n), into b (m, l, k)."""
    cdef Py_ssize_t c
    with nogil:
        for c in range(Y.shape[0]):
            turned(codes, turns, Y[c], b[c])


cdef void turned(const int32_t[:] codes, const double[:, :, ::1] turns, double[::1] y,
                 double[:, :] b) noexcept nogil:
    cdef Py_ssize_t n = codes.shape[0], k = turns.shape[1]
    cdef Py_ssize_t i, j, l
    cdef double t
    for i in range(n):
        l = codes[i]
        for j in range(k):
            t = b[l, j]
            b[l, j] = turns[i, j, 0] * t + turns[i, j, 1] * y[i]
            y[i] = turns[i, j, 0] * y[i] - turns[i, j, 1] * t


def gram(const double[:, :, ::1] R, const double[:, :, ::1] b,
         double[:, :, ::1] A, double[:, :, ::1] ZXy):
    """A_l = R_l'R_l and ZXy_l = R_l'b_l for upper triangular R_l."""
    cdef Py_ssize_t levels = R.shape[0], k = R.shape[1], m = b.shape[2]
    cdef Py_ssize_t l, a, c, j
    cdef double s
    with nogil:
        for l in range(levels):
            for a in range(k):
                for c in range(a + 1):
                    s = 0.0
                    for j in range(c + 1):
                        s += R[l, j, a] * R[l, j, c]
                    A[l, a, c] = s
                    A[l, c, a] = s
                for j in range(m):
                    s = 0.0
                    for c in range(a + 1):
                        s += R[l, c, a] * b[l, c, j]
                    ZXy[l, a, j] = s


def accumulate_response(const int32_t[:] codes, const double[:, :] Z, const double[:] root_weights,
                        const double[::1] y, double[:, ::1] out):
    """out[l, a] += Z_ia sqrt(w_i) y_i, y already multiplied by sqrt(w)."""
    cdef Py_ssize_t n = codes.shape[0], k = Z.shape[1]
    cdef Py_ssize_t i, a, l
    cdef bint weighted = root_weights.shape[0] > 0
    cdef double t
    with nogil:
        for i in range(n):
            l = codes[i]
            t = y[i]
            if weighted:
                t = t * root_weights[i]
            for a in range(k):
                out[l, a] += Z[i, a] * t


def shared_levels(const int32_t[:] codes_b, const int32_t[:] codes_c, int64_t[::1] indptr,
                  unsigned char[:, ::1] shared):
    """shared[l, m] <- whether levels l and m share a row; indptr (l_b + 1,) their sums by row."""
    cdef Py_ssize_t i, l, m
    cdef int64_t count = 0
    with nogil:
        for i in range(codes_b.shape[0]):
            shared[codes_b[i], codes_c[i]] = 1
        for l in range(shared.shape[0]):
            indptr[l] = count
            for m in range(shared.shape[1]):
                count += shared[l, m]
        indptr[shared.shape[0]] = count


def columns_of(const unsigned char[:, ::1] shared, int32_t[::1] indices):
    """The places of what is not zero, row by row."""
    cdef Py_ssize_t l, m, at = 0
    for l in range(shared.shape[0]):
        for m in range(shared.shape[1]):
            if shared[l, m]:
                indices[at] = <int32_t> m
                at += 1


def to_unit(double[:, :, ::1] A, double[:, :, ::1] ZXy, double n, double[::1] scale):
    """Divide sums of products of columns by the root of their mean square, which goes to ``scale``.

    That is the sum of A[l, a, a] over ``n`` rows; a column of zeros keeps the scale of one.
    """
    cdef Py_ssize_t l, a, c, k = A.shape[1]
    with nogil:
        for a in range(k):
            scale[a] = 0.0
            for l in range(A.shape[0]):
                scale[a] += A[l, a, a]
            scale[a] = sqrt(scale[a] / n) if scale[a] > 0.0 else 1.0
        for l in range(A.shape[0]):
            for a in range(k):
                for c in range(k):
                    A[l, a, c] /= scale[a] * scale[c]
                for c in range(ZXy.shape[2]):
                    ZXy[l, a, c] /= scale[a]


def divide_pairs(double[:, :, ::1] values, const double[::1] left, const double[::1] right):
    """Divide blocks (k_b, k_c) by the scales of their rows and columns."""
    cdef Py_ssize_t i, a, c
    with nogil:
        for i in range(values.shape[0]):
            for a in range(values.shape[1]):
                for c in range(values.shape[2]):
                    values[i, a, c] = values[i, a, c] / left[a] / right[c]


def accumulate_pairs(const int32_t[:] codes_b, const int32_t[:] codes_c,
                     const double[:, :] Zb, const double[:, :] Zc, const double[:] root_weights,
                     const int64_t[:] indptr, const int32_t[:] indices,
                     double[:, :, ::1] values):
    """values[pair of (codes_b[i], codes_c[i])] += w_i Zb_i Zc_i' on a sorted CSR pattern."""
    cdef Py_ssize_t n = codes_b.shape[0], kb = Zb.shape[1], kc = Zc.shape[1]
    cdef Py_ssize_t i, a, c
    cdef int64_t lo, hi, mid
    cdef int32_t target
    cdef bint weighted = root_weights.shape[0] > 0
    cdef double w = 1.0, z
    with nogil:
        for i in range(n):
            lo = indptr[codes_b[i]]
            hi = indptr[codes_b[i] + 1] - 1
            target = codes_c[i]
            while lo < hi:
                mid = (lo + hi) >> 1
                if indices[mid] < target:
                    lo = mid + 1
                else:
                    hi = mid
            if weighted:
                w = root_weights[i] * root_weights[i]
            for a in range(kb):
                z = Zb[i, a] * w
                for c in range(kc):
                    values[lo, a, c] += z * Zc[i, c]


def standardise(const double[:, :] X, Py_ssize_t intercept, const double[:] root,
                const double[:] y, double floor, double[::1] mean, double[:, ::1] R_inverse,
                double[:, ::1] back, double[::1] gamma):
    """`Standardisation` of X (n, p) into the arrays (p,) and (p, p); returns log|det back|.

    The ``intercept`` is negative for none, ``root`` (n,) empty for no weights. It is NaN where a
    squared pivot of the scaled Gram matrix is below ``floor``.
    """
    cdef double[:, ::1] A = np.zeros((X.shape[1], X.shape[1]))
    cdef double[::1] norms = np.empty(X.shape[1])
    cdef double logdet = NAN
    with nogil:
        moments(X, intercept, root, y, mean, A, norms, gamma)
        if scaled_root(A, norms, floor):
            logdet = standards(A, norms, intercept, mean, R_inverse, back, gamma)
    return logdet


cdef void moments(const double[:, :] X, Py_ssize_t intercept, const double[:] root,
                  const double[:] y, double[::1] mean, double[:, ::1] A, double[::1] row,
                  double[::1] gamma) noexcept nogil:
    """Means of the columns, and products of what is left of them with each other and with y."""
    cdef Py_ssize_t n = X.shape[0], p = X.shape[1], i, a, b
    cdef bint weighted = root.shape[0] > 0
    cdef double s, total = 0.0
    for a in range(p):
        mean[a] = gamma[a] = 0.0
    if intercept >= 0:
        for i in range(n):
            s = root[i] * root[i] if weighted else 1.0
            total += s
            for a in range(p):
                mean[a] += s * X[i, a]
        for a in range(p):
            mean[a] /= total
        mean[intercept] = 0.0
    for i in range(n):
        s = root[i] if weighted else 1.0
        for a in range(p):
            row[a] = (X[i, a] - mean[a]) * s
            gamma[a] += row[a] * (y[i] * s)
            for b in range(a + 1):
                A[a, b] += row[a] * row[b]


cdef bint scaled_root(double[:, ::1] A, double[::1] norms, double floor) noexcept nogil:
    """The lower triangular root of A scaled to unit diagonal, in its place; False below floor."""
    cdef Py_ssize_t p = A.shape[0], a, b, c
    cdef double t
    for a in range(p):
        norms[a] = sqrt(A[a, a])
    for a in range(p):
        for b in range(a + 1):
            t = A[a, b] / (norms[a] * norms[b])
            for c in range(b):
                t -= A[a, c] * A[b, c]
            if a > b:
                A[a, b] = t / A[b, b]
            elif t >= floor:
                A[a, a] = sqrt(t)
            else:  # not a number, too
                return False
    return True


cdef double standards(double[:, ::1] L, double[::1] norms, Py_ssize_t intercept,
                      double[::1] mean, double[:, ::1] R_inverse, double[:, ::1] back,
                      double[::1] gamma) noexcept nogil:
    """R^{-1} of a scaled root and its norms, the way back and gamma, which held the products."""
    cdef Py_ssize_t p = L.shape[0], a, b, c
    cdef double t, logdet = 0.0
    for b in range(p):
        for a in range(p):
            R_inverse[a, b] = 0.0
        R_inverse[b, b] = 1.0 / L[b, b]
        for a in range(b - 1, -1, -1):
            t = 0.0
            for c in range(a + 1, b + 1):
                t += L[c, a] * R_inverse[c, b]
            R_inverse[a, b] = -t / L[a, a]
    for a in range(p):
        for b in range(a, p):
            R_inverse[a, b] /= norms[a]
        logdet += log(fabs(R_inverse[a, a]))
    for b in range(p - 1, -1, -1):
        t = 0.0
        for a in range(b + 1):
            t += R_inverse[a, b] * gamma[a]
        gamma[b] = t
    for a in range(p):
        for b in range(p):
            back[a, b] = R_inverse[a, b]
    if intercept >= 0:
        for b in range(p):
            t = 0.0
            for a in range(p):
                t += mean[a] * R_inverse[a, b]
            back[intercept, b] -= t
    return logdet
