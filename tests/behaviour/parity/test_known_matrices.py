"""Random effects with a known matrix against dense algebra in R (r_parity/structures_dense.R)."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import R_PARITY, Reference, array

import interlace as il

FOLDER = R_PARITY / "references" / "structures"
LOG_LIKELIHOOD = 1e-7
ESTIMATES = 1e-5  # in standard errors
STANDARD_ERRORS = 1e-4  # relative
EFFECTS = 1e-5


@cache
def reference(id):
    return Reference(id, json.loads((FOLDER / f"{id}.json").read_text(encoding="utf-8")))


CASES = sorted(
    path.stem for path in FOLDER.glob("*.json") if "matrix" in reference(path.stem).record
)


def matrix_of(id):
    own = reference(id)
    levels = sorted(own.frame["animal"].unique())
    return pd.DataFrame(own["matrix"], index=levels, columns=levels)


@cache
def fitted(id):
    own = reference(id)
    A = matrix_of(id)
    if own["family"]["name"] == "gaussian":
        return il.fit(own.formula, own.frame, method=own["method"], matrices={"A": A})
    return il.glmer(own.formula, own.frame, own["family"]["name"], matrices={"A": A})


def test_they_are_there():
    assert len(CASES) >= 5
    assert {reference(id)["family"]["name"] for id in CASES} == {"gaussian", "poisson"}


@pytest.mark.parametrize("id", CASES)
def test_log_likelihood(id):
    own, m = reference(id), fitted(id)
    assert m.llf == pytest.approx(own["log_likelihood"], rel=0, abs=LOG_LIKELIHOOD)
    assert m.nparams == own["df"]
    assert m.converged


@pytest.mark.parametrize("id", CASES)
def test_coefficients(id):
    own, m = reference(id), fitted(id)
    entry = own["components"]["cond"]
    values, se = array(entry["values"]), array(entry["se"])
    assert np.max(np.abs(m.fe_params.to_numpy() - values) / se) < ESTIMATES
    np.testing.assert_allclose(m.bse, se, rtol=STANDARD_ERRORS)


def label(id, place):
    """The name here of the grouping factor of a term of a reference."""
    groups = [term["group"] for term in reference(id)["terms"]]
    twice = groups.count(groups[place]) > 1
    return "animal[A]" if twice and place == 0 else groups[place]


@pytest.mark.parametrize("id", CASES)
def test_standard_deviations_and_modes(id):
    own, m = reference(id), fitted(id)
    table, modes, errors = m.VarCorr(se=True), m.random_effects, m.random_effects_se
    for place, (term, entry) in enumerate(zip(own["terms"], own["natural"], strict=True)):
        name = label(id, place)
        row = table[table["group"] == name].iloc[0]
        value, se = array(entry["sd"]["values"])[0], array(entry["sd"]["se"])[0]
        assert abs(row["sd_or_corr"] - value) < ESTIMATES * se
        assert row["se"] == pytest.approx(se, rel=1e-3)
        assert len(modes[name]) == term["n_levels"]
        for told, shown in (("modes", modes[name]), ("sd_modes", errors[name])):
            values = array(term[told])[:, 0]
            np.testing.assert_allclose(
                shown.loc[term["levels"][: len(values)]].iloc[:, 0], values, atol=EFFECTS
            )
            squares = float((shown**2).to_numpy().sum())
            assert squares == pytest.approx(array(term[f"sum_of_squares_{told}"])[0], rel=1e-5)


@pytest.mark.parametrize("id", [id for id in CASES if "predictions" in reference(id).record])
def test_fitted_values(id):
    own, m = reference(id)["predictions"]["response"], fitted(id)
    first = array(own["values"])
    np.testing.assert_allclose(m.fittedvalues.to_numpy()[: len(first)], first, atol=EFFECTS)
    assert (m.fittedvalues**2).sum() == pytest.approx(own["sum_of_squares"], rel=1e-7)
