# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Many small dense blocks at once: factorise, eliminate, invert.

Arrays are C-contiguous float64; `l` counts levels, `k` is the width of a block. Every function is
described by a few lines of numpy in ``tests/helpers/numpy_kernels.py``.
"""

from libc.math cimport fabs, log, sqrt


cdef int cholesky(double* D, int k) noexcept nogil:
    """Lower Cholesky factor of the symmetric D (k, k) in place, upper triangle zeroed; 1 if D is
    not positive definite."""
    cdef int i, j, m
    cdef double s
    for j in range(k):
        s = D[j * k + j]
        for m in range(j):
            s -= D[j * k + m] * D[j * k + m]
        if not s > 0.0:
            return 1
        s = sqrt(s)
        D[j * k + j] = s
        for i in range(j + 1, k):
            D[j * k + i] = 0.0
            for m in range(j):
                D[i * k + j] -= D[i * k + m] * D[j * k + m]
            D[i * k + j] /= s
    return 0


cdef void forward(const double* L, int k, double* B, int ldb, int n) noexcept nogil:
    """B (k, n), rows ldb apart, becomes L^{-1} B."""
    cdef int i, m, c
    cdef double f
    for i in range(k):
        for m in range(i):
            f = L[i * k + m]
            for c in range(n):
                B[i * ldb + c] -= f * B[m * ldb + c]
        f = 1.0 / L[i * k + i]
        for c in range(n):
            B[i * ldb + c] *= f


cdef void backward(const double* L, int k, double* B, int ldb, int n) noexcept nogil:
    """B (k, n), rows ldb apart, becomes L^{-T} B."""
    cdef int i, m, c
    cdef double f
    for i in range(k - 1, -1, -1):
        for m in range(i + 1, k):
            f = L[m * k + i]
            for c in range(n):
                B[i * ldb + c] -= f * B[m * ldb + c]
        f = 1.0 / L[i * k + i]
        for c in range(n):
            B[i * ldb + c] *= f


cdef void transpose_times(const double* T, int k, const double* A, int lda, int n,
                          double* out, int ldo) noexcept nogil:
    """out (k, n) = T'A for lower-triangular T (k, k)."""
    cdef int i, m, c
    cdef double f
    for i in range(k):
        for c in range(n):
            out[i * ldo + c] = 0.0
        for m in range(i, k):
            f = T[m * k + i]
            for c in range(n):
                out[i * ldo + c] += f * A[m * lda + c]


cdef int scaled_cholesky(const double* A, int lda, const double* T, int k, double* L,
                         double* work) noexcept nogil:
    """L = chol(T'AT + I)."""
    cdef int i, j, m
    cdef double s
    transpose_times(T, k, A, lda, k, work, k)
    for i in range(k):
        for j in range(i + 1):
            s = 1.0 if i == j else 0.0
            for m in range(j, k):
                s += work[i * k + m] * T[m * k + j]
            L[i * k + j] = s
    return cholesky(L, k)


cdef double diagonal_product(const double* L, int k) noexcept nogil:
    cdef int i
    cdef double s = 1.0
    for i in range(k):
        s *= L[i * k + i]
    return s


