"""Zeros beside a family's own: zero inflation and hurdles."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, brief
from . import compiled, jets
from .base import Array, Family, PerRow, Zeta
from .jets import Jet
from .links.base import Link
from .links.probability import Logit
from .negative_binomial import NegativeBinomial
from .poisson import Poisson
from .several import SeveralParameters, in_support

LOGIT = Logit()
#: A structural zero is as good as impossible from here on, and as good as certain.
NO_ZEROS = -15.0
#: Shares of structural zeros to start from are kept away from 0 and 1.
LEAST_SHARE = 0.05
#: The largest double below 1.
LARGEST_SHARE = float(np.nextafter(1.0, 0.0))


def check_base(base: object, made: str) -> None:
    """Refuse what is no family."""
    if not isinstance(base, Family):
        raise ArgumentTypeError(
            f"{made}(base=...) is made of another family, such as il.Poisson(); got {brief(base)}"
        )


class Compound(SeveralParameters):
    """A family made of another, the base, whose parameters come first."""

    base: Family
    own: dict[str, Link]

    def __init__(self, base: Family, own: dict[str, Link], **values: float | None):
        self.base, self.own = base, own
        self.links = base.links
        self.inside = base.inside
        self.discrete = base.discrete
        self.dispersion_parameter = base.dispersion_parameter
        self.shape_parameter = base.shape_parameter
        super().__init__(base.link, **values)

    def _scales(self) -> dict[str, Link]:
        base = zip(self.base.parameters, self.base.parameter_links, strict=True)
        return {**dict(base), **self.own}

    def valid(self, eta: Array) -> Array:
        return self.base.valid(eta)

    @property
    def n_base(self) -> int:
        """Number of parameters of the base that are estimated."""
        return len(self.base.parameters)

    @abstractmethod
    def _base_mean(self, mu: Array, zeta: Zeta) -> Array:
        """Means of the base that belong to means of the response."""

    def _base_variance(self, mean: Array, zeta: Zeta) -> Array:
        """Variances of the base at its means."""
        inner = zeta[: self.n_base]
        return self.base.dispersion(inner) * self.base.variance(mean, inner)

    def _base_starts(self, y: Array, mu: Array, weights: Array, trials: PerRow) -> dict[str, float]:
        """Estimates of the base's parameters from moments, on their own scale."""
        zeta = self.base.start_zeta(y, mu, weights, trials)
        links = zip(self.base.parameters, self.base.parameter_links, zeta, strict=True)
        return {name: float(link.inverse(np.asarray(z))) for name, link, z in links}

    def _base_infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        """The base's words on its own parameters."""
        m = self.n_base
        return self.base.infinite(zeta[:m], unit, information[:m]) if m else None

    def linear_predictor(self, mu: Array, zeta: Zeta = ()) -> Array:
        return self.base.linear_predictor(self._base_mean(mu, zeta), zeta[: self.n_base])

    def parameter_unit(self, y: Array, weights: PerRow = 1.0) -> float:
        return self.base.parameter_unit(y, weights)

    def _own_arguments(self) -> dict[str, float | None]:
        return {name: self.fixed.get(name) for name in self.own}

    def _arguments(self) -> dict[str, Any]:
        return {"base": self.base, **self._own_arguments()}

    def with_link(self, link: str | Link) -> Family:
        return type(self)(**{**self._arguments(), "base": self.base.with_link(link)})


