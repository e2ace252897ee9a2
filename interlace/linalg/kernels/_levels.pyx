# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Laplace's approximation with one grouping factor: every level on its own, in cache.

The levels are independent given the fixed effects: each one's modes are found by Newton's method
to the end, then its share of log|M| and of the gradient is formed, while its rows are at hand.
"""

include "levels.pxi"


cpdef double laplace(
        kernel, double par, bint expected, int order, bint frozen, const int64_t[::1] starts,
        const double[:, ::1] Z, const double[:, ::1] T, const double[::1] eta0, double[:, ::1] U,
        double[:, ::1] at_mode, double[::1] t, double[:, ::1] dT, double[::1] sums,
        double[:, :, ::1] S_levels=None, double[:, :, ::1] H_levels=None,
        double[::1] in_zeta=None) except -0.5:
    """Modes of all levels; the deviance's parts; with ``order`` 1 what its gradient needs.

    Rows ``starts[l]:starts[l + 1]`` are those of level l. ``U`` (levels, k) holds the start and
    then the modes. Filled: ``at_mode`` (4, n), predictors, weights, observed information and scores
    of the rows, or (3, n) where the weights are the observed information; ``sums`` = [sum
    log-density, |u|^2, log|M|, derivative in zeta, correction to the mode]; with order 1 ``t`` (n,), the derivative of the deviance in the rows' own predictor, and
    ``dT`` (k, k), in the template. ``S_levels`` (levels, k, k) receives M_l^{-1}, ``H_levels``
    the inverse of the observed information, ``in_zeta`` (n,) the rows' own derivatives in zeta,
    where they are given.

    With ``frozen`` the modes are taken as given: no step is made, and a level whose observed
    information is not positive definite there has no mode.

    Returns the number of visits to a row, or -1 - l if level l has no mode.
    """
    cdef const double[::1] y = kernel.y, weights = kernel.weights, log_y = kernel.log_y
    cdef Kind kind = kind_of(kernel, par, False)
    cdef double passes
    with nogil:
        passes = laplace_of(kind, y, weights, log_y, expected, order, frozen, starts, Z, T, eta0, U,
                            at_mode, t, dT, sums, S_levels, H_levels, in_zeta)
    if passes == NO_MEMORY:
        raise MemoryError
    if passes == INTERRUPTED:
        pending()
    return passes


def displaced(
        kernel, const double[::1] par, bint expected, const int64_t[::1] starts,
        const double[:, ::1] Z, const double[:, :, ::1] T, const double[:, ::1] eta0,
        double[:, :, ::1] U, double[:, ::1] at_mode, double[:, ::1] t, double[:, :, ::1] dT,
        double[:, ::1] sums):
    """`laplace` with frozen modes at several parameters, one after the other.

    What differs between them has a leading axis. ``at_mode`` (4, n) is space to write on.
    """
    cdef Py_ssize_t d
    for d in range(par.shape[0]):
        if laplace(kernel, par[d], expected, 1, True, starts, Z, T[d], eta0[d], U[d], at_mode, t[d],
                   dT[d], sums[d]) < 0.0:
            return d
    return -1
