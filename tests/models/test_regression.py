"""Models without random effects by maximum likelihood, where the answer is known otherwise."""

import pickle

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.errors import ArgumentError, ConvergenceWarning, FormulaError


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(11)
    n = 400
    x = rng.normal(size=n)
    g = np.array(["a", "b", "c"])[rng.integers(3, size=n)]
    mu = np.exp(0.8 + 0.4 * x)
    zero = rng.random(n) < np.where(g == "a", 0.4, 0.15)
    return pd.DataFrame(
        {
            "x": x,
            "g": g,
            "one": 1.0,
            "zip": np.where(zero, 0, rng.poisson(mu)),
            "nb": (counts := rng.poisson(mu * rng.gamma(2.0, 0.5, n))),
            "zinb": np.where(zero, 0, counts),
            "y": 2.0 + x + rng.normal(size=n) * np.where(g == "b", 2.0, 0.7),
            "w": rng.integers(1, 4, n),
            "share": np.clip(
                rng.beta(6.0 / (1.0 + np.exp(-x)), 6.0 / (1.0 + np.exp(x))), 0.01, 0.99
            ),
        }
    )


def test_means_and_deviations_of_groups_are_their_own(data):
    m = il.glm("y ~ 0 + g", data, dispformula="~ 0 + g")
    groups = data.groupby("g")["y"]
    np.testing.assert_allclose(m.params, groups.mean(), rtol=1e-9)
    np.testing.assert_allclose(np.exp(m.disp_params), groups.std(ddof=0), rtol=1e-9)
    n = groups.size()
    np.testing.assert_allclose(m.bse, groups.std(ddof=0) / np.sqrt(n), rtol=1e-8)
    np.testing.assert_allclose(m.disp_bse, np.sqrt(0.5 / n), rtol=1e-8)


def test_a_hurdle_model_is_two_models(data):
    m = il.glm("zip ~ x", data, "truncated_poisson", ziformula="~ g")
    zeros = il.glm("zero ~ g", data.assign(zero=data.zip == 0), "binomial")
    counts = il.glm("zip ~ x", data[data.zip > 0], "truncated_poisson")
    assert m.llf == pytest.approx(zeros.llf + counts.llf, abs=1e-8)
    np.testing.assert_allclose(m.params, counts.params, rtol=1e-8)
    np.testing.assert_allclose(m.bse, counts.bse, rtol=1e-7)
    np.testing.assert_allclose(m.zi_params, zeros.params, rtol=1e-8)
    np.testing.assert_allclose(m.zi_bse, zeros.bse, rtol=1e-7)


def test_a_formula_of_one_number_changes_no_likelihood(data):
    """A column of ones by another name: by Newton, not by iteratively reweighted least squares."""
    for family in ("nbinom2", "gaussian"):
        response = "nb" if family == "nbinom2" else "y"
        irls = il.glm(f"{response} ~ x + g", data, family)
        newton = il.glm(f"{response} ~ x + g", data, family, dispformula="~ 0 + one")
        assert irls.fit.irls and not newton.fit.irls
        assert newton.llf == pytest.approx(irls.fit.llf_maximum, abs=1e-8)
        np.testing.assert_allclose(newton.params, irls.params, rtol=1e-7)
        assert newton.nparams == irls.nparams
        table = irls.anova(newton)
        assert table["Chi Df"].iloc[1] == 0.0


def test_random_effects_of_variance_zero_leave_this_model(data):
    plain = il.glm("zip ~ x", data, "poisson", ziformula="~ g")
    mixed = il.glmer("zip ~ x + (1 | g)", data, "poisson", ziformula="~ g")
    assert mixed.is_singular
    assert plain.llf == pytest.approx(mixed.llf, abs=1e-7)
    np.testing.assert_allclose(plain.params, mixed.fe_params, atol=1e-5)
    np.testing.assert_allclose(plain.zi_bse, mixed.zi_bse, rtol=1e-4)


