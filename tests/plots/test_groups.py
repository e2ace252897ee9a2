"""Lines by group: data, fitted values and those of the population, in panels or together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import interlace as il
from interlace.errors import ArgumentError, DataWarning


@pytest.fixture(scope="module")
def sleep():
    return il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))


def test_a_panel_for_each_level(sleep) -> None:
    data = il.load_dataset("sleepstudy")
    axs = sleep.plot.groups()
    assert [ax.get_title() for ax in axs] == [str(s) for s in data["Subject"].unique()]
    population = sleep.predict(include_re=False)
    for ax, (_, rows) in zip(axs, data.groupby("Subject", observed=True), strict=True):
        np.testing.assert_allclose(ax.collections[0].get_offsets(), rows[["Days", "Reaction"]])
        dashed, fitted = ax.lines
        np.testing.assert_allclose(dashed.get_ydata(), population[rows.index])
        np.testing.assert_allclose(
            fitted.get_xydata(), np.c_[rows.Days, sleep.fittedvalues[rows.index]]
        )
    assert len({ax.get_ylim() for ax in axs}) == 1
    fig = axs[0].figure
    assert (fig.get_supxlabel(), fig.get_supylabel()) == ("Days", "Reaction")
    named = sleep.plot.groups("Subject")  # the group itself, in place of a variable along the axis
    assert named[0].figure.get_supxlabel() == "Days"
    np.testing.assert_allclose(named[3].lines[1].get_xydata(), axs[3].lines[1].get_xydata())


def test_all_lines_together(sleep) -> None:
    ax = sleep.plot.groups(panels=False)
    segments = ax.collections[0].get_segments()
    fitted = sleep.fittedvalues.to_numpy().reshape(18, 10)
    np.testing.assert_allclose(segments, np.stack([np.tile(np.arange(10.0), (18, 1)), fitted], 2))
    np.testing.assert_allclose(ax.lines[0].get_ydata(), 251.405 + 10.467 * np.arange(10), atol=0.01)
    assert ax.get_ylim()[0] < fitted.min() and ax.get_ylim()[1] > fitted.max()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Days", "Reaction by Subject")


def test_some_levels_in_axes_of_the_user(sleep) -> None:
    mine = Figure().subplots(1, 2)
    axs = sleep.plot.groups(levels=[337, 309], ax=mine)
    assert list(axs) == list(mine)
    assert [ax.get_title() for ax in axs] == ["337", "309"]
    assert [ax.get_xlabel() for ax in axs] == ["Days"] * 2
    with pytest.raises(ArgumentError, match="levels has '1', which is no level of Subject"):
        sleep.plot.groups(levels=[1])
    with pytest.raises(ArgumentError, match="group='Subj' is no grouping factor. Did you mean"):
        sleep.plot.groups(group="Subj")
    with pytest.raises(ArgumentError, match="'Day' is no variable of the model"):
        sleep.plot.groups("Day")


def test_factors_along_the_axis_and_levels_of_one_row() -> None:
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    data = il.load_dataset("cbpp")
    m = il.glmer(formula, data, family="binomial")
    axs = m.plot.groups()
    assert axs[0].figure.get_supylabel() == "Proportion"
    assert [t.get_text() for t in axs[-1].get_xticklabels()] == ["1", "2", "3", "4"]
    one = axs[7]
    assert len(one.collections[0].get_offsets()) == 1
    assert one.lines[1].get_marker() == "_"
    np.testing.assert_allclose(
        one.lines[1].get_ydata(), m.fittedvalues[data["herd"].astype(str) == "8"]
    )


def test_repeated_values_of_x_have_one_point_and_missing_rows_none() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": np.tile([1.0, 1.0, 2.0], 20), "z": rng.normal(size=60)})
    data["g"] = np.repeat(np.arange(20), 3)
    data["y"] = data.x + data.z + rng.normal(size=20)[data.g] + rng.normal(size=60)
    data.loc[4, "y"] = np.nan
    with pytest.warns(DataWarning, match="dropped 1 row"):
        m = il.fit("y ~ x + z + (1 | g)", data, na_action="exclude")
    ax = m.plot.groups("x", levels=["0"])[0]
    fitted = m.fittedvalues
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [fitted[:2].mean(), fitted[2]])
    assert len(m.plot.groups("x", levels=["1"])[0].collections[0].get_offsets()) == 2


def test_many_levels_are_lines_in_one_axes() -> None:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(2000), 3)
    data = pd.DataFrame({"x": np.tile([0.0, 1.0, 2.0], 2000), "g": g})
    data["y"] = rng.normal(size=2000)[g] + data.x + rng.normal(size=g.size)
    ax = il.fit("y ~ x + (1 | g)", data).plot.groups()
    assert len(ax.collections[0].get_segments()) == 2000
