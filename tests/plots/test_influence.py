"""Influence: leverages, distances and the rows that they name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError


def test_leverages_are_those_of_the_fit() -> None:
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    m = il.glmer(formula, il.load_dataset("cbpp"), family="binomial")
    ax = m.plot.leverage(label=1)
    hat = m.hatvalues()
    expected = np.c_[hat, m.residuals("pearson") / np.sqrt(1.0 - hat)]
    np.testing.assert_allclose(ax.collections[0].get_offsets(), expected)
    assert [t.get_text() for t in ax.texts] == [str(m.cooks_distance().idxmax())]


@pytest.fixture(scope="module")
def sleep():
    return il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))


def fence(values) -> float:
    """The third quartile and three interquartile ranges, as HLMdiag's internal cutoff."""
    low, high = np.quantile(values, [0.25, 0.75])
    return high + 3.0 * (high - low)


def test_rows_stand_in_their_order(sleep) -> None:
    ax = sleep.plot.influence(label=2)
    measures = sleep.influence().to_frame()["cooks_distance"]
    points = ax.collections[-1].get_offsets()
    np.testing.assert_allclose(points, np.c_[np.arange(1, 181), measures])
    assert {t.get_text() for t in ax.texts} == set(measures.nlargest(2).index.astype(str))
    assert ax.lines[-1].get_ydata() == pytest.approx([fence(measures)] * 2)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Row", "Cook's distance")


def test_groups_are_sorted_and_named(sleep) -> None:
    measures = sleep.influence("Subject").to_frame()["mdffits"].sort_values()
    record = sleep.influence("Subject")
    for ax in (
        sleep.plot.influence("Subject", "mdffits"),
        record.plot("dots", "mdffits"),
        record.plot(diag="mdffits"),
        il.dotplot_diag(record.to_frame(), "mdffits"),
    ):
        np.testing.assert_allclose(ax.collections[-1].get_offsets(), np.c_[measures, np.arange(18)])
        assert [t.get_text() for t in ax.get_yticklabels()] == list(measures.index.astype(str))
        assert ax.lines[-1].get_xdata() == pytest.approx([fence(measures)] * 2)
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("MDFFITS", "Subject")


def test_ratios_have_a_line_on_each_side_and_stand_around_one(sleep) -> None:
    values = sleep.influence("Subject").to_frame()["covratio"]
    ax = sleep.plot.influence("Subject", "covratio")
    low, high = np.quantile(values, [0.25, 0.75])
    drawn = [line.get_xdata()[0] for line in ax.lines]
    np.testing.assert_allclose(drawn, [low - 3 * (high - low), high + 3 * (high - low)])
    assert {segment[0, 0] for segment in ax.collections[0].get_segments()} == {1.0}
    ax = sleep.plot.influence("Subject", cutoff=(0.1, 0.2))
    assert [line.get_xdata()[0] for line in ax.lines] == [0.1, 0.2]
    assert not sleep.plot.influence("Subject", cutoff=None).lines


def test_exact_influence_and_many_groups() -> None:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(300), 3)
    data = pd.DataFrame({"y": rng.normal(size=300)[g] + rng.normal(size=900), "g": g})
    m = il.fit("y ~ 1 + (1 | g)", data)
    ax = m.plot.influence("g", label=1)
    assert ax.get_ylabel() == "g (n = 300)"
    assert [t.get_text() for t in ax.texts] == [str(m.influence("g").cooks_distance.idxmax())]
    dyestuff = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    ax = dyestuff.plot.influence("Batch", "rvc.sigma2", exact=True)
    assert len(ax.lines) == 2


def test_frames_by_the_names_of_the_earlier_package(sleep) -> None:
    frame = sleep.augment()
    ax = il.plot_influence(frame, diag="cooksd")
    np.testing.assert_allclose(ax.collections[-1].get_offsets()[:, 1], frame[".cooksd"])
    ax = il.plot_resid(frame)
    np.testing.assert_allclose(ax.collections[0].get_offsets(), frame[[".fitted", ".resid"]])
    ax = il.plot_resid(frame, type="qq")
    drawn = ax.collections[-1].get_offsets()[:, 1]
    np.testing.assert_allclose(drawn, np.sort(frame[".resid"]))
    ax = il.dotplot_diag(sleep.influence("Subject").to_frame(), name="person", cutoff=0.1)
    assert ax.get_ylabel() == "person"


def test_what_cannot_be_drawn_is_refused(sleep) -> None:
    frame = sleep.augment()
    with pytest.raises(ArgumentError, match="resid_df has no column '.resid'"):
        il.plot_resid(frame.drop(columns=".resid"))
    with pytest.raises(ArgumentError, match="diag='cook' is no column of the measures: hat, cooks"):
        sleep.plot.influence(diag="cook")
    with pytest.raises(ArgumentError, match="cutoff='iqr' is not known"):
        sleep.plot.influence(cutoff="iqr")
    with pytest.raises(ArgumentTypeError, match="influence_df must be a data frame"):
        il.plot_influence(3)
    with pytest.raises(AttributeError, match=r"'dotplot' is influence.plot.dots\(\)"):
        sleep.influence().plot.dotplot()
