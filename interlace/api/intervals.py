"""Profiles and intervals as functions of a fit: R's name, and that of an earlier package."""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd

from ..calls import checked
from .arguments import check_result


@checked
def profile_confint(
    result: Any, level: float = 0.95, scale: Literal["natural"] = "natural"
) -> pd.DataFrame:
    """Profile likelihood intervals of all parameters of a fit.

    Parameters
    ----------
    result : LMMResult, GLMMResult or GLMResult
    level : float, default 0.95
    scale : {"natural"}
        Standard deviations and correlations.

    Returns
    -------
    DataFrame
        ``lower, upper`` by parameter, ``m.confint(r_names=False)``.

    Examples
    --------
    >>> import interlace as il
    >>> m = il.fit("Yield ~ 1 + (1 | Batch)", il.load_dataset("Dyestuff"))
    >>> il.profile_confint(m).round(1).loc["sd_(Intercept)|Batch"].tolist()
    [12.2, 84.1]
    """
    check_result(result, "profile_confint")
    return result.confint(level=level, r_names=False)
