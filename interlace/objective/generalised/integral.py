"""The likelihood's integral over the random effects itself, beside Laplace's approximation of it.

With f(u) = sum(log density) - |u|^2 / 2, the modes u^ and M = LL' of the determinant, the ratio of
the integral to its approximation is, over blocks of random effects that share no row,

    prod_b E[w_b],   log w = f(u) - f(u^) - log q(z) - (s / 2) log(2 pi),   u = u^ + L^{-T} z,

z of s components drawn from the density q. Of one grouping factor the blocks are its levels, and
the means are taken by Gauss-Hermite nodes, more and more of them; of several they are connected
parts of the factors' graph, and z is drawn, in pairs z and -z, from a multivariate t so near to the
normal that its weights vary little, with tails that are heavier. The gradient of the integral is
the mean of that of the joint density at given u over the same weights (Fisher's identity).

References
----------
Geweke (1989), Bayesian inference in econometric models using Monte Carlo integration, Econometrica
57, 1317-1339. Skaug and Fournier (2006), Automatic approximation of the marginal likelihood in
non-Gaussian hierarchical models, Computational Statistics & Data Analysis 51, 699-709.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ...errors import ArgumentError
from .laplace import LaplaceObjective
from .modes import Point
from .quadrature import MAX_NODES, NodeSums, QuadratureModes

__all__ = ["Integral", "by_draws", "by_nodes", "node_counts"]

# Points of the grid in all dimensions, and effects of a level for which it is fine enough.
MOST_POINTS = 20_000
MOST_EFFECTS = 4
# Numbers of nodes that are tried, each about half as many again as the one before; odd, so that one
# is at the mode.
NODES = (3, 5, 7, 9, 13, 19, 27, 39, 57, 81, MAX_NODES - 1)
# The last change of the log-likelihood at which they are enough.
ENOUGH = 1e-6
# Degrees of freedom of the t of s components: its radius varies as the normal's, give or take.
T_BASE, T_FACTOR = 12.0, 4.0
# Parts of the draws, whose gradients tell how good their mean is.
PARTS = 10
# Effects of a block, whose information is a matrix of their square.
LARGEST_BLOCK = 6_000
# Numbers that are drawn at once.
BATCH_ENTRIES = 200_000
# Log-weights beyond are cut: draws whose weights are so large say nothing anyway.
LARGEST_LOG = 500.0


class Integral(NamedTuple):
    """The log of the integral, and its gradient.

    Attributes
    ----------
    value : float
        log L, all constants included.
    std_error : float
        Of the draws; of nodes the last change.
    gradient, gradient_error : ndarray, shape (n_x,)
        Of log L in the objective's parameters.
    points : int
        Nodes in each dimension, or draws.
    effective : float
        The draws that the weights of the worst block are worth; infinite for nodes.
    """

    value: float
    std_error: float
    gradient: np.ndarray
    gradient_error: np.ndarray
    points: int
    effective: float


def node_counts(objective: LaplaceObjective) -> list[int]:
    """Numbers of nodes that are affordable; none where draws are needed."""
    widths = objective.problem.Z.widths
    if len(widths) > 1 or widths[0] > MOST_EFFECTS:
        return []
    return [count for count in NODES if count ** widths[0] <= MOST_POINTS]


def by_nodes(objective: LaplaceObjective, x: np.ndarray, counts: list[int]) -> Integral:
    """The integral by adaptive quadrature with growing numbers of nodes, until they are enough."""
    point, T, zeta = _at(objective, x)
    problem, k = objective.problem, objective.problem.Z.widths[0]
    S = objective.modes.inverse_blocks(0)
    R = np.linalg.cholesky(S[:, ::-1, ::-1])[:, ::-1, ::-1]
    before, change = 0.0, np.inf
    for nodes in counts:
        modes = QuadratureModes(objective.modes, nodes, problem.factors[0].codes)
        sums = NodeSums(modes, T[0], zeta, point, R)
        for z, log_weight in zip(*modes.grid, strict=True):
            sums.add(z, log_weight, 1)
        ratio = float((sums.top + np.log(sums.total)).sum())
        change, before = abs(ratio - before), ratio
        if change < ENOUGH:
            break
    score, _, _, P, extra = sums.means()
    gradient = _gradient(objective, x, score, [P.sum(axis=0)], extra)
    value = _without_ratio(objective, point, zeta) + ratio
    assert P.shape[1:] == (k, k)
    return Integral(value, change, gradient, np.zeros(x.size), nodes, np.inf)


def by_draws(
    objective: LaplaceObjective, x: np.ndarray, draws: int, rng: np.random.Generator
) -> Integral:
    """The integral by importance sampling, with the standard error of its logarithm."""
    point, T, zeta = _at(objective, x)
    blocks = _Blocks(objective, T, point.weight)
    pairs = max(draws // (2 * PARTS), 1)
    parts = [
        _part(objective, T, zeta, point, blocks, blocks.draws(rng, pairs)) for _ in range(PARTS)
    ]
    count = pairs * PARTS
    mean = sum(part.total for part in parts) / count
    squares = sum(part.squares for part in parts) / count
    relative = np.maximum(squares / mean**2 - 1.0, 0.0) / count
    # the logarithm of a mean is too small by half its relative variance
    ratio = float(np.log(mean).sum() + 0.5 * relative.sum())
    gradients = np.array([part.gradient(objective, x, blocks) for part in parts])
    return Integral(
        value=_without_ratio(objective, point, zeta) + ratio,
        std_error=float(np.sqrt(relative.sum())),
        gradient=_Part.added(parts).gradient(objective, x, blocks),
        gradient_error=gradients.std(axis=0, ddof=1) / np.sqrt(PARTS),
        points=2 * count,
        effective=float(2.0 * count / (1.0 + relative.max() * count)),
    )


def _at(objective: LaplaceObjective, x: np.ndarray) -> tuple[Point, list[np.ndarray], np.ndarray]:
    """The modes at x, templates and zeta."""
    point = objective.last_point(x)
    theta, _, zeta = objective.split(x)
    return point, [np.ascontiguousarray(t) for t in objective.scale.templates(theta)], zeta


def _without_ratio(objective: LaplaceObjective, point: Point, zeta: np.ndarray) -> float:
    """The logarithm of Laplace's approximation at modes that need not have converged."""
    constant, _ = objective.problem.density.constant(zeta)
    return point.total - 0.5 * point.penalty - 0.5 * point.logdet + constant


