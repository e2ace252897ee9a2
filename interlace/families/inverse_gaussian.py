"""The inverse Gaussian family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import compiled, jets
from .base import Array, PerRow, Zeta
from .jets import Jet
from .links.base import Link
from .one_parameter import Precision
from .positive_mean import POSITIVE_LINKS, InLogMean, PositiveFamily
from .special_functions import LARGEST_EXPONENT, exp


class InverseGaussian(Precision, PositiveFamily):
    """Positive responses with a long tail: V(mu) = mu^3, the dispersion is 1 / lambda.

    Parameters
    ----------
    link : str or Link, default "inverse_square"
        log, identity, sqrt, inverse, inverse_square or power(p).
    lam : float, optional
        Fixes lambda; left out, it is estimated.

    Raises
    ------
    ArgumentError
        If lambda is not positive, or the link does not go with positive means.

    Examples
    --------
    >>> from interlace.families import InverseGaussian
    >>> InverseGaussian()
    InverseGaussian(link='inverse_square')
    >>> InverseGaussian().parameters
    ('lambda',)
    """

    name = "inverse_gaussian"
    support = "positive"
    links = POSITIVE_LINKS
    compiled = compiled.INVERSE_GAUSSIAN
    reads_log_y = True
    concave_links = frozenset({"inverse", "inverse_square"})
    parameter_name = "lambda"
    argument = "lam"

    def __init__(self, link: str | Link = "inverse_square", lam: float | None = None):
        super().__init__(link, lam)

    @property
    def lam(self) -> float | None:
        """The fixed lambda; None where it is estimated."""
        return self.parameter

    def _in_log_mean(self, nu: Array, y: Array, zeta: Zeta) -> InLogMean:
        d = np.minimum(np.log(y) - nu, LARGEST_EXPONENT)
        excess, ratio, information = np.expm1(d), np.exp(d), exp(-nu)
        f = InLogMean(
            -0.5 * excess * (excess / y),
            ratio * (excess / y),
            (1.0 - 2.0 * ratio) * (ratio / y),
            (4.0 * ratio - 1.0) * (ratio / y),
            information,
            -information,
        )
        return f.with_scale(self.value(zeta), bool(self.parameters))

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        log_scale = self.log_value(etas) + np.log(weights)
        excess = jets.expm1(np.log(y) - self.log_mean_of(etas[0]))
        square = excess * excess * jets.exp(log_scale) / y
        return 0.5 * (log_scale - square - np.log(2.0 * np.pi)) - 1.5 * np.log(y)

    def constant(
        self, y: Array, weights: Array, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> tuple[Array, Array]:
        return self._root_peak(y, weights, zeta, -1.5 * np.log(y))

    def parameter_unit(self, y: Array, weights: PerRow = 1.0) -> float:
        return max(float(np.mean(y)), np.finfo(float).tiny) / float(np.mean(weights))

    def pearson(
        self,
        y: Array,
        mu: Array,
        weights: PerRow = 1.0,
        zeta: Zeta = (),
        trials: PerRow | None = None,
    ) -> Array:
        if compiled.changed(self, InverseGaussian, ("variance",)):
            return super().pearson(y, mu, weights, zeta)
        return weights * (y / np.asarray(mu, dtype=float) - 1.0) ** 2 / mu

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        return np.asarray(mu, dtype=float) ** 3

    def deviance(self, y: Array, mu: Array, weights: PerRow = 1.0, zeta: Zeta = ()) -> Array:
        y, mu = np.asarray(y, dtype=float), np.asarray(mu, dtype=float)
        return weights * (y / mu - 1.0) ** 2 / y

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        from scipy.special import log_ndtr, ndtr

        y, mu = np.asarray(y, dtype=float), np.asarray(mu, dtype=float)
        lam = weights * self.value(zeta)
        x = np.where(y > 0.0, y, 1.0)
        root = np.sqrt(lam / x)
        value = ndtr(root * (x / mu - 1.0))
        value = value + np.exp(2.0 * lam / mu + log_ndtr(-root * (x / mu + 1.0)))
        return np.where(y > 0.0, np.minimum(value, 1.0), 0.0)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        return rng.wald(mu, weights * self.value(zeta))
