"""The bootstrap of a statistic of the response: whole groups, or rows, drawn with replacement."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...calls import one_of
from ...errors import ArgumentError, ArgumentTypeError, brief
from ..simulate import generator
from .jackknife import units
from .replicates import checked_count

if TYPE_CHECKING:
    from ...models.kinds import AnyFit

__all__ = ["response_error"]

STATISTICS: dict[str, Callable[[np.ndarray], Any]] = {"median": np.median, "mean": np.mean}


def response_error(fit: AnyFit, statistic: Any, n: int, level: str, seed: Any) -> float:
    """Standard deviation of a statistic of y over n samples of groups, or of rows.

    Groups are the levels of the outermost grouping factor, all of whose rows come with it, as often
    as it is drawn.
    """
    if checked_count("n_bootstrap", n) < 2:
        raise ArgumentError("n_bootstrap=1: a standard deviation needs at least 2 samples")
    if level == "group" and not fit.design.factors:
        raise ArgumentError(
            "resample_level='group' needs a grouping factor, and the model has no random effects; "
            "resample_level='observation' draws rows"
        )
    of = (
        statistic if callable(statistic) else STATISTICS[one_of("statistic", statistic, STATISTICS)]
    )
    y, rng = fit.design.y, generator(seed)
    codes = units(fit.design) if level == "group" else np.arange(y.size)
    sizes = np.bincount(codes)
    rows, starts = np.argsort(codes, kind="stable"), np.cumsum(sizes) - sizes
    values = np.empty(n)
    for i in range(n):
        drawn = rng.integers(sizes.size, size=sizes.size)
        own = sizes[drawn]
        # the rows of each group drawn, one group after the other
        first = np.repeat(starts[drawn] - (np.cumsum(own) - own), own)
        value = of(y[rows[first + np.arange(own.sum())]])
        if not isinstance(value, (int, float, np.number)):
            raise ArgumentTypeError(
                f"statistic must give one number of an array of responses, got {brief(value)}"
            )
        values[i] = value
    return float(values.std(ddof=1))