def test_weights_are_rows_repeated(data):
    given = {"family": "nbinom2", "ziformula": "~ g", "dispformula": "~ x"}
    m = il.glm("zinb ~ x", data, weights="w", **given)
    again = il.glm("zinb ~ x", data.loc[data.index.repeat(data.w)], **given)
    assert m.llf == pytest.approx(again.llf, abs=1e-7)
    np.testing.assert_allclose(m.vcov(full=True), again.vcov(full=True), rtol=1e-6, atol=1e-9)


def test_rows_and_units_may_change(data):
    given = {"family": "beta", "dispformula": "~ x + g"}
    m = il.glm("share ~ x", data, **given)
    other = data.sample(frac=1.0, random_state=1).assign(x=lambda d: 1000.0 * d.x + 5.0)
    again = il.glm("share ~ x", other, **given)
    assert m.llf == pytest.approx(again.llf, abs=1e-8)
    assert again.params["x"] * 1000.0 == pytest.approx(m.params["x"], rel=1e-7)
    np.testing.assert_allclose(again.fittedvalues.sort_index(), m.fittedvalues, rtol=1e-7)


def test_no_zeros_beyond_those_of_the_family():
    x = np.linspace(-1.0, 1.0, 200)
    data = {"y": np.round(np.exp(1.2 + 0.3 * x + 0.5 * np.sin(9.0 * x))), "x": x}
    with pytest.warns(ConvergenceWarning, match="no more zeros than the family 'poisson'"):
        m = il.glm("y ~ x", data, "poisson", ziformula="~ 1")
    assert m.convergence.verdict == "not identified" and m.infinite == {}
    plain = il.glm("y ~ x", data, "poisson")
    assert m.llf == pytest.approx(plain.llf, abs=1e-3)
    np.testing.assert_allclose(m.bse, plain.bse, rtol=1e-3)


def test_coefficients_of_zeros_that_run_off_are_named(data):
    kept = data[(data.g != "c") | (data.zip > 0)]
    with pytest.warns(ConvergenceWarning, match=r"g\[T.c\] of the zero-inflation model"):
        m = il.glm("zip ~ x", kept, "truncated_poisson", ziformula="~ g")
    assert m.infinite == {"zi~g[T.c]": -1}
    assert np.isfinite(m.bse).all()


def test_the_null_model_has_the_intercept_of_the_mean_alone(data):
    m = il.glm("zip ~ x + g", data, "poisson", ziformula="~ g")
    none = il.glm("zip ~ 1", data, "poisson", ziformula="~ g")
    assert m.null_deviance == pytest.approx(none.deviance, abs=1e-7)
    assert (m.df_null, m.df_model) == (none.df_resid, 3)
    assert m.deviance == -2.0 * m.llf
    without = il.glm("zip ~ 0 + x + offset(0.5 * x)", data, "poisson", ziformula="~ g")
    assert without.null_deviance > without.deviance and without.df_model == 1


def test_refit_is_a_fit_to_other_responses(data):
    m = il.glm("nb ~ x", data, "nbinom1", dispformula="~ g")
    y = m.simulate(seed=2)["sim_1"]
    again = m.refit(y)
    anew = il.glm("nb ~ x", data.assign(nb=y), "nbinom1", dispformula="~ g")
    assert again.llf == pytest.approx(anew.llf, abs=1e-9)
    loaded = pickle.loads(pickle.dumps(again))
    assert loaded.convergence.verdict == "converged"
    np.testing.assert_array_equal(loaded.predict(data.head(3)), anew.predict(data.head(3)))


def test_what_is_refused(data):
    with pytest.raises(FormulaError, match=r"glm\(\) and gls\(\) have no random.*\(1 \| g\)"):
        il.glm("zip ~ x", data, "poisson", ziformula="~ (1 | g)")
    with pytest.raises(FormulaError, match=r"use glm\(\).*, ziformula= included"):
        il.glmer("zip ~ x", data, "poisson", ziformula="~ g")
    with pytest.raises(FormulaError, match=r"use glm\(\).*, dispformula= included"):
        il.fit("y ~ x", data, dispformula="~ g")
    with pytest.raises(ArgumentError, match="does not estimate"):
        il.glm("zip ~ x", data, "poisson", dispformula="~ g")
    m = il.glm("zip ~ x", data, "nbinom1", dispformula="~ g")
    with pytest.raises(ArgumentError, match="test='F'.*maximum likelihood"):
        m.anova(test="F")
    with pytest.raises(ArgumentError, match="no such linear predictor"):
        m.params_of("zi")
    with pytest.raises(ArgumentError, match="one linear predictor"):
        m.hatvalues()


