"""Links of positive means and of means on the whole line."""

from __future__ import annotations

import numpy as np

from ...errors import ArgumentError, ArgumentTypeError, brief
from ..compiled import LOG, NB_CANONICAL, POWER
from ..special_functions import LARGEST_EXPONENT, SMALLEST_DISTANCE, exp
from .base import Link


class Power(Link):
    """The power link, ``eta = mu ** p``; as R's ``power(p)``.

    Parameters
    ----------
    p : float
        The exponent, finite and not zero (the limit p -> 0 is the log link); kept as ``power``.

    Raises
    ------
    ArgumentError
        If `p` is zero or not finite.

    Examples
    --------
    >>> from interlace.families import Power
    >>> link = Power(1 / 3)
    >>> round(float(link(8.0)), 12), round(float(link.inverse(2.0)), 12)
    (2.0, 8.0)
    """

    positive = True
    compiled = POWER
    power: float

    def __init__(self, p: float):
        if isinstance(p, bool) or not isinstance(p, (int, float, np.number)):
            raise ArgumentTypeError(f"Power(p): p must be a number, got {brief(p)}")
        if p == 0 or not np.isfinite(p):
            raise ArgumentError(
                f"Power(p): p must be finite and not 0, got {brief(p)}; use link='log'"
            )
        self.power = float(p)
        self.name = f"power({_shortest(self.power)})"

    def __call__(self, mu: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", over="ignore"):
            return np.asarray(mu, dtype=float) ** self.power

    def derivative(self, mu: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", over="ignore"):
            return self.power * np.asarray(mu, dtype=float) ** (self.power - 1.0)

    def valid(self, eta: np.ndarray) -> np.ndarray:
        return np.isfinite(eta) & (np.asarray(eta) >= SMALLEST_DISTANCE)

    def inverse_derivatives(
        self, eta: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        eta = np.asarray(eta, dtype=float)
        a = 1.0 / self.power
        with np.errstate(over="ignore"):
            mu = eta**a
            mu1 = a * mu / eta
            mu2 = (a - 1.0) * mu1 / eta
            return mu, mu1, mu2, (a - 2.0) * mu2 / eta

    def log_mean(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        eta = np.asarray(eta, dtype=float)
        nu1 = 1.0 / (self.power * eta)
        nu2 = -nu1 / eta
        return np.log(eta) / self.power, nu1, nu2, -2.0 * nu2 / eta

    def __repr__(self) -> str:
        return f"Power({_shortest(self.power)})"


class _NamedPower(Power):
    """A power link with a name of its own."""

    compiled = POWER

    def __init__(self) -> None:
        pass

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Identity(_NamedPower):
    """The identity link, ``eta = mu``; for probabilities and positive means within their range.

    Examples
    --------
    >>> from interlace.families import Identity
    >>> float(Identity().inverse(-3.0))
    -3.0
    """

    name = "identity"
    two_signs = True
    probability = True
    compiled = POWER
    power = 1.0
    linear = True

    def __call__(self, mu: np.ndarray) -> np.ndarray:
        return np.array(mu, dtype=float)

    def derivative(self, mu: np.ndarray) -> np.ndarray:
        return np.ones(np.shape(mu))

    def valid(self, eta: np.ndarray) -> np.ndarray:
        return np.isfinite(eta)

    def inverse_derivatives(
        self, eta: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        zero = np.zeros(np.shape(eta))
        return np.array(eta, dtype=float), zero + 1.0, zero, zero

    def log_probabilities(self, eta: np.ndarray) -> tuple[np.ndarray, ...]:
        p = np.asarray(eta, dtype=float)
        q = 1.0 - p
        p1, q1 = 1.0 / p, 1.0 / q
        lower = np.log(p), p1, -p1 * p1, 2.0 * p1 * p1 * p1
        return *lower, np.log1p(-p), -q1, -q1 * q1, -2.0 * q1 * q1 * q1


class Sqrt(_NamedPower):
    """The square-root link, ``eta = sqrt(mu)``, for eta > 0.

    Examples
    --------
    >>> from interlace.families import Sqrt
    >>> float(Sqrt().inverse(3.0))
    9.0
    """

    name = "sqrt"
    power = 0.5


class Inverse(_NamedPower):
    """The inverse link, ``eta = 1 / mu``, for eta != 0 (eta > 0 with positive means).

    Examples
    --------
    >>> from interlace.families import Inverse
    >>> float(Inverse()(4.0))
    0.25
    """

    name = "inverse"
    two_signs = True
    compiled = POWER
    power = -1.0

    def valid(self, eta: np.ndarray) -> np.ndarray:
        return np.isfinite(eta) & (np.abs(eta) >= SMALLEST_DISTANCE)


class InverseSquare(_NamedPower):
    """The link ``eta = 1 / mu**2``, canonical of the inverse Gaussian; R's ``"1/mu^2"``.

    Examples
    --------
    >>> from interlace.families import InverseSquare
    >>> float(InverseSquare()(0.5))
    4.0
    """

    name = "inverse_square"
    power = -2.0


class Log(Link):
    """The log link, ``eta = log(mu)``; for probabilities with eta < 0.

    Examples
    --------
    >>> from interlace.families import Log
    >>> float(Log().inverse(0.0))
    1.0
    """

    name = "log"
    ratios = True
    ratio_name = "ratio"
    positive = True
    probability = True
    scale_free = True
    ends = True, False
    compiled = LOG

    def __call__(self, mu: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log(mu)

    def derivative(self, mu: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return 1.0 / np.asarray(mu, dtype=float)

    def inverse_derivatives(
        self, eta: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        mu = exp(np.asarray(eta, dtype=float))
        return mu, mu, mu, mu

    def log_mean(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        eta = np.asarray(eta, dtype=float)
        zero = np.zeros(eta.shape)
        return eta, zero + 1.0, zero, zero

    def log_probabilities(self, eta: np.ndarray) -> tuple[np.ndarray, ...]:
        eta = np.asarray(eta, dtype=float)
        zero = np.zeros(eta.shape)
        return eta, zero + 1.0, zero, zero, *_log_one_minus_exp(eta)


class NegativeBinomialCanonical(Link):
    """The canonical link of the negative binomial, ``eta = log(mu / (mu + theta))``, eta < 0.

    Parameters
    ----------
    theta : float, optional
        The theta of the family. Where it is to be estimated, leave it out: then only the family
        can go from eta to the mean, with its ``mean`` and ``linear_predictor``.

    Examples
    --------
    >>> from interlace.families import NegativeBinomialCanonical
    >>> link = NegativeBinomialCanonical(theta=2.0)
    >>> round(float(link.inverse(link(3.0))), 12)
    3.0
    """

    name = "nbcanonical"
    positive = True
    scale_free = True
    uses_zeta = True
    ends = True, False
    compiled = NB_CANONICAL

    def __init__(self, theta: float | None = None):
        self.theta = theta

    def _theta(self) -> float:
        if self.theta is None:
            raise ArgumentError(
                "the link 'nbcanonical' depends on theta, which this link does not have: use the "
                "family's mean(eta, zeta) and linear_predictor(mu, zeta), or "
                "NegativeBinomialCanonical(theta)"
            )
        return self.theta

    def __call__(self, mu: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return -np.log1p(self._theta() / np.asarray(mu, dtype=float))

    def derivative(self, mu: np.ndarray) -> np.ndarray:
        mu, theta = np.asarray(mu, dtype=float), self._theta()
        with np.errstate(divide="ignore"):
            return theta / mu / (mu + theta)

    def valid(self, eta: np.ndarray) -> np.ndarray:
        return np.isfinite(eta) & (np.asarray(eta) <= -SMALLEST_DISTANCE)

    def inverse_derivatives(
        self, eta: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        mu, mu1, mu2, mu3 = unit_inverse(np.asarray(eta, dtype=float))
        theta = self._theta()
        return theta * mu, theta * mu1, theta * mu2, theta * mu3

    def log_mean(self, eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        eta = np.asarray(eta, dtype=float)
        complement, d1, d2, d3 = _log_one_minus_exp(eta)
        return np.log(self._theta()) + eta - complement, 1.0 - d1, -d2, -d3

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.theta is None else f'theta={self.theta:g}'})"


def _shortest(x: float) -> str:
    """The shortest text that reads as `x`."""
    return repr(x).removesuffix(".0")


def unit_inverse(eta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """exp(eta) / (1 - exp(eta)) and three derivatives for eta < 0."""
    odds = 1.0 / np.expm1(np.minimum(-eta, LARGEST_EXPONENT))
    odds1 = odds * (1.0 + odds)
    with np.errstate(over="ignore"):
        return odds, odds1, odds1 * (1.0 + 2.0 * odds), odds1 * (1.0 + 6.0 * odds1)


def _log_one_minus_exp(
    eta: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """log(1 - exp(eta)) and three derivatives for eta < 0."""
    odds, odds1, odds2, _ = unit_inverse(eta)
    near_zero = eta > -0.5
    with np.errstate(divide="ignore"):
        value = np.where(near_zero, np.log(-np.expm1(eta)), np.log1p(-np.exp(eta)))
    return value, -odds, -odds1, -odds2