def factor_blocks(const double[:, :, ::1] A, const double[:, ::1] T, double[:, :, ::1] L,
                  double[::1] work):
    """L[l] = chol(T'A[l]T + I); returns Σ log|L[l]|² (NaN if a block is not positive definite).

    work: (k * k,).
    """
    cdef Py_ssize_t l, n = A.shape[0]
    cdef int k = A.shape[1], failed = 0
    cdef double total = 0.0, product = 1.0, s, t00, t10, t11, d00, d10, d11, p00, p10
    with nogil:
        if k == 1:
            s = T[0, 0] * T[0, 0]
            for l in range(n):
                d00 = 1.0 + s * A[l, 0, 0]
                failed |= not d00 > 0.0
                L[l, 0, 0] = sqrt(d00)
                product *= d00
                if not 1e-150 < product < 1e150:
                    total += log(product)
                    product = 1.0
        elif k == 2:
            t00 = T[0, 0]
            t10 = T[1, 0]
            t11 = T[1, 1]
            for l in range(n):
                p00 = t00 * A[l, 0, 0] + t10 * A[l, 1, 0]
                p10 = t00 * A[l, 1, 0] + t10 * A[l, 1, 1]
                d00 = 1.0 + p00 * t00 + p10 * t10
                d10 = t11 * p10
                d11 = 1.0 + t11 * t11 * A[l, 1, 1]
                failed |= not d00 > 0.0
                d00 = sqrt(d00)
                d10 /= d00
                d11 = d11 - d10 * d10
                failed |= not d11 > 0.0
                product *= d00 * d00 * d11
                d11 = sqrt(d11)
                L[l, 0, 0] = d00
                L[l, 0, 1] = 0.0
                L[l, 1, 0] = d10
                L[l, 1, 1] = d11
                if not 1e-150 < product < 1e150:
                    total += log(product)
                    product = 1.0
        else:
            for l in range(n):
                failed |= scaled_cholesky(&A[l, 0, 0], k, &T[0, 0], k, &L[l, 0, 0], &work[0])
                s = diagonal_product(&L[l, 0, 0], k)
                total += 2.0 * log(s)
    if failed:
        return float("nan")
    return total + log(product)


def level_bracket(const double[:, :, :] S, double[:, ::1] out):
    """out (k, k) = Σ_l {I - S[l]}."""
    cdef Py_ssize_t l
    cdef int k = S.shape[1], i, j
    cdef double s, one
    with nogil:
        for i in range(k):
            for j in range(k):
                one = 1.0 if i == j else 0.0
                s = 0.0
                for l in range(S.shape[0]):
                    s += one - S[l, i, j]
                out[i, j] = s


def solve_blocks(const double[:, :, ::1] L, double[:, :, ::1] B, bint transposed):
    """B[l] (k, n) becomes L[l]^{-1} B[l], or L[l]^{-T} B[l] if transposed."""
    cdef Py_ssize_t l
    cdef int k = L.shape[1], n = B.shape[2]
    with nogil:
        for l in range(L.shape[0]):
            if transposed:
                backward(&L[l, 0, 0], k, &B[l, 0, 0], n, n)
            else:
                forward(&L[l, 0, 0], k, &B[l, 0, 0], n, n)


cdef void sandwich(const double* L, int k, double* K, double* work) noexcept nogil:
    """The symmetric K (k, k) becomes L^{-T} K L^{-1}. work: k²."""
    cdef int i, j
    backward(L, k, K, k, k)
    for i in range(k):
        for j in range(k):
            work[j * k + i] = K[i * k + j]
    backward(L, k, work, k, k)
    for i in range(k):
        for j in range(i + 1):
            K[i * k + j] = work[i * k + j]
            K[j * k + i] = work[i * k + j]


def invert_blocks(const double[:, :, ::1] L, const double[:, :, ::1] inner, double[:, :, ::1] out,
                  double[::1] work):
    """out[l] = L[l]^{-T} (I + inner[l]) L[l]^{-1}; an empty inner (0 levels) stands for zeros.

    work: (k * k,).
    """
    cdef Py_ssize_t l
    cdef int k = L.shape[1], i, j
    cdef bint plain = inner.shape[0] == 0
    cdef double f, d00, d10, d11, w00, w10, w11
    with nogil:
        if k == 1:
            for l in range(L.shape[0]):
                f = 1.0 / L[l, 0, 0]
                out[l, 0, 0] = f * f * (1.0 if plain else 1.0 + inner[l, 0, 0])
        elif k == 2:
            w00 = w11 = 1.0
            w10 = 0.0
            for l in range(L.shape[0]):
                d00 = 1.0 / L[l, 0, 0]
                d11 = 1.0 / L[l, 1, 1]
                d10 = -L[l, 1, 0] * d00 * d11
                if not plain:
                    w00 = 1.0 + inner[l, 0, 0]
                    w10 = inner[l, 1, 0]
                    w11 = 1.0 + inner[l, 1, 1]
                f = d11 * (w10 * d00 + w11 * d10)
                out[l, 1, 0] = f
                out[l, 0, 1] = f
                out[l, 0, 0] = d00 * (w00 * d00 + w10 * d10) + d10 * (w10 * d00 + w11 * d10)
                out[l, 1, 1] = d11 * d11 * w11
        else:
            for l in range(L.shape[0]):
                for i in range(k):
                    for j in range(k):
                        out[l, i, j] = 0.0 if plain else inner[l, i, j]
                    out[l, i, i] += 1.0
                sandwich(&L[l, 0, 0], k, &out[l, 0, 0], &work[0])


