"""Marginal means of ordered categories: of the latent variable, of categories, probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..calls import level as checked_level
from ..calls import one_of
from ..design.predictor import MEAN, NOMINAL, SCALE
from ..errors import ArgumentError
from ..families.links.power import Identity
from .estimates import Basis, Scale
from .marginal_means import MarginalMeans, averaged_over
from .ordinal import (
    OrdinalRows,
    Quantity,
    cumulative,
    cumulative_predictors,
    mean_class,
    probabilities,
    rows_at,
)
from .reference_grid import (
    WEIGHTS,
    cells_of_nests,
    grid_rows,
    named_variables,
    nested_in,
    reference_grid,
    shares,
)

if TYPE_CHECKING:
    from ..models.ordinal import OrdinalFit, OrdinalMixedFit

#: The variable that thresholds are the levels of, as in emmeans.
CUT = "cut"
#: Modes whose means are no responses.
ON_PREDICTORS = ("latent", "linear.predictor")


def _latent(own: OrdinalRows) -> Quantity:
    """eta less the mean of the thresholds."""
    z = cumulative_predictors(replace(own, tau=np.ones(len(own.eta))))
    return Quantity(*(-part.mean(axis=1, keepdims=True) for part in z))


def _exceedance(own: OrdinalRows) -> Quantity:
    C = cumulative(own)
    return Quantity(1.0 - C.values, -C.in_eta, -C.in_zeta)


MODES = {
    "latent": _latent,
    "mean.class": mean_class,
    "prob": probabilities,
    "cum.prob": cumulative,
    "exc.prob": _exceedance,
    "linear.predictor": cumulative_predictors,
}


def ordinal_means(
    fit: OrdinalFit | OrdinalMixedFit,
    data: Any,
    specs: Any,
    by: Any = None,
    mode: str = "latent",
    at: Mapping[str, Any] | None = None,
    weights: str = "equal",
    level: float = 0.95,
    offset: float | None = None,
) -> MarginalMeans:
    """Marginal means of a mode, as emmeans has them, averaged on the scale of the mode.

    Those of categories or thresholds are within each of these, unless ``specs`` or ``by`` name
    them: the response, or ``"cut"``.
    """
    mode, weights = one_of("mode", mode, MODES), one_of("weights", weights, WEIGHTS)
    specs, by = named_variables(specs, by)
    inner, labels = _inner(fit, mode)
    if inner and inner not in specs + by:
        by = (*by, inner)
    named = tuple(name for name in specs + by if name != inner)
    if not named:
        raise ArgumentError(f"specs names {inner!r} alone; add a variable of the model")
    names = [name for name in (MEAN, NOMINAL, SCALE) if name in fit.design.predictors]
    grid = reference_grid(fit, data, named, dict(at or {}), names)
    nests = nested_in(fit, grid)
    if nests:
        grid = grid[cells_of_nests(fit, grid, nests)].reset_index(drop=True)
    share = shares(fit, data, grid, named, weights, nests)
    quantity, X = _on_grid(fit, data, grid, mode, offset)
    q = quantity.values.shape[1]
    root = np.concatenate([quantity.in_eta[:, :, None] * X[:, None], quantity.in_zeta], axis=2)
    basis = Basis(
        fit, quantity.values.ravel(), root.reshape(len(grid) * q, -1), "normal", all_predictors=True
    )
    cells = grid.loc[np.repeat(np.arange(len(grid)), q)].reset_index(drop=True)
    if inner:
        cells[inner] = np.tile(np.array(labels, dtype=object), len(grid))
    level = checked_level("level", level)
    size = len(cells)
    scale = Scale(Identity()) if mode in ON_PREDICTORS else None
    every = MarginalMeans(
        basis, cells, np.eye(size), np.zeros(size), scale, level, "link", tuple(cells)
    )
    return averaged_over(every, specs, by, np.repeat(share, q))


def _inner(fit: Any, mode: str) -> tuple[str, list[Any]]:
    """The variable whose levels a mode has beside those of the grid, and these; none as a rule."""
    if mode == "prob":
        return fit.design.response_name, fit.levels.tolist()
    if mode in ("cum.prob", "exc.prob", "linear.predictor"):
        return CUT, fit.family.threshold_names
    return "", []


def _on_grid(
    fit: Any, data: Any, grid: pd.DataFrame, mode: str, offset: float | None
) -> tuple[Quantity, np.ndarray]:
    """The values of a mode on the grid, and the columns of the location."""
    rows = grid_rows(fit, data, grid, offset=offset)
    if rows.lost.size and (np.abs(rows.lost) > 0.0).any():
        raise ArgumentError(
            "columns of the location were left out for dependence: means on the grid cannot be "
            "told; leave the terms out of the formula"
        )
    names = [name for name in (NOMINAL, SCALE) if name in fit.design.predictors]
    new = fit.design.on(grid, factors=(), predictors=names).predictors if names else {}
    own = rows_at(fit, rows.X @ fit.location + rows.offset, new)
    return MODES[mode](own), rows.X
