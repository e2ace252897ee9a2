"""The generalised Poisson family."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import compiled, jets
from .base import Array, PerRow, Zeta
from .jets import Jet
from .links.base import Link
from .positive_mean import POSITIVE_LINKS
from .several import LOGARITHM
from .summed import SummedCounts

#: Below this phi, and below 1 where nothing holds it, the density of counts at their means is
#: without bound.
LOG_NO_DISPERSION = float(np.log(1e-6))


class GeneralisedPoisson(SummedCounts):
    """Counts with a variance in proportion to the mean, above or below it: mu phi.

    Consul and Jain 1973, Technometrics 15, in the form of glmmTMB's ``genpois``: with
    h = phi^(-1/2) the probability of y is mu h (y + (mu - y) h)^(y - 1) exp(-y - (mu - y) h) / y!.
    With phi < 1 large counts have probability 0 and the others add up to slightly more than 1.

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
    >>> from interlace.families import GeneralisedPoisson
    >>> GeneralisedPoisson(phi=2.0).variance(np.array([3.0]))
    array([6.])
    """

    name = "generalised_poisson"
    links = POSITIVE_LINKS
    parameter_scales = {"phi": LOGARITHM}
    dispersion_parameter = "phi"
    compiled_several = compiled.SEVERAL_GENERALISED_POISSON, "log", 1.0

    def __init__(self, phi: float | None = None, link: str | Link = "log"):
        super().__init__(link, phi=phi)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        from scipy.special import gammaln

        eta, log_phi = self.all_etas(etas)
        nu = self.log_mean_of(eta)
        log_theta = nu - 0.5 * log_phi
        zero = y == 0.0
        one = np.where(zero, 1.0, y)
        # y + (mu - y) h, and its logarithm from that of y
        beyond = (jets.exp(nu) - y) * jets.exp(-0.5 * log_phi)
        log_sum = jets.log1p(beyond / one) + np.log(one)
        more = log_theta + (y - 1.0) * log_sum - beyond - y - gammaln(y + 1.0)
        return weights * jets.where(zero, -jets.exp(log_theta), more)

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        return np.asarray(mu, dtype=float) * self.values(zeta)[0]

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        if not self.parameters:
            return None
        if zeta[0] > LOG_NO_DISPERSION and (zeta[0] > 0.0 or information[0] > 0.0):
            return None
        return (
            "phi of the generalised Poisson tends to zero: the model can fit every count exactly, "
            "where the likelihood has no maximum. Take fewer effects, without one for each row, "
            "or hold phi, as in il.GeneralisedPoisson(phi=1)"
        )

    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        return {"phi": max(float(np.average((y - mu) ** 2 / mu, weights=prior)), 0.1)}
