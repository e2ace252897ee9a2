# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Log-density, score, information and their derivatives, one fused pass over the rows.

Of few rows and columns the fit of their coefficients, too, where calls cost more than algebra.
"""

from libc.math cimport NAN, isfinite
from libc.stdlib cimport free, malloc

include "density.pxi"
include "small.pxi"

# What a value may fall by, relative, and be as good as the one before: that of `newton`.
cdef double VALUE_NOISE = 1e-13


def rows(kernel, double par, bint expected, const double[::1] eta, double[::1] score,
         double[::1] weight, double[::1] observed, double[::1] slope, double[:, ::1] extra):
    """Fill the derivatives; returns the sum of the log-densities' parts that depend on eta.

    ``extra`` (3, n): derivatives in log(par) of the value, the score and the weight; (3, 0) when
    not wanted. An empty ``slope`` is not filled.
    """
    cdef const double[::1] y = kernel.y, weights = kernel.weights, log_y = kernel.log_y
    cdef Py_ssize_t n = eta.shape[0], i
    cdef bint want_slope = slope.shape[0] > 0, want_extra = extra.shape[1] > 0
    # weights of one need not be there
    cdef bint logs = log_y.shape[0] > 0, weighted = weights.shape[0] > 0
    cdef double total = 0.0, product = 1.0, w
    cdef Kind kind = kind_of(kernel, par, expected)
    cdef Row r
    with nogil:
        for i in range(n):
            w = weights[i] if weighted else 1.0
            split_row(&kind, eta[i], y[i], w, log_y[i] if logs else 0.0, &r)
            add_value(&r, &total, &product)
            score[i] = r.score
            weight[i] = r.weight
            observed[i] = r.observed
            if want_slope:
                slope[i] = r.slope
            if want_extra:
                extra[0, i] = r.value_z
                extra[1, i] = r.score_z
                extra[2, i] = r.weight_z
    return total - log(product)


def values(kernel, double par, const double[::1] eta, double[::1] value, double[::1] score):
    """The values themselves and the scores, row by row (for quadrature)."""
    cdef const double[::1] y = kernel.y, weights = kernel.weights, log_y = kernel.log_y
    cdef Py_ssize_t n = eta.shape[0], i
    # weights of one need not be there
    cdef bint logs = log_y.shape[0] > 0, weighted = weights.shape[0] > 0
    cdef Kind kind = kind_of(kernel, par, True)
    cdef Row r
    cdef double w
    with nogil:
        for i in range(n):
            w = weights[i] if weighted else 1.0
            row(&kind, eta[i], y[i], w, log_y[i] if logs else 0.0, &r)
            value[i] = r.value
            score[i] = r.score


cdef double predicted(Kind* kind, const double[::1] y, const double[::1] weights,
                      const double[::1] log_y, const double[:, ::1] X, const double[::1] base,
                      const double* beta, Row* out, double* eta) noexcept nogil:
    """The rows at X beta + base; returns the sum of their values."""
    cdef Py_ssize_t i, a
    cdef bint logs = log_y.shape[0] > 0
    cdef double s, total = 0.0, product = 1.0
    for i in range(X.shape[0]):
        s = base[i]
        for a in range(X.shape[1]):
            s += X[i, a] * beta[a]
        eta[i] = s
        split_row(kind, s, y[i], weights[i], log_y[i] if logs else 0.0, out + i)
        add_value(out + i, &total, &product)
    return total - log(product)


cdef bint step_of(const double[:, ::1] X, const Row* at, double* information, double* root,
                  double* g, double* step) noexcept nogil:
    """Information (p, p), gradient and the step from it; whether the information is definite."""
    cdef Py_ssize_t i, a, b, p = X.shape[1]
    cdef double s
    for a in range(p):
        g[a] = 0.0
        for b in range(p):
            information[a * p + b] = 0.0
    for i in range(X.shape[0]):
        for a in range(p):
            g[a] += X[i, a] * at[i].score
            s = X[i, a] * at[i].weight
            for b in range(a + 1):
                information[a * p + b] += s * X[i, b]
    for a in range(p):
        step[a] = g[a]
        for b in range(a):
            information[b * p + a] = information[a * p + b]
    for a in range(p * p):
        root[a] = information[a]
    if not cholesky(root, p):
        return False
    solve(root, step, p)
    for a in range(p):
        if not isfinite(step[a]):
            return False
    return True


def scoring(kernel, double par, const double[:, ::1] X, const double[::1] base,
            const double[::1] start, double decrement, int iterations, int halvings, bint ahead,
            double[::1] beta, double[::1] eta, double[::1] weight, double[:, ::1] information):
    """Fisher scoring in beta (p,): `irls`, which says what is done, where nothing is in its way.

    From predictors ``start`` (n,); ``beta``, ``eta``, ``weight`` and ``information`` are filled.
    The value, the iterations, and whether it converged; None where some mean is out of its range
    at first, or the information is not definite.
    """
    cdef const double[::1] y = kernel.y, weights = kernel.weights, log_y = kernel.log_y
    cdef Py_ssize_t n = X.shape[0], p = X.shape[1], i, a
    cdef bint logs = log_y.shape[0] > 0, plain = True, converged = False, gains
    cdef int done = 0, half
    cdef double here, there, least, along
    cdef Kind kind = kind_of(kernel, par, True)
    cdef Row* at = <Row*> malloc(2 * n * sizeof(Row) + 1)
    cdef double* space = <double*> malloc((n + 2 * p * p + 4 * p + 1) * sizeof(double))
    cdef Row* new = at + n
    cdef Row* swap
    cdef double* there_eta = space
    cdef double* B = space + n
    cdef double* root = B + p * p
    cdef double* g = root + p * p
    cdef double* step = g + p
    cdef double* own = step + p
    cdef double* moved = own + p
    if at == NULL or space == NULL:
        free(at)
        free(space)
        raise MemoryError
    with nogil:
        # the regression of the working response
        for i in range(n):
            split_row(&kind, start[i], y[i], weights[i], log_y[i] if logs else 0.0, at + i)
            at[i].score += at[i].weight * (start[i] - base[i])
        plain = step_of(X, at, B, root, g, own)
        here = predicted(&kind, y, weights, log_y, X, base, own, at, &eta[0]) if plain else NAN
        plain = plain and isfinite(here)
        while plain:
            plain = step_of(X, at, B, root, g, step)
            if not plain:
                break
            along = 0.0
            for a in range(p):
                along += g[a] * step[a]
            converged = done > 0 and along <= decrement * (fabs(here) if fabs(here) > 1.0 else 1.0)
            if converged or done == iterations:
                break
            least = here - VALUE_NOISE * fabs(here)
            gains = False
            for half in range(halvings):
                for a in range(p):
                    moved[a] = own[a] + step[a]
                there = predicted(&kind, y, weights, log_y, X, base, moved, new, there_eta)
                gains = there >= least
                if gains:
                    break
                for a in range(p):
                    step[a] *= 0.5
            done += 1
            if not gains:
                break
            here = there
            swap = at
            at, new = new, swap
            for a in range(p):
                own[a] = moved[a]
            for i in range(n):
                eta[i] = there_eta[i]
        if plain:
            for i in range(n):
                weight[i] = at[i].weight
            if converged and ahead:
                for a in range(p):
                    own[a] += step[a]
                for i in range(n):
                    along = base[i]
                    for a in range(p):
                        along += X[i, a] * own[a]
                    eta[i] = along
            for a in range(p):
                beta[a] = own[a]
                for i in range(p):
                    information[a, i] = B[a * p + i]
        free(at if at < new else new)
        free(space)
    return (here, done, converged) if plain else None
