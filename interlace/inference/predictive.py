"""The predictive distribution of an observation: the family's, mixed over its linear predictors.

Linear predictors are normal about their estimates, with the covariance of these and of the random
effects that are not known. Nothing is drawn: distribution function and density are sums over nodes
of quadrature, quantiles are solved for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .linear_predictors import all_predictors, linear_predictor
from .normal_nodes import COARSE, normal_blocks
from .ordinal import latent, rows_at, variances
from .prediction_variance import estimate_covariance, unknown_covariance

if TYPE_CHECKING:
    from ..models.kinds import AnyFit
    from .prediction_rows import PredictionRows

# Linear predictors may be out of the range of the link with this probability: the distribution is
# then that of the rest.
MOST_OUTSIDE = 0.01
# A continuous quantile is good to this share of itself or of the spread of the responses.
PRECISION = 1e-9
MOST_STEPS = 200
# A logarithm or logit with a standard error beyond this one is not determined: it has no end.
WITHOUT_END = 5.0
# Standard deviations of a linear predictor within which quantiles are asked for.
FAR_OUT = 3.0
TINY = float(np.finfo(float).tiny)
# Whole numbers beyond this one are no longer told apart by doubles.
LARGEST_COUNT = 2.0**52
#: Ends of the support of continuous responses.
SUPPORTS = {
    "positive": (0.0, np.inf),
    "non-negative": (0.0, np.inf),
    "open unit": (0.0, 1.0),
    "half-open unit": (0.0, 1.0),
    "closed unit": (0.0, 1.0),
}

Distribution = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Nodes:
    """The mixtures of m rows: their places (m,), means (m, N), weights (m, N), and the rest."""

    rows: np.ndarray
    mu: np.ndarray
    zeta: np.ndarray
    etas: np.ndarray
    weights: np.ndarray
    prior: np.ndarray
    trials: np.ndarray


@dataclass(frozen=True, eq=False)
class Predictive:
    """Predictive distributions of one observation in each row.

    Attributes
    ----------
    fit : the fit
    etas : (K, r)
        Linear predictors.
    S : (K, K, r)
        Their covariance matrices.
    prior, trials : (r,)
        Prior weights and trials of the observations.
    thresholds : (size, r), optional
        Of ordered categories, where rows have their own ones.
    """

    fit: AnyFit
    etas: np.ndarray
    S: np.ndarray
    prior: np.ndarray
    trials: np.ndarray
    thresholds: np.ndarray | None = None

    def quantile(self, p: float) -> np.ndarray:
        """The least response that is not exceeded with probability p, (r,).

        Proportions where there are trials; missing where predictors are, or leave the range.
        """
        distinct, which, _ = self._distinct()
        out = np.full(distinct.etas.shape[1], np.nan)
        family = self.fit.family
        for nodes in distinct._nodes():
            if family.discrete:
                top = nodes.trials if family.support == "proportion" else None
                scale = np.ones(len(nodes.rows)) if top is None else top
                cdf = partial(_scaled, partial(self._cdf, nodes), scale)
                value = whole_quantile(cdf, p, len(nodes.rows), top) / scale
            else:
                value = quantile(partial(self._cdf, nodes), p, *distinct._search(nodes))
            out[nodes.rows] = np.where(np.isnan(nodes.weights[:, 0]), np.nan, value)
        return out[which]

    def _distinct(self, *beside: np.ndarray) -> tuple[Predictive, np.ndarray, np.ndarray]:
        """The same without rows that repeat others, which of these each row is, and their places.

        Rows that differ in one of the arrays ``beside`` (r,) are others.
        """
        K, r = self.etas.shape
        numbers = [self.prior, self.trials, *beside, *_rows(self.thresholds)]
        table = np.concatenate([self.etas, self.S.reshape(K * K, r), numbers])
        _, first, which = np.unique(table, axis=1, return_index=True, return_inverse=True)
        own = self.etas[:, first], self.S[:, :, first], self.prior[first], self.trials[first]
        thresholds = None if self.thresholds is None else self.thresholds[:, first]
        return Predictive(self.fit, *own, thresholds), which.reshape(-1), first

    def log_density(self, y: np.ndarray) -> np.ndarray:
        """Logarithms of density or probability of the responses y, (r,), times prior weights."""
        if self._normal:
            variance = self.S[0, 0] + self.fit.dispersion / self.prior
            gap = y - self.etas[0]
            return -0.5 * (np.log(2.0 * np.pi * variance) + gap * gap / variance)
        distinct, which, first = self._distinct(y)
        out = np.full(distinct.etas.shape[1], np.nan)
        for nodes in distinct._nodes():
            m, N = nodes.mu.shape
            own = np.repeat(y[first][nodes.rows], N)
            trials, prior = np.repeat(nodes.trials, N), np.repeat(nodes.prior, N)
            family = self.fit.family
            if self.fit.several:
                values = family.derivatives(nodes.etas, own, prior * trials, trials, order=0).value
            else:
                values = family.log_density_at(
                    own, nodes.etas[0], prior * trials, trials, nodes.zeta
                )
            values = values.reshape(m, N)
            highest = values.max(axis=1, keepdims=True)
            highest = np.where(np.isfinite(highest), highest, 0.0)
            with np.errstate(divide="ignore"):
                total = np.einsum("mN,mN->m", np.exp(values - highest), nodes.weights)
                out[nodes.rows] = np.log(total) + highest[:, 0]
        return out[which]

    @property
    def _normal(self) -> bool:
        """Whether the mixture is a normal distribution itself."""
        family = self.fit.family
        return family.residual_variance and family.link.linear and not self.fit.several

    def cdf(self, y: np.ndarray) -> np.ndarray:
        """Probabilities of responses of at most y, (r,)."""
        out = np.full(self.etas.shape[1], np.nan)
        for nodes in self._nodes():
            out[nodes.rows] = self._cdf(nodes, y[nodes.rows])
        return out

    def mean(self) -> np.ndarray:
        """Means, (r,)."""
        out = np.full(self.etas.shape[1], np.nan)
        for nodes in self._nodes():
            out[nodes.rows] = np.einsum("mN,mN->m", nodes.mu, nodes.weights)
        return out

    def _cdf(self, nodes: Nodes, y: np.ndarray) -> np.ndarray:
        m, N = nodes.mu.shape
        y, prior, trials = (np.repeat(own, N) for own in (y, nodes.prior, nodes.trials))
        values = self.fit.family.cdf_of(y, nodes.etas[0], prior, trials, nodes.zeta)
        return np.einsum("mN,mN->m", np.reshape(values, (m, N)), nodes.weights)

    def _search(self, nodes: Nodes) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Where a search for quantiles of continuous responses begins, and where it has to end."""
        mean = np.einsum("mN,mN->m", nodes.mu, nodes.weights)
        spread = np.einsum("mN,mN->m", (nodes.mu - mean[:, None]) ** 2, nodes.weights)
        size = np.sqrt(spread + self._noise(self.etas[:, nodes.rows], nodes.rows)[1])
        size = np.where((size > 0.0) & np.isfinite(size), size, np.maximum(np.abs(mean), TINY))
        return mean, size, *SUPPORTS.get(self.fit.family.support or "", (-np.inf, np.inf))

    def _noise(self, etas: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Slope of the mean in its predictor, and the family's own variance, at predictors."""
        family = self.fit.family
        inside = np.where(family.valid(etas[0]), etas[0], family.inside)
        zeta = etas[1:] if self.fit.several else self.fit.zeta
        with np.errstate(all="ignore"):
            mu = family.mean(inside, zeta)
            variance = np.asarray(family.dispersion(zeta)) * family.variance(mu, zeta)
            size = self.prior[rows] * self.trials[rows]
            return np.abs(family.mean_slope(inside, zeta)), variance / size

    def _width(self, etas: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """How far eta moves while the mean moves by a standard deviation of y, at most 1, (r,).

        The least within some standard deviations of eta: counts know their mean the better the
        larger it is.
        """
        width = np.ones(len(rows))
        if self.fit.ordered:  # thresholds are a unit or so apart, and F of cloglog bends within
            return 0.5 * width
        for side in (-FAR_OUT, 0.0, FAR_OUT):
            moved = etas.copy()
            moved[0] += side * np.sqrt(self.S[0, 0, rows])
            slope, variance = self._noise(moved, rows)
            with np.errstate(all="ignore"):
                own = np.sqrt(variance) / slope
            width = np.where(own > 0.0, np.minimum(width, own), width)
        return width

    def _nodes(self) -> Iterator[Nodes]:
        finite = np.isfinite(self.etas).all(axis=0) & np.isfinite(self.S).all(axis=(0, 1))
        usable = np.flatnonzero(finite)
        family, etas = self.fit.family, self.etas[:, usable]
        width = self._width(etas, usable)
        for block in normal_blocks(etas, self.S[:, :, usable], COARSE, width):
            K, m, N = block.etas.shape
            flat = block.etas.reshape(K, m * N)
            inside = family.valid(flat[0])
            flat[0] = np.where(inside, flat[0], family.inside)
            zeta = flat[1:] if self.fit.several else self.fit.zeta
            if self.thresholds is not None:
                zeta = np.repeat(self.thresholds[:, usable[block.rows]], N, axis=1)
            with np.errstate(over="ignore", invalid="ignore"):
                mu = family.mean(flat[0], zeta)
            inside &= np.isfinite(mu)
            weights = np.where(inside.reshape(m, N), block.weights, 0.0)
            total = weights.sum(axis=1, keepdims=True)
            weights /= np.where(total > 1.0 - MOST_OUTSIDE, total, np.nan)
            rows, mu = usable[block.rows], np.where(inside, mu, 1.0).reshape(m, N)
            yield Nodes(rows, mu, zeta, flat, weights, self.prior[rows], self.trials[rows])


def _rows(table: np.ndarray | None) -> list[np.ndarray]:
    return [] if table is None else list(table)


def _scaled(cdf: Distribution, scale: np.ndarray, y: np.ndarray) -> np.ndarray:
    return cdf(y / scale)


def whole_quantile(cdf: Distribution, p: float, m: int, top: np.ndarray | None) -> np.ndarray:
    """The least whole number k >= 0 with F(k) >= p, for m distributions at once; top at most."""
    low = np.full(m, -1.0)
    high = np.zeros(m) if top is None else np.array(top)
    step = np.ones(m)
    while top is None:
        short = (cdf(high) < p) & (high < LARGEST_COUNT)
        if not short.any():
            break
        low = np.where(short, high, low)
        high = np.where(short, high + step, high)
        step = np.where(short, 2.0 * step, step)
    while (gap := high - low).max(initial=0.0) > 1.0:
        middle = np.where(gap > 1.0, np.floor(low + 0.5 * gap), high)
        above = cdf(middle) >= p
        low = np.where(above | (gap <= 1.0), low, middle)
        high = np.where(above, middle, high)
    return high


def quantile(
    cdf: Distribution, p: float, centre: np.ndarray, size: np.ndarray, least: float, most: float
) -> np.ndarray:
    """The least y with F(y) >= p, for distributions of several rows at once, with jumps or without.

    By regula falsi in the Illinois way, every third step a bisection: where F jumps, as at the
    zeros of a Tweedie distribution, the ends close on the jump.
    """
    low, high = np.maximum(centre - size, least), np.minimum(centre + size, most)
    low, f_low = _moved(cdf, p, low, size, least, -1.0)
    high, f_high = _moved(cdf, p, high, size, most, 1.0)
    at_least = f_low >= 0.0  # the whole of p is at the lower end of the support
    for step in range(MOST_STEPS):
        gap = high - low
        if (gap <= PRECISION * np.maximum(np.abs(high), PRECISION * size)).all():
            break
        share = 0.5 if step % 3 == 2 else np.clip(f_low / (f_low - f_high), 0.02, 0.98)
        middle = low + gap * np.where(np.isfinite(share), share, 0.5)
        value = cdf(middle) - p
        above = value >= 0.0
        # the end that stays counts half, so that it moves next time
        f_low = np.where(above, 0.5 * f_low, value)
        f_high = np.where(above, value, 0.5 * f_high)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.where(at_least, least, high)


def _moved(
    cdf: Distribution, p: float, end: np.ndarray, size: np.ndarray, limit: float, side: float
) -> tuple[np.ndarray, np.ndarray]:
    """An end of the bracket moved outwards until F is on its side of p, and F - p there."""
    for _ in range(MOST_STEPS):
        value = cdf(end) - p
        wrong = (value >= 0.0 if side < 0.0 else value < 0.0) & (end != limit)
        if not wrong.any():
            break
        size = np.where(wrong, 2.0 * size, size)
        moved = end + side * size
        moved = np.maximum(moved, limit) if side < 0.0 else np.minimum(moved, limit)
        end = np.where(wrong, moved, end)
    return end, value


def predictive(
    fit: AnyFit,
    rows: PredictionRows,
    masks: list[np.ndarray],
    prior: np.ndarray | float = 1.0,
    trials: np.ndarray | float = 1.0,
) -> Predictive:
    """The predictive distributions of rows with all linear predictors and all of Z."""
    shape = rows.index.shape
    own = np.broadcast_to(prior, shape), np.broadcast_to(trials, shape)
    unknown = unknown_covariance(fit, rows, masks)
    if fit.ordered:
        # in units of the scale of each row, its own thresholds with them
        eta = linear_predictor(fit, rows, masks)
        each = rows_at(cast("Any", fit), eta, rows.predictors, rows, masks)
        variance = variances(each, latent(each))[:, 0]
        # estimates without end are given
        variance = np.where(np.isfinite(variance), variance, 0.0) + unknown[0, 0]
        tau, alpha = each.tau, each.alpha * each.tau[:, None]
        return Predictive(fit, (eta * tau)[None], (variance * tau**2)[None, None], *own, alpha.T)
    etas = (
        all_predictors(fit, rows, masks)
        if fit.several
        else linear_predictor(fit, rows, masks)[None]
    )
    S = estimate_covariance(fit, rows, masks)
    for k in range(1, len(S)):  # a parameter without end, as a probability of 0, is given
        lost = ~(S[k, k] < WITHOUT_END**2)
        S[k, :, lost] = S[:, k, lost] = 0.0
    return Predictive(fit, etas, S + unknown, *own)
