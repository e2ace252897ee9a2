"""Digits: large variance ratios, covariates far from zero, responses without a residual."""

import pickle
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import interlace as il


def exact_criterion(m, T=None):
    """-2 log restricted likelihood, sigma^2 and the coefficients of one factor, in fractions.

    V = I + Z T T' Z' at the fit's own T; only the logarithms at the end are rounded.
    """
    design = m.fit.design
    T = m.fit.T[0] if T is None else T
    k = len(T)
    T = [[Fraction(float(v)) for v in row] for row in T]
    S = [[sum(T[a][c] * T[b][c] for c in range(k)) for b in range(k)] for a in range(k)]
    Z = [
        [Fraction(float(v)) for v in row]
        for row in np.broadcast_to(design.factors[0].Z, (m.fit.n, k))
    ]
    codes = design.factors[0].codes
    W = [[Fraction(float(v)) for v in (*x, y)] for x, y in zip(design.X, design.y, strict=True)]
    p = len(W[0]) - 1
    K = [[Fraction(0)] * (p + 1) for _ in range(p + 1)]
    logdet = 0.0
    for level in range(len(design.factors[0].levels)):
        rows = np.flatnonzero(codes == level)
        ZS = [[sum(Z[i][a] * S[a][b] for a in range(k)) for b in range(k)] for i in rows]
        V = [
            [sum(zs[b] * Z[j][b] for b in range(k)) + (i == j) for j in rows]
            for i, zs in zip(rows, ZS, strict=True)
        ]
        right = [list(W[i]) for i in rows]
        pivots = eliminate(V, right)
        logdet += sum(float(np.log(float(d))) for d in pivots)
        for row, d in zip(right, pivots, strict=True):
            for a in range(p + 1):
                for b in range(p + 1):
                    K[a][b] += row[a] * row[b] / d
    pivots = eliminate(K, [[Fraction(0)] for _ in range(p + 1)], keep=True)
    r2, df = pivots[-1], m.fit.n - p
    value = logdet + sum(float(np.log(float(d))) for d in pivots[:-1])
    value += df * (1.0 + np.log(2.0 * np.pi) + float(np.log(float(r2))) - np.log(df))
    beta = [Fraction(0)] * p
    for a in range(p - 1, -1, -1):
        beta[a] = (K[a][p] - sum(K[a][b] * beta[b] for b in range(a + 1, p))) / K[a][a]
    return value, np.sqrt(float(r2) / df), np.array([float(b) for b in beta])


def eliminate(A, right, keep=False):
    """Pivots of A = LDL'; right <- L^{-1} right, and A its upper factor DL' if kept."""
    n = len(A)
    for j in range(n):
        for i in range(j + 1, n):
            factor = A[i][j] / A[j][j]
            if factor:
                A[i] = [u - factor * v for u, v in zip(A[i], A[j], strict=True)]
                right[i] = [u - factor * v for u, v in zip(right[i], right[j], strict=True)]
    return [A[j][j] for j in range(n)]


def data(seed=1, n=56, levels=8):
    rng = np.random.default_rng(seed)
    g = np.arange(n) % levels
    d = pd.DataFrame({"g": g, "x": rng.normal(size=n), "e": rng.normal(size=n)})
    d["b0"], d["b1"] = rng.normal(size=levels)[g], rng.normal(size=levels)[g]
    return d


@pytest.mark.parametrize("ratio", [1.0, 1e2, 1e5, 1e7])
@pytest.mark.parametrize("scale", [1.0, 1e-7])
@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ x + (x | g)"])
def test_variance_ratios_keep_their_digits(ratio, scale, formula) -> None:
    d = data()
    effects = ratio * d.b0 + (d.b1 * d.x if "(x" in formula else 0.0)
    d["y"] = scale * (2.0 * d.x + effects + d.e)
    m = il.fit(formula, d)
    assert m.convergence.verdict == "converged"
    assert m.convergence.evaluations <= 10
    value, sigma, beta = exact_criterion(m)
    # what is left of y within levels is right to eps times the ratio, and so is all of this
    digits = 1e-12 + 1e-14 * ratio
    assert m.sigma == pytest.approx(sigma, rel=digits)
    assert m.fit.criterion == pytest.approx(value, rel=digits)
    np.testing.assert_allclose(m.fe_params["x"], beta[1], rtol=digits * 10)
    # it is the minimum: the criterion rises on either side of it
    for step in (1e-3, -1e-3):
        assert exact_criterion(m, m.fit.T[0] * (1.0 + step))[0] > value - 1e-9


