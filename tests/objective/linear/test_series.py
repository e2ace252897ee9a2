"""Linear models with a series, time by time, against the same models by dense templates."""

import pickle

import numpy as np
import pandas as pd
import pytest
from helpers.series_twins import assert_same_estimates, assert_same_refit

import interlace as il
from interlace.covariance import CovarianceModel
from interlace.design.build import build
from interlace.errors import ArgumentError, NumericalError
from interlace.objective import LMMObjective
from interlace.objective.linear import series_design
from interlace.objective.linear.design_products import cross_products_of
from interlace.objective.linear.explicit import ExplicitDeviance
from interlace.objective.linear.of_design import linear_objective
from interlace.objective.linear.series_lmm import SeriesObjective
from interlace.optimize import minimise

FORMULAS = {
    "alone": "y ~ x + ar1(0 + t | g)",
    "level": "y ~ x + ar1(0 + t | g) + (1 | g)",
    "slope": "y ~ x + ar1(0 + t | g) + (1 + x | g)",
    "coarser": "y ~ x + ar1(0 + t | g) + (1 | f)",
    "coarser and level": "y ~ x + (1 | f) + ar1(0 + t | g) + (1 | g)",
    "crossed": "y ~ x + ar1(0 + t | g) + (1 | h)",
    "heterogeneous": "y ~ x + hetar1(0 + t | g)",
    "heterogeneous beside others": "y ~ x + hetar1(0 + t | g) + (1 | h)",
    "numeric times": "y ~ x + ar1(0 + week | g) + (1 | f)",
    "continuous": "y ~ x + ou(0 + pos | g)",
    "continuous, crossed": "y ~ x + ou(pos + 0 | g) + (1 | h)",
    "crossed and level": "y ~ x + (1 | g) + ar1(0 + t | g) + (0 + x | h)",
}


def frame(seed=1, groups=12, times=8):
    """Rows with several of a time, gaps, series of unequal length, and weights."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), times * 2)
    t = np.tile(np.repeat(np.arange(times), 2), groups)
    n = g.size
    a = np.zeros((groups, times))
    for j in range(times):
        a[:, j] = 0.6 * a[:, j - 1] * (j > 0) + rng.normal(size=groups)
    data = pd.DataFrame(
        {
            "g": [f"a{i:02d}" for i in g],
            "f": (g // 3).astype(str),
            "h": rng.integers(0, 5, n).astype(str),
            "t": pd.Categorical(t),
            "x": rng.normal(size=n),
            "w": rng.uniform(0.5, 2.0, n),
        }
    )
    data["y"] = 1.0 + 0.5 * data.x + a[g, t] + 0.7 * rng.normal(size=groups)[g]
    data["y"] += rng.normal(size=n) + 0.4 * rng.normal(size=5)[data.h.astype(int)]
    data["pos"] = np.array([0.0, 0.7, 1.1, 3.0, 3.2, 5.0, 9.0, 9.5])[t]
    data["week"] = np.array([0, 1, 2, 4, 5, 9, 10, 12])[t]
    return data[rng.random(n) < 0.6].reset_index(drop=True)


@pytest.fixture(scope="module")
def data():
    return frame()


def both(data, formula, reml, weights="w"):
    """The objective time by time, and its dense twin."""
    design = build(formula, data, weights=weights)
    covariance = CovarianceModel.of(design)
    own = linear_objective(design, covariance, reml)
    assert isinstance(own, SeriesObjective)
    return own, LMMObjective(cross_products_of(design), covariance, reml)


def thetas(own, seed=4):
    """Inside, without the series' variance, and without its innovations."""
    theta = np.random.default_rng(seed).uniform(0.3, 1.0, own.covariance.n_theta)
    at = own.scale.series
    yield theta
    for sd, angle in ((0.0, 0.5), (0.7, np.pi / 2)):
        out = theta.copy()
        out[at][:-1], out[at][-1] = sd, angle
        yield out


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", FORMULAS)
def test_criterion_and_gradient_are_those_of_the_dense_twin(data, name, reml):
    own, dense = both(data, FORMULAS[name], reml)
    for theta in thetas(own):
        here, there = own.evaluate(own.x(theta), 1), dense.evaluate(dense.x(theta), 1)
        assert here.value == pytest.approx(there.value, abs=1e-10)
        x, h = own.x(theta), 1e-4
        for i, step in enumerate(h * np.eye(x.size)):
            ends = [own.evaluate(x + c * step, 0).value for c in (1, -1, 2, -2)]
            slope = (8 * (ends[0] - ends[1]) - (ends[2] - ends[3])) / (12 * h)
            assert here.gradient[i] == pytest.approx(slope, abs=2e-7)
        slopes = [np.linalg.solve(o.scale.jacobian().T, e.gradient)
                  for o, e in ((own, here), (dense, there))]  # fmt: skip
        np.testing.assert_allclose(*slopes, atol=1e-8)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", FORMULAS)
