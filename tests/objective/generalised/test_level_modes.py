"""The compiled loop over levels: modes, determinant and derivatives, level by level, in numpy."""

import signal
from types import SimpleNamespace

import numpy as np
import pytest

from interlace.families import resolve
from interlace.linalg.kernels import _levels
from interlace.objective.generalised.density import FamilyDensity

CASES = {
    "logit": ("binomial", "logit", -0.3),
    "probit": ("binomial", "probit", -0.3),
    "cloglog": ("binomial", "cloglog", -0.5),
    "poisson": ("poisson", "log", 0.7),
    "poisson sqrt": ("poisson", "sqrt", 2.0),
    "nb": ("negativebinomial", "log", 0.7),
    "gamma": ("gamma", "log", 0.3),
    "gaussian": ("gaussian", "identity", 0.0),
}
each_case = pytest.mark.parametrize("case", CASES)
information = pytest.mark.parametrize("expected", [True, False], ids=["expected", "observed"])


def problem(case, k=1, seed=0, sizes=(1, 5, 2, 30, 1, 8)):
    """Levels of these sizes, one after the other."""
    name, link, centre = CASES[case]
    rng = np.random.default_rng(seed)
    family = resolve(name, link)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    n = codes.size
    Z = np.c_[np.ones(n), rng.normal(size=(n, k - 1))]
    T = 0.4 * (np.tril(rng.normal(size=(k, k)) / np.sqrt(k)) + np.eye(k))
    eta0 = centre + 0.2 * rng.normal(size=n)
    trials = rng.integers(1, 5, n).astype(float) if name == "binomial" else np.ones(n)
    zeta = np.full(len(family.parameters), 0.4)
    mean = family.mean(eta0, zeta)
    y = np.asarray(family.sample(rng, mean, trials, trials, zeta), dtype=float)
    density = FamilyDensity(family, y, trials, trials)
    starts = np.r_[0, np.cumsum(sizes)].astype(np.int64)
    return SimpleNamespace(
        density=density, codes=codes, starts=starts, Z=Z, T=T, eta0=eta0, zeta=zeta, k=k, n=n
    )


def run(p, expected=True, order=1, frozen=False, U=None, T=None, sole=False, keep=True, eta0=None):
    """One call of the kernel with fresh arrays."""
    levels, k, n, density = len(p.starts) - 1, p.k, p.n, p.density
    out = SimpleNamespace(U=np.zeros((levels, k)) if U is None else U.copy())
    rows = np.full((5, n), np.nan)
    out.eta, out.w, out.observed, out.score, out.t = rows
    out.dT, out.sums = np.full((k, k), np.nan), np.full(5, np.nan)
    out.S, out.H = np.empty((2, levels, k, k)) if keep else (None, None)
    out.passes = _levels.laplace(
        density.kernel, density.parameter(p.zeta), expected, order, frozen, p.starts,
        np.empty((0, 1)) if sole else p.Z, p.T if T is None else T,
        p.eta0 if eta0 is None else eta0, out.U, rows[:4], out.t, out.dT, out.sums, out.S, out.H,
    )  # fmt: skip
    return out


def level(p, level, expected, T=None):
    """Mode, M and H of one level."""
    T = p.T if T is None else T
    rows = slice(p.starts[level], p.starts[level + 1])
    A, d = p.Z[rows] @ T, p.density
    u = np.zeros(p.k)

    def at(u):
        eta = p.eta0[rows] + A @ u
        return d.family.rows(eta, d.y[rows], d.weights[rows], p.zeta, expected)

    def value(u):
        return at(u).loglik.sum() - 0.5 * u @ u

    for _ in range(100):
        r = at(u)
        H = A.T @ (np.maximum(r.observed, 0.0)[:, None] * A) + np.eye(p.k)
        step = np.linalg.solve(H, A.T @ r.score - u)
        while value(u + step) < value(u) - 1e-12 * abs(value(u)):
            step = 0.5 * step
        u = u + step
        if np.abs(step).max() < 1e-14:
            break
    r = at(u)
    H = A.T @ (r.observed[:, None] * A) + np.eye(p.k)
    M = A.T @ (r.weight[:, None] * A) + np.eye(p.k)
    return u, r, M, H


