"""Results of generalised linear mixed models: estimates, tables, text, and what lasts.

lme4's references are at its tight optimum (tolPwrss 1e-13, xtol and ftol 1e-12 and below).
"""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from helpers.fitted_models import CBPP, EPIL, GAMMA, SLOPES, fitted

import interlace
from interlace.errors import ArgumentError, NumericalError
from interlace.objective.generalised import level_modes
from interlace.results.glmm import GLMMResult


def test_estimates_of_cbpp() -> None:
    m = fitted(*CBPP)
    beta = [-1.3985321334, -0.9923327419, -1.1286720880, -1.5803138999]
    np.testing.assert_allclose(m.fe_params, beta, atol=2e-8)
    # glmmTMB, whose Hessian is exact.
    se = [0.23247205, 0.30664249, 0.32663781, 0.42743660]
    np.testing.assert_allclose(m.fe_bse, se, rtol=2e-6)
    assert m.llf == pytest.approx(-92.02628187, abs=1e-8)
    assert m.bic == pytest.approx(204.1793222, abs=1e-6)
    assert m.aic == pytest.approx(194.0525637, abs=1e-6)
    assert m.deviance == pytest.approx(73.47172397, rel=1e-7)
    assert m.theta.to_dict() == pytest.approx({"herd.Intercept": 0.6422614171}, rel=1e-6)
    assert (m.nobs, m.ngroups, m.nparams, m.df_resid) == (56, {"herd": 15}, 5, 51)
    assert (m.family, m.link, m.nAGQ, m.method) == ("binomial", "logit", 1, "ML")
    assert (m.sigma, m.scale, m.dispersion) == (1.0, 1.0, 1.0)
    assert m.formula == CBPP[1] and m.converged and not m.is_singular
    assert m.boundary_flags == {"herd": False}
    assert len(m.disp_params) == len(m.disp_bse) == 0


def test_names_of_statsmodels_and_of_r() -> None:
    m = fitted(*CBPP)
    for name in ("params", "bse", "zvalues", "tvalues", "pvalues"):
        series = getattr(m, name)
        assert list(series.index) == list(m.fit.design.x_names)
        pd.testing.assert_series_equal(series, getattr(m, f"fe_{name}"))
    np.testing.assert_allclose(m.zvalues, m.params / m.bse, rtol=1e-12)
    # 2 * pnorm(-3.236124)
    assert m.pvalues["period[T.2]"] == pytest.approx(0.0012116, rel=1e-4)
    half = 1.959963985 * m.bse
    np.testing.assert_allclose(m.conf_int()["upper"], m.params + half, rtol=1e-9)
    assert m.conf_int().equals(m.confint("beta_", method="Wald", r_names=False))
    assert m.conf_int().equals(m.fe_conf_int)
    assert m.cov_params().equals(m.fe_cov)
    with pytest.raises(ArgumentError, match="'satterthwaite' is for linear mixed models"):
        m.conf_int(df_method="satterthwaite")


def test_covariance_of_all_parameters() -> None:
    m = fitted(*EPIL)
    full = m.vcov(full=True)
    assert list(full.index) == ["subject.Intercept", *m.fit.design.x_names, "log(theta)"]
    np.testing.assert_array_equal(full.iloc[1:-1, 1:-1], m.vcov())
    assert m.disp_bse["theta"] == pytest.approx(np.sqrt(full.iloc[-1, -1]), rel=1e-12)
    correlation = m.vcov(correlation=True, full=True)
    np.testing.assert_allclose(np.diag(correlation), 1.0, rtol=1e-12)
    mine = m.vcov(full=True)
    mine.iloc[:] = -1.0
    assert (np.diag(m.vcov(full=True)) > 0.0).all()


def test_dispersion_against_glmmtmb() -> None:
    m = fitted(*GAMMA)
    assert m.llf == pytest.approx(-883.5783367, abs=1e-6)
    assert m.disp_params["shape"] == pytest.approx(np.exp(4.6734909), rel=1e-6)
    # sqrt(1.230445333e-02); it stopped within 2e-6 standard errors of the optimum.
    assert m.disp_bse["shape"] == pytest.approx(0.110925440, rel=1e-5)
    assert m.sigma == pytest.approx(0.09664165009, rel=1e-6)
    assert m.dispersion == m.scale == pytest.approx(m.sigma**2)
    e = fitted(*EPIL, laplace="observed")
    assert e.llf == pytest.approx(-624.5512167, abs=1e-6)
    assert e.disp_params["theta"] == pytest.approx(7.457830247, rel=2e-5)
    assert e.disp_bse["theta"] == pytest.approx(np.sqrt(0.05554951922), rel=1e-4)


