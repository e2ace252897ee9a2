"""Tidy frames against lme4's and broom.mixed's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace
from interlace.errors import ArgumentError
from interlace.inference.names import r_name
from interlace.inference.random_effects import conditional_sd
from interlace.tables import tidy as tables

SLEEP = ("sleepstudy", "Reaction ~ Days + (Days | Subject)")
# lme4 at its tight optimum, printed to 8 digits of theta and sigma.
THETA = np.array([0.96673289, 0.015169068, 0.23090959])
SIGMA = 25.591816


def test_varcorr_in_lme4s_order(fit_cache) -> None:
    table = fit_cache(*SLEEP).VarCorr(r_names=True)
    assert table["group"].tolist() == ["Subject", "Subject", "Subject", "Residual"]
    assert table["term1"].iloc[:3].tolist() == ["(Intercept)", "Days", "(Intercept)"]
    assert table["term2"].iloc[2] == "Days"
    assert table["term2"].isna().tolist() == [True, True, False, True]
    T = np.array([[THETA[0], 0.0], [THETA[1], THETA[2]]])
    S = SIGMA**2 * T @ T.T
    expected = [S[0, 0], S[1, 1], S[0, 1], SIGMA**2]
    np.testing.assert_allclose(table["variance"], expected, rtol=2e-5)
    sd = np.sqrt(np.diag(S))
    np.testing.assert_allclose(table["sd_or_corr"], [*sd, S[0, 1] / sd.prod(), SIGMA], rtol=2e-5)


def test_second_term_on_a_factor_is_numbered(fit_cache) -> None:
    m = fit_cache("sleepstudy", "Reaction ~ Days + (Days || Subject)")
    table = m.VarCorr()
    assert table["group"].tolist() == ["Subject", "Subject.1", "Residual"]
    # lme4: 25.0513, 5.9882, 25.5653
    np.testing.assert_allclose(table["sd_or_corr"], [25.0513, 5.98817, 25.5653], rtol=1e-5)
    # Both terms are columns of one frame of modes, and of one covariance matrix.
    assert list(m.random_effects["Subject"].columns) == ["Intercept", "Days"]
    components = m.variance_components["Subject"]
    assert components.loc["Intercept", "Days"] == 0.0


def test_correlation_of_a_zero_variance_is_missing(fit_cache) -> None:
    m = fit_cache("Dyestuff2", "Yield ~ 1 + (1 | Batch)")
    assert m.variance_components == {"Batch": 0.0}
    assert m.VarCorr()["sd_or_corr"].iloc[0] == 0.0
    share = m.rePCA()
    assert np.isnan(share["proportion"].iloc[0])


def test_modes_and_their_conditional_sd(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    tidy = m.ranef(cond_sd=True)
    assert list(tidy.columns) == ["group", "level", "term", "value", "cond_sd"]
    assert len(tidy) == 36
    first = tidy.iloc[0]
    assert (first["group"], first["level"], first["term"]) == ("Subject", "308", "Intercept")
    # lme4, whose theta is good to 1e-5.
    assert first["value"] == pytest.approx(2.25855, rel=2e-5)
    assert first["cond_sd"] == pytest.approx(12.07086, rel=1e-5)
    wide, sd = m.random_effects["Subject"], m.random_effects_se["Subject"]
    assert wide.index.name == "Subject"
    assert (
        wide.loc["309", "Days"] == tidy.query("level == '309' and term == 'Days'")["value"].item()
    )
    assert sd.shape == wide.shape


def test_conditional_sd_is_the_inverse_of_the_normal_equations(fit_cache) -> None:
    # Var(b | y, beta) = (Z'Z / sigma^2 + Sigma^{-1})^{-1}, for crossed factors all at once.
    m = fit_cache("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)")
    fit = m.fit
    blocks, prior = [], []
    for factor, T in zip(fit.design.factors, fit.T, strict=True):
        blocks.append(np.eye(len(factor.levels))[factor.codes])
        prior += [1.0 / (fit.sigma * T[0, 0]) ** 2] * len(factor.levels)
    Z = np.hstack(blocks)
    V = np.linalg.inv(Z.T @ Z / fit.sigma**2 + np.diag(prior))
    found = np.concatenate([conditional_sd(fit, b)[:, 0] for b in range(2)])
    np.testing.assert_allclose(found, np.sqrt(np.diag(V)), rtol=1e-9)


def test_coefficients_of_each_level(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    table = m.coef()["Subject"]
    np.testing.assert_allclose(
        table, m.random_effects["Subject"] + m.fe_params.to_numpy(), rtol=1e-12
    )
    # A random slope without a fixed one is added to zero.
    m = fit_cache("sleepstudy", "Reaction ~ 1 + (Days | Subject)")
    table = m.coef()["Subject"]
    assert set(table.columns) == {"Intercept", "Days"}
    np.testing.assert_allclose(table["Days"], m.random_effects["Subject"]["Days"], rtol=1e-12)


def test_tidy_has_broom_mixeds_rows(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    table = m.tidy()
    assert list(table.columns) == (
        "effect group term estimate std_error statistic df p_value".split()
    )
    assert table["effect"].tolist() == ["fixed"] * 2 + ["ran_pars"] * 4
    terms = ["Intercept", "Days", "sd__Intercept", "sd__Days", "cor__Intercept.Days"]
    assert table["term"].tolist() == [*terms, "sd__Observation"]
    assert table["std_error"].notna().tolist() == [True] * 2 + [False] * 4
    terms = m.tidy(r_names=True)["term"].tolist()
    assert terms[0] == "(Intercept)" and terms[4] == "cor__(Intercept).Days"


def test_tidy_effects_and_intervals(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    fixed = m.tidy("fixed", conf_int=True, conf_level=0.9)
    interval = m.conf_int(0.9)
    np.testing.assert_allclose(fixed["conf_low"], interval["lower"], rtol=1e-12)
    np.testing.assert_allclose(fixed["conf_high"], interval["upper"], rtol=1e-12)
    values = m.tidy("ran_vals", conf_int=True)
    assert list(values.columns)[:4] == ["effect", "group", "level", "term"]
    half = (values["conf_high"] - values["conf_low"]) / 2.0
    np.testing.assert_allclose(half, 1.959963985 * values["std_error"], rtol=1e-8)
    coefs = m.tidy(["ran_coefs"])
    assert coefs["estimate"].iloc[0] == pytest.approx(m.coef()["Subject"].iloc[0, 0], rel=1e-12)
    assert len(m.tidy(tables.EFFECTS)) == 2 + 4 + 36 + 36
    with pytest.raises(ArgumentError, match="ran_pars"):
        m.tidy("random")


def test_glance(fit_cache) -> None:
    row = fit_cache(*SLEEP).glance().iloc[0]
    # lme4: AIC 1755.62827, BIC 1774.78601 of the REML criterion.
    assert row["aic"] == pytest.approx(1755.62827, abs=1e-5)
    assert row["bic"] == pytest.approx(1774.78601, abs=1e-5)
    assert row["reml_crit"] == pytest.approx(1743.628271959, abs=1e-8)
    assert (row["nobs"], row["df_residual"]) == (180, 174)
    ml = fit_cache(*SLEEP, method="ML").glance().iloc[0]
    assert ml["deviance"] == pytest.approx(2 * 875.969672232, abs=1e-8)
    assert "reml_crit" not in ml


def test_deviance_of_a_reml_fit_is_the_ml_criterion_at_its_theta(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    # lme4's deviance(m, REML = FALSE), flat in theta: 1751.98587 at lme4's own.
    assert m.deviance == pytest.approx(1751.98587, abs=2e-5)
    assert m.deviance > fit_cache(*SLEEP, method="ML").deviance


def test_principal_components(fit_cache) -> None:
    table = fit_cache(*SLEEP).rePCA()
    # lme4's rePCA: 0.9668579, 0.2308799 and their shares.
    np.testing.assert_allclose(table["sd"], [0.966859, 0.230879], rtol=1e-5)
    np.testing.assert_allclose(table["cumulative"].iloc[-1], 1.0, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Intercept", "(Intercept)"),
        ("period[T.2]", "period2"),
        ("a[T.x]:b[T.y]", "ax:by"),
        ("f[.L]", "f.L"),
        ("poly(x, 2)[1]", "poly(x, 2)1"),
        ("Days", "Days"),
    ],
)
def test_names_of_r(name, expected) -> None:
    assert r_name(name) == expected


def test_maketables_finds_what_it_asks_for(fit_cache) -> None:
    m = fit_cache(*SLEEP)
    table = m.__maketables_coef_table__
    assert isinstance(table, pd.DataFrame)
    assert table.index.name == "Coefficient"
    assert list(table.columns)[:4] == ["b", "se", "t", "p"]
    assert m.__maketables_stat__("N") == 180
    assert m.__maketables_stat__("groups") == "Subject: 18"
    assert m.__maketables_stat__("r2") is None
    assert m.__maketables_depvar__ == "Reaction"
    assert all(m.__maketables_stat__(k) is not None for k in m.__maketables_default_stat_keys__)


def test_conditional_sd_needs_nothing_computed_before(dataset) -> None:
    fresh = interlace.fit(SLEEP[1], dataset("sleepstudy"))
    assert fresh.random_effects_se["Subject"].iloc[0, 0] == pytest.approx(12.07086, rel=1e-5)


def test_coefficients_of_levels_know_an_interaction_in_either_order(dataset) -> None:
    d = dataset("Arabidopsis")
    d = d.assign(y=np.log1p(d["total.fruits"]))
    m = interlace.fit("y ~ nutrient * amd + (amd * nutrient | gen)", d)
    fixed, random = m.fe_params, m.random_effects["gen"]
    name, turned = "nutrient:amd[T.unclipped]", "amd[T.unclipped]:nutrient"
    table = m.coef()["gen"]
    assert turned in random and list(table.columns) == list(fixed.index)
    np.testing.assert_allclose(table[name], fixed[name] + random[turned])
    np.testing.assert_allclose(table["nutrient"], fixed["nutrient"] + random["nutrient"])
    # a random effect of which there is no fixed one keeps its name and its column
    m = interlace.fit("y ~ nutrient + (0 + amd:nutrient | gen)", d)
    table = m.coef()["gen"]
    assert list(table.columns)[:-2] == list(m.random_effects["gen"].columns)


def test_theta_has_its_row(dataset) -> None:
    d = dataset("grouseticks")
    m = interlace.glmer("TICKS ~ YEAR + (1 | BROOD)", d, "negativebinomial")
    row = m.tidy("ran_pars").set_index("term").loc["theta"]
    assert row["group"] == "Residual"
    assert row["estimate"] == pytest.approx(m.disp_params["theta"])
    assert row["std_error"] == pytest.approx(m.disp_params["theta"] * m.disp_bse["theta"])
    for family in ("poisson", interlace.NegativeBinomial(theta=2.0)):
        other = interlace.glmer("TICKS ~ YEAR + (1 | BROOD)", d, family)
        assert "theta" not in other.tidy()["term"].tolist()
