"""Roots of many small matrices of sums, which stand for the rows that these were made of."""

from __future__ import annotations

import numpy as np

#: What is left of a column's sum of squares after those before it, as a share of all: below it is
#: rounding.
NOTHING = 1e-13
#: Matrices taken at once: their numbers stay in cache.
AT_ONCE = 8192


def gram_roots(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Upper triangular R with R'R = A, (l, k, k); B (l, k, m) becomes R'^{-1} B in place.

    A is symmetric and not negative; of columns that depend on those before them the rows of R and B
    are zero.
    """
    R = np.zeros(A.shape)
    for start in range(0, len(A), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        _roots(A[some], R[some], B[some])
    return R


def _roots(A: np.ndarray, R: np.ndarray, B: np.ndarray) -> None:
    """The same for a few at once, R being zeros."""
    k, left = A.shape[1], A.copy()
    for i in range(k):
        pivot = left[:, i, i]
        clear = pivot > NOTHING * A[:, i, i]
        inverse = np.where(clear, 1.0 / np.sqrt(np.where(clear, pivot, 1.0)), 0.0)
        R[:, i, i:] = left[:, i, i:] * inverse[:, None]
        B[:, i] *= inverse[:, None]
        for j in range(i + 1, k):
            own = R[:, i, j, None]
            left[:, j, j:] -= own * R[:, i, j:]
            B[:, j] -= own * B[:, i]
