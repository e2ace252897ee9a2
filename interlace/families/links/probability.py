"""Links of probabilities on the whole line: logit, probit, cloglog, loglog, cauchit."""

from __future__ import annotations

import numpy as np

from ..compiled import CAUCHIT, CLOGLOG, LOGIT, LOGLOG, PROBIT
from ..special_functions import exp, log_normal_cdf, logistic
from .base import Link


class _ProbabilityLink(Link):
    """A link of probabilities that knows log mu and log(1 - mu)."""

    probability = True
    scale_free = True
    ends = True, True

    def inverse_derivatives(
        self, eta: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        lp, lp1, lp2, lp3 = self.log_probabilities(eta)[:4]
        mu = np.exp(lp)
        mu1 = mu * lp1
        mu2 = mu1 * lp1 + mu * lp2
        return mu, mu1, mu2, mu2 * lp1 + 2.0 * mu1 * lp2 + mu * lp3


class Logit(_ProbabilityLink):
    """The logit link, ``eta = log(mu / (1 - mu))``, canonical of the binomial.

    Examples
    --------
    >>> from interlace.families import Logit
    >>> float(Logit().inverse(0.0))
    0.5
    """

    name = "logit"
    ratios = True
    ratio_name = "odds_ratio"
    compiled = LOGIT

    def __call__(self, mu: np.ndarray) -> np.ndarray:
        mu = np.asarray(mu, dtype=float)
        with np.errstate(divide="ignore"):
            return np.log(mu) - np.log1p(-mu)

    def derivative(self, mu: np.ndarray) -> np.ndarray:
        mu = np.asarray(mu, dtype=float)
        with np.errstate(divide="ignore"):
            return 1.0 / (mu * (1.0 - mu))

    def inverse_derivatives(
        self, eta: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        p, q, _, _ = logistic(np.asarray(eta, dtype=float))
        pq = p * q
        return p, pq, pq * (q - p), pq * (1.0 - 6.0 * pq)

    def inverse(self, eta: np.ndarray) -> np.ndarray:
        eta = np.asarray(eta, dtype=float)
        e = np.exp(-np.abs(eta))
        larger = 1.0 / (1.0 + e)
        e *= larger
        return np.where(eta > 0.0, larger, e)

    def log_probabilities(self, eta: np.ndarray) -> tuple[np.ndarray, ...]:
        p, q, lp, lq = logistic(np.asarray(eta, dtype=float))
        d2 = -p * q
        d3 = d2 * (q - p)
        return lp, q, d2, d3, lq, -p, d2, d3


class Probit(_ProbabilityLink):
    """The probit link: eta is the standard normal quantile of mu.

    Examples
    --------
    >>> from interlace.families import Probit
    >>> float(Probit().inverse(0.0))
    0.5
    """

    name = "probit"
    compiled = PROBIT

    def __call__(self, mu: np.ndarray) -> np.ndarray:
        from scipy.special import ndtri

        return ndtri(np.asarray(mu, dtype=float))

    def derivative(self, mu: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.sqrt(2.0 * np.pi) * np.exp(0.5 * self(mu) ** 2)

    def inverse(self, eta: np.ndarray) -> np.ndarray:
        from scipy.special import ndtr

        return ndtr(np.asarray(eta, dtype=float))

    def log_probabilities(self, eta: np.ndarray) -> tuple[np.ndarray, ...]:
        eta = np.asarray(eta, dtype=float)
        lq, lq1, lq2, lq3 = log_normal_cdf(-eta)
        return *log_normal_cdf(eta), lq, -lq1, lq2, -lq3


class Cauchit(_ProbabilityLink):
    """The Cauchy link: eta is the standard Cauchy quantile of mu.

    Examples
    --------
    >>> from interlace.families import Cauchit
    >>> round(float(Cauchit()(0.75)), 12)
    1.0
    """

    name = "cauchit"
    compiled = CAUCHIT

    def __call__(self, mu: np.ndarray) -> np.ndarray:
        mu = np.asarray(mu, dtype=float)
        with np.errstate(divide="ignore"):
            lower = -1.0 / np.tan(np.pi * np.minimum(mu, 0.25))
        upper = np.tan(np.pi * (np.clip(mu, 0.25, 1.0) - 0.5))
        out = np.where(mu < 0.25, lower, upper)
        return np.where(mu == 1.0, np.inf, out)

    def derivative(self, mu: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.pi * (1.0 + self(mu) ** 2)

    def inverse(self, eta: np.ndarray) -> np.ndarray:
        return np.arctan2(1.0, -np.asarray(eta, dtype=float)) / np.pi

    def log_probabilities(self, eta: np.ndarray) -> tuple[np.ndarray, ...]:
        eta = np.asarray(eta, dtype=float)
        lq, lq1, lq2, lq3 = self._log_cdf(-eta)
        return *self._log_cdf(eta), lq, -lq1, lq2, -lq3

    @staticmethod
    def _log_cdf(
        x: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        p = np.arctan2(1.0, -x) / np.pi
        s = 1.0 / (1.0 + x * x)
        d1 = s / (np.pi * p)
        ratio = -2.0 * x * s
        d2 = d1 * (ratio - d1)
        d3 = d2 * (ratio - d1) + d1 * (ratio * ratio - 2.0 * s - d2)
        q = np.arctan2(1.0, np.maximum(x, 0.0)) / np.pi
        return np.where(x > 0.0, np.log1p(-q), np.log(p)), d1, d2, d3


class Cloglog(_ProbabilityLink):
    """The complementary log-log link, ``eta = log(-log(1 - mu))``.

    Examples
    --------
    >>> from interlace.families import Cloglog
    >>> round(float(Cloglog().inverse(0.0)), 12)
    0.632120558829
    """

    name = "cloglog"
    ratios = True
    compiled = CLOGLOG

    def __call__(self, mu: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log(-np.log1p(-np.asarray(mu, dtype=float)))

    def derivative(self, mu: np.ndarray) -> np.ndarray:
        mu = np.asarray(mu, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            out = 1.0 / np.abs((1.0 - mu) * np.log1p(-mu))
        return np.where(mu == 1.0, np.inf, out)

    def inverse(self, eta: np.ndarray) -> np.ndarray:
        return -np.expm1(-exp(np.asarray(eta, dtype=float)))

    def log_probabilities(self, eta: np.ndarray) -> tuple[np.ndarray, ...]:
        t, *lp = _log_extreme(np.asarray(eta, dtype=float))
        return *lp, -t, -t, -t, -t


class Loglog(_ProbabilityLink):
    """The log-log link, ``eta = -log(-log(mu))``: cloglog of the complement, mirrored.

    Examples
    --------
    >>> from interlace.families import Loglog
    >>> round(float(Loglog().inverse(0.0)), 12)
    0.367879441171
    """

    name = "loglog"
    compiled = LOGLOG

    def __call__(self, mu: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return -np.log(-np.log(np.asarray(mu, dtype=float)))

    def derivative(self, mu: np.ndarray) -> np.ndarray:
        mu = np.asarray(mu, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            out = 1.0 / np.abs(mu * np.log(mu))
        return np.where(mu == 0.0, np.inf, out)

    def inverse(self, eta: np.ndarray) -> np.ndarray:
        return np.exp(-exp(-np.asarray(eta, dtype=float)))

    def log_probabilities(self, eta: np.ndarray) -> tuple[np.ndarray, ...]:
        t, lq, lq1, lq2, lq3 = _log_extreme(-np.asarray(eta, dtype=float))
        return -t, t, -t, t, lq, -lq1, lq2, -lq3


#: Below this value of t = exp(eta) the series of t / (exp(t) - 1) - 1 + t, which cancels, is used;
#: the first term left out, of order t^16, is 7e-18 of the sum there.
SERIES_BELOW = 0.5

#: B_2k / (2k)!, k = 1, ..., 7: t / (exp(t) - 1) = 1 - t/2 + t^2/12 - t^4/720 + ...
BERNOULLI = (
    1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000,
    1 / 74724249600,
)  # fmt: skip


def _log_extreme(
    x: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """t = exp(x), then log(1 - exp(-t)) and its first three derivatives in x.

    With a = t / (exp(t) - 1) and b = 1 - t - a they are a, a b and a (b (b - a) - t).
    """
    t = exp(x)
    complement = -np.expm1(-t)
    decay = np.exp(-t)
    # exp(-700) is a double, t = exp(-700) is too: their ratio to 1 - exp(-t) never divides by 0.
    a = t / complement * decay
    value = np.where(t > 0.5, np.log1p(-np.minimum(decay, 0.75)), np.log(complement))
    small = np.minimum(t, SERIES_BELOW)
    y = small * small
    total = np.zeros_like(t)
    for coefficient in reversed(BERNOULLI):
        total = total * y + coefficient
    b = np.where(t < SERIES_BELOW, -0.5 * t - y * total, 1.0 - t - a)
    # Every product starts from a, which is 0 long before t^2 overflows.
    a1 = a * b
    return t, value, a, a1, a1 * b - a1 * a - a * t
