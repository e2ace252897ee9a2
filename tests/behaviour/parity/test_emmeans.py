"""Marginal means, trends and contrasts against R's emmeans."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.r_references import R_PARITY, frame_of

import interlace

CASES = json.loads((R_PARITY / "references" / "emmeans.json").read_text(encoding="utf-8"))
del CASES["versions"]
# lmerTest's degrees of freedom come from differences: see test_lmm.
DF = 2e-5
# At tight optima; of estimates in standard errors, of these relative.
ERROR = 1e-5
# R's ptukey has an absolute error of 1e-6 or so, its quantile and emmeans's own for Dunnett's 5e-4
# of a standard error.
P_VALUES, QUANTILES = 5e-6, 1e-3
ADJUST = {"dunnettx": "dunnett"}


def numbers(values) -> np.ndarray:
    """Numbers as R wrote them; it writes what is infinite as nothing."""
    return np.array([np.inf if v is None else v for v in values], dtype=float)


def model(case):
    frame = frame_of(case["data"])
    if "family" not in case:
        return interlace.fit(case["formula"], frame)
    weights = frame[case["prior"]] if case.get("prior") else None
    return interlace.glmer(case["formula"], frame, case["family"], weights=weights)


@pytest.mark.parametrize("name", sorted(CASES))
def test_case(name):
    case = CASES[name]
    m = model(case)
    linear = "family" not in case
    arguments = {"at": case.get("at"), "weights": case["weights"]}
    if linear:
        arguments["ddf"] = case["ddf"]
    specs, by = case["specs"], case.get("by")
    if case.get("trend"):
        means = m.emtrends(specs, case["trend"], by, **arguments)
    else:
        means = m.emmeans(specs, by, type=case["type"], **arguments)
    check(means.to_frame(), case["means"], P_VALUES)
    for told in case["contrasts"]:
        adjust = ADJUST.get(told["adjust"], told["adjust"])
        found = means.contrast(told["method"], adjust).to_frame()
        loose = adjust in ("tukey", "dunnett")
        check(found, told["frame"], QUANTILES if loose else P_VALUES)


def check(found, expected, half) -> None:
    """Estimates in standard errors, p-values absolutely, limits in standard errors."""
    given = {key: expected[key] for key in expected}
    estimate = next(c for c in given if c in ("estimate", "emmean", "prob", "rate", "ratio",
                                              "odds.ratio") or c.endswith(".trend"))  # fmt: skip
    names = (estimate, "estimate", "emmean", "response", "ratio", "odds_ratio")
    mine = next(c for c in names if c in found)
    se = numbers(given["SE"])
    np.testing.assert_allclose((found[mine] - numbers(given[estimate])) / se, 0.0, atol=ERROR)
    np.testing.assert_allclose(found["std_error"], se, rtol=ERROR)
    df = numbers(given["df"])
    np.testing.assert_allclose(found["df"], df, rtol=DF)
    low = next(c for c in given if c in ("lower.CL", "asymp.LCL"))
    high = next(c for c in given if c in ("upper.CL", "asymp.UCL"))
    for ours, theirs in (("conf_low", low), ("conf_high", high)):
        np.testing.assert_allclose(
            (found[ours] - numbers(given[theirs])) / se, 0.0, atol=half * 10.0 + 2.0 * ERROR
        )
    if "p.value" in given and "p_value" in found:
        np.testing.assert_allclose(
            found["p_value"], numbers(given["p.value"]), atol=P_VALUES + ERROR
        )
