"""Models with series of random effects against glmmTMB at its tight optimum."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import R_PARITY, array
from scipy.stats import poisson

import interlace as il

CASES = json.loads((R_PARITY / "references" / "long_series.json").read_text())["cases"]
GENERALISED = json.loads((R_PARITY / "references" / "long_series_glmm.json").read_text())["cases"]
# The bars: log-likelihoods, estimates in standard errors, standard errors relatively.
LOGLIK, DEVIATIONS, ERRORS = 1e-5, 1e-3, 1e-3
NEVER_LOWER = 1e-7
# glmmTMB stays in a maximum with a correlation below zero; that of a correlation of one, a random
# intercept, is higher. A search without other starts, of the dense template, finds the former.
LEFT, GENERALISED_LEFT = "ar1_negative", "binomial_negative"
# A standard deviation of zero here is exp of a large negative number there.
ZERO = 1e-6


def uniform(n, seed):
    """Park and Miller's generator, as in r_parity/long_series.R."""
    out = np.empty(n)
    for i in range(n):
        seed = seed * 16807 % 2147483647
        out[i] = seed
    return out / 2147483647


def normal(n, seed):
    u = uniform(2 * n, seed)
    return np.sqrt(-2 * np.log(u[:n])) * np.cos(2 * np.pi * u[n:])


def series(rho, groups=25, times=60):
    n = groups * times
    a = normal(n, 11).reshape(groups, times).T  # R fills by column
    for t in range(1, times):
        a[t] = rho * a[t - 1] + np.sqrt(1 - rho**2) * a[t]
    g, time = np.repeat(np.arange(groups), times), np.tile(np.arange(1, times + 1), groups)
    h = np.floor(6 * uniform(n, 17)).astype(int)
    x, level, crossed = normal(n, 23), normal(groups, 31)[g], normal(6, 37)[h]
    y = 1 + 0.5 * x + a.T.ravel() + 0.5 * level + 0.4 * crossed + 0.7 * normal(n, 41)
    eta = 0.3 * x + 0.8 * a.T.ravel() + 0.3 * level + 0.3 * crossed
    count = poisson.ppf(uniform(n, 47), np.exp(0.5 + eta))
    frame = pd.DataFrame(
        {"y": y, "x": x, "g": g, "h": h, "t": pd.Categorical(time), "p": time + 0.5 * (time % 3),
         "count": count, "counted": count * (uniform(n, 61) > 0.25),
         "yes": 1.0 * (uniform(n, 53) < 1 / (1 + np.exp(-2 * eta))),
         "k": np.floor(7 * uniform(n, 67))}
    )  # fmt: skip
    return frame[uniform(n, 43) < 0.75]


@pytest.fixture(scope="module", params=CASES)
def both(request):
    case = CASES[request.param]
    how = {"backend": "blocked"} if request.param == LEFT else {}
    return case, il.fit(case["formula"], series(case["rho"]), REML=case["method"] == "REML", **how)


def test_log_likelihood(both):
    case, m = both
    assert m.fit.backend == ("blocked" if case is CASES[LEFT] else "series")
    assert m.llf == pytest.approx(case["logLik"], abs=LOGLIK)


def test_the_better_of_two_maxima_is_found():
    case, data = CASES[LEFT], series(CASES[LEFT]["rho"])
    m = il.fit(case["formula"], data, REML=False)
    levels = il.fit("y ~ x + (1 | g)", data, REML=False)
    assert m.fit.backend == "series" and m.llf > case["logLik"] + 40.0
    assert m.llf == pytest.approx(levels.llf, abs=LOGLIK)


def test_the_better_of_two_maxima_of_a_generalised_model_is_found():
    case = GENERALISED[GENERALISED_LEFT]
    data = series(case["rho"], case["groups"], case["times"])
    m = il.glmer(case["formula"], data, case["family"])
    levels = il.glmer("yes ~ x + (1 | g)", data, case["family"])
    assert m.fit.backend == "series" and m.llf > case["logLik"] + 5.0
    assert m.llf == pytest.approx(levels.llf, abs=LOGLIK)


def test_coefficients_and_their_standard_errors(both):
    case, m = both
    errors = np.array(case["se"])
    np.testing.assert_allclose((m.params - case["beta"]) / errors, 0.0, atol=DEVIATIONS)
    np.testing.assert_allclose(m.bse, errors, rtol=ERRORS)


def test_parameters_of_the_series(both):
    case, m = both
    check_series(case, m, m.sigma)
    assert m.sigma == pytest.approx(case["sigma"], rel=ERRORS)


def check_series(case, m, scale):
    T = scale * m.fit.T[0]
    S = T @ T.T
    term = next(t for t in m.fit.covariance.terms if t.structure.name in ("ar1", "ou"))
    first = term.columns.start
    assert S[first, first] ** 0.5 == pytest.approx(case["sd"], rel=ERRORS)
    correlation = S[first, first + 1] / S[first, first]
    assert correlation == pytest.approx(case["correlation"], abs=ERRORS)


@pytest.fixture(scope="module", params=[name for name in GENERALISED if name != GENERALISED_LEFT])
def generalised(request):
    case = GENERALISED[request.param]
    data = series(case["rho"], case["groups"], case["times"])
    return case, il.glmer(case["formula"], data, case["family"], **dict(case["arguments"]))


def test_log_likelihood_of_generalised_models(generalised):
    case, m = generalised
    assert m.fit.backend == "series"
    assert -NEVER_LOWER < m.llf - case["logLik"] < LOGLIK


def test_coefficients_of_generalised_models_and_their_standard_errors(generalised):
    case, m = generalised
    mean, errors = m.fit.part("mean"), array(case["se"])
    np.testing.assert_allclose((mean.beta - case["beta"]) / errors, 0.0, atol=DEVIATIONS)
    np.testing.assert_allclose(np.diagonal(mean.cov_beta) ** 0.5, errors, rtol=ERRORS)


def test_other_parameters_of_generalised_models(generalised):
    case, m = generalised
    for name in set(m.fit.design.predictors) - {"mean"}:
        part, expected = m.fit.part(name), array(case[{"zi": "zi", "dispersion": "disp"}[name]])
        if case["family"] == "gaussian":
            expected = expected / 2  # logarithms of variances there
        errors = np.diagonal(part.cov_beta) ** 0.5
        np.testing.assert_allclose((part.beta - expected) / errors, 0.0, atol=DEVIATIONS)
    if case["family"] == "nbinom2":
        np.testing.assert_allclose(m.fit.zeta, case["disp"], atol=DEVIATIONS)


def test_effects_of_generalised_models(generalised):
    case, m = generalised
    check_series(case, m, 1.0)
    others = [t for t in m.fit.covariance.terms if t.structure.name not in ("ar1", "ou")]
    sd = [m.fit.T[t.factor][t.columns.start, t.columns.start] for t in others]
    np.testing.assert_allclose(sd, array(case["others"]), rtol=ERRORS, atol=ZERO)
    assert m.is_singular == any(array(case["others"]) < ZERO)


def test_a_generalised_model_is_at_the_boundary_and_series_are_long():
    assert any(min(case["others"], default=1.0) < ZERO for case in GENERALISED.values())
    assert max(case["times"] for case in GENERALISED.values()) >= 150
