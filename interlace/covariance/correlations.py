"""Correlations within groups of rows, by an inverse root of their matrix C that is known.

Rows come sorted by group and, in it, by time. A structure gives C = L L' of all groups at once as a
`Root`: what W = L^{-1} makes of columns, its derivatives, and log|C|; nothing of the order of n^2
is formed. Parameters x are unbounded; `natural` are those that are read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

__all__ = [
    "AutoRegressive",
    "CompoundSymmetry",
    "ContinuousAutoRegressive",
    "Correlation",
    "Groups",
    "Root",
]

# Starts: a weak correlation, far from both ends.
START = 0.2
# A correlation as near as this to an end of its range is at it.
AT_END = 1e-5


class Groups(NamedTuple):
    """The groups of sorted rows.

    Attributes
    ----------
    starts : ndarray of int, shape (g,)
        First row of each.
    sizes : ndarray of int, shape (g,)
    times : ndarray, shape (n, d)
        Positions of the rows; whole numbers where a structure counts steps or levels.
    """

    starts: np.ndarray
    sizes: np.ndarray
    times: np.ndarray

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.times)

    @property
    def first(self) -> np.ndarray:
        """Whether a row is the first of its group, (n,)."""
        out = np.zeros(self.n, dtype=bool)
        out[self.starts] = True
        return out


class Root(ABC):
    """W = L^{-1} of C = L L' at some parameters.

    Attributes
    ----------
    logdet : float
        log|C|.
    logdet_slopes : ndarray, shape (m,)
    """

    logdet: float
    logdet_slopes: np.ndarray

    @abstractmethod
    def whiten(self, D: np.ndarray) -> np.ndarray:
        """W D, (n, c)."""

    @abstractmethod
    def transposed(self, D: np.ndarray) -> np.ndarray:
        """W'D, (n, c)."""

    @abstractmethod
    def slopes(self, D: np.ndarray) -> list[np.ndarray]:
        """dW D for each parameter, (n, c) each."""

    @abstractmethod
    def colour(self, D: np.ndarray) -> np.ndarray:
        """L D, (n, c): correlated rows from independent ones."""


