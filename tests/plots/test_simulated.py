"""Pictures of residuals by simulation: uniform quantiles, quartiles along predictors."""

from __future__ import annotations

import numpy as np
import pytest

import interlace as il
from interlace.diagnostics.simulated_residuals import SimulatedResiduals
from interlace.errors import ArgumentError
from interlace.plots.simulated import local_quantiles


@pytest.fixture(scope="module")
def residuals():
    m = il.fit("Reaction ~ Days + (Days | Subject)", il.load_dataset("sleepstudy"))
    return m.simulated_residuals(n=60, seed=1)


def test_quantiles_are_sorted_residuals(residuals) -> None:
    ax = residuals.plot.qq()
    points = ax.collections[-1].get_offsets()
    expected = np.c_[(np.arange(180) + 0.5) / 180, np.sort(residuals.scaled)]
    np.testing.assert_allclose(points, expected)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Uniform quantiles", "Scaled residuals")


def test_residuals_stand_along_the_ranks_of_predictions(residuals) -> None:
    ax = residuals.plot("residuals")
    x, y = ax.collections[0].get_offsets().T
    np.testing.assert_allclose(y, residuals.scaled)
    assert np.unique(x).size == 10  # as many predictions as days, without random effects
    assert 0.0 < x.min() and x.max() < 1.0
    dashed = [line.get_ydata()[0] for line in ax.lines[:3]]
    assert dashed == [0.25, 0.5, 0.75]
    assert ax.get_xlabel() == "Predicted values (rank)"


def test_a_variable_by_name_or_values(residuals) -> None:
    data = il.load_dataset("sleepstudy")
    for x in ("Days", data["Days"]):
        ax = residuals.plot.residuals(x, rank=False)
        np.testing.assert_allclose(ax.collections[0].get_offsets()[:, 0], data["Days"])
        assert ax.get_xlabel() == "Days"
    for x in ("Subject", data["Subject"].astype(str).to_numpy()):
        ax = residuals.plot.residuals(x)
        assert [t.get_text() for t in ax.get_xticklabels()] == sorted(
            set(data["Subject"].astype(str))
        )
        own = residuals.scaled[data["Subject"].astype(str) == "308"]
        drawn = [segment[0, 1] for segment in ax.collections[1].get_segments()]
        np.testing.assert_allclose(drawn, np.quantile(own, [0.25, 0.5, 0.75]))
    with pytest.raises(ArgumentError, match="x must be a name or 180 values"):
        residuals.plot.residuals([1.0, 2.0])
    with pytest.raises(ArgumentError, match="'Day' is no variable of the model"):
        residuals.plot.residuals("Day")


def test_both_in_a_row(residuals) -> None:
    axs = residuals.plot()
    titles = ["Q-Q of scaled residuals", "Scaled residuals vs predicted"]
    assert [ax.get_title() for ax in axs] == titles
    axs[0].figure.canvas.draw()


def test_local_quantiles_follow_what_they_are_of() -> None:
    rng = np.random.default_rng(1)
    x, u = rng.random(20_000), rng.random(20_000)
    at, curves = local_quantiles(x, x + u)
    inside = (at > 0.3) & (at < 0.7)  # windows on both sides
    expected = at[inside] + np.array([[0.25], [0.5], [0.75]])
    # of 5,000 points in a window, x varies by its width within
    np.testing.assert_allclose(curves[:, inside], expected, atol=0.04)
    at, curves = local_quantiles(x, u)
    np.testing.assert_allclose(curves, np.tile([[0.25], [0.5], [0.75]], at.size), atol=0.04)


def test_simulations_of_any_model() -> None:
    rng = np.random.default_rng(1)
    record = SimulatedResiduals.of(rng.normal(size=40), rng.normal(size=(40, 50)), seed=1)
    for ax in record.plot():
        assert len(ax.collections[-1].get_offsets()) == 40
    with pytest.raises(ArgumentError, match="know no data; give the values"):
        record.plot.residuals("x")