@pytest.mark.parametrize("optimizer", ["lbfgsb", "bobyqa"])
def test_variance_ratios_with_other_optimisers_and_as_a_refit(optimizer) -> None:
    d = data()
    d["y"] = 2.0 * d.x + 1e6 * d.b0 + d.e
    newton = il.fit("y ~ x + (1 | g)", d)
    if optimizer == "bobyqa":
        pytest.importorskip("nlopt")
    m = il.fit("y ~ x + (1 | g)", d, optimizer=optimizer)
    assert m.converged
    assert m.sigma == pytest.approx(newton.sigma, rel=1e-7)
    again = newton.refit(d.y + 1e6)
    assert again.convergence.evaluations <= 9
    assert again.sigma == pytest.approx(newton.sigma, rel=1e-8)
    assert again.fit.criterion == pytest.approx(newton.fit.criterion, rel=1e-8)


def slopes(c, seed=4):
    rng = np.random.default_rng(seed)
    n, g, h = 300, np.arange(300) % 25, rng.integers(0, 8, 300)
    t = rng.uniform(0.0, 10.0, n)
    b = rng.normal(size=(25, 2))
    y = 3.0 * t + b[g, 0] + 0.7 * t * b[g, 1] + rng.normal(size=8)[h] + rng.normal(size=n)
    # one pair of rounded numbers, t + c and its t, whatever c is
    t = (t + 1e6) - 1e6
    counts = rng.poisson(np.exp(0.1 * t + 0.3 * b[g, 0] + 0.05 * (t - 5.0) * b[g, 1]))
    w = rng.uniform(0.5, 2.0, n)
    return pd.DataFrame({"g": g, "h": h, "t": t + c, "y": y, "k": counts, "w": w})


