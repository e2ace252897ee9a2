"""Sums over counts: distribution functions, random numbers, and series that a density is."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement

import numpy as np

from .base import Array, PerRow, Zeta, rowwise
from .jets import Jet
from .positive_mean import PositiveMean
from .several import SeveralParameters, stacked

#: Derivatives of a function of two variables up to the third, as kernels/series.hpp orders them.
THIRD = 3
INDICES = [
    i for length in range(THIRD + 1) for i in combinations_with_replacement(range(2), length)
]
#: Counts whose probabilities are taken at once.
COUNTS = 64
#: Beyond so many counts a random number is not looked for.
MOST_COUNTS = 1_000_000


class SummedCounts(PositiveMean, SeveralParameters):
    """Counts whose distribution function is a sum of probabilities."""

    support = "count"
    discrete = True

    def _probabilities(self, counts: Array, mu: Array, zeta: Zeta) -> Array:
        """Probabilities (j, n) of counts (j,) at means (n,)."""
        y, at = np.broadcast_arrays(counts, mu[:, None])
        rows = [np.broadcast_to(z, mu.shape).repeat(counts.size) for z in zeta]
        value = self.log_density(y.ravel(), at.ravel(), zeta=np.array(rows))
        return np.exp(value).reshape(at.shape).T

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        y, mu = np.broadcast_arrays(np.floor(y), np.asarray(mu, dtype=float))
        total = np.zeros(mu.shape)
        for start in range(0, int(y.max(initial=-1.0)) + 1, COUNTS):
            counts = np.arange(start, start + COUNTS, dtype=float)
            share = self._probabilities(counts, mu, zeta)
            total += np.where(counts[:, None] <= y, share, 0.0).sum(axis=0)
        return np.minimum(total, 1.0)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        mu = np.asarray(mu, dtype=float)
        u, y = rng.random(mu.shape), np.zeros(mu.shape)
        left, below = np.arange(mu.size), np.zeros(mu.shape)
        rows = stacked(mu, zeta)[1:]
        for start in range(0, MOST_COUNTS, COUNTS):
            counts = np.arange(start, start + COUNTS, dtype=float)
            share = self._probabilities(counts, mu[left], rows[:, left])
            up_to = below[left] + np.cumsum(share, axis=0)
            y[left] += (up_to < u[left]).sum(axis=0)
            below[left] = up_to[-1]
            # what rounding leaves of the last probabilities is not looked for
            reached = (up_to[-1] >= u[left]) | ((share[-1] == 0.0) & (up_to[-1] > 0.5))
            left = left[~reached]
            if not left.size:
                break
        return y

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        return np.asarray(y, dtype=float) + 0.1


def series(
    function: Callable[[int, Array, Array, Array, Array], None],
    order: int,
    a: PerRow,
    b: PerRow,
    c: PerRow,
) -> Jet:
    """A compiled series of rows up to an order: a jet in two of its three arguments."""
    rows = rowwise(a, b, c)
    x, y, z = (np.ascontiguousarray(row).ravel() for row in rows)
    out, order = np.empty((len(INDICES), x.size)), min(order, THIRD)
    function(order, x, y, z, out)
    shaped = out.reshape(len(INDICES), *rows[0].shape)
    parts = {i: part for i, part in zip(INDICES, shaped, strict=True) if len(i) <= order}
    return Jet(parts, order)
