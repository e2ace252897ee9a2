"""-2 log-likelihood of a model without random effects, with its gradient and its Hessian.

With the scores s and the observed information W of the rows, and X the standardised columns of all
linear predictors:

    value  d(beta) = -2 sum(log density),   gradient  -2 X's,   Hessian  2 X'WX
"""

from __future__ import annotations

import numpy as np

from ..base import Evaluation, Objective
from .density import RowSums
from .infinity import endless
from .problem import Problem

__all__ = ["RegressionObjective"]

_EMPTY = np.empty(0)


class RegressionObjective(Objective):
    """-2 log-likelihood over the coefficients of the standardised columns of all predictors."""

    parameters = "coefficients"
    advice = "another link=, a simpler formula, or covariates of like size"
    simpler = "Leave out a term, or join levels of a factor"

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._constant = problem.density.constant(_EMPTY)[0]

    def start(self) -> np.ndarray:
        return self.problem.glm.beta

    def other_starts(self, x: np.ndarray) -> list[np.ndarray]:
        signed = self.problem.signed
        if signed is None:
            return []
        x = self.start().copy()
        x[signed] *= -1.0
        return [x]

    def predictors(self, x: np.ndarray) -> np.ndarray:
        """Linear predictors, offsets included, (n,) or (K, n), in the order of the design."""
        return self.problem.offset + self.problem.fixed.times(x)

    def rows(self, x: np.ndarray) -> RowSums:
        """The density of the rows and its derivatives."""
        return self.problem.density.rows(self.predictors(x), _EMPTY, False, order=0)

    def evaluate(self, x: np.ndarray, order: int = 2) -> Evaluation:
        fixed = self.problem.fixed
        x = self.checked_x(x, fixed.p, order)
        with np.errstate(over="ignore", invalid="ignore"):  # a step too far has no value
            rows = self.rows(x)
            value = -2.0 * (rows.total + self._constant)
            if order == 0:
                return Evaluation(value)
            gradient = -2.0 * fixed.transposed(rows.score)
            if order == 1:
                return Evaluation(value, gradient)
            return Evaluation(value, gradient, 2.0 * fixed.gram(rows.observed), exact=True)

    def lower_bounds(self) -> np.ndarray:
        return np.full(self.problem.fixed.p, -np.inf)

    def canonical(self, x: np.ndarray) -> np.ndarray:
        return x

    def snap(self, x: np.ndarray) -> np.ndarray:
        return x

    def null_directions(self, x: np.ndarray) -> list[str]:
        return []

    def at_infinity(self, x: np.ndarray, curvature: np.ndarray) -> list[str]:
        return list(self.endless(x, curvature).values())

    def endless(self, x: np.ndarray, curvature: np.ndarray) -> dict[int, str]:
        """Parameters whose best value is not finite, by their place in x, and why, with remedy."""
        return endless(self.problem, x, _EMPTY, np.arange(x.size), curvature)
