"""REML of models with several linear predictors: the coefficients of the mean are integrated out.

They join the random effects as those of one more grouping factor, which has a single level and a
normal prior with a standard deviation so large that it is flat:

    int L(beta) d beta = |back| (2 pi tau^2)^(p/2) int L(gamma) N(gamma - gamma_0; 0, tau^2) d gamma

with gamma the coefficients of the standardised columns, beta = back gamma, and gamma_0 those of the
fit without random effects, from which the prior's bias is (|gamma - gamma_0|^2 + p / n) / tau^2.
With Laplace's approximation this is the REML of glmmTMB, exact for Gaussian responses as long as
the dispersion has no random effects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...covariance import CovarianceModel
from ...design.design import GroupingFactor
from ...linalg.crossproducts.fixed import PredictorColumns
from ...linalg.crossproducts.predictors import PredictorZ
from ..base import Evaluation
from ..theta_scale import ThetaScale
from .density import ConditionalDensity
from .laplace import LaplaceObjective
from .several import SeveralProblem

__all__ = ["RestrictedLaplace", "RestrictedProblem", "RestrictedScale"]

# Standard deviation of the prior in units of the predictor: its bias is below 1e-9.
FLAT = 1e4


class RestrictedScale(ThetaScale):
    """`ThetaScale` beside the template of the coefficients, which nothing changes."""

    def __init__(self, covariance: CovarianceModel, z_roots: Sequence[np.ndarray], p: int) -> None:
        super().__init__(covariance, z_roots)
        self._flat = FLAT * np.eye(p)

    def templates(self, x: np.ndarray) -> list[np.ndarray]:
        return [*super().templates(x), self._flat]

    def natural(self, templates: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        return super().natural(templates[:-1])


class RestrictedProblem(SeveralProblem):
    """`SeveralProblem` with the mean's columns among those of Z; ``fixed`` has those of the others.

    Attributes
    ----------
    mean_back : ndarray, shape (p, p)
        From standardised coefficients of the mean to its own.
    mean_start : ndarray, shape (p,)
        Standardised coefficients that the prior is centred at.
    """

    def _set_response(self, density: Any, eta: np.ndarray | None) -> list[np.ndarray]:
        scale = super()._set_response(density, eta)
        at, p = self.fixed.slices[0], self.fixed.slices[0].stop
        self._columns, blocks = self.fixed.blocks[0], self.fixed.blocks[1:]
        self.mean_back, self.back = self.back[at, at], self.back[p:, p:]
        self.mean_start = self.glm.beta[at]
        self.offset = self.offset.copy()
        self.offset[0] += self._columns @ self.mean_start
        self.fixed = PredictorColumns([self._columns[:, :0], *blocks])
        self.glm = self.glm.without(at)
        return scale

    def _weighted_rows(self, scale: list[np.ndarray]) -> PredictorZ:
        n, p = self._columns.shape
        flat = GroupingFactor("", np.zeros(1), np.zeros(n, dtype=np.int32), self._columns)
        factors = [*self.factors, flat]
        predictors = [factor.predictor for factor in factors]
        return PredictorZ(factors, predictors, self.density.K, [*scale, np.ones(p)])

    def with_response(self, density: ConditionalDensity, eta: np.ndarray) -> RestrictedProblem:
        # the columns of Z that are the mean's are standardised anew
        return RestrictedProblem.of(self.design, density, eta)

    @property
    def slices(self) -> dict[str, slice]:
        p = len(self.mean_back)
        own = [slice(p + at.start, p + at.stop) for at in self.fixed.slices]
        return dict(zip(self.design.predictors, [slice(0, p), *own[1:]], strict=True))

    def gamma(self, beta: np.ndarray) -> np.ndarray:
        """Of the others, from the coefficients of all."""
        return super().gamma(beta[len(self.mean_back) :])


class RestrictedLaplace(LaplaceObjective):
    """The REML criterion over x = (theta, coefficients of the parameters' predictors)."""

    problem: RestrictedProblem
    restricted = True

    def _scale(self) -> ThetaScale:
        problem = self.problem
        return RestrictedScale(self.covariance, problem.z_roots, len(problem.mean_back))

    def evaluate(self, x: np.ndarray, order: int = 2) -> Evaluation:
        evaluation = super().evaluate(x, order)
        back = self.problem.mean_back
        volume = len(back) * np.log(2.0 * np.pi * FLAT**2) + 2.0 * np.linalg.slogdet(back)[1]
        return evaluation._replace(value=evaluation.value - volume)

    def mean_coefficients(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of the mean: coefficients, their covariance matrix given x, derivatives in x, (p, n_x).

        With the covariance matrix C of x theirs is S + D C D', glmmTMB's.
        """
        problem, last = self.problem, len(self.problem.factors)
        theta = self.split(x)[0]
        point, T = self.last_point(x), self.scale.templates(theta)
        at = slice(problem.Z.offsets[last], None)
        back = FLAT * problem.mean_back
        S = self.modes.inverse_blocks(last)[0]
        tangents = self._tangents(x, point, T, self._directions(theta, point, T).U)
        beta = problem.mean_back @ problem.mean_start + back @ point.u[at]
        return beta, back @ S @ back.T, back @ tangents[at]
