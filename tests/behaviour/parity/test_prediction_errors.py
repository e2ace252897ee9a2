"""Standard errors of predictions with the uncertainty of the covariance parameters, by glmmTMB."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.r_references import R_PARITY, frame_of

import interlace as il

PATH = R_PARITY / "references" / "prediction_errors.json"
CASES = json.loads(PATH.read_text(encoding="utf-8"))["cases"]


@pytest.mark.parametrize("name", sorted(CASES))
def test_standard_errors_of_rows(name: str) -> None:
    case = CASES[name]
    data = frame_of(case["data"])
    if case.get("family"):
        m = il.glmer(case["formula"], data, case["family"], weights=case.get("weights"))
    else:
        m = il.fit(case["formula"], data, method=case["method"])
    prediction = m.get_prediction(type="link", theta_error="delta")
    np.testing.assert_allclose(prediction.linear, case["fit"], rtol=1e-6, atol=1e-6)
    # glmmTMB's Hessian is of differences of its gradient, good to 1e-6 of its size
    np.testing.assert_allclose(prediction.linear_se, case["se"], rtol=1e-5)
