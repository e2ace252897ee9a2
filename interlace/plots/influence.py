"""Influence of rows and groups: Cook's distances and leverages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..calls import number
from ..diagnostics.influence import cooks_distance, hat_values
from ..diagnostics.residuals import residual_array
from ..errors import ArgumentError, ArgumentTypeError, brief, listing
from ..frames.read import frame_of
from . import canvas
from .residuals import smooth

if TYPE_CHECKING:
    from ..diagnostics.influence import Influence
    from ..models.kinds import AnyFit


# HLMdiag's: this many interquartile ranges beyond the quartiles.
FENCE = 3.0
# More rows than this are points without stems.
MOST_STEMS = 400
LEVEL_HEIGHT, FRAME_HEIGHT, LOWEST, HIGHEST, WIDTH = 0.2, 1.0, 2.6, 8.0, 5.0
#: What measures are called in frames of different origins.
COLUMNS = {
    "cooks_distance": ("cooks_distance", "cooksd", ".cooksd", "cooks", "cooks.distance"),
    "hat": ("hat", ".hat", "leverage", "leverage.overall", "overall"),
}
WORDS = {
    "cooks_distance": "Cook's distance", "hat": "Leverage", "mdffits": "MDFFITS",
    "covratio": "COVRATIO", "covtrace": "COVTRACE",
}  # fmt: skip
#: Measures that are 1, or 0, without influence, and may lie on both sides of it.
NEUTRAL = {"covratio": 1.0}


def column_of(influence_df: Any, diag: Any) -> tuple[str, pd.Series]:
    """A measure under our name, and its column in a frame."""
    table = frame_of(influence_df)
    if table is None:
        raise ArgumentTypeError(f"influence_df must be a data frame, got {brief(influence_df)}")
    name = next((own for own, words in COLUMNS.items() if diag in words), diag)
    for column in COLUMNS.get(name, (name,)):
        if column in table:
            return name, table[column]
    raise ArgumentError(f"diag={brief(diag)} is no column of the measures: {listing(list(table))}")


def fences(values: np.ndarray, name: str, cutoff: Any) -> list[float]:
    """Values beyond which a group stands out: one, or one on each side."""
    if cutoff is None:
        return []
    if isinstance(cutoff, str):
        if cutoff != "internal":
            raise ArgumentError(
                f"cutoff={cutoff!r} is not known; use 'internal' (beyond the quartiles by "
                f"{FENCE:g} times their distance), limits of your own, or None for no limits"
            )
        low, high = np.quantile(values[np.isfinite(values)], [0.25, 0.75])
        ends = [high + FENCE * (high - low)]
        both = name in NEUTRAL or name.startswith("rvc.")
        return [float(v) for v in ([low - FENCE * (high - low)] if both else []) + ends]
    several = [cutoff] if np.ndim(cutoff) == 0 else list(cutoff)
    return [number("cutoff", value) for value in several]


def beyond(values: np.ndarray, name: str, ends: list[float]) -> np.ndarray:
    """How far from the middle, in order: the size by which the most influential are named."""
    middle = NEUTRAL.get(name, float(np.mean(ends)) if len(ends) == 2 else 0.0)
    return np.abs(values - middle)


def influence_plot(
    measures: Influence, diag: str, cutoff: Any, label: int, ax: Any, dots: bool | None = None
) -> Any:
    """Rows in their order, groups sorted; see ``ModelPlots.influence``."""
    name, values = column_of(measures.to_frame(), diag)
    if dots or (dots is None and measures.by is not None):
        return dot_plot(values, name, cutoff, label, measures.by or "row", ax)
    return index_plot(values, name, cutoff, label, ax)


def index_plot(values: pd.Series, name: str, cutoff: Any, label: int, ax: Any = None) -> Any:
    """A measure in the order of the rows."""
    y, x = values.to_numpy(dtype=float), np.arange(1.0, len(values) + 1)
    ends = fences(y, name, cutoff)
    ax = canvas.axes(ax)
    color = canvas.next_color(ax)
    if y.size <= MOST_STEMS:
        ax.vlines(x, NEUTRAL.get(name, 0.0), y, color=[color], linewidth=0.9, alpha=0.6)
    canvas.points(ax, x, y, color)
    for end in ends:
        canvas.reference(ax, end, linestyle="--")
    canvas.extremes(ax, x, y, beyond(y, name, ends), list(values.index), label)
    if name not in NEUTRAL and np.nanmin(y, initial=0.0) >= 0.0:
        ax.set_ylim(bottom=0.0)
    return canvas.labelled(ax, "Row", WORDS.get(name, name))


def dot_plot(
    values: pd.Series, name: str, cutoff: Any, label: int, group: str, ax: Any = None
) -> Any:
    """A measure of groups, the largest on top."""
    x = values.to_numpy(dtype=float)
    order = np.argsort(x, kind="stable")
    order = order[np.isfinite(x[order])]
    ends = fences(x, name, cutoff)
    height = FRAME_HEIGHT + LEVEL_HEIGHT * order.size
    ax = canvas.axes(ax, (WIDTH, min(HIGHEST, max(LOWEST, height))))
    color = canvas.next_color(ax)
    places = np.arange(order.size)
    names = [values.index[i] for i in order]
    if order.size <= canvas.MOST_LABELS:
        start = NEUTRAL.get(name, 0.0)
        ax.hlines(places, start, x[order], color=[color], linewidth=0.9, alpha=0.6)
    canvas.points(ax, x[order], places, color, zorder=3, alpha=0.85)  # a line: none hides others
    for end in ends:
        canvas.reference(ax, end, vertical=True, linestyle="--")
    canvas.many_labels(ax, names, group)
    if order.size > canvas.MOST_LABELS:
        canvas.extremes(ax, x[order], places, beyond(x[order], name, ends), names, label)
    canvas.level_limits(ax, order.size)
    if name not in NEUTRAL and np.nanmin(x, initial=0.0) >= 0.0:
        ax.set_xlim(left=0.0)
    return canvas.labelled(ax, WORDS.get(name, name), ax.get_ylabel())


def leverage_plot(fit: AnyFit, label: int = 3, ax: Any = None) -> Any:
    """Pearson residuals, standardised with their leverages, against these."""
    hat = hat_values(fit)
    with np.errstate(divide="ignore", invalid="ignore"):
        residual = residual_array(fit, "pearson", scaled=True) / np.sqrt(1.0 - hat)
    ax = canvas.axes(ax)
    canvas.points(ax, hat, residual, canvas.next_color(ax))
    canvas.reference(ax, 0.0, linestyle="--")
    smooth(ax, hat, residual)
    canvas.extremes(ax, hat, residual, cooks_distance(fit, hat), fit.design.index, label)
    ax.set_xlim(left=0.0)
    return canvas.labelled(ax, "Leverage", "Standardised Pearson residuals")
