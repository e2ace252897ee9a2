# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The criterion of a generalised model with one grouping factor over all its parameters.

What is around the loops over the levels (`_levels`, `_quadrature`), for few rows, where calls cost
more than algebra: x -> templates, predictors and thresholds; sums over the rows -> the gradient;
the working curvature, and the Hessian by differences with the modes moved along their tangents.
The twin of what `laplace` does with arrays; formulas are there. A search by gradients goes on here
to its plain end, and one for each of many responses.

x = (theta, p coefficients, zeta), theta the entries ``rows``, ``cols`` of the template T. The
columns of Z are those stored, times ``shrink``.
"""

from libc.math cimport fmin, isfinite

include "levels.pxi"
include "search.pxi"

from interlace.linalg.kernels import _quadrature, _rows

# A difference of gradients to one side, for the model of a curvature: that of `_differenced_zeta`.
cdef double ONE_SIDE = 1e-5


cdef class LevelCriterion(Search):
    cdef object _quadrature, _row_sums, _constant, error
    cdef object kernel, _starts, _Z, _at_mode, _t, _S, _H, _nodes, _log_weights, _in_zeta
    cdef object _T, _dT, _node_sums
    cdef Kind kind
    cdef const double[::1] y, log_y
    cdef const double[:, ::1] X, Z
    cdef const double[::1] offset, gaps, weights
    cdef const double[:, ::1] basis
    cdef const int64_t[::1] starts, rows, cols, codes
    cdef const unsigned char[::1] logs
    cdef double[:, ::1] at_mode, T, dT, J, tangents
    cdef double[:, :, ::1] H, S
    cdef double[::1] t, sums, node_sums, eta0, in_zeta, upper, lower, alpha, by_threshold
    cdef double[::1] x, g, slope, z_slope, nothing
    cdef double[:, ::1] U
    # work of the curvature, and modes and parameters of displaced points
    cdef double[:, ::1] push, moves, R, B, Q, N, ZP, W
    cdef double[::1] zs, zp, change, moved, steps
    cdef double[:, ::1] turn
    # whether there are modes to start from, those of a Hessian, and those of a gradient
    cdef bint begun, along, followed, allocated, searching, failed
    cdef double hessian_step, zeta_step, least_information, last_zeta
    cdef double shrink, limit, largest, fixed, known, par, value_z, of_zeta, visits
    cdef bint expected, by_row, ones, grid, has_gap
    cdef Py_ssize_t n, p, m, k, nz, P, levels, size
    cdef readonly double value, without_constant

    def __init__(self, kernel, bint expected, starts, Z, double shrink, X, offset, rows, cols,
                 at_mode, t, S, H, parameter, constant, thresholds, grid):
        """``parameter``: number of zeta, its limit, the largest logarithm, the fixed parameter.

        ``constant`` is a number, or what gives it with its slope at zeta; ``thresholds`` of ordered
        categories are (categories of the rows, basis, logs, weights between thresholds, whether the
        constant is their distances'), with which upper and lower limits of the rows are written
        into ``kernel.y`` and ``kernel.log_y``. ``grid`` has nodes and their logarithmic weights.
        """
        self._quadrature = _quadrature.quadrature
        self._row_sums = _rows.rows
        self.kernel, self.expected, self.shrink = kernel, expected, shrink
        self._starts, self._Z = starts, Z
        self.kind = kind_of(kernel, 1.0, False)
        self.y, self.log_y, self.nothing = kernel.y, kernel.log_y, None
        self._at_mode, self._t, self._S, self._H = at_mode, t, S, H
        self.starts, self.Z, self.X, self.offset = starts, Z, X, offset
        self.rows, self.cols = rows, cols
        self.at_mode, self.t, self.S, self.H = at_mode, t, S, H
        self.nz, self.limit, self.largest, self.fixed = parameter
        self.ones = self.Z.shape[0] == 0
        self.n, self.p, self.m = self.X.shape[0], self.X.shape[1], self.rows.shape[0]
        self.P, self.k = self.m + self.p + self.nz, self.S.shape[1]
        self.levels, self.n_x, self.begun = self.S.shape[0], self.P, False
        self.by_row, self.change = thresholds is not None, np.empty(1)
        self._constant, self.error, self.known, self.allocated = None, None, 0.0, False
        self.searching, self.failed, self.last_zeta = False, False, NAN
        self.followed, self.visits = False, 0.0
        if self.by_row or not callable(constant):
            self.known = 0.0 if self.by_row else constant
        else:
            self._constant = constant
        self._T, self._dT = np.zeros((self.k, self.k)), np.empty((self.k, self.k))
        self._node_sums, self.sums, self.eta0 = np.empty(3), np.zeros(5), np.empty(self.n)
        self.T, self.dT, self.turn = self._T, self._dT, np.empty((self.k, self.k))
        self.zs, self.zp = np.empty((2, self.k))
        self.node_sums = self._node_sums
        self.x, self.g, self.z_slope = np.empty(self.P), np.empty(self.P), np.zeros(self.nz)
        self.weights = kernel.weights
        self._in_zeta = self._nodes = self._log_weights = None
        self.grid = grid is not None
        if self.grid:
            self._nodes, self._log_weights = grid
        if self.by_row:
            self.codes, self.basis, self.logs, self.gaps, self.has_gap = thresholds
            self.size = self.basis.shape[0]
            self.change = np.empty(self.size)
            self.upper, self.lower = kernel.y, kernel.log_y
            self.alpha, self.by_threshold = np.empty(self.size), np.empty(self.size)
            self.J = np.empty((self.size, self.nz))
            self._in_zeta = np.empty(self.n)
            self.in_zeta = self._in_zeta

    # -- a point --------------------------------------------------------------------------------

    cdef int _place(self, const double* x) except -1 nogil:
        """T, the predictors without random effects, and what depends on zeta, at x."""
        cdef Py_ssize_t i, j, c
        cdef double s, w
        for i in range(self.m):
            self.T[self.rows[i], self.cols[i]] = x[i] * self.shrink
        for i in range(self.n):
            s = 0.0
            for j in range(self.p):
                s += self.X[i, j] * x[self.m + j]
            self.eta0[i] = s + self.offset[i]
        self.par, self.value_z = self.fixed, self.known
        if not self.nz:
            return 0
        if self.by_row:
            for c in range(self.size):
                self.alpha[c] = 0.0
            for j in range(self.nz):
                w = x[self.m + self.p + j]
                if self.logs[j]:
                    w = exp(fmin(w, 300.0))
                for c in range(self.size):
                    self.alpha[c] += self.basis[c, j] * w
                    self.J[c, j] = self.basis[c, j] * (w if self.logs[j] else 1.0)
            for i in range(self.n):
                c = self.codes[i]
                self.upper[i] = self.alpha[c] if c < self.size else INFINITY
                self.lower[i] = self.alpha[c - 1] if c > 0 else -INFINITY
            self._of_distances()
        else:
            w = fmin(x[self.m + self.p], self.limit)
            self.par = exp(fmin(w, self.largest))
            if w != self.last_zeta:
                with gil:
                    self._of_zeta(w)
            self.value_z = self.of_zeta
        return 0

    cdef int _of_zeta(self, double w) except -1:
        """The part of the log-density that depends on zeta alone, for the next points too.

        An interrupt comes here in a search, which cannot raise it: it is kept.
        """
        self.of_zeta, self.last_zeta = NAN, NAN
        try:
            self.of_zeta, slope = self._constant(np.array([w]))
            self.z_slope[0] = slope[0]
            self.last_zeta = w
        except BaseException as error:
            if not self.searching:
                raise
            self.error, self.failed = error, True
        return 0

    cdef void _of_distances(self) noexcept nogil:
        """The part of the log-density that depends on the distances of thresholds alone."""
        cdef Py_ssize_t c, j
        cdef double d, s
        self.value_z = 0.0
        for j in range(self.nz):
            self.z_slope[j] = 0.0
        if not self.has_gap:
            return
        for c in range(self.size - 1):
            d = self.alpha[c + 1] - self.alpha[c]
            self.value_z += self.gaps[c] * log(-expm1(-d))
            s = self.gaps[c] / expm1(d)
            for j in range(self.nz):
                self.z_slope[j] += s * (self.J[c + 1, j] - self.J[c, j])
        if self.value_z != self.value_z:
            self.value_z = -INFINITY
            for j in range(self.nz):
                self.z_slope[j] = 0.0

    cdef double _at(self, double[:, ::1] U, int order, bint frozen) except? -1.0 nogil:
        """The criterion from modes U, with order 1 and its gradient into ``g``; nan if there is none."""
        cdef Py_ssize_t i
        cdef double value, laplace
        cdef bint by_row = self.by_row and order and not self.grid
        cdef Kind kind = self.kind
        kind.par, kind.log_par = self.par, log(self.par) if self.par > 0.0 else 0.0
        laplace = laplace_of(
            kind, self.y, self.weights, self.log_y, self.expected, 0 if self.grid else order,
            frozen, self.starts, self.Z, self.T, self.eta0, U, self.at_mode, self.t, self.dT,
            self.sums, self.S, self.H, self.in_zeta if by_row else self.nothing)
        if laplace == NO_MEMORY:
            with gil:
                raise MemoryError
        if laplace == INTERRUPTED:
            with gil:
                pending()
        if laplace < 0.0:
            return NAN
        self.visits += laplace
        for i in range(5):
            if not isfinite(self.sums[i]):
                return NAN
        if self.grid:
            with gil:
                self._quadrature(
                    self.kernel, self.par, self.expected, order, self._starts, self._Z, self._T,
                    self._at_mode[0], self._nodes, self._log_weights, U, self._S, self._H, self._t,
                    self._dT, self._node_sums, self._in_zeta if order else None)
            self.sums[4] = -2.0 * self.node_sums[0] + self.node_sums[1]
            self.sums[3] = self.node_sums[2]
        value = -2.0 * self.sums[0] + self.sums[1] + self.sums[2] + self.sums[4]
        self.without_constant = value
        if order and not self._gradient():
            return NAN
        return value - 2.0 * self.value_z

    cdef bint _gradient(self) noexcept nogil:
        """From the sums of the levels; whether it is finite."""
        cdef Py_ssize_t i, j, c, at = self.m + self.p
        cdef double s
        for i in range(self.m):
            self.g[i] = self.dT[self.rows[i], self.cols[i]] * self.shrink
        for j in range(self.p):
            self.g[self.m + j] = 0.0
        for i in range(self.n):
            s = self.t[i]
            if not isfinite(s):
                return False
            for j in range(self.p):
                self.g[self.m + j] += s * self.X[i, j]
        if self.by_row:
            # a shift of both thresholds of a row is one of the predictor
            for c in range(self.size):
                self.by_threshold[c] = 0.0
            for i in range(self.n):
                c = self.codes[i]
                if c < self.size:
                    self.by_threshold[c] += self.in_zeta[i]
                if c > 0:
                    self.by_threshold[c - 1] -= self.t[i] + self.in_zeta[i]
            for j in range(self.nz):
                s = 0.0
                for c in range(self.size):
                    s += self.J[c, j] * self.by_threshold[c]
                self.g[at + j] = s - 2.0 * self.z_slope[j]
        elif self.nz:
            self.g[at] = self.sums[3] - 2.0 * self.z_slope[0]
        return isfinite(self.dT[0, 0])

    def evaluate(self, const double[::1] x, const double[::1] u, bint along, int order):
        """The modes (q,) at x, found from u or ``along`` the tangent of the last ones.

        None if there are none. ``value`` is then the criterion, `gradient` its gradient.
        """
        cdef Py_ssize_t l, a
        U = np.empty((self.levels, self.k))
        cdef double[:, ::1] own = U
        if along:
            self._follow(&x[0], &own[0, 0])
        else:
            for l in range(self.levels):
                for a in range(self.k):
                    own[l, a] = u[l * self.k + a]
        self.followed = False
        self._place(&x[0])
        self.value = self._at(own, order, False)
        if self.value != self.value:
            return None
        for a in range(self.m + self.p, self.P):
            if order and not x[a] < self.limit:
                self.g[a] = 0.0
        self.x[:] = x
        self.U, self.followed = own, order > 0
        return U.reshape(-1)

    @property
    def gradient(self):
        """Of the last point, (P,)."""
        return np.array(self.g)

    @property
    def template(self):
        """T of the last point, (k, k), for the columns of Z as they are standardised."""
        return self._T / self.shrink

    @property
    def parts(self):
        """Of the last point: sums of the levels, and the derivative in the template (k, k)."""
        return self.sums[0], self.sums[1], self.sums[2], self.sums[4], self._dT * self.shrink

    def moments(self, const double[::1] x):
        """Of the scores of the levels at x without random effects: sums of g^2 - a and of a^2, (2, k).

        See `Problem.start_variances`.
        """
        out = np.zeros((2, self.k))
        cdef double[:, ::1] sums = out
        cdef double[16] g
        cdef double[16] A
        cdef Py_ssize_t i, l, a
        cdef double w
        cdef bint logs = self.log_y.shape[0] > 0
        cdef Kind kind = self.kind
        cdef Row at
        self.followed = False
        self._place(&x[0])
        kind.par, kind.log_par = self.par, log(self.par) if self.par > 0.0 else 0.0
        kind.expected = True
        for l in range(self.levels):
            for a in range(self.k):
                g[a] = A[a] = 0.0
            for i in range(self.starts[l], self.starts[l + 1]):
                split_row(&kind, self.eta0[i], self.y[i], self.weights[i],
                          self.log_y[i] if logs else 0.0, &at)
                for a in range(self.k):
                    w = self.shrink if self.ones else self.shrink * self.Z[i, a]
                    g[a] += w * at.score
                    A[a] += w * w * at.weight
            for a in range(self.k):
                sums[0, a] += g[a] * g[a] - A[a]
                sums[1, a] += A[a] * A[a]
        return out

    cdef int _extra(self, double[:, ::1] out) except -1:
        """Derivatives in zeta of value, score and weight of the rows, (3, n), at the last point."""
        space = np.empty((4, self.n))
        self._row_sums(self.kernel, self.par, self.expected, self._at_mode[0], space[0], space[1],
                       space[2], space[3], out)
        return 0

    cdef int _follow(self, const double* x, double* U) except -1 nogil:
        """Modes at x, (levels, k), along the tangent at the last point."""
        cdef Py_ssize_t i, j, l, a, b, c
        cdef double s, push, w
        cdef double[:, ::1] extra, dT = self.turn
        cdef bint moved = False
        cdef double[::1] change = self.change, zs = self.zs, zp = self.zp
        change[:] = 0.0
        for a in range(self.k):
            for b in range(self.k):
                dT[a, b] = 0.0
        for i in range(self.m):
            dT[self.rows[i], self.cols[i]] = (x[i] - self.x[i]) * self.shrink
        for j in range(self.nz):
            s = fmin(x[self.m + self.p + j], self.limit)
            s -= fmin(self.x[self.m + self.p + j], self.limit)
            moved = moved or s != 0.0
            if self.by_row:
                for c in range(self.size):
                    change[c] += self.J[c, j] * s
            else:
                change[0] = s
        if moved:
            with gil:
                extra = np.empty((3, self.n))
                self._extra(extra)
        for l in range(self.levels):
            for a in range(self.k):
                zs[a] = zp[a] = 0.0
            for i in range(self.starts[l], self.starts[l + 1]):
                s = 0.0
                for j in range(self.p):
                    s += self.X[i, j] * (x[self.m + j] - self.x[self.m + j])
                for a in range(self.k):
                    w = 1.0 if self.ones else self.Z[i, a]
                    for b in range(a + 1):
                        s += w * dT[a, b] * self.U[l, b]
                push = -self.at_mode[2, i] * s
                if moved and self.by_row:
                    c = self.codes[i]
                    if c < self.size:
                        push += change[c] * extra[1, i]
                    if c > 0:
                        push += change[c - 1] * (self.at_mode[2, i] - extra[1, i])
                elif moved:
                    push += change[0] * extra[1, i]
                for a in range(self.k):
                    w = 1.0 if self.ones else self.Z[i, a]
                    zp[a] += w * push
                    zs[a] += w * self.at_mode[3, i]
            for a in range(self.k):
                U[l * self.k + a] = self.U[l, a]
            for b in range(self.k):
                s = 0.0
                for a in range(b, self.k):
                    s += self.T[a, b] * zp[a] + dT[a, b] * zs[a]
                for a in range(self.k):
                    U[l * self.k + a] += self.H[l, a, b] * s
        return 0

    # -- curvature at the last point ------------------------------------------------------------

    def curvature(self):
        """The working curvature, (P, P); `differenced` follows the tangents that are found here.

        Without the rows of a zeta that is no threshold.
        """
        self._allocate()
        self._curve()
        return np.array(self.B)

    cdef int _allocate(self) except -1:
        """The arrays of the curvature and of displaced points, once."""
        cdef Py_ssize_t effects = self.levels * self.k
        if self.allocated:
            return 0
        self.push, self.moves = np.empty((self.n, self.P)), np.empty((self.n, self.m + self.p))
        self.R, self.tangents = np.empty((effects, self.P)), np.empty((effects, self.P))
        self.Q, self.W = np.empty((effects, self.m)), np.empty((self.levels, self.k))
        self.N, self.ZP = np.empty((self.k, self.k)), np.empty((self.k, self.P))
        self.moved, self.slope, self.steps = np.empty((3, self.P))
        self.B = np.empty((self.P, self.P))
        self.begin()
        self.allocated = True
        return 0

    cdef int _curve(self) except -1 nogil:
        """B and the tangents at the last point."""
        cdef Py_ssize_t i, c, d, e, l, a, b, m = self.m, q = self.m + self.p, P = self.P
        cdef double s, w
        cdef double[:, ::1] push = self.push, moves = self.moves, R = self.R, B = self.B
        cdef double[:, ::1] U = self.tangents, Q = self.Q, N = self.N, ZP = self.ZP, extra
        cdef double[::1] zs = self.zs
        for c in range(P):
            for d in range(P):
                B[c, d] = 0.0
        for a in range(self.k):
            for b in range(self.k):
                N[a, b] = 0.0
        for i in range(self.levels * self.k):
            for e in range(m):
                Q[i, e] = 0.0
        if self.nz:
            with gil:
                extra = np.empty((3, self.n))
                self._extra(extra)
        for l in range(self.levels):
            for a in range(self.k):
                zs[a] = 0.0
                for c in range(P):
                    ZP[a, c] = 0.0
            for i in range(self.starts[l], self.starts[l + 1]):
                for e in range(m):
                    w = 1.0 if self.ones else self.Z[i, self.rows[e]]
                    moves[i, e] = w * self.shrink * self.U[l, self.cols[e]]
                for c in range(self.p):
                    moves[i, m + c] = self.X[i, c]
                for c in range(q):
                    push[i, c] = -self.at_mode[2, i] * moves[i, c]
                if self.nz:
                    self._changes(i, extra, push)
                for a in range(self.k):
                    w = 1.0 if self.ones else self.Z[i, a]
                    zs[a] += w * self.at_mode[3, i]
                    for c in range(P):
                        ZP[a, c] += w * push[i, c]
            for e in range(m):
                Q[l * self.k + self.cols[e], e] = self.shrink * zs[self.rows[e]]
            for b in range(self.k):
                for c in range(P):
                    s = 0.0
                    for a in range(b, self.k):
                        s += self.T[a, b] * ZP[a, c]
                    R[l * self.k + b, c] = s
                for e in range(m):
                    R[l * self.k + b, e] += Q[l * self.k + b, e]
            for a in range(self.k):
                for c in range(P):
                    s = 0.0
                    for b in range(self.k):
                        s += self.H[l, a, b] * R[l * self.k + b, c]
                    U[l * self.k + a, c] = s
                for b in range(self.k):
                    N[a, b] -= self.shrink * self.shrink * zs[a] * zs[b]
            self._information(l, N)
        # F / 2 of all, with the rows' own part
        for i in range(self.n):
            for c in range(q):
                for d in range(c + 1):
                    B[c, d] -= push[i, c] * moves[i, d]
            if self.by_row:
                for c in range(q, P):
                    for d in range(q):
                        B[c, d] -= push[i, c] * moves[i, d]
        if self.by_row:
            with gil:
                self._of_thresholds(extra, B)
        for i in range(self.levels * self.k):
            for c in range(P):
                for d in range(c + 1):
                    B[c, d] -= R[i, c] * U[i, d]
        for c in range(P):
            for d in range(c + 1):
                B[c, d] *= 1.0 if c < m else 2.0
                if c < m:
                    for i in range(self.levels * self.k):
                        B[c, d] += Q[i, c] * Q[i, d]
                    if self.cols[c] == self.cols[d]:
                        B[c, d] += 2.0 * N[self.rows[c], self.rows[d]]
        for c in range(P):
            for d in range(c):
                B[d, c] = B[c, d]
        return 0

    cdef void _changes(self, Py_ssize_t i, double[:, ::1] extra,
                       double[:, ::1] push) noexcept nogil:
        """The derivatives of the score of row i in zeta."""
        cdef Py_ssize_t j, c, q = self.m + self.p
        cdef double s
        if not self.by_row:
            push[i, q] = extra[1, i]
            return
        c = self.codes[i]
        for j in range(self.nz):
            s = 0.0
            if c < self.size:
                s += self.J[c, j] * extra[1, i]
            if c > 0:
                s += self.J[c - 1, j] * (self.at_mode[2, i] - extra[1, i])
            push[i, q + j] = s

    cdef void _information(self, Py_ssize_t l, double[:, ::1] N) noexcept nogil:
        """Add [Z'V^{-1}Z]_ll = A - A T M^{-1} T'A."""
        cdef Py_ssize_t i, a, b, c, d
        cdef double[16][16] A
        cdef double[16][16] AT
        cdef double w, x, s, scale = self.shrink * self.shrink
        for a in range(self.k):
            for b in range(self.k):
                A[a][b] = 0.0
        for i in range(self.starts[l], self.starts[l + 1]):
            w = self.at_mode[1, i]
            for a in range(self.k):
                x = w if self.ones else w * self.Z[i, a]
                for b in range(self.k):
                    A[a][b] += x if self.ones else x * self.Z[i, b]
        for a in range(self.k):
            for b in range(self.k):
                AT[a][b] = 0.0
                for c in range(b, self.k):
                    AT[a][b] += A[a][c] * self.T[c, b]
        for a in range(self.k):
            for d in range(self.k):
                s = A[a][d]
                for b in range(self.k):
                    for c in range(self.k):
                        s -= AT[a][b] * self.S[l, b, c] * AT[d][c]
                N[a, d] += scale * s

    cdef int _of_thresholds(self, double[:, ::1] extra, double[:, ::1] B) except -1:
        """Second derivatives of the log-likelihood in zeta at given predictors, taken from B."""
        cdef Py_ssize_t i, j, h, c, q = self.m + self.p
        cdef double up, low, both, s
        cdef double[::1] own = np.zeros(self.size), beside = np.zeros(self.size)
        cdef double[::1] slope = np.zeros(self.size)
        for i in range(self.n):
            c = self.codes[i]
            up = extra[0, i]
            low = -self.at_mode[3, i] - up
            if self.has_gap and 0 < c < self.size:
                s = self.weights[i] / expm1(self.alpha[c] - self.alpha[c - 1])
                up += s
                low -= s
            # F(a) - F(b) has no mixed derivative
            both = -up * low / self.weights[i]
            if c < self.size:
                own[c] += -extra[1, i] - both
                slope[c] += up
            if c > 0:
                own[c - 1] += extra[1, i] - self.at_mode[2, i] - both
                slope[c - 1] += low
            if 0 < c < self.size:
                beside[c - 1] += both
        for j in range(self.nz):
            for h in range(j + 1):
                s = 0.0
                for c in range(self.size):
                    s += self.J[c, j] * own[c] * self.J[c, h]
                    if c + 1 < self.size:
                        s += beside[c] * (self.J[c, j] * self.J[c + 1, h]
                                          + self.J[c + 1, j] * self.J[c, h])
                    if j == h and self.logs[j]:
                        s += self.J[c, j] * slope[c]
                B[q + j, q + h] -= s
        return 0

    def differenced(self, const double[::1] x, const double[::1] u, const double[::1] steps):
        """The Hessian at x with modes u by central differences; None where it has no modes.

        The modes of the displaced points are those along the tangents of `curvature`.
        """
        H = np.empty((self.P, self.P))
        cdef double[:, ::1] out = H
        return H if self._difference(&x[0], &u[0], &steps[0], &out[0, 0]) else None

    cdef int _difference(self, const double* x, const double* u, const double* steps,
                         double* H) except -1 nogil:
        """The same into H (P, P); false where there are no modes.

        What is in the arrays of the rows is then of another point than the last one.
        """
        cdef Py_ssize_t i, j, a, P = self.P, q = self.levels * self.k
        cdef int side
        cdef double sign
        cdef double* own = &self.W[0, 0]
        self.followed = False
        for i in range(P):
            self.moved[i] = x[i]
            for j in range(P):
                H[i * P + j] = 0.0
        for i in range(P):
            for side in range(2):
                sign = -1.0 if side else 1.0
                self.moved[i] = x[i] + sign * steps[i]
                for a in range(q):
                    own[a] = u[a] + sign * steps[i] * self.tangents[a, i]
                self._place(&self.moved[0])
                if not isfinite(self._at(self.W, 1, True)):
                    return False
                for j in range(P):
                    if j < self.m + self.p or self.moved[j] < self.limit:
                        H[i * P + j] += sign * self.g[j]
            self.moved[i] = x[i]
            for j in range(P):
                H[i * P + j] /= 2.0 * steps[i]
        for i in range(P):
            for j in range(i):
                H[i * P + j] = 0.5 * (H[i * P + j] + H[j * P + i])
                H[j * P + i] = H[i * P + j]
        return True

    # -- searches -----------------------------------------------------------------------------

    cdef double at(self, const double* x, int order, double* g, double* H) noexcept nogil:
        """The criterion, its modes found from those along the last tangents, or from zero."""
        cdef Py_ssize_t i, a, P = self.P, q = self.levels * self.k
        cdef double value = NAN, s
        cdef double* u = &self.U[0, 0]
        cdef double* own = &self.W[0, 0]
        cdef int again
        for again in range(2):
            if self.followed:
                self._follow(x, own)
            else:
                for a in range(q):
                    s = 0.0 if again or not self.begun else u[a]
                    if self.along and not again:
                        for i in range(P):
                            s += self.tangents[a, i] * (x[i] - self.x[i])
                    own[a] = s
            self.followed = False
            self._place(x)
            value = self._at(self.W, 1 if order else 0, False)
            if value == value:
                break
        self.lost = False
        if value != value or order == 0:
            return value
        for i in range(P):
            g[i] = self.g[i] if i < self.m + self.p or x[i] < self.limit else 0.0
            self.x[i] = x[i]
        for a in range(q):
            u[a] = own[a]
        self.begun, self.along, self.followed = True, order > 1, order == 1
        if order == 1:
            return value
        self._curve()
        self._steps()
        self.exact = self._difference(x, u, &self.steps[0], H)
        self.lost = not self.exact
        return value

    cdef bint model(self, const double* x, const double* g, double* B) noexcept nogil:
        """The working curvature, rows of a zeta that is no threshold by differences to one side."""
        cdef Py_ssize_t i, j = self.P - 1, P = self.P
        cdef int side
        cdef double step, value
        self._curve()
        for i in range(P * P):
            B[i] = (&self.B[0, 0])[i]
        if not self.nz or self.by_row:
            return True
        B[j * P + j] = 1.0
        for i in range(P):
            self.moved[i] = x[i]
        for side in range(2):
            step = -ONE_SIDE if side else ONE_SIDE
            self.moved[j] = x[j] + step
            value = self.at(&self.moved[0], 1, &self.slope[0], NULL)
            if isfinite(value):
                for i in range(P):
                    B[i * P + j] = B[j * P + i] = (self.slope[i] - g[i]) / step
                break
        return True

    cdef bint stopped(self) noexcept nogil:
        """Whether a signal's handler raised, looked at now and then, or what depends on zeta."""
        if not self.failed and self.visits > VISITS:
            self.visits = 0.0
            with gil:
                self._look()
        return self.failed

    cdef void _look(self) noexcept:
        try:
            if signals_handled():
                pending()
        except BaseException as error:
            self.error, self.failed = error, True

    cdef bint settle(self, double* x, double* g, double* B, double last, double snap, Way* way,
                     double* points) noexcept nogil:
        """Take the last Newton step from x; whether that is all there is to do.

        That is where the Hessian, which B then is, is nowhere nearly flat and promises no more than
        ``last`` before that step and after it, which raises no criterion and ends no nearer to
        theta of zero than ``snap``. Else x, g and B stay.
        """
        cdef Py_ssize_t n = self.P, i
        cdef double* new = &self.space[0]
        cdef double* step = new + 2 * n
        cdef double* free = step + n
        cdef double* H = free + n
        cdef double* V = H + n * n
        cdef double* there_g = V + 2 * n * n
        cdef double* work = there_g + n + n * n
        cdef double there
        cdef Trust t
        cdef bint here = self.followed
        for i in range(n):
            here = here and self.x[i] == x[i]
        if not here and not isfinite(self.at(x, 1, there_g, NULL)):
            return False
        self._curve()
        self._steps()
        if not self._difference(x, &self.U[0, 0], &self.steps[0], H):
            return False
        for i in range(n * n):
            if not isfinite(H[i]):
                return False
        self.along = True
        if doubtful(<int> n, H, V, work):
            return False
        for i in range(n * n):
            V[i] = H[i]
        t = step_within(<int> n, g, V, LARGEST_RADIUS, FLAT_SHARE, step, free, work)
        if not t.promise <= last:
            return False
        for i in range(n):
            new[i] = x[i] + free[i]
            if i < self.m and fabs(new[i]) < snap:
                return False
        there = self.at(new, 1, there_g, NULL)
        if self.stopped():
            return False
        way.evaluations += 1
        if not there <= way.value + NOISE_OF_DIFFERENCE * fmax(1.0, fabs(way.value)):
            return False
        for i in range(n * n):
            V[i] = H[i]
        t = step_within(<int> n, there_g, V, LARGEST_RADIUS, FLAT_SHARE, step, free, work)
        if not t.promise <= last:
            return False
        for i in range(n):
            x[i], g[i] = new[i], there_g[i]
            points[way.accepted * (n + 1) + i] = x[i]
        for i in range(n * n):
            B[i] = H[i]
        points[way.accepted * (n + 1) + n] = there
        way.accepted += 1
        way.value = there
        return True

    cdef void _steps(self) noexcept nogil:
        """Steps of differences for a Hessian, from the working curvature."""
        cdef Py_ssize_t i
        cdef double s
        for i in range(self.P):
            s = 0.5 * fabs(self.B[i, i])
            self.steps[i] = self.zeta_step if i >= self.m + self.p else self.hessian_step / sqrt(
                s if s > self.least_information else self.least_information)

    def approached(self, double[::1] x, double value, double[::1] g, double[:, ::1] B,
                   double radius, int refreshed, double enough, double last, tuple differences):
        """x <- the end of a search, with gradient and Hessian B; or where to go on.

        From x, where `evaluate` was last, with a radius and the number of models made anew so far,
        until a step promises no more than ``enough``; then the Hessian decides, see `settle`.
        ``differences`` are the steps of that, the least information for them and how near to zero
        theta counts as zero. Value, radius, evaluations, that number, accepted points with their
        values (m, P + 1), whether it is the end, and what was raised on the way.
        """
        cdef double snap = differences[3]
        cdef bint ended = False
        cdef Way way
        points = np.empty((MAX_APPROACH + 2, self.P + 1))
        cdef double[:, ::1] kept = points
        way.value, way.radius, way.refreshed = value, radius, refreshed
        way.evaluations = way.accepted = 0
        self._allocate()
        self.U = np.array(self.U)  # that of the last point belongs to others
        self.begun, self.along, self.searching = True, False, True
        self.hessian_step, self.zeta_step, self.least_information = differences[:3]
        try:
            with nogil:
                if self.go(&x[0], &g[0], &B[0, 0], enough, &way, &kept[0, 0]):
                    ended = self.settle(&x[0], &g[0], &B[0, 0], last, snap, &way, &kept[0, 0])
        finally:
            self.searching = False
        error, self.error, self.failed = self.error, None, False
        return (way.value, way.radius, way.evaluations, way.refreshed, points[:way.accepted],
                ended, error)

    @property
    def place(self):
        """x (P,) and modes (q,) of the last evaluation, and whether the rows' arrays are of it."""
        return np.array(self.x), np.array(self.U).reshape(-1), self.followed

    def searched(self, const double[:, ::1] Y, double[::1] y, const double[:, ::1] logs,
                 double[::1] log_y, const double[:, ::1] starts, const double[:, ::1] first,
                 const unsigned char[::1] bounded, tuple rule, tuple differences, constants,
                 const double[::1] limits,
                 double[:, ::1] x, double[::1] value, double[:, ::1] gradient,
                 double[:, :, ::1] H, unsigned char[::1] sure):
        """The minimum for each of many responses, without the interpreter where there is no zeta.

        Y (m, n) are the responses in the order of the rows, and ``logs`` their logarithms, or
        nothing; they are written to ``y`` and ``log_y``, the arrays of the kernel that this object
        was made with. ``starts`` (s, P) and ``rule`` are those of each search, which goes by
        gradients and the curvature ``first`` (P, P) until a step promises little, the last of
        ``rule``; ``differences`` are steps of the Hessian, in standard errors and of zeta, and the
        least information for these. With zeta ``constants`` give of each response what depends on
        it alone, and ``limits`` (m,) its largest value; else they are empty. Filled: x, the
        criterion, without constants where there is no zeta, its derivatives, whether the minimum is
        ``sure``.
        """
        cdef Py_ssize_t i, j, s
        cdef double snap = rule[0], stop = rule[1], lower = rule[2], enough = rule[3]
        cdef double[:, ::1] own = np.empty((starts.shape[0], self.P))
        cdef double[::1] values = np.empty(starts.shape[0])
        self.hessian_step, self.zeta_step, self.least_information = differences
        self.known, self.searching = 0.0, True
        self.U = np.empty((self.levels, self.k))
        self._allocate()
        with nogil:
            for i in range(Y.shape[0]):
                for j in range(self.n):
                    y[j] = Y[i, j]
                for j in range(logs.shape[1]):
                    log_y[j] = logs[i, j]
                for s in range(starts.shape[0]):
                    for j in range(self.P):
                        own[s, j] = starts[s, j]
                self.begun = self.along = self.followed = False
                if self.nz:
                    self.limit = limits[i]
                    with gil:
                        if self.error is not None:
                            error, self.error, self.failed = self.error, None, False
                            raise error
                        self._constant, self.last_zeta = constants[i], NAN
                sure[i] = self.best(own, bounded, snap, stop, lower, &first[0, 0], enough, &x[i, 0],
                                    &values[0], &gradient[i, 0], &H[i, 0, 0])
                value[i] = values[0]
        if self.error is not None:
            error, self.error, self.failed = self.error, None, False
            raise error
