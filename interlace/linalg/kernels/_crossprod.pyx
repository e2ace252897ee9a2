# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""One pass over rows that fills the cross-products of a grouping factor."""

from libc.math cimport fabs, sqrt
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
