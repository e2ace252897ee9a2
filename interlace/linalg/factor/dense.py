"""Groups of many columns: M as one dense matrix, LAPACK's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import lapack

from ..crossproducts.blocks import ZCross
from ..wide import product
from .base import Factor, as_templates, not_positive_definite

__all__ = ["DenseFactor"]

# Entries of a diagonal T above which I - M^{-1} divided by their squares is right to 1e-12.
SMALL_DEVIATION = 1e-2


class DenseFactor(Factor):
    """M = Λ'AΛ + I = LL' without looking for zeros; see `Factor`."""

    name = "dense"

    def __init__(self, cross: ZCross) -> None:
        super().__init__(cross)
        self.dense_columns = cross.q
        self._slices = [
            slice(a, b) for a, b in zip(cross.offsets[:-1], cross.offsets[1:], strict=True)
        ]
        self._renew()

    def _renew(self) -> None:
        self._A = np.zeros((self.cross.q,) * 2, order="F")
        self._L = self._A
        self._inverse: np.ndarray | None = None
        self.set_cross(self.cross)

    def set_cross(self, cross: ZCross) -> None:
        self.cross = cross
        for b, s in enumerate(self._slices):
            own = self._columns(b, np.arange(cross.n_levels[b]))
            if len(own) == 1:
                self._A[s, s] = cross.diagonal[b][0]
            else:
                self._A[own[:, :, None], own[:, None, :]] = cross.diagonal[b]
        for (b, c), pair in cross.pairs.items():
            rows, columns = self._columns(b, pair.rows), self._columns(c, pair.indices)
            self._A[rows[:, :, None], columns[:, None, :]] = pair.values
            self._A[columns[:, :, None], rows[:, None, :]] = pair.values.transpose(0, 2, 1)

    def _columns(self, b: int, levels: np.ndarray) -> np.ndarray:
        """The columns of levels of factor b, (levels, k)."""
        k = self.cross.widths[b]
        return self._slices[b].start + levels[:, None].astype(np.intp) * k + np.arange(k)

    def _left(self, R: np.ndarray, transposed: bool = True) -> np.ndarray:
        """Λ'R, or ΛR."""
        out = np.empty_like(R, order="F")
        for t, s in zip(self.T, self._slices, strict=True):
            own = R[s].reshape(-1, len(t), R.shape[1])
            out[s] = product(t.T if transposed else t, own).reshape(-1, R.shape[1])
        return out

    def refactor(self, T: Sequence[np.ndarray]) -> None:
        self.T, self._inverse = as_templates(T), None
        M = self._left(self._left(self._A).T)
        M[np.diag_indices(len(M))] += 1.0
        self._L, info = lapack.dpotrf(M, lower=1, clean=1, overwrite_a=1)
        if info or not np.isfinite(self._L[-1, -1]):
            raise not_positive_definite(self.T)

    @property
    def logdet(self) -> float:
        return 2.0 * float(np.log(np.diagonal(self._L)).sum())

    def solve(self, R: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(lapack.dpotrs(self._L, R, lower=1)[0]).reshape(R.shape)

    def _whole_inverse(self) -> np.ndarray:
        if self._inverse is None:
            lower, _ = lapack.dpotri(self._L, lower=1)
            self._inverse = np.tril(lower) + np.tril(lower, -1).T
        return self._inverse

    def inverse_blocks(self, b: int) -> np.ndarray:
        own = self._columns(b, np.arange(self.cross.n_levels[b]))
        return self._at(own, own)

    def inverse_pairs(self) -> dict[tuple[int, int], np.ndarray]:
        pairs = self.cross.pairs.items()
        return {
            (b, c): self._at(self._columns(b, p.rows), self._columns(c, p.indices))
            for (b, c), p in pairs
        }

    def _at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        return self._whole_inverse()[rows[:, :, None], columns[:, None, :]]

    def information(self, b: int) -> np.ndarray:
        T, s = self.T[b], self._slices[b]
        t = T.diagonal()
        if self.cross.n_levels[b] > 1:
            return super().information(b)
        if np.count_nonzero(T) > len(T) or np.abs(t).min() < SMALL_DEVIATION:
            return self._information_exact(b)
        bracket = -self._whole_inverse()[s, s]
        bracket[np.diag_indices(len(t))] += 1.0
        return bracket / t[:, None] / t

    def _information_exact(self, b: int) -> np.ndarray:
        # [A - AΛM^{-1}Λ'A] = (I + AΛΛ')^{-1}A, nothing subtracted
        back = self._left(self._left(self._A.T), transposed=False).T  # AΛΛ'
        back[np.diag_indices(len(back))] += 1.0
        own = self._columns(b, np.arange(self.cross.n_levels[b]))
        G = np.linalg.solve(back, self._A[:, self._slices[b]])
        places = own - self._slices[b].start
        return G[own[:, :, None], places[:, None, :]].sum(axis=0)
