"""Residual covariances of linear models against nlme, and dense algebra at its tight optimum."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from helpers.r_references import R_PARITY, Reference, array

import interlace as il

FOLDER = R_PARITY / "references" / "residual"
CASES = sorted(path.stem for path in FOLDER.glob("*.json"))

LOG_LIKELIHOOD = 1e-7
# nlme's own search, and its variances of fitted values, stop this far from their optimum.
NLME = 1e-6
ESTIMATES = 1e-5  # in standard errors
STANDARD_ERRORS = 1e-5  # relative
DEVIATIONS = 1e-5


@cache
def reference_of(id):
    return Reference(id, json.loads((FOLDER / f"{id}.json").read_text(encoding="utf-8")))


@cache
def fitted(id):
    reference = reference_of(id)
    given = {k: reference[k] for k in ("correlation", "variance") if reference.get(k)}
    return il.fit(reference.formula, reference.frame, method=reference["method"], **given)


def test_every_structure_is_there():
    given = [str(reference_of(id).get(k)) for id in CASES for k in ("correlation", "variance")]
    names = "ar1", "arma", "car1", "cs", "us", "exp", "gau", "ident", "~ ", "power", "exp(pressure"
    for name in names:
        assert any(text.startswith(name) for text in given)


@pytest.mark.parametrize("id", CASES)
def test_log_likelihood(id):
    reference, m = reference_of(id), fitted(id)
    assert m.llf == pytest.approx(reference["log_likelihood"], rel=0, abs=LOG_LIKELIHOOD)
    assert m.nparams == reference["df"]
    assert m.llf == pytest.approx(reference["nlme"]["log_likelihood"], rel=0, abs=NLME)


@pytest.mark.parametrize("id", CASES)
def test_coefficients(id):
    told, m = reference_of(id)["fixed"], fitted(id)
    values, se = array(told["values"]), array(told["se"])
    assert np.max(np.abs(m.fe_params.to_numpy() - values) / se) < ESTIMATES
    np.testing.assert_allclose(m.bse.to_numpy(), se, rtol=STANDARD_ERRORS)


@pytest.mark.parametrize("id", CASES)
def test_residual_parameters(id):
    reference, m = reference_of(id), fitted(id)
    assert m.sigma == pytest.approx(reference["sigma"], rel=DEVIATIONS)
    for own, key in (
        (m.correlation_params, "correlation_parameters"),
        (m.variance_params, "variance_parameters"),
    ):
        told = reference.get(key)
        if told:
            if str(reference.get("correlation")).startswith("us") and key[0] == "c":
                own = own[sorted(own.index, key=lambda name: name.split(".")[::-1])]  # by column
            values, se = array(told["values"]), array(told["se"])
            assert np.max(np.abs(own.to_numpy() - values) / se) < ESTIMATES


@pytest.mark.parametrize("id", CASES)
def test_fitted_values(id):
    reference, m = reference_of(id), fitted(id)
    told = array(reference["fitted"]["values"])
    own = np.asarray(m.fittedvalues)[: len(told)]
    np.testing.assert_allclose(own, told, rtol=0, atol=1e-5 * reference["sigma"])


@pytest.mark.parametrize("id", CASES)
def test_normalised_residuals(id):
    reference, m = reference_of(id), fitted(id)
    own = m.residuals("normalized").to_numpy()
    dense = array(reference["normalised"]["values"])
    np.testing.assert_allclose(own[: len(dense)], dense, rtol=0, atol=2e-5)
    assert own @ own == pytest.approx(reference["normalised"]["sum_of_squares"], rel=1e-5)
    # nlme takes contrasts of the group with cs; of wheat its squares do not add up to e'C^{-1}e
    if not str(reference.get("correlation")).startswith("cs") and reference["data"] != "Wheat2":
        nlme = array(reference["nlme"]["normalised"]["values"])
        np.testing.assert_allclose(own[: len(nlme)], nlme, rtol=0, atol=1e-3)