def test_variances_have_a_residual_only_if_gaussian() -> None:
    assert fitted(*GAMMA).VarCorr()["group"].tolist() == ["Subject"]
    table = fitted("sleepstudy", GAMMA[1], "gaussian(log)").VarCorr()
    assert table["group"].tolist() == ["Subject", "Residual"]
    m = fitted(*SLOPES)
    # theta is the covariance factor itself: nothing is multiplied by sigma.
    S = m.variance_components["subject"].to_numpy()
    T = m.fit.T[0]
    np.testing.assert_allclose(S, T @ T.T, rtol=1e-12)
    assert m.rePCA()["cumulative"].iloc[-1] == pytest.approx(1.0)


def test_modes_and_their_conditional_sd() -> None:
    m = fitted(*CBPP)
    tidy = m.ranef(cond_sd=True)
    # as.data.frame(ranef(m)): condval, condsd
    np.testing.assert_allclose(tidy["value"][:3], [0.5900200, -0.2988972, 0.4062556], atol=2e-7)
    expected = [0.3482650523, 0.3655581996, 0.2973184845]
    np.testing.assert_allclose(tidy["cond_sd"][:3], expected, rtol=1e-7)
    table = m.coef()["herd"]
    np.testing.assert_allclose(
        table["Intercept"], m.random_effects["herd"]["Intercept"] + m.fe_params["Intercept"]
    )


@pytest.mark.parametrize("model", [CBPP, SLOPES, GAMMA])
def test_conditional_covariances_given_all_parameters(model) -> None:
    fit = fitted(*model).fit
    factor, T = fit.design.factors[0], fit.T[0]
    for level in (0, 5):
        rows = factor.codes == level
        Z = np.asarray(factor.Z)[rows]
        A = Z.T @ (fit.working_weights[rows, None] * Z) + np.linalg.inv(T @ T.T)
        found = fit.cond_cov(0)[level]
        np.testing.assert_allclose(found, np.linalg.inv(A), rtol=1e-8, atol=1e-12)


# -- text, tables and what lasts ----------------------------------------------------------------

SUMMARY = """\
Generalised linear mixed model fit by maximum likelihood (Laplace approximation)
 Family: binomial (logit)
Formula: cbind(incidence, size - incidence) ~ period + (1 | herd)
   Data: 56 rows

  AIC   BIC logLik -2*log(L) df.resid
194.1 204.2  -92.0     184.1       51

Scaled residuals:
    Min      1Q  Median     3Q    Max
-2.3818 -0.7888 -0.2024 0.5146 2.8796

Random effects:
Groups Name        Variance Std.Dev.
herd   (Intercept)   0.4125   0.6423
Number of obs: 56, groups:  herd, 15

Fixed effects:
            Estimate Std. Error z value Pr(>|z|)
(Intercept)  -1.3985     0.2325  -6.016 1.79e-09 ***
period2      -0.9923     0.3066  -3.236  0.00121 **
period3      -1.1287     0.3266  -3.455 5.49e-04 ***
period4      -1.5803     0.4274  -3.697 2.18e-04 ***
---
Signif. codes:  0 '***' 0.001 '**' 0.01 '*' 0.05 '.' 0.1 ' ' 1

Correlation of fixed effects:
        (Intr) perid2 perid3
period2 -0.364
period3 -0.340  0.278
period4 -0.261  0.212  0.196"""


def test_summary_in_lme4s_order() -> None:
    m = fitted(*CBPP)
    assert str(m.summary(r_names=True)) == SUMMARY
    html = m._repr_html_()
    assert html.startswith("<div>") and "Family: binomial (logit)" in html
    text = repr(m)
    assert len(text.splitlines()) == 4
    assert "binomial (logit)" in text and "herd (15)" in text and "converged" in text


def test_summary_says_how_the_likelihood_was_integrated() -> None:
    first = {n: str(fitted(*CBPP, nAGQ=n).summary()).splitlines()[0] for n in (0, 9)}
    assert first[9].endswith("(adaptive Gauss-Hermite quadrature, nAGQ = 9)")
    assert "nAGQ = 0" in first[0]


def test_summary_has_the_parameters_of_the_family() -> None:
    assert "negativebinomial family: theta 7.458\n" in str(fitted(*EPIL).summary())
    assert "gamma family: shape 107.1; dispersion 0.00934\n" in str(fitted(*GAMMA).summary())
    # The residual variance of a Gaussian family stands among the variances.
    text = str(fitted("sleepstudy", GAMMA[1], "gaussian(log)").summary())
    assert "Residual" in text and "Parameters" not in text


