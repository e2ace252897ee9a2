"""Tails and quantiles; scipy.special is imported when the first one is asked for.

It is a tenth of a fresh process's imports, and no fit needs it.
"""

from __future__ import annotations

import numpy as np


def t_pvalue(t: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Two-sided p-values; infinite df mean the normal distribution."""
    from scipy.special import ndtr, stdtr

    tail = -np.abs(t)
    df = np.broadcast_to(np.asarray(df, dtype=float), np.shape(t))
    finite = np.isfinite(df)
    return 2.0 * np.where(finite, stdtr(np.where(finite, df, 1.0), tail), ndtr(tail))


def t_tail(t: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Upper tails; infinite df mean the normal distribution."""
    from scipy.special import ndtr, stdtr

    df = np.broadcast_to(np.asarray(df, dtype=float), np.shape(t))
    finite = np.isfinite(df)
    return np.where(finite, stdtr(np.where(finite, df, 1.0), -t), ndtr(-t))


def t_quantile(level: float, df: np.ndarray | float) -> np.ndarray:
    """Half-width of a two-sided interval in standard errors; infinite df: normal."""
    from scipy.special import ndtri, stdtrit

    df = np.asarray(df, dtype=float)
    finite = np.isfinite(df)
    probability = 0.5 * (1.0 + level)
    return np.where(finite, stdtrit(np.where(finite, df, 1.0), probability), ndtri(probability))


def f_pvalue(F: float, num_df: float, den_df: float) -> float:
    """Upper tail of F; infinite ``den_df`` means chi-squared / num_df."""
    from scipy.special import chdtrc, fdtrc

    if np.isinf(den_df):
        return float(chdtrc(num_df, num_df * F))
    return float(fdtrc(num_df, den_df, F))


def chi2_pvalue(value: np.ndarray | float, df: np.ndarray | float) -> np.ndarray:
    """Upper tail of chi-squared."""
    from scipy.special import chdtrc

    return chdtrc(df, value)
