# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A linear model of several grouping factors with few effects: the criterion from dense matrices.

Grouping factors come in two parts. Z_0, the one with most levels, has Z_0'Z_0 block diagonal; the
rest, Z_1, has few columns. V = V_0 + Z_1 L_1 L_1'Z_1' with V_0 = I + Z_0 L_0 L_0'Z_0' (L for Lambda),
and for every pair of columns f, h

    f'V_0^{-1}h = f'h - J_f'J_h,           J_f = M_0^{-1/2} L_0'Z_0'f,  M_0 = I + L_0'Z_0'Z_0 L_0
    f'V^{-1}h = f'V_0^{-1}h - W_f'W_h,     W_f = M_1^{-1/2} L_1'Z_1'V_0^{-1}f,
                                           M_1 = I + L_1'Z_1'V_0^{-1}Z_1 L_1
    log|V| = log|M_0| + log|M_1|

A level of Z_0 costs what the columns of Z_1 do, squared; nothing costs the square of all effects but
G = Z'V^{-1}Z itself.
"""

from libc.stdint cimport int32_t
from scipy.linalg.cython_blas cimport ddot, dgemm, dsymm, dsyrk, dtrsm
from scipy.linalg.cython_lapack cimport dpotrf

include "profiled.pxi"
include "small.pxi"


cdef inline void product(const char* left, const char* right, int rows, int columns, int inner,
                         double alpha, const double* A, int lda, const double* B, int ldb,
                         double beta, double* out, int ldo) noexcept nogil:
    """out <- beta out + alpha A B, A or B transposed as the letters say, column-major."""
    if rows and columns and (inner or beta != 1.0):
        dgemm(<char*> left, <char*> right, &rows, &columns, &inner, &alpha, <double*> A, &lda,
              <double*> B, &ldb, &beta, out, &ldo)


cdef inline void less_squares(const char* half, const char* turned, int n, int inner,
                              const double* A, int lda, double* out, int ldo) noexcept nogil:
    """One half of out <- out - A'A, or - AA', column-major."""
    cdef double one = 1.0, minus = -1.0
    if n and inner:
        dsyrk(<char*> half, <char*> turned, &n, &inner, &minus, <double*> A, &lda, &one, out, &ldo)


def place_diagonal(const double[:, :, :] blocks, Py_ssize_t at, double[::1, :] out):
    """out <- symmetric blocks (l, k, k) on its diagonal from a row on."""
    cdef Py_ssize_t l, a, c, k = blocks.shape[1]
    for l in range(blocks.shape[0]):
        for c in range(k):
            for a in range(k):
                out[at + l * k + a, at + l * k + c] = blocks[l, c, a]


def place_pairs(const int64_t[:] indptr, const int32_t[:] indices, const double[:, :, :] values,
                Py_ssize_t at, Py_ssize_t to, double[::1, :] out):
    """out <- blocks (k_b, k_c) of pairs of levels on both sides, from row ``at`` and column ``to``."""
    cdef Py_ssize_t l, i, a, c, row, column, kb = values.shape[1], kc = values.shape[2]
    for l in range(indptr.shape[0] - 1):
        for i in range(indptr[l], indptr[l + 1]):
            row, column = at + l * kb, to + indices[i] * kc
            for a in range(kb):
                for c in range(kc):
                    out[row + a, column + c] = out[column + c, row + a] = values[i, a, c]


def place_sums(const double[:, :, :] sums, Py_ssize_t at, Py_ssize_t to, double[::1, :] out):
    """out <- sums (l, k, m) of effects in its rows, from row ``at`` and column ``to``."""
    cdef Py_ssize_t l, a, j, k = sums.shape[1]
    for j in range(sums.shape[2]):
        for l in range(sums.shape[0]):
            for a in range(k):
                out[at + l * k + a, to + j] = sums[l, a, j]


cdef class FewColumns(Profiled):
    """Profiled deviance of a model with several grouping factors: an evaluation in one call.

    The twin of ``Deviance`` over ``DenseMarginal``, interlace/objective/linear/deviance.py and
    few_columns.py: small models spend their time in calls, which this saves.

    Parameters
    ----------
    sums : (q, q + m), column-major
        Z'[Z X y], read again at each evaluation.
    XyXy : (m, m)
    levels, widths : (n_factors,) int64
    factor, rows, cols : (n,) int64
        Entry of which T each parameter is.
    df, reml, constant
        Of the criterion.
    large : float
        What [T'Z'ZT]_aa of a mean level may come to for each a of a factor: ``beyond`` it digits
        would be lost here.
    """

    cdef double[::1, :] sums
    cdef const double[:, ::1] XyXy
    cdef const int64_t[::1] levels, widths, factor
    cdef int64_t[::1] offset, square   # where a factor begins: among effects, among blocks k x k
    cdef double[::1] space
    cdef double large
    cdef int n_factors, q0, q1, qz
    # pieces of ``space``; blocks (k, k) of factors row-major, all else column-major
    cdef double* T
    cdef double* N
    cdef double* gg
    cdef double* typical    # mean over levels of the diagonal of Z'Z
    cdef double* own        # J of Z_0, (l_0, k_0, k_0), row-major
    cdef double* JZ         # ... of Z_1, (q0, q1)
    cdef double* JXy        # ... of [X y], (q0, m)
    cdef double* root       # Cholesky factor of M_1, (q1, q1)
    cdef double* W          # W of Z, (q1, qz)
    cdef double* WXy        # ... of [X y], (q1, m)
    cdef double* G          # (qz, qz), lower half
    cdef double* B          # Z'V^{-1}[X y], (qz, m)
    cdef double* BJ         # B J' of the columns of X, (qz, p)
    cdef double* g          # B c, (qz,)
    cdef double* h          # D_e g, (qz, q)
    cdef double* Gh
    cdef double* gram       # (k_b k_c, k_b k_c)

    def __init__(self, sums, XyXy, levels, widths, factor, rows, cols, df, reml, constant, large):
        cdef Py_ssize_t m = XyXy.shape[0], q = rows.shape[0], p = m - 1, b, a, l, blocks = 0
        cdef Py_ssize_t qz = sums.shape[0], q0, q1, k = 0, columns = 0
        self.share_out(rows, cols, m, df, reml, constant)
        self.sums, self.XyXy, self.large = sums, XyXy, large
        self.levels, self.widths, self.factor = levels, widths, factor
        self.n_factors = <int> self.levels.shape[0]
        cdef int64_t[:, ::1] places = np.zeros((2, self.n_factors + 1), dtype=np.int64)
        self.offset, self.square = places[0], places[1]
        for b in range(self.n_factors):
            k = max(k, self.widths[b])
            columns += self.widths[b]
            self.offset[b + 1] = self.offset[b] + self.levels[b] * self.widths[b]
            self.square[b + 1] = self.square[b] + self.widths[b] * self.widths[b]
        blocks, q0 = self.square[self.n_factors], self.offset[1]
        q1 = qz - q0
        self.qz, self.q0, self.q1 = <int> qz, <int> q0, <int> q1
        self.space = np.empty(
            3 * blocks + columns + q0 * (self.widths[0] + q1 + m) + q1 * (q1 + qz + m)
            + qz * (qz + m + p + 1 + 2 * q) + k**4)
        self.T = &self.space[0]
        self.N = self.T + blocks
        self.gg = self.N + blocks
        self.typical = self.gg + blocks
        self.own = self.typical + columns
        self.JZ = self.own + q0 * self.widths[0]
        self.JXy = self.JZ + q0 * q1
        self.root = self.JXy + q0 * m
        self.W = self.root + q1 * q1
        self.WXy = self.W + q1 * qz
        self.G = self.WXy + q1 * m
        self.B = self.G + qz * qz
        self.BJ = self.B + qz * m
        self.g = self.BJ + qz * p
        self.h = self.g + qz
        self.Gh = self.h + qz * q
        self.gram = self.Gh + qz * q
        columns = 0
        for b in range(self.n_factors):
            for a in range(self.widths[b]):
                self.typical[columns] = 0.0
                for l in range(self.offset[b] + a, self.offset[b + 1], self.widths[b]):
                    self.typical[columns] += self.sums[l, l] / self.levels[b]
                columns += 1

    # -- the corner -------------------------------------------------------------------------

    def corner_beside(self, double information):
        """[X y]'V^{-1}[X y], (m, m), where effects of mean levels have this information on them.

        T is diagonal there. None where `beyond`.
        """
        cdef Py_ssize_t b, i, k, at = 0
        cdef double logdet
        cdef double[:, ::1] K
        for i in range(self.square[self.n_factors]):
            self.T[i] = 0.0
        for b in range(self.n_factors):
            k = self.widths[b]
            for i in range(k):
                self.T[self.square[b] + i * k + i] = sqrt(
                    information / (self.typical[at] if self.typical[at] > 0.0 else 1.0))
                at += 1
        with nogil:
            logdet = self.whitened()
        if logdet != logdet:
            return None
        out = np.empty((self.m, self.m))
        K = out
        for i in range(self.m):
            for k in range(i + 1):
                K[i, k] = K[k, i] = self.K[i, k]
        return out

    def moments(self):
        """Sums of squares of Z'QZ and of Z'Qy by columns of Z, (n + 1, n + 1) and (n + 1,).

        Q = I - XX' for orthonormal X; last come the traces of Z'QZ, and nothing. The twin of
        ``second_moments`` in interlace/objective/linear/start.py.
        """
        cdef Py_ssize_t n = 0, b
        for b in range(self.n_factors):
            n += self.widths[b]
        S, v = np.zeros((n + 1, n + 1)), np.zeros(n + 1)
        cdef double[:, ::1] squares = S
        cdef double[::1] response = v
        with nogil:
            self.sum_squares(squares, response)
        return S, v

    cdef void sum_squares(self, double[:, ::1] squares, double[::1] response) noexcept nogil:
        cdef Py_ssize_t qz = self.qz, n = response.shape[0] - 1, b, c, i, j, a, d
        cdef Py_ssize_t first_b = 0, first_c
        cdef const double* A = &self.sums[0, 0]
        cdef const double* y = A + (qz + self.p) * qz
        cdef double* G = self.G
        cdef double s
        for j in range(qz):
            for i in range(j, qz):
                G[i + j * qz] = A[i + j * qz]
        less_squares(b"L", b"N", self.qz, <int> self.p, A + qz * qz, self.qz, G, self.qz)
        for b in range(self.n_factors):
            for j in range(self.offset[b], self.offset[b + 1]):
                a = first_b + (j - self.offset[b]) % self.widths[b]
                response[a] += y[j] * y[j]
                squares[n, a] += G[j + j * qz]
                squares[a, n] = squares[n, a]
                squares[a, a] += G[j + j * qz] * G[j + j * qz]
                first_c = first_b
                for c in range(b, self.n_factors):
                    for i in range(max(self.offset[c], j + 1), self.offset[c + 1]):
                        d = first_c + (i - self.offset[c]) % self.widths[c]
                        s = G[i + j * qz] * G[i + j * qz]
                        squares[d, a] += s
                        squares[a, d] += s
                    first_c += self.widths[c]
            first_b += self.widths[b]

    cdef double whiten(self, const double* x) noexcept nogil:
        cdef Py_ssize_t e, b
        for e in range(self.square[self.n_factors]):
            self.T[e] = 0.0
        for e in range(self.q):
            b = self.factor[e]
            self.T[self.square[b] + self.rows[e] * self.widths[b] + self.cols[e]] = x[e]
        return self.whitened()

    cdef double whitened(self) noexcept nogil:
        """K, and what `slope` needs, at T; log|M|."""
        cdef int q0 = self.q0, q1 = self.q1, qz = self.qz, m = <int> self.m, info = 0
        cdef Py_ssize_t i, j
        cdef double logdet, one = 1.0
        cdef const double* A = &self.sums[0, 0]
        cdef double* G1 = self.G + q0 + q0 * qz
        cdef double* B1 = self.B + q0
        self.beyond = self.is_large()
        if self.beyond:
            return NAN
        logdet = self.levels_whitened()
        if logdet != logdet:
            self.beyond = True
            return NAN
        for j in range(q1):
            for i in range(j, q1):
                G1[i + j * qz] = A[q0 + i + (q0 + j) * qz]
        less_squares(b"L", b"T", q1, q0, self.JZ, q0, G1, qz)
        for j in range(q1):
            for i in range(j, q1):
                self.root[i + j * q1] = self.root[j + i * q1] = G1[i + j * qz]
        self.left(self.root, q1)
        self.right(self.root)
        for j in range(q1):
            self.root[j + j * q1] += 1.0
        dpotrf(b"L", &q1, self.root, &q1, &info)
        if info != 0:
            self.beyond = True
            return NAN
        for j in range(q1):
            logdet += 2.0 * log(self.root[j + j * q1])
        for j in range(m):
            for i in range(q1):
                B1[i + j * qz] = A[q0 + i + (qz + j) * qz]
        product(b"T", b"N", q1, m, q0, -1.0, self.JZ, q0, self.JXy, q0, 1.0, B1, qz)
        for j in range(m):
            for i in range(q1):
                self.WXy[i + j * q1] = B1[i + j * qz]
        self.left(self.WXy, m)
        dtrsm(b"L", b"L", b"N", b"N", &q1, &m, &one, self.root, &q1, self.WXy, &q1)
        for i in range(m):
            for j in range(i + 1):
                self.K[i, j] = self.XyXy[i, j]
        # the lower half by rows is the upper one by columns
        less_squares(b"U", b"T", m, q0, self.JXy, q0, &self.K[0, 0], m)
        less_squares(b"U", b"T", m, q1, self.WXy, q1, &self.K[0, 0], m)
        return logdet

    cdef bint is_large(self) noexcept nogil:
        cdef Py_ssize_t b, a, k, at = 0
        cdef double t, least
        for b in range(self.n_factors):
            k, least = self.widths[b], INFINITY
            for a in range(k):
                t = self.T[self.square[b] + a * k + a]
                least = fmin(least, t * t * self.typical[at])
                at += 1
            if least > self.large:
                return True
        return False

    cdef double levels_whitened(self) noexcept nogil:
        """J of the first factor, level by level; log|M_0|."""
        cdef Py_ssize_t l, a, b, c, k = self.widths[0], r, j, qz = self.qz, q0 = self.q0
        cdef double s, t, logdet = 0.0, product = 1.0
        cdef const double* A = &self.sums[0, 0]
        cdef double* L
        cdef double* T = self.T
        for l in range(self.levels[0]):
            r = l * k
            if k == 1:
                t = T[0]
                s = 1.0 + t * t * A[r + r * qz]
                product *= s
                self.own[l] = sqrt(s)
            else:
                L = self.own + l * k * k
                for a in range(k):
                    for b in range(a + 1):
                        s = 1.0 if a == b else 0.0
                        for c in range(a, k):
                            t = 0.0
                            for j in range(b, k):
                                t += A[r + c + (r + j) * qz] * T[j * k + b]
                            s += T[c * k + a] * t
                        L[a * k + b] = s
                if not cholesky(L, k):
                    return NAN
                for a in range(k):
                    product *= L[a * k + a] * L[a * k + a]
            if product > 1e100:
                logdet += log(product)
                product = 1.0
        for j in range(self.q1):
            self.through_levels(A + (q0 + j) * qz, self.JZ + j * q0)
        for j in range(self.m):
            self.through_levels(A + (qz + j) * qz, self.JXy + j * q0)
        for l in range(self.levels[0]):
            self.own_columns(l)
        return logdet + log(product)

    cdef void through_levels(self, const double* column, double* out) noexcept nogil:
        """out <- M_0^{-1/2} L_0'column, (q0,)."""
        cdef Py_ssize_t l, a, c, k = self.widths[0]
        cdef double s
        cdef double* T = self.T
        cdef double* L
        if k == 1:
            for l in range(self.levels[0]):
                out[l] = T[0] * column[l] / self.own[l]
            return
        for l in range(self.levels[0]):
            L = self.own + l * k * k
            for a in range(k):
                s = 0.0
                for c in range(a, k):
                    s += T[c * k + a] * column[l * k + c]
                for c in range(a):
                    s -= L[a * k + c] * out[l * k + c]
                out[l * k + a] = s / L[a * k + a]

    cdef void own_columns(self, Py_ssize_t l) noexcept nogil:
        """What is in ``own`` of a level, the factor of M_0 <- J of its own columns."""
        cdef Py_ssize_t a, c, d, k = self.widths[0], r = l * k
        cdef const double* A = &self.sums[0, 0] + r + r * self.qz
        cdef double* T = self.T
        cdef double* L = self.own + l * k * k
        cdef double s
        if k == 1:
            L[0] = T[0] * A[0] / L[0]
            return
        for d in range(k):
            # the column of J takes the place of nothing that is needed: h has room for it
            for a in range(k):
                s = 0.0
                for c in range(a, k):
                    s += T[c * k + a] * A[c + d * self.qz]
                for c in range(a):
                    s -= L[a * k + c] * self.gram[c * k + d]
                self.gram[a * k + d] = s / L[a * k + a]
        for a in range(k * k):
            L[a] = self.gram[a]

    cdef void left(self, double* R, Py_ssize_t columns) noexcept nogil:
        """R <- L_1'R, (q1, columns)."""
        cdef Py_ssize_t b, l, a, c, k, j, q1 = self.q1
        cdef double s
        cdef double* T
        cdef double* x
        for j in range(columns):
            x = R + j * q1
            for b in range(1, self.n_factors):
                k, T = self.widths[b], self.T + self.square[b]
                if k == 1:
                    for l in range(self.levels[b]):
                        x[l] *= T[0]
                    x += self.levels[b]
                    continue
                for l in range(self.levels[b]):
                    for a in range(k):  # T is lower triangular: what is overwritten is not read again
                        s = 0.0
                        for c in range(a, k):
                            s += T[c * k + a] * x[c]
                        x[a] = s
                    x += k

    cdef void right(self, double* R) noexcept nogil:
        """R <- R L_1, (q1, q1), its lower half."""
        cdef Py_ssize_t b, l, a, c, k, i, j = 0, q1 = self.q1
        cdef double s
        cdef double* T
        for b in range(1, self.n_factors):
            k, T = self.widths[b], self.T + self.square[b]
            for l in range(self.levels[b]):
                for i in range(j, q1):
                    for a in range(k):
                        s = 0.0
                        for c in range(a, k):
                            s += R[i + (j + c) * q1] * T[c * k + a]
                        R[i + (j + a) * q1] = s
                j += k

    # -- derivatives ------------------------------------------------------------------------

    cdef void slope(self, double r2, int order, double* gradient, double* out) noexcept nogil:
        cdef Py_ssize_t b, e, a, k, i, j
        cdef double s, t
        cdef double* T
        cdef double* N
        cdef double* gg
        self.products(order)
        for b in range(self.n_factors):
            self.level_sums(b, r2)
        for e in range(self.q):
            b, i, j = self.factor[e], self.rows[e], self.cols[e]
            k, T = self.widths[b], self.T + self.square[b]
            N, gg = self.N + self.square[b], self.gg + self.square[b]
            s = t = 0.0
            for a in range(k):
                s += N[i * k + a] * T[a * k + j]
                t += gg[i * k + a] * T[a * k + j]
            gradient[e] = 2.0 * s
            self.a[e] = 2.0 * t
        if order > 1:
            self.curve(r2, out)

    cdef double known(self, Py_ssize_t e, Py_ssize_t f) noexcept nogil:
        cdef Py_ssize_t b = self.factor[e]
        if self.factor[f] != b or self.cols[e] != self.cols[f]:
            return 0.0
        return 2.0 * self.N[self.square[b] + self.rows[e] * self.widths[b] + self.rows[f]]

    cdef void products(self, int order) noexcept nogil:
        """G, less what the fixed effects explain for REML, B, B J' and g = B c."""
        cdef int q0 = self.q0, q1 = self.q1, qz = self.qz, m = <int> self.m, p = <int> self.p
        cdef Py_ssize_t i, j, l
        cdef double s, one = 1.0
        cdef double* G = self.G
        cdef double* x
        self.first_products()
        for j in range(qz):
            x = self.W + j * q1
            for i in range(q1):
                # columns of Z_1 have the lower half alone
                x[i] = G[q0 + i + j * qz] if j <= q0 + i else G[j + (q0 + i) * qz]
        self.left(self.W, qz)
        dtrsm(b"L", b"L", b"N", b"N", &q1, &qz, &one, self.root, &q1, self.W, &q1)
        less_squares(b"L", b"T", qz, q1, self.W, q1, G, qz)
        product(b"T", b"N", qz, m, q1, -1.0, self.W, q1, self.WXy, q1, 1.0, self.B, qz)
        for j in range(qz):
            s = 0.0
            for l in range(m):
                s += self.B[j + l * qz] * self.c[l]
            self.g[j] = s
        for i in range(p):
            x = self.BJ + i * qz
            for j in range(qz):
                x[j] = self.J[i, 0] * self.B[j]
            for l in range(1, i + 1):
                for j in range(qz):
                    x[j] += self.J[i, l] * self.B[j + l * qz]
        if self.reml:
            less_squares(b"L", b"N", qz, p, self.BJ, qz, G, qz)

    cdef void first_products(self) noexcept nogil:
        """The rows of Z_0 in G and B with V_0 for V, and those of Z_1 that belong to them."""
        cdef Py_ssize_t l, a, b, c, i, j, k = self.widths[0], r
        cdef Py_ssize_t q0 = self.q0, q1 = self.q1, qz = self.qz
        cdef const double* A = &self.sums[0, 0]
        cdef const double* row
        cdef double* G = self.G
        cdef double* own
        cdef double* out
        cdef double s, x
        for l in range(self.levels[0]):
            own = self.own + l * k * k
            for a in range(k):
                r = l * k + a
                out = G + r * qz
                for i in range(r, q0):
                    out[i] = 0.0
                for i in range(q1):
                    out[q0 + i] = A[q0 + i + r * qz]
                for c in range(k):
                    x = own[c * k + a]
                    row = self.JZ + l * k + c
                    for i in range(q1):
                        out[q0 + i] -= x * row[i * q0]
                for b in range(a, k):
                    s = A[l * k + b + r * qz]
                    for c in range(k):
                        s -= own[c * k + a] * own[c * k + b]
                    out[l * k + b] = s
        for j in range(self.m):
            for l in range(self.levels[0]):
                own = self.own + l * k * k
                for a in range(k):
                    r = l * k + a
                    s = A[r + (qz + j) * qz]
                    for c in range(k):
                        s -= own[c * k + a] * self.JXy[l * k + c + j * q0]
                    self.B[r + j * qz] = s

    cdef void level_sums(self, Py_ssize_t b, double r2) noexcept nogil:
        """N and gg of a factor."""
        cdef Py_ssize_t l, a, c, i, k = self.widths[b], r
        cdef Py_ssize_t qz = self.qz
        cdef double s, t
        cdef double* N = self.N + self.square[b]
        cdef double* gg = self.gg + self.square[b]
        for a in range(k):
            for c in range(a + 1):
                s = t = 0.0
                for l in range(self.levels[b]):
                    r = self.offset[b] + l * k
                    s += self.G[r + a + (r + c) * qz]
                    t += self.g[r + a] * self.g[r + c]
                gg[a * k + c] = gg[c * k + a] = t
                N[a * k + c] = N[c * k + a] = s - self.df / r2 * t

    cdef void curve(self, double r2, double* H) noexcept nogil:
        """Traces and forms of all pairs of parameters, made curvatures."""
        cdef Py_ssize_t e, f, b, c, i, at, first = 0, to
        cdef int n = <int> self.q, qz = self.qz, step = 1
        cdef double quad, one = 1.0, zero = 0.0
        self.changes()
        dsymm(b"L", b"L", &qz, &n, &one, self.G, &qz, self.h, &qz, &zero, self.Gh, &qz)
        for b in range(self.n_factors):
            for c in range(b + 1):
                self.grams(b, c)
                for e in range(self.q):
                    if self.factor[e] != b:
                        continue
                    for f in range(self.q):
                        if self.factor[f] != c or (b == c and f > e):
                            continue
                        quad = ddot(&qz, self.h + e * qz, &step, self.Gh + f * qz, &step)
                        if not self.reml:
                            for i in range(self.p):
                                quad -= self.s[e, i] * self.s[f, i]
                        at, to = (e, f) if e >= f else (f, e)
                        self.put_curvature(at, to, r2, quad, self.trace(e, f), H)

    cdef void changes(self) noexcept nogil:
        """h_e = D_e g, and s_e = (B J')'h_e, which REML has in G."""
        cdef Py_ssize_t e, b, l, a, k, i, j, qz = self.qz, r
        cdef double s
        cdef double* T
        cdef double* h
        for e in range(self.q):
            b, i, j = self.factor[e], self.rows[e], self.cols[e]
            k, T, h = self.widths[b], self.T + self.square[b], self.h + e * qz
            for r in range(qz):
                h[r] = 0.0
            for l in range(self.levels[b]):
                r = self.offset[b] + l * k
                s = 0.0
                for a in range(k):
                    s += T[a * k + j] * self.g[r + a]
                    h[r + a] += T[a * k + j] * self.g[r + i]
                h[r + i] += s
            if not self.reml:
                for a in range(self.p):
                    s = 0.0
                    for r in range(self.offset[b], self.offset[b + 1]):
                        s += self.BJ[r + a * qz] * h[r]
                    self.s[e, a] = s

    cdef void grams(self, Py_ssize_t b, Py_ssize_t c) noexcept nogil:
        """Sums over pairs of levels of vec(P)vec(P)', P (k_b, k_c) blocks of G of factors b >= c."""
        cdef Py_ssize_t l, j, a, d, i, e, kb = self.widths[b], kc = self.widths[c]
        cdef Py_ssize_t qz = self.qz, size = kb * kc, first
        cdef int n, step = 1
        cdef double s, x
        cdef double* gram = self.gram
        cdef double* P
        for i in range(size * size):
            gram[i] = 0.0
        if size == 1:
            s = 0.0
            for j in range(self.levels[c]):
                P = self.G + (self.offset[c] + j) * qz + self.offset[b]
                if b != c:
                    n = <int> self.levels[b]
                    s += ddot(&n, P, &step, P, &step)
                else:
                    n = <int> (self.levels[b] - j - 1)
                    s += P[j] * P[j]
                    if n:
                        s += 2.0 * ddot(&n, P + j + 1, &step, P + j + 1, &step)
            gram[0] = s
            return
        for j in range(self.levels[c]):
            for l in range(j if b == c else 0, self.levels[b]):
                P = self.G + (self.offset[c] + j * kc) * qz + self.offset[b] + l * kb
                if b == c and l == j:
                    # the upper half of a block on the diagonal is not filled
                    for a in range(kb):
                        for d in range(a + 1, kb):
                            P[a + d * qz] = P[d + a * qz]
                for a in range(kb):
                    for d in range(kc):
                        x = P[a + d * qz]
                        for i in range(kb):
                            for e in range(kc):
                                gram[(a * kc + d) * size + i * kc + e] += x * P[i + e * qz]
                        if b == c and l != j:
                            for i in range(kb):
                                for e in range(kc):
                                    gram[(d * kc + a) * size + e * kc + i] += x * P[i + e * qz]

    cdef double trace(self, Py_ssize_t e, Py_ssize_t f) noexcept nogil:
        """tr(G D_e G D_f) from `grams` of the factors of e and f."""
        cdef Py_ssize_t b = self.factor[e], c = self.factor[f], kb = self.widths[b]
        cdef Py_ssize_t kc = self.widths[c], i = self.rows[e], j = self.cols[e]
        cdef Py_ssize_t v = self.rows[f], w = self.cols[f], a, d, size = kb * kc
        cdef double* T = self.T + self.square[b]
        cdef double* S = self.T + self.square[c]
        cdef double s = 0.0, inner
        # D_e = e_i t_j' + t_j e_i': each half of it gives the same
        for a in range(j, kb):
            inner = 0.0
            for d in range(w, kc):
                inner += S[d * kc + w] * (
                    self.gram[(i * kc + v) * size + a * kc + d]
                    + self.gram[(i * kc + d) * size + a * kc + v])
            s += T[a * kb + j] * inner
        return 2.0 * s