def test_tidy() -> None:
    m = fitted(*CBPP)
    table = m.tidy(conf_int=True)
    names = "effect group term estimate std_error statistic p_value conf_low conf_high"
    assert list(table.columns) == names.split()
    assert table["term"].tolist() == [*m.fit.design.x_names, "sd__Intercept"]
    ratios = m.tidy("fixed", conf_int=True, exponentiate=True)
    fixed = table[table["effect"] == "fixed"]
    for name in ("estimate", "conf_low", "conf_high"):
        np.testing.assert_allclose(ratios[name], np.exp(fixed[name]), rtol=1e-12)
    np.testing.assert_allclose(ratios["std_error"], m.fe_bse * np.exp(m.fe_params), rtol=1e-12)
    np.testing.assert_allclose(ratios["p_value"], m.pvalues, rtol=1e-12)
    values = m.tidy("ran_vals", conf_int=True)
    assert len(values) == 15 and (values["conf_low"] < values["conf_high"]).all()


def test_glance() -> None:
    m = fitted(*CBPP)
    row = m.glance()
    names = "nobs sigma log_lik aic bic deviance df_residual"
    assert list(row.columns) == names.split()
    assert row["deviance"].item() == m.deviance and row["log_lik"].item() == m.llf


def test_augment() -> None:
    m = fitted(*CBPP)
    data = interlace.load_dataset("cbpp")
    table = m.augment(data)
    assert list(table.columns[:4]) == list(data.columns)
    np.testing.assert_allclose(table[".fitted"], m.linear_predictor, rtol=1e-12)
    np.testing.assert_allclose(table[".mu"], m.fittedvalues, rtol=1e-12)
    np.testing.assert_allclose(table[".resid"], m.residuals("deviance"), rtol=1e-12)
    np.testing.assert_allclose(table[".wtres"], m.residuals("pearson"), rtol=1e-12)
    fixed = m.predict(include_re=False, type="link")
    np.testing.assert_allclose(table[".fixed"], fixed, rtol=1e-10)
    np.testing.assert_allclose(table[".sqrtXwt"] ** 2, m.weights("working"), rtol=1e-10)
    np.testing.assert_allclose(
        table[".wtres"], table[".sqrtrwt"] * m.residuals("response"), rtol=1e-10
    )
    np.testing.assert_allclose(table[".weights"], data["size"], rtol=1e-12)


def test_to_dict_is_json() -> None:
    m = fitted(*EPIL)
    found = json.loads(json.dumps(m.to_dict(), allow_nan=False))
    assert (found["family"], found["link"], found["nAGQ"]) == ("negativebinomial", "log", 1)
    assert found["disp_params"] == m.disp_params.to_dict()
    assert found["fe_params"] == m.fe_params.to_dict()


IN_A_FRESH_PROCESS = """
import pickle, sys
import numpy as np, pandas as pd
m = pickle.load(sys.stdin.buffer)
new = pd.DataFrame({"period": ["1", "4"], "herd": ["2", "15"]})
values = [m.predict(new), m.get_prediction(new).se, m.fe_bse, m.hatvalues().head(3)]
values += [m.random_effects_se["herd"].to_numpy().ravel()[:4], [m.deviance, m.llf]]
values += [m.vcov(full=True).to_numpy().ravel(), m.simulate(1, seed=1)["sim_1"].head(3)]
values += [m.refit(m.fit.design.y).fe_params]
print(*(float(v).hex() for part in values for v in part))
"""


