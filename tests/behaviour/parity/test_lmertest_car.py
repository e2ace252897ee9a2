"""Tests in the tables of lmerTest and car against R."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest
from helpers.r_references import R_PARITY, frame_of

import interlace as il

CASES = json.loads((R_PARITY / "references" / "lmertest_car.json").read_text(encoding="utf-8"))
del CASES["versions"]
# lmerTest's degrees of freedom come from differences: see test_lmm.
DF = 2e-5
# nlminb leaves glmmTMB's estimates up to 4e-5 standard errors from the optimum here.
LINEAR, GENERALISED = 1e-5, 2e-4


@cache
def model(name: str):
    case = next(c for c in CASES.values() if c["model"] == name)
    frame = frame_of(case["data"])
    if not case.get("family"):
        return il.fit(case["formula"], frame)
    weights = frame[case["prior"]] if case.get("prior") else None
    return il.glmer(case["formula"], frame, case["family"], weights=weights)


def of_kind(kind: str):
    names = sorted(name for name, case in CASES.items() if case["kind"] == kind)
    return pytest.mark.parametrize("name", names)


def check(table, case) -> None:
    """All columns that R has; p-values relative to what an error in F does to a tail."""
    error = GENERALISED if case.get("family") else LINEAR
    for head, values in case["frame"].items():
        if head in ("term", "levels"):
            continue
        expected = np.array(values, dtype=float)
        own = table[head].to_numpy(float)
        if head.startswith("Pr("):
            near = 20.0 * error * np.maximum(1.0, -np.log(np.maximum(expected, 1e-300)))
            assert np.all(np.abs(own - expected) <= near * expected + 1e-14), head
        elif head in ("df", "DenDF", "Df.res"):
            np.testing.assert_allclose(own, expected, rtol=DF, err_msg=head)
        else:
            np.testing.assert_allclose(own, expected, rtol=error, atol=error, err_msg=head)


@of_kind("Anova")
def test_anova(name):
    case = CASES[name]
    table = il.Anova(model(case["model"]), case["call"]["type"], case["call"]["test"])
    assert table.index.tolist() == [
        term.replace("(Intercept)", "Intercept") for term in case["rows"]
    ]
    check(table, case)


@of_kind("ls_means")
def test_least_squares_means(name):
    case = CASES[name]
    function = il.difflsmeans if case["call"]["pairwise"] else il.ls_means
    table = function(model(case["model"]), ddf=case["call"]["ddf"])
    assert table["term"].tolist() == case["frame"]["term"]
    check(table, case)


@of_kind("contest")
def test_contest(name):
    case, call = CASES[name], CASES[name]["call"]
    m = model(case["model"])
    L = np.eye(len(m.fe_params))[call["rows"]]
    function = il.contestMD if call["joint"] else il.contest
    others = {} if call["joint"] else {"joint": False}
    rhs = call["rhs"] if len(call["rhs"]) > 1 else call["rhs"][0]
    check(function(m, L, rhs=rhs, ddf=call["ddf"], **others), case)
