"""Z'WZ kept as blocks, as every back end of `Factor` reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, combinations

import numpy as np
import scipy.sparse as sp

from ..kernels import _crossprod

# A table of levels by levels up to this size is scanned faster than rows are sorted.
DENSE_PAIRS = 100_000

#: For each pair of grouping factors the row pointers and indices of `PairBlocks`.
Patterns = dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class PairBlocks:
    """Z_b'WZ_c for two grouping factors: one small dense block per pair of levels seen together.

    Parameters
    ----------
    indptr : (l_b + 1,) int64 array
        Row pointers: the blocks of level `i` of factor b are ``indptr[i]:indptr[i + 1]``.
    indices : (nnz,) int32 array
        Level of factor c of each block, increasing within a row.
    values : (nnz, k_b, k_c) float64 array
        The blocks.
    """

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """(nnz,) int64: level of factor b of each block."""
        return np.repeat(np.arange(len(self.indptr) - 1), np.diff(self.indptr))


@dataclass(frozen=True, eq=False)
class ZCross:
    """Z'WZ on its fixed pattern, factor by factor.

    Columns are stacked factor by factor and level-major within a factor: level `l`, column `j` of
    factor `b` is ``offsets[b] + l * widths[b] + j``.

    Parameters
    ----------
    n_levels, widths : tuple of int
        Number of levels and number of covariates of each grouping factor, the factor with most
        levels first.
    diagonal : tuple of (l_b, k_b, k_b) float64 arrays
        Z_b'WZ_b, block diagonal since a row belongs to one level.
    pairs : dict
        ``(b, c)`` with b < c to the blocks of Z_b'WZ_c; every pair of factors is present.
    """

    n_levels: tuple[int, ...]
    widths: tuple[int, ...]
    diagonal: tuple[np.ndarray, ...]
    pairs: dict[tuple[int, int], PairBlocks] = field(default_factory=dict)

    @cached_property
    def offsets(self) -> np.ndarray:
        """(B + 1,) int64: where each factor begins among the q columns."""
        sizes = (levels * width for levels, width in zip(self.n_levels, self.widths))
        return np.array([*accumulate(sizes, initial=0)], dtype=np.int64)

    @cached_property
    def q(self) -> int:
        """Number of random-effect columns."""
        return sum(levels * width for levels, width in zip(self.n_levels, self.widths))

    def matrix(self) -> sp.csr_array:
        """The full symmetric Z'WZ, (q, q)."""
        n_factors = len(self.n_levels)
        grid: list[list] = [[None] * n_factors for _ in range(n_factors)]
        for b in range(n_factors):
            levels = np.arange(self.n_levels[b] + 1)
            grid[b][b] = _block_sparse(self.diagonal[b], levels[:-1], levels, self.n_levels[b])
        for (b, c), pair in self.pairs.items():
            grid[b][c] = _block_sparse(pair.values, pair.indices, pair.indptr, self.n_levels[c])
            grid[c][b] = grid[b][c].T
        return sp.csr_array(sp.block_array(grid, format="csr"))


def _block_sparse(values, indices, indptr, n_columns) -> sp.bsr_array:
    shape = ((len(indptr) - 1) * values.shape[1], n_columns * values.shape[2])
    return sp.bsr_array((values, indices, indptr), shape=shape)


def pair_patterns(codes: Sequence[np.ndarray], n_levels: Sequence[int]) -> Patterns:
    """The pairs of levels that share a row, for each two grouping factors b < c."""
    return {
        (b, c): pair_pattern(codes[b], codes[c], n_levels[b], n_levels[c])
        for b, c in combinations(range(len(codes)), 2)
    }


def pair_pattern(
    codes_b: np.ndarray, codes_c: np.ndarray, levels_b: int, levels_c: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of levels that share a row, as sorted compressed rows."""
    if levels_b * levels_c <= DENSE_PAIRS:
        shared = np.zeros((levels_b, levels_c), dtype=np.uint8)
        indptr = np.empty(levels_b + 1, dtype=np.int64)
        _crossprod.shared_levels(codes_b, codes_c, indptr, shared)
        indices = np.empty(indptr[-1], dtype=np.int32)
        _crossprod.columns_of(shared, indices)
        return indptr, indices
    ones = np.ones(codes_b.size, dtype=np.int8)
    pattern = sp.coo_array((ones, (codes_b, codes_c)), shape=(levels_b, levels_c)).tocsr()
    pattern.sort_indices()
    return pattern.indptr.astype(np.int64), pattern.indices.astype(np.int32)


def zero_blocks(n_levels: tuple[int, ...], widths: tuple[int, ...], patterns: Patterns) -> ZCross:
    """Zeros on the pattern of Z'WZ, to be filled."""
    diagonal = tuple(np.zeros((levels, k, k)) for levels, k in zip(n_levels, widths, strict=True))
    pairs = {
        (b, c): PairBlocks(indptr, indices, np.zeros((len(indices), widths[b], widths[c])))
        for (b, c), (indptr, indices) in patterns.items()
    }
    return ZCross(n_levels, widths, diagonal, pairs)


def tail_columns(cross: ZCross) -> np.ndarray:
    """(l_0,): how many columns of the later factors each level of the first one is seen with."""
    counts = np.zeros(cross.n_levels[0], dtype=np.int64)
    for c in range(1, len(cross.widths)):
        counts += np.diff(cross.pairs[0, c].indptr) * cross.widths[c]
    return counts


def congruence(T: np.ndarray, blocks: np.ndarray, S: np.ndarray) -> np.ndarray:
    """T'B S for every block B of (n, k, m)."""
    if T.size == 1 and S.size == 1:
        return blocks * (T[0, 0] * S[0, 0])
    return T.T @ blocks @ S
