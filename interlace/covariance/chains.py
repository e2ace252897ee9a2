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

__all__ = ["Chains", "Steps"]


class Steps(NamedTuple):
    """D, r and v at some theta, (n,) each, with derivatives in the parameter of r."""

    scale: np.ndarray
    r: np.ndarray
    v: np.ndarray
    r_slope: np.ndarray
    v_slope: np.ndarray


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

    def steps(self, theta: np.ndarray) -> Steps:
        """D, r and v."""
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

    def modes_at_all_times(self, a: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Given a at the observed times, its expectation at all times, (g, k)."""
        chain, k, g = self.chain, self.structure.k, len(self.starts) - 1
        level = np.repeat(np.arange(g), np.diff(self.starts))
        if a.size == g * k:
            return a.reshape(g, k)
        place = np.full((g, k), -1)
        place[level, self.column] = np.arange(a.size)
        before = np.maximum.accumulate(place, axis=1)
        after = np.where(place < 0, a.size, place)[:, ::-1]
        after = np.minimum.accumulate(after, axis=1)[:, ::-1]
        has_before, has_after = before >= 0, after < a.size
        before, after = np.maximum(before, 0), np.minimum(after, a.size - 1)
        times = chain.times
        gap_before = np.where(has_before, times - times[self.column[before]], 0.0)
        gap_after = np.where(has_after, times[self.column[after]] - times, 0.0)
        r_before, r_after = (
            np.where(there, chain.correlation(theta[-1], gap).value, 0.0)
            for there, gap in ((has_before, gap_before), (has_after, gap_after))
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            v_before, v_after = (
                np.where(there, chain.innovation_variance(theta[-1], gap), 1.0)
                for there, gap in ((has_before, gap_before), (has_after, gap_after))
            )
            # the bridge between two neighbours: v of the whole gap is v_before + r_before^2 v_after
            whole = np.where(v_before + v_after > 0.0, v_before + r_before**2 * v_after, 1.0)
            out = (r_before * v_after * a[before] + r_after * v_before * a[after]) / whole
        return np.where(place >= 0, a[np.maximum(place, 0)], out)

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
