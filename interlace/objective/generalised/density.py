"""The conditional density of the rows, as the objectives see it.

All that Laplace's approximation and quadrature need of a response is asked through
`ConditionalDensity`: values and derivatives in the linear predictor eta, and in any number of
further predictors zeta (logarithms of a dispersion or a shape, thresholds, zero inflation), each
a number for all rows or one number per row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import fsum
from typing import Any, NamedTuple

import numpy as np

from ...families import Family
from ...families.compiled import code
from ...linalg.kernels import _rows
from ...linalg.row_threads import PIECE_ROWS, gathered, over_rows

__all__ = ["ConditionalDensity", "FamilyDensity", "RowSums"]

_EMPTY = np.empty(0)
_NO_EXTRA = np.empty((3, 0))

# exp is finite up to here.
LARGEST_ZETA = 700.0
# So few rows are not looked through for equal ones where gamma functions are wanted once.
FEW_ROWS = 1000
# Up to these, as many as criteria in one kernel have, weights of one are numbers in memory: these
# kernels read them.
MANY_ROWS = 50_000
# Codes of distinct observations are whole numbers up to here.
LARGEST_CODE = 2**62


def _some(values: np.ndarray, rows: slice | np.ndarray) -> np.ndarray:
    if isinstance(rows, slice):
        return values[rows]
    if not any(values.strides):
        return np.broadcast_to(values[:1], len(rows)) if values.size else values
    if len(rows) == len(values) and values.size and values.min() == values.max():
        return values  # in any order
    return gathered(values, rows)


def _whole(values: np.ndarray) -> np.ndarray:
    """Values as kernels read them; ones stored as one number stay that where they are many."""
    if values.size > MANY_ROWS and not any(values.strides) and values[0] == 1.0:
        return values
    return np.ascontiguousarray(values, dtype=np.float64)


class RowSums(NamedTuple):
    """Value and derivatives at one eta.

    Attributes
    ----------
    total : float
        Sum over rows of the part of the log-density that depends on eta.
    score, weight, observed, slope : ndarray, shape (n,)
        First derivative; information of the determinant; minus the second derivative;
        derivative of ``weight``.
    extra : ndarray, shape (m, 3, n)
        For each further predictor the derivatives of value, score and ``weight``.
    """

    total: float
    score: np.ndarray
    weight: np.ndarray
    observed: np.ndarray
    slope: np.ndarray
    extra: np.ndarray


class Kernel(NamedTuple):
    """A density as the compiled kernels take it: family and link by their numbers, the rows."""

    family: int
    link: int
    power: float
    y: np.ndarray
    weights: np.ndarray  # empty where all are one
    log_y: np.ndarray  # empty where it is not read

    def weighted(self) -> Kernel:
        """The same with weights that are there."""
        return self if self.weights.size else self._replace(weights=np.ones(len(self.y)))

    def at(self, rows: slice) -> Kernel:
        """That of some of the rows."""
        own = self.y[rows], self.weights[rows], self.log_y[rows]
        return Kernel(self.family, self.link, self.power, *own)


class ConditionalDensity(ABC):
    """Log-density of every row given eta and zeta.

    Attributes
    ----------
    family : Family
        With its link.
    n : int
        Rows.
    n_extra : int
        Number m of further predictors.
    n_zeta : int
        Number of free parameters in them.
    canonical : bool
        Expected and observed information are the same.
    several : bool
        The parameters have linear predictors of their own: information is observed, and what is
        integrated by quadrature has one.
    scale_free : bool
        Predictors have no unit (logarithms, quantiles of a distribution).
    log_concave : bool
        Every row's log-density is concave in eta: modes are unique.
    zeta_limit : float
        zeta beyond it is as good as infinite.
    by_row : bool
        zeta makes numbers that differ between rows, whose derivatives `collapse` sums.
    kernel : Kernel, tuple or None
        Set where the compiled kernels know the density: of one linear predictor, and zeta holds at
        most one number, or of several.
    """

    family: Family
    n: int
    n_extra: int
    n_zeta: int
    canonical: bool
    several: bool = False
    scale_free: bool
    log_concave: bool = False
    zeta_limit: float = np.inf
    by_row: bool = False
    kernel: Any

    @abstractmethod
    def rows(self, eta: np.ndarray, zeta: np.ndarray, expected: bool, order: int = 1) -> RowSums:
        """Derivatives at eta; ``slope`` and ``extra`` only with order 1."""

    @abstractmethod
    def values(self, eta: np.ndarray, zeta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The value of every row and its score, (n,) each."""

    @abstractmethod
    def constant(self, zeta: np.ndarray) -> tuple[float, np.ndarray]:
        """The rest of the log-likelihood and its derivative in zeta, (n_zeta,)."""

    @abstractmethod
    def start(self, eta: np.ndarray, zeta: np.ndarray) -> np.ndarray:
        """zeta to begin with at the means of given predictors and zeta, (n_zeta,)."""

    @abstractmethod
    def take(self, rows: slice | np.ndarray) -> ConditionalDensity:
        """The same density of the rows in another order."""

    def part(self, rows: slice | np.ndarray) -> ConditionalDensity:
        """The density of some of the rows; what is known of all of them stays."""
        return self.take(rows)

    def of_rows(self, other: ConditionalDensity) -> ConditionalDensity:
        """The density of other rows, with what is known here of all of them."""
        return other

    @abstractmethod
    def level(self, zeta: np.ndarray) -> np.ndarray:
        """Predictors with the mean response as every mean, shaped as eta."""

    def moved(self, eta: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        """The predictors that have the same means when zeta changes."""
        return eta

    @property
    def interval(self) -> tuple[float, float]:
        """The interval of predictors whose means are possible."""
        return -np.inf, np.inf

    def infinite(self, zeta: np.ndarray, information: np.ndarray) -> list[str]:
        """The meaning of a zeta as good as infinite, in words with the remedy; empty if finite."""
        return []

    def collapse(self, rows: np.ndarray, zeta: np.ndarray) -> np.ndarray:
        """Derivatives in the predictors of the rows, (m, n) -> in the parameters, (n_zeta,)."""
        return rows.sum(axis=1)

    def score_changes(self, rows: RowSums, zeta: np.ndarray) -> np.ndarray:
        """Derivatives of the scores in the parameters, (n_zeta, n)."""
        return rows.extra[:, 1]

    def curvature(self, eta: np.ndarray, zeta: np.ndarray, rows: RowSums) -> np.ndarray:
        """Second derivatives in the parameters, (n_zeta, n_zeta); none unless `by_row`."""
        return np.empty((0, 0))

    def bent(self, eta: np.ndarray, rows: RowSums, h: np.ndarray) -> np.ndarray:
        """The change of sum(weight h) with each predictor, h being like ``weight``."""
        return rows.slope * h

    def moved_scores(
        self, weight: np.ndarray, change: np.ndarray, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Minus the change of the scores by that of the predictors, weight being the observed.

        ``out``, which may be ``change``, may be overwritten.
        """
        return np.multiply(weight, change, out=out)

    def definite(self, rows: RowSums) -> np.ndarray:
        """Information in place of ``weight``, no row's of which is negative."""
        return np.maximum(rows.weight, 0.0)


class FamilyDensity(ConditionalDensity):
    """A family, its link and the observations.

    ``y``, ``weights`` and ``trials``, (n,), are as in `Observations`: means for the binomial; prior
    weights times trials; trials.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import Poisson
    >>> from interlace.objective.generalised.density import FamilyDensity
    >>> density = FamilyDensity(Poisson(), np.array([0.0, 2.0]), np.ones(2), np.ones(2))
    >>> density.rows(np.zeros(2), np.empty(0), True).score.tolist()
    [-1.0, 1.0]
    """

    def __init__(
        self, family: Family, y: np.ndarray, weights: np.ndarray, trials: np.ndarray
    ) -> None:
        self.family = family
        self.y = np.ascontiguousarray(y, dtype=np.float64)
        self.weights = _whole(weights)
        self.trials = self.weights if trials is weights else _whole(trials)
        self.n = self.y.size
        self.n_extra = self.n_zeta = len(family.parameters)
        self.kernel = self._compiled()
        self._fixed = 1.0 if family.parameter is None else float(family.parameter)
        self._constants: tuple[np.ndarray, float, np.ndarray] | None = None
        self._distinct: tuple[np.ndarray, ...] | None = None
        self.scale_free, self.log_concave = family.link.scale_free, family.log_concave
        self.canonical = family.canonical
        if self.n_zeta:
            self._unit = family.parameter_unit(self.y, self.weights)
            self.zeta_limit = family.zeta_limit(self._unit)

    def _compiled(self) -> Kernel | None:
        family, link = self.family, self.family.link
        known, linked = code(family), code(link)
        if known is None or linked is None:
            return None
        logs = np.log(np.where(self.y > 0.0, self.y, 1.0)) if family.reads_log_y else _EMPTY
        ones = self.weights.strides == (0,)
        return Kernel(
            known, linked, float(link.power), self.y, _EMPTY if ones else self.weights, logs
        )

    def parameter(self, zeta: np.ndarray) -> float:
        """The family's parameter, for the compiled kernels."""
        return float(np.exp(min(zeta[0], LARGEST_ZETA))) if self.n_zeta else self._fixed

    @property
    def fixed_parameter(self) -> float:
        """`parameter` where zeta does not hold it."""
        return self._fixed

    def own_kernel(self) -> Kernel | None:
        """The kernel, with own arrays of what depends on zeta."""
        return None if self.kernel is None else self.kernel.weighted()

    def compiled_thresholds(self) -> tuple | None:
        """Categories of the rows and all that makes limits of them, for the compiled criterion."""
        return None

    def kernel_at(self, zeta: np.ndarray) -> Kernel | None:
        """The kernel with all that depends on zeta, but for `parameter`."""
        return self.kernel

    def infinite(self, zeta: np.ndarray, information: np.ndarray) -> list[str]:
        said = self.family.infinite(zeta, self._unit, information) if self.n_zeta else None
        return [] if said is None else [said]

    @property
    def interval(self) -> tuple[float, float]:
        below, middle, above = self.family.valid(np.array([-1.0, 0.5, 2.0]))
        high = 0.0 if not middle else np.inf if above else 1.0
        return -np.inf if below else 0.0, high

    def take(self, rows: slice | np.ndarray) -> FamilyDensity:
        weights = _some(self.weights, rows)
        trials = weights if self.trials is self.weights else _some(self.trials, rows)
        return FamilyDensity(self.family, _some(self.y, rows), weights, trials)

    def part(self, rows: slice | np.ndarray) -> FamilyDensity:
        return self.of_rows(self.take(rows))

    def of_rows(self, other: Any) -> FamilyDensity:
        if self.n_zeta and not self.by_row:
            other._unit, other.zeta_limit = self._unit, self.zeta_limit
        return other

    def rows(self, eta: np.ndarray, zeta: np.ndarray, expected: bool, order: int = 1) -> RowSums:
        kernel = self.kernel
        if kernel is None:
            r = self.family.rows(eta, self.y, self.weights, zeta, expected)
            return RowSums(float(r.loglik.sum()), r.score, r.weight, r.observed, r.slope, r.extra)
        n = self.n
        buffer = np.empty((4 if order else 3, n))
        slope = buffer[3] if order else _EMPTY
        extra = np.empty((3, n)) if order and self.n_zeta else _NO_EXTRA
        parameter, first = self.parameter(zeta), buffer[:3]

        def fill(at: slice) -> float:
            own = kernel.at(at), parameter, expected, eta[at]
            return _rows.rows(*own, *first[:, at], slope[at], extra)

        if extra.size or n <= PIECE_ROWS:
            total = _rows.rows(kernel, parameter, expected, eta, *first, slope, extra)
        else:
            total = fsum(over_rows(fill, n))
        return RowSums(total, buffer[0], buffer[1], buffer[2], slope, extra[None, :, :])

    def rows_at(self, at: slice, eta: np.ndarray, zeta: np.ndarray) -> RowSums:
        """`rows` of some of the rows, at their eta: expected information, order 0."""
        kernel = self.kernel
        if kernel is None:
            r = self.family.rows(eta, self.y[at], self.weights[at], zeta, True)
            return RowSums(float(r.loglik.sum()), r.score, r.weight, r.observed, _EMPTY, r.extra)
        score, weight, observed = np.empty((3, len(eta)))
        parameter, nothing = self.parameter(zeta), (_EMPTY, _NO_EXTRA)
        total = _rows.rows(kernel.at(at), parameter, True, eta, score, weight, observed, *nothing)
        return RowSums(total, score, weight, observed, _EMPTY, _NO_EXTRA[None])

    def start_eta(self) -> np.ndarray:
        """Predictors to begin with, (n,), within the range of the link."""
        return self.family.start_eta(self.y, self.weights)

    def values(self, eta: np.ndarray, zeta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kernel = self.kernel
        if kernel is None:
            r = self.family.rows(eta, self.y, self.weights, zeta, True)
            return r.loglik, r.score
        out = np.empty((2, self.n))
        _rows.values(kernel, self.parameter(zeta), eta, out[0], out[1])
        return out[0], out[1]

    def constant(self, zeta: np.ndarray) -> tuple[float, np.ndarray]:
        known = self._constants
        if known is not None and (not self.n_zeta or (zeta == known[0]).all()):
            return known[1:]
        if self._distinct is None:
            self._distinct = self._table()
        y, weights, trials, counts = self._distinct
        # no number at a zeta whose exponential is none: an optimiser turns back there
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            value, derivative = self.family.constant(y, weights, trials, zeta)
        slope = np.reshape(derivative, (self.n_zeta, y.size)) @ counts if self.n_zeta else _EMPTY
        out = float(value @ counts), slope
        self._constants = (zeta.copy(), *out)
        return out

    def _table(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """y, weights, trials and how often: gamma functions once for each distinct observation."""
        y, weights, trials = self.y, self.weights, self.trials
        if not self.family.discrete or (self.n < FEW_ROWS and not self.n_zeta):
            return y, weights, trials, np.ones(self.n)
        columns = [y, weights] if np.array_equal(weights, trials) else [y, weights, trials]
        varying = [v for v in columns if not (v == v[0]).all()]
        if len(varying) == 1 and varying[0] is y and ((y == 0.0) | (y == 1.0)).all():
            first = np.array([y.argmin(), y.argmax()])
            ones = np.count_nonzero(y)
            counts = np.array([y.size - ones, ones])
        else:
            code, size = np.zeros(self.n, dtype=np.int64), 1
            for values in varying:
                distinct, place = np.unique(values, return_inverse=True)
                size *= distinct.size
                if size > LARGEST_CODE:
                    code = np.unique(code, return_inverse=True)[1]
                    size = self.n * distinct.size
                code = code * distinct.size + place
            _, first, counts = np.unique(code, return_index=True, return_counts=True)
        return y[first], weights[first], trials[first], counts.astype(np.float64)

    def level(self, zeta: np.ndarray) -> np.ndarray:
        mean = np.full(self.n, np.average(self.y, weights=self.weights))
        return self.family.linear_predictor(mean, zeta)

    def moved(self, eta: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        if not self.family.link.uses_zeta:
            return eta
        return self.family.linear_predictor(self.family.mean(eta, old), new)

    def start(self, eta: np.ndarray, zeta: np.ndarray) -> np.ndarray:
        mu = self.family.mean(eta, zeta)
        # an extreme offset leaves means of which no moments can be taken
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            moments = self.family.start_zeta(self.y, mu, self.weights, self.trials)
        return np.nan_to_num(np.asarray(moments, dtype=np.float64)).reshape(self.n_zeta)
