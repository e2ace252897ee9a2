"""Conditional modes by penalised IRLS, and what Laplace's approximation takes from them.

With A = Z Lambda, s, w_o the score and the observed information of the rows, w the information
chosen for the determinant (section 7 of the mathematics page):

    modes u:  A's = u,        H = A'W_o A + I,      M = A'W A + I   (factorised *at* the mode)
    h_i = [A M^{-1} A']_ii,   c = w' h,   v = H^{-1} A'c,   t = -2 s + c - w_o (A v).

t is the derivative of -2 sum(log density) + |u|^2 + log|M| in each row's own predictor, the modes
following.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import cast

import numpy as np

from ...errors import NumericalError
from ...linalg.crossproducts.weighted import WeightedZ
from ...linalg.factor.base import Factor
from ...linalg.factor.choose import choose_factor
from ...linalg.kernels import _levels
from .density import ConditionalDensity, FamilyDensity, RowSums

__all__ = ["LevelModes", "Modes", "PenalisedIRLS", "Point"]

# Newton decrement, relative to the penalised log-likelihood, at which the modes have converged.
# With derivatives a first-order correction is made (see `Point`) and what is left is of the order
# of the decrement; without, of its root.
DECREMENTS = (1e-24, 1e-18)
# A decrement below this that no longer falls is rounding.
ROUNDING = 1e-16
# A step of a decrement below this is not asked whether it gains: rounding of eta hides as much in
# the values of large counts.
TRUSTED = 1e-9
# Where a likelihood falls exponentially Newton's steps have length one.
MAX_STEPS = 500
# Where the information is not positive definite and steps promise less than this, relative, they
# lead to no maximum.
ENDS = 1e-8
MAX_HALVINGS = 40
# Effects a grouping factor may have for the compiled loop over its levels.
MAX_WIDTH = 16
_NO_LEVELS = np.empty((0, 1, 1))


@dataclass(eq=False)
class Point:
    """Laplace's approximation at one parameter vector.

    Attributes
    ----------
    total : float
        Sum of the parts of the log-densities that depend on eta.
    penalty : float
        |u|^2.
    logdet : float
        log|M|.
    correction : float
        What is to be added for the modes being a small step short of converged.
    u : ndarray, shape (q,)
        Spherical modes, level-major within a factor.
    eta, score, weight, observed : ndarray, shape (n,)
    t : ndarray, shape (n,)
        Derivative in the rows' predictors (order 1 only, as all that follows).
    dT : list of ndarray, shape (k_b, k_b)
        Derivative in the templates.
    dzeta : ndarray, shape (n_zeta,)
        Derivative in zeta, without that of the constant.
    solve : callable
        R (q, r) -> H^{-1} R.
    """

    total: float
    penalty: float
    logdet: float
    correction: float
    u: np.ndarray
    eta: np.ndarray
    score: np.ndarray
    weight: np.ndarray
    observed: np.ndarray
    t: np.ndarray
    dT: list[np.ndarray]
    dzeta: np.ndarray
    solve: Callable[[np.ndarray], np.ndarray]

    @property
    def value(self) -> float:
        """-2 sum(log density) + |u|^2 + log|M|, without constants."""
        return -2.0 * self.total + self.penalty + self.logdet + self.correction


class Modes(ABC):
    """Finds modes for given templates, fixed predictors and zeta."""

    Z: WeightedZ
    density: ConditionalDensity
    expected: bool
    dense_columns: int
    backend: str

    @abstractmethod
    def find(
        self,
        T: Sequence[np.ndarray],
        eta0: np.ndarray,
        zeta: np.ndarray,
        u: np.ndarray,
        order: int = 1,
        frozen: bool = False,
    ) -> Point:
        """The approximation at templates T, offset plus X beta ``eta0`` (n,) and zeta.

        ``u`` (q,) is where the search starts; ``frozen`` takes it as the mode.

        Raises
        ------
        NumericalError
            If there is no mode within reach, or what is taken as one is no maximum.
        """

    def displaced(
        self,
        T: Sequence[Sequence[np.ndarray]],
        eta0: np.ndarray,
        zeta: np.ndarray,
        u: np.ndarray,
    ) -> tuple[np.ndarray, list[list[np.ndarray]], np.ndarray]:
        """t (m, n), dT and dzeta (m, n_zeta) at m parameter vectors with given modes.

        ``eta0`` (m, n), ``zeta`` (m, n_zeta), ``u`` (m, q).
        """
        points = [self.find(*one, 1, frozen=True) for one in zip(T, eta0, zeta, u, strict=True)]
        t = np.stack([point.t for point in points])
        return t, [point.dT for point in points], np.stack([point.dzeta for point in points])

    @abstractmethod
    def fresh(self, Z: WeightedZ, density: ConditionalDensity) -> Modes:
        """For the same design with work space of its own, and this density of its rows."""

    @abstractmethod
    def inverse_blocks(self, b: int) -> np.ndarray:
        """Diagonal blocks of M^{-1} at the last point, (l_b, k_b, k_b)."""

    @abstractmethod
    def information(self, b: int) -> np.ndarray:
        """Sum over levels of [Z'V^{-1}Z]_ll at the last point, (k_b, k_b)."""


def times_templates(Z: WeightedZ, T: Sequence[np.ndarray], R: np.ndarray) -> np.ndarray:
    """Lambda' R for R (q,) or (q, r), with Z's columns scaled."""
    out = np.empty_like(R)
    for b, (t, ell) in enumerate(zip(T, Z.n_levels, strict=True)):
        rows = slice(Z.offsets[b], Z.offsets[b + 1])
        k = len(t)
        if k == 1:
            np.multiply(R[rows], t[0, 0], out=out[rows])
        else:
            block = R[rows].reshape(ell, k, -1)
            out[rows] = np.matmul(t.T, block).reshape(R[rows].shape)
    return out


def _no_mode() -> NumericalError:
    return NumericalError(
        "the conditional modes could not be found at these parameters: the penalised likelihood "
        "has no maximum within reach. Start elsewhere with theta0=, rescale the predictors, or "
        "take a link that keeps every mean in its range"
    )


class PenalisedIRLS(Modes):
    """Newton's method with step halving, on any of the factorisations.

    Parameters
    ----------
    Z : WeightedZ
    density : ConditionalDensity
    expected : bool
        Expected instead of observed information in the determinant.
    backend : str or None
        Forces a back end.
    """

    def __init__(
        self, Z: WeightedZ, density: ConditionalDensity, expected: bool, backend: str | None
    ) -> None:
        self.Z, self.density = Z, density
        self.expected = expected and not density.canonical
        self._newton = choose_factor(Z.cross, backend)
        self._final: Factor = self._newton.fresh() if self.expected else self._newton
        self.dense_columns = self._newton.dense_columns
        self.backend = self._newton.name

    def fresh(self, Z: WeightedZ, density: ConditionalDensity) -> PenalisedIRLS:
        other = copy(self)
        other.Z, other.density = Z, density
        other._newton = self._newton.fresh()
        other._final = self._final.fresh() if self.expected else other._newton
        return other

    def find(self, T, eta0, zeta, u, order=1, frozen=False) -> Point:
        T = [np.ascontiguousarray(t) for t in T]
        # steps that lead out of the numbers are halved
        with np.errstate(over="ignore", invalid="ignore"):
            u, eta, rows, scores, g, decrement = self._search(T, eta0, zeta, u, order, frozen)
        if self.expected:
            self._refactor(self._final, rows.weight, T)
        return self._point(T, u, eta, rows, scores, g, decrement, order)

    def _search(self, T, eta0, zeta, u, order, frozen):
        Z, density = self.Z, self.density
        eta = Z.times(T, u)
        eta += eta0
        rows = density.rows(eta, zeta, self.expected, order)
        if not np.isfinite(rows.total):
            u = np.zeros_like(u)
            eta = eta0.copy()
            rows = density.rows(eta, zeta, self.expected, order)
            if not np.isfinite(rows.total):
                raise _no_mode()
        value = rows.total - 0.5 * (u @ u)
        before = np.inf
        for _ in range(MAX_STEPS):
            scores = Z.transposed(rows.score)
            g = times_templates(Z, T, scores) - u
            if frozen:  # what is no maximum has no approximation
                self._refactor(self._newton, rows.observed, T)
                return u, eta, rows, scores, g, 0.0
            definite = self._factorise(rows, T, eta, zeta)[0]
            step = self._newton.solve(g)
            decrement = float(g @ step)
            small = decrement / (1.0 + abs(value))
            stalled = small < ROUNDING and small > 0.25 * before
            if definite and (small < DECREMENTS[order] or stalled):
                return u, eta, rows, scores, g, decrement
            if not definite and small < ENDS:
                raise _no_mode()
            before = small
            trusted = definite and small < TRUSTED
            for _ in range(MAX_HALVINGS):
                u_there = u + step
                eta = Z.times(T, u_there)
                eta += eta0
                rows = density.rows(eta, zeta, self.expected, order)
                there = rows.total - 0.5 * (u_there @ u_there)
                if there >= value - 1e-13 * abs(value) or (trusted and np.isfinite(there)):
                    break
                step *= 0.5
            else:
                raise _no_mode()
            u, value = u_there, there
        raise _no_mode()

    def _factorise(
        self, rows: RowSums, T: Sequence[np.ndarray], eta: np.ndarray, zeta: np.ndarray
    ) -> tuple[bool, np.ndarray]:
        """H, or where that is not positive definite (far from the mode) its expected twin.

        Whether it is H, and the information of the rows that was taken.
        """
        try:
            self._refactor(self._newton, rows.observed, T)
        except NumericalError:
            return False, self._factorise_expected(rows, T, eta, zeta)
        return True, rows.observed

    def _factorise_expected(
        self, rows: RowSums, T: Sequence[np.ndarray], eta: np.ndarray, zeta: np.ndarray
    ) -> np.ndarray:
        """The expected twin of H; the information of the rows in it."""
        safe = rows if self.expected else self.density.rows(eta, zeta, True, order=0)
        weight = np.maximum(safe.weight, 0.0)
        self._refactor(self._newton, weight, T)
        return weight

    def _refactor(self, factor: Factor, w: np.ndarray, T: Sequence[np.ndarray]) -> None:
        factor.set_cross(self.Z.set_weights(w))
        factor.refactor(T)

    def _point(self, T, u, eta, rows: RowSums, scores, g, decrement, order) -> Point:
        Z, final = self.Z, self._final
        point = Point(
            rows.total, float(u @ u), final.logdet, -decrement, u, eta, rows.score, rows.weight,
            rows.observed, eta, [], np.empty(0), self._newton.solve,
        )  # fmt: skip
        if order == 0:
            return point

        def adjoint(c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            v = self._newton.solve(times_templates(Z, T, Z.transposed(c)))
            return v, Z.times(T, v)

        v, point.t, point.dT, point.dzeta = self.derivatives(T, u, rows, scores, adjoint)
        point.correction += float(v @ g)
        return point

    def derivatives(
        self,
        T: Sequence[np.ndarray],
        u: np.ndarray,
        rows: RowSums,
        scores: np.ndarray,
        adjoint: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    ) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]:
        """v, t, dT and dzeta at the modes, the final factorisation being up to date.

        ``scores`` is Z's; ``adjoint`` takes c = w'h to v and to what v, and all else that follows
        the parameters inside the iteration, moves the predictors by (A v).
        """
        Z, final = self.Z, self._final
        # the blocks come with the pairs in some back ends
        pairs = final.inverse_pairs()
        h = Z.quadratic(T, [final.inverse_blocks(b) for b in range(len(T))], pairs)
        information = [final.information(b) for b in range(len(T))]
        c = rows.slope * h
        v, Av = adjoint(c)
        t = c
        t -= 2.0 * rows.score
        t -= rows.observed * Av
        dT = self._template_gradient(T, u, v, scores, t, information)
        if not self.density.n_zeta:
            return v, t, dT, np.empty(0)
        extra = rows.extra
        parts = -2.0 * extra[:, 0] + h * extra[:, 2] + Av * extra[:, 1]
        return v, t, dT, self.density.collapse(parts)

    def _template_gradient(self, T, u, v, Zs, t, information) -> list[np.ndarray]:
        """2 N_b T_b + sum_l { (Z't)_l u_l' + (Z's)_l v_l' }."""
        Z = self.Z
        Zt = Z.transposed(t)
        out = []
        for b, (template, ell) in enumerate(zip(T, Z.n_levels, strict=True)):
            rows, shape = slice(Z.offsets[b], Z.offsets[b + 1]), (ell, len(template))
            left, right = (Zt[rows].reshape(shape), Zs[rows].reshape(shape))
            own = left.T @ u[rows].reshape(shape) + right.T @ v[rows].reshape(shape)
            out.append(2.0 * (information[b] @ template) + own)
        return out

    def inverse_blocks(self, b: int) -> np.ndarray:
        return self._final.inverse_blocks(b)

    def information(self, b: int) -> np.ndarray:
        return self._final.information(b)


class LevelModes(Modes):
    """One grouping factor, a density that the kernels know: each level to its end in cache.

    The rows' arrays of a point are overwritten by the next one.

    Parameters
    ----------
    Z : WeightedZ
        Of one factor, rows sorted by level.
    factor : GroupingFactor
        The same rows.
    density : FamilyDensity
    expected : bool
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
        """All that is written to."""
        ell, k = self._ell, self._k
        self._S = np.empty((ell, k, k))
        self._H = np.empty((ell, k, k))
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        # Values of the rows: for many of them new memory costs more than what is done with it.
        self._rows = np.empty((5, self.Z.n))

    def fresh(self, Z: WeightedZ, density: ConditionalDensity) -> LevelModes:
        other = copy(self)
        other.Z, other.density = Z, cast("FamilyDensity", density)
        other._scale(Z)
        other._renew()
        return other

    def find(self, T, eta0, zeta, u, order=1, frozen=False) -> Point:
        density, ell, k = self.density, self._ell, self._k
        kernel = density.kernel
        assert kernel is not None
        template = np.ascontiguousarray(T[0] * self.shrink)
        U = np.array(u, dtype=np.float64).reshape(ell, k)
        eta, w, observed, score, t = self._rows
        dT, sums = np.empty((k, k)), np.empty(5)
        passes = _levels.laplace(
            kernel.family, kernel.link, kernel.power, density.parameter(zeta), self.expected,
            order, frozen, self._starts, self._columns, template, eta0, density.y, density.weights,
            kernel.log_y, U, eta, w, observed, score, t, dT, sums, self._S, self._H,
        )  # fmt: skip
        if passes < 0 or not np.isfinite(sums).all():
            raise _no_mode()
        self._last = np.ascontiguousarray(T[0]), w
        return Point(
            sums[0], sums[1], sums[2], sums[4], U.ravel(), eta, score, w, observed, t,
            [dT * self.shrink],
            sums[3:4] if density.n_zeta else np.empty(0), self._solver(),
        )  # fmt: skip

    def _scale(self, Z: WeightedZ) -> None:
        raw = self._factor.Z
        sole = self._factor.intercept_only
        # a column of ones is not stored: its scale goes to the template
        self._columns = np.empty((0, 1)) if sole else np.ascontiguousarray(raw / Z.scale[0])
        self.shrink = 1.0 / float(Z.scale[0][0]) if sole else 1.0

    def displaced(self, T, eta0, zeta, u):
        density, ell, k, n, m = self.density, self._ell, self._k, self.Z.n, len(eta0)
        kernel = density.kernel
        assert kernel is not None
        templates = np.stack([one[0] for one in T]) * self.shrink
        par = np.array([density.parameter(one) for one in zeta])
        t, dT, sums = np.empty((m, n)), np.empty((m, k, k)), np.empty((m, 5))
        failed = _levels.displaced(
            kernel.family, kernel.link, kernel.power, par, self.expected, self._starts,
            self._columns, templates, eta0, density.y, density.weights, kernel.log_y,
            np.array(u).reshape(m, ell, k), self._rows[:4], t, dT, sums, _NO_LEVELS,
        )  # fmt: skip
        if failed >= 0 or not np.isfinite(sums).all():
            raise _no_mode()
        dT *= self.shrink
        return t, [[one] for one in dT], sums[:, 3 : 3 + density.n_zeta]

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
