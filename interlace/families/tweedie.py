"""The Tweedie family: exact zeros and positive responses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import compiled, jets
from .base import Array, PerRow, Zeta
from .jets import Jet
from .links.base import Link
from .links.probability import Logit
from .positive_mean import POSITIVE_LINKS, PositiveMean
from .several import LOGARITHM, SeveralParameters
from .special_functions import logistic, poisson_counts
from .summed import series

#: The power, on the scale of its link, from which on the family is as good as a limit of it.
FAR_POWER = float(np.log(1e4))
#: A dispersion this share of that of the mean's own size is an exact fit, as for the Gamma.
LOG_EXACT = float(np.log(1e-11))


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

    def inverse(self, eta: np.ndarray) -> np.ndarray:
        return 1.0 + super().inverse(eta)

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
    compiled_several = compiled.SEVERAL_TWEEDIE, "log", 1.0

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
        at, log_y = [jets.take(x, positive) for x in (log_phi, psi)], np.log(y[positive])
        order = max(x.order for x in etas)
        more = jets.substitute(_log_series(order, log_y, at[0].value, at[1].value), at)
        nu, above, log_above = (jets.take(x, positive) for x in (nu, above, log_above))
        more = more - jets.exp(-above * nu - at[0] - log_above) * y[positive]
        return weights * (value + jets.place(positive, more, y.size))

    def kernel_kind(self) -> compiled.Kind | None:
        kind = compiled.several(self)
        if kind is None:
            return None
        at, values = [-1, -1], [0.0, 0.0]
        for i, (name, link) in enumerate(self.all_parameters.items()):
            if name in self.fixed:
                values[i] = float(link(np.asarray(self.fixed[name])))
            else:
                at[i] = 1 + self.parameters.index(name)
        return kind._replace(par_at=at[0], par=values[0], zi_at=at[1], zi=values[1])

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

    def parameter_unit(self, y: Array, weights: PerRow = 1.0) -> float:
        return float(np.mean(y)) or 1.0

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        log_phi, psi = (
            float(link(np.asarray(self.fixed[name])))
            if name in self.fixed
            else zeta[self.parameters.index(name)]
            for name, link in self.all_parameters.items()
        )
        if (
            "phi" not in self.fixed
            and log_phi < logistic(np.asarray(psi))[1] * np.log(unit) + LOG_EXACT
        ):
            return (
                "the model fits the response exactly: its dispersion tends to zero and the "
                "likelihood has no maximum. Take fewer effects, without one for each row"
            )
        if "power" in self.fixed or abs(psi) < FAR_POWER:
            return None
        if psi > 0.0:
            return (
                "the power of Tweedie's family tends to 2, where it is the Gamma family: no "
                "response is zero. Use family=il.Gamma('log')"
            )
        return (
            "the power of Tweedie's family tends to 1, where responses are whole multiples of phi "
            "and the likelihood has no maximum. Hold it, as in il.Tweedie(power=1.5), or take a "
            "family of counts"
        )

    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        power = self.fixed.get("power", 1.5)
        phi = float(np.average((y - mu) ** 2 / mu**power, weights=prior))
        return {"phi": max(phi, np.finfo(float).tiny), "power": power}


def _log_series(order: int, log_y: Array, log_phi: Array, psi: Array) -> Jet:
    """log of sum over j >= 1 of exp(j w - lgamma(j + 1) - lgamma(a j)) / y, a = e^-psi.

    w = a log y - a log(power - 1) - (1 + a) log phi - log(2 - power). A jet in log phi and psi.
    """
    from .kernels import _several

    return series(_several.tweedie_series, order, log_y, log_phi, psi)
