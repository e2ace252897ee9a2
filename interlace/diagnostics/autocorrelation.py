"""The autocorrelation of residuals within groups of rows, as nlme's ``ACF`` has it.

With e_gt the t-th residual of group g, and n_k pairs of rows of one group that are k apart,

    acf_k = (sum of e_gt e_g(t+k) over the pairs / n_k) / (sum of e_gt^2 / n).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..calls import level as confidence
from ..calls import whole
from ..errors import ArgumentError, brief
from ..inference.tails import t_quantile
from .groups import factor_groups, named_groups, row_values, series
from .quantile_residuals import quantile_residuals
from .residuals import residual_array

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

__all__ = ["autocorrelation"]

# nlme's number of lags without max_lag: so many times the decimal logarithm of the longest series.
LAGS_A_DECADE = 10.0


def autocorrelation(
    fit: AnyFit,
    by: Any = None,
    max_lag: int | None = None,
    time: Any = None,
    type: str | None = None,
    level: float = 0.95,
    data: Any = None,
) -> pd.DataFrame:
    """Autocorrelations by lag; see ``Diagnosis.autocorrelation``."""
    if not fit.has_rows:
        fit.design.needs_rows()  # type: ignore[attr-defined]
    codes, order = _series(fit, by, time, data)
    longest = int(np.bincount(codes).max())
    if longest < 2:
        raise ArgumentError(
            "each group has one row, and no row has one before it; by= names the groups of rows "
            "that are series"
        )
    lags = _lags(max_lag, longest)
    values, codes = _residuals(fit, type)[order], codes[order]
    square = float(np.mean(values**2))
    if square == 0.0:
        raise ArgumentError("all residuals are zero; there is nothing to correlate")
    acf, pairs = np.empty(lags + 1), np.empty(lags + 1, dtype=np.intp)
    for lag in range(lags + 1):
        same = codes[lag:] == codes[: codes.size - lag]
        pairs[lag] = np.count_nonzero(same)
        products = values[lag:] * values[: codes.size - lag]
        acf[lag] = products[same].sum() / pairs[lag] / square
    limit = t_quantile(confidence("level", level), np.inf) / np.sqrt(pairs)
    limit[0] = np.nan
    frame = pd.DataFrame({"acf": acf, "pairs": pairs, "limit": limit})
    return frame.rename_axis("lag")


def _lags(max_lag: int | None, longest: int) -> int:
    """The largest lag: that asked for, or nlme's."""
    if max_lag is None:
        return min(longest - 1, int(LAGS_A_DECADE * np.log10(longest)))
    lags = whole("max_lag", max_lag)
    if lags < 1:
        raise ArgumentError(f"max_lag must be 1 at least, got {lags}")
    if lags >= longest:
        raise ArgumentError(
            f"max_lag={lags} is too large: the longest series has {longest} rows, so that "
            f"{longest - 1} is the largest lag"
        )
    return lags


def _residuals(fit: AnyFit, type: str | None) -> np.ndarray:
    """Residuals (n,), by default those that are independent if the model is right."""
    if type is None:
        type = "normalized" if fit.linear else "quantile"
    return quantile_residuals(fit) if type == "quantile" else residual_array(fit, type)


def _series(fit: AnyFit, by: Any, time: Any, data: Any) -> tuple[np.ndarray, np.ndarray]:
    """The series of each row, (n,), and the rows series by series in order of time."""
    design, n = fit.design, fit.n
    own = design.residual if fit.linear else None
    when = np.arange(n)
    if by is not None:
        codes = named_groups(design, by, data).codes
    elif own is not None and own.spec.correlation is not None:
        codes = own.codes
        if own.times.shape[1] == 1:
            when = own.times[:, 0]
    elif design.factors:
        codes = factor_groups(design.factors[0]).codes
    else:
        codes = np.zeros(n, dtype=np.intp)
    if time is not None:
        when = _times(design, time, data)
    return codes, np.lexsort((np.arange(n), when, codes))


def _times(design: Any, time: Any, data: Any) -> np.ndarray:
    """What the rows are in order of, (n,): numbers, dates, or the codes of levels."""
    values = series(design, time, data, "time") if isinstance(time, str) else time
    if isinstance(getattr(values, "dtype", None), pd.CategoricalDtype):
        levels = values if isinstance(values, pd.Series) else pd.Categorical(values)
        codes = levels.cat.codes if isinstance(levels, pd.Series) else levels.codes
        values = codes + np.where(codes < 0, np.nan, 0.0)
    values = values.to_numpy() if isinstance(time, str) else row_values(design, values, "time")
    if pd.isna(values).any():
        raise ArgumentError(
            "time is missing in some rows, which then have no place in their series; fill them or "
            "leave the rows out of the fit"
        )
    if values.dtype.kind in "OSUT":
        raise ArgumentError(
            f"time={brief(time)} is text, whose order is that of the alphabet, '10' before '2'; "
            "make it numbers, dates or an ordered categorical"
        )
    return values
