"""The beta family, and zeros and ones beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from . import compiled, jets
from .base import Array, PerRow, Zeta
from .jets import Jet
from .links.base import Link
from .links.power import Identity
from .links.probability import Logit
from .several import LOGARITHM, SeveralParameters
from .zero_inflated import LOGIT, Compound, clipped_share

UNIT_LINKS = ("logit", "probit", "cloglog", "loglog", "cauchit")
#: A precision of 1e11 is a standard deviation of 2e-6 at most: an exact fit.
LOG_EXACT_UNIT = float(np.log(1e11))
#: exp(-745) is the least double; bisection from there to here takes so many steps.
FAR = 745.0
#: Cuts and logits so far out are at infinity.
FAR_CUT = 15.0
MEAN_STEPS = 100


class Beta(SeveralParameters):
    """Responses between 0 and 1: variance mu (1 - mu) / (1 + precision).

    The shapes are mu precision and (1 - mu) precision (Ferrari and Cribari-Neto 2004, Journal of
    Applied Statistics 31; glmmTMB's ``beta_family``).

    Parameters
    ----------
    precision : float, optional
        Fixes the precision; left out, it is estimated.
    link : str or Link, default "logit"
        logit, probit, cloglog, loglog or cauchit.

    Raises
    ------
    ArgumentError
        If the precision is not positive, or the link does not go with probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import Beta
    >>> Beta(precision=3.0).variance(np.array([0.5]))
    array([0.0625])
    """

    name = "beta"
    support = "open unit"
    links = UNIT_LINKS
    parameter_scales = {"precision": LOGARITHM}
    dispersion_parameter = "precision"
    compiled_several = compiled.SEVERAL_BETA, "logit", 1.0

    def __init__(self, precision: float | None = None, link: str | Link = "logit"):
        super().__init__(link, precision=precision)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        eta, log_phi = self.all_etas(etas)
        log_mu, log_rest = self.log_probabilities_of(eta)
        return weights * log_beta_density(y, log_mu, log_rest, log_phi)

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        mu = np.asarray(mu, dtype=float)
        return mu * (1.0 - mu) / (1.0 + self.values(zeta)[0])

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        from scipy.special import betainc

        mu, (phi,) = np.asarray(mu, dtype=float), self.values(zeta)
        return betainc(mu * phi, (1.0 - mu) * phi, np.clip(y, 0.0, 1.0))

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        mu, (phi,) = np.asarray(mu, dtype=float), self.values(zeta)
        return rng.beta(mu * phi, (1.0 - mu) * phi)

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        # an extreme response is worth as much as half an observation at the middle
        return 0.5 + (np.asarray(y, dtype=float) - 0.5) / 1.5

    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        spread = np.average((y - mu) ** 2, weights=prior)
        return {"precision": max(float(np.average(mu * (1 - mu), weights=prior) / spread) - 1, 0.1)}

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        if not self.parameters or zeta[0] < LOG_EXACT_UNIT:
            return None
        return (
            "the model fits the response exactly: its precision tends to infinity and the "
            "likelihood has no maximum. Take fewer effects, without one for each row"
        )


def log_beta_density(y: Array, log_mu: Jet, log_rest: Jet, log_phi: Jet) -> Jet:
    """Log-density of the beta distribution, free of cancellation for large precisions.

    With Stirling's formula in each gamma function, its leading terms cancel on paper: what is left
    is a distance of mu from y times the precision, and Binet's functions.
    """
    a, b = jets.exp(log_mu + log_phi), jets.exp(log_rest + log_phi)
    log_y, log_1y = np.log(y), np.log1p(-y)
    distance = a * (log_y - log_mu) + b * (log_1y - log_rest)
    rest = jets.binet(jets.exp(log_phi)) - jets.binet(a) - jets.binet(b)
    half = 0.5 * (log_mu + log_rest + log_phi - np.log(2.0 * np.pi))
    return distance + rest + half - (log_y + log_1y)


class BetaFamily(Beta):
    """`Beta` under the earlier name of its parameter.

    Parameters
    ----------
    phi : float, optional
        Fixes the precision; left out, it is estimated.
    link : str or Link, default "logit"
        As for `Beta`.

    Examples
    --------
    >>> from interlace.families import Beta, BetaFamily
    >>> BetaFamily(phi=2.0) == Beta(precision=2.0)
    True
    """

    def __new__(cls, phi: float | None = None, link: str | Link = "logit") -> Any:
        return Beta(phi, link)


class ZeroOneInflatedBeta(Compound):
    """Responses from 0 to 1 with exact zeros and ones beside a beta distribution.

    With probability zoi the response is 0 or 1, and then with probability coi it is 1 (Ospina and
    Ferrari 2010, Statistical Papers 51). `mean` is that of the response; the linear predictor of
    the mean is the beta distribution's.

    Parameters
    ----------
    precision, zoi, coi : float, optional
        Fix the parameters; left out, they are estimated.
    link : str or Link, default "logit"
        As for `Beta`.

    Raises
    ------
    ArgumentError
        If a value is out of its range, or the link does not go with probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import ZeroOneInflatedBeta
    >>> family = ZeroOneInflatedBeta()
    >>> family.parameters
    ('precision', 'zoi', 'coi')
    >>> family.mean(np.array([0.0]), zeta=[1.0, 0.0, 0.0])
    array([0.5])
    """

    name = "zero_one_inflated_beta"
    support = "closed unit"

    def __init__(
        self,
        precision: float | None = None,
        zoi: float | None = None,
        coi: float | None = None,
        link: str | Link = "logit",
    ):
        super().__init__(Beta(precision, link), {"zoi": LOGIT, "coi": LOGIT}, zoi=zoi, coi=coi)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        zoi, coi = self.all_etas(etas)[-2:]
        end = (y == 0.0) | (y == 1.0)
        inner = np.where(end, 0.5, y)
        inside = self.base.log_density_of(etas[: 1 + self.n_base], inner, np.ones(y.shape))
        which = jets.where(y == 1.0, jets.log_expit(coi), jets.log_expit(-coi))
        at_end = jets.log_expit(zoi) + which
        return weights * jets.where(end, at_end, jets.log_expit(-zoi) + inside)

    def _ends(self, zeta: Zeta) -> tuple[Any, Any]:
        """The probabilities of 0 and of 1."""
        zoi, coi = self.values(zeta)[-2:]
        return zoi * (1.0 - coi), zoi * coi

    def zero_probability(self, eta: Array, zeta: Zeta = ()) -> Array:
        return np.broadcast_to(self._ends(zeta)[0], np.shape(eta))

    def conditional_mean(self, eta: Array, zeta: Zeta = ()) -> Array:
        return self.base.mean(eta, zeta[: self.n_base])

    def response_mean_of(self, etas: Sequence[Jet]) -> Jet:
        zoi, coi = self.all_etas(etas)[-2:]
        return jets.expit(zoi) * jets.expit(coi) + jets.expit(-zoi) * self.mean_of(etas[0])

    def _base_mean(self, mu: Array, zeta: Zeta) -> Array:
        zero, one = self._ends(zeta)
        return (np.asarray(mu, dtype=float) - one) / (1.0 - zero - one)

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        (zero, one), mean = self._ends(zeta), self._base_mean(mu, zeta)
        square = one + (1.0 - zero - one) * (self._base_variance(mean, zeta) + mean * mean)
        return square - np.asarray(mu, dtype=float) ** 2

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        y, (zero, one) = np.asarray(y, dtype=float), self._ends(zeta)
        inner = self.base.cdf(y, self._base_mean(mu, zeta), 1.0, 1.0, zeta[: self.n_base])
        below = zero + (1.0 - zero - one) * inner
        return np.where(y < 0.0, 0.0, np.where(y >= 1.0, 1.0, below))

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        zero, one = self._ends(zeta)
        y = self.base.sample(rng, self._base_mean(mu, zeta), 1.0, 1.0, zeta[: self.n_base])
        u = rng.random(y.shape)
        return np.where(u < zero, 0.0, np.where(u >= 1.0 - one, 1.0, y))

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        return self.base.start_mean(y, weights)

    def start_eta(self, y: Array, weights: PerRow = 1.0) -> Array:
        return self.base.start_eta(y, weights)

    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        inside = (y > 0.0) & (y < 1.0)
        zero, one = (float(np.average(y == end, weights=prior)) for end in (0.0, 1.0))
        values = {"zoi": clipped_share(zero + one), "coi": clipped_share(one / (zero + one or 1.0))}
        if self.n_base:
            at = np.clip(mu[inside], 0.01, 0.99)
            (z,) = self.base.start_zeta(y[inside], at, prior[inside]) if inside.any() else (1.0,)
            values["precision"] = float(np.exp(z))
        return values

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        if text := self._base_infinite(zeta, unit, information):
            return text
        m = self.n_base
        predictors = dict(zip(self.parameters[m:], zeta[m:], strict=True))
        if predictors.get("zoi", 0.0) < -FAR_CUT:
            return "no response is 0 or 1: zoi tends to zero. Use family='beta'"
        if abs(predictors.get("coi", 0.0)) > FAR_CUT:
            end = "0" if predictors["coi"] > 0.0 else "1"
            return (
                f"no response is {end}: coi has no finite estimate. With zeros alone take "
                "family='beta' with ziformula='~ 1'; otherwise hold coi fixed near its end"
            )
        return None

    def _arguments(self) -> dict[str, Any]:
        assert isinstance(self.base, Beta)
        precision = self.base.fixed.get("precision")
        return {"precision": precision, **self._own_arguments(), "link": self.link}

    def with_link(self, link: str | Link) -> ZeroOneInflatedBeta:
        return type(self)(**{**self._arguments(), "link": link})


class ZeroOneInflatedBetaFamily(ZeroOneInflatedBeta):
    """`ZeroOneInflatedBeta` by the probabilities of zero and of one.

    Parameters
    ----------
    phi, p0, p1 : float, optional
        Fix the precision and the two probabilities (both or neither); left out, they are
        estimated.
    link : str or Link, default "logit"
        As for `Beta`.

    Examples
    --------
    >>> from interlace.families import ZeroOneInflatedBetaFamily
    >>> ZeroOneInflatedBetaFamily(p0=0.1, p1=0.1)
    ZeroOneInflatedBeta(zoi=0.2, coi=0.5, link='logit')
    """

    def __new__(
        cls,
        phi: float | None = None,
        p0: float | None = None,
        p1: float | None = None,
        link: str | Link = "logit",
    ) -> Any:
        if p0 is None or p1 is None:
            return ZeroOneInflatedBeta(phi, link=link)
        return ZeroOneInflatedBeta(phi, p0 + p1, p1 / (p0 + p1), link)


class OrderedBeta(SeveralParameters):
    """Responses from 0 to 1, their exact zeros and ones by the same linear predictor.

    A response is 0 with probability 1 - F(eta - cut1), 1 with probability F(eta - cut2), F being
    the logistic distribution function, and of a beta distribution otherwise (Kubinec 2023,
    Political Analysis 31; glmmTMB's ``ordbeta``, whose psi are the two cuts). `mean` is that of
    the response.

    Parameters
    ----------
    precision, cut1, cut2 : float, optional
        Fix the parameters; left out, they are estimated.
    link : str or Link, default "logit"
        logit.

    Raises
    ------
    ArgumentError
        If a value is out of its range, or the link is another.

    Examples
    --------
    >>> import numpy as np
    >>> from interlace.families import OrderedBeta
    >>> OrderedBeta().mean(np.array([0.0]), zeta=[1.0, -2.0, 2.0]).round(12)
    array([0.5])
    """

    name = "ordered_beta"
    support = "closed unit"
    links = ("logit",)
    dispersion_parameter = "precision"
    parameter_scales = {"precision": LOGARITHM, "cut1": Identity(), "cut2": Identity()}

    def __init__(
        self,
        precision: float | None = None,
        cut1: float | None = None,
        cut2: float | None = None,
        link: str | Link = "logit",
    ):
        super().__init__(link, precision=precision, cut1=cut1, cut2=cut2)

    def log_density_of(
        self, etas: Sequence[Jet], y: Array, weights: Array, trials: PerRow = 1.0
    ) -> Jet:
        eta, log_phi, cut1, cut2 = self.all_etas(etas)
        inside = (y > 0.0) & (y < 1.0)
        middle = log_beta_density(
            np.where(inside, y, 0.5), *self.log_probabilities_of(eta), log_phi
        )
        upper, lower = jets.log_expit(eta - cut2), jets.log_expit(cut1 - eta)
        # F(u) - F(v) = F(u) F(-v) (1 - e^(v - u))
        between = jets.log_expit(eta - cut1) + jets.log_expit(cut2 - eta)
        between = between + jets.log1mexp(cut1 - cut2)
        ends = jets.where(y == 0.0, lower, upper)
        return weights * jets.where(inside, between + middle, ends)

    def _shares(self, eta: Array, zeta: Zeta) -> tuple[Any, Any, Any]:
        """The probabilities of 0, of 1 and of neither."""
        from scipy.special import expit

        _, cut1, cut2 = self.values(zeta)
        zero, one = expit(cut1 - eta), expit(eta - cut2)
        return zero, one, expit(eta - cut1) * expit(cut2 - eta) * -np.expm1(cut1 - cut2)

    def response_mean_of(self, etas: Sequence[Jet]) -> Jet:
        eta, _, cut1, cut2 = self.all_etas(etas)
        one = jets.expit(eta - cut2)
        return one + (jets.expit(eta - cut1) - one) * jets.expit(eta)

    def zero_probability(self, eta: Array, zeta: Zeta = ()) -> Array:
        return self._shares(eta, zeta)[0]

    def conditional_mean(self, eta: Array, zeta: Zeta = ()) -> Array:
        return self.link.inverse(eta)

    def linear_predictor(self, mu: Array, zeta: Zeta = ()) -> Array:
        return solved_mean(self, np.asarray(mu, dtype=float), zeta)

    def variance(self, mu: Array, zeta: Zeta = ()) -> Array:
        eta = self.linear_predictor(mu, zeta)
        _, one, middle = self._shares(eta, zeta)
        mean = self.link.inverse(eta)
        inner = mean * (1.0 - mean) / (1.0 + self.values(zeta)[0])
        return one + middle * (inner + mean * mean) - np.asarray(mu, dtype=float) ** 2

    def cdf(
        self, y: Array, mu: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        return self.cdf_of(y, self.linear_predictor(mu, zeta), weights, trials, zeta)

    def cdf_of(
        self, y: Array, eta: Array, weights: PerRow = 1.0, trials: PerRow = 1.0, zeta: Zeta = ()
    ) -> Array:
        from scipy.special import betainc

        y, phi = np.asarray(y, dtype=float), self.values(zeta)[0]
        zero, _, middle = self._shares(eta, zeta)
        mean = self.link.inverse(eta)
        inner = betainc(mean * phi, (1.0 - mean) * phi, np.clip(y, 0.0, 1.0))
        return np.where(y < 0.0, 0.0, np.where(y >= 1.0, 1.0, zero + middle * inner))

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        weights: PerRow = 1.0,
        trials: PerRow = 1.0,
        zeta: Zeta = (),
    ) -> Array:
        eta, phi = self.linear_predictor(mu, zeta), self.values(zeta)[0]
        zero, one, _ = self._shares(eta, zeta)
        mean = self.link.inverse(eta)
        y, u = rng.beta(mean * phi, (1.0 - mean) * phi), rng.random(np.shape(mean))
        return np.where(u < zero, 0.0, np.where(u >= 1.0 - one, 1.0, y))

    def start_mean(self, y: Array, weights: PerRow = 1.0) -> Array:
        return 0.5 + (np.asarray(y, dtype=float) - 0.5) / 1.5

    def start_eta(self, y: Array, weights: PerRow = 1.0) -> Array:
        return self.link(self.start_mean(y, weights))

    def infinite(self, zeta: Array, unit: float, information: Array) -> str | None:
        predictors = dict(zip(self.parameters, zeta, strict=True))
        if predictors.get("precision", 0.0) > LOG_EXACT_UNIT:
            return Beta().infinite(zeta, unit, information)
        ends = (("cut1", -1.0, "0"), ("cut2", 1.0, "1"))
        for cut, sign, end in ends:
            if sign * predictors.get(cut, 0.0) > FAR_CUT:
                return (
                    f"{cut} of the ordered beta has no finite estimate: no response is {end}. Hold "
                    f"it far out, as in il.OrderedBeta({cut}={sign * 2.0 * FAR_CUT:g})"
                )
        return None

    def _moments(self, y: Array, mu: Array, prior: Array, trials: Array) -> dict[str, float]:
        inside = (y > 0.0) & (y < 1.0)
        zero, one = (
            clipped_share(float(np.average(y == end, weights=prior))) for end in (0.0, 1.0)
        )
        middle = float(LOGIT(np.asarray(np.clip(np.average(mu, weights=prior), 0.01, 0.99))))
        precision = 1.0
        if inside.any():
            at = np.full(int(inside.sum()), np.clip(y[inside].mean(), 0.01, 0.99))
            precision = Beta()._moments(y[inside], at, prior[inside], at)["precision"]
        return {
            "precision": precision,
            "cut1": middle + float(LOGIT(np.asarray(zero))),
            "cut2": middle - float(LOGIT(np.asarray(one))),
        }


def solved_mean(family: SeveralParameters, mu: Array, zeta: Zeta) -> Array:
    """Linear predictors of given means of a response between 0 and 1, by bisection and Newton."""
    lower, upper = np.full(mu.shape, -FAR), np.full(mu.shape, FAR)
    eta = np.clip(Logit()(np.clip(mu, 1e-300, 1.0 - 1e-16)), -FAR, FAR)
    for _ in range(MEAN_STEPS):
        gap = family.mean(eta, zeta) - mu
        lower, upper = np.where(gap < 0.0, eta, lower), np.where(gap > 0.0, eta, upper)
        with np.errstate(divide="ignore", invalid="ignore"):
            new = eta - gap / family.mean_slope(eta, zeta)
        new = np.where((new > lower) & (new < upper), new, 0.5 * (lower + upper))
        new = np.where(gap == 0.0, eta, new)
        if np.all(np.abs(new - eta) <= 1e-15 * (1.0 + np.abs(eta))):
            return new
        eta = new
    return eta
