"""Random effects of long series as Markov chains, whatever the gaps between their times.

The effects of a series at its observed times are D a with a diagonal D of standard deviations and
a chain a of unit variance, a_i = r_i a_{i-1} + e_i with var e_i = v_i = 1 - r_i^2; r = 0 and v = 1
for the first of a series. The work and the memory of all that uses it grow with the number of
effects.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .structures import Structure

__all__ = ["Bridge", "Chains", "Steps"]


class Steps(NamedTuple):
    """D, r and v at some theta, (n,) each, with derivatives in the parameter of r."""

    scale: np.ndarray
    r: np.ndarray
    v: np.ndarray
    r_slope: np.ndarray
    v_slope: np.ndarray


class Bridge(NamedTuple):
    """Effects a = left a[before] + right a[after] + e, var e = v, (m,) each."""

    before: np.ndarray
    after: np.ndarray
    left: np.ndarray
    right: np.ndarray
    v: np.ndarray

    def of(self, values: np.ndarray) -> np.ndarray:
        """The linear part for values (n,) or (n, r) at the observed times."""
        left, right = self.left, self.right
        if values.ndim == 2:
            left, right = left[:, None], right[:, None]
        return left * values[self.before] + right * values[self.after]


class Chains:
    """The effects of all series of one term, one series after the other, each in order of time.

    Parameters
    ----------
    structure : Structure
        One that has a chain.
    column : (n,) int ndarray
        Column of the term that each effect belongs to.
    starts : (g + 1,) int64 ndarray
        Where each series begins.
    """

    def __init__(self, structure: Structure, column: np.ndarray, starts: np.ndarray) -> None:
        self.structure, self.column, self.starts = structure, column, starts
        self.chain = structure.chain
        times = self.chain.times[column]
        gaps = np.diff(times, prepend=times[:1])
        gaps[starts[:-1]] = np.inf
        self._gaps, self._of = np.unique(gaps, return_inverse=True)

    @property
    def n_theta(self) -> int:
        """Number of parameters: standard deviations, then that of the correlation."""
        return self.structure.n_theta

    @property
    def series(self) -> np.ndarray:
        """Series of each effect, (n,)."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    _last: tuple[np.ndarray, Steps] | None = None

    def steps(self, theta: np.ndarray) -> Steps:
        """D, r and v; those of the last theta are kept."""
        known = self._last
        if known is None or not np.array_equal(known[0], theta):
            self._last = known = np.array(theta), self._steps(theta)
        return known[1]

    def _steps(self, theta: np.ndarray) -> Steps:
        gaps, parameter = self._gaps, theta[-1]
        r, slope = np.zeros(gaps.size), np.zeros(gaps.size)
        v = np.ones(gaps.size)
        later = np.isfinite(gaps)
        r[later], slope[later], _ = self.chain.correlation(parameter, gaps[later])
        v[later] = self.chain.innovation_variance(parameter, gaps[later])
        by_gap = r, v, slope, -2.0 * r * slope
        return Steps(self.scales(theta), *(values[self._of] for values in by_gap))

    def scales(self, theta: np.ndarray) -> np.ndarray:
        """Standard deviation of each effect, (n,)."""
        if self.n_theta == 2:
            return np.full(self.column.size, theta[0])
        return theta[:-1][self.column]

    def by_scale(self, sums: np.ndarray) -> np.ndarray:
        """Sums over effects, (n,), of what belongs to each standard deviation."""
        if self.n_theta == 2:
            return np.array([sums.sum()])
        return np.bincount(self.column, sums, self.structure.k)

    def start(self, sd: float, correlation: float) -> np.ndarray:
        """theta of this standard deviation, and correlation at the commonest distance."""
        later = self._of[np.isfinite(self._gaps)[self._of]]
        gap = self._gaps[np.bincount(later).argmax()] if later.size else 1.0
        parameter = self.chain.parameter_of(correlation, float(gap))
        return np.append(np.full(self.n_theta - 1, sd), parameter)

    def lags(self, theta: np.ndarray) -> np.ndarray:
        """Variances, and covariances at all distances of neighbours, of unit residual variance."""
        later = self._gaps[np.isfinite(self._gaps)]
        r = self.chain.correlation(theta[-1], later).value
        variances = theta[:-1] ** 2
        return np.concatenate([variances, np.outer(variances, r).ravel()])

    def bridge(self, series: np.ndarray, column: np.ndarray, theta: np.ndarray) -> Bridge:
        """Effects of any times of the series from those at their observed neighbours, (m,) each."""
        k, n, chain = self.structure.k, self.column.size, self.chain
        of = self.series
        at = np.searchsorted(of * k + self.column, series.astype(np.int64) * k + column)
        after, before = np.minimum(at, n - 1), np.maximum(at - 1, 0)
        has_after = (at < n) & (of[after] == series)
        has_before = (at > 0) & (of[before] == series)
        exact = has_after & (self.column[after] == column)
        gap_after = np.where(has_after, chain.times[self.column[after]] - chain.times[column], 0.0)
        gap_before = chain.times[column] - chain.times[self.column[before]]
        gap_before = np.where(has_before & ~exact, gap_before, 0.0)
        (r_before, v_before), (r_after, v_after) = (
            self._over(gap, there & ~exact, theta[-1])
            for gap, there in ((gap_before, has_before), (gap_after, has_after))
        )
        # between two neighbours v of the whole gap is v_before + r_before^2 v_after
        whole = v_before + r_before**2 * v_after
        safe = np.where(whole > 0.0, whole, 1.0)
        left, right = r_before * v_after / safe, r_after * v_before / safe
        # chains without innovations are known from either side
        left = np.where((whole > 0.0) | exact, left, r_before)
        return Bridge(
            np.where(exact, after, np.where(has_before, before, after)),
            np.where(exact | has_after, after, before),
            np.where(exact, 1.0, left),
            np.where(exact, 0.0, right),
            np.where(exact, 0.0, v_before * v_after / safe),
        )

    def _over(
        self, gap: np.ndarray, there: np.ndarray, parameter: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """r and v over gaps, 0 and 1 where there is none."""
        each, place = np.unique(np.where(there, gap, 0.0), return_inverse=True)
        r, v = np.zeros(each.size), np.ones(each.size)
        some = each > 0.0
        r[some] = self.chain.correlation(parameter, each[some]).value
        v[some] = self.chain.innovation_variance(parameter, each[some])
        return np.where(there, r[place], 0.0), np.where(there, v[place], 1.0)

    def modes_at_all_times(self, a: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Given a at the observed times, its expectation at all times, (g, k)."""
        k, g = self.structure.k, len(self.starts) - 1
        if a.size == g * k:
            return a.reshape(g, k)
        bridge = self.bridge(np.repeat(np.arange(g), k), np.tile(np.arange(k), g), theta)
        return bridge.of(a).reshape(g, k)

    def innovations(self, a: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """u of the effects a (g, k) at all times, a = T u for a standard deviation of one."""
        chain = self.chain
        gaps = np.diff(chain.times)
        r = chain.correlation(theta[-1], gaps).value
        c = chain.innovation(theta[-1], gaps).value
        out = np.array(a)
        rest = a[:, 1:] - r * a[:, :-1]
        out[:, 1:] = np.divide(rest, c, out=np.zeros_like(rest), where=np.abs(c) > 0.0)
        return out
