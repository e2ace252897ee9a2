"""lme4's ``nAGQ = 0``: the coefficients found together with the modes, inside penalised IRLS.

    d(theta, zeta) = -2 sum(log density) + |u|^2 + log|M|   at the joint mode of (u, beta)

The determinant is that of u alone, so this is no approximation of the likelihood of beta; it is
fast, nearly right, and where lme4's optimiser begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from ...covariance import CovarianceModel
from ...errors import NumericalError
from ...linalg.crossproducts.weighted import times_templates
from ..base import Evaluation
from .base import GeneralisedObjective
from .density import RowSums
from .modes import PenalisedIRLS
from .newton import damped_newton
from .problem import Problem

__all__ = ["JointPoint", "JointModeObjective"]

# Of the joint Newton iteration, relative: its modes have all their digits.
DECREMENT = 1e-20
# Added to the information on the coefficients where that is singular, as a share of it.
RIDGE, RIDGE_GROWTH, MAX_RIDGES = 1e-12, 1e3, 8
_EMPTY = np.empty(0)


@dataclass(eq=False)
class JointPoint:
    """The joint mode of random effects and coefficients."""

    value: float  # the criterion without constants
    gamma: np.ndarray  # (p,): coefficients of the standardised columns
    information: np.ndarray  # (p, p): on gamma, given theta
    u: np.ndarray  # (q,)
    eta: np.ndarray  # (n,)
    weight: np.ndarray  # (n,)
    dT: list[np.ndarray]  # derivatives in the templates (from order 1 on, as dzeta)
    dzeta: np.ndarray  # (n_zeta,): derivative in zeta, without that of the constant


class JointModeObjective(GeneralisedObjective):
    """The criterion of ``nAGQ = 0`` over x = (theta, zeta)."""

    modes: PenalisedIRLS

    def __init__(
        self,
        problem: Problem,
        covariance: CovarianceModel,
        expected: bool,
        backend: str | None = None,
    ) -> None:
        super().__init__(problem, covariance, expected, 0)
        self.modes = PenalisedIRLS(problem.Z, problem.density, expected, backend)
        self._begin()

    nodes = 0
    _u: np.ndarray
    _gamma: np.ndarray

    def _begin(self, at: JointModeObjective | None = None) -> None:
        problem = self.problem
        self._u, self._gamma = np.zeros(problem.Z.q), problem.glm.beta
        self._lowest = np.inf
        if at is not None:
            self._u, self._gamma = at._u, at._gamma

    def evaluate(self, x: np.ndarray, order: int = 2) -> Evaluation:
        x = self.checked_x(x, self.layout.size, order)
        point = self.point(x, order)
        constant, slope = self.problem.density.constant(self.split(x)[2])
        value = point.value - 2.0 * constant
        if order == 0:
            return Evaluation(value)
        gradient = self.assembled(x, point.dT, np.empty(0), point.dzeta - 2.0 * slope)
        if order == 1:
            return Evaluation(value, gradient)
        return Evaluation(value, gradient, self.hessian(x), True)

    def modes_at(self, x):
        point = self.point(x, 0)
        eta0 = self.problem.offset + self.problem.fixed.times(point.gamma)
        T, _, zeta, _ = self.held_at(x)
        return T, eta0, zeta, point.u

    def held_at(self, x):
        T = [np.ascontiguousarray(t) for t in self.scale.templates(x[self.at.theta])]
        eta0 = self.problem.offset + self.problem.fixed.times(self._gamma)
        return T, eta0, self.split(x)[2], self._u

    def hold(self, u: np.ndarray) -> None:
        self._u, self._lowest = u, np.inf

    def point(self, x: np.ndarray, order: int = 1) -> JointPoint:
        """The joint mode at x and the derivatives there."""
        problem, modes = self.problem, self.modes
        T = [np.ascontiguousarray(t) for t in self.scale.templates(x[self.at.theta])]
        zeta = self.split(x)[2]
        # a coefficient on its way to infinity takes steps that are none; they are halved
        with np.errstate(over="ignore", invalid="ignore"):
            here, step = self._joint_mode(T, zeta, max(order, 1))
        u, gamma, eta, rows, _ = here
        solve = step.solver
        value = -2.0 * rows.total + float(u @ u) + modes.log_determinant(rows, T)
        if self._leads_on(value, zeta):
            self._u, self._gamma = u, gamma
        point = JointPoint(value, gamma, solve.complement, u, eta, rows.weight, [], _EMPTY)
        if order == 0:
            return point
        Z, fixed = problem.Z, problem.fixed

        def adjoint(c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            v, v_gamma = solve(times_templates(Z, T, Z.transposed(c)), fixed.transposed(c))
            return v, Z.times(T, v) + fixed.times(v_gamma)

        scores = Z.transposed(rows.score)
        _, _, point.dT, point.dzeta = modes.derivatives(T, u, eta, rows, scores, zeta, adjoint)
        return point

    def _joint_mode(self, T, zeta, order) -> tuple[_Search, _Step]:
        problem, modes = self.problem, self.modes
        Z, fixed, density = problem.Z, problem.fixed, problem.density

        def at(u: np.ndarray, gamma: np.ndarray) -> _Search:
            eta = problem.offset + fixed.times(gamma) + Z.times(T, u)
            rows = density.rows(eta, zeta, modes.expected, order)
            return _Search(u, gamma, eta, rows, rows.total - 0.5 * (u @ u))

        def step_from(here: _Search) -> _Step:
            u, _, eta, rows, _ = here
            g_u = times_templates(Z, T, Z.transposed(rows.score)) - u
            g_gamma = fixed.transposed(rows.score)
            definite, weight = modes.factorise(rows, T, eta, zeta)
            solver = _JointSolver(self, T, weight)
            if definite and solver.ridge and not density.log_concave:
                solver = _JointSolver(self, T, modes.factorise_expected(rows, T, eta, zeta))
                definite = False
            move, move_gamma = solver(g_u, g_gamma)
            decrement = float(g_u @ move + g_gamma @ move_gamma)
            return _Step(np.concatenate([move, move_gamma]), decrement, definite, solver)

        def moved(here: _Search, move: np.ndarray) -> _Search:
            return at(here.u + move[: Z.q], here.gamma + move[Z.q :])

        for u, gamma in ((self._u, self._gamma), (np.zeros_like(self._u), problem.glm.beta)):
            start = at(u, gamma)
            if not np.isfinite(start.rows.total):
                continue
            ended = damped_newton(start, step_from, moved, DECREMENT)
            if ended is not None:
                return ended
        raise NumericalError(
            "penalised IRLS for the modes and coefficients together did not converge; use "
            "nAGQ=1, or start elsewhere with theta0="
        )


class _Search(NamedTuple):
    """Both on the way: u (q,), gamma (p,), predictors (n,), their rows, the penalised value."""

    u: np.ndarray
    gamma: np.ndarray
    eta: np.ndarray
    rows: RowSums
    value: float


class _Step(NamedTuple):
    """The Newton step of (u, gamma), its decrement, whether H is in it, and what solves with it."""

    move: np.ndarray
    decrement: float
    definite: bool
    solver: _JointSolver


class _JointSolver:
    """Solves with [[H, A'WX], [., X'WX]] by its Schur complement in the coefficients."""

    ridge = 0.0

    def __init__(self, objective: JointModeObjective, T, weight: np.ndarray) -> None:
        problem = objective.problem
        self._solve = objective.modes.solve
        K = problem.fixed.cross(problem.Z, weight)
        self._K = times_templates(problem.Z, T, K)
        self._U = self._solve(self._K)
        complement = problem.fixed.gram(weight) - self._K.T @ self._U
        self.complement = complement
        if not complement.size:
            self.S = complement
            return
        # On the way to infinity a coefficient loses its information: a ridge keeps steps finite.
        ridge = 0.0
        for _ in range(MAX_RIDGES):
            matrix = complement + ridge * np.eye(len(complement))
            factor, info = lapack.dpotrf(matrix, lower=0)
            if not info:
                break
            top = float(np.abs(complement).max())
            ridge = RIDGE_GROWTH * ridge if ridge else RIDGE * max(top, np.finfo(float).tiny)
        else:
            raise NumericalError(
                "the information on the coefficients is not finite at these parameters; start "
                "elsewhere with theta0=, or use nAGQ=1"
            )
        self.ridge = ridge
        self.S = lapack.dpotrs(factor, np.eye(len(complement)))[0]

    def __call__(self, r_u: np.ndarray, r_gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gamma = self.S @ (r_gamma - self._U.T @ r_u)
        return self._solve(r_u) - self._U @ gamma, gamma
