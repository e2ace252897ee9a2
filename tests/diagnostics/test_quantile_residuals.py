"""Quantile residuals: normal under the model, and within the jumps of distribution functions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import interlace as il
from interlace.diagnostics.quantile_residuals import quantile_residuals

RNG = np.random.default_rng(5)
N = 800
X = RNG.normal(size=N)
MU = np.exp(0.6 + 0.4 * X)
DATA = pd.DataFrame(
    {
        "x": X,
        "trials": RNG.integers(1, 9, N),
        "count": RNG.poisson(MU),
        "wait": RNG.gamma(3.0, MU / 3.0),
        "zeros": RNG.poisson(MU) * (RNG.random(N) > 0.3),
        "share": RNG.beta(2.0, 3.0, N) * (RNG.random(N) > 0.2),
    }
)
DATA["k"] = RNG.binomial(DATA.trials, 1.0 / (1.0 + np.exp(-X)))
DATA["light"] = X + RNG.normal(size=N)
DATA["heavy"] = X + RNG.standard_t(5, N)

MODELS = {
    "poisson": ("count ~ x", "poisson", {}),
    "binomial": ("cbind(k, trials - k) ~ x", "binomial", {}),
    "gamma": ("wait ~ x", "Gamma(log)", {}),
    "zero-inflated": ("zeros ~ x", "poisson", {"ziformula": "~ 1"}),
    "tweedie": ("zeros ~ x", "tweedie", {}),
    "t": ("heavy ~ x", "t", {}),
    "negative binomial": ("count ~ x", "nbinom2", {}),
    "gaussian": ("light ~ x", "gaussian", {}),
}


@pytest.mark.parametrize("name", [name for name in MODELS if name != "tweedie"])
def test_they_are_normal_under_the_model(name: str) -> None:
    formula, family, given = MODELS[name]
    values = quantile_residuals(il.glm(formula, DATA, family, **given).fit)
    # estimates fit the data better than the truth: p-values are not small, rarely near one
    assert stats.kstest(values, "norm").pvalue > 0.01


def test_a_wrong_family_is_seen() -> None:
    values = quantile_residuals(il.glm("zeros ~ x", DATA, "poisson").fit)
    assert stats.kstest(values, "norm").pvalue < 1e-6


def test_counts_lie_within_the_jump_at_them() -> None:
    m = il.glm("count ~ x", DATA, "poisson")
    u = stats.norm.cdf(quantile_residuals(m.fit))
    mean = m.fittedvalues.to_numpy()
    assert (u > stats.poisson.cdf(DATA["count"] - 1, mean) - 1e-12).all()
    assert (u < stats.poisson.cdf(DATA["count"], mean) + 1e-12).all()
    m = il.glm("cbind(k, trials - k) ~ x", DATA, "binomial")
    u, p = stats.norm.cdf(quantile_residuals(m.fit)), m.fittedvalues.to_numpy()
    assert (u > stats.binom.cdf(DATA["k"] - 1, DATA["trials"], p) - 1e-12).all()
    assert (u < stats.binom.cdf(DATA["k"], DATA["trials"], p) + 1e-12).all()


def test_a_probability_of_zero_is_spread() -> None:
    m = il.glm("zeros ~ x", DATA, "tweedie")
    at_zero = quantile_residuals(m.fit)[DATA["zeros"] == 0.0]
    assert np.unique(at_zero).size == at_zero.size
    assert np.isfinite(at_zero).all()


def test_continuous_ones_are_exact_and_do_not_depend_on_the_seed() -> None:
    m = il.glm("wait ~ x", DATA, "Gamma(log)")
    first, second = (quantile_residuals(m.fit, seed) for seed in (1, 2))
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-9)
    linear = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    np.testing.assert_allclose(quantile_residuals(linear.fit), linear.resid / linear.sigma)


def test_the_same_in_every_call_and_extremes_are_finite() -> None:
    m = il.glm("count ~ x", DATA, "poisson")
    np.testing.assert_array_equal(quantile_residuals(m.fit), quantile_residuals(m.fit))
    far = DATA.assign(count=np.where(np.arange(N) == 3, 10_000, DATA["count"]))
    values = quantile_residuals(il.glm("count ~ x", far, "poisson").fit)
    assert np.isfinite(values).all() and values[3] > 8.0
