"""Matrices of many rows and few columns, a block of rows at a time (tall and skinny QR)."""

from __future__ import annotations

import numpy as np

__all__ = ["root_of_rows", "spanning_rows"]

# Rows of a block: its copies stay in the cache.
BLOCK = 20_000
# A row adds nothing to others when less than this share of its length is left beside their span.
NOTHING_LEFT = 1e-6
# Rows of which each has so large a share left span all there is: no others are looked at.
PLAINLY_LEFT = 1e-2


def root_of_rows(X: np.ndarray) -> np.ndarray:
    """R (r, p), r <= p, with R'R = X'X, and all digits of X (Demmel and others 2012, TSQR)."""
    R = np.empty((0, X.shape[1]))
    for start in range(0, len(X), BLOCK):
        R = np.asarray(np.linalg.qr(np.concatenate([R, X[start : start + BLOCK]]), mode="r"))
    return R


def spanning_rows(X: np.ndarray) -> np.ndarray:
    """Positions of at most p rows of X (n, p) that span what all of its rows span.

    Each is the one farthest from the span of those before it, with columns of like size. Where rows
    of the first block plainly span all columns these are taken.
    """
    first = X[:BLOCK]
    chosen = _farthest(first / _sizes(first), PLAINLY_LEFT)
    if len(chosen) == X.shape[1]:
        return chosen
    size = _sizes(X)
    chosen = np.empty(0, dtype=np.intp)
    for start in range(0, len(X), BLOCK):
        among = np.concatenate([chosen, np.arange(start, min(start + BLOCK, len(X)))])
        chosen = among[_farthest(X[among] / size, NOTHING_LEFT)]
    return chosen


def _sizes(X: np.ndarray) -> np.ndarray:
    """Largest absolute values of columns, (p,); 1 for those of zeros."""
    size = np.abs(X).max(axis=0, initial=0.0)
    size[size == 0.0] = 1.0
    return size


def _farthest(left: np.ndarray, share: float) -> np.ndarray:
    """`spanning_rows` of few rows, which are written over, each with such a share left."""
    squares = np.einsum("ij,ij->i", left, left)
    least = share**2 * squares.max(initial=0.0)
    out: list[int] = []
    for _ in range(left.shape[1]):
        i = int(squares.argmax()) if squares.size else -1
        if i < 0 or squares[i] <= least:
            break
        out.append(i)
        q = left[i] / np.sqrt(squares[i])
        left -= np.outer(left @ q, q)
        squares = np.einsum("ij,ij->i", left, left)
    return np.array(out, dtype=np.intp)
