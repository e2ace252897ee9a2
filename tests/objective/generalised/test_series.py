"""Generalised models with a series, time by time, against the same models by dense templates."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from helpers.series_twins import assert_same_estimates, assert_same_refit

import interlace as il
from interlace.covariance import CovarianceModel
from interlace.design.build import build
from interlace.errors import DataError, NumericalError
from interlace.families import resolve
from interlace.models.glmm import make_objective, with_parameters
from interlace.models.observations import observe
from interlace.models.predictors import family_of
from interlace.objective.generalised import problem
from interlace.objective.generalised.series_laplace import SeriesLaplace
from interlace.objective.linear import series_design
from interlace.optimize import minimise

# (family, link, response, information of the determinant)
FAMILIES = {
    "poisson": ("poisson", None, "count", True),
    "probit": ("binomial", "probit", "yes", True),
    "probit, observed": ("binomial", "probit", "yes", False),
    "gamma": ("gamma", "log", "size", False),
    "negative binomial": ("negativebinomial", None, "count", True),
}
TERMS = {
    "alone": "ar1(0 + t | g)",
    "level": "ar1(0 + t | g) + (1 | g)",
    "slope": "ar1(0 + t | g) + (1 + x | g)",
    "coarser and level": "(1 | f) + ar1(0 + t | g) + (1 | g)",
    "crossed": "ar1(0 + t | g) + (1 | h)",
    "crossed, two of them": "ar1(0 + t | g) + (1 + x | h) + (1 | k)",
    "heterogeneous": "hetar1(0 + t | g)",
    "numeric times": "ar1(0 + week | g) + (1 | f)",
    "continuous": "ou(0 + pos | g)",
    "continuous, crossed": "ou(pos + 0 | g) + (1 | h)",
}
OTHERS = {
    "zeros": ("poisson", "count", {"zi": "~ x"}),
    "dispersion": ("nbinom2", "count", {"dispersion": "~ x"}),
    "zeros with effects": ("poisson", "count", {"zi": "~ 1 + (1 | g)"}),
}
# Modes stop at a decrement of 1e-18 of the criterion, and gradients have the root of that.
MODES = 3e-8


def frame(seed=1, groups=12, times=8):
    """Rows with several of a time, gaps, series of unequal length, and weights."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), times * 2)
    t = np.tile(np.repeat(np.arange(times), 2), groups)
    n = g.size
    a = np.zeros((groups, times))
    for j in range(times):
        a[:, j] = 0.6 * a[:, j - 1] * (j > 0) + 0.8 * rng.normal(size=groups)
    data = pd.DataFrame(
        {
            "g": [f"a{i:02d}" for i in g],
            "f": (g // 3).astype(str),
            "h": rng.integers(0, 5, n).astype(str),
            "k": rng.integers(0, 3, n).astype(str),
            "t": pd.Categorical(t),
            "x": rng.normal(size=n),
            "w": rng.integers(1, 4, n).astype(float),
        }
    )
    eta = 0.4 + 0.3 * data.x + 0.6 * a[g, t] + 0.3 * rng.normal(size=groups)[g]
    eta += 0.3 * rng.normal(size=5)[data.h.astype(int)]
    data["count"] = rng.poisson(np.exp(eta))
    data["yes"] = (rng.random(n) < 1.0 / (1.0 + np.exp(-2.0 * eta))).astype(float)
    data["size"] = np.exp(eta) * rng.gamma(3.0, size=n) / 3.0
    cuts = [-np.inf, 0.0, 0.6, np.inf]
    data["level"] = pd.cut(eta + 0.5 * rng.logistic(size=n), cuts, labels=["a", "b", "c"])
    data["pos"] = np.array([0.0, 0.7, 1.1, 3.0, 3.2, 5.0, 9.0, 9.5])[t]
    data["week"] = np.array([0, 1, 2, 4, 5, 9, 10, 12])[t]
    return data[rng.random(n) < 0.6].reset_index(drop=True)


@pytest.fixture(scope="module")
def data():
    return frame()


def both(data, formula, family, expected, others=None):
    """The objective time by time, and its dense twin."""
    design = build(
        formula, data, linear=False, others=others, ordered=family.name == "ordinal", weights=None
    )
    family = family_of(family, design) if others else family
    design = with_parameters(design, family)
    covariance, observations = CovarianceModel.of(design), observe(design, family)
    own, dense = (
        make_objective(design, covariance, family, observations, 1, expected, backend)
        for backend in (None, "blocked")
    )
    assert isinstance(own, SeriesLaplace)
    assert not isinstance(dense, SeriesLaplace)
    return own, dense


def thetas(own, seed=4):
    """Inside, without the series' variance, and without its innovations."""
    theta = np.random.default_rng(seed).uniform(0.3, 1.0, own.covariance.n_theta)
    at = own.scale.series
    yield theta
    for sd, angle in ((0.0, 0.5), (0.7, np.pi / 2)):
        out = theta.copy()
        out[at][:-1], out[at][-1] = sd, angle
        yield out


def places(own, dense):
    """The same parameters for both."""
    for theta in thetas(own):
        x, other = own.start(), dense.start()
        x[own.at.theta], other[own.at.theta] = own.scale.x(theta), dense.scale.x(theta)
        x[own.at.beta] += 0.1
        other[own.at.beta], other[own.at.zeta] = x[own.at.beta], x[own.at.zeta]
        yield x, other


def assert_twins(own, dense):
    for x, other in places(own, dense):
        here, there = own.evaluate(x, 1), dense.evaluate(other, 1)
        assert here.value == pytest.approx(there.value, abs=1e-10, rel=1e-12)
        h = 1e-4
        for i, step in enumerate(h * np.eye(x.size)):
            ends = [own.evaluate(x + c * step, 0).value for c in (1, -1, 2, -2)]
            slope = (8 * (ends[0] - ends[1]) - (ends[2] - ends[3])) / (12 * h)
            assert here.gradient[i] == pytest.approx(slope, abs=1e-6)
        m = own.covariance.n_theta
        slopes = [np.linalg.solve(o.scale.jacobian().T, e.gradient[:m])
                  for o, e in ((own, here), (dense, there))]  # fmt: skip
        np.testing.assert_allclose(*slopes, atol=MODES)
        np.testing.assert_allclose(here.gradient[m:], there.gradient[m:], atol=MODES)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("terms", TERMS)
def test_criterion_and_gradient_are_those_of_the_dense_twin(data, name, terms):
    family, link, response, expected = FAMILIES[name]
    own, dense = both(data, f"{response} ~ x + {TERMS[terms]}", resolve(family, link), expected)
    assert_twins(own, dense)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("terms", ["alone", "level", "crossed"])
def test_several_predictors(data, name, terms):
    family, response, others = OTHERS[name]
    formula = f"{response} ~ x + {TERMS[terms]}"
    assert_twins(*both(data, formula, resolve(family), False, others))


@pytest.mark.parametrize("terms", ["alone", "level", "continuous, crossed"])
def test_ordered_categories(data, terms):
    formula = f"level ~ x + {TERMS[terms]}"
    own = il.clmm(formula, data)
    other = il.clmm(formula, data, backend="blocked")
    assert own.fit.backend == "series"
    assert own.llf == pytest.approx(other.llf, abs=1e-7)
    np.testing.assert_allclose(own.bse, other.bse, rtol=1e-4)
    new = data.head(9)
    np.testing.assert_allclose(
        own.predict(new, type="prob", se=True).to_numpy(dtype=float),
        other.predict(new, type="prob", se=True).to_numpy(dtype=float),
        atol=1e-4,
    )


@pytest.mark.parametrize("terms", ["alone", "slope", "crossed", "heterogeneous", "continuous"])
def test_the_hessian_is_that_of_differences(data, terms):
    own, _ = both(data, f"count ~ x + {TERMS[terms]}", resolve("poisson"), True)
    for x in [own.start(), *(x for x, _ in places(own, own))]:
        own.evaluate(x, 1)
        H, h = own.hessian(x), 1e-4
        for i, step in enumerate(h * np.eye(x.size)):
            ends = [own.evaluate(x + c * step, 1).gradient for c in (1, -1, 2, -2)]
            row = (8 * (ends[0] - ends[1]) - (ends[2] - ends[3])) / (12 * h)
            np.testing.assert_allclose(H[i], row, atol=2e-5 * np.abs(H).max())


@pytest.mark.parametrize("terms", TERMS)
def test_optimum_and_estimates_are_those_of_the_dense_twin(data, terms):
    if terms == "heterogeneous":  # nine parameters have several minima in a hundred rows
        data = frame(groups=60)
    own, dense = both(data, f"count ~ x + {TERMS[terms]}", resolve("poisson"), True)
    here, there = minimise(own), minimise(dense)
    assert here.value == pytest.approx(there.value, abs=1e-7)
    assert here.verdict == there.verdict
    m = own.covariance.n_theta
    at = slice(0, m), slice(m, None)
    np.testing.assert_allclose(
        own.scale.theta(here.x[at[0]]), dense.scale.theta(there.x[at[0]]), atol=3e-5
    )
    np.testing.assert_allclose(here.x[at[1]], there.x[at[1]], atol=1e-5)


@pytest.fixture(scope="module", params=["alone", "level", "slope", "crossed", "continuous"])
def fits(request, data):
    formula = f"count ~ x + {TERMS[request.param]}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return (
            il.glmer(formula, data, family="poisson"),
            il.glmer(formula, data, family="poisson", backend="blocked"),
        )


