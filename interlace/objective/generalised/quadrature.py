"""-2 log-likelihood by adaptive Gauss-Hermite quadrature, with its exact gradient.

For one grouping factor with k effects. At a level with modes u, information M = LL' of the
determinant and f(u) = sum(log density) - |u|^2 / 2, nodes z_j and weights w_j of the standard
normal density on a tensor grid,

    u_j = u + L^{-T} z_j,   e_j = log w_j + |z_j|^2 / 2 + f(u_j),   p_j = exp(e_j) / sum exp(e)
    d   = sum_l { log|M| - 2 log sum_j exp(e_j) }.

(Liu and Pierce 1994; Pinheiro and Bates 1995. One node is Laplace's approximation.) The nodes move
with u and with L. With g_j = A's(u_j) - u_j the gradient of f there and

    C = sum_j p_j L^{-1} g_j z_j',   S = L^{-T} (I + C) L^{-1}   (of C the upper triangle, mirrored)

S takes the place of M^{-1} in the gradient of Laplace's approximation, and means over the nodes
that of what is taken at the mode:

    h_i = [A S A']_ii,   c = w' h,   v = H^{-1} (A'c - 2 sum_j p_j g_j)
    t    = -2 sum_j p_j s(u_j) + c - w_o (A v)                       in the rows' own predictor
    dT   = 2 Z'WZ T S + Z'(t + 2 sum_j p_j s(u_j)) u' + Z's v' - 2 sum_j p_j Z's(u_j) u_j'.
"""

from __future__ import annotations

from copy import copy
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ...covariance import CovarianceModel
from ...errors import ArgumentError, NumericalError
from ...linalg.crossproducts.weighted import WeightedZ, times_templates
from .density import ConditionalDensity
from .laplace import LaplaceObjective
from .level_modes import LevelModes
from .modes import Modes, Point
from .problem import Problem

__all__ = ["NodeSums", "QuadratureModes", "QuadratureObjective", "check_nodes", "normal_grid"]

# Nodes per dimension: lme4's limit. More find nothing new in double precision.
MAX_NODES = 100
# Effects per level: the grid has nodes^k points.
MAX_EFFECTS = 3


class Grid(NamedTuple):
    """Nodes for the standard normal density."""

    nodes: np.ndarray  # (N, k): those near 0 first
    log_weights: np.ndarray  # (N,): log w_j + |z_j|^2 / 2, with weights that sum to 1


@lru_cache(maxsize=4)
def normal_grid(nodes: int, k: int = 1) -> Grid:
    """The grid of ``nodes ** k`` Gauss-Hermite nodes of the normal density, arrays read-only.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.objective.generalised.quadrature import normal_grid
    >>> z, log_weights = normal_grid(3)
    >>> float(np.round(np.exp(log_weights - z[:, 0] ** 2 / 2) @ z[:, 0] ** 4, 12))
    3.0
    """
    x, w = np.polynomial.hermite.hermgauss(nodes)
    # exactly symmetric
    x, w = 0.5 * (x - x[::-1]), 0.5 * (w + w[::-1])
    log_w = np.log(w) - 0.5 * np.log(np.pi) + x * x
    z = np.stack([axis.ravel() for axis in np.meshgrid(*[np.sqrt(2.0) * x] * k)], axis=1)
    total = sum(axis.ravel() for axis in np.meshgrid(*[log_w] * k))
    order = np.argsort((z * z).sum(axis=1), kind="stable")
    z, total = np.ascontiguousarray(z[order]), np.asarray(total)[order]
    z.flags.writeable = total.flags.writeable = False
    return Grid(z, total)


def check_nAGQ(nAGQ: int) -> None:  # noqa: N802
    """Refuse numbers of nodes that no approximation has."""
    if not 0 <= nAGQ <= MAX_NODES:
        raise ArgumentError(
            f"nAGQ={nAGQ} is out of range: 0 (fast, approximate), 1 (Laplace) or up to "
            f"{MAX_NODES} nodes of adaptive quadrature"
        )


def check_nodes(nodes: int, design) -> None:
    """Raise an `ArgumentError` where a design cannot be integrated with that many nodes.

    Any object with grouping ``factors`` will do.
    """
    whole = isinstance(nodes, (int, np.integer)) and not isinstance(nodes, bool)
    if not whole or not 1 <= nodes <= MAX_NODES:
        raise ArgumentError(
            f"nAGQ must be an integer from 1 to {MAX_NODES} (the quadrature nodes per random "
            f"effect), got {nodes!r}; 25 are as good as exact for most models"
        )
    if nodes == 1:
        return
    names = [factor.name for factor in design.factors]
    if len(names) != 1:
        raise ArgumentError(
            f"nAGQ={nodes} needs exactly one grouping factor, but the formula has {len(names)} "
            f"({', '.join(names)}); take nAGQ=1 (Laplace's approximation)"
        )
    k = design.factors[0].Z.shape[1]
    if k > MAX_EFFECTS:
        raise ArgumentError(
            f"nAGQ={nodes} needs at most {MAX_EFFECTS} random effects per level, but "
            f"{names[0]!r} has {k}; take nAGQ=1 (Laplace's approximation) or fewer random slopes"
        )


