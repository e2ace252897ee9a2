"""P-values and quantiles of several tests together: Tukey, Dunnett, Sidak, Holm and others.

The studentised range of k means with nu degrees of freedom is integrated: with s the root of
chi-squared over nu and W the distribution of the range of k standard normal variables,

    P(Q > q) = int f(s) {1 - W(q s)} ds,   W(r) = k int phi(z) {Phi(z) - Phi(z - r)}^(k - 1) dz

(Copenhaver and Holland 1988). Dunnett's two-sided tests are approximated as in R's emmeans.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from .multivariate_t import LargestT
from .tails import f_pvalue, t_pvalue, t_quantile, t_tail

__all__ = [
    "ADJUSTMENTS",
    "Together",
    "adjusted_pvalues",
    "critical_value",
    "studentised_range_tail",
]

ADJUSTMENTS = (
    "tukey", "dunnett", "mvt", "sidak", "bonferroni", "holm", "fdr", "scheffe", "none",
)  # fmt: skip
#: Of p-values in steps, without intervals of their own: these have Bonferroni's, as in emmeans.
BY_STEPS = ("holm", "fdr")
# Of two-sided tests alone; one-sided ones are Sidak's then, as in emmeans.
TWO_SIDED = ("tukey", "dunnett", "scheffe")
# Nodes of the two integrals, and where they are cut off in the tails.
NODES = 200
FARTHEST = 8.5
TAIL = 1e-17
MANY = 50.0
# No quantile is sought beyond so many standard errors.
LARGEST_QUANTILE = 1e6


@cache
def _legendre() -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.legendre.leggauss(NODES)


def _range_tail(r: np.ndarray, k: float) -> np.ndarray:
    """1 - W(r) of each r (m,)."""
    from scipy.special import ndtr

    x, w = _legendre()
    z = FARTHEST * x  # the largest of the k
    below = ndtr(z)
    density = k * FARTHEST * w * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
    # 1 is k int phi Phi^(k - 1): what of it is lost to the others being further away than r
    inside = np.maximum(below - ndtr(z - r[:, None]), 0.0)
    return np.clip((below ** (k - 1.0) - inside ** (k - 1.0)) @ density, 0.0, 1.0)


def studentised_range_tail(q: float, k: float, df: float) -> float:
    """P(Q > q) for the range of k means; k need not be whole."""
    if not np.isfinite(q):
        return np.nan if np.isnan(q) else 0.0
    if np.isinf(df):
        return float(_range_tail(np.array([q]), k)[0])
    from scipy.special import chdtri, gammaln

    x, w = _legendre()
    # where chi-squared has less than TAIL below: by the first term of its series, or by quantiles
    low = (np.log(TAIL) + gammaln(0.5 * df + 1.0)) / df + 0.5 * np.log(2.0 / df)
    if df > MANY:
        low = 0.5 * np.log(chdtri(df, 1.0 - 1e-15) / df)
    high = 0.5 * np.log(chdtri(df, TAIL) / df)
    log_s = 0.5 * (low + high) + 0.5 * (high - low) * x
    s = np.exp(log_s)
    # the density of log s, its constant by the same rule
    density = np.exp(df * (log_s - 0.5 * (s * s - 1.0))) * w
    return min(float(density @ _range_tail(q * s, k)) / float(density.sum()), 1.0)


def _dunnett_tail(t: float, count: int, df: float) -> float:
    k = 0.5 * (1.0 + np.sqrt(1.0 + 8.0 * count))
    share = (count - 1.0) / count
    single = float(t_pvalue(np.array(t), np.array(df)))
    sidak = -np.expm1(count * np.log1p(-min(single, 1.0))) if single < 1.0 else 1.0
    return share * studentised_range_tail(np.sqrt(2.0) * t, k, df) + (1.0 - share) * sidak


@dataclass(frozen=True)
class Together:
    """A family of tests.

    Attributes
    ----------
    means : int
        Estimates whose differences they are.
    rank : int
        Of the contrasts.
    correlation : ndarray (r, r) or None
        Of the estimates, for ``"mvt"``.
    """

    means: int
    rank: int
    correlation: np.ndarray | None = None

    def largest(self, tail: int) -> LargestT:
        """The distribution of the largest statistic."""
        assert self.correlation is not None
        return LargestT(self.correlation, one_sided=tail != 0)


def adjusted_pvalues(
    statistic: np.ndarray, df: np.ndarray, method: str, family: Together, tail: int = 0
) -> np.ndarray:
    """P-values (r,) of a family of tests: two-sided, or of the upper (1) or lower (-1) tail."""
    t, df = np.asarray(statistic, dtype=float), np.asarray(df, dtype=float)
    single = t_tail(tail * t, df) if tail else t_pvalue(t, df)
    if method in ("holm", "fdr"):  # estimates that are not known are no tests
        known = ~np.isnan(single)
        single[known] = _stepwise(single[known], method)
        return single
    count = t.size
    if count == 1 and method != "scheffe":
        return single
    method = "sidak" if tail and method in TWO_SIDED else method
    if method in (*TWO_SIDED, "mvt"):
        beyond = _tail(method, family, count, tail)
        return np.array([beyond(*row) for row in zip(tail * t if tail else np.abs(t), df)])
    if method == "sidak":
        with np.errstate(divide="ignore"):
            return -np.expm1(count * np.log1p(-single))
    return np.minimum(count * single, 1.0) if method == "bonferroni" else single


def _stepwise(p: np.ndarray, method: str) -> np.ndarray:
    """Holm's (1979) step-down, and Benjamini and Hochberg's (1995) step-up p-values."""
    order, n = np.argsort(p), p.size
    rank = np.arange(n)
    out = np.empty(n)
    if method == "holm":
        out[order] = np.minimum(np.maximum.accumulate((n - rank) * p[order]), 1.0)
    else:
        steps = (n / (rank + 1.0) * p[order])[::-1]
        out[order] = np.minimum(np.minimum.accumulate(steps)[::-1], 1.0)
    return out


def _tail(method: str, family: Together, count: int, tail: int):
    """t, df -> the p-value of one test of the family."""
    if method == "tukey":
        return lambda t, df: studentised_range_tail(np.sqrt(2.0) * t, family.means, df)
    if method == "dunnett":
        return lambda t, df: _dunnett_tail(t, count, df)
    if method == "mvt":
        return family.largest(tail).tail
    return lambda t, df: f_pvalue(t * t / family.rank, family.rank, df)


def critical_value(
    level: float, df: np.ndarray, method: str, count: int, family: Together, tail: int = 0
) -> np.ndarray:
    """Half-widths in standard errors of intervals that hold together at a level, (r,).

    With a ``tail`` that of intervals with one end.
    """
    df = np.asarray(df, dtype=float)
    method = "sidak" if tail and method in TWO_SIDED else method
    if count == 1 and method != "scheffe":
        method = "none"
    if method == "bonferroni" or method in BY_STEPS:
        level, method = 1.0 - (1.0 - level) / count, "none"
    elif method == "sidak":
        level, method = level ** (1.0 / count), "none"
    if method == "none":
        return t_quantile(2.0 * level - 1.0 if tail else level, df)
    from scipy.optimize import brentq

    own = _tail(method, family, count, tail)

    def beyond(t: float, one: float) -> float:
        return own(t, one) - (1.0 - level)

    known: dict[float, float] = {}
    for one in np.unique(df[~np.isnan(df)]):
        high = 2.0
        while beyond(high, one) > 0.0 and high < LARGEST_QUANTILE:
            high *= 2.0
        known[one] = float(brentq(beyond, 0.0, high, args=(one,), xtol=1e-10, rtol=1e-12))
    return np.array([known.get(one, np.nan) for one in df])
