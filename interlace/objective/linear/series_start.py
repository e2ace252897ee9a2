"""Where the search for the parameters of a series begins: from products of neighbours."""

from __future__ import annotations

import numpy as np

from ...covariance.chains import Chains
from ...linalg.crossproducts.linear import CrossProducts

__all__ = ["chain_moments", "series_start"]

# Correlations and shares of the variance to start from are held within these.
CORRELATIONS = (0.1, 0.9)
SHARES = (0.1, 0.9)


def series_start(cross: CrossProducts, chains: Chains) -> np.ndarray:
    """theta of the series from the residuals of least squares, relative to the residual one."""
    root = float(cross.z_roots[0][0, 0])
    weight = cross.z.diagonal[0][:, 0, 0] * root**2
    sums = cross.ZXy[0][:, 0, -1] * root
    mean = np.divide(sums, weight, out=np.zeros_like(sums), where=weight > 0.0)
    total = float(cross.XyXy[-1, -1]) / max(float(weight.sum()), 1.0)
    variance, r = chain_moments(chains, mean, np.ones(mean.size))
    share = float(np.clip(variance / total, *SHARES)) if total > 0.0 else 0.5
    return chains.start((share / (1.0 - share)) ** 0.5, r)


def chain_moments(chains: Chains, sums: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Variance and correlation of neighbours from sums (n_1,) = weight a + independent errors.

    The covariances at distances of one and of two neighbours are s^2 r and s^2 r^2.
    """
    of = chains.series
    units = [_neighbours(weight, of, lag) for lag in (1, 2)]
    near, far = (
        _neighbours(sums, of, lag) / unit if unit > 0.0 else 0.0
        for lag, unit in zip((1, 2), units, strict=True)
    )
    r = far / near if near > 0.0 and far > 0.0 else np.sign(near) * CORRELATIONS[0]
    r = float(np.sign(r) * np.clip(abs(r), *CORRELATIONS)) if r else CORRELATIONS[0]
    return near / r, r


def _neighbours(values: np.ndarray, of: np.ndarray, lag: int) -> float:
    """Mean product of effects of one series so many places apart, 0 if there are none."""
    same = of[lag:] == of[:-lag]
    return float((values[lag:] * values[:-lag])[same].mean()) if same.any() else 0.0