@pytest.mark.parametrize("c", [2e3, 1e6])
@pytest.mark.parametrize("formula", ["y ~ t + (t | g)", "y ~ t + (t | g) + (1 | h)"])
@pytest.mark.parametrize("weights", [None, "w"])
def test_where_a_covariate_has_its_zero_does_not_matter(c, formula, weights) -> None:
    centred = il.fit(formula, slopes(-5.0), weights=weights)
    m = il.fit(formula, slopes(c), weights=weights)
    assert m.convergence.verdict == centred.convergence.verdict == "converged"
    assert m.convergence.evaluations <= centred.convergence.evaluations + 4
    # coefficients of t + c are rounded to eps c, what they are multiplied by is c
    digits = 1e-9 + 1e-14 * c
    assert m.fit.criterion == pytest.approx(centred.fit.criterion, rel=1e-9)
    assert m.sigma == pytest.approx(centred.sigma, rel=digits)
    assert m.fe_params["t"] == pytest.approx(centred.fe_params["t"], rel=digits)
    assert m.fe_bse["t"] == pytest.approx(centred.fe_bse["t"], rel=1e-6)
    np.testing.assert_allclose(m.fittedvalues, centred.fittedvalues, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(m.augment()[".hat"], centred.augment()[".hat"], rtol=1e-5)
    df = m.tidy()["df"].iloc[1], centred.tidy()["df"].iloc[1]
    assert df[0] == pytest.approx(df[1], rel=1e-4)
    sd = [
        r.VarCorr().query("term1 == 't' and term2.isna()").sd_or_corr.iloc[0] for r in (m, centred)
    ]
    assert sd[0] == pytest.approx(sd[1], rel=1e-5)


def test_theta_goes_to_the_search_and_back() -> None:
    d = slopes(1e3)
    m = il.fit("y ~ t + (t | g)", d)
    T = m.fit.T[0]
    np.testing.assert_allclose(m.fit.theta, [T[0, 0], T[1, 0], T[1, 1]], rtol=1e-12)
    again = il.fit("y ~ t + (t | g)", d, theta0=m.fit.theta)
    assert again.convergence.evaluations <= 2
    assert again.fit.criterion == pytest.approx(m.fit.criterion, rel=1e-12)


def test_effects_declared_independent_are_left_as_they_are() -> None:
    """(t || g) is another model for another zero; a term beside it is not touched either."""
    far = il.fit("y ~ t + (t || g)", slopes(1e4))
    near = il.fit("y ~ t + (t || g)", slopes(-5.0))
    assert far.fit.criterion > near.fit.criterion + 1.0
    assert far.convergence.evaluations <= 15
    two = il.fit("y ~ t + (t | g) + (1 | h)", slopes(1e4))
    assert two.converged


def test_a_singular_covariance_is_named_by_its_effects_whatever_the_zero() -> None:
    d = slopes(0.0)
    rng = np.random.default_rng(2)
    d["y"] = 3.0 * d.t + rng.normal(size=25)[d.g] + rng.normal(size=len(d))
    for c in (-5.0, 1e4):
        m = il.fit("y ~ t + (t | g)", d.assign(t=d.t + c))
        if c < 0.0:
            value = m.fit.criterion
        assert m.fit.criterion == pytest.approx(value, rel=1e-9)
        assert m.convergence.verdict in ("singular", "converged")


def test_generalised_models_with_a_covariate_far_from_zero() -> None:
    near = il.glmer("k ~ t + (t | g)", slopes(-5.0), "poisson")
    far = il.glmer("k ~ t + (t | g)", slopes(1e4), "poisson")
    assert far.convergence.verdict == near.convergence.verdict
    assert far.convergence.evaluations <= near.convergence.evaluations + 3
    assert far.llf == pytest.approx(near.llf, rel=1e-9)
    assert far.fe_params["t"] == pytest.approx(near.fe_params["t"], rel=1e-6)
    assert far.fe_bse["t"] == pytest.approx(near.fe_bse["t"], rel=1e-5)
    np.testing.assert_allclose(far.augment()[".hat"], near.augment()[".hat"], rtol=1e-4)
    rows = far.fit.covariance.n_theta
    assert np.isfinite(far.fit.cov_all[:rows, :rows]).all()


# -- no residual at all ------------------------------------------------------------------------

EXACT = {
    "y ~ x + (1 | g)": lambda d: 2.0 * d.x,
    "y ~ x + (1 | g) + (1 | h)": lambda d: 1e9 + 2.0 * d.x,
    "y ~ 1 + x + (1 | g)": lambda d: 2.0 * d.x + d.b0,
    "y ~ x + (x | g)": lambda d: d.x * d.b1 - d.b0,
    "y ~ x + (1 | h) + (1 | g)": lambda d: 2.0 * d.x + d.b0 + 3.0 * (d.h == 2),
}


@pytest.mark.parametrize("optimizer", ["newton", "lbfgsb", "bobyqa"])
@pytest.mark.parametrize("formula", EXACT)
def test_an_exact_fit_is_said_and_has_no_standard_errors(formula, optimizer) -> None:
    if optimizer == "bobyqa":
        pytest.importorskip("nlopt")
    d = data().assign(h=lambda d: np.arange(56) // 7)
    d["y"] = EXACT[formula](d)
    with pytest.warns(il.ConvergenceWarning, match="fits the response exactly"):
        m = il.fit(formula, d, optimizer=optimizer)
    assert m.convergence.verdict == "not identified"
    assert not m.converged
    assert m.llf == np.inf
    assert not m.sigma > 0.0
    assert m.fe_bse.isna().all() and m.pvalues.isna().all()
    np.testing.assert_allclose(m.fittedvalues, d.y, rtol=1e-9, atol=1e-9)
    assert m.anova()["Pr(>F)"].isna().all()
    assert "exactly" in str(m.summary())
    m.tidy(), m.augment(), m.VarCorr(), m.get_prediction().summary_frame()


@pytest.mark.parametrize("between", [0.0, 1.0])
def test_an_exact_refit_is_said_and_the_next_one_is_as_ever(between) -> None:
    d = data()
    d["y"] = 2.0 * d.x + d.b0 + d.e
    m = il.fit("y ~ x + (1 | g)", d)
    with pytest.warns(il.ConvergenceWarning, match="fits the response exactly") as said:
        exact = m.refit((1.0 - 2.0 * d.x + between * d.b0).to_numpy())
    assert len(said) == 1
    assert exact.convergence.verdict == "not identified"
    again = exact.refit(d.y.to_numpy())
    assert again.converged
    assert again.llf == pytest.approx(m.llf, rel=1e-10)


def test_as_many_effects_as_rows_is_no_exact_fit() -> None:
    """The random effects could explain every row, yet the likelihood has its maximum."""
    d = data(n=40, levels=20).assign(h=lambda d: np.arange(40) % 19)
    d["y"] = 2.0 * d.x + d.b0 + d.e
    m = il.fit("y ~ 1 + x + (1 | g) + (1 | h)", d)
    assert np.isfinite(m.llf) and m.sigma > 0.1


@pytest.mark.parametrize("levels", [(20, 7), (195, 9)])
@pytest.mark.parametrize("ratios", [(1e5, 1.0), (1e7, 1.0), (1.0, 1e7), (1e4, 1e4)])
def test_large_variances_of_one_of_several_factors_keep_their_digits(levels, ratios) -> None:
    """With y the sum of parts known apart, what is far larger only has to be projected out."""
    rng = np.random.default_rng(5)
    n = 600
    g, h = np.arange(n) % levels[0], rng.integers(0, levels[1], n)
    x, e = rng.normal(size=n), rng.normal(size=n)
    b, c = rng.normal(size=levels[0])[g], rng.normal(size=levels[1])[h]
    d = pd.DataFrame({"g": g, "h": h, "x": x, "y": 2.0 * x + ratios[0] * b + ratios[1] * c + e})
    m = il.fit("y ~ x + (1 | g) + (1 | h)", d)
    assert m.convergence.verdict == "converged"
    assert m.convergence.evaluations <= 8
    # beyond some 1e4 the large effects are as good as fixed: the rest of the fit is theirs
    fixed = [f"C({name})" for name, r in zip("gh", ratios, strict=True) if r > 1.0]
    other = [f"(1 | {name})" for name, r in zip("gh", ratios, strict=True) if r == 1.0]
    if other:
        small = pd.DataFrame(
            {
                **d,
                "y": 2.0 * x + e + sum(v for v, r in zip((b, c), ratios, strict=True) if r == 1.0),
            }
        )
        reference = il.fit(f"y ~ x + {' + '.join(fixed)} + {other[0]}", small)
        # variances on the scale of the residual one differ by 1 / ratio^2 and by rounding of y
        assert m.sigma == pytest.approx(reference.sigma, rel=1e-7)
        assert m.fe_params["x"] == pytest.approx(reference.fe_params["x"], rel=1e-7)
        assert m.fe_bse["x"] == pytest.approx(reference.fe_bse["x"], rel=1e-7)
        index = 0 if ratios[0] == 1.0 else 1
        assert m.fit.theta[index] == pytest.approx(reference.fit.theta[0], rel=1e-5)


def test_variances_of_zero_are_zero_not_nearly() -> None:
    """Where the criterion is flat a search ends at zero but for rounding."""
    scale = il.fit("y ~ t + (t || g)", slopes(0.0)).fit.scale
    x = np.array([1.0, 9e-11])
    assert scale.theta(x)[1] == 0.0
    assert scale.natural(scale.templates(x))[0][1, 1] == 0.0
    assert scale.canonical(x)[1] == 0.0
    assert scale.theta(np.array([1.0, 1e-6]))[1] > 0.0


def test_units_taken_twice_outlive_a_pickle() -> None:
    rng = np.random.default_rng(0)
    a, g, h = rng.normal(size=10), np.repeat(np.arange(10), 6), np.tile(np.arange(6), 10)
    first = 1e3 * a[g] + rng.normal(size=60)
    first -= np.array([first[h == k].mean() for k in range(6)])[h]  # no variance of h: no start
    m = il.fit("y ~ 1 + (1 | g) + (1 | h)", {"y": first, "g": g, "h": h})
    again = m.refit(1e9 * a[g] + rng.normal(size=60))
    back = pickle.loads(pickle.dumps(again))
    assert back.deviance == pytest.approx(again.deviance, rel=1e-6)
    np.testing.assert_allclose(back.hatvalues(), again.hatvalues(), rtol=1e-6)


def test_units_of_huge_variances_outlive_a_pickle() -> None:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(12), 8)
    x = rng.normal(size=96) + 0.3 * g
    y = 2.0 + 1e-3 * x + 1e5 * rng.normal(size=12)[g] + rng.normal(size=96)
    m = il.fit("y ~ x + (1 | g)", pd.DataFrame({"y": y, "x": x, "g": g}))
    again = pickle.loads(pickle.dumps(m))
    assert again.theta.iloc[0] > 1e4
    np.testing.assert_allclose(again.fe_df, m.fe_df, rtol=1e-6)
    # the limit of an endless variance, off by the order of 1 / theta^2
    np.testing.assert_allclose(again.fe_df, [11.0, 83.0], rtol=1e-8)
    np.testing.assert_allclose(again.hatvalues(), m.hatvalues(), rtol=1e-8)
    np.testing.assert_allclose(again.refit(y + x).theta, m.refit(y + x).theta, rtol=1e-6)


def exact_criterion_of_several(m) -> float:
    """-2 log restricted likelihood of intercepts of several factors, in fractions."""
    design, n = m.fit.design, m.fit.n
    V = [[Fraction(int(i == j)) for j in range(n)] for i in range(n)]
    for factor, T in zip(design.factors, m.fit.T, strict=True):
        square = Fraction(float(T[0, 0])) ** 2
        for i in range(n):
            for j in np.flatnonzero(factor.codes == factor.codes[i]):
                V[i][j] += square
    rows = [[Fraction(float(v)) for v in (*x, y)] for x, y in zip(design.X, design.y, strict=True)]
    pivots = eliminate(V, rows)
    p = design.X.shape[1]
    K = [[Fraction(0)] * (p + 1) for _ in range(p + 1)]
    for row, d in zip(rows, pivots, strict=True):
        for a in range(p + 1):
            for b in range(p + 1):
                K[a][b] += row[a] * row[b] / d
    more = eliminate(K, [[Fraction(0)] for _ in range(p + 1)])
    logs = sum(float(np.log(float(d))) for d in [*pivots, *more[:-1]])
    df = n - p
    return logs + df * (1.0 + np.log(2.0 * np.pi) + float(np.log(float(more[-1]))) - np.log(df))


def several(kind: str, ratio: float, n: int = 24, sizes: tuple[int, int] = (5, 4)) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    h = rng.integers(0, sizes[1], n)
    g = rng.integers(0, sizes[0], n) if kind == "crossed" else 2 * h + np.arange(n) % 2
    x, e = rng.normal(size=n), rng.normal(size=n)
    effects = rng.normal(size=g.max() + 1)[g] + rng.normal(size=sizes[1])[h]
    return pd.DataFrame({"g": g, "h": h, "x": x, "y": 2.0 * x + ratio * effects + e})


@pytest.mark.parametrize("kind", ["crossed", "nested"])
@pytest.mark.parametrize("ratio", [1e3, 1e5, 1e7])
def test_large_variances_of_factors_that_stand_for_each_other_keep_their_digits(
    kind, ratio
) -> None:
    """A constant in every level of g and one in every level of h are the same column."""
    d = several(kind, ratio)
    m = il.fit("y ~ x + (1 | g) + (1 | h)", d)
    assert m.convergence.verdict == "converged"
    assert m.convergence.evaluations <= 25  # of two searches
    assert m.fit.criterion == pytest.approx(
        exact_criterion_of_several(m), rel=1e-12 + 1e-15 * ratio
    )
    # from a start of one's own, too
    again = il.fit("y ~ x + (1 | g) + (1 | h)", d, theta0=2.0 * m.fit.theta)
    assert again.convergence.verdict == "converged"
    assert again.fit.criterion == pytest.approx(m.fit.criterion, rel=1e-9)
    # the start knows how large they are
    more = il.fit("y ~ x + (1 | g) + (1 | h)", several(kind, ratio, 64))
    assert more.converged and more.convergence.evaluations <= 8


@pytest.mark.parametrize("kind", ["crossed", "nested"])
@pytest.mark.parametrize("ratio", [1e3, 1e6])
def test_a_criterion_that_has_lost_its_digits_is_not_called_converged(kind, ratio) -> None:
    """Sparse factorisations add squares; how much that costs is known, and said."""
    d = several(kind, ratio)
    with np.errstate(all="ignore"), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        m = il.fit("y ~ x + (1 | g) + (1 | h)", d, backend="superlu")
    off = abs(m.fit.criterion - exact_criterion_of_several(m))
    if ratio < 1e4:
        assert m.convergence.verdict == "converged" and off < 1e-6 and not told
        return
    assert m.convergence.verdict == "not converged"
    assert "has lost its digits" in m.convergence.message
    assert "Leave backend='auto'" in m.convergence.message and len(told) == 1
    assert off < 2.0 * m.fit.objective.rounding(m.fit.optimum.x) < 1.0


def test_lost_digits_of_large_models_are_said_with_another_remedy() -> None:
    d = several("crossed", 1e6, 700, (180, 60))
    with pytest.warns(il.errors.ConvergenceWarning, match="lost its digits.*leave one of them out"):
        il.fit("y ~ x + (1 | g) + (1 | h)", d)
