# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Adaptive Gauss-Hermite quadrature with one grouping factor: every level on its own, in cache."""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

include "density.pxi"

# A node whose share is below exp(-NEGLIGIBLE) of the largest one changes no digit.
cdef double NEGLIGIBLE = 50.0
# Factors 1 + exp(-|eta|) <= 2 multiplied before their logarithm is taken.
cdef int FACTORS = 512


cdef inline void upper_root(const double* S, double* R, Py_ssize_t k) noexcept nogil:
    """R <- upper triangular with RR' = S: L^{-T} of S^{-1} = LL'."""
    cdef Py_ssize_t a, b, c
    cdef double s
    for b in range(k - 1, -1, -1):
        for a in range(b, -1, -1):
            s = S[a * k + b]
            for c in range(b + 1, k):
                s -= R[a * k + c] * R[b * k + c]
            if a == b:
                R[b * k + b] = sqrt(s)
            else:
                R[a * k + b] = s / R[b * k + b]
                R[b * k + a] = 0.0


cdef inline double log_densities(Kind* kind, Py_ssize_t size, Py_ssize_t k, const double* base,
                                 const double* A, const double* d, const double* y,
                                 const double* weights, const double* log_y, double* score,
                                 double* value_z, double* row_z) noexcept nogil:
    """Sum over the rows of a level at eta = base + A d; the scores, the derivative in zeta.

    The latter also row by row, where ``row_z`` is given.
    """
    cdef Py_ssize_t j, a
    cdef double eta, e, r, m, k_j, total = 0.0, product = 1.0
    cdef int factors = 0
    cdef Row out
    cdef Chain side
    value_z[0] = 0.0
    for j in range(size):
        eta = base[j]
        for a in range(k):
            eta += A[j * k + a] * d[a]
        if kind.family == BINOMIAL and kind.link == LOGIT:
            m = weights[j]
            k_j = m * y[j]
            e = exp(-fabs(eta))
            r = 1.0 / (1.0 + e)
            if eta >= 0.0:
                total += (k_j - m) * eta
                score[j] = k_j * (e * r) - (m - k_j) * r
            else:
                total += k_j * eta
                score[j] = k_j * r - (m - k_j) * (e * r)
            if m == 1.0:
                product *= 1.0 + e
                factors += 1
                if factors == FACTORS:
                    total -= log(product)
                    product, factors = 1.0, 0
            else:
                total -= m * log1p(e)
        elif kind.family == BINOMIAL and kind.link == PROBIT:
            # only the tails that have observations
            m = weights[j]
            k_j = m * y[j]
            score[j] = 0.0
            if k_j > 0.0:
                log_normal_cdf(eta, &side)
                total += k_j * side.d0
                score[j] = k_j * side.d1
            if m > k_j:
                log_normal_cdf(-eta, &side)
                total += (m - k_j) * side.d0
                score[j] -= (m - k_j) * side.d1
        else:
            row(kind, eta, y[j], weights[j], 0.0 if log_y == NULL else log_y[j], &out)
            total += out.value
            score[j] = out.score
            value_z[0] += out.value_z
            if row_z != NULL:
                row_z[j] = out.value_z
    return total - log(product)


