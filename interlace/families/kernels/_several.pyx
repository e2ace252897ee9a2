# distutils: language = c++
# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Rows of log-densities with several linear predictors: the templates of several.hpp over arrays."""

include "several.pxi"

cdef extern from "several.hpp" namespace "several" nogil:
    void derivatives(const Kind&, int, int, ptrdiff_t, const double*, const double*,
                     const double*, const double*, double*, double*, double*) noexcept
    void contracted(const Kind&, int, ptrdiff_t, const double*, const double*,
                    const double*, const double*, const double*, double*) noexcept


def fill(tuple spec, int order, const double[:, ::1] eta, const double[::1] y,
         const double[::1] weights, const double[::1] trials, double[::1] value,
         double[:, ::1] score, double[:, ::1] information):
    """Values (n,), scores (K, n) and packed information up to an order; others may be empty."""
    cdef Py_ssize_t n = eta.shape[1]
    cdef int K = eta.shape[0]
    cdef Kind kind = kind_of(spec)
    if n == 0:
        return
    cdef double* first = &score[0, 0] if order > 0 else NULL
    cdef double* second = &information[0, 0] if order > 1 else NULL
    with nogil:
        derivatives(kind, K, order, n, &eta[0, 0], &y[0], &weights[0], &trials[0], &value[0],
                    first, second)


def contract(tuple spec, const double[:, ::1] eta, const double[::1] y,
             const double[::1] weights, const double[::1] trials, const double[:, ::1] H,
             double[:, ::1] out):
    """Derivatives of the information contracted with packed matrices H, (K, n)."""
    cdef Py_ssize_t n = eta.shape[1]
    cdef int K = eta.shape[0]
    cdef Kind kind = kind_of(spec)
    if n == 0:
        return
    with nogil:
        contracted(kind, K, n, &eta[0, 0], &y[0], &weights[0], &trials[0], &H[0, 0], &out[0, 0])


cdef extern from "series.hpp" namespace "several" nogil:
    void tweedie_parts(int, ptrdiff_t, const double*, const double*, const double*, double*) noexcept
    void conway_maxwell_parts(int, ptrdiff_t, const double*, const double*, const double*,
                              double*) noexcept


def tweedie_series(int order, const double[::1] log_y, const double[::1] log_phi,
                   const double[::1] psi, double[:, ::1] out):
    """The part of Tweedie's log-density without the mean, (10, n): its jet in log phi and psi."""
    if log_y.shape[0] > 0:
        with nogil:
            tweedie_parts(order, log_y.shape[0], &log_y[0], &log_phi[0], &psi[0], &out[0, 0])


def conway_maxwell(int order, const double[::1] log_mean, const double[::1] log_nu,
                   const double[::1] y, double[:, ::1] out):
    """Log-densities of counts, (10, n): jets in log mean and log nu."""
    if y.shape[0] > 0:
        with nogil:
            conway_maxwell_parts(order, y.shape[0], &log_mean[0], &log_nu[0], &y[0], &out[0, 0])
