"""Forests: estimates with intervals, one model or several."""

from __future__ import annotations

import numpy as np
import pytest

import interlace as il
from interlace.errors import ArgumentError, ArgumentTypeError

CBPP = "cbind(incidence, size - incidence) ~ period"


@pytest.fixture(scope="module")
def cbpp():
    return il.glmer(f"{CBPP} + (1 | herd)", il.load_dataset("cbpp"), family="binomial")


def names(ax) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def drawn(ax, model: int) -> np.ndarray:
    """Lower limits, estimates, upper limits of a model."""
    lines, points = ax.collections[2 * model : 2 * model + 2]
    ends = np.array([segment[:, 0] for segment in lines.get_segments()])
    return np.c_[ends[:, 0], points.get_offsets()[:, 0], ends[:, 1]]


def test_one_model(cbpp) -> None:
    ax = cbpp.plot.coefficients(level=0.9)
    assert names(ax) == ["period[T.2]", "period[T.3]", "period[T.4]"]
    table = cbpp.tidy("fixed", conf_int=True, conf_level=0.9).iloc[1:]
    np.testing.assert_allclose(drawn(ax, 0), table[["conf_low", "estimate", "conf_high"]])
    assert ax.get_xlabel() == "Coefficient with 90 % interval"
    assert ax.get_legend() is None
    assert ax.yaxis_inverted()


def test_models_side_by_side(cbpp) -> None:
    other = il.glm(CBPP, il.load_dataset("cbpp"), family="binomial")
    ax = cbpp.plot.coefficients(other, intercept=True, exponentiate=True)
    assert names(ax)[0] == "Intercept"
    for i, m in enumerate((cbpp, other)):
        table = m.tidy("fixed", conf_int=True, exponentiate=True)
        np.testing.assert_allclose(drawn(ax, i), table[["conf_low", "estimate", "conf_high"]])
    assert ax.get_xscale() == "log"
    ax.figure.canvas.draw()
    ticks = {t.get_text() for t in ax.get_xticklabels(which="both")}
    assert {"0.1", "0.2", "0.5", "1"} <= ticks and "0.3" not in ticks
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["Model 1", "Model 2"]
    first, second = (ax.collections[i].get_offsets()[:, 1] for i in (1, 3))
    assert (first < second).all()
    ax = cbpp.plot.coefficients(other, names=["mixed", "fixed"])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["mixed", "fixed"]


def test_coefficients_of_several_predictors() -> None:
    data = il.load_dataset("Salamanders")
    m = il.glmer("count ~ mined + (1 | site)", data, "poisson", ziformula="~ mined")
    assert names(m.plot.coefficients()) == ["mined[T.no]", "zi: mined[T.no]"]
    assert names(m.plot.coefficients(component="zi")) == ["mined[T.no]"]


def test_what_cannot_be_drawn_is_refused(cbpp) -> None:
    with pytest.raises(ArgumentError, match="names has 1 labels for 2 models"):
        cbpp.plot.coefficients(cbpp, names=["one"])
    with pytest.raises(ArgumentTypeError, match="a model to compare with"):
        cbpp.plot.coefficients("qq")
    empty = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    with pytest.raises(ArgumentError, match="intercept=True"):
        empty.plot.coefficients()
