# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Rows of groups, each given those before it: W D of one pass, linear in the number of rows.

With M_i the row before row i, or with ``keep`` the sum of all rows of its group before it,
    (W D)_i = a_i D_i - b_i M_i.
Coefficients are few, those of row i at of_i; of_i is ``first`` where a group begins.
"""

from libc.math cimport log, sqrt
from libc.stdint cimport int32_t


def coefficients(const double[::1] r, const double[::1] dr, const double[::1] v,
                 const double[::1] dv, const double[::1] counts, int first, double[:, ::1] out):
    """a, b and their derivatives, (4, u), of D_i = r_i M_i + v_i^(1/2) z_i; rows of ``counts``.

    Returns the sum of log v over the rows, and its derivative. At ``first`` r is 0 and v is 1.
    """
    cdef Py_ssize_t u = r.shape[0], i
    cdef double logdet = 0.0, slope = 0.0, a, da
    for i in range(u):
        if i == first:
            out[0, i] = 1.0
            out[1, i] = out[2, i] = out[3, i] = 0.0
            continue
        a = 1.0 / sqrt(v[i])
        da = -0.5 * dv[i] * a / v[i]
        out[0, i], out[1, i] = a, r[i] * a
        out[2, i], out[3, i] = da, da * r[i] + a * dr[i]
        logdet += counts[i] * log(v[i])
        slope += counts[i] * dv[i] / v[i]
    return logdet, slope


def apply(const double[:, ::1] D, const int32_t[::1] of, int first, bint keep, const double[::1] a,
          const double[::1] b, double[:, ::1] out, double[::1] memory):
    """out <- W D; ``memory`` needs as many entries as D has columns."""
    cdef Py_ssize_t n = D.shape[0], m = D.shape[1], i, c
    cdef double own, before
    with nogil:
        for i in range(n):
            remember(D, of[i] == first, keep, i, memory)
            own, before = a[of[i]], b[of[i]]
            for c in range(m):
                out[i, c] = own * D[i, c] - before * memory[c]


cdef inline void remember(const double[:, ::1] D, bint begins, bint keep, Py_ssize_t i,
                          double[::1] memory) noexcept nogil:
    """memory <- M_i."""
    cdef Py_ssize_t c, m = D.shape[1]
    if begins:
        for c in range(m):
            memory[c] = 0.0
    elif keep:
        for c in range(m):
            memory[c] += D[i - 1, c]
    else:
        for c in range(m):
            memory[c] = D[i - 1, c]


def apply_transposed(const double[:, ::1] D, const int32_t[::1] of, int first, bint keep,
                     const double[::1] a, const double[::1] b, double[:, ::1] out,
                     double[::1] memory):
    """out <- W'D."""
    cdef Py_ssize_t n = D.shape[0], m = D.shape[1], i, c
    cdef double value
    with nogil:
        for c in range(m):
            memory[c] = 0.0
        for i in range(n - 1, -1, -1):
            for c in range(m):
                value = b[of[i]] * D[i, c]
                out[i, c] = a[of[i]] * D[i, c] - memory[c]
                if of[i] == first:
                    memory[c] = 0.0
                elif keep:
                    memory[c] += value
                else:
                    memory[c] = value


def solve(const double[:, ::1] D, const int32_t[::1] of, int first, bint keep, const double[::1] a,
          const double[::1] b, double[:, ::1] out, double[::1] memory):
    """out <- W^{-1}D."""
    cdef Py_ssize_t n = D.shape[0], m = D.shape[1], i, c
    cdef double own, before
    with nogil:
        for i in range(n):
            remember(out, of[i] == first, keep, i, memory)
            own, before = a[of[i]], b[of[i]]
            for c in range(m):
                out[i, c] = (D[i, c] + before * memory[c]) / own


def inner(const double[:, ::1] D, const double[:, ::1] G, const int32_t[::1] of, int first,
          bint keep, const double[::1] a, const double[::1] b, double[::1] memory):
    """tr(G'W D)."""
    cdef Py_ssize_t n = D.shape[0], m = D.shape[1], i, c
    cdef double total = 0.0, own, before
    with nogil:
        for i in range(n):
            remember(D, of[i] == first, keep, i, memory)
            own, before = a[of[i]], b[of[i]]
            for c in range(m):
                total += (own * D[i, c] - before * memory[c]) * G[i, c]
    return total
