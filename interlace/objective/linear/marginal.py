"""Products of V^{-1}, V = I + Z Lambda Lambda' Z', with the data of a linear model.

A linear mixed model asks four things of V at each T, all answerable from cross-products:
log|V|, [X y]'V^{-1}[X y], sums over levels of Z_l'V^{-1}[Z_l X y], and products with a vector in
the column space of Z.  With one grouping factor a fused kernel answers them level by level; in
general they come from a :class:`~interlace.linalg.factor.base.Factor`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ...linalg.crossproducts.blocks import ZCross
from ...linalg.crossproducts.linear import CrossProducts
from ...linalg.wide import WIDE, WideOuterSums


class Compiled(NamedTuple):
    """A compiled evaluation, and where it finds a response.

    That is the last of the sums of each effect, (l, k, m), and of a ``corner``, (m, m).
    """

    evaluation: Any
    effects: np.ndarray
    corner: np.ndarray


class Marginal(ABC):
    """V^{-1} at one T, seen through the cross-products.

    ``update`` first; the rest refer to its T. An object belongs to one user in one thread:
    ``fresh`` makes another; a pickle or a deep copy keeps the data alone.  ``D`` are the symmetric
    k x k matrices ``dT T' + T dT'`` of the entries of T, per grouping factor, shape
    (n_entries_b, k_b, k_b).
    """

    backend: str
    cross: CrossProducts
    #: Whether `traces` costs no more than the rest of an evaluation.
    exact_is_cheap: bool = False
    #: Columns of the largest matrix factorised as dense.
    dense_columns: int = 0
    #: Whether a compiled evaluation brings this object to the same T.
    fused_updates: bool = False

    def __reduce__(self) -> tuple:
        # arrays of the last `update` are views of each other's memory
        return type(self), (self.cross,)

    def fused(
        self,
        entries: tuple[np.ndarray, np.ndarray, np.ndarray],
        df: int,
        reml: bool,
        constant: float,
    ) -> Compiled | None:
        """The compiled twin of `Deviance` over entries of T, or None where there is none.

        ``entries`` are the grouping factor, row and column of each, (n,).
        """
        return None

    def corner_beside(self, information: float) -> np.ndarray:
        """[X y]'V^{-1}[X y] (m, m) where each effect of a mean level has this information on it.

        T is diagonal there; what else ``update`` makes may be that of no T.
        """
        T = []
        for A in self.cross.z.diagonal:
            mean = np.einsum("lkk->k", A) / len(A)
            T.append(np.diag(np.sqrt(information / np.where(mean > 0.0, mean, 1.0))))
        return self.update(T)[1]

    def moments(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The `second_moments` that searches start from, where they are compiled."""
        return None

    @abstractmethod
    def update(self, T: Sequence[np.ndarray]) -> tuple[float, np.ndarray]:
        """log|M| and [X y]'V^{-1}[X y] (m, m)."""

    @abstractmethod
    def level_sums(self, b: int) -> tuple[np.ndarray, Any]:
        """sum_l Z_l'V^{-1}Z_l (k, k) and sum_l B_l (x) B_l, B_l = Z_l'V^{-1}[X y], (k k, m m)."""

    @abstractmethod
    def projected(self, b: int) -> np.ndarray:
        """Z_b'V^{-1}[X y], (l_b, k_b, m)."""

    @abstractmethod
    def quadratic(self, D: Sequence[np.ndarray], c: np.ndarray) -> np.ndarray:
        """h_i'Z'V^{-1}Z h_j with h_i = D_i Z'V^{-1}[X y] c, (n_entries, n_entries)."""

    @abstractmethod
    def traces(self, D: Sequence[np.ndarray], C: np.ndarray | None) -> np.ndarray | None:
        """tr(Q V_i Q V_j), (n_entries, n_entries), or None where too large to form.

        Q = V^{-1} - V^{-1}X C X'V^{-1}, or V^{-1} without C.
        """

    def variance_traces(self, D: Sequence[np.ndarray]) -> np.ndarray:
        """tr(V^{-1} V_i V^{-1} V_j), (n_entries, n_entries), however many effects there are."""
        traces = self.traces(D, None)
        assert traces is not None
        return traces

    @abstractmethod
    def inverse_blocks(self, b: int) -> np.ndarray:
        """Diagonal blocks of M^{-1}, (l_b, k_b, k_b)."""

    @abstractmethod
    def inverse_pairs(self) -> dict[tuple[int, int], np.ndarray]:
        """Blocks of M^{-1} at the pairs of levels that share a row, in the order of `pattern`."""

    @property
    def pattern(self) -> ZCross:
        """Z'WZ, whose blocks are at the pairs of levels that share a row."""
        return self.cross.z

    @abstractmethod
    def solve(self, R: np.ndarray) -> np.ndarray:
        """M^{-1} R, for R of shape (q, r)."""

    @abstractmethod
    def fresh(self) -> Marginal:
        """Another one of the same data, symbolic work shared; ``update`` must follow."""

    @abstractmethod
    def with_cross(self, cross: CrossProducts) -> Marginal:
        """``fresh`` for another response."""

    @abstractmethod
    def reread(self) -> None:
        """Copy again what is kept of the response's sums in ``cross``."""

    @abstractmethod
    def renewed(self, cross: CrossProducts) -> Marginal:
        """``fresh`` for other values on the same pattern."""


def outer_sums(B: np.ndarray) -> Any:
    """sum_l B_l (x) B_l of B (l, k, m), (k k, m m)."""
    levels, k, m = B.shape
    if k > WIDE:
        return WideOuterSums(B)
    flat = B.reshape(levels, k * m)
    return (flat.T @ flat).reshape(k, m, k, m).transpose(0, 2, 1, 3).reshape(k * k, m * m)
