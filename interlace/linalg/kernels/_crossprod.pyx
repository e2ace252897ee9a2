# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""One pass over rows that fills the cross-products of a grouping factor."""

from libc.stdint cimport int32_t, int64_t


def accumulate(const int32_t[:] codes, const double[:, :] Z, const double[:] root_weights,
               const double[:, ::1] W, double[:, :, ::1] A, double[:, :, ::1] B):
    """A[l] += Z_i Z_i' w_i and B[l] += Z_i sqrt(w_i) W_i' over rows i of level l = codes[i].

    W is already multiplied by sqrt(w); an empty ``root_weights`` means weights of one.
    The lower triangle of A is filled.
    """
    cdef Py_ssize_t n = codes.shape[0], k = Z.shape[1], m = W.shape[1]
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
                    B[l, a, j] += z * W[i, j]


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