class QuadratureModes(Modes):
    """The modes of Laplace's approximation with one grouping factor, and the sums over nodes there.

    ``nodes`` are counted in each dimension; ``codes`` (n,) are the levels of the sorted rows.
    """

    def __init__(self, laplace: Modes, nodes: int, codes: np.ndarray) -> None:
        self.laplace = laplace
        self.Z, self.density, self.expected = laplace.Z, laplace.density, laplace.expected
        self.dense_columns, self.backend = laplace.dense_columns, laplace.backend
        self.grid = normal_grid(nodes, self.Z.widths[0])
        self.codes = codes

    def fresh(self, Z: WeightedZ, density: ConditionalDensity) -> QuadratureModes:
        other = copy(self)
        other.laplace = self.laplace.fresh(Z, density)
        other.Z, other.density = Z, density
        return other

    def find(self, T, eta0, zeta, u, order=1, frozen=False) -> Point:
        point = self.laplace.find(T, eta0, zeta, u, 0, frozen)
        template = np.ascontiguousarray(T[0])
        if isinstance(self.laplace, LevelModes):
            self.laplace.integrate(template, zeta, point, order, self.grid)
        else:
            self._by_nodes(template, zeta, point, order)
        finite = np.isfinite(point.correction)
        if order:
            finite = finite and np.isfinite(point.t).all() and np.isfinite(point.dT[0]).all()
        if not finite:
            raise NumericalError(
                "the quadrature is not finite at these parameters: at every node a mean is out of "
                "its range. Take an odd nAGQ, rescale the predictors, or take a link that keeps "
                "every mean in its range"
            )
        return point

    def criterion(self, problem, covariance, grid=None):
        return self.laplace.criterion(problem, covariance, self.grid)

    def room(self):
        return self.laplace.room()

    def forget_slopes(self):
        self.laplace.forget_slopes()

    def level_sums(self, w):
        return self.laplace.level_sums(w)

    def inverse_blocks(self, b: int) -> np.ndarray:
        return self.laplace.inverse_blocks(b)

    def information(self, b: int) -> np.ndarray:
        return self.laplace.information(b)

    # -- any density, one node of all levels after the other ---------------------------------

    def _by_nodes(self, T, zeta, point: Point, order: int) -> None:
        S = self.laplace.inverse_blocks(0)
        # upper triangular R with RR' = M^{-1}: L^{-T}
        R = np.linalg.cholesky(S[:, ::-1, ::-1])[:, ::-1, ::-1]
        sums = NodeSums(self, T, zeta, point, R)
        for z, log_weight in zip(*self.grid, strict=True):
            sums.add(z, log_weight, order)
        point.correction -= 2.0 * float((sums.top + np.log(sums.total)).sum())
        if order:
            self._gradient(T, zeta, point, R, sums)

    def _gradient(self, T, zeta, point: Point, R: np.ndarray, sums: NodeSums) -> None:
        Z, density, (ell, k) = self.Z, self.density, sums.u.shape
        score, g_mean, C, P, extra = sums.means()
        C = np.triu(C) + np.triu(C, 1).transpose(0, 2, 1)
        S = R @ (np.eye(k) + C) @ R.transpose(0, 2, 1)
        rows = density.rows(point.eta, zeta, self.expected)
        h = Z.quadratic([T], [S], {})
        c = rows.slope * h
        Ac = times_templates(Z, [T], Z.transposed(c))
        v = point.solve(Ac - 2.0 * g_mean.ravel())
        Av = Z.times([T], v)
        at_mode = c - rows.observed * Av
        Zs = Z.transposed(rows.score)
        # the modes are a small step short of converged
        point.correction += float(v @ (times_templates(Z, [T], Zs) - point.u))
        A = Z.set_weights(rows.weight).diagonal[0]
        dT = 2.0 * np.einsum("lab,bc,lcd->ad", A, T, S) - 2.0 * P.sum(axis=0)
        dT += Z.transposed(at_mode).reshape(ell, k).T @ sums.u + Zs.reshape(ell, k).T @ v.reshape(
            ell, k
        )
        point.t, point.dT = at_mode - 2.0 * score, [dT]
        if density.n_zeta:
            parts = -2.0 * extra + h * rows.extra[:, 2] + Av * rows.extra[:, 1]
            point.dzeta = density.collapse(parts, zeta)


