"""Coupling of levels of the first factor to the dense tail, as sparse rows or as dense ones.

Both classes serve some of the levels of the first factor (`levels`, increasing), hold
A_lt = Z_0'WZ_t for them, and answer with J = G_l A_lt Λ_t, where G_l is (k0, k0) and Λ_t is made
of the tail's templates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import blas

from ..crossproducts.blocks import ZCross
from ..kernels import _blocks, _schur

__all__ = ["DenseCoupling", "SparseCoupling"]

# Columns per square tile of the scatter and the gather: 256 x 256 doubles are 0.5 MB and stay in
# the level-2 cache.
TILE = 256


class SparseCoupling:
    """Few tail columns per level: rank-k0 updates scattered into the Schur complement."""

    def __init__(self, cross: ZCross, levels: np.ndarray) -> None:
        self.levels = levels
        tails = range(1, len(cross.widths))
        starts = cross.offsets[1:] - cross.offsets[1]
        counts = np.array([np.diff(cross.pairs[0, c].indptr)[levels] for c in tails])
        sizes = counts * np.array(cross.widths[1:])[:, None]
        self._indptr = np.concatenate(([0], np.cumsum(sizes.sum(axis=0)))).astype(np.int64)
        before = np.cumsum(sizes, axis=0) - sizes
        self._cols = np.empty(self._indptr[-1], dtype=np.int32)
        self._selected, self._positions = [], []
        for c in tails:
            pair, k = cross.pairs[0, c], cross.widths[c]
            count = counts[c - 1]
            first = np.repeat(np.cumsum(count) - count, count)
            entry = np.arange(len(first)) - first
            self._selected.append(np.repeat(pair.indptr[:-1][levels], count) + entry)
            row_start = np.repeat(self._indptr[:-1] + before[c - 1], count)
            position = (row_start + entry * k).astype(np.int64)
            self._positions.append(position)
            level = pair.indices[self._selected[-1]].astype(np.int64)
            for j in range(k):
                self._cols[position + j] = starts[c - 1] + level * k + j
        n_tiles = -(-int(starts[-1]) // TILE)
        self._pointers = np.empty((len(levels), n_tiles + 1), dtype=np.int64)
        _schur.tile_pointers(self._indptr, self._cols, TILE, self._pointers)
        self.set_cross(cross)

    def set_cross(self, cross: ZCross) -> None:
        """Take new values on the same pattern."""
        whole = len(self.levels) == cross.n_levels[0]
        self._values = [
            cross.pairs[0, c].values if whole else cross.pairs[0, c].values[chosen]
            for c, chosen in enumerate(self._selected, start=1)
        ]

    def scaled(self, G: np.ndarray | None, tails: Sequence[np.ndarray]) -> np.ndarray:
        """J, flat (entries, k0); without G, A_lt Λ_t."""
        V = np.empty((len(self._cols), self._values[0].shape[1]))
        for values, T, position in zip(self._values, tails, self._positions):
            _schur.scale_tail(values, T, position, V)
        if G is None:
            return V
        J = np.empty_like(V)
        _schur.scale_head(self._indptr, self._own(G), V, J)
        return J

    def _own(self, of_levels: np.ndarray) -> np.ndarray:
        """The blocks of `levels`."""
        whole = len(self.levels) == len(of_levels)
        return of_levels if whole else of_levels[self.levels]

    def subtract(self, C: np.ndarray, J: np.ndarray, fresh: bool) -> None:
        """C -= J'J on the lower triangle; C is taken to be zero if `fresh`, which it must be."""
        assert fresh
        _schur.scatter(C, TILE, self._pointers, self._cols, J)

    def inner(self, J: np.ndarray, C: np.ndarray, inverse: np.ndarray) -> np.ndarray:
        """J_l C^{-1} J_l', (levels, k0, k0), from the lower triangle of C^{-1}."""
        k0, n = J.shape[1], len(self.levels)
        inner = np.zeros((n, k0, k0))
        _schur.gather(inverse, self._pointers, self._cols, J, inner, np.empty(k0))
        return inner

    def through(self, J: np.ndarray, inverse: np.ndarray) -> np.ndarray:
        """J_l C^{-1} at the columns of each level, in the order of J; C^{-1} as for `inner`."""
        Y = np.empty_like(J)
        _schur.gather_rows(inverse, self._pointers, self._cols, J, Y)
        return Y

    def products(self, Y: np.ndarray, J: np.ndarray) -> np.ndarray:
        """Y_l J_l' of Y from `through`, (levels, k0, k0)."""
        inner = np.empty((len(self.levels), J.shape[1], J.shape[1]))
        _schur.flat_products(self._indptr, Y, J, inner)
        return inner

    def fill_pairs(self, Y: np.ndarray, L: np.ndarray, out: Sequence[np.ndarray]) -> None:
        """-L_l^{-T} Y_l into the blocks of each tail factor, (nnz, k0, k_c); destroys Y."""
        _schur.solve_flat(self._indptr, self._own(L), Y)
        for position, chosen, blocks in zip(self._positions, self._selected, out):
            _schur.flat_pairs(Y, position, chosen, blocks)

    def dot(self, J: np.ndarray, X: np.ndarray) -> np.ndarray:
        """J X, (levels, k0, r), X (q_t, r)."""
        out = np.empty((len(self.levels), J.shape[1], X.shape[1]))
        _schur.couple(self._indptr, self._cols, J, X, out)
        return out

    def subtract_transposed(self, J: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
        """out (q_t, r) -= J'x, x (levels, k0, r)."""
        _schur.couple_transposed(self._indptr, self._cols, J, x, out)


class DenseCoupling:
    """Most tail columns per level: the same by dense products."""

    def __init__(self, cross: ZCross, levels: np.ndarray) -> None:
        self.levels = levels
        self._starts = (cross.offsets[1:] - cross.offsets[1]).tolist()
        self._places: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        where = np.full(cross.n_levels[0], -1)
        where[levels] = np.arange(len(levels))
        for c in range(1, len(cross.widths)):
            pair = cross.pairs[0, c]
            row = where[pair.rows]
            chosen = np.flatnonzero(row >= 0)
            self._places.append((chosen, row[chosen], pair.indices[chosen]))
        self.set_cross(cross)

    def set_cross(self, cross: ZCross) -> None:
        """Take new values on the same pattern."""
        self._values = [cross.pairs[0, c].values for c in range(1, len(cross.widths))]

    def scaled(self, G: np.ndarray | None, tails: Sequence[np.ndarray]) -> np.ndarray:
        """J as (levels, k0, q_t); without G, A_lt Λ_t."""
        k0 = self._values[0].shape[1]
        J = np.zeros((len(self.levels), k0, self._starts[-1]))
        own = np.empty((0, k0, k0)) if G is None else self._own(G)
        heads = own if k0 == 1 else np.empty((0, 1, 1))
        for values, (chosen, row, level), start, T in zip(
            self._values, self._places, self._starts, tails
        ):
            factor = T[0, 0] if len(T) == 1 else 1.0
            if len(T) > 1:
                if len(chosen) < len(values):
                    values, chosen = values[chosen], np.arange(len(chosen))
                values = (values.reshape(-1, len(T)) @ T).reshape(values.shape)
            _schur.dense_rows(values, chosen, row, level, start, factor, heads, J)
        return J if len(heads) == len(own) else own @ J

    def _own(self, of_levels: np.ndarray) -> np.ndarray:
        """The blocks of `levels`."""
        whole = len(self.levels) == len(of_levels)
        return of_levels if whole else of_levels[self.levels]

    def subtract(self, C: np.ndarray, J: np.ndarray, fresh: bool) -> None:
        """C -= J'J on the lower triangle, C overwritten if `fresh`."""
        rows = J.reshape(-1, J.shape[2])
        beta = 0.0 if fresh else 1.0
        blas.dsyrk(-1.0, rows.T, beta=beta, c=C, trans=0, lower=1, overwrite_c=1)

    def inner(self, J: np.ndarray, C: np.ndarray, inverse: np.ndarray) -> np.ndarray:
        """J_l C^{-1} J_l', (levels, k0, k0), from the Cholesky factor C."""
        rows = np.array(J.reshape(-1, J.shape[2]))
        Y = blas.dtrsm(1.0, C, rows.T, lower=1, overwrite_b=1).T.reshape(J.shape)
        return Y @ Y.transpose(0, 2, 1)

    def through(self, J: np.ndarray, inverse: np.ndarray) -> np.ndarray:
        """J_l C^{-1}, (levels, k0, q_t), from the lower triangle of C^{-1}."""
        rows = J.reshape(-1, J.shape[2])
        return blas.dsymm(1.0, inverse, rows.T, side=0, lower=1).T.reshape(J.shape)

    def products(self, Y: np.ndarray, J: np.ndarray) -> np.ndarray:
        """Y_l J_l' of Y from `through`, (levels, k0, k0)."""
        inner = np.empty((len(J), J.shape[1], J.shape[1]))
        _schur.dense_products(Y, J, inner)
        return inner

    def fill_pairs(self, Y: np.ndarray, L: np.ndarray, out: Sequence[np.ndarray]) -> None:
        """-L_l^{-T} Y_l into the blocks of each tail factor, (nnz, k0, k_c); destroys Y."""
        _blocks.solve_blocks(self._own(L), Y, True)
        for (chosen, row, level), start, blocks in zip(self._places, self._starts, out):
            _schur.dense_pairs(Y, row, level, start, chosen, blocks)

    def dot(self, J: np.ndarray, X: np.ndarray) -> np.ndarray:
        """J X, (levels, k0, r), X (q_t, r)."""
        return (J.reshape(-1, J.shape[2]) @ X).reshape(*J.shape[:2], -1)

    def subtract_transposed(self, J: np.ndarray, x: np.ndarray, out: np.ndarray) -> None:
        """out (q_t, r) -= J'x, x (levels, k0, r)."""
        out -= J.reshape(-1, J.shape[2]).T @ x.reshape(-1, x.shape[2])
