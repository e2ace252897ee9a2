# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Markov chains observed with errors: what a Kalman filter and smoother give, for many series.

A chain a has a_i = r_i a_{i-1} + e_i, var e_i = v_i; r_i = 0 begins a new one. With information h_i
on each a_i the posterior precision is P = Q + diag(h), where Q^{-1} = R = L diag(v) L'. Nothing is
divided by v: chains without innovations are ordinary. Functions of arrays with NumPy twins in the
tests.
"""

from libc.math cimport NAN, log
from libc.stdint cimport int64_t


def filter(const double[::1] h, const double[::1] r, const double[::1] v, double[::1] p,
           double[::1] f):
    """p_i = var(a_i | those before), f_i = 1 / (1 + h_i p_i); log|RP|, or NaN if not positive."""
    cdef Py_ssize_t n = h.shape[0], i
    cdef double before = 0.0, total = 0.0, product = 1.0, share
    with nogil:
        for i in range(n):
            p[i] = r[i] * r[i] * before + v[i]
            share = 1.0 + h[i] * p[i]
            if not share > 0.0:
                total = NAN
                break
            f[i] = 1.0 / share
            before = p[i] * f[i]
            product *= share
            if product > 1e100 or product < 1e-100:  # one logarithm for many factors
                total += log(product)
                product = 1.0
    return total + log(product)


def smooth(const double[::1] h, const double[::1] r, const double[::1] p, const double[::1] f,
           double[:, ::1] X, double[:, ::1] K):
    """X (n, m) becomes P^{-1}X, K = L'(X - h P^{-1}X)."""
    cdef Py_ssize_t n = X.shape[0], m = X.shape[1], i, j
    cdef double shrink, ahead, w, gain, info
    if not n:
        return
    with nogil:
        # K: what is new in each row; X: the mean given the rows before
        for j in range(m):
            K[0, j] = X[0, j]
            X[0, j] = 0.0
        for i in range(1, n):
            # the mean of the row before with all of that row, times r
            shrink, gain, info = r[i], p[i - 1] * f[i - 1], h[i]
            for j in range(m):
                w = X[i, j]
                X[i, j] = shrink * (X[i - 1, j] + gain * K[i - 1, j])
                K[i, j] = w - info * X[i, j]
        for i in range(n - 1, -1, -1):
            ahead = r[i + 1] if i + 1 < n else 0.0
            shrink, gain = f[i], p[i]
            if ahead != 0.0:
                for j in range(m):
                    K[i, j] = (K[i, j] + ahead * K[i + 1, j]) * shrink
                    X[i, j] += gain * K[i, j]
            else:
                for j in range(m):
                    K[i, j] *= shrink
                    X[i, j] += gain * K[i, j]


def spread(const double[::1] h, const double[::1] r, const double[::1] p, const double[::1] f,
           double[::1] innovations, double[::1] states, double[::1] between):
    """Of G = Q - QP^{-1}Q: (L'GL)_ii, (P^{-1})_ii and (L'GR)_{i,i-1}, (n,) each."""
    cdef Py_ssize_t n = h.shape[0], i
    cdef double ahead = 0.0, share
    with nogil:
        for i in range(n - 1, -1, -1):
            share = r[i + 1] * f[i] if i + 1 < n else 0.0
            innovations[i] = h[i] * f[i] + share * share * ahead
            ahead = innovations[i]
            states[i] = p[i] - p[i] * p[i] * ahead
            between[i] = r[i] * ahead * p[i - 1] * f[i - 1] if i else 0.0


def products(const int64_t[::1] starts, const double[:, ::1] A, const double[:, ::1] X,
             double[:, :, ::1] out):
    """out[s] = A_s'X_s, (m, m), symmetric, for the rows starts[s]:starts[s + 1] of each group."""
    cdef Py_ssize_t groups = out.shape[0], m = X.shape[1], s, i, j, c
    cdef double a
    with nogil:
        for s in range(groups):
            for j in range(m):
                for c in range(m):
                    out[s, j, c] = 0.0
            for i in range(starts[s], starts[s + 1]):
                for j in range(m):
                    a = A[i, j]
                    for c in range(j + 1):
                        out[s, j, c] += a * X[i, c]
            for j in range(m):
                for c in range(j):
                    out[s, c, j] = out[s, j, c]


def contract(const int64_t[::1] starts, const double[:, ::1] X, const double[:, ::1] K,
             const double[:, ::1] G, const double[:, :, ::1] omega, double[::1] innovations,
             double[::1] states, double[::1] between):
    """k_i'Wk_i, x_i'Wg_i and k_i'Wx_{i-1} of the rows, W = omega[s] (m, m), symmetric, of group s.

    The last is zero in the first row of a group.
    """
    cdef Py_ssize_t groups = omega.shape[0], m = X.shape[1], s, i, j, c
    cdef double a, of_k, of_x, of_both
    with nogil:
        for s in range(groups):
            for i in range(starts[s], starts[s + 1]):
                of_k = 0.0
                of_x = 0.0
                of_both = 0.0
                for j in range(m):
                    a = 0.0
                    for c in range(m):
                        a += omega[s, j, c] * K[i, c]
                    of_k += a * K[i, j]
                    if i > starts[s]:
                        of_both += a * X[i - 1, j]
                    a = 0.0
                    for c in range(m):
                        a += omega[s, j, c] * X[i, c]
                    of_x += a * G[i, j]
                innovations[i] = of_k
                states[i] = of_x
                between[i] = of_both
