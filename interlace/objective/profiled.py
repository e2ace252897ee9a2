"""lme4's ``nAGQ = 0``: the coefficients found together with the modes, inside penalised IRLS.

    d(theta, zeta) = -2 sum(log density) + |u|^2 + log|M|   at the joint mode of (u, beta)

The determinant is that of u alone, so this is no approximation of the likelihood of beta; it is
fast, nearly right, and where lme4's optimiser begins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from ..covariance import CovarianceModel
from ..errors import NumericalError
from .base import Evaluation, Objective
from .irls import weighted_gram
from .laplace import left_information
from .modes import (
    MAX_HALVINGS,
    MAX_STEPS,
    ROUNDING,
    TRUSTED,
    PenalisedIRLS,
    times_templates,
)
from .parameters import ThetaScale
from .problem import Problem

__all__ = ["JointPoint", "ProfiledObjective"]

DECREMENT = 1e-20


@dataclass(eq=False)
class JointPoint:
    """The joint mode of random effects and coefficients.

    Attributes
    ----------
    value : float
        The criterion without constants.
    gamma : ndarray, shape (p,)
        Coefficients of the standardised columns.
    covariance : ndarray, shape (p, p)
        Of gamma, given theta.
    u : ndarray, shape (q,)
    eta, weight : ndarray, shape (n,)
    """

    value: float
    gamma: np.ndarray
    covariance: np.ndarray
    u: np.ndarray
    eta: np.ndarray
    weight: np.ndarray
    gradient: np.ndarray


class ProfiledObjective(Objective):
    """The criterion of ``nAGQ = 0`` over x = (theta, zeta).

    Parameters
    ----------
    problem : Problem
    covariance : CovarianceModel
    expected : bool
    backend : str or None
    """

    curvature_is_cheap = False

    def __init__(
        self,
        problem: Problem,
        covariance: CovarianceModel,
        expected: bool,
        backend: str | None = None,
    ) -> None:
        self.problem, self.covariance, self.expected = problem, covariance, expected
        self.scale = ThetaScale(covariance, problem.Z.scale)
        backend = None if backend == "levels" else backend
        self.modes = PenalisedIRLS(problem.Z, problem.density, expected, backend)
        self.n_theta = covariance.n_theta
        self._u, self._gamma = np.zeros(problem.Z.q), problem.glm.beta

    def start(self) -> np.ndarray:
        problem = self.problem
        return np.concatenate([self.scale.start(problem.start_variances()), problem.zeta])

    def lower_bounds(self) -> np.ndarray:
        free = np.full(self.problem.density.n_zeta, -np.inf)
        return np.concatenate([self.scale.lower_bounds(), free])

    def canonical(self, x: np.ndarray) -> np.ndarray:
        theta = self.scale.canonical(x[: self.n_theta])
        return x if theta is x else np.concatenate([theta, x[self.n_theta :]])

    def snap(self, x: np.ndarray) -> np.ndarray:
        return np.concatenate([self.scale.snap(x[: self.n_theta]), x[self.n_theta :]])

    def null_directions(self, x: np.ndarray) -> list[str]:
        return self.scale.null_directions(x[: self.n_theta])

    def at_infinity(self, x: np.ndarray, curvature: np.ndarray) -> list[str]:
        own = left_information(curvature, self.problem.density.n_zeta)
        return self.problem.density.infinite(x[self.n_theta :], own)

    def evaluate(self, x: np.ndarray, order: int = 2) -> Evaluation:
        point = self.point(x, order)
        density = self.problem.density
        zeta = np.minimum(x[self.n_theta :], density.zeta_limit)
        constant, slope = density.constant(zeta)
        value = point.value - 2.0 * constant
        if order == 0:
            return Evaluation(value)
        gradient = point.gradient.copy()
        gradient[self.n_theta :] -= 2.0 * slope
        gradient[self.n_theta :][x[self.n_theta :] >= density.zeta_limit] = 0.0
        if order == 1:
            return Evaluation(value, gradient)
        return Evaluation(value, gradient, self.hessian(x), True)

    def point(self, x: np.ndarray, order: int = 1) -> JointPoint:
        """The joint mode at x and the derivatives there."""
        problem, modes = self.problem, self.modes
        T = [np.ascontiguousarray(t) for t in self.scale.templates(x[: self.n_theta])]
        zeta = np.minimum(x[self.n_theta :], problem.density.zeta_limit)
        u, gamma, eta, rows = self._joint_mode(T, zeta, max(order, 1))
        self._u, self._gamma = u, gamma
        solve = _JointSolver(self, T, rows)
        final = modes._newton
        if modes.expected:
            final = modes._final
            modes._refactor(final, rows.weight, T)
        value = -2.0 * rows.total + float(u @ u) + final.logdet
        point = JointPoint(value, gamma, solve.S, u, eta, rows.weight, np.empty(0))
        if order == 0:
            return point
        Z, X = problem.Z, problem.X
        blocks = [final.inverse_blocks(b) for b in range(len(T))]
        h = Z.quadratic(T, blocks, final.inverse_pairs())
        information = [final.information(b) for b in range(len(T))]
        c = rows.slope * h
        v, v_gamma = solve(times_templates(Z, T, Z.transposed(c)), X.T @ c)
        Av = Z.times(T, v) + X @ v_gamma
        t = c - 2.0 * rows.score - rows.observed * Av
        dT = modes._template_gradient(T, u, v, Z.transposed(rows.score), t, information)
        entries = self.scale.gradient(dT)
        theta, _ = self.scale.pull_back(x[: self.n_theta], entries, np.empty(0))
        dzeta = np.empty(0)
        if zeta.size:
            extra = rows.extra
            parts = -2.0 * extra[:, 0] + h * extra[:, 2] + Av * extra[:, 1]
            dzeta = problem.density.collapse(parts)
        point.gradient = np.concatenate([theta, dzeta])
        return point

    def _joint_mode(self, T, zeta, order):
        problem, modes = self.problem, self.modes
        Z, X, density = problem.Z, problem.X, problem.density
        u, gamma = self._u, self._gamma
        eta = problem.offset + X @ gamma + Z.times(T, u)
        rows = density.rows(eta, zeta, modes.expected, order)
        if not np.isfinite(rows.total):
            u, gamma = np.zeros_like(u), problem.glm.beta
            eta = problem.offset + X @ gamma
            rows = density.rows(eta, zeta, modes.expected, order)
        value = rows.total - 0.5 * (u @ u)
        before = np.inf
        for _ in range(MAX_STEPS):
            g_u = times_templates(Z, T, Z.transposed(rows.score)) - u
            g_gamma = X.T @ rows.score
            definite = modes._factorise(rows, T)
            step, step_gamma = _JointSolver(self, T, rows)(g_u, g_gamma)
            small = float(g_u @ step + g_gamma @ step_gamma) / (1.0 + abs(value))
            stalled = small < ROUNDING and small > 0.25 * before
            if definite and (small < DECREMENT or stalled):
                return u, gamma, eta, rows
            before, trusted = small, definite and small < TRUSTED
            for _ in range(MAX_HALVINGS):
                u_there, gamma_there = u + step, gamma + step_gamma
                eta = problem.offset + X @ gamma_there + Z.times(T, u_there)
                rows = density.rows(eta, zeta, modes.expected, order)
                there = rows.total - 0.5 * (u_there @ u_there)
                if there >= value - 1e-13 * abs(value) or (trusted and np.isfinite(there)):
                    break
                step, step_gamma = 0.5 * step, 0.5 * step_gamma
            else:
                break
            u, gamma, value = u_there, gamma_there, there
        raise NumericalError(
            "penalised IRLS for the modes and coefficients together did not converge; use nAGQ=1, "
            "or start elsewhere with theta0="
        )


class _JointSolver:
    """Solves with [[H, A'WX], [., X'WX]] by its Schur complement in the coefficients."""

    def __init__(self, objective: ProfiledObjective, T, rows) -> None:
        problem = objective.problem
        self._solve = objective.modes._newton.solve
        K = problem.Z.transposed_weighted_X(rows.observed, problem.X)
        self._K = times_templates(problem.Z, T, K)
        self._U = self._solve(self._K)
        complement = weighted_gram(problem.X, rows.observed) - self._K.T @ self._U
        if not complement.size:
            self.S = complement
            return
        factor, info = lapack.dpotrf(complement, lower=0)
        if info:
            self.S = np.linalg.pinv(complement)
        else:
            self.S = lapack.dpotrs(factor, np.eye(len(complement)))[0]

    def __call__(self, r_u: np.ndarray, r_gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gamma = self.S @ (r_gamma - self._U.T @ r_u)
        return self._solve(r_u) - self._U @ gamma, gamma
