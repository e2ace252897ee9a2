"""Responses that a linear model explains without a residual, and very small residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import lapack

from ...linalg.crossproducts.linear import CrossProducts
from .marginal import Marginal

__all__ = [
    "EXACT",
    "ExactFit",
    "LeastSquares",
    "degrees_of_freedom",
    "least_squares",
    "roughly_unexplained",
    "rounding_of",
    "smallest_residual",
]

#: What the optimum of such a model says.
EXACT = (
    "the model fits the response exactly: its residual variance is zero and the likelihood has no "
    "maximum, so that there are no standard errors, tests or variance components. Look for a "
    "column that is the response in other words, or take fewer effects"
)
# Residuals of n rows are right to some eps times the response, the sums behind the coefficients
# to sqrt(n) eps: a residual sum of squares below this many eps^2 times n times the response's own
# is rounding.
ROUNDING = 16.0 * float(np.finfo(float).eps) ** 2
# Relative standard deviation that is as good as infinite, yet leaves M = T'AT + I its identity in
# double precision, and how often V^{-1} is applied: what random effects can explain shrinks by the
# square of the one each time.
BIG = 1e5
TIMES = 4
# Information of a level on its effects, in units of their own, that leaves this share of the rest;
# below what calls for formulas without subtraction (`stacked.LARGE`).
ROUGH = 5e4
# Share of a column that the ones before it leave, where a Cholesky factor has the rest to 1e-10.
CLEAR = 1e-6


class ExactFit(Exception):
    """Raised at x, where the criterion has no value, the residual variance being zero."""

    def __init__(self, x: np.ndarray) -> None:
        super().__init__(EXACT)
        self.x = x


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """The fit of fixed and random effects with no restraint on either."""

    residual: float  # weighted residual sum of squares
    gamma: np.ndarray  # (p,): coefficients of the standardised columns
    b: list[np.ndarray]  # (l_b, k_b): effects of the standardised columns of Z


def smallest_residual(cross: CrossProducts) -> float:
    """The residual sum of squares that is no more than rounding."""
    return rounding_of(cross, cross.total)


def rounding_of(cross: CrossProducts, total: Any) -> Any:
    """The same for responses with these sums of squares, a number or an array."""
    return ROUNDING * cross.n * total + cross.rounding


def roughly_unexplained(marginal: Marginal) -> float:
    """The residual sum of squares of X and Z together, to a share of 1e-4 of that without Z.

    Variances that leave such a share need no more care with digits than usual.
    """
    K = marginal.corner_beside(ROUGH)
    R, info = lapack.dpotrf(K)
    pivots = zip(R.diagonal().tolist()[:-1], K.diagonal().tolist(), strict=False)
    if not info and all(pivot**2 > CLEAR * square for pivot, square in pivots):
        return float(R[-1, -1]) ** 2
    return float(K[-1, -1] - K[-1, :-1] @ np.linalg.lstsq(K[:-1, :-1], K[:-1, -1], rcond=None)[0])


def least_squares(cross: CrossProducts, marginal: Marginal) -> LeastSquares:
    """Least squares on X and Z together, by projections that cannot lose digits to large effects.

    ``marginal``, of the same cross-products, is brought to another T.
    """
    T = _big(cross)
    gamma = np.zeros(cross.p)
    b = [np.zeros(zxy.shape[:2]) for zxy in cross.ZXy]
    here = cross
    for _ in range(TIMES):
        _, K = marginal.update(T)
        step = here.standardisation.gamma + np.linalg.lstsq(K[:-1, :-1], K[:-1, -1], rcond=None)[0]
        c = np.append(here.standardisation.gamma - step, 1.0)
        effects = [(marginal.projected(i) @ c) @ (t @ t.T) for i, t in enumerate(T)]
        gamma += step
        b = [old + new for old, new in zip(b, effects, strict=True)]
        here = here.with_response(here.unexplained(step, effects))
        marginal = marginal.with_cross(here)
    return LeastSquares(here.total, gamma, b)


def _big(cross: CrossProducts) -> list[np.ndarray]:
    """Templates as good as infinite for covariates of whatever size, (k_b, k_b)."""
    squares = [np.einsum("lkk->k", A) / cross.n for A in cross.z.diagonal]
    return [np.diag(BIG / np.sqrt(np.where(s > 0.0, s, 1.0))) for s in squares]


def degrees_of_freedom(cross: CrossProducts) -> int:
    """Rows beyond the effects, fixed and random: none if there may be a fit without residual."""
    return cross.n - cross.p - cross.z.q
