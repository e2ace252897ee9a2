"""Linear predictors of rows to predict, and their means."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..design.indicators import row_products
from .components import coefficients
from .which_effects import of_predictors

if TYPE_CHECKING:
    from ..models.kinds import AnyFit
    from .prediction_rows import PredictionRows


def linear_predictor(fit: AnyFit, rows: PredictionRows, masks: list[np.ndarray]) -> np.ndarray:
    """X beta + offset + the chosen part of Z b of the fit's own linear predictor, (r,)."""
    return _predictor(fit, fit.design.current, fit.beta, rows, masks)


def _predictor(
    fit: AnyFit, name: str, beta: np.ndarray, rows: PredictionRows, masks: list[np.ndarray]
) -> np.ndarray:
    return rows.predictors[name].X @ beta + given_part(fit, name, rows, masks)


def given_part(fit: AnyFit, name: str, rows: PredictionRows, masks: list[np.ndarray]) -> np.ndarray:
    """What coefficients do not move: the offset and the chosen part of Z b, (r,)."""
    offset = rows.predictors[name].offset
    out = np.zeros(len(rows.index)) if offset is None else np.asarray(offset)
    for (codes, Z), b, mask in zip(rows.factors, fit.b, of_predictors(fit, masks, [name])):
        if mask.any():
            known = codes >= 0
            part = row_products(Z, np.where(known, codes, 0), b * mask)
            out = out + np.where(known, part, 0.0)
    return out


def all_predictors(fit: AnyFit, rows: PredictionRows, masks: list[np.ndarray]) -> np.ndarray:
    """Linear predictors, zero where they are not needed, (K, r)."""
    zero = np.zeros(len(rows.index))
    return np.stack(
        [
            _predictor(fit, name, beta, rows, masks) if name in rows.predictors else zero
            for name, beta in coefficients(fit).items()
        ]
    )


def inverse_link(fit: AnyFit, eta: np.ndarray) -> np.ndarray:
    """Means of linear predictors; missing where these leave the range of the link, (r,)."""
    return _where_valid(fit, fit.family.mean, eta)


def mean_slope(fit: AnyFit, eta: np.ndarray) -> np.ndarray:
    """|d mean / d linear predictor|, (r,); missing where :func:`inverse_link` is."""
    return np.abs(_where_valid(fit, fit.family.mean_slope, eta))


def _where_valid(fit: AnyFit, function: Callable[..., np.ndarray], eta: np.ndarray) -> np.ndarray:
    valid = fit.family.valid(eta)
    if valid.all():
        return function(eta, fit.zeta)
    out = np.full(eta.shape, np.nan)
    out[valid] = function(eta[valid], fit.zeta)
    return out
