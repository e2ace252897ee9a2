"""Pictures of bootstraps: replicates, estimates and intervals of each number."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

import interlace as il
from interlace.errors import ArgumentError


@pytest.fixture(scope="module")
def replicates():
    m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    return m.bootstrap(120, seed=1)


def test_a_panel_for_each_number(replicates) -> None:
    axs = replicates.plot()
    assert [ax.get_xlabel() for ax in axs] == [str(name) for name in replicates.frame]
    limits = replicates.conf_int()
    for ax, name in zip(axs, replicates.frame, strict=True):
        drawn = [line.get_xdata()[0] for line in ax.lines]
        np.testing.assert_allclose(drawn, [replicates.estimate[name], *limits.loc[name]])
        left = min(patch.get_x() for patch in ax.patches)
        right = max(patch.get_x() + patch.get_width() for patch in ax.patches)
        np.testing.assert_allclose([left, right], [*replicates.frame[name].agg(["min", "max"])])
        area = sum(patch.get_width() * patch.get_height() for patch in ax.patches)
        assert area == pytest.approx(1.0)


def test_one_number_with_another_interval(replicates) -> None:
    ax = Figure().subplots()
    assert replicates.plot.histogram("Days", method="basic", level=0.8, ax=ax) is ax
    limits = replicates.conf_int("basic", 0.8).loc["Days"]
    np.testing.assert_allclose([line.get_xdata()[0] for line in ax.lines[1:]], limits)
    with pytest.raises(ArgumentError, match="parm='Day' is none of the numbers"):
        replicates.plot.histogram("Day")


def test_quantiles_of_the_replicates(replicates) -> None:
    ax = replicates.plot("qq", ["Days"])
    drawn = ax.collections[-1].get_offsets()[:, 1]
    np.testing.assert_allclose(drawn, np.sort(replicates.frame["Days"]))
    assert ax.get_ylabel() == "Days"


def test_replicates_that_failed_and_constants_are_left_out(replicates) -> None:
    from dataclasses import replace

    frame = replicates.frame.copy()
    frame.iloc[3] = np.nan
    frame["Days"] = 1.0
    ax = replace(replicates, frame=frame).plot.histogram("Days")
    assert len(ax.patches) == 1
    ax.figure.canvas.draw()
    ax = replace(replicates, frame=frame).plot.qq("Intercept")
    assert len(ax.collections[-1].get_offsets()) == 119
