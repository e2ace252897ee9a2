"""Conditional modes of one grouping factor by a compiled loop over its levels.

The fused twins of `modes.PenalisedIRLS`, for densities that the kernels know: with one linear
predictor, and with several.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from typing import Any, cast

import numpy as np

from ...covariance import CovarianceModel
from ...linalg.crossproducts.fixed import FixedColumns, FixedPart
from ...linalg.crossproducts.predictors import PredictorZ
from ...linalg.crossproducts.weighted import WeightedZ
from ...linalg.kernels import _levels, _predictor_levels, _quadrature
from ..base import NOT_ASKED, Approach, Evaluation, Stretch
from .compiled import FEW_ENTRIES, NOWHERE, Levels, kernel_of
from .density import ConditionalDensity, FamilyDensity
from .modes import Modes, Point, no_mode
from .several import SeveralDensity

__all__ = ["MAX_WIDTH", "LevelModes", "SeveralLevelModes"]

# Effects a grouping factor may have for the compiled loop over its levels.
MAX_WIDTH = 16
# Rows and effects up to which arrays of a search are left where they are when it is over: to make
# others takes longer, and these are no smaller.
FEW = 1000


class LevelModes(Modes):
    """All Newton steps of one level before the next, while its rows are in cache.

    Rows are sorted by level of the one factor; their arrays of a point are overwritten by the next.
    """

    dense_columns = 0
    backend = "levels"

    density: FamilyDensity

    def __init__(self, Z: WeightedZ, factor, density: FamilyDensity, expected: bool) -> None:
        self.Z, self.density, self.expected = Z, density, expected
        codes, ell = factor.codes, Z.n_levels[0]
        self._starts = np.searchsorted(codes, np.arange(ell + 1)).astype(np.int64)
        k = Z.widths[0]
        self._factor = factor
        self._scale(Z)
        self._k, self._ell = k, ell
        self._renew()

    def _renew(self) -> None:
        """Allocate the arrays that are written to."""
        ell, k = self._ell, self._k
        self._S = np.empty((ell, k, k))
        self._H = np.empty((ell, k, k))
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        self._space = self._slopes = None

    _space: np.ndarray | None
    _slopes: np.ndarray | None

    @property
    def _at_mode(self) -> np.ndarray:
        """Predictors, weights, information and scores of the rows, (4, n).

        Of many rows (3, n) where weights and information are the same. They are kept: new memory
        for so much costs more than what is done with it.
        """
        if self._space is None:
            same = self.Z.n > FEW_ENTRIES and (self.density.canonical or not self.expected)
            self._space = np.empty((3 if same else 4, self.Z.n))
        return self._space

    @property
    def _t(self) -> np.ndarray:
        if self._slopes is None:
            self._slopes = np.empty(self.Z.n)
        return self._slopes

    def forget_slopes(self) -> None:
        self._slopes = None

    @property
    def _values(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Predictors, weights, information and scores, (n,) each."""
        eta, w, *both, score = self._at_mode
        return eta, w, (both[0] if both else w), score

    def room(self) -> np.ndarray | None:
        return self._at_mode[0]  # a row's predictor is read before it is written

    def spare(self) -> np.ndarray | None:
        return self._t

    def level_sums(self, w: np.ndarray) -> np.ndarray | None:
        return self.Z.set_weights(w).diagonal[0]

    @property
    def is_small(self) -> bool:
        return self.Z.n <= FEW and self._S.size <= FEW

    def fresh(self, Z: WeightedZ, density: ConditionalDensity) -> LevelModes:
        other = copy(self)
        other.Z, other.density = Z, cast("FamilyDensity", density)
        if not np.array_equal(Z.scale[0], self.Z.scale[0]):
            other._scale(Z)
        other._renew()
        return other

    def find(self, T, eta0, zeta, u, order=1, frozen=False) -> Point:
        density, ell, k = self.density, self._ell, self._k
        template = np.ascontiguousarray(T[0] * self._shrink)
        U = np.array(u, dtype=np.float64).reshape(ell, k)
        eta, w, observed, score = self._values
        t = self._t
        dT, sums = np.empty((k, k)), np.empty(5)
        in_zeta = np.empty(self.Z.n) if density.by_row and order else None
        passes = _levels.laplace(
            density.kernel_at(zeta), density.parameter(zeta), self.expected, order, frozen,
            self._starts, self._columns, template, eta0, U,
            self._at_mode, t, dT, sums, self._S, self._H, in_zeta,
        )  # fmt: skip
        if passes < 0 or not np.isfinite(sums).all():
            raise no_mode()
        self._last = np.ascontiguousarray(T[0]), w
        return Point(
            sums[0], sums[1], sums[2], sums[4], U.ravel(), eta, score, w, observed, t,
            [dT * self._shrink],
            self._in_zeta(sums[3:4], t, in_zeta, zeta), self._solver(),
        )  # fmt: skip

    def _in_zeta(self, total: np.ndarray, t: np.ndarray, in_zeta, zeta: np.ndarray) -> np.ndarray:
        """The derivative in zeta from its sum over the rows, or from the rows' own."""
        density = self.density
        if not density.by_row:
            return total if density.n_zeta else np.empty(0)
        if in_zeta is None:
            return np.empty(0)
        # of both thresholds of a row: a shift of these is one of the predictor
        parts = np.empty((2, t.size))
        parts[0] = in_zeta
        np.add(t, in_zeta, out=parts[1])
        np.negative(parts[1], out=parts[1])
        return density.collapse(parts, zeta)

    def _scale(self, Z: WeightedZ) -> None:
        raw = self._factor.Z
        sole = self._factor.intercept_only
        # a column of ones is not stored: its scale goes to the template
        self._columns = np.empty((0, 1)) if sole else np.ascontiguousarray(raw / Z.scale[0])
        self._shrink = 1.0 / float(Z.scale[0][0]) if sole else 1.0

    def criterion(
        self, problem: Any, covariance: CovarianceModel, grid: tuple | None = None
    ) -> CompiledCriterion | None:
        """The compiled criterion, where rows are few and it knows the structure and the density."""
        fixed: FixedPart = problem.fixed
        if not covariance.identity or not isinstance(fixed, FixedColumns):  # else rows are many
            return None
        levels = Levels(
            self._starts, self._columns, self._shrink, (covariance.row, covariance.col),
            self._at_mode, self._t, self._S, self._H,
        )  # fmt: skip
        kernel = kernel_of(self.density, fixed.X, problem.offset, self.expected, levels, grid)
        if kernel is None:
            return None
        return CompiledCriterion(kernel, self)

    def at_template(self, T: np.ndarray) -> None:
        """Take what is in the arrays of this object for the last point, with template T (k, k)."""
        self._last = T, self._at_mode[1]

    def reached(self, u, total, penalty, logdet, correction, dT) -> Point:
        """The point whose rows are in the arrays of this object."""
        eta, w, observed, score = self._values
        t = self._t
        return Point(
            total, penalty, logdet, correction, u, eta, score, w, observed, t, [dT],
            np.empty(0), self._solver(),
        )  # fmt: skip

    def displaced(self, T, eta0, zeta, u):
        if self.density.by_row:
            return self._displaced_by_row(T, eta0, zeta, u)
        density, ell, k, n, m = self.density, self._ell, self._k, self.Z.n, len(eta0)
        templates = np.stack([one[0] for one in T]) * self._shrink
        par = np.array([density.parameter(one) for one in zeta])
        t = self._t[None] if m == 1 else np.empty((m, n))
        dT, sums = np.empty((m, k, k)), np.empty((m, 5))
        failed = _levels.displaced(
            density.kernel, par, self.expected, self._starts, self._columns, templates, eta0,
            np.array(u).reshape(m, ell, k), self._at_mode, t, dT, sums,
        )  # fmt: skip
        if failed >= 0 or not np.isfinite(sums).all():
            raise no_mode()
        dT *= self._shrink
        return t, [[one] for one in dT], sums[:, 3 : 3 + density.n_zeta]

    def _displaced_by_row(self, T, eta0, zeta, u):
        density, ell, k, n, m = self.density, self._ell, self._k, self.Z.n, len(eta0)
        templates = np.stack([one[0] for one in T]) * self._shrink
        t, dT, sums = np.empty((m, n)), np.empty((m, k, k)), np.empty((m, 5))
        dzeta, in_zeta, U = np.empty((m, density.n_zeta)), np.empty(n), np.array(u)
        for i in range(m):
            passes = _levels.laplace(
                density.kernel_at(zeta[i]), 1.0, self.expected, 1, True, self._starts,
                self._columns, templates[i], eta0[i], U[i].reshape(ell, k), self._at_mode, t[i],
                dT[i], sums[i], self._S, self._H, in_zeta,
            )  # fmt: skip
            if passes < 0:
                raise no_mode()
            dzeta[i] = self._in_zeta(sums[i], t[i], in_zeta, zeta[i])
        if not np.isfinite(sums).all():
            raise no_mode()
        dT *= self._shrink
        return t, [[one] for one in dT], dzeta

    def integrate(
        self, T: np.ndarray, zeta: np.ndarray, point: Point, order: int, grid: tuple
    ) -> None:
        """The sums over a grid (nodes, log weights) around the modes of the last point, into it."""
        density, k = self.density, self._k
        t, dT, sums = np.empty(self.Z.n if order else 0), np.empty((k, k)), np.empty(3)
        in_zeta = np.empty(self.Z.n) if density.by_row and order else None
        kernel = density.kernel_at(zeta)
        assert kernel is not None
        _quadrature.quadrature(
            kernel.weighted(), density.parameter(zeta), self.expected, order,
            self._starts, self._columns, T * self._shrink, point.eta, *grid,
            point.u.reshape(-1, k), self._S, self._H, t, dT, sums, in_zeta,
        )  # fmt: skip
        point.correction = -2.0 * sums[0] + sums[1]
        if order:
            point.t, point.dT = t, [dT * self._shrink]
            point.dzeta = self._in_zeta(sums[2:3], t, in_zeta, zeta)

    def _solver(self) -> Callable[[np.ndarray], np.ndarray]:
        H, ell, k = self._H, self._ell, self._k

        def solve(R: np.ndarray) -> np.ndarray:
            if k == 1:
                return R * (H.reshape(-1) if R.ndim == 1 else H.reshape(-1, 1))
            return np.matmul(H, R.reshape(ell, k, -1)).reshape(R.shape)

        return solve

    def inverse_blocks(self, b: int) -> np.ndarray:
        return self._S

    def information(self, b: int) -> np.ndarray:
        assert self._last is not None
        T, w = self._last
        A = self.Z.set_weights(w).diagonal[0]
        # [Z'V^{-1}Z]_ll = A - A T M^{-1} T'A
        AT = A @ T
        return A.sum(axis=0) - np.einsum("lab,lbc,ldc->ad", AT, self._S, AT)


