"""Linear hypotheses in lmerTest's tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..linalg.information import covariance_of
from .hypotheses import parse_hypothesis
from .wald import add_intervals, covariance_for, method_of, t_table, wald_test

if TYPE_CHECKING:
    from ..models.kinds import AnyFit

__all__ = ["joint_table", "single_table"]

SINGLE = {
    "estimate": "Estimate", "std_error": "Std. Error", "df": "df", "statistic": "t value",
    "conf_low": "lower", "conf_high": "upper", "p_value": "Pr(>|t|)",
}  # fmt: skip


def single_table(
    fit: AnyFit, hypothesis: Any, rhs: Any, confint: bool, level: float, ddf: str | None
) -> pd.DataFrame:
    """A t test of each row."""
    method = method_of(fit, ddf, "ddf")
    L, own, labels = parse_hypothesis(fit.design.x_names, hypothesis)
    table = t_table(fit, L, own + np.asarray(rhs, dtype=float), labels, method)
    table = add_intervals(table, level) if confint else table
    return pd.DataFrame({head: table[name] for name, head in SINGLE.items() if name in table})


def joint_table(fit: AnyFit, hypothesis: Any, rhs: Any, ddf: str | None) -> pd.DataFrame:
    """An F test of all rows."""
    method = method_of(fit, ddf, "ddf")
    L, own, _ = parse_hypothesis(fit.design.x_names, hypothesis)
    test = wald_test(fit, (L, own + np.asarray(rhs, dtype=float)), "F", method)
    distance = L @ fit.beta - own - np.asarray(rhs, dtype=float)
    # of Kenward and Roger's F the squares are those before it is scaled, as in lmerTest
    whole = distance @ np.linalg.pinv(covariance_of(L, covariance_for(fit, method))) @ distance
    square = float(whole) / test.df_num * fit.dispersion if fit.linear else np.nan
    values = (square * test.df_num, square, test.df_num, test.df_denom, test.statistic, test.pvalue)
    columns = ["Sum Sq", "Mean Sq", "NumDF", "DenDF", "F value", "Pr(>F)"]
    return pd.DataFrame([values], columns=columns)
