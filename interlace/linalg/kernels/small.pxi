# What loops over levels share: when a search for modes ends, and algebra of small matrices.

from libc.math cimport fabs, sqrt

# Newton's decrement at which the mode is exact in double precision
cdef double DECREMENT = 1e-24
# ... at which a further step that does not lower it is rounding
cdef double ROUNDING = 1e-16
# ... at which a step is not asked whether it gains: rounding of eta hides as much of large counts
cdef double TRUSTED = 1e-9
# ... and at which it still serves when the steps are used up
cdef double LOOSE = 1e-8
cdef int MAX_STEPS = 500
cdef int MAX_HALVINGS = 40


cdef inline bint cholesky(double* A, Py_ssize_t k) noexcept nogil:
    """A <- L (lower triangle, row-major); False if A is not positive definite."""
    cdef Py_ssize_t a, b, c
    cdef double s
    for a in range(k):
        for b in range(a + 1):
            s = A[a * k + b]
            for c in range(b):
                s -= A[a * k + c] * A[b * k + c]
            if a == b:
                if not s > 0.0:
                    return False
                A[a * k + a] = sqrt(s)
            else:
                A[a * k + b] = s / A[b * k + b]
    return True


cdef inline void solve(double* L, double* x, Py_ssize_t k) noexcept nogil:
    """x <- (LL')^{-1} x."""
    cdef Py_ssize_t a, c
    for a in range(k):
        for c in range(a):
            x[a] -= L[a * k + c] * x[c]
        x[a] /= L[a * k + a]
    for a in range(k - 1, -1, -1):
        for c in range(a + 1, k):
            x[a] -= L[c * k + a] * x[c]
        x[a] /= L[a * k + a]


cdef inline void invert(double* L, double* S, Py_ssize_t k) noexcept nogil:
    """S <- (LL')^{-1}, (k, k)."""
    cdef Py_ssize_t a, b
    for b in range(k):
        for a in range(k):
            S[b * k + a] = 1.0 if a == b else 0.0
        solve(L, S + b * k, k)


cdef inline void absolute(double* W, int K) noexcept nogil:
    """W <- |W| = (W'W)^(1/2) of a packed symmetric matrix, K <= 3, by Jacobi's rotations."""
    cdef double A[9]
    cdef double V[9]
    cdef int a, b, c, sweep
    cdef double tau, t, cosine, sine, x, y
    for a in range(K):
        for b in range(K):
            A[a * K + b] = W[a * (a + 1) // 2 + b] if a >= b else W[b * (b + 1) // 2 + a]
            V[a * K + b] = 1.0 if a == b else 0.0
    for sweep in range(10):
        for a in range(K - 1):
            for b in range(a + 1, K):
                if A[a * K + b] == 0.0:
                    continue
                tau = (A[b * K + b] - A[a * K + a]) / (2.0 * A[a * K + b])
                t = (1.0 if tau >= 0.0 else -1.0) / (fabs(tau) + sqrt(1.0 + tau * tau))
                cosine = 1.0 / sqrt(1.0 + t * t)
                sine = t * cosine
                for c in range(K):
                    x, y = A[c * K + a], A[c * K + b]
                    A[c * K + a], A[c * K + b] = cosine * x - sine * y, sine * x + cosine * y
                    x, y = V[c * K + a], V[c * K + b]
                    V[c * K + a], V[c * K + b] = cosine * x - sine * y, sine * x + cosine * y
                for c in range(K):
                    x, y = A[a * K + c], A[b * K + c]
                    A[a * K + c], A[b * K + c] = cosine * x - sine * y, sine * x + cosine * y
    for a in range(K):
        for b in range(a + 1):
            x = 0.0
            for c in range(K):
                x += V[a * K + c] * fabs(A[c * K + c]) * V[b * K + c]
            W[a * (a + 1) // 2 + b] = x
