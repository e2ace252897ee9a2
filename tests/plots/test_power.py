"""Power curves: shares of significant tests with their intervals, by size."""

from __future__ import annotations

import numpy as np
import pytest

import interlace as il


@pytest.fixture(scope="module")
def fit():
    return il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))


def test_a_curve_with_intervals(fit) -> None:
    power = il.power(fit, "Days", nsim=40, along="Subject", sizes=[3, 5, 9], seed=1)
    ax = power.plot()
    frame = power.to_frame()
    target, curve = ax.lines
    assert target.get_ydata()[0] == 0.8
    np.testing.assert_allclose(curve.get_xydata(), np.c_[[3, 5, 9], frame["power"]])
    ends = [segment[:, 1] for segment in ax.collections[0].get_segments()]
    np.testing.assert_allclose(ends, frame[["lower", "upper"]])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["3", "5", "9"]
    assert ax.get_xlabel() == "Number of levels of Subject"
    assert ax.get_ylabel() == f"Power of {power.test}"
    assert len(power.plot.curve(target=None).lines) == 1


def test_one_size_and_rows_within_cells(fit) -> None:
    ax = il.power(fit, "Days", nsim=20, seed=1).plot()
    assert ax.get_xlabel() == "Rows"
    assert len(ax.collections[-1].get_offsets()) == 1
    power = il.power(fit, "Days", nsim=20, within="Subject + Days", sizes=[1, 2], seed=1)
    assert power.plot().get_xlabel() == "Rows in each cell"
