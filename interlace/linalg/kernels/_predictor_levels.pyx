# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Laplace's approximation with one grouping factor whose columns belong to several predictors.

As `_levels`, every level on its own, for the compiled rows of families with K <= 3 predictors
(families/kernels/several.hpp). A level has effects b = T u; with Z_a the columns of predictor a,
the raw sums g = sum Z_a's_a and G = sum Z_a'W_ab Z_b over its rows give those in u, T'g - u and
H = T'G T + I.
"""

from libc.math cimport INFINITY, isfinite, log
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

include "small.pxi"
include "../../families/kernels/several.pxi"

cdef extern from "several.hpp" namespace "several" nogil:
    void at(const Kind&, int, int, const double*, double, double, double, double*, double*,
            double*, double*) noexcept
    void contraction(int, const double*, const double*, double*) noexcept

# Newton's decrement at which the mode serves where a first-order correction is made
cdef double CORRECTED = 1e-18
# ... and below which a step that takes no true curvature leads to no maximum
cdef double ENDS = 1e-8


cdef struct Level:
    # what is given: Z (n, k), eta0 (K, n), y, w, m (n,), the template T (k, k)
    int K, P, Q, k
    bint ones            # Z is a column of ones that is not stored
    const double* Z
    const int* of
    const double* eta0
    const double* y
    const double* w
    const double* m
    const double* T
    Py_ssize_t n, begin, end
    # its rows: predictors, scores (rows, K), information (rows, P), third derivatives (rows, Q)
    double* eta
    double* score
    double* info
    double* third
    # sums over them and what follows: (k,) and (k, k)
    double* u
    double* b
    double* g
    double* G
    double* step
    double* slope
    double* H
    double* S
    double* ST
    double* work


cdef inline double z_of(Level* L, Py_ssize_t i, int j) noexcept nogil:
    return 1.0 if L.ones else L.Z[i * L.k + j]


cdef inline int packed(int a, int c) noexcept nogil:
    return a * (a + 1) // 2 + c if a >= c else c * (c + 1) // 2 + a


cdef void effects(Level* L, const double* u, double* b) noexcept nogil:
    """b = T u, T lower triangular."""
    cdef int a, c
    for a in range(L.k):
        b[a] = 0.0
        for c in range(a + 1):
            b[a] += L.T[a * L.k + c] * u[c]


cdef double visit(const Kind& kind, Level* L, int order) noexcept nogil:
    """The rows at u: their derivatives, g, and the sum of their log-densities."""
    cdef Py_ssize_t i, j
    cdef int a, K = L.K
    cdef double value, total = 0.0
    cdef double* eta
    effects(L, L.u, L.b)
    for a in range(L.k):
        L.g[a] = 0.0
    for i in range(L.begin, L.end):
        j = i - L.begin
        eta = L.eta + j * K
        for a in range(K):
            eta[a] = L.eta0[a * L.n + i]
        for a in range(L.k):
            eta[L.of[a]] += z_of(L, i, a) * L.b[a]
        at(kind, K, order, eta, L.y[i], L.w[i], L.m[i], &value, L.score + j * K,
           L.info + j * L.P, L.third + j * L.Q)
        total += value
        for a in range(L.k):
            L.g[a] += z_of(L, i, a) * L.score[j * K + L.of[a]]
    return total


cdef void curvature(Level* L, bint definite) noexcept nogil:
    """G over the rows, and H; of ``definite`` ones every row's information is replaced by |W|."""
    cdef Py_ssize_t i
    cdef int a, c, d, k = L.k
    cdef double f, x
    cdef double* W
    for a in range(k * k):
        L.G[a] = 0.0
    for i in range(L.begin, L.end):
        W = L.info + (i - L.begin) * L.P
        if definite:
            absolute(W, L.K)
        for a in range(k):
            f = z_of(L, i, a)
            for c in range(a + 1):
                L.G[a * k + c] += f * W[packed(L.of[a], L.of[c])] * z_of(L, i, c)
    for a in range(k):
        for c in range(a):
            L.G[c * k + a] = L.G[a * k + c]
    # H = T'G T + I
    for a in range(k):
        for c in range(k):
            x = 0.0
            for d in range(c, k):
                x += L.G[a * k + d] * L.T[d * k + c]
            L.work[a * k + c] = x
    for a in range(k):
        for c in range(a + 1):
            x = 1.0 if a == c else 0.0
            for d in range(a, k):
                x += L.T[d * k + a] * L.work[d * k + c]
            L.H[a * k + c] = x


