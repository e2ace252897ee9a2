# Laplace's approximation with one grouping factor, level by level: see `_levels`.

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

include "density.pxi"
include "small.pxi"

cdef extern from *:
    """
    static int signals_handled(void) { return PyErr_CheckSignals(); }
    static int pending(void) { return PyErr_Occurred() ? -1 : 0; }
    """
    int signals_handled() noexcept
    # raises what a handler of a signal raised before
    int pending() except -1

cdef double NO_MEMORY = -INFINITY
cdef double INTERRUPTED = -1e300
# Visits to rows between two looks at whether the user wants to stop: a few tenths of a second.
# Pieces that threads work on are smaller: they never wait for the interpreter.
cdef double VISITS = 1e6


cdef double laplace_of(
        Kind kind, const double[::1] y, const double[::1] weights, const double[::1] log_y,
        bint expected, int order, bint frozen, const int64_t[::1] starts, const double[:, ::1] Z,
        const double[:, ::1] T, const double[::1] eta0, double[:, ::1] U, double[:, ::1] at_mode,
        double[::1] t, double[:, ::1] dT, double[::1] sums, double[:, :, ::1] S_levels,
        double[:, :, ::1] H_levels, double[::1] in_zeta) noexcept nogil:
    """`_levels.laplace`, without the interpreter; `NO_MEMORY` if there is none.

    `INTERRUPTED` if a signal's handler raised: `pending` raises it where the interpreter is held.
    """
    # where both kinds of information are the same there is one row for them
    cdef Py_ssize_t last = at_mode.shape[0] - 1
    cdef double[::1] eta = at_mode[0], w = at_mode[1], observed = at_mode[last - 1]
    cdef double[::1] score = at_mode[last]
    cdef Py_ssize_t levels = starts.shape[0] - 1, k = T.shape[0], l, longest = 0
    cdef Py_ssize_t i, j, a, b, c, begin, end
    cdef bint weighted = weights.shape[0] > 0  # else by one
    cdef bint logs = log_y.shape[0] > 0, keep = S_levels is not None
    cdef bint by_row = in_zeta is not None
    cdef bint same, scalar = k == 1 and Z.shape[0] == 0, ok, gains
    cdef Row* rows
    cdef double* space
    cdef double* R         # Z T, rows of the level
    cdef double* u
    cdef double* g
    cdef double* step
    cdef double* H
    cdef double* M
    cdef double* S
    cdef double* v
    cdef double* zc
    cdef double* A
    cdef double* zt
    cdef double* zs
    cdef double value, product, before, lam, s, h, av, weight, length, passes = 0.0, looked = 0.0
    cdef int stopped = 0
    cdef int iteration, halving
    for l in range(levels):
        if starts[l + 1] - starts[l] > longest:
            longest = starts[l + 1] - starts[l]
    rows = <Row*> malloc((longest + 1) * sizeof(Row))
    space = <double*> malloc((longest * k + 7 * k + 5 * k * k + 8) * sizeof(double))
    if rows == NULL or space == NULL:
        free(rows)
        free(space)
        return NO_MEMORY
    R = space
    u = R + longest * k
    g = u + k
    step = g + k
    v = step + k
    zc = v + k
    zt = zc + k
    zs = zt + k
    H = zs + k
    M = H + k * k
    S = M + k * k
    A = S + k * k
    kind.expected = False
    for i in range(5):
        sums[i] = 0.0
    for a in range(k):
        for b in range(k):
            dT[a, b] = 0.0
    l = 0
    ok = True
    for l in range(levels):
        if passes - looked > VISITS:
            looked = passes
            with gil:
                stopped = signals_handled()
            if stopped:
                free(rows)
                free(space)
                return INTERRUPTED
        begin, end = starts[l], starts[l + 1]
        # -- the mode
        for i in range(begin, end):
            for b in range(k):
                s = 0.0
                if scalar:
                    s = T[0, 0]
                else:
                    for a in range(b, k):
                        s += Z[i, a] * T[a, b]
                R[(i - begin) * k + b] = s
        for a in range(k):
            u[a] = U[l, a]
            step[a] = 0.0
        before = -INFINITY
        lam = INFINITY
        halving = 0
        iteration = 0
        kind.expected = False
        while True:
            value, product = 0.0, 1.0
            for a in range(k):
                value -= 0.5 * u[a] * u[a]
                g[a] = -u[a]
                for b in range(a + 1):
                    H[a * k + b] = 1.0 if a == b else 0.0
            for i in range(begin, end):
                j = i - begin
                s = eta0[i]
                for a in range(k):
                    s += R[j * k + a] * u[a]
                weight = weights[i] if weighted else 1.0
                split_row(&kind, s, y[i], weight, log_y[i] if logs else 0.0, rows + j)
                add_value(rows + j, &value, &product)
                for a in range(k):
                    g[a] += R[j * k + a] * rows[j].score
                    s = R[j * k + a] * rows[j].observed
                    for b in range(a + 1):
                        H[a * k + b] += s * R[j * k + b]
            value -= log(product)
            passes += end - begin
            iteration += 1
            gains = value >= before - 1e-13 * fabs(before) or (
                lam < TRUSTED * (1.0 + fabs(before)) and value > -INFINITY)
            if not gains and halving < MAX_HALVINGS and iteration > 1:
                # back half of the way
                halving += 1
                for a in range(k):
                    step[a] *= 0.5
                    u[a] -= step[a]
                continue
            if value == -INFINITY or value != value:
                # no start within the range of the means: from u = 0 once, else give up
                if iteration == 1:
                    for a in range(k):
                        u[a] = 0.0
                    continue
                ok = False
                break
            halving = 0
            before = value
            for a in range(k * k):
                M[a] = H[a]
            if not cholesky(M, k):
                if frozen:  # what is no maximum has no approximation
                    ok = False
                    break
                # away from the mode the observed information may not be positive definite
                for a in range(k):
                    for b in range(a + 1):
                        M[a * k + b] = 1.0 if a == b else 0.0
                kind.expected = True
                for i in range(begin, end):
                    j = i - begin
                    s = eta0[i]
                    for a in range(k):
                        s += R[j * k + a] * u[a]
                    weight = weights[i] if weighted else 1.0
                    row(&kind, s, y[i], weight, log_y[i] if logs else 0.0, rows + j)
                    for a in range(k):
                        s = R[j * k + a] * rows[j].weight
                        for b in range(a + 1):
                            M[a * k + b] += s * R[j * k + b]
                kind.expected = False
                cholesky(M, k)
                if iteration >= MAX_STEPS:
                    ok = False
                    break
                lam = INFINITY
                for a in range(k):
                    step[a] = g[a]
                solve(M, step, k)
            else:
                for a in range(k):
                    step[a] = g[a]
                solve(M, step, k)
                s = lam
                lam = 0.0
                for a in range(k):
                    lam += step[a] * g[a]
                if frozen or lam < DECREMENT * (1.0 + fabs(value)):
                    break
                if lam < ROUNDING * (1.0 + fabs(value)) and lam > 0.25 * s:
                    break
                if iteration >= MAX_STEPS:
                    ok = lam < LOOSE * (1.0 + fabs(value))
                    break
            for a in range(k):
                u[a] += step[a]
        if not ok:
            break
        # -- at the mode: H holds the observed information, M its Cholesky factor
        s = 0.0
        for a in range(k):
            U[l, a] = u[a]
            s += u[a] * u[a]
        sums[0] += value + 0.5 * s
        sums[1] += s
        for a in range(k):
            for b in range(a + 1):
                H[a * k + b] = M[a * k + b]
        same = not expected or kind.family == POISSON and kind.link == LOG or (
            kind.family == BINOMIAL and kind.link == LOGIT) or kind.link == NB_CANONICAL
        if not same:
            for a in range(k):
                for b in range(a + 1):
                    M[a * k + b] = 1.0 if a == b else 0.0
        kind.expected = expected
        for i in range(begin, end):
            j = i - begin
            s = eta0[i]
            for a in range(k):
                s += R[j * k + a] * u[a]
            eta[i] = s
            if not same:
                weight = weights[i] if weighted else 1.0
                split_row(&kind, s, y[i], weight, log_y[i] if logs else 0.0, rows + j)
                for a in range(k):
                    s = R[j * k + a] * rows[j].weight
                    for b in range(a + 1):
                        M[a * k + b] += s * R[j * k + b]
            score[i] = rows[j].score
            w[i] = rows[j].weight
            observed[i] = rows[j].observed
        if not same:
            if not cholesky(M, k):
                ok = False
                break
            passes += end - begin
        for a in range(k):
            sums[2] += 2.0 * log(M[a * k + a])
        if order == 0 and not keep:
            continue
        invert(M, S, k)
        if keep:
            for a in range(k):
                for b in range(k):
                    S_levels[l, a, b] = S[a * k + b]
            if same:
                for a in range(k):
                    for b in range(k):
                        H_levels[l, a, b] = S[a * k + b]
            else:
                invert(H, A, k)
                for a in range(k):
                    for b in range(k):
                        H_levels[l, a, b] = A[a * k + b]
        if order == 0:
            continue
        # -- gradient: h_i = [Z Lambda M^{-1} Lambda'Z']_ii, c = w'h, v = H^{-1} Lambda'Z'c
        for a in range(k):
            zc[a] = zt[a] = zs[a] = 0.0
            for b in range(k):
                A[a * k + b] = 0.0
        for i in range(begin, end):
            j = i - begin
            h = 0.0
            for a in range(k):
                s = 0.0
                for b in range(k):
                    s += S[a * k + b] * R[j * k + b]
                h += s * R[j * k + a]
            rows[j].value = h
            s = rows[j].slope * h
            for a in range(k):
                zc[a] += R[j * k + a] * s
        for a in range(k):
            v[a] = zc[a]
        solve(H, v, k)
        s = 0.0
        for a in range(k):
            s += v[a] * g[a]
        sums[4] += s - lam
        for i in range(begin, end):
            j = i - begin
            h = rows[j].value
            av = 0.0
            for a in range(k):
                av += R[j * k + a] * v[a]
            s = -2.0 * rows[j].score + rows[j].slope * h - rows[j].observed * av
            t[i] = s
            h = (-2.0 * rows[j].value_z + h * rows[j].weight_z + av * rows[j].score_z)
            sums[3] += h
            if by_row:
                in_zeta[i] = h
            if scalar:
                zt[0] += s
                zs[0] += rows[j].score
                A[0] += rows[j].weight
            else:
                for a in range(k):
                    zt[a] += Z[i, a] * s
                    zs[a] += Z[i, a] * rows[j].score
                    for b in range(k):
                        A[a * k + b] += Z[i, a] * rows[j].weight * Z[i, b]
        # 2 A T M^{-1} + Z't u' + Z's v'
        for a in range(k):
            for b in range(k):
                s = 0.0
                for c in range(b, k):
                    s += A[a * k + c] * T[c, b]
                M[a * k + b] = s
        for a in range(k):
            for b in range(k):
                s = 0.0
                for c in range(k):
                    s += M[a * k + c] * S[c * k + b]
                dT[a, b] += 2.0 * s + zt[a] * u[b] + zs[a] * v[b]
    free(rows)
    free(space)
    if not ok:
        return -1 - l
    return passes
