# The trust-region subproblem of a small dense quadratic model, and Newton's search with it.

from libc.math cimport INFINITY, M_E, NAN, fabs, fmax, fmin, isfinite, sqrt
from scipy.linalg.cython_lapack cimport dsyev

import numpy as np

# Those of `optimize/trust_region.py`, which says why.
cdef double FIRST_RADIUS = 1.0
cdef double LARGEST_RADIUS = 1e4
cdef double UNCERTAIN = 1e-10
cdef double FLAT_SHARE = 1e-10
cdef double SUSPECT_SHARE = 1e-4
cdef double BENT_SHARE = 2e-3
cdef double STRAIGHT = 1e-8
cdef double NOISE_OF_DIFFERENCE = 4e-12
cdef int MAX_ITERATIONS = 200
# Those of `optimize/curvature.py`.
cdef double NO_INFORMATION = 1e-10
cdef double SURE_PIVOT = 0.1
cdef double DOUBTFUL_SHARE = 1e-3
cdef double DOUBTFUL = 0.05

# Those of `optimize/quasi.py`, but for the steps.
cdef double SKIP_SHARE = 1e-8
cdef double SHORTEST = 1e-9
cdef int MAX_APPROACH = 50
cdef double REFRESH = 1.0
cdef int MAX_REFRESHED = 4

ctypedef struct Way:
    double value      # of the criterion where a search is
    double radius     # that it trusts its model within
    int evaluations   # so far
    int accepted      # points
    int refreshed     # models of the curvature made anew

ctypedef struct Trust:
    double promise    # decrease of the model, nan where H is not finite
    double length     # of the step
    double lowest     # eigenvalue of H
    double top        # the largest in absolute value


cdef double least_of_unit_diagonal(Py_ssize_t n, double* V, double* diagonal) noexcept nogil:
    """A bound that no eigenvalue of V, scaled to unit diagonal, is below; -1 if it is not definite.

    See `least_eigenvalue`. Cholesky's factor is written above the diagonal of V, and its own to
    ``diagonal`` (n,).
    """
    cdef Py_ssize_t i, j, l
    cdef double s, pivots = 1.0
    for j in range(n):
        for i in range(j, n):
            s = V[i * n + j]
            for l in range(j):
                s -= V[l * n + i] * V[l * n + j]
            if i > j:
                V[j * n + i] = s / diagonal[j]
            elif s > 0.0:
                pivots *= s / V[j * n + j]
                diagonal[j] = sqrt(s)
            else:
                return -1.0
    return pivots / M_E


cdef bint plain_step(Py_ssize_t n, const double* g, double* V, double radius, double* step,
                     double* free, double* diagonal, Trust* out) noexcept nogil:
    """The same by Cholesky's factor, where V is far from flat in any direction; whether it is.

    The factor is written above the diagonal of V, and its own to ``diagonal`` (n,).
    """
    cdef Py_ssize_t i, l
    cdef double s, least = INFINITY, trace = 0.0
    for i in range(n):
        trace += V[i * n + i]
        least = fmin(least, V[i * n + i])
    out.lowest, out.top = least_of_unit_diagonal(n, V, diagonal) * least, trace
    if not least > 0.0 or not out.lowest >= SUSPECT_SHARE * trace:
        return False
    out.promise = out.length = 0.0
    for i in range(n):
        s = g[i]
        for l in range(i):
            s -= V[l * n + i] * free[l]
        free[i] = s / diagonal[i]
        out.promise += 0.5 * free[i] * free[i]
    for i in range(n - 1, -1, -1):
        s = free[i]
        for l in range(i + 1, n):
            s -= V[i * n + l] * free[l]
        free[i] = s / diagonal[i]
        out.length += free[i] * free[i]
    out.length = sqrt(out.length)
    for i in range(n):
        free[i] = -free[i]
        step[i] = free[i]
    return out.length <= radius