def start_fronts(const double[:, :, ::1] A, double[:, :, ::1] F):
    """Frontal matrices (K, K) of zeros with A[l] (k, k) as their leading block."""
    cdef Py_ssize_t l
    cdef int k = A.shape[1], K = F.shape[1], i, j
    cdef double* f
    with nogil:
        for l in range(A.shape[0]):
            f = &F[l, 0, 0]
            for i in range(K * K):
                f[i] = 0.0
            for i in range(k):
                for j in range(k):
                    f[i * K + j] = A[l, i, j]


def couple_fronts(const double[:, :, ::1] values, int column, double[:, :, ::1] F):
    """The first k rows of F[l] from `column` on become values[l] (k, m)."""
    cdef Py_ssize_t l
    cdef int i, j
    with nogil:
        for l in range(values.shape[0]):
            for i in range(values.shape[1]):
                for j in range(values.shape[2]):
                    F[l, i, column + j] = values[l, i, j]


def eliminate_fronts(const double[:, :, ::1] F, const double[:, ::1] T, const int[::1] parent,
                     double[:, :, ::1] F_up, double[:, :, ::1] L, double[:, :, ::1] H,
                     double[::1] work):
    """Eliminate the first k = T.shape[0] columns of each frontal matrix F[l] (K, K).

    L[l] = chol(T'F_11 T + I), H[l] = L[l]^{-1}T'F_12 (k, K - k), and
    F_up[parent[l]] += F_22 - H[l]'H[l]. Returns Σ log|L[l]|² (NaN on failure). work: (k * k,).
    """
    cdef Py_ssize_t l
    cdef int K = F.shape[1], k = T.shape[0], n = K - k, i, a, b, failed = 0
    cdef double total = 0.0, product = 1.0, f, t = T[0, 0]
    cdef const double* front
    cdef double* h
    cdef double* up
    with nogil:
        for l in range(F.shape[0]):
            front = &F[l, 0, 0]
            h = &H[l, 0, 0]
            if k == 1:
                f = 1.0 + t * t * front[0]
                failed |= not f > 0.0
                f = sqrt(f)
                L[l, 0, 0] = f
                product *= f
                f = t / f
                for a in range(n):
                    h[a] = f * front[1 + a]
            else:
                failed |= scaled_cholesky(front, K, &T[0, 0], k, &L[l, 0, 0], &work[0])
                product *= diagonal_product(&L[l, 0, 0], k)
                transpose_times(&T[0, 0], k, front + k, K, n, h, n)
                forward(&L[l, 0, 0], k, h, n, n)
            if not 1e-150 < product < 1e150:
                total += log(product)
                product = 1.0
            up = &F_up[parent[l], 0, 0]
            for a in range(n):
                for b in range(n):
                    up[a * n + b] += front[(k + a) * K + k + b]
                for i in range(k):
                    f = h[i * n + a]
                    for b in range(n):
                        up[a * n + b] -= f * h[i * n + b]
    if failed:
        return float("nan")
    return 2.0 * (total + log(product))


