"""What the marginal covariance V = I + Z Lambda Lambda' Z' does to the data of a linear model.

A linear mixed model asks four things of V at each T, all answerable from cross-products:
log|V|, W'V^{-1}W, sums over levels of Z_l'V^{-1}[Z_l W], and products with a vector in the
column space of Z.  With one grouping factor a fused kernel answers them level by level; in
general they come from a :class:`~interlace.linalg.factor.Factor`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from .crossprod import CrossProducts
from .factor import Factor
from .kernels import _onefactor

# A dense Z'V^{-1}Z of this many columns is 72 MB and takes a second: the exact traces of the
# Hessian are then formed; beyond it the gradient is differenced.
DENSE_COLUMNS = 3000
# Z'WZ is multiplied as a dense matrix when it has this share of non-zeros: BLAS is then faster.
DENSE_SHARE = 0.1


class Marginal(ABC):
    """V^{-1} at one T, seen through the cross-products.

    ``update`` first; the rest refer to its T. ``D`` are the symmetric k x k matrices
    ``dT T' + T dT'`` of the entries of T, per grouping factor, shape (n_entries_b, k_b, k_b).
    """

    backend: str

    @abstractmethod
    def update(self, T: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
        """log|M| and W'V^{-1}W (m, m)."""

    @abstractmethod
    def level_sums(self, b: int) -> tuple[np.ndarray, np.ndarray]:
        """sum_l Z_l'V^{-1}Z_l (k, k) and sum_l P_l (x) P_l, P_l = Z_l'V^{-1}W, (k k, m m)."""

    @abstractmethod
    def projected(self, b: int) -> np.ndarray:
        """Z_b'V^{-1}W, (l_b, k_b, m)."""

    @abstractmethod
    def quadratic(self, D: Sequence[np.ndarray], c: np.ndarray) -> np.ndarray:
        """h_i'Z'V^{-1}Z h_j with h_i = D_i Z'V^{-1}W c, (n_entries, n_entries)."""

    @abstractmethod
    def traces(self, D: Sequence[np.ndarray], C: np.ndarray | None) -> np.ndarray | None:
        """tr(Q V_i Q V_j), (n_entries, n_entries), or None where too large to form.

        Q = V^{-1} - V^{-1}X C X'V^{-1}, or V^{-1} without C.
        """

    @abstractmethod
    def inverse_blocks(self, b: int) -> np.ndarray:
        """Diagonal blocks of M^{-1}, (l_b, k_b, k_b)."""

    @abstractmethod
    def solve(self, R: np.ndarray) -> np.ndarray:
        """M^{-1} R, for R of shape (q, r)."""

    @abstractmethod
    def with_cross(self, cross: CrossProducts) -> Marginal:
        """The same factorisation for another response."""


def make_marginal(cross: CrossProducts, backend: str | None = None) -> Marginal:
    """The implementation for a model: fused for one factor unless a back end is forced."""
    if len(cross.ZW) == 1 and backend in (None, "blocked", "nested"):
        return OneFactorMarginal(cross)
    from .choose import choose

    return FactorMarginal(cross, choose(cross.z, backend))


