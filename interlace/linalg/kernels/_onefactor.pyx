# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A model with one grouping factor: everything V^{-1} meets, level by level.

V = I + Z Lambda Lambda' Z' is block diagonal. With Z_l = Q_l R_l and b_l = Q_l'[X y], which the
cross-products hold, and S_l = I + R_l T T'R_l' = L_l L_l' each level gives
    G_l = Z_l'V^{-1}Z_l = (L^{-1}R)'(L^{-1}R),     B_l = Z_l'V^{-1}[X y] = (L^{-1}R)'(L^{-1}b),
    [X y]'V^{-1}[X y] = [X y]'(I - QQ')[X y] + sum_l (L^{-1}b)'(L^{-1}b),
sums of squares all of them: nothing cancels, however large T is, and singular T is not special.
L comes from the triangular factor of [T'R'; I], so that S, whose entries are squares, is never
formed.
"""

include "profiled.pxi"


cdef inline double triangle(double* F, Py_ssize_t k) noexcept nogil:
    """[C'; I] (2k, k), column-major, <- its triangular factor in the first k rows.

    Returns the product of the squared diagonal, |I + CC'|.
    """
    cdef Py_ssize_t j, c, r, n = 2 * k
    cdef double norm, alpha, s, product = 1.0
    cdef double* v
    cdef double* x
    for j in range(k):
        v = F + j * n
        norm = 0.0
        # of the identity's rows the columns so far have reached j + 1
        for r in range(j, k + j + 1):
            norm += v[r] * v[r]
        norm = sqrt(norm)
        alpha = v[j]
        v[j] = alpha + norm if alpha > 0.0 else alpha - norm
        s = norm * (norm + fabs(alpha))
        for c in range(j + 1, k):
            x = F + c * n
            alpha = 0.0
            for r in range(j, k + j + 1):
                alpha += v[r] * x[r]
            alpha /= s
            for r in range(j, k + j + 1):
                x[r] -= alpha * v[r]
        v[j] = -norm if v[j] > 0.0 else norm
        product *= norm * norm
    return product


cpdef double whiten(const double[:, ::1] T, const double[:, :, ::1] R, const double[:, :, ::1] b,
                    double[:, :, ::1] LR, double[:, :, ::1] Lb, double[:, ::1] K,
                    double[::1] work):
    """LR <- L^{-1}R and Lb <- L^{-1}b of each level; K += sum_l (L^{-1}b)'(L^{-1}b), lower half.

    Returns log|M|. ``work`` needs 2 k k entries.
    """
    cdef double logdet
    with nogil:
        logdet = whitened(T, R, b, LR, Lb, K, work)
    return logdet


cdef double whitened(const double[:, ::1] T, const double[:, :, ::1] R, const double[:, :, ::1] b,
                     double[:, :, ::1] LR, double[:, :, ::1] Lb, double[:, ::1] K,
                     double[::1] work) noexcept nogil:
    cdef Py_ssize_t levels = R.shape[0], k = R.shape[1], m = b.shape[2]
    cdef Py_ssize_t l, a, c, d, i, j
    cdef double logdet = 0.0, s, product = 1.0, t
    cdef double* F = &work[0]
    for l in range(levels):
        if k == 1:
            t = R[l, 0, 0] * T[0, 0]
            s = 1.0 + t * t
            product *= s
            F[0] = sqrt(s)
        else:
            for a in range(k):  # column a of C' = T'R' is row a of C = RT
                for c in range(k):
                    s = 0.0
                    for d in range(a if a > c else c, k):
                        s += R[l, a, d] * T[d, c]
                    F[a * 2 * k + c] = s
                    F[a * 2 * k + k + c] = 1.0 if a == c else 0.0
            product *= triangle(F, k)
        if product > 1e100:
            logdet += log(product)
            product = 1.0
        for a in range(k):
            t = F[a * 2 * k + a]
            for d in range(k):
                s = R[l, a, d]
                for c in range(a):
                    s -= F[a * 2 * k + c] * LR[l, c, d]
                LR[l, a, d] = s / t
            for i in range(m):
                s = b[l, a, i]
                for c in range(a):
                    s -= F[a * 2 * k + c] * Lb[l, c, i]
                Lb[l, a, i] = s / t
            for i in range(m):
                s = Lb[l, a, i]
                for j in range(i + 1):
                    K[i, j] += s * Lb[l, a, j]
    return logdet + log(product)


cdef class OneFactor(Profiled):
    """Profiled deviance of a model with one grouping factor: all of an evaluation in one call.

    The twin of ``Deviance`` in interlace/objective/linear/deviance.py, which has the formulas; small
    models spend their time in calls, which this saves. The derivatives use that
    dV / dT_ij = Z (e_i t_j' + t_j e_i')Z' with the j-th column t_j of T: with H = GT and F = T'GT
        tr(G D_ij G D_kl) = 2 (H_kj H_il + G_ik F_jl),
    so that the Hessian costs some multiplications a level for each of its entries.

    Parameters are the roots (R, b) and what is left of [X y]'[X y] within the levels, the entries
    (rows, cols) of T that x fills, the degrees of freedom of the criterion, whether it is REML, its
    constant, and the arrays of `whiten`, which the caller reads too.
    """

    cdef const double[:, :, ::1] R, b
    cdef const double[:, ::1] within
    cdef double[:, :, ::1] LR, Lb
    cdef double[:, ::1] T, N, gg, S, G, H, F, HS, FS, B, BJ, TBJ, Y
    cdef double[::1] work, g, tau
    cdef Py_ssize_t k

    def __init__(self, R, b, within, rows, cols, df, reml, constant, LR, Lb, work):
        cdef Py_ssize_t k = R.shape[1], p = b.shape[2] - 1, q = rows.shape[0]
        self.share_out(rows, cols, p + 1, df, reml, constant)
        self.R, self.b, self.within, self.k = R, b, within, k
        self.LR, self.Lb, self.work = LR, Lb, work
        self.Y = np.empty((q if reml else 0, p * p))
        cdef double[:, :, ::1] squares = np.empty((9, k, k))
        cdef double[:, ::1] rows_of_p = np.empty((1 + 2 * k, p))
        cdef double[::1] vectors = np.empty(2 * k)
        self.N, self.gg, self.S, self.G = squares[0], squares[1], squares[2], squares[3]
        self.H, self.F, self.HS, self.FS = squares[4], squares[5], squares[6], squares[7]
        self.T = squares[8]
        self.B, self.BJ, self.TBJ = rows_of_p[:1], rows_of_p[1 : 1 + k], rows_of_p[1 + k :]
        self.g, self.tau = vectors[:k], vectors[k:]

    cdef double whiten(self, const double* x) noexcept nogil:
        cdef Py_ssize_t e, i, j
        for i in range(self.k):
            for j in range(self.k):
                self.T[i, j] = 0.0
        for e in range(self.q):
            self.T[self.rows[e], self.cols[e]] = x[e]
        for i in range(self.m):
            for j in range(self.m):
                self.K[i, j] = self.within[i, j]
        return whitened(self.T, self.R, self.b, self.LR, self.Lb, self.K, self.work)

    cdef double known(self, Py_ssize_t e, Py_ssize_t f) noexcept nogil:
        if self.cols[e] != self.cols[f]:
            return 0.0
        return 2.0 * self.N[self.rows[e], self.rows[f]]

    cdef void slope(self, double r2, int order, double* gradient, double* out) noexcept nogil:
        """N = sum_l [Z'QZ - (df/r2) gg']_ll and d/dT = 2 N T; with order 2 the curvature."""
        cdef Py_ssize_t l, a, b, e, k = self.k, q = self.q, levels = self.R.shape[0]
        cdef double s, t
        cdef double[:, ::1] N = self.N, gg = self.gg
        for a in range(k):
            for b in range(k):
                N[a, b] = gg[a, b] = self.S[a, b] = 0.0
        if order > 1:
            for e in range(q):
                self.diagonal[e] = 0.0
                for a in range(q):
                    out[e * q + a] = 0.0
                for a in range(self.p):
                    self.s[e, a] = 0.0
            for e in range(self.Y.shape[0]):
                for a in range(self.Y.shape[1]):
                    self.Y[e, a] = 0.0
        for l in range(levels):
            self.level(l)
            for a in range(k):
                for b in range(a + 1):
                    gg[a, b] += self.g[a] * self.g[b]
                    N[a, b] += self.G[a, b] - self.S[a, b]
            if order > 1:
                self.pairs(out)
        for a in range(k):
            for b in range(a + 1):
                gg[b, a] = gg[a, b]
                N[a, b] -= self.df / r2 * gg[a, b]
                N[b, a] = N[a, b]
        for e in range(q):
            s = t = 0.0
            for a in range(k):
                s += N[self.rows[e], a] * self.T[a, self.cols[e]]
                t += gg[self.rows[e], a] * self.T[a, self.cols[e]]
            gradient[e] = 2.0 * s
            self.a[e] = 2.0 * t
        if order > 1:
            self.curve(r2, out)

    cdef void level(self, Py_ssize_t l) noexcept nogil:
        """G, g = B c, B J' and S = B C B' (REML) of one level."""
        cdef Py_ssize_t a, b, i, j, k = self.k, m = self.m, p = self.p
        cdef double s
        cdef double* r = &self.tau[0]
        cdef double* g = &self.g[0]
        cdef double* c = &self.c[0]
        cdef double* LR = &self.LR[l, 0, 0]
        cdef double* Lb = &self.Lb[l, 0, 0]
        cdef double* G = &self.G[0, 0]
        cdef double* S = &self.S[0, 0]
        cdef double* B = &self.B[0, 0]
        cdef double* BJ = &self.BJ[0, 0]
        cdef double* J = &self.J[0, 0]
        for a in range(k):
            s = 0.0
            for i in range(m):
                s += Lb[a * m + i] * c[i]
            r[a] = s
        for a in range(k):
            s = 0.0
            for b in range(k):
                s += LR[b * k + a] * r[b]
            g[a] = s
            for b in range(a + 1):
                s = 0.0
                for i in range(k):
                    s += LR[i * k + a] * LR[i * k + b]
                G[a * k + b] = s
                G[b * k + a] = s
            for i in range(p):
                s = 0.0
                for b in range(k):
                    s += LR[b * k + a] * Lb[b * m + i]
                B[i] = s
            for i in range(p):
                s = 0.0
                for j in range(i + 1):
                    s += B[j] * J[i * p + j]
                BJ[a * p + i] = s
        if self.reml:
            for a in range(k):
                for b in range(a + 1):
                    s = 0.0
                    for i in range(p):
                        s += BJ[a * p + i] * BJ[b * p + i]
                    S[a * k + b] = s
                    S[b * k + a] = s

    cdef void pairs(self, double* out) noexcept nogil:
        """A level's share of g'D_e G D_f g (upper half) and of the traces (lower half)."""
        cdef Py_ssize_t e, f, i, j, v, w, a, b, k = self.k, p = self.p, q = self.q
        cdef double s, t, quad, trace, ti, gi
        cdef double* T = &self.T[0, 0]
        cdef double* G = &self.G[0, 0]
        cdef double* S = &self.S[0, 0]
        cdef double* H = &self.H[0, 0]
        cdef double* F = &self.F[0, 0]
        cdef double* HS = &self.HS[0, 0]
        cdef double* FS = &self.FS[0, 0]
        cdef double* BJ = &self.BJ[0, 0]
        cdef double* TBJ = &self.TBJ[0, 0]
        cdef double* g = &self.g[0]
        cdef double* tau = &self.tau[0]
        cdef double* y
        cdef const int64_t* rows = &self.rows[0]
        cdef const int64_t* cols = &self.cols[0]
        cdef bint reml = self.reml
        for j in range(k):
            s = 0.0
            for a in range(j, k):
                s += T[a * k + j] * g[a]
            tau[j] = s
            for i in range(p):
                s = 0.0
                for a in range(j, k):
                    s += T[a * k + j] * BJ[a * p + i]
                TBJ[j * p + i] = s
            for a in range(k):
                s = t = 0.0
                for b in range(j, k):
                    s += G[a * k + b] * T[b * k + j]
                    t += S[a * k + b] * T[b * k + j]
                H[a * k + j] = s
                HS[a * k + j] = t
        for a in range(k):
            for j in range(k):
                s = t = 0.0
                for b in range(a, k):
                    s += T[b * k + a] * H[b * k + j]
                    t += T[b * k + a] * HS[b * k + j]
                F[a * k + j] = s
                FS[a * k + j] = t
        for e in range(q):
            i, j = rows[e], cols[e]
            ti, gi = tau[j], g[i]
            for a in range(p):
                self.s[e, a] += BJ[i * p + a] * ti + TBJ[j * p + a] * gi
            if reml:
                y = &self.Y[e, 0]
                for a in range(p):
                    s = BJ[i * p + a]
                    for b in range(p):
                        y[a * p + b] += s * TBJ[j * p + b]
            for f in range(e + 1):
                v, w = rows[f], cols[f]
                quad = (ti * (tau[w] * G[i * k + v] + g[v] * H[i * k + w])
                        + gi * (tau[w] * H[v * k + j] + g[v] * F[j * k + w]))
                trace = H[v * k + j] * H[i * k + w] + G[i * k + v] * F[j * k + w]
                if reml:
                    trace -= (H[v * k + j] * HS[i * k + w] + F[j * k + w] * S[i * k + v]
                              + G[i * k + v] * FS[j * k + w] + H[i * k + w] * HS[v * k + j])
                out[f * q + e] += quad
                if e == f:
                    self.diagonal[e] += 2.0 * trace
                else:
                    out[e * q + f] += 2.0 * trace

    cdef void curve(self, double r2, double* H) noexcept nogil:
        """What the levels have summed up, made curvatures."""
        cdef Py_ssize_t e, f, i, j, p = self.p, q = self.q
        cdef double t, quad, trace
        cdef double[:, ::1] Y = self.Y, s = self.s
        if self.reml:
            for e in range(self.q):
                for i in range(p):
                    for j in range(i + 1):
                        t = Y[e, i * p + j] + Y[e, j * p + i]
                        Y[e, i * p + j] = t
                        Y[e, j * p + i] = t
        for e in range(self.q):
            for f in range(e + 1):
                quad = H[f * q + e]
                trace = self.diagonal[e] if e == f else H[e * q + f]
                for i in range(p):
                    quad -= s[e, i] * s[f, i]
                if self.reml:
                    # what couples the levels has rank p: tr(C Y_e C Y_f), Y_e = X'V_e*X
                    for i in range(p * p):
                        trace += Y[e, i] * Y[f, i]
                self.put_curvature(e, f, r2, quad, trace, H)
