"""The conditional density of the rows, as the objectives see it.

All that Laplace's approximation and quadrature need of a response is asked through
`ConditionalDensity`: values and derivatives in the linear predictor eta, and in any number of
further predictors zeta (logarithms of a dispersion or a shape, thresholds, zero inflation), each
a number for all rows or one number per row.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from ..families import Family
from ..linalg.kernels import _rows

__all__ = ["ConditionalDensity", "FamilyDensity", "RowSums"]

_EMPTY = np.empty(0)
_NO_EXTRA = np.empty((3, 0))

FAMILIES = {
    "binomial": 0,
    "poisson": 1,
    "negativebinomial": 2,
    "gamma": 3,
    "inverse_gaussian": 4,
    "gaussian": 5,
}
#: Those whose log-density is written with log y.
LOGS = (1, 3, 4)
LINKS = {
    "logit": 0,
    "probit": 1,
    "cloglog": 2,
    "loglog": 3,
    "cauchit": 4,
    "log": 5,
    "nbcanonical": 7,
}
# exp is finite up to here.
LARGEST_ZETA = 700.0
POWER = 6
# Logarithms of precisions over what shows in the data. theta of a negative binomial a million
# times the mean count is infinite for all that data can tell (the log-likelihoods differ by less
# than n times the inverse), and so it is where log(theta) has a standard error of 30; ten thousand
# times more and the densities are the same in double precision. A residual standard deviation
# 3e-6 of the response's is an exact fit, for which there is no maximum.
LOG_OVERDISPERSION = float(np.log(1e6))
LOG_SAME_COUNTS = float(np.log(1e10))
LOG_EXACT = float(np.log(1e11))
LOG_LIMIT = float(np.log(1e12))
NO_INFORMATION = 1e-3
POWERS = {"identity": 1.0, "inverse": -1.0, "inverse_square": -2.0, "sqrt": 0.5}


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
    """How the compiled kernels know a family and its link."""

    family: int
    link: int
    power: float
    log_y: np.ndarray


class ConditionalDensity(ABC):
    """Log-density of every row given eta and zeta.

    Attributes
    ----------
    n : int
        Rows.
    n_extra : int
        Number m of further predictors.
    n_zeta : int
        Number of free parameters in them.
    canonical : bool
        Expected and observed information are the same.
    scale_free : bool
        Predictors have no unit (logarithms, quantiles of a distribution).
    zeta_limit : float
        zeta beyond it is as good as infinite.
    kernel : Kernel or None
        Set where the compiled kernels know the density and zeta holds at most one number.
    """

    n: int
    n_extra: int
    n_zeta: int
    canonical: bool
    scale_free: bool
    zeta_limit: float = np.inf
    kernel: Kernel | None

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

    def moved(self, eta: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        """The predictors that have the same means when zeta changes."""
        return eta

    def infinite(self, zeta: np.ndarray, information: np.ndarray) -> list[str]:
        """What it means that zeta is as good as infinite, in words with the remedy; or nothing."""
        return []

    def collapse(self, rows: np.ndarray) -> np.ndarray:
        """Derivatives in the predictors of the rows, (m, n) -> in the parameters, (n_zeta,)."""
        return rows.sum(axis=1)


class FamilyDensity(ConditionalDensity):
    """A family, its link and the observations.

    Parameters
    ----------
    family : Family
    y, weights, trials : ndarray, shape (n,)
        As in `Observations`: means for the binomial; prior weights times trials; trials.
    prior : ndarray, shape (n,), or None
        Prior weights alone.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import Poisson
    >>> from interlace.objective.density import FamilyDensity
    >>> density = FamilyDensity(Poisson(), np.array([0.0, 2.0]), np.ones(2), np.ones(2))
    >>> density.rows(np.zeros(2), np.empty(0), True).score.tolist()
    [-1.0, 1.0]
    """

    def __init__(
        self, family: Family, y: np.ndarray, weights: np.ndarray, trials: np.ndarray
    ) -> None:
        self.family = family
        self.y = np.ascontiguousarray(y, dtype=np.float64)
        self.weights = np.ascontiguousarray(weights, dtype=np.float64)
        self.trials = np.ascontiguousarray(trials, dtype=np.float64)
        self.n = self.y.size
        self.n_extra = self.n_zeta = len(family.parameters)
        self.kernel = self._compiled()
        self._fixed = self._fixed_parameter()
        self._constants: tuple[np.ndarray, float, np.ndarray] | None = None
        self._distinct: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        name, link = family.name, family.link.name
        self.scale_free = link in LINKS
        if self.n_zeta:
            self._log_unit = float(np.log(self._dispersed()))
            self.zeta_limit = self._log_unit + (
                LOG_SAME_COUNTS if name == "negativebinomial" else LOG_LIMIT
            )
        self.canonical = (name, link) in (
            ("binomial", "logit"),
            ("poisson", "log"),
            ("negativebinomial", "nbcanonical"),
            ("gaussian", "identity"),
        )

    def _compiled(self) -> Kernel | None:
        family, link = FAMILIES.get(self.family.name), self.family.link
        power = POWERS.get(link.name, getattr(link, "power", None))
        if family is None or (link.name not in LINKS and power is None):
            return None
        code = LINKS.get(link.name, POWER)
        logs = np.log(np.where(self.y > 0.0, self.y, 1.0)) if family in LOGS else _EMPTY
        return Kernel(family, code, 1.0 if power is None else float(power), logs)

    def _fixed_parameter(self) -> float:
        value = getattr(self.family, "parameter", None)
        return 1.0 if value is None else float(value)

    def parameter(self, zeta: np.ndarray) -> float:
        """The family's parameter, for the compiled kernels."""
        return float(np.exp(min(zeta[0], LARGEST_ZETA))) if self.n_zeta else self._fixed

    def infinite(self, zeta: np.ndarray, information: np.ndarray) -> list[str]:
        if not self.n_zeta:
            return []
        if self.family.name == "negativebinomial":
            if zeta[0] < self._log_unit or not (
                information[0] < NO_INFORMATION or zeta[0] > self._log_unit + LOG_OVERDISPERSION
            ):
                return []
            return [
                "theta of the negative binomial tends to infinity: the counts vary no more than "
                "Poisson counts do. Use family='poisson'"
            ]
        if zeta[0] < self._log_unit + LOG_EXACT:
            return []
        return [
            "the model fits the response exactly: its dispersion tends to zero and the likelihood "
            "has no maximum. Take fewer effects, without one for each row"
        ]

    def _dispersed(self) -> float:
        """A value of the parameter with which dispersion shows."""
        mean = max(float(self.y.mean()), np.finfo(float).tiny)
        if self.family.name == "negativebinomial":
            return max(mean, 1.0)
        if self.family.name == "gaussian":
            return 1.0 / max(float(self.y.var()), np.finfo(float).tiny)
        return mean if self.family.name == "inverse_gaussian" else 1.0

    def take(self, rows: np.ndarray) -> FamilyDensity:
        """The same density of the rows in another order."""
        return FamilyDensity(self.family, self.y[rows], self.weights[rows], self.trials[rows])

    def rows(self, eta: np.ndarray, zeta: np.ndarray, expected: bool, order: int = 1) -> RowSums:
        kernel = self.kernel
        if kernel is None:
            r = self.family.rows(eta, self.y, self.weights, zeta, expected)
            return RowSums(float(r.loglik.sum()), r.score, r.weight, r.observed, r.slope, r.extra)
        n = self.n
        buffer = np.empty((4 if order else 3, n))
        slope = buffer[3] if order else _EMPTY
        extra = np.empty((3, n)) if order and self.n_zeta else _NO_EXTRA
        total = _rows.rows(
            kernel.family, kernel.link, kernel.power, self.parameter(zeta), expected, eta, self.y,
            self.weights, kernel.log_y, buffer[0], buffer[1], buffer[2], slope, extra,
        )  # fmt: skip
        return RowSums(total, buffer[0], buffer[1], buffer[2], slope, extra[None, :, :])

    def values(self, eta: np.ndarray, zeta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kernel = self.kernel
        if kernel is None:
            r = self.family.rows(eta, self.y, self.weights, zeta, True)
            return r.loglik, r.score
        out = np.empty((2, self.n))
        _rows.values(
            kernel.family, kernel.link, kernel.power, self.parameter(zeta), eta, self.y,
            self.weights, kernel.log_y, out[0], out[1],
        )  # fmt: skip
        return out[0], out[1]

    def constant(self, zeta: np.ndarray) -> tuple[float, np.ndarray]:
        known = self._constants
        if known is not None and (not self.n_zeta or (zeta == known[0]).all()):
            return known[1:]
        # the gamma functions once for each distinct observation
        if self._distinct is None:
            table = np.stack([self.y, self.trials])
            if self.n_zeta or self.family.name != "binomial" or np.any(self.trials != 1.0):
                distinct, place = np.unique(table, axis=1, return_inverse=True)
                place = place.reshape(-1)
            else:
                distinct, place = np.array([[0.0], [1.0]]), np.zeros(self.n, dtype=int)
            counts = np.bincount(place, weights=self.weights / self.trials)
            self._distinct = (distinct[0], distinct[1], counts)
        y, trials, counts = self._distinct
        # no number at a zeta whose exponential is none: an optimiser turns back there
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            value, derivative = self.family.constant(y, trials, trials, zeta)
        out = float(value @ counts), np.reshape(derivative, (self.n_zeta, y.size)) @ counts
        self._constants = (zeta.copy(), *out)
        return out

    def moved(self, eta: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        if self.family.link.name != "nbcanonical":
            return eta
        return self.family.linear_predictor(self.family.mean(eta, old), new)

    def start(self, eta: np.ndarray, zeta: np.ndarray) -> np.ndarray:
        mu = self.family.mean(eta, zeta)
        # an extreme offset leaves means of which no moments can be taken
        with np.errstate(over="ignore", invalid="ignore"):
            found = self.family.start_zeta(self.y, mu, self.weights, self.trials)
        return np.nan_to_num(np.asarray(found, dtype=np.float64)).reshape(self.n_zeta)