def test_optimum_and_estimates_are_those_of_the_dense_twin(data, name, reml):
    own, dense = both(data, FORMULAS[name], reml)
    here, there = minimise(own), minimise(dense)
    assert here.value == pytest.approx(there.value, abs=1e-8)
    assert here.verdict == there.verdict
    np.testing.assert_allclose(own.theta(here.x), dense.theta(there.x), atol=1e-5)
    mine = own.solution(here.x)
    theirs = dense.solution(dense.x(own.theta(here.x)))
    for one, other in zip((*mine.u, *mine.T), (*theirs.u, *theirs.T), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10)
    np.testing.assert_allclose(mine.beta, theirs.beta, atol=1e-12)
    np.testing.assert_allclose(mine.cov_beta, theirs.cov_beta, atol=1e-12)
    assert mine.sigma == pytest.approx(theirs.sigma, rel=1e-12)


@pytest.mark.parametrize("name", ["alone", "level", "crossed"])
def test_derivatives_that_satterthwaite_needs(data, name):
    own, _ = both(data, FORMULAS[name], True)
    x = own.x(next(thetas(own)))
    slope, Y = own.variance_derivatives(x)
    h, std = 1e-5, own.cross.standardisation
    for i, step in enumerate(h * np.eye(x.size)):
        ends = []
        for end in (x + step, x - step):
            solution = own.solution(end)
            back = np.linalg.inv(std.back)
            ends.append((solution.sigma**2 * own.df,
                         back @ solution.cov_beta @ back.T / solution.sigma**2))  # fmt: skip
        (up, C_up), (down, C_down) = ends
        assert slope[i] == pytest.approx((up - down) / (2 * h), rel=1e-6)
        C = 0.5 * (C_up + C_down)
        np.testing.assert_allclose(C @ Y[i] @ C, (C_up - C_down) / (2 * h), atol=1e-7)


def test_a_likelihood_with_nothing_profiled_out(data):
    own, dense = both(data, FORMULAS["alone"], False)
    x = minimise(own).x
    mine, theirs = ExplicitDeviance(own, x, 0.9), ExplicitDeviance(dense, dense.x(x), 0.9)
    y = mine.start + 0.1
    other = theirs.start + 0.1
    other[:2] = dense.x(y[:2])
    here, there = mine.evaluate(y), theirs.evaluate(other)
    assert here.value == pytest.approx(there.value, abs=1e-9)
    J = dense.scale.jacobian()
    expected = np.concatenate([np.linalg.solve(J.T, there.gradient[:2]), there.gradient[2:]])
    np.testing.assert_allclose(here.gradient, expected, atol=1e-8)


@pytest.fixture(scope="module", params=["alone", "level", "crossed"])
def fits(request, data):
    formula = FORMULAS[request.param]
    return (
        il.fit(formula, data, weights="w"),
        il.fit(formula, data, weights="w", backend="blocked"),
    )


