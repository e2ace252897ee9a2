"""Families at the ends of their parameters: the verdict names the parameter, and all that the data
determine is kept, as of the family that is the limit."""

import time
import warnings

import numpy as np
import pandas as pd
import pytest

import interlace as il


def data(seed, n, levels, rate=0.5):
    rng = np.random.default_rng(seed)
    d = pd.DataFrame({"x": rng.normal(size=n), "g": [f"g{i % levels}" for i in range(n)]})
    effects = rng.normal(size=levels) * 0.4
    d["mu"] = np.exp(rate + 0.3 * d["x"] + effects[np.arange(n) % levels])
    return d, rng


def fitted(*args, **kwargs):
    """The fit, with its verdict's warning alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", il.ConvergenceWarning)
        return il.glmer(*args, **kwargs)


def same_coefficients(m, other, rtol):
    assert m.llf == pytest.approx(other.llf, abs=1e-3)
    np.testing.assert_allclose(m.fit.beta, other.fit.beta, rtol=rtol)
    np.testing.assert_allclose(m.fit.cov_beta, other.fit.cov_beta, rtol=rtol, atol=1e-6)


@pytest.mark.parametrize("formula", ["y ~ x + (1|g)", "y ~ (1|g)", "y ~ x + (x|g)"])
def test_counts_beyond_geometric_ones(formula):
    """Of all Conway-Maxwell-Poisson distributions of a mean the most variable is geometric."""
    d, rng = data(5, 240, 12)
    d["y"] = rng.negative_binomial(0.25, 0.25 / (0.25 + d["mu"])).astype(float)
    m = fitted(formula, d, family="compois")
    # next to no zeros besides: the information is observed, as in families of several predictors
    geometric = il.ZeroInflated(il.NegativeBinomial(theta=1.0), zi=1e-15)
    other = fitted(formula, d, family=geometric)
    assert m.fit.optimum.verdict == "not identified"
    assert "phi of the Conway-Maxwell-Poisson tends to infinity" in m.fit.optimum.message
    same_coefficients(m, other, 1e-3)
    assert m.fit.estimated_parameters["phi"][1] == np.inf


@pytest.mark.parametrize(("levels", "seed"), [(8, 2), (30, 3)])
def test_a_tweedie_response_without_zeros(levels, seed):
    d, rng = data(seed, 120, levels)
    d["y"] = d["mu"] * rng.gamma(3.0, 1.0 / 3.0, 120)
    m = fitted("y ~ x + (1|g)", d, family="tweedie")
    gamma = fitted("y ~ x + (1|g)", d, family=il.Gamma("log"))
    assert m.fit.optimum.verdict == "not identified"
    assert (
        "power of Tweedie's family tends to 2" in m.fit.optimum.message
        and "Gamma" in m.fit.optimum.message
    )
    same_coefficients(m, gamma, 1e-3)


@pytest.mark.parametrize("seed", [1, 12])
def test_an_effect_for_each_count_of_a_generalised_poisson(seed):
    """Its density of a count at the mean is without bound where phi tends to zero."""
    n = 60
    rng = np.random.default_rng(seed)
    d = pd.DataFrame({"g": [f"g{i}" for i in range(n)], "x": rng.normal(size=n)})
    middle = 1.0 if seed == 1 else 0.5
    d["y"] = rng.poisson(np.exp(middle + 0.3 * d["x"] + 0.4 * rng.normal(size=n)))
    start = time.perf_counter()
    m = fitted("y ~ x + (1|g)", d, family="genpois")
    assert time.perf_counter() - start < 5.0
    assert m.fit.optimum.verdict == "not identified"
    assert "phi of the generalised Poisson tends to zero" in m.fit.optimum.message
    # the likelihood rises where phi is held ever lower
    held = [fitted("y ~ x + (1|g)", d, family=il.GeneralisedPoisson(phi=p)).llf for p in (1, 0.5)]
    assert held[0] < held[1] < m.llf


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("levels", [6, 60])
def test_residuals_that_end_sharply(levels, sign):
    """Exponential residuals: a half-normal distribution is nearer than any skew normal one."""
    rng = np.random.default_rng(5)
    d = pd.DataFrame({"x": rng.normal(size=60), "g": [f"g{i % levels}" for i in range(60)]})
    d["y"] = sign * (d["x"] + rng.exponential(size=60))
    m = fitted("y ~ x + (1|g)", d, family="skewnormal")
    assert m.fit.optimum.verdict == "not identified"
    assert "shape of the skew normal tends to infinity" in m.fit.optimum.message
    held = [fitted("y ~ x + (1|g)", d, family=il.SkewNormal(shape=sign * s)).llf for s in (4, 20)]
    assert held[0] < held[1] < m.llf
    assert np.isfinite(m.fit.cov_beta).all()


def test_an_effect_for_each_row_of_a_skew_normal():
    """The sum of a normal and a skew normal number is skew normal."""
    rng = np.random.default_rng(1)
    d = pd.DataFrame({"x": rng.normal(size=60), "g": [f"g{i}" for i in range(60)]})
    d["y"] = d["x"] + rng.normal(size=60)
    m = fitted("y ~ x + (1|g)", d, family="skewnormal")
    lower = [fitted("y ~ x + (1|g)", d, family="skewnormal", theta0=[t]) for t in (0.05, 3.0)]
    assert m.fit.converged
    assert all(other.llf < m.llf + 1e-5 for other in lower)


@pytest.mark.parametrize("unit", [1e-200, 1e-100, 1e120, 1e200])
@pytest.mark.parametrize("family", ["lognormal"])
def test_units_near_the_ends_of_the_doubles(family, unit):
    d, rng = data(3, 90, 9)
    d["y"] = d["mu"] * np.exp(0.5 * rng.normal(size=90))
    d["z"] = d["y"] * unit
    plain = fitted("y ~ x + (1|g)", d, family=family)
    m = fitted("z ~ x + (1|g)", d, family=family)
    assert m.fit.optimum.verdict == plain.fit.optimum.verdict == "converged"
    assert m.llf == pytest.approx(plain.llf - 90 * np.log(unit), rel=1e-9)
    np.testing.assert_allclose(m.fit.beta - plain.fit.beta, [np.log(unit), 0.0], atol=1e-5)
    np.testing.assert_allclose(m.fit.cov_beta, plain.fit.cov_beta, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("formula", ["~ 1", "~ x"])
def test_positive_responses_that_are_all_equal(formula):
    """Beside zeros of their own they are fitted exactly, and that is said."""
    d, rng = data(8, 100, 15)
    d["y"] = np.where(rng.random(100) < 0.3, 0.0, 2.5)
    m = fitted("y ~ x + (1|g)", d, family="lognormal", ziformula=formula)
    assert m.fit.optimum.verdict == "not identified"
    assert "fits the response exactly" in m.fit.optimum.message
