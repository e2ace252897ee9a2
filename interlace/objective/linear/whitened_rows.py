"""The profiled deviance straight from whitened rows, with one grouping factor or none.

The rows change at every step of a search, so that cross-products serve one evaluation alone: two
passes over the rows give the criterion and its derivatives by `linalg/kernels/_whitened.pyx`, in
the notation of `deviance`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack

from ...linalg.crossproducts.whitened import RowsToWhiten
from ...linalg.kernels import _whitened
from .deviance import LOG_2PI

__all__ = ["RowsEvaluation", "WhitenedRows"]

# Information of a level on its effects, in units of their own, up to which sums of squares less
# others lose few digits; and the share of y'V^{-1}y that coefficients have to leave.
LARGEST = 1e5
SHARE = 1e-4


class RowsEvaluation(NamedTuple):
    """The criterion at T, with what its derivatives are made of."""

    value: float
    slopes: list[np.ndarray]  # 2 N T for each grouping factor, (k, k)
    rows: np.ndarray  # derivatives in the whitened columns, (n, 1 + p + K)


class WhitenedRows:
    """Rows W [e X Z] at one phi; ``logdet`` is -2 log|W|."""

    def __init__(
        self, rows: RowsToWhiten, D: np.ndarray, logdet: float, reml: bool, smallest: float
    ) -> None:
        self.D, self.reml, self._smallest = np.ascontiguousarray(D), reml, smallest
        self.k = rows.widths[0] if rows.widths else 0
        self.levels = rows.n_levels[0] if rows.widths else 1
        self.codes = rows.codes[0] if rows.codes else np.zeros(len(D), dtype=np.int32)
        self.p = rows.p
        self.df = len(D) - rows.p if reml else len(D)
        self.constant = logdet - rows.log_weights - (2.0 * rows.std.logdet if reml else 0.0)

    @staticmethod
    def possible(rows: RowsToWhiten) -> bool:
        """Whether there is one grouping factor at most."""
        return len(rows.codes) < 2

    def evaluate(self, T: Sequence[np.ndarray], order: int) -> RowsEvaluation | None:
        """The criterion at T, with derivatives (order 1); None where digits would be lost."""
        k, levels, m = self.k, self.levels, self.p + 1
        template = np.ascontiguousarray(T[0]) if k else np.zeros((0, 0))
        A, S = np.zeros((levels, k, k)), np.zeros((levels, k, k))
        B, V = np.zeros((levels, k, m)), np.zeros((levels, k, m))
        G, K, work = np.zeros((k, k)), np.zeros((m, m)), np.empty(k * (3 * k + m) + 2 * m)
        logdet = _whitened.level_sums(self.D, self.codes, template, A, B, V, S, G, K, work)
        if k and (A.reshape(levels, -1) @ (template @ template.T).ravel()).max() > LARGEST:
            return None
        profile = self._profile(logdet, K)
        if profile is None:
            return None
        value, Q = profile
        if not order:
            return RowsEvaluation(value, [], np.empty(0))
        slopes = []
        if k:
            flat = B.reshape(-1, m) @ Q
            N = G - np.einsum("laj,lbj->ab", flat.reshape(B.shape), B)
            slopes.append(2.0 * (N @ template))
        rows = np.empty(self.D.shape)
        _whitened.row_slopes(self.D, self.codes, V, S, Q, rows, work)
        return RowsEvaluation(value, slopes, rows)

    def _profile(self, logdet: float, K: np.ndarray) -> tuple[float, np.ndarray] | None:
        """The value, and Q (m, m) with dd = ... + tr(Q dK)."""
        p, df = self.p, self.df
        R, info = lapack.dpotrf(K)
        r2 = float(R[p, p]) ** 2
        if info or not (r2 > self._smallest and r2 > SHARE * K[p, p]):
            return None
        value = logdet + df * (1.0 + LOG_2PI + np.log(r2 / df)) + self.constant
        c = np.ones(p + 1)
        inverse = lapack.dtrtri(R[:p, :p])[0] if p else np.zeros((0, 0))
        c[:p] = -(inverse @ R[:p, p])
        Q = (df / r2) * np.outer(c, c)
        if self.reml and p:
            value += 2.0 * float(np.log(R.diagonal()[:p]).sum())
            Q[:p, :p] += inverse @ inverse.T
        return float(value), Q
