"""Predictions, means over the random effects, intervals and cross-validation beside R's."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.r_references import R_PARITY, frame_of

import interlace as il

CASES = json.loads((R_PARITY / "references" / "prediction.json").read_text(encoding="utf-8"))
# Of glmmTMB's models, at tight optima.
GENERALISED = 1e-5


def model(case: dict[str, Any]) -> Any:
    data = frame_of(case["data"])
    if "family" not in case:
        return il.fit(case["formula"], data)
    given = {key: case[key] for key in ("weights", "ziformula") if key in case}
    if (
        "(" in case["family"] and "binomial" in case["family"]
    ):  # as TMB, where it makes a difference
        given["laplace"] = "observed"
    return il.glmer(case["formula"], data, case["family"], **given)


@pytest.mark.parametrize("name", sorted(CASES["forms"]))
def test_random_effects_by_formula(name: str) -> None:
    case = CASES["forms"][name]
    m, new = model(case), pd.DataFrame(case["new"])
    levels = "population" if name == "unknown" else "error"
    for asked in case["predictions"]:
        form = {"all": True, "none": False}.get(asked["form"], asked["form"])
        found = m.predict(new, include_re=form, new_levels=levels)
        np.testing.assert_allclose(found, asked["prediction"], rtol=1e-7, err_msg=asked["form"])


@pytest.mark.parametrize("name", sorted(CASES["means"]))
def test_means_over_the_random_effects(name: str) -> None:
    case = CASES["means"][name]
    found = model(case).get_prediction(pd.DataFrame(case["new"]), include_re=False, marginal=True)
    np.testing.assert_allclose(found.mean, case["mean"], rtol=GENERALISED)
    np.testing.assert_allclose(found.se, case["se"], rtol=GENERALISED)


@pytest.mark.parametrize("name", sorted(CASES["observations"]))
def test_intervals_of_an_observation(name: str) -> None:
    case = CASES["observations"][name]
    asked = {"include_re": False, "interval": "prediction", "trials": case.get("trials")}
    table = model(case).get_prediction(pd.DataFrame(case["new"]), **asked).summary_frame()
    size = case.get("trials") or 1
    for column, limits in (("obs_ci_lower", case["lower"]), ("obs_ci_upper", case["upper"])):
        np.testing.assert_allclose(table[column] * size, limits, rtol=GENERALISED, atol=1e-9)


@pytest.mark.parametrize("name", sorted(CASES["folds"]))
def test_cross_validation(name: str) -> None:
    case = CASES["folds"][name]
    cv = model(case).cross_val(case["group"], scoring=["rmse", "log_score"])
    scores = cv.scores.rename(index=str).loc[case["label"]]
    tolerance = GENERALISED if "family" in case else 1e-5
    for column in ("rmse", "log_score"):
        np.testing.assert_allclose(scores[column], case[column], rtol=tolerance, err_msg=column)