def test_nothing_to_estimate(data):
    m = il.glm("zip ~ 0 + offset(x)", data[data.zip > 0], "truncated_poisson")
    assert m.nparams == 0 and m.converged and m.params.empty
    assert np.isfinite(m.llf) and "Convergence" not in str(m.summary())
    assert "evaluations" in repr(m.convergence) and m.glance()["nobs"].item() == m.nobs


@pytest.mark.parametrize("seed", [1, 4])
def test_a_shape_is_looked_for_on_both_sides_of_zero(seed):
    """The response is skewed to the left by its covariate, its residuals to the right."""
    rng = np.random.default_rng(seed)
    x = np.exp(0.7 * rng.normal(size=200))
    g = np.arange(200) % 12
    y = -x + 0.6 * rng.gamma(1.5, 1.0, 200) + 0.2 * rng.normal(size=12)[g]
    data = {"x": x, "y": y, "g": g}
    m = il.glm("y ~ x", data, "skewnormal")
    held = il.glm("y ~ x", data, il.SkewNormal(shape=m.family_params["shape"]))
    assert m.family_params["shape"] > 3.0 and m.converged
    assert m.llf == pytest.approx(held.llf, abs=1e-6)
    mixed = il.glmer("y ~ x + (1 | g)", data, "skewnormal")
    assert mixed.converged and mixed.llf > m.llf


def test_residuals_as_skewed_as_half_a_normal_distribution():
    rng = np.random.default_rng(3)
    data = {"x": rng.normal(size=150), "e": rng.exponential(size=150)}
    data["y"] = data["x"] - data["e"]
    with pytest.warns(ConvergenceWarning, match=r"shape .* infinity.*SkewNormal\(shape=-500\)"):
        m = il.glm("y ~ x", data, "skewnormal")
    held = il.glm("y ~ x", data, il.SkewNormal(shape=-500.0))
    assert held.converged and held.llf < m.llf < held.llf + 1.0


def test_a_limit_in_every_row_is_that_of_the_family(data):
    exact = data.assign(y=2.0 + 3.0 * data.x)
    with pytest.warns(ConvergenceWarning, match="fits the response exactly"):
        m = il.glm("y ~ x", exact, dispformula="~ x")
    assert m.convergence.verdict == "not identified"
    x = np.linspace(-1.0, 1.0, 200)
    even = {"y": np.round(np.exp(1.2 + 0.3 * x + 0.5 * np.sin(9.0 * x))), "x": x}
    with pytest.warns(ConvergenceWarning, match="poisson"):
        m = il.glm("y ~ x", even, "nbinom1", dispformula="~ x")
    assert not m.converged and np.isfinite(m.bse).all()


@pytest.mark.parametrize("effects", [False, True])
def test_a_lost_coefficient_of_the_zeros_says_nothing_of_theta(effects):
    """A level without zeros has no finite logit; the counts are overdispersed all the same."""
    rng = np.random.default_rng(8)
    n = 2000
    d = pd.DataFrame(
        {"f": rng.choice(list("abc"), n, p=[0.45, 0.45, 0.1]), "g": rng.integers(0, 20, n)}
    )
    mu = np.exp(0.3 + 0.4 * rng.normal(size=20)[d.g])
    counts = rng.negative_binomial(3.0, 3.0 / (3.0 + mu))
    d["y"] = np.where((d.f != "c") & (rng.random(n) < 0.4), 0, counts)
    d.loc[(d.f == "c") & (d.y == 0), "y"] = 1
    arguments = {"family": "nbinom2", "ziformula": "~ f"}
    with pytest.warns(il.ConvergenceWarning, match=r"f\[T.c\] of the zero-inflation model"):
        m = il.glmer("y ~ 1 + (1 | g)", d, **arguments) if effects else il.glm(
            "y ~ 1", d, **arguments
        )  # fmt: skip
    assert m.convergence.verdict == "separated"
    assert 0.5 < m.family_params["theta"] < 20.0
