# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Level sums of a model with one grouping factor: everything V^{-1} meets, level by level.

V = I + Z Lambda Lambda' Z' is block diagonal, so that with A_l = Z_l'Z_l, B_l = Z_l'W and
M_l = T'A_l T + I each level gives
    G_l = Z_l'V^{-1}Z_l = A_l - A_l T M_l^{-1} T'A_l,
    P_l = Z_l'V^{-1}W   = B_l - A_l T M_l^{-1} T'B_l,
all right at singular T.
"""

from libc.math cimport NAN, log, sqrt
from libc.stdint cimport int64_t

import numpy as np

cdef double LOG_2PI = 1.8378770664093453


cpdef double level_sums(const double[:, ::1] T, const double[:, :, ::1] A, const double[:, :, ::1] B,
               double[:, :, ::1] G, double[:, :, ::1] P, double[:, ::1] G_sum,
               double[:, ::1] W_sum, double[:, ::1] PP, double[:, ::1] work):
    """Fill G and P (per level), their sums, and return log|M|.

    G_sum (k, k) = sum_l G_l;  W_sum (m, m) = sum_l (T'B_l)' M_l^{-1} (T'B_l);
    PP (k k, m m): PP[(a, c), (i, j)] = sum_l P_l[a, i] P_l[c, j].
    ``work`` needs 3 rows of max(k, m) * k entries.
    """
    cdef Py_ssize_t levels = A.shape[0], k = A.shape[1], m = B.shape[2]
    cdef Py_ssize_t l, a, b, c, i, j
    cdef double logdet = 0.0, s, product = 1.0
    cdef double* AT = &work[0, 0]
    cdef double* L = &work[1, 0]
    cdef double* R = &work[2, 0]
    G_sum[:, :] = 0.0
    W_sum[:, :] = 0.0
    PP[:, :] = 0.0
    with nogil:
        for l in range(levels):
            for a in range(k):
                for b in range(k):
                    s = 0.0
                    for c in range(b, k):
                        s += A[l, a, c] * T[c, b]
                    AT[a * k + b] = s
            for a in range(k):
                for b in range(a + 1):
                    s = 1.0 if a == b else 0.0
                    for c in range(a, k):
                        s += T[c, a] * AT[c * k + b]
                    for c in range(b):
                        s -= L[a * k + c] * L[b * k + c]
                    if a == b:
                        product *= s
                        if product > 1e100 or product < 1e-100:
                            logdet += log(product)
                            product = 1.0
                        L[a * k + a] = sqrt(s)
                    else:
                        L[a * k + b] = s / L[b * k + b]
            # R = L^{-1} T' B_l, then P_l = B_l - (A T) L^{-T} R
            for i in range(m):
                for a in range(k):
                    s = 0.0
                    for c in range(a, k):
                        s += T[c, a] * B[l, c, i]
                    for c in range(a):
                        s -= L[a * k + c] * R[c * m + i]
                    R[a * m + i] = s / L[a * k + a]
            for i in range(m):
                for j in range(i + 1):
                    s = 0.0
                    for a in range(k):
                        s += R[a * m + i] * R[a * m + j]
                    W_sum[i, j] += s
            # AT <- A T L^{-T}, so that both corrections are plain products
            for a in range(k):
                for b in range(k):
                    s = AT[a * k + b]
                    for c in range(b):
                        s -= AT[a * k + c] * L[b * k + c]
                    AT[a * k + b] = s / L[b * k + b]
            for a in range(k):
                for b in range(a + 1):
                    s = A[l, a, b]
                    for c in range(k):
                        s -= AT[a * k + c] * AT[b * k + c]
                    G[l, a, b] = s
                    G[l, b, a] = s
                    G_sum[a, b] += s
                for i in range(m):
                    s = B[l, a, i]
                    for c in range(k):
                        s -= AT[a * k + c] * R[c * m + i]
                    P[l, a, i] = s
            for a in range(k):
                for c in range(a + 1):
                    for i in range(m):
                        s = P[l, a, i]
                        for j in range(m):
                            PP[a * k + c, i * m + j] += s * P[l, c, j]
        logdet += log(product)
        for i in range(m):
            for j in range(i):
                W_sum[j, i] = W_sum[i, j]
        for a in range(k):
            for c in range(a):
                G_sum[c, a] = G_sum[a, c]
                for i in range(m):
                    for j in range(m):
                        PP[c * k + a, j * m + i] = PP[a * k + c, i * m + j]
    return logdet


cpdef void level_products(const double[:, :, ::1] G, const double[:, :, ::1] P, const double[::1] c,
                   const double[:, ::1] C, double[:, ::1] GGG, double[:, ::1] GG,
                   double[:, ::1] work):
    """Sums of products over levels that the curvature needs.

    With g_l = P_l c and S_l = P_l C P_l' (C may be empty):
    GGG[(b, d), (e, a)] = sum_l (g_l g_l')[a, b] G_l[d, e]
    GG[(b, d), (e, a)]  = sum_l G_l[a, b] G_l[d, e] - S_l[a, b] G_l[d, e] - G_l[a, b] S_l[d, e]
    so that sum_l g'D_i G D_j g = vec(D_i)'GGG vec(D_j) and
    sum_l tr(G D_i G D_j - S D_i G D_j - G D_i S D_j) = vec(D_i)'GG vec(D_j).
    ``work`` needs 3 rows of max(k k, k m) entries.
    """
    cdef Py_ssize_t levels = G.shape[0], k = G.shape[1], m = P.shape[2], p = C.shape[0]
    cdef Py_ssize_t l, a, b, d, e, i, j
    cdef double s, t, gab, sab
    cdef double* g = &work[0, 0]
    cdef double* S = &work[1, 0]
    cdef double* PC = &work[2, 0]
    GGG[:, :] = 0.0
    GG[:, :] = 0.0
    with nogil:
        for l in range(levels):
            for a in range(k):
                s = 0.0
                for i in range(m):
                    s += P[l, a, i] * c[i]
                g[a] = s
                for j in range(p):
                    t = 0.0
                    for i in range(p):
                        t += P[l, a, i] * C[i, j]
                    PC[a * m + j] = t
            for a in range(k):
                for b in range(k):
                    s = 0.0
                    for j in range(p):
                        s += PC[a * m + j] * P[l, b, j]
                    S[a * k + b] = s
            for a in range(k):
                for b in range(k):
                    gab = G[l, a, b]
                    sab = S[a * k + b]
                    t = g[a] * g[b]
                    for d in range(k):
                        for e in range(k):
                            GGG[b * k + d, e * k + a] += t * G[l, d, e]
                            GG[b * k + d, e * k + a] += (
                                gab * G[l, d, e] - sab * G[l, d, e] - gab * S[d * k + e])


cdef class OneFactor:
    """Profiled deviance of a model with one grouping factor: all of an evaluation in one call.

    The numbers are those of ``LMMObjective`` (whose numpy form is the readable one); small models
    spend their time in calls, which this saves.

    Parameters are the cross-products (A, B, WW), the entries (rows, cols) of T that x fills, the
    degrees of freedom of the criterion, whether it is REML, and its constant.
    """

    cdef const double[:, :, ::1] A, B
    cdef const double[:, ::1] WW
    cdef const int64_t[::1] rows, cols
    cdef double df, constant
    cdef bint reml
    cdef double[:, :, ::1] G, P
    cdef double[:, ::1] T, G_sum, W_sum, PP, GGG, GG, work, K, C, Q, N, D, Y, S, L, nothing
    cdef double[::1] c, a, diagonal
    cdef Py_ssize_t k, m, p, q
    cdef readonly bint exact

    def __init__(self, A, B, WW, rows, cols, df, reml, constant, buffers):
        self.A, self.B, self.WW = A, B, WW
        self.rows, self.cols = rows, cols
        self.df, self.reml, self.constant = df, reml, constant
        self.k, self.m = A.shape[1], B.shape[2]
        self.p, self.q = self.m - 1, rows.shape[0]
        (self.G, self.P, self.T, self.G_sum, self.W_sum, self.PP, self.GGG, self.GG, self.work,
         self.K, self.C, self.Q, self.N, self.D, self.Y, self.S, self.L, self.c, self.a,
         self.diagonal, self.nothing) = buffers

    def evaluate(self, const double[::1] x, int order, double[::1] gradient, double[:, ::1] H):
        """The criterion; gradient (order 1) and curvature (order 2) are written to the arrays.

        NaN if the corner is not positive definite. ``exact`` says whether the curvature is the
        Hessian (positive definite) or average information plus 2 N (x) I.
        """
        cdef double logdet, r2, value
        cdef Py_ssize_t e
        self.T[:, :] = 0.0
        for e in range(self.q):
            self.T[self.rows[e], self.cols[e]] = x[e]
        logdet = level_sums(self.T, self.A, self.B, self.G, self.P, self.G_sum, self.W_sum,
                            self.PP, self.work)
        r2 = self.profile()
        if not r2 > 0.0:
            return NAN
        value = logdet + self.df * (1.0 + LOG_2PI + log(r2 / self.df)) + self.constant
        if self.reml:
            for e in range(self.p):
                value += 2.0 * log(self.K[e, e])
        if order > 0:
            self.slope(r2, gradient)
        if order > 1:
            self.curve(r2, H)
        return value

    def corner(self):
        """r^2, c = [-beta; 1] and (X'V^{-1}X)^{-1} of the last evaluation."""
        cdef double root = self.K[self.p, self.p]
        return root * root, np.array(self.c), np.array(self.C)

    cdef double profile(self):
        """K <- its Cholesky factor; c = [-beta; 1], C = (X'V^{-1}X)^{-1}; returns r^2."""
        cdef Py_ssize_t i, j, l, m = self.m, p = self.p
        cdef double s
        cdef double[:, ::1] K = self.K, C = self.C, W = self.S
        for i in range(m):
            for j in range(i + 1):
                s = self.WW[i, j] - self.W_sum[i, j]
                for l in range(j):
                    s -= K[i, l] * K[j, l]
                if i == j:
                    if not s > 0.0:
                        return NAN
                    K[i, i] = sqrt(s)
                else:
                    K[i, j] = s / K[j, j]
        # W = inverse of the lower factor; C = W'W; beta = W' (row p of K)
        for j in range(p):
            W[j, j] = 1.0 / K[j, j]
            for i in range(j + 1, p):
                s = 0.0
                for l in range(j, i):
                    s -= K[i, l] * W[l, j]
                W[i, j] = s / K[i, i]
        for i in range(p):
            for j in range(i + 1):
                s = 0.0
                for l in range(i, p):
                    s += W[l, i] * W[l, j]
                C[i, j] = s
                C[j, i] = s
            s = 0.0
            for l in range(i, p):
                s += W[l, i] * K[p, l]
            self.c[i] = -s
        self.c[p] = 1.0
        return K[p, p] * K[p, p]

    cdef void slope(self, double r2, double[::1] gradient):
        """N = sum_l [Z'QZ - (df/r2) gg']_ll and d/dT = 2 N T."""
        cdef Py_ssize_t a, b, i, j, e, k = self.k, m = self.m, p = self.p
        cdef double s
        for i in range(m):
            for j in range(m):
                s = self.df / r2 * self.c[i] * self.c[j]
                if self.reml and i < p and j < p:
                    s += self.C[i, j]
                self.Q[i, j] = s
        for a in range(k):
            for b in range(k):
                s = self.G_sum[a, b]
                for i in range(m):
                    for j in range(m):
                        s -= self.PP[a * k + b, i * m + j] * self.Q[i, j]
                self.N[a, b] = s
        for e in range(self.q):
            s = 0.0
            for a in range(k):
                s += self.N[self.rows[e], a] * self.T[a, self.cols[e]]
            gradient[e] = 2.0 * s

    cdef void curve(self, double r2, double[:, ::1] H):
        """Section C of the mathematics page."""
        cdef Py_ssize_t e, f, i, j, l, ab, k = self.k, m = self.m, p = self.p, q = self.q
        cdef Py_ssize_t kk = k * k
        cdef double s, t, quad, trace, known, ai, df = self.df
        cdef double[:, ::1] D = self.D, Y = self.Y, S = self.S
        D[:, :] = 0.0
        for e in range(q):
            i, j = self.rows[e], self.cols[e]
            for l in range(k):
                D[e, i * k + l] += self.T[l, j]
                D[e, l * k + i] += self.T[l, j]
            for i in range(m):
                for j in range(m):
                    s = 0.0
                    for ab in range(kk):
                        s += D[e, ab] * self.PP[ab, i * m + j]
                    Y[e, i * m + j] = s
            t = 0.0
            for i in range(m):
                s = 0.0
                for j in range(m):
                    s += Y[e, i * m + j] * self.c[j]
                S[e, i] = s
                t += s * self.c[i]
            self.a[e] = t
        level_products(self.G, self.P, self.c, self.C if self.reml else self.nothing,
                       self.GGG, self.GG, self.work)
        for e in range(q):
            # Q is free now: C Y_e for the traces, (p, p)
            for i in range(p):
                for j in range(p):
                    s = 0.0
                    for l in range(p):
                        s += self.C[i, l] * Y[e, l * m + j]
                    self.Q[i, j] = s
            for f in range(e + 1):
                quad = trace = 0.0
                for i in range(kk):
                    s = t = 0.0
                    for j in range(kk):
                        s += self.GGG[i, j] * D[f, j]
                        t += self.GG[i, j] * D[f, j]
                    quad += D[e, i] * s
                    trace += D[e, i] * t
                for i in range(p):
                    for j in range(p):
                        quad -= S[e, i] * self.C[i, j] * S[f, j]
                if self.reml:
                    for i in range(p):
                        for j in range(p):
                            s = 0.0
                            for l in range(p):
                                s += self.C[j, l] * Y[f, l * m + i]
                            trace += self.Q[i, j] * s
                known = 0.0
                if self.cols[e] == self.cols[f]:
                    known = 2.0 * self.N[self.rows[e], self.rows[f]]
                t = self.a[e] * self.a[f] / (r2 * r2)
                ai = df * (quad / r2 - t)
                H[e, f] = known + 2.0 * ai + df * t - trace
                if e == f:
                    self.diagonal[e] = H[e, e]
                H[f, e] = known + ai
        # H holds the Hessian below its diagonal, the safe curvature on and above it.
        self.exact = self.choose(H)

    cdef bint choose(self, double[:, ::1] H):
        """Keep the Hessian if it is positive definite, else the other half."""
        cdef Py_ssize_t i, j, l, q = self.q
        cdef double s
        cdef double[:, ::1] L = self.L
        cdef bint ok = True
        for i in range(q):
            for j in range(i + 1):
                s = H[i, j] if i != j else self.diagonal[i]
                for l in range(j):
                    s -= L[i, l] * L[j, l]
                if i == j:
                    if not s > 0.0:
                        ok = False
                        break
                    L[i, i] = sqrt(s)
                else:
                    L[i, j] = s / L[j, j]
            if not ok:
                break
        for i in range(q):
            if ok:
                H[i, i] = self.diagonal[i]
            for j in range(i):
                if ok:
                    H[j, i] = H[i, j]
                else:
                    H[i, j] = H[j, i]
        return ok
