"""Pictures of residuals: what is drawn, not how it looks."""

from __future__ import annotations

import builtins
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import interlace as il
from interlace.diagnostics.quantile_residuals import quantile_residuals
from interlace.errors import ArgumentError, ArgumentTypeError, MissingDependencyError

SLEEP = "Reaction ~ Days + (Days | Subject)"
CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def sleep():
    return il.fit(SLEEP, il.load_dataset("sleepstudy"))


@pytest.fixture(scope="module")
def cbpp():
    return il.glmer(CBPP, il.load_dataset("cbpp"), family="binomial")


def offsets(ax, collection=0):
    return np.asarray(ax.collections[collection].get_offsets())


def test_points_are_fitted_values_and_residuals(sleep) -> None:
    ax = sleep.plot.residuals()
    np.testing.assert_allclose(offsets(ax), np.c_[sleep.fittedvalues, sleep.resid])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Fitted values", "Residuals")
    largest = sleep.resid.abs().nlargest(3).index
    assert [text.get_text() for text in ax.texts] == [str(label) for label in largest]


def test_generalised_models_have_quantile_residuals_on_the_scale_of_the_link(cbpp) -> None:
    ax = cbpp.plot.residuals()
    expected = np.c_[cbpp.linear_predictor, quantile_residuals(cbpp.fit)]
    np.testing.assert_allclose(offsets(ax), expected)
    assert ax.get_xlabel() == "Fitted values (logit scale)"
    assert ax.get_ylabel() == "Quantile residuals"
    ax = cbpp.plot.residuals("pearson", scale="response", label=0)
    np.testing.assert_allclose(offsets(ax), np.c_[cbpp.fittedvalues, cbpp.residuals("pearson")])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Fitted values", "Pearson residuals")
    assert not ax.texts
    assert cbpp.plot.qq("deviance").get_ylabel() == "Deviance residuals"


def test_labels_say_what_is_divided_by_the_dispersion() -> None:
    data = il.load_dataset("sleepstudy").assign(w=2.0)
    m = il.fit("Reaction ~ Days + (1 | Subject)", data, weights="w")
    assert m.plot.residuals().get_ylabel() == "Pearson residuals"
    assert m.plot.qq().get_ylabel() == "Standardised Pearson residuals"
    assert m.plot.residuals("response").get_ylabel() == "Residuals"
    gamma = il.glm("Reaction ~ Days", data, "gamma")
    assert gamma.plot.qq("deviance").get_ylabel() == "Standardised deviance residuals"


def test_a_family_without_distribution_function_has_deviance_residuals() -> None:
    import types

    family = types.SimpleNamespace(
        link=np.log,
        linkinv=np.exp,
        mu_eta=np.exp,
        variance=lambda mu: mu,
        dev_resids=lambda y, mu, w: (
            2.0 * w * (np.where(y > 0, y * np.log(np.maximum(y, 1) / mu), 0.0) - (y - mu))
        ),
    )
    m = il.glm("count ~ mined", il.load_dataset("Salamanders"), family)
    assert m.plot.residuals().get_ylabel() == "Deviance residuals"


def test_the_axes_given_are_used_without_pyplot(sleep, monkeypatch) -> None:
    fig = Figure()
    FigureCanvasAgg(fig)
    ax = fig.subplots()
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    assert sleep.plot.residuals(ax=ax) is ax
    assert len(offsets(ax)) == 180
    fig.canvas.draw()


def test_colours_are_those_of_the_axes(sleep) -> None:
    settings = dict(matplotlib.rcParams)
    with matplotlib.style.context(["dark_background", {"axes.prop_cycle": "cycler(color='rgb')"}]):
        ax = Figure().subplots()
    sleep.plot.residuals(ax=ax)  # outside: the Axes knows its own
    assert ax.collections[0].get_facecolor()[0, :3].tolist() == [1.0, 0.0, 0.0]
    zero, smooth = ax.lines
    assert smooth.get_color() == "g"
    assert zero.get_color() == "white"
    sleep.plot.residuals(ax=ax)
    assert ax.collections[1].get_facecolor()[0, :3].tolist() == [0.0, 0.0, 1.0]
    assert dict(matplotlib.rcParams) == settings


def test_what_is_no_axes_is_refused(sleep) -> None:
    with pytest.raises(ArgumentTypeError, match="ax must be an Axes of matplotlib"):
        sleep.plot.residuals(ax=Figure())
    with pytest.raises(ArgumentError, match="type='pearsons' is not known"):
        sleep.plot.residuals("pearsons")


def test_without_matplotlib_the_error_names_the_extra(sleep, monkeypatch) -> None:
    importing = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError("No module named 'matplotlib'")
        return importing(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=r'pip install "interlace\[plots\]"'):
        sleep.plot.residuals()
