"""Marginal log-likelihoods of small models by the trapezoidal rule on tensor grids.

The grids are wide and even: where a density is smooth and vanishes at their ends the rule is as
good as exact when its steps are half a standard deviation of the effects given the data.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import logsumexp

#: log-density of rows (numbers, (n,)) at a linear predictor, (n, …).
LogDensity = Callable[[np.ndarray, np.ndarray], np.ndarray]
# Half the width of a grid, in standard deviations.
WIDE = 7.0


def even(count: int, centre: np.ndarray | float = 0.0, sd: np.ndarray | float = 1.0):
    """Nodes (…, count) around centres, and the logarithms of step times standard normal density."""
    steps = np.linspace(-WIDE, WIDE, count)
    z = np.asarray(centre)[..., None] + np.asarray(sd)[..., None] * steps
    step = np.asarray(sd)[..., None] * (steps[1] - steps[0])
    return z, np.log(step) - 0.5 * z**2 - 0.5 * np.log(2.0 * np.pi)


def crossed(fit: Any, log_density: LogDensity, count: int) -> float:
    """Of a fit with a random intercept for each of two factors, the second of few levels."""
    (a, b), sd_a, sd_b = fit.design.factors, fit.T[0][0, 0], fit.T[1][0, 0]
    z, log_w = even(count)
    fine = 2 * count // 3
    v, log_v = even(fine, fit.u[1][:, 0], np.sqrt(fit.cond_cov(1)[:, 0, 0]) / sd_b)
    # rows depend on the nodes of their own two levels alone
    eta = fit.fixed_part[:, None, None] + sd_a * z[:, None] + sd_b * v[b.codes][:, None, :]
    rows = log_density(np.arange(fit.n), eta)
    few = len(b.levels)

    def along(j: int) -> list[int]:
        return [fine if i == j else 1 for i in range(few)]

    total = sum(log_v[j].reshape(along(j)) for j in range(few))
    for level in range(len(a.levels)):
        at = log_w.reshape(-1, *[1] * few)
        for j in range(few):
            own = rows[(a.codes == level) & (b.codes == j)].sum(axis=0)
            at = at + own.reshape(count, *along(j))
        total = total + logsumexp(at, axis=0)
    return float(logsumexp(total))


def nested(fit: Any, log_density: LogDensity, count: int) -> float:
    """Of a fit with random intercepts for a factor and, first in the fit, for one nested in it."""
    (b, a), sd_b, sd_a = fit.design.factors, fit.T[0][0, 0], fit.T[1][0, 0]
    z, log_w = even(3 * count)
    eta = fit.fixed_part[:, None, None] + sd_b * z[:, None] + sd_a * z[None, :]
    rows = log_density(np.arange(fit.n), eta)
    total = 0.0
    for outer in range(len(a.levels)):
        inside = log_w
        for level in np.unique(b.codes[a.codes == outer]):
            own = rows[b.codes == level].sum(axis=0)
            inside = inside + logsumexp(own + log_w[:, None], axis=0)
        total += float(logsumexp(inside))
    return total


def one_factor(fit: Any, log_density: LogDensity, count: int) -> float:
    """Of a fit with several effects for each level of one factor, all in the mean."""
    factor, T = fit.design.factors[0], fit.T[0]
    z, log_w = even(2 * count)
    k = len(T)
    grid = np.stack([axis.ravel() for axis in np.meshgrid(*[z] * k)], axis=1)
    weights = sum(axis.ravel() for axis in np.meshgrid(*[log_w] * k))
    total = 0.0
    for level in range(len(factor.levels)):
        rows = np.flatnonzero(factor.codes == level)
        eta = fit.fixed_part[rows, None] + factor.Z[rows] @ T @ grid.T
        total += float(logsumexp(log_density(rows, eta).sum(axis=0) + weights))
    return total
