"""R's own deletion diagnostics of generalised linear models (``lm.influence``).

With unscaled covariance C = (X'WX)^{-1}, leverages h and deviance residuals e, which R takes in the
place of working ones:

    dfbeta_i = C x_i sqrt(w_i) e_i / (1 - h_i),
    sigma_(i)^2 = (sum e^2 - e_i^2 / (1 - h_i)) / (n - p - 1),
    dfbetas_i = dfbeta_i / (sigma_(i) sqrt(diag C)),
    rstudent_i = sign(e_i) sqrt(e_i^2 + h_i r_i^2 / (1 - h_i)) / sigma_(i),

r Pearson's residuals; the last without sigma_(i) where the family has no dispersion.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from ..errors import ArgumentError
from .residuals import residual_array

if TYPE_CHECKING:
    from ..models.glm import GLMFit
    from ..models.kinds import AnyFit


class GLMDeletion(NamedTuple):
    """Changes of the coefficients, (n, p), and studentised residuals, (n,)."""

    dfbeta: np.ndarray
    dfbetas: np.ndarray
    rstudent: np.ndarray


def glm_deletion(fit: AnyFit) -> GLMDeletion:
    """Of a fit by iteratively reweighted least squares; refused for others."""
    if not fit.irls:
        raise ArgumentError(
            "R defines these for models that iteratively reweighted least squares fits; "
            "m.influence() measures the change of the coefficients in any other"
        )
    fit = cast("GLMFit", fit)
    h, e = fit.hat, residual_array(fit, "deviance")
    pearson = residual_array(fit, "pearson")
    with np.errstate(divide="ignore", invalid="ignore"):
        stretched = np.sqrt(fit.working_weights) * e / (1.0 - h)
        dfbeta = (fit.design.X @ fit.unscaled) * stretched[:, None]
        rest = np.sum(e**2) - e**2 / (1.0 - h)
        sigma = np.sqrt(np.maximum(rest, 0.0) / (fit.n - fit.p - 1))
        dfbetas = dfbeta / (sigma[:, None] * np.sqrt(np.diagonal(fit.unscaled)))
        student = np.sign(e) * np.sqrt(e**2 + h * pearson**2 / (1.0 - h))
        if fit.family.name not in ("binomial", "poisson"):
            student = student / sigma
    return GLMDeletion(dfbeta, dfbetas, student)
