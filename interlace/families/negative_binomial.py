"""The negative binomial family NB2."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import compiled, jets
from .base import Array, PerRow, Rows, Zeta, gathered
from .jets import Jet
from .links.base import Link
from .links.power import NegativeBinomialCanonical, unit_inverse
from .one_parameter import OneParameter, ratio
from .poisson import Poisson
from .positive_mean import POSITIVE_LINKS, InLogMean, PositiveFamily
from .special_functions import (
    log_gamma_difference,
    logistic,
    poisson_counts,
    root,
    scaled_digamma_difference,
    y_log_ratio,
)

#: theta a million times the mean count is infinite for all that data can tell (the log-likelihoods
#: differ by less than n times the inverse), and so it is where log(theta) has a standard error of
#: 30; ten thousand times more and the densities are the same in double precision.
LOG_OVERDISPERSION = float(np.log(1e6))
LOG_SAME_COUNTS = float(np.log(1e10))
NO_INFORMATION = 1e-3
#: Up to this count gamma functions are products: short sums instead of several expansions.
LONGEST_PRODUCT = 2000


class NegativeBinomial(OneParameter, PositiveFamily):
    """Counts more variable than Poisson's, NB2: V(mu) = mu + mu^2 / theta.

    Parameters
    ----------
    theta : float, optional
        Fixes theta; left out, it is estimated.
    link : str or Link, default "log"
        log, identity, sqrt, inverse, inverse_square, power(p) or nbcanonical.

    Raises
    ------
    ArgumentError
        If theta is not positive, or the link does not go with counts.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import NegativeBinomial
    >>> NegativeBinomial()
    NegativeBinomial(link='log')
    >>> family = NegativeBinomial(theta=2.0)
    >>> family.parameters, family.variance(np.array([4.0]))
    ((), array([12.]))
    """

    name = "negativebinomial"
    support = "count"
    limit = Poisson
    canonical_link = NegativeBinomialCanonical
    compiled_several = compiled.SEVERAL_NB2, "log", 1.0
    compiled = compiled.NEGATIVE_BINOMIAL
    links = (*POSITIVE_LINKS, "nbcanonical")
    concave_links = frozenset({"log", "nbcanonical"})
    # as every family with a parameter of its own, zero-inflated ones to come included
    expected_by_default = False
    discrete = True
    parameter_name = argument = "theta"

    def __init__(self, theta: float | None = None, link: str | Link = "log"):
        super().__init__(link, theta)
        if isinstance(self.link, NegativeBinomialCanonical):
            self.link = type(self.link)(self.parameter)
            self.inside = -0.5

    @property
    def theta(self) -> float | None:
        """The fixed theta; None where it is estimated."""
        return self.parameter

    @property
    def _canonical(self) -> bool:
        return isinstance(self.link, NegativeBinomialCanonical)

    def mean(self, eta: Array, zeta: Zeta = ()) -> Array:
        if self._canonical:
            return self.value(zeta) * unit_inverse(np.asarray(eta, dtype=float))[0]
        return super().mean(eta)

    def mean_slope(self, eta: Array, zeta: Zeta = ()) -> Array:
        if self._canonical:
            return self.value(zeta) * unit_inverse(np.asarray(eta, dtype=float))[1]
        return super().mean_slope(eta)

    def linear_predictor(self, mu: Array, zeta: Zeta = ()) -> Array:
        if self._canonical:
            return -np.log1p(self.value(zeta) / np.asarray(mu, dtype=float))
        return super().linear_predictor(mu)

    def rows(
        self, eta: Array, y: Array, weights: Array, zeta: Zeta = (), expected: bool = True
    ) -> Rows:
        if self._canonical:
            return self._canonical_rows(eta, y, weights, zeta)
        return super().rows(eta, y, weights, zeta, expected)

    def _in_log_mean(self, nu: Array, y: Array, zeta: Zeta) -> InLogMean:
        theta = self.value(zeta)
        p, q, log_p, log_q = logistic(nu - np.log(theta))
        pq = p * q
        d1 = y * q - theta * p
        d2 = -(y + theta) * pq
        d3 = d2 * (q - p)
        information = theta * p
        extra = (theta * (p + log_q) - y * q, y * pq - information * p, -theta * pq - d3)
        return InLogMean(
            y * log_p + theta * log_q,
            d1,
            d2,
            d3,
            information,
            information * q,
            1.0,
            ((*extra, information * p),) if self.parameters else (),
        )

    def _canonical_rows(self, eta: Array, y: Array, weights: Array, zeta: Zeta) -> Rows:
        """With eta = log(mu / (mu + theta)) the score is y - mu and both weights are dmu/deta."""
        eta, ok = self._in_range(eta)
        theta = self.value(zeta)
        odds, odds1, odds2, _ = unit_inverse(eta)
        with np.errstate(over="ignore", invalid="ignore"):
            log_q = -np.log1p(odds)
            weight = weights * theta * odds1
            extra = np.empty((len(self.parameters), 3, eta.size))
            for out in extra:
                out[0], out[1], out[2] = weights * theta * log_q, -weights * theta * odds, weight
            return gathered(
                ok,
                weights * (y * eta + theta * log_q),
                weights * (y - theta * odds),
                weight,
                weight,
                weights * theta * odds2,
                extra,
            )

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        log_theta = self.log_value(etas)
        theta = jets.exp(log_theta)
        if self._canonical:
            log_p, log_q = etas[0], jets.log1mexp(etas[0])
        else:
            odds = self.log_mean_of(etas[0]) - log_theta
            log_p, log_q = jets.log_expit(odds), jets.log_expit(-odds)
        return weights * (y * log_p + theta * log_q + jets.log_multiset(theta, y))

    def response_mean_of(self, etas: Sequence[Jet]) -> Jet:
        if not self._canonical:
            return super().response_mean_of(etas)
        return jets.exp(self.log_value(etas)) / jets.expm1(-etas[0])

    def constant(
        self, y: Array, weights: Array, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> tuple[Array, Array]:
        from scipy.special import gammaln

        theta = np.asarray(self.value(zeta), dtype=float)
        if theta.ndim == 0 and np.size(y) and 0.0 <= np.min(y) <= np.max(y) <= LONGEST_PRODUCT:
            whole = np.asarray(y).astype(np.intp)
            if (whole == y).all():
                return self._products(float(theta), whole, weights)
        theta = np.broadcast_to(theta, np.shape(y))
        # log-gamma(y + theta) less the larger of log-gamma(theta), log-gamma(y + 1) first
        from_theta = theta > y + 1.0
        base = np.where(from_theta, theta, y + 1.0)
        step = np.where(from_theta, y, theta - 1.0)
        rest = np.where(from_theta, y + 1.0, theta)
        value = weights * (log_gamma_difference(base, step) - gammaln(rest))
        if not self.parameters:
            return value, np.empty((0, np.size(y)))
        return value, (weights * scaled_digamma_difference(theta, y))[None, :]

    def _products(self, theta: float, y: np.ndarray, weights: Array) -> tuple[Array, Array]:
        """`constant` for whole counts: sums over j < y of log((theta + j) / (1 + j)).

        Their derivatives in log(theta) are the sums of theta / (theta + j).
        """
        j = np.arange(float(y.max()))
        sums = np.zeros((2, j.size + 1))
        np.cumsum(np.log((theta + j) / (1.0 + j)), out=sums[0, 1:])
        value = weights * sums[0, y]
        if not self.parameters:
            return value, np.empty((0, y.size))
        np.cumsum(theta / (theta + j), out=sums[1, 1:])
        return value, (weights * sums[1, y])[None, :]

    def parameter_unit(self, y: Array, weights: PerRow = 1.0) -> float:
        return max(float(np.mean(y)), 1.0)

    def zeta_limit(self, unit: float) -> float:
        return float(np.log(unit)) + LOG_SAME_COUNTS

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        beyond = zeta[0] - np.log(unit)
        if beyond < 0.0 or not (information[0] < NO_INFORMATION or beyond > LOG_OVERDISPERSION):
            return None
        return (
            "theta of the negative binomial tends to infinity: the counts vary no more than "
            "Poisson counts do. Use family='poisson'"
        )

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        mu = np.asarray(mu, dtype=float)
        return mu * (1.0 + mu / self.value(zeta))

    def deviance(self, y: Array, mu: Array, weights: PerRow = 1.0, zeta: Zeta = ()) -> Array:
        y, mu = np.asarray(y, dtype=float), np.asarray(mu, dtype=float)
        theta = self.value(zeta)
        saturated = (y + theta) * np.log1p((y - mu) / (mu + theta))
        return np.maximum(2.0 * weights * (y_log_ratio(y, mu) - saturated), 0.0)

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        from scipy.special import betainc

        y, theta = np.floor(y), self.value(zeta)
        share = theta / (theta + np.asarray(mu, dtype=float))
        return np.where(y < 0.0, 0.0, betainc(theta, np.maximum(y, 0.0) + 1.0, share))

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        mu = np.asarray(mu, dtype=float)
        theta = np.broadcast_to(self.value(zeta), mu.shape)
        return poisson_counts(rng, mu * (rng.standard_gamma(theta) / theta))

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        y = np.asarray(y, dtype=float)
        return np.where(y == 0.0, 1.0 / 6.0, y)

    def start_eta(self, y: Array, weights: PerRow = 1.0) -> Array:
        mu = self.start_mean(y, weights)
        if not self._canonical:
            return self.link(mu)
        # Any theta does that depends on the data alone: that of the counts about their own mean.
        center = np.full(np.shape(y), max(float(np.mean(mu)), 0.1))
        return self.linear_predictor(mu, self.start_zeta(y, center, weights))

    def _moment(self, y: Array, mu: Array, weights: Array) -> float:
        excess = np.sum(weights * ((y - mu) ** 2 - mu))
        # Counts less variable than Poisson's have no theta: start from a mild excess instead.
        least = 1e-2 * np.sum(weights * mu)
        return ratio(float(np.sum(weights * mu * mu)), float(max(excess, least)))

    def _likeliest(
        self, y: Array, mu: Array, weights: Array, start: float, bounds: tuple[float, float]
    ) -> float:
        from scipy.special import polygamma

        def score(zeta: float) -> tuple[float, float]:
            """The derivative of the log-likelihood in zeta, and its derivative."""
            theta = float(np.exp(zeta))
            p, q, _, log_q = logistic(np.log(mu) - zeta)
            first = scaled_digamma_difference(np.array(theta), y) + theta * (p + log_q) - y * q
            curved = theta * theta * (polygamma(1, y + theta) - polygamma(1, theta))
            second = first + curved + theta * p * p + y * q * q
            return float(np.sum(weights * first)), float(np.sum(weights * second))

        return root(score, start, *bounds)
