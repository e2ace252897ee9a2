"""Pictures of profiles: the splines of zeta, densities, and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.integrate import trapezoid
from scipy.special import ndtri

import interlace as il
from interlace.errors import ArgumentError


@pytest.fixture(scope="module")
def profile():
    m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    return m.profile(["Days", "sigma"])


def test_a_panel_of_zeta_for_each_parameter(profile) -> None:
    axs = profile.plot()
    assert [ax.get_xlabel() for ax in axs] == ["Days", "sigma"]
    for ax, name in zip(axs, ("Days", "sigma"), strict=True):
        value, zeta = ax.lines[-1].get_data()
        np.testing.assert_allclose(zeta, profile.zeta(name, value), atol=1e-8)
        segments = np.array(ax.collections[0].get_segments())  # the level of 50 %
        np.testing.assert_allclose(segments[:, 0, 0], profile.conf_int(0.5).loc[name])
        # on the straight lines between 201 points of the curve
        np.testing.assert_allclose(segments[:, 1, 1], ndtri([0.25, 0.75]), atol=2e-3)
        assert len(ax.collections) == 5


def test_densities_are_shaded_within_the_interval(profile) -> None:
    ax = Figure().subplots()
    assert profile.plot("density", "sigma", level=0.9, ax=ax) is ax
    value, density = ax.lines[0].get_data()
    assert trapezoid(density, value) == pytest.approx(1.0, abs=0.02)
    shaded = ax.collections[0].get_paths()[0].vertices[:, 0]
    step = np.diff(value).max()
    np.testing.assert_allclose(
        [shaded.min(), shaded.max()], profile.conf_int(0.9).loc["sigma"], atol=step
    )
    assert ax.lines[1].get_xdata()[0] == profile.estimates["sigma"]


def test_bounds_and_unknown_parameters(profile) -> None:
    m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff2"))
    axs = m.profile().plot()
    first, _ = axs[0].collections[0].get_segments()  # a limit at the bound, which is the estimate
    np.testing.assert_allclose(first, 0.0, atol=1e-8)
    axs[0].figure.canvas.draw()
    m.profile().plot.density()[0].figure.canvas.draw()
    with pytest.raises(ArgumentError):
        profile.plot.zeta("Age")
