"""Quantile-quantile pictures: points, a line through the quartiles, a band of order statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import canvas

# Places of the band's ends that a curve needs.
BAND_POINTS = 200
# R's ppoints takes another offset for few points.
FEW_POINTS = 10


def plotting_positions(n: int) -> np.ndarray:
    """Probabilities of the order statistics, (n,): R's ``ppoints``."""
    offset = 0.375 if n <= FEW_POINTS else 0.5
    return (np.arange(1, n + 1) - offset) / (n + 1 - 2 * offset)


def quartile_line(values: np.ndarray) -> tuple[float, float]:
    """Intercept and slope of the line through the quartiles, against the normal: R's ``qqline``."""
    from scipy.special import ndtri

    low, high = np.quantile(values, [0.25, 0.75])
    first, second = ndtri([0.25, 0.75])
    slope = float((high - low) / (second - first))
    return float(low - slope * first), slope


def order_band(n: int, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, and limits between which the order statistics of n uniform numbers lie.

    The i-th of n is Beta(i, n + 1 - i); each has the probability ``level`` for itself.
    """
    from scipy.special import betaincinv

    i = np.unique(np.round(np.geomspace(1, (n + 1) / 2, BAND_POINTS // 2)).astype(int))
    i = np.unique(np.concatenate([i, n + 1 - i]))
    tail = 0.5 * (1.0 - level)
    low, high = (betaincinv(i, n + 1 - i, p) for p in (tail, 1.0 - tail))
    return plotting_positions(n)[i - 1], low, high


def normal_qq(
    ax: Any,
    values: np.ndarray,
    names: Sequence[Any],
    level: float | None = 0.95,
    label: int = 0,
    color: Any = None,
    half: np.ndarray | None = None,
) -> Any:
    """Values against normal quantiles; ``half``: half-widths of intervals of each."""
    from scipy.special import ndtri

    values = np.asarray(values, dtype=float)
    shown = np.flatnonzero(np.isfinite(values))
    if not shown.size:
        return ax
    order = shown[np.argsort(values[shown], kind="stable")]
    x, y = ndtri(plotting_positions(order.size)), values[order]
    color = canvas.next_color(ax) if color is None else color
    start, slope = quartile_line(y)
    if level is not None:
        p, low, high = order_band(order.size, level)
        ends = (start + slope * ndtri(limit) for limit in (low, high))
        look = {"color": canvas.text_color(ax), "alpha": 0.6 * canvas.BAND_OPACITY}
        ax.fill_between(ndtri(p), *ends, linewidth=0.0, label=f"{100 * level:g} % band", **look)
    look = {"color": canvas.text_color(ax), **canvas.REFERENCE}
    ax.axline((0.0, start), slope=slope, **look)
    if half is not None:
        opacity = canvas.opacity(order.size)
        ax.vlines(
            x, y - half[order], y + half[order], color=[color], linewidth=0.9, alpha=0.6 * opacity
        )
    canvas.points(ax, x, y, color)
    # far from the line, not far from zero
    canvas.extremes(ax, x, y, np.abs(y - start - slope * x), [names[i] for i in order], label)
    return ax
