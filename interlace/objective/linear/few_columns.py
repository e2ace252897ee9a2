"""Few random-effect columns: Z'V^{-1}Z itself, dense."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import partial

import numpy as np
from scipy.linalg import lapack

from ...errors import NumericalError
from ...linalg.crossproducts.linear import CrossProducts
from ...linalg.threads import single_threaded
from .large import inner_products, large_factors, projections, typical_blocks
from .marginal import Marginal, dense_traces, spread

# Up to this many columns a handful of dense LAPACK calls is faster than any structure
# (measured: 0.1 ms an evaluation at 60 columns, 0.8 ms at 170, where
# the exact Hessian still halves the number of evaluations).
DENSE_LIMIT = 200


class DenseMarginal(Marginal):
    """G = Z'V^{-1}Z = A - A Lambda M^{-1} Lambda'A as one dense matrix.

    Parameters
    ----------
    cross : CrossProducts
    """

    backend = "blocked"
    exact_is_cheap = True

    def __init__(self, cross: CrossProducts) -> None:
        self.cross = cross
        z = cross.z
        offsets = z.offsets
        self.slices = [slice(a, b) for a, b in zip(offsets[:-1], offsets[1:], strict=True)]
        q, m = z.q, cross.WW.shape[0]
        self._q = q
        self._typical = typical_blocks(z)
        self._root: np.ndarray | None = None  # of A, (q, q), made when first needed
        self.dense_columns = q
        # [A, Z'W], side by side, so that one triangular solve serves both.
        self._AB = np.zeros((q, q + m), order="F")
        for b, s in enumerate(self.slices):
            levels, k = z.n_levels[b], z.widths[b]
            view = np.arange(levels * k).reshape(levels, k) + s.start
            self._AB[view[:, :, None], view[:, None, :]] = z.diagonal[b]
        for (b, c), pair in z.pairs.items():
            kb, kc = z.widths[b], z.widths[c]
            rows = pair.rows[:, None] * kb + np.arange(kb) + offsets[b]
            cols = pair.indices[:, None] * kc + np.arange(kc) + offsets[c]
            self._AB[rows[:, :, None], cols[:, None, :]] = pair.values
            self._AB[cols[:, :, None], rows[:, None, :]] = pair.values.transpose(0, 2, 1)
        self._set_response(cross)

    def _set_response(self, cross: CrossProducts) -> None:
        self._AB[:, self._q :] = np.concatenate([b.reshape(-1, b.shape[2]) for b in cross.ZW])

    def fresh(self) -> DenseMarginal:
        return copy(self)  # `update` writes to new arrays only

    def renewed(self, cross: CrossProducts) -> DenseMarginal:
        return DenseMarginal(cross)

    def with_cross(self, cross: CrossProducts) -> DenseMarginal:
        other = self.fresh()
        other.cross = cross
        other._AB = self._AB.copy(order="F")
        other._set_response(cross)
        return other

    @single_threaded
    def update(self, T: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
        self.T, q = T, self._q
        R = self._left(T, self._AB)
        M = self._left(T, R[:, :q].T)
        M[np.arange(q), np.arange(q)] += 1.0
        large = large_factors(T, self._typical)
        self._L = self._by_rows(T) if len(large) > 1 else self._by_squares(M)
        J, _ = lapack.dtrtrs(self._L, R, lower=1)
        inner = J.T @ J
        self._G = self._AB[:, :q] - inner[:q, :q]
        self._P = self._AB[:, q:] - inner[:q, q:]
        logdet = 2.0 * float(np.log(np.diagonal(self._L)).sum())
        if large:
            return logdet, self._without_subtraction(T, large, J[:, q:])
        return logdet, self.cross.WW - inner[q:, q:]

    def _by_squares(self, M: np.ndarray) -> np.ndarray:
        """L with M = LL', lower triangular."""
        L, info = lapack.dpotrf(M, lower=1, clean=0)
        if info:
            raise NumericalError(
                "the matrix of the random effects is not positive definite at these covariance "
                "parameters; start nearer to theta = 1"
            )
        return L

    def _by_rows(self, T: Sequence[np.ndarray]) -> np.ndarray:
        """L by orthogonal columns of [root of A Lambda; I], which are not squared.

        Of crossed factors some effects stand for each other, and for these M is as small as I: in a
        sum with the squares of several large T that would be lost.
        """
        if self._root is None:
            self._root = self.cross.effects_root()
        stacked = np.concatenate([self._left(T, self._root.T).T, np.eye(self._q)])
        R = lapack.dgeqrf(stacked, overwrite_a=1)[0][: self._q]
        sign = np.where(np.diagonal(R) < 0.0, -1.0, 1.0)
        return np.asfortranarray(np.triu(R).T * sign)

    def _without_subtraction(
        self, T: Sequence[np.ndarray], large: list[int], J: np.ndarray
    ) -> np.ndarray:
        """G and P anew, and W'V^{-1}W, where some variances are very large."""
        U, _ = lapack.dtrtrs(self._L, J, lower=1, trans=1)
        if len(large) > 1:
            # what the sums Z'W have lost to large effects: U = Lambda'Z'E for the residuals E
            sums = self.cross.effect_sums(self.cross.residuals(self._effects(T, U)))
            flat = np.concatenate([s.reshape(-1, s.shape[2]) for s in sums])
            U = U + self.solve(self._left(T, flat) - U)
        left = partial(self._left, T)
        h = np.eye(self._q)
        self._G = inner_products(T, self.slices, large, h, self._AB[:, : self._q], left, self.solve)
        for b in large:
            s = self.slices[b]
            self._P[s] = projections(np.ascontiguousarray(U[s]), T[b])
        E = self.cross.residuals(self._effects(T, U))
        return E.T @ E + U.T @ U

    def _effects(self, T: Sequence[np.ndarray], U: np.ndarray) -> list[np.ndarray]:
        """Lambda U of each grouping factor, (l_b, k_b, m)."""
        parts = zip(T, self.slices, strict=True)
        return [t @ U[s].reshape(-1, len(t), U.shape[1]) for t, s in parts]

    def _left(self, T: Sequence[np.ndarray], R: np.ndarray) -> np.ndarray:
        """Lambda'R."""
        out = np.empty(R.shape, order="F")
        for t, s in zip(T, self.slices, strict=True):
            if t.size == 1:
                np.multiply(R[s], t[0, 0], out=out[s])
            else:
                k = t.shape[0]
                out[s] = (t.T @ R[s].reshape(-1, k, R.shape[1])).reshape(-1, R.shape[1])
        return out

    @single_threaded
    def level_sums(self, b: int) -> tuple[np.ndarray, np.ndarray]:
        s, k = self.slices[b], self.cross.z.widths[b]
        block = self._G[s, s]
        if k == 1:
            P = self._P[s]
            return np.array([[np.trace(block)]]), (P.T @ P).reshape(1, -1)
        levels = self.cross.z.n_levels[b]
        G = np.einsum("laxlb->ab", block.reshape(levels, k, 1, levels, k))
        P = self.projected(b)
        m = P.shape[2]
        flat = P.reshape(levels, k * m)
        PP = (flat.T @ flat).reshape(k, m, k, m).transpose(0, 2, 1, 3).reshape(k * k, m * m)
        return G, PP

    def projected(self, b: int) -> np.ndarray:
        return self._P[self.slices[b]].reshape(-1, self.cross.z.widths[b], self._P.shape[1])

    @single_threaded
    def quadratic(self, D: Sequence[np.ndarray], c: np.ndarray) -> np.ndarray:
        h = spread(D, self._P @ c, self.slices)
        return h.T @ self._G @ h

    @single_threaded
    def traces(self, D: Sequence[np.ndarray], C: np.ndarray | None) -> np.ndarray:
        G = self._G
        if C is not None:
            PX = self._P[:, : C.shape[0]]
            G = G - PX @ C @ PX.T
        return dense_traces(G, D, self.slices, self.cross.z.widths)

    def inverse_blocks(self, b: int) -> np.ndarray:
        levels = np.arange(self.cross.z.n_levels[b])
        return self._inverse_at(b, levels, b, levels)

    def inverse_pairs(self) -> dict[tuple[int, int], np.ndarray]:
        pairs = self.cross.z.pairs.items()
        return {(b, c): self._inverse_at(b, p.rows, c, p.indices) for (b, c), p in pairs}

    @single_threaded
    def _inverse_at(self, b: int, left: np.ndarray, c: int, right: np.ndarray) -> np.ndarray:
        """Blocks of M^{-1} at pairs of levels of factors b and c."""
        inverse, _ = lapack.dpotri(self._L, lower=1)
        inverse = np.tril(inverse) + np.tril(inverse, -1).T
        kb, kc = self.cross.z.widths[b], self.cross.z.widths[c]
        rows = self.slices[b].start + left[:, None] * kb + np.arange(kb)
        columns = self.slices[c].start + right[:, None] * kc + np.arange(kc)
        return inverse[rows[:, :, None], columns[:, None, :]]

    @single_threaded
    def solve(self, R: np.ndarray) -> np.ndarray:
        return lapack.dpotrs(self._L, R, lower=1)[0].reshape(R.shape)
