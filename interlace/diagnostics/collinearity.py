"""Variance inflation of the terms: what collinearity adds to the variance of their coefficients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..errors import ArgumentError

if TYPE_CHECKING:
    from ..models.kinds import AnyFit


def variance_inflation(fit: AnyFit) -> pd.DataFrame:
    """Generalised variance inflation of each term (Fox and Monette 1992), as car's ``vif``.

    With R the correlations of the coefficients, the intercept aside, det R_t det R_rest / det R.
    """
    names = list(fit.design.x_names)
    terms = [
        (name, [j for j in range(len(names))[at] if names[j] != "Intercept"])
        for name, at in fit.design.x_terms
    ]
    terms = [(name, at) for name, at in terms if at]
    if len(terms) < 2:
        raise ArgumentError(
            f"collinearity is between terms of the fixed part, which has "
            f"{len(terms) or 'none'} beside the intercept"
        )
    columns = [j for _, at in terms for j in at]
    cov = fit.cov_beta[np.ix_(columns, columns)]
    size = np.sqrt(np.diagonal(cov))
    with np.errstate(invalid="ignore", divide="ignore"):
        R = cov / size / size[:, None]
    place = {j: i for i, j in enumerate(columns)}
    rows = []
    for _, at in terms:
        own = [place[j] for j in at]
        rest = [i for i in range(len(columns)) if i not in own]
        logs = [np.linalg.slogdet(R[np.ix_(i, i)])[1] for i in (own, rest, range(len(columns)))]
        value = float(np.exp(logs[0] + logs[1] - logs[2])) if np.isfinite(R).all() else np.nan
        rows.append((value, len(at), value ** (0.5 / len(at))))
    index = pd.Index([name for name, _ in terms], name="term")
    return pd.DataFrame(rows, index, ["GVIF", "Df", "GVIF^(1/(2*Df))"])
