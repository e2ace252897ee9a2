"""Random effects by level as users have them, whatever columns of Z they are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ..models.kinds import MixedFit


def effect_predictors(fit: MixedFit, factor: int) -> np.ndarray:
    """The place of the linear predictor of each effect of a level, (k,)."""
    return fit.design.factors[factor].predictor[effect_places(fit, factor)]


def effect_places(fit: MixedFit, factor: int) -> np.ndarray:
    """The columns of Z of the effects of one level, or of those of one of its copies, (k,)."""
    terms = fit.covariance.terms_of(factor)
    return np.concatenate([np.arange(len(t.names)) + t.start for t in terms])


def modes(fit: MixedFit, factor: int) -> np.ndarray:
    """Conditional modes of the levels, (l, k)."""
    known, b = fit.design.factors[factor].known, fit.b[factor]
    if known is None:
        return b
    terms = fit.covariance.terms_of(factor)
    parts = [b[0, t.columns].reshape(known.rank, -1) for t in terms]
    return known.root @ np.concatenate(parts, axis=1)


def conditional_sd(fit: MixedFit, factor: int) -> np.ndarray:
    """Conditional standard deviations of the modes, given all parameters, (l, k)."""
    known = fit.design.factors[factor].known
    if known is None:
        variances = fit.cond_variances(factor)
    else:
        covariance, T = fit.cond_cov(factor)[0], fit.T[factor]
        parts = []
        for term in fit.covariance.terms_of(factor):
            k = len(term.names)
            for j in range(k):
                at = np.arange(term.width)[j::k] + term.start
                own = np.einsum("ij,ij->i", known.root @ covariance[np.ix_(at, at)], known.root)
                parts.append(own + known.rest * (fit.re_scale**2 * float(T[at[0]] @ T[at[0]])))
        variances = np.stack(parts, axis=1)
    # Rounding can leave a zero variance a hair below zero.
    return np.sqrt(np.maximum(variances, 0.0))
