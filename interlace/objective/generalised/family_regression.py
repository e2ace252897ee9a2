"""-2 log-likelihood of a family with one linear predictor and no random effects.

With the scores s of the rows and l_z, the derivatives in zeta, and X the standardised columns:

    value  d(gamma, zeta) = -2 sum(log density),   gradient  (-2 X's, -2 sum(l_z))
"""

from __future__ import annotations

import numpy as np

from ..base import Evaluation
from .density import FamilyDensity

__all__ = ["FamilyRegression"]


class FamilyRegression:
    """-2 log-likelihood over y = (gamma, zeta), gamma the coefficients of the columns X (n, p).

    Where ``zeta`` is given it is held, and y is gamma alone.
    """

    def __init__(
        self,
        density: FamilyDensity,
        X: np.ndarray,
        offset: np.ndarray | None,
        zeta: np.ndarray | None = None,
    ) -> None:
        self.density, self.X, self.offset, self.zeta = density, X, offset, zeta

    def evaluate(self, y: np.ndarray, order: int = 1) -> Evaluation:
        """The value, with gradient (order 1)."""
        p = self.X.shape[1]
        zeta = y[p:] if self.zeta is None else self.zeta
        eta = self.X @ y[:p]
        if self.offset is not None:
            eta += self.offset
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            rows = self.density.rows(eta, zeta, True, order=min(order, int(self.zeta is None)))
            constant, slope = self.density.constant(zeta)
            value = -2.0 * (rows.total + constant)
            if not order:
                return Evaluation(value)
            gradient = -2.0 * (self.X.T @ rows.score)
            if self.zeta is None:
                own = rows.extra[:, 0].sum(axis=1) + slope
                gradient = np.concatenate([gradient, -2.0 * own])
        return Evaluation(value, gradient)
