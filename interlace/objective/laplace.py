"""-2 log-likelihood by Laplace's approximation, with its exact gradient.

    d(theta, beta, zeta) = -2 sum(log density) + |u|^2 + log|M|        (section D)

The parameter vector x stacks theta (on the scale of standardised covariates), the coefficients of
the standardised columns of X, and zeta.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..covariance import CovarianceModel
from ..errors import NumericalError
from .base import NOT_ASKED, Evaluation, Objective
from .irls import weighted_gram
from .modes import MAX_WIDTH, LevelModes, Modes, PenalisedIRLS, Point, times_templates
from .parameters import ThetaScale
from .problem import Problem

__all__ = ["LaplaceObjective"]

# Central differences of the exact gradient, in standard errors of the parameters: truncation
# (h^2 / n) and rounding (1e-11 / h) are both far below 1e-6.
HESSIAN_STEP = 1e-3
ZETA_STEP = 3e-4
# Rows times displaced points that are held at once.
BATCH_ENTRIES = 2_000_000
# Less information than this (of a parameter in units of the predictors) does not lengthen a step.
LEAST_INFORMATION = 1e-2


def left_information(curvature: np.ndarray, m: int) -> np.ndarray:
    """Information on each of the last m parameters that the others leave, (m,)."""
    k = len(curvature) - m
    rest, cross = curvature[:k, :k], curvature[:k, k:]
    taken = np.einsum("im,im->m", cross, np.linalg.lstsq(rest, cross, rcond=None)[0])
    return 0.5 * (np.diagonal(curvature)[k:] - taken)


class LaplaceObjective(Objective):
    """-2 log-likelihood by Laplace's approximation over x = (theta, beta, zeta).

    Parameters
    ----------
    problem : Problem
    covariance : CovarianceModel
    expected : bool
        The determinant takes expected (lme4) instead of observed (TMB) information; the two
        differ where the link is not canonical.
    backend : str or None
        Forces a back end of the factorisation.
    """

    curvature_is_cheap = False
    parameters = "parameters"

    def __init__(
        self,
        problem: Problem,
        covariance: CovarianceModel,
        expected: bool,
        backend: str | None = None,
    ) -> None:
        self.problem = problem
        self.covariance = covariance
        self.expected = expected
        density, Z = problem.density, problem.Z
        self.scale = ThetaScale(covariance, Z.scale)
        compiled = density.kernel is not None and density.n_extra <= 1 and len(Z.widths) == 1
        self.modes: Modes
        if compiled and backend in (None, "levels") and Z.widths[0] <= MAX_WIDTH:
            self.modes = LevelModes(Z, problem.factors[0], density, expected)
        else:
            self.modes = PenalisedIRLS(Z, density, expected, backend)
        self.n_theta, self.p = covariance.n_theta, problem.X.shape[1]
        self.n_parameters = self.n_theta + self.p + density.n_zeta
        self._u = np.zeros(Z.q)
        self._last: tuple[np.ndarray, Point, int] | None = None

    # -- parameters -------------------------------------------------------------------------

    def split(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """theta as the optimiser sees it, coefficients of standardised columns, zeta."""
        k = self.n_theta + self.p
        zeta = np.minimum(x[k:], self.problem.density.zeta_limit)
        return x[: self.n_theta], x[self.n_theta : k], zeta

    def start(self) -> np.ndarray:
        problem = self.problem
        theta = self.scale.start(problem.start_variances())
        return np.concatenate([theta, problem.glm.beta, problem.zeta])

    def lower_bounds(self) -> np.ndarray:
        free = np.full(self.n_parameters - self.n_theta, -np.inf)
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
        return self.problem.density.infinite(self.split(x)[2], own)

    # -- the criterion ----------------------------------------------------------------------

    def evaluate(self, x: np.ndarray, order: int = 2) -> Evaluation:
        point = self.point(x, min(order, 1))
        constant, slope = self.problem.density.constant(self.split(x)[2])
        value = point.value - 2.0 * constant
        if order == 0:
            return Evaluation(value)
        gradient = self._gradient(x, point, slope)
        if order == 1:
            return Evaluation(value, gradient)
        return Evaluation(value, gradient, self._curvature(x, point))

    def point(self, x: np.ndarray, order: int = 1) -> Point:
        """Modes and determinant at x; they are where the next search starts."""
        if self._last is not None and order <= self._last[2] and (x == self._last[0]).all():
            return self._last[1]
        theta, gamma, zeta = self.split(x)
        T = self.scale.templates(theta)
        eta0 = self._fixed(gamma)
        try:
            point = self.modes.find(T, eta0, zeta, self._predicted(x, T), order)
        except NumericalError:  # the prediction led astray
            try:
                point = self.modes.find(T, eta0, zeta, self._u, order)
            except NumericalError:
                point = self.modes.find(T, eta0, zeta, np.zeros_like(self._u), order)
        self._last = (x.copy(), point, order)
        self._u = point.u
        return point

    def _fixed(self, gamma: np.ndarray) -> np.ndarray:
        return self.problem.offset + self.problem.X @ gamma

    def _predicted(self, x: np.ndarray, T: Sequence[np.ndarray]) -> np.ndarray:
        """Modes to begin with: the last ones moved along their tangent."""
        if self._last is None or not self._last[2]:
            return self._u
        before, point, _ = self._last
        move = x - before
        if not move.any():
            return point.u
        Z, (theta, _, zeta) = self.problem.Z, self.split(before)
        old = self.scale.templates(theta)
        change = [new - t for new, t in zip(T, old, strict=True)]
        a = self.problem.X @ self.split(move)[1]
        a += Z.times(change, point.u)
        push = -point.observed * a
        dzeta = self.split(move)[2]
        if dzeta.size and dzeta.any():
            rows = self.problem.density.rows(point.eta, zeta, self.expected)
            push += np.tensordot(dzeta, rows.extra[:, 1], axes=1)
        r = times_templates(Z, old, Z.transposed(push))
        r += times_templates(Z, change, Z.transposed(point.score))
        return point.u + point.solve(r)

    def _gradient(self, x: np.ndarray, point: Point, slope: np.ndarray) -> np.ndarray:
        fixed = self.problem.X.T @ point.t
        return self._assembled(x, point.dT, fixed, point.dzeta - 2.0 * slope)

    def _assembled(self, x: np.ndarray, dT, fixed: np.ndarray, zeta: np.ndarray) -> np.ndarray:
        """The gradient from its parts; zeta's is zero beyond its limit."""
        entries = self.scale.gradient(dT)
        theta, _ = self.scale.pull_back(x[: self.n_theta], entries, NOT_ASKED)
        inside = x[self.n_theta + self.p :] < self.problem.density.zeta_limit
        return np.concatenate([theta, fixed, zeta * inside])

    # -- curvature --------------------------------------------------------------------------

    def _directions(self, point: Point, T: Sequence[np.ndarray]):
        """Direct changes a (n, .) of eta and tangents of the modes for entries of T and gamma."""
        Z, cov, X = self.problem.Z, self.covariance, self.problem.X
        entries = cov.factor.size
        a = np.empty((Z.n, entries + self.p))
        a[:, entries:] = X
        g = Z.transposed(point.score)
        Q = np.zeros((Z.q, entries))
        for e, (b, i, j) in enumerate(zip(cov.factor, cov.row, cov.col, strict=True)):
            unit = [np.zeros_like(t) for t in T]
            unit[b][i, j] = 1.0
            a[:, e] = Z.times(unit, point.u)
            rows = slice(Z.offsets[b], Z.offsets[b + 1])
            k = len(T[b])
            Q[rows].reshape(-1, k, entries)[:, j, e] = g[rows].reshape(-1, k)[:, i]
        R = -times_templates(Z, T, Z.transposed_weighted_X(point.observed, a))
        R[:, :entries] += Q
        return a, Q, R, point.solve(R), g

    def _curvature(self, x: np.ndarray, point: Point) -> np.ndarray:
        B = self._working_curvature(x, point)
        if self.problem.density.n_zeta:
            self._differenced_zeta(x, B)
        return B

    def _working_curvature(self, x: np.ndarray, point: Point) -> np.ndarray:
        """Average information + 2 N (x) I of the working model, the coefficients included.

        With F = 2 (a'W_o a - r'H^{-1}r), the exact Hessian of all but log|M|, the entries of T get
        F / 2 + Q'Q + 2 N (x) I, N_b = sum_l [Z'V^{-1}Z - g g']_ll (section C).
        """
        theta = self.split(x)[0]
        T = self.scale.templates(theta)
        Z, cov = self.problem.Z, self.covariance
        a, Q, R, U, g = self._directions(point, T)
        F = 2.0 * (weighted_gram(a, point.observed) - R.T @ U)
        m = cov.factor.size
        top = 0.5 * F[:m, :m] + Q.T @ Q
        for b, entries in enumerate(cov.entries_of):
            own = g[Z.offsets[b] : Z.offsets[b + 1]].reshape(-1, len(T[b]))
            N = self.modes.information(b) - own.T @ own
            i, j = cov.row[entries], cov.col[entries]
            top[np.ix_(entries, entries)] += 2.0 * N[np.ix_(i, i)] * (j[:, None] == j)
        B = np.zeros((self.n_parameters, self.n_parameters))
        k = self.n_theta + self.p
        gradient = self.scale.gradient(point.dT)
        _, B[: self.n_theta, : self.n_theta] = self.scale.pull_back(theta, gradient, top)
        B[self.n_theta : k, self.n_theta : k] = F[m:, m:]
        if cov.identity:
            B[: self.n_theta, self.n_theta : k] = F[:m, m:]
            B[self.n_theta : k, : self.n_theta] = F[m:, :m]
        return B

    def _differenced_zeta(self, x: np.ndarray, B: np.ndarray) -> None:
        """Rows of zeta from forward differences of the gradient."""
        step = 1e-5
        here = self.evaluate(x, 1).gradient
        for i in range(self.n_theta + self.p, self.n_parameters):
            moved = x.copy()
            moved[i] += step
            B[i] = B[:, i] = (self.evaluate(moved, 1).gradient - here) / step

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """The exact Hessian over x, by central differences of the exact gradient.

        The modes of the displaced points are those along the tangent: what they lack is even in
        the displacement and cancels.

        Returns
        -------
        ndarray, shape (n_parameters, n_parameters)
        """
        point = self.point(x)
        theta = self.split(x)[0]
        T = self.scale.templates(theta)
        steps = self._steps(self._working_curvature(x, point))
        tangents = self._tangents(x, point, T)
        moves = np.concatenate([np.diag(steps), -np.diag(steps)])
        batch = max(BATCH_ENTRIES // self.problem.Z.n, 1)
        slopes = np.concatenate(
            [
                self._displaced_gradients(x, point.u, tangents, moves[i : i + batch])
                for i in range(0, len(moves), batch)
            ]
        )
        up, down = np.split(slopes, 2)
        H = (up - down) / (2.0 * steps[:, None])
        self._last = None
        return 0.5 * (H + H.T)

    def _displaced_gradients(
        self, x: np.ndarray, u: np.ndarray, tangents: np.ndarray, moves: np.ndarray
    ) -> np.ndarray:
        """Gradients at x + moves, (m, n_parameters), with the modes along their tangents."""
        parts = [self.split(x + move) for move in moves]
        eta0 = np.stack([self._fixed(gamma) for _, gamma, _ in parts])
        zeta = np.stack([zeta for *_, zeta in parts])
        T = [self.scale.templates(theta) for theta, *_ in parts]
        t, dT, dzeta = self.modes.displaced(T, eta0, zeta, u + moves @ tangents.T)
        fixed = t @ self.problem.X
        constant = self.problem.density.constant
        return np.stack(
            [
                self._assembled(x + moves[i], dT[i], fixed[i], dzeta[i] - 2.0 * constant(z)[1])
                for i, z in enumerate(zeta)
            ]
        )

    def _steps(self, B: np.ndarray) -> np.ndarray:
        """A small share of each parameter's standard error, with the others fixed."""
        k = self.n_theta + self.p
        steps = np.full(self.n_parameters, ZETA_STEP)
        information = 0.5 * np.abs(np.diagonal(B)[:k])
        steps[:k] = HESSIAN_STEP / np.sqrt(np.maximum(information, LEAST_INFORMATION))
        return steps

    def _tangents(self, x: np.ndarray, point: Point, T: Sequence[np.ndarray]) -> np.ndarray:
        """Derivatives of the modes in every parameter, (q, n_parameters)."""
        Z, (theta, _, zeta) = self.problem.Z, self.split(x)
        m = self.covariance.factor.size
        U = self._directions(point, T)[3]
        out = np.empty((Z.q, x.size))
        k = self.n_theta + self.p
        out[:, self.n_theta : k] = U[:, m:]
        if self.covariance.identity:
            out[:, : self.n_theta] = U[:, :m]
        else:
            units = [self.scale.pull_back(theta, unit, NOT_ASKED)[0] for unit in np.eye(m)]
            out[:, : self.n_theta] = U[:, :m] @ np.array(units)
        if zeta.size:
            rows = self.problem.density.rows(point.eta, zeta, self.expected)
            push = np.ascontiguousarray(rows.extra[:, 1].T)
            out[:, k:] = point.solve(times_templates(Z, T, Z.transposed(push)))
        return out
