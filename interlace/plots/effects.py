"""Predicted effects: means along a variable, averaged as marginal means are, with their bands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from ..calls import one_of
from ..design.predictor import MEAN
from ..diagnostics.residuals import residual_array
from ..errors import ArgumentError
from ..inference.components import is_logarithm, own_link, part_of, title_of
from ..inference.marginal_means import TYPES, marginal_means
from ..inference.ordinal_means import ordinal_means
from ..inference.wald import method_of
from ..tables.source_rows import rows_of_data
from . import canvas
from .variables import Variable, variable

if TYPE_CHECKING:
    from ..models.kinds import AnyFit
    from ..models.ordinal import OrdinalFit

# Points of a curve.
GRID = 101
# A numeric variable of lines has its values if they are so few, else its mean and one sd around it.
FEW_VALUES = 5
# Share of the distance of two levels over which lines, and points around a level, are spread.
DODGE, JITTER = 0.4, 0.08


def effect_plot(
    fit: AnyFit,
    data: Any,
    x: str,
    by: str | None = None,
    at: dict[str, Any] | None = None,
    type: str = "response",
    level: float = 0.95,
    points: str | None = None,
    ddf: str | None = None,
    component: str | None = None,
    ax: Any = None,
) -> Any:
    """Predicted means along x, by the levels of another variable; see ``ModelPlots.effect``."""
    whole = component == "response" and not fit.ordered
    part = fit if whole else part_of(fit, component)
    if whole and (type == "link" or points == "partial"):
        raise ArgumentError(
            "component='response' is of all linear predictors, and on the scale of the response: "
            "leave out type='link' and points='partial'"
        )
    _check_points(part, points, type)
    at = dict(at or {})
    rows = _rows(fit, part, data, points is not None)
    named = [name for name in (x, by) if name is not None]
    if not _are_variables(part, named, whole):  # the refusal names what there is
        marginal_means(part, data, named, at=at)
    along = variable(fit.design, rows, x)
    lines = None if by is None else variable(fit.design, rows, by)
    at.setdefault(x, _values(along, GRID))
    if lines is not None:
        at.setdefault(lines.name, _values(lines, None))
    table = _means(part, data, (x, by), at, (type, level, ddf), whole)
    ax = canvas.axes(ax)
    groups = [(None, table)] if lines is None else list(table.groupby(by, sort=False))
    shifts = _shifts(along, len(groups))
    colors = [canvas.next_color(ax) for _ in groups]
    if points is not None:
        _points(ax, part, along, lines, groups, (shifts, colors), points)
    for (value, own), shift, color in zip(groups, shifts, colors, strict=True):
        _line(ax, along, own, shift, color, None if lines is None else _text(value))
    along.on(ax)
    if lines is not None:
        ax.legend(title=lines.name)
    ax.set_ylabel(axis_label(part, type))
    return ax


def _rows(fit: AnyFit, part: Any, data: Any, needed: bool) -> Any:
    """Rows of the variables; where the fit holds none and none are needed, some like them."""
    if fit.has_rows or needed:
        return _with_factors(part, rows_of_data(fit.design, None, data))
    return fit.design.stand_in_rows()  # type: ignore[attr-defined]


def _means(
    part: AnyFit,
    data: Any,
    names: tuple[str, str | None],
    at: dict[str, Any],
    how: tuple[str, float, str | None],
    whole: bool,
) -> pd.DataFrame:
    """The means of the curves, by the variables along the axis and of the lines."""
    type, level, ddf = how
    specs, by = [names[0]], [] if names[1] is None else [names[1]]
    if not _is_of_categories(part):
        means = marginal_means(
            part, data, specs, by, at, "equal", type, ddf, level,
            regrid=whole, whole=whole and part.several,
        )  # fmt: skip
        return means.to_frame()
    method_of(part, ddf, "ddf")
    mode = "latent" if one_of("type", type, TYPES) == "link" else "mean.class"
    categories = cast("OrdinalFit", part)
    return ordinal_means(categories, data, specs, by, mode, at, "equal", level).to_frame()


def axis_label(part: AnyFit, type: str) -> str:
    """What is predicted, and on which scale."""
    link = own_link(part)
    if _is_of_categories(part) and type == "response":
        return f"Mean {part.design.response_name}, categories 1 to {len(part.levels)}"  # type: ignore[union-attr]
    if part.design.current != MEAN:
        name = title_of(part.design.current)
    elif part.family.support == "proportion":
        name = "Probability"
    elif is_logarithm(part) and type == "response":
        name = part.design.response_variables[0]
    else:
        name = part.design.response_name
    return name if type == "response" or link.linear else f"{name} ({link.name} scale)"


def _with_factors(part: AnyFit, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the factors of the fixed part, which those of a stored result lack."""
    factors = part.design.fixed_terms.factors
    lacking = {name: own for name, own in factors.items() if name not in rows}
    return rows.assign(**{name: own.levels[own.codes] for name, own in lacking.items()})


