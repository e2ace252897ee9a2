"""Z whose columns belong to several linear predictors, for changing K x K weights of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..factor.base import as_templates
from ..kernels import _predictors, _weighted
from .blocks import ZCross
from .weighted import WeightedZ

__all__ = ["PredictorZ", "place", "unpacked"]


class PredictorZ(WeightedZ):
    """`WeightedZ` with a predictor for each column: scores are (K, n), weights packed (P, n).

    Packed are the lower triangles of symmetric K x K matrices, row by row, P = K (K + 1) / 2.
    ``predictors`` (k_b,) of each factor say which predictor a column belongs to.
    """

    def __init__(
        self,
        factors: Sequence,
        predictors: Sequence[np.ndarray],
        count: int,
        scale: Sequence[np.ndarray] | None = None,
    ) -> None:
        self.predictors = [np.ascontiguousarray(of, dtype=np.int32) for of in predictors]
        self.count, self._packed = count, count * (count + 1) // 2
        super().__init__(factors, scale)

    def _ones(self) -> np.ndarray:
        w = np.zeros((self._packed, self.n))
        w[[place(a, a) for a in range(self.count)]] = 1.0
        return w

    def _renew(self, scale: Sequence[np.ndarray]) -> None:
        super()._renew(scale)
        parts = zip(self._Z, self._inverse, self.predictors, strict=True)
        self._own = [_predictors.Columns(*part) for part in parts]

    def set_weights(self, w: np.ndarray) -> ZCross:
        cross, own = self._blocks(), self._own
        for b, A in enumerate(cross.diagonal):
            if self._is_wide(b):
                self._set_wide(b, w, A[0])
                continue
            _predictors.diagonal(self._codes[b], own[b], w, A)
        for (b, c), places in self._places.items():
            _predictors.pair(places, own[b], own[c], w, cross.pairs[b, c].values)
        return cross

    def _set_wide(self, b: int, w: np.ndarray, A: np.ndarray) -> None:
        """Z'WZ of one group of many columns, predictor by predictor."""
        Z, of = self._wide[b], self.predictors[b]
        for a in range(self.count):
            rows = np.flatnonzero(of == a)
            for c in range(a + 1):
                columns = np.flatnonzero(of == c)
                both = (Z[:, rows] * w[place(a, c)][:, None]).T @ Z[:, columns]
                A[np.ix_(rows, columns)] = both
                A[np.ix_(columns, rows)] = both.T

    def times(
        self,
        T: Sequence[np.ndarray],
        u: np.ndarray,
        out: np.ndarray | None = None,
        add: bool = False,
    ) -> np.ndarray:
        """Z Λ u by predictor, (K, n)."""
        if out is None:
            out = np.zeros((self.count, self.n))
        elif not add:
            out[...] = 0.0
        for b, t in enumerate(as_templates(T)):
            effects = self._effects[b]
            own = u[self.offsets[b] : self.offsets[b + 1]].reshape(effects.shape)
            _weighted.level_effects(t, self._inverse[b], own, effects)
            _predictors.gather(self._codes[b], self._own[b], effects, out)
        return out

    def transposed(self, s: np.ndarray) -> np.ndarray:
        """Z's (q,) for s (K, n), or (q, r) for (K, n, r)."""
        if s.ndim == 2:
            out = np.empty(self.q)
            for b, part in enumerate(self._split(out)):
                _predictors.scatter(self._codes[b], self._own[b], s, part)
            return out
        s = np.ascontiguousarray(s)
        out = np.empty((self.q, s.shape[2]))
        for b, part in self._columns(out) if s.shape[2] else ():
            _predictors.scatter_columns(self._codes[b], self._own[b], s, part)
        return out

    def weighted_columns(self, predictor: int, w: np.ndarray, X: np.ndarray) -> np.ndarray:
        """Z' W X for the columns X (n, p) of one predictor and packed weights, (q, p)."""
        out = np.empty((self.q, X.shape[1]))
        for b, part in self._columns(out) if X.shape[1] else ():
            _predictors.scatter_weighted(self._codes[b], self._own[b], predictor, w, X, part)
        return out

    def quadratic(
        self,
        T: Sequence[np.ndarray],
        blocks: Sequence[np.ndarray],
        pairs: Mapping[tuple[int, int], np.ndarray],
    ) -> np.ndarray:
        """The K x K blocks of Z Λ S Λ' Z' of each row, packed (P, n)."""
        K, T, own = self.count, as_templates(T), self._own
        h = np.zeros((self._packed, self.n))
        work = np.empty((2 * K + 1) * max(self.widths))
        for b, S in enumerate(blocks):
            _predictors.quadratic(self._codes[b], own[b], T[b], S, K, h, work)
        for (b, c), places in self._places.items():
            _predictors.quadratic_pair(places, own[b], own[c], T[b], T[c], pairs[b, c], K, h, work)
        return h


def place(a: int, c: int) -> int:
    """The row of entry (a, c) among packed ones."""
    return a * (a + 1) // 2 + c if a >= c else place(c, a)


def unpacked(w: np.ndarray) -> np.ndarray:
    """Symmetric matrices (n, K, K) of packed ones (P, n)."""
    K = int(np.sqrt(2.0 * len(w)))
    row, column = np.tril_indices(K)
    out = np.empty((w.shape[1], K, K))
    out[:, row, column] = out[:, column, row] = w.T
    return out
