"""-2 log-likelihood of ordered categories without random effects, with its exact Hessian."""

from __future__ import annotations

import numpy as np

from ..base import Evaluation, Objective
from .ordinal import OrdinalLikelihood, OrdinalProblem

__all__ = ["OrdinalRegression"]


class OrdinalRegression(Objective):
    """-2 log-likelihood over (gamma, zeta), gamma the coefficients of the standardised columns."""

    parameters = "coefficients"
    advice = "another link=, a simpler formula, or covariates of like size"
    simpler = "Leave out a term, or join categories or levels of a factor"

    def __init__(self, problem: OrdinalProblem) -> None:
        self.problem = problem
        self.p = problem.fixed.p
        self._likelihood = OrdinalLikelihood(problem.density, problem.fixed, problem.offset)

    def start(self) -> np.ndarray:
        return np.concatenate([self.problem.glm.beta, self.problem.zeta])

    def predictors(self, x: np.ndarray) -> np.ndarray:
        """Linear predictors, offsets included, (n,)."""
        return self.problem.offset + self.problem.fixed.times(x[: self.p])

    def evaluate(self, x: np.ndarray, order: int = 2) -> Evaluation:
        x = self.checked_x(x, self.p + self.problem.density.n_zeta, order)
        here = self._likelihood(x)
        value = -2.0 * here.value
        if order == 0:
            return Evaluation(value)
        g, H = self._likelihood.slopes(here, order == 2)
        if order == 1:
            return Evaluation(value, -2.0 * g)
        return Evaluation(value, -2.0 * g, -2.0 * H, exact=True)

    def lower_bounds(self) -> np.ndarray:
        return np.full(self.p + self.problem.density.n_zeta, -np.inf)

    def canonical(self, x: np.ndarray) -> np.ndarray:
        return x

    def snap(self, x: np.ndarray) -> np.ndarray:
        return x

    def null_directions(self, x: np.ndarray) -> list[str]:
        return []
