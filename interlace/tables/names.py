"""Matrices with the names of their rows and columns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def named_matrix(
    values: np.ndarray, names: Sequence[str], correlation: bool = False
) -> pd.DataFrame:
    """A covariance matrix (m, m) with its names, or the correlations."""
    if correlation:
        # Missing where a variance is: the data do not determine that parameter.
        with np.errstate(divide="ignore", invalid="ignore"):
            sd = np.sqrt(np.diagonal(values))
            values = values / np.outer(sd, sd)
    return pd.DataFrame(np.array(values), index=list(names), columns=list(names))
