"""The beta-binomial family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import compiled, jets
from .base import Array, PerRow, Zeta
from .beta import UNIT_LINKS
from .jets import Jet
from .links.base import Link
from .several import LOGARITHM, SeveralParameters
from .special_functions import shrunk_proportions

#: A precision a million times the number of trials: the binomial distribution for all that data
#: can tell.
LOG_NO_OVERDISPERSION = float(np.log(1e6))


class BetaBinomial(SeveralParameters):
    """Proportions of successes more variable than binomial ones.

    Of m trials the variance is mu (1 - mu) / m times 1 + (m - 1) / (1 + precision); probabilities
    have a beta distribution with shapes mu precision and (1 - mu) precision (glmmTMB's
    ``betabinomial``). `variance` is mu (1 - mu), and `pearson` takes the trials from the weights.

    Parameters
    ----------
    precision : float, optional
        Fixes the precision; left out, it is estimated.
    link : str or Link, default "logit"
        logit, probit, cloglog, loglog or cauchit.

    Raises
    ------
    ArgumentError
        If the precision is not positive, or the link does not go with probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import BetaBinomial
    >>> family = BetaBinomial(precision=2.0)
    >>> np.exp(family.log_density(np.array([0.0, 0.5, 1.0]), np.full(3, 0.5), trials=2)).round(6)
    array([0.333333, 0.333333, 0.333333])
    """

    name = "betabinomial"
    support = "proportion"
    links = UNIT_LINKS
    discrete = True
    parameter_scales = {"precision": LOGARITHM}
    dispersion_parameter = "precision"
    compiled_several = compiled.SEVERAL_BETA_BINOMIAL, "logit", 1.0

    def __init__(self, precision: float | None = None, link: str | Link = "logit"):
        super().__init__(link, precision=precision)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        eta, log_phi = self.all_etas(etas)
        log_mu, log_rest = self.log_probabilities_of(eta)
        k = np.rint(trials * y)
        successes = jets.log_multiset(jets.exp(log_mu + log_phi), k)
        failures = jets.log_multiset(jets.exp(log_rest + log_phi), trials - k)
        all_ = jets.log_multiset(jets.exp(log_phi), trials + 0.0 * k)
        return weights / trials * (successes + failures - all_)

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        mu = np.asarray(mu, dtype=float)
        return mu * (1.0 - mu)

    def pearson(
        self,
        y: Array,
        mu: Array,
        weights: PerRow = 1.0,
        zeta: Zeta = (),
        trials: PerRow | None = None,
    ) -> Array:
        m = np.asarray(weights if trials is None else trials)
        more = 1.0 + (m - 1.0) / (1.0 + self.values(zeta)[0])
        return super().pearson(y, mu, weights, zeta) / more

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        y, mu, trials = np.broadcast_arrays(*(np.asarray(x, dtype=float) for x in (y, mu, trials)))
        # as for the binomial: y is k / m rounded
        k = np.floor(trials * y * (1.0 + 1e-9))
        total = np.zeros(y.shape)
        for j in range(int(k.max(initial=-1.0)) + 1):
            at = np.minimum(float(j), trials) / trials
            share = np.exp(self.log_density(at, mu, None, trials, zeta))
            total += np.where(j <= np.minimum(k, trials), share, 0.0)
        return np.minimum(total, 1.0)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        mu, (phi,) = np.asarray(mu, dtype=float), self.values(zeta)
        m = np.broadcast_to(np.asarray(trials), mu.shape)
        return rng.binomial(np.rint(m).astype(np.int64), rng.beta(mu * phi, (1.0 - mu) * phi)) / m

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        return shrunk_proportions(y, weights)

    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        square = trials * (y - mu) ** 2 / (mu * (1.0 - mu))
        more = float(np.sum(prior * (square - 1.0)) / max(np.sum(prior * (trials - 1.0)), 1e-9))
        return {"precision": 1.0 / min(max(more, 1e-3), 0.9) - 1.0}

    def parameter_unit(self, y: Array, weights: PerRow = 1.0) -> float:
        return max(float(np.mean(weights)), 1.0)

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        if not self.parameters or zeta[0] < np.log(unit) + LOG_NO_OVERDISPERSION:
            return None
        return (
            "the precision of the beta-binomial tends to infinity: the counts vary no more than "
            "binomial counts do. Use family='binomial'"
        )
