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
from math import isfinite

import numpy as np

from ..crossproducts.blocks import ZCross
from ..kernels import _blocks
from .base import Factor, as_templates, level_information, not_positive_definite

__all__ = ["NestedFactor", "is_nested"]


def is_nested(cross: ZCross) -> bool:
    """Whether every level of each factor was seen with one level only of the next one."""
    chain = range(len(cross.n_levels) - 1)
    return all(len(cross.pairs[j, j + 1].indices) == cross.n_levels[j] for j in chain)


class NestedFactor(Factor):
    """M = Λ'AΛ + I for one grouping factor or a nested chain; see `Factor`."""

    name = "nested"

    def __init__(self, cross: ZCross) -> None:
        super().__init__(cross)
        self._top = len(cross.widths) - 1
        self._parents = [cross.pairs[j, j + 1].indices for j in range(self._top)]
        self._parents.append(np.empty(0, dtype=np.int32))
        self._starts = cross.offsets.tolist()
        self._renew()

    def _renew(self) -> None:
        levels, widths = self.cross.n_levels, self.cross.widths
        above = [sum(widths[j + 1 :]) for j in range(len(widths))]
        shapes = list(zip(levels, widths, above))
        self._fronts = [np.zeros((ell, k + n, k + n)) for ell, k, n in shapes]
        self._L = [np.empty((ell, k, k)) for ell, k, n in shapes]
        self._H = [np.empty((ell, k, n)) for ell, k, n in shapes]
        self._work = np.empty(4 * sum(widths) ** 2)
        self._logdet = np.nan
        self._inverse: list[np.ndarray] | None = None
        self.set_cross(self.cross)

    def set_cross(self, cross: ZCross) -> None:
        self.cross = cross
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
        if not isfinite(logdet):
            raise not_positive_definite(self.T)
        self._logdet = logdet

    def _assemble(self) -> None:
        widths, pairs = self.cross.widths, self.cross.pairs
        for j, (F, A) in enumerate(zip(self._fronts, self.cross.diagonal)):
            _blocks.start_fronts(A, F)
            column = widths[j]
            for c in range(j + 1, len(widths)):
                _blocks.couple_fronts(pairs[j, c].values, column, F)
                column += widths[c]

    @property
    def logdet(self) -> float:
        return self._logdet

    def solve(self, R: np.ndarray) -> np.ndarray:
        out = np.array(R, dtype=np.float64, order="C")
        r = out.size // max(len(out), 1)
        starts, widths = self._starts, self.cross.widths
        X = [
            out[starts[j] : starts[j + 1]].reshape(levels, widths[j], r)
            for j, levels in enumerate(self.cross.n_levels)
        ]
        empty = np.empty((0, 0, r))
        # what the fronts below leave on the way up, then the solution of each front's columns
        fronts = [empty, *(np.zeros((*F.shape[:2], r)) for F in self._fronts[1:]), empty]
        steps = list(zip(self._L, self._H, self.T, self._parents, X))
        for j, (L, H, T, parent, x) in enumerate(steps):
            _blocks.solve_up(L, H, T, fronts[j], parent, x, fronts[j + 1])
        for j in range(self._top, -1, -1):
            L, H, T, parent, x = steps[j]
            _blocks.solve_down(L, H, T, parent, fronts[j + 1], x, fronts[j])
        return out

    def inverse_blocks(self, b: int) -> np.ndarray:
        k = self.cross.widths[b]
        return self._inverse_fronts()[b][:, :k, :k]

    def inverse_pairs(self) -> dict[tuple[int, int], np.ndarray]:
        out, widths = {}, self.cross.widths
        for b, S in enumerate(self._inverse_fronts()):
            start = widths[b]
            for c in range(b + 1, len(widths)):
                # one ancestor for each level: the order of the pairs is that of the levels
                out[b, c] = S[:, : widths[b], start : start + widths[c]]
                start += widths[c]
        return out

    def _information_exact(self, b: int) -> np.ndarray:
        F, k = self._fronts[b], self.cross.widths[b]
        inner = np.empty((0, k, k))
        if b < self._top:
            K = F[:, :k, k:] @ self._templates_above(b)
            S = self._inverse_fronts()[b + 1][self._parents[b]]
            inner = np.ascontiguousarray(K @ S @ K.transpose(0, 2, 1))
        return level_information(F, inner, self.T[b])

    def _templates_above(self, j: int) -> np.ndarray:
        """The templates of all ancestors of factor j as one block-diagonal matrix."""
        if j + 2 == len(self.T):
            return self.T[j + 1]
        n = self._H[j].shape[2]
        out, start = np.zeros((n, n)), 0
        for t in self.T[j + 1 :]:
            end = start + len(t)
            out[start:end, start:end] = t
            start = end
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
                _blocks.invert_fronts(
                    self._L[j], self._H[j], self._templates_above(j), self._parents[j], fronts[-1],
                    S, self._work,
                )  # fmt: skip
                fronts.append(S)
            self._inverse = fronts[::-1]
        return self._inverse