def test_what_comes_after_the_fit(fits, data):
    m, dense = fits
    # theta of both searches to their own tolerance
    close = {"atol": 5e-5}
    assert_same_estimates(m, dense, **close)
    new = data.head(20).copy()
    new["t"] = new["t"].to_numpy()[::-1]  # times that a group has no row of
    new["pos"] = new["pos"].to_numpy()[::-1]
    new.loc[4, "g"] = "new"
    np.testing.assert_allclose(m.predict(se=True), dense.predict(se=True), **close)
    series = next(t.text for t in m.fit.design.terms if t.structure in ("ar1", "ou"))
    others = [t.text for t in m.fit.design.terms if t.text != series]
    for chosen in ({}, {"include_re": [series]}, {"include_re": others}):
        options = {"se": True, "new_levels": "population"} | chosen
        np.testing.assert_allclose(
            m.predict(new, **options), dense.predict(new, **options), **close
        )
    np.testing.assert_allclose(m.residuals(), dense.residuals(), atol=3e-4)
    np.testing.assert_array_equal(m.simulate(2, seed=3).shape, dense.simulate(2, seed=3).shape)
    assert_same_refit(m, dense, 1e-6)


def test_a_pickled_fit_goes_on(fits):
    m, _ = fits
    copy = pickle.loads(pickle.dumps(m))
    np.testing.assert_array_equal(copy.params, m.params)
    assert isinstance(copy.fit.objective, SeriesLaplace)
    np.testing.assert_allclose(copy.predict(se=True), m.predict(se=True), rtol=1e-12)
    y = m.simulate(1, seed=5).iloc[:, 0]
    assert copy.refit(y).llf == pytest.approx(m.refit(y).llf, abs=1e-7)