cdef Trust step_within(int n, const double* g, double* V, double radius, double flat_share,
                       double* step, double* free, double* work) noexcept nogil:
    """Minimise g's + s'|H|s/2 within ``radius``, |H| having the reflected eigenvalues of H.

    V (n, n) is H, overwritten; ``free`` (n,) is the step without the radius; ``work`` needs
    4 max(3 n, 1) entries. Where H is far from flat its eigenvalues are bounds for them.
    """
    cdef int lwork = 3 * n, info = 0
    cdef Py_ssize_t i, j, wide = 3 * n if n else 1
    cdef double top = 1e-300, length = 0.0, promise = 0.0, mu = 0.0, norm, slope, s, push, low
    cdef double* values = work
    cdef double* along = work + wide
    cdef double* z = work + 2 * wide
    cdef double* scratch = work + 3 * wide
    cdef Trust out
    if plain_step(n, g, V, radius, step, free, work, &out):
        return out
    out.promise, out.length, out.lowest, out.top = NAN, 0.0, 0.0, 0.0
    dsyev(b"V", b"U", &n, V, &n, values, scratch, &lwork, &info)
    if info != 0:
        return out
    low = values[0]
    top = fmax(top, fmax(fabs(values[0]), fabs(values[n - 1])))
    for i in range(n):
        s = 0.0
        for j in range(n):
            s += V[i * n + j] * g[j]
        along[i] = s
        values[i] = fmax(fabs(values[i]), flat_share * top)
        z[i] = -s / values[i]
        length += z[i] * z[i]
    length = sqrt(length)
    for j in range(n):
        free[j] = 0.0
        for i in range(n):
            free[j] += V[i * n + j] * z[i]
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
            s += V[i * n + j] * z[i]
        step[j] = s
    out.promise, out.length, out.lowest, out.top = promise, length, low, top
    return out


cdef bint differs(Py_ssize_t n, const double* H, const double* other, double share) noexcept nogil:
    """Whether some |H - other|_ij is more than this share of sqrt(|H_ii H_jj|)."""
    cdef Py_ssize_t i, j
    cdef double size
    for i in range(n):
        for j in range(n):
            size = sqrt(fabs(H[i * n + i])) * sqrt(fabs(H[j * n + j]))
            if fabs(H[i * n + j] - other[i * n + j]) > share * size:
                return True
    return False


cdef bint doubtful(int n, const double* H, double* V, double* work) noexcept nogil:
    """Whether H is nearly flat somewhere: `_doubtful` of `optimize/curvature.py`.

    V (n, n) and ``work``, 5 n entries, are overwritten.
    """
    cdef int lwork = 4 * n, info = 0
    cdef Py_ssize_t i, j
    cdef double low = INFINITY, top = 0.0, least
    for i in range(n):
        if not H[i * n + i] > NO_INFORMATION:
            return True
        low = fmin(low, H[i * n + i])
    # in its own units, where no eigenvalue is above the smallest diagonal entry, and of unit diagonal
    if not low > DOUBTFUL:
        return True
    for i in range(n):
        for j in range(n):
            V[i * n + j] = H[i * n + j]
    least = least_of_unit_diagonal(n, V, work)
    if least > DOUBTFUL_SHARE * n and least * low > DOUBTFUL:
        return False
    dsyev(b"N", b"U", &n, V, &n, work, work + n, &lwork, &info)
    if info != 0 or not work[0] >= DOUBTFUL:
        return True
    for i in range(n):
        for j in range(n):
            V[i * n + j] = H[i * n + j] / sqrt(H[i * n + i] * H[j * n + j])
    dsyev(b"N", b"U", &n, V, &n, work, work + n, &lwork, &info)
    for i in range(n):
        top = fmax(top, fabs(work[i]))
    return info != 0 or not work[0] >= DOUBTFUL_SHARE * top


cdef inline double next_radius(double radius, double ratio, double length) noexcept nogil:
    """The radius after a step of this length and ratio of gain to promise."""
    if ratio < 0.25:
        return 0.25 * length
    if ratio > 0.75 and length > 0.9 * radius:
        return fmin(3.0 * radius, LARGEST_RADIUS)
    return radius


cdef inline double gain_ratio(Py_ssize_t n, double here, double there, double promise,
                              const double* g, const double* there_g) noexcept nogil:
    """Gain over promise; by the gradients where the values can no longer tell."""
    cdef Py_ssize_t i
    cdef double noise = NOISE_OF_DIFFERENCE * fmax(1.0, fabs(here)), smaller = 0.0
    if promise < noise and fabs(here - there) <= noise:
        for i in range(n):
            smaller += g[i] * g[i] - there_g[i] * there_g[i]
        return 1.0 if smaller > 0.0 else -1.0
    return (here - there) / promise
