"""The profiled deviance straight from whitened rows, with one grouping factor or none.

The rows change at every step of a search, so that cross-products serve one evaluation alone: two
passes over the rows give the criterion and its derivatives by `linalg/kernels/_whitened.pyx`, in
the notation of `deviance`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

import numpy as np

from ...linalg.crossproducts.whitened import RowsToWhiten
from ...linalg.kernels import _whitened

__all__ = ["RowsEvaluation", "WhitenedRows"]

# Information of a level on its effects, in units of their own, up to which sums of squares less
# others lose few digits; and the share of y'V^{-1}y that coefficients have to leave.
LARGEST = 1e5
SHARE = 1e-4
NO_TEMPLATE = np.zeros((0, 0))


class RowsEvaluation(NamedTuple):
    """The criterion at T, with what its derivatives are made of; arrays of the next one too."""

    value: float
    slopes: list[np.ndarray]  # 2 N T for each grouping factor, (k, k)
    rows: np.ndarray  # derivatives in the whitened columns, (n, 1 + p + K)


class WhitenedRows:
    """The criterion of rows W [e X Z]; a residual sum of squares below ``smallest`` is none."""

    def __init__(self, rows: RowsToWhiten, reml: bool, smallest: float) -> None:
        n, p = len(rows.columns), rows.p
        k, levels, codes = 0, 1, np.zeros(n, dtype=np.int32)
        if rows.codes:
            k, levels, codes = rows.widths[0], rows.n_levels[0], np.asarray(rows.codes[0], np.int32)
        self._constant = -rows.log_weights - (2.0 * rows.std.logdet if reml else 0.0)
        self._criterion = _whitened.Criterion(
            codes, levels, k, p + 1, float(n - p if reml else n), reml, smallest, SHARE, LARGEST
        )

    @staticmethod
    def possible(rows: RowsToWhiten) -> bool:
        """Whether there is one grouping factor at most."""
        return len(rows.codes) < 2

    def evaluate(
        self, D: np.ndarray, logdet: float, T: Sequence[np.ndarray], order: int
    ) -> RowsEvaluation | None:
        """The criterion of rows D (n, 1 + p + k) at T, with derivatives (order 1).

        ``logdet`` is -2 log|W|. None where digits would be lost.
        """
        own = self._criterion
        value = own.evaluate(D, np.ascontiguousarray(T[0]) if T else NO_TEMPLATE, order)
        value += logdet + self._constant
        if not isfinite(value):
            return None
        return RowsEvaluation(value, [own.slopes] if T else [], own.rows)
