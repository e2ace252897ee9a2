"""Sums over counts: distribution functions, random numbers, and series that a density is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from . import jets
from .base import Array, PerRow, Zeta
from .jets import Jet
from .positive_mean import PositiveMean
from .several import SeveralParameters, stacked

#: Terms of a series below this share of the largest, e^-45 = 3e-20, change no digit of their sum.
LEAST_TERM = 45.0
#: More terms than this are not summed: such a row counts as out of range.
MOST_TERMS = 100_000
#: Numbers held at once while series of many rows are summed.
BLOCK = 200_000
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
        y, at = np.broadcast_arrays(counts[:, None], mu)
        rows = [np.broadcast_to(z, at.shape).ravel() for z in zeta]
        value = self.log_density(y.ravel(), at.ravel(), zeta=np.array(rows))
        return np.exp(value).reshape(at.shape)

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
            found = (up_to[-1] >= u[left]) | ((share[-1] == 0.0) & (up_to[-1] > 0.5))
            left = left[~found]
            if not left.size:
                break
        return y

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        return np.asarray(y, dtype=float) + 0.1


def log_series(
    terms: Callable[[Array, Sequence[Jet]], Jet],
    arguments: Array,
    middle: Array,
    least: float,
    order: int,
    moving: int = 2,
) -> Jet:
    """log of the sum over j >= least of exp(terms(j, arguments)), as a jet in the arguments.

    `arguments` (r, n) are the points, of which the first `moving` vary; `terms` is concave in j
    with its maximum near `middle` (n,). Every term is taken relative to that of the middle, so
    that derivatives are sums of central moments.
    """
    middle = np.maximum(np.rint(middle), least)
    parts: jets.Parts = {}
    for rows, lower, upper in windows(terms, arguments, middle, least):
        at = [jets.take(x, rows) for x in _points(arguments, moving, order)]
        for index, part in _block(terms, at, middle[rows], lower, upper).parts.items():
            parts.setdefault(index, np.full(middle.size, np.nan))[rows] = part
    return Jet(parts or {(): np.full(middle.size, np.nan)}, order)


def windows(
    terms: Callable[[Array, Sequence[Jet]], Jet], arguments: Array, middle: Array, least: float
) -> Iterator[tuple[Array, Array, Array]]:
    """Rows in blocks of like numbers of terms, with the first and the last term of each row.

    Rows with more than `MOST_TERMS` are left out.
    """
    middle = np.maximum(np.rint(middle), least)
    lower, upper = _window(terms, arguments, middle, least)
    width = upper - lower + 1.0
    for rows in _blocks(width):
        rows = rows[width[rows] <= MOST_TERMS]
        if rows.size:
            yield rows, lower[rows], upper[rows]


def _points(arguments: Array, moving: int, order: int) -> list[Jet]:
    rest = [jets.constant(x) for x in arguments[moving:]]
    return [*Jet.variables(arguments[:moving], order), *rest]


def _blocks(width: Array) -> Iterator[Array]:
    """Rows of like widths, as many at once as there is room for."""
    ranks = np.argsort(width, kind="stable")
    start = 0
    while start < ranks.size:
        room = np.arange(1.0, ranks.size - start + 1.0) * width[ranks[start:]]
        size = max(1, int(np.searchsorted(room, BLOCK, side="right")))
        yield ranks[start : start + size]
        start += size


def _block(
    terms: Callable[[Array, Sequence[Jet]], Jet],
    at: Sequence[Jet],
    middle: Array,
    lower: Array,
    upper: Array,
) -> Jet:
    """The series of some rows, from one count to another."""
    j = lower + np.arange(np.max(upper - lower) + 1.0)[:, None]
    reference = terms(middle, at)
    relative = jets.exp(terms(np.minimum(j, upper), at) - reference)
    inside = jets.where(j <= upper, relative, 0.0)
    return jets.log(jets.summed(inside)) + reference


def _window(
    terms: Callable[[Array, Sequence[Jet]], Jet], arguments: Array, middle: Array, least: float
) -> tuple[Array, Array]:
    """From where to where terms are more than next to nothing beside that of the middle."""
    at = Jet.variables(arguments, 0)
    top = terms(middle, at).value

    def small(j: Array) -> Array:
        return terms(j, at).value < top - LEAST_TERM

    step = np.full(middle.shape, 8.0)
    upper = middle + step
    while np.any(going := ~small(upper) & (upper - middle < MOST_TERMS)):
        step = np.where(going, 2.0 * step, step)
        upper = middle + step
    step = np.full(middle.shape, 8.0)
    lower = np.maximum(middle - step, least)
    while np.any(going := (lower > least) & ~small(lower) & (middle - lower < MOST_TERMS)):
        step = np.where(going, 2.0 * step, step)
        lower = np.maximum(middle - step, least)
    return lower, upper
