"""Variances of effects and predictions of a model with a series, none of its blocks made.

Given the variances, in units of the residual one. With P^{-1} that of the chain a given the tail
b_2, S that of b_2, and X_2 = P^{-1} D Z_1'Z_2,

    cov(a) = P^{-1} + X_2 S X_2',   cov(a, b_2) = -X_2 S

so that D_t a_t + z_2'b_2 of a row has the variance D_t^2 (P^{-1})_tt + w'Sw with w = z_2 - D_t x_t,
x_t the row of X_2, which is zero but for the levels of the tail that the series meets. Of
x'beta_hat + z'(b_hat - b) that is the part given beta; the other has z'b_hat of X in place of y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ...covariance import CovarianceModel
from ...covariance.chains import Bridge
from ...design.indicators import IndexedColumns
from .series_design import SeriesPlaces
from .series_factor import SeriesFactor

__all__ = ["SeriesEffects", "effect_variances", "row_variances"]

# Rows whose levels of the tail never met in one series are solved for so many at a time.
CHUNK = 256

#: Codes, -1 where a level is not known, and Z of the rows for one grouping factor of the design.
Rows = tuple[np.ndarray, Any]


@dataclass(frozen=True, eq=False)
class SeriesEffects:
    """The effects of a model with a series, given all parameters.

    Attributes
    ----------
    factor : SeriesFactor
        At the parameters.
    layout : SeriesPlaces
    covariance : CovarianceModel
        Of all terms.
    roots : list of (k_b, k_b) ndarray
        R with Z = (standardised Z) R of the tail's grouping factors.
    theta : ndarray
        Of the series, on the scale of the data.
    """

    factor: SeriesFactor
    layout: SeriesPlaces
    covariance: CovarianceModel
    roots: list[np.ndarray]
    theta: np.ndarray

    @cached_property
    def inverses(self) -> list[np.ndarray]:
        """R^{-1} of the tail's grouping factors."""
        return [np.linalg.inv(R) for R in self.roots]

    def row_variances(self, factors: list[Rows], masks: list[np.ndarray]) -> np.ndarray:
        """Variance of z'b of rows, (r,), for the effects that masks let enter."""
        chain, tail = self._chain(factors, masks), self.tail(factors, masks)
        if not tail:
            return chain.variance
        codes = factors[self.covariance.terms[self.layout.term].factor][0]
        return chain.variance + _tail_variances(self.factor, tail, codes, chain.through)

    def of_chain(self, factors: list[Rows], masks: list[np.ndarray], a: np.ndarray) -> np.ndarray:
        """D_t a_t of rows, (r, m), for effects a (n_1, m) of the chain at observed times."""
        chain = self._chain(factors, masks)
        return chain.sd[:, None] * chain.bridge.of(a)

    def tail(self, factors: list[Rows], masks: list[np.ndarray]) -> list[tuple[Any, Any]]:
        """Codes and standardised columns of rows for the grouping factors of the tail."""
        return [
            (factors[b][0], _standard(factors[b], masks[b], own, root))
            for (b, own), root in zip(self.layout.places, self.roots, strict=True)
        ]

    def effect_variances(self, b: int, n_levels: int) -> np.ndarray:
        """Variances of the effects of a grouping factor of the design, (l_b, k_b)."""
        term, layout = self.covariance.terms[self.layout.term], self.layout
        out = np.empty((n_levels, self.covariance.widths[b]))
        if b == term.factor:
            width = layout.chains.structure.k
            series, column = np.divmod(np.arange(n_levels * width), width)
            chain = self._at(series, column, np.ones(series.size))
            own = chain.variance
            if self.factor.tail is not None:
                S = self.factor.tail_blocks()
                if self.factor.tail.nested:
                    own = own + np.einsum("ri,rij,rj->r", chain.through, S[series], chain.through)
                else:
                    own = own + np.einsum("ri,ri->r", chain.through @ S[0], chain.through)
            out[:, term.columns] = own.reshape(n_levels, width)
        for i, (factor, columns) in enumerate(layout.places):
            if factor == b:
                F = self.inverses[i]
                out[:, columns] = np.einsum("ij,ljk,ik->li", F, self.factor.level_blocks(i), F)
        return out

    def at_all_times(
        self, a: np.ndarray, tail: np.ndarray, n_levels: Sequence[int]
    ) -> list[np.ndarray]:
        """Effects a (n_1, m) and standardised ones of the tail (q_2, m) at all times of a design.

        (l_b, k_b, m) for each grouping factor.
        """
        layout, covariance = self.layout, self.covariance
        term, m, width = covariance.terms[layout.term], a.shape[1], layout.chains.structure.k
        levels = n_levels[term.factor]
        series, column = np.divmod(np.arange(levels * width), width)
        chain = self._at(series, column, np.ones(series.size))
        whole = chain.sd[:, None] * chain.bridge.of(a)
        start, beyond = 0, []
        for (b, own), F in zip(layout.places, self.inverses, strict=True):
            stop = start + n_levels[b] * own.size
            beyond.append(F @ tail[start:stop].reshape(n_levels[b], own.size, m))
            start = stop
        return layout.by_factor(covariance, n_levels, whole.reshape(levels, width, m), beyond)

    def _chain(self, factors: list[Rows], masks: list[np.ndarray]) -> _Chain:
        term = self.covariance.terms[self.layout.term]
        codes, Z = factors[term.factor]
        column, value = _places(Z, term.columns)
        mask = masks[term.factor][term.columns]
        enters = (codes >= 0) & (column >= 0) & mask[np.maximum(column, 0)]
        series, column = np.where(enters, codes, 0), np.where(enters, column, 0)
        return self._at(series, column, np.where(enters, value, 0.0))

    def _at(self, series: np.ndarray, column: np.ndarray, value: np.ndarray) -> _Chain:
        factor, chains = self.factor, self.layout.chains
        bridge = chains.bridge(series, column, self.theta)
        sd = np.broadcast_to(self.theta[:-1], (chains.structure.k,))[column] * value
        variance = sd**2 * factor.chain_variances(bridge)
        return _Chain(sd, bridge, variance, sd[:, None] * bridge.of(factor.through_tail()))


