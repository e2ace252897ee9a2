"""Variances of effects and predictions of a model with a series, none of its blocks made.

Given the variances, in units of the residual one. With P^{-1} that of the chain a given the tail
b_2, S that of b_2, and X_2 = P^{-1} D Z_1'Z_2,

    cov(a) = P^{-1} + X_2 S X_2',   cov(a, b_2) = -X_2 S

so that D_t a_t + z_2'b_2 of a row has the variance D_t^2 (P^{-1})_tt + w'Sw with w = z_2 - D_t x_t,
x_t the row of X_2, which is zero but for the levels of the tail that the series meets. Of
x'beta_hat + z'(b_hat - b) that is the part given beta; the other has z'b_hat of X in place of y.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...design.indicators import IndexedColumns
from .series import SeriesMarginal

__all__ = ["effect_variances", "row_variances"]

# Rows whose levels of the tail never met in one series are solved for so many at a time.
CHUNK = 256


class _Chain(NamedTuple):
    """What the chain adds to rows, all zero where it does not enter."""

    variance: np.ndarray  # D_t^2 (P^{-1})_tt, (r,)
    through: np.ndarray  # D_t x_t, (r, columns that a group meets)
    fixed: np.ndarray  # D_t a_t of [X y], (r, m)


def _chain(
    objective: Any, theta: np.ndarray, series: np.ndarray, column: np.ndarray, enters: np.ndarray
) -> _Chain:
    marginal: SeriesMarginal = objective.marginal
    chains = marginal.chains
    bridge = chains.bridge(np.where(enters, series, 0), np.where(enters, column, 0), theta)
    sd = np.broadcast_to(theta[:-1], (chains.structure.k,))[np.where(enters, column, 0)]
    sd = np.where(enters, sd, 0.0)
    variance = sd**2 * marginal.chain_variances(bridge)
    fixed = marginal.fixed_modes()[0]
    through = marginal.through_tail()
    return _Chain(variance, sd[:, None] * bridge.of(through), sd[:, None] * bridge.of(fixed))


def row_variances(
    objective: Any,
    x: np.ndarray,
    X: np.ndarray,
    factors: list[tuple[np.ndarray, Any]],
    masks: list[np.ndarray],
) -> np.ndarray:
    """Variance of x'beta_hat + z'(b_hat - b) of rows, (r,), for the effects that masks let enter.

    X (r, p) is that of the data; ``factors`` are codes, -1 where a level is not known, and Z.
    """
    place, profile = objective.brought_to(x)
    parts, cross = objective.parts, objective.cross
    term = objective.covariance.terms[parts.term]
    codes, Z = factors[term.factor]
    column = _places(Z, term.columns)
    mask = masks[term.factor][term.columns]
    enters = (codes >= 0) & (column >= 0) & mask[np.maximum(column, 0)]
    chain = _chain(objective, place[0], codes, column, enters)
    out, p = chain.variance, cross.p
    distance = X @ cross.standardisation.back - chain.fixed[:, :p]
    if parts.places:
        tail = [
            (factors[b][0], _standard(factors[b], masks[b], own, root))
            for (b, own), root in zip(parts.places, cross.z_roots[1:], strict=True)
        ]
        distance -= _fixed_of_tail(objective.marginal, tail)[:, :p]
        out = out + _tail_variances(objective.marginal, tail, codes, chain.through)
    return out + np.einsum("ri,ij,rj->r", distance, profile.C, distance)


def _places(Z: Any, columns: slice) -> np.ndarray:
    """The time of each row among the columns of the series, -1 where it is missing."""
    own = Z[:, columns]
    if isinstance(own, IndexedColumns):
        return own.place
    return np.where(np.isnan(own).any(axis=1), -1, np.argmax(own, axis=1))


def _standard(
    factor: tuple[np.ndarray, Any], mask: np.ndarray, own: np.ndarray, root: np.ndarray
) -> np.ndarray:
    """Standardised columns of the tail, zero where the level is not known or not let in."""
    codes, Z = factor
    columns = np.where(codes[:, None] >= 0, np.asarray(Z[:, own]) * mask[own], 0.0)
    return np.linalg.solve(root.T, columns.T).T


def _fixed_of_tail(
    marginal: SeriesMarginal, tail: list[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """z_2'b_2 of [X y] in place of y, (r, m)."""
    assert marginal.tail is not None
    V, total = marginal.fixed_modes()[1], 0.0
    for (codes, z), own in zip(tail, marginal.tail.slices, strict=True):
        effects = V[own].reshape(-1, z.shape[1], V.shape[1])
        total = total + np.einsum("rk,rkm->rm", z, effects[np.maximum(codes, 0)])
    return np.asarray(total)


