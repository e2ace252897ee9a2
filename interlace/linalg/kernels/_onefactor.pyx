# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Level sums of a model with one grouping factor: everything V^{-1} meets, level by level.

V = I + Z Lambda Lambda' Z' is block diagonal, so that with A_l = Z_l'Z_l, B_l = Z_l'W and
M_l = T'A_l T + I each level gives
    G_l = Z_l'V^{-1}Z_l = A_l - A_l T M_l^{-1} T'A_l,
    P_l = Z_l'V^{-1}W   = B_l - A_l T M_l^{-1} T'B_l,
all right at singular T.
"""

from libc.math cimport log, sqrt


def level_sums(const double[:, ::1] T, const double[:, :, ::1] A, const double[:, :, ::1] B,
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


def level_products(const double[:, :, ::1] G, const double[:, :, ::1] P, const double[::1] c,
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
