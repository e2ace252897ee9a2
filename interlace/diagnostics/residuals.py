"""Residuals and weights of the rows of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..calls import one_of
from ..models.lmm import LMMFit

if TYPE_CHECKING:
    from ..models.kinds import AnyFit, GeneralisedFit

RESIDUALS = ("response", "pearson", "deviance", "working")
WEIGHTS = ("prior", "working")


def residual_array(fit: AnyFit, type: str = "response", scaled: bool = False) -> np.ndarray:
    """Residuals of the rows of the fit, (n,).

    With weights w (times the trials of a binomial response): ``y - mu``;
    ``(y - mu) sqrt(w / V(mu))``; the root of the row's part of the deviance, signed as ``y - mu``;
    ``(y - mu) / (d mu / d eta)``. For a linear model that is ``y - fitted``, times ``sqrt(w)`` for
    pearson and deviance. ``scaled`` divides by the root of the dispersion, sigma in a linear model.
    """
    type = one_of("type", type, RESIDUALS)
    if not isinstance(fit, LMMFit):
        out = _generalised_residuals(fit, type)
        return out / np.sqrt(fit.dispersion) if scaled else out
    out = fit.design.y - fit.fitted
    if type in ("pearson", "deviance") and fit.design.weights is not None:
        out = out * np.sqrt(fit.design.weights)
    return out / (fit.sigma or np.nan) if scaled else out


def _generalised_residuals(fit: GeneralisedFit, type: str) -> np.ndarray:
    y, w = fit.observations.y, fit.observations.weights
    raw = y - fit.mu
    if type == "pearson":
        with np.errstate(divide="ignore", invalid="ignore"):
            out = np.sign(raw) * np.sqrt(fit.family.pearson(y, fit.mu, w, fit.zeta))
        # 0 / 0: a mean on the border of its range and the response that it foretells.
        return np.where(raw == 0.0, 0.0, out)
    if type == "deviance":
        parts = fit.family.deviance(y, fit.mu, w, fit.zeta)
        # Rounding can leave a part of zero a hair below zero.
        return np.sign(raw) * np.sqrt(np.maximum(parts, 0.0))
    if type == "working":
        with np.errstate(divide="ignore", invalid="ignore"):
            out = raw / fit.family.mean_slope(fit.eta, fit.zeta)
        return np.where(raw == 0.0, 0.0, out)
    return raw


def weight_array(fit: AnyFit, type: str = "prior") -> np.ndarray:
    """Weights of the rows of the fit, (n,).

    Those of the call times the trials of a binomial response (prior), or those of the weighted
    least squares that the fit solves (working); the same for a linear model.
    """
    type = one_of("type", type, WEIGHTS)
    if isinstance(fit, LMMFit):
        given = fit.design.weights
        return np.ones(fit.n) if given is None else given.copy()
    return (fit.observations.weights if type == "prior" else fit.working_weights).copy()
