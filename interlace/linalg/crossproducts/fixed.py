"""The fixed part of one linear predictor or of several, and its products with weighted rows.

X are standardised columns; of many rows the columns of the data are held alone, and these made of
them row by row as they are needed. Of one predictor eta is (n,), w (n,); of K predictors eta is
(K, n) and w the packed (P, n) of `PredictorZ`; coefficients are those of one predictor after the
other.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from ..kernels import _centred, _predictors
from ..row_threads import over_rows
from .predictors import PredictorZ, place
from .standardise import CHUNK_ROWS, Standardisation, chunks, standardised
from .weighted import WeightedZ

__all__ = [
    "CentredColumns",
    "FixedColumns",
    "FixedPart",
    "PredictorColumns",
    "columns_of",
    "packed_product",
    "weighted_gram",
]

# Numbers in X, 2 MB, from which its standardised columns are no copy of their own.
LARGE = 250_000
# Digits, as a factor, that the sums for a standardised column may lose: beyond that the columns of
# X nearly depend on each other, and the standardised ones are made once.
MOST_LOST = 1e3


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

    def predicted(self, gamma: np.ndarray, base: np.ndarray) -> np.ndarray:
        """X gamma + base, (n,), of one predictor."""
        eta = np.empty(len(base))

        def fill(rows: slice) -> None:
            self.part(rows).times(gamma, out=eta[rows])
            eta[rows] += base[rows]

        over_rows(fill, len(base))
        return eta

    def summed(self, t: np.ndarray) -> np.ndarray:
        """`transposed` for t (n,) of one predictor, piece by piece."""
        parts = over_rows(lambda rows: self.part(rows).transposed(t[rows]), len(t))
        return np.sum(parts, axis=0)

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

    def dense(self) -> np.ndarray:
        """The columns themselves, (n, p)."""
        return self.X

    def cross(self, Z: WeightedZ, w: np.ndarray) -> np.ndarray:
        return Z.transposed_weighted_X(w, self.X)

    def changed(self, Z: WeightedZ, w: np.ndarray, a: np.ndarray) -> np.ndarray:
        return Z.transposed_weighted_X(w, a)


class CentredColumns(FixedPart):
    """Columns (X - mean) R^{-1} of one predictor, of which nothing but X (n, p) is held."""

    def __init__(self, X: np.ndarray, mean: np.ndarray, R_inverse: np.ndarray) -> None:
        self._raw, self._mean, self._R_inverse = X, mean, R_inverse
        self.p, self.size = X.shape[1], X.size

    def times(self, gamma: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        out = np.empty(len(self._raw)) if out is None else out
        _centred.times(self._raw, self._mean, self._R_inverse @ gamma, out)
        return out

    def times_each(self, gammas: np.ndarray) -> np.ndarray:
        out = np.empty((len(gammas), len(self._raw)))
        for gamma, own in zip(gammas, out, strict=True):
            self.times(gamma, own)
        return out

    def transposed(self, t: np.ndarray) -> np.ndarray:
        sums = np.empty(self.p)
        _centred.transposed(self._raw, self._mean, np.ascontiguousarray(t), sums)
        return sums @ self._R_inverse

    def transposed_each(self, ts: np.ndarray) -> np.ndarray:
        return np.stack([self.transposed(t) for t in ts])

    def part(self, rows: slice | np.ndarray) -> CentredColumns:
        return CentredColumns(self._raw[rows], self._mean, self._R_inverse)

    def dense(self) -> np.ndarray:
        """The columns themselves, (n, p), made."""
        return (self._raw - self._mean) @ self._R_inverse

    def gram(self, w: np.ndarray) -> np.ndarray:
        return self._R_inverse.T @ weighted_gram(self._raw, w, mean=self._mean) @ self._R_inverse

    def products(self, w: np.ndarray, a: np.ndarray) -> np.ndarray:
        m, across = a.shape[1], np.stack([self.summed(w * own) for own in a.T])
        out = np.empty((m + self.p, m + self.p))
        out[:m, :m], out[m:, m:] = weighted_gram(a, w), self.gram(w)
        out[:m, m:], out[m:, :m] = across, across.T
        return out

    def cross(self, Z: WeightedZ, w: np.ndarray) -> np.ndarray:
        return Z.transposed_weighted_X(w, self._raw, self._mean) @ self._R_inverse

    def changed(self, Z: WeightedZ, w: np.ndarray, a: np.ndarray) -> np.ndarray:
        return Z.transposed_weighted_X(w, a)


def columns_of(X: np.ndarray, std: Standardisation) -> FixedColumns | CentredColumns:
    """The standardised columns of X (n, p), a copy of their own only where rows are few."""
    if X.size < LARGE or _lost(std) > MOST_LOST:
        return FixedColumns(standardised(X, std, None))
    return CentredColumns(np.ascontiguousarray(X), std.mean, std.R_inverse)


def _lost(std: Standardisation) -> float:
    """By how much sums of the columns of X may exceed those of the standardised columns."""
    R = np.linalg.inv(std.R_inverse)
    sizes = np.sqrt(np.einsum("ij,ij->j", R, R))
    return float((sizes @ np.abs(std.R_inverse)).max(initial=0.0))


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


def weighted_gram(
    X: np.ndarray, w: np.ndarray, Y: np.ndarray | None = None, mean: np.ndarray | None = None
) -> np.ndarray:
    """X' diag(w) X, or X' diag(w) Y, a chunk of rows at a time; of X less its ``mean`` if given."""
    if len(X) <= CHUNK_ROWS:
        return _chunk_gram(X, w, Y, mean)

    def products(piece: slice) -> np.ndarray:
        out = np.zeros((X.shape[1], (X if Y is None else Y).shape[1]))
        for rows in chunks(piece):
            out += _chunk_gram(X[rows], w[rows], None if Y is None else Y[rows], mean)
        return out

    first, *more = over_rows(products, len(X))
    return sum(more, first)


def _chunk_gram(
    X: np.ndarray, w: np.ndarray, Y: np.ndarray | None, mean: np.ndarray | None
) -> np.ndarray:
    if mean is not None:
        X = X - mean
    return (X * w[:, None]).T @ (X if Y is None else Y)
