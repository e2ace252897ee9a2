"""Continuous families with a scale in the unit of the response: t, skew normal, lognormal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import compiled, jets
from .base import Array, PerRow, Zeta
from .jets import Jet
from .links.base import Link
from .links.power import Identity
from .positive_mean import POSITIVE_LINKS, PositiveMean, means_within
from .several import LOGARITHM, SeveralParameters

LOG_2PI = float(np.log(2.0 * np.pi))
#: A standard deviation 3e-6 of that of the response is an exact fit, as for the Gaussian.
LOG_EXACT = 0.5 * float(np.log(1e-11))
#: Searches for a standard deviation begin no lower, in units of the response.
LEAST_SPREAD = 1e-5
#: Degrees of freedom from which on Student's t is the normal distribution for all that data tell.
LOG_NORMAL = float(np.log(1e5))
#: The largest skewness of a sample that moments of the skew normal are taken from.
LARGEST_SKEWNESS = 0.9
LEAST_SHAPE = 1.0
#: A search that ends so near to shape 0 may have stopped at the stationary point there.
NEAR_SYMMETRY = 0.05
#: From here on it is half a normal distribution but for 1/500 of a standard deviation at its edge.
HALF_NORMAL = 500.0
#: ... and from here on for all that data tell which have so little information on it.
FAR_SHAPE, NO_INFORMATION = 100.0, 1e-3


class ScaleFamily(SeveralParameters):
    """A family whose first parameter, sigma, is in the unit of the response."""

    dispersion_parameter = "sigma"

    def parameter_unit(self, y: Array, weights: PerRow = 1.0) -> float:
        size = largest(y)
        return max(float(np.std(y / size)) * size, np.finfo(float).tiny)

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        return means_within(y, self.link)

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        if "sigma" in self.fixed or zeta[0] > np.log(unit) + LOG_EXACT:
            return None
        return (
            "the model fits the response exactly: its residual variance tends to zero and the "
            "likelihood has no maximum. Take fewer effects, without one for each row"
        )


def largest(y: Array) -> float:
    """The size of numbers whose squares may be beyond the doubles."""
    return max(float(np.max(np.abs(y), initial=0.0)), np.finfo(float).tiny)


class StudentT(ScaleFamily):
    """Responses with heavy tails: (y - mu) / sigma has Student's t distribution.

    glmmTMB's ``t_family``; Lange, Little and Taylor 1989, JASA 84. The variance is
    sigma^2 df / (df - 2), infinite for df <= 2.

    Parameters
    ----------
    df : float, optional
        Fixes the degrees of freedom; left out, they are estimated.
    sigma : float, optional
        Fixes the scale; left out, it is estimated.
    link : str or Link, default "identity"
        identity, log, sqrt, inverse, inverse_square or power(p).

    Raises
    ------
    ArgumentError
        If a value is not positive, or the link does not go with the family.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import StudentT
    >>> StudentT(df=4.0).parameters
    ('sigma',)
    >>> StudentT(df=4.0, sigma=1.0).variance(np.zeros(1))
    array([2.])
    """

    name = "student_t"
    support = "real"
    links = POSITIVE_LINKS
    parameter_scales = {"sigma": LOGARITHM, "df": LOGARITHM}
    shape_parameter = "df"

    def __init__(
        self, df: float | None = None, sigma: float | None = None, link: str | Link = "identity"
    ):
        super().__init__(link, sigma=sigma, df=df)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        from scipy.special import gammaln

        eta, log_sigma, log_df = self.all_etas(etas)
        t = (y - self.mean_of(eta)) * jets.exp(-log_sigma)
        df = jets.exp(log_df)
        gammas = jets.log_multiset(0.5 * df, np.full(np.shape(y), 0.5)) + gammaln(1.5)
        peak = gammas - 0.5 * (log_df + np.log(np.pi)) - log_sigma
        return weights * (peak - 0.5 * (df + 1.0) * jets.log1p(t * t * jets.exp(-log_df)))

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        sigma, df = self.values(zeta)
        with np.errstate(divide="ignore"):
            more = np.where(df > 2.0, df / np.maximum(df - 2.0, 0.0), np.inf)
        return sigma * sigma * more + np.zeros(np.shape(mu))

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        from scipy.special import stdtr

        sigma, df = self.values(zeta)
        return stdtr(df, (np.asarray(y, dtype=float) - mu) / sigma)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        mu, (sigma, df) = np.asarray(mu, dtype=float), self.values(zeta)
        return mu + sigma * rng.standard_t(df, mu.shape)

    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        size = largest(y - mu)
        square = float(np.average(((y - mu) / size) ** 2, weights=prior))
        fourth = float(np.average(((y - mu) / size) ** 4, weights=prior))
        excess = fourth / max(square * square, np.finfo(float).tiny) - 3.0
        df = self.fixed.get("df", 4.0 + 6.0 / max(excess, 0.2))
        return {"sigma": size * np.sqrt(square * max(df - 2.0, 0.2) / df), "df": df}

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        if "df" not in self.fixed and zeta[-1] > LOG_NORMAL:
            return (
                "the degrees of freedom of Student's t tend to infinity: the residuals have no "
                "heavy tails. Use family='gaussian'"
            )
        return super().infinite(zeta, unit, information)


class SkewNormal(ScaleFamily):
    """Responses with a skewed normal distribution of mean mu and standard deviation sigma.

    Azzalini's distribution in its centred form, with the shape alpha of the direct one: glmmTMB's
    ``skewnormal`` (Azzalini and Capitanio 2014, The Skew-Normal and Related Families).

    Parameters
    ----------
    sigma : float, optional
        Fixes the standard deviation; left out, it is estimated.
    shape : float, optional
        Fixes alpha, 0 for the normal distribution; left out, it is estimated.
    link : str or Link, default "identity"
        identity, log, sqrt, inverse, inverse_square or power(p).

    Raises
    ------
    ArgumentError
        If a value is out of its range, or the link does not go with the family.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import SkewNormal
    >>> SkewNormal(shape=3.0).parameters
    ('sigma',)
    >>> SkewNormal(sigma=2.0, shape=3.0).variance(np.zeros(1))
    array([4.])
    """

    name = "skew_normal"
    support = "real"
    links = POSITIVE_LINKS
    parameter_scales = {"sigma": LOGARITHM, "shape": Identity()}
    shape_parameter = "shape"

    def __init__(
        self, sigma: float | None = None, shape: float | None = None, link: str | Link = "identity"
    ):
        super().__init__(link, sigma=sigma, shape=shape)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        eta, log_sigma, alpha = self.all_etas(etas)
        delta = alpha * (1.0 + alpha * alpha) ** -0.5
        share = 1.0 - delta * delta * (2.0 / np.pi)
        log_omega = log_sigma - 0.5 * jets.log(share)
        z = (y - self.mean_of(eta)) * jets.exp(-log_omega) + delta * np.sqrt(2.0 / np.pi)
        normal = -0.5 * (z * z + LOG_2PI) - log_omega
        return weights * (normal + jets.log_ndtr(alpha * z) + np.log(2.0))

    def _direct(self, mu: Array, zeta: Zeta) -> tuple[Array, Array, Array, Array]:
        """Location, scale, shape and delta."""
        sigma, alpha = self.values(zeta)
        delta = alpha / np.sqrt(1.0 + alpha * alpha)
        omega = sigma / np.sqrt(1.0 - 2.0 * delta * delta / np.pi)
        return mu - omega * delta * np.sqrt(2.0 / np.pi), omega, alpha, delta

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        return self.values(zeta)[0] ** 2 + np.zeros(np.shape(mu))

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        from scipy.special import ndtr, owens_t

        location, omega, alpha, _ = self._direct(np.asarray(mu, dtype=float), zeta)
        z = (np.asarray(y, dtype=float) - location) / omega
        return np.clip(ndtr(z) - 2.0 * owens_t(z, alpha), 0.0, 1.0)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        location, omega, _, delta = self._direct(np.asarray(mu, dtype=float), zeta)
        half, other = (
            np.abs(rng.standard_normal(location.shape)),
            rng.standard_normal(location.shape),
        )
        return location + omega * (delta * half + np.sqrt(1.0 - delta * delta) * other)

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        if "shape" not in self.fixed and abs(zeta[-1]) < NEAR_SYMMETRY:
            return (
                "the shape of the skew normal ended at zero, where every likelihood is stationary: "
                "compare fits that hold it, as il.SkewNormal(shape=1) and il.SkewNormal(shape=-1), "
                "with family='gaussian'"
            )
        flat = abs(zeta[-1]) > FAR_SHAPE and information[-1] < NO_INFORMATION
        if "shape" not in self.fixed and (flat or abs(zeta[-1]) > HALF_NORMAL):
            return (
                "the shape of the skew normal tends to infinity: the residuals are as skewed as "
                "half a normal distribution, or more. Hold it, as "
                f"il.SkewNormal(shape={np.copysign(HALF_NORMAL, zeta[-1]):g}), or take a family of "
                "skewed responses such as 'gamma' or 'lognormal'"
            )
        return super().infinite(zeta, unit, information)

    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        size = largest(y - mu)
        r = (y - mu) / size
        sigma = float(np.sqrt(np.average(r * r, weights=prior)))
        skewness = float(np.average(r**3, weights=prior)) / max(sigma**3, np.finfo(float).tiny)
        power = min(abs(skewness), LARGEST_SKEWNESS) ** (2.0 / 3.0)
        delta = np.sqrt(0.5 * np.pi * power / (power + (2.0 - 0.5 * np.pi) ** (2.0 / 3.0)))
        shape = delta / np.sqrt(1.0 - delta * delta)
        # alpha = 0 is a stationary point of every likelihood: start well beside it
        shape = np.copysign(max(abs(shape), LEAST_SHAPE), skewness)
        return {"sigma": sigma * size, "shape": float(shape)}


class LogNormal(PositiveMean, ScaleFamily):
    """Positive responses with a normal logarithm, of mean mu and standard deviation sigma.

    Both are those of the response itself: glmmTMB's ``lognormal``. The variance of the logarithm
    is log(1 + (sigma / mu)^2).

    Parameters
    ----------
    sigma : float, optional
        Fixes the standard deviation; left out, it is estimated.
    link : str or Link, default "log"
        log, identity, sqrt, inverse, inverse_square or power(p).

    Raises
    ------
    ArgumentError
        If sigma is not positive, or the link does not go with positive means.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import LogNormal
    >>> LogNormal(sigma=2.0).variance(np.ones(1))
    array([4.])
    """

    name = "lognormal"
    support = "positive"
    links = POSITIVE_LINKS
    parameter_scales = {"sigma": LOGARITHM}
    compiled_several = compiled.SEVERAL_LOGNORMAL, "log", 1.0

    def __init__(self, sigma: float | None = None, link: str | Link = "log"):
        super().__init__(link, sigma=sigma)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        eta, log_sigma = self.all_etas(etas)
        nu, log_y = self.log_mean_of(eta), np.log(y)
        variance = jets.softplus(2.0 * (log_sigma - nu))
        gap = log_y - nu + 0.5 * variance
        square = gap * gap / variance + jets.log(variance)
        return weights * (-0.5 * (square + LOG_2PI) - log_y)

    def _of_log(self, mu: Array, zeta: Zeta) -> tuple[Array, Array]:
        """Mean and standard deviation of the logarithm."""
        variance = np.log1p((self.values(zeta)[0] / mu) ** 2)
        return np.log(mu) - 0.5 * variance, np.sqrt(variance)

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        return self.values(zeta)[0] ** 2 + np.zeros(np.shape(mu))

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        from scipy.special import ndtr

        y = np.asarray(y, dtype=float)
        middle, spread = self._of_log(np.asarray(mu, dtype=float), zeta)
        return np.where(y > 0.0, ndtr((np.log(np.where(y > 0.0, y, 1.0)) - middle) / spread), 0.0)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        return np.exp(rng.normal(*self._of_log(np.asarray(mu, dtype=float), zeta)))

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        return np.array(y, dtype=float)

    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        size = largest(y - mu)
        sigma = size * float(np.sqrt(np.average(((y - mu) / size) ** 2, weights=prior)))
        return {"sigma": max(sigma, LEAST_SPREAD * largest(y))}
