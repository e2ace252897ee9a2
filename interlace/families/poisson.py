"""The Poisson family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import compiled, jets
from .base import Array, PerRow, Zeta
from .jets import Jet
from .links.base import Link
from .links.power import Log
from .positive_mean import POSITIVE_LINKS, InLogMean, PositiveFamily
from .special_functions import exp, poisson_counts, saturated_poisson, y_log_ratio


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
    support = "count"
    links = POSITIVE_LINKS
    canonical_link = Log
    compiled_several = compiled.SEVERAL_POISSON, "log", 1.0
    compiled = compiled.POISSON
    reads_log_y = True
    concave_links = frozenset({"log", "identity", "sqrt"})
    discrete = True

    def __init__(self, link: str | Link = "log"):
        super().__init__(link)

    def _in_log_mean(self, nu: Array, y: Array, zeta: Zeta) -> InLogMean:
        mu, counted = exp(nu), y > 0.0
        # y log(mu / y) - (mu - y): the large parts of the log-density are in its constant
        t = np.where(counted, nu - np.log(np.where(counted, y, 1.0)), 0.0)
        value = np.where(counted, -y * (np.expm1(t) - t), -mu)
        return InLogMean(value, y - mu, -mu, -mu, mu, mu)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        nu, counted = self.log_mean_of(etas[0]), y > 0.0
        t = nu - np.log(np.where(counted, y, 1.0))
        gap = jets.where(counted, y * (t - jets.expm1(t)), -jets.exp(nu))
        return weights * (gap + saturated_poisson(np.asarray(y, dtype=float)))

    def constant(
        self, y: Array, weights: Array, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> tuple[Array, Array]:
        value = weights * saturated_poisson(np.asarray(y, dtype=float))
        return value, np.empty((0, np.size(y)))

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        return np.array(mu, dtype=float)

    def deviance(self, y: Array, mu: Array, weights: PerRow = 1.0, zeta: Zeta = ()) -> Array:
        y, mu = np.asarray(y, dtype=float), np.asarray(mu, dtype=float)
        return np.maximum(2.0 * weights * (y_log_ratio(y, mu) - (y - mu)), 0.0)

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        from scipy.special import gammaincc

        y = np.floor(y)
        return np.where(y < 0.0, 0.0, gammaincc(np.maximum(y, 0.0) + 1.0, mu))

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        return poisson_counts(rng, np.asarray(mu, dtype=float))

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        return np.asarray(y, dtype=float) + 0.1
