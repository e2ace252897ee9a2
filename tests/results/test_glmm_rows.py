"""Rows of generalised linear mixed models: residuals, leverage, predictions, new responses.

lme4's references are at its tight optimum (tolPwrss 1e-13, xtol and ftol 1e-12 and below).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from helpers.fitted_models import CBPP, EPIL, GAMMA, SLOPES, TICKS, fitted

import interlace
from interlace.errors import ArgumentError, DataError
from interlace.models import glmm
from interlace.results.glmm import GLMMResult


def dense(fit) -> tuple[np.ndarray, np.ndarray]:
    """[Z X] and the inverse of the equations that penalised IRLS solves at the mode."""
    Z, G = [], []
    for factor, T in zip(fit.design.factors, fit.T, strict=True):
        wide = np.zeros((fit.n, len(factor.levels), len(T)))
        wide[np.arange(fit.n), factor.codes] = factor.Z
        Z.append(wide.reshape(fit.n, -1))
        G.append(np.kron(np.eye(len(factor.levels)), np.linalg.inv(T @ T.T)))
    rows = np.hstack([*Z, fit.design.X])
    H = rows.T @ (fit.working_weights[:, None] * rows)
    start = 0
    for block in G:
        H[start : start + len(block), start : start + len(block)] += block
        start += len(block)
    return rows, np.linalg.inv(H)


def test_residuals_against_lme4() -> None:
    m = fitted(*CBPP)
    expected = {
        "deviance": [-1.438031877, 0.9887432067, 2.356997845],
        "pearson": [-1.339861634, 1.075125938, 2.879615624],
        "working": [-0.7755081235, 0.8898207174, 2.892910086],
        "response": [-0.1653505014, 0.1082517486, 0.3184869176],
    }
    for type, values in expected.items():
        np.testing.assert_allclose(m.residuals(type).head(3), values, rtol=1e-6)
    assert m.resid.equals(m.residuals("deviance")) and m.residuals().equals(m.resid)
    assert np.sum(m.resid**2) == pytest.approx(m.deviance, rel=1e-12)
    np.testing.assert_allclose(m.weights().head(3), [14, 12, 9], rtol=1e-12)
    working = [2.985019693, 1.459868217, 0.9908300552]
    np.testing.assert_allclose(m.weights("working").head(3), working, rtol=1e-6)
    with pytest.raises(ArgumentError, match="'prior' or 'working'"):
        m.weights("frequency")
    with pytest.raises(ArgumentError, match="'pearson'"):
        m.residuals("partial")


def test_residuals_of_a_free_dispersion() -> None:
    m = fitted(*GAMMA)
    # glmmTMB: (y - mu) / sqrt(V(mu)), V = mu^2
    expected = [-0.1326655686, -0.1308050544, -0.1854031852]
    np.testing.assert_allclose(m.residuals("pearson").head(3), expected, rtol=1e-5)
    scaled = m.residuals("pearson", scaled=True)
    np.testing.assert_allclose(scaled, m.residuals("pearson") / m.sigma, rtol=1e-12)
    np.testing.assert_allclose(
        m.residuals("working"), m.residuals("response") / m.fittedvalues, rtol=1e-12
    )


def test_fitted_values_and_linear_predictor() -> None:
    m = fitted(*TICKS)
    np.testing.assert_allclose(m.fittedvalues, np.exp(m.linear_predictor), rtol=1e-12)
    pd.testing.assert_series_equal(m.predict(), m.fittedvalues, check_names=False, rtol=1e-12)
    link = m.predict(type="link")
    pd.testing.assert_series_equal(link, m.linear_predictor, check_names=False, rtol=1e-10)


def test_rows_left_out_are_padded() -> None:
    data = interlace.load_dataset("cbpp")
    data["size"] = data["size"].astype(float)
    data.loc[3, "size"] = np.nan
    with pytest.warns(interlace.errors.DataWarning, match="1 "):
        m = interlace.glmer(
            "incidence / size ~ period + (1 | herd)", data, "binomial", na_action="exclude"
        )
    for series in (m.fittedvalues, m.resid, m.weights(), m.linear_predictor, m.hatvalues()):
        assert len(series) == 56 and series.isna().sum() == 1 and np.isnan(series[3])


@pytest.mark.parametrize("model", [CBPP, TICKS, SLOPES, GAMMA, EPIL])
def test_leverage_and_standard_errors_from_dense_equations(model) -> None:
    m = fitted(*model)
    rows, C = dense(m.fit)
    variance = np.einsum("ri,ij,rj->r", rows, C, rows)
    np.testing.assert_allclose(m.hatvalues(), m.fit.working_weights * variance, rtol=1e-6)
    assert 0.0 < m.hatvalues().sum() < m.nobs
    se = m.predict(type="link", se=True)["se"]
    np.testing.assert_allclose(se, np.sqrt(variance), rtol=1e-6)
    # New rows take the same way.
    again = m.predict(interlace.load_dataset(model[0]), type="link", se=True)["se"]
    np.testing.assert_allclose(again, se, rtol=1e-9)
    h = m.hatvalues()
    cook = (m.residuals("pearson", scaled=True) / (1.0 - h)) ** 2 * h / len(m.fe_params)
    np.testing.assert_allclose(m.cooks_distance(), cook, rtol=1e-10)


def test_standard_errors_against_lme4() -> None:
    # From L, RZX and RX as predict(se.fit = TRUE) of lme4 1.1-38 takes them.
    se = fitted(*CBPP).predict(type="link", se=True)["se"]
    np.testing.assert_allclose(se.head(3), [0.3707274716, 0.4176492970, 0.4381525981], rtol=1e-6)
    se = fitted(*TICKS).predict(type="link", se=True)["se"]
    np.testing.assert_allclose(se.head(3), [0.7953752473, 0.7953752473, 0.7666356116], rtol=1e-5)


# -- predictions ----------------------------------------------------------------


def test_population_predictions() -> None:
    m = fitted(*CBPP)
    new = pd.DataFrame({"period": ["1", "3"]})
    eta = [-1.3985321334, -1.3985321334 - 1.1286720880]
    found = m.predict(new, include_re=False, type="link", se=True)
    np.testing.assert_allclose(found["prediction"], eta, rtol=1e-7)
    # emmeans: .1981, .0740
    mean = m.predict(new, include_re=False)
    np.testing.assert_allclose(mean, 1.0 / (1.0 + np.exp(-np.array(eta))), rtol=1e-7)
    x = np.array([[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 1.0, 0.0]])
    np.testing.assert_allclose(found["se"] ** 2, np.diag(x @ m.vcov() @ x.T), rtol=1e-10)
    frame = m.get_prediction(new, include_re=False).summary_frame()
    assert list(frame.columns) == ["mean", "mean_se", "mean_ci_lower", "mean_ci_upper"]
    np.testing.assert_allclose(frame["mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(frame["mean_se"], found["se"] * mean * (1.0 - mean), rtol=1e-10)
    # Limits are made where the estimate is normal, and stay within (0, 1).
    ends = np.array(eta)[:, None] + 1.959963985 * np.outer(found["se"], [-1.0, 1.0])
    np.testing.assert_allclose(
        frame[["mean_ci_lower", "mean_ci_upper"]], 1.0 / (1.0 + np.exp(-ends)), rtol=1e-7
    )
    interval = m.t_test(x)
    np.testing.assert_allclose(interval["conf_low"], ends[:, 0], rtol=1e-7)


def test_intervals_of_a_decreasing_link() -> None:
    m = fitted("sleepstudy", GAMMA[1], "gamma")
    assert m.link == "inverse"
    frame = m.get_prediction().summary_frame()
    assert (frame["mean_ci_lower"] < frame["mean"]).all()
    assert (frame["mean_ci_upper"] > frame["mean"]).all() and (frame["mean_se"] > 0.0).all()


def test_limits_outside_the_range_of_the_link_are_missing() -> None:
    m = fitted("sleepstudy", GAMMA[1], "gamma")
    # Half a million days: the inverse link has left the positive numbers.
    found = m.predict(pd.DataFrame({"Days": [0.0, 5e5]}), include_re=False)
    assert found[0] > 0.0 and np.isnan(found[1])
    # Near that border the mean is there, but not the upper limit, where eta would be negative.
    days = -0.97 * m.fe_params["Intercept"] / m.fe_params["Days"]
    wide = m.get_prediction(pd.DataFrame({"Days": [days]}), include_re=False).summary_frame(1e-9)
    assert wide["mean"].notna().all() and wide["mean_ci_upper"].isna().all()


def test_new_levels_and_some_of_the_random_effects() -> None:
    m = fitted(*CBPP)
    new = pd.DataFrame({"period": ["2", "2"], "herd": ["1", "99"]})
    with pytest.raises(DataError, match="99"):
        m.predict(new)
    found = m.predict(new, new_levels="population")
    assert found.iloc[1] == pytest.approx(m.predict(new, include_re=False).iloc[1], rel=1e-12)
    plain = m.get_prediction(new, new_levels="population")
    full = m.get_prediction(new, new_levels="population", new_level_variance=True)
    added = full.linear_se**2 - plain.linear_se**2
    np.testing.assert_allclose(added, [0.0, m.variance_components["herd"]], atol=1e-12)
    g = fitted(*TICKS)
    modes = g.random_effects["BROOD"]["Intercept"]
    factor = next(f for f in g.fit.design.factors if f.name == "BROOD")
    expected = g.fit.fixed_part + modes.to_numpy()[factor.codes]
    np.testing.assert_allclose(g.predict(type="link", include_re="BROOD"), expected, rtol=1e-10)


def test_offsets_are_part_of_the_prediction() -> None:
    data = interlace.load_dataset("grouseticks")
    m = interlace.glmer("TICKS ~ YEAR + offset(0.01 * cHEIGHT) + (1 | BROOD)", data, "poisson")
    higher = data.assign(cHEIGHT=data["cHEIGHT"] + 100.0)
    np.testing.assert_allclose(m.predict(higher), np.e * m.predict(data), rtol=1e-10)


# -- new responses ----------------------------------------------------------------

DRAWS = 2000
# Five standard errors of a mean of DRAWS.
MARGIN = 5.0 / np.sqrt(DRAWS)


def test_draws_at_the_modes() -> None:
    m = fitted(*CBPP)
    draws = m.simulate(DRAWS, seed=1, use_u=True)
    assert draws.equals(m.simulate(DRAWS, seed=1, use_u=True))
    trials = m.weights().to_numpy()
    counts = draws.to_numpy() * trials[:, None]
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-9)
    mu = m.fittedvalues.to_numpy()
    sd = np.sqrt(mu * (1.0 - mu) / trials)
    assert np.abs((draws.mean(axis=1) - mu) / sd).max() < MARGIN


def test_draws_of_new_random_effects() -> None:
    m = fitted("grouseticks", "TICKS ~ YEAR + (1 | BROOD)", "poisson")
    draws = np.log1p(m.simulate(DRAWS, seed=2).to_numpy())
    total = m.variance_components["BROOD"]
    # E log(1 + y) over eta ~ N(x'beta, total): rows of one brood agree, others are independent.
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    eta = m.predict(include_re=False, type="link").to_numpy()[:, None] + np.sqrt(total) * nodes
    k = np.arange(400)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(k[1:]))])
    mu = np.exp(eta)[..., None]
    p = np.exp(k * np.log(mu) - mu - log_factorial)
    mean = (p @ np.log1p(k)) @ weights / weights.sum()
    found = draws.mean(axis=1)
    assert np.abs((found - mean) / draws.std(axis=1)).max() < MARGIN


def test_draws_outside_the_range_of_the_link_are_missing() -> None:
    rng = np.random.default_rng(8)
    mean = np.repeat(rng.gamma(1.0, 3.0, 30) + 0.2, 8)
    data = pd.DataFrame({"y": rng.poisson(mean), "g": np.repeat(np.arange(30), 8)})
    m = interlace.glmer("y ~ 1 + (1 | g)", data, "poisson", link="identity")
    assert np.sqrt(m.variance_components["g"]) > 0.5 * m.fe_params["Intercept"]
    with pytest.warns(interlace.errors.InterlaceWarning, match="range of the link 'identity'"):
        draws = m.simulate(20, seed=1)
    share = draws.isna().to_numpy().mean()
    assert 0.0 < share < 0.2 and (draws.min() >= 0.0).all()
    assert m.simulate(20, seed=1, use_u=True).notna().all(axis=None)


def test_refit() -> None:
    m = fitted(*CBPP)
    again = m.refit(m.fit.design.y)
    assert again.llf == pytest.approx(m.llf, abs=1e-9)
    np.testing.assert_allclose(again.fe_params, m.fe_params, atol=1e-7)
    y = m.simulate(1, seed=3)["sim_1"]
    other = m.refit(y)
    data = interlace.load_dataset("cbpp").assign(k=np.round(y * m.weights()))
    fresh = interlace.glmer("cbind(k, size - k) ~ period + (1 | herd)", data, "binomial")
    assert isinstance(other, GLMMResult)
    assert other.llf == pytest.approx(fresh.llf, abs=1e-8)
    np.testing.assert_allclose(other.fe_params, fresh.fe_params, atol=1e-6)
    with pytest.raises(ArgumentError, match="proportions of successes"):
        m.refit(np.full(56, 2.0))
    with pytest.raises(ArgumentError, match=r"\(55,\)"):
        m.refit(np.zeros(55))


def test_a_large_result_lets_go_of_its_standardised_columns(monkeypatch) -> None:
    """And makes them again where they are wanted."""
    data, formula = interlace.load_dataset("cbpp"), "incidence / size ~ period + (1 | herd)"
    m = interlace.glmer(formula, data, "binomial")
    monkeypatch.setattr(glmm, "MOST_HELD", 0)
    light = interlace.glmer(formula, data, "binomial")
    assert m.fit._objective is not None and light.fit._objective is None
    np.testing.assert_allclose(light.conf_int(method="profile"), m.conf_int(method="profile"))
    assert str(light.summary()) == str(m.summary())
    assert light.refit(light.fit.design.y).llf == pytest.approx(m.llf, rel=1e-10)