class NodeSums:
    """Sums over the nodes of every level, relative to the level's largest term so far."""

    def __init__(self, modes: QuadratureModes, T, zeta, point: Point, R: np.ndarray) -> None:
        self.modes, self.T, self.zeta, self.eta, self.R = modes, T, zeta, point.eta, R
        Z, density = modes.Z, modes.density
        ell, k = Z.n_levels[0], len(T)
        self.u = point.u.reshape(ell, k)
        self.at_mode = self._by_level(density.values(point.eta, zeta)[0])
        self.top, self.total = np.full(ell, -np.inf), np.zeros(ell)
        self.score, self.extra = np.zeros(self.eta.shape), np.zeros((density.n_extra, Z.n))
        self.g = np.zeros((ell, k))
        self.C, self.P = np.zeros((2, ell, k, k))

    def _by_level(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.modes.codes, weights=values, minlength=len(self.u))

    def add(self, z: np.ndarray, log_weight: float, order: int) -> None:
        """One node of all levels."""
        Z, density, T, codes = self.modes.Z, self.modes.density, self.T, self.modes.codes
        move = self.R @ z
        u = self.u + move
        eta = Z.times([T], move.ravel())
        eta += self.eta
        values, score = density.values(eta, self.zeta)
        # f(u_j) - f(u)
        rise = self._by_level(values) - self.at_mode - (self.u * move + 0.5 * move * move).sum(1)
        exponent = log_weight + rise
        top = np.maximum(self.top, exponent)
        finite = np.isfinite(top)
        old = np.exp(np.subtract(self.top, top, where=finite, out=np.full(top.size, -np.inf)))
        p = np.exp(np.subtract(exponent, top, where=finite, out=np.full(top.size, -np.inf)))
        self.top, self.total = top, old * self.total + p
        if not order:
            return
        # a node without density may have an infinite score
        alive = (p > 0.0)[codes]
        score = np.where(alive, score, 0.0)
        Zs = Z.transposed(score).reshape(u.shape)
        g = Zs @ T - u
        p, old = p[:, None], old[:, None]
        self.g = old * self.g + p * g
        p, old = p[:, :, None], old[:, :, None]
        self.C = old * self.C + p * (np.einsum("lba,lb->la", self.R, g)[:, :, None] * z)
        self.P = old * self.P + p * (Zs[:, :, None] * u[:, None, :])
        self.score = old[codes, 0, 0] * self.score + p[codes, 0, 0] * score
        if density.n_extra:
            extra = density.rows(eta, self.zeta, self.modes.expected).extra[:, 0]
            extra = np.where(alive, extra, 0.0)
            self.extra = old[codes, 0, 0] * self.extra + p[codes, 0, 0] * extra

    def means(self) -> tuple[np.ndarray, ...]:
        """Means of the scores, of g, of L^{-1}g z', of Z's u' and of the derivatives in zeta."""
        total, codes = self.total, self.modes.codes
        block = total[:, None, None]
        return (
            self.score / total[codes],
            self.g / total[:, None],
            self.C / block,
            self.P / block,
            self.extra / total[codes],
        )


class QuadratureObjective(LaplaceObjective):
    """-2 log-likelihood by adaptive Gauss-Hermite quadrature over x = (theta, beta, zeta).

    All constants are included: the scale is that of `LaplaceObjective`, to which one node is equal.
    The nodes, so many in each dimension, are spread by ``expected`` (lme4) or observed information.

    Examples
    --------
    >>> import numpy as np
    >>> import interlace as il
    >>> from interlace.covariance import CovarianceModel
    >>> from interlace.design.build import build
    >>> from interlace.families import Binomial
    >>> from interlace.objective.generalised.density import FamilyDensity
    >>> from interlace.objective.generalised.problem import Problem
    >>> from interlace.objective.generalised.quadrature import QuadratureObjective
    >>> formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    >>> design = build(formula, il.load_dataset("cbpp"), linear=False)
    >>> density = FamilyDensity(Binomial(), design.y, design.trials, design.trials)
    >>> problem = Problem.of(design, density, np.zeros(56))
    >>> objective = QuadratureObjective(problem, CovarianceModel.of(design), True, 9)
    >>> objective.evaluate(objective.start(), 1).gradient.shape
    (5,)
    """

    def __init__(
        self,
        problem: Problem,
        covariance: CovarianceModel,
        expected: bool,
        nodes: int,
        backend: str | None = None,
    ) -> None:
        check_nodes(nodes, problem)
        super().__init__(problem, covariance, expected, backend)
        self.nodes = int(nodes)
        if nodes > 1:
            self.modes = QuadratureModes(self.modes, nodes, problem.factors[0].codes)
