# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Whitened rows [e X Z] of one grouping factor or none: what the criterion asks of them.

With A_l = Z_l'Z_l, B_l = Z_l'[X e] and M_l = T'A_l T + I = L L' each level gives
    S_l = T M_l^{-1} T',   V_l = S_l B_l,   Z_l'V^{-1}[X e] = B_l - A_l V_l,
    Z_l'V^{-1}Z_l = A_l - A_l S_l A_l,
and K = [X e]'V^{-1}[X e] loses (L^{-1}T'B_l)'(L^{-1}T'B_l). These are sums of squares less others:
for variances between levels that are not very large beside the residual one.
"""

from libc.math cimport log, sqrt
from libc.stdint cimport int32_t


def level_sums(const double[:, ::1] D, const int32_t[::1] codes, const double[:, ::1] T,
               double[:, :, ::1] A, double[:, :, ::1] B, double[:, :, ::1] V,
               double[:, :, ::1] S, double[:, ::1] G, double[:, ::1] K, double[::1] work):
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


def row_slopes(const double[:, ::1] D, const int32_t[::1] codes, const double[:, :, ::1] V,
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
