"""The rows of a prediction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..calls import one_of
from ..design.newdata import NEW_LEVELS
from ..errors import ArgumentError, DataError

if TYPE_CHECKING:
    from ..models.kinds import AnyFit


@dataclass(frozen=True)
class PredictionRows:
    """X, Z and offset of the rows to predict: those of the fit, or new ones.

    Attributes
    ----------
    X : ndarray, shape (r, p)
    offset : ndarray, shape (r,), or None
    index : Index
    factors : list of (codes, Z), one per grouping factor
        Codes are -1 for levels that the fit does not know.
    lacking : str or None
        Why Z is not known of the factors that do not enter.
    """

    X: np.ndarray
    offset: np.ndarray | None
    index: pd.Index
    factors: list[tuple[np.ndarray, np.ndarray]]
    lacking: str | None = None


def prediction_rows(
    fit: AnyFit,
    newdata: Any,
    masks: list[np.ndarray],
    new_levels: str,
    offset: Any = None,
    spread: bool = False,
) -> PredictionRows:
    """The rows to predict: those of newdata, or of the fit without any.

    Z is made of the grouping factors that the masks let enter; with ``spread`` of all of them, if
    newdata has what it is made of. ``offset`` is in place of the ``offset=`` of the fit.
    """
    new_levels = one_of("new_levels", new_levels, NEW_LEVELS)
    design = fit.design
    if newdata is None:
        if offset is not None:
            raise ArgumentError("offset= belongs to newdata; the rows of the fit have their own")
        factors = [(f.codes, f.Z) for f in design.factors]
        return PredictionRows(design.X, design.offset, design.index, factors)
    used = [b for b, mask in enumerate(masks) if mask.any()]
    rest = [b for b in range(len(masks)) if b not in used] if spread else []
    lacking = None
    try:
        new = design.on(newdata, new_levels=new_levels, factors=used, offset=offset, spread=rest)
    except DataError as error:
        if not rest:
            raise
        # an error of the others is said where they are needed
        new = design.on(newdata, new_levels=new_levels, factors=used, offset=offset)
        lacking = str(error)
    return PredictionRows(new.X, new.offset, new.index, list(new.factors), lacking)
