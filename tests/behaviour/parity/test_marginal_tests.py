"""Letters, joint tests, multivariate t, weights and scales of marginal means against R."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from helpers.r_references import R_PARITY, frame_of

import interlace as il

CASES = json.loads((R_PARITY / "references" / "marginal_tests.json").read_text(encoding="utf-8"))
del CASES["versions"]
# lmerTest's degrees of freedom come from differences: see test_lmm.
DF = 2e-5
# At tight optima; of estimates in standard errors, of these relative.
ERROR = 1e-5
# R's ptukey has an absolute error of 1e-6 or so, the lattice of the multivariate t one of 1e-5.
P_VALUES, MULTIVARIATE = 5e-6, 1e-4
# Of rows and columns left out, where the data are so.
pytestmark = pytest.mark.filterwarnings("ignore::interlace.errors.DataWarning")
ESTIMATES = ("emmean", "estimate", "prob", "rate", "ratio", "odds.ratio", "response")


def numbers(values) -> np.ndarray:
    """Numbers as R wrote them; it writes what is infinite as nothing."""
    return np.array([np.inf if v is None else v for v in values], dtype=float)


@cache
def model(name: str):
    case = next(c for c in CASES.values() if c["model"] == name)
    frame = frame_of(case["data"])
    if case.get("without"):
        frame = frame[
            ~(
                (frame.recipe == case["without"]["recipe"])
                & frame.temperature.astype(str).isin(case["without"]["temperature"])
            )
        ]
    if not case.get("family"):
        return il.fit(case["formula"], frame)
    others = {key: case[key] for key in ("ziformula", "dispformula") if case.get(key)}
    weights = frame[case["prior"]] if case.get("prior") else None
    return il.glmer(case["formula"], frame, case["family"], weights=weights, **others)


def means_of(case, **others):
    call = case["call"]
    passed = {k: call[k] for k in ("by", "at", "weights", "component", "offset") if call.get(k)}
    if call.get("component"):
        others |= {"component": call["component"]}
    return model(case["model"]).emmeans(call["specs"], **{**passed, **others})


def of_kind(kind: str):
    names = sorted(name for name, case in CASES.items() if case["kind"] == kind)
    return pytest.mark.parametrize("name", names)


@of_kind("letters")
def test_letters(name):
    case = CASES[name]
    table = means_of(case).cld()
    expected = case["frame"]
    for variable in case["call"]["specs"]:
        assert table[variable].astype(str).tolist() == expected[variable]
    assert table[".group"].tolist() == expected[".group"]


@of_kind("joint")
def test_joint_tests(name):
    case, call = CASES[name], CASES[name]["call"]
    # what is left over, "(confounded)", is no term
    kept = [i for i, term in enumerate(CASES[name]["frame"]["model term"]) if term[0] != "("]
    expected = {key: [v[i] for i in kept] for key, v in case["frame"].items()}
    ddf = {} if case.get("family") else {"ddf": call["ddf"]}
    table = model(case["model"]).joint_tests(call.get("by"), **ddf)
    assert table["term"].tolist() == expected["model term"]
    assert table["df_num"].tolist() == expected["df1"]
    # R shows two digits of degrees of freedom, three of F; p-values have all
    np.testing.assert_allclose(table["df_denom"], numbers(expected["df2"]), atol=0.0051)
    np.testing.assert_allclose(table["statistic"], expected["F.ratio"], rtol=ERROR, atol=5.1e-4)
    # relative error of a tail: that of F times its exponent, and what moves with df
    p = np.array(expected["p.value"])
    near = 20.0 * ERROR * np.maximum(1.0, -np.log(p))
    assert np.all(np.abs(table["p_value"] / p - 1.0) < near), table["p_value"] / p - 1.0


@of_kind("contrast")
def test_contrasts(name):
    case = CASES[name]
    call = case["call"]
    means = means_of(case, type=call.get("type", "link"))
    test = dict(call.get("test") or {})
    side, delta = test.get("side", call.get("side", 0)), test.get("delta", 0.0)
    interaction = call.get("interaction") or False
    made = means.contrast(
        call["method"] or "pairwise",
        call["adjust"] if not interaction else None,
        interaction=interaction,
        ratios=call.get("ratios", True),
    )
    check(
        made.test(side=side, delta=delta),
        case,
        p=MULTIVARIATE if call["adjust"] == "mvt" else P_VALUES,
    )
    if call["adjust"] != "mvt":
        limits(made.conf_int(side=side), case)


@of_kind("means")
def test_means(name):
    case = CASES[name]
    call = case["call"]
    bias = {"bias_adjust": True, "sigma": call["sigma"]} if call.get("sigma") else {}
    made = means_of(case, type=call["type"], regrid=call["regrid"], **bias)
    test = dict(call.get("test") or {})
    adjust = test.pop("adjust", "none")
    if call["pairs"]:
        made = made.pairs("none")
    check(made.test(adjust=adjust, **test), case)
    limits(made.conf_int(adjust=adjust, side=test.get("side", 0)), case)


def check(table, case, p=P_VALUES) -> None:
    """Estimates in standard errors, p-values absolutely."""
    expected, error = case["frame"], ERROR
    theirs = next(c for c in ESTIMATES if c in expected)
    mine = next(c for c in ("emmean", "estimate", "ratio", "odds_ratio", "response") if c in table)
    se = numbers(expected["SE"])
    np.testing.assert_allclose((table[mine] - numbers(expected[theirs])) / se, 0.0, atol=error)
    np.testing.assert_allclose(table["std_error"], se, rtol=10.0 * error)
    np.testing.assert_allclose(table["df"], numbers(expected["df"]), rtol=DF)
    if "p.value" in expected:
        np.testing.assert_allclose(table["p_value"], numbers(expected["p.value"]), atol=p + error)


def limits(table, case) -> None:
    """Limits of intervals in standard errors."""
    expected, error = case["frame"], ERROR
    se = numbers(expected["SE"])
    for ours, names in (
        ("conf_low", ("lower.CL", "asymp.LCL")),
        ("conf_high", ("upper.CL", "asymp.UCL")),
    ):
        theirs = next((expected[c] for c in names if c in expected), None)
        if theirs is None:
            continue
        known = np.array([isinstance(v, (int, float)) for v in theirs])
        assert np.array_equal(known, np.isfinite(table[ours]))
        distance = table[ours][known] - np.array([v for v in theirs if isinstance(v, (int, float))])
        np.testing.assert_allclose(distance / se[known], 0.0, atol=20.0 * error + 10.0 * P_VALUES)
