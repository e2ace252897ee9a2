"""The gamma family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import compiled, jets
from .base import Array, Family, PerRow, Zeta
from .jets import Jet
from .links.base import Link
from .one_parameter import Precision
from .positive_mean import POSITIVE_LINKS, InLogMean, PositiveFamily
from .special_functions import (
    LARGEST_EXPONENT,
    STIRLING_FROM,
    digamma_rest,
    log_ratio,
    root,
    stirling_rest,
)


class Gamma(Precision, PositiveFamily):
    """Positive responses with a constant coefficient of variation: V(mu) = mu^2.

    The shape alpha is 1 / dispersion, the scale mu / alpha.

    Parameters
    ----------
    link : str or Link, default "inverse"
        log, identity, sqrt, inverse, inverse_square or power(p).
    shape : float, optional
        Fixes the shape; left out, it is estimated.

    Raises
    ------
    ArgumentError
        If the shape is not positive, or the link does not go with positive means.

    Examples
    --------
    >>> from interlace.families import Gamma
    >>> Gamma(link="log")
    Gamma(link='log')
    >>> Gamma(shape=4.0).dispersion()
    0.25
    """

    name = "gamma"
    support = "positive"
    links = POSITIVE_LINKS
    compiled_several = compiled.SEVERAL_GAMMA, "log", 1.0
    compiled = compiled.GAMMA
    reads_log_y = True
    concave_links = frozenset({"log", "inverse"})
    parameter_name = argument = "shape"

    def __init__(self, link: str | Link = "inverse", shape: float | None = None):
        super().__init__(link, shape)

    @property
    def shape(self) -> float | None:
        """The fixed shape; None where it is estimated."""
        return self.parameter

    def _in_log_mean(self, nu: Array, y: Array, zeta: Zeta) -> InLogMean:
        d = np.minimum(np.log(y) - nu, LARGEST_EXPONENT)
        excess = np.expm1(d)
        ratio, one = np.exp(d), np.ones_like(d)
        f = InLogMean(d - excess, excess, -ratio, ratio, one, 0.0 * one)
        return f.with_scale(self.value(zeta), bool(self.parameters))

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        log_shape = self.log_value(etas) + np.log(weights)
        shape = jets.exp(log_shape)
        d = np.log(y) - self.log_mean_of(etas[0])
        peak = 0.5 * (log_shape - np.log(2.0 * np.pi)) - jets.binet(shape)
        return shape * (d - jets.expm1(d)) + peak - np.log(y)

    def constant(
        self, y: Array, weights: Array, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> tuple[Array, Array]:
        shape = _once(np.asarray(weights * self.value(zeta), dtype=float))
        peaks = _log_peak(shape) - np.log(y)
        if not self.parameters:
            return peaks, np.empty((0, np.size(y)))
        return peaks, np.broadcast_to(_log_peak_slope(shape), (1, np.size(y)))

    def parameter_unit(self, y: Array, weights: PerRow = 1.0) -> float:
        return 1.0 / float(np.mean(weights))

    def pearson(
        self,
        y: Array,
        mu: Array,
        weights: PerRow = 1.0,
        zeta: Zeta = (),
        trials: PerRow | None = None,
    ) -> Array:
        if compiled.changed(self, Gamma, ("variance",)):
            return super().pearson(y, mu, weights, zeta)
        return weights * (y / np.asarray(mu, dtype=float) - 1.0) ** 2

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        return np.square(np.asarray(mu, dtype=float))

    def deviance(self, y: Array, mu: Array, weights: PerRow = 1.0, zeta: Zeta = ()) -> Array:
        y, mu = np.asarray(y, dtype=float), np.asarray(mu, dtype=float)
        return np.maximum(2.0 * weights * ((y - mu) / mu - log_ratio(y, mu)), 0.0)

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        from scipy.special import gammainc

        y, shape = np.asarray(y, dtype=float), weights * self.value(zeta)
        return gammainc(shape, shape * np.maximum(y, 0.0) / mu)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        mu = np.asarray(mu, dtype=float)
        shape = np.broadcast_to(weights * self.value(zeta), mu.shape)
        return mu * (rng.standard_gamma(shape) / shape)

    def _likeliest(
        self, y: Array, mu: Array, weights: Array, start: float, bounds: tuple[float, float]
    ) -> float:
        half = 0.5 * float(np.sum(self.deviance(y, mu, weights)))
        distinct, counts = np.unique(weights, return_counts=True)

        def score(zeta: float) -> tuple[float, float]:
            """Sum over rows of a (log a - digamma(a)), a = weight shape, less half the deviance."""
            shape = float(np.exp(zeta))
            peak = counts @ _log_peak_slope(distinct * shape)
            return peak - half * shape, counts @ _curvature(distinct * shape) - half * shape

        return root(score, start, *bounds)


class GammaFamily(Gamma):
    """`Gamma` with the log link for default.

    Parameters
    ----------
    link : str or Link, default "log"
        As for `Gamma`.
    shape : float, optional
        Fixes the shape; left out, it is estimated.

    Examples
    --------
    >>> from interlace.families import Gamma, GammaFamily
    >>> GammaFamily() == Gamma(link="log")
    True
    """

    def __init__(self, link: str | Link = "log", shape: float | None = None):
        super().__init__(link, shape)

    def _distribution(self) -> type[Family]:
        return Gamma if type(self) is GammaFamily else type(self)


def _log_peak(shape: Array) -> Array:
    """a log a - a - log-gamma(a), by Stirling's series where the three terms cancel."""
    from scipy.special import gammaln

    large = np.maximum(shape, STIRLING_FROM)
    stirling = 0.5 * np.log(large / (2.0 * np.pi)) - stirling_rest(large)
    small = np.minimum(shape, STIRLING_FROM)
    direct = small * np.log(small) - small - gammaln(small)
    return np.where(shape >= STIRLING_FROM, stirling, direct)


def _log_peak_slope(shape: Array) -> Array:
    """a (log a - digamma(a)), the derivative of `_log_peak` with respect to log a."""
    from scipy.special import psi

    large = np.maximum(shape, STIRLING_FROM)
    small = np.minimum(shape, STIRLING_FROM)
    direct = small * (np.log(small) - psi(small))
    return np.where(shape >= STIRLING_FROM, 0.5 + large * digamma_rest(large), direct)


def _curvature(shape: Array) -> Array:
    """The derivative of `_log_peak_slope` with respect to log a."""
    from scipy.special import polygamma

    trigamma = shape * polygamma(1, shape)
    return (_log_peak_slope(shape) + shape) - shape * trigamma


def _once(shape: Array) -> Array:
    """A shape that is the same in all rows, once."""
    first = shape.reshape(-1)[:1]
    return first[0] if shape.size and (shape == first).all() else shape