def _gradient(
    objective: LaplaceObjective,
    x: np.ndarray,
    score: np.ndarray,
    P: list[np.ndarray],
    extra: np.ndarray,
) -> np.ndarray:
    """That of log L from means of the scores of the rows, of Z's u' and of derivatives in zeta."""
    problem = objective.problem
    at = objective.split(x)[2]
    _, slope = problem.density.constant(at)
    zeta = slope
    if problem.density.n_zeta:
        zeta = slope + problem.density.collapse(extra, at)
    fixed = problem.fixed.transposed(score)
    return objective.assembled(x, P, fixed, zeta)


class _Blocks:
    """Random effects that share no row with those of other blocks, and the density of their draws.

    Columns of u are those of the objective; ``of_row`` (n,) and ``of_column`` (q,) are blocks.
    """

    def __init__(self, objective: LaplaceObjective, T: list[np.ndarray], weight) -> None:
        problem = objective.problem
        Z = problem.Z.fresh()
        level = _components([f.codes for f in problem.factors], Z.n_levels)
        self.of_row = level[: Z.n_levels[0]][problem.factors[0].codes]
        starts = np.cumsum([0, *Z.n_levels])
        self.of_level = [level[i:j] for i, j in zip(starts, starts[1:])]
        self.of_column = np.concatenate(
            [np.repeat(own, k) for own, k in zip(self.of_level, Z.widths, strict=True)]
        )
        self.sizes = np.bincount(self.of_column)
        self._refuse_large()
        self.order = np.argsort(self.of_column, kind="stable")
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        templates = [sp.kron(sp.eye_array(n), t) for n, t in zip(Z.n_levels, T, strict=True)]
        lam = sp.block_diag(templates, format="csr")
        M = lam.T @ Z.set_weights(weight).matrix() @ lam + sp.eye_array(Z.q)
        self.roots = self._roots(sp.coo_array(M))
        self.df = T_BASE + T_FACTOR * self.sizes
        from scipy.special import gammaln

        s, df = self.sizes, self.df
        self._constant = gammaln(0.5 * df) - gammaln(0.5 * (df + s)) + 0.5 * s * np.log(0.5 * df)

    def _refuse_large(self) -> None:
        if (largest := int(self.sizes.max())) > LARGEST_BLOCK:
            raise ArgumentError(
                f"the error is estimated by draws of random effects that share rows, and here "
                f"{largest} of them do; the draws need a matrix of their square, and at most "
                f"{LARGEST_BLOCK} are allowed. Fit a sample of the levels to see how large it is"
            )

    def _roots(self, M: sp.coo_array) -> list[tuple[np.ndarray, np.ndarray]]:
        """Places in `order` and Cholesky factors of the blocks of each size, (c, s), (c, s, s)."""
        place = np.empty(self.order.size, dtype=np.int64)
        place[self.order] = np.arange(self.order.size)
        row, column = M.coords
        block = self.of_column[row]
        i, j = place[row] - self.starts[block], place[column] - self.starts[block]
        out = []
        for size in np.unique(self.sizes).tolist():
            members = np.flatnonzero(self.sizes == size)
            slot = np.full(self.sizes.size, -1)
            slot[members] = np.arange(members.size)
            own = slot[block] >= 0
            dense = np.zeros((members.size, size, size))
            dense[slot[block[own]], i[own], j[own]] = M.data[own]
            places = self.starts[members][:, None] + np.arange(size)
            out.append((places, np.linalg.cholesky(dense)))
        return out

    def draws(self, rng: np.random.Generator, count: int) -> Iterator[tuple[np.ndarray, ...]]:
        """Moves (q,) from the modes, and -log q(z) - (s / 2) log(2 pi) of each block, one by one.

        -log q is that of the multivariate t.
        """
        q = self.order.size
        batch = max(BATCH_ENTRIES // q, 1)
        for start in range(0, count, batch):
            z = rng.standard_normal((min(batch, count - start), q))
            stretch = np.sqrt(self.df / rng.chisquare(self.df, (len(z), self.df.size)))
            z *= np.repeat(stretch, self.sizes, axis=1)
            squares = np.add.reduceat(z * z, self.starts, axis=1)
            density = self._constant + 0.5 * (self.df + self.sizes) * np.log1p(squares / self.df)
            moves = np.empty_like(z)
            for places, L in self.roots:
                moves[:, self.order[places]] = _solved(L, z[:, places])
            yield from zip(moves, density, strict=True)


def _solved(L: np.ndarray, z: np.ndarray) -> np.ndarray:
    """L^{-T} z for L (c, s, s) and z (d, c, s)."""
    if len(L) == 1:
        from scipy.linalg import solve_triangular

        return solve_triangular(L[0], z[:, 0].T, lower=True, trans=1).T[:, None]
    return np.linalg.solve(L.transpose(0, 2, 1), z.transpose(1, 2, 0)).transpose(2, 0, 1)


def _components(codes: list[np.ndarray], levels: tuple[int, ...]) -> np.ndarray:
    """The connected part of the factors' graph that each level belongs to, factor after factor."""
    from scipy.sparse.csgraph import connected_components

    starts, total = np.cumsum([0, *levels]), sum(levels)
    first = np.concatenate([codes[0] + starts[0]] * max(len(codes) - 1, 1))
    others = [own + start for own, start in zip(codes[1:], starts[1:], strict=False)]
    second = np.concatenate(others) if others else first
    graph = sp.coo_array((np.ones(first.size), (first, second)), shape=(total, total))
    return connected_components(graph.tocsr(), directed=False)[1]


class _Part:
    """Sums over some of the draws: weights of the blocks, and what is multiplied by them."""

    def __init__(self, objective: LaplaceObjective, blocks: _Blocks, eta: np.ndarray) -> None:
        problem = objective.problem
        Z, count = problem.Z, blocks.sizes.size
        self.total, self.squares = np.zeros(count), np.zeros(count)
        self.score = np.zeros(eta.shape)
        self.extra = np.zeros((problem.density.n_extra, Z.n))
        self.P = [np.zeros((n, k, k)) for n, k in zip(Z.n_levels, Z.widths, strict=True)]

    @classmethod
    def added(cls, parts: list[_Part]) -> _Part:
        """The sums of all parts."""
        out = object.__new__(cls)
        out.total = np.sum([part.total for part in parts], axis=0)
        out.score = np.sum([part.score for part in parts], axis=0)
        out.extra = np.sum([part.extra for part in parts], axis=0)
        out.P = [np.sum(own, axis=0) for own in zip(*(part.P for part in parts), strict=True)]
        return out

    def gradient(self, objective: LaplaceObjective, x: np.ndarray, blocks: _Blocks) -> np.ndarray:
        """Of the logarithm of the integral."""
        rows = self.total[blocks.of_row]
        levels = zip(self.P, blocks.of_level, strict=True)
        P = [(own / self.total[of][:, None, None]).sum(axis=0) for own, of in levels]
        return _gradient(objective, x, self.score / rows, P, self.extra / rows)


def _part(
    objective: LaplaceObjective,
    T: list[np.ndarray],
    zeta: np.ndarray,
    point: Point,
    blocks: _Blocks,
    draws: Iterator[tuple[np.ndarray, ...]],
) -> _Part:
    problem = objective.problem
    Z, density, count = problem.Z, problem.density, blocks.sizes.size
    sums = _Part(objective, blocks, point.eta)
    at_mode = np.bincount(blocks.of_row, density.values(point.eta, zeta)[0], count)
    for move, proposal in draws:
        change, weight = Z.times(T, move), np.zeros(count)
        for sign in (1.0, -1.0):
            u, eta = point.u + sign * move, point.eta + sign * change
            with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
                values, score = density.values(eta, zeta)
            penalty = 0.5 * (u * u - point.u * point.u)
            rise = np.bincount(blocks.of_row, values, count) - at_mode
            rise -= np.bincount(blocks.of_column, penalty, count)
            w = np.exp(np.minimum(np.nan_to_num(rise + proposal, nan=-np.inf), LARGEST_LOG))
            weight += 0.5 * w
            _weigh(sums, objective, blocks, 0.5 * w, u, eta, zeta, score)
        sums.total += weight
        sums.squares += weight * weight
    return sums


def _weigh(
    sums: _Part,
    objective: LaplaceObjective,
    blocks: _Blocks,
    w: np.ndarray,
    u: np.ndarray,
    eta: np.ndarray,
    zeta: np.ndarray,
    score: np.ndarray,
) -> None:
    """Add what is averaged for the gradient, times the weights of a draw."""
    Z, density = objective.problem.Z, objective.problem.density
    rows = w[blocks.of_row]
    # a draw without density may have an infinite score
    weighted = np.where(rows > 0.0, rows * np.where(rows > 0.0, score, 0.0), 0.0)
    sums.score += weighted
    Zs = Z.transposed(weighted)
    for b, own in enumerate(sums.P):
        at = slice(Z.offsets[b], Z.offsets[b + 1])
        shape = own.shape[:2]
        own += Zs[at].reshape(shape)[:, :, None] * u[at].reshape(shape)[:, None, :]
    if density.n_extra:
        extra = density.rows(eta, zeta, objective.expected).extra[:, 0]
        sums.extra += np.where(rows > 0.0, rows * extra, 0.0)