def invert_fronts(const double[:, :, ::1] L, const double[:, :, ::1] H,
                  const double[:, ::1] T_above, const int[::1] parent,
                  const double[:, :, ::1] S_up, double[:, :, ::1] S, double[::1] work):
    """One step from the root down: M^{-1} on each front (K, K) from that of its parent.

    With J = H[l] T_above (k, K - k), T_above the templates of the ancestors as one block-diagonal
    matrix, and S_p = S_up[parent[l]]:
    S[l] = [[L^{-T}(I + J S_p J')L^{-1}, -L^{-T} J S_p], [., S_p]]. work: (2 * k * K,).
    """
    cdef Py_ssize_t l
    cdef int k = L.shape[1], n = H.shape[2], K = k + n, i, j, m
    cdef double s
    cdef const double* up
    cdef double* out
    cdef double* J = &work[0]
    cdef double* JS = J + k * n
    cdef double* B = JS + k * n
    cdef double* spare = B + k * k
    with nogil:
        for l in range(L.shape[0]):
            up = &S_up[parent[l], 0, 0]
            out = &S[l, 0, 0]
            for i in range(k):
                for j in range(n):
                    s = 0.0
                    for m in range(n):
                        s += H[l, i, m] * T_above[m, j]
                    J[i * n + j] = s
            for i in range(k):
                for j in range(n):
                    JS[i * n + j] = 0.0
                for m in range(n):
                    s = J[i * n + m]
                    for j in range(n):
                        JS[i * n + j] += s * up[m * n + j]
            for i in range(k):
                for j in range(i + 1):
                    s = 1.0 if i == j else 0.0
                    for m in range(n):
                        s += JS[i * n + m] * J[j * n + m]
                    B[i * k + j] = s
                    B[j * k + i] = s
            if k == 1:
                s = 1.0 / L[l, 0, 0]
                B[0] *= s * s
                for j in range(n):
                    JS[j] *= s
            else:
                sandwich(&L[l, 0, 0], k, B, spare)
                backward(&L[l, 0, 0], k, JS, n, n)
            for i in range(k):
                for j in range(k):
                    out[i * K + j] = B[i * k + j]
                for j in range(n):
                    out[i * K + k + j] = -JS[i * n + j]
                    out[(k + j) * K + i] = -JS[i * n + j]
            for i in range(n):
                for j in range(n):
                    out[(k + i) * K + k + j] = up[i * n + j]


def solve_up(const double[:, :, ::1] L, const double[:, :, ::1] H, const double[:, ::1] T,
             const double[:, :, ::1] carried, const int[::1] parent, double[:, :, ::1] X,
             double[:, :, ::1] carried_up):
    """The forward half of a solve on the fronts of one factor, towards the root.

    X[l] (k, r) becomes L^{-1}(X + T'c_1) and carried_up[parent[l]] (K - k, r) gains c_2 - H'X, with
    c = carried[l] (K, r) what the levels below left; an empty `carried` stands for zeros. The root
    has H without columns.
    """
    cdef Py_ssize_t l
    cdef int k = L.shape[1], n = H.shape[2], r = X.shape[2], i, m, c
    cdef bint first = carried.shape[0] == 0
    cdef double f
    cdef double* x
    cdef double* up
    with nogil:
        for l in range(L.shape[0]):
            x = &X[l, 0, 0]
            if not first:
                for i in range(k):
                    for m in range(i, k):
                        f = T[m, i]
                        for c in range(r):
                            x[i * r + c] += f * carried[l, m, c]
            forward(&L[l, 0, 0], k, x, r, r)
            if n == 0:
                continue
            up = &carried_up[parent[l], 0, 0]
            for m in range(n):
                if not first:
                    for c in range(r):
                        up[m * r + c] += carried[l, k + m, c]
                for i in range(k):
                    f = H[l, i, m]
                    for c in range(r):
                        up[m * r + c] -= f * x[i * r + c]


