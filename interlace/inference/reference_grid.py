"""The reference grid of marginal means: values of the predictors, model matrices, shares of cells.

It has all levels of the factors of the fixed part and the mean of each numeric variable (both
values of one that has two), Lenth's emmeans's defaults; of a numeric variable that the formula
makes a factor, ``C(x)``, all its values. A factor whose every level occurs with one
level of another is nested in it: the combinations that its levels are not part of are no cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ..calls import number
from ..design.predictor import MEAN
from ..errors import ArgumentError, ArgumentTypeError, brief, listing, suggestion
from ..frames.read import data_columns, read

if TYPE_CHECKING:
    from ..design.design import Design
    from ..models.kinds import AnyFit

__all__ = [
    "GridRows",
    "grid_rows",
    "coded_levels",
    "named_variables",
    "nested_in",
    "reference_grid",
]

WEIGHTS = ("equal", "proportional", "outer", "cells", "flat")
# A share of the range of a variable, for differences that are exact up to squares of it.
TREND_STEP = 1e-4
# Numeric variables with so few values keep them, as in emmeans.
KEPT_VALUES = 2


class GridRows(NamedTuple):
    """Rows of a grid: X (r, p), offset (r,), and what no combination of the data's rows gives.

    ``lost`` (r, d) has, for each column that X leaves out, how far it is from depending on the
    others as it does in the data: a combination of the rows can be estimated where that is zero.
    """

    X: np.ndarray
    offset: np.ndarray
    lost: np.ndarray


def named_variables(specs: Any, by: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names, from a list or a text such as ``"f * g"``, ``"f | g"`` or ``"~ f"``."""
    within: list[str] = []
    if isinstance(specs, str):
        text = specs.strip()
        if "~" in text:
            left, _, text = text.partition("~")
            if left.strip():
                raise ArgumentError(
                    f"specs={specs!r}: the means come first, m.emmeans({text.strip()!r}), then "
                    f"their contrasts, .contrast({left.strip()!r})"
                )
        text, _, after = text.partition("|")
        specs, within = _split(text), _split(after)
    by = _split(by) if isinstance(by, str) else list(by or ())
    specs = list(specs) if isinstance(specs, Sequence) else specs
    if not isinstance(specs, list) or not all(isinstance(v, str) for v in (*specs, *by)):
        raise ArgumentTypeError(f"specs must name variables of the model, got {brief(specs)}")
    if not specs:
        raise ArgumentError("specs is empty; name the variables whose means are wanted")
    by = [*within, *(name for name in by if name not in within)]
    return tuple(name for name in dict.fromkeys(specs) if name not in by), tuple(by)


def _split(text: str) -> list[str]:
    for sign in "*:+":
        text = text.replace(sign, " ")
    return text.split()


# -- values of the variables -----------------------------------------------------------------


def reference_grid(
    fit: AnyFit,
    data: Any,
    named: Sequence[str],
    at: Mapping[str, Any],
    predictors: Sequence[str] | None = None,
    spread: float = 0.0,
) -> pd.DataFrame:
    """All combinations of the values of the variables, the first varying fastest.

    Of the linear predictors named, by default the fit's own. With ``spread`` a numeric variable
    has so much below and above its mean in place of the mean.
    """
    variables = _variables(fit, predictors or [fit.design.current])
    for name in (*named, *at):
        if name not in variables:
            near = suggestion(name, variables)
            raise ArgumentError(
                f"{brief(name)} is no variable of the fixed part.{near} It has {listing(variables)}"
            )
    values = {name: _values(fit, data, name, at, spread) for name in variables}
    if not values:
        raise ArgumentError("the fixed part has no variables, so there are no means to estimate")
    combined = product(*reversed(values.values()))
    rows = [row[::-1] for row in combined]
    return pd.DataFrame({name: [row[i] for row in rows] for i, name in enumerate(values)})


def _variables(fit: AnyFit, predictors: Sequence[str]) -> list[str]:
    """Of the formulas of linear predictors, their offsets among them."""
    recipe = fit.design.recipe
    sides = [] if recipe is None else [recipe.fixed[n] for n in predictors if n in recipe.fixed]
    names = [
        name
        for side in sides
        for name in (*side.variables, *(v for piece in side.offsets for v in piece.variables))
    ]
    return list(dict.fromkeys(names))


