"""Covariance structures of random effects against glmmTMB, and dense algebra, at tight optima."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from helpers.r_references import R_PARITY, Reference, array

import interlace as il
from interlace.families import resolve

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
#: The other one without residuals, and known covariances of the groups.
ELSEWHERE = {"orthodont_homtoep"} | {id for id in CASES if "matrix" in reference_of(id).record}
CASES = [id for id in CASES if id not in ELSEWHERE]


@cache
def fitted(id):
    reference = reference_of(id)
    if id in RESIDUAL:
        fixed = "distance ~ age * Sex"
        return il.fit(fixed, reference.frame, method="ML", **RESIDUAL[id])
    keys = {"zi": "ziformula", "disp": "dispformula"}
    given = {argument: reference[key] for key, argument in keys.items() if reference.get(key)}
    family = reference["family"]
    if family["name"] == "gaussian":
        return il.fit(reference.formula, reference.frame, method=reference["method"], **given)
    own = resolve(family["name"], family["link"])
    return il.glmer(reference.formula, reference.frame, own, **given)


def test_every_structure_is_there():
    formulas = " ".join(reference_of(id).formula for id in CASES)
    for name in (
        "us", "diag", "homdiag", "cs", "homcs", "toep", "homtoep", "ar1", "hetar1", "ou", "exp",
        "gau", "mat", "rr",
    ):  # fmt: skip
        assert f" {name}(" in formulas


@pytest.mark.parametrize("id", CASES)
def test_log_likelihood(id):
    reference, m = reference_of(id), fitted(id)
    assert m.llf == pytest.approx(reference["log_likelihood"], rel=0, abs=LOG_LIKELIHOOD)
    assert m.nparams == reference["df"]


def _standard_errors(reference):
    """Of linear models those at the estimated covariance, as lme4 has them."""
    entry = reference["components"]["cond"]
    linear = reference["family"]["name"] == "gaussian" and not reference.get("disp")
    if not linear or "vcov" in entry and reference["method"] == "ML":
        return array(entry["se"])
    if reference["method"] == "REML":
        return None  # that of the joint mode there
    at = [i for i, name in enumerate(reference["parameters"]) if name == "beta"]
    H = np.linalg.inv(array(reference["vcov"]))[np.ix_(at, at)]
    return np.sqrt(np.diagonal(np.linalg.inv(H)))


@pytest.mark.parametrize("id", CASES)
def test_coefficients(id):
    reference, m = reference_of(id), fitted(id)
    entry = reference["components"]["cond"]
    values, se = array(entry["values"]), array(entry["se"])
    assert np.max(np.abs(m.fe_params.to_numpy()[: len(values)] - values) / se) < ESTIMATES
    given = _standard_errors(reference)
    if given is not None:
        own = m.bse.to_numpy()[: len(values)]
        np.testing.assert_allclose(own, given, rtol=STANDARD_ERRORS)


#: These are read as standard deviations, then correlations, ranges, smoothness.
READ = ("ar1", "exp", "gau", "mat", "cs", "hetar1", "toep")


@pytest.mark.parametrize("id", [id for id in CASES if id not in RESIDUAL])
def test_standard_deviations_correlations_and_ranges(id):
    reference, m = reference_of(id), fitted(id)
    if len(reference["natural"]) > 1 or reference["natural"][0]["structure"] not in READ:
        return
    told = dict(reference["natural"][0])
    told.pop("structure")
    values = [array(entry["values"]) for entry in told.values()]
    if " hom" in reference.formula:
        values[0] = values[0][:1]
    table = m.VarCorr()
    own = table.loc[table["group"] == reference["terms"][0]["group"], "sd_or_corr"].to_numpy()
    np.testing.assert_allclose(own, np.concatenate(values), rtol=DEVIATIONS, atol=DEVIATIONS)