def _tail_variances(
    marginal: SeriesMarginal,
    tail: list[tuple[np.ndarray, np.ndarray]],
    series: np.ndarray,
    through: np.ndarray,
) -> np.ndarray:
    """w'Sw of the rows, (r,)."""
    own = marginal.tail
    assert own is not None
    group = np.maximum(series, 0) if own.nested else np.zeros(len(series), dtype=np.intp)
    w, known = -through, np.ones(len(series), dtype=bool)
    if own.nested:
        for (codes, z), levels, at in zip(tail, own.levels, own.own, strict=True):
            w[:, at] += z
            known &= ((levels[group] == codes) & (series >= 0)) | ~z.any(axis=1)
        known |= ~w.any(axis=1)
        S = marginal.tail_blocks()
        out = np.einsum("ri,rij,rj->r", w, S[group], w)
        for rows in _chunks(np.flatnonzero(~known)):
            out[rows] = marginal.tail_solve(_by_levels(marginal, tail, group, through, rows))
        return out
    out = np.empty(len(series))
    for rows in _chunks(np.arange(len(series))):
        out[rows] = marginal.tail_solve(_by_levels(marginal, tail, group, through, rows))
    return out


def _chunks(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[i : i + CHUNK] for i in range(0, rows.size, CHUNK)]


def _by_levels(
    marginal: SeriesMarginal,
    tail: list[tuple[np.ndarray, np.ndarray]],
    group: np.ndarray,
    through: np.ndarray,
    rows: np.ndarray,
) -> np.ndarray:
    """w of some rows in the columns of all levels, (q, r)."""
    own = marginal.tail
    assert own is not None
    w = np.zeros((int(own.z.offsets[-1]), rows.size))
    places = np.arange(rows.size)
    for b, (k, levels, at) in enumerate(zip(own.z.widths, own.levels, own.own, strict=True)):
        for j in range(k):
            where = own.z.offsets[b] + levels[group[rows]] * k + j
            np.subtract.at(w, (where, places), through[rows, at][:, j])
    for (codes, z), at in zip(tail, own.slices, strict=True):
        for j in range(z.shape[1]):
            where = at.start + np.maximum(codes[rows], 0) * z.shape[1] + j
            np.add.at(w, (where, places), z[rows, j])
    return w


def effect_variances(objective: Any, x: np.ndarray, b: int) -> np.ndarray:
    """Conditional variances of the effects of a grouping factor, (l_b, k_b)."""
    place, _ = objective.brought_to(x)
    parts, marginal = objective.parts, objective.marginal
    covariance = objective.covariance
    term = covariance.terms[parts.term]
    tail = marginal.tail
    levels, k = objective.n_levels[b], covariance.widths[b]
    out = np.empty((levels, k))
    if b == term.factor:
        width = marginal.chains.structure.k
        series, column = np.divmod(np.arange(levels * width), width)
        chain = _chain(objective, place[0], series, column, np.ones(series.size, dtype=bool))
        own = chain.variance
        if tail is not None:
            S = marginal.tail_blocks()
            if tail.nested:
                own = own + np.einsum("ri,rij,rj->r", chain.through, S[series], chain.through)
            else:
                own = own + np.einsum("ri,ri->r", chain.through @ S[0], chain.through)
        out[:, term.columns] = own.reshape(levels, width)
    for i, (factor, own) in enumerate(parts.places):
        if factor == b:
            F = np.linalg.inv(objective.cross.z_roots[1 + i])
            out[:, own] = np.einsum("ij,ljk,ik->li", F, marginal.level_blocks(i), F)
    return out
