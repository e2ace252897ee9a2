"""The likelihood of a fit as a function of all its parameters, whatever the kind of model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...covariance import CovarianceModel
from ...design.predictor import MEAN, NOMINAL, SCALE, THRESHOLD
from ...errors import ArgumentError, NumericalError
from ...linalg.crossproducts.standardise import intercept_column, standardise
from ...linalg.information import side_by_side
from ...linalg.threads import blas_threads
from ...objective.base import Evaluation

__all__ = ["Likelihood", "likelihood_of"]

# Central differences of exact gradients, in standard errors.
STEP = 1e-3


@dataclass(frozen=True, eq=False)
class Likelihood:
    """-2 log-likelihood over y, at its minimum.

    Attributes
    ----------
    objective : object
        ``evaluate(y, order)``, with the gradient for order 1.
    y : ndarray, shape (n,)
        The estimates.
    value : float
    curvature : ndarray, shape (n, n)
        The Hessian at y.
    coefficients : dict of str to (slice, ndarray (p, p), ndarray (p,))
        Linear predictor -> where it is in y, with beta = base + back y[slice].
    covariance : CovarianceModel or None
    to_theta : ndarray, shape (n_theta, n_theta)
        theta = to_theta y[:n_theta].
    log_sigma : int or None
        Place of the logarithm of the residual standard deviation.
    residual : slice
        Parameters of the residual covariance, the last before log_sigma.
    zeta : slice
        Predictors of the family's parameters, where they are no coefficients.
    thresholds : CurvedThresholds or None
        Of ordered categories, where they are no linear functions of zeta.
    """

    fit: Any
    objective: Any
    y: np.ndarray
    value: float
    curvature: np.ndarray
    coefficients: dict[str, tuple[slice, np.ndarray, np.ndarray]]
    covariance: CovarianceModel | None = None
    to_theta: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    log_sigma: int | None = None
    zeta: slice = field(default_factory=lambda: slice(0, 0))
    residual: slice = field(default_factory=lambda: slice(0, 0))
    thresholds: CurvedThresholds | None = None
    dense_columns: int = 0

    def evaluate(self, y: np.ndarray, order: int = 1) -> Evaluation:
        """The value, with gradient (order 1)."""
        return self.objective.evaluate(y, order)

    def threads(self) -> Any:
        """Those of BLAS that its evaluations are worth."""
        return blas_threads(self.dense_columns, self.fit.design.size)

    @property
    def from_flat(self) -> np.ndarray:
        """y from the same with theta on the scale of the data, (n, n)."""
        n, q = self.y.size, len(self.to_theta)
        if not q:
            return np.eye(n)
        return side_by_side(np.linalg.inv(self.to_theta), np.eye(n - q))

    @property
    def flat(self) -> np.ndarray:
        """The estimates with theta on the scale of the data, (n,)."""
        out, q = self.y.copy(), len(self.to_theta)
        out[:q] = self.to_theta @ out[:q]
        return out


def likelihood_of(fit: Any) -> Likelihood:
    """The likelihood of a fit, that of maximum likelihood for one by REML."""
    if not fit.linear and fit.nAGQ == 0:
        raise ArgumentError(
            "with nAGQ=0 the coefficients have no likelihood of their own, which a profile needs; "
            "fit with nAGQ=1"
        )
    if not np.isfinite(fit.criterion):
        raise ArgumentError(
            f"the likelihood of this fit is not finite, so that it has no profile: {fit.message}"
        )
    if fit.linear:
        return _linear(fit.as_ml())
    if fit.irls:
        return _by_irls(fit)
    return _mixed(fit.as_ml()) if fit.theta.size else _regression(fit)


def _linear(fit: Any) -> Likelihood:
    from ...objective.linear.explicit import ExplicitDeviance

    objective = fit.objective
    with blas_threads(objective.marginal.dense_columns, fit.design.size):
        explicit = ExplicitDeviance(objective, fit.x, fit.re_scale)
        y = explicit.start
        value = explicit.evaluate(y, 0).value
        curvature = _hessian(explicit, y)
    log_sigma, std = explicit.n_x, explicit.objective.cross.standardisation
    own = slice(log_sigma + 1, y.size), explicit.unit * std.back, std.back @ std.gamma
    return Likelihood(
        fit, explicit, y, value, curvature, {MEAN: own}, fit.covariance,
        explicit.objective.scale.jacobian(), log_sigma,
        residual=slice(fit.covariance.n_theta, log_sigma),
        dense_columns=objective.marginal.dense_columns,
    )  # fmt: skip


def _hessian(objective: Any, y: np.ndarray) -> np.ndarray:
    """By central differences of the exact gradient, steps of a share of standard errors."""
    H = np.empty((y.size, y.size))
    steps = np.full(y.size, STEP)
    for _ in range(2):  # the first time finds the standard errors
        for i, step in enumerate(steps):
            move = np.zeros(y.size)
            move[i] = step
            up, down = objective.evaluate(y + move), objective.evaluate(y - move)
            H[i] = (up.gradient - down.gradient) / (2.0 * step)
        information = np.maximum(np.abs(np.diagonal(H)), 1e-6)
        steps = np.minimum(STEP * np.sqrt(2.0 / information), 1.0)
    return 0.5 * (H + H.T)


def _mixed(fit: Any) -> Likelihood:
    objective, x = fit.objective, fit.x.copy()
    at, problem = objective.at, objective.problem
    try:
        with blas_threads(objective.modes.dense_columns, fit.design.size):
            value = objective.evaluate(x, 1).value
    except NumericalError:
        raise ArgumentError(
            "the approximated likelihood cannot be evaluated again at the estimates, so that it "
            f"has no profile: {fit.message}"
        ) from None
    return Likelihood(
        fit, objective, x, value, fit.optimum.curvature,
        _slices(problem, at.beta.start) | _of_zeta(fit, problem, at.beta.start), fit.covariance,
        objective.scale.jacobian(), zeta=at.zeta, thresholds=_thresholds(fit, problem, at.beta),
        dense_columns=objective.modes.dense_columns,
    )  # fmt: skip


def _slices(problem: Any, first: int) -> dict[str, tuple[slice, np.ndarray, np.ndarray]]:
    """Linear predictor -> its coefficients in y."""
    out = {}
    for name, own in problem.slices.items():
        place = slice(first + own.start, first + own.stop)
        out[name] = place, problem.back[own, own], np.zeros(own.stop - own.start)
    return out


def _regression(fit: Any) -> Likelihood:
    objective = fit.objective
    y = fit.optimum.x if fit.ordered else objective.problem.gamma(fit.solution.beta)
    here, p = objective.evaluate(y, 2), fit.solution.beta.size
    return Likelihood(
        fit, objective, y, here.value, here.curvature,
        _slices(objective.problem, 0) | _of_zeta(fit, objective.problem, 0),
        zeta=slice(p, y.size), thresholds=_thresholds(fit, objective.problem, slice(0, p)),
    )  # fmt: skip


class CurvedThresholds(NamedTuple):
    """Thresholds of ordered categories that zeta makes by logarithms.

    With the coefficients gamma, in y at ``at``, all move by ``shift @ gamma``.
    """

    structure: Any
    at: slice
    shift: np.ndarray

    def values(self, y: np.ndarray, zeta: slice) -> np.ndarray:
        """Parameters of the thresholds at y, for complex y too."""
        own = y[zeta][: self.structure.count]
        parts = np.where(self.structure.logs, np.exp(own), own)
        if not self.structure.logs[0]:
            parts[0] = parts[0] + self.shift @ y[self.at]
        return self.structure.reported @ parts


def _thresholds(fit: Any, problem: Any, at: slice) -> CurvedThresholds | None:
    if not fit.ordered or NOMINAL in fit.design.predictors:
        return None
    return CurvedThresholds(fit.family.thresholds, at, problem.centre @ problem.back)


def _of_zeta(fit: Any, problem: Any, first: int) -> dict[str, tuple[slice, np.ndarray, np.ndarray]]:
    """Coefficients of ordered categories that are linear in (gamma, zeta), from place `first`."""
    if not fit.ordered:
        return {}
    p, k, m = fit.location.size, fit.n_thresholds, fit.zeta.size
    at, natural = slice(first, first + p + m), problem.natural(m)
    out = {SCALE: (at, natural[p + k :], np.zeros(m - k))}
    if NOMINAL in fit.design.predictors:
        out[THRESHOLD] = at, natural[p : p + k], np.zeros(k)
    return out


def _by_irls(fit: Any) -> Likelihood:
    """A free dispersion is held, as R's profiles do; theta of the negative binomial is not."""
    from ...objective.generalised.density import FamilyDensity
    from ...objective.generalised.family_regression import FamilyRegression

    design, o = fit.design, fit.observations
    back = standardise(
        design.X, intercept_column(design.x_names), np.zeros(0), np.zeros(len(design.X))
    ).back
    density = FamilyDensity(fit.family, o.y, o.weights, o.trials)
    held = fit.zeta if fit.family.free_dispersion or not fit.zeta.size else None
    objective = FamilyRegression(density, design.X @ back, design.offset, held)
    gamma = np.linalg.solve(back, fit.beta) if fit.p else fit.beta
    y = gamma if held is not None else np.concatenate([gamma, fit.zeta])
    p = fit.p
    return Likelihood(
        fit, objective, y, objective.evaluate(y, 0).value, _hessian(objective, y),
        {MEAN: (slice(0, p), back, np.zeros(p))}, zeta=slice(p, y.size),
    )  # fmt: skip