def test_what_comes_after_the_fit(fits, data):
    m, dense = fits
    # theta of both searches to their own tolerance
    close = {"atol": 2e-5}
    assert_same_estimates(m, dense, **close)
    own, other = m.tidy(), dense.tidy()
    # the slopes of log df in theta, by differences, add up to 2.4 at most
    np.testing.assert_allclose(own["df"].dropna(), other["df"].dropna(), rtol=2.5 * close["atol"])
    new = data.head(20)
    np.testing.assert_allclose(m.predict(new, se=True), dense.predict(new, se=True), **close)
    np.testing.assert_allclose(m.simulate(2, seed=3), dense.simulate(2, seed=3), **close)
    assert_same_refit(m, dense, 1e-7)
    assert m.fit.as_ml().llf == pytest.approx(dense.fit.as_ml().llf, abs=1e-7)


def test_a_pickled_fit_goes_on(fits):
    m, _ = fits
    copy = pickle.loads(pickle.dumps(m))
    np.testing.assert_array_equal(copy.params, m.params)
    assert isinstance(copy.fit.objective, SeriesObjective)
    y = m.simulate(1, seed=5).iloc[:, 0]
    assert copy.refit(y).llf == pytest.approx(m.refit(y).llf, abs=1e-9)


def test_without_some_rows(fits):
    m, dense = fits
    gone = np.array([0, 1, 5, 17])
    own, other = m.fit.without(gone), dense.fit.without(gone)
    assert own.criterion == pytest.approx(other.criterion, abs=1e-6)
    np.testing.assert_allclose(own.beta, other.beta, atol=2e-5)
    own.factor_at_optimum()


def test_what_needs_dense_templates_of_long_series_is_refused(data, monkeypatch):
    monkeypatch.setattr(series_design, "MOST_WORK", 100)
    m = il.fit(FORMULAS["alone"], data)
    assert m.predict(data.head(3)).notna().all()
    with pytest.raises(NumericalError, match="takes too long"):
        m.fit.cond_cov(0)


def test_the_backend_by_name(data):
    with pytest.raises(ArgumentError, match="needs one random term that is a series"):
        linear_objective(
            *(lambda d: (d, CovarianceModel.of(d)))(build("y ~ x + (1 | g)", data)), True, "series"
        )


def test_two_series_go_by_dense_templates(data):
    m = il.fit("y ~ x + ar1(0 + t | g) + ar1(0 + t | h)", data)
    assert m.fit.backend != "series"


@pytest.mark.parametrize("name", FORMULAS)
def test_variances_without_blocks_are_those_of_the_dense_twin(data, name, monkeypatch):
    m = il.fit(FORMULAS[name], data, weights="w")
    new = data.head(30).copy()
    new["t"] = new["t"].to_numpy()[::-1]  # times that a group has no row of
    new["week"] = new["week"].to_numpy()[::-1]
    new["pos"] = new["pos"].to_numpy()[::-1]
    new["f"] = "1"  # levels that do not meet in the data
    new.loc[4, "g"] = "new"
    series = next(t.text for t in m.fit.design.terms if t.structure in ("ar1", "hetar1", "ou"))
    known = {"new_levels": "population"}

    def everything():
        yield m.predict(se=True)
        yield m.predict(new, se=True, **known)
        yield m.predict(new, se=True, include_re=[series], **known)
        others = [t.text for t in m.fit.design.terms if t.text != series]
        if others:
            yield m.predict(new, se=True, include_re=others, **known)
        yield m.ranef(cond_sd=True)[["value", "cond_sd"]]
        yield pd.DataFrame({"hat": m.augment()[".hat"]})

    own = list(everything())
    for method in ("row_variances", "effect_variances"):
        monkeypatch.setattr(SeriesObjective, method, lambda *_: None)
    for mine, theirs in zip(own, everything(), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-8)


def test_a_residual_variance_of_zero_is_said():
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"g": np.repeat(np.arange(15), 20), "t": np.tile(np.arange(20), 15)})
    data["y"] = rng.normal(size=300)
    with pytest.warns(il.errors.ConvergenceWarning, match="residual variance is estimated as zero"):
        m = il.fit("y ~ 1 + ar1(0 + t | g)", data)
    assert m.fit.verdict == "not identified"
    assert np.isfinite(m.llf)
