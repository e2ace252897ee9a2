"""Structures read as standard deviations, correlations and ranges, and where these are shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import chdtri

import interlace as il
from interlace.covariance.names import make_structure
from interlace.errors import ArgumentError
from interlace.inference.parameters import parameter_values
from interlace.inference.resampling.truth import assumed

PLACES = np.array([[0.0, 0.0], [1.0, 0.5], [2.5, 0.0]])
CASES = [
    ("us", [1.0, 0.4, 0.8], 2, None), ("diag", [1.0, 0.4], 2, None), ("homdiag", [1.3], 3, None),
    ("cs", [1.3, 0.4, 2.0, 0.5], 3, None), ("homcs", [1.3, -0.6], 4, None),
    ("ar1", [1.3, 0.7], 5, None), ("hetar1", [1.3, 0.3, 2.0, 0.7], 3, None),
    ("toep", [1.3, 0.3, 2.0, 0.7, -0.4], 3, None), ("homtoep", [1.3, 0.7, -0.4, 0.2], 4, None),
    ("exp", [1.3, -0.5], 3, PLACES), ("gau", [1.3, -0.5], 3, PLACES),
    ("mat", [1.3, -0.5, 0.2], 3, PLACES), ("rr", [1.0, 0.5, 0.2, 0.7, -0.3], 3, None),
]  # fmt: skip


@pytest.fixture(scope="module")
def series():
    rng = np.random.default_rng(8)
    k, groups = 4, 30
    g, t = np.repeat(np.arange(groups), 2 * k), np.tile(np.arange(k), 2 * groups)
    R = 0.6 ** np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
    b = 1.5 * rng.normal(size=(groups, k)) @ np.linalg.cholesky(R).T
    y = 1.0 + b[g, t] + rng.normal(size=g.size)
    return pd.DataFrame({"y": y, "g": g, "t": t, "f": pd.Categorical(t)})


@pytest.mark.parametrize(("name", "theta", "k", "places"), CASES)
def test_what_is_read_is_of_the_covariance_and_leads_back_to_theta(name, theta, k, places):
    s, theta = make_structure(name, k, places), np.array(theta)
    values, readings = s.read(theta), s.readings(tuple("abcdefg"[:k]))
    assert len(values) == len(readings)
    T = s.template(theta)
    S = T @ T.T
    for value, one in zip(values, readings, strict=True):
        if one.kind == "sd" and len(readings[0].effects) == k:
            assert value == pytest.approx(np.sqrt(S[one.at[0], one.at[0]]))
        if one.kind == "cor":
            i, j = one.at
            assert value == pytest.approx(S[i, j] / np.sqrt(S[i, i] * S[j, j]))
        if one.word in ("rho", "rho1"):
            assert value == pytest.approx(S[0, 1] / np.sqrt(S[0, 0] * S[1, 1]), abs=1e-9)
    np.testing.assert_allclose(s.of_readings(values, theta), theta, atol=1e-8)
    for e in np.eye(theta.size):
        slope = s.read(theta + 1e-30j * e).imag / 1e-30
        ends = s.read(theta + 1e-6 * e) - s.read(theta - 1e-6 * e)
        np.testing.assert_allclose(slope, ends / 2e-6, atol=1e-7)


def test_correlations_of_no_distribution_are_refused(series):
    m = il.fit("y ~ 1 + toep(0 + f | g)", series)
    with pytest.raises(ArgumentError, match=r"no distribution has.*correlations of f\[0\]"):
        assumed(m.fit, None, {"rho1_toep|g": 0.9, "rho2_toep|g": -0.5})
    other = assumed(m.fit, None, {"rho1_toep|g": 0.3, "sd_f[1]|g": 2.0})
    assert parameter_values(other)[[2, 5]].tolist() == pytest.approx([2.0, 0.3])


def test_tables_have_the_parameters_of_a_structure(series):
    m = il.fit("y ~ 1 + ar1(0 + f | g)", series)
    table = m.VarCorr(se=True)
    assert table["group"].tolist() == ["g", "g", "Residual"]
    assert table["term1"].tolist()[:2] == ["ar1", "ar1"] and table["term2"][1] == "rho"
    S = m.variance_components["g"]
    assert table["variance"][0] == pytest.approx(S.iloc[0, 0])
    assert table["sd_or_corr"][1] == pytest.approx(S.iloc[0, 1] / S.iloc[0, 0])
    assert (table["se"] > 0.0).all()
    assert "rho 0." in str(m.summary())
    assert m.tidy(effects="ran_pars")["term"].tolist() == ["sd__ar1", "rho__ar1", "sd__Observation"]
    assert list(m.bootstrap(2, seed=1).frame)[1:] == ["sd_ar1|g", "rho_ar1|g", "sigma"]


def test_standard_errors_are_those_of_the_curvature_of_the_likelihood(series):
    """By differences of the likelihood itself over (log sd, rho, log sigma), beta profiled out."""
    m = il.glmer("y ~ 1 + ar1(0 + f | g)", series, "gaussian", dispformula="~ 1")
    lmm = il.fit("y ~ 1 + ar1(0 + f | g)", series, method="ML")
    assert m.llf == pytest.approx(lmm.llf, abs=1e-6)
    own, other = m.VarCorr(se=True), lmm.VarCorr(se=True)
    np.testing.assert_allclose(own["sd_or_corr"][:2], other["sd_or_corr"][:2], rtol=1e-5)
    np.testing.assert_allclose(own["se"][:2], other["se"][:2], rtol=1e-4)


@pytest.mark.parametrize("term", ["ar1(0 + f | g)", "homcs(0 + f | g)", "exp(0 + t | g)"])
def test_profile_limits_are_where_the_likelihood_has_fallen(series, term):
    m = il.fit(f"y ~ 1 + {term}", series, method="ML", backend="blocked")
    name = [n for n in m.conf_int(method="wald", parm="theta_").index if n.split("_")[0] != "sd"][0]
    limits = m.conf_int(method="profile", parm=name).loc[name]
    structure, objective = m.fit.covariance.terms[0].structure, m.fit.objective
    natural = structure.naturals()[0]
    for limit in limits:
        inner = float(natural.inverse(limit))
        best = minimize_scalar(
            lambda sd, inner=inner: objective.evaluate(np.array([sd, inner]), 0).value,
            bounds=(0.05, 5.0), method="bounded", options={"xatol": 1e-9},
        )  # fmt: skip
        assert best.fun - m.fit.criterion == pytest.approx(chdtri(1, 0.05), abs=1e-4)


def test_what_has_no_profile_says_so(series):
    m = il.fit("y ~ 1 + toep(0 + f | g)", series)
    limits = m.conf_int(method="profile", parm="theta_")
    assert limits.loc["rho2_toep|g"].isna().all() and limits.drop(
        index=["rho2_toep|g", "rho3_toep|g"]
    ).notna().all(axis=None)
    assert "rho2_toep|g is a function of several parameters" in limits.attrs["notes"][0]
