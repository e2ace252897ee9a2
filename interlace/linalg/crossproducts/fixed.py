"""The fixed part of one linear predictor or of several, and its products with weighted rows.

X are standardised columns. Of one predictor eta is (n,), w (n,); of K predictors eta is (K, n) and
w the packed (P, n) of `PredictorZ`; the coefficients are those of one predictor after the other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from ..kernels import _predictors
from ..row_threads import over_rows
from .predictors import PredictorZ, place
from .standardise import CHUNK_ROWS, chunks
from .weighted import WeightedZ

__all__ = ["FixedColumns", "FixedPart", "PredictorColumns", "packed_product", "weighted_gram"]


class FixedPart(ABC):
    """The columns of one predictor or of several; p in all, ``size`` numbers."""

    p: int
    size: int

    @abstractmethod
    def times(self, gamma: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """X gamma, shaped as eta."""

    @abstractmethod
    def times_each(self, gammas: np.ndarray) -> np.ndarray:
        """The same for gammas (m, p), (m, *eta)."""

    @abstractmethod
    def transposed(self, t: np.ndarray) -> np.ndarray:
        """X't, (p,), for t shaped as eta."""

    @abstractmethod
    def transposed_each(self, ts: np.ndarray) -> np.ndarray:
        """The same for ts (m, *eta), (m, p)."""

    @abstractmethod
    def part(self, rows: slice | np.ndarray) -> FixedPart:
        """The same of some of the rows."""

    @abstractmethod
    def gram(self, w: np.ndarray) -> np.ndarray:
        """X'WX, (p, p)."""

    @abstractmethod
    def products(self, w: np.ndarray, a: np.ndarray) -> np.ndarray:
        """[a X]'W[a X], (m + p, m + p), for m changes a (*eta, m) of the predictors."""

    @abstractmethod
    def cross(self, Z: Any, w: np.ndarray) -> np.ndarray:
        """Z'WX, (q, p)."""

    @abstractmethod
    def changed(self, Z: Any, w: np.ndarray, a: np.ndarray) -> np.ndarray:
        """Z'Wa, (q, m), for m changes a (*eta, m) of the predictors."""


class FixedColumns(FixedPart):
    """The columns of one predictor, X (n, p)."""

    def __init__(self, X: np.ndarray) -> None:
        self.X = X
        self.p, self.size = X.shape[1], X.size

    def times(self, gamma: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        return np.matmul(self.X, gamma, out=out)

    def times_each(self, gammas: np.ndarray) -> np.ndarray:
        return gammas @ self.X.T

    def transposed(self, t: np.ndarray) -> np.ndarray:
        return self.X.T @ t

    def transposed_each(self, ts: np.ndarray) -> np.ndarray:
        return ts @ self.X

    def part(self, rows: slice | np.ndarray) -> FixedColumns:
        return FixedColumns(self.X[rows])

    def gram(self, w: np.ndarray) -> np.ndarray:
        return weighted_gram(self.X, w)

    def products(self, w: np.ndarray, a: np.ndarray) -> np.ndarray:
        m, X = a.shape[1], self.X
        out = np.empty((m + self.p, m + self.p))
        out[:m, :m], out[m:, m:] = weighted_gram(a, w), weighted_gram(X, w)
        out[:m, m:] = weighted_gram(a, w, Y=X)
        out[m:, :m] = out[:m, m:].T
        return out

    def cross(self, Z: WeightedZ, w: np.ndarray) -> np.ndarray:
        return Z.transposed_weighted_X(w, self.X)

    def changed(self, Z: WeightedZ, w: np.ndarray, a: np.ndarray) -> np.ndarray:
        return Z.transposed_weighted_X(w, a)


class PredictorColumns(FixedPart):
    """The columns of K predictors, X_k (n, p_k)."""

    def __init__(self, blocks: Sequence[np.ndarray]) -> None:
        self.blocks = list(blocks)
        ends = accumulate((X.shape[1] for X in blocks), initial=0)
        self.slices = [slice(*ends) for ends in pairwise(ends)]
        self.p = self.slices[-1].stop
        self.size = sum(X.size for X in blocks)

    def times(self, gamma: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        out = np.empty((len(self.blocks), len(self.blocks[0]))) if out is None else out
        for eta, X, at in zip(out, self.blocks, self.slices, strict=True):
            np.matmul(X, gamma[at], out=eta)
        return out

    def times_each(self, gammas: np.ndarray) -> np.ndarray:
        return np.stack([self.times(gamma) for gamma in gammas])

    def transposed(self, t: np.ndarray) -> np.ndarray:
        return np.concatenate([X.T @ own for X, own in zip(self.blocks, t, strict=True)])

    def transposed_each(self, ts: np.ndarray) -> np.ndarray:
        return np.stack([self.transposed(t) for t in ts])

    def part(self, rows: slice | np.ndarray) -> PredictorColumns:
        return PredictorColumns([X[rows] for X in self.blocks])

    def gram(self, w: np.ndarray) -> np.ndarray:
        out = np.empty((self.p, self.p))
        for k, (X, at) in enumerate(zip(self.blocks, self.slices, strict=True)):
            for j, (Y, to) in enumerate(zip(self.blocks[: k + 1], self.slices, strict=False)):
                out[at, to] = weighted_gram(X, w[place(k, j)], Y=Y)
                out[to, at] = out[at, to].T
        return out

    def products(self, w: np.ndarray, a: np.ndarray) -> np.ndarray:
        m, Wa = a.shape[2], packed_product(w, a)
        out = np.empty((m + self.p, m + self.p))
        out[:m, :m] = np.tensordot(a, Wa, axes=((0, 1), (0, 1)))
        out[m:, :m] = self.transposed(Wa)
        out[:m, m:] = out[m:, :m].T
        out[m:, m:] = self.gram(w)
        return out

    def cross(self, Z: PredictorZ, w: np.ndarray) -> np.ndarray:
        own = [Z.weighted_columns(k, w, X) for k, X in enumerate(self.blocks)]
        return np.concatenate(own, axis=1)

    def changed(self, Z: PredictorZ, w: np.ndarray, a: np.ndarray) -> np.ndarray:
        return Z.transposed(packed_product(w, a))


def packed_product(w: np.ndarray, a: np.ndarray) -> np.ndarray:
    """W a for packed symmetric W (P, n) of the rows and a (K, n) or (K, n, m)."""
    out = np.empty(a.shape)
    shape = (*a.shape[:2], -1)
    _predictors.product(w, a.reshape(shape), out.reshape(shape))
    return out


def weighted_gram(X: np.ndarray, w: np.ndarray, Y: np.ndarray | None = None) -> np.ndarray:
    """X' diag(w) X, or X' diag(w) Y, a chunk of rows at a time."""
    Y = X if Y is None else Y

    if len(X) <= CHUNK_ROWS:
        return (X * w[:, None]).T @ Y

    def products(piece: slice) -> np.ndarray:
        out = np.zeros((X.shape[1], Y.shape[1]))
        for rows in chunks(piece):
            out += (X[rows] * w[rows, None]).T @ Y[rows]
        return out

    first, *more = over_rows(products, len(X))
    return sum(more, first)
