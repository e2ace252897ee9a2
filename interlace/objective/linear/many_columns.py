"""Any number of grouping factors, through a factorisation of M."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from ...linalg.crossproducts.linear import CrossProducts
from ...linalg.factor.base import Factor
from ...linalg.threads import single_threaded
from .marginal import outer_sums
from .stacked import StackedMarginal, spread, stacked_products

# A dense Z'V^{-1}Z of this many columns is 72 MB and takes a second: the exact traces of the
# Hessian are then formed; beyond it the gradient is differenced.
DENSE_COLUMNS = 3000
# Z'WZ is multiplied as a dense matrix when it has this share of non-zeros: BLAS is then faster.
DENSE_SHARE = 0.1
# Traces of more effects are summed over so many columns of Z'V^{-1}Z at a time.
TRACE_COLUMNS = 256


class FactorMarginal(StackedMarginal):
    """Any number of grouping factors, through a factorisation of M, its symbolic work done."""

    def __init__(self, cross: CrossProducts, factor: Factor) -> None:
        super().__init__(cross)
        self.factor = factor
        self.backend = factor.name
        self.dense_columns = factor.dense_columns
        A = cross.z.matrix()
        q = A.shape[0]
        dense = q <= DENSE_COLUMNS and A.nnz > DENSE_SHARE * q * q
        self._A = A.toarray() if dense else A
        self._A_columns = [self._A[:, s] if dense else _columns(A, s) for s in self.slices]
        self._ZXy = stacked_products(cross)

    def __reduce__(self) -> tuple:
        return FactorMarginal, (self.cross, self.factor)

    def fresh(self) -> FactorMarginal:
        other = object.__new__(FactorMarginal)
        other.__dict__.update(self.__dict__, factor=self.factor.fresh())
        other.__dict__.pop("_B", None)
        return other

    def reread(self) -> None:
        self._ZXy = stacked_products(self.cross)

    def renewed(self, cross: CrossProducts) -> FactorMarginal:
        factor = self.factor.fresh()
        factor.set_cross(cross.z)
        return FactorMarginal(cross, factor)

    def with_cross(self, cross: CrossProducts) -> FactorMarginal:
        other = self.fresh()
        other.cross = cross
        other._ZXy = stacked_products(cross)
        return other

    @single_threaded
    def update(self, T: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
        self.T = T
        self.factor.refactor(T)
        R = self._left(self._ZXy)
        U = self.factor.solve(R)
        self._B = self._ZXy - self._A @ self._effects(U)
        self._large = self.large_factors(T)
        corner = self._without_subtraction(U) if self._large else self.cross.XyXy - R.T @ U
        return self.factor.logdet, corner

    @single_threaded
    def level_sums(self, b: int) -> tuple[np.ndarray, np.ndarray]:
        return self.factor.information(b), outer_sums(self.projected(b))

    @single_threaded
    def quadratic(self, D: Sequence[np.ndarray], c: np.ndarray) -> np.ndarray:
        h = spread(D, self._B @ c, self.slices)
        Ah = np.empty_like(h)
        stops = np.cumsum([0, *(len(d) for d in D)])
        for b, (A, s) in enumerate(zip(self._A_columns, self.slices, strict=True)):
            mine = slice(stops[b], stops[b + 1])
            Ah[:, mine] = A @ h[s, mine]
        return self._inner_products(h, Ah)

    @single_threaded
    def traces(self, D: Sequence[np.ndarray], C: np.ndarray | None) -> np.ndarray | None:
        q = self._B.shape[0]
        if q > DENSE_COLUMNS:
            return None
        return self._traces(self._inner_products(np.eye(q), _dense(self._A)), D, C)

    def variance_traces(self, D: Sequence[np.ndarray]) -> np.ndarray:
        traces = self.traces(D, None)
        return self._summed_traces(D) if traces is None else traces

    @single_threaded
    def _summed_traces(self, D: Sequence[np.ndarray]) -> np.ndarray:
        """sum over columns of G D_i G D_j, G = A - A Lambda M^{-1} Lambda'A, a few at a time."""
        widths, starts = self.cross.z.widths, np.cumsum([0, *map(len, D)])
        total = np.zeros((starts[-1], starts[-1]))
        for c, k in enumerate(widths):
            step, stop = max(TRACE_COLUMNS // k, 1) * k, self.slices[c].stop
            for first in range(self.slices[c].start, stop, step):
                columns = _dense(self._A[:, first : min(first + step, stop)])
                G = columns - self._A @ self._effects(self.solve(self._left(columns)))
                for b, own in enumerate(D):
                    blocks = G[self.slices[b]].reshape(-1, widths[b], columns.shape[1] // k, k)
                    # sum over pairs of levels of G_ij (x) G_kl
                    flat = blocks.transpose(1, 3, 0, 2).reshape(widths[b] * k, -1)
                    outer = (flat @ flat.T).reshape(widths[b], k, widths[b], k)
                    part = np.einsum("rik,sjl,ijkl->rs", own, D[c], outer, optimize=True)
                    total[starts[b] : starts[b + 1], starts[c] : starts[c + 1]] += part
        return total

    @single_threaded
    def rounding(self, T: Sequence[np.ndarray]) -> float:
        """The error of log|M| at T by large effects that stand for each other."""
        # M has an error of eps in each entry, and log|M| one of tr(M^{-1}dM)
        if len(self.large_factors(T)) < 2:
            return 0.0
        factor, total = self.factor.fresh(), 0.0
        factor.refactor(T)
        for b, (t, A) in enumerate(zip(T, self.cross.z.diagonal, strict=True)):
            total += float(np.vdot(t.T @ A @ t, factor.inverse_blocks(b)))
        return float(np.finfo(float).eps) * total

    @single_threaded
    def inverse_blocks(self, b: int) -> np.ndarray:
        return self.factor.inverse_blocks(b)

    @single_threaded
    def inverse_pairs(self) -> dict[tuple[int, int], np.ndarray]:
        return self.factor.inverse_pairs()

    @single_threaded
    def solve(self, R: np.ndarray) -> np.ndarray:
        return self.factor.solve(R)


def _columns(A: sp.csr_array, s: slice) -> sp.csc_array:
    """A[:, s] of a symmetric A, on its memory: its rows are its columns."""
    first, last = A.indptr[s.start], A.indptr[s.stop]
    out = sp.csc_array((A.shape[0], s.stop - s.start))
    # the constructor would copy the short ones
    out.data, out.indices = A.data[first:last], A.indices[first:last]
    out.indptr = A.indptr[s.start : s.stop + 1] - first
    return out


def _dense(A: np.ndarray | sp.sparray) -> np.ndarray:
    return A if isinstance(A, np.ndarray) else A.toarray()
