"""The Conway-Maxwell-Poisson family by its mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import compiled, jets
from .base import Array, PerRow, Zeta
from .jets import Jet
from .links.base import Link
from .positive_mean import POSITIVE_LINKS
from .several import LOGARITHM
from .summed import SummedCounts, series

#: phi from which on nothing changes any more, and below which counts are those next to the mean.
LOG_GEOMETRIC = float(np.log(1e4))
LOG_NO_DISPERSION = float(np.log(1e-4))
#: One beyond 100, or below 1 / 100, is as good as there where its information is below this.
FAR, NO_INFORMATION = float(np.log(100.0)), 1e-3


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
    compiled_several = compiled.SEVERAL_CONWAY_MAXWELL, "log", 1.0

    def __init__(self, phi: float | None = None, link: str | Link = "log"):
        super().__init__(link, phi=phi)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        eta, log_phi = self.all_etas(etas)
        at = self.log_mean_of(eta), -log_phi
        order = max(x.order for x in etas)
        return weights * jets.substitute(_log_density(order, at[0].value, at[1].value, y), at)

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        mu = np.asarray(mu, dtype=float)
        # the score of log mu is (y - mu) mu / variance
        score = _log_density(1, np.log(mu), -np.log(self.values(zeta)[0]), mu + 1.0).part(0)
        return mu / score

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        if not self.parameters:
            return None
        flat = abs(zeta[0]) > FAR and information[0] < NO_INFORMATION
        if zeta[0] > LOG_GEOMETRIC or (flat and zeta[0] > 0.0):
            return (
                "phi of the Conway-Maxwell-Poisson tends to infinity: the counts vary no less than "
                "geometric ones, which are the most variable that it has. Use family='nbinom2'"
            )
        if zeta[0] < LOG_NO_DISPERSION or flat:
            return (
                "phi of the Conway-Maxwell-Poisson tends to zero: the counts are as near to their "
                "means as whole numbers can be. Take fewer effects, without one for each row, or "
                "hold phi, as in il.ConwayMaxwellPoisson(phi=0.1)"
            )
        return None

    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        return {"phi": float(np.clip(np.average((y - mu) ** 2 / mu, weights=prior), 0.1, 10.0))}


def _log_density(order: int, log_mean: Array, log_nu: Array, y: Array) -> Jet:
    """The log-density of counts as a jet in log mean and log nu."""
    from .kernels import _several

    return series(_several.conway_maxwell, order, log_mean, log_nu, y)
