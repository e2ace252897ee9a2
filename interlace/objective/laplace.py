"""-2 log-likelihood by Laplace's approximation, with its exact gradient.

    d(theta, beta, zeta) = -2 sum(log density) + |u|^2 + log|M|        (section D)

The parameter vector x stacks theta (on the scale of standardised covariates), the coefficients of
the standardised columns of X, and zeta.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..covariance import CovarianceModel
from ..errors import NumericalError
from ..linalg.standard import intercept_column, standard_columns, standardise
from ..linalg.weighted import WeightedDesign, root_mean_squares
from .base import NOT_ASKED, Evaluation, Objective
from .density import FamilyDensity
from .irls import IRLS, irls, weighted_gram
from .modes import MAX_WIDTH, LevelModes, Modes, PenalisedIRLS, Point, times_templates
from .parameters import ThetaScale

__all__ = ["LaplaceObjective", "Problem"]

_EMPTY = np.empty(0)
# Variances that the search starts from, whatever the moments say.
START_VARIANCES = (0.02, 25.0)
# Central differences of the exact gradient, in standard errors of the parameters: truncation
# (h^2 / n) and rounding (1e-11 / h) are both far below 1e-6.
HESSIAN_STEP = 1e-3
ZETA_STEP = 3e-4
LEAST_INFORMATION = 1e-2
# Steps of at most this many standard errors are predicted along the tangent of the modes.
START_DECREMENT = 1e-6


class Problem:
    """What every objective of a generalised model starts from: rows, columns, first estimates.

    Parameters
    ----------
    design : Design
    density : ConditionalDensity
        Of the rows in the design's order.
    eta : ndarray, shape (n,)
        Predictors to begin with, within the range of the link.

    Attributes
    ----------
    order : ndarray of int, shape (n,), or None
        With one grouping factor: rows sorted by level; None if they are or need not be.
    density : ConditionalDensity
        Of the rows in that order.
    X : ndarray, shape (n, p)
        Standardised columns.
    offset : ndarray, shape (n,)
    glm : IRLS
        Fit without random effects, in the standardised columns.
    zeta : ndarray, shape (n_zeta,)
    unit : float
        Of the predictors: 1 where a link has a scale of its own (logarithms, quantiles), else the
        residual standard deviation of a row on the scale of the predictors.
    Z : WeightedDesign
        Its columns are scaled to a root mean square of ``unit``.
    """

    def __init__(self, design, density: FamilyDensity, eta: np.ndarray) -> None:
        self.design = design
        factors, X, offset = design.factors, design.X, design.offset
        self.order = _level_order(design)
        if self.order is not None:
            factors = [_reordered(factor, self.order) for factor in factors]
            X = X[self.order]
            offset = None if offset is None else offset[self.order]
            eta = eta[self.order]
            density = density.take(self.order)
        self.factors, self.density = factors, density
        # at the mean of the predictors: where they follow the response nothing is dispersed
        self.zeta = density.start(np.full(density.n, eta.mean()))
        root = np.sqrt(np.maximum(density.rows(eta, self.zeta, True, order=0).weight, 1e-300))
        std = standardise(X, intercept_column(design.x_names), root, eta)
        # a step of 1 in a coefficient moves the predictors by `unit` in (weighted) mean square
        total = float(root @ root)
        self.unit = 1.0 if density.scale_free else float(np.sqrt(density.n / total))
        factor = self.unit * np.sqrt(total)
        self.standard = replace(std, P=std.P * factor, back=std.back * factor)
        chunks = [columns for _, columns in standard_columns(X, _EMPTY, self.standard)]
        self.X = np.concatenate(chunks) if chunks else X
        self.offset = np.zeros(density.n) if offset is None else offset
        self.glm = self._first_estimates(eta)
        scale = [root_mean_squares(factor.Z) / self.unit for factor in factors]
        self.Z = WeightedDesign(_Rows(factors), scale)

    def _first_estimates(self, eta: np.ndarray) -> IRLS:
        density = self.density
        for _ in range(3):
            fit = irls(
                density, self.X, self.offset, self.zeta, eta, decrement=START_DECREMENT,
                max_iterations=25,
            )  # fmt: skip
            eta = fit.eta
            if not density.n_zeta:
                break
            self.zeta = density.start(eta)
        return fit

    def beta(self, gamma: np.ndarray) -> np.ndarray:
        """Coefficients of X from those of the standardised columns."""
        return self.standard.back @ gamma

    def gamma(self, beta: np.ndarray) -> np.ndarray:
        """The reverse."""
        return np.linalg.solve(self.standard.back, beta)

    def unsorted(self, values: np.ndarray) -> np.ndarray:
        """Row values in the order of the design."""
        if self.order is None:
            return values
        out = np.empty_like(values)
        out[self.order] = values
        return out

    def start_variances(self) -> np.ndarray:
        """Moments of the scores by level at the fit without random effects.

        Without any variance var(g_l) = A_l, with g = Z's and A_l = [Z'WZ]_ll; a variance D adds
        A_l D A_l.
        """
        rows = self.density.rows(self.glm.eta, self.zeta, True, order=0)
        g, cross = self.Z.transposed(rows.score), self.Z.refill(rows.weight)
        out = []
        with np.errstate(over="ignore", invalid="ignore"):
            for b, k in enumerate(self.Z.widths):
                own = g[self.Z.offsets[b] : self.Z.offsets[b + 1]].reshape(-1, k)
                a = np.einsum("ljj->lj", cross.diagonal[b])
                square = np.maximum((a * a).sum(axis=0), 1e-300)
                out.append(((own * own - a).sum(axis=0)) / square)
        return np.clip(np.nan_to_num(np.concatenate(out)), *START_VARIANCES)


def left_information(curvature: np.ndarray, m: int) -> np.ndarray:
    """Information on each of the last m parameters that the others leave, (m,)."""
    k = len(curvature) - m
    rest, cross = curvature[:k, :k], curvature[:k, k:]
    taken = np.einsum("im,im->m", cross, np.linalg.lstsq(rest, cross, rcond=None)[0])
    return 0.5 * (np.diagonal(curvature)[k:] - taken)


class _Rows:
    def __init__(self, factors: Sequence) -> None:
        self.factors = factors


def _level_order(design) -> np.ndarray | None:
    if len(design.factors) != 1:
        return None
    codes = design.factors[0].codes
    if codes.size < 2 or (codes[1:] >= codes[:-1]).all():
        return None
    return np.argsort(codes, kind="stable")


def _reordered(factor, order: np.ndarray):
    Z = factor.Z
    sole = Z.strides == (0, 0)
    return type(factor)(factor.name, factor.levels, factor.codes[order], Z if sole else Z[order])


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
        entries = self.scale.gradient(point.dT)
        theta, _ = self.scale.pull_back(x[: self.n_theta], entries, NOT_ASKED)
        zeta = point.dzeta - 2.0 * slope
        zeta[x[self.n_theta + self.p :] >= self.problem.density.zeta_limit] = 0.0
        return np.concatenate([theta, self.problem.X.T @ point.t, zeta])

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
        H = np.empty((x.size, x.size))
        tangents = self._tangents(x, point, T)
        for i in range(x.size):
            sides = []
            for sign in (1.0, -1.0):
                there = x.copy()
                there[i] += sign * steps[i]
                moved, gamma, dzeta = self.split(there)
                u = point.u + sign * steps[i] * tangents[:, i]
                near = self.modes.find(
                    self.scale.templates(moved), self._fixed(gamma), dzeta, u, 1, frozen=True
                )
                slope = self.problem.density.constant(dzeta)[1]
                sides.append(self._gradient(there, near, slope))
            H[i] = (sides[0] - sides[1]) / (2.0 * steps[i])
        self._last = None
        return 0.5 * (H + H.T)

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
            flat = [self.scale.pull_back(theta, row, NOT_ASKED)[0] for row in U[:, :m]]
            out[:, : self.n_theta] = np.array(flat)
        if zeta.size:
            rows = self.problem.density.rows(point.eta, zeta, self.expected)
            push = np.ascontiguousarray(rows.extra[:, 1].T)
            out[:, k:] = point.solve(times_templates(Z, T, Z.transposed(push)))
        return out
