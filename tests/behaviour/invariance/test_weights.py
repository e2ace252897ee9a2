"""What prior weights mean: they divide a dispersion, or without one multiply the log-density."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import interlace as il
from interlace.families import Gamma, Gaussian, InverseGaussian, NegativeBinomial

FREE = {
    "gaussian": (Gaussian, "identity"),
    "gaussian log": (Gaussian, "log"),
    "gamma": (Gamma, "log"),
    "inverse_gaussian": (InverseGaussian, "log"),
    "negativebinomial": (NegativeBinomial, "log"),
}
each_family = pytest.mark.parametrize("name", FREE)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    g = np.repeat(np.arange(15), 8)
    d = pd.DataFrame(
        {"g": g, "x": rng.normal(size=120), "w": rng.choice([0.5, 1.0, 2.0, 7.0], 120)}
    )
    d["off"] = rng.uniform(-0.3, 0.3, 120)
    mu = np.exp(1.0 + 0.3 * d.x + d.off + 0.4 * rng.normal(size=15)[g])
    d["count"] = rng.negative_binomial(3.0, 3.0 / (3.0 + mu))
    shape = 4.0 * d.w
    d["positive"] = mu * rng.gamma(shape) / shape
    d["row"] = np.arange(120)
    return d


def response(name):
    return "count" if name == "negativebinomial" else "positive"


@each_family
@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize("offset", [None, "off"])
def test_a_parameter_held_at_its_estimate_leaves_the_likelihood(data, name, weights, offset):
    family, link = FREE[name]
    formula = f"{response(name)} ~ x + (1 | g)"
    free = il.glmer(formula, data, family(link=link), weights=weights, offset=offset)
    value = float(np.exp(free.fit.zeta[0]))
    held = il.glmer(
        formula, data, family(link=link).with_parameter(value), weights=weights, offset=offset
    )
    assert held.llf == pytest.approx(free.llf, abs=1e-7)
    np.testing.assert_allclose(held.fe_params, free.fe_params, rtol=1e-4, atol=1e-6)

    formula = f"{response(name)} ~ x"
    free = il.glm(formula, data, family(link=link), weights=weights, offset=offset)
    if free.fit.family.free_dispersion:  # R's value of it in the log-likelihood
        value = len(data) / free.deviance
    else:
        value = float(np.exp(free.fit.zeta[0]))
    held = il.glm(
        formula, data, family(link=link).with_parameter(value), weights=weights, offset=offset
    )
    assert held.llf == pytest.approx(free.llf, abs=1e-8)
    assert held.aic == pytest.approx(free.aic - 2.0, abs=1e-8)


@pytest.mark.parametrize("name", [name for name in FREE if name != "negativebinomial"])
def test_the_unit_of_weights_is_that_of_the_dispersion(data, name):
    """Weights twice as large are a dispersion twice as large, and nothing else."""
    family, link = FREE[name]
    for fit, formula in ((il.glm, "positive ~ x"), (il.glmer, "positive ~ x + (1 | g)")):
        one = fit(formula, data, family(link=link), weights="w")
        for unit in (1e-6, 1e6):
            other = fit(formula, data, family(link=link), weights=unit * data.w)
            assert other.llf == pytest.approx(one.llf, abs=1e-6)
            np.testing.assert_allclose(other.fe_bse, one.fe_bse, rtol=1e-4)
            assert other.dispersion == pytest.approx(unit * one.dispersion, rel=1e-4)


def test_linear_and_gaussian_models_are_the_same(data):
    formula = "positive ~ x + (x | g)"
    linear = il.lmer(formula, data, method="ML", weights="w")
    gaussian = il.glmer(formula, data, "gaussian", weights="w")
    assert gaussian.llf == pytest.approx(linear.llf, abs=1e-8)
    np.testing.assert_allclose(gaussian.fe_params, linear.fe_params, rtol=1e-6)
    np.testing.assert_allclose(
        gaussian.VarCorr()["sd_or_corr"], linear.VarCorr()["sd_or_corr"], rtol=1e-4
    )
    np.testing.assert_allclose(
        gaussian.residuals("pearson", scaled=True), linear.residuals("pearson", scaled=True),
        rtol=1e-5,
    )  # fmt: skip


DENSITIES = {
    "gaussian": lambda y, mu, phi: stats.norm.logpdf(y, mu, np.sqrt(phi)),
    "gaussian log": lambda y, mu, phi: stats.norm.logpdf(y, mu, np.sqrt(phi)),
    "gamma": lambda y, mu, phi: stats.gamma.logpdf(y, 1.0 / phi, scale=mu * phi),
    "inverse_gaussian": lambda y, mu, phi: stats.invgauss.logpdf(y, mu * phi, scale=1.0 / phi),
}


@pytest.mark.parametrize("name", DENSITIES)
def test_the_log_likelihood_is_that_of_densities(data, name):
    """By hand, with the dispersion over the weight of each row."""
    family, link = FREE[name]
    m = il.glm("positive ~ x", data, family(link=link), weights="w")
    phi = m.deviance / len(data) / data.w
    by_hand = DENSITIES[name](data.positive, m.fittedvalues, phi).sum()
    assert m.llf == pytest.approx(by_hand, rel=1e-10)


@each_family
def test_simulated_responses_have_the_variance_of_the_fit(data, name):
    family, link = FREE[name]
    m = il.glm(f"{response(name)} ~ x", data, family(link=link), weights="w")
    draws = m.simulate(4000, seed=1).to_numpy()
    weights = 1.0 if name == "negativebinomial" else data.w.to_numpy()
    zeta = m.fit.zeta
    expected = m.dispersion * m.fit.family.variance(m.fittedvalues.to_numpy(), zeta) / weights
    ratio = draws.var(axis=1) / expected
    assert ratio.mean() == pytest.approx(1.0, abs=0.05)
    if name != "negativebinomial":
        heavy = data.w.to_numpy() > 1.0
        assert ratio[heavy].mean() == pytest.approx(ratio[~heavy].mean(), abs=0.05)


def test_a_meta_analysis(data):
    """Known variances of the studies: an effect for each row beside them."""
    rng = np.random.default_rng(5)
    n = 25
    d = pd.DataFrame(
        {"x": rng.normal(size=n), "v": rng.uniform(0.02, 0.4, n), "study": np.arange(n)}
    )
    d["yi"] = 0.3 + 0.2 * d.x + rng.normal(0.0, np.sqrt(0.15 + d.v))
    d["w"] = 1.0 / d.v
    m = il.glmer("yi ~ x + (1 | study)", d, il.Gaussian(precision=1.0), weights="w")

    X = np.column_stack([np.ones(n), d.x])

    def deviance(tau2):
        v = tau2 + d.v.to_numpy()
        beta = np.linalg.solve(X.T @ (X / v[:, None]), X.T @ (d.yi / v))
        return -2.0 * stats.norm.logpdf(d.yi, X @ beta, np.sqrt(v)).sum(), beta

    found = optimize.minimize_scalar(lambda t: deviance(t)[0], bounds=(0.0, 2.0), method="bounded",
                                     options={"xatol": 1e-10})  # fmt: skip
    assert m.converged
    assert -2.0 * m.llf == pytest.approx(found.fun, abs=1e-8)
    assert m.variance_components["study"] == pytest.approx(found.x, rel=1e-4)
    np.testing.assert_allclose(m.fe_params, deviance(found.x)[1], rtol=1e-5)
    # nothing of it is estimated: no residual variance that the other could be confused with
    with pytest.raises(il.DataError, match="cannot be told from the residual variance"):
        il.glmer("yi ~ x + (1 | study)", d, "gaussian")


@pytest.mark.parametrize("family", [il.Gaussian("log"), il.Gamma("log"), il.InverseGaussian("log")])
def test_the_unit_of_the_response_costs_nothing(data, family):
    d = data.assign(one=data.positive)
    one = il.glmer("one ~ x + (1 | g)", d, family)
    for unit in (1e-120, 1e-6, 1e100):
        other = il.glmer("one ~ x + (1 | g)", d.assign(one=d.one * unit), family)
        assert other.convergence.evaluations <= one.convergence.evaluations + 1
        assert other.llf + 120 * np.log(unit) == pytest.approx(one.llf, abs=1e-6)


def test_an_effect_for_each_row_beside_a_residual_is_answered_with_the_other_model(data):
    formula = "positive ~ x + (1 | row)"
    for fit, family in ((il.lmer, ()), (il.glmer, ("gaussian",))):
        with pytest.raises(il.DataError, match=r"Gaussian\(precision=1\).*weights=1/variance"):
            fit(formula, data, *family)
    held = il.glmer(formula, data, il.Gaussian(precision=1.0), weights=1.0 / data.w)
    assert held.converged and held.refit(data.positive + 0.1).converged
    with pytest.raises(il.DataError, match="precision=1"):
        il.update(held, family="gaussian")
