"""The Poisson family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .link import Link
from .numeric import exp, poisson_counts, saturated_poisson, y_log_ratio
from .positive import POSITIVE_LINKS, InLogMean, PositiveFamily


class Poisson(PositiveFamily):
    """Poisson counts: V(mu) = mu.

    Parameters
    ----------
    link : str or Link, default "log"
        log, identity, sqrt, inverse, inverse_square or power(p).

    Raises
    ------
    ArgumentError
        If the link does not go with counts.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import Poisson
    >>> family = Poisson()
    >>> family
    Poisson(link='log')
    >>> np.exp(family.log_density(np.array([0.0, 1.0]), np.array([2.0, 2.0]))).round(6)
    array([0.135335, 0.270671])
    """

    name = "poisson"
    links = POSITIVE_LINKS
    discrete = True

    def __init__(self, link: str | Link = "log"):
        super().__init__(link)

    def _in_log_mean(
        self, nu: np.ndarray, y: np.ndarray, zeta: Sequence[float] | np.ndarray
    ) -> InLogMean:
        mu, counted = exp(nu), y > 0.0
        # y log(mu / y) - (mu - y): the large parts of the log-density are in its constant
        t = np.where(counted, nu - np.log(np.where(counted, y, 1.0)), 0.0)
        value = np.where(counted, -y * (np.expm1(t) - t), -mu)
        return InLogMean(value, y - mu, -mu, -mu, mu, mu, 1.0, ())

    def constant(
        self,
        y: np.ndarray,
        weights: np.ndarray,
        trials: np.ndarray | float = 1.0,
        zeta: Sequence[float] | np.ndarray = (),
    ) -> tuple[np.ndarray, np.ndarray]:
        value = weights * saturated_poisson(np.asarray(y, dtype=float))
        return value, np.empty((0, np.size(y)))

    def variance(self, mu: np.ndarray, zeta: Sequence[float] | np.ndarray = ()) -> np.ndarray:
        return np.array(mu, dtype=float)

    def deviance(
        self,
        y: np.ndarray,
        mu: np.ndarray,
        weights: np.ndarray | float = 1.0,
        zeta: Sequence[float] | np.ndarray = (),
    ) -> np.ndarray:
        y, mu = np.asarray(y, dtype=float), np.asarray(mu, dtype=float)
        return np.maximum(2.0 * weights * (y_log_ratio(y, mu) - (y - mu)), 0.0)

    def cdf(
        self,
        y: np.ndarray,
        mu: np.ndarray,
        weights: np.ndarray | float = 1.0,
        trials: np.ndarray | float = 1.0,
        zeta: Sequence[float] | np.ndarray = (),
    ) -> np.ndarray:
        from scipy.special import gammaincc

        y = np.floor(y)
        return np.where(y < 0.0, 0.0, gammaincc(np.maximum(y, 0.0) + 1.0, mu))

    def sample(
        self,
        rng: np.random.Generator,
        mu: np.ndarray,
        weights: np.ndarray | float = 1.0,
        trials: np.ndarray | float = 1.0,
        zeta: Sequence[float] | np.ndarray = (),
    ) -> np.ndarray:
        return poisson_counts(rng, np.asarray(mu, dtype=float))

    def start_mean(self, y: np.ndarray, weights: np.ndarray | float = 1.0) -> np.ndarray:
        return np.asarray(y, dtype=float) + 0.1
