"""Expectations over normal linear predictors, by quadrature.

With z standard normal and eta = eta_0 + L z, L L' = S, each coordinate of z has a rule of its own:
none where it moves no predictor, Gauss and Hermite's where it moves them little, else trapezoids
of step h. The error of these falls as exp(-2 pi d / (h s)) for an integrand that is analytic within
a distance d of the real axis (pi for the logistic) and a standard deviation s of its argument
(Trefethen and Weideman 2014, SIAM Review 56), whatever s, where that of Gauss and Hermite's rules
stops falling once s is large.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache, reduce
from typing import NamedTuple

import numpy as np

# Numbers held at once: 8 MB an array.
MOST_NODES = 2**20
# A pivot of a covariance matrix below this share of its variance is rounding.
LOST_PIVOT = 1e-12
# Trapezoids are halved at most so often, from this step.
FIRST_STEP = 0.5
MOST_HALVINGS = 6
# Exponentials of z grow: nodes reach further by their standard deviation, up to this one.
FURTHEST = 40


class Precision(NamedTuple):
    """How fine the rules are.

    Attributes
    ----------
    gauss : tuple of (size, nodes)
        Nodes of Gauss and Hermite's rule up to a standard deviation, in units of the width.
    step : float
        Largest step of trapezoids, in the same unit.
    reach : float
        Where they end, in standard deviations.
    """

    gauss: tuple[tuple[float, int], ...]
    step: float
    reach: float


#: Means: errors of 1e-10 of what is averaged.
FINE = Precision(((0.05, 5), (0.2, 9), (0.5, 17)), 0.35, 8.5)
#: Distribution functions, whose limits nobody reads to more than 6 digits.
COARSE = Precision(((0.1, 3), (0.3, 5), (0.6, 7)), 1.0, 7.0)


class Block(NamedTuple):
    """Rows with the same nodes: their places (m,), predictors (K, m, N) and weights (N,)."""

    rows: np.ndarray
    etas: np.ndarray
    weights: np.ndarray


def normal_blocks(
    etas: np.ndarray, S: np.ndarray, precision: Precision, width: np.ndarray | float = 1.0
) -> Iterator[Block]:
    """Nodes and weights of N(etas, S) of each row, for etas (K, r) and S (K, K, r).

    ``width`` (r,) is the distance in the first predictor over which the integrand changes, 1 where
    that is the logistic's.
    """
    if not etas.shape[1]:
        return
    L = root(S)
    sizes = np.abs(L).max(axis=0, initial=0.0)
    narrow = np.abs(L[0]) / width
    keys = np.stack([_levels(np.maximum(sizes, narrow), precision), np.ceil(sizes)])
    keys[1] = np.where(keys[0] < len(precision.gauss) + 1, 0.0, np.minimum(keys[1], FURTHEST))
    flat = keys.reshape(-1, keys.shape[-1]).astype(np.int64)
    kinds, kind_of = np.unique(flat, axis=1, return_inverse=True)
    for k, kind in enumerate(kinds.T):
        levels, further = kind.reshape(2, -1)
        z, weights = _tensor(tuple(levels.tolist()), tuple(further.tolist()), precision)
        rows = np.flatnonzero(kind_of.reshape(-1) == k)
        size = max(1, MOST_NODES // max(1, z.size))
        for start in range(0, len(rows), size):
            own = rows[start : start + size]
            moved = np.einsum("kdm,dN->kmN", L[:, :, own], z)
            yield Block(own, etas[:, own, None] + moved, weights)


def root(S: np.ndarray) -> np.ndarray:
    """Lower triangles L with L L' = S of each row, for semidefinite S (K, K, r)."""
    L = np.zeros_like(S)
    for j in range(len(S)):
        left = S[j, j] - (L[j, :j] ** 2).sum(axis=0)
        keep = left > LOST_PIVOT * S[j, j]
        L[j, j] = np.sqrt(np.where(keep, left, 0.0))
        for i in range(j + 1, len(S)):
            rest = S[i, j] - (L[i, :j] * L[j, :j]).sum(axis=0)
            L[i, j] = np.where(keep, rest / np.where(keep, L[j, j], 1.0), 0.0)
    return L


def _levels(sizes: np.ndarray, precision: Precision) -> np.ndarray:
    """Number of the rule by size: 0 for no node but zero, then Gauss's, then trapezoids."""
    ends = np.array([0.0, *(size for size, _ in precision.gauss)])
    level = np.searchsorted(ends, sizes, side="left")
    with np.errstate(divide="ignore"):
        halvings = np.ceil(np.log2(FIRST_STEP * sizes / precision.step))
    trapezoid = len(ends) + np.clip(halvings, 0.0, MOST_HALVINGS)
    return np.where(level < len(ends), level, trapezoid)


@cache
def _rule(level: int, further: int, precision: Precision) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of one coordinate."""
    if level == 0:
        return np.zeros(1), np.ones(1)
    if level <= len(precision.gauss):
        z, weights = np.polynomial.hermite_e.hermegauss(precision.gauss[level - 1][1])
        return z, weights / weights.sum()
    step = FIRST_STEP / 2.0 ** (level - len(precision.gauss) - 1)
    half = int(np.ceil((precision.reach + further) / step))
    at = step * np.arange(-half, half + 1)
    return at, step * np.exp(-0.5 * at * at) / np.sqrt(2.0 * np.pi)


@lru_cache(maxsize=64)
def _tensor(
    levels: tuple[int, ...], further: tuple[int, ...], precision: Precision
) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (K, N) and weights (N,) of all coordinates."""
    rules = [_rule(*own, precision) for own in zip(levels, further, strict=True)]
    grid = np.meshgrid(*(z for z, _ in rules), indexing="ij")
    z = np.stack([axis.ravel() for axis in grid])
    return z, reduce(np.multiply.outer, [weights for _, weights in rules]).ravel()
