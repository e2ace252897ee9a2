"""Correlations within groups of rows, by an inverse root of their matrix C that is known.

Rows come sorted by group and, in it, by time. A structure gives C = L L' of all groups at once as a
`Root`: what W = L^{-1} makes of columns, its derivatives, and log|C|; nothing of the order of n^2
is formed. Parameters x are unbounded; `natural` are those that are read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from .kernels import _conditional

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

    @abstractmethod
    def inner(self, D: np.ndarray, G: np.ndarray) -> np.ndarray:
        """tr(G'dW D) for each parameter, (m,)."""


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
    #: Arguments besides groups and names, with their types.
    options: ClassVar[Mapping[str, type]] = {}

    def __init__(self, groups: Groups, names: Sequence[str] = ()) -> None:
        self.groups, self.names = groups, tuple(names)

    def of(self, groups: Groups) -> Correlation:
        """The same structure, in the same parameters, of other rows."""
        other = type(self)(
            groups, self.names, **{name: getattr(self, name) for name in self.options}
        )
        for name in self.kept:
            setattr(other, name, getattr(self, name))
        return other

    def start(self) -> np.ndarray:
        """x to start from, (n_parameters,)."""
        return np.full(self.n_parameters, np.arctanh(START))

    def strong_start(self) -> np.ndarray:
        """x of a strong correlation, where there may be another minimum."""
        return np.full(self.n_parameters, np.arctanh(0.8))

    def far_start(self) -> np.ndarray | None:
        """x of a correlation with a minimum of its own beside those of other starts, if any."""
        return None

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


class _Conditional(NamedTuple):
    """Which coefficients each row has, given those before it.

    Attributes
    ----------
    of : ndarray of int32, shape (n,)
    counts : ndarray, shape (u,)
        Rows of each.
    first : int
        That of the first row of a group.
    keep : bool
        Whether the sum of all rows of the group before counts, not the last of them alone.
    """

    of: np.ndarray
    counts: np.ndarray
    first: int
    keep: bool


class _ConditionalRoot(Root):
    """e_i = r_i m_i + v_i^{1/2} z_i with m_i the row before or the sum of those before.

    r and v, (u,) each, are those of the rows' coefficients, dr and dv their derivatives; first rows
    have nothing before them, whatever theirs are.
    """

    def __init__(
        self, rows: _Conditional, r: np.ndarray, dr: np.ndarray, v: np.ndarray, dv: np.ndarray
    ) -> None:
        self._rows, own = rows, np.empty((4, r.size))
        self.logdet, slope = _conditional.coefficients(r, dr, v, dv, rows.counts, rows.first, own)
        self.logdet_slopes = np.array([slope])
        self._root, self._slope = (own[0], own[1]), (own[2], own[3])

    def _by(self, kernel: Any, D: np.ndarray, by: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        of, _, first, keep = self._rows
        D = np.ascontiguousarray(D, dtype=float)
        out = np.empty(D.shape)
        kernel(D, of, first, keep, *by, out, np.empty(D.shape[1]))
        return out

    def whiten(self, D: np.ndarray) -> np.ndarray:
        return self._by(_conditional.apply, D, self._root)

    def transposed(self, D: np.ndarray) -> np.ndarray:
        return self._by(_conditional.apply_transposed, D, self._root)

    def slopes(self, D: np.ndarray) -> list[np.ndarray]:
        return [self._by(_conditional.apply, D, self._slope)]

    def colour(self, D: np.ndarray) -> np.ndarray:
        return self._by(_conditional.solve, D, self._root)

    def inner(self, D: np.ndarray, G: np.ndarray) -> np.ndarray:
        of, _, first, keep = self._rows
        memory = np.empty(D.shape[1])
        return np.array([_conditional.inner(D, G, of, first, keep, *self._slope, memory)])


class _Markov(Correlation):
    """A structure by the gaps between the rows of a group, in order of time."""

    def __init__(self, groups: Groups, names: Sequence[str] = ()) -> None:
        super().__init__(groups, names)
        gap = np.diff(groups.times[:, 0], prepend=0.0)
        gap[groups.starts] = 0.0
        gaps, of, counts = np.unique(gap, return_inverse=True, return_counts=True)
        gaps[0] = 1.0  # of first rows, which have none: not used
        self._gaps = gaps
        self._rows = _Conditional(of.astype(np.int32), counts.astype(float), 0, False)

    def _root(self, r: np.ndarray, dr: np.ndarray, complement: np.ndarray) -> Root:
        """That of r, its derivatives and 1 - r^2 at the gaps."""
        return _ConditionalRoot(self._rows, r, dr, complement, -2.0 * r * dr)


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
        self._even = self.even(groups)

    @staticmethod
    def even(groups: Groups) -> bool:
        """Whether all steps are even: then rho and -rho are the same, and rho is read."""
        gaps = np.diff(groups.times[:, 0])
        gaps[groups.starts[1:] - 1] = 0.0
        return not np.any(gaps % 2.0)

    def _signed(self, x: np.ndarray) -> np.ndarray:
        return np.abs(x) if self._even else x

    def natural(self, x: np.ndarray) -> np.ndarray:
        return np.tanh(self._signed(x))

    def jacobian(self, x: np.ndarray) -> np.ndarray:
        sign = -1.0 if self._even and x[0] < 0.0 else 1.0
        return np.array([[sign / np.cosh(x[0]) ** 2]])

    def x_of(self, natural: np.ndarray) -> np.ndarray:
        return np.arctanh(natural)

    def at(self, x: np.ndarray) -> Root:
        rho, slope, gap = float(np.tanh(x[0])), float(1.0 / np.cosh(x[0]) ** 2), self._gaps
        r = rho**gap
        # 1 - rho^(2 gap) without the loss of digits near rho = 1
        complement = -np.expm1(gap * np.log1p(-slope)) if slope < 0.5 else 1.0 - r * r
        return self._root(r, gap * rho ** (gap - 1.0) * slope, complement)

    def between(self, x: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return self.natural(x)[0] ** np.abs(left[:, 0] - right[:, 0])


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
        counts = self._rows.counts[1:]
        self._unit = float(counts @ self._gaps[1:] / counts.sum()) if counts.size else 1.0

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
        power = float(np.exp(x[0])) / self._unit * self._gaps
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
    >>> np.linalg.inv(W.T @ W).round(6)[0]
    array([1. , 0.5, 0.5])
    """

    name = "cs"
    nlme = "corCompSymm"
    exchangeable = True
    kept = ("_low",)

    def __init__(self, groups: Groups, names: Sequence[str] = ()) -> None:
        super().__init__(groups, names)
        largest = int(groups.sizes.max(initial=0))
        self._low = -1.0 / max(largest - 1, 1)
        place = np.arange(groups.n) - np.repeat(groups.starts, groups.sizes)
        self._rows = _Conditional(place.astype(np.int32), np.bincount(place).astype(float), 0, True)

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
        rho, slope = float(self.natural(x)[0]), float(self.jacobian(x)[0, 0])
        i = np.arange(self._rows.counts.size, dtype=float)  # rows of the group before
        # given their sum: r = rho / q, v = 1 - i rho r
        q, last = 1.0 + (i - 1.0) * rho, 1.0 + i * rho
        v = (1.0 - rho) * last / q
        dv = (i * (1.0 - rho) - last - (i - 1.0) * v) / q
        return _ConditionalRoot(self._rows, rho / q, slope / q**2, v, slope * dv)

    def between(self, x: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        return np.full(len(left), self.natural(x)[0])
