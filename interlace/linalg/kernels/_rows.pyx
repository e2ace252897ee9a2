# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Log-density, score, information and their derivatives, one fused pass over the rows."""

include "density.pxi"


def rows(kernel, double par, bint expected, const double[::1] eta, double[::1] score,
         double[::1] weight, double[::1] observed, double[::1] slope, double[:, ::1] extra):
    """Fill the derivatives; returns the sum of the log-densities' parts that depend on eta.

    ``extra`` (3, n): derivatives in log(par) of the value, the score and the weight; (3, 0) when
    not wanted. An empty ``slope`` is not filled.
    """
    cdef const double[::1] y = kernel.y, weights = kernel.weights, log_y = kernel.log_y
    cdef Py_ssize_t n = eta.shape[0], i
    cdef bint want_slope = slope.shape[0] > 0, want_extra = extra.shape[1] > 0
    cdef bint logs = log_y.shape[0] > 0
    cdef double total = 0.0, product = 1.0
    cdef Kind kind = kind_of(kernel, par, expected)
    cdef Row r
    with nogil:
        for i in range(n):
            split_row(&kind, eta[i], y[i], weights[i], log_y[i] if logs else 0.0, &r)
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
    cdef bint logs = log_y.shape[0] > 0
    cdef Kind kind = kind_of(kernel, par, True)
    cdef Row r
    with nogil:
        for i in range(n):
            row(&kind, eta[i], y[i], weights[i], log_y[i] if logs else 0.0, &r)
            value[i] = r.value
            score[i] = r.score