@dataclass(frozen=True, eq=False)
class _Chain:
    """What the chain adds to rows, all zero where it does not enter."""

    sd: np.ndarray  # D_t times the entry of Z, (r,)
    bridge: Bridge
    variance: np.ndarray  # D_t^2 (P^{-1})_tt, (r,)
    through: np.ndarray  # D_t x_t, (r, columns that a group meets)


def effects_of(objective: Any, theta: np.ndarray) -> SeriesEffects:
    """The effects of a linear model, theta being that of its series."""
    roots = objective.cross.z_roots[1:]
    return SeriesEffects(
        objective.marginal, objective.parts, objective.covariance, list(roots), theta
    )


def row_variances(
    objective: Any, x: np.ndarray, X: np.ndarray, factors: list[Rows], masks: list[np.ndarray]
) -> np.ndarray:
    """Variance of x'beta_hat + z'(b_hat - b) of rows, (r,), for the effects that masks let enter.

    X (r, p) is that of the data.
    """
    place, profile = objective.brought_to(x)
    effects, cross = effects_of(objective, place[0]), objective.cross
    fixed = objective.marginal.fixed_modes()[0][:, : cross.p]
    distance = X @ cross.standardisation.back - effects.of_chain(factors, masks, fixed)
    tail = effects.tail(factors, masks)
    if tail:
        distance -= _fixed_of_tail(objective.marginal, tail)[:, : cross.p]
    given = effects.row_variances(factors, masks)
    return given + np.einsum("ri,ij,rj->r", distance, profile.C, distance)


def effect_variances(objective: Any, x: np.ndarray, b: int) -> np.ndarray:
    """Conditional variances of the effects of a grouping factor, (l_b, k_b)."""
    place, _ = objective.brought_to(x)
    return effects_of(objective, place[0]).effect_variances(b, objective.n_levels[b])


def _places(Z: Any, columns: slice) -> tuple[np.ndarray, np.ndarray]:
    """The time of each row among the columns of the series, -1 where missing, and its entry."""
    own = Z[:, columns]
    if isinstance(own, IndexedColumns):
        return own.place, np.ones(len(own)) if own.value is None else own.value
    place = np.argmax(np.abs(own), axis=1)
    value = own[np.arange(len(own)), place]
    return np.where(np.isnan(own).any(axis=1), -1, place), value


def _standard(
    factor: tuple[np.ndarray, Any], mask: np.ndarray, own: np.ndarray, root: np.ndarray
) -> np.ndarray:
    """Standardised columns of the tail, zero where the level is not known or not let in."""
    codes, Z = factor
    columns = np.where(codes[:, None] >= 0, np.asarray(Z[:, own]) * mask[own], 0.0)
    return np.linalg.solve(root.T, columns.T).T


def _fixed_of_tail(marginal: Any, tail: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """z_2'b_2 of [X y] in place of y, (r, m)."""
    assert marginal.tail is not None
    V, total = marginal.fixed_modes()[1], 0.0
    for (codes, z), own in zip(tail, marginal.tail.slices, strict=True):
        effects = V[own].reshape(-1, z.shape[1], V.shape[1])
        total = total + np.einsum("rk,rkm->rm", z, effects[np.maximum(codes, 0)])
    return np.asarray(total)


def _tail_variances(
    marginal: SeriesFactor,
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
    marginal: SeriesFactor,
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
