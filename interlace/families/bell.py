"""The Bell family."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from . import jets
from .base import Array, PerRow, Zeta
from .jets import Jet
from .links.base import Link
from .positive_mean import POSITIVE_LINKS
from .summed import SummedCounts

#: Beyond the count itself, terms of Dobinski's series are next to nothing.
MORE_TERMS = 60


class Bell(SummedCounts):
    """Counts more variable than Poisson's, without a parameter: variance mu (1 + W(mu)).

    Castellares, Ferrari and Lemonte 2018, Applied Mathematical Modelling 56; W is Lambert's
    function, the probability of y is theta^y exp(1 - e^theta) B_y / y! with theta = W(mu) and the
    Bell numbers B_y; glmmTMB's ``bell``.

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
    >>> from interlace.families import Bell
    >>> Bell().variance(np.array([np.e])).round(6)
    array([5.436564])
    """

    name = "bell"
    links = POSITIVE_LINKS

    def __init__(self, link: str | Link = "log"):
        super().__init__(link)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        nu = self.log_mean_of(etas[0])
        theta = jets.unary(nu, _lambert)
        return weights * (y * (nu - theta) - jets.expm1(theta) + _log_bell_over_factorial(y))

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        mu = np.asarray(mu, dtype=float)
        return mu * (1.0 + _lambert(np.log(mu), 0)[0])

    @property
    def has_deviance(self) -> bool:
        return True

    def deviance(self, y: Array, mu: Array, weights: PerRow = 1.0, zeta: Zeta = ()) -> Array:
        y, mu = np.asarray(y, dtype=float), np.asarray(mu, dtype=float)
        own, theta = (_lambert(np.log(np.where(m > 0, m, 1.0)), 0)[0] for m in (y, mu))
        own = np.where(y > 0.0, own, 0.0)
        # log theta = log mu - theta
        ratio = np.where(y > 0.0, np.log(np.where(y > 0, y, 1.0) / mu) - own + theta, 0.0)
        return np.maximum(2.0 * weights * (y * ratio - np.exp(own) + np.exp(theta)), 0.0)

    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        return {}


def _lambert(nu: Array, order: int) -> Sequence[Array]:
    """W(e^nu), which is theta with theta + log theta = nu."""
    from scipy.special import wrightomega

    w = wrightomega(np.asarray(nu, dtype=float))
    r = 1.0 / (1.0 + w)
    return w, w * r, w * r**3, w * (1.0 - 2.0 * w) * r**5


def _log_bell_over_factorial(y: Array) -> Array:
    """log(B_y / y!) of counts."""
    counts, place = np.unique(np.floor(y), return_inverse=True)
    values = np.array([_log_share(float(count)) for count in counts])
    return values[place].reshape(np.shape(y))


@lru_cache(maxsize=4096)
def _log_share(count: float) -> float:
    """log(B_y / y!) by Dobinski's series, B_y = sum over k of k^y / (e k!)."""
    from scipy.special import gammaln, logsumexp

    if count < 2.0:
        return 0.0
    k = np.arange(1.0, count + MORE_TERMS)
    series = logsumexp(count * np.log(k) - gammaln(k + 1.0))
    return float(series - 1.0 - gammaln(count + 1.0))
