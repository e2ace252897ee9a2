"""-2 log-likelihood by Laplace's approximation, with its exact gradient and Hessian.

With A = Z Lambda and, of each row, the score s and the information w_o (observed) and w (of the
determinant), H = A'W_o A + I and M = A'W A + I at the modes u (section 7 of the mathematics page):

    value      d(theta, beta, zeta) = -2 sum(log density) + |u|^2 + log|M|
    gradient   beta: X't      zeta: sum_i (-2 l_z + h w_z + (A v) s_z)_i
               T_b:  2 G_b T_b + sum_l { (Z't)_l u_l' + (Z's)_l v_l' },  G_b = sum_l [Z'V^{-1}Z]_ll
    curvature  F = 2 (a'W_o a - r'H^{-1}r) for beta, F / 2 + Q'Q + S for theta
    Hessian    central differences of the gradient, the modes moved along their tangents H^{-1}r

with h, v and t as in `modes`, l_z, s_z, w_z derivatives in zeta, a the change of eta with a
parameter at fixed u (X for beta), Q = dLambda'Z's and r = Q - A'W_o a that of the mode equation.

x = (theta, beta, zeta), theta and T on the scale of standardised covariates, beta for the
standardised columns of X (n, p). Rows (n,) are sorted by level where there is one grouping factor;
u (q,) is level-major within a factor. S are the second derivatives that N_b = sum_l [Z'V^{-1}Z - g
g']_ll leaves, as in `deviance`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np

from ...covariance import CovarianceModel
from ...errors import NumericalError
from ...linalg.crossproducts.weighted import times_templates
from ...linalg.factor.choose import OPEN
from ..base import Approach, Evaluation, Stretch
from ..theta_scale import SNAP_TOLERANCE
from .base import GeneralisedObjective
from .level_modes import MAX_WIDTH, LevelModes, SeveralLevelModes
from .modes import PenalisedIRLS, Point, no_mode
from .problem import Problem, variances_of

__all__ = ["LaplaceObjective", "TangentModes", "shortened"]

# Central differences of the exact gradient, in standard errors of the parameters: truncation
# (h^2 / n) and rounding (1e-11 / h) are both far below 1e-6.
HESSIAN_STEP = 1e-3
ZETA_STEP = 3e-4
# Where the modes end within that distance, shorter ones are tried.
SHORTER_STEPS = 0.1
SHORTENED = 2
# Rows times displaced points that are held at once.
BATCH_ENTRIES = 500_000
# Less information than this (of a parameter in units of the predictors) does not lengthen a step.
LEAST_INFORMATION = 1e-2

DIFFERENCES = HESSIAN_STEP, ZETA_STEP, LEAST_INFORMATION, SNAP_TOLERANCE


_EMPTY = np.empty(0)


class _Directions(NamedTuple):
    """The changes with each parameter of the templates and each coefficient."""

    V: np.ndarray  # (q, n_theta): dLambda u; with theta eta changes by a = Z V, directly
    F: np.ndarray  # (n_theta + p, n_theta + p): [a X]'W_o[a X]
    Q: np.ndarray  # (q, n_theta): dLambda'Z's
    R: np.ndarray  # (q, n_theta + p): derivatives of the mode equation
    U: np.ndarray  # (q, n_theta + p): tangents of the modes, H^{-1} R
    g: np.ndarray  # (q,): Z's


class TangentModes(NamedTuple):
    """Modes u (q,) at a point, their derivatives in every parameter, and a model of curvature."""

    u: np.ndarray
    tangents: np.ndarray  # (q, n_x)
    curvature: np.ndarray  # (n_x, n_x), of theta and coefficients


class _Last(NamedTuple):
    """The last point: x, whether with derivatives, modes u (q,), and all of it if it is made."""

    x: np.ndarray
    order: int
    u: np.ndarray
    point: Point | None


class LaplaceObjective(GeneralisedObjective):
    """-2 log-likelihood by Laplace's approximation over x = (theta, beta, zeta).

    The determinant takes ``expected`` (lme4) or observed (TMB) information; the two differ where
    the link is not canonical. ``backend`` forces that of the factorisation.
    """

    def __init__(
        self,
        problem: Problem,
        covariance: CovarianceModel,
        expected: bool,
        backend: str | None = None,
    ) -> None:
        super().__init__(problem, covariance, expected, problem.fixed.p)
        density, Z = problem.density, problem.Z
        compiled = density.kernel is not None and (density.n_extra <= 1 or density.by_row)
        compiled = compiled and len(Z.widths) == 1
        if compiled and backend in OPEN and Z.widths[0] <= MAX_WIDTH:
            levels: Any = SeveralLevelModes if density.several else LevelModes
            self.modes = levels(Z, problem.factors[0], density, expected)
        else:
            self.modes = PenalisedIRLS(Z, density, expected, backend)
        self._begin()

    _u: np.ndarray
    _last: _Last | None
    _astray = False  # the last point is not where the next search for modes starts

    def _begin(self, at: LaplaceObjective | None = None) -> None:
        Z = self.problem.Z
        self.hold(np.zeros(Z.q) if at is None else at._u)
        self._eta0: np.ndarray | None = None  # where offset + X beta is written, if it is here

    def __getstate__(self) -> dict[str, Any]:
        # what solves at the last point is a factorisation, which no pickle keeps
        state = {**self.__dict__, "_last": None}
        state.pop("_compiled", None)
        return state

    def _with(self, problem: Problem) -> Self:
        other = super()._with(problem)
        other.__dict__.pop("_compiled", None)
        return other

    def release(self) -> None:
        super().release()
        self.__dict__.pop("_compiled", None)

    @cached_property
    def _compiled(self) -> Any:
        """The compiled twin of what follows, which shares the arrays of the modes; or None."""
        return None if self.restricted else self.modes.criterion(self.problem, self.covariance)

    def start(self) -> np.ndarray:
        if self._compiled is None:
            return super().start()
        x, at, problem = np.zeros(self.layout.size), self.at, self.problem
        x[at.beta], x[at.zeta] = problem.glm.beta[: self.p], problem.zeta
        self._last = None  # templates and thresholds of the kernel are those of the moments
        x[at.theta] = self.scale.start(variances_of(self._compiled.kernel.moments(x)))
        return x

    # -- the criterion ----------------------------------------------------------------------

    def evaluate(self, x: np.ndarray, order: int = 2) -> Evaluation:
        x = self.checked_x(x, self.layout.size, order)
        if self._compiled is not None:
            self._reach(x, min(order, 1))
            here = self._compiled.evaluation(order)
            return here if order < 2 else here._replace(curvature=self._compiled_curvature(x))
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
        """Modes and determinant at x; they are where the next search starts, if that is wise."""
        last = self._reach(x, order)
        if last.point is None:
            self._last = last = last._replace(point=self._compiled.point())
        assert last.point is not None
        return last.point

    def _reach(self, x: np.ndarray, order: int) -> _Last:
        """The last point, made that of x; the compiled criterion makes it when it is asked for."""
        last = self._last
        if last is not None and order <= last.order and x.tobytes() == last.x.tobytes():
            return last
        point = None
        if self._compiled is None:
            point = self._search(x, order)
            u, value = point.u, point.value
        else:
            along = last is not None and last.order > 0 and not self._astray
            self._last = None
            u, value = self._compiled.search(x, self._beginnings(along), order)
        self._last = last = _Last(x.copy(), order, u, point)
        concave = self.problem.density.log_concave
        self._astray = not (concave or self._leads_on(value, self.split(x)[2]))
        if not self._astray:
            self._u = u if concave else u.copy()
        return last

    def steps_from(self, at: Approach, enough: float, last: float) -> Stretch | None:
        # elsewhere a step may end in other modes, and the next one must not begin at these
        known = self._last is not None and self._compiled is not None
        if not known or not self.problem.density.log_concave:
            return None
        stretch, place = self._compiled.steps_from(at, (enough, last), DIFFERENCES)
        x, self._u, whole = place
        self._last = _Last(x, 1, self._u, None) if whole else None
        return stretch

    def _beginnings(self, along: bool) -> Iterator[np.ndarray | None]:
        """Where the compiled search for modes starts: None is along the tangent."""
        if along:
            yield None
        yield self._u
        yield np.zeros_like(self._u)

    def _search(self, x: np.ndarray, order: int) -> Point:
        theta, gamma, zeta = self.split(x)
        T = self.place(theta)
        last, self._last = self._last, None  # its arrays are the next point's
        starts = [self._predicted(x, T, last), self._u, np.zeros_like(self._u)]
        while True:
            try:
                return self.modes.find(T, self._fixed(gamma, self._room()), zeta, starts[0], order)
            except NumericalError:  # the prediction led astray
                if len(starts) == 1:
                    raise
                del starts[0]

    def _room(self) -> np.ndarray:
        """Where offset + X beta of the next point may be."""
        room = self.modes.room()
        if room is not None:
            return room
        if self._eta0 is None:
            self._eta0 = np.empty(self.problem.offset.shape)
        return self._eta0

    def forget_slopes(self, point: Point) -> None:
        """Let go of what only the gradient at a point is made of: it is evaluated anew if asked."""
        self._last, point.t = None, _EMPTY
        self.modes.forget_slopes()

    def last_point(self, x: np.ndarray) -> Point:
        """The point at x; beside a fold, where a search from near modes fails, at these."""
        try:
            return self.point(x)
        except NumericalError:
            if self.problem.density.log_concave:
                raise
        T, eta0, zeta, u = self.held_at(x)
        return self.modes.find(T, eta0, zeta, u, frozen=True)

    def modes_at(self, x):
        u = self.point(x, 0).u.copy()
        return *self.held_at(x)[:3], u

    def held_at(self, x):
        theta, gamma, zeta = self.split(x)
        T = [np.ascontiguousarray(t) for t in self.place(theta)]
        return T, self._fixed(gamma), zeta, self._u

    def hold(self, u: np.ndarray) -> None:
        self._u, self._last, self._lowest = u, None, np.inf

    def start_at(self, u: np.ndarray, anew: bool) -> None:
        """Start the next search for modes at u (q,); ``anew``, without what was computed last."""
        last = None if anew else self._last
        self._u, self._last = u, last
        self._astray = last is not None and not np.array_equal(last.u, u)

    def _fixed(self, gamma: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        eta = self.problem.fixed.times(gamma, out)
        if self.problem.has_offset:
            eta += self.problem.offset
        return eta

    def _predicted(self, x: np.ndarray, T: Sequence[np.ndarray], last: _Last | None) -> np.ndarray:
        """Modes to begin with: the last ones moved along their tangent."""
        if last is None or not last.order:
            return self._u
        before, _, _, point = last
        assert point is not None
        move = x - before
        if not move.any():
            return point.u
        if self._astray:
            return self._u
        return self._along_tangent(before, point, move, T)

    def _along_tangent(
        self, before: np.ndarray, point: Point, move: np.ndarray, T: Sequence[np.ndarray]
    ) -> np.ndarray:
        """The modes of a point at ``before``, (q,), for templates T of what is a ``move`` away."""
        Z, (theta, _, zeta) = self.problem.Z, self.split(before)
        old = self.place(theta)
        change = [new - t for new, t in zip(T, old, strict=True)]
        _, shift, dzeta = self.split(move)
        density = self.problem.density
        a = self.problem.fixed.times(shift, self.modes.spare())
        Z.times(change, point.u, a, add=True)
        push = density.moved_scores(point.observed, a, out=a)
        np.negative(push, out=push)
        if dzeta.size and dzeta.any():
            rows = density.rows(point.eta, zeta, self.expected)
            push += dzeta @ density.score_changes(rows, zeta)
        r = times_templates(Z, old, Z.transposed(push))
        r += times_templates(Z, change, Z.transposed(point.score))
        return point.u + point.solve(r)

    def _gradient(self, x: np.ndarray, point: Point, slope: np.ndarray) -> np.ndarray:
        fixed = self.problem.fixed.transposed(point.t)
        return self.assembled(x, point.dT, fixed, point.dzeta - 2.0 * slope)

    # -- curvature --------------------------------------------------------------------------

    def _directions(self, theta: np.ndarray, point: Point, T: Sequence[np.ndarray]) -> _Directions:
        Z, count = self.problem.Z, theta.size
        g = Z.transposed(point.score)
        Q, V = np.zeros((2, Z.q, count))
        for e, (b, dT) in enumerate(self.scale.directions(theta).matrices()):
            rows = slice(Z.offsets[b], Z.offsets[b + 1])
            Q[rows, e] = (g[rows].reshape(-1, len(dT)) @ dT).ravel()
            V[rows, e] = (point.u[rows].reshape(-1, len(dT)) @ dT.T).ravel()
        both, F = self._weighted(point.observed, V)
        R = times_templates(Z, T, both)
        del both
        np.negative(R, out=R)
        R[:, :count] += Q
        return _Directions(V, F, Q, R, point.solve(R), g)

    def _weighted(self, w: np.ndarray, V: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Z'W[a X], (q, m + p), and [a X]'W[a X] for weights w of the rows, a = Z V, V (q, m)."""
        Z, fixed, m = self.problem.Z, self.problem.fixed, V.shape[1]
        blocks = self.modes.level_sums(w)
        if blocks is None:
            # Z V with its columns scaled: templates of one
            one = [np.eye(k) for k in Z.widths]
            a = np.stack([Z.times(one, v) for v in np.ascontiguousarray(V.T)], axis=-1)
            both = np.concatenate([fixed.changed(Z, w, a), fixed.cross(Z, w)], axis=1)
            return both, fixed.products(w, a)
        # a level's rows are its own: all sums over them are in Z'WZ and Z'WX
        both = np.empty((Z.q, m + fixed.p))
        both[:, :m] = np.matmul(blocks, V.reshape(*blocks.shape[:2], m)).reshape(V.shape)
        both[:, m:] = fixed.cross(Z, w)
        F = np.empty((m + fixed.p, m + fixed.p))
        F[:m] = V.T @ both
        F[m:, :m], F[m:, m:] = F[:m, m:].T, fixed.gram(w)
        return both, F

    def _curvature(self, x: np.ndarray, point: Point) -> np.ndarray:
        theta = self.split(x)[0]
        T = self.place(theta)
        directions = self._directions(theta, point, T)
        B = self._working_curvature(x, point, T, directions)
        if self.problem.density.by_row:
            self._working_zeta(x, point, T, directions, B)
        elif self.problem.density.n_zeta:
            self._differenced_zeta(x, B)
        return B

    def _compiled_curvature(self, x: np.ndarray) -> np.ndarray:
        """The same at the last point by the kernel."""
        B = self._compiled.kernel.curvature()
        if self.problem.density.n_zeta and not self.problem.density.by_row:
            self._differenced_zeta(x, B)
        return B

    def _working_curvature(
        self, x: np.ndarray, point: Point, T: Sequence[np.ndarray], directions: _Directions
    ) -> np.ndarray:
        """Average information + S of the working model, the coefficients included.

        With F = 2 (a'W_o a - r'H^{-1}r), the exact Hessian of all but log|M|, theta gets
        F / 2 + Q'Q + S, N_b = sum_l [Z'V^{-1}Z - g g']_ll (section 4).
        """
        theta = self.split(x)[0]
        Q, R, U, g = directions[2:]
        m = theta.size
        F = 2.0 * (directions.F - R.T @ U)
        top = 0.5 * F[:m, :m] + Q.T @ Q
        N = [self._left(b, g) for b in range(len(T))]
        B = np.zeros((x.size, x.size))
        at = self.at
        B[at.theta, at.theta] = top + self.scale.directions(theta).curvature(N, point.dT)
        B[at.beta, at.beta] = F[m:, m:]
        B[at.theta, at.beta], B[at.beta, at.theta] = F[:m, m:], F[m:, :m]
        return B

    def _left(self, b: int, g: np.ndarray) -> np.ndarray:
        """N_b, (k_b, k_b), for g = Z's."""
        Z = self.problem.Z
        own = g[Z.offsets[b] : Z.offsets[b + 1]].reshape(-1, Z.widths[b])
        return self.modes.information(b) - own.T @ own

    def _working_zeta(
        self,
        x: np.ndarray,
        point: Point,
        T: Sequence[np.ndarray],
        known: _Directions,
        B: np.ndarray,
    ) -> None:
        """Rows of zeta: the exact Hessian of all but log|M|."""
        Z, density, (theta, _, zeta) = self.problem.Z, self.problem.density, self.split(x)
        rows, m = density.rows(point.eta, zeta, self.expected), theta.size
        changes = density.score_changes(rows, zeta)
        scores = Z.transposed(np.ascontiguousarray(changes.T))
        R = times_templates(Z, T, scores)
        at, U = self.at, point.solve(R)
        B[at.zeta, at.zeta] = -2.0 * (density.curvature(point.eta, zeta, rows) + R.T @ U)
        own = self.problem.fixed.transposed_each(changes) + U.T @ known.R[:, m:]
        B[at.zeta, at.beta], B[at.beta, at.zeta] = -2.0 * own, -2.0 * own.T
        own = scores.T @ known.V + U.T @ known.R[:, :m]
        B[at.zeta, at.theta], B[at.theta, at.zeta] = -2.0 * own, -2.0 * own.T

    def _differenced_zeta(self, x: np.ndarray, B: np.ndarray) -> None:
        """Rows of zeta from differences of the gradient to one side, where there is one."""
        here = self.evaluate(x, 1).gradient
        for i in np.arange(x.size)[self.at.zeta]:
            B[i, i] = 1.0
            for step in (1e-5, -1e-5):
                moved = x.copy()
                moved[i] += step
                try:
                    there = self.evaluate(moved, 1).gradient
                except NumericalError:
                    continue
                B[i] = B[:, i] = (there - here) / step
                break

    def hessian(self, x: np.ndarray) -> np.ndarray:
        """The exact Hessian over x, (n_x, n_x), by central differences of the exact gradient.

        The modes of the displaced points are those along the tangent: what they lack is even in the
        displacement and cancels. Where they end at any distance `NumericalError` is raised.
        """
        known = self.tangent_modes(x)
        return shortened(lambda steps: self.differenced(x, known, steps), self.steps(known))

    def tangent_modes(self, x: np.ndarray) -> TangentModes:
        """The modes at x, where the gradients for a Hessian there have theirs."""
        point = self.point(x)
        if self._compiled is not None:
            known = TangentModes(point.u, np.empty((0, 0)), self._compiled.kernel.curvature())
        else:
            theta = self.split(x)[0]
            T = self.place(theta)
            directions = self._directions(theta, point, T)
            B = self._working_curvature(x, point, T, directions)
            known = TangentModes(point.u, self._tangents(x, point, T, directions.U), B)
        # the arrays of the point are those of the displaced ones, and those for rows are many
        self._last = None
        return known

    def differenced(self, x: np.ndarray, known: TangentModes, steps: np.ndarray) -> np.ndarray:
        """The Hessian at x, of which ``known`` was asked last, by differences over steps (n_x,)."""
        if self._compiled is not None:
            H = self._compiled.kernel.differenced(x, known.u, steps)
            if H is None:
                raise no_mode()
            return H
        moves = np.concatenate([np.diag(steps), -np.diag(steps)])
        batch = max(BATCH_ENTRIES // self.problem.Z.n, 1)
        slopes = np.concatenate(
            [
                self._displaced_gradients(x, known, moves[i : i + batch])
                for i in range(0, len(moves), batch)
            ]
        )
        up, down = np.split(slopes, 2)
        H = (up - down) / (2.0 * steps[:, None])
        return 0.5 * (H + H.T)

    def _displaced_gradients(
        self, x: np.ndarray, known: TangentModes, moves: np.ndarray
    ) -> np.ndarray:
        """Gradients at x + moves, (m, n_x), with the modes along their tangents."""
        parts = [self.split(x + move) for move in moves]
        gammas = np.stack([gamma for _, gamma, _ in parts])
        if len(moves) == 1:  # of many rows
            eta0 = self._fixed(gammas[0], self._room())[None]
        else:
            eta0 = self.problem.fixed.times_each(gammas)
            eta0 += self.problem.offset
        zeta = np.stack([zeta for *_, zeta in parts])
        T = [self.place(theta) for theta, *_ in parts]
        t, dT, dzeta = self.modes.displaced(T, eta0, zeta, known.u + moves @ known.tangents.T)
        fixed = self.problem.fixed.transposed_each(t)
        constant = self.problem.density.constant
        return np.stack(
            [
                self.assembled(
                    x + moves[i],
                    dT[i],
                    fixed[i],
                    dzeta[i] - 2.0 * constant(z)[1],
                )
                for i, z in enumerate(zeta)
            ]
        )

    def steps(self, known: TangentModes) -> np.ndarray:
        """A small share of each parameter's standard error, with the others fixed, (n_x,)."""
        information = 0.5 * np.abs(np.diagonal(known.curvature))
        steps = HESSIAN_STEP / np.sqrt(np.maximum(information, LEAST_INFORMATION))
        steps[self.at.zeta] = ZETA_STEP
        return steps

    def _tangents(
        self, x: np.ndarray, point: Point, T: Sequence[np.ndarray], U: np.ndarray
    ) -> np.ndarray:
        """Derivatives of the modes in every parameter, (q, n_x)."""
        Z, (theta, _, zeta) = self.problem.Z, self.split(x)
        m = theta.size
        out = np.empty((Z.q, x.size))
        out[:, self.at.theta], out[:, self.at.beta] = U[:, :m], U[:, m:]
        if zeta.size:
            rows = self.problem.density.rows(point.eta, zeta, self.expected)
            push = np.ascontiguousarray(self.problem.density.score_changes(rows, zeta).T)
            out[:, self.at.zeta] = point.solve(times_templates(Z, T, Z.transposed(push)))
        return out


def shortened(hessian: Callable[[np.ndarray], np.ndarray], steps: np.ndarray) -> np.ndarray:
    """The Hessian by differences over steps (n_x,), or over shorter ones near a fold of the modes.

    There the modes end within steps of the usual length.
    """
    for _ in range(SHORTENED):
        try:
            return hessian(steps)
        except NumericalError:
            steps = steps * SHORTER_STEPS
    return hessian(steps)
