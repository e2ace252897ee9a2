# cython: boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The trust-region subproblem of a small dense quadratic model."""

from libc.math cimport fabs, fmax, fmin, sqrt
from scipy.linalg.cython_lapack cimport dsyev


def trust_step(const double[::1] g, double[:, ::1] V, double radius, double flat_share,
               double[::1] step, double[::1] free, double[:, ::1] work):
    """Minimise g's + s'|H|s/2 within ``radius``, |H| having the reflected eigenvalues of H.

    Parameters
    ----------
    g : (n,)
    V : (n, n)
        H; overwritten by its eigenvectors (rows).
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
        Smallest eigenvalue, and the largest in absolute value.
    """
    cdef int n = g.shape[0], lwork = 3 * n, info = 0
    cdef Py_ssize_t i, j
    cdef double top = 1e-300, length = 0.0, promise = 0.0, mu = 0.0, norm, slope, s, push, low
    cdef double* values = &work[0, 0]
    cdef double* along = &work[1, 0]
    cdef double* z = &work[2, 0]
    cdef double* scratch = &work[3, 0]
    dsyev(b"V", b"U", &n, &V[0, 0], &n, values, scratch, &lwork, &info)
    if info != 0:
        return float("nan"), 0.0, 0.0, 0.0
    low = values[0]
    top = fmax(top, fmax(fabs(values[0]), fabs(values[n - 1])))
    for i in range(n):
        s = 0.0
        for j in range(n):
            s += V[i, j] * g[j]
        along[i] = s
        values[i] = fmax(fabs(values[i]), flat_share * top)
        z[i] = -s / values[i]
        length += z[i] * z[i]
    length = sqrt(length)
    for j in range(n):
        free[j] = 0.0
        for i in range(n):
            free[j] += V[i, j] * z[i]
    if length > radius:
        for _ in range(30):
            norm = slope = 0.0
            for i in range(n):
                s = along[i] / (values[i] + mu)
                norm += s * s
                slope += s * s / (values[i] + mu)
            norm = sqrt(norm)
            if fabs(norm - radius) < 1e-3 * radius:
                break
            mu = fmax(mu + (norm - radius) / radius * norm * norm / slope, 0.0)
        length = 0.0
        for i in range(n):
            z[i] = -along[i] / (values[i] + mu)
            length += z[i] * z[i]
        length = sqrt(length)
    for i in range(n):
        promise -= along[i] * z[i] + 0.5 * values[i] * z[i] * z[i]
    # Leave a saddle: the gradient is blind along it, the curvature is not.
    push = 0.5 * fmin(radius, 1.0)
    if low < -1e-6 * top and fabs(z[0]) < 1e-2 * push:
        z[0] = push if along[0] <= 0.0 else -push
        promise += 0.5 * fabs(low) * push * push
        length = 0.0
        for i in range(n):
            length += z[i] * z[i]
        length = sqrt(length)
    for j in range(n):
        s = 0.0
        for i in range(n):
            s += V[i, j] * z[i]
        step[j] = s
    return promise, length, low, top


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
    for i in range(n):
        for j in range(n):
            if fabs(H[i, j] - other[i, j]) > share * (sqrt(fabs(H[i, i])) * sqrt(fabs(H[j, j]))):
                return True
    return False
