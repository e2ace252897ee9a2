# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The trust-region subproblem of a small dense quadratic model."""

include "trust.pxi"


def trust_step(const double[::1] g, double[:, ::1] V, double radius, double flat_share,
               double[::1] step, double[::1] free, double[:, ::1] work):
    """Minimise g's + s'|H|s/2 within ``radius``, |H| having the reflected eigenvalues of H.

    Parameters
    ----------
    g : (n,)
    V : (n, n)
        H; overwritten.
    radius : float
    flat_share : float
        Eigenvalues are raised to this share of the largest.
    step, free : (n,)
        The step, and the one without the radius.
    work : (4, max(3 n, 1))

    Returns
    -------
    promise : float
        Decrease of the model.
    length : float
    lowest, top : float
        Smallest eigenvalue, and the largest in absolute value; where H is far from flat bounds, one
        below the former and one above the latter.
    """
    cdef Trust t = step_within(
        <int> g.shape[0], &g[0], &V[0, 0], radius, flat_share, &step[0], &free[0], &work[0, 0])
    return t.promise, t.length, t.lowest, t.top


def to_unit_diagonal(const double[:, ::1] H, double smallest, double share,
                     double[::1] scale, double[:, ::1] scaled):
    """scaled <- diag(scale) H diag(scale), whose diagonal is +-1, or 0 where H's is negligible.

    Negligible is what is below ``smallest``, or below ``share`` of the largest.
    """
    cdef Py_ssize_t n = H.shape[0], i, j
    cdef double least = 0.0
    for i in range(n):
        least = fmax(least, fabs(H[i, i]))
    least = fmax(smallest, share * least)
    for i in range(n):
        scale[i] = 1.0 / sqrt(fabs(H[i, i])) if fabs(H[i, i]) >= least else 0.0
    for i in range(n):
        for j in range(n):
            scaled[i, j] = H[i, j] * scale[i] * scale[j]


def differ(const double[:, :] H, const double[:, :] other, double share):
    """Whether some |H - other|_ij is more than this share of sqrt(|H_ii H_jj|)."""
    cdef Py_ssize_t n = H.shape[0], i, j
    cdef double size
    for i in range(n):
        for j in range(n):
            size = sqrt(fabs(H[i, i])) * sqrt(fabs(H[j, j]))
            if fabs(H[i, j] - other[i, j]) > share * size:
                return True
    return False
