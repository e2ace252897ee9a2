"""The rows of a prediction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from ..calls import one_of
from ..design.indicators import row_scaled
from ..design.newdata import NEW_LEVELS, NewDesign, NewPredictor
from ..errors import ArgumentError, DataError
from .components import coefficients
from .random_effects import effect_predictors

if TYPE_CHECKING:
    from ..models.kinds import AnyFit, MixedFit


@dataclass(frozen=True)
class PredictionRows:
    """Linear predictors and Z of the rows to predict: those of the fit, or new ones.

    Attributes
    ----------
    predictors : dict of str -> (X, offset)
        X (r, p) and offset (r,) or None of the linear predictors that are needed.
    index : Index
    factors : list of (codes, Z), one per grouping factor
        Codes are -1 for levels that the fit does not know.
    lacking : str or None
        Why Z is not known of the factors that do not enter.
    rest : dict of int -> (r, k) ndarray
        By grouping factor with a known covariance: covariates times the root of the variance of
        the rows' levels given the levels with rows.
    moves : ndarray, shape (r, n_x), or None
        Derivatives in the variance parameters of what of a forecast is neither of coefficients nor
        of random effects.
    forecast : ndarray of bool, shape (r,), or None
        Whether residuals of known rows enter.
    """

    predictors: Mapping[str, NewPredictor]
    index: pd.Index
    factors: list[tuple[np.ndarray, np.ndarray]]
    lacking: str | None = None
    rest: Mapping[int, np.ndarray] = field(default_factory=dict)
    moves: np.ndarray | None = None
    forecast: np.ndarray | None = None

    @property
    def X(self) -> np.ndarray:  # noqa: N802
        """Model matrix of the only linear predictor, (r, p)."""
        (predictor,) = self.predictors.values()
        return predictor.X

    def sloped(self, fit: AnyFit, slopes: np.ndarray) -> PredictionRows:
        """The rows of a function of all linear predictors, to first order, slopes (K, r).

        X has the coefficients of all predictors side by side, zero where one is not needed.
        """
        own = dict(zip(fit.design.predictors, slopes, strict=True))
        blocks = [
            self.predictors[name].X * own[name][:, None]
            if name in self.predictors
            else np.zeros((slopes.shape[1], beta.size))
            for name, beta in coefficients(fit).items()
        ]
        X = np.concatenate(blocks, axis=1)
        factors = [
            (codes, row_scaled(Z, slopes, factor.predictor))
            for (codes, Z), factor in zip(self.factors, fit.design.factors, strict=True)
        ]
        rest = {
            b: own * slopes[effect_predictors(cast("MixedFit", fit), b)].T
            for b, own in self.rest.items()
        }
        predictors = {fit.design.current: NewPredictor(X, None)}
        return replace(self, predictors=predictors, factors=factors, rest=rest)


def prediction_rows(
    fit: AnyFit,
    newdata: Any,
    masks: list[np.ndarray],
    new_levels: str,
    offset: Any = None,
    spread: bool = False,
    names: Collection[str] | None = None,
) -> PredictionRows:
    """The rows to predict: those of newdata, or of the fit without any.

    Z is made of the grouping factors that the masks let enter; with ``spread`` of all of them, if
    newdata has what it is made of. ``offset`` is in place of the ``offset=`` of the fit. ``names``
    are the linear predictors needed, by default the fit's own.
    """
    new_levels = one_of("new_levels", new_levels, NEW_LEVELS)
    design = fit.design
    names = [design.current] if names is None else names
    if newdata is None:
        if offset is not None:
            raise ArgumentError("offset= belongs to newdata; the rows of the fit have their own")
        own = {name: design.predictors[name] for name in names}
        predictors = {name: NewPredictor(p.X, p.offset) for name, p in own.items()}
        return PredictionRows(predictors, design.index, [(f.codes, f.Z) for f in design.factors])
    used = [b for b, mask in enumerate(masks) if mask.any()]
    rest = [b for b in range(len(masks)) if b not in used] if spread else []
    lacking = None
    # parameters without a formula are not known to the formulas' recipe
    constant = [] if design.recipe is None else [n for n in names if n not in design.recipe.fixed]
    arguments = {
        "new_levels": new_levels,
        "factors": used,
        "offset": offset,
        "predictors": [n for n in names if n not in constant],
    }
    try:
        new = design.on(newdata, spread=rest, **arguments)
    except DataError as error:
        if not rest:
            raise
        lacking = str(error)
    if lacking is not None:  # an error of the others is said where they are needed
        new = design.on(newdata, **arguments)
    return PredictionRows(_with(new, constant), new.index, list(new.factors), lacking, new.rest)


def _with(new: NewDesign, constant: list[str]) -> Mapping[str, NewPredictor]:
    """The new predictors, and those that are one number for all rows."""
    ones = np.broadcast_to(1.0, (len(new.index), 1))
    return {**new.predictors, **{name: NewPredictor(ones, None) for name in constant}}
