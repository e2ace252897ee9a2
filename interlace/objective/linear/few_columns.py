"""Few random-effect columns: Z'V^{-1}Z itself, dense."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.linalg import lapack

from ...errors import NumericalError
from ...linalg.crossproducts.linear import CrossProducts
from ...linalg.kernels import _fewcolumns
from ...linalg.threads import single_threaded
from ...linalg.triangular import solve_triangle
from ...linalg.wide import is_diagonal
from .marginal import Compiled, outer_sums
from .stacked import LARGE, StackedMarginal, spread

# Up to this many columns a handful of dense LAPACK calls is faster than any structure
# (measured: 0.1 ms an evaluation at 60 columns, 0.8 ms at 170, where
# the exact Hessian still halves the number of evaluations).
DENSE_LIMIT = 200
# Entries of a diagonal T above which I - M^{-1} divided by their squares is right to 1e-12.
SMALL_DEVIATION = 1e-2
# Columns of a grouping factor up to which loops over its blocks are faster than calls of LAPACK.
MOST_COMPILED = 6


class DenseMarginal(StackedMarginal):
    """G = Z'V^{-1}Z = A - A Lambda M^{-1} Lambda'A as one dense matrix."""

    backend = "blocked"
    exact_is_cheap = True

    def __init__(self, cross: CrossProducts) -> None:
        super().__init__(cross)
        z, offsets = cross.z, cross.z.offsets
        q, m = z.q, cross.XyXy.shape[0]
        self._q = q
        self._compiled: Any = None  # of this object's own sums
        self._inverse: np.ndarray | None = None  # M^{-1}, where `update` made it
        self._root: np.ndarray | None = None  # of A, (q, q), made when first needed
        self.dense_columns = q
        # [A, Z'[X y]], side by side, so that one triangular solve serves both.
        self._A_ZXy = np.zeros((q, q + m), order="F")
        for blocks, at in zip(z.diagonal, offsets.tolist(), strict=False):
            _fewcolumns.place_diagonal(blocks, at, self._A_ZXy)
        for (b, c), pair in z.pairs.items():
            _fewcolumns.place_pairs(
                pair.indptr, pair.indices, pair.values, offsets[b], offsets[c], self._A_ZXy
            )
        self._set_response(cross)

    def _set_response(self, cross: CrossProducts) -> None:
        for sums, s in zip(cross.ZXy, self.slices, strict=True):
            _fewcolumns.place_sums(sums, s.start, self._q, self._A_ZXy)

    def reread(self) -> None:
        self._set_response(self.cross)

    def fresh(self) -> DenseMarginal:
        other = object.__new__(DenseMarginal)
        other.__dict__.update(self.__dict__)  # `update` writes to new arrays only
        other._compiled = None
        return other

    def renewed(self, cross: CrossProducts) -> DenseMarginal:
        return DenseMarginal(cross)

    def with_cross(self, cross: CrossProducts) -> DenseMarginal:
        other = self.fresh()
        other.cross = cross
        other._A_ZXy = self._A_ZXy.copy(order="F")
        other._set_response(cross)
        return other

    def fused(self, entries, df, reml, constant):
        z = self.cross.z
        if len(z.widths) < 2 or z.q > DENSE_LIMIT or max(z.widths) > MOST_COMPILED:
            return None
        shape = np.array(z.n_levels), np.array(z.widths)
        places = [np.ascontiguousarray(place, np.int64) for place in (*shape, *entries)]
        self._compiled = _fewcolumns.FewColumns(
            self._A_ZXy, self.cross.XyXy, *places, float(df), reml, constant, LARGE
        )
        return Compiled(self._compiled, self._A_ZXy[:, None, self._q :], self.cross.XyXy)

    @single_threaded
    def corner_beside(self, information: float) -> np.ndarray:
        K = None if self._compiled is None else self._compiled.corner_beside(information)
        return super().corner_beside(information) if K is None else K

    @single_threaded
    def moments(self) -> tuple[np.ndarray, np.ndarray] | None:
        return None if self._compiled is None else self._compiled.moments()

    @single_threaded
    def update(self, T: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
        self.T, q = T, self._q
        self._inverse = None
        if q > DENSE_LIMIT and (scale := self._plain_scale(T)) is not None:
            return self._update_by_inverse(scale)
        R = self._left(self._A_ZXy)
        M = self._left(R[:, :q].T, "F")
        M.T.reshape(-1)[:: q + 1] += 1.0
        self._large = self.large_factors(T)
        self._L = self._by_rows() if len(self._large) > 1 else self._by_squares(M)
        J = solve_triangle(self._L, R, lower=True)
        inner = J.T @ J
        self._G = self._A_ZXy[:, :q] - inner[:q, :q]
        self._B = self._A_ZXy[:, q:] - inner[:q, q:]
        logdet = 2.0 * float(np.log(np.diagonal(self._L)).sum())
        if self._large:
            return logdet, self._in_large_factors(J[:, q:])
        return logdet, self.cross.XyXy - inner[q:, q:]

    def _plain_scale(self, T: Sequence[np.ndarray]) -> np.ndarray | None:
        """The diagonal of Lambda, (q,), if it is all of it, and neither small nor large."""
        if not all(is_diagonal(t) for t in T) or self.large_factors(T):
            return None
        parts = zip(T, self.cross.z.n_levels, strict=True)
        scale = np.concatenate([np.tile(t.diagonal(), levels) for t, levels in parts])
        return scale if np.abs(scale).min() >= SMALL_DEVIATION else None

    def _update_by_inverse(self, scale: np.ndarray) -> tuple[float, np.ndarray]:
        """`update` by M^{-1} itself, of which Lambda'G Lambda = I - M^{-1} needs no product."""
        q, self._large = self._q, []
        M = np.multiply(self._A_ZXy[:, :q], scale[:, None], order="F")
        M *= scale
        M.T.reshape(-1)[:: q + 1] += 1.0
        self._L = self._by_squares(M)
        lower, _ = lapack.dpotri(self._L, lower=1)
        lower = np.tril(lower)
        self._inverse = lower + np.tril(lower, -1).T
        sums = scale[:, None] * self._A_ZXy[:, q:]
        U = self._inverse @ sums
        self._B = U / scale[:, None]
        self._G = self._inverse / -scale[:, None]
        self._G /= scale
        self._G[np.diag_indices(q)] += 1.0 / scale**2
        logdet = 2.0 * float(np.log(np.diagonal(self._L)).sum())
        return logdet, self.cross.XyXy - sums.T @ U

    def _by_squares(self, M: np.ndarray) -> np.ndarray:
        """L with M = LL', lower triangular."""
        L, info = lapack.dpotrf(M, lower=1, clean=0)
        if info:
            raise NumericalError(
                "the matrix of the random effects is not positive definite at these covariance "
                "parameters; start nearer to theta = 1"
            )
        return L

    def _by_rows(self) -> np.ndarray:
        """L by orthogonal columns of [root of A Lambda; I], which are not squared.

        Of crossed factors some effects stand for each other, and for these M is as small as I: in a
        sum with the squares of several large T that would be lost.
        """
        if self._root is None:
            self._root = self.cross.effects_root()
        stacked = np.concatenate([self._left(self._root.T, "F").T, np.eye(self._q)])
        R = lapack.dgeqrf(stacked, overwrite_a=1)[0][: self._q]
        sign = np.where(np.diagonal(R) < 0.0, -1.0, 1.0)
        return np.asfortranarray(np.triu(R).T * sign)

    def _in_large_factors(self, J: np.ndarray) -> np.ndarray:
        """G and B anew, and [X y]'V^{-1}[X y], where some variances are very large."""
        U = solve_triangle(self._L, J, lower=True, transposed=True)
        if len(self._large) > 1:
            # what the sums Z'[X y] have lost to large effects: U = Lambda'Z'E for the residuals E
            V = self._effects(U)
            E = self.cross.residuals([self._blocks(V, b) for b in range(len(self.T))])
            sums = self.cross.effect_sums(E)
            flat = np.concatenate([s.reshape(-1, s.shape[2]) for s in sums])
            U = U + self.solve(self._left(flat) - U)
        self._G = self._inner_products(np.eye(self._q), self._A_ZXy[:, : self._q])
        return self._without_subtraction(np.ascontiguousarray(U))

    @single_threaded
    def level_sums(self, b: int) -> tuple[np.ndarray, np.ndarray]:
        s, k = self.slices[b], self.cross.z.widths[b]
        block = self._G[s, s]
        if k == 1:
            B = self._B[s]
            return np.array([[block.trace()]]), (B.T @ B).reshape(1, -1)
        levels = self.cross.z.n_levels[b]
        if levels == 1:
            return block, outer_sums(self.projected(b))
        G = np.einsum("laxlb->ab", block.reshape(levels, k, 1, levels, k))
        return G, outer_sums(self.projected(b))

    @single_threaded
    def quadratic(self, D: Sequence[np.ndarray], c: np.ndarray) -> np.ndarray:
        h = spread(D, self._B @ c, self.slices)
        return h.T @ self._G @ h

    def traces(self, D: Sequence[np.ndarray], C: np.ndarray | None) -> np.ndarray:
        return self._traces(self._G, D, C)

    def inverse_blocks(self, b: int) -> np.ndarray:
        levels = np.arange(self.cross.z.n_levels[b])
        return self._inverse_at(b, levels, b, levels)

    def inverse_pairs(self) -> dict[tuple[int, int], np.ndarray]:
        pairs = self.cross.z.pairs.items()
        return {(b, c): self._inverse_at(b, p.rows, c, p.indices) for (b, c), p in pairs}

    @single_threaded
    def _inverse_at(self, b: int, left: np.ndarray, c: int, right: np.ndarray) -> np.ndarray:
        """Blocks of M^{-1} at pairs of levels of factors b and c."""
        inverse = self._inverse
        if inverse is None:
            inverse, _ = lapack.dpotri(self._L, lower=1)
            inverse = np.tril(inverse) + np.tril(inverse, -1).T
        kb, kc = self.cross.z.widths[b], self.cross.z.widths[c]
        rows = self.slices[b].start + left[:, None] * kb + np.arange(kb)
        columns = self.slices[c].start + right[:, None] * kc + np.arange(kc)
        return inverse[rows[:, :, None], columns[:, None, :]]

    @single_threaded
    def solve(self, R: np.ndarray) -> np.ndarray:
        return lapack.dpotrs(self._L, R, lower=1)[0].reshape(R.shape)
