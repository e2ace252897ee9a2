"""Counts without zeros, and hurdles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError
from . import compiled, jets
from .base import Array, Family, PerRow, Zeta
from .jets import Jet
from .links.base import Link
from .negative_binomial import NegativeBinomial
from .negative_binomial1 import NegativeBinomial1
from .poisson import Poisson
from .special_functions import roots
from .zero_inflated import Compound, ZeroInflated, check_base

#: Of the log of the mean of all counts below that of the least count seen.
FARTHEST = 40.0
#: A count that is sought by bisection is below 2 to this power.
LARGEST_POWER = 62


class Truncated(Compound):
    """Counts of another family of which zeros are not seen.

    `mean` is that of the counts seen; the linear predictor of the mean is the other family's, as
    in glmmTMB's ``truncated_poisson`` and ``truncated_nbinom2``.

    Parameters
    ----------
    base : Family
        The family of the counts, zeros included.

    Raises
    ------
    ArgumentError
        If the other family is not one of counts.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import Poisson, Truncated
    >>> Truncated(Poisson()).mean(np.log([1.0])).round(6)
    array([1.581977])
    """

    support = "positive count"

    def __init__(self, base: Family):
        check_base(base, "Truncated")
        if base.support != "count":
            raise ArgumentError(f"only families of counts are truncated at zero; got {base!r}")
        self.name = f"truncated {base.name}"
        super().__init__(base, {})

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        ones = np.ones(np.shape(y))
        none = self.base.log_density_of(etas, 0.0 * ones, ones)
        return weights * (self.base.log_density_of(etas, y, ones) - jets.log1mexp(none))

    def kernel_kind(self) -> compiled.Kind | None:
        kind = self.base.kernel_kind()
        if kind is None or compiled.changed(self, Truncated, ("log_density_of",)):
            return None
        known = kind.zeros == compiled.NONE and kind.base in compiled.COUNTS
        return kind._replace(zeros=compiled.TRUNCATED) if known else None

    def response_mean_of(self, etas: Sequence[Jet]) -> Jet:
        ones = np.ones(np.shape(etas[0].value))
        none = self.base.log_density_of(etas, 0.0 * ones, ones)
        return self.base.response_mean_of(etas) * jets.exp(-jets.log1mexp(none))

    def _seen(self, mean: Array, zeta: Zeta) -> Array:
        """The probability that a count of the base is not zero."""
        none = self.base.log_density(np.zeros(np.shape(mean)), mean, zeta=zeta)
        return -np.expm1(np.minimum(none, -np.finfo(float).tiny))

    def _base_mean(self, mu: Array, zeta: Zeta) -> Array:
        mu = np.asarray(mu, dtype=float)

        def beyond(log_mean: Array) -> Array:
            mean = np.exp(log_mean)
            return np.log(mean / (mu * self._seen(mean, zeta)))

        upper = np.log(np.maximum(mu, 1e-300))
        lower = np.log(np.maximum(mu - 1.0, 1e-15)) - FARTHEST
        return np.exp(roots(beyond, lower, upper))

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        mu, mean = np.asarray(mu, dtype=float), self._base_mean(mu, zeta)
        return mu * np.maximum(self._base_variance(mean, zeta) / mean + mean - mu, 0.0)

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        return self._cdf(np.floor(y), self._base_mean(mu, zeta), zeta)

    def cdf_of(
        self, y: Array, eta: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        return self._cdf(np.floor(y), self.base.mean(eta, zeta[: self.n_base]), zeta)

    def _cdf(self, y: Array, mean: Array, zeta: Zeta) -> Array:
        """Probabilities of at most a whole number, for means of the base."""
        observable = self._seen(mean, zeta)
        share = 1.0 - (1.0 - self.base.cdf(y, mean, zeta=zeta)) / observable
        return np.where(y < 1.0, 0.0, np.clip(share, 0.0, 1.0))

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        mean = self._base_mean(mu, zeta)
        target = 1.0 - rng.random(np.shape(mean)) * self._seen(mean, zeta)
        upper = np.ones(np.shape(mean))
        for _ in range(LARGEST_POWER):
            short = self.base.cdf(upper, mean, zeta=zeta) < target
            if not short.any():
                break
            upper = np.where(short, 2.0 * upper, upper)
        lower = np.where(upper == 1.0, 0.0, 0.5 * upper)
        while np.any(upper - lower > 1.0):
            middle = np.floor(0.5 * (lower + upper))
            short = self.base.cdf(middle, mean, zeta=zeta) < target
            lower, upper = np.where(short, middle, lower), np.where(short, upper, middle)
        return upper

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        return np.asarray(y, dtype=float) + 0.1

    def start_eta(self, y: Array, weights: PerRow = 1.0) -> Array:
        return self.base.link(np.maximum(np.asarray(y, dtype=float) - 0.5, 0.5))

    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        return self._base_starts(y, mu, prior, 1.0)

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        return self._base_infinite(zeta, unit, information)


class Hurdle(ZeroInflated):
    """Zeros with a probability of their own, and another family without zeros otherwise.

    ``ZeroInflated(Truncated(base), zi)`` for counts, ``ZeroInflated(base, zi)`` for positive
    responses.

    Parameters
    ----------
    base : Family
        The other family, of counts or positive responses.
    zi : float, optional
        Fixes the probability of a zero; left out, it is estimated.

    Raises
    ------
    ArgumentError
        If the other family has no zeros that could be cut off.

    Examples
    --------
    >>> from interlace.families import Hurdle, Poisson
    >>> Hurdle(Poisson())
    ZeroInflated(base=Truncated(base=Poisson(link='log')))
    """

    def __new__(cls, base: Family, zi: float | None = None) -> Any:
        check_base(base, "Hurdle")
        zeros = base.support not in ("positive", "positive count", "open unit")
        return ZeroInflated(Truncated(base) if zeros else base, zi)


class HurdlePoissonFamily(ZeroInflated):
    """Poisson counts with zeros of their own: ``Hurdle(Poisson(link), zi)``.

    Parameters
    ----------
    pi : float, optional
        Fixes the probability of a zero; left out, it is estimated.
    link : str or Link, default "log"
        As for `Poisson`.

    Examples
    --------
    >>> from interlace.families import Hurdle, HurdlePoissonFamily, Poisson
    >>> HurdlePoissonFamily() == Hurdle(Poisson())
    True
    """

    def __new__(cls, pi: float | None = None, link: str | Link = "log") -> Any:
        return Hurdle(Poisson(link), pi)


class TruncatedPoisson(Truncated):
    """Poisson counts without zeros: ``Truncated(Poisson(link))``.

    Parameters
    ----------
    link : str or Link, default "log"
        As for `Poisson`.

    Examples
    --------
    >>> from interlace.families import TruncatedPoisson
    >>> TruncatedPoisson()
    Truncated(base=Poisson(link='log'))
    """

    def __new__(cls, link: str | Link = "log") -> Any:
        return Truncated(Poisson(link))


class TruncatedNegativeBinomial(Truncated):
    """Counts of NB2 without zeros: ``Truncated(NegativeBinomial(theta, link))``.

    Parameters
    ----------
    theta : float, optional
        Fixes theta; left out, it is estimated.
    link : str or Link, default "log"
        As for `NegativeBinomial`.

    Examples
    --------
    >>> from interlace.families import TruncatedNegativeBinomial
    >>> TruncatedNegativeBinomial().parameters
    ('theta',)
    """

    def __new__(cls, theta: float | None = None, link: str | Link = "log") -> Any:
        return Truncated(NegativeBinomial(theta, link))


class TruncatedNegativeBinomial1(Truncated):
    """Counts of NB1 without zeros: ``Truncated(NegativeBinomial1(phi, link))``.

    Parameters
    ----------
    phi : float, optional
        Fixes phi; left out, it is estimated.
    link : str or Link, default "log"
        As for `NegativeBinomial1`.

    Examples
    --------
    >>> from interlace.families import TruncatedNegativeBinomial1
    >>> TruncatedNegativeBinomial1().parameters
    ('phi',)
    """

    def __new__(cls, phi: float | None = None, link: str | Link = "log") -> Any:
        return Truncated(NegativeBinomial1(phi, link))