class CompiledCriterion:
    """The criterion over all parameters by the kernel, which writes to the arrays of the modes."""

    def __init__(self, kernel: Any, modes: LevelModes) -> None:
        self.kernel, self._modes = kernel, modes

    def search(
        self, x: np.ndarray, starts: Iterable[np.ndarray | None], order: int
    ) -> tuple[np.ndarray, float]:
        """The modes (q,) at x from the first start that leads to any, and the value of `Point`.

        None among the starts is the tangent at the last point.
        """
        for u in starts:
            end = self.kernel.evaluate(x, NOWHERE if u is None else u, u is None, order)
            if end is not None:
                self._u = end
                self._modes.at_template(self.kernel.template)
                return end, self.kernel.without_constant
        raise no_mode()

    def steps_from(
        self, at: Approach, promises: tuple[float, float], differences: tuple[float, ...]
    ) -> tuple[Stretch, tuple[np.ndarray, np.ndarray, bool]]:
        """Steps of a search from the last point, and the `place` of the kernel after them."""
        x, g, B = at.x.copy(), at.here.gradient.copy(), at.curvature.copy()
        value, radius, evaluations, refreshed, points, ended, stopped = self.kernel.approached(
            x, at.here.value, g, B, at.radius, at.refreshed, *promises, differences
        )
        here = Evaluation(value, g, B, True) if ended else Evaluation(value, g)
        end = Approach(x, here, B, radius, refreshed)
        log = [
            (point[:-1], value) for point, value in zip(points, points[:, -1].tolist(), strict=True)
        ]
        place = self.kernel.place
        self._u = place[1]
        self._modes.at_template(self.kernel.template)
        return Stretch(end, ended, log, evaluations, stopped), place

    def point(self) -> Point:
        """The last point."""
        return self._modes.reached(self._u, *self.kernel.parts)

    def evaluation(self, order: int) -> Evaluation:
        """At the last point, without curvature."""
        return Evaluation(self.kernel.value, self.kernel.gradient if order else NOT_ASKED)