class ZeroInflated(Compound):
    """A response that is zero with a probability of its own, and of another family otherwise.

    With probability zi the response is a structural zero. Where the other family has zeros too, a
    zero may come from either; where it has none (positive and truncated families) this is the
    hurdle or zero-altered model (Lambert 1992, Technometrics 34; Mullahy 1986, Journal of
    Econometrics 33). `mean` is that of the response, (1 - zi) times the other's; the linear
    predictor of the mean is the other family's.

    Parameters
    ----------
    base : Family
        The other family.
    zi : float, optional
        Fixes the probability of a structural zero; left out, it is estimated.

    Raises
    ------
    ArgumentError
        If zi is not between 0 and 1, or responses of the other family may be negative.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import Poisson, ZeroInflated
    >>> family = ZeroInflated(Poisson())
    >>> family.parameters
    ('zi',)
    >>> family.mean(np.log([2.0]), zeta=[0.0])
    array([1.])
    """

    def __init__(self, base: Family, zi: float | None = None):
        check_base(base, "ZeroInflated")
        if base.support in (None, "real"):
            raise ArgumentError(
                f"zeros beside a family need one whose responses are not negative; got {base!r}"
            )
        self.mixture = bool(in_support(base.support, np.zeros(1))[0])
        self.support = with_zero(base.support)
        self.name = f"zero-inflated {base.name}" if self.mixture else f"hurdle {base.name}"
        super().__init__(base, {"zi": LOGIT}, zi=zi)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        inner = etas[: 1 + self.n_base]
        zi = self.all_etas(etas)[-1]
        zero = y == 0.0
        ones = np.ones(np.shape(y)) * trials
        structural, other = jets.log_expit(zi), jets.log_expit(-zi)
        elsewhere = y if self.mixture else np.where(zero, 1.0 if self.discrete else 0.5, y)
        other = other + self.base.log_density_of(inner, elsewhere, ones, trials)
        of_zero = jets.logaddexp(structural, other) if self.mixture else structural
        return weights / trials * jets.where(zero, of_zero, other)

    def kernel_kind(self) -> compiled.Kind | None:
        kind = self.base.kernel_kind()
        if kind is None or compiled.changed(self, ZeroInflated, ("log_density_of", "all_etas")):
            return None
        other = kind.par_factor != 1.0 or kind.base == compiled.SEVERAL_TWEEDIE
        if kind.zeros not in (compiled.NONE, compiled.TRUNCATED) or other:
            return None
        zeros = compiled.INFLATED if self.mixture else compiled.HURDLE
        if "zi" in self.fixed:
            return kind._replace(zeros=zeros, zi=float(LOGIT(np.asarray(self.fixed["zi"]))))
        return kind._replace(zeros=zeros, zi_at=1 + self.n_base)

    def _zi(self, zeta: Zeta) -> Any:
        """Probabilities of structural zeros."""
        return self.values(zeta)[-1]

    def zero_probability(self, eta: Array, zeta: Zeta = ()) -> Array:
        return np.broadcast_to(self._zi(zeta), np.shape(eta))

    def conditional_mean(self, eta: Array, zeta: Zeta = ()) -> Array:
        return self.base.mean(eta, zeta[: self.n_base])

    def response_mean_of(self, etas: Sequence[Jet]) -> Jet:
        zi = self.all_etas(etas)[-1]
        return jets.expit(-zi) * self.base.response_mean_of(etas[: 1 + self.n_base])

    def _base_mean(self, mu: Array, zeta: Zeta) -> Array:
        mean = np.asarray(mu, dtype=float) / (1.0 - self._zi(zeta))
        # a mean that goes with another zi
        return np.minimum(mean, LARGEST_SHARE) if self.base.link.ends[1] else mean

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        mean, zi = self._base_mean(mu, zeta), self._zi(zeta)
        return (1.0 - zi) * (self._base_variance(mean, zeta) + zi * mean * mean)

    def pearson(
        self,
        y: Array,
        mu: Array,
        weights: PerRow = 1.0,
        zeta: Zeta = (),
        trials: PerRow | None = None,
    ) -> Array:
        if self.support != "proportion":
            return super().pearson(y, mu, weights, zeta)
        m, inner = (weights if trials is None else trials), zeta[: self.n_base]
        mean, zi = self._base_mean(mu, zeta), self._zi(zeta)
        # the variance of a proportion falls with its trials, that of a structural zero does not
        variance = 1.0 / self.base.pearson(mean + 1.0, mean, m, inner, m)
        whole = (1.0 - zi) * (variance + zi * mean * mean)
        return np.asarray(weights / m) * (np.asarray(y, dtype=float) - mu) ** 2 / whole

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        inner = self.base.cdf(y, self._base_mean(mu, zeta), 1.0, trials, zeta[: self.n_base])
        return self._with_zeros(y, inner, zeta)

    def cdf_of(
        self, y: Array, eta: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        inner = self.base.cdf_of(y, eta, 1.0, trials, zeta[: self.n_base])
        return self._with_zeros(y, inner, zeta)

    def _with_zeros(self, y: Array, inner: Array, zeta: Zeta) -> Array:
        """The distribution function from that of the base."""
        y, zi = np.asarray(y, dtype=float), self._zi(zeta)
        return np.where(y < 0.0, 0.0, zi + (1.0 - zi) * inner)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        mean = self._base_mean(mu, zeta)
        y = self.base.sample(rng, mean, trials, trials, zeta[: self.n_base])
        return np.where(rng.random(np.shape(mean)) < self._zi(zeta), 0.0, y)

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        y = np.asarray(y, dtype=float)
        positive = y > 0.0
        middle = float(np.mean(y[positive])) if positive.any() else 1.0
        # A zero says little of the mean of the others.
        at = self.base.start_mean(np.where(positive, y, middle), weights)
        return np.where(positive, at, 0.5 * at)

    def start_eta(self, y: Array, weights: PerRow = 1.0) -> Array:
        return self.base.link(self.start_mean(y, weights))

    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        positive = y > 0.0
        zeros = 1.0 - float(np.average(positive, weights=prior))
        values = dict.fromkeys(self.base.parameters, 1.0)
        if self.n_base and positive.any():
            weights, others = (prior * trials)[positive], y[positive]
            at = mu[positive] * (others.mean() / mu[positive].mean())
            values = self._base_starts(others, at, weights, trials[positive])
        # From few structural zeros and much overdispersion, which explain the same zeros, a search
        # can run to coefficients without end; from many it comes back.
        share = 0.5 if self.mixture else zeros
        return {**values, "zi": clipped_share(share)}

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        if text := self._base_infinite(zeta, unit, information):
            return text
        if "zi" in self.fixed or zeta[-1] > NO_ZEROS:
            return None
        return (
            "the probability of a structural zero tends to zero: there are no more zeros than the "
            f"family {self.base.name!r} has. Leave ziformula out"
        )


def clipped_share(share: float) -> float:
    """A share to start from."""
    return float(np.clip(share, LEAST_SHARE, 1.0 - LEAST_SHARE))


def with_zero(support: str | None) -> str | None:
    """The support with zero added."""
    return {
        "positive": "non-negative",
        "positive count": "count",
        "open unit": "half-open unit",
    }.get(support or "", support)


class ZeroInflatedPoissonFamily(ZeroInflated):
    """Poisson counts with extra zeros: ``ZeroInflated(Poisson(link), zi)``.

    Parameters
    ----------
    pi : float, optional
        Fixes the probability of a structural zero; left out, it is estimated.
    link : str or Link, default "log"
        As for `Poisson`.

    Examples
    --------
    >>> from interlace.families import Poisson, ZeroInflated, ZeroInflatedPoissonFamily
    >>> ZeroInflatedPoissonFamily() == ZeroInflated(Poisson())
    True
    """

    def __new__(cls, pi: float | None = None, link: str | Link = "log") -> Any:
        return ZeroInflated(Poisson(link), pi)


class ZeroInflatedNB2Family(ZeroInflated):
    """Counts of NB2 with extra zeros: ``ZeroInflated(NegativeBinomial(theta, link), zi)``.

    Parameters
    ----------
    theta, pi : float, optional
        Fix theta and the probability of a structural zero; left out, they are estimated.
    link : str or Link, default "log"
        As for `NegativeBinomial`.

    Examples
    --------
    >>> from interlace.families import ZeroInflatedNB2Family
    >>> ZeroInflatedNB2Family().parameters
    ('theta', 'zi')
    """

    def __new__(
        cls, theta: float | None = None, pi: float | None = None, link: str | Link = "log"
    ) -> Any:
        return ZeroInflated(NegativeBinomial(theta, link), pi)
