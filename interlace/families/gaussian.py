"""The Gaussian family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import compiled, jets
from .base import Array, Family, PerRow, Rows, Zeta, gathered, rowwise
from .jets import Jet
from .links.base import Link
from .links.power import Identity
from .one_parameter import Precision
from .positive_mean import POSITIVE_LINKS, means_within


class Gaussian(Precision):
    """Normal responses: V(mu) = 1, the dispersion sigma^2 is 1 / precision.

    Parameters
    ----------
    link : str or Link, default "identity"
        identity, log, sqrt, inverse, inverse_square or power(p).
    precision : float, optional
        Fixes the precision 1 / sigma^2; left out, it is estimated.

    Raises
    ------
    ArgumentError
        If the precision is not positive, or the link does not go with the family.

    Examples
    --------
    >>> from interlace.families import Gaussian
    >>> Gaussian(link="log")
    Gaussian(link='log')
    >>> Gaussian(precision=0.25).sigma()
    2.0
    """

    name = "gaussian"
    support = "real"
    residual_variance = True
    links = POSITIVE_LINKS
    canonical_link = Identity
    compiled_several = compiled.SEVERAL_GAUSSIAN, "identity", 1.0
    compiled = compiled.GAUSSIAN
    concave_links = frozenset({"identity"})
    parameter_name = argument = "precision"

    def __init__(self, link: str | Link = "identity", precision: float | None = None):
        super().__init__(link, precision)

    @property
    def precision(self) -> float | None:
        """The fixed precision; None where it is estimated."""
        return self.parameter

    def rows(
        self, eta: Array, y: Array, weights: Array, zeta: Zeta = (), expected: bool = True
    ) -> Rows:
        eta, ok = self._in_range(eta)
        with np.errstate(over="ignore", invalid="ignore"):
            mu, mu1, mu2, mu3 = self.link.inverse_derivatives(eta)
            scale = weights * self.value(zeta)
            residual = y - mu
            loglik = -0.5 * residual * residual * scale
            score = residual * mu1 * scale
            fisher = mu1 * mu1
            observed = (fisher - residual * mu2) * scale
            if expected:
                weight, slope = fisher * scale, 2.0 * mu1 * mu2 * scale
            else:
                weight, slope = observed, (3.0 * mu1 * mu2 - residual * mu3) * scale
            extra = np.empty((len(self.parameters), 3, eta.size))
            for out in extra:
                out[0], out[1], out[2] = loglik, score, weight
            return gathered(ok, loglik, score, weight, observed, slope, extra)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        log_scale = self.log_value(etas) + np.log(weights)
        residual = y - self.mean_of(etas[0])
        square = residual * residual * jets.exp(log_scale)
        return 0.5 * (log_scale - square - np.log(2.0 * np.pi))

    def constant(
        self, y: Array, weights: Array, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> tuple[Array, Array]:
        return self._root_peak(y, weights, zeta)

    def parameter_unit(self, y: Array, weights: PerRow = 1.0) -> float:
        middle = np.sum(weights * y) / np.sum(np.broadcast_to(weights, np.shape(y)))
        return 1.0 / max(float(np.mean(weights * (y - middle) ** 2)), np.finfo(float).tiny)

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        return np.ones(np.shape(mu))

    def deviance(self, y: Array, mu: Array, weights: PerRow = 1.0, zeta: Zeta = ()) -> Array:
        return weights * (np.asarray(y, dtype=float) - mu) ** 2

    def log_density(
        self,
        y: Array,
        mu: Array,
        weights: PerRow | None = None,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        y, mu = rowwise(y, mu)
        weights = np.asarray(1.0 if weights is None else weights, dtype=float)
        with np.errstate(over="ignore"):
            value = -0.5 * weights * self.value(zeta) * (y - mu) ** 2
        return value + self.constant(y, weights, 1.0, zeta)[0]

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        from scipy.special import ndtr

        return ndtr((np.asarray(y, dtype=float) - mu) * np.sqrt(weights * self.value(zeta)))

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        return rng.normal(mu, 1.0 / np.sqrt(weights * self.value(zeta)))

    def for_formulas(self) -> Family:
        return self if self.parameter is not None else GaussianSigma(self.link)

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        return means_within(y, self.link)


class GaussianSigma(Gaussian):
    """`Gaussian` whose residual standard deviation is a linear predictor's exponential.

    Its zeta is log(sigma), as glmmTMB's models of the dispersion have it: what raises it raises the
    variance.

    Parameters
    ----------
    link : str or Link, default "identity"
        As for `Gaussian`.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families.gaussian import GaussianSigma
    >>> round(GaussianSigma().sigma(np.log([3.0])), 12)
    3.0
    """

    own_predictors = True
    compiled_several = compiled.SEVERAL_GAUSSIAN, "identity", -2.0

    def __init__(self, link: str | Link = "identity"):
        super().__init__(link)
        self.parameters = ("sigma",)
        self.dispersion_parameter = "sigma"

    def value(self, zeta: Zeta = ()) -> Any:
        return np.exp(-2.0 * np.asarray(zeta[0]))

    def log_value(self, etas: Sequence[Jet]) -> Jet:
        return -2.0 * etas[1]

    def rows(
        self, eta: Array, y: Array, weights: Array, zeta: Zeta = (), expected: bool = True
    ) -> Rows:
        rows = super().rows(eta, y, weights, zeta, expected)
        return rows._replace(extra=-2.0 * rows.extra)

    def constant(
        self, y: Array, weights: Array, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> tuple[Array, Array]:
        value, slope = super().constant(y, weights, trials, zeta)
        return value, -2.0 * slope

    def start_zeta(self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0) -> Array:
        return -0.5 * super().start_zeta(y, mu, weights, trials)

    def update_zeta(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        return -0.5 * super().update_zeta(y, mu, weights, trials, -2.0 * np.asarray(zeta))

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        return super().infinite(-2.0 * np.asarray(zeta), unit, information)

    def _arguments(self) -> dict[str, Any]:
        return {"link": self.link}
