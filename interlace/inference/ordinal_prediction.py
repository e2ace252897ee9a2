"""Predictions of ordered categories with their standard errors, as an object like `Prediction`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..calls import checked_methods
from ..printing import paragraph
from .ordinal import limits, with_errors

if TYPE_CHECKING:
    from .ordinal import AnyOrdinal

__all__ = ["OrdinalPrediction", "get_prediction"]

# Rows of predictions shown in a notebook.
SHOWN_ROWS = 10


@checked_methods
@dataclass(frozen=True)
class OrdinalPrediction:
    """Predictions of ordered categories with their standard errors.

    Attributes
    ----------
    mean : ndarray, shape (r, q)
        Predicted probabilities of the categories, or what ``type`` asked for.
    se : ndarray, shape (r, q)
        Standard errors, by the delta method on all parameters.
    columns : tuple or None
        Labels of the categories (thresholds); None where there is one number a row.
    index : Index
    type : str
        What they are of: ``"prob"``, ``"cum.prob"``, ``"linear.predictor"``, ``"mean.class"`` or
        ``"link"``.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.clmm("rating ~ temp + (1 | judge)", il.load_dataset("wine"))
    >>> p = m.get_prediction({"temp": ["cold", "warm"]}, include_re=False)
    >>> p.summary_frame()["mean_ci_lower"].round(3).loc[0].tolist()
    [0.032, 0.348, 0.165, 0.014, 0.003]
    """

    mean: np.ndarray
    se: np.ndarray
    columns: tuple[Any, ...] | None
    index: pd.Index
    type: str = "prob"

    def __repr__(self) -> str:
        rows = "1 row" if len(self.index) == 1 else f"{len(self.index)} rows"
        each = "" if self.columns is None else f" for {len(self.columns)} columns each"
        return f"Predictions of {rows}, type {self.type!r}{each}; summary_frame() has them all"

    def _repr_html_(self) -> str:
        return paragraph(repr(self)) + self.summary_frame().to_html(max_rows=SHOWN_ROWS)

    def summary_frame(self, alpha: float = 0.05) -> pd.DataFrame:
        """Predictions with standard errors and intervals.

        Parameters
        ----------
        alpha : float, default 0.05
            One minus the level of the intervals, of probabilities those of their logits, as in R.

        Returns
        -------
        DataFrame
            ``mean, mean_se, mean_ci_lower, mean_ci_upper``, each with a column for each category
            (threshold) below it.
        """
        lower, upper = self._limits(alpha)
        blocks = {"mean": self.mean, "mean_se": self.se}
        return self._framed({**blocks, "mean_ci_lower": lower, "mean_ci_upper": upper})

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Intervals of the predictions: ``lower, upper``, with the categories below.

        Parameters
        ----------
        alpha : float, default 0.05

        Returns
        -------
        DataFrame
        """
        lower, upper = self._limits(alpha)
        return self._framed({"lower": lower, "upper": upper})

    def _limits(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        return limits(self.type, self.mean, self.se, 1.0 - alpha)

    def _framed(self, blocks: dict[str, np.ndarray]) -> pd.DataFrame:
        if self.columns is None:
            values = {name: block[:, 0] for name, block in blocks.items()}
            return pd.DataFrame(values, index=self.index)
        names = pd.MultiIndex.from_product([list(blocks), list(self.columns)])
        return pd.DataFrame(np.concatenate(list(blocks.values()), 1), self.index, names)


def get_prediction(
    fit: AnyOrdinal,
    newdata: Any,
    type: str,
    include_re: Any,
    new_levels: str,
    offset: Any,
    marginal: bool,
) -> OrdinalPrediction:
    """Predictions of a type with their standard errors."""
    asked = include_re, new_levels, offset, marginal
    kind, names, index, values, se = with_errors(fit, newdata, type, *asked)
    columns = None if names is None else tuple(names)
    return OrdinalPrediction(values, se, columns, index, kind)
