"""Conditional covariances of the random effects, given the variance parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..linalg.factor.base import Factor
from ..linalg.factor.choose import choose_factor
from ..models.lmm import LMMFit
from ..objective.linear.marginal import Marginal

if TYPE_CHECKING:
    from ..models.kinds import MixedFit


def factor_at_optimum(fit: MixedFit) -> Marginal | Factor:
    """The factorisation of M = Lambda'Z'WZ Lambda + I, brought to the optimum.

    Parameters
    ----------
    fit : LMMFit or GLMMFit
        W are its prior weights if it is linear, else its working weights.

    Returns
    -------
    Marginal or Factor
        Its ``solve`` and ``inverse_blocks`` refer to the fit's theta until it is updated again.
    """
    if isinstance(fit, LMMFit):
        return fit.objective.marginal_at(fit.x)
    problem = fit.objective.problem
    weights, order = fit.working_weights, problem.order
    factor = choose_factor(problem.Z.set_weights(weights if order is None else weights[order]))
    factor.refactor(fit.scale.templates(fit.x[: fit.covariance.n_theta]))
    return factor


def conditional_covariances(fit: MixedFit, factor: int) -> np.ndarray:
    """Covariance of the modes of each level, given all parameters.

    Parameters
    ----------
    fit : LMMFit or GLMMFit
    factor : int
        Index into ``design.factors``.

    Returns
    -------
    ndarray, shape (l_b, k_b, k_b)
        s^2 T (M^{-1})_ll T', s the scale of the random effects: sigma, or 1 for a generalised
        model.
    """
    if not isinstance(fit, LMMFit):
        return fit.cond_cov(factor)
    T = fit.T[factor]
    return fit.sigma**2 * (T @ factor_at_optimum(fit).inverse_blocks(factor) @ T.T)


def conditional_sd(fit: MixedFit, factor: int) -> np.ndarray:
    """Conditional standard deviations of the modes, given all parameters.

    Parameters
    ----------
    fit : LMMFit or GLMMFit
    factor : int

    Returns
    -------
    ndarray, shape (l_b, k_b)
    """
    variances = np.diagonal(conditional_covariances(fit, factor), axis1=1, axis2=2)
    # Rounding can leave a zero variance a hair below zero.
    return np.sqrt(np.maximum(variances, 0.0))
