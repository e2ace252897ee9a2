"""What must not change a generalised fit: order, names, units, the way weights are written."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import interlace as il

few = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Likelihoods are sums of some hundred terms of order one; the criterion ends within 1e-9 of its
# minimum.
SAME = {"abs": 2e-8}
# Estimates follow the root of that, in standard errors.
CLOSE = {"rtol": 1e-5, "atol": 1e-6}

MODELS = {
    "binomial": ("hit ~ x + z + (1 + x | g)", "binomial", None),
    "probit": ("hit ~ x + (1 | g) + (1 | h)", "binomial", "probit"),
    "poisson": ("count ~ x + z + (1 + x | g) + (1 | h)", "poisson", None),
    "negative binomial": ("count ~ x + (1 | g)", "negativebinomial", None),
    "gamma": ("positive ~ x + z + (1 | g)", "gamma", "log"),
}
each_model = pytest.mark.parametrize("model", MODELS)


def frame(seed, n=180):
    rng = np.random.default_rng(seed)
    g, h = rng.permutation(np.arange(n) % 12), rng.permutation(np.arange(n) % 7)
    x, z = rng.normal(size=(2, n))
    eta = 0.2 + 0.6 * x - 0.3 * z + 0.7 * rng.normal(size=12)[g]
    eta += 0.4 * rng.normal(size=12)[g] * x + 0.5 * rng.normal(size=7)[h]
    rate = np.exp(eta) * rng.gamma(2.0, 0.5, n)
    return pd.DataFrame(
        {
            "x": x, "z": z, "g": g, "h": h,
            "hit": (rng.uniform(size=n) < 1.0 / (1.0 + np.exp(-eta))).astype(float),
            "count": rng.poisson(rate).astype(float),
            "positive": rng.gamma(3.0, np.exp(eta) / 3.0),
        }
    )  # fmt: skip


def fit(model, data, formula=None, **options):
    own, family, link = MODELS[model]
    return il.glmer(formula or own, data, family, link=link, **options)


def covariances(m):
    return np.concatenate([np.ravel(T @ T.T) for T in m.fit.T])


@each_model
@few
@given(seed=st.integers(0, 30), order=st.randoms(use_true_random=False))
def test_order_of_rows(model, seed, order):
    data = frame(seed)
    rows = list(range(len(data)))
    order.shuffle(rows)
    a, b = fit(model, data), fit(model, data.iloc[rows])
    assert b.llf == pytest.approx(a.llf, **SAME)
    np.testing.assert_allclose(b.fe_params, a.fe_params, **CLOSE)
    assert b.fittedvalues.index.tolist() == data.index[rows].tolist()
    np.testing.assert_allclose(b.fittedvalues.sort_index(), a.fittedvalues, rtol=1e-5, atol=1e-5)


@each_model
@few
@given(seed=st.integers(0, 30), names=st.permutations(range(12)))
def test_names_of_levels(model, seed, names):
    data = frame(seed)
    a, b = fit(model, data), fit(model, data.assign(g=[f"level {names[v]}" for v in data.g]))
    assert b.llf == pytest.approx(a.llf, **SAME)
    expected = a.random_effects["g"]
    got = b.random_effects["g"].loc[[f"level {names[int(v)]}" for v in expected.index]]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@each_model
@few
@given(seed=st.integers(0, 30), power=st.sampled_from([-6, -3, 2, 6]))
def test_units_of_a_covariate(model, seed, power):
    data = frame(seed)
    unit = 10.0**power
    a, b = fit(model, data), fit(model, data.assign(x=data.x * unit))
    assert b.llf == pytest.approx(a.llf, **SAME)
    np.testing.assert_allclose(b.fe_params["x"] * unit, a.fe_params["x"], **CLOSE)
    np.testing.assert_allclose(b.fe_bse["x"] * unit, a.fe_bse["x"], rtol=1e-4)
    assert b.convergence.verdict == a.convergence.verdict
    if "1 + x" in MODELS[model][0]:
        sd = [m.VarCorr().query("term1 == 'x' and term2.isna()")["sd_or_corr"].iloc[0]
              for m in (a, b)]  # fmt: skip
        np.testing.assert_allclose(sd[1] * unit, sd[0], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("model", ["probit", "negative binomial", "gamma"])
@few
@given(seed=st.integers(0, 30), shift=st.sampled_from([-1e4, -3.0, 50.0, 1e5]))
def test_origin_of_a_covariate(model, seed, shift):
    """Without a slope that varies, only the intercept moves."""
    data = frame(seed)
    a, b = fit(model, data), fit(model, data.assign(x=data.x + shift))
    # x itself loses digits: 1e5 of them 1e-11
    assert b.llf == pytest.approx(a.llf, abs=1e-7)
    np.testing.assert_allclose(b.fe_params["x"], a.fe_params["x"], rtol=1e-4, atol=1e-5)
    moved = b.fe_params["Intercept"] + shift * b.fe_params["x"]
    assert moved == pytest.approx(a.fe_params["Intercept"], abs=1e-5 * (1.0 + abs(shift) * 0.1))


@pytest.mark.parametrize("model", ["poisson", "negative binomial", "probit"])
def test_a_weight_of_two_is_two_rows(model):
    """Without a dispersion for weights to divide."""
    data = frame(3)
    twice = np.random.default_rng(1).integers(1, 4, len(data))
    a = fit(model, data, weights=twice.astype(float))
    b = fit(model, data.loc[data.index.repeat(twice)].reset_index(drop=True))
    # binomial weights are trials: 2 of 2 or 0 of 2, whose coefficient is 1
    assert b.llf == pytest.approx(a.llf, **SAME)
    np.testing.assert_allclose(b.fe_params, a.fe_params, **CLOSE)
    np.testing.assert_allclose(b.theta, a.theta, rtol=1e-4, atol=1e-5)


@few
@given(seed=st.integers(0, 30), unit=st.sampled_from([1e-6, 1e-2, 1e3, 1e6]))
def test_units_of_a_positive_response(seed, unit):
    data = frame(seed)
    a, b = fit("gamma", data), fit("gamma", data.assign(positive=data.positive * unit))
    assert b.llf == pytest.approx(a.llf - len(data) * np.log(unit), abs=1e-6)
    assert b.fe_params["Intercept"] == pytest.approx(a.fe_params["Intercept"] + np.log(unit))
    np.testing.assert_allclose(b.theta, a.theta, **CLOSE)
    np.testing.assert_allclose(b.fit.zeta, a.fit.zeta, **CLOSE)


@few
@given(seed=st.integers(0, 30), unit=st.sampled_from([1e-3, 0.1, 100.0]))
def test_units_with_the_inverse_link(seed, unit):
    """eta = 1 / mu: coefficients and effects take the inverse of the unit."""
    rng = np.random.default_rng(seed)
    data = frame(seed)
    mean = 1.0 / (2.0 + 0.3 * np.tanh(data.x) + 0.1 * rng.normal(size=12)[data.g])
    data["positive"] = rng.gamma(5.0, mean / 5.0)
    formula = "positive ~ x + (1 | g)"
    a = il.glmer(formula, data, "gamma")
    b = il.glmer(formula, data.assign(positive=data.positive * unit), "gamma")
    assert b.llf == pytest.approx(a.llf - len(data) * np.log(unit), abs=1e-6)
    np.testing.assert_allclose(b.fe_params * unit, a.fe_params, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(b.theta * unit, a.theta, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("link", "mirrored"), [("logit", "logit"), ("probit", "probit"), ("cloglog", "loglog")]
)
@few
@given(seed=st.integers(0, 30))
def test_success_and_failure_exchanged(link, mirrored, seed):
    data = frame(seed)
    formula = "hit ~ x + (1 + x | g)"
    a = il.glmer(formula, data, "binomial", link=link)
    b = il.glmer(formula, data.assign(hit=1.0 - data.hit), "binomial", link=mirrored)
    assert b.llf == pytest.approx(a.llf, **SAME)
    np.testing.assert_allclose(b.fe_params, -a.fe_params, **CLOSE)
    np.testing.assert_allclose(covariances(b), covariances(a), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(b.fittedvalues, 1.0 - a.fittedvalues, atol=1e-5)


@pytest.mark.parametrize(
    "formula",
    [
        "count ~ z + x + (1 + x | g) + (1 | h)",
        "count ~ x + z + (1 | h) + (1 + x | g)",
        "count ~ x + z + (x + 1 | g) + (1 | h)",
    ],
)
def test_order_of_terms(formula):
    data = frame(2)
    a, b = fit("poisson", data), fit("poisson", data, formula)
    assert b.llf == pytest.approx(a.llf, **SAME)
    np.testing.assert_allclose(b.fe_params[a.fe_params.index], a.fe_params, **CLOSE)


def test_a_rotation_of_fixed_effects_changes_nothing_else():
    data = frame(5)
    data["s"], data["d"] = data.x + data.z, 1e3 * (data.x - data.z)
    a = il.glmer("count ~ x + z + (1 | g)", data, "poisson")
    b = il.glmer("count ~ s + d + (1 | g)", data, "poisson")
    assert b.llf == pytest.approx(a.llf, **SAME)
    assert b.fe_params["s"] + 1e3 * b.fe_params["d"] == pytest.approx(a.fe_params["x"], abs=1e-6)
    np.testing.assert_allclose(b.theta, a.theta, **CLOSE)


def test_rows_of_equal_covariates_may_be_added_up():
    """Poisson counts of one cell: the sum with the exposure, up to what the counts alone say."""
    data = frame(6).assign(x=lambda d: np.round(d.x))
    a = il.glmer("count ~ x + (1 | g)", data, "poisson")
    cells = data.groupby(["g", "x"]).agg(count=("count", "sum"), n=("count", "size")).reset_index()
    b = il.glmer("count ~ x + offset(np.log(n)) + (1 | g)", cells, "poisson")
    np.testing.assert_allclose(b.fe_params, a.fe_params, **CLOSE)
    np.testing.assert_allclose(b.theta, a.theta, **CLOSE)
    np.testing.assert_allclose(b.fe_bse, a.fe_bse, rtol=1e-4)


def test_an_empty_combination_of_factors_is_no_matter():
    """A factor with levels that no row has is the factor without them."""
    data = frame(7)
    kinds = pd.CategoricalDtype([*range(12), 97, 98])
    a, b = fit("gamma", data), fit("gamma", data.assign(g=data.g.astype(kinds)))
    assert b.llf == pytest.approx(a.llf, **SAME)
    assert len(b.random_effects["g"]) == 12