def _is_of_categories(part: AnyFit) -> bool:
    """Whether it is the location of ordered categories, whose means are of their numbers."""
    return part.ordered and part.design.current == MEAN


def _are_variables(part: AnyFit, names: list[str], whole: bool) -> bool:
    """Whether a linear predictor, or any of them, has the variables."""
    recipe = part.design.recipe
    fixed = {} if recipe is None else recipe.fixed
    sides = [side for name, side in fixed.items() if whole or name == part.design.current]
    return {*names} <= {variable for side in sides for variable in side.variables}


def _check_points(part: AnyFit, points: str | None, type: str) -> None:
    if points is None:
        return
    if part.design.current != MEAN:
        raise ArgumentError(
            f"points={points!r}: observations are of the mean; leave out component="
        )
    bent = not own_link(part).linear
    if points == "partial" and (type == "response") and (bent or is_logarithm(part)):
        raise ArgumentError(
            "points='partial': partial residuals are on the scale of the linear predictor; give "
            "type='link', or points='data' for the observations"
        )
    if points == "data" and type == "link" and bent:
        raise ArgumentError(
            "points='data': observations are on the scale of the response; give type='response', "
            "or points='partial' for partial residuals"
        )


def _values(v: Variable, count: int | None) -> list[Any]:
    """Values of the curve (count), or those that lines are drawn for."""
    if v.levels is not None:
        return v.levels
    if count is not None:
        return np.linspace(v.values.min(), v.values.max(), count).tolist()
    distinct = np.unique(v.values)
    if distinct.size <= FEW_VALUES:
        return distinct.tolist()
    mean, sd = v.values.mean(), v.values.std(ddof=1)
    return [float(f"{value:.3g}") for value in (mean - sd, mean, mean + sd)]


def _shifts(along: Variable, count: int) -> np.ndarray:
    """Where the lines stand beside each other over a level."""
    spread = DODGE if along.levels is not None and count > 1 else 0.0
    return np.linspace(-0.5, 0.5, count) * spread if count > 1 else np.zeros(1)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _curve(table: pd.DataFrame) -> np.ndarray:
    """Means, and limits, (3, r)."""
    mean = "response" if "response" in table else "emmean"
    return table[[mean, "conf_low", "conf_high"]].to_numpy().T


def _line(
    ax: Any, along: Variable, table: pd.DataFrame, shift: float, color: Any, label: str | None
) -> None:
    x = along.positions(table[along.name]) + shift
    mean, low, high = _curve(table)
    if along.levels is None:
        ax.fill_between(x, low, high, color=color, alpha=canvas.BAND_OPACITY, linewidth=0.0)
        ax.plot(x, mean, color=color, label=label)
    else:
        ax.vlines(x, low, high, color=[color], linewidth=1.8)
        ax.scatter(x, mean, color=[color], s=34, zorder=3, label=label)


def _points(
    ax: Any,
    part: AnyFit,
    along: Variable,
    lines: Variable | None,
    groups: list[tuple[Any, pd.DataFrame]],
    look: tuple[np.ndarray, list[Any]],
    kind: str,
) -> None:
    """Observations, or partial residuals: the line at the row's values plus its residual."""
    x = along.positions()
    which = _nearest(lines, [value for value, _ in groups], x.size)
    jitter = np.zeros(x.size)
    if along.levels is not None:
        jitter = JITTER * np.random.default_rng(1).uniform(-1.0, 1.0, x.size)
    observed = part.observations.y + (1.0 if part.ordered else 0.0)  # categories begin with 1
    if is_logarithm(part):
        observed = np.exp(observed) if _curve_is_exp(groups) else observed
    for i, ((_, table), shift, color) in enumerate(zip(groups, *look, strict=True)):
        own = which == i
        if kind == "data":
            y = observed[own]
        else:
            at = along.positions(table[along.name])
            residual = residual_array(part, "working")[own]
            y = np.interp(x[own], at, _curve(table)[0]) + residual
        canvas.points(ax, x[own] + shift + jitter[own], y, color, zorder=1.5)


def _curve_is_exp(groups: list[tuple[Any, pd.DataFrame]]) -> bool:
    return "response" in groups[0][1]


def _nearest(lines: Variable | None, values: list[Any], n: int) -> np.ndarray:
    """The line that a row belongs to, (n,); -1: none."""
    if lines is None:
        return np.zeros(n, dtype=int)
    if lines.levels is None:
        return np.abs(lines.values[:, None] - np.asarray(values, dtype=float)).argmin(axis=1)
    return pd.Index(values).get_indexer(pd.Index(lines.values))
