"""The Conway-Maxwell-Poisson family by its mean."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np

from . import jets
from .base import Array, PerRow, Zeta
from .jets import Jet
from .links.base import Link
from .positive_mean import POSITIVE_LINKS
from .several import LOGARITHM
from .summed import SummedCounts, windows

#: Newton steps for the logarithm of lambda, each within a bracket, until log means agree to this.
STEPS = 60
SAME_MEAN = 1e-14
#: The longest step: the mean may change by a large factor in it where nu is small.
STEP = 2.0
#: The mean of counts is at most this; far more terms than this are not summed.
LARGEST_LOG_MEAN = 25.0


class ConwayMaxwellPoisson(SummedCounts):
    """Counts more or less variable than Poisson's, given by their mean.

    The probability of y is in proportion to lambda^y / (y!)^nu; lambda is such that mu is the
    mean, and phi = 1 / nu is about the variance over the mean (Huang 2017, Statistical Modelling
    17; glmmTMB's ``compois``). Series are summed to the last digit.

    Parameters
    ----------
    phi : float, optional
        Fixes phi; left out, it is estimated.
    link : str or Link, default "log"
        log, identity, sqrt, inverse, inverse_square or power(p).

    Raises
    ------
    ArgumentError
        If phi is not positive, or the link does not go with counts.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import ConwayMaxwellPoisson
    >>> family = ConwayMaxwellPoisson(phi=0.5)
    >>> np.exp(family.log_density(np.array([0.0, 1.0]), np.ones(2))).round(6)
    array([0.284853, 0.475642])
    """

    name = "conway_maxwell_poisson"
    links = POSITIVE_LINKS
    parameter_scales = {"phi": LOGARITHM}
    dispersion_parameter = "phi"

    def __init__(self, phi: float | None = None, link: str | Link = "log"):
        super().__init__(link, phi=phi)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        from scipy.special import gammaln

        eta, log_phi = self.all_etas(etas)
        log_lambda, log_sum, precision = _canonical(self.log_mean_of(eta), -log_phi)
        return weights * (y * log_lambda - precision * gammaln(y + 1.0) - log_sum)

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        mu = np.asarray(mu, dtype=float)
        log_nu = np.broadcast_to(-np.log(self.values(zeta)[0]), mu.shape)
        solve = _solved(np.log(mu.ravel()), np.exp(log_nu.ravel()), 2)
        return solve[1].part(0, 0).reshape(mu.shape)

    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        return {"phi": float(np.clip(np.average((y - mu) ** 2 / mu, weights=prior), 0.1, 10.0))}


def _canonical(log_mean: Jet, log_nu: Jet) -> tuple[Jet, Jet, Jet]:
    """log lambda, log of the sum over counts, and nu, as jets: rows that are alike are done once.

    K(theta, nu), the log of the sum, has the mean for its first derivative in theta. With its
    derivatives up to the fourth, K_theta(theta, nu) = mu is solved for theta one order a step.
    """
    order = min(log_mean.order, log_nu.order)
    n = np.broadcast(log_mean.value, log_nu.value).shape
    points = np.stack([np.broadcast_to(log_mean.value, n), np.broadcast_to(log_nu.value, n)])
    distinct, place = np.unique(points, axis=1, return_inverse=True)
    at, series = _solved(distinct[0], np.exp(distinct[1]), order + 1)
    place = place.reshape(-1)
    series = jets.take(series, place)
    theta: Jet = Jet({(): at[place]}, order)
    nu, mu = jets.exp(log_nu), jets.exp(log_mean)
    mean = Jet({i[1:]: part for i, part in series.parts.items() if i[:1] == (0,)}, order)
    nu = Jet({**nu.parts, (): np.broadcast_to(nu.value, n)}, nu.order)
    for _ in range(order):
        gap = jets.substitute(mean, [theta, nu]) - mu
        step = gap / series.part(0, 0)
        theta = theta - Jet({i: part for i, part in step.parts.items() if i}, order)
        theta = Jet({**theta.parts, (): at[place]}, order)
    log_sum = jets.substitute(
        Jet({i: part for i, part in series.parts.items() if len(i) <= order}, order), [theta, nu]
    )
    return theta, log_sum, nu


def _terms(j: Array, at: Sequence[Jet]) -> Jet:
    from scipy.special import gammaln

    return j * at[0] - gammaln(j + 1.0) * at[1]


def _sum(theta: Array, nu: Array, order: int) -> Jet:
    """K at theta and nu: its derivatives are the cumulants of y and -log y!."""
    with np.errstate(over="ignore"):
        middle = np.exp(np.minimum(theta / nu, LARGEST_LOG_MEAN))
    n = theta.size
    parts: jets.Parts = {}
    for rows, lower, upper in windows(_terms, np.stack([theta, nu]), middle, 0.0):
        made = _cumulants(theta[rows], nu[rows], lower, upper, order)
        for index, part in made.items():
            parts.setdefault(index, np.full(n, np.nan))[rows] = part
    return Jet(parts, order)


def _cumulants(theta: Array, nu: Array, lower: Array, upper: Array, order: int) -> jets.Parts:
    """Log of the sum over counts from lower to upper, and cumulants up to an order."""
    from scipy.special import gammaln

    log_factorials = gammaln(np.arange(lower.min(), upper.max() + 2.0) + 1.0)
    j = lower + np.arange(np.max(upper - lower) + 1.0)[:, None]
    logs = log_factorials[np.minimum(j - lower.min(), log_factorials.size - 1.0).astype(np.intp)]
    terms = j * theta - logs * nu
    top = terms.max(axis=0)
    share = np.exp(terms - top)
    share[j > upper] = 0.0
    total = share.sum(axis=0)
    share /= total
    means = np.einsum("jn,jn->n", share, j), -np.einsum("jn,jn->n", share, logs)
    gaps = j - means[0], -logs - means[1]
    parts: jets.Parts = {(): np.log(total) + top, (0,): means[0], (1,): means[1]}
    powers: dict[jets.Index, Array] = {(): share}
    for length in range(1, order + 1):
        for index in combinations_with_replacement(range(2), length):
            powers[index] = powers[index[:-1]] * gaps[index[-1]]
            if length > 1:
                parts[index] = powers[index].sum(axis=0)
    # the fourth cumulants are moments less the three ways to pair their indices
    for a, b, c, d in combinations_with_replacement(range(2), 4) if order > 3 else ():
        pairs = parts[a, b] * parts[c, d] + parts[a, c] * parts[b, d] + parts[a, d] * parts[b, c]
        parts[a, b, c, d] = parts[a, b, c, d] - pairs
    return parts


def _solved(log_mean: Array, nu: Array, order: int) -> tuple[Array, Jet]:
    """theta at which the mean is as given, and K there."""
    mu = np.exp(log_mean)
    over = (1.0 - nu) * (log_mean - np.log1p(mu)) + nu * log_mean
    with np.errstate(invalid="ignore", divide="ignore"):
        under = nu * np.log(mu + 0.5 * (nu - 1.0) / nu)
    theta = np.where(nu < 1.0, over, under)
    ends = np.full((2, *mu.shape), [[-np.inf], [np.inf]])
    going = np.arange(mu.size)
    for _ in range(STEPS):
        made = _sum(theta[going], nu[going], 2)
        gap = np.log(made.part(0)) - log_mean[going]
        slope = made.part(0, 0) / made.part(0)
        new = _stepped(theta[going], gap, slope, ends[:, going])
        done = (np.abs(gap) <= SAME_MEAN) | ~np.isfinite(gap) | (new == theta[going])
        ends[0, going] = np.where(gap < 0.0, theta[going], ends[0, going])
        ends[1, going] = np.where(gap > 0.0, theta[going], ends[1, going])
        theta[going] = np.where(done, theta[going], new)
        going = going[~done]
        if not going.size:
            break
    return theta, _sum(theta, nu, order)


def _stepped(x: Array, gap: Array, slope: Array, ends: Array) -> Array:
    """Newton's step from x, or to the middle between the ends (2, n) where it leaves them."""
    low = np.where(gap < 0.0, x, ends[0])
    high = np.where(gap > 0.0, x, ends[1])
    new = x - np.clip(gap / np.maximum(slope, 1e-300), -STEP, STEP)
    between = np.isfinite(low) & np.isfinite(high)
    with np.errstate(invalid="ignore"):
        return np.where(between & ~((new > low) & (new < high)), 0.5 * (low + high), new)
