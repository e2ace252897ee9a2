"""The other random effects beside a long series: which of their levels each series meets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from scipy.linalg import block_diag

from ...linalg.crossproducts.blocks import PairBlocks, ZCross

__all__ = ["Tail"]


class Tail:
    """The other random effects: which of their levels each series meets.

    Where every series lies in one level of each of them the blocks of Z_2'V_1^{-1}Z_2 are those of
    Z_2'WZ_2. Otherwise all of them are taken as one level with all columns. ``whole`` is Z'WZ with
    the effects of the series as its first grouping factor; `read` takes new values of it.

    Attributes
    ----------
    starts : (g + 1,) int64 ndarray
        Where the groups of effects begin that meet the same levels: series, or one for all.
    levels : list of (g,) int ndarray
        Level of each factor of ``z`` that a group meets.
    z : ZCross
        Z_2'WZ_2 by these levels.
    columns : (n_1, r) ndarray
        Z_1'WZ_2 of the levels that an effect's group meets.
    """

    z: ZCross
    columns: np.ndarray

    def __init__(self, whole: ZCross, starts: np.ndarray) -> None:
        self.n_levels, self.widths = whole.n_levels[1:], whole.widths[1:]
        self._sizes = [levels * k for levels, k in zip(self.n_levels, self.widths, strict=True)]
        ends = list(accumulate(self._sizes, initial=0))
        self.slices = [slice(*at) for at in zip(ends[:-1], ends[1:], strict=True)]
        levels = [_level_of_each(pair, starts) for pair in _with_series(whole)]
        self.nested = all(of is not None for of in levels)
        if self.nested:
            self.starts = starts
            self.levels = [of for of in levels if of is not None]
        else:
            self.starts = np.array([0, starts[-1]])
            self.levels = [np.zeros(1, dtype=np.intp)]
        self.read(whole)
        self.places = {
            key: _places(pair, self.levels[key[0]], self.levels[key[1]])
            for key, pair in self.z.pairs.items()
        }
        starts_of = list(accumulate(self.z.widths, initial=0))
        self.own = [slice(*at) for at in zip(starts_of[:-1], starts_of[1:], strict=True)]

    def read(self, whole: ZCross) -> None:
        """Take ``z`` and ``columns`` from Z'WZ."""
        later = {(b - 1, c - 1): pair for (b, c), pair in whole.pairs.items() if b}
        z = ZCross(self.n_levels, self.widths, whole.diagonal[1:], later)
        self.all_pairs, self.with_series = later, _with_series(whole)
        if self.nested:
            self.z = z
            parts = [pair.values[:, 0, :] for pair in self.with_series]
        else:
            self.z = ZCross((1,), (sum(self._sizes),), (z.matrix().toarray()[None],), {})
            spread = zip(self.with_series, self._sizes, strict=True)
            parts = [_spread(pair, n) for pair, n in spread]
        self.columns = np.concatenate(parts, axis=1)

    def templates(self, T: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The templates of the factors of ``z``."""
        if self.nested:
            return list(T)
        return [block_diag(*(t for t, n in zip(T, self.n_levels, strict=True) for _ in range(n)))]

    def less(self, products: np.ndarray) -> ZCross:
        """``z`` less the products (g, r, r) of the groups."""
        diagonal = []
        for A, of, own in zip(self.z.diagonal, self.levels, self.own, strict=True):
            A = A.copy()
            np.subtract.at(A, of, products[:, own, own])
            diagonal.append(A)
        pairs = {}
        for (b, c), pair in self.z.pairs.items():
            values = pair.values.copy()
            np.subtract.at(values, self.places[b, c], products[:, self.own[b], self.own[c]])
            pairs[b, c] = PairBlocks(pair.indptr, pair.indices, values)
        return ZCross(self.z.n_levels, self.z.widths, tuple(diagonal), pairs)

    def sums(self, products: np.ndarray) -> np.ndarray:
        """Products (g, r, m) of the groups added up by level, stacked, (q, m)."""
        out = []
        for n, k, of, own in zip(
            self.z.n_levels, self.z.widths, self.levels, self.own, strict=True
        ):
            total = np.zeros((n, k, products.shape[2]))
            np.add.at(total, of, products[:, own])
            out.append(total.reshape(n * k, -1))
        return np.concatenate(out) if out else np.zeros((0, products.shape[2]))

    def met(self, stacked: np.ndarray) -> np.ndarray:
        """Rows (q, m) of the levels that each group meets, (g, r, m)."""
        out, offsets = [], self.z.offsets
        for b, (n, k, of) in enumerate(zip(self.z.n_levels, self.z.widths, self.levels)):
            out.append(stacked[offsets[b] : offsets[b + 1]].reshape(n, k, -1)[of])
        if not out:
            return np.zeros((len(self.starts) - 1, 0, stacked.shape[1]))
        return np.concatenate(out, axis=1)

    def met_blocks(
        self, diagonal: Sequence[np.ndarray], pairs: dict[tuple[int, int], np.ndarray]
    ) -> np.ndarray:
        """Blocks of a matrix on the pattern of ``z`` for the levels of each group, (g, r, r)."""
        r = sum(self.z.widths)
        out = np.empty((len(self.starts) - 1, r, r))
        for block, of, own in zip(diagonal, self.levels, self.own, strict=True):
            out[:, own, own] = block[of]
        for (b, c), block in pairs.items():
            values = block[self.places[b, c]]
            out[:, self.own[b], self.own[c]] = values
            out[:, self.own[c], self.own[b]] = values.transpose(0, 2, 1)
        return out

    def cut(self, whole: np.ndarray) -> tuple[list[np.ndarray], dict[tuple[int, int], np.ndarray]]:
        """Blocks of a matrix (q, q) of all levels: of each level, and of those that share a row."""
        parts = {
            (b, c): whole[own, to].reshape(self.n_levels[b], self.widths[b], self.n_levels[c], -1)
            for b, own in enumerate(self.slices)
            for c, to in enumerate(self.slices)
        }
        diagonal = [np.einsum("lalb->lab", parts[b, b]) for b in range(len(self.slices))]
        pairs = {
            (b, c): parts[b, c][pair.rows, :, pair.indices]
            for (b, c), pair in self.all_pairs.items()
        }
        return diagonal, pairs

    def beside(self, rows: np.ndarray) -> list[np.ndarray]:
        """Rows (n_1, r) of the levels that a group meets at the pairs with each factor."""
        if self.nested:
            return [rows[:, None, own] for own in self.own]
        out = []
        for pair, own, k in zip(self.with_series, self.slices, self.widths, strict=True):
            values = rows[:, own].reshape(len(rows), -1, k)
            out.append(values[pair.rows, pair.indices][:, None])
        return out


def _with_series(whole: ZCross) -> list[PairBlocks]:
    """The blocks of the effects of the series with each other factor."""
    return [whole.pairs[0, b] for b in range(1, len(whole.widths))]


def _level_of_each(pair: PairBlocks, starts: np.ndarray) -> np.ndarray | None:
    """The one level that each series meets, (g,), or None."""
    if len(pair.indices) != len(pair.indptr) - 1:
        return None
    first = pair.indices[starts[:-1]]
    return first if np.array_equal(np.repeat(first, np.diff(starts)), pair.indices) else None


def _spread(pair: PairBlocks, size: int) -> np.ndarray:
    """Z_1'WZ_b as a dense matrix, (n_1, size)."""
    k = pair.values.shape[2]
    out = np.zeros((len(pair.indptr) - 1, size // k, k))
    out[pair.rows, pair.indices] = pair.values[:, 0]
    return out.reshape(len(out), size)


def _places(pair: PairBlocks, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Which block of a pair of factors the levels of each group have."""
    n = int(pair.indices.max(initial=0)) + 1
    return np.searchsorted(pair.rows * n + pair.indices, left.astype(np.int64) * n + right)
