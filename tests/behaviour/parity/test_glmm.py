"""Generalised linear mixed models against R at tight optima, for every reference.

lme4's Laplace approximation has expected information in the determinant, glmmTMB's observed; for
canonical links they are one. The references were polished by Newton steps until no component of
the gradient exceeds 1e-6 in units of its standard error, so that parameters are good to 1e-6
standard errors and log-likelihoods to 1e-9.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import array, glmm_fitted, glmm_ids, glmm_reference, r_level

from interlace.errors import ConvergenceWarning

# |log-likelihood - R's|, and by how much it may be lower for one up to 1e3, in proportion above.
LOG_LIKELIHOOD = 1e-5
NEVER_LOWER = 1e-7
# Quadrature with 25 nodes against 100, or 30 a side for two effects. The tails of cauchit's
# likelihood are powers, which polynomials of degree 49 follow to 1e-4 only.
QUADRATURE = 1e-6
NODES = {"cauchit": 100}
# Coefficients and logarithms of family parameters in standard errors; modes in their standard
# deviations.
COEFFICIENTS = 1e-4
MODES = 1e-4
# Relative: standard errors, standard deviations (absolute: correlations), predictions.
STANDARD_ERRORS = 1e-4
DEVIATIONS = 1e-4
PREDICTIONS = 1e-5
# A sum over the rows of a column of X with known weights of size 1, in units of its largest entry.
PROBE = 1e-10

CASES = glmm_ids()
every_reference = pytest.mark.parametrize(("id", "key"), CASES)
with_prediction = pytest.mark.parametrize(
    ("id", "key"), [case for case in CASES if glmm_reference(*case).get("prediction")]
)
# The maximum of the marginal likelihood itself, where R found it by quadrature with 100 nodes.
integrated = pytest.mark.parametrize(
    ("id", "key"),
    [
        (id, key)
        for id, key in CASES
        if key in ("laplace", "observed")
        and "log_likelihood" in (glmm_reference(id, key).get("marginal") or {})
    ],
)


def model(id, key):
    return glmm_fitted(id, key).model


def scaled(difference, unit) -> float:
    """The largest difference in its unit."""
    return float(np.max(np.abs(np.asarray(difference)) / unit, initial=0.0))


def test_every_kind_of_model_is_there():
    ids = {id for id, _ in CASES}
    assert len(ids) >= 60
    table = {"G1", "G1a", "G1z", "G1p", "G2", "G2s", *(f"G{i}" for i in range(3, 10)), "N1"}
    assert table <= {id.split("_")[0] for id in ids}
    pairs = {(r["family"]["name"], r["family"]["link"]) for r in map(glmm_reference, *zip(*CASES))}
    for family, links in {
        "binomial": ("logit", "probit", "cloglog", "loglog", "cauchit", "log"),
        "poisson": ("log", "identity", "sqrt"),
        "negativebinomial": ("log", "identity", "sqrt", "nbcanonical"),
        "gamma": ("log", "identity", "inverse"),
        "inverse_gaussian": ("log", "identity", "inverse", "inverse_square"),
        "gaussian": ("identity", "log", "inverse"),
    }.items():
        assert {(family, link) for link in links} <= pairs
    assert {id for id, key in CASES if glmm_reference(id, key)["singular"]} >= {
        "bernoulli_zero_variance",
        "poisson_zero_variance",
    }


# -- the optimum -----------------------------------------------------------------------------------


@every_reference
def test_log_likelihood(id, key):
    r = glmm_reference(id, key)
    m = model(id, key)
    expected = r["log_likelihood"]
    assert m.llf == pytest.approx(expected, rel=0, abs=LOG_LIKELIHOOD)
    assert m.llf >= expected - NEVER_LOWER * max(1.0, abs(expected) / 1e3)
    default = r.get("default") or {}
    if key == "laplace" and "log_likelihood" in default:
        # never worse than where lme4 stops by default
        assert m.llf >= default["log_likelihood"] - NEVER_LOWER * max(1.0, abs(expected) / 1e3)


@every_reference
def test_verdict(id, key):
    r = glmm_reference(id, key)
    m = model(id, key)
    assert m.converged
    assert m.is_singular is r["singular"]
    assert not [w for w in glmm_fitted(id, key).warnings if w.category is ConvergenceWarning]


@every_reference
def test_information_criteria(id, key):
    r = glmm_reference(id, key)
    m = model(id, key)
    assert m.aic == pytest.approx(r["aic"], rel=0, abs=2 * LOG_LIKELIHOOD)
    assert m.bic == pytest.approx(r["bic"], rel=0, abs=2 * LOG_LIKELIHOOD)
    assert (m.nparams, m.nobs, m.df_resid) == (r["df"], r["nobs"], r["nobs"] - r["df"])
    assert m.ngroups == r["n_groups"]


# -- fixed effects ---------------------------------------------------------------------------------


@every_reference
def test_columns_of_X(id, key):
    r = glmm_reference(id, key)
    m = model(id, key)
    assert [r.r_name(name) for name in m.fe_params.index] == r["fixed"]["names"]
    X = m.fit.design.X
    weights = np.cos(np.arange(1, len(X) + 1))
    size = np.abs(X).max(axis=0) * len(X)
    assert scaled(weights @ X - array(r["fixed"]["x_probe"]), size) <= PROBE


@every_reference
def test_coefficients(id, key):
    r = glmm_reference(id, key)
    m = model(id, key)
    se = array(r["se"])
    assert scaled(m.fe_params - array(r["beta"]), se) <= COEFFICIENTS
    assert scaled(m.fe_bse - se, se) <= STANDARD_ERRORS
    if r.get("vcov") is not None:
        assert scaled(m.vcov() - array(r["vcov"]), np.outer(se, se)) <= STANDARD_ERRORS


@every_reference
def test_parameters_of_the_family(id, key):
    r = glmm_reference(id, key)
    m = model(id, key)
    expected = r.get("family_parameter")
    if expected is None:
        assert len(m.disp_params) == 0
    else:
        assert list(m.disp_params.index) == [expected["name"]]
        se = expected["se_log"]
        assert scaled(np.log(m.disp_params) - np.log(expected["value"]), se) <= COEFFICIENTS
        assert scaled(m.disp_bse - se, se) <= STANDARD_ERRORS
    if r["family"]["name"] != "negativebinomial":
        assert m.sigma == pytest.approx(r["sigma"], rel=DEVIATIONS)


@pytest.mark.parametrize(
    ("id", "key"),
    [
        (id, key)
        for id, key in CASES
        if key in ("laplace", "observed")
        and "beta" in (glmm_reference(id, key).get("glmmTMB") or {})
    ],
)
def test_glmmTMB_itself(id, key):
    """Its own coefficients and standard errors, where it fits this approximation."""
    r = glmm_reference(id, key)
    peer = r["glmmTMB"]
    m = model(id, key)
    level = NEVER_LOWER * max(1.0, abs(peer["log_likelihood"]) / 1e3)
    assert m.llf >= peer["log_likelihood"] - level
    if abs(peer["log_likelihood"] - r["log_likelihood"]) > level:
        pytest.skip("glmmTMB stopped short of the maximum: its log-SDs go to minus infinity")
    se = array(peer["se"])
    assert scaled(m.fe_params - array(peer["beta"]), se) <= COEFFICIENTS
    if not r["singular"]:
        assert scaled(m.fe_bse - se, se) <= STANDARD_ERRORS
        if peer.get("zeta") is not None:
            assert scaled(m.disp_bse - peer["se_zeta"], peer["se_zeta"]) <= STANDARD_ERRORS


# -- random effects --------------------------------------------------------------------------------


def labelled_terms(r):
    """R's terms, with lme4's suffixes for further terms on one factor."""
    seen: dict[str, int] = {}
    for term in r["terms"]:
        count = seen.get(term["group"], 0)
        seen[term["group"]] = count + 1
        yield term["group"] + (f".{count}" if count else ""), term


@every_reference
def test_standard_deviations_and_correlations(id, key):
    r = glmm_reference(id, key)
    frame = model(id, key).VarCorr()
    rows = []
    for label, term in labelled_terms(r):
        names, sd, correlation = term["names"], term["sd"], array(term["correlation"])
        rows += [(label, name, None, sd[i], sd[i]) for i, name in enumerate(names)]
        rows += [
            (label, names[i], names[j], correlation[i, j], min(sd[i], sd[j]))
            for i, j in combinations(range(len(names)), 2)
        ]
    frame = frame[frame["group"] != "Residual"]
    translated = [
        (g, *(None if pd.isna(t) else r.r_name(t) for t in (a, b)))
        for g, a, b in zip(frame["group"], frame["term1"], frame["term2"], strict=True)
    ]
    assert translated == [row[:3] for row in rows]
    for found, (group, a, b, expected, sd) in zip(frame["sd_or_corr"], rows, strict=True):
        what = f"{group} {a} {b}"
        if sd == 0.0:  # lme4 and glmmTMB know no correlation with what does not vary
            assert b is not None or found <= DEVIATIONS, what
        elif b is not None:
            assert found == pytest.approx(expected, abs=DEVIATIONS), what
        else:
            assert found == pytest.approx(expected, rel=DEVIATIONS), what


@every_reference
def test_conditional_modes(id, key):
    r = glmm_reference(id, key)
    table = model(id, key).ranef(cond_sd=True)
    table = table.assign(
        term=[r.r_name(name) for name in table["term"]],
        level=[r_level(level) for level in table["level"]],
    )
    by_effect = dict(iter(table.groupby(["group", "term"], sort=False)))
    for term in r["terms"]:
        for j, name in enumerate(term["names"]):
            part = by_effect[term["group"], name].set_index("level")
            assert len(part) == term["n_levels"]
            kept = part.loc[term["levels"]]
            modes, sd = array(term["modes"])[:, j], array(term["sd_modes"])[:, j]
            unit = np.where(sd > 0, sd, 1.0)
            what = f"{term['group']} {name}"
            assert scaled(kept["value"] - modes, unit) <= MODES, what
            assert scaled(kept["cond_sd"] - sd, unit) <= STANDARD_ERRORS, what
            # sums over all levels: of a value off by MODES units everywhere, at most
            squares_sd = term["sum_of_squares_sd_modes"][j]
            total = np.sqrt(squares_sd * term["n_levels"]) or 1.0
            values = part["value"]
            assert abs(values.sum() - term["sum_modes"][j]) <= MODES * total, what
            expected = term["sum_of_squares_modes"][j]
            gap = (values**2).sum() - expected
            assert abs(gap) <= 2 * MODES * (np.sqrt(expected * squares_sd) + MODES), what


# -- values by row ---------------------------------------------------------------------------------


def check_rows(found, expected, unit):
    """Rows and sums; `unit` is that of each row, or one for all."""
    values = array(expected["values"])
    found = np.asarray(found, dtype=float)
    assert len(found) == expected["n"]
    unit = np.broadcast_to(unit, found.shape)
    assert scaled(found[: len(values)] - values, unit[: len(values)]) <= PREDICTIONS
    assert abs(found.sum() - expected["sum"]) <= PREDICTIONS * unit.sum()
    gap = (found**2).sum() - expected["sum_of_squares"]
    assert abs(gap) <= 2 * PREDICTIONS * (unit * (np.abs(found) + PREDICTIONS * unit)).sum()


@every_reference
def test_fitted_values(id, key):
    m = model(id, key)
    check_rows(m.fittedvalues, glmm_reference(id, key)["fitted"], np.abs(m.fittedvalues))


@every_reference
def test_linear_predictor(id, key):
    m = model(id, key)
    eta = m.predict(type="link")
    check_rows(eta, glmm_reference(id, key)["linear_predictor"], np.maximum(1.0, np.abs(eta)))


@pytest.mark.parametrize("type", ["response", "pearson", "deviance", "working"])
@every_reference
def test_residuals(id, key, type):
    m = model(id, key)
    found = m.residuals(type=type)
    # a mean off by a share d of itself moves the others by about d in their own units
    unit = np.abs(m.fittedvalues) if type == "response" else 1.0 + np.abs(found)
    check_rows(found, glmm_reference(id, key)["residuals"][type], unit)


# -- predictions -----------------------------------------------------------------------------------


@with_prediction
def test_predictions(id, key):
    r = glmm_reference(id, key)
    m = model(id, key)
    expected = r["prediction"]
    # lme4 adds offsets of the formula for new rows, but not those of its argument
    arguments = {"offset": np.zeros(len(r.newdata))} if r.get("offset") else {}
    for kind, chosen in (
        ("population", {"include_re": False}),
        ("conditional", {"new_levels": "population"}),
    ):
        link = m.predict(r.newdata, type="link", **chosen, **arguments)
        eta = array(expected[kind])
        assert scaled(link - eta, np.maximum(1.0, np.abs(eta))) <= PREDICTIONS, kind
        response = m.predict(r.newdata, **chosen, **arguments)
        mu = array(expected[f"{kind}_response"])
        # where the linear predictor has left the range of its link there is no mean
        inside = np.isfinite(mu) & np.isfinite(response)
        np.testing.assert_allclose(response[inside], mu[inside], rtol=PREDICTIONS, err_msg=kind)


@with_prediction
def test_standard_errors_of_predictions(id, key):
    r = glmm_reference(id, key)
    m = model(id, key)
    arguments = {"offset": np.zeros(len(r.newdata))} if r.get("offset") else {}
    expected = r["prediction"]
    population = m.get_prediction(r.newdata, include_re=False, **arguments)
    np.testing.assert_allclose(
        population.linear_se, array(expected["population_se"]), rtol=STANDARD_ERRORS
    )
    if "conditional_se_theta_fixed" in expected:
        conditional = m.get_prediction(r.newdata, new_levels="population", **arguments)
        se = array(expected["conditional_se_theta_fixed"])
        # of levels that are all new the mean is the population's, and so is its standard error
        new = np.array(expected["conditional"]) == np.array(expected["population"])
        se = np.where(new, array(expected["population_se"]), se)
        np.testing.assert_allclose(conditional.linear_se, se, rtol=STANDARD_ERRORS)


# -- the marginal likelihood itself ----------------------------------------------------------------


@integrated
def test_quadrature_against_integration(id, key):
    r = glmm_reference(id, key)
    expected = r["marginal"]
    m = glmm_fitted(id, key, NODES.get(r["family"]["link"], 25)).model
    assert m.llf == pytest.approx(expected["log_likelihood"], rel=0, abs=QUADRATURE)
    se = array(expected["se"])
    assert scaled(m.fe_params - array(expected["beta"]), se) <= COEFFICIENTS
    assert scaled(m.fe_bse - se, se) <= STANDARD_ERRORS
    if expected.get("zeta") is not None:
        unit = expected["se_zeta"]
        assert scaled(np.log(m.disp_params) - expected["zeta"], unit) <= COEFFICIENTS
        assert scaled(m.disp_bse - unit, unit) <= STANDARD_ERRORS
    # theta's scale is that of its row: the standard deviation of the effect
    sd = np.sqrt(np.concatenate([np.diagonal(T @ T.T) for T in m.fit.T]))
    unit = sd[0] if len(m.theta) == 1 else sd.min()
    assert scaled(m.theta - array(expected["theta"]), unit) <= DEVIATIONS


def test_observed_information_comes_nearer_to_the_likelihood():
    """Of the two approximations' estimates, integrated with 100 nodes, for every such model."""
    compared = 0
    for id in sorted({id for id, key in CASES if key == "expected"}):
        at = (glmm_reference(id, "expected").get("marginal") or {}).get("at")
        if at:
            compared += 1
            assert at["observed"] > at["expected"], id
    assert compared >= 20
