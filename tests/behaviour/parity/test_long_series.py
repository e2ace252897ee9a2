"""Linear models with series of random effects against glmmTMB at its tight optimum."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import R_PARITY

import interlace as il

CASES = json.loads((R_PARITY / "references" / "long_series.json").read_text())["cases"]
# The bars: log-likelihoods, estimates in standard errors, standard errors relatively.
LOGLIK, DEVIATIONS, ERRORS = 1e-5, 1e-3, 1e-3


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
    x = normal(n, 23)
    y = 1 + 0.5 * x + a.T.ravel() + 0.5 * normal(groups, 31)[g] + 0.4 * normal(6, 37)[h]
    frame = pd.DataFrame(
        {"y": y + 0.7 * normal(n, 41), "x": x, "g": g, "h": h, "t": pd.Categorical(time),
         "p": time + 0.5 * (time % 3)}
    )  # fmt: skip
    return frame[uniform(n, 43) < 0.75]


@pytest.fixture(scope="module", params=CASES)
def both(request):
    case = CASES[request.param]
    return case, il.fit(case["formula"], series(case["rho"]), REML=case["method"] == "REML")


def test_log_likelihood(both):
    case, m = both
    assert m.fit.backend == "series"
    assert m.llf == pytest.approx(case["logLik"], abs=LOGLIK)


def test_coefficients_and_their_standard_errors(both):
    case, m = both
    errors = np.array(case["se"])
    np.testing.assert_allclose((m.params - case["beta"]) / errors, 0.0, atol=DEVIATIONS)
    np.testing.assert_allclose(m.bse, errors, rtol=ERRORS)


def test_parameters_of_the_series(both):
    case, m = both
    T = m.fit.T[0]
    S = m.sigma**2 * T @ T.T
    term = next(t for t in m.fit.covariance.terms if t.structure.name in ("ar1", "ou"))
    first = term.columns.start
    assert m.sigma == pytest.approx(case["sigma"], rel=ERRORS)
    assert S[first, first] ** 0.5 == pytest.approx(case["sd"], rel=ERRORS)
    correlation = S[first, first + 1] / S[first, first]
    assert correlation == pytest.approx(case["correlation"], abs=ERRORS)
