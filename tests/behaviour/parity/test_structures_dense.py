"""Covariance structures that glmmTMB 1.1.5 has not, or has without residuals, at tight optima."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from helpers.r_references import R_PARITY, Reference, array

import interlace as il

FOLDER = R_PARITY / "references" / "structures"


@cache
def reference_of(id):
    return Reference(id, json.loads((FOLDER / f"{id}.json").read_text(encoding="utf-8")))


LOG_LIKELIHOOD = 1e-7
ESTIMATES = 1e-5  # in standard errors
STANDARD_ERRORS = 1e-4  # relative
DEVIATIONS = 1e-4
CASES = sorted(path.stem for path in FOLDER.glob("*.json"))
#: Without residuals of their own: linear models of correlated residuals here.
RESIDUAL = {
    "orthodont_homcs": {"correlation": "cs(1 | Subject)"},
    "orthodont_hetar1": {"correlation": "ar1(1 | Subject)", "variance": "~ age"},
}
CASES = [
    id
    for id in CASES
    if id in RESIDUAL
    or (reference_of(id)["system"] == "dense" and "matrix" not in reference_of(id).record)
]


@cache
def fitted(id):
    reference = reference_of(id)
    if id in RESIDUAL:
        fixed = "distance ~ age * Sex"
        return il.fit(fixed, reference.frame, method="ML", **RESIDUAL[id])
    return il.fit(reference.formula, reference.frame, method=reference["method"])


def test_they_are_there():
    assert {"orthodont_hetar1", "orthodont_homcs", "places_mat", "series_hetar1"} <= set(CASES)


@pytest.mark.parametrize("id", CASES)
def test_log_likelihood(id):
    reference, m = reference_of(id), fitted(id)
    assert m.llf == pytest.approx(reference["log_likelihood"], rel=0, abs=LOG_LIKELIHOOD)
    assert m.nparams == reference["df"]


@pytest.mark.parametrize("id", CASES)
def test_coefficients(id):
    reference, m = reference_of(id), fitted(id)
    entry = reference["components"]["cond"]
    values, se = array(entry["values"]), array(entry["se"])
    assert np.max(np.abs(m.fe_params.to_numpy()[: len(values)] - values) / se) < ESTIMATES
    np.testing.assert_allclose(m.bse.to_numpy()[: len(values)], se, rtol=STANDARD_ERRORS)


@pytest.mark.parametrize("id", [id for id in CASES if id not in RESIDUAL])
def test_standard_deviations_correlations_and_ranges(id):
    reference, m = reference_of(id), fitted(id)
    told = dict(reference["natural"][0])
    told.pop("structure")
    values = [array(entry["values"]) for entry in told.values()]
    table = m.VarCorr()
    own = table.loc[table["group"] == reference["terms"][0]["group"], "sd_or_corr"].to_numpy()
    np.testing.assert_allclose(own, np.concatenate(values), rtol=DEVIATIONS, atol=DEVIATIONS)
