"""The Tweedie family: exact zeros and positive responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import jets
from .base import Array, PerRow, Zeta
from .jets import Jet
from .links.base import Link
from .links.probability import Logit
from .positive_mean import POSITIVE_LINKS, PositiveMean
from .several import LOGARITHM, SeveralParameters
from .special_functions import poisson_counts
from .summed import log_series

#: Series that are kept, of at most so many rows.
KEPT = 3
MOST_KEPT = 100_000
#: All derivatives that are ever wanted: to the third.
THIRD = 3


class OnePlusLogistic(Logit):
    """The link of Tweedie's power: ``power = 1 + 1 / (1 + exp(-eta))``.

    Examples
    --------
    >>> from interlace.families.tweedie import OnePlusLogistic
    >>> float(OnePlusLogistic().inverse(0.0))
    1.5
    """

    name = "logit(power - 1)"

    def __call__(self, mu: np.ndarray) -> np.ndarray:
        return super().__call__(np.asarray(mu, dtype=float) - 1.0)

    def derivative(self, mu: np.ndarray) -> np.ndarray:
        return super().derivative(np.asarray(mu, dtype=float) - 1.0)

    def inverse_derivatives(
        self, eta: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        p, p1, p2, p3 = super().inverse_derivatives(eta)
        return 1.0 + p, p1, p2, p3


class Tweedie(PositiveMean, SeveralParameters):
    """Sums of a Poisson number of gamma variables: exact zeros, variance phi mu^power.

    The power is between 1 (Poisson) and 2 (gamma). Densities are series (Dunn and Smyth 2005,
    Statistics and Computing 15), summed to the last digit; glmmTMB's ``tweedie``.

    Parameters
    ----------
    power : float, optional
        Fixes the power, between 1 and 2; left out, it is estimated.
    phi : float, optional
        Fixes phi; left out, it is estimated.
    link : str or Link, default "log"
        log, identity, sqrt, inverse, inverse_square or power(p).

    Raises
    ------
    ArgumentError
        If a value is out of its range, or the link does not go with positive means.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import Tweedie
    >>> family = Tweedie(power=1.5, phi=1.0)
    >>> np.exp(family.log_density(np.zeros(1), np.ones(1))).round(6)
    array([0.135335])
    """

    name = "tweedie"
    support = "non-negative"
    links = POSITIVE_LINKS
    parameter_scales = {"phi": LOGARITHM, "power": OnePlusLogistic()}
    dispersion_parameter = "phi"
    shape_parameter = "power"

    def __init__(
        self, power: float | None = None, phi: float | None = None, link: str | Link = "log"
    ):
        super().__init__(link, phi=phi, power=power)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        eta, log_phi, psi = self.all_etas(etas)
        nu = self.log_mean_of(eta)
        log_above, log_below = jets.log_expit(psi), jets.log_expit(-psi)
        # power - 1 and 2 - power
        above, below = jets.exp(log_above), jets.exp(log_below)
        positive = y > 0.0
        value = -jets.exp(below * nu - log_phi - log_below)
        if not positive.any():
            return weights * value
        at = [jets.take(x, positive) for x in (nu, log_phi, psi, log_above, log_below)]
        more = self._series(y[positive], at[1:])
        linear = -jets.exp(-jets.take(above, positive) * at[0] - at[1] - at[3]) * y[positive]
        return weights * (value + jets.place(positive, linear + more, y.size))

    def _series(self, y: Array, at: Sequence[Jet]) -> Jet:
        """`_log_series`, which does not depend on means: kept for the last few points.

        Modes are searched, and means moved, at values of phi and power that stay.
        """
        key = (y.tobytes(), *((x.value.tobytes(), *x.parts) for x in at[:2]))
        kept = self.__dict__.setdefault("_kept", [])
        for known, series in kept:
            if known == key:
                return series
        full = [Jet(x.parts, THIRD if len(x.parts) > 1 else x.order) for x in at]
        full[2:] = [jets.log_expit(full[1]), jets.log_expit(-full[1])]
        series = _log_series(np.log(y), full, THIRD)
        if y.size <= MOST_KEPT:
            kept[:] = [(key, series), *kept[: KEPT - 1]]
        return series

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_kept"}

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        phi, power = self.values(zeta)
        return phi * np.asarray(mu, dtype=float) ** power

    @property
    def has_deviance(self) -> bool:
        return True

    def deviance(self, y: Array, mu: Array, weights: PerRow = 1.0, zeta: Zeta = ()) -> Array:
        y, mu, p = np.asarray(y, dtype=float), np.asarray(mu, dtype=float), self.values(zeta)[1]
        unit = y ** (2.0 - p) / ((1.0 - p) * (2.0 - p)) - y * mu ** (1.0 - p) / (1.0 - p)
        return np.maximum(2.0 * weights * (unit + mu ** (2.0 - p) / (2.0 - p)), 0.0)

    def _compound(self, mu: Array, zeta: Zeta) -> tuple[Array, Array, Array]:
        """The mean number of gamma variables, their shape and their scale."""
        phi, p = self.values(zeta)
        number = mu ** (2.0 - p) / (phi * (2.0 - p))
        return number, (2.0 - p) / (p - 1.0), phi * (p - 1.0) * mu ** (p - 1.0)

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        from scipy.special import gammainc, gammaln

        y, mu = np.broadcast_arrays(np.asarray(y, dtype=float), np.asarray(mu, dtype=float))
        number, shape, scale = self._compound(mu, zeta)
        largest = float(np.max(number, initial=0.0))
        total = np.exp(-number)
        for j in range(1, int(largest + 12.0 * np.sqrt(largest) + 40.0)):
            share = np.exp(j * np.log(number) - number - gammaln(j + 1.0))
            total = total + share * gammainc(j * shape, np.maximum(y, 0.0) / scale)
        return np.where(y < 0.0, 0.0, np.minimum(total, 1.0))

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        number, shape, scale = self._compound(np.asarray(mu, dtype=float), zeta)
        counts = poisson_counts(rng, number)
        return scale * rng.standard_gamma(np.maximum(counts, 0.5) * shape) * (counts > 0.0)

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        y = np.asarray(y, dtype=float)
        return y + 0.1 * float(np.mean(y)) if y.any() else y + 0.1

    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        power = self.fixed.get("power", 1.5)
        phi = float(np.average((y - mu) ** 2 / mu**power, weights=prior))
        return {"phi": max(phi, np.finfo(float).tiny), "power": power}


def _log_series(log_y: Array, at: Sequence[Jet], order: int) -> Jet:
    """log of sum over j >= 1 of exp(j w - lgamma(j + 1) - lgamma(a j)) / y, a = e^-psi.

    w = a log y - a log(power - 1) - (1 + a) log phi - log(2 - power).
    """
    log_phi, psi, log_above, log_below = at
    a = jets.exp(-psi)
    w = a * (log_y - log_above - log_phi) - log_phi - log_below
    n = log_y.shape
    with np.errstate(over="ignore"):
        power = 1.0 + np.exp(log_above.value)
        middle = np.exp((2.0 - power) * log_y - log_phi.value - log_below.value)
    points = np.stack([np.broadcast_to(x.value, n) for x in (w, a)])
    moving = 2 if len(psi.parts) > 1 else 1
    series = log_series(_terms, points, middle, 1.0, order, moving)
    return jets.substitute(series, [w, a][:moving]) - log_y


def _terms(j: Array, at: Sequence[Jet]) -> Jet:
    from scipy.special import gammaln

    return j * at[0] - jets.lgamma(at[1] * j) - gammaln(j + 1.0)
