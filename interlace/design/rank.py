"""Linearly dependent columns of X."""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import lapack

#: A column counts as dependent on those before it when projecting them out leaves less than this
#: share of its length: LINPACK's dqrdc2 as R calls it, hence what lme4 drops.
RANK_TOLERANCE = 1e-7

#: Columns whose entries agree to this share of the largest are the same, evaluated again or by
#: another formula.
SAME_COLUMN = 1e-8

#: Squared share above which the Cholesky factor of the Gram matrix answers for certain: rounding
#: there is of order 1e-15, so 1e-10 is safely above the square of the tolerance, 1e-14.
CERTAIN = 1e-10


def independent_columns(X: np.ndarray) -> np.ndarray:
    """Positions of the columns of X that are kept, (rank,): later ones go, as in R."""
    n, p = X.shape
    if n >= p and _plainly_full(X):
        return np.arange(p)
    return _limited_pivoting(np.asarray(np.linalg.qr(X, mode="r")))


def _plainly_full(X: np.ndarray) -> bool:
    """Whether the Gram matrix of the columns shows full rank, without a QR of X."""
    gram = X.T @ X
    squares = gram.diagonal().tolist()
    if not (min(squares, default=1.0) > 0.0 and math.isfinite(sum(squares))):
        return False
    R, info = lapack.dpotrf(gram, clean=0)
    left = R.diagonal().tolist()
    return not info and all(r * r > CERTAIN * s for r, s in zip(left, squares, strict=True))


def _limited_pivoting(R: np.ndarray) -> np.ndarray:
    """dqrdc2's choice of columns, on the triangular factor, whose columns have X's geometry."""
    work = R.copy()
    p = work.shape[1]
    lengths = np.linalg.norm(work, axis=0)
    lengths[lengths == 0] = 1.0
    kept: list[int] = []
    for j in range(p):
        left = np.linalg.norm(work[:, j])
        if left < RANK_TOLERANCE * lengths[j] or len(kept) == len(work):
            continue
        kept.append(j)
        q = work[:, j] / left
        work[:, j + 1 :] -= np.outer(q, q @ work[:, j + 1 :])
    return np.array(kept, dtype=np.intp)