cdef void gradient_in_u(Level* L) noexcept nogil:
    """slope = T'g - u."""
    cdef int a, c
    for a in range(L.k):
        L.slope[a] = -L.u[a]
        for c in range(a, L.k):
            L.slope[a] += L.T[c * L.k + a] * L.g[c]


cdef bint find_mode(const Kind& kind, Level* L, int order, double enough, double* total,
                    double* decrement) noexcept nogil:
    """Damped Newton from u; L.H holds the factor of the information at the mode."""
    cdef double value, size, penalty, before = -INFINITY, lam = INFINITY, last
    cdef int a, k = L.k, iteration = 0, halving = 0
    cdef bint gains
    while True:
        total[0] = visit(kind, L, order)
        penalty = 0.0
        for a in range(k):
            penalty += 0.5 * L.u[a] * L.u[a]
        value = total[0] - penalty
        iteration += 1
        gains = value >= before - 1e-13 * fabs(before) or (
            lam < TRUSTED * (1.0 + fabs(before)) and value > -INFINITY)
        if not gains and iteration > 1:
            if halving == MAX_HALVINGS:
                return False
            halving += 1
            for a in range(k):
                L.step[a] *= 0.5
                L.u[a] -= L.step[a]
            continue
        if not isfinite(value):
            # no start within the range of the means: from u = 0 once, else give up
            if iteration > 1:
                return False
            for a in range(k):
                L.u[a] = 0.0
            continue
        halving = 0
        before = value
        size = 1.0 + fabs(value)
        gradient_in_u(L)
        curvature(L, False)
        last = lam
        lam = 0.0
        if cholesky(L.H, k):
            newton_step(L)
            for a in range(k):
                lam += L.step[a] * L.slope[a]
            if lam < enough * size or (lam < ROUNDING * size and lam > 0.25 * last):
                decrement[0] = lam
                return True
            if iteration >= MAX_STEPS:
                decrement[0] = lam
                return lam < LOOSE * size
        else:
            curvature(L, True)
            if not cholesky(L.H, k) or iteration >= MAX_STEPS:
                return False
            newton_step(L)
            for a in range(k):
                lam += L.step[a] * L.slope[a]
            if lam < ENDS * size:
                return False
            lam = INFINITY
        for a in range(k):
            L.u[a] += L.step[a]


cdef void newton_step(Level* L) noexcept nogil:
    """step = H^{-1} slope, H being factorised."""
    cdef int a
    for a in range(L.k):
        L.step[a] = L.slope[a]
    solve(L.H, L.step, L.k)


