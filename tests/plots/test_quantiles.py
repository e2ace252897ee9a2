"""Quantiles: positions, lines, bands; residuals and random effects are those of the model."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.r_references import R_PARITY, frame_of
from scipy.special import ndtr, ndtri

import interlace as il
from interlace.plots.quantiles import order_band, plotting_positions, quartile_line

REFERENCES = json.loads((R_PARITY / "references" / "pictures.json").read_text(encoding="utf-8"))
QUANTILES = REFERENCES["quantiles"]


def test_positions_are_those_of_r() -> None:
    # R: ppoints(3), ppoints(12)[1:2]
    np.testing.assert_allclose(plotting_positions(3), [0.1923077, 0.5, 0.8076923], atol=1e-7)
    np.testing.assert_allclose(plotting_positions(12)[:2], [0.04166667, 0.125], atol=1e-7)


@pytest.mark.parametrize("name", QUANTILES)
def test_points_and_lines_are_those_of_r(name: str) -> None:
    case = QUANTILES[name]
    y = frame_of(case["data"])[case["y"]].to_numpy(float)
    np.testing.assert_allclose(ndtri(plotting_positions(y.size)), case["theoretical"], atol=1e-12)
    np.testing.assert_allclose(quartile_line(y), (case["intercept"], case["slope"]), rtol=1e-12)


def test_the_line_of_normal_quantiles_is_their_own() -> None:
    n = 10_000
    x = 3.0 + 2.0 * ndtri(plotting_positions(n))
    # sample quartiles stand a quarter of a place beside these positions
    np.testing.assert_allclose(quartile_line(x), (3.0, 2.0), rtol=2.0 / n)


def test_the_band_has_its_probability() -> None:
    p, low, high = order_band(30, 0.9)
    assert (np.diff(p) > 0.0).all() and (low < p).all() and (p < high).all()
    i = np.rint(p * 30 + 0.5).astype(int)
    drawn = np.sort(np.random.default_rng(1).random((20000, 30)), axis=1)[:, i - 1]
    inside = ((drawn > low) & (drawn < high)).mean(axis=0)
    np.testing.assert_allclose(inside, 0.9, atol=4 * np.sqrt(0.09 / 20000))


def test_residuals_are_sorted_over_sigma(fit_cache) -> None:
    m = fit_cache("sleepstudy", "Reaction ~ Days + (Days | Subject)")
    ax = m.plot.qq(label=2)
    x, y = np.asarray(ax.collections[-1].get_offsets()).T
    np.testing.assert_allclose(y, np.sort(m.resid / m.sigma), rtol=1e-12)
    np.testing.assert_allclose(ndtr(x), (np.arange(180) + 0.5) / 180, rtol=1e-9)
    assert ax.get_ylabel() == "Standardised residuals"
    assert {text.get_text() for text in ax.texts} == {"56", "59"}


def test_the_square_roots_are_those_of_the_same_residuals(fit_cache) -> None:
    m = fit_cache("sleepstudy", "Reaction ~ Days + (Days | Subject)")
    ax = m.plot.scale_location()
    expected = np.c_[m.fittedvalues, np.sqrt(np.abs(m.resid / m.sigma))]
    np.testing.assert_allclose(ax.collections[0].get_offsets(), expected)
    assert ax.get_ylabel() == "√|Standardised residuals|"


def test_observed_values_stand_over_fitted_ones(fit_cache) -> None:
    m = fit_cache("sleepstudy", "Reaction ~ Days + (Days | Subject)")
    ax = m.plot.observed()
    expected = np.c_[m.fittedvalues, il.load_dataset("sleepstudy")["Reaction"]]
    np.testing.assert_allclose(ax.collections[0].get_offsets(), expected)
    assert ax.get_ylabel() == "Observed Reaction"


def test_random_effects_are_their_modes_with_intervals(fit_cache) -> None:
    m = fit_cache("sleepstudy", "Reaction ~ Days + (Days | Subject)")
    first, second = m.plot.random_effects_qq(level=0.9)
    for ax, term in ((first, "Intercept"), (second, "Days")):
        lines, points = ax.collections
        y = np.asarray(points.get_offsets())[:, 1]
        mode = m.random_effects["Subject"][term].sort_values()
        np.testing.assert_allclose(y, mode, rtol=1e-12)
        half = ndtri(0.95) * m.random_effects_se["Subject"][term][mode.index]
        ends = np.array([segment[:, 1] for segment in lines.get_segments()])
        np.testing.assert_allclose(ends, np.c_[mode - half, mode + half])
        assert ax.get_ylabel() == f"Subject: {term}"


@pytest.mark.parametrize("value", [0.0, 4.0])
def test_equal_values_are_drawn(value: float) -> None:
    from interlace.plots import canvas
    from interlace.plots.quantiles import normal_qq

    ax = normal_qq(canvas.axes(None), np.full(5, value), list("abcde"), label=2)
    assert len(ax.collections[-1].get_offsets()) == 5
    ax.figure.canvas.draw()
