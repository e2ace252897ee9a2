"""The largest of several t statistics with known correlations.

Z with correlations A A' (A of rank r) is A times r independent normal variables, that is R A U with
a direction U, uniform on the sphere, and R^2 chi-squared with r degrees of freedom. With
T = Z / s, where s^2 is chi-squared over nu, and h(U) = max_j |a_j' U|,

    P(max_j |T_j| > t) = P(R / s > t / h(U)) = E P(F(r, nu) > t^2 / (r h(U)^2)),

an F tail, averaged over directions: one set of them serves all t and nu, and in up to six
dimensions tails of 1e-11 keep two digits. In one dimension there is one h, in two U is an angle, in
more a lattice of points takes its place, the same in every call and on every machine: A is
Cholesky's root, which unlike eigenvectors is unique where eigenvalues are equal.
"""

from __future__ import annotations

import numpy as np

__all__ = ["LargestT"]

# Directions: p-values are good to 1.5e-5 in up to five dimensions and to 2e-4 in ten, as the
# studentised range shows in whatever way the directions are turned; one-sided ones, as independent
# statistics show, to 2e-5 and 6e-4. Few points are near to a row of A in many dimensions, so that
# small tails are too small there: that of |t| = 4 by 0.6 % in ten and 0.9 % in 14 dimensions, that
# of 7, about 2e-11, by 10 % and 43 %.
ANGLES = 1 << 12
FEW_DIMENSIONS = 5
DIRECTIONS, MORE_DIRECTIONS = 1 << 16, 1 << 18
CHUNK = 1 << 13
# Directions with nearly the same h enter as one.
BINS = 1 << 11
# Conditional variances below this are rounding; those that differ by less are equal.
RANK = 1e-10


class LargestT:
    """max_j |T_j|, or with ``one_sided`` max_j T_j, of correlations (m, m)."""

    def __init__(self, correlation: np.ndarray, one_sided: bool = False):
        root = _root(correlation)
        self.rank = root.shape[1]
        h = np.sort(_largest(root, one_sided))
        # the mean of h in a bin, so that of the tail is right to second order; at 0 it jumps
        size, zero = max(1, h.size // BINS), int(np.searchsorted(h, 0.0))
        edges = np.unique([*range(0, zero, size), *range(zero, h.size, size)])
        counts = np.diff([*edges, h.size])
        self.h, self.share = np.add.reduceat(h, edges) / counts, counts / h.size

    def tail(self, t: float, df: float) -> float:
        """P(the largest > t)."""
        if np.isnan(t):
            return np.nan
        h = self.h
        with np.errstate(divide="ignore", invalid="ignore"):
            beyond = _ratio_tail(self.rank, (t / h) ** 2, df)
        if t > 0.0:
            return float(self.share @ np.where(h > 0.0, beyond, 0.0))
        return float(self.share @ np.where(h >= 0.0, 1.0, 1.0 - beyond))


def _ratio_tail(r: int, square: np.ndarray, df: float) -> np.ndarray:
    """P(R^2 / s^2 > square)."""
    from scipy.special import chdtrc, fdtrc

    return chdtrc(r, square) if np.isinf(df) else fdtrc(r, df, square / r)


def _largest(root: np.ndarray, one_sided: bool) -> np.ndarray:
    """h of directions (N,)."""
    out = []
    for U in _directions(root.shape[1]):
        projected = U @ root.T
        high, low = projected.max(axis=1), -projected.min(axis=1)
        out += [high, low] if one_sided else [np.maximum(high, low)]
    return np.concatenate(out)


def _directions(r: int):
    """Directions in r dimensions, (N, r) in pieces; the opposite ones are understood."""
    if r == 1:
        yield np.ones((1, 1))
    elif r == 2:
        angle = np.pi * (np.arange(ANGLES) + 0.5) / ANGLES
        yield np.column_stack([np.cos(angle), np.sin(angle)])
    elif r == 3:  # Fibonacci's lattice on the sphere, of equal areas
        k = np.arange(DIRECTIONS)
        z = 1.0 - (2.0 * k + 1.0) / DIRECTIONS
        angle = np.pi * (3.0 - np.sqrt(5.0)) * k
        wide = np.sqrt(1.0 - z * z)
        yield np.column_stack([wide * np.cos(angle), wide * np.sin(angle), z])
    else:
        points = _of_pairs if r <= FEW_DIMENSIONS else _of_normals
        for start in range(0, MORE_DIRECTIONS, CHUNK):
            yield points(np.arange(start + 1, start + CHUNK + 1)[:, None], r)


def _of_pairs(k: np.ndarray, r: int) -> np.ndarray:
    """The k-th directions, from a squared length and an angle for each pair of coordinates.

    The lengths come one after the other, by their conditional beta distributions; a last
    coordinate without another is positive.

    The r - 1 uniform numbers are Kronecker's sequence of powers of the generalised golden ratio,
    folded (baker's transformation) where what depends on them is not periodic.
    """
    pairs, ratio = r // 2, 2.0
    for _ in range(100):  # ratio^r = ratio + 1
        ratio = (1.0 + ratio) ** (1.0 / r)
    uniform = (k * ratio ** -np.arange(1.0, r)) % 1.0
    angle, folded = 2.0 * np.pi * uniform[:, :pairs], 1.0 - np.abs(2.0 * uniform[:, pairs:] - 1.0)
    U, rest = np.empty((k.size, r)), np.ones(k.size)
    for j in range(pairs):
        left = r - 2 * (j + 1)
        kept = folded[:, j] ** (2.0 / left) if left else 0.0
        length = np.sqrt(rest * (1.0 - kept))
        U[:, 2 * j], U[:, 2 * j + 1] = length * np.cos(angle[:, j]), length * np.sin(angle[:, j])
        rest = rest * kept
    if r % 2:
        U[:, -1] = np.sqrt(rest)
    return U


def _of_normals(k: np.ndarray, r: int) -> np.ndarray:
    """The k-th directions: those of normal variables, from r uniform numbers."""
    from scipy.special import ndtri

    Z = ndtri((k * (np.sqrt(_primes(r)) % 1.0)) % 1.0)
    return Z / np.linalg.norm(Z, axis=1, keepdims=True)


def _root(correlation: np.ndarray) -> np.ndarray:
    """Cholesky's root, (m, rank), with pivots: the first of equal conditional variances."""
    columns: list[np.ndarray] = []
    left = np.diagonal(correlation).copy()
    while (largest := left.max(initial=0.0)) > RANK:
        pivot = int(np.argmax(left > largest - RANK))
        column = correlation[:, pivot] - sum((c * c[pivot] for c in columns), np.zeros(left.size))
        columns.append(column / np.sqrt(left[pivot]))
        left = left - columns[-1] ** 2
        left[pivot] = 0.0
    return np.column_stack(columns)


def _primes(count: int) -> np.ndarray:
    """The first primes."""
    bound = max(16, int(2.0 * count * np.log(count + 2.0)))
    sieve = np.ones(bound, dtype=bool)
    sieve[:2] = False
    for i in range(2, int(bound**0.5) + 1):
        sieve[i * i :: i] &= not sieve[i]
    return np.flatnonzero(sieve)[:count]