def solve_down(const double[:, :, ::1] L, const double[:, :, ::1] H, const double[:, ::1] T,
               const int[::1] parent, const double[:, :, ::1] full_up, double[:, :, ::1] X,
               double[:, :, ::1] full):
    """The backward half, away from the root.

    X[l] becomes L^{-T}(X - H y), y = full_up[parent[l]] (K - k, r), and full[l] (K, r) = [T X, y]
    unless `full` is empty. The root has H without columns.
    """
    cdef Py_ssize_t l
    cdef int k = L.shape[1], n = H.shape[2], r = X.shape[2], i, m, c
    cdef bint last = full.shape[0] == 0
    cdef double f
    cdef double* x
    cdef const double* y = NULL
    with nogil:
        for l in range(L.shape[0]):
            x = &X[l, 0, 0]
            if n > 0:
                y = &full_up[parent[l], 0, 0]
            for i in range(k):
                for m in range(n):
                    f = H[l, i, m]
                    for c in range(r):
                        x[i * r + c] -= f * y[m * r + c]
            backward(&L[l, 0, 0], k, x, r, r)
            if last:
                continue
            for i in range(k):
                for c in range(r):
                    f = 0.0
                    for m in range(i + 1):
                        f += T[i, m] * x[m * r + c]
                    full[l, i, c] = f
            for m in range(n):
                for c in range(r):
                    full[l, k + m, c] = y[m * r + c]


cdef void solve_general(double* A, int k, double* B, int n) noexcept nogil:
    """B (k, n) becomes A^{-1} B by elimination with row exchanges; A (k, k) is destroyed."""
    cdef int i, j, c, best
    cdef double f
    for j in range(k):
        best = j
        for i in range(j + 1, k):
            if fabs(A[i * k + j]) > fabs(A[best * k + j]):
                best = i
        if best != j:
            for c in range(k):
                f = A[j * k + c]
                A[j * k + c] = A[best * k + c]
                A[best * k + c] = f
            for c in range(n):
                f = B[j * n + c]
                B[j * n + c] = B[best * n + c]
                B[best * n + c] = f
        for i in range(j + 1, k):
            f = A[i * k + j] / A[j * k + j]
            for c in range(j + 1, k):
                A[i * k + c] -= f * A[j * k + c]
            for c in range(n):
                B[i * n + c] -= f * B[j * n + c]
    for j in range(k - 1, -1, -1):
        for c in range(n):
            for i in range(j + 1, k):
                B[j * n + c] -= A[j * k + i] * B[i * n + c]
            B[j * n + c] /= A[j * k + j]


def level_information(const double[:, :, ::1] A, int k, const double[:, :, ::1] inner,
                      const double[:, ::1] TT, double[:, ::1] out, double[::1] work):
    """out (k, k) += Σ_l { E A[l] - E inner[l] E' }, E = (I + A[l] TT)^{-1}, TT = TT'.

    A[l] is the leading k x k of each block; an empty inner stands for zeros. Never divides by T.
    work: (4 * k * k,).
    """
    cdef Py_ssize_t l
    cdef int K = A.shape[1], i, j, m
    cdef bint plain = inner.shape[0] == 0
    cdef double s
    cdef double* B = &work[0]
    cdef double* X = B + k * k        # [E A, E], the solution of (I + A TT) X = [A, I], (k, 2k)
    cdef double* EW = X + 2 * k * k
    with nogil:
        for l in range(A.shape[0]):
            for i in range(k):
                for j in range(k):
                    s = 1.0 if i == j else 0.0
                    X[i * 2 * k + k + j] = s
                    X[i * 2 * k + j] = A[l, i, j]
                    for m in range(k):
                        s += A[l, i, m] * TT[m, j]
                    B[i * k + j] = s
            solve_general(B, k, X, 2 * k)
            for i in range(k):
                for j in range(k):
                    out[i, j] += X[i * 2 * k + j]
            if plain:
                continue
            for i in range(k):
                for j in range(k):
                    s = 0.0
                    for m in range(k):
                        s += X[i * 2 * k + k + m] * inner[l, m, j]
                    EW[i * k + j] = s
            for i in range(k):
                for j in range(k):
                    s = 0.0
                    for m in range(k):
                        s += EW[i * k + m] * X[j * 2 * k + k + m]
                    out[i, j] -= s
