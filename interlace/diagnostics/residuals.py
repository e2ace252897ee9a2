"""Residuals and weights of the rows of a fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..calls import one_of
from ..errors import ArgumentError
from ..inference.components import dispersion_by_row

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

RESIDUALS = ("response", "pearson", "deviance", "working", "normalized")
NORMALISED = {"normalised": "normalized"}
WEIGHTS = ("prior", "working")


def residual_array(fit: AnyFit, type: str = "response", scaled: bool = False) -> np.ndarray:
    """Residuals of the rows of the fit, (n,).

    With weights w (times the trials of a binomial response): ``y - mu``;
    ``(y - mu) sqrt(w / V(mu))``; the root of the row's part of the deviance, signed as ``y - mu``;
    ``(y - mu) / (d mu / d eta)``. For a linear model that is ``y - fitted``, times ``sqrt(w)`` for
    pearson and deviance. ``scaled`` divides by the root of the dispersion, sigma in a linear model;
    so are Pearson's residuals in any case where the dispersion differs between rows.
    ``"normalized"`` ones of a linear model are divided by the root of the covariance matrix of
    all residuals: with correlations between them they are independent.
    """
    type = one_of("type", NORMALISED.get(type, type), RESIDUALS)
    if type == "normalized":
        return _normalised(fit)
    y, w = fit.observations.y, fit.observations.weights
    raw = y - fit.mu
    with np.errstate(divide="ignore", invalid="ignore"):
        if type in ("pearson", "deviance") and fit.family.residual_variance:
            out = raw * np.sqrt(w)
        elif type == "pearson":
            out = np.sign(raw) * np.sqrt(_pearson(fit))
        elif type == "deviance":
            # Rounding can leave a part of zero a hair below zero.
            parts = np.maximum(fit.family.deviance(y, fit.mu, w, fit.zeta), 0.0)
            out = np.sign(raw) * np.sqrt(parts)
        else:
            out = raw / fit.family.mean_slope(fit.eta, fit.zeta) if type == "working" else raw
    # 0 / 0: a mean on the border of its range and the response that it foretells.
    out = np.where(raw == 0.0, 0.0, out)
    if fit.phi.size:  # their variances differ
        return out / (fit.sigma or np.nan) if scaled or type == "pearson" else out
    dispersion = dispersion_by_row(fit)
    if np.ndim(dispersion):
        return out / np.sqrt(dispersion) if scaled or type == "pearson" else out
    return out / (fit.sigma or np.nan) if scaled else out


def _normalised(fit: AnyFit) -> np.ndarray:
    """Residuals of a linear model as they would be standard normal and independent, (n,)."""
    if not fit.linear:
        raise ArgumentError(
            f"type='normalized' is for linear models; the family here is {fit.family.name!r}. "
            "type='pearson' and m.simulated_residuals() are for all models"
        )
    return fit.normalised()


def _pearson(fit: AnyFit) -> np.ndarray:
    """The squares of Pearson's residuals, (n,)."""
    o = fit.observations
    values = o.y, fit.mu, o.weights, fit.zeta
    if fit.family.support == "proportion":
        return fit.family.pearson(*values, o.trials)
    return fit.family.pearson(*values)


def default_type(fit: AnyFit) -> str:
    """R's: response for linear models and where the family has no deviance, else deviance."""
    return "deviance" if not fit.linear and fit.family.has_deviance else "response"


def weight_array(fit: AnyFit, type: str = "prior") -> np.ndarray:
    """Weights of the rows of the fit, (n,).

    Those of the call times the trials of a binomial response (prior), or those of the weighted
    least squares that the fit solves (working); the same for a linear model.
    """
    type = one_of("type", type, WEIGHTS)
    return (fit.observations.weights if type == "prior" else fit.working_weights).copy()