@information
@pytest.mark.parametrize("k", [1, 2, 4, 16])
@each_case
def test_every_level_by_itself(case, k, expected):
    p = problem(case, k)
    out = run(p, expected)
    assert out.passes > 0
    total = penalty = logdet = 0.0
    for l in range(len(p.starts) - 1):
        u, r, M, H = level(p, l, expected)
        rows = slice(p.starts[l], p.starts[l + 1])
        np.testing.assert_allclose(out.U[l], u, rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(out.S[l], np.linalg.inv(M), rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(out.H[l], np.linalg.inv(H), rtol=1e-7, atol=1e-9)
        for mine, theirs in ((out.score, r.score), (out.w, r.weight), (out.observed, r.observed)):
            np.testing.assert_allclose(mine[rows], theirs, rtol=1e-7, atol=1e-8)
        total += r.loglik.sum()
        penalty += u @ u
        logdet += np.linalg.slogdet(M)[1]
    np.testing.assert_allclose(out.sums[:3], [total, penalty, logdet], rtol=1e-10, atol=1e-9)
    assert abs(out.sums[4]) <= 1e-10
    A_u = np.einsum("ij,ij->i", p.Z @ p.T, out.U[p.codes])
    np.testing.assert_allclose(out.eta, p.eta0 + A_u, rtol=1e-12, atol=1e-12)


@information
@each_case
def test_derivatives_in_predictors_templates_and_zeta(case, expected):
    p = problem(case, 2)
    out = run(p, expected)
    h = 1e-4

    def deviance(eta0=None, T=None, zeta=None):
        q = SimpleNamespace(**vars(p))
        q.zeta = p.zeta if zeta is None else zeta
        s = run(q, expected, eta0=eta0, T=T).sums
        return -2.0 * s[0] + s[1] + s[2] + s[4]

    def differ(f):
        return (8.0 * (f(h) - f(-h)) - (f(2.0 * h) - f(-2.0 * h))) / (12.0 * h)

    scale = max(np.abs(out.t).max(), np.abs(out.dT).max())
    close = {"rtol": 0.0, "atol": 1e-7 * scale}
    for i in range(0, p.n, 9):
        unit = np.arange(p.n) == i
        np.testing.assert_allclose(
            out.t[i], differ(lambda e, unit=unit: deviance(p.eta0 + e * unit)), **close
        )
    for i, j in ((0, 0), (1, 0), (1, 1)):
        E = np.zeros((2, 2))
        E[i, j] = 1.0
        numeric = differ(lambda e, E=E: deviance(T=p.T + e * E))
        np.testing.assert_allclose(out.dT[i, j], numeric, **close)
    if p.zeta.size:
        numeric = differ(lambda e: deviance(zeta=p.zeta + e))
        np.testing.assert_allclose(out.sums[3], numeric, rtol=1e-6, atol=1e-7 * scale)


@information
@each_case
def test_a_sole_intercept_needs_no_column(case, expected):
    p = problem(case)
    a, b = run(p, expected), run(p, expected, sole=True)
    for name in ("U", "eta", "w", "score", "t", "dT", "sums", "S", "H"):
        np.testing.assert_allclose(getattr(b, name), getattr(a, name), rtol=1e-12, atol=1e-13)


@each_case
def test_order_zero_stops_at_the_value(case):
    p = problem(case, 2)
    full, value = run(p), run(p, order=0, keep=False)
    np.testing.assert_array_equal(value.sums[:3], full.sums[:3])
    np.testing.assert_array_equal(value.U, full.U)
    assert np.isnan(value.t).all()
    np.testing.assert_array_equal(value.dT, 0.0)


@each_case
def test_frozen_modes_are_not_moved(case):
    p = problem(case, 2)
    found = run(p)
    near = found.U + 1e-3
    frozen = run(p, frozen=True, U=near)
    np.testing.assert_array_equal(frozen.U, near)
    # the correction leaves the square of the displacement, times third derivatives
    value = [-2.0 * s[0] + s[1] + s[2] + s[4] for s in (found.sums, frozen.sums)]
    plain = [-2.0 * s[0] + s[1] + s[2] for s in (found.sums, frozen.sums)]
    assert abs(value[1] - value[0]) <= max(0.05 * abs(plain[1] - plain[0]), 2e-5)
    again = run(p, frozen=True, U=found.U)
    np.testing.assert_allclose(again.sums, found.sums, rtol=1e-12, atol=1e-12)


@each_case
def test_any_start_leads_to_the_same_modes(case):
    p = problem(case, 2)
    truth = run(p).U
    rng = np.random.default_rng(2)
    for size in (0.1, 3.0, 10.0):
        out = run(p, U=size * rng.normal(size=truth.shape))
        assert out.passes > 0
        np.testing.assert_allclose(out.U, truth, rtol=1e-7, atol=1e-9)


@each_case
def test_at_theta_zero(case):
    p = problem(case, 2)
    out = run(p, T=np.zeros((2, 2)))
    np.testing.assert_array_equal(out.U, 0.0)
    np.testing.assert_array_equal(out.dT, 0.0)
    assert out.sums[1] == out.sums[2] == 0.0
    np.testing.assert_allclose(out.t, -2.0 * out.score, rtol=1e-12)
    np.testing.assert_array_equal(out.S, np.broadcast_to(np.eye(2), out.S.shape))


def test_a_level_without_a_start_is_named():
    """Means of the identity link that are negative whatever the start."""
    family = resolve("poisson", "identity")
    y = np.array([1.0, 2.0, 3.0, 1.0])
    density = FamilyDensity(family, y, np.ones(4), np.ones(4))
    p = SimpleNamespace(
        density=density, starts=np.array([0, 2, 4]), Z=np.ones((4, 1)), T=np.eye(1), k=1, n=4,
        eta0=np.array([2.0, 2.0, 2.0, -1.0]), zeta=np.empty(0),
    )  # fmt: skip
    assert run(p).passes == -2
    p.eta0[3] = 1.0
    # a start outside the range is left for u = 0
    assert run(p, U=np.full((2, 1), -50.0)).passes > 0


def test_nothing_in_a_level_is_not_a_number():
    """Extreme predictors: a mode as far back as the penalty allows, or a refusal."""
    rng = np.random.default_rng(1)
    for case, (name, link, _) in CASES.items():
        p = problem(case)
        for shift in (-700.0, -40.0, 40.0, 700.0):
            out = run(p, eta0=p.eta0 + shift, T=np.full((1, 1), rng.uniform(0.1, 3.0)))
            if out.passes > 0:
                assert np.isfinite(out.sums).all(), (name, link, shift)
                assert np.isfinite(out.t).all() and np.isfinite(out.dT).all()


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="a signal of Unix")
def test_a_signal_is_heard_while_levels_are_gone_through() -> None:
    """What its handler raises ends the kernel: levels that come later are not reached."""
    n, size = 1_600_000, 8
    levels = n // size
    y = np.tile([0.0, 2.0, 1.0, 3.0], n // 4)
    density = FamilyDensity(resolve("poisson"), y, np.ones(n), np.ones(n))
    starts, U = np.arange(0, n + 1, size), np.zeros((levels, 1))

    def modes() -> None:
        _levels.laplace(
            density.kernel, 0.0, True, 1, False, starts, np.empty((0, 1)), np.ones((1, 1)),
            np.zeros(n), U, np.empty((4, n)), np.empty(n), np.empty((1, 1)), np.empty(5),
        )  # fmt: skip

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.002)
        with pytest.raises(KeyboardInterrupt):
            modes()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
    assert U[-1, 0] == 0.0
    modes()
    assert U[-1, 0] == U[0, 0] > 0.0
