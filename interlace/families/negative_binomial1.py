"""The negative binomial family NB1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import compiled, jets
from .base import Array, PerRow, Zeta
from .jets import Jet
from .links.base import Link
from .positive_mean import POSITIVE_LINKS, PositiveMean
from .several import LOGARITHM, SeveralParameters
from .special_functions import poisson_counts

#: phi is as good as 0 from here on, relative to nothing: it is a ratio of variances.
LOG_NO_OVERDISPERSION = float(np.log(1e-6))


class NegativeBinomial1(PositiveMean, SeveralParameters):
    """Counts with a variance in proportion to the mean, NB1: mu (1 + phi).

    glmmTMB's ``nbinom1``: negative binomial of size mu / phi (Hardin and Hilbe, Generalized
    Linear Models and Extensions).

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
    >>> from interlace.families import NegativeBinomial1
    >>> NegativeBinomial1().parameters
    ('phi',)
    >>> NegativeBinomial1(phi=2.0).variance(np.array([4.0]))
    array([12.])
    """

    name = "negativebinomial1"
    support = "count"
    links = POSITIVE_LINKS
    discrete = True
    parameter_scales = {"phi": LOGARITHM}
    dispersion_parameter = "phi"
    compiled_several = compiled.SEVERAL_NB1, "log", 1.0

    def __init__(self, phi: float | None = None, link: str | Link = "log"):
        super().__init__(link, phi=phi)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        eta, log_phi = self.all_etas(etas)
        size = jets.exp(self.log_mean_of(eta) - log_phi)
        beyond = y * jets.log_expit(log_phi) - size * jets.softplus(log_phi)
        return weights * (jets.log_multiset(size, y) + beyond)

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        return np.asarray(mu, dtype=float) * (1.0 + self.values(zeta)[0])

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        from scipy.special import betainc

        y, (phi,) = np.floor(y), self.values(zeta)
        size = np.asarray(mu, dtype=float) / phi
        return np.where(y < 0.0, 0.0, betainc(size, np.maximum(y, 0.0) + 1.0, 1.0 / (1.0 + phi)))

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        mu, (phi,) = np.asarray(mu, dtype=float), self.values(zeta)
        return poisson_counts(rng, phi * rng.standard_gamma(mu / phi))

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        y = np.asarray(y, dtype=float)
        return np.where(y == 0.0, 1.0 / 6.0, y)

    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        excess = np.sum(prior * ((y - mu) ** 2 - mu)) / np.sum(prior * mu)
        return {"phi": float(max(excess, 1e-2))}

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        if not len(zeta) or zeta[0] > LOG_NO_OVERDISPERSION:
            return None
        return (
            "phi of the negative binomial NB1 tends to zero: the counts vary no more than Poisson "
            "counts do. Use family='poisson'"
        )


class NegativeBinomial1Family(NegativeBinomial1):
    """`NegativeBinomial1` under the name that goes with NegativeBinomial2Family.

    Parameters
    ----------
    alpha : float, optional
        Fixes phi; left out, it is estimated.
    link : str or Link, default "log"
        As for `NegativeBinomial1`.

    Examples
    --------
    >>> from interlace.families import NegativeBinomial1, NegativeBinomial1Family
    >>> NegativeBinomial1Family(alpha=2.0) == NegativeBinomial1(phi=2.0)
    True
    """

    def __new__(cls, alpha: float | None = None, link: str | Link = "log") -> Any:
        return NegativeBinomial1(alpha, link)
