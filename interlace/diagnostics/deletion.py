"""Estimates of the coefficients without some of the rows, the variance parameters held fixed.

With W the weights of the rows (working weights of a generalised model), Z* = Z Lambda,
M = Z*'WZ* + I, U = M^{-1}Z*'WX and the rows X~ = X - Z*U, the information on beta is
P = X'V^{-1}X = X'WX~, and e = V^{-1}(y - X beta) are the scores of the rows at the modes. Without
the rows S, V losing their part, with H = Z*_S M^{-1} Z*_S' and D = I - W_S H,

    P_(S) = P - N,                  N = X~_S' D^{-1} W_S X~_S,
    beta_(S) - beta = -P_(S)^{-1}s,  s = X~_S' D^{-1} e_S.

By Woodbury D^{-1} = I + W_S Z*_S (I - M^{-1}A)^{-1}M^{-1} Z*_S' with A = Z*_S'W_SZ*_S and M^{-1} at
the columns that S touches alone: sums over S, of the size of the smaller of its rows and columns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import scipy.sparse as sp

from ..errors import ArgumentError
from ..inference.inverse_quadratic import inverse_quadratic
from ..inference.joint_variance import by_row, scaled_crossproduct, weighted_columns
from ..inference.residual_covariance import check_independent
from ..linalg.information import inverse_where_determined
from .groups import Groups

if TYPE_CHECKING:
    from ..models.kinds import AnyFit, GeneralisedFit, MixedFit

# M^{-1} of this many columns is formed whole: 200 MB. Of more, columns are solved for by group.
DENSE_INVERSE = 5000
# Entries of the columns of M^{-1} that are solved for at once: 1.6 GB.
MOST_SOLVED = 200_000_000
# Entries of Z*_S that are held dense.
DENSE_ROWS = 1_000_000
# Groups whose sums are held at once.
CHUNK = 4096
# A direction of the coefficients of which a group has all but this share is lost without it.
LOST = 1e-9


class Working(NamedTuple):
    """The least squares problem that the fit solves, at its estimates.

    Attributes
    ----------
    weights, score : (n,) ndarray
        W, and e = V^{-1}(y - X beta).
    rest : (n, p) ndarray
        X~.
    stars : list of (codes, (n, k_b) ndarray)
        Z* by grouping factor.
    factor : object or None
        The factorisation of M, None without random effects.
    information : (p, p) ndarray
        P.
    scale : float
        The variance of beta is scale P^{-1}.
    """

    weights: np.ndarray
    score: np.ndarray
    rest: np.ndarray
    stars: list[tuple[np.ndarray, np.ndarray]]
    factor: Any
    information: np.ndarray
    scale: float


class Deleted(NamedTuple):
    """What rows take away, by group: N (g, p, p) and s (g, p)."""

    N: np.ndarray
    s: np.ndarray


def working_model(fit: AnyFit) -> Working:
    """The least squares problem of a fit whose mean alone has coefficients."""
    check_independent(fit, "deletions without another fit are", "influence(exact=True) fits again")
    X, weights = fit.design.X, fit.working_weights
    score = _score(fit)
    scale = fit.re_scale**2 if fit.linear else fit.dispersion if fit.irls else 1.0
    if not fit.T:
        return Working(weights, score, X, [], None, X.T @ (weights[:, None] * X), scale)
    mixed = cast("MixedFit", fit)
    factor = mixed.factor_at_optimum()
    stars = [(f.codes, f.Z @ T) for f, T in zip(fit.design.factors, fit.T, strict=True)]
    if not fit.p:
        return Working(weights, score, X, stars, factor, np.zeros((0, 0)), scale)
    U = factor.solve(scaled_crossproduct(mixed, weighted_columns(mixed, [fit.design.current])))
    rest, first = np.array(X), 0
    for (codes, star), u in zip(stars, mixed.u, strict=True):
        rest -= by_row(codes, star, U[first : first + u.size].reshape(*u.shape, -1))
        first += u.size
    # X~'W X~ + U'U: both parts are positive, nothing is subtracted
    information = rest.T @ (weights[:, None] * rest) + U.T @ U
    return Working(weights, score, rest, stars, factor, information, scale)


def _score(fit: AnyFit) -> np.ndarray:
    """Derivatives of the rows' log-densities in eta, times the dispersion where W leaves it out."""
    o = fit.observations
    if fit.linear:
        return o.weights * (o.y - fit.mu)
    if fit.irls:
        slope = fit.family.mean_slope(fit.eta, fit.zeta)
        with np.errstate(divide="ignore", invalid="ignore"):
            residual = np.where(o.y == fit.mu, 0.0, (o.y - fit.mu) / slope)
        return fit.working_weights * residual
    generalised = cast("GeneralisedFit", fit)
    if fit.several:
        etas = np.asarray(cast(Any, generalised).etas)
        score = fit.family.derivatives(etas, o.y, o.weights, o.trials, order=1).score
        assert score is not None
        return score[cast(Any, generalised).index]
    return fit.family.rows(fit.eta, o.y, o.weights, fit.zeta).score


