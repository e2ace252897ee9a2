"""Models of ordered categories against R's optima: ordinal, MASS, and their likelihood by TMB.

The references' gradients are below 1e-6: log-likelihoods are good to 1e-9, parameters to 1e-6
standard errors.
"""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import R_PARITY, Reference, array

import interlace as il

FOLDER = R_PARITY / "references" / "ordinal"
CASES = sorted(path.stem for path in FOLDER.glob("*.json"))
MIXED = [id for id in CASES if id.startswith("clmm")]

LOG_LIKELIHOOD = 1e-7
# In standard errors; modes in their standard deviations.
ESTIMATES = 1e-5
MODES = 1e-5
# Relative. R's Hessians of quadrature are by differences.
STANDARD_ERRORS = 1e-5
DEVIATIONS = 1e-5
# A standard deviation of zero here is a small number there.
ZERO = 1e-6
PROBABILITIES = 1e-7


@cache
def reference_of(id):
    return Reference(id, json.loads((FOLDER / f"{id}.json").read_text(encoding="utf-8")))


@cache
def fitted(id):
    reference = reference_of(id)
    keys = ("link", "threshold", "nominal", "scale", "weights", "nAGQ")
    given = {key: reference[key] for key in keys if key in reference.record}
    front = il.clmm if id.startswith("clmm") else il.clm
    return front(reference.formula, reference.frame, **given)


def test_every_kind_of_model_is_there():
    assert len(CASES) >= 35
    for key, values in {
        "link": {"logit", "probit", "cloglog", "loglog", "cauchit"},
        "threshold": {"flexible", "symmetric", "symmetric2", "equidistant"},
    }.items():
        assert {reference_of(id)[key] for id in MIXED} >= values
        assert {reference_of(id)[key] for id in set(CASES) - set(MIXED)} >= values


@pytest.mark.parametrize("id", CASES)
def test_log_likelihood(id):
    reference, m = reference_of(id), fitted(id)
    assert m.llf == pytest.approx(reference["log_likelihood"], rel=0, abs=LOG_LIKELIHOOD)
    assert m.nparams == reference["df"]


@pytest.mark.parametrize("id", CASES)
def test_log_likelihood_is_not_below_what_r_prints(id):
    reference, m = reference_of(id), fitted(id)
    for package in ("ordinal", "polr"):
        if reference.get(package):
            assert m.llf > reference[package]["log_likelihood"] - LOG_LIKELIHOOD


def _matrix(values, rows):
    """Thresholds down, columns they depend on across."""
    own = np.asarray(values, dtype=float)
    return own.T if own.ndim == 2 else own.reshape(rows, 1)


@pytest.mark.parametrize("id", CASES)
def test_thresholds(id):
    told, m = reference_of(id)["thresholds"], fitted(id)
    values, se = array(told["values"]), array(told["se"])
    own = _matrix(m.thresholds, len(values))
    assert np.max(np.abs(own - values) / se) < ESTIMATES
    np.testing.assert_allclose(_matrix(m.threshold_bse, len(se)), se, rtol=STANDARD_ERRORS)
    if own.shape[1] == 1:
        assert list(m.thresholds.index) == told["names"]


@pytest.mark.parametrize("id", CASES)
def test_coefficients(id):
    reference, m = reference_of(id), fitted(id)
    told = [reference.get("beta"), reference.get("scale_coefficients")]
    told = [entry for entry in told if entry]
    if not told:
        return
    values = np.concatenate([array(entry["values"]) for entry in told])
    se = np.concatenate([array(entry["se"]) for entry in told])
    own = m.params.to_numpy()[-len(values) :]
    assert np.max(np.abs(own - values) / se) < ESTIMATES
    np.testing.assert_allclose(m.bse.to_numpy()[-len(values) :], se, rtol=STANDARD_ERRORS)


@pytest.mark.parametrize("id", MIXED)
def test_random_effects(id):
    reference, fit = reference_of(id), fitted(id).fit
    for told in reference["terms"]:
        group = told["group"]
        at = [f.name for f in fit.design.factors].index(group)
        T = fit.T[at]
        sd = np.sqrt((T * T).sum(axis=1))
        np.testing.assert_allclose(sd, array(told["sd"]), rtol=DEVIATIONS, atol=ZERO)
        if len(sd) > 1:
            own = (T @ T.T) / np.outer(sd, sd)
            np.testing.assert_allclose(own, array(told["correlation"]), atol=DEVIATIONS)
        levels = {str(level): i for i, level in enumerate(fit.design.factors[at].levels)}
        rows = [levels[level] for level in told["levels"]]
        off = np.abs(fit.b[at][rows] - array(told["modes"])) / np.maximum(array(told["sd"]), ZERO)
        assert off.max() < MODES


@pytest.mark.parametrize("id", CASES)
def test_probabilities(id):
    reference, m = reference_of(id), fitted(id)
    told = array(reference["probabilities"])
    own = m.predict(type="prob").to_numpy()[: len(told)]
    np.testing.assert_allclose(own, told, rtol=0, atol=PROBABILITIES)


PREDICTED = [id for id in CASES if "predictions" in reference_of(id).record]


@pytest.mark.parametrize("id", PREDICTED)
def test_predictions_of_new_rows_as_clm_has_them(id):
    reference, m = reference_of(id), fitted(id)
    told = reference["predictions"]
    new = pd.DataFrame(told["columns"])
    table = m.predict(new, type="prob", se=True, interval=True)
    for ours, theirs in {
        "prediction": "prob",
        "se": "se",
        "lower": "lower",
        "upper": "upper",
    }.items():
        np.testing.assert_allclose(
            table[ours].to_numpy(), array(told[theirs]), rtol=1e-6, atol=1e-9
        )
    cumulative = m.predict(new, type="cum.prob").to_numpy()
    wanted = array(told["cumulative"])
    np.testing.assert_allclose(cumulative, wanted[:, : cumulative.shape[1]], rtol=1e-6)
    linear = m.predict(new, type="linear.predictor").to_numpy()
    np.testing.assert_allclose(
        linear, array(told["linear"])[:, : linear.shape[1]], rtol=1e-6, atol=1e-7
    )
    assert [str(value) for value in m.predict(new, type="class")] == told["class"]
