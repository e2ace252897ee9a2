"""Randomised quantile residuals: normal under the model, whatever the family.

Dunn and Smyth (1996): with F the distribution function of a response given its random effects,
Phi^{-1}(F(y)); where F jumps at y, as for counts, F is drawn evenly from the jump.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

# The largest number below 1: residuals beyond 8.2 have no other place.
BELOW_ONE = 1.0 - 2.0**-53
TINY = float(np.finfo(float).tiny)


def quantile_residuals(fit: AnyFit, seed: int = 1) -> np.ndarray:
    """Residuals of the rows, (n,), standard normal if the model is right; the same for a seed."""
    from scipy.special import ndtri

    o, family = fit.observations, fit.family
    if fit.linear:
        return (o.y - fit.mu) * np.sqrt(o.weights) / (fit.sigma or np.nan)
    # just below a response: half a count, or the next number, which passes a jump at 0 or 1
    below = o.y - 0.5 / o.trials if family.discrete else np.nextafter(o.y, -np.inf)
    low, high = (family.cdf_of(y, fit.eta, o.prior, o.trials, fit.zeta) for y in (below, o.y))
    drawn = low + (high - low) * np.random.default_rng(seed).random(fit.n)
    return ndtri(np.clip(drawn, TINY, BELOW_ONE))