def deletions(work: Working, groups: Groups) -> Iterator[Deleted]:
    """N and s of the groups, some at a time, in their order."""
    if groups.single:
        yield from _single_rows(work)
        return
    if len(work.stars) == 1:
        yield _one_factor(work, groups)
        return
    inverse = None if work.factor is None else _InverseColumns(work.factor)
    members = groups.members()
    for start in range(0, len(members), CHUNK):
        some = [_of_group(work, rows, inverse) for rows in members[start : start + CHUNK]]
        yield Deleted(np.array([N for N, _ in some]), np.array([s for _, s in some]))


def _single_rows(work: Working) -> Iterator[Deleted]:
    """Of each row alone: D is a number."""
    quadratic = np.zeros(len(work.weights))
    if work.factor is not None:
        quadratic = inverse_quadratic(work.factor, work.stars)
    with np.errstate(divide="ignore", invalid="ignore"):
        D = 1.0 / (1.0 - work.weights * quadratic)
    for start in range(0, len(D), CHUNK):
        rows = slice(start, start + CHUNK)
        X, d = work.rest[rows], D[rows]
        N = np.einsum("r,ri,rj->rij", d * work.weights[rows], X, X)
        yield Deleted(N, X * (d * work.score[rows])[:, None])


def _one_factor(work: Working, groups: Groups) -> Deleted:
    """Of all groups at once: rows of different levels do not meet in H, so that N and s are sums.

    Over the levels that a group has rows of, of sums by level and group.
    """
    ((codes, star),) = work.stars
    blocks = work.factor.inverse_blocks(0)
    keys, cells = np.unique(groups.codes * len(blocks) + codes, return_inverse=True)
    owner, level = np.divmod(keys, len(blocks))
    count, p = len(groups.labels), work.rest.shape[1]
    right = np.column_stack([work.weights[:, None] * work.rest, work.score])
    A = _sums(cells, len(keys), star, work.weights[:, None] * star)
    K = _sums(cells, len(keys), star, right)
    M = blocks[level]
    inner = np.linalg.solve(np.eye(A.shape[1]) - M @ A, M @ K)
    between = K[:, :, :-1].transpose(0, 2, 1) @ inner
    both = _sums(groups.codes, count, work.rest, right)
    for i in range(p):
        for j in range(p + 1):
            both[:, i, j] += np.bincount(owner, between[:, i, j], count)
    N = both[:, :, :-1]
    return Deleted(0.5 * (N + N.transpose(0, 2, 1)), both[:, :, -1])


