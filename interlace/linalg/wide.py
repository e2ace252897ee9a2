"""Products with matrices of many columns, of which diagonal ones are known as such.

Effects of hundreds of levels with a known covariance are columns of one group, with a template that
is a multiple of I: a matrix product with it would take the cube of their number for nothing.
"""

from __future__ import annotations

import numpy as np

__all__ = ["WIDE", "WIDE_LIMIT", "WideOuterSums", "is_diagonal", "product"]

# Columns of a group from which on LAPACK is faster than loops over small blocks.
WIDE = 48
#: Random effects up to which those of such groups, with all others, are one dense matrix.
WIDE_LIMIT = 8000


def is_diagonal(T: np.ndarray) -> bool:
    """Whether a matrix is square and has nothing beside its diagonal."""
    if T.shape[0] != T.shape[1]:
        return False
    return bool(np.count_nonzero(T) == np.count_nonzero(T.diagonal()))


def product(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """A B, of matrices or stacks of them."""
    if A.shape[-1] > WIDE:
        if A.ndim == 2 and is_diagonal(A):
            return A.diagonal()[:, None] * B
        if B.ndim == 2 and is_diagonal(B):
            return A * B.diagonal()
        if A.ndim == 3:
            return np.stack(
                [
                    product(a, b)
                    for a, b in zip(A, np.broadcast_to(B, (len(A), *B.shape[-2:])), strict=True)
                ]
            )
        if B.ndim == 3:
            return np.stack([product(A, b) for b in B])
    return A @ B


class WideOuterSums:
    """sum_l B_l (x) B_l of wide B (l, k, m), (k k, m m), which is not multiplied out."""

    __array_ufunc__ = None

    def __init__(self, B: np.ndarray) -> None:
        self.B = B

    def __matmul__(self, weights: np.ndarray) -> np.ndarray:
        """sum_l B_l Q B_l' as a vector, for Q (m m,)."""
        m = self.B.shape[2]
        return np.ravel(sum(B @ weights.reshape(m, m) @ B.T for B in self.B))

    def __rmatmul__(self, D: np.ndarray) -> np.ndarray:
        """sum_l B_l' D_i B_l, (n, m m), for D (n, k k)."""
        k = self.B.shape[1]
        return np.array(
            [sum(B.T @ product(d, B) for B in self.B).ravel() for d in D.reshape(-1, k, k)]
        )

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        del dtype, copy
        levels, k, m = self.B.shape
        flat = self.B.reshape(levels, k * m)
        return (flat.T @ flat).reshape(k, m, k, m).transpose(0, 2, 1, 3).reshape(k * k, m * m)