def _values(fit: AnyFit, data: Any, name: str, at: Mapping[str, Any], spread: float) -> list[Any]:
    """The values of a variable in the grid."""
    recipe = fit.design.recipe
    assert recipe is not None
    known = recipe.levels[name]
    if name in at:
        values = at[name]
        if callable(values):
            values = values(column_of(fit, data, name))
        values = [values] if isinstance(values, str) or np.ndim(values) == 0 else list(values)
        if known is not None:
            for value in values:
                if value not in list(known.levels):
                    raise ArgumentError(
                        f"at[{name!r}] has {brief(value)}; its levels are {listing(known.levels)}"
                    )
        elif name not in recipe.logical:
            values = [number(f"at[{name!r}]", value) for value in values]
        if not values:
            raise ArgumentError(f"at[{name!r}] is empty; give one value at least")
        return values
    if known is not None:
        return list(known.levels)
    if name in recipe.logical:
        return [False, True]
    if (levels := coded_levels(fit.design, name)) is not None:
        return levels
    column = column_of(fit, data, name)
    distinct = np.unique(column)
    if distinct.size <= KEPT_VALUES:
        return distinct.tolist()
    mean = float(column.mean())
    return [mean - spread, mean + spread] if spread else [mean]


def coded_levels(design: Design, name: str) -> list[Any] | None:
    """Levels of a variable that a formula makes a factor, ``C(name)`` or ``factor(name)``."""
    return None if design.recipe is None else design.recipe.coded_columns().get(name)


def column_of(fit: AnyFit, data: Any, name: str) -> np.ndarray:
    """A numeric column of the data in the rows of the fit, or numbers that stand for it."""
    if not fit.has_rows:
        return fit.design.stand_in(name)  # type: ignore[attr-defined]
    for predictor in fit.design.predictors.values():  # which have it though the data may not
        if name in predictor.names:
            return np.asarray(predictor.X[:, list(predictor.names).index(name)])
    if data is None or name not in data_columns(data):
        raise ArgumentError(
            f"the data of the fit are not at hand for the mean of {name!r}; give at={{{name!r}: …}}"
        )
    column = np.asarray(read(data, [name]).values[name], dtype=float)
    rows = fit.design.rows
    return column if rows is None else column[rows]


# -- model matrices --------------------------------------------------------------------------


def grid_rows(
    fit: AnyFit, data: Any, grid: pd.DataFrame, trend: str | None = None, offset: Any = None
) -> GridRows:
    """X of the grid with its offset, that given or the fit's own at its mean."""
    if trend is not None:
        return _slopes(fit, data, grid, trend)
    design = fit.design
    recipe = design.recipe
    assert recipe is not None
    argument = None
    if design.current == MEAN and recipe.offset_column is not None:
        argument = float(column_of(fit, data, recipe.offset_column).mean())
    elif design.current == MEAN and recipe.offset_given and design.offset is not None:
        argument = float(design.offset.mean())
    new = design.on(grid, factors=(), offset=argument, predictors=[design.current])
    predictor = new.predictors[design.current]
    X = np.array(predictor.X)
    constant = np.zeros(len(X)) if predictor.offset is None else np.asarray(predictor.offset)
    if offset is not None:
        constant = np.full(len(X), number("offset", offset))
    return GridRows(X, constant, _lost(fit, data, grid))


def _lost(fit: AnyFit, data: Any, grid: pd.DataFrame) -> np.ndarray:
    """How far columns left out are from what they depend on in the data, (r, d)."""
    design = fit.design
    if not design.dropped_columns:
        return np.zeros((len(grid), 0))
    assert design.recipe is not None
    if data is None and fit.has_rows:
        raise ArgumentError(
            "columns of the fixed part were left out for dependence, and which means can be "
            "estimated is not known without the data of the fit; fit the model again"
        )
    if fit.has_rows:
        whole = design.recipe.whole(data, design.current)
        whole = whole if design.rows is None else whole[design.rows]
    else:
        whole = design.whole_root  # type: ignore[attr-defined]
    kept = design.recipe.fixed[design.current].kept
    names = list(design.recipe.fixed[design.current].recipe.names)
    if fit.ordered and "Intercept" in names:  # thresholds have it
        kept = np.union1d(kept, names.index("Intercept"))
    rest = np.setdiff1d(np.arange(whole.shape[1]), kept)
    relation = np.linalg.lstsq(whole[:, kept], whole[:, rest], rcond=None)[0]
    new = design.recipe.whole(grid, design.current)
    return (new[:, rest] - new[:, kept] @ relation) / np.maximum(1.0, np.abs(new).max())