class SeveralLevelModes(LevelModes):
    """The same for the compiled rows of several linear predictors."""

    Z: PredictorZ
    density: SeveralDensity  # type: ignore[assignment]

    def criterion(self, problem, covariance, grid=None) -> None:
        return None

    def _renew(self) -> None:
        ell, k, K = self._ell, self._k, self.Z.count
        self._S = self._H = np.empty((ell, k, k))
        self._last = None
        self._n_values, self._space, self._slopes = 2 * K + K * (K + 1) // 2, None, None
        density = self.density
        self._data = _predictor_levels.LevelRows(
            density.kernel, self._starts, self._columns, self.Z.predictors[0], density.y,
            density.weights, density.trials,
        )  # fmt: skip

    @property
    def _rows(self) -> np.ndarray:
        """Predictors, scores and packed information of the rows."""
        if self._space is None:
            self._space = np.empty((self._n_values, self.Z.n))
        return self._space

    def room(self) -> None:
        return None

    def spare(self) -> None:
        return None

    def level_sums(self, w: np.ndarray) -> None:
        return None

    def find(self, T, eta0, zeta, u, order=1, frozen=False) -> Point:
        template = np.ascontiguousarray(T[0] * self._shrink)[None]
        U = np.array(u, dtype=np.float64)[None]
        t, dT, sums = self._laplace(order, frozen, template, eta0[None], U)
        K = self.Z.count
        eta, score, W = self._rows[:K], self._rows[K : 2 * K], self._rows[2 * K :]
        total, penalty, logdet, correction = sums[0]
        self._last = np.ascontiguousarray(T[0]), W
        return Point(
            total, penalty, logdet, correction, U[0], eta, score, W, W, t[0], [dT[0]],
            np.empty(0), self._solver(),
        )  # fmt: skip

    def displaced(self, T, eta0, zeta, u):
        templates = np.stack([one[0] for one in T]) * self._shrink
        t, dT, _ = self._laplace(1, True, templates, eta0, np.array(u, dtype=np.float64))
        return t, [[one] for one in dT], np.empty((len(t), 0))

    def _laplace(
        self, order: int, frozen: bool, templates: np.ndarray, eta0: np.ndarray, U: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """t (m, K, n), dT (m, k, k), parts of the deviance (m, 4) at m vectors; modes into U."""
        ell, k, K, m = self._ell, self._k, self.Z.count, len(templates)
        t = np.empty((m, K, self.Z.n) if order else (m, K, 0))
        dT, sums = np.empty((m, k, k)), np.empty((m, 4))
        failed = _predictor_levels.laplace(
            self._data, order, frozen, templates, eta0, U.reshape(m, ell, k), self._rows, t, dT,
            sums, self._S,
        )  # fmt: skip
        if failed >= 0 or not np.isfinite(sums).all():
            raise no_mode()
        dT *= self._shrink
        return t, dT, sums
