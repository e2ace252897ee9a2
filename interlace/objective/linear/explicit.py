"""-2 log-likelihood of a linear mixed model with nothing profiled out.

With K = [X y]'V^{-1}[X y], c = [-delta; 1] and n rows, in the notation of `deviance`:

    value     log|V| + c'Kc / sigma^2 + n log(2 pi sigma^2) + constant
    T_b       2 N_b T_b,   N_b = sum_l { Z_l'V^{-1}Z_l - g_l g_l' / sigma^2 },   g_l = B_l c
    phi       as in `residual`, with c'dK c / sigma^2, where residuals have a covariance
    log sigma 2 n - 2 c'Kc / sigma^2
    delta     -2 (Kc)_{1..p} / sigma^2
"""

from __future__ import annotations

import numpy as np

from ..base import Evaluation
from .deviance import LOG_2PI
from .lmm import LMMObjective

__all__ = ["ExplicitDeviance"]


class ExplicitDeviance:
    """-2 log-likelihood over y = (x, log sigma, delta / unit).

    x is that of the objective, delta (p,) the coefficients of the standardised columns less those
    of generalised least squares at the x given, and ``unit`` a residual standard deviation.
    """

    def __init__(self, objective: LMMObjective, x: np.ndarray, unit: float) -> None:
        self.objective = objective.centred(x)
        self.unit = unit
        self.n_x = x.size
        self.start = np.concatenate([x, [np.log(unit)], np.zeros(self.objective.cross.p)])

    def evaluate(self, y: np.ndarray, order: int = 1) -> Evaluation:
        """The value, with gradient (order 1)."""
        objective, q = self.objective, self.n_x
        n = objective.cross.n
        T, logdet, K = objective.at(y[:q])
        c = np.append(-self.unit * y[q + 1 :], 1.0)
        with np.errstate(over="ignore", invalid="ignore"):
            precision = np.exp(-2.0 * y[q])
            Kc = precision * (K @ c)
            square = float(c @ Kc)
        value = logdet + square + n * (LOG_2PI + 2.0 * y[q]) + objective.deviance.constant
        if not order:
            return Evaluation(float(value))
        gradient = np.empty(y.size)
        gradient[:q] = objective.gradient_at(y[:q], T, precision * np.outer(c, c))
        gradient[q] = 2.0 * (n - square)
        gradient[q + 1 :] = -2.0 * self.unit * Kc[:-1]
        return Evaluation(float(value), gradient)