def _slopes(fit: AnyFit, data: Any, grid: pd.DataFrame, trend: str) -> GridRows:
    """Derivatives of X in one variable, by central differences."""
    if trend not in grid or grid[trend].dtype.kind != "f" or coded_levels(fit.design, trend):
        raise ArgumentError(f"var={trend!r} is no numeric variable of the fixed part")
    spread = float(np.ptp(column_of(fit, data, trend))) if data is not None else 1.0
    h = TREND_STEP * (spread or 1.0)
    up, down = (
        grid_rows(fit, data, grid.assign(**{trend: grid[trend] + step})) for step in (h, -h)
    )
    # what is lost is compared with zero, and keeps the size of its rounding
    X, offset = ((a - b) / (2.0 * h) for a, b in zip(up[:2], down[:2], strict=True))
    return GridRows(X, offset, up.lost - down.lost)


# -- nesting and weights ---------------------------------------------------------------------


def nested_in(fit: AnyFit, grid: pd.DataFrame) -> dict[str, list[str]]:
    """Factor of the grid -> those that it is nested in: each level is with one of theirs."""
    factors = fit.design.fixed_terms.factors
    out: dict[str, list[str]] = {}
    names = [name for name in factors if name in grid and grid[name].nunique() > 1]
    for name in names:
        own = factors[name].codes
        for other in names:
            if other == name or name in out.get(other, ()):
                continue
            pairs = np.unique(np.stack([own, factors[other].codes]), axis=1)
            if np.unique(own).size == pairs.shape[1]:
                out.setdefault(name, []).append(other)
    return out


def cells_of_nests(
    fit: AnyFit, grid: pd.DataFrame, nests: Mapping[str, Sequence[str]]
) -> np.ndarray:
    """Which rows of the grid have each nested level with the levels that it is part of, (r,)."""
    factors = fit.design.fixed_terms.factors
    keep = np.ones(len(grid), dtype=bool)
    for name, others in nests.items():
        own = factors[name]
        for other in others:
            holder = factors[other]
            pairs = {
                (own.levels[a], holder.levels[b])
                for a, b in zip(own.codes.tolist(), holder.codes.tolist(), strict=True)
            }
            keep &= [pair in pairs for pair in zip(grid[name], grid[other], strict=True)]
    return keep


def shares(
    fit: AnyFit,
    data: Any,
    grid: pd.DataFrame,
    named: Sequence[str],
    weights: str,
    nests: Mapping[str, Sequence[str]],
) -> np.ndarray:
    """Weights of the rows of the grid in means over all variables but those named, (r,)."""
    varying = [name for name in grid if grid[name].nunique() > 1]
    over = [name for name in varying if name not in named]
    if not over:
        return np.ones(len(grid))
    if weights == "equal":
        return _within_nests(grid, [name for name in over if name in nests], nests)
    if not fit.has_rows:
        fit.design.needs_rows()  # type: ignore[attr-defined]
    rows = pd.DataFrame({name: _labels(fit, data, name) for name in varying})
    rows["."] = _prior(fit)
    if weights in ("cells", "flat"):
        counts = _counts(rows, varying, grid)
        return counts if weights == "cells" else (counts > 0.0).astype(float)
    if weights == "outer":
        return np.prod([_counts(rows, [name], grid) for name in over], axis=0)
    return _counts(rows, over, grid)


def _within_nests(
    grid: pd.DataFrame, nested: Sequence[str], nests: Mapping[str, Sequence[str]]
) -> np.ndarray:
    """Equal weights of the levels of a nest, whatever their number: first over what is nested."""
    out = np.ones(len(grid))
    for name in nested:
        out /= grid.groupby(list(nests[name]), sort=False)[name].transform("nunique").to_numpy()
    return out


def _counts(rows: pd.DataFrame, names: list[str], grid: pd.DataFrame) -> np.ndarray:
    """The sum of the weights of the data in each cell of some variables, by row of the grid."""
    sums = rows.groupby(names, sort=False, observed=True)["."].sum().to_dict()
    keys = grid[names].itertuples(index=False, name=None)
    return np.array([sums.get(key if len(names) > 1 else key[0], 0.0) for key in keys])


def _labels(fit: AnyFit, data: Any, name: str) -> np.ndarray:
    """The values of a variable in the rows of the fit."""
    factors = fit.design.fixed_terms.factors
    if name in factors:
        return np.asarray(factors[name].levels, dtype=object)[factors[name].codes]
    column = column_of(fit, data, name)
    recipe = fit.design.recipe
    return column.astype(bool) if recipe is not None and name in recipe.logical else column


def _prior(fit: AnyFit) -> np.ndarray:
    """Prior weights of the rows in R's sense, trials among them, (n,)."""
    design = fit.design
    if design.weights is not None:
        return np.asarray(design.weights, dtype=float)
    if design.trials is not None and fit.family.name.startswith("binomial"):
        return design.trials
    return np.ones(fit.n)
