# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Products of the columns of X less their means, a row at a time: nothing of the size of X is made.

Rows of X are put in another order where they are, too.

X is (n, p), `mean` (p,). Sums over all rows are made of those of some hundred rows: they keep their
digits. Every function is described by a line of numpy in ``tests/helpers/numpy_kernels.py``.
"""

from libc.stdint cimport int32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

cdef Py_ssize_t ROWS = 512


def times(const double[:, ::1] X, const double[::1] mean, const double[::1] c, double[::1] out):
    """out[i] = (x_i - mean)'c."""
    cdef Py_ssize_t i, j, n = X.shape[0], p = X.shape[1]
    cdef const double* x
    cdef const double* m
    cdef const double* g
    cdef double s
    if n == 0:
        return
    if p == 0:
        out[:] = 0.0
        return
    x, m, g = &X[0, 0], &mean[0], &c[0]
    with nogil:
        for i in range(n):
            s = 0.0
            for j in range(p):
                s += (x[j] - m[j]) * g[j]
            out[i] = s
            x += p


def transposed(const double[:, ::1] X, const double[::1] mean, const double[::1] t,
               double[::1] out):
    """out = (X - mean)'t."""
    cdef Py_ssize_t i, j, end, n = X.shape[0], p = X.shape[1]
    cdef const double* x
    cdef const double* m
    cdef double* part
    cdef double* sums
    cdef double s
    out[:] = 0.0
    if n == 0 or p == 0:
        return
    part = <double*> calloc(p, sizeof(double))
    if part == NULL:
        raise MemoryError
    x, m, sums = &X[0, 0], &mean[0], &out[0]
    with nogil:
        i = 0
        while i < n:
            end = i + ROWS if i + ROWS < n else n
            while i < end:
                s = t[i]
                for j in range(p):
                    part[j] += (x[j] - m[j]) * s
                x += p
                i += 1
            for j in range(p):
                sums[j] += part[j]
                part[j] = 0.0
    free(part)


def by_level(const int[::1] codes, const double[:, :] Z, const double[::1] inverse,
             const double[::1] w, const double[:, ::1] X, const double[::1] mean,
             double[:, :, ::1] out):
    """out[l] (k, p) = sum of w_i z_i (x_i - mean)' over the rows of level l, z times inverse."""
    cdef Py_ssize_t i, l, c, n = X.shape[0], p = X.shape[1]
    cdef int k = Z.shape[1], j
    cdef double f, g
    cdef double* base
    cdef double* level
    cdef const double* x
    cdef const double* m
    out[:, :, :] = 0.0
    if p == 0 or n == 0:
        return
    base, x, m = &out[0, 0, 0], &X[0, 0], &mean[0]
    with nogil:
        for i in range(n):
            level = base + k * p * <Py_ssize_t>codes[i]
            g = w[i]
            for j in range(k):
                f = g * inverse[j] * Z[i, j]
                for c in range(p):
                    level[j * p + c] += f * (x[c] - m[c])
            x += p


def reorder(double[:, ::1] X, const int32_t[::1] order):
    """X becomes X[order], for a permutation of its rows: each cycle of it is gone round once."""
    cdef Py_ssize_t i, to, source, n = X.shape[0], size = X.shape[1] * sizeof(double)
    cdef char* done
    cdef double* first
    if n == 0 or size == 0:
        return
    done, first = <char*> calloc(n, 1), <double*> calloc(X.shape[1], sizeof(double))
    if done == NULL or first == NULL:
        free(done)
        free(first)
        raise MemoryError
    with nogil:
        for i in range(n):
            if done[i]:
                continue
            memcpy(first, &X[i, 0], size)
            to = i
            while True:
                done[to] = 1
                source = order[to]
                if source == i:
                    break
                memcpy(&X[to, 0], &X[source, 0], size)
                to = source
            memcpy(&X[to, 0], first, size)
    free(done)
    free(first)
