"""The binomial family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import compiled
from .base import Array, Family, PerRow, Rows, Zeta, gathered, rowwise
from .jets import Jet
from .links.base import Link
from .links.power import Identity, Log
from .links.probability import Logit
from .special_functions import SMALLEST_DISTANCE, shrunk_proportions, y_log_ratio


class Binomial(Family):
    """Proportions of successes in a number of trials: V(mu) = mu (1 - mu).

    The response is the proportion y = k / m, and `weights` are the numbers of trials m (times
    prior weights, if there are any).

    Parameters
    ----------
    link : str or Link, default "logit"
        logit, probit, cloglog, loglog, cauchit, log or identity.

    Raises
    ------
    ArgumentError
        If the link does not go with probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import Binomial
    >>> family = Binomial(link="probit")
    >>> family
    Binomial(link='probit')
    >>> density = family.log_density(np.array([0.5]), np.array([0.5]), trials=2)
    >>> np.exp(density).round(12)
    array([0.5])
    """

    name = "binomial"
    support = "proportion"
    canonical_link = Logit
    compiled = compiled.BINOMIAL
    links = ("logit", "probit", "cloglog", "loglog", "cauchit", "log", "identity")
    concave_links = frozenset({"logit", "probit", "cloglog", "loglog", "log", "identity"})
    discrete = True

    def __init__(self, link: str | Link = "logit"):
        super().__init__(link)
        # A probability has an eta below 0 with the log link, and within (0, 1) with the identity.
        self.inside = -1.0 if isinstance(self.link, Log) else 0.5

    def valid(self, eta: Array) -> Array:
        ok = self.link.valid(eta)
        if isinstance(self.link, Log):
            ok &= np.asarray(eta) <= -SMALLEST_DISTANCE
        elif isinstance(self.link, Identity):
            ok &= (np.asarray(eta) >= SMALLEST_DISTANCE) & (np.asarray(eta) < 1.0)
        return ok

    def rows(
        self, eta: Array, y: Array, weights: Array, zeta: Zeta = (), expected: bool = True
    ) -> Rows:
        eta, ok = self._in_range(eta)
        k = weights * y
        f = weights - k
        lp, lp1, lp2, lp3, lq, lq1, lq2, lq3 = self.link.log_probabilities(eta)
        with np.errstate(over="ignore", invalid="ignore"):
            observed = -(k * lp2 + f * lq2)
            if expected:
                weight = -weights * (lp1 * lq1)
                slope = -weights * (lp2 * lq1 + lp1 * lq2)
            else:
                weight = observed
                slope = -(k * lp3 + f * lq3)
            return gathered(
                ok,
                k * lp + f * lq,
                k * lp1 + f * lq1,
                weight,
                observed,
                slope,
                np.empty((0, 3, eta.size)),
            )

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        k = weights * y
        success, failure = self.log_probabilities_of(etas[0])
        choose = self.constant(y, weights, trials)[0]
        return k * success + (weights - k) * failure + choose

    def constant(
        self, y: Array, weights: Array, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> tuple[Array, Array]:
        from scipy.special import betaln

        k = trials * np.asarray(y, dtype=float)
        # one way to have no success or nothing else, without the rounding of its logarithm
        one_way = (k == 0.0) | (k == trials)
        if one_way.all():
            return np.zeros(np.broadcast(one_way, weights).shape), np.empty((0, np.size(y)))
        # C(m, k) = 1 / ((m + 1) B(k + 1, m - k + 1))
        choose = -np.log1p(trials) - betaln(k + 1.0, trials - k + 1.0)
        choose = np.where(one_way, 0.0, choose)
        return weights / trials * choose, np.empty((0, np.size(y)))

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        mu = np.asarray(mu, dtype=float)
        return mu * (1.0 - mu)

    def deviance(self, y: Array, mu: Array, weights: PerRow = 1.0, zeta: Zeta = ()) -> Array:
        y, mu = np.asarray(y, dtype=float), np.asarray(mu, dtype=float)
        success = y == 1.0
        if (success | (y == 0.0)).all():  # one logarithm a row
            with np.errstate(divide="ignore"):
                unit = -np.log(np.where(success, mu, 1.0 - mu))
        else:
            unit = y_log_ratio(y, mu) + y_log_ratio(1.0 - y, 1.0 - mu)
        return np.maximum(2.0 * weights * unit, 0.0)

    def log_density(
        self,
        y: Array,
        mu: Array,
        weights: PerRow | None = None,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        from scipy.special import xlog1py, xlogy

        y, mu, trials = rowwise(y, mu, trials)
        weights = trials if weights is None else np.asarray(weights, dtype=float)
        possible = (y >= 0.0) & (y <= 1.0) & (mu >= 0.0) & (mu <= 1.0)
        y, mu = np.where(possible, y, 0.5), np.where(possible, mu, 0.5)
        k = weights * y
        value = xlogy(k, mu) + xlog1py(weights - k, -mu)
        return np.where(possible, value + self.constant(y, weights, trials)[0], -np.inf)

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        from scipy.special import betaincc

        m = np.asarray(trials, dtype=float)
        # y is k / m rounded: one part in 1e9 leads back to k for up to 1e9 trials.
        k = np.floor(m * np.asarray(y, dtype=float) * (1.0 + 1e-9))
        inner = betaincc(np.maximum(k, 0.0) + 1.0, np.maximum(m - k, 1.0), mu)
        return np.where(k < 0.0, 0.0, np.where(k >= m, 1.0, inner))

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        mu = np.asarray(mu, dtype=float)
        m = np.broadcast_to(np.asarray(trials), mu.shape)
        return rng.binomial(np.rint(m).astype(np.int64), mu) / m

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        return shrunk_proportions(y, weights)
