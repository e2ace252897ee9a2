"""Families with one positive parameter beside the mean, estimated or fixed."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, brief
from . import jets
from .base import Array, Family, PerRow, Zeta
from .jets import Jet
from .links.base import Link

#: How far from its unit a zeta can be where it is estimated alone, at fixed means: beyond that a
#: parameter counts as 0 or infinite. A negative binomial with theta = exp(23) = 1e10 and mean 1 is
#: Poisson to 1e-10.
LARGEST_DISTANCE = 23.0


#: Logarithms of precisions over what shows in the data: a residual standard deviation 3e-6 of the
#: response's is an exact fit, for which there is no maximum.
LOG_EXACT = float(np.log(1e11))
LOG_LIMIT = float(np.log(1e12))


class OneParameter(Family):
    """A family with one positive parameter, which is estimated unless it is given.

    Attributes
    ----------
    parameter : float or None
        The value at which the parameter is fixed; None where it is estimated.
    """

    #: What the parameter is called in `parameters`, and as an argument of the constructor.
    parameter_name: str
    argument: str

    def __init__(self, link: str | Link, parameter: float | None):
        super().__init__(link)
        if parameter is not None:
            call = f"{type(self).__name__}({self.argument}=...)"
            if isinstance(parameter, bool) or not isinstance(parameter, (int, float, np.number)):
                raise ArgumentTypeError(
                    f"{call} must be a number, or None to estimate it; got {brief(parameter)}"
                )
            if not 0.0 < parameter < np.inf:
                raise ArgumentError(
                    f"{call} must be positive and finite, or None to estimate it; got "
                    f"{brief(parameter)}"
                )
            parameter = float(parameter)
        self.parameter = parameter
        self.parameters = (self.parameter_name,) if parameter is None else ()
        self.dispersion_parameter = self.parameter_name if parameter is None else None

    def value(self, zeta: Zeta = ()) -> Any:
        """The parameter itself.

        Parameters
        ----------
        zeta : array (1,) or (1, n)
            Its logarithm, where it is estimated; empty where it is fixed.

        Returns
        -------
        float or array (n,)
            The parameter, for all rows or for each.

        Raises
        ------
        ArgumentError
            If the parameter is estimated and `zeta` is empty.
        """
        if self.parameter is not None:
            return self.parameter
        if len(zeta) != 1:
            raise ArgumentError(
                f"family {self.name!r} estimates its {self.parameter_name}: zeta must hold one "
                f"value, the logarithm of {self.parameter_name}; got {len(zeta)} values. "
                f"To fix it: {type(self).__name__}({self.argument}=...)"
            )
        return np.exp(zeta[0])

    def log_value(self, etas: Sequence[Jet]) -> Jet:
        """The logarithm of the parameter, among linear predictors or fixed.

        Parameters
        ----------
        etas
            As in `log_density_of`.

        Returns
        -------
        Jet
            Its own linear predictor, or a constant.
        """
        if self.parameter is not None:
            return jets.constant(np.log(self.parameter))
        return etas[1]

    def fixed_predictor(self) -> float:
        return 0.0 if self.parameter is None else float(np.log(self.parameter))

    @abstractmethod
    def _moment(self, y: Array, mu: Array, weights: Array) -> float:
        """The parameter at which a variance of the response meets its expectation."""

    @abstractmethod
    def _likeliest(
        self, y: Array, mu: Array, weights: Array, start: float, bounds: tuple[float, float]
    ) -> float:
        """The logarithm of the parameter that maximises the likelihood at given means."""

    def start_zeta(self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0) -> Array:
        if not self.parameters:
            return np.empty(0)
        y, mu, weights = np.broadcast_arrays(y, mu, np.asarray(weights, dtype=float))
        with np.errstate(divide="ignore"):
            value = np.log([self._moment(y, mu, weights)])
        return np.clip(value, *self._bounds(y, weights))

    def update_zeta(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        if not self.parameters:
            return np.empty(0)
        y, mu, weights = np.broadcast_arrays(y, mu, np.asarray(weights, dtype=float))
        start = zeta[0] if len(zeta) else self.start_zeta(y, mu, weights)[0]
        bounds = self._bounds(y, weights)
        return np.clip([self._likeliest(y, mu, weights, float(start), bounds)], *bounds)

    def _bounds(self, y: Array, weights: Array) -> tuple[float, float]:
        """The least and the largest zeta that is looked for."""
        middle = float(np.log(self.parameter_unit(y, weights)))
        return middle - LARGEST_DISTANCE, middle + LARGEST_DISTANCE

    def with_parameter(self, value: float | None) -> Family:
        """The family with its parameter fixed, or to be estimated.

        Parameters
        ----------
        value : float or None
            The parameter itself (not its logarithm); None to estimate it.

        Returns
        -------
        Family
            A new family.
        """
        return type(self)(**{**self._arguments(), self.argument: value})

    def _arguments(self) -> dict[str, Any]:
        return {"link": self.link, self.argument: self.parameter}


class Precision(OneParameter):
    """A family whose parameter is 1 / dispersion; weights multiply it.

    Beside its constant the log-density is in proportion to their product.
    """

    expected_by_default = False

    @property
    def free_dispersion(self) -> bool:
        return bool(self.parameters)

    def zeta_limit(self, unit: float) -> float:
        return float(np.log(unit)) + LOG_LIMIT

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        if zeta[0] < np.log(unit) + LOG_EXACT:
            return None
        return (
            "the model fits the response exactly: its dispersion tends to zero and the likelihood "
            "has no maximum. Take fewer effects, without one for each row"
        )

    def _root_peak(
        self, y: Array, weights: Array, zeta: Zeta, rest: PerRow = 0.0
    ) -> tuple[Array, Array]:
        """Constants of a density with the peak (weight precision / (2 pi))^(1/2) exp(rest)."""
        log_peak = 0.5 * (np.log(self.value(zeta) / (2.0 * np.pi)) + np.log(weights)) + rest
        half = np.full((len(self.parameters), np.size(y)), 0.5)
        return np.array(np.broadcast_to(log_peak, np.shape(y))), half

    def dispersion(self, zeta: Zeta = ()) -> float:
        return 1.0 / self.value(zeta)

    def _moment(self, y: Array, mu: Array, weights: Array) -> float:
        return ratio(y.size, float(np.sum(self.pearson(y, mu, weights))))

    def _likeliest(
        self, y: Array, mu: Array, weights: Array, start: float, bounds: tuple[float, float]
    ) -> float:
        with np.errstate(divide="ignore"):
            return float(np.log(ratio(y.size, float(np.sum(self.deviance(y, mu, weights))))))


def ratio(numerator: float, denominator: float) -> float:
    """A ratio of numbers that are not negative; infinite where it is 0/0 or 1/0."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        quotient = np.divide(numerator, denominator)
    return float("inf") if np.isnan(quotient) else float(quotient)
