"""Laplace's approximation for a model one of whose terms is a series, whatever its length.

As in `laplace`, of x = (theta, beta, zeta), with the covariance G(theta) = Lambda Lambda' of the
effects in place of templates. With q = Z's, V = W_o^{-1} + Z G Z' and h_j = G_j q the changes of
the effects by a parameter j at given scores, C = [Z h_j X],

    curvature  K = C'V^{-1}C: 2 K for beta and between, K + K_tb K_bb^{-1} K_bt + S for theta,

so that theta has the average information once beta is profiled out. The effects move by
b_j = h_j - Lambda H^{-1} Lambda'Z'W_o Z h_j and q by -Z'W_o Z b_j.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...covariance import CovarianceModel
from ...linalg.crossproducts.weighted import times_templates
from ..linear.series_design import SeriesLayout
from ..linear.series_factor import SeriesFactor
from ..linear.series_scale import SeriesScale
from ..linear.series_start import chain_moments
from ..linear.series_variances import SeriesEffects
from .base import GeneralisedObjective
from .laplace import LaplaceObjective, TangentModes
from .modes import Point
from .problem import START_VARIANCES, Problem
from .series_modes import SeriesModes

__all__ = ["SeriesLaplace"]

# Of central differences in theta of what is smooth in it: truncation and rounding balance.
THETA_STEP = 1e-5
# Of differences of the gradient in parameters of the series, in standardised units.
LONGEST_STEP = 1e-3


class _SeriesDirections(NamedTuple):
    """The changes with each parameter of theta and each coefficient."""

    K: np.ndarray  # (n_theta + p, n_theta + p): C'V^{-1}C
    q: np.ndarray  # (q,): Z's
    U: np.ndarray  # (q, n_theta + p): changes of q


class SeriesLaplace(LaplaceObjective):
    """`LaplaceObjective` whose effort grows with the number of observed times, not with its cube.

    ``problem`` is that of a design with the effects of the series as its first grouping factor,
    ``layout`` says where they come from; ``n_levels`` are those of the factors of the design.
    """

    scale: Any
    modes: Any

    def __init__(
        self,
        problem: Problem,
        covariance: CovarianceModel,
        expected: bool,
        layout: SeriesLayout,
        n_levels: Sequence[int],
    ) -> None:
        self.layout_of_series, self._levels = layout, tuple(n_levels)
        problem.chained = True
        GeneralisedObjective.__init__(self, problem, covariance, expected, problem.fixed.p)
        self.modes = SeriesModes(problem.Z, problem.density, expected, layout.chains)
        self._begin()

    def _scale(self) -> SeriesScale:
        roots, layout = self.problem.z_roots, self.layout_of_series
        return SeriesScale(self.covariance, layout, roots[1:], float(roots[0][0, 0]))

    @property
    def _n_levels(self) -> tuple[int, ...]:
        return self._levels

    def place(self, theta: np.ndarray) -> list[np.ndarray]:
        series, tail = self.scale.place(theta)
        return [series, *tail]

    def spherical(self, u: np.ndarray, theta: np.ndarray) -> list[np.ndarray]:
        layout, own = self.layout_of_series, self.scale.theta(theta)[self.scale.series]
        a = self.modes.primal(self.place(theta), u)[: layout.n_effects]
        offsets, widths = self.problem.Z.offsets, self.problem.Z.widths
        tail = [
            u[offsets[i] : offsets[i + 1]].reshape(-1, widths[i]) for i in range(1, len(widths))
        ]
        whole = layout.chains.innovations(layout.chains.modes_at_all_times(a, own), own)
        return layout.by_factor(self.covariance, self._levels, whole, tail)

    def cov_modes(self, T: Sequence[np.ndarray]) -> list[np.ndarray]:
        return []

    def assembled(self, x, dT, fixed, zeta):
        theta = np.empty(self.covariance.n_theta)
        theta[self.scale.series] = dT[0]
        if self.scale.tail is not None:
            rest = x[self.at.theta][self.scale.rest]
            theta[self.scale.rest] = self.scale.tail.directions(rest).gradient(dT[1:])
        if zeta.size:
            zeta = zeta * (x[self.at.zeta] < self.problem.density.zeta_limit)
        return np.concatenate([theta, fixed, zeta])

    def conditional(self, x: np.ndarray, weights: np.ndarray) -> SeriesConditional:
        """The effects given all parameters for working weights of the rows."""
        return SeriesConditional(self, x, weights)

    # -- where searches begin ---------------------------------------------------------------

    def start(self) -> np.ndarray:
        x, problem = super().start(), self.problem
        rows = problem.density.rows(problem.first_eta, problem.zeta, True, order=0)
        chains = self.layout_of_series.chains
        scores = problem.Z.transposed(rows.score)[: chains.column.size]
        A = problem.Z.set_weights(rows.weight).diagonal[0][:, 0, 0]
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            r = chain_moments(chains, scores, A)[1]
            own = chains.by_scale(scores**2 - A) / chains.by_scale(A**2)
        sd = np.sqrt(np.clip(np.nan_to_num(own), *START_VARIANCES))
        x[self.at.theta][self.scale.series] = np.append(sd, chains.start(1.0, r)[-1])
        return x

    # -- modes and curvature ----------------------------------------------------------------

    def _along_tangent(
        self, before: np.ndarray, point: Point, move: np.ndarray, T: Sequence[np.ndarray]
    ) -> np.ndarray:
        Z, modes, (theta, _, zeta) = self.problem.Z, self.modes, self.split(before)
        old, q = self.place(theta), Z.transposed(point.score)
        _, shift, dzeta = self.split(move)
        density = self.problem.density
        a = self.problem.fixed.times(shift)
        a += modes.rows_of(modes.covariance_times(T, q) - modes.covariance_times(old, q))
        push = np.zeros_like(a)
        if dzeta.size and dzeta.any():
            rows = density.rows(point.eta, zeta, self.expected)
            push += dzeta @ density.score_changes(rows, zeta)
        pull = Z.transposed(push - density.moved_scores(point.observed, a))
        a += modes.rows_of(modes.spread(old, point.solve(modes.pulled(old, pull))))
        push -= density.moved_scores(point.observed, a)
        return modes.pulled(T, q + Z.transposed(push))

    def _directions(self, theta: np.ndarray, point: Point, T: Sequence[np.ndarray]) -> Any:
        Z, fixed, modes, w = self.problem.Z, self.problem.fixed, self.modes, point.observed
        q, m = Z.transposed(point.score), theta.size
        a = np.empty((*point.eta.shape, m))
        for j, change in enumerate(self._changes(modes.covariance_times, theta, q)):
            a[..., j] = modes.rows_of(change)
        both = np.concatenate([fixed.changed(Z, w, a), fixed.cross(Z, w)], axis=1)
        pulled = modes.pulled(T, both)
        solved = point.solve(pulled)
        U = -both
        for j, effects in enumerate(modes.spread(T, solved).T):
            back = self.problem.density.moved_scores(
                w, modes.rows_of(np.ascontiguousarray(effects))
            )
            U[:, j] += Z.transposed(back)
        return _SeriesDirections(fixed.products(w, a) - pulled.T @ solved, q, U)

    def _changes(
        self, of: Callable[..., np.ndarray], theta: np.ndarray, q: np.ndarray
    ) -> Iterator[np.ndarray]:
        """Derivatives in each parameter of theta of a function of its place and q, (q,)."""
        for step in THETA_STEP * np.eye(theta.size):
            up, down = (of(self.place(theta + s * step), q) for s in (1, -1))
            yield (up - down) / (2.0 * THETA_STEP)

    def _working_curvature(
        self, x: np.ndarray, point: Point, T: Sequence[np.ndarray], directions: Any
    ) -> np.ndarray:
        K, q, _ = directions
        theta, scale, at = self.split(x)[0], self.scale, self.at
        m = theta.size
        across = K[:m, m:]
        top = K[:m, :m] + across @ np.linalg.lstsq(K[m:, m:], across.T, rcond=None)[0]
        places = np.arange(m)[scale.series][:-1]
        sd = theta[places]
        # the criterion is even in a standard deviation, with the slope 2 N sd
        own = np.divide(point.dT[0][:-1], sd, out=np.zeros_like(sd), where=sd != 0.0)
        top[places, places] += np.maximum(own, 0.0)
        if scale.tail is not None:
            N = [self._left(b, q) for b in range(1, len(T))]
            rest = np.ix_(scale.rest, scale.rest)
            top[rest] += scale.tail.directions(theta[scale.rest]).curvature(N, point.dT[1:])
        B = np.zeros((x.size, x.size))
        B[at.theta, at.theta], B[at.beta, at.beta] = top, 2.0 * K[m:, m:]
        B[at.theta, at.beta], B[at.beta, at.theta] = 2.0 * across, 2.0 * across.T
        return B

    def _working_zeta(self, x, point, T, known, B) -> None:
        self._differenced_zeta(x, B)

    def steps(self, known: TangentModes) -> np.ndarray:
        # the model curvature knows nothing of parameters on a boundary
        steps = super().steps(known)
        series = np.arange(steps.size)[self.at.theta][self.scale.series]
        steps[series] = np.minimum(steps[series], LONGEST_STEP)
        return steps

    def _tangents(
        self, x: np.ndarray, point: Point, T: Sequence[np.ndarray], U: np.ndarray
    ) -> np.ndarray:
        Z, modes, density = self.problem.Z, self.modes, self.problem.density
        theta, _, zeta = self.split(x)
        m, q = theta.size, Z.transposed(point.score)
        out = np.empty((Z.q, x.size))
        moved = modes.pulled(T, U)
        out[:, self.at.theta], out[:, self.at.beta] = moved[:, :m], moved[:, m:]
        for j, change in enumerate(self._changes(modes.pulled, theta, q)):
            out[:, self.at.theta][:, j] += change
        if not zeta.size:
            return out
        rows = density.rows(point.eta, zeta, self.expected)
        for j, push in enumerate(density.score_changes(rows, zeta)):
            primal = point.solve(modes.pulled(T, Z.transposed(np.ascontiguousarray(push))))
            a = modes.rows_of(modes.spread(T, primal))
            change = Z.transposed(push - density.moved_scores(point.observed, a))
            out[:, self.at.zeta][:, j] = modes.pulled(T, change)
        return out


class SeriesConditional:
    """The random effects at x given all parameters, for working weights in the problem's order."""

    def __init__(self, objective: SeriesLaplace, x: np.ndarray, weights: np.ndarray) -> None:
        self._problem, self._levels = objective.problem, objective._n_levels
        layout, scale = objective.layout_of_series, objective.scale
        theta = x[objective.at.theta]
        self._T, roots = objective.place(theta)[1:], self._problem.z_roots
        own, self._root = scale.theta(theta)[scale.series], float(roots[0][0, 0])
        factor = SeriesFactor(self._problem.Z.set_weights(weights), layout.chains, self._root)
        factor.refactor(own, self._T)
        self._factor = factor
        self._effects = SeriesEffects(factor, layout, objective.covariance, roots[1:], own)

    def row_variances(self, factors: Any, masks: list[np.ndarray]) -> np.ndarray:
        """Variance of z'b of rows, (r,), for the effects that masks let enter."""
        return self._effects.row_variances(factors, masks)

    def effect_variances(self, b: int) -> np.ndarray:
        """Variances of the effects of a grouping factor of the design, (l_b, k_b)."""
        return self._effects.effect_variances(b, self._levels[b])

    def of_columns(self, WX: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray]:
        """Lambda M^{-1}Lambda'Z'WX, (l_b, k_b, p) each, and X'WZ times it, (p, p)."""
        order, factor, n = self._problem.order, self._factor, len(self._factor.steps.scale)
        columns = WX if order is None else [own[order] for own in WX]
        Z, T = self._problem.Z, [np.ones((1, 1)), *self._T]
        R = Z.transposed(np.stack(columns) if len(columns) > 1 else columns[0])
        R = times_templates(Z, T, R)
        R[:n] *= (self._root * factor.steps.scale)[:, None]
        solved = factor.solve(R)
        effects = times_templates(Z, [t.T for t in T], solved)
        return self._effects.at_all_times(effects[:n], effects[n:], self._levels), R.T @ solved
