"""Structures of effects at points of time: covariances that fade with the time between them.

A Markov chain of stationary variance sd^2 has the correlation r(d) at a distance d, and given the
effect before, at a distance g, a share c^2 = 1 - r(g)^2 of that variance. Its template is
T[i, j] = sd r(t_i - t_j) c_j for i >= j, with c = 1 for the first effect.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from scipy.linalg import toeplitz

from .pattern import OneParameter, Slopes
from .readings import Natural, exponential, sine

__all__ = ["AR1", "OrnsteinUhlenbeck", "Series", "range_boundary"]


# Multiples of a range beyond which a correlation is 1, or 0, to rounding.
SHORTEST, LONGEST = 1e-16, 700.0
# A correlation that a fit cannot tell from 0, or from 1.
NO_DIFFERENCE = 1e-6
# Correlations of neighbours near the ends of their range, not so near that searches stay there.
WEAK, STRONG = 0.1, 0.95


class Series(OneParameter):
    """A stationary Markov chain: theta is its standard deviation and one parameter of r.

    Parameters
    ----------
    k : int
        Number of columns of the term, in the order of time.
    times : ndarray, shape (k,), optional
        Their times, ascending; by default equally spaced.
    """

    homogeneous = True
    effects = "times"
    #: Correlations of neighbours that further searches start from.
    far_correlations: tuple[float, ...] = (-STRONG, STRONG)

    def __init__(self, k: int, times: np.ndarray | None = None) -> None:
        super().__init__(k)
        self.times = times = np.arange(k, dtype=float) if times is None else times
        self._gaps = np.diff(times)

    @cached_property
    def _distances(self) -> np.ndarray:
        return self.times[self.rows] - self.times[self.cols]

    @abstractmethod
    def correlation(self, parameter: float, distance: np.ndarray) -> Slopes:
        """r at distances."""

    @abstractmethod
    def innovation(self, parameter: float, gap: np.ndarray) -> Slopes:
        """c = sqrt(1 - r^2) at gaps, of either sign and without loss of digits."""

    @abstractmethod
    def innovation_variance(self, parameter: float, gap: np.ndarray) -> np.ndarray:
        """1 - r^2 at gaps, without loss of digits."""

    @abstractmethod
    def parameter_of(self, correlation: float, gap: float) -> float:
        """The parameter with this correlation at a gap, or one of the other sign."""

    @property
    def _gap(self) -> float:
        """The distance of neighbours."""
        return float(np.median(self._gaps)) if self._gaps.size else 1.0

    def _strength(self, parameter: float) -> float:
        return float(self.correlation(parameter, np.array([self._gap])).value[0])

    def far_ends(self) -> tuple[float, ...]:
        return tuple(self.parameter_of(r, self._gap) for r in self.far_correlations)

    @property
    def chain(self) -> Series:
        """The chain of unit variance that standard deviations multiply: itself."""
        return self

    def template(self, theta: np.ndarray) -> np.ndarray:
        sd, parameter = theta[:-1], theta[-1]
        T = np.tril(self._correlations(parameter))
        T[:, 1:] *= self.innovation(parameter, self._gaps).value
        T *= np.broadcast_to(sd, (self.k,))[:, None]
        return T

    def _correlations(self, parameter: float) -> np.ndarray:
        """r of all pairs of times, (k, k)."""
        times = self.times
        apart = times - times[0]
        if (self._gaps == self._gaps[:1]).all():  # a table of few distances
            return toeplitz(self.correlation(parameter, apart).value)
        distance = np.abs(times[:, None] - times)
        return self.correlation(parameter, distance).value

    def entries(self, parameter: float) -> Slopes:
        r = self.correlation(parameter, self._distances)
        at_gaps = self.innovation(parameter, self._gaps)
        columns = [np.full(self.k, of_first) for of_first in (1.0, 0.0, 0.0)]
        for column, values in zip(columns, at_gaps, strict=True):
            column[1:] = values
        c, first, second = (column[self.cols] for column in columns)
        return Slopes(
            r.value * c,
            r.first * c + r.value * first,
            r.second * c + 2.0 * r.first * first + r.value * second,
        )


class AR1(Series):
    """Autoregression of first order at equally spaced times: r = rho^d, rho = sin(a).

    With an angle a correlations of -1 and 1 are places like others: c = cos(a) passes through zero,
    and the sign of a column of T does not matter.

    Parameters
    ----------
    k : int
        Number of times.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.covariance import AR1
    >>> T = AR1(3).template([2.0, np.arcsin(0.5)])
    >>> (T @ T.T).round(12)
    array([[4., 2., 1.],
           [2., 4., 2.],
           [1., 2., 4.]])
    """

    name = "ar1"

    def correlation(self, parameter: float, distance: np.ndarray) -> Slopes:
        rho, slope, d = np.sin(parameter), np.cos(parameter), distance
        by_rho = d * rho ** np.maximum(d - 1.0, 0.0)
        by_rho_twice = d * (d - 1.0) * rho ** np.maximum(d - 2.0, 0.0)
        return Slopes(rho**d, by_rho * slope, by_rho_twice * slope**2 - by_rho * rho)

    def innovation(self, parameter: float, gap: np.ndarray) -> Slopes:
        rho, cos = np.sin(parameter), np.cos(parameter)
        c, first = np.full(gap.size, cos), np.full(gap.size, -rho)
        if (gap == 1.0).all():
            return Slopes(c, first, -c)
        # 1 - rho^2g = cos^2 (1 + rho^2 + … + rho^2(g-1))
        each, place = np.unique(gap, return_inverse=True)
        q = np.array([_root_of_sum(rho, int(g)) for g in each])[place].T
        q1, q2 = q[1] * cos, q[2] * cos**2 - q[1] * rho
        return Slopes(c * q[0], first * q[0] + c * q1, -c * q[0] + 2.0 * first * q1 + c * q2)

    def innovation_variance(self, parameter: float, gap: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):  # log rho^2 = log(1 - c^2)
            return -np.expm1(gap * np.log1p(-(np.cos(parameter) ** 2)))

    def parameter_of(self, correlation: float, gap: float) -> float:
        return float(np.arcsin(np.sign(correlation) * abs(correlation) ** (1.0 / gap)))

    def naturals(self) -> Sequence[Natural | None]:
        return [sine("rho")]


class OrnsteinUhlenbeck(Series):
    """A correlation that fades in continuous time: r = exp(-d / range).

    theta are the standard deviation and the logarithm of the range.

    Parameters
    ----------
    k : int
        Number of times.
    times : ndarray, shape (k,), optional
        Ascending; by default 0, 1, ….

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.covariance import OrnsteinUhlenbeck
    >>> T = OrnsteinUhlenbeck(3, np.array([0.0, 0.5, 2.0])).template([1.0, np.log(2.0)])
    >>> (T @ T.T).round(4)
    array([[1.    , 0.7788, 0.3679],
           [0.7788, 1.    , 0.4724],
           [0.3679, 0.4724, 1.    ]])
    """

    name = "ou"
    whole_times = False
    far_correlations = (WEAK, STRONG)

    def correlation(self, parameter: float, distance: np.ndarray) -> Slopes:
        u = self._scaled(parameter, distance)
        r = np.exp(-u)
        return Slopes(r, u * r, (u * u - u) * r)

    def innovation(self, parameter: float, gap: np.ndarray) -> Slopes:
        r, first, second = self.correlation(parameter, gap)
        c = np.sqrt(self.innovation_variance(parameter, gap))
        slope = -r * first / c
        return Slopes(c, slope, -(first**2 + r * second + slope**2) / c)

    def innovation_variance(self, parameter: float, gap: np.ndarray) -> np.ndarray:
        return -np.expm1(-2.0 * self._scaled(parameter, gap))

    @staticmethod
    def _scaled(log_range: float, distance: np.ndarray) -> np.ndarray:
        """Distances in units of the range, none of them so small that r is 1."""
        with np.errstate(over="ignore"):
            return np.clip(distance * np.exp(-log_range), SHORTEST * (distance > 0.0), LONGEST)

    def parameter_of(self, correlation: float, gap: float) -> float:
        return float(np.log(gap / -np.log(max(abs(correlation), np.finfo(float).tiny))))

    def pattern_start(self) -> np.ndarray:
        return np.array([np.log(np.median(self._gaps))])

    def naturals(self) -> Sequence[Natural | None]:
        return [exponential("range")]

    def pattern_names(self) -> list[str]:
        return ["log_range"]

    def reduced(self, pattern: np.ndarray) -> np.ndarray:
        return pattern

    def pattern_boundary(self, pattern: np.ndarray, tolerance: float) -> str:
        ends = np.array([self._gaps.min(), self.times[-1] - self.times[0]])
        return range_boundary(self.name, *self.correlation(pattern[0], ends).value)


def range_boundary(name: str, nearest: float, farthest: float) -> str:
    """Whether a range is zero or infinite, by correlations at the ends of distances, in words."""
    where = f"the range of the {name}() effects by {{group}} is estimated as"
    if farthest > 1.0 - NO_DIFFERENCE:
        return f"{where} infinite: all effects of a level are equal, as in (1 | {{group}})"
    if nearest < NO_DIFFERENCE:
        return f"{where} zero: they are independent, as in homdiag()"
    return ""


def _root_of_sum(rho: float, g: int) -> tuple[float, float, float]:
    """sqrt(1 + rho^2 + … + rho^2(g-1)) and its first two derivatives in rho."""
    j = 2.0 * np.arange(g)
    total = (rho**j).sum()
    first = (j * rho ** np.maximum(j - 1.0, 0.0)).sum()
    second = (j * (j - 1.0) * rho ** np.maximum(j - 2.0, 0.0)).sum()
    root = np.sqrt(total)
    return root, 0.5 * first / root, 0.5 * second / root - 0.25 * first**2 / root**3
