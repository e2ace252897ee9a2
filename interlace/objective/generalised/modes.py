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
from typing import Any, NamedTuple

import numpy as np

from ...covariance import CovarianceModel
from ...errors import NumericalError
from ...linalg.crossproducts.weighted import WeightedZ, times_templates
from ...linalg.factor.base import Factor
from ...linalg.factor.choose import choose_factor
from .density import ConditionalDensity, RowSums
from .newton import damped_newton

__all__ = ["Modes", "PenalisedIRLS", "Point", "no_mode"]

# Newton decrement, relative to the penalised log-likelihood, at which the modes have converged.
# With derivatives a first-order correction is made (see `Point`) and what is left is of the order
# of the decrement; without, of its root.
DECREMENTS = (1e-24, 1e-18)


class _Search(NamedTuple):
    """Modes on the way: u (q,), predictors (n,), their rows, |u|^2, penalised log-likelihood."""

    u: np.ndarray
    eta: np.ndarray
    rows: RowSums
    penalty: float
    value: float


class _Step(NamedTuple):
    """The Newton step at them, its decrement, whether H is in it; Z's and A's - u, (q,) each."""

    move: np.ndarray
    decrement: float
    definite: bool
    scores: np.ndarray
    g: np.ndarray


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
    #: Whether they are searched for in this process by the object itself.
    is_here = True
    #: Whether the effects of a level of a sole grouping factor have modes of their own.
    by_level: bool = True

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

    def criterion(
        self, problem: Any, covariance: CovarianceModel, grid: tuple | None = None
    ) -> Any:
        """The compiled criterion over all parameters of a problem; None where there is none.

        With a grid (nodes, log weights) it is that of quadrature.
        """
        return None

    def room(self) -> np.ndarray | None:
        """Where the fixed predictors of `find` may be, (n,), if the next point overwrites them."""
        return None

    def spare(self) -> np.ndarray | None:
        """An array (n,) to write on before the next `find`, of which t of the last may be part."""
        return None

    def forget_slopes(self) -> None:  # noqa: B027
        """Let go of the memory of t of the last point, which nothing may ask for any more."""

    def level_sums(self, w: np.ndarray) -> np.ndarray | None:
        """Z'WZ by level, (l, k, k), where no two levels share a row; else None."""
        return None

    def random_part(self, T: Sequence[np.ndarray], u: np.ndarray) -> np.ndarray:
        """Z Lambda u, shaped as eta."""
        return self.Z.times(T, u)

    def blocks_of(self, w: np.ndarray, T: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Diagonal blocks of (A'WA + I)^{-1} for weights w, (l_b, k_b, k_b) each.

        Raises
        ------
        NumericalError
            If the matrix is not positive definite.
        """
        factor = choose_factor(self.Z.cross, None)
        factor.set_cross(self.Z.set_weights(w))
        factor.refactor(T)
        return [factor.inverse_blocks(b).copy() for b in range(len(T))]

    @property
    def is_small(self) -> bool:
        """Whether its arrays are so few that to let go of them is not worth the time."""
        return False

    @abstractmethod
    def fresh(self, Z: WeightedZ, density: ConditionalDensity) -> Modes:
        """The same for another density of the rows, with work space of its own."""

    @abstractmethod
    def inverse_blocks(self, b: int) -> np.ndarray:
        """Diagonal blocks of M^{-1} at the last point, (l_b, k_b, k_b)."""

    @abstractmethod
    def information(self, b: int) -> np.ndarray:
        """Sum over levels of [Z'V^{-1}Z]_ll at the last point, (k_b, k_b)."""


def no_mode() -> NumericalError:
    """The error of a search that ends at no maximum."""
    return NumericalError(
        "the conditional modes could not be found at these parameters: the penalised likelihood "
        "has no maximum within reach. Start elsewhere with theta0=, rescale the predictors, or "
        "take a link that keeps every mean in its range"
    )


class PenalisedIRLS(Modes):
    """Modes by damped Newton, on any of the factorisations."""

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
            here, step = self._search(T, eta0, zeta, u, order, frozen)
        return self._point(T, here, step, zeta, order)

    def _search(self, T, eta0, zeta, u, order, frozen) -> tuple[_Search, _Step]:
        Z, density = self.Z, self.density

        def at(u: np.ndarray) -> _Search:
            eta, penalty = self._effects(T, u)
            eta += eta0
            rows = density.rows(eta, zeta, self.expected, order)
            return _Search(u, eta, rows, penalty, rows.total - 0.5 * penalty)

        def step_from(here: _Search) -> _Step:
            scores = Z.transposed(here.rows.score)
            g = self._pulled(T, scores) - here.u
            if frozen:  # what is no maximum has no approximation
                self._refactor(self._newton, here.rows.observed, T)
                return _Step(g, 0.0, True, scores, g)
            definite, weight = self.factorise(here.rows, T, here.eta, zeta)
            return _Step(*self._newton_step(g, weight, T), definite, scores, g)

        start = at(u)
        if not np.isfinite(start.rows.total):
            start = at(np.zeros_like(u))
            if not np.isfinite(start.rows.total):
                raise no_mode()
        if frozen:
            return start, step_from(start)
        ended = damped_newton(
            start, step_from, lambda here, move: at(here.u + move), DECREMENTS[order]
        )
        if ended is None:
            raise no_mode()
        return ended

    def _effects(self, T: Sequence[np.ndarray], u: np.ndarray) -> tuple[np.ndarray, float]:
        """A u and |u|^2."""
        return self.Z.times(T, u), float(u @ u)

    def _pulled(self, T: Sequence[np.ndarray], R: np.ndarray) -> np.ndarray:
        """A's for Z's (q,)."""
        return times_templates(self.Z, T, R)

    def _newton_step(
        self, g: np.ndarray, weight: np.ndarray, T: Sequence[np.ndarray]
    ) -> tuple[np.ndarray, float]:
        """H^{-1}g and the decrement, for an information ``weight`` of the rows."""
        move = self._newton.solve(g)
        return move, float(g @ move)

    def factorise(
        self, rows: RowSums, T: Sequence[np.ndarray], eta: np.ndarray, zeta: np.ndarray
    ) -> tuple[bool, np.ndarray]:
        """Factorise H, or where that is not positive definite (far from the mode) its twin.

        Whether it is H, and the information of the rows that was taken.
        """
        try:
            self._refactor(self._newton, rows.observed, T)
        except NumericalError:
            return False, self.factorise_expected(rows, T, eta, zeta)
        return True, rows.observed

    def factorise_expected(
        self, rows: RowSums, T: Sequence[np.ndarray], eta: np.ndarray, zeta: np.ndarray
    ) -> np.ndarray:
        """Factorise the expected twin of H; the information of the rows in it."""
        safe = rows if self.expected else self.density.rows(eta, zeta, True, order=0)
        weight = self.density.definite(safe)
        self._refactor(self._newton, weight, T)
        return weight

    def solve(self, R: np.ndarray) -> np.ndarray:
        """R (q,) or (q, r) -> what was factorised last, inverse, times R."""
        return self._newton.solve(R)

    def log_determinant(self, rows: RowSums, T: Sequence[np.ndarray]) -> float:
        """log|M| at the modes; `derivatives` and `inverse_blocks` are of this M."""
        if self.expected:
            self._refactor(self._final, rows.weight, T)
        return self._final.logdet

    def _refactor(self, factor: Factor, w: np.ndarray, T: Sequence[np.ndarray]) -> None:
        factor.set_cross(self.Z.set_weights(w))
        factor.refactor(T)

    def _point(self, T, here: _Search, step: _Step, zeta: np.ndarray, order: int) -> Point:
        Z, (u, eta, rows, penalty, _) = self.Z, here
        point = Point(
            rows.total, penalty, self.log_determinant(rows, T), -step.decrement, u, eta,
            rows.score, rows.weight, rows.observed, eta, [], np.empty(0), self._newton.solve,
        )  # fmt: skip
        if order == 0:
            return point

        def adjoint(c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            v = self._newton.solve(self._pulled(T, Z.transposed(c)))
            return v, self._moved_rows(T, v)

        v, point.t, point.dT, point.dzeta = self.derivatives(
            T, u, eta, rows, step.scores, zeta, adjoint
        )
        point.correction += float(v @ step.g)
        return point

    def derivatives(
        self,
        T: Sequence[np.ndarray],
        u: np.ndarray,
        eta: np.ndarray,
        rows: RowSums,
        scores: np.ndarray,
        zeta: np.ndarray,
        adjoint: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    ) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], np.ndarray]:
        """v, t, dT and dzeta at the modes, the final factorisation being up to date.

        ``scores`` is Z's; ``adjoint`` takes c = w'h to v and to what v, and all else that follows
        the parameters inside the iteration, moves the predictors by (A v).
        """
        density = self.density
        h = self._row_variances(T)
        c = density.bent(eta, rows, h)
        v, Av = adjoint(c)
        t = c
        t -= 2.0 * rows.score
        t -= density.moved_scores(rows.observed, Av)
        dT = self._template_gradient(T, u, v, scores, t)
        if not density.n_zeta:
            return v, t, dT, np.empty(0)
        extra = rows.extra
        parts = -2.0 * extra[:, 0] + h * extra[:, 2] + Av * extra[:, 1]
        return v, t, dT, density.collapse(parts, zeta)

    def _moved_rows(self, T: Sequence[np.ndarray], v: np.ndarray) -> np.ndarray:
        """A v, v being what is solved for."""
        return self.Z.times(T, v)

    def _row_variances(self, T: Sequence[np.ndarray]) -> np.ndarray:
        """h, (n,)."""
        final = self._final
        # the blocks come with the pairs in some back ends
        pairs = final.inverse_pairs()
        return self.Z.quadratic(T, [final.inverse_blocks(b) for b in range(len(T))], pairs)

    def _template_gradient(self, T, u, v, Zs, t) -> list[np.ndarray]:
        """2 G_b T_b + sum_l { (Z't)_l u_l' + (Z's)_l v_l' }."""
        Zt = self.Z.transposed(t)
        return [
            self._entry_gradient(b, template, self._final.information(b), u, v, Zs, Zt)
            for b, template in enumerate(T)
        ]

    def _entry_gradient(self, b, template, information, u, v, Zs, Zt) -> np.ndarray:
        """The derivative in the template of factor b."""
        Z = self.Z
        rows, shape = slice(Z.offsets[b], Z.offsets[b + 1]), (Z.n_levels[b], len(template))
        left, right = Zt[rows].reshape(shape), Zs[rows].reshape(shape)
        own = left.T @ u[rows].reshape(shape) + right.T @ v[rows].reshape(shape)
        return 2.0 * (information @ template) + own

    def inverse_blocks(self, b: int) -> np.ndarray:
        return self._final.inverse_blocks(b)

    def information(self, b: int) -> np.ndarray:
        return self._final.information(b)
