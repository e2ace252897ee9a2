"""Criteria of a whole fit: AIC and BIC."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..models.kinds import AnyFit


def aic(fit: AnyFit) -> float:
    """Akaike's criterion, -2 llf + 2 parameters; of the REML criterion for a REML fit."""
    return float(fit.criterion + 2.0 * fit.n_parameters)


def bic(fit: AnyFit) -> float:
    """Schwarz's criterion, -2 llf + log(n) parameters; of the REML criterion for a REML fit."""
    return float(fit.criterion + np.log(fit.n) * fit.n_parameters)
