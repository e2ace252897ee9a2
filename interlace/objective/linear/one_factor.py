"""One grouping factor: V is block diagonal by level, and one kernel call does it all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...linalg.crossproducts.linear import CrossProducts
from ...linalg.kernels import _onefactor
from .marginal import Compiled, Marginal, outer_sums


class OneFactorMarginal(Marginal):
    """The level sums of `Marginal` from one pass over the levels."""

    backend = "blocked"
    exact_is_cheap = True
    fused_updates = True

    def __init__(self, cross: CrossProducts) -> None:
        assert cross.levels is not None
        self.cross = cross
        self._roots = cross.levels
        levels, k, m = self._roots.b.shape
        self._LR = np.empty((levels, k, k))
        self._Lb = np.empty((levels, k, m))
        self._work = np.empty(2 * k * k)

    def fresh(self) -> OneFactorMarginal:
        return OneFactorMarginal(self.cross)

    def with_cross(self, cross: CrossProducts) -> OneFactorMarginal:
        return OneFactorMarginal(cross)  # nothing symbolic to keep

    def reread(self) -> None:
        pass  # the roots are those of the cross-products themselves

    def renewed(self, cross: CrossProducts) -> OneFactorMarginal:
        return OneFactorMarginal(cross)

    def fused(self, entries, df, reml, constant):
        roots, (_, rows, cols) = self._roots, entries
        places = np.ascontiguousarray(rows, np.int64), np.ascontiguousarray(cols, np.int64)
        kernel = _onefactor.OneFactor(
            roots.R, roots.b, roots.within, *places, float(df), reml, constant,
            self._LR, self._Lb, self._work,
        )  # fmt: skip
        return Compiled(kernel, roots.b, roots.within)

    def update(self, T: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
        self.T = T
        K, roots = self._roots.within.copy(), self._roots
        template = np.ascontiguousarray(T[0], dtype=np.float64)
        logdet = _onefactor.whiten(template, roots.R, roots.b, self._LR, self._Lb, K, self._work)
        return logdet, np.tril(K) + np.tril(K, -1).T

    def level_sums(self, b: int) -> tuple[np.ndarray, np.ndarray]:
        B = self.projected(b)
        rows = self._LR.reshape(-1, B.shape[1])
        return rows.T @ rows, outer_sums(B)

    def projected(self, b: int) -> np.ndarray:
        return self._LR.transpose(0, 2, 1) @ self._Lb

    def quadratic(self, D: Sequence[np.ndarray], c: np.ndarray) -> np.ndarray:
        h = (self.projected(0) @ c) @ D[0]  # (n_entries, l, k)
        rows = (self._LR @ h[:, :, :, None]).reshape(len(h), -1)
        return rows @ rows.T

    def traces(self, D: Sequence[np.ndarray], C: np.ndarray | None) -> np.ndarray:
        G = self._LR.transpose(0, 2, 1) @ self._LR
        GD = G @ D[0][:, None]  # (n, l, k, k)
        turned = GD.transpose(0, 1, 3, 2).reshape(len(GD), -1)
        out = GD.reshape(len(GD), -1) @ turned.T
        if C is None:
            return out
        B = self.projected(0)[:, :, : len(C)]
        S = B @ C @ B.transpose(0, 2, 1)
        both = (S @ D[0][:, None]).reshape(len(GD), -1) @ turned.T
        # The part of Q that couples the levels has rank p: tr(C Y_i C Y_j), Y_i = X'V_i*X.
        Y = C @ np.einsum("lai,eab,lbj->eij", B, D[0], B, optimize=True)
        return out - both - both.T + np.einsum("eij,fji->ef", Y, Y)

    def inverse_blocks(self, b: int) -> np.ndarray:
        C = self._roots.R @ self.T[0]
        return np.linalg.inv(C.transpose(0, 2, 1) @ C + np.eye(C.shape[1]))

    def inverse_pairs(self) -> dict[tuple[int, int], np.ndarray]:
        return {}

    def solve(self, R: np.ndarray) -> np.ndarray:
        levels, k, _ = self._LR.shape
        blocks = R.reshape(levels, k, -1)
        return (self.inverse_blocks(0) @ blocks).reshape(R.shape)
