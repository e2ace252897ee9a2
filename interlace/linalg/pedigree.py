"""Additive relationships of a pedigree, and the inverse of their matrix.

Parents of animal i are ``sire[i]`` and ``dam[i]``, -1 for an unknown one. With F the coefficients
of inbreeding, those of unknown parents counted as -1, relationships are

    a_ij = (a_sj + a_dj) / 2 for j no descendant of i,   a_ii = 1 + F_i,   F_i = a_sd / 2,

and A = T D T' with T^{-1} = I less a half for each parent, D = 1 - (1 + F_s) / 4 - (1 + F_d) / 4
(Henderson 1976; Quaas 1976). What all animals of a generation have in common is done at once; an
animal is of the generation after the later one of its parents.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

__all__ = [
    "generations",
    "inbreeding",
    "inverse_relationships",
    "mendelian_variances",
    "relationships",
]

# Numbers of T that are made at once: 32 MB.
AT_ONCE = 4_000_000


def generations(sire: np.ndarray, dam: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """The animals of each generation, in order, and those that are among their own ancestors.

    The latter have all descendants of such animals among them.
    """
    known = np.zeros(sire.size + 1, dtype=bool)
    known[-1] = True  # unknown parents
    out, rest = [], np.arange(sire.size)
    while rest.size:
        ready = known[sire[rest]] & known[dam[rest]]
        if not ready.any():
            break
        out.append(rest[ready])
        known[rest[ready]] = True
        rest = rest[~ready]
    return out, rest


def relationships(sire: np.ndarray, dam: np.ndarray, of: Sequence[np.ndarray]) -> np.ndarray:
    """A, (n, n); ``of`` are the generations."""
    n = sire.size
    A = np.zeros((n + 1, n + 1))  # with an unknown parent last
    for own in of:
        s, d = sire[own], dam[own]
        rows = 0.5 * (A[s] + A[d])
        A[own], A[:, own] = rows, rows.T
        A[own[:, None], own] = 0.5 * (rows[:, s] + rows[:, d])
        A[own, own] = 1.0 + 0.5 * A[s, d]
    return np.ascontiguousarray(A[:n, :n])


def mendelian_variances(sire: np.ndarray, dam: np.ndarray, F: np.ndarray) -> np.ndarray:
    """D, (n,), from coefficients of inbreeding."""
    return _variances(np.append(F, -1.0), sire, dam)


def _variances(F: np.ndarray, sire: np.ndarray, dam: np.ndarray) -> np.ndarray:
    """D of some animals; F (n + 1,) has an unknown parent last."""
    return 1.0 - 0.25 * (2.0 + F[sire] + F[dam])


def inbreeding(sire: np.ndarray, dam: np.ndarray, of: Sequence[np.ndarray]) -> np.ndarray:
    """F, (n,), without A: a_ii is the sum of t_ij^2 D_j, made from blocks of columns of T."""
    n = sire.size
    squares, F = np.zeros(n), np.full(n + 1, -1.0)
    is_parent = np.zeros(n + 1, dtype=bool)
    is_parent[sire] = is_parent[dam] = True
    step = max(AT_ONCE // (n + 1), 1)
    for g, own in enumerate(of):
        D = _variances(F, sire[own], dam[own])
        F[own] = squares[own] + D - 1.0
        passing = is_parent[own]
        columns, D = own[passing], D[passing]
        for start in range(0, columns.size, step):
            block, here = columns[start : start + step], D[start : start + step]
            T = np.zeros((n + 1, block.size))
            T[block, np.arange(block.size)] = 1.0
            for later in of[g + 1 :]:
                rows = 0.5 * (T[sire[later]] + T[dam[later]])
                T[later] = rows
                squares[later] += (rows * rows) @ here
    return F[:n]


def inverse_relationships(sire: np.ndarray, dam: np.ndarray, D: np.ndarray) -> sp.csc_array:
    """A^{-1}, (n, n) and sparse, from variances D that are none of them zero."""
    n = sire.size
    parts = [(np.arange(n), np.arange(n), np.ones(n))]
    for parent in (sire, dam):
        child = np.flatnonzero(parent >= 0)
        parts.append((child, parent[child], np.full(child.size, -0.5)))
    row, column, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    T = sp.csr_array(sp.coo_array((value, (row, column)), shape=(n, n)))
    return sp.csc_array(T.T @ sp.diags_array(1.0 / D) @ T)