def quadrature(kernel, double par, bint expected, int order, const int64_t[::1] starts,
               const double[:, ::1] Z, const double[:, ::1] T, const double[::1] eta,
               const double[:, ::1] nodes, const double[::1] log_weights,
               const double[:, ::1] U, const double[:, :, ::1] S_levels,
               const double[:, :, ::1] H_levels, double[::1] t, double[:, ::1] dT,
               double[::1] sums, double[::1] in_zeta=None):
    """The correction of Laplace's approximation by the nodes, and the gradient of both together.

    Rows ``starts[l]:starts[l + 1]`` are those of level l; ``eta`` (n,) their predictors at the
    modes ``U`` (levels, k); ``S_levels``, ``H_levels`` (levels, k, k) the inverses M_l^{-1} and
    H_l^{-1}. ``nodes`` (N, k) are of the standard normal density, ``log_weights`` (N,) the
    logarithms of the weights plus half the square of the node. ``Z`` (0, .) stands for a column of
    ones.

    Filled: ``sums`` = [sum_l log sum_j exp(log_weights_j + f(u_j) - f(u)), and with order 1 the
    correction of the modes, derivative in zeta]; with order 1 ``t`` (n,), the derivative in the
    rows' own predictor, and ``dT`` (k, k), in the template; ``in_zeta`` (n,), the rows' own
    derivatives in zeta, where it is given.
    """
    cdef const double[::1] y = kernel.y, weights = kernel.weights, log_y = kernel.log_y
    cdef Py_ssize_t levels = starts.shape[0] - 1, k = T.shape[0], N = nodes.shape[0]
    cdef Py_ssize_t l, i, j, a, b, c, begin, size, node, longest = 0
    cdef bint logs = log_y.shape[0] > 0, ones = Z.shape[0] == 0, by_row = in_zeta is not None
    cdef Kind kind = kind_of(kernel, par, expected)
    cdef Row at
    cdef double* space
    cdef double* A         # Z T, rows of the level
    cdef double* score     # at a node
    cdef double* mean      # mean score over the nodes, not yet divided by `total`
    cdef double* row_z = NULL
    cdef double* h
    cdef double* R         # L^{-T}
    cdef double* C         # mean of L^{-1} g z'
    cdef double* P         # mean of Z's u'
    cdef double* S         # what takes the place of M^{-1} in the gradient
    cdef double* B
    cdef double* d         # u_j - u
    cdef double* g         # gradient of f at a node
    cdef double* zs
    cdef double* zt
    cdef double* v
    cdef double* mean_g
    cdef double* own       # gradient of f at the mode
    cdef const double* ly
    cdef double f0, f, s, p, exponent, top, total, value_z, mean_z, av, x
    for l in range(levels):
        if starts[l + 1] - starts[l] > longest:
            longest = starts[l + 1] - starts[l]
    space = <double*> malloc((longest * (k + 4) + 5 * k * k + 7 * k + 8) * sizeof(double))
    if space == NULL:
        raise MemoryError
    A = space
    score = A + longest * k
    mean = score + longest
    h = mean + longest
    R = h + 2 * longest
    if by_row:
        row_z = h + longest
    C = R + k * k
    P = C + k * k
    S = P + k * k
    B = S + k * k
    d = B + k * k
    g = d + k
    zs = g + k
    zt = zs + k
    v = zt + k
    mean_g = v + k
    own = mean_g + k
    sums[:] = 0.0
    dT[:, :] = 0.0
    with nogil:
        for l in range(levels):
            begin, size = starts[l], starts[l + 1] - starts[l]
            if size == 0:
                continue
            ly = &log_y[begin] if logs else NULL
            for j in range(size):
                mean[j] = 0.0
                if by_row:
                    in_zeta[begin + j] = 0.0
                for b in range(k):
                    s = T[0, 0]
                    if not ones:
                        s = 0.0
                        for a in range(b, k):
                            s += Z[begin + j, a] * T[a, b]
                    A[j * k + b] = s
            upper_root(&S_levels[l, 0, 0], R, k)
            for a in range(k):
                d[a] = mean_g[a] = 0.0
                for b in range(k):
                    C[a * k + b] = P[a * k + b] = 0.0
            f0 = log_densities(&kind, size, k, &eta[begin], A, d, &y[begin], &weights[begin], ly,
                               score, &value_z, row_z)
            for a in range(k):
                f0 -= 0.5 * U[l, a] * U[l, a]
            # -- the nodes: sums relative to the largest exponent so far
            top, total, mean_z = -INFINITY, 0.0, 0.0
            for node in range(N):
                for a in range(k):
                    d[a] = 0.0
                    for b in range(a, k):
                        d[a] += R[a * k + b] * nodes[node, b]
                f = log_densities(&kind, size, k, &eta[begin], A, d, &y[begin], &weights[begin],
                                  ly, score, &value_z, row_z)
                for a in range(k):
                    f -= 0.5 * (U[l, a] + d[a]) * (U[l, a] + d[a])
                exponent = log_weights[node] + (f - f0)
                if not exponent > top - NEGLIGIBLE:
                    continue
                p = 1.0
                if exponent > top:
                    s = exp(top - exponent)
                    top = exponent
                    total *= s
                    if order:
                        mean_z *= s
                        for j in range(size):
                            mean[j] *= s
                            if by_row:
                                in_zeta[begin + j] *= s
                        for a in range(k):
                            mean_g[a] *= s
                        for a in range(k * k):
                            C[a] *= s
                            P[a] *= s
                else:
                    p = exp(exponent - top)
                total += p
                if not order:
                    continue
                mean_z += p * value_z
                for a in range(k):
                    zs[a] = 0.0
                for j in range(size):
                    mean[j] += p * score[j]
                    if by_row:
                        in_zeta[begin + j] += p * row_z[j]
                    if ones:
                        zs[0] += score[j]
                    else:
                        for a in range(k):
                            zs[a] += Z[begin + j, a] * score[j]
                for a in range(k):
                    g[a] = -U[l, a] - d[a]
                    for b in range(a, k):
                        g[a] += T[b, a] * zs[b]
                    mean_g[a] += p * g[a]
                for a in range(k):
                    s = 0.0
                    for b in range(a + 1):
                        s += R[b * k + a] * g[b]
                    for b in range(k):
                        C[a * k + b] += p * s * nodes[node, b]
                        P[a * k + b] += p * zs[a] * (U[l, b] + d[b])
            sums[0] += top + log(total)
            if not order:
                continue
            # -- L^{-T} (I + C) L^{-1}, of C its upper triangle made symmetric
            s = 1.0 / total
            for a in range(k):
                mean_g[a] *= s
                for b in range(k):
                    B[a * k + b] = s * (C[a * k + b] if a <= b else C[b * k + a])
                    P[a * k + b] *= s
                B[a * k + a] += 1.0
            sums[2] -= 2.0 * s * mean_z
            for a in range(k):
                for b in range(k):
                    C[a * k + b] = 0.0
                    for c in range(a, k):
                        C[a * k + b] += R[a * k + c] * B[c * k + b]
            for a in range(k):
                for b in range(k):
                    S[a * k + b] = 0.0
                    for c in range(b, k):
                        S[a * k + b] += C[a * k + c] * R[b * k + c]
            # -- at the mode: h_i = [A S A']_ii, c = w'h, v = H^{-1} (A'c - 2 mean of g)
            for a in range(k):
                g[a] = -2.0 * mean_g[a]
                own[a] = -U[l, a]
                zt[a] = zs[a] = 0.0
                for b in range(k):
                    B[a * k + b] = 0.0
            for j in range(size):
                i = begin + j
                row(&kind, eta[i], y[i], weights[i], ly[j] if logs else 0.0, &at)
                x = 0.0
                for a in range(k):
                    s = 0.0
                    for b in range(k):
                        s += S[a * k + b] * A[j * k + b]
                    x += s * A[j * k + a]
                h[j] = x
                for a in range(k):
                    g[a] += A[j * k + a] * at.slope * x
                    own[a] += A[j * k + a] * at.score
            for a in range(k):
                v[a] = 0.0
                for b in range(k):
                    v[a] += H_levels[l, a, b] * g[b]
                sums[1] += v[a] * own[a]
            for j in range(size):
                i = begin + j
                row(&kind, eta[i], y[i], weights[i], ly[j] if logs else 0.0, &at)
                av = 0.0
                for a in range(k):
                    av += A[j * k + a] * v[a]
                s = at.slope * h[j] - at.observed * av
                t[i] = s - 2.0 * mean[j] / total
                x = h[j] * at.weight_z + av * at.score_z
                sums[2] += x
                if by_row:
                    in_zeta[i] = x - 2.0 * in_zeta[i] / total
                for a in range(k):
                    x = 1.0 if ones else Z[i, a]
                    zt[a] += x * s
                    zs[a] += x * at.score
                    for b in range(k):
                        B[a * k + b] += x * at.weight * (1.0 if ones else Z[i, b])
            # 2 Z'WZ T S + Z't u' + Z's v' - 2 mean of Z's u'
            for a in range(k):
                for b in range(k):
                    C[a * k + b] = 0.0
                    for c in range(b, k):
                        C[a * k + b] += B[a * k + c] * T[c, b]
            for a in range(k):
                for b in range(k):
                    s = zt[a] * U[l, b] + zs[a] * v[b] - 2.0 * P[a * k + b]
                    for c in range(k):
                        s += 2.0 * C[a * k + c] * S[c * k + b]
                    dT[a, b] += s
    free(space)
