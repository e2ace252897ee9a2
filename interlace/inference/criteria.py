"""Criteria of a whole fit: AIC, BIC, deviance, and what its family estimates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..models.lmm import LMMFit

if TYPE_CHECKING:
    from ..models.kinds import AnyFit, MixedFit


def aic(fit: AnyFit) -> float:
    """Akaike's criterion, -2 llf + 2 parameters; of the REML criterion for a REML fit."""
    return float(fit.criterion + 2.0 * fit.n_parameters)


def bic(fit: AnyFit) -> float:
    """Schwarz's criterion, -2 llf + log(n) parameters; of the REML criterion for a REML fit."""
    return float(fit.criterion + np.log(fit.n) * fit.n_parameters)


def deviance(fit: MixedFit) -> float:
    """Deviance as lme4's.

    Of a linear model -2 log-likelihood, for a REML fit at its theta with beta and sigma profiled
    out; of a generalised one the sum of squared deviance residuals at the modes.
    """
    if not isinstance(fit, LMMFit):
        o = fit.observations
        return float(fit.family.deviance(o.y, fit.mu, o.weights, fit.zeta).sum())
    if not fit.is_reml:
        return fit.criterion
    return fit.objective.as_ml().evaluate(fit.x, order=0).value


def own_parameters(fit: AnyFit) -> dict[str, float]:
    """The parameters of the family by name: all of them are precisions."""
    return dict(zip(fit.family.parameters, np.exp(fit.zeta).tolist(), strict=True))
