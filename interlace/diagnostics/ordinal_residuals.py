"""Residuals of ordered categories, which have no difference from a mean.

References
----------
Li and Shepherd (2012), A new residual for ordinal outcomes, Biometrika 99, 473-480. Liu and Zhang
(2018), Residuals and diagnostics for ordinal regression models: a surrogate approach, Journal of
the American Statistical Association 113, 845-854. Dunn and Smyth (1996), Randomized quantile
residuals, Journal of Computational and Graphical Statistics 5, 236-244.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..calls import one_of
from ..errors import ArgumentError
from ..inference.simulate import generator

if TYPE_CHECKING:
    from ..models.ordinal import OrdinalFit, OrdinalMixedFit

ORDINAL_RESIDUALS = ("probability", "surrogate", "quantile")
#: Residuals of numbers, which categories are not.
OF_NUMBERS = ("response", "pearson", "deviance", "working")
EULER = float(np.euler_gamma)
# Means of the links' distributions; Cauchy's has none, and its median stands for it.
CENTRES = {"cloglog": -EULER, "loglog": EULER}
# Nearer to 0 and 1 a quantile is not told from an infinite one.
TINY = float(np.finfo(float).tiny)
BELOW_ONE = 1.0 - 2.0**-53


def ordinal_residuals(
    fit: OrdinalFit | OrdinalMixedFit, type: str = "probability", seed: Any = 1
) -> np.ndarray:
    """Residuals of the rows, (n,), at the modes of the random effects.

    P(Y < y) - P(Y > y), from -1 to 1; a draw of the latent variable within its category less its
    expectation, in units of the link's distribution; the same as a normal quantile. Draws are the
    same for a seed.
    """
    if type in OF_NUMBERS:
        raise ArgumentError(
            f"type={type!r}: categories have no difference from a mean. Residuals of ordered "
            "categories are 'probability', P(Y < y) - P(Y > y), 'surrogate' and 'quantile', which "
            "draw the latent variable within its category"
        )
    type = one_of("type", type, ORDINAL_RESIDUALS)
    family, y = fit.family, fit.observations.y
    eta, thresholds = fit.standard(fit.eta)
    below = family.cdf_of(y - 1.0, eta, zeta=thresholds)
    upto = family.cdf_of(y, eta, zeta=thresholds)
    if type == "probability":
        return below + upto - 1.0
    u = below + (upto - below) * generator(seed).random(len(y))
    u = np.clip(u, TINY, BELOW_ONE)
    if type == "quantile":
        from scipy.special import ndtri

        return ndtri(u)
    return family.link(u) - CENTRES.get(family.link.name, 0.0)