def _sums(codes: np.ndarray, count: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """left'right of the rows of each code, (count, a, b)."""
    out = np.empty((count, left.shape[1], right.shape[1]))
    for i, one in enumerate(left.T):
        for j, other in enumerate(right.T):
            out[:, i, j] = np.bincount(codes, one * other, count)
    return out


def _of_group(work: Working, rows: np.ndarray, inverse: Any) -> tuple[np.ndarray, np.ndarray]:
    """N and s of the rows of one group."""
    X, w, e = work.rest[rows], work.weights[rows], work.score[rows]
    WX = w[:, None] * X
    right = np.column_stack([WX, e])
    if inverse is None:
        both = X.T @ right
        return both[:, :-1], both[:, -1]
    star, columns = _touched(work, rows)
    M = inverse.at(columns)
    if len(rows) <= len(columns):
        H = np.asarray(star @ (star @ M).T)
        half = np.linalg.solve(np.eye(len(rows)) - w[:, None] * H, right)
        both = X.T @ half
    else:
        A = star.T @ (star.multiply(w[:, None]) if sp.issparse(star) else w[:, None] * star)
        A = A.toarray() if sp.issparse(A) else A
        K = np.asarray(star.T @ right)
        inner = np.linalg.solve(np.eye(len(columns)) - M @ A, M @ K)
        both = X.T @ right + K[:, :-1].T @ inner
    return 0.5 * (both[:, :-1] + both[:, :-1].T), both[:, -1]


def _touched(work: Working, rows: np.ndarray) -> tuple[Any, np.ndarray]:
    """Z*_S at the columns of Z* that these rows are in, (r, t), dense or sparse, and which."""
    data, places, columns, first, offset = [], [], [], 0, 0
    offsets = work.factor.pattern.offsets
    for b, (codes, star) in enumerate(work.stars):
        k = star.shape[1]
        levels, local = np.unique(codes[rows], return_inverse=True)
        offset = int(offsets[b])
        columns.append((offset + levels[:, None] * k + np.arange(k)).ravel())
        places.append(first + local[:, None] * k + np.arange(k))
        data.append(star[rows])
        first += levels.size * k
    values, at = np.concatenate(data, axis=1), np.concatenate(places, axis=1)
    if len(rows) * first > DENSE_ROWS:
        ends = np.arange(len(rows) + 1) * at.shape[1]
        out: Any = sp.csr_array((values.ravel(), at.ravel(), ends), shape=(len(rows), first))
    else:
        out = np.zeros((len(rows), first))
        np.put_along_axis(out, at, values, axis=1)
    return out, np.concatenate(columns)


class _InverseColumns:
    """Blocks of M^{-1} at some of its columns."""

    def __init__(self, factor: Any) -> None:
        self.factor = factor
        pattern = factor.pattern
        self.q = int(pattern.offsets[-1])
        self.whole = factor.solve(np.eye(self.q)) if self.q <= DENSE_INVERSE else None

    def at(self, columns: np.ndarray) -> np.ndarray:
        """M^{-1} at rows and columns, (t, t)."""
        if self.whole is not None:
            return self.whole[np.ix_(columns, columns)]
        t = columns.size
        if self.q * t > MOST_SOLVED:
            raise ArgumentError(
                f"the rows of one group share {t} of the {self.q} random effects: too many for "
                "one step. exact=True fits again without it"
            )
        R = np.zeros((self.q, t))
        R[columns, np.arange(t)] = 1.0
        return self.factor.solve(R)[columns]


class Measures(NamedTuple):
    """Measures of influence on the coefficients, by group; NaN where a coefficient is lost.

    Attributes
    ----------
    change : (g, p) ndarray
        Estimates without the group less those with it.
    std_error : (g, p) ndarray
        Standard errors without the group.
    cooks_distance, mdffits, covratio, covtrace : (g,) ndarray
    """

    change: np.ndarray
    std_error: np.ndarray
    cooks_distance: np.ndarray
    mdffits: np.ndarray
    covratio: np.ndarray
    covtrace: np.ndarray


def one_step(work: Working, groups: Groups) -> Measures:
    """Influence of the groups on the coefficients, the variance parameters held fixed."""
    values, vectors = np.linalg.eigh(work.information)
    if not (values > 0.0).all():
        root = np.linalg.cholesky(inverse_where_determined(work.information))
    else:
        root = vectors / np.sqrt(values)
    parts = [_measures(part, root, work.scale) for part in deletions(work, groups)]
    return Measures(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _measures(part: Deleted, root: np.ndarray, scale: float) -> Measures:
    """From N and s, with P^{-1} = RR' and P_(S)^{-1} = R (I - R'NR)^{-1} R'."""
    p = root.shape[0]
    left = np.eye(p) - root.T @ part.N @ root
    s = part.s @ root
    with np.errstate(invalid="ignore", divide="ignore"):
        values, vectors = np.linalg.eigh(np.where(np.isfinite(left), left, 0.0))
        lost = values.min(axis=1, initial=1.0) < LOST
        values[lost] = np.nan
        turned = np.einsum("gji,gj->gi", vectors, s)
        step = turned / values
        change = -np.einsum("ab,gbi,gi->ga", root, vectors, step, optimize=True)
        spread = np.einsum("ab,gbi->gai", root, vectors)
        variance = scale * (spread**2 / values[:, None, :]).sum(axis=2)
        return Measures(
            change,
            np.sqrt(variance),
            (step**2).sum(axis=1) / (scale * p),
            (turned * step).sum(axis=1) / (scale * p),
            1.0 / values.prod(axis=1),
            np.abs((1.0 / values).sum(axis=1) - p),
        )