class Correlation(ABC):
    """A correlation structure of the rows of groups.

    Parameters
    ----------
    groups : Groups
    names : sequence of str
        Of the levels of time, where times are levels.

    Attributes
    ----------
    parameters : tuple of str
        Names of the natural parameters.
    bounds : tuple of (float, float)
        Their ranges, on whose logit or log scale intervals are made.
    n_parameters : int
        Length of x.
    """

    name: str
    #: nlme's name of it.
    nlme: str = ""
    parameters: tuple[str, ...] = ("rho",)
    bounds: tuple[tuple[float, float], ...] = ((-1.0, 1.0),)
    n_parameters: int = 1
    #: Whether times are whole numbers of steps.
    counts: bool = False
    #: Whether times are levels: all that is asked of them is which they are.
    levels: bool = False
    #: Whether only the group matters, not the time.
    exchangeable: bool = False
    #: Whether there may be several coordinates.
    spatial: bool = False
    #: Attributes that say what x means, the same for other rows.
    kept: tuple[str, ...] = ()

    def __init__(self, groups: Groups, names: Sequence[str] = ()) -> None:
        self.groups, self.names = groups, tuple(names)

    def of(self, groups: Groups) -> Correlation:
        """The same structure, in the same parameters, of other rows."""
        other = type(self)(groups, self.names)
        for name in self.kept:
            setattr(other, name, getattr(self, name))
        return other

    def start(self) -> np.ndarray:
        """x to start from, (n_parameters,)."""
        return np.full(self.n_parameters, np.arctanh(START))

    def strong_start(self) -> np.ndarray:
        """x of a strong correlation, where there may be another minimum."""
        return np.full(self.n_parameters, np.arctanh(0.8))

    @abstractmethod
    def natural(self, x: np.ndarray) -> np.ndarray:
        """The parameters that are read."""

    @abstractmethod
    def jacobian(self, x: np.ndarray) -> np.ndarray:
        """Their derivatives in x, (natural, n_parameters)."""

    @abstractmethod
    def x_of(self, natural: np.ndarray) -> np.ndarray:
        """x of the parameters that are read."""

    @abstractmethod
    def at(self, x: np.ndarray) -> Root:
        """The root at x."""

    @abstractmethod
    def between(self, x: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Correlations of rows of one group at the times of left and right, (r, d) each, (r,)."""

    def at_end(self, x: np.ndarray) -> str:
        """What lies at the end of its range at x, in words; empty if nothing does."""
        for name, value, (low, high) in zip(
            self.parameters, self.natural(x), self.bounds, strict=True
        ):
            size = high - low if np.isfinite(high - low) else 1.0
            for end in (low, high):
                if abs(value - end) < AT_END * size:
                    return f"{name} of the residual correlation {self.name} is at {end:g}"
        return ""


class _MarkovRoot(Root):
    """Each row given the one before it: e_i = r_i e_{i-1} + (1 - r_i^2)^{1/2} z_i."""

    def __init__(self, r: np.ndarray, dr: np.ndarray, complement: np.ndarray) -> None:
        self._r, self._dr, self._complement = r, dr, complement
        self._a = 1.0 / np.sqrt(complement)
        self.logdet = float(np.log(complement).sum())
        self.logdet_slopes = np.array([-2.0 * float(np.sum(r * dr / complement))])

    @staticmethod
    def _before(D: np.ndarray) -> np.ndarray:
        out = np.empty_like(D)
        out[0] = 0.0
        out[1:] = D[:-1]
        return out

    def whiten(self, D: np.ndarray) -> np.ndarray:
        return self._a[:, None] * (D - self._r[:, None] * self._before(D))

    def transposed(self, D: np.ndarray) -> np.ndarray:
        out = self._a[:, None] * D
        out[:-1] -= (self._r * self._a)[1:, None] * D[1:]
        return out

    def slopes(self, D: np.ndarray) -> list[np.ndarray]:
        # d(1 - r^2)^{-1/2} = r (1 - r^2)^{-3/2} dr
        weight = (self._a**3 * self._dr)[:, None]
        return [weight * (self._r[:, None] * D - self._before(D))]

    def colour(self, D: np.ndarray) -> np.ndarray:
        from scipy.linalg import solve_banded

        bands = np.zeros((2, len(D)))
        bands[0] = self._a
        bands[1, :-1] = -(self._r * self._a)[1:]
        return solve_banded((1, 0), bands, D)


class _Markov(Correlation):
    """A structure by the gaps between the rows of a group, in order of time."""

    def __init__(self, groups: Groups, names: Sequence[str] = ()) -> None:
        super().__init__(groups, names)
        self._gap = np.diff(groups.times[:, 0], prepend=0.0)
        self._first = groups.first
        self._gap[self._first] = 1.0

    def _root(self, r: np.ndarray, dr: np.ndarray, complement: np.ndarray) -> Root:
        """That of r, its derivatives and 1 - r^2 at the gaps; first rows have none before them."""
        for array, value in ((r, 0.0), (dr, 0.0), (complement, 1.0)):
            array[self._first] = value
        return _MarkovRoot(r, dr, complement)


class AutoRegressive(_Markov):
    """First-order autoregression, C_ij = rho^|t_i - t_j| at whole-numbered times (nlme's corAR1).

    Parameters
    ----------
    groups : Groups

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.covariance.correlations import AutoRegressive, Groups
    >>> ar1 = AutoRegressive(Groups(np.array([0]), np.array([2]), np.array([[1.0], [3.0]])))
    >>> W = ar1.at(np.arctanh([0.5])).whiten(np.eye(2))
    >>> np.linalg.inv(W.T @ W)
    array([[1.  , 0.25],
           [0.25, 1.  ]])
    """

    name = "ar1"
    nlme = "corAR1"
    counts = True

    def __init__(self, groups: Groups, names: Sequence[str] = ()) -> None:
        super().__init__(groups, names)
        self._unit = bool((self._gap == 1.0).all())

    def natural(self, x: np.ndarray) -> np.ndarray:
        return np.tanh(x)

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        return np.array([[1.0 / np.cosh(x[0]) ** 2]])

    def x_of(self, natural: np.ndarray) -> np.ndarray:
        return np.arctanh(natural)

    def at(self, x: np.ndarray) -> Root:
        rho, slope = float(np.tanh(x[0])), float(1.0 / np.cosh(x[0]) ** 2)
        if self._unit:
            r = np.full(self.groups.n, rho)
            dr = np.full(self.groups.n, slope)
            complement = np.full(self.groups.n, slope)
        else:
            r, gap = rho**self._gap, self._gap
            dr = gap * rho ** (gap - 1.0) * slope
            # 1 - rho^(2 gap) without the loss of digits near rho = 1
            complement = -np.expm1(gap * np.log1p(-slope)) if slope < 0.5 else 1.0 - r * r
        return self._root(r, dr, complement)

    def between(self, x: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.tanh(x[0]) ** np.abs(left[:, 0] - right[:, 0])


class ContinuousAutoRegressive(_Markov):
    """Continuous first-order autoregression, C_ij = rho^|t_i - t_j|, 0 < rho < 1 (corCAR1).

    x is the logarithm of -log(rho) times the mean gap, so that the unit of time does not matter.

    Parameters
    ----------
    groups : Groups

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.covariance.correlations import ContinuousAutoRegressive, Groups
    >>> rows = Groups(np.array([0]), np.array([2]), np.array([[1.0], [1.5]]))
    >>> car1 = ContinuousAutoRegressive(rows)
    >>> car1.between(car1.x_of(np.array([0.25])), rows.times[:1], rows.times[1:]).round(3)
    array([0.5])
    """

    name = "car1"
    nlme = "corCAR1"
    bounds = ((0.0, 1.0),)
    kept = ("_unit",)

    def __init__(self, groups: Groups, names: Sequence[str] = ()) -> None:
        super().__init__(groups, names)
        gaps = self._gap[~self._first]
        self._unit = float(gaps.mean()) if gaps.size else 1.0

    def start(self) -> np.ndarray:
        return np.log(-np.log([START]))

    def strong_start(self) -> np.ndarray:
        return np.log(-np.log([0.8]))

    def natural(self, x: np.ndarray) -> np.ndarray:
        return np.exp(-np.exp(x) / self._unit)

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        rate = np.exp(x) / self._unit
        return np.array([-rate * np.exp(-rate)])

    def x_of(self, natural: np.ndarray) -> np.ndarray:
        return np.log(-np.log(natural) * self._unit)

    def at(self, x: np.ndarray) -> Root:
        power = float(np.exp(x[0])) / self._unit * self._gap
        r = np.exp(-power)
        dr, complement = -power * r, -np.expm1(-2.0 * power)
        return self._root(r, dr, complement)

    def between(self, x: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        distance = np.abs(left[:, 0] - right[:, 0])
        return np.exp(-np.exp(x[0]) / self._unit * distance)

    def at_end(self, x: np.ndarray) -> str:
        # judged at the mean gap: rho itself is near 0 or 1 in some units of time
        r = float(np.exp(-np.exp(x[0])))
        if AT_END < r < 1.0 - AT_END:
            return ""
        return f"rho of the residual correlation car1 is at {round(r):d}"


class _ExchangeableRoot(Root):
    """C = (1 - rho) I + rho J of each group, and its symmetric root."""

    def __init__(self, groups: Groups, rho: float, slope: float) -> None:
        self._starts, self._sizes = groups.starts, groups.sizes
        n = groups.sizes.astype(float)
        within, between = 1.0 - rho, 1.0 + (n - 1.0) * rho
        self._within = within
        # W = (1 - rho)^{-1/2} (I - J/n) + between^{-1/2} J/n
        self._mean = between**-0.5 - within**-0.5
        self._dmean = -0.5 * slope * ((n - 1.0) * between**-1.5 + within**-1.5)
        self._slope = slope
        self._back = between**0.5 - within**0.5
        self.logdet = float(np.sum((n - 1.0) * np.log(within) + np.log(between)))
        change = (n - 1.0) * (1.0 / between - 1.0 / within)
        self.logdet_slopes = np.array([slope * float(change.sum())])

    def _means(self, D: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Means of the groups times their weights, at the rows."""
        means = np.add.reduceat(D, self._starts, axis=0) * (weight / self._sizes)[:, None]
        return np.repeat(means, self._sizes, axis=0)

    def whiten(self, D: np.ndarray) -> np.ndarray:
        return self._within**-0.5 * D + self._means(D, self._mean)

    transposed = whiten  # W is symmetric

    def slopes(self, D: np.ndarray) -> list[np.ndarray]:
        own = 0.5 * self._slope * self._within**-1.5
        return [own * D + self._means(D, self._dmean)]

    def colour(self, D: np.ndarray) -> np.ndarray:
        return self._within**0.5 * D + self._means(D, self._back)


class CompoundSymmetry(Correlation):
    """One correlation of all rows of a group, rho > -1 / (size - 1) (nlme's corCompSymm).

    Parameters
    ----------
    groups : Groups

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.covariance.correlations import CompoundSymmetry, Groups
    >>> cs = CompoundSymmetry(Groups(np.array([0]), np.array([3]), np.zeros((3, 1))))
    >>> W = cs.at(cs.x_of(np.array([0.5]))).whiten(np.eye(3))
    >>> np.linalg.inv(W @ W).round(6)[0]
    array([1. , 0.5, 0.5])
    """

    name = "cs"
    nlme = "corCompSymm"
    exchangeable = True
    kept = ("_low",)

    def __init__(self, groups: Groups, names: Sequence[str] = ()) -> None:
        super().__init__(groups, names)
        self._low = -1.0 / max(int(groups.sizes.max(initial=0)) - 1, 1)

    @property
    def bounds(self) -> tuple[tuple[float, float], ...]:  # type: ignore[override]
        """From the lower end for the largest group."""
        return ((self._low, 1.0),)

    def start(self) -> np.ndarray:
        return self.x_of(np.array([START]))

    def strong_start(self) -> np.ndarray:
        return self.x_of(np.array([0.8]))

    def natural(self, x: np.ndarray) -> np.ndarray:
        return self._low + (1.0 - self._low) * 0.5 * (1.0 + np.tanh(0.5 * x))

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        return np.array([(1.0 - self._low) * 0.25 / np.cosh(0.5 * x) ** 2])

    def x_of(self, natural: np.ndarray) -> np.ndarray:
        return np.log((natural - self._low) / (1.0 - natural))

    def at(self, x: np.ndarray) -> Root:
        return _ExchangeableRoot(
            self.groups, float(self.natural(x)[0]), float(self.jacobian(x)[0, 0])
        )

    def between(self, x: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.full(len(left), self.natural(x)[0])
