"""Coefficients with intervals, of one model or several side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from ..inference.components import has_components
from ..inference.wald import t_table
from ..tables.tidy import tidy
from . import canvas

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

ROW_HEIGHT, FRAME_HEIGHT, WIDTH = 0.34, 1.1, 6.0
# Share of a row over which the models of a comparison are spread.
SPREAD = 0.6
# Formulas longer than this are numbered in the legend.
LONGEST_NAME = 48


def coefficient_plot(
    fits: Sequence[AnyFit],
    names: Sequence[str] | None = None,
    intercept: bool = False,
    level: float = 0.95,
    exponentiate: bool = False,
    component: str | None = None,
    ax: Any = None,
) -> Any:
    """Coefficients with intervals; see ``ModelPlots.coefficients``."""
    names = _names(fits, names)
    tables = [_table(fit, intercept, level, exponentiate, component) for fit in fits]
    rows = list(dict.fromkeys(label for table in tables for label in table.index))
    if not rows:
        hint = ": intercept=True has the intercept" if any(fit.p for fit in fits) else ""
        raise ArgumentError(f"there are no coefficients to draw{hint}")
    bars = max(1.0, 0.5 * len(fits))
    ax = canvas.axes(ax, (WIDTH, FRAME_HEIGHT + ROW_HEIGHT * bars * len(rows)))
    canvas.reference(ax, 1.0 if exponentiate else 0.0, vertical=True)
    shifts = np.linspace(-0.5, 0.5, len(fits)) * SPREAD if len(fits) > 1 else [0.0]
    for name, table, shift in zip(names, tables, shifts, strict=True):
        y = np.array([rows.index(label) for label in table.index]) + shift
        color = canvas.next_color(ax)
        ax.hlines(y, table["conf_low"], table["conf_high"], color=[color], linewidth=1.8)
        ax.scatter(table["estimate"], y, color=[color], s=34, zorder=3, label=name)
    canvas.many_labels(ax, rows, "")
    ax.set_ylim(len(rows) - 0.4, -0.6)
    if exponentiate:
        _logarithmic(ax)
    if len(fits) > 1:
        ax.legend()
    what = "exp(coefficient)" if exponentiate else "Coefficient"
    return canvas.labelled(ax, f"{what} with {100 * level:g} % interval", "")


def _logarithmic(ax: Any) -> None:
    """A logarithmic axis of ratios, whose ticks are plain numbers: 0.2, 0.5, 1."""
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(lambda x, _: f"{x:g}" if f"{x:e}"[0] in "25" else "")


def _names(fits: Sequence[AnyFit], names: Sequence[str] | None) -> list[str]:
    if names is None:
        texts = [fit.design.formula.text for fit in fits]
        short = max(map(len, texts)) <= LONGEST_NAME and len(set(texts)) == len(texts)
        return texts if short else [f"Model {i + 1}" for i in range(len(fits))]
    if len(names) != len(fits):
        raise ArgumentError(f"names has {len(names)} labels for {len(fits)} models")
    return list(names)


def _table(
    fit: AnyFit, intercept: bool, level: float, exponentiate: bool, component: str | None
) -> pd.DataFrame:
    """Estimates and limits by the label of their row."""
    table = tidy(fit, "fixed", lambda: t_table(fit), True, level, exponentiate, False, component)
    if not intercept:
        table = table[table["term"] != "Intercept"]
    labels = list(table["term"])
    if component is None and has_components(fit):
        pairs = zip(table["component"], labels, strict=True)
        labels = [label if of == "cond" else f"{of}: {label}" for of, label in pairs]
    return table.set_index(pd.Index(labels))
