"""Data and fitted lines of the levels of a grouping factor: a panel for each, or all in one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..design.predictor import MEAN
from ..errors import ArgumentError, listing, suggestion
from ..inference.prediction import predict
from ..tables.source_rows import rows_of_data
from . import canvas
from .variables import Variable, response_label, variable

if TYPE_CHECKING:
    from ..models.kinds import MixedFit

# More levels are lines in one picture.
MOST_PANELS = 24
COLUMNS = 6
#: Width and height of the panel of a level, inches.
SMALL_PANEL = (1.7, 1.7)
# Opacity of one line among so many.
LINES = 12


def group_plot(
    fit: MixedFit,
    data: Any,
    x: str | None = None,
    group: str | None = None,
    levels: Sequence[Any] | None = None,
    panels: bool | None = None,
    ax: Any = None,
    fig: Any = None,
) -> Any:
    """Data and fitted lines by group; see ``MixedPlots.groups``."""
    names = [factor.name for factor in fit.design.factors]
    if x in names and group is None:  # along itself a group would be one place in each panel
        x, group = None, x
    if group is not None and group not in names:
        raise ArgumentError(
            f"group={group!r} is no grouping factor.{suggestion(str(group), names)} The model has "
            f"{listing(names)}"
        )
    factor = fit.design.factors[0 if group is None else names.index(group)]
    chosen = _chosen(factor.name, list(factor.labels), levels)
    rows = rows_of_data(fit.design, None, data)
    along = variable(fit.design, rows, _variable_of(fit, rows) if x is None else x)
    means = predict(fit, None, "response", False).to_numpy()
    if fit.design.full_index is not None:
        means = means[fit.design.kept]
    table = pd.DataFrame(
        {
            "level": factor.label_codes, "x": along.positions(), "y": fit.observations.y,
            "fitted": fit.fitted, "population": means,
        }
    )  # fmt: skip
    table = table[np.isin(factor.label_codes, chosen)]
    if panels is None:
        panels = len(chosen) <= MOST_PANELS and (ax is None or np.ndim(ax) > 0)
    response = response_label(fit)
    if panels:
        titles = [str(factor.labels[i]) for i in chosen]
        return _panels(table, chosen, titles, along, response, ax, fig)
    return _spaghetti(canvas.axes(ax), table, along, f"{response} by {factor.name}")


def _chosen(name: str, known: list[Any], levels: Sequence[Any] | None) -> list[int]:
    """Positions of the levels that are drawn."""
    if levels is None:
        return list(range(len(known)))
    texts = [str(level) for level in known]
    wanted = [levels] if isinstance(levels, str) else [str(level) for level in levels]
    for level in wanted:
        if level not in texts:
            near = suggestion(level, texts)
            raise ArgumentError(f"levels has {level!r}, which is no level of {name}.{near}")
    if not wanted:
        raise ArgumentError("levels is empty; name one at least, or leave it out")
    return [texts.index(level) for level in wanted]


def _variable_of(fit: MixedFit, rows: pd.DataFrame) -> str:
    """The variable of the first random slope, else the first of the fixed part, numbers first."""
    terms = [t for t in fit.covariance.terms if (t.component or MEAN) == MEAN]
    slopes = [name for term in terms for name in term.names if name in rows]
    recipe = fit.design.recipe
    fixed = [] if recipe is None else list(recipe.fixed[MEAN].variables)
    candidates = [*slopes, *(name for name in fixed if name in rows)]
    numeric = [n for n in candidates if variable(fit.design, rows, n).levels is None]
    if not candidates:
        raise ArgumentError("the fixed part has no variable to draw along; give x=, a column")
    return (numeric or candidates)[0]


def _means(table: pd.DataFrame, column: str) -> tuple[np.ndarray, np.ndarray]:
    """The x of a line, increasing, and the means of a column there."""
    mean = table.groupby("x", sort=True)[column].mean()
    return mean.index.to_numpy(), mean.to_numpy()


def _panels(
    table: pd.DataFrame,
    chosen: list[int],
    titles: list[str],
    along: Variable,
    response: str,
    ax: Any,
    fig: Any,
) -> np.ndarray:
    count = len(chosen)
    columns = min(COLUMNS, count)
    shape = [columns] * (count // columns) + ([count % columns] if count % columns else [])
    heights = [SMALL_PANEL[1]] * len(shape)
    axs = canvas.panels(shape, heights, ax, fig, SMALL_PANEL[0])
    parts = dict(list(table.groupby("level")))
    for own, level, title in zip(axs, chosen, titles, strict=True):
        part = parts[level]
        color = canvas.next_color(own)
        canvas.points(own, part["x"], part["y"], color, s=11.0)
        look = {"color": canvas.text_color(own), **canvas.REFERENCE}
        mark = "_" if part["x"].nunique() == 1 else None  # a line of one point is not seen
        own.plot(*_means(part, "population"), linestyle="--", marker=mark, **look)
        own.plot(*_means(part, "fitted"), color=color, marker=mark)
        own.set_title(title, fontsize="small")
    _alike(axs)
    for i, own in enumerate(axs):
        along.on(own)
        own.set_ylabel(response)
        if ax is None:
            own.set_ylabel("")
            own.set_xlabel("")
            if i % columns:
                own.tick_params(labelleft=False)
            if i + columns < count:
                own.tick_params(labelbottom=False)
    if ax is None:
        axs[0].figure.supxlabel(along.name, fontsize="medium")
        axs[0].figure.supylabel(response, fontsize="medium")
    return axs


def _alike(axs: np.ndarray) -> None:
    """The same limits in all panels."""
    xs, ys = np.array([a.get_xlim() for a in axs]), np.array([a.get_ylim() for a in axs])
    for one in axs:
        one.set_xlim(xs.min(), xs.max())
        one.set_ylim(ys.min(), ys.max())


def _spaghetti(ax: Any, table: pd.DataFrame, along: Variable, label: str) -> Any:
    """A line for each level, and that of the population."""
    mean = table.groupby(["level", "x"], sort=True)["fitted"].mean()
    levels = mean.index.get_level_values(0).to_numpy()
    points = np.c_[mean.index.get_level_values(1).to_numpy(dtype=float), mean.to_numpy()]
    ends = np.flatnonzero(np.diff(levels)) + 1
    color = canvas.next_color(ax)
    from matplotlib.collections import LineCollection

    count = ends.size + 1
    opacity = max(canvas.FAINT, min(0.7, (LINES / count) ** 0.5))
    lines = LineCollection(
        np.split(points, ends), colors=[color], linewidths=0.8, alpha=opacity,
        rasterized=count > canvas.MOST_VECTORS,
    )  # fmt: skip
    ax.add_collection(lines)
    ax.autoscale_view()
    ax.plot(*_means(table, "population"), color=canvas.text_color(ax), linewidth=2.0)
    along.on(ax)
    ax.set_ylabel(label)
    return ax