def test_without_some_rows(fits):
    m, dense = fits
    gone = np.array([0, 1, 5, 17])
    own, other = m.fit.without(gone), dense.fit.without(gone)
    assert own.criterion == pytest.approx(other.criterion, abs=1e-6)
    np.testing.assert_allclose(own.beta, other.beta, atol=2e-5)
    own.factor_at_optimum()


def test_variances_of_several_predictors(data):
    formula, more = f"count ~ x + {TERMS['level']}", {"ziformula": "~ 1", "family": "poisson"}
    m, dense = (il.glmer(formula, data, backend=b, **more) for b in ("auto", "blocked"))
    assert m.fit.backend == "series"
    np.testing.assert_allclose(m.bse, dense.bse, rtol=1e-3)
    np.testing.assert_allclose(m.predict(se=True), dense.predict(se=True), atol=2e-4)
    assert m.simulate(2, seed=1).shape == (len(data), 2)


def test_what_needs_dense_templates_of_long_series_is_refused(data, monkeypatch):
    monkeypatch.setattr(series_design, "MOST_WORK", 100)
    monkeypatch.setattr(problem, "MOST_WORK", 100)
    m = il.glmer("count ~ x + ar1(0 + t | g)", data, family="poisson")
    assert m.predict(data.head(3), se=True).notna().all(axis=None)
    assert (m.ranef(cond_sd=True)["cond_sd"] > 0.0).all()
    with pytest.raises(NumericalError, match="takes too long"):
        m.fit.cond_cov(0)
    with pytest.raises(DataError, match="would take hours"):
        il.glmer("count ~ x + ar1(0 + t | g)", data, family="poisson", nAGQ=0)


def test_one_row_for_each_time_is_no_level_that_agrees():
    rng = np.random.default_rng(3)
    groups, times = 20, 60
    a = rng.normal(size=(groups, times))
    for j in range(1, times):
        a[:, j] = 0.8 * a[:, j - 1] + 0.6 * a[:, j]
    data = pd.DataFrame(
        {"g": np.repeat(np.arange(groups), times), "t": np.tile(np.arange(times), groups)}
    )
    data["y"] = 1.0 * (rng.random(len(data)) < 1.0 / (1.0 + np.exp(-a.ravel())))
    m = il.glmer("y ~ 1 + ar1(0 + t | g)", data, family="binomial")
    assert m.fit.verdict == "converged"
    # the indicator of one of sixty times has the root mean square 60^{-1/2}
    np.testing.assert_allclose(m.fit.theta_sizes[0], m.fit.theta[0] / np.sqrt(times))


def test_the_correlation_of_the_other_sign_is_found(data):
    formula = "size ~ 0 + ar1(0 + t | g) + (1 + x | g)"
    m, dense = (il.fit(formula, data, backend=b) for b in ("auto", "blocked"))
    assert m.llf == pytest.approx(dense.llf, abs=1e-7)
    assert m.fit.theta[1] < 0.0


@pytest.mark.parametrize("optimizer", ["bobyqa", "lbfgsb"])
def test_other_optimisers(data, optimizer):
    formula = f"count ~ x + {TERMS['level']}"
    m, other = (
        il.glmer(formula, data, family="poisson", optimizer=o) for o in ("newton", optimizer)
    )
    assert other.llf == pytest.approx(m.llf, abs=1e-6)
