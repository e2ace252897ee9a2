# Newton's search in a trust region as `optimize/trust_region.py` has it, without the interpreter.

include "trust.pxi"


cdef class Search:
    """A criterion over x (n_x,) and its minimum, for many responses one after the other.

    The twin of ``newton`` in optimize/trust_region.py, which says what is done and why, but for
    what it does not settle: a curvature that is no Hessian, or is nearly flat somewhere.
    """

    cdef Py_ssize_t n_x
    cdef double[::1] space
    cdef readonly bint exact    # the curvature of the last evaluation is the Hessian
    cdef bint lost              # the last evaluation is not to be relied on

    cdef void begin(self):
        """Allocate what a search works on."""
        self.space = np.empty(4 * self.n_x * self.n_x + 17 * self.n_x + 4)

    cdef double at(self, const double* x, int order, double* g, double* H) noexcept nogil:
        """The criterion, with gradient (1), with curvature (2); nan where there is none."""
        return NAN

    cdef bint model(self, const double* x, const double* g, double* B) noexcept nogil:
        """B <- a model of the curvature at x, where the last evaluation was; whether there is one."""
        return False

    cdef bint stopped(self) noexcept nogil:
        """Whether something was raised on the way: no evaluation is wanted any more."""
        return False

    cdef void approach(self, double* x, const double* first, double enough) noexcept nogil:
        """x <- nearer to the minimum, by gradients and symmetric rank-one updates of ``first``.

        ``first`` (n_x, n_x) is a model of the curvature, and the end where a step promises no more
        than ``enough``, or x where there is no way.
        """
        cdef Py_ssize_t n = self.n_x, i
        cdef double* g = &self.space[0] + n
        cdef double* B = g + 3 * n
        cdef Way way
        way.value = self.at(x, 1, g, NULL)
        if way.value != way.value or self.lost:
            return
        for i in range(n * n):
            B[i] = first[i]
        way.radius, way.evaluations, way.accepted = FIRST_RADIUS, 0, 0
        way.refreshed = MAX_REFRESHED
        self.go(x, g, B, enough, &way, NULL)

    cdef bint go(self, double* x, double* g, double* B, double enough, Way* way,
                 double* points) noexcept nogil:
        """x <- where a step promises no more than ``enough``, from there with gradient and model B.

        Whether there is such a point.

        The steps of `optimize/quasi.py` until the Hessian is wanted. Of the accepted points those
        that ``points`` (MAX_APPROACH, n_x + 1) has room for are kept there, with their values.
        """
        cdef Py_ssize_t n = self.n_x, i, j
        cdef double* new = &self.space[0]
        cdef double* step = new + 2 * n
        cdef double* free = step + n
        cdef double* V = free + n + n * n
        cdef double* missing = V + n * n
        cdef double* there_g = missing + n * n
        cdef double* work = there_g + n + n * n
        cdef double there, ratio, along, size, length
        cdef Trust t
        while way.evaluations < MAX_APPROACH:
            for i in range(n * n):
                V[i] = B[i]
            t = step_within(<int> n, g, V, way.radius, FLAT_SHARE, step, free, work)
            if not t.promise > enough or t.length < SHORTEST:
                return t.promise <= enough
            for i in range(n):
                new[i] = x[i] + step[i]
            there = self.at(new, 1, there_g, NULL)
            if self.stopped():
                return False
            way.evaluations += 1
            ratio = -INFINITY
            if isfinite(there):
                ratio = gain_ratio(n, way.value, there, t.promise, g, there_g)
                along = size = length = 0.0
                for i in range(n):
                    missing[i] = there_g[i] - g[i]
                    for j in range(n):
                        missing[i] -= B[i * n + j] * step[j]
                    along += missing[i] * step[i]
                    size += missing[i] * missing[i]
                    length += step[i] * step[i]
                if fabs(along) > SKIP_SHARE * sqrt(size * length) and isfinite(size / along):
                    for i in range(n):
                        for j in range(n):
                            B[i * n + j] += missing[i] * missing[j] / along
            way.radius = next_radius(way.radius, ratio, t.length)
            if not ratio > 1e-4:
                continue
            for i in range(n):
                x[i], g[i] = new[i], there_g[i]
            way.value = there
            if points != NULL:
                for i in range(n):
                    points[way.accepted * (n + 1) + i] = x[i]
                points[way.accepted * (n + 1) + n] = there
            way.accepted += 1
            if t.promise > REFRESH and way.refreshed < MAX_REFRESHED:
                way.evaluations += 1
                way.refreshed += 1
                if self.model(x, g, V):
                    for i in range(n * n):
                        B[i] = V[i]
        return False

    cdef bint minimum(self, double* x, const unsigned char* bounded, double snap, double stop,
                      double* value, double* gradient, double* curvature) noexcept nogil:
        """x <- the minimum that a search from it finds, and what holds there; whether it is sure.

        ``bounded`` entries nearer to zero than ``snap`` are put on it; a step that promises less
        than ``stop`` is the last. At the end the criterion is evaluated at x once more.
        """
        cdef Py_ssize_t n = self.n_x, i
        cdef int iteration
        cdef double* new = &self.space[0]
        cdef double* g = new + n
        cdef double* step = g + n
        cdef double* free = step + n
        cdef double* H = free + n
        cdef double* V = H + n * n
        cdef double* before = V + n * n
        cdef double* there_g = before + n * n
        cdef double* there_H = there_g + n
        cdef double* work = there_H + n * n
        cdef double here, there, ratio, radius = FIRST_RADIUS, promised = -1.0, noise
        cdef bint exact, anew
        cdef Trust t
        here = self.at(x, 2, g, H)
        exact = self.exact
        if here != here or self.lost:
            return False
        for iteration in range(MAX_ITERATIONS):
            for i in range(n * n):
                V[i] = H[i]
            t = step_within(<int> n, g, V, radius, FLAT_SHARE, step, free, work)
            if t.promise != t.promise or (not exact and t.promise <= UNCERTAIN):
                return False
            noise = NOISE_OF_DIFFERENCE * fmax(1.0, fabs(here))
            if exact and t.promise <= stop:
                anew = t.lowest < SUSPECT_SHARE * t.top or self.bends(
                    before, H, promised, t.promise, t.length)
                for i in range(n):
                    new[i] = x[i] + free[i]
                    if bounded[i] and fabs(new[i]) < snap:
                        new[i] = 0.0
                there = self.at(new, 2 if anew else 0, g, H)
                if self.lost or not there <= here + noise or (anew and not self.exact):
                    return False
                for i in range(n):
                    x[i] = new[i]
                    gradient[i] = g[i]
                for i in range(n * n):
                    curvature[i] = H[i]
                value[0] = there
                return self.sure(H, V)
            there = self.at_trial(x, step, new, there_g, there_H)
            if self.lost:
                return False
            ratio = gain_ratio(n, here, there, t.promise, g, there_g) if there == there else -INFINITY
            radius = next_radius(radius, ratio, t.length)
            if ratio > 1e-4:
                promised = t.promise
                for i in range(n * n):
                    before[i] = H[i]
                    H[i] = there_H[i]
                for i in range(n):
                    x[i] = new[i]
                    g[i] = there_g[i]
                here, exact = there, self.exact
            elif t.length < 1e-12:
                return False
        return False

    cdef double at_trial(self, const double* x, const double* step, double* new, double* g,
                         double* H) noexcept nogil:
        cdef Py_ssize_t i
        for i in range(self.n_x):
            new[i] = x[i] + step[i]
        return self.at(new, 2, g, H)

    cdef bint bends(self, const double* before, const double* H, double promised, double promise,
                    double length) noexcept nogil:
        """Whether the curvature will change in the last step, by what it did in the one before."""
        if length < STRAIGHT:
            return False
        if promised < 0.0:
            return True
        return differs(self.n_x, H, before,
                       BENT_SHARE * sqrt(promised / promise) if promise > 0.0 else INFINITY)

    cdef bint sure(self, const double* H, double* L) noexcept nogil:
        """Whether H, scaled to unit diagonal, is far from flat in every direction."""
        cdef Py_ssize_t n = self.n_x, i, j, l
        cdef double s
        for i in range(n):
            if not H[i * n + i] > NO_INFORMATION:
                return False
        for i in range(n):
            for j in range(i + 1):
                s = H[i * n + j] / sqrt(H[i * n + i] * H[j * n + j])
                for l in range(j):
                    s -= L[i * n + l] * L[j * n + l]
                if i == j:
                    if not s > SURE_PIVOT * SURE_PIVOT:
                        return False
                    L[i * n + i] = sqrt(s)
                else:
                    L[i * n + j] = s / L[j * n + j]
        return True

    cdef bint best(self, double[:, ::1] starts, const unsigned char[::1] bounded, double snap,
                   double stop, double lower, const double* first, double enough, double* x,
                   double* value, double* gradient, double* curvature) noexcept nogil:
        """The lowest minimum from several starts (s, n_x), which are overwritten.

        A later one counts where it is lower by the share ``lower``. The last evaluation is of it.
        Where Hessians are dear ``first`` and ``enough`` are those of `approach`, else NULL.
        """
        cdef Py_ssize_t s, i, n = self.n_x, best = 0
        for s in range(starts.shape[0]):
            if first != NULL:
                self.approach(&starts[s, 0], first, enough)
            if not self.minimum(&starts[s, 0], &bounded[0], snap, stop, value + s,
                                gradient, curvature):
                return False
            if value[s] < value[best] - lower * (1.0 + fabs(value[best])):
                best = s
        if best != starts.shape[0] - 1:
            for i in range(n):
                x[i] = starts[best, i]
            value[0] = self.at(x, 2, gradient, curvature)
            return not self.lost and self.exact
        for i in range(n):
            x[i] = starts[best, i]
        value[0] = value[best]
        return True
