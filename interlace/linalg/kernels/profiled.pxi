# The profiled deviance of a linear mixed model over entries of T: what all of its compiled twins share.

from libc.math cimport log
from libc.stdint cimport int64_t

include "search.pxi"

cdef double LOG_2PI = 1.8378770664093453


cdef class Profiled(Search):
    """The criterion of ``Deviance`` in interlace/objective/linear/deviance.py, which has the formulas.

    What differs by model is `whiten`, `slope` and `known`. Parameters x are entries of T: ``q`` of
    them; K (m, m) is [X y]'V^{-1}[X y], m = p + 1.
    """

    cdef const int64_t[::1] rows, cols
    cdef double df, constant
    cdef bint reml
    cdef double[:, ::1] K, C, J, s, L
    cdef double[::1] c, a, diagonal
    cdef Py_ssize_t m, p, q
    cdef readonly double r2, share
    #: Whether the last evaluation asks for more care with digits than is taken here.
    cdef readonly bint beyond
    #: Sum of squares and share of it below which a search leaves a response to others.
    cdef double least, least_share

    cdef void share_out(self, rows, cols, Py_ssize_t m, double df, bint reml, double constant):
        """Take the entries of T that x fills and the criterion; allocate what all models have."""
        cdef Py_ssize_t p = m - 1, q = rows.shape[0]
        self.rows, self.cols = rows, cols
        self.df, self.reml, self.constant = df, reml, constant
        self.m, self.p, self.q, self.n_x = m, p, q, q
        self.least = self.least_share = -1.0
        self.beyond = False
        self.K, self.L = np.empty((m, m)), np.empty((q, q))
        # a view of an array costs as much as an evaluation of a small model: few arrays, sliced
        cdef double[:, :, ::1] corners = np.empty((2, p, p))
        cdef double[::1] vectors = np.empty(m + 2 * q)
        self.C, self.J = corners[0], corners[1]
        self.s = np.empty((q, p))
        self.c, self.a = vectors[:m], vectors[m : m + q]
        self.diagonal = vectors[m + q :]

    cdef double whiten(self, const double* x) noexcept nogil:
        """K <- [X y]'V^{-1}[X y] at x, its lower half; log|M|, nan where it is not found."""
        return NAN

    cdef void slope(self, double r2, int order, double* gradient, double* out) noexcept nogil:
        """The gradient; with order 2 the Hessian below the diagonal of ``out`` and in ``diagonal``,
        average information plus `known` on and above it."""

    cdef double known(self, Py_ssize_t e, Py_ssize_t f) noexcept nogil:
        """2 tr(dT_e'N dT_f) of two entries."""
        return 0.0

    def evaluate(self, const double[::1] x, int order, double[::1] gradient, double[:, ::1] H):
        """The criterion; gradient (order 1) and curvature (order 2) are written to the arrays.

        NaN if the corner is not positive definite. ``exact`` says whether the curvature is the
        Hessian (positive definite) or average information plus 2 N (x) I; ``r2`` is the profiled
        residual sum of squares, ``share`` its share of what it was subtracted from.
        """
        cdef double value
        with nogil:
            value = self.at(&x[0], order, &gradient[0] if order > 0 else NULL,
                            &H[0, 0] if order > 1 else NULL)
        return value

    cdef double at(self, const double* x, int order, double* gradient, double* H) noexcept nogil:
        cdef double value, r2
        cdef Py_ssize_t e
        value = self.whiten(x)
        if value != value:
            self.lost, self.r2, self.share = True, NAN, NAN
            return NAN
        r2 = self.profile()
        self.lost = not (r2 > self.least and self.share >= self.least_share)
        if not r2 > 0.0:
            return NAN
        value += self.df * (1.0 + LOG_2PI + log(r2 / self.df)) + self.constant
        if self.reml:
            for e in range(self.p):
                value += 2.0 * log(self.K[e, e])
        if order > 0:
            self.slope(r2, order, gradient, H)
        if order > 1:
            self.exact = self.keep_hessian(H)
        return value

    def hessian(self, const double[::1] x):
        """The Hessian, positive definite or not, (q, q)."""
        H = np.empty((self.q, self.q))
        cdef double[:, ::1] out = H
        cdef double[::1] gradient = np.empty(self.q)
        value = self.evaluate(x, 0, gradient, out)
        if value == value:
            root = self.K[self.p, self.p]
            self.slope(root * root, 2, &gradient[0], &out[0, 0])
            H = np.tril(H, -1)
            H += H.T + np.diag(self.diagonal)
        return H

    def corner(self):
        """r^2, c = [-beta; 1] and (X'V^{-1}X)^{-1} of the last evaluation."""
        cdef double root = self.K[self.p, self.p]
        return root * root, np.array(self.c), np.array(self.C)

    cdef double profile(self) noexcept nogil:
        """K <- its Cholesky factor; J its inverse, C = J'J, c = [-beta; 1]; returns r^2."""
        cdef Py_ssize_t i, j, l, m = self.m, p = self.p
        cdef double s
        cdef double[:, ::1] K = self.K, C = self.C, J = self.J
        self.share, self.r2 = K[p, p], NAN
        for i in range(m):
            for j in range(i + 1):
                s = K[i, j]
                for l in range(j):
                    s -= K[i, l] * K[j, l]
                if i == p and j == p:
                    self.r2 = s
                if i == j:
                    if not s > 0.0:
                        return NAN
                    K[i, i] = sqrt(s)
                else:
                    K[i, j] = s / K[j, j]
        for j in range(p):
            J[j, j] = 1.0 / K[j, j]
            for i in range(j + 1, p):
                s = 0.0
                for l in range(j, i):
                    s -= K[i, l] * J[l, j]
                J[i, j] = s / K[i, i]
        for i in range(p):
            for j in range(i + 1):
                s = 0.0
                for l in range(i, p):
                    s += J[l, i] * J[l, j]
                C[i, j] = s
                C[j, i] = s
            s = 0.0
            for l in range(i, p):
                s += J[l, i] * K[p, l]
            self.c[i] = -s
        self.c[p] = 1.0
        self.share = self.r2 / self.share
        return self.r2

    cdef void put_curvature(self, Py_ssize_t e, Py_ssize_t f, double r2, double quad, double trace,
                            double* H) noexcept nogil:
        """The Hessian and the safe curvature of two entries; section 4 of the mathematics page.

        ``quad`` is y'PV_ePV_fPy and ``trace`` tr(QV_eQV_f), e >= f.
        """
        cdef Py_ssize_t q = self.q
        cdef double known = self.known(e, f), t = self.a[e] * self.a[f] / (r2 * r2)
        cdef double ai = self.df * (quad / r2 - t)
        H[e * q + f] = known + 2.0 * ai + self.df * t - trace
        if e == f:
            self.diagonal[e] = H[e * q + e]
        H[f * q + e] = known + ai

    cdef bint keep_hessian(self, double* H) noexcept nogil:
        """Keep the Hessian if it is positive definite, else the other half."""
        cdef Py_ssize_t i, j, l, q = self.q
        cdef double s
        cdef double[:, ::1] L = self.L
        cdef bint ok = True
        for i in range(q):
            for j in range(i + 1):
                s = H[i * q + j] if i != j else self.diagonal[i]
                for l in range(j):
                    s -= L[i, l] * L[j, l]
                if i == j:
                    if not s > 0.0:
                        ok = False
                        break
                    L[i, i] = sqrt(s)
                else:
                    L[i, j] = s / L[j, j]
            if not ok:
                break
        for i in range(q):
            if ok:
                H[i * q + i] = self.diagonal[i]
            for j in range(i):
                if ok:
                    H[j * q + i] = H[i * q + j]
                else:
                    H[i * q + j] = H[j * q + i]
        return ok

    def searched(self, const double[:, :, ::1] sums, const double[:, ::1] within,
                 const double[::1] squares, const double[::1] least, double least_share,
                 double[:, :, :] effects, double[:, ::1] corner, const double[:, ::1] starts,
                 const unsigned char[::1] bounded, tuple rule, double[:, ::1] x,
                 double[::1] value, double[:, ::1] gradient, double[:, :, ::1] H,
                 double[:, ::1] beta, double[::1] r2, unsigned char[::1] sure):
        """The minimum for each of many responses, without the interpreter.

        Of response i are ``sums[i]`` (l, k), those of each effect, and ``within[i]`` (p,) and
        ``squares[i]``, X'y and y'y or what is left of them; they are written to ``effects``
        (l, k, m) and ``corner`` (m, m), parts of the arrays that this object was made with. A response is given up where
        the residual sum of squares is not above ``least[i]``, or below the share ``least_share``.
        ``starts`` (s, q) are those of each search; ``rule`` is what is put on a bound, the promise
        of a last step, and the share by which a further minimum is lower. Filled: x, the criterion,
        its derivatives, coefficients less those taken from the response, r^2, and whether the
        minimum is ``sure``.
        """
        cdef Py_ssize_t i, l, j, p = self.p, q = self.q
        cdef double snap = rule[0], stop = rule[1], lower = rule[2]
        cdef double[:, ::1] own = np.empty((starts.shape[0], q))
        cdef double[::1] values = np.empty(starts.shape[0])
        self.least_share = least_share
        self.begin()
        with nogil:
            for i in range(sums.shape[0]):
                for l in range(sums.shape[1]):
                    for j in range(sums.shape[2]):
                        effects[l, j, p] = sums[i, l, j]
                for j in range(p):
                    corner[p, j] = corner[j, p] = within[i, j]
                corner[p, p] = squares[i]
                for l in range(starts.shape[0]):
                    for j in range(q):
                        own[l, j] = starts[l, j]
                self.least = least[i]
                sure[i] = self.best(own, bounded, snap, stop, lower, NULL, 0.0, &x[i, 0], &values[0],
                                    &gradient[i, 0], &H[i, 0, 0])
                value[i], r2[i] = values[0], self.r2
                for j in range(p):
                    beta[i, j] = self.c[j]
        self.least = self.least_share = -1.0
