"""One grouping factor: V is block diagonal by level, and one kernel call does it all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .crossprod import CrossProducts
from .kernels import _onefactor
from .marginal import Marginal


class OneFactorMarginal(Marginal):
    """The level sums of `Marginal` from one pass over the levels.

    Parameters
    ----------
    cross : CrossProducts
    """

    backend = "blocked"
    exact_is_cheap = True

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

    def fresh(self) -> OneFactorMarginal:
        return OneFactorMarginal(self.cross)

    def with_cross(self, cross: CrossProducts) -> OneFactorMarginal:
        return OneFactorMarginal(cross)  # nothing symbolic to keep

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

    def inverse_pairs(self) -> dict[tuple[int, int], np.ndarray]:
        return {}

    def solve(self, R: np.ndarray) -> np.ndarray:
        levels, k, _ = self._A.shape
        blocks = R.reshape(levels, k, -1)
        return (self.inverse_blocks(0) @ blocks).reshape(R.shape)