cdef double derivatives(Level* L, double* t, double* dT, double* v) noexcept nogil:
    """t (K, n) of the rows, dT (k, k) added to, v; returns v'(T'g - u).

    S = H^{-1}, h = Z T S T'Z', c contracts the third derivatives with h, v = S T'Z'c,
    t = -2 s + c - W Z T v, dT += 2 (G - G T S T'G) T + Z't u' + Z's v'.
    """
    cdef Py_ssize_t i, j
    cdef int a, c, d, e, k = L.k, K = L.K
    cdef double h[6]
    cdef double own[3]
    cdef double moved[3]
    cdef double x, correction = 0.0
    # work = T S, ST = T S T'
    for a in range(k):
        for c in range(k):
            x = 0.0
            for d in range(a + 1):
                x += L.T[a * k + d] * L.S[d * k + c]
            L.work[a * k + c] = x
    for a in range(k):
        for c in range(k):
            x = 0.0
            for d in range(c + 1):
                x += L.work[a * k + d] * L.T[c * k + d]
            L.ST[a * k + c] = x
    for a in range(k):
        L.step[a] = 0.0  # Z'c
    for i in range(L.begin, L.end):
        j = i - L.begin
        for a in range(L.P):
            h[a] = 0.0
        for a in range(k):
            for c in range(a + 1):
                x = z_of(L, i, a) * L.ST[a * k + c] * z_of(L, i, c)
                h[packed(L.of[a], L.of[c])] += (
                    2.0 * x if a != c and L.of[a] == L.of[c] else x)
        contraction(K, L.third + j * L.Q, h, own)
        for a in range(K):
            t[a * L.n + i] = own[a]
        for a in range(k):
            L.step[a] += z_of(L, i, a) * own[L.of[a]]
    # v = S T'Z'c, b = T v
    for a in range(k):
        v[a] = 0.0
        for c in range(k):
            v[a] += L.work[c * k + a] * L.step[c]
        correction += v[a] * L.slope[a]
    effects(L, v, L.b)
    for a in range(k):
        L.step[a] = 0.0  # Z't
    for i in range(L.begin, L.end):
        j = i - L.begin
        for a in range(K):
            moved[a] = 0.0
        for a in range(k):
            moved[L.of[a]] += z_of(L, i, a) * L.b[a]
        for a in range(K):
            x = t[a * L.n + i] - 2.0 * L.score[j * K + a]
            for c in range(K):
                x -= L.info[j * L.P + packed(a, c)] * moved[c]
            t[a * L.n + i] = x
        for a in range(k):
            L.step[a] += z_of(L, i, a) * t[L.of[a] * L.n + i]
    # G T S is needed: (G - G ST G) T = G T S, since H = T'G T + I
    for a in range(k):
        for c in range(k):
            x = 0.0
            for d in range(k):
                x += L.G[a * k + d] * L.work[d * k + c]
            dT[a * k + c] += 2.0 * x + L.step[a] * L.u[c] + L.g[a] * v[c]
    return correction


cdef void keep_rows(Level* L, double* eta, double* info, double* score) noexcept nogil:
    """What the rows are at the mode, into arrays of all rows, (K, n) and (P, n)."""
    cdef Py_ssize_t i, j
    cdef int a
    for i in range(L.begin, L.end):
        j = i - L.begin
        for a in range(L.K):
            eta[a * L.n + i] = L.eta[j * L.K + a]
            score[a * L.n + i] = L.score[j * L.K + a]
        for a in range(L.P):
            info[a * L.n + i] = L.info[j * L.P + a]


cdef Py_ssize_t all_levels(
        const Kind& kind, Level* L, int order, bint frozen, const int64_t* starts,
        Py_ssize_t levels, double* U, double* eta, double* info, double* score, double* t,
        double* dT, double* sums, double* S) noexcept nogil:
    """`laplace` over levels; the first that has no mode, or -1."""
    cdef Py_ssize_t l
    cdef int a, c, k = L.k
    cdef double total = 0.0, decrement = 0.0
    for l in range(levels):
        L.begin, L.end = starts[l], starts[l + 1]
        for a in range(k):
            L.u[a] = U[l * k + a]
        if frozen:
            total = visit(kind, L, 3)
            gradient_in_u(L)
            curvature(L, False)
            if not isfinite(total) or not cholesky(L.H, k):  # no maximum has no approximation
                return l
        elif not find_mode(kind, L, 2, CORRECTED if order else DECREMENT, &total, &decrement):
            return l
        keep_rows(L, eta, info, score)
        sums[0] += total
        for a in range(k):
            U[l * k + a] = L.u[a]
            sums[1] += L.u[a] * L.u[a]
            sums[2] += 2.0 * log(L.H[a * k + a])
        sums[3] -= decrement
        L.S = S + l * k * k
        invert(L.H, L.S, k)
        if order == 0:
            continue
        if not frozen:
            visit(kind, L, 3)
        sums[3] += derivatives(L, t, dT, L.slope + k)
    return -1


cdef Py_ssize_t longest(const int64_t[::1] starts) noexcept nogil:
    cdef Py_ssize_t l, most = 0
    for l in range(starts.shape[0] - 1):
        most = max(most, starts[l + 1] - starts[l])
    return most