@pytest.mark.parametrize("nodes", [1, 9])
def test_a_fit_loaded_in_a_fresh_process_gives_the_same_numbers(nodes) -> None:
    m = fitted(*CBPP, nAGQ=nodes)
    done = subprocess.run(
        [sys.executable, "-c", IN_A_FRESH_PROCESS],
        input=pickle.dumps(m),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = [float.fromhex(text) for text in done.stdout.decode().split()]
    new = pd.DataFrame({"period": ["1", "4"], "herd": ["2", "15"]})
    values = [m.predict(new), m.get_prediction(new).se, m.fe_bse, m.hatvalues().head(3)]
    values += [m.random_effects_se["herd"].to_numpy().ravel()[:4], [m.deviance, m.llf]]
    values += [m.vcov(full=True).to_numpy().ravel(), m.simulate(1, seed=1)["sim_1"].head(3)]
    values += [m.refit(m.fit.design.y).fe_params]
    np.testing.assert_allclose(found, np.concatenate(values), rtol=1e-9)


def test_copies() -> None:
    m = fitted(*CBPP)
    for other in (copy.copy(m), copy.deepcopy(m)):
        assert isinstance(other, GLMMResult) and str(other.summary()) == str(m.summary())
        pd.testing.assert_series_equal(other.predict(), m.predict())


# -- hard cases ----------------------------------------------------------------


def everything(m: GLMMResult) -> None:
    """What a user may ask of any fit: no exception, no warning."""
    assert str(m.summary()) and repr(m) and m._repr_html_() and repr(m.convergence)
    for type in ("deviance", "pearson", "working", "response"):
        assert len(m.residuals(type)) == m.nobs
    assert len(m.augment()) == m.nobs and len(m.tidy(conf_int=True, exponentiate=True))
    assert len(m.get_prediction().summary_frame()) == m.nobs
    assert m.random_effects_se and len(m.vcov(full=True)) == m.nparams
    assert len(m.simulate(2, seed=1)) == m.nobs
    assert json.dumps(m.to_dict(), allow_nan=False)


@pytest.mark.parametrize("variance", [np.nan, np.inf])
def test_a_coefficient_without_variance(variance) -> None:
    fit = copy.copy(fitted(*CBPP).fit)
    cov = fit.cov_all.copy()
    cov[2, :] = cov[:, 2] = np.nan
    cov[2, 2] = variance
    fit.__dict__["solution"] = dataclasses.replace(fit.solution, covariance=cov)
    m = GLMMResult(fit)
    everything(m)
    assert np.isnan(m.vcov(correlation=True).loc["Intercept", "period[T.2]"])
    assert m.pvalues["period[T.3]"] == pytest.approx(fitted(*CBPP).pvalues["period[T.3]"])
    assert np.isnan(m.wald_test(["period[T.2]", "period[T.3]"]).pvalue)
    with pytest.raises(NumericalError, match="positive definite"):
        m.anova()


def test_a_variance_of_zero() -> None:
    data = pd.DataFrame({"y": np.tile([1.0, 2.0, 3.0, 2.0], 10), "g": np.repeat(np.arange(10), 4)})
    data["x"] = np.tile([0.0, 1.0, 2.0, 3.0], 10)
    m = interlace.glmer("y ~ x + (1 | g)", data, "poisson")
    assert m.is_singular and m.variance_components["g"] == pytest.approx(0.0, abs=1e-8)
    everything(m)
    # Without random effects it is a generalised linear model.
    x = np.column_stack([np.ones(40), data["x"]])
    V = np.linalg.inv(x.T @ (m.fittedvalues.to_numpy()[:, None] * x))
    np.testing.assert_allclose(m.vcov(), V, rtol=1e-6)
    se = m.predict(type="link", se=True)["se"]
    np.testing.assert_allclose(se**2, np.einsum("ri,ij,rj->r", x, V, x), rtol=1e-6)


@pytest.mark.filterwarnings("ignore::interlace.errors.ConvergenceWarning")
def test_separated_data() -> None:
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"x": np.repeat([0.0, 1.0], 60), "g": np.tile(np.arange(12), 10)})
    data["y"] = np.where(data["x"] == 1.0, 1.0, rng.integers(0, 2, 120))
    everything(interlace.glmer("y ~ x + (1 | g)", data, "binomial"))


def test_the_covariance_of_all_parameters_is_made_when_it_is_asked_for() -> None:
    data, formula, family = CBPP
    fit = interlace.glmer(formula, interlace.load_dataset(data), family).fit
    solution = fit.solution
    assert "cov_all" not in vars(solution)
    kept = pickle.loads(pickle.dumps(solution))
    H, natural = solution.covariance
    expected = 2.0 * natural @ np.linalg.inv(H) @ natural.T
    np.testing.assert_allclose(fit.cov_all, expected, rtol=1e-10)
    np.testing.assert_array_equal(kept.cov_all, fit.cov_all)
    assert not fit.cov_all.flags.writeable and not H.flags.writeable


@pytest.mark.parametrize("few", [0, 10_000])
def test_what_a_search_leaves_behind_serves_no_other(monkeypatch, few) -> None:
    """Its arrays stay in few rows and go in many: another objective, and a refit, are the same."""
    monkeypatch.setattr(level_modes, "FEW", few)
    data, formula, family = CBPP
    m = interlace.glmer(formula, interlace.load_dataset(data), family)
    assert "_compiled" not in vars(m.fit._shared)
    other = m.fit.objective
    x = m.fit.x + 0.3
    value = other.evaluate(x, 1).value
    assert m.fit.objective.evaluate(m.fit.x, 0).value == pytest.approx(m.fit.criterion, rel=1e-12)
    assert other.evaluate(x, 1).value == value > m.fit.criterion
    again = m.refit(m.fit.design.y)
    np.testing.assert_allclose(again.fit.beta, m.fit.beta, rtol=1e-6)
    np.testing.assert_array_equal(m.fit.beta, fitted(*CBPP).fit.beta)
