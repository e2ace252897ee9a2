"""Models of ordered categories against R's, at tight optima."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import R_PARITY, frame_of

import interlace as il

FOLDER = R_PARITY / "references" / "ordinal"
FILES = sorted(path.stem for path in FOLDER.glob("*.json"))
# Both optima are good to 1e-10 of the log-likelihood: estimates to some 1e-5 of their errors.
LOG_LIKELIHOOD = 1e-9
IN_ERRORS = 1e-6
ERRORS = 2e-5


@pytest.fixture(scope="module", params=FILES)
def case(request: pytest.FixtureRequest) -> tuple[dict[str, Any], Any]:
    reference = json.loads((FOLDER / f"{request.param}.json").read_text(encoding="utf-8"))
    return reference, fitted(reference)


def fitted(reference: dict[str, Any]) -> Any:
    names = ("link", "threshold", "nominal", "scale", "weights", "offset")
    given = {name: reference[name] for name in names if reference.get(name)}
    if reference.get("nAGQ", 1) > 1:
        given["nAGQ"] = reference["nAGQ"]
    door = il.clmm if "|" in reference["formula"] else il.clm
    return door(reference["formula"], frame_of(reference["data"]), **given)


def in_r_order(m: Any) -> tuple[np.ndarray, np.ndarray]:
    """Estimates and errors: thresholds, location, scale."""
    return m.params.to_numpy(), m.bse.to_numpy()


def test_log_likelihood(case: tuple[dict[str, Any], Any]) -> None:
    reference, m = case
    assert m.nobs == reference["nobs"] and m.nparams == reference["df"]
    np.testing.assert_allclose(m.llf, reference["log_likelihood"], atol=LOG_LIKELIHOOD, rtol=1e-11)


def test_estimates(case: tuple[dict[str, Any], Any]) -> None:
    reference, m = case
    parts = [
        reference[name] for name in ("alpha", "beta", "scale_coefficients") if name in reference
    ]
    values = np.concatenate([np.ravel(part["values"]) for part in parts])
    errors = np.concatenate([np.ravel(part["se"]) for part in parts])
    own, own_errors = in_r_order(m)
    np.testing.assert_allclose((own - values) / errors, 0.0, atol=IN_ERRORS)
    np.testing.assert_allclose(own_errors, errors, rtol=ERRORS)
    k = len(values)
    V = np.array(reference["vcov"])[:k, :k]
    scale = np.sqrt(np.outer(np.diagonal(V), np.diagonal(V)))
    np.testing.assert_allclose(m.vcov().to_numpy() / scale, V / scale, atol=ERRORS)


def test_thresholds(case: tuple[dict[str, Any], Any]) -> None:
    reference, m = case
    values = np.array(reference["thresholds"]["values"]).T
    errors = np.array(reference["thresholds"]["se"]).T
    own, own_errors = (np.atleast_2d(v.to_numpy()) for v in (m.thresholds, m.threshold_bse))
    np.testing.assert_allclose((own - values) / errors, 0.0, atol=IN_ERRORS)
    np.testing.assert_allclose(own_errors, errors, rtol=ERRORS)


def test_fitted_probabilities(case: tuple[dict[str, Any], Any]) -> None:
    reference, m = case
    p = m.predict()
    rows = np.array(reference["probabilities"])
    np.testing.assert_allclose(p.to_numpy()[: len(rows)], rows, atol=1e-7)
    own = m.fittedvalues.to_numpy()
    values = reference["fitted"]["values"]
    np.testing.assert_allclose(own[: len(values)], values, atol=1e-7)
    np.testing.assert_allclose(own.sum(), reference["fitted"]["sum"], rtol=1e-5)


def test_random_effects(case: tuple[dict[str, Any], Any]) -> None:
    reference, m = case
    for term in reference.get("terms", []):
        covariance = m.fit.T[[f.name for f in m.fit.design.factors].index(term["group"])]
        sd = np.sqrt(np.diagonal(covariance @ covariance.T))
        np.testing.assert_allclose(sd, term["sd"], rtol=1e-4, atol=1e-4)
        modes = m.random_effects[term["group"]]
        levels = [str(v) for v in term["levels"]]
        modes.index = modes.index.astype(str)
        own = modes.loc[levels].to_numpy()
        np.testing.assert_allclose(own, np.reshape(term["modes"], own.shape), atol=2e-4)
        errors = m.random_effects_se[term["group"]]
        errors.index = errors.index.astype(str)
        own = errors.loc[levels].to_numpy()
        np.testing.assert_allclose(own, np.reshape(term["sd_modes"], own.shape), atol=2e-4)


def test_there_are_models_of_every_kind() -> None:
    every = [json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")) for name in FILES]
    table = pd.DataFrame([{**one, "mixed": "|" in one["formula"]} for one in every])
    assert {"logit", "probit", "cloglog", "loglog", "cauchit"} <= set(table["link"])
    assert {"flexible", "symmetric", "symmetric2", "equidistant"} <= set(table["threshold"])
    assert table["mixed"].any() and (~table["mixed"]).any() and len(table) >= 30
