"""-2 log-likelihood of a linear model with a residual covariance, nothing profiled out.

As `explicit`, at whitened rows, whose log-determinant is part of the constant: y has phi after
log sigma.
"""

from __future__ import annotations

import numpy as np

from ..base import Evaluation
from .deviance import LOG_2PI
from .residual import ResidualObjective

__all__ = ["ExplicitResidualDeviance"]


class ExplicitResidualDeviance:
    """-2 log-likelihood over y = (x of theta, log sigma, phi, delta / unit): see `explicit`."""

    def __init__(self, objective: ResidualObjective, x: np.ndarray, unit: float) -> None:
        self.objective = objective.centred(x)
        self.unit = unit
        self.n_theta, self.n_phi = objective.q, objective.residual.n_parameters
        theta, phi = objective.split(x)
        self.start = np.concatenate([theta, [np.log(unit)], phi, np.zeros(objective.cross.p)])

    def evaluate(self, y: np.ndarray, order: int = 1) -> Evaluation:
        """The value, with gradient (order 1)."""
        objective, q, first = self.objective, self.n_theta, self.n_theta + 1 + self.n_phi
        T = objective.templates_at(y[:q], y[q + 1 : first])
        n = objective.cross.n
        logdet, K = objective.marginal.update(T)
        c = np.append(-self.unit * y[first:], 1.0)
        with np.errstate(over="ignore", invalid="ignore"):
            precision = np.exp(-2.0 * y[q])
            Kc = precision * (K @ c)
            square = float(c @ Kc)
        constant = objective.deviance.constant
        value = float(logdet + square + n * (LOG_2PI + 2.0 * y[q]) + constant)
        if not order:
            return Evaluation(value)
        products = []
        for b, t in enumerate(T):
            G, BB = objective.marginal.level_sums(b)
            own = (BB @ (precision * np.outer(c, c)).ravel()).reshape(G.shape)
            products.append(2.0 * (G - own) @ t)
        gradient = np.empty(y.size)
        if q:
            gradient[:q] = objective.scale.directions(y[:q]).gradient(products)
        gradient[q] = 2.0 * (n - square)
        gradient[q + 1 : first] = objective.phi_gradient(T, precision * np.outer(c, c))
        gradient[first:] = -2.0 * self.unit * Kc[:-1]
        return Evaluation(value, gradient)
