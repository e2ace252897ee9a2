"""Residuals by simulation: against uniform quantiles, and along predictions with quartiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, brief
from ..tables.source_rows import rows_of_data
from . import canvas
from .quantiles import order_band, plotting_positions
from .residuals import MOST_SMOOTHED, SMOOTHED
from .variables import Variable, variable

if TYPE_CHECKING:
    from ..diagnostics.simulated_residuals import SimulatedResiduals

#: Quantiles that are level if the model is right, DHARMa's.
QUANTILES = (0.25, 0.5, 0.75)
# Places of a curve of local quantiles, and the share of the points in each window.
PLACES, SHARE = 60, 0.5


def uniform_qq_plot(record: SimulatedResiduals, level: float = 0.95, ax: Any = None) -> Any:
    """Scaled residuals against uniform quantiles; see ``SimulatedPlots.qq``."""
    values = np.sort(record._u.to_numpy(dtype=float))
    values = values[np.isfinite(values)]
    ax = canvas.axes(ax)
    p, low, high = order_band(values.size, level)
    look = {"color": canvas.text_color(ax), "alpha": 0.6 * canvas.BAND_OPACITY}
    ax.fill_between(p, low, high, linewidth=0.0, **look)
    ax.axline((0.5, 0.5), slope=1.0, color=canvas.text_color(ax), **canvas.REFERENCE)
    canvas.points(ax, plotting_positions(values.size), values, canvas.next_color(ax))
    return canvas.labelled(ax, "Uniform quantiles", "Scaled residuals")


def along_plot(record: SimulatedResiduals, x: Any = None, rank: bool = True, ax: Any = None) -> Any:
    """Scaled residuals along predictions or a variable; see ``SimulatedPlots.residuals``."""
    along = _along(record, x)
    y = record._u.to_numpy(dtype=float)
    place = along.positions()
    ranked = rank and along.levels is None
    if ranked:
        place = pd.Series(place).rank().to_numpy() / place.size
    ax = canvas.axes(ax)
    color, second = canvas.next_color(ax), canvas.next_color(ax)
    jitter = np.zeros(y.size)
    if along.levels is not None:
        jitter = 0.15 * np.random.default_rng(1).uniform(-1.0, 1.0, y.size)
    canvas.points(ax, place + jitter, y, color)
    for q in QUANTILES:
        canvas.reference(ax, q, linestyle="--")
    if along.levels is not None:
        for i in range(len(along.levels)):
            own = y[place == i]
            if own.size:
                ends = np.quantile(own, QUANTILES)
                ax.hlines(ends, i - 0.25, i + 0.25, color=[second], linewidth=1.8)
    elif y.size >= SMOOTHED and np.unique(place).size > len(QUANTILES):
        at, curves = local_quantiles(place, y)
        for curve in curves:
            ax.plot(at, curve, color=second)
    ax.set_ylim(-0.02, 1.02)
    along.on(ax)
    if ranked:
        ax.set_xlabel(f"{along.name} (rank)")
    ax.set_ylabel("Scaled residuals")
    return ax


def _along(record: SimulatedResiduals, x: Any) -> Variable:
    """Predictions, a variable of the model by its name, or values."""
    n = record.observed.size
    if x is None:
        return Variable("Predicted values", np.asarray(record.fitted, dtype=float), None)
    if isinstance(x, str):
        if record._rows is None:
            raise ArgumentError(
                f"x={x!r}: these residuals know no data; give the values themselves"
            )
        design, data = record._rows
        return variable(design, rows_of_data(design, None, data), x)
    values = pd.Series(np.asarray(x))
    if values.shape != (n,):
        raise ArgumentError(f"x must be a name or {n} values, one a residual, got {brief(x)}")
    name = str(getattr(x, "name", None) or "x")
    if pd.api.types.is_numeric_dtype(values) and values.dtype != bool:
        return Variable(name, values.to_numpy(dtype=float), None)
    return Variable(name, values.to_numpy(), sorted(values.unique().tolist()))


def local_quantiles(
    x: np.ndarray, y: np.ndarray, share: float = SHARE
) -> tuple[np.ndarray, np.ndarray]:
    """Quartiles of y around places along x, (3, places), with tricube weights of the nearest."""
    known = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if known.size > MOST_SMOOTHED:
        known = np.random.default_rng(1).choice(known, MOST_SMOOTHED, replace=False)
    order = known[np.argsort(y[known], kind="stable")]
    x, y = x[order], y[order]
    at = np.unique(np.quantile(x, np.linspace(0.0, 1.0, PLACES)))
    width = max(2, int(share * x.size))
    curves = np.empty((len(QUANTILES), at.size))
    for i, place in enumerate(at):
        distance = np.abs(x - place)
        half = np.partition(distance, width - 1)[width - 1] * (1.0 + 1e-9)
        w = np.maximum(1.0 - (distance / (half or 1.0)) ** 3, 0.0) ** 3
        total = np.cumsum(w)
        middle = (total - 0.5 * w) / total[-1]
        used = w > 0.0
        curves[:, i] = np.interp(QUANTILES, middle[used], y[used])
    return at, curves


def panel(record: SimulatedResiduals, ax: Any = None, fig: Any = None) -> np.ndarray:
    """Both, as DHARMa's ``plot``, (2,)."""
    axs = canvas.panels([2], ax=ax, fig=fig)
    uniform_qq_plot(record, ax=axs[0]).set_title("Q-Q of scaled residuals")
    along_plot(record, ax=axs[1]).set_title("Scaled residuals vs predicted")
    return axs
