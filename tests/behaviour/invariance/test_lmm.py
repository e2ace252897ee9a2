"""What must not change a fit: order of rows, names of levels, units, scales of weights."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import interlace as il

FORMULA = "y ~ x + z + (1 + x | g) + (1 | h)"
# Likelihoods are sums of some hundred terms of order one.
SAME = {"rel": 1e-9}
few = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def frame(seed, n=150):
    rng = np.random.default_rng(seed)
    g, h = rng.permutation(np.arange(n) % 15), rng.permutation(np.arange(n) % 7)
    x, z = rng.normal(size=(2, n))
    y = 1 + 2 * x - z + rng.normal(size=15)[g] + 0.7 * rng.normal(size=15)[g] * x
    y += rng.normal(size=7)[h] + rng.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "z": z, "g": g, "h": h})


@pytest.mark.parametrize("method", ["REML", "ML"])
@few
@given(seed=st.integers(0, 50), order=st.randoms(use_true_random=False))
def test_order_of_rows(method, seed, order):
    data = frame(seed)
    rows = list(range(len(data)))
    order.shuffle(rows)
    a, b = il.fit(FORMULA, data, method=method), il.fit(FORMULA, data.iloc[rows], method=method)
    assert b.llf == pytest.approx(a.llf, **SAME)
    np.testing.assert_allclose(b.fe_params, a.fe_params, rtol=1e-6, atol=1e-8)
    assert b.fittedvalues.index.tolist() == data.index[rows].tolist()
    np.testing.assert_allclose(b.fittedvalues.sort_index(), a.fittedvalues, rtol=1e-6, atol=1e-6)


@few
@given(seed=st.integers(0, 50), names=st.permutations(range(15)))
def test_names_of_levels(seed, names):
    data = frame(seed)
    renamed = data.assign(g=[f"level {names[v]}" for v in data.g])
    a, b = il.fit(FORMULA, data), il.fit(FORMULA, renamed)
    assert b.llf == pytest.approx(a.llf, **SAME)
    expected = a.random_effects["g"]
    got = b.random_effects["g"].loc[[f"level {names[int(v)]}" for v in expected.index]]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@few
@given(seed=st.integers(0, 50), scale=st.floats(1e-6, 1e6), unit=st.floats(1e-3, 1e3))
def test_units_of_covariates_and_of_the_response(seed, scale, unit):
    data = frame(seed)
    a = il.fit(FORMULA, data, method="ML")
    b = il.fit(FORMULA, data.assign(x=data.x * scale, y=data.y * unit), method="ML")
    # The density of y changes its unit, nothing else does.
    assert b.llf == pytest.approx(a.llf - len(data) * np.log(unit), abs=1e-6)
    np.testing.assert_allclose(b.fe_params["x"] * scale / unit, a.fe_params["x"], rtol=1e-6)
    np.testing.assert_allclose(b.fe_bse["x"] * scale / unit, a.fe_bse["x"], rtol=1e-5)
    np.testing.assert_allclose(b.fe_df, a.fe_df, rtol=1e-3)


@few
@given(seed=st.integers(0, 50), shift=st.floats(-1e6, 1e6))
def test_shift_of_the_response(seed, shift):
    data = frame(seed)
    a, b = il.fit(FORMULA, data), il.fit(FORMULA, data.assign(y=data.y + shift))
    assert b.llf == pytest.approx(a.llf, abs=1e-6)
    np.testing.assert_allclose(
        b.fe_params["Intercept"] - shift, a.fe_params["Intercept"], atol=1e-5
    )


@few
@given(seed=st.integers(0, 50), factor=st.floats(0.01, 100.0))
def test_weights_matter_up_to_a_factor_that_sigma_takes(seed, factor):
    data = frame(seed)
    w = np.random.default_rng(seed).uniform(0.5, 2.0, len(data))
    # Var(y_i) = sigma^2 / w_i but the random effects are relative to sigma alone: scaling all
    # weights scales sigma^2 and leaves covariances of random effects on the scale of y.
    a, b = il.fit(FORMULA, data, weights=w), il.fit(FORMULA, data, weights=w * factor)
    assert b.llf == pytest.approx(a.llf, rel=1e-8)
    assert b.scale == pytest.approx(a.scale * factor, rel=1e-5)
    np.testing.assert_allclose(b.fe_params, a.fe_params, rtol=1e-5, atol=1e-7)


def test_a_weight_of_two_is_half_the_variance_of_a_mean_of_two_rows():
    """Two equal-variance rows with the same covariates carry the information of their mean."""
    data = frame(1)
    doubled = pd.concat([data.assign(y=data.y - 0.3), data.assign(y=data.y + 0.3)])
    a = il.fit("y ~ x + (1 | g)", data, weights=np.full(len(data), 2.0), method="ML")
    # Given theta relative to sigma the estimates of beta agree.
    theta = a.theta.to_numpy()
    b = il.fit("y ~ x + (1 | g)", doubled, method="ML")
    objective = b.fit.objective
    beta = objective.solution(objective.x(theta)).beta
    np.testing.assert_allclose(beta, a.fe_params, rtol=1e-9)


@pytest.mark.parametrize("formula", ["y ~ x * z + (1 | g)", "y ~ z * x + (1 | g)"])
def test_order_of_terms(formula):
    data = frame(2)
    a, b = il.fit("y ~ x * z + (1 | g)", data), il.fit(formula, data)
    assert b.llf == pytest.approx(a.llf, **SAME)


def test_contrasts_change_coefficients_but_not_the_likelihood(dataset):
    cake = dataset("cake")
    fits = [
        il.fit("angle ~ recipe + (1 | replicate)", cake, method="ML", contrasts={"recipe": c})
        for c in ("treatment", "sum", "helmert")
    ]
    for m in fits[1:]:
        assert m.llf == pytest.approx(fits[0].llf, **SAME)
        np.testing.assert_allclose(m.fittedvalues, fits[0].fittedvalues, rtol=1e-7)


@pytest.mark.parametrize("power", [-57, 57])
def test_very_large_and_very_small_responses(dataset, power):
    for name, formula, y in (
        ("sleepstudy", "Reaction ~ Days + (Days | Subject)", "Reaction"),
        ("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)", "diameter"),
    ):
        data, scale = dataset(name), 10.0**power
        a = il.fit(formula, data)
        data[y] *= scale
        b = il.fit(formula, data)
        np.testing.assert_allclose(b.theta, a.theta, rtol=1e-5)
        np.testing.assert_allclose(b.fe_params, a.fe_params * scale, rtol=1e-9)
        np.testing.assert_allclose(b._table["p_value"], a._table["p_value"], rtol=1e-4)
        again = a.refit(data[y])
        np.testing.assert_allclose(again.theta, a.theta, rtol=1e-5)


@pytest.mark.parametrize("power", [-320, -160, -80, 80, 150])
def test_responses_beyond_the_range_of_their_powers_are_refused(dataset, power):
    data = dataset("sleepstudy")
    m = il.fit("Reaction ~ Days + (1 | Subject)", data)
    data["far"] = data.Reaction * 10.0**power
    with pytest.raises(il.DataError, match="the response 'far' has values up to .* divide by"):
        il.fit("far ~ Days + (1 | Subject)", data)
    with pytest.raises(il.DataError, match="offset has values up to .* divide by"):
        il.fit("Reaction ~ Days + (1 | Subject)", data, offset="far")
    with pytest.raises(il.ArgumentError, match="new_y has values up to .* divide by"):
        m.refit(data.far)