class OneFactorMarginal(Marginal):
    """One grouping factor: V is block diagonal by level, and one kernel call does it all."""

    backend = "blocked"

    def __init__(self, cross: CrossProducts) -> None:
        self.cross = cross
        A, B = cross.z.diagonal[0], cross.ZW[0]
        levels, k, m = B.shape
        self._A, self._B = A, B
        self._G = np.empty((levels, k, k))
        self._P = np.empty((levels, k, m))
        self._G_sum = np.empty((k, k))
        self._W_sum = np.empty((m, m))
        self._PP = np.empty((k * k, m * m))
        self._work = np.empty((3, k * max(k, m, 1)))
        self._GGG = np.empty((k * k, k * k))
        self._GG = np.empty((k * k, k * k))

    def with_cross(self, cross: CrossProducts) -> OneFactorMarginal:
        return OneFactorMarginal(cross)

    def fused(self, rows: np.ndarray, cols: np.ndarray, df: int, reml: bool, constant: float):
        """The compiled evaluation of the whole criterion, sharing this object's buffers.

        Parameters
        ----------
        rows, cols : ndarray of int, shape (q,)
            Entries of T that the parameters fill.
        df, reml, constant
            Of the criterion.
        """
        _, k, m = self._B.shape
        q, kk = rows.size, k * k
        n = max(m, q, 1)
        K, Q, S, L = (np.empty((n, n)) for _ in range(4))
        C = np.empty((m - 1, m - 1))
        buffers = (
            *(self._G, self._P, np.empty((k, k)), self._G_sum, self._W_sum, self._PP),
            *(self._GGG, self._GG, self._work, K, C, Q, np.empty((k, k)), np.empty((q, kk))),
            *(np.empty((q, m * m)), S, L, np.empty(m), np.empty(q), np.empty(q)),
            np.empty((0, 0)),
        )
        entries = (np.ascontiguousarray(rows, np.int64), np.ascontiguousarray(cols, np.int64))
        WW = np.ascontiguousarray(self.cross.WW)
        return _onefactor.OneFactor(
            self._A, self._B, WW, *entries, float(df), reml, constant, buffers
        )

    def update(self, T: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
        self.T = T
        logdet = _onefactor.level_sums(
            T[0], self._A, self._B, self._G, self._P, self._G_sum, self._W_sum, self._PP, self._work
        )
        return logdet, self.cross.WW - self._W_sum

    def level_sums(self, b: int) -> tuple[np.ndarray, np.ndarray]:
        return self._G_sum, self._PP

    def projected(self, b: int) -> np.ndarray:
        return self._P

    def products(self, c: np.ndarray, C: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """The level sums behind `quadratic` and `traces`, each (k k, k k)."""
        C = np.empty((0, 0)) if C is None else np.ascontiguousarray(C)
        _onefactor.level_products(self._G, self._P, c, C, self._GGG, self._GG, self._work)
        return self._GGG, self._GG

    def quadratic(self, D: Sequence[np.ndarray], c: np.ndarray) -> np.ndarray:
        flat = D[0].reshape(len(D[0]), -1)
        return flat @ self.products(c, None)[0] @ flat.T

    def traces(self, D: Sequence[np.ndarray], C: np.ndarray | None) -> np.ndarray:
        flat = D[0].reshape(len(D[0]), -1)
        m = self._B.shape[2]
        out = flat @ self.products(np.zeros(m), C)[1] @ flat.T
        if C is not None:
            # The part of Q that couples the levels has rank p: tr(C Y_i C Y_j), Y_i = X'V_i*X.
            p = m - 1
            Y = C @ (flat @ self._PP).reshape(-1, m, m)[:, :p, :p]
            out += Y.reshape(len(Y), -1) @ Y.transpose(0, 2, 1).reshape(len(Y), -1).T
        return out

    def inverse_blocks(self, b: int) -> np.ndarray:
        T = self.T[0]
        return np.linalg.inv(T.T @ self._A @ T + np.eye(len(T)))

    def solve(self, R: np.ndarray) -> np.ndarray:
        levels, k, _ = self._A.shape
        blocks = R.reshape(levels, k, -1)
        return (self.inverse_blocks(0) @ blocks).reshape(R.shape)


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
        z = cross.z
        self.offsets = z.offsets
        self.slices = [slice(a, b) for a, b in zip(self.offsets[:-1], self.offsets[1:])]
        A = z.matrix()
        q = A.shape[0]
        dense = q <= DENSE_COLUMNS and A.nnz > DENSE_SHARE * q * q
        self._A = A.toarray() if dense else A
        columns = self._A if dense else A.tocsc()
        self._A_columns = [columns[:, s] for s in self.slices]
        self._ZW = np.concatenate([b.reshape(-1, b.shape[2]) for b in cross.ZW])

    def with_cross(self, cross: CrossProducts) -> FactorMarginal:
        other = FactorMarginal.__new__(FactorMarginal)
        other.__dict__.update(self.__dict__)
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

    def update(self, T: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
        self.T = T
        self.factor.refactor(T)
        R = self._scaled(self._ZW, transpose=True)
        U = self.factor.solve(R)
        self._P = self._ZW - self._A @ self._scaled(U, transpose=False)
        return self.factor.logdet, self.cross.WW - R.T @ U

    def level_sums(self, b: int) -> tuple[np.ndarray, np.ndarray]:
        P = self.projected(b)
        levels, k, m = P.shape
        flat = P.reshape(levels, k * m)
        PP = (flat.T @ flat).reshape(k, m, k, m).transpose(0, 2, 1, 3).reshape(k * k, m * m)
        return self.factor.information(b), PP

    def projected(self, b: int) -> np.ndarray:
        return self._blocks(self._P, b)

    def quadratic(self, D: Sequence[np.ndarray], c: np.ndarray) -> np.ndarray:
        g = (self._P @ c)[:, None]
        n_entries = [len(d) for d in D]
        stops = np.cumsum([0, *n_entries])
        h = [
            np.moveaxis(d @ self._blocks(g, b)[:, None], 0, 1)[..., 0]
            .transpose(1, 2, 0)
            .reshape(-1, len(d))
            for b, d in enumerate(D)
        ]
        Ah = np.empty((self._P.shape[0], stops[-1]))
        for b, A in enumerate(self._A_columns):
            Ah[:, stops[b] : stops[b + 1]] = A @ h[b]
        W = self._scaled(Ah, transpose=True)
        out = -(W.T @ self.factor.solve(W))
        for b in range(len(D)):
            out[stops[b] : stops[b + 1]] += h[b].T @ Ah[self.slices[b]]
        return 0.5 * (out + out.T)

    def traces(self, D: Sequence[np.ndarray], C: np.ndarray | None) -> np.ndarray | None:
        q = self._P.shape[0]
        if q > DENSE_COLUMNS:
            return None
        A = self._A if isinstance(self._A, np.ndarray) else self._A.toarray()
        R = self._scaled(A, transpose=True)
        G = A - R.T @ self.factor.solve(R)
        if C is not None:
            PX = self._P[:, : C.shape[0]]
            G -= PX @ C @ PX.T
        stops = np.cumsum([0, *(len(d) for d in D)])
        out = np.empty((stops[-1], stops[-1]))
        widths = self.cross.z.widths
        for b, sb in enumerate(self.slices):
            for c, sc in enumerate(self.slices):
                kb, kc = widths[b], widths[c]
                pair = G[sb, sc].reshape(-1, kb, G[sb, sc].shape[1] // kc, kc)
                pair = pair.transpose(0, 2, 1, 3).reshape(-1, kb * kc)
                gram = (pair.T @ pair).reshape(kb, kc, kb, kc)
                # tr(G' D_i G D_j) = sum D_i[a, b] G[b, c] D_j[c, d] G[a, d]
                X = gram.transpose(2, 0, 1, 3).reshape(kb * kb, kc * kc)
                left, right = D[b].reshape(len(D[b]), -1), D[c].reshape(len(D[c]), -1)
                out[stops[b] : stops[b + 1], stops[c] : stops[c + 1]] = left @ X @ right.T
        return out

    def inverse_blocks(self, b: int) -> np.ndarray:
        return self.factor.inverse_blocks(b)

    def solve(self, R: np.ndarray) -> np.ndarray:
        return self.factor.solve(R)