cdef class LevelRows:
    """The data of all rows, sorted by level.

    Rows ``starts[l]:starts[l + 1]`` are those of level l; ``Z`` (n, k), or (0, k) for a column of
    ones; ``of`` (k,) the predictors of its columns; ``spec`` is the family's.
    """

    cdef Kind kind
    cdef tuple spec
    cdef const int64_t[::1] starts
    cdef const double[:, ::1] Z
    cdef const int[::1] of
    cdef const double[::1] y, weights, trials
    cdef Py_ssize_t rows  # of the longest level

    def __init__(self, tuple spec, const int64_t[::1] starts, const double[:, ::1] Z,
                 const int[::1] of, const double[::1] y, const double[::1] weights,
                 const double[::1] trials):
        self.kind, self.spec = kind_of(spec), spec
        self.starts, self.Z, self.of = starts, Z, of
        self.y, self.weights, self.trials = y, weights, trials
        self.rows = longest(starts)

    def __reduce__(self):
        return LevelRows, (self.spec, self.starts.base, self.Z.base, self.of.base, self.y.base,
                           self.weights.base, self.trials.base)


def laplace(LevelRows own, int order, bint frozen, const double[:, :, ::1] T,
            const double[:, :, ::1] eta0, double[:, :, ::1] U, double[:, ::1] at_mode,
            double[:, :, ::1] t, double[:, :, ::1] dT, double[:, ::1] sums,
            double[:, :, ::1] S):
    """Modes of all levels and the deviance's parts, at m parameter vectors one after the other.

    ``T`` (m, k, k), ``eta0`` (m, K, n) and the start ``U`` (m, levels, k), then the modes. Filled
    of the last vector: ``at_mode`` (2 K + P, n), predictors, scores and information of the rows,
    and ``S`` (levels, k, k), H^{-1};
    ``sums`` (m, 4) = [sum of log-densities, |u|^2, log|H|, correction to the mode]; with ``order`` 1
    ``t`` (m, K, n), the derivative of the deviance in the rows' predictors, and ``dT`` (m, k, k).

    With ``frozen`` the modes are taken as given: a level whose information is not positive
    definite there has none. Returns -1, or a level that has no mode.
    """
    cdef Level L
    cdef Py_ssize_t levels = own.starts.shape[0] - 1, rows = own.rows, failed = -1, d
    cdef int K = eta0.shape[1], k = own.of.shape[0], P = K * (K + 1) // 2
    cdef double* space
    L.K, L.P, L.Q, L.k = K, P, P * (K + 2) // 3, k
    L.ones = own.Z.shape[0] == 0
    if not L.ones:
        L.Z = &own.Z[0, 0]
    L.of, L.n = &own.of[0], own.y.shape[0]
    L.y, L.w, L.m = &own.y[0], &own.weights[0], &own.trials[0]
    space = <double*> malloc(
        ((rows + 1) * (2 * K + P + L.Q) + 6 * k + 4 * k * k) * sizeof(double))
    if space == NULL:
        raise MemoryError
    L.eta = space
    L.score = L.eta + rows * K
    L.info = L.score + rows * K
    L.third = L.info + rows * P
    L.u = L.third + (rows + 1) * L.Q
    L.b = L.u + k
    L.g = L.b + k
    L.step = L.g + k
    L.slope = L.step + k  # and v after it
    L.G = L.slope + 2 * k
    L.H = L.G + k * k
    L.ST = L.H + k * k
    L.work = L.ST + k * k
    sums[:, :] = 0.0
    dT[:, :, :] = 0.0
    with nogil:
        for d in range(T.shape[0]):
            L.T, L.eta0 = &T[d, 0, 0], &eta0[d, 0, 0]
            failed = all_levels(
                own.kind, &L, order, frozen, &own.starts[0], levels, &U[d, 0, 0], &at_mode[0, 0],
                &at_mode[2 * K, 0], &at_mode[K, 0], &t[d, 0, 0] if order else NULL,
                &dT[d, 0, 0], &sums[d, 0], &S[0, 0, 0])
            if failed >= 0:
                break
    free(space)
    return failed
