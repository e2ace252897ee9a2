"""The jackknife over groups: a statistic without each of the units that are independent."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...errors import InterlaceError
from .sources import Statistic

__all__ = ["acceleration", "jackknife", "units"]


def units(design: Any) -> np.ndarray:
    """Codes (n,) of the levels of the outermost grouping factor, of several the one with most.

    Rows, where there are no random effects.
    """
    factors = design.factors
    outer = [
        f for f in factors if not any(_within(f, other) for other in factors if other is not f)
    ]
    if not outer:
        return np.arange(design.y.size)
    return max(outer, key=lambda f: f.n_labels).label_codes


def _within(inner: Any, outer: Any) -> bool:
    """Whether each level of a factor is in one level of another that has fewer."""
    pairs = np.unique(np.stack([inner.label_codes, outer.label_codes]), axis=1).shape[1]
    return pairs == inner.n_labels > outer.n_labels


def jackknife(fit: Any, statistic: Statistic) -> np.ndarray:
    """The statistic of the fit without each unit, (g, k), those that failed left out."""
    codes = units(fit.design)
    order = np.argsort(codes, kind="stable")
    out = []
    for rows in np.split(order, np.cumsum(np.bincount(codes))[:-1]):
        try:
            out.append(statistic(fit.without(rows)))
        except InterlaceError:
            continue
    return np.array(out)


def acceleration(values: np.ndarray) -> np.ndarray:
    """sum d^3 / (6 (sum d^2)^{3/2}) of the distances from their mean, (k,); 0 where all are 0."""
    d = values.mean(axis=0) - values
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nan_to_num(np.sum(d**3, axis=0) / (6.0 * np.sum(d * d, axis=0) ** 1.5))
