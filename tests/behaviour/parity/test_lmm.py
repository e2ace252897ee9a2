"""Linear mixed models against lme4 and lmerTest at lme4's tight optimum, for every reference.

The references were polished with exact gradients until the scaled gradient of the criterion fell
below 1e-10 (1e-8 for the response near 1e6), so theta is good to about 1e-9 and the bars below
leave no room for a wrong optimum.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import (
    R_PARITY,
    array,
    fitted,
    frame_of,
    r_level,
    reference,
    reference_ids,
)
from scipy.special import chdtrc, stdtr

import interlace
from interlace.errors import ConvergenceWarning, DataWarning
from interlace.inference.kenward_roger import (
    kenward_roger,
    kenward_roger_df,
    kenward_roger_f,
)

# |criterion - R's|, for a criterion up to 1e3, and in proportion above.
CRITERION = 1e-6
# Coefficients in standard errors; modes in conditional standard deviations; fitted values,
# residuals and small predictions in sigma.
COEFFICIENTS = 1e-5
MODES = 1e-5
VALUES = 1e-6
# Relative: standard errors and covariances, standard deviations, predictions.
STANDARD_ERRORS = 1e-6
DEVIATIONS = 1e-5
PREDICTIONS = 1e-6
CONDITIONAL_SD = 1e-6
# lmerTest differentiates numerically, by Richardson extrapolation of a deviance that carries a
# rounding error of about 1e-12: the error left is 4e-6 at worst here (the response near 1e6).
DF = 2e-5
# A sum over the rows of a column of X with known weights of size 1, in units of its largest entry.
PROBE = 1e-10

IDS = reference_ids()
every_reference = pytest.mark.parametrize("id", IDS)


@cache
def model(id: str):
    return fitted(id).model


def scaled(difference, unit) -> float:
    """The largest difference in its unit."""
    return float(np.max(np.abs(np.asarray(difference)) / unit, initial=0.0))


def test_every_kind_of_model_is_there():
    assert len(IDS) >= 85
    assert {f"L{i}" for i in range(1, 16)} <= {id.split("_")[0] for id in IDS}
    assert {id for id in IDS if reference(id)["singular"]} >= {"L2_dyestuff2", "re_zero_variance"}


# -- the optimum -----------------------------------------------------------------------------------


@every_reference
def test_criterion(id):
    r = reference(id)
    expected = r["criterion"]["tight"]
    m = model(id)
    found = m.reml_criterion if r["method"] == "REML" else m.deviance
    assert found == pytest.approx(expected, rel=0, abs=CRITERION * max(1.0, abs(expected) / 1e3))
    assert m.llf == pytest.approx(-found / 2, rel=1e-15)
    assert m.method == r["method"]
    # and never worse than where lme4 stops by default
    assert found <= r["criterion"]["default"] + CRITERION * max(1.0, abs(expected) / 1e3)


@every_reference
def test_verdict(id):
    r = reference(id)
    m = model(id)
    assert m.converged is r["identified"]
    assert m.is_singular is r["singular"]
    expected = []
    if r["nobs"] < len(r.frame) or r["fixed"]["dropped"]:
        expected.append(DataWarning)
    if not r["identified"]:
        expected.append(ConvergenceWarning)
    assert sorted({w.category.__name__ for w in fitted(id).warnings}) == sorted(
        category.__name__ for category in expected
    )


@every_reference
def test_information_criteria(id):
    r = reference(id)
    m = model(id)
    bar = CRITERION * max(1.0, abs(r["criterion"]["tight"]) / 1e3)
    assert m.llf == pytest.approx(r["log_likelihood"], rel=0, abs=bar)
    assert m.aic == pytest.approx(r["aic"], rel=0, abs=bar)
    assert m.bic == pytest.approx(r["bic"], rel=0, abs=bar)
    assert (m.nparams, m.nobs, m.df_resid) == (r["df"], r["nobs"], r["df_residual"])
    assert m.ngroups == r["n_groups"]
    assert list(m.ngroups) == list(r["n_groups"])


# -- fixed effects ---------------------------------------------------------------------------------


@every_reference
def test_columns_of_X(id):
    r = reference(id)
    X = model(id).fit.design.X
    weights = np.cos(np.arange(1, len(X) + 1))
    size = np.abs(X).max(axis=0) * len(X)
    assert scaled(weights @ X - array(r["fixed"]["x_probe"]), size) <= PROBE


@every_reference
def test_coefficients(id):
    r = reference(id)
    m = model(id)
    se = array(r["fixed"]["se"])
    assert [r.r_name(name) for name in m.fe_params.index] == r["fixed"]["names"]
    assert scaled(m.fe_params - array(r["fixed"]["beta"]), se) <= COEFFICIENTS
    assert scaled(m.fe_bse - se, se) <= STANDARD_ERRORS
    assert scaled(m.vcov() - array(r["fixed"]["vcov"]), np.outer(se, se)) <= STANDARD_ERRORS
    interval = m.confint("beta_", method="Wald").to_numpy()
    assert scaled(interval - array(r["wald"]), se[:, None]) <= COEFFICIENTS


@every_reference
def test_degrees_of_freedom(id):
    r = reference(id)
    expected = r["satterthwaite"]["coefficients"]
    m = model(id)
    df, t = array(expected["df"]), array(expected["t"])
    np.testing.assert_allclose(m.df, df, rtol=DF)
    np.testing.assert_allclose(m.tvalues, t, rtol=STANDARD_ERRORS, atol=COEFFICIENTS)
    # the p-values that R's t and df allow within these tolerances
    ends = [
        2 * stdtr(df * (1 + DF * a), -np.maximum(0, abs(t) * (1 + STANDARD_ERRORS * b) + b * 1e-5))
        for a in (-1, 1)
        for b in (-1, 1)
    ]
    p = m.pvalues.to_numpy()
    assert (np.min(ends, axis=0) <= p).all()
    assert (p <= np.max(ends, axis=0)).all()
    np.testing.assert_allclose(2 * stdtr(df, -abs(t)), array(expected["p"]), rtol=1e-9)


@pytest.mark.parametrize("type", ["I", "II", "III"])
@every_reference
def test_anova(id, type):
    r = reference(id)
    m = model(id)
    table = m.anova(type=type)
    expected = pd.DataFrame(r["satterthwaite"]["anova"].get(type) or {"terms": []})
    if expected.empty:
        assert set(r["fixed"]["names"]) == {"(Intercept)"}
        assert table.empty
        return
    expected = expected.dropna(subset="num_df")  # terms that were dropped altogether
    assert [r.r_term(name) for name in table.index] == list(expected["terms"])
    assert table["NumDF"].tolist() == list(expected["num_df"])
    F, sums = expected["F"].to_numpy(), expected["sum_sq"].to_numpy()
    np.testing.assert_allclose(table["DenDF"], expected["den_df"], rtol=DF)
    # F is a square of something known to COEFFICIENTS
    assert scaled(table["F value"] - F, 2 * np.sqrt(F) + COEFFICIENTS) <= COEFFICIENTS
    np.testing.assert_allclose(table["Sum Sq"], sums, rtol=1e-5, atol=1e-5 * m.scale)


def test_evaluations_to_the_optimum_are_few():
    """Over all references with at most 20 covariance parameters: median 12, worst 25."""
    counts = [m.convergence.evaluations for m in map(model, IDS) if len(m.theta) <= 20]
    assert len(counts) >= 85
    assert np.median(counts) <= 12
    assert max(counts) <= 25


# -- random effects --------------------------------------------------------------------------------


def labelled_terms(r):
    """R's terms, with lme4's suffixes for further terms on one factor."""
    seen: dict[str, int] = {}
    for term in r["terms"]:
        count = seen.get(term["group"], 0)
        seen[term["group"]] = count + 1
        yield term["group"] + (f".{count}" if count else ""), term


@every_reference
def test_sigma_and_theta(id):
    r = reference(id)
    m = model(id)
    assert m.sigma == pytest.approx(r["sigma"], rel=DEVIATIONS)
    assert len(m.theta) == len(r["theta"])
    if r["identified"] and not r["singular"]:  # otherwise columns of the factor may turn
        row_sd = [
            term["sd"][i]
            for term in r["terms"]
            for j in range(len(term["sd"]))
            for i in range(j, len(term["sd"]))
        ]
        assert scaled(m.theta - array(r["theta"]), array(row_sd) / r["sigma"]) <= DEVIATIONS


@every_reference
def test_standard_deviations_and_correlations(id):
    r = reference(id)
    if not r["identified"]:
        pytest.skip("several covariance matrices have the same likelihood")
    frame = model(id).VarCorr()
    rows = []
    for label, term in labelled_terms(r):
        names, sd, correlation = term["names"], term["sd"], array(term["correlation"])
        rows += [(label, name, None, sd[i]) for i, name in enumerate(names)]
        rows += [
            (label, names[i], names[j], correlation[i, j])
            for i, j in combinations(range(len(names)), 2)
        ]
    rows.append(("Residual", None, None, r["sigma"]))
    translated = [
        (g, *(None if pd.isna(t) else r.r_name(t) for t in (a, b)))
        for g, a, b in zip(frame["group"], frame["term1"], frame["term2"], strict=True)
    ]
    assert translated == [row[:3] for row in rows]
    for found, (group, a, b, expected) in zip(frame["sd_or_corr"], rows, strict=True):
        what = f"{group} {a} {b}"
        if expected is None or np.isnan(expected):
            assert np.isnan(found) or abs(found) <= 1 + 1e-12, what
        elif b is not None:
            assert found == pytest.approx(expected, abs=DEVIATIONS), what
        elif expected == 0.0:
            assert found <= DEVIATIONS * r["sigma"], what
        else:
            assert found == pytest.approx(expected, rel=DEVIATIONS), what


@every_reference
def test_conditional_modes(id):
    r = reference(id)
    if not r["identified"]:
        pytest.skip("modes of the parts are not identified; fitted values are")
    table = model(id).ranef(cond_sd=True)
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
            unit = np.where(sd > 0, sd, r["sigma"])
            what = f"{term['group']} {name}"
            assert scaled(kept["value"] - modes, unit) <= MODES, what
            assert scaled(kept["cond_sd"] - sd, unit) <= CONDITIONAL_SD, what
            # sums over all levels: of a value off by MODES units everywhere, at most
            total = np.sqrt(term["sum_of_squares_sd_modes"][j] * term["n_levels"])
            squares = np.sqrt(term["sum_of_squares_modes"][j] * term["sum_of_squares_sd_modes"][j])
            floor = r["sigma"] if total == 0 else 0.0
            values = part["value"]
            assert abs(values.sum() - term["sum_modes"][j]) <= MODES * (total + floor), what
            gap = (values**2).sum() - term["sum_of_squares_modes"][j]
            assert abs(gap) <= 2 * MODES * (squares + floor**2), what


# -- values by row ---------------------------------------------------------------------------------


def check_rows(found, expected, unit):
    values = array(expected["values"])
    found = np.asarray(found, dtype=float)
    assert len(found) == expected["n"]
    assert scaled(found[: len(values)] - values, unit) <= VALUES
    n, squares = len(found), expected["sum_of_squares"]
    assert abs(found.sum() - expected["sum"]) <= VALUES * unit * n
    assert abs((found**2).sum() - squares) <= 2 * VALUES * unit * np.sqrt(n * squares)


@every_reference
def test_fitted_values(id):
    check_rows(model(id).fittedvalues, reference(id)["fitted"], reference(id)["sigma"])


@pytest.mark.parametrize("type", ["response", "pearson", "deviance", "working"])
@every_reference
def test_residuals(id, type):
    r = reference(id)
    check_rows(model(id).residuals(type=type), r["residuals"][type], r["sigma"])


@every_reference
def test_leverages_and_cooks_distances(id):
    r = reference(id)
    if not r.get("hat"):
        pytest.skip("left out of the references of large models")
    m = model(id)
    check_rows(m.hatvalues(), r["hat"], 1.0)
    check_rows(m.cooks_distance(), r["cooks"], 1.0)


# -- predictions -----------------------------------------------------------------------------------


@every_reference
def test_predictions(id):
    r = reference(id)
    m = model(id)
    expected = r["prediction"]
    # lme4 adds offsets of the formula for new rows, but not those of its argument
    arguments = {"offset": np.zeros(len(r.newdata))} if r.get("offset") else {}
    found = {
        "population": m.get_prediction(r.newdata, include_re=False, **arguments),
        "conditional": m.get_prediction(r.newdata, new_levels="population", **arguments),
    }
    for kind, prediction in found.items():
        mean = array(expected[kind])
        np.testing.assert_allclose(
            prediction.mean, mean, rtol=PREDICTIONS, atol=VALUES * r["sigma"], err_msg=kind
        )
        if f"{kind}_se" in expected:
            se = array(expected[f"{kind}_se"])
            np.testing.assert_allclose(prediction.se, se, rtol=PREDICTIONS * 10, err_msg=kind)
    plain = m.predict(r.newdata, new_levels="population", **arguments)
    np.testing.assert_array_equal(plain, found["conditional"].mean)


# -- comparisons of models -------------------------------------------------------------------------

COMPARISONS = json.loads((R_PARITY / "references" / "lmm_tests.json").read_text(encoding="utf-8"))
del COMPARISONS["versions"]


@pytest.mark.parametrize("name", sorted(COMPARISONS))
def test_likelihood_ratio(name):
    expected = COMPARISONS[name]
    frame = frame_of(expected["data"])
    models = [interlace.fit(m["formula"], frame, method="ML") for m in expected["models"]]
    table = models[0].anova(*models[1:])
    for column, key in (("AIC", "aic"), ("BIC", "bic"), ("logLik", "log_likelihood")):
        values = [m[key] for m in expected["models"]]
        np.testing.assert_allclose(table[column], values, rtol=0, atol=2 * CRITERION)
    assert table["Df"].tolist() == [m["df"] for m in expected["models"]]
    chisq = table["Chisq"].iloc[1:]
    np.testing.assert_allclose(chisq, expected["chisq"], rtol=0, atol=4 * CRITERION)
    assert table["Chi Df"].iloc[1:].tolist() == expected["df"]
    p, chisq, df = table["Pr(>Chisq)"].iloc[1:], array(expected["chisq"]), array(expected["df"])
    assert (chdtrc(df, chisq + 4 * CRITERION) <= p).all()
    assert (p <= chdtrc(df, np.maximum(0.0, chisq - 4 * CRITERION))).all()
    np.testing.assert_allclose(chdtrc(df, chisq), array(expected["p"]), rtol=1e-9)


# -- Kenward and Roger -----------------------------------------------------------------------------

KENWARD_ROGER = json.loads(
    (R_PARITY / "references" / "lmm_kenward_roger.json").read_text(encoding="utf-8")
)
del KENWARD_ROGER["versions"]


@pytest.mark.parametrize("name", sorted(KENWARD_ROGER))
def test_kenward_roger(name):
    """pbkrtest's adjusted variances, degrees of freedom and scaled F, in any order of columns."""
    expected = KENWARD_ROGER[name]
    m = interlace.fit(expected.get("python") or expected["formula"], frame_of(expected["data"]))
    found = kenward_roger(m.fit)
    cov = array(expected["cov"])
    size = np.sqrt(np.outer(np.diagonal(cov), np.diagonal(cov)))
    np.testing.assert_allclose(found.cov / size, cov / size, rtol=0, atol=DF)
    np.testing.assert_allclose(kenward_roger_df(m.fit), array(expected["df"]), rtol=DF)
    for test in dict(expected["tests"]).values():
        L = np.atleast_2d(array(test["L"]))
        F, q, df = kenward_roger_f(m.fit, L)
        assert q == test["ndf"]
        assert df == pytest.approx(test["ddf"], rel=DF)
        assert F == pytest.approx(test["F"], rel=DF)
