"""Conditional standard deviations of the random effects, given the parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..models.kinds import MixedFit


def conditional_sd(fit: MixedFit, factor: int) -> np.ndarray:
    """Conditional standard deviations of the modes, given all parameters, (l_b, k_b)."""
    variances = fit.cond_variances(factor)
    # Rounding can leave a zero variance a hair below zero.
    return np.sqrt(np.maximum(variances, 0.0))
