"""The common part of the sparse back ends: M on its fixed pattern, and blocks of its inverse.

The library at hand factorises PMP' = LL'. The pattern of L is worked out here once, from the
pattern of Z'WZ alone, so that nothing depends on which exact zeros a library drops; the inverse on
that pattern then comes from the Takahashi recursion.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
import scipy.sparse as sp

from ...errors import NumericalError
from ..crossproducts.blocks import PairBlocks, ZCross, congruence
from ..kernels import _takahashi
from .base import Factor, as_templates, not_positive_definite

__all__ = ["SparseFactor"]

# With singular T_b, `information` solves for every column of the factor if there are at most so
# many, otherwise it extrapolates: 4 refactorisations cost less than a thousand solves.
EXACT_COLUMNS = 256
# Right-hand sides solved for at once.
CHUNK = 64
# T T' + s D is factorised at s = SHIFT x (1, 2, 3, 4) and G(s) extrapolated to s = 0 by a cubic.
# D = diag(1 / (k max_l A_ll)) makes the error of the cubic at most 24 SHIFT^4 = 2.4e-11 relative;
# rounding adds 15 eps / SHIFT = 3e-12 times (largest / mean information of a level).
SHIFT = 1e-3
EXTRAPOLATION = np.array([4.0, -6.0, 4.0, -1.0])
# That holds for D^{1/2} G D^{1/2} of a level in [0, 1], hence for A positive semidefinite. Negative
# weights can make G as negative as they like; the third difference of G(s), at most 6 SHIFT^3 per
# level in the good case, then shows it. Past ten times that, the columns are solved for instead.
THIRD_DIFFERENCE = np.array([-1.0, 3.0, -3.0, 1.0])
THIRD_DIFFERENCE_LIMIT = 10 * 6 * SHIFT**3


class SparseFactor(Factor):
    """M = Λ'AΛ + I as a sparse matrix; a back end adds four short methods."""

    # supernodes of up to some hundred columns: too short for a second thread
    dense_columns = 500

    def __init__(self, cross: ZCross) -> None:
        super().__init__(cross)
        pattern = _numbered(cross).matrix()
        pattern.sort_indices()
        self._source = pattern.data.astype(np.int64) - 1
        self._M = sp.csc_array((np.ones(pattern.nnz), pattern.indices, pattern.indptr),
                               shape=pattern.shape)  # fmt: skip
        self._inverse: _SelectedInverse | None = None
        SparseFactor._renew(self)

    def _renew(self) -> None:
        M = self._M
        self._M = sp.csc_array((np.ones(M.nnz), M.indices, M.indptr), shape=M.shape)
        self._S: np.ndarray | None = None
        self._exact: dict[int, np.ndarray] = {}

    def set_cross(self, cross: ZCross) -> None:
        self.cross = cross

    def refactor(self, T: Sequence[np.ndarray]) -> None:
        self.T = as_templates(T)
        self._S = None
        self._exact.clear()
        with np.errstate(invalid="ignore", over="ignore"):  # it is the factorisation that fails
            self._M.data[:] = self._values()[self._source]
        self._factorise(self._M)
        if not isfinite(self.logdet):
            raise not_positive_definite(self.T)

    def _values(self) -> np.ndarray:
        """The blocks of M one after the other: diagonal ones, then pairs."""
        parts = []
        for A, T in zip(self.cross.diagonal, self.T):
            parts.append((congruence(T, A, T) + np.eye(len(T))).ravel())
        for (b, c), pair in self.cross.pairs.items():
            parts.append(congruence(self.T[b], pair.values, self.T[c]).ravel())
        return np.concatenate(parts)

    def inverse_blocks(self, b: int) -> np.ndarray:
        inverse, S = self._selected()
        return S[inverse.block_places(b)]

    def inverse_pairs(self) -> dict[tuple[int, int], np.ndarray]:
        inverse, S = self._selected()
        return {pair: S[inverse.pair_places(*pair)] for pair in self.cross.pairs}

    def _selected(self) -> tuple[_SelectedInverse, np.ndarray]:
        """M^{-1} on the pattern of L."""
        if self._S is None or self._inverse is None:
            permutation = self.permutation()
            if self._inverse is None or not np.array_equal(self._inverse.permutation, permutation):
                self._inverse = _SelectedInverse(self._M, permutation, self.cross)
            self._S = self._inverse.values(self._lower())
        return self._inverse, self._S

    def _information_exact(self, b: int) -> np.ndarray:
        if b not in self._exact:
            few = self.cross.n_levels[b] * self.cross.widths[b] <= EXACT_COLUMNS
            extrapolated = None if few else self._by_extrapolation(b)
            self._exact[b] = self._by_solving(b) if extrapolated is None else extrapolated
        return self._exact[b]

    def _by_solving(self, b: int) -> np.ndarray:
        """Blocks of A - AΛ M^{-1} Λ'A by solving for all columns of factor b."""
        A, k = self.cross.matrix(), self.cross.widths[b]
        Lambda_t = sp.block_diag(
            [sp.kron(sp.eye_array(ell), T.T) for ell, T in zip(self.cross.n_levels, self.T)],
            format="csr",
        )
        out = self.cross.diagonal[b].sum(axis=0)
        begin, end = self.cross.offsets[b : b + 2]
        step = max(CHUNK // k, 1) * k
        for i in range(begin, end, step):
            B = (Lambda_t @ A[:, i : min(i + step, end)]).toarray()
            B, X = (m.reshape(len(m), -1, k) for m in (B, self.solve(B)))
            out -= np.einsum("qai,qaj->ij", B, X)
        return out

    def _by_extrapolation(self, b: int) -> np.ndarray | None:
        """G_b from nearby nonsingular T_b, to about 1e-9 relative; see `SHIFT`.

        None where that does not hold: near T_b, M is not positive definite or G_b varies too fast.
        """
        here, exact, T = self.T, dict(self._exact), self.T[b]
        D = _shift_directions(self.cross.diagonal[b])
        nearby = []
        try:
            for i in range(1, len(EXTRAPOLATION) + 1):
                near = np.linalg.cholesky(T @ T.T + i * SHIFT * np.diag(D))
                self.refactor([*here[:b], near, *here[b + 1 :]])
                bracket = (np.eye(len(T)) - self.inverse_blocks(b)).sum(axis=0)
                half = np.linalg.solve(near.T, bracket)
                nearby.append(np.linalg.solve(near.T, half.T))
        except NumericalError:
            return None
        finally:
            self.refactor(here)
            self._exact.update(exact)
        change = np.tensordot(THIRD_DIFFERENCE, nearby, 1) * np.sqrt(D[:, None] * D)
        if np.abs(change).max() > THIRD_DIFFERENCE_LIMIT * self.cross.n_levels[b]:
            return None
        return np.tensordot(EXTRAPOLATION, nearby, 1)

    @abstractmethod
    def _factorise(self, M: sp.csc_array) -> None:
        """Factorise M (full symmetric pattern, always the same)."""

    @abstractmethod
    def permutation(self) -> np.ndarray:
        """(q,): M[P][:, P] = LL'."""

    @abstractmethod
    def _lower(self) -> sp.csc_array:
        """L, rows increasing within a column."""


@dataclass
class _SelectedInverse:
    """M^{-1} on the pattern of L for one ordering."""

    M: sp.csc_array
    permutation: np.ndarray
    cross: ZCross

    def __post_init__(self) -> None:
        q = len(self.permutation)
        self.rank = np.empty(q, dtype=np.int64)
        self.rank[self.permutation] = np.arange(q)
        permuted = sp.csc_array(self.M[self.permutation][:, self.permutation])
        permuted.sort_indices()
        M_indptr, M_indices = permuted.indptr.astype(np.int64), permuted.indices.astype(np.int32)
        parent, mark = np.empty(q, dtype=np.int32), np.empty(q, dtype=np.int32)
        counts = np.empty(q, dtype=np.int64)
        _takahashi.elimination(M_indptr, M_indices, parent, mark, counts)
        self.indptr = np.concatenate(([0], np.cumsum(counts)))
        self.indices = np.empty(self.indptr[-1], dtype=np.int32)
        _takahashi.factor_pattern(
            M_indptr, M_indices, parent, mark, self.indptr[:-1].copy(), self.indices
        )
        # columns j and j + 1 have the same rows below: one supernode
        joined = (parent[:-1] == np.arange(1, q)) & (counts[:-1] == counts[1:] + 1)
        self.starts = np.concatenate(([0], np.flatnonzero(~joined) + 1, [q])).astype(np.int32)
        self.member = np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))
        self.member = self.member.astype(np.int32)
        self.widths = np.diff(self.starts).astype(np.int64)
        self.below = counts[self.starts[1:] - 1] - 1
        self._found: dict[tuple[int, int], np.ndarray] = {}

    def block_places(self, b: int) -> np.ndarray:
        """(l_b, k_b, k_b): where the entries of the diagonal blocks are stored."""
        levels = np.arange(self.cross.n_levels[b])
        return self._places(b, b, levels, levels)

    def pair_places(self, b: int, c: int) -> np.ndarray:
        """(nnz, k_b, k_c): where those of the blocks at ``cross.pairs[b, c]`` are stored."""
        pair = self.cross.pairs[b, c]
        return self._places(b, c, pair.rows, pair.indices)

    def _places(self, b: int, c: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        if (b, c) not in self._found:
            q = len(self.rank)
            left, right = self._ranks(b, left)[:, :, None], self._ranks(c, right)[:, None, :]
            row, column = np.maximum(left, right), np.minimum(left, right)
            columns = np.repeat(np.arange(q), np.diff(self.indptr))
            self._found[b, c] = np.searchsorted(columns * q + self.indices, column * q + row)
        return self._found[b, c]

    def _ranks(self, b: int, levels: np.ndarray) -> np.ndarray:
        """(levels, k_b): places in the ordering of the columns of these levels."""
        k = self.cross.widths[b]
        first = self.cross.offsets[b] + k * levels.astype(np.int64)
        return self.rank[first[:, None] + np.arange(k)]

    def values(self, L: sp.csc_array) -> np.ndarray:
        """M^{-1} on the pattern, in the order of `indices`."""
        on_pattern = np.empty(len(self.indices))
        _takahashi.embed(
            self.indptr, self.indices, L.indptr.astype(np.int64), L.indices.astype(np.int32),
            L.data, on_pattern,
        )  # fmt: skip
        S = np.empty_like(on_pattern)
        below, wide = int(self.below.max(initial=0)), int(self.widths.max())
        panel = max(int((self.below * self.widths).max()), 1)
        _takahashi.takahashi(
            self.indptr, self.indices, on_pattern, self.starts, self.member, S,
            np.zeros(max(below**2, 1)), np.empty(panel), np.empty(panel), np.empty(wide**2),
            np.empty(max(below, 1), dtype=np.int32),
        )  # fmt: skip
        return S


def _shift_directions(A: np.ndarray) -> np.ndarray:
    """(k,): D of `SHIFT`, no entry of D^{1/2} A_l D^{1/2} above 1 / k; A (levels, k, k)."""
    k = A.shape[1]
    largest = np.abs(np.einsum("ljj->lj", A)).max(axis=0)
    largest[largest == 0.0] = 1.0
    # only blocks that are not positive semidefinite have larger entries off the diagonal
    excess = (np.abs(A).max(axis=0) / np.sqrt(largest[:, None] * largest)).max()
    return 1.0 / (k * max(excess, 1.0) * largest)


def _numbered(cross: ZCross) -> ZCross:
    """The same pattern with the entries of the blocks numbered 1, 2, … in storage order."""
    start, diagonal, pairs = 1.0, [], {}
    for A in cross.diagonal:
        diagonal.append(np.arange(start, start + A.size).reshape(A.shape))
        start += A.size
    for key, pair in cross.pairs.items():
        numbers = np.arange(start, start + pair.values.size).reshape(pair.values.shape)
        pairs[key] = PairBlocks(pair.indptr, pair.indices, numbers)
        start += pair.values.size
    return replace(cross, diagonal=tuple(diagonal), pairs=pairs)
