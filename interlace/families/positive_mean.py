"""Families of positive means: what they share is the chain rule from log mu to eta."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np

from .base import Array, Family, PerRow, Rows, Zeta, gathered, rowwise
from .links.base import Link
from .links.power import Identity, Inverse

POSITIVE_LINKS = ("log", "identity", "sqrt", "inverse", "inverse_square", "power")


def means_within(y: Array, link: Link) -> Array:
    """Responses of any sign as means that a link has: a tenth of the mean where they are no such.

    The identity takes all, the inverse those away from 0, other links those above it.
    """
    y = np.array(y, dtype=float)
    if isinstance(link, Identity):
        return y
    least = 0.1 * float(np.mean(np.abs(y))) or 0.1
    low = (np.abs(y) if isinstance(link, Inverse) else y) < least
    return np.where(low, least, y)


class InLogMean(NamedTuple):
    """The log-density of one observation of weight 1 as a function of nu = log mu.

    Everything is to be multiplied by `scale`, last of all: what overflows then is a true overflow,
    never infinity times zero. Each of the triples in `extra` holds the derivatives of the value,
    of `d1`, `d2` and of `information` with respect to one parameter on the log scale.
    """

    value: Array
    d1: Array
    d2: Array
    d3: Array
    information: Array
    information1: Array
    scale: PerRow = 1.0
    extra: tuple[tuple[Array, Array, Array, Array], ...] = ()

    def with_scale(self, scale: Any, estimated: bool) -> InLogMean:
        """The same times a precision, which is its own derivative on the log scale."""
        itself = ((self.value, self.d1, self.d2, self.information),)
        return self._replace(scale=scale, extra=itself if estimated else ())


class PositiveMean(Family):
    """A family whose mean is positive."""

    def valid(self, eta: Array) -> Array:
        ok = self.link.valid(eta)
        if not self.link.two_signs:
            return ok
        with np.errstate(divide="ignore", invalid="ignore"):
            return ok & (self.link.inverse(eta) > 0.0)


class PositiveFamily(PositiveMean):
    """A family whose mean is positive, written as a function of log mu."""

    @abstractmethod
    def _in_log_mean(self, nu: Array, y: Array, zeta: Zeta) -> InLogMean:
        """The log-density without its constant, and its derivatives in nu = log mu."""

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        return np.array(y, dtype=float)

    def rows(
        self, eta: Array, y: Array, weights: Array, zeta: Zeta = (), expected: bool = True
    ) -> Rows:
        eta, ok = self._in_range(eta)
        nu, nu1, nu2, nu3 = self.link.log_mean(eta)
        with np.errstate(over="ignore", invalid="ignore"):
            f = self._in_log_mean(nu, y, zeta)
            score = f.d1 * nu1
            observed = -(f.d2 * nu1 * nu1 + f.d1 * nu2)
            if expected:
                weight = f.information * nu1 * nu1
                slope = (f.information1 * nu1 * nu1 + 2.0 * nu2 * f.information) * nu1
            else:
                weight = observed
                slope = -((f.d3 * nu1 * nu1 + 3.0 * nu2 * f.d2) * nu1 + f.d1 * nu3)
            extra = np.empty((len(self.parameters), 3, nu.size))
            for out, (value, d1, d2, information) in zip(extra, f.extra, strict=True):
                out[0] = value
                out[1] = d1 * nu1
                out[2] = information * nu1 * nu1 if expected else -(d2 * nu1 * nu1 + d1 * nu2)
            scale = weights * f.scale
            return gathered(
                ok,
                f.value * scale,
                score * scale,
                weight * scale,
                observed * scale,
                slope * scale,
                extra * scale,
            )

    def log_density(
        self,
        y: Array,
        mu: Array,
        weights: PerRow | None = None,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        y, mu, weights = rowwise(y, mu, 1.0 if weights is None else weights)
        possible = (y >= 0.0) if self.discrete else (y > 0.0)
        possible = possible & ((mu > 0.0) | (y == 0.0)) & (mu >= 0.0) & (mu < np.inf)
        y = np.where(possible, y, 1.0)
        nu = np.log(np.where(possible & (mu > 0.0), mu, np.finfo(float).tiny))
        with np.errstate(over="ignore"):
            f = self._in_log_mean(nu, y, zeta)
            value = weights * f.scale * f.value + self.constant(y, weights, 1.0, zeta)[0]
        return np.where(possible, np.where(mu > 0.0, value, 0.0), -np.inf)
