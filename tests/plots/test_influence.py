"""Influence: leverages, distances and the rows that they name."""

from __future__ import annotations

import numpy as np

import interlace as il


def test_leverages_are_those_of_the_fit() -> None:
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    m = il.glmer(formula, il.load_dataset("cbpp"), family="binomial")
    ax = m.plot.leverage(label=1)
    hat = m.hatvalues()
    expected = np.c_[hat, m.residuals("pearson") / np.sqrt(1.0 - hat)]
    np.testing.assert_allclose(ax.collections[0].get_offsets(), expected)
    assert [t.get_text() for t in ax.texts] == [str(m.cooks_distance().idxmax())]
