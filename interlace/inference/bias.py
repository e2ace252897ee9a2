"""The spread of what means of a response are taken over, for their correction of bias."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..calls import number
from ..errors import ArgumentError

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

__all__ = ["checked_sigma"]


def checked_sigma(fit: AnyFit, sigma: float | None, bias_adjust: bool) -> float:
    """The standard deviation for the correction; 0 without one."""
    if not bias_adjust:
        if sigma is not None:
            raise ArgumentError(
                "sigma= is the standard deviation of the bias adjustment: give bias_adjust=True "
                "with it, or leave it out"
            )
        return 0.0
    if sigma is not None:
        sigma = number("sigma", sigma)
        if sigma <= 0.0:
            raise ArgumentError(f"sigma must be above zero, got {sigma:g}")
        return sigma
    if not fit.T:
        raise ArgumentError(
            "bias_adjust=True needs sigma=, the standard deviation of what varies on the scale of "
            "the linear predictor: this model has no random effects"
        )
    variance = float(fit.dispersion) if fit.linear else 0.0
    for T, factor in zip(fit.T, fit.design.factors, strict=True):
        if T.shape[0] != 1 or not np.all(factor.Z == 1.0):
            raise ArgumentError(
                f"bias_adjust=True needs sigma=: the random effects of {factor.name!r} are not an "
                "intercept alone, so that their variance differs between rows; m.VarCorr() has it"
            )
        variance += fit.re_scale**2 * float(T[0, 0]) ** 2
    return float(np.sqrt(variance))
