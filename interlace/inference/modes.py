"""Conditional covariances of the random effects, given the variance parameters."""

from __future__ import annotations

import numpy as np

from ..fit import Fit
from ..linalg.marginal import Marginal


def marginal_at_optimum(fit: Fit) -> Marginal:
    """The factorisation of M, brought to the optimum.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    Marginal
        Its ``solve`` and ``inverse_blocks`` refer to the fit's theta until it is updated again.
    """
    return fit.objective.marginal_at(fit.x)


def conditional_covariances(fit: Fit, factor: int) -> np.ndarray:
    """Covariance of the modes of each level, given theta, beta and sigma.

    Parameters
    ----------
    fit : Fit
    factor : int
        Index into ``design.factors``.

    Returns
    -------
    ndarray, shape (l_b, k_b, k_b)
        sigma^2 T (M^{-1})_ll T'.
    """
    T = fit.T[factor]
    return fit.sigma**2 * (T @ marginal_at_optimum(fit).inverse_blocks(factor) @ T.T)


def conditional_sd(fit: Fit, factor: int) -> np.ndarray:
    """Conditional standard deviations of the modes.

    Parameters
    ----------
    fit : Fit
    factor : int

    Returns
    -------
    ndarray, shape (l_b, k_b)
    """
    variances = np.diagonal(conditional_covariances(fit, factor), axis1=1, axis2=2)
    # Rounding can leave a zero variance a hair below zero.
    return np.sqrt(np.maximum(variances, 0.0))
