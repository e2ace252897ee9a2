"""Caterpillars: modes and intervals of every level, in order, whatever their number."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy.special import ndtri

import interlace as il
from interlace.errors import ArgumentError


@pytest.fixture(scope="module")
def sleep():
    return il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))


def names(ax) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def test_levels_are_in_the_order_of_their_first_effect(sleep) -> None:
    axs = sleep.plot.caterpillar(level=0.8)
    assert len(axs) == 2
    order = sleep.random_effects["Subject"]["Intercept"].sort_values().index
    assert names(axs[0]) == [str(level) for level in order]
    for ax, term in zip(axs, ("Intercept", "Days"), strict=True):
        lines, points = ax.collections
        mode = sleep.random_effects["Subject"][term][order]
        np.testing.assert_allclose(points.get_offsets(), np.c_[mode, np.arange(18)])
        half = ndtri(0.9) * sleep.random_effects_se["Subject"][term][order]
        ends = [segment[:, 0] for segment in lines.get_segments()]
        np.testing.assert_allclose(ends, np.c_[mode - half, mode + half])
        assert ax.get_xlabel() == f"Random effect: {term}"
        assert len(ax.get_yticks()) == 18
    assert axs[0].get_ylabel() == "Subject"
    assert set(names(axs[1])) == {""}


def test_one_term_in_the_order_of_the_levels(sleep) -> None:
    ax = sleep.plot.caterpillar("Subject", "Days", sort=False, ax=Figure().subplots())
    assert names(ax) == [str(level) for level in sleep.random_effects["Subject"].index[::-1]]


def test_many_levels_have_no_names_but_a_number() -> None:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(2000), 3)
    data = pd.DataFrame({"y": rng.normal(size=2000)[g] + rng.normal(size=g.size), "g": g})
    ax = il.fit("y ~ 1 + (1 | g)", data).plot.caterpillar()
    assert ax.get_ylabel() == "g (n = 2000)"
    assert not names(ax)
    assert len(ax.collections[-1].get_offsets()) == 2000
    assert ax.figure.get_size_inches()[1] <= 8.0


def test_crossed_factors_have_a_row_each() -> None:
    m = il.fit("diameter ~ 1 + (1 | plate) + (1 | sample)", il.load_dataset("Penicillin"))
    first, second = m.plot.caterpillar()
    assert (first.get_ylabel(), second.get_ylabel()) == ("plate", "sample")
    fig = Figure()
    m.plot.caterpillar(fig=fig)
    assert len(fig.axes) == 2
    mine = Figure().subplots(1, 2)
    assert m.plot.caterpillar(ax=mine)[1] is mine[1]
    with pytest.raises(ArgumentError, match="ax has 1 Axes for 2 panels"):
        m.plot.caterpillar(ax=first)
    with pytest.raises(ArgumentError, match="ax= and fig= are both given"):
        m.plot.caterpillar(ax=mine, fig=fig)


def test_effects_of_several_predictors_say_whose_they_are() -> None:
    formula = "count ~ mined + (1 | site)"
    data = il.load_dataset("Salamanders")
    m = il.glmer(formula, data, "poisson", ziformula="~ mined + (1 | site)")
    labels = [ax.get_xlabel() for ax in m.plot.caterpillar()]
    assert labels == ["Random effect: Intercept", "Random effect: Intercept (zi)"]
    ax = m.plot.caterpillar(component="zi")
    np.testing.assert_allclose(
        np.sort(ax.collections[-1].get_offsets()[:, 0]),
        np.sort(m.random_effects_of("zi")["site"]["Intercept"]),
    )


def test_a_variance_of_zero_is_drawn() -> None:
    m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff2"))
    assert m.is_singular
    for draw in (m.plot.caterpillar, m.plot.random_effects_qq, m.plot):
        np.ravel(draw())[0].figure.canvas.draw()


def test_unknown_groups_and_terms_are_refused(sleep) -> None:
    with pytest.raises(ArgumentError, match="group='Subjekt'.* Did you mean 'Subject'"):
        sleep.plot.caterpillar("Subjekt")
    with pytest.raises(ArgumentError, match="term='Age'.*'Intercept', 'Days'"):
        sleep.plot.caterpillar(term="Age")
