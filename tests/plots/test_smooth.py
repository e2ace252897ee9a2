"""Lowess: lines are lines, outliers are left out, and the numbers are those of R."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.r_references import R_PARITY, array, frame_of

from interlace.plots.smooth import lowess

CASES = json.loads((R_PARITY / "references" / "pictures.json").read_text(encoding="utf-8"))[
    "lowess"
]
ARGUMENTS = {"orthodont": {"f": 0.8}, "one_step": {"f": 0.3, "iterations": 0}}


@pytest.mark.parametrize("name", CASES)
def test_the_numbers_are_those_of_r(name: str) -> None:
    case = CASES[name]
    data = frame_of(case["data"])
    x, y = (data[case[axis]].to_numpy(float) for axis in ("x", "y"))
    at, smooth = lowess(x, y, **ARGUMENTS.get(name, {}))
    # R joins its evaluations by lines too
    drawn = np.interp(array(case["at"]), at, smooth)
    np.testing.assert_allclose(drawn, array(case["smooth"]), rtol=1e-10, atol=1e-10 * np.ptp(y))


def test_points_on_a_line_keep_it() -> None:
    x = np.random.default_rng(1).normal(size=80)
    at, smooth = lowess(x, 2.0 + 3.0 * x)
    assert at[0] == x.min() and at[-1] == x.max()
    assert (np.diff(at) > 0.0).all()
    np.testing.assert_allclose(smooth, 2.0 + 3.0 * at, rtol=1e-9, atol=1e-9)


def test_one_outlier_does_not_bend_it() -> None:
    x = np.linspace(0.0, 1.0, 60)
    y = np.sin(3.0 * x) + 0.01 * np.cos(40.0 * np.arange(60))
    bent = y.copy()
    bent[30] += 50.0
    np.testing.assert_allclose(lowess(x, bent)[1], lowess(x, y)[1], atol=0.01)
    assert np.abs(lowess(x, bent, iterations=0)[1] - lowess(x, y, iterations=0)[1]).max() > 1.0


def test_order_and_ties_do_not_matter() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.integers(8, size=200).astype(float), rng.normal(size=200)
    at, smooth = lowess(x, y)
    assert at.tolist() == sorted(set(x.tolist()))
    order = rng.permutation(200)
    np.testing.assert_allclose(lowess(x[order], y[order])[1], smooth, rtol=1e-12)
