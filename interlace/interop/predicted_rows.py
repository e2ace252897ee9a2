"""Predictions of new rows as functions of all coefficients, from one matrix of plain numbers.

Packages that differentiate predictions themselves move the coefficients and ask again; what does
not depend on these, model matrices, offsets and random effects, is made once and handed to them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..design.predictor import MEAN, NOMINAL, SCALE
from ..errors import ArgumentError, ArgumentTypeError, brief, listing
from ..frames.read import whole_frame
from ..inference.components import coefficients, covariance_of_all
from ..inference.linear_predictors import given_part
from ..inference.ordinal import FUNCTIONS, TYPES, OrdinalRows
from ..inference.prediction_rows import prediction_rows
from ..inference.quantities import quantity
from ..inference.which_effects import of_predictors, which_effects
from ..tables.source_rows import rows_of_data

__all__ = ["PredictedOrdinalRows", "PredictedRows", "predicted_rows"]

#: Types of predictions of ordered categories alone, and of all others alone.
OF_CATEGORIES = ("prob", "cum.prob", "mean.class")
OF_MEANS = ("conditional", "zprob")


def predicted_rows(
    result: Any, type: str, include_re: Any, component: str | None, data: Any
) -> PredictedRows:
    """The rows of a result, of the kind that it is."""
    fit, ordered = result.fit, result.fit.ordered
    other = OF_MEANS if ordered else OF_CATEGORIES
    if type in other:
        kinds = "models of ordered categories have" if ordered else "this model has"
        known = ["response", "link", *(OF_CATEGORIES if ordered else OF_MEANS)]
        raise ArgumentError(f"type={type!r}: {kinds} the types {listing(map(repr, known))}")
    if ordered and component is not None:
        raise ArgumentError(
            f"component={brief(component)}: models of ordered categories have predictions of all "
            "their parts together; leave it out"
        )
    masks = which_effects(fit, include_re) if fit.T else []
    if ordered:
        return PredictedOrdinalRows(result, masks, data, type)
    return PredictedRows(result, masks, data, type, component)


class PredictedRows:
    """Predictions of a model with one value for each row.

    Attributes
    ----------
    names : list of str
        Of the coefficients `coef`, whose covariance matrix is `cov`.
    predictors : tuple of str
        Linear predictors that predictions need.
    variables : list of str
        Columns of the data that these are made of.
    """

    def __init__(self, result: Any, masks: list, data: Any, type: str, component: str | None):
        self._set_rows(result, data)
        fit = self.fit
        self.quantity = quantity(fit, type, component)
        self.predictors = self.quantity.predictors
        self.masks = of_predictors(fit, masks, self.predictors)
        self.betas = coefficients(fit)
        self.coef = np.concatenate(list(self.betas.values()))
        self.cov = covariance_of_all(fit)
        self.names = list(fit.design.x_names) if not fit.several else [
            f"{name}: {label}" if name != fit.design.current else label
            for name, beta in self.betas.items()
            for label in self._labels(name, beta.size)
        ]  # fmt: skip

    def _set_rows(self, result: Any, data: Any) -> None:
        fit = result.fit
        self.fit: Any = fit
        recipe = fit.design.recipe
        if recipe is None:
            raise ArgumentError("the model was made from arrays: it has no formula for new rows")
        if recipe.offset_given and recipe.offset_column is None:
            raise ArgumentError(
                "the offset was given as an array, which new rows do not have; make it a column of "
                "the data and fit with offset='column' or offset(column) in the formula"
            )
        self.recipe = recipe
        self.frame = _rows_of_fit(result) if data is None else _rows_given(data)

    def _labels(self, name: str, size: int) -> list[str]:
        fit = self.fit
        if name == fit.design.current:
            return list(fit.design.x_names)
        return [name] if size == 1 and fit.is_number(name) else list(fit.part(name).design.x_names)

    @property
    def variables(self) -> list[str]:
        """Columns of the linear predictors that are needed, with those of their offsets."""
        sides = [self.recipe.fixed[n] for n in self.predictors if n in self.recipe.fixed]
        offsets = [v for side in sides for piece in side.offsets for v in piece.variables]
        names = [v for side in sides for v in side.variables] + offsets
        if MEAN in self.predictors and self.recipe.offset_column is not None:
            names.append(self.recipe.offset_column)
        return list(dict.fromkeys(names))

    def labels(self, name: str) -> dict[str, Any] | None:
        """Text -> level of a column that is a factor of the model, None of other columns."""
        known = self.recipe.levels.get(name)
        levels = self.recipe.coded_columns().get(name) if known is None else known.levels
        return None if levels is None else {str(level): level for level in levels}

    def matrix(self, newdata: pd.DataFrame) -> np.ndarray:
        """X of each predictor that is needed, with a column of its offset and random effects."""
        needed = self.predictors
        rows = prediction_rows(self.fit, newdata, self.masks, "population", names=needed)
        given = [given_part(self.fit, name, rows, self.masks)[:, None] for name in needed]
        both = zip((rows.predictors[name].X for name in needed), given)
        return np.concatenate([part for pair in both for part in pair], axis=1)

    def predictions(self, params: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """The quantity at coefficients, (r,)."""
        etas, start, at = [], 0, 0
        for name, beta in self.betas.items():
            own = params[start : start + beta.size]
            start += beta.size
            if name in self.predictors:
                X, fixed = matrix[:, at : at + beta.size], matrix[:, at + beta.size]
                at += beta.size + 1
                etas.append(X @ own + fixed)
            else:
                etas.append(np.zeros(len(matrix)))
        return np.asarray(self.quantity.value(np.stack(etas)), dtype=float)

    @property
    def groups(self) -> list[str] | None:
        """Names of the columns of predictions, None where there is one for each row."""
        return None


class PredictedOrdinalRows(PredictedRows):
    """Predictions of ordered categories: a column for each; of thresholds, location and scale."""

    def __init__(self, result: Any, masks: list, data: Any, type: str):
        self._set_rows(result, data)
        fit, self.masks = self.fit, masks
        self.kind = TYPES[type]
        own = fit.design.predictors
        self.predictors = tuple(name for name in (MEAN, NOMINAL, SCALE) if name in own)
        reported = fit.reported
        self.names, self.coef, self.cov = reported.names, reported.values, fit.cov_reported

    def predictions(self, params: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        """The quantity at parameters, (r,) or (r, columns)."""
        fit: Any = self.fit
        k, p = fit.n_thresholds, fit.location.size
        zeta = fit.zeta_of(np.concatenate([params[:k], params[k + p :]]))[:k]
        thresholds = fit.family.thresholds
        r, at = len(matrix), p + 1
        eta, tau = matrix[:, :p] @ params[k : k + p] + matrix[:, p], np.ones(r)
        if NOMINAL in self.predictors:
            a = len(fit.nominal_names)
            nominal, at = matrix[:, at : at + a], at + a + 1
            alpha = zeta.reshape(a, -1) @ thresholds.linear.T
        else:
            nominal, alpha = np.ones((r, 1)), thresholds.at(zeta)[None]
        if SCALE in self.predictors:
            delta = params[k + p :]
            tau = np.exp(-(matrix[:, at : at + delta.size] @ delta + matrix[:, at + delta.size]))
        scale = np.zeros((r, 0))
        rows = OrdinalRows(fit, None, [], eta, tau, nominal @ alpha, nominal, scale)
        values = FUNCTIONS[self.kind](rows, False).values
        return values if self.groups is not None else values[:, 0]

    @property
    def groups(self) -> list[str] | None:
        """The categories; of cumulative probabilities all but the last."""
        levels = [str(level) for level in self.fit.levels]
        return {"prob": levels, "cum.prob": levels[:-1]}.get(self.kind)


def _rows_of_fit(result: Any) -> pd.DataFrame:
    """The rows that were used, all columns of the data."""
    fit = result.fit
    if not fit.has_rows:
        raise ArgumentError(f"the fit {fit.design.whereabouts}; give data=, rows to average over")
    frame = whole_frame(result._data)
    if frame is None:
        raise ArgumentError(
            "the data of the fit are not at hand (it was stored, or unpickled); give data=, the "
            "frame that was fitted or other rows to average over"
        )
    rows_of_data(fit.design, frame)  # refuses data that have changed since
    return frame.iloc[fit.design.rows_in(frame)]


def _rows_given(data: Any) -> pd.DataFrame:
    frame = whole_frame(data)
    if frame is None:
        raise ArgumentTypeError(f"data must be a data frame, got {brief(data)}")
    return frame
