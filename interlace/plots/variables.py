"""Variables of a model along an axis: numbers as they are, levels at 0, 1, …."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, brief, listing, suggestion
from ..inference.reference_grid import coded_levels
from . import canvas

if TYPE_CHECKING:
    from ..design.design import Design
    from ..models.kinds import AnyFit


@dataclass(frozen=True)
class Variable:
    """A variable in the rows of a fit.

    Attributes
    ----------
    name : str
    values : ndarray, shape (n,)
        As in the data.
    levels : list or None
        Of a factor, in order; None of numbers.
    """

    name: str
    values: np.ndarray
    levels: list[Any] | None

    def positions(self, values: Any = None) -> np.ndarray:
        """Where values stand along an axis; default: those of the rows."""
        values = self.values if values is None else values
        if self.levels is None:
            return np.asarray(values, dtype=float)
        return pd.Index(self.levels).get_indexer(pd.Index(values)).astype(float)

    def on(self, ax: Any) -> None:
        """Name the axis of x, and the levels on it."""
        if self.levels is None:
            ax.set_xlabel(self.name)
        else:
            canvas.many_labels(ax, self.levels, self.name, vertical=True)


def response_label(fit: AnyFit) -> str:
    """The response, for an axis: proportions where it is successes of several trials."""
    several = fit.family.support == "proportion" and bool((fit.observations.trials > 1.0).any())
    return "Proportion" if several else fit.design.response_name


def variable(design: Design, rows: pd.DataFrame, name: str) -> Variable:
    """A variable of the rows of a design."""
    if name not in rows:
        near = suggestion(str(name), list(rows))
        raise ArgumentError(
            f"{brief(name)} is no variable of the model.{near} It has {listing(list(rows))}; after "
            "unpickling only those that stand in the formula as they are, and factors"
        )
    values = rows[name]
    recipe = design.recipe
    known = None if recipe is None else recipe.levels.get(name)
    levels = coded_levels(design, name)
    if known is not None:
        levels = list(known.levels)
    if levels is not None:
        return Variable(name, values.to_numpy(), levels)
    if values.dtype == bool or (recipe is not None and name in recipe.logical):
        return Variable(name, values.to_numpy(dtype=bool), [False, True])
    if pd.api.types.is_numeric_dtype(values):
        return Variable(name, values.to_numpy(dtype=float), None)
    return Variable(name, values.to_numpy(), sorted(values.unique().tolist()))
