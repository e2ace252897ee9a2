"""One grouping factor, or a chain of nested ones: everything stays block diagonal.

A level of factor j lies in exactly one level of factor j + 1, its parent. Its frontal matrix
F (K, K) holds its own k_j columns and those of all its ancestors; eliminating the own columns
leaves a Schur complement that is added to the parent's front. The ancestors' part is kept unscaled
(without their T), which makes every formula right at singular T:

    D = T'F_11 T + I = LL',   H = L^{-1}T'F_12,   F_parent += F_22 - H'H,   log|M| = Σ log|D|.

Work and memory grow with the number of levels; no q x q array exists.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .factor import Factor, as_templates, level_information, not_positive_definite
from .kernels import _blocks
from .pattern import ZCross

__all__ = ["NestedFactor", "is_nested"]


def is_nested(cross: ZCross) -> bool:
    """Whether every level of each factor was seen with one level only of the next one.

    Parameters
    ----------
    cross : ZCross

    Returns
    -------
    bool
        True for a single factor.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.linalg.nested import is_nested
    >>> from interlace.linalg.pattern import ZCross
    >>> is_nested(ZCross((2,), (1,), (np.ones((2, 1, 1)),), {}))
    True
    """
    chain = range(len(cross.n_levels) - 1)
    return all(len(cross.pairs[j, j + 1].indices) == cross.n_levels[j] for j in chain)


class NestedFactor(Factor):
    """M = Λ'AΛ + I for one grouping factor or a nested chain; see `Factor`.

    Parameters
    ----------
    cross : ZCross
        Z'WZ with `is_nested(cross)`.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.linalg.nested import NestedFactor
    >>> from interlace.linalg.pattern import ZCross
    >>> factor = NestedFactor(ZCross((2,), (1,), (np.array([[[3.0]], [[8.0]]]),), {}))
    >>> factor.refactor([np.eye(1)])
    >>> round(float(np.exp(factor.logdet)), 6)
    36.0
    >>> factor.information(0).round(6).tolist()
    [[1.638889]]
    """

    name = "nested"

    def __init__(self, cross: ZCross) -> None:
        super().__init__(cross)
        levels, widths = cross.n_levels, cross.widths
        above = [sum(widths[j + 1 :]) for j in range(len(widths))]
        shapes = list(zip(levels, widths, above))
        self._top = len(widths) - 1
        self._parents = [cross.pairs[j, j + 1].indices for j in range(self._top)]
        self._fronts = [np.zeros((ell, k + n, k + n)) for ell, k, n in shapes]
        self._L = [np.empty((ell, k, k)) for ell, k, n in shapes]
        self._H = [np.empty((ell, k, n)) for ell, k, n in shapes]
        self._work = np.empty(4 * sum(widths) ** 2)
        self._logdet = np.nan
        self._inverse: list[np.ndarray] | None = None
        self.set_cross(cross)

    def set_cross(self, cross: ZCross) -> None:
        self.cross = cross
        depth = len(cross.widths)
        self._couplings = [
            np.concatenate([cross.pairs[j, c].values for c in range(j + 1, depth)], axis=2)
            for j in range(self._top)
        ]
        if not self._top:
            self._fronts[0] = np.ascontiguousarray(cross.diagonal[0], dtype=np.float64)

    def refactor(self, T: Sequence[np.ndarray]) -> None:
        self.T = as_templates(T)
        self._inverse = None
        fronts, top, logdet = self._fronts, self._top, 0.0
        if top:
            self._assemble()
        for j in range(top):
            logdet += _blocks.eliminate_fronts(
                fronts[j], self.T[j], self._parents[j], fronts[j + 1], self._L[j], self._H[j],
                self._work,
            )  # fmt: skip
        logdet += _blocks.factor_blocks(fronts[top], self.T[top], self._L[top], self._work)
        if not np.isfinite(logdet):
            raise not_positive_definite(self.T)
        self._logdet = logdet

    def _assemble(self) -> None:
        for j, (F, A, k) in enumerate(zip(self._fronts, self.cross.diagonal, self.cross.widths)):
            F[:, :k, :k] = A
            F[:, k:, k:] = 0.0
            if j < self._top:
                F[:, :k, k:] = self._couplings[j]

    @property
    def logdet(self) -> float:
        return self._logdet

    def solve(self, R: np.ndarray) -> np.ndarray:
        offsets, levels, widths = self.cross.offsets, self.cross.n_levels, self.cross.widths
        columns = R.reshape(len(R), -1)
        r, top = columns.shape[1], self._top
        X = [
            np.array(columns[offsets[j] : offsets[j + 1]], dtype=np.float64, order="C")
            .reshape(levels[j], widths[j], r)
            for j in range(top + 1)
        ]  # fmt: skip
        carried = [np.zeros((levels[j], self._fronts[j].shape[1], r)) for j in range(1, top + 1)]
        for j in range(top + 1):
            k = widths[j]
            if j:
                X[j] += self.T[j].T @ carried[j - 1][:, :k]
            _blocks.solve_blocks(self._L[j], X[j], False)
            if j < top:
                up = -(self._H[j].transpose(0, 2, 1) @ X[j])
                if j:
                    up += carried[j - 1][:, k:]
                rows, out = up.reshape(levels[j], -1), carried[j].reshape(levels[j + 1], -1)
                _blocks.add_to_parents(rows, self._parents[j], out)
        _blocks.solve_blocks(self._L[top], X[top], True)
        above = np.empty((levels[top], 0, r))
        for j in range(top - 1, -1, -1):
            above = np.concatenate((self.T[j + 1] @ X[j + 1], above), axis=1)[self._parents[j]]
            X[j] -= self._H[j] @ above
            _blocks.solve_blocks(self._L[j], X[j], True)
        return np.concatenate([x.reshape(-1, r) for x in X]).reshape(R.shape)

    def inverse_blocks(self, b: int) -> np.ndarray:
        k = self.cross.widths[b]
        return self._inverse_fronts()[b][:, :k, :k]

    def _information_exact(self, b: int) -> np.ndarray:
        F, k = self._fronts[b], self.cross.widths[b]
        W = np.empty((0, k, k))
        if b < self._top:
            K = self._times_ancestors(F[:, :k, k:], b)
            S = self._inverse_fronts()[b + 1][self._parents[b]]
            W = np.ascontiguousarray(K @ S @ K.transpose(0, 2, 1))
        return level_information(F, W, self.T[b])

    def _times_ancestors(self, C: np.ndarray, j: int) -> np.ndarray:
        """C (l_j, k_j, .) times the templates of all ancestors of factor j."""
        out, start = np.empty(C.shape), 0
        for t in self.T[j + 1 :]:
            columns = slice(start, start + len(t))
            np.matmul(C[:, :, columns], t, out=out[:, :, columns])
            start += len(t)
        return out

    def _inverse_fronts(self) -> list[np.ndarray]:
        """M^{-1} of each factor's levels together with their ancestors, (l_j, K_j, K_j)."""
        if self._inverse is None:
            top = self._top
            S = np.empty_like(self._L[top])
            _blocks.invert_blocks(self._L[top], np.empty((0, *S.shape[1:])), S, self._work)
            fronts = [S]
            for j in range(top - 1, -1, -1):
                S = np.empty_like(self._fronts[j])
                J = self._times_ancestors(self._H[j], j)
                args = (self._L[j], J, self._parents[j], fronts[-1], S, self._work)
                _blocks.invert_fronts(*args)
                fronts.append(S)
            self._inverse = fronts[::-1]
        return self._inverse
