"""``m.plot``: the panel, one picture by name or as a method, and words for other names."""

from __future__ import annotations

import inspect
import pickle
from collections import Counter

import numpy as np
import pytest
from helpers.fitted_models import CBPP, fitted
from matplotlib.figure import Figure

import interlace as il
from interlace.errors import ArgumentError
from interlace.plots.accessor import OTHER_KINDS, MixedPlots, ModelPlots

TITLES = ["Residuals vs fitted", "Q-Q of residuals", "Scale-location"]


@pytest.fixture(scope="module")
def sleep():
    return il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))


@pytest.fixture(scope="module")
def glm():
    formula = "cbind(incidence, size - incidence) ~ period"
    return il.glm(formula, il.load_dataset("cbpp"), family="binomial")


def test_the_panel_is_that_of_r(sleep, glm) -> None:
    for m, last in ((sleep, "Q-Q of random effects"), (glm, "Observed vs fitted")):
        axs = m.plot()
        assert [ax.get_title() for ax in axs] == [*TITLES, last]
        assert len({ax.figure for ax in axs}) == 1
    parts = Figure().subfigures(1, 2)
    assert [ax.figure for ax in sleep.plot(fig=parts[1])] == [parts[1]] * 4


def test_a_kind_is_the_method_of_its_name(sleep) -> None:
    for ax in (sleep.plot("qq", label=0), sleep.plot("qqnorm", label=0)):
        expected = sleep.plot.qq(label=0).collections[-1].get_offsets()
        np.testing.assert_array_equal(ax.collections[-1].get_offsets(), expected)
    with pytest.raises(ArgumentError, match="kind='qr' is not known; use one of .*'qq'"):
        sleep.plot("qr")


def test_other_names_are_answered(sleep, glm) -> None:
    with pytest.raises(AttributeError, match=r"'dotplot' is m.plot.caterpillar\(\)"):
        sleep.plot.dotplot()
    with pytest.raises(AttributeError, match="no picture 'caterpillar': the model has no random"):
        glm.plot.caterpillar()
    with pytest.raises(AttributeError, match="Did you mean 'residuals'"):
        sleep.plot.residual()
    with pytest.raises(AttributeError, match=r"'qqmath' is m.plot.random_effects_qq\(\)"):
        sleep.qqmath()
    assert set(OTHER_KINDS.values()) <= set(dir(MixedPlots))
    assert not set(OTHER_KINDS) & set(dir(MixedPlots))


def test_names_are_found_by_completion(sleep, glm) -> None:
    assert {"qq", "caterpillar"} <= set(dir(sleep.plot))
    assert "caterpillar" not in dir(glm.plot)
    assert "caterpillar" in repr(sleep.plot)


def test_every_argument_is_documented_and_checked() -> None:
    for cls in (ModelPlots, MixedPlots):
        for name, method in vars(cls).items():
            if name.startswith("_"):
                continue
            assert hasattr(method, "__wrapped__"), name
            described = Counter(method.__doc__.replace(",", " ").split())
            for argument in list(inspect.signature(method).parameters)[1:]:
                assert described[argument], (name, argument)


def test_fits_from_pickles_draw(sleep) -> None:
    again = pickle.loads(pickle.dumps(sleep))
    again.plot()[0].figure.canvas.draw()


@pytest.mark.parametrize("name", ["sleepstudy", "cbpp"])
def test_every_picture_without_arguments_draws(name, sleep) -> None:
    m = sleep if name == "sleepstudy" else fitted(*CBPP)
    needed = {"effect": (m.fit.design.variables()[0],)}
    for kind in [name for name in dir(type(m.plot)) if not name.startswith("_")]:
        axs = np.ravel(m.plot(kind, *needed.get(kind, ())))
        assert all(ax.get_xlabel() or ax.figure.get_supxlabel() for ax in axs), kind
        axs[0].figure.canvas.draw()
