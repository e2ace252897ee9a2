"""Any number of grouping factors, through a factorisation of M."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np
import scipy.sparse as sp

from ...linalg.crossproducts.linear import CrossProducts
from ...linalg.factor.base import Factor
from ...linalg.factor.choose import choose_factor
from ...linalg.threads import single_threaded
from .few_columns import DENSE_LIMIT, DenseMarginal
from .large import inner_products, large_factors, projections, typical_blocks
from .marginal import Marginal, dense_traces, spread
from .one_factor import OneFactorMarginal

# A dense Z'V^{-1}Z of this many columns is 72 MB and takes a second: the exact traces of the
# Hessian are then formed; beyond it the gradient is differenced.
DENSE_COLUMNS = 3000
# Z'WZ is multiplied as a dense matrix when it has this share of non-zeros: BLAS is then faster.
DENSE_SHARE = 0.1


def make_marginal(cross: CrossProducts, backend: str | None = None) -> Marginal:
    """The implementation for a model.

    Parameters
    ----------
    cross : CrossProducts
    backend : str, optional
        Forces a factorisation; by default one grouping factor has its fused kernel, a few
        columns are dense, and the rest is chosen by predicted fill.

    Returns
    -------
    Marginal
    """
    if len(cross.ZW) == 1 and backend in (None, "blocked", "nested"):
        return OneFactorMarginal(cross)
    if cross.z.q <= DENSE_LIMIT and backend in (None, "blocked"):
        return DenseMarginal(cross)
    return FactorMarginal(cross, choose_factor(cross.z, backend))


class FactorMarginal(Marginal):
    """Any number of grouping factors, through a factorisation of M.

    Parameters
    ----------
    cross : CrossProducts
    factor : Factor
        The back end, symbolic work done.
    """

    def __init__(self, cross: CrossProducts, factor: Factor) -> None:
        self.cross = cross
        self.factor = factor
        self.backend = factor.name
        self.dense_columns = factor.dense_columns
        z = cross.z
        self.offsets = z.offsets
        self.slices = [slice(a, b) for a, b in zip(self.offsets[:-1], self.offsets[1:])]
        self._typical = typical_blocks(z)
        A = z.matrix()
        q = A.shape[0]
        dense = q <= DENSE_COLUMNS and A.nnz > DENSE_SHARE * q * q
        self._A = A.toarray() if dense else A
        self._A_columns = [self._A[:, s] if dense else _columns(A, s) for s in self.slices]
        self._ZW = np.concatenate([b.reshape(-1, b.shape[2]) for b in cross.ZW])

    def fresh(self) -> FactorMarginal:
        other = copy(self)
        other.factor = self.factor.fresh()
        other.__dict__.pop("_P", None)
        return other

    def renewed(self, cross: CrossProducts) -> FactorMarginal:
        factor = self.factor.fresh()
        factor.set_cross(cross.z)
        return FactorMarginal(cross, factor)

    def with_cross(self, cross: CrossProducts) -> FactorMarginal:
        other = self.fresh()
        other.cross = cross
        other._ZW = np.concatenate([b.reshape(-1, b.shape[2]) for b in cross.ZW])
        return other

    def _blocks(self, R: np.ndarray, b: int) -> np.ndarray:
        """Rows of factor b as (l_b, k_b, r)."""
        k = self.cross.z.widths[b]
        return R[self.slices[b]].reshape(-1, k, R.shape[1])

    def _scaled(self, R: np.ndarray, transpose: bool) -> np.ndarray:
        """Lambda'R or Lambda R."""
        out = np.empty_like(R)
        for b, T in enumerate(self.T):
            M = T.T if transpose else T
            block = self._blocks(R, b)
            scaled = M[0, 0] * block if M.size == 1 else M @ block
            out[self.slices[b]] = scaled.reshape(-1, R.shape[1])
        return out

    @single_threaded
    def update(self, T: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
        self.T = T
        self.factor.refactor(T)
        R = self._scaled(self._ZW, transpose=True)
        U = self.factor.solve(R)
        V = self._scaled(U, transpose=False)
        self._P = self._ZW - self._A @ V
        self._large = large_factors(T, self._typical)
        if not self._large:
            return self.factor.logdet, self.cross.WW - R.T @ U
        for b in self._large:
            self._P[self.slices[b]] = projections(U[self.slices[b]], T[b])
        E = self.cross.residuals([self._blocks(V, b) for b in range(len(T))])
        return self.factor.logdet, E.T @ E + U.T @ U

    @single_threaded
    def level_sums(self, b: int) -> tuple[np.ndarray, np.ndarray]:
        P = self.projected(b)
        levels, k, m = P.shape
        flat = P.reshape(levels, k * m)
        PP = (flat.T @ flat).reshape(k, m, k, m).transpose(0, 2, 1, 3).reshape(k * k, m * m)
        return self.factor.information(b), PP

    def projected(self, b: int) -> np.ndarray:
        return self._blocks(self._P, b)

    @single_threaded
    def quadratic(self, D: Sequence[np.ndarray], c: np.ndarray) -> np.ndarray:
        h = spread(D, self._P @ c, self.slices)
        Ah = np.empty_like(h)
        stops = np.cumsum([0, *(len(d) for d in D)])
        for b, (A, s) in enumerate(zip(self._A_columns, self.slices, strict=True)):
            mine = slice(stops[b], stops[b + 1])
            Ah[:, mine] = A @ h[s, mine]
        return self._inner_products(h, Ah)

    def _inner_products(self, h: np.ndarray, Ah: np.ndarray) -> np.ndarray:
        """h'Z'V^{-1}Z h."""
        return inner_products(
            self.T, self.slices, self._large, h, Ah, self._transposed, self.factor.solve
        )

    def _transposed(self, R: np.ndarray) -> np.ndarray:
        return self._scaled(R, transpose=True)

    @single_threaded
    def traces(self, D: Sequence[np.ndarray], C: np.ndarray | None) -> np.ndarray | None:
        q = self._P.shape[0]
        if q > DENSE_COLUMNS:
            return None
        A = self._A if isinstance(self._A, np.ndarray) else self._A.toarray()
        G = self._inner_products(np.eye(q), A)
        if C is not None:
            PX = self._P[:, : C.shape[0]]
            G -= PX @ C @ PX.T
        return dense_traces(G, D, self.slices, self.cross.z.widths)

    @single_threaded
    def rounding(self, T: Sequence[np.ndarray]) -> float:
        # M has an error of eps in each entry, and log|M| one of tr(M^{-1}dM)
        if len(large_factors(T, self._typical)) < 2:
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
