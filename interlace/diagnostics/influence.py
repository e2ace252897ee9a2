"""Influence of single rows: leverages and Cook's distances, theta held fixed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from ..errors import ArgumentError
from ..inference.components import has_components, parts
from ..inference.joint_variance import joint_variance
from ..inference.prediction import prediction_rows
from ..inference.which_effects import which_effects
from .residuals import residual_array

if TYPE_CHECKING:
    from ..models.glm import GLMFit
    from ..models.kinds import AnyFit, MixedFit
    from ..models.regression import RegressionFit


def hat_values(fit: AnyFit) -> np.ndarray:
    """Diagonal of the matrix that maps y to the fitted values, given theta, (n,).

    Of a generalised model that of the weighted least squares problem at the modes; lme4, which
    warns, multiplies by prior weights there instead of the working ones.
    """
    if has_components(fit):
        raise ArgumentError(
            "leverages, and Cook's distances which are made of them, are of models with one linear "
            f"predictor; this one has {', '.join(parts(fit))}: a row moves several of them, and no "
            "single number says how much. Fit again without the row to see what it does"
        )
    if not fit.T:
        return cast("GLMFit | RegressionFit", fit).hat
    # Var(x'beta_hat + z'(b_hat - b)) / s^2 is the diagonal of [X Z] (normal equations)^{-1}
    # [X Z]': with the weight of the row, its leverage.
    mixed = cast("MixedFit", fit)
    everything = which_effects(mixed, True)
    rows = prediction_rows(fit, None, everything, "error")
    variance = joint_variance(mixed, rows, everything, [fit.design.current])
    return variance / (fit.re_scale or np.nan) ** 2 * fit.working_weights


def cooks_distance(fit: AnyFit, hat: np.ndarray | None = None) -> np.ndarray:
    """``(pearson / (1 - hat))^2 hat / (dispersion p)``, as R's, (n,)."""
    hat = hat_values(fit) if hat is None else hat
    residual = residual_array(fit, "pearson", scaled=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (residual / (1.0 - hat)) ** 2 * hat / fit.p
