"""Crossed factors: the largest one eliminated level by level, the others as one dense tail.

    D_l = T_0'A_ll T_0 + I = L_l L_l',      J_l = L_l^{-1} T_0' A_lt Λ_t      (k0, q_t), sparse
    C   = I + Λ_t'A_tt Λ_t - Σ_l J_l'J_l,   log|M| = Σ_l log|D_l| + log|C|
    M^{-1}_tt = C^{-1},   M^{-1}_ll = L_l^{-T} (I + J_l C^{-1} J_l') L_l^{-1},
    M^{-1}_lt = -L_l^{-T} J_l C^{-1}, at the columns of the tail that level l is seen with.

C and C^{-1} are Fortran-ordered buffers of which only the lower triangle is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from math import isfinite

import numpy as np
from scipy.linalg import blas, lapack

from ..crossproducts.blocks import ZCross, tail_columns
from ..kernels import _blocks, _schur
from .base import Factor, as_templates, level_information, not_positive_definite
from .schur_tail import DenseCoupling, SparseCoupling

__all__ = ["SchurFactor"]

# A level of the first factor that touches more than this share of the tail's columns is updated
# by dense products.
DENSE_SHARE = 0.2
# Columns of the unscaled Schur complement handled at once where T of a tail factor is singular.
CHUNK = 512


class SchurFactor(Factor):
    """M = Λ'AΛ + I for two or more grouping factors; see `Factor`."""

    name = "schur"

    def __init__(self, cross: ZCross) -> None:
        super().__init__(cross)
        self._q_tail = self.dense_columns = cross.q - cross.n_levels[0] * cross.widths[0]
        dense = tail_columns(cross) > DENSE_SHARE * self._q_tail
        self._sparse = not dense.all()
        self._couplings: list[SparseCoupling | DenseCoupling] = []
        if self._sparse:
            self._couplings.append(SparseCoupling(cross, np.flatnonzero(~dense)))
        if dense.any():
            self._couplings.append(DenseCoupling(cross, np.flatnonzero(dense)))
        self._starts = (cross.offsets - cross.offsets[1]).tolist()  # of the tail's factors in C
        self._renew()

    def _renew(self) -> None:
        ell, k = self.cross.n_levels[0], self.cross.widths[0]
        self._couplings = [copy(part) for part in self._couplings]
        self._L = np.empty((ell, k, k))
        self._work = np.empty(4 * k * k)
        self._buffer = np.zeros(self._q_tail**2)
        self._C = self._buffer.reshape((self._q_tail, self._q_tail), order="F")
        self._spare: np.ndarray | None = None
        self._inverses: list[np.ndarray] | None = None
        self._exact: dict[int, np.ndarray] = {}
        self._pairs: dict[tuple[int, int], np.ndarray] | None = None
        self._G = self._L
        self._J: list = []
        self._logdet = np.nan
        self.set_cross(self.cross)

    def set_cross(self, cross: ZCross) -> None:
        self.cross = cross
        self._A = np.ascontiguousarray(cross.diagonal[0], dtype=np.float64)
        for coupling in self._couplings:
            coupling.set_cross(cross)

    def refactor(self, T: Sequence[np.ndarray]) -> None:
        self.T = as_templates(T)
        self._inverses = self._pairs = None
        self._exact.clear()
        logdet = _blocks.factor_blocks(self._A, self.T[0], self._L, self._work)
        if not isfinite(logdet):
            raise not_positive_definite(self.T)
        self._G = np.empty_like(self._L)
        self._G[:] = self.T[0].T
        _blocks.solve_blocks(self._L, self._G, False)
        self._J = [part.scaled(self._G, self.T[1:]) for part in self._couplings]
        self._complement(self._buffer, self._J, self.T[1:], 1.0)
        info = lapack.dpotrf(self._C, lower=1, clean=0, overwrite_a=1)[1]
        if not info:
            logdet += 2.0 * float(np.log(self._C.diagonal()).sum())
        if info or not isfinite(logdet):
            self._buffer[:] = 0.0  # BLAS may carry what is not finite into the next complement
            raise not_positive_definite(self.T)
        self._logdet = logdet

    def _complement(self, buffer: np.ndarray, J: list, tails: Sequence, ridge: float) -> None:
        """ridge I + Λ_t'A_tt Λ_t - J'J into the buffer of a (q_t, q_t) Fortran-ordered array."""
        C = buffer.reshape((self._q_tail, self._q_tail), order="F")
        for i, part in enumerate(self._couplings):
            part.subtract(C, J[i], fresh=i == 0)
        cross, starts = self.cross, self._starts
        for c, T in enumerate(tails, start=1):
            _schur.add_diagonal(cross.diagonal[c], T, starts[c], C)
            for d in range(c + 1, len(starts) - 1):
                pair = cross.pairs[c, d]
                _schur.add_pair(
                    pair.indptr, pair.indices, pair.values, T, tails[d - 1], starts[c], starts[d],
                    C,
                )  # fmt: skip
        buffer[:: self._q_tail + 1] += ridge

    @property
    def logdet(self) -> float:
        return self._logdet

    def solve(self, R: np.ndarray) -> np.ndarray:
        columns = R.reshape(len(R), -1)
        split, r = self.cross.offsets[1], columns.shape[1]
        x = np.array(columns[:split], dtype=np.float64, order="C")
        x = x.reshape(*self._L.shape[:2], r)
        tail = np.array(columns[split:], dtype=np.float64, order="C")
        _blocks.solve_blocks(self._L, x, False)
        for part, J in zip(self._couplings, self._J):
            part.subtract_transposed(J, self._of(part, x), tail)
        tail = np.ascontiguousarray(lapack.dpotrs(self._C, tail, lower=1)[0])
        for part, J in zip(self._couplings, self._J):
            if len(part.levels) == len(x):
                x -= part.dot(J, tail)
            else:
                x[part.levels] -= part.dot(J, tail)
        _blocks.solve_blocks(self._L, x, True)
        return np.concatenate((x.reshape(-1, r), tail)).reshape(R.shape)

    @staticmethod
    def _of(part: SparseCoupling | DenseCoupling, x: np.ndarray) -> np.ndarray:
        return x if len(part.levels) == len(x) else x[part.levels]

    def inverse_blocks(self, b: int) -> np.ndarray:
        if self._inverses is None:
            # dense couplings do not need C^{-1}: L^{-1} (half the work) gives the blocks of it
            S = self._tail_inverse(self._sparse)
            self._inverses = self._blocks_from(self._inner(self._J, S), S, self._sparse)
        return self._inverses[b]

    def inverse_pairs(self) -> dict[tuple[int, int], np.ndarray]:
        if self._pairs is None:
            cross, starts = self.cross, self._starts
            S = self._tail_inverse(True)
            out = {key: np.empty(pair.values.shape) for key, pair in cross.pairs.items()}
            Y = [part.through(J, S) for part, J in zip(self._couplings, self._J)]
            if self._inverses is None:
                inner = self._joined(
                    [p.products(*YJ) for p, *YJ in zip(self._couplings, Y, self._J)]
                )
                self._inverses = self._blocks_from(inner, S, True)
            heads = [out[0, c] for c in range(1, len(cross.widths))]
            for part, y in zip(self._couplings, Y):
                part.fill_pairs(y, self._L, heads)
            for (b, c), blocks in out.items():
                if b > 0:
                    pair = cross.pairs[b, c]
                    _schur.take_pair(S, pair.indptr, pair.indices, starts[b], starts[c], blocks)
            self._pairs = out
        return self._pairs

    def _blocks_from(self, inner: np.ndarray, S: np.ndarray, whole: bool) -> list[np.ndarray]:
        """Diagonal blocks of M^{-1} for every factor from J_l C^{-1} J_l' and `_tail_inverse`."""
        out = [np.empty((ell, k, k)) for ell, k in zip(self.cross.n_levels, self.cross.widths)]
        _blocks.invert_blocks(self._L, inner, out[0], self._work)
        for blocks, start in zip(out[1:], self._starts[1:]):
            ell, k = blocks.shape[:2]
            if whole:
                _schur.take_diagonal(S, start, blocks)
            else:
                rows = S.T[start : start + ell * k].reshape(ell, k, len(S))
                np.matmul(rows, rows.transpose(0, 2, 1), out=blocks)
        return out

    def _inner(self, J: list, S: np.ndarray) -> np.ndarray:
        """J_l C^{-1} J_l' for all levels of the first factor."""
        return self._joined([p.inner(j, self._C, S) for p, j in zip(self._couplings, J)])

    def _joined(self, parts: list[np.ndarray]) -> np.ndarray:
        """(l_0, k0, k0) from what each coupling has for its levels."""
        if len(parts) == 1:
            return parts[0]
        inner = np.empty_like(self._L)
        for part, w in zip(self._couplings, parts):
            inner[part.levels] = w
        return inner

    def _second(self) -> np.ndarray:
        """The second (q_t, q_t) buffer, allocated when first needed."""
        if self._spare is None:
            self._spare = np.zeros(self._q_tail**2)
        return self._spare

    def _tail_inverse(self, whole: bool) -> np.ndarray:
        """C^{-1} or, not whole, the inverse of its Cholesky factor; the lower triangle."""
        S = self._second().reshape((self._q_tail, self._q_tail), order="F")
        _schur.copy_lower(self._C, S)
        if whole:
            lapack.dpotri(S, lower=1, overwrite_c=1)
        else:
            lapack.dtrtri(S, lower=1, overwrite_c=1)
        return S

    def _information_exact(self, b: int) -> np.ndarray:
        if b not in self._exact:
            self._exact[b] = self._head_exact() if b == 0 else self._tail_exact(b)
        return self._exact[b]

    def _head_exact(self) -> np.ndarray:
        S = self._tail_inverse(True) if self._sparse else self._C
        inner = self._inner([part.scaled(None, self.T[1:]) for part in self._couplings], S)
        return level_information(self._A, inner, self.T[0])

    def _tail_exact(self, b: int) -> np.ndarray:
        """Diagonal blocks of C̃ - C̃Λ_t C^{-1} Λ_t'C̃, C̃ = the complement without Λ_t and I."""
        eyes = [np.eye(k) for k in self.cross.widths[1:]]
        J = [part.scaled(self._G, eyes) for part in self._couplings]
        self._complement(self._second(), J, eyes, 0.0)
        Ct = self._second().reshape((self._q_tail, self._q_tail), order="F")
        k, start = self.cross.widths[b], int(self.cross.offsets[b] - self.cross.offsets[1])
        end, step = start + self.cross.n_levels[b] * k, max(CHUNK // k, 1) * k
        out = np.zeros((k, k))
        for i in range(start, end, step):
            j = min(i + step, end)
            block = np.empty((self._q_tail, j - i), order="F")
            block[:i] = Ct[i:j, :i].T
            block[i:] = Ct[i:, i:j]
            corner = np.tril(Ct[i:j, i:j])
            block[i:j] = corner + np.tril(corner, -1).T
            own = block[i:j].reshape(-1, k, (j - i) // k, k)
            out += np.einsum("aiaj->ij", own)
            Y = self._times_tail_transposed(block)
            Y = blas.dtrsm(1.0, self._C, Y, lower=1, overwrite_b=1)
            Y = Y.T.reshape(-1, k, self._q_tail)
            out -= np.einsum("aiq,ajq->ij", Y, Y)
        return out

    def _times_tail_transposed(self, X: np.ndarray) -> np.ndarray:
        """Λ_t'X, Fortran-ordered."""
        out, start = np.empty_like(X, order="F"), 0
        for ell, T in zip(self.cross.n_levels[1:], self.T[1:]):
            rows = slice(start, start + ell * len(T))
            # column-major: the rows of one level and column of X are contiguous
            out.T[:, rows] = (X.T[:, rows].reshape(-1, len(T)) @ T).reshape(X.shape[1], -1)
            start = rows.stop
        return out
