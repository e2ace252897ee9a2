"""Covariance structures against glmmTMB at tight optima (r_parity/structures.R)."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from helpers.r_references import R_PARITY, array
from helpers.several import SeveralReference

import interlace as il
from interlace.families import resolve

STRUCTURES = R_PARITY / "references" / "structures"
LOG_LIKELIHOOD, NEVER_LOWER = 1e-5, 1e-7
# In standard errors; relative.
ESTIMATES, STANDARD_ERRORS = 1e-3, 1e-3
# A residual standard deviation that is not estimated: no front door asks for that.
FIXED = "~ 0"


@cache
def reference(id):
    return SeveralReference(id, json.loads((STRUCTURES / f"{id}.json").read_text(encoding="utf-8")))


def _ids():
    records = [json.loads(path.read_text(encoding="utf-8")) for path in STRUCTURES.glob("*.json")]
    own = [r for r in records if r["system"] == "glmmTMB" and r.get("disp") != FIXED]
    return sorted(r["id"] for r in own)


def _is_linear(own):
    return own["family"]["name"] == "gaussian" and not own.get("disp")


LINEAR = [id for id in _ids() if _is_linear(reference(id))]


@cache
def fitted(id):
    """The fit of the engine for several predictors, whose standard errors are of all parameters."""
    own = reference(id)
    given = {f"{key}formula": own.get(key) for key in ("zi", "disp") if own.get(key)}
    if id in LINEAR and own["method"] == "REML":
        return linear(id)
    if id in LINEAR:
        given["dispformula"] = "~ 1"
    family = resolve(own["family"]["name"], own["family"]["link"])
    return il.glmer(own.formula, own.frame, family, **given)


@cache
def linear(id):
    own = reference(id)
    return il.fit(own.formula, own.frame, method=own["method"])


def test_structures_of_all_kinds_are_there():
    kinds = {term.structure for id in _ids() for term in fitted(id).fit.design.terms}
    assert len(_ids()) >= 20
    assert kinds >= {"ar1", "cs", "homcs", "homdiag", "toep", "homtoep", "ou", "exp", "gau", "rr"}


@pytest.mark.parametrize("id", _ids())
def test_log_likelihood_coefficients_and_standard_errors(id):
    own, m = reference(id), fitted(id)
    difference = m.llf - own["log_likelihood"]
    assert -NEVER_LOWER < difference < LOG_LIKELIHOOD
    se = own.standard_errors("cond")
    off = np.abs(m.fe_params.to_numpy() - own.coefficients("cond")) / se
    assert off.max() < ESTIMATES
    if not m.fit.linear:  # those of linear models are given the variances, as lme4's
        np.testing.assert_allclose(m.bse, se, rtol=STANDARD_ERRORS)


@pytest.mark.parametrize("id", LINEAR)
def test_linear_models_are_the_same(id):
    own, m = reference(id), linear(id)
    assert -NEVER_LOWER < m.llf - own["log_likelihood"] < LOG_LIKELIHOOD
    off = np.abs(m.fe_params.to_numpy() - own.coefficients("cond")) / own.standard_errors("cond")
    assert off.max() < ESTIMATES


@pytest.mark.parametrize("id", _ids())
def test_what_is_read_of_structures(id):
    m = linear(id) if id in LINEAR else fitted(id)
    table, start = m.VarCorr(se=True), 0
    for term, one in zip(m.fit.covariance.terms, reference(id)["natural"], strict=True):
        readings = term.structure.readings(term.names)
        rows = table.iloc[start : start + len(readings)]
        start += len(readings)
        kinds = np.array([_kind(reading) for reading in readings])
        for key, told in one.items():
            if key == "rate":
                _equal(rows[kinds == "range"], _inverse(told))
            elif key != "structure":
                _equal(rows[kinds == key], told)


def _kind(reading):
    if reading.kind == "sd":
        return "sd"
    return "correlation" if reading.kind == "cor" or reading.word[:3] == "rho" else reading.word


def _inverse(told):
    values, se = array(told["values"]), array(told["se"])
    return {"values": 1.0 / values, "se": se / values**2}


def _equal(shown, told):
    values, se = array(told["values"]), array(told["se"])
    if len(shown) == 1 < len(values):  # a number that glmmTMB says once for each effect
        assert np.ptp(values) == pytest.approx(0.0, abs=1e-12)
        values, se = values[:1], se[:1]
    assert len(shown) == len(values)
    # correlations of one latent factor are 1 or -1 whatever the loadings
    off = np.abs(shown["sd_or_corr"].to_numpy() - values) / np.maximum(se, 1e-6)
    assert off.max(initial=0.0) < ESTIMATES
    np.testing.assert_allclose(shown["se"], se, rtol=STANDARD_ERRORS, atol=1e-9)
