"""Bootstrap intervals from replicates (Davison and Hinkley 1997, chapter 5), as R's boot.ci.

With the estimate t, replicates t* and their quantiles q at probability a,

    normal      t - bias -+ z sd(t*)
    basic       2 t - q(1 - a / 2), 2 t - q(a / 2)
    percentile  q(a / 2), q(1 - a / 2)
    BCa         q at Phi(w + (w + z) / (1 - A (w + z))), w = Phi^{-1}(share of t* < t),
                A the acceleration: sum d^3 / (6 (sum d^2)^{3/2}) of influences d

Quantiles between two replicates are interpolated on the scale of a normal distribution.
"""

from __future__ import annotations

import numpy as np

__all__ = ["SPELLINGS", "intervals", "normal_quantiles"]

#: R's names of the methods.
SPELLINGS = {"perc": "percentile", "norm": "normal"}


def intervals(
    method: str,
    level: float,
    estimate: np.ndarray,
    replicates: np.ndarray,
    acceleration: np.ndarray | None = None,
) -> np.ndarray:
    """Limits of each of k numbers, (k, 2), from replicates (m, k), NaN where one failed."""
    out = np.full((estimate.size, 2), np.nan)
    for j, t in enumerate(estimate.tolist()):
        own = replicates[:, j]
        own = np.sort(own[np.isfinite(own)])
        if own.size > 1 and np.isfinite(t):
            a = 0.0 if acceleration is None else float(acceleration[j])
            out[j] = _limits(method, level, t, own, a)
    return out


def _limits(method: str, level: float, t: float, own: np.ndarray, a: float) -> np.ndarray:
    from scipy.special import ndtr, ndtri

    tails = np.array([0.5 * (1.0 - level), 0.5 * (1.0 + level)])
    if method == "normal":
        return 2.0 * t - own.mean() + ndtri(tails) * own.std(ddof=1)
    if method == "basic":
        return 2.0 * t - normal_quantiles(own, tails)[::-1]
    if method == "bca":
        w = ndtri(np.count_nonzero(own < t) / own.size)
        if not np.isfinite(w):
            return np.full(2, np.nan)
        z = w + ndtri(tails)
        tails = ndtr(w + z / (1.0 - a * z))
    return normal_quantiles(own, tails)


def normal_quantiles(own: np.ndarray, tails: np.ndarray) -> np.ndarray:
    """Quantiles of sorted numbers, interpolated between normal scores of their ranks."""
    from scipy.special import ndtri

    m = own.size
    rank = (m + 1) * tails
    below = np.floor(rank).astype(int)
    inside = (below > 0) & (below < m)
    k = np.clip(below, 1, m - 1)
    low, high, here = ndtri(k / (m + 1)), ndtri((k + 1) / (m + 1)), ndtri(tails)
    between = own[k - 1] + (here - low) / (high - low) * (own[k] - own[k - 1])
    between = np.where(rank == below, own[k - 1], between)
    return np.where(inside, between, np.where(below <= 0, own[0], own[-1]))
