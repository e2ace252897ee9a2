# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Whitened rows [e X Z] of one grouping factor or none: what the criterion asks of them.

With A_l = Z_l'Z_l, B_l = Z_l'[X e] and M_l = T'A_l T + I = L L' each level gives
    S_l = T M_l^{-1} T',   V_l = S_l B_l,   Z_l'V^{-1}[X e] = B_l - A_l V_l,
    Z_l'V^{-1}Z_l = A_l - A_l S_l A_l,
and K = [X e]'V^{-1}[X e] loses (L^{-1}T'B_l)'(L^{-1}T'B_l). These are sums of squares less others:
for variances between levels that are not very large beside the residual one.
"""

from libc.math cimport NAN, log, sqrt
from libc.stdint cimport int32_t

import numpy as np

cdef double LOG_2PI = 1.8378770664093453


cpdef double level_sums(const double[:, ::1] D, const int32_t[::1] codes,
                        const double[:, ::1] T, double[:, :, ::1] A, double[:, :, ::1] B,
                        double[:, :, ::1] V, double[:, :, ::1] S, double[:, ::1] G,
                        double[:, ::1] K, double[::1] work):
    """Fill A, V, S and Z'V^{-1}[X e] (in B) by level; their sum G and K, (m, m), in full.

    Returns log|M|. All arrays are zero before; ``work`` needs k (3 k + m) entries.
    """
    cdef Py_ssize_t n = D.shape[0], levels = A.shape[0], k = A.shape[1], m = K.shape[0]
    cdef Py_ssize_t p = m - 1, i, l, a, b, c, j, first = m
    cdef double z, value, logdet = 0.0
    cdef double* L = &work[0] if work.shape[0] else NULL
    cdef double* AT = L + k * k
    cdef double* R = AT + k * k  # L^{-1} T'
    cdef double* J = R + k * k
    with nogil:
        for i in range(n):
            # y is first in D and last in K
            for j in range(p):
                value = D[i, 1 + j]
                for c in range(j + 1):
                    K[j, c] += value * D[i, 1 + c]
                K[p, j] += value * D[i, 0]
            K[p, p] += D[i, 0] * D[i, 0]
            if k:
                l = codes[i]
                for a in range(k):
                    z = D[i, first + a]
                    for b in range(a + 1):
                        A[l, a, b] += z * D[i, first + b]
                    for j in range(p):
                        B[l, a, j] += z * D[i, 1 + j]
                    B[l, a, p] += z * D[i, 0]
        for l in range(levels if k else 0):
            for a in range(k):
                for b in range(a):
                    A[l, b, a] = A[l, a, b]
            for a in range(k):
                for b in range(k):
                    value = 0.0
                    for c in range(k):
                        value += A[l, a, c] * T[c, b]
                    AT[a * k + b] = value
            for a in range(k):
                for b in range(a + 1):
                    value = 1.0 if a == b else 0.0
                    for c in range(k):
                        value += T[c, a] * AT[c * k + b]
                    for c in range(b):
                        value -= L[a * k + c] * L[b * k + c]
                    L[a * k + b] = sqrt(value) if a == b else value / L[b * k + b]
                logdet += 2.0 * log(L[a * k + a])
            for b in range(k):
                for a in range(k):
                    value = T[b, a]
                    for c in range(a):
                        value -= L[a * k + c] * R[c * k + b]
                    R[a * k + b] = value / L[a * k + a]
            for a in range(k):
                for j in range(m):
                    value = 0.0
                    for c in range(k):
                        value += R[a * k + c] * B[l, c, j]
                    J[a * m + j] = value
            for a in range(k):
                for b in range(k):
                    value = 0.0
                    for c in range(k):
                        value += R[c * k + a] * R[c * k + b]
                    S[l, a, b] = value
                for j in range(m):
                    value = 0.0
                    for c in range(k):
                        value += R[c * k + a] * J[c * m + j]
                    V[l, a, j] = value
            for a in range(k):
                for j in range(m):
                    for c in range(j + 1):
                        K[j, c] -= J[a * m + j] * J[a * m + c]
                    value = 0.0
                    for c in range(k):
                        value += A[l, a, c] * V[l, c, j]
                    B[l, a, j] -= value
            # A S A by A R' R A
            for a in range(k):
                for b in range(k):
                    value = 0.0
                    for c in range(k):
                        value += R[a * k + c] * A[l, c, b]
                    AT[a * k + b] = value
            for a in range(k):
                for b in range(k):
                    value = A[l, a, b]
                    for c in range(k):
                        value -= AT[c * k + a] * AT[c * k + b]
                    G[a, b] += value
        for j in range(m):
            for c in range(j):
                K[c, j] = K[j, c]
    return logdet


cpdef row_slopes(const double[:, ::1] D, const int32_t[::1] codes, const double[:, :, ::1] V,
                 const double[:, :, ::1] S, const double[:, ::1] Q, double[:, ::1] G,
                 double[::1] work):
    """G <- derivatives in D of log|M| + tr(QK), Q (m, m) held; ``work`` needs 2 m entries."""
    cdef Py_ssize_t n = D.shape[0], k = V.shape[1], m = Q.shape[0], p = m - 1
    cdef Py_ssize_t i, l, a, b, j, c, first = m
    cdef double value
    cdef double* E = &work[0]
    cdef double* H = E + m
    with nogil:
        for i in range(n):
            for j in range(p):
                E[j] = D[i, 1 + j]
            E[p] = D[i, 0]
            l = codes[i] if k else 0
            for a in range(k):
                value = D[i, first + a]
                for j in range(m):
                    E[j] -= value * V[l, a, j]
            for j in range(m):
                value = 0.0
                for c in range(m):
                    value += E[c] * Q[c, j]
                H[j] = 2.0 * value
            G[i, 0] = H[p]
            for j in range(p):
                G[i, 1 + j] = H[j]
            for a in range(k):
                value = 0.0
                for b in range(k):
                    value += S[l, a, b] * D[i, first + b]
                value *= 2.0
                for j in range(m):
                    value -= H[j] * V[l, a, j]
                G[i, first + a] = value


cdef class Criterion:
    """The profiled deviance of whitened rows, less what does not depend on T, and its derivatives.

    In the notation of interlace/objective/linear/deviance.py. ``smallest`` is the residual sum of
    squares, ``share`` its share of y'V^{-1}y and ``largest`` the information of a level on its
    effects, in units of their own, beyond which digits would be lost.
    """

    cdef const int32_t[::1] codes
    cdef double[:, :, ::1] A, B, V, S
    cdef double[:, ::1] N, K, J, Q, G, slope_view
    cdef double[::1] work, c
    cdef double df, smallest, share, largest
    cdef bint reml
    cdef Py_ssize_t k, m
    cdef readonly object slopes, rows

    def __init__(self, codes, levels, k, m, df, reml, smallest, share, largest):
        n = len(codes)
        self.codes, self.k, self.m, self.df, self.reml = codes, k, m, df, reml
        self.smallest, self.share, self.largest = smallest, share, largest
        self.A, self.S = np.empty((levels, k, k)), np.empty((levels, k, k))
        self.B, self.V = np.empty((levels, k, m)), np.empty((levels, k, m))
        self.N, self.K, self.J = np.empty((k, k)), np.empty((m, m)), np.empty((m, m))
        self.Q, self.c = np.empty((m, m)), np.empty(m)
        self.work = np.empty(k * (3 * k + m) + 2 * m + k * k)
        self.slopes, self.rows = np.empty((k, k)), np.empty((n, m + k))
        self.slope_view, self.G = self.slopes, self.rows

    def evaluate(self, const double[:, ::1] D, const double[:, ::1] T, int order):
        """The value of rows D (n, m + k) at T; NaN where digits would be lost.

        With order 1 ``slopes`` (k, k) hold the derivatives by T, ``rows`` those by D.
        """
        cdef Py_ssize_t i, k = self.k, p = self.m - 1
        cdef double value, r2
        self.A[:, :, :] = 0.0
        self.B[:, :, :] = 0.0
        self.N[:, :] = 0.0
        self.K[:, :] = 0.0
        value = level_sums(D, self.codes, T, self.A, self.B, self.V, self.S, self.N, self.K,
                           self.work)
        if k and not self.keeps_digits(T):
            return NAN
        r2 = self.factorise()
        if not r2 == r2:
            return NAN
        value += self.df * (1.0 + LOG_2PI + log(r2 / self.df))
        if self.reml:
            for i in range(p):
                value += 2.0 * log(self.K[i, i])
        if order:
            self.weigh(r2)
            self.slope(T)
            row_slopes(D, self.codes, self.V, self.S, self.Q, self.G, self.work)
        return value

    cdef bint keeps_digits(self, const double[:, ::1] T) noexcept nogil:
        """Whether tr(T'A_l T) is small enough in each level."""
        cdef Py_ssize_t l, a, b, c, k = self.k
        cdef double value
        cdef double* TT = &self.work[0]
        for a in range(k):
            for b in range(k):
                value = 0.0
                for c in range(k):
                    value += T[a, c] * T[b, c]
                TT[a * k + b] = value
        for l in range(self.A.shape[0]):
            value = 0.0
            for a in range(k):
                for b in range(k):
                    value += TT[a * k + b] * self.A[l, a, b]
            if not value <= self.largest:
                return False
        return True

    cdef double factorise(self) noexcept nogil:
        """K <- its lower Cholesky factor; returns r^2."""
        cdef Py_ssize_t i, j, l, m = self.m
        cdef double s, whole = self.K[m - 1, m - 1]
        for i in range(m):
            for j in range(i + 1):
                s = self.K[i, j]
                for l in range(j):
                    s -= self.K[i, l] * self.K[j, l]
                if i == j:
                    if not s > 0.0:
                        return NAN
                    self.K[i, i] = sqrt(s)
                else:
                    self.K[i, j] = s / self.K[j, j]
        return s if s > self.smallest and s > self.share * whole else NAN

    cdef void weigh(self, double r2) noexcept nogil:
        """Q of dd = d log|M| + tr(Q dK): df / r^2 c c' and with REML (X'V^{-1}X)^{-1}."""
        cdef Py_ssize_t i, j, l, p = self.m - 1
        cdef double s, weight = self.df / r2
        for j in range(p):
            self.J[j, j] = 1.0 / self.K[j, j]
            for i in range(j + 1, p):
                s = 0.0
                for l in range(j, i):
                    s -= self.K[i, l] * self.J[l, j]
                self.J[i, j] = s / self.K[i, i]
        for i in range(p):
            s = 0.0
            for l in range(i, p):
                s -= self.J[l, i] * self.K[p, l]
            self.c[i] = s
        self.c[p] = 1.0
        for i in range(p + 1):
            for j in range(i + 1):
                s = weight * self.c[i] * self.c[j]
                if self.reml and i < p:
                    for l in range(i, p):
                        s += self.J[l, i] * self.J[l, j]
                self.Q[i, j] = s
                self.Q[j, i] = s

    cdef void slope(self, const double[:, ::1] T) noexcept nogil:
        """2 N T, N = sum_l [Z'V^{-1}Z - B Q B']_ll."""
        cdef Py_ssize_t l, a, b, i, j, k = self.k, m = self.m
        cdef double s
        cdef double* H = &self.work[0]
        for l in range(self.B.shape[0] if k else 0):
            for a in range(k):
                for j in range(m):
                    s = 0.0
                    for i in range(m):
                        s += self.B[l, a, i] * self.Q[i, j]
                    H[j] = s
                for b in range(k):
                    s = 0.0
                    for j in range(m):
                        s += H[j] * self.B[l, b, j]
                    self.N[a, b] -= s
        for a in range(k):
            for b in range(k):
                s = 0.0
                for i in range(k):
                    s += self.N[a, i] * T[i, b]
                self.slope_view[a, b] = 2.0 * s
